"""Rows that were not taken: where they stand, why, and how many there are. None is dropped silently.

Source: RELIABILITY 38 (row-numbered rejects), SEMANTICS 8 ("every rejected row is reported with line number and reason").
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, TextIO

from ..errors import InvalidFile
from ..new_file import private

#: How many rejections are kept to be shown; all are counted, and written to the rejects file where one is wanted.
LISTED_AT_MOST = 10_000
_SHOWN = 40


class Fault(NamedTuple):
    """Why a cell cannot be used: a stable code and an English sentence with the value and what to do."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """One row that was not taken: its physical line (1-based, the header counts), a stable code, a sentence."""

    line: int
    code: str
    message: str


def shown(value: object) -> str:
    """A cell as it may appear in a message: quoted, control characters escaped, cut at 40 characters.

    >>> shown("12\\x00")
    "'12\\\\x00'"
    """
    text = str(value)
    return (
        ascii(text[:_SHOWN]) + ("…" if len(text) > _SHOWN else "") if not text.isprintable() else _cut(text)
    )


def _cut(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


class Rejections:
    """Counts every rejection by code, keeps the first ones for the report, writes all to *file* where one is given.

    The file is a CSV of ``line,code,message`` and is never written over an existing one.
    """

    def __init__(self, file: Path | None = None, listed_at_most: int = LISTED_AT_MOST) -> None:
        self.by_code: Counter[str] = Counter()
        self._first: list[Rejection] = []
        self._room = listed_at_most
        self._out: TextIO | None = _new_file(file) if file else None
        self._writer = csv.writer(self._out) if self._out else None
        if self._writer:
            self._writer.writerow(("line", "code", "message"))

    def add(self, line: int, fault: Fault) -> None:
        """Note that *line* was not taken."""
        self.by_code[fault.code] += 1
        if len(self._first) < self._room:
            self._first.append(Rejection(line, fault.code, fault.message))
        if self._writer:
            self._writer.writerow((line, fault.code, fault.message))

    @property
    def count(self) -> int:
        """Rows not taken, listed or not."""
        return self.by_code.total()

    @property
    def listed(self) -> tuple[Rejection, ...]:
        """The rejections kept for the report, by line."""
        return tuple(sorted(self._first, key=lambda rejection: rejection.line))

    def __enter__(self) -> Rejections:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._out:
            self._out.close()


def _new_file(file: Path) -> TextIO:
    try:
        return open(file, "x", encoding="utf-8", newline="", opener=private)  # the caller closes it
    except FileExistsError:
        raise InvalidFile(
            code="file_exists", file=str(file), reason="the rejects file exists already; name another"
        ) from None
    except OSError as error:
        raise InvalidFile(
            code="unwritable_file", file=str(file), reason=f"cannot be written: {error.strerror}"
        ) from None
