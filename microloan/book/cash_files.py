"""Files about money, taken in row by row: each row is a command of its own, and a row taken once is a duplicate later.

A few rows share a transaction, since a commit waits for the disk; a refused row leaves nothing behind and spoils no other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from ..errors import BadInput, MicroloanError, Retryable
from ..intake.cells import MAX_ID_LENGTH, identifier
from ..intake.rejections import Rejection
from ..intake.rows import Row, RowLayout, rows_aside
from ..intake.sales import Progress, silent
from ..store.unit import Unit
from .desk import Desk

T = TypeVar("T")
Cells = Mapping[str, str]
Layout = RowLayout | Path | str | None

#: Rows that share a transaction: few, because other commands wait for what they have locked.
AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class CashReport:
    """What came of a file: rows acted on, rows kept that wait for a person, rows known already, rows refused.

    Every row is in exactly one of the counts. ``rejections`` name the line and why; what waits has its reason in the list.
    """

    accepted: int
    waiting: int
    duplicates: int
    rejected: int
    rejections: tuple[Rejection, ...]


def layout_of(given: Layout) -> RowLayout:
    """A layout as given, or read from its file. Raises InvalidFile."""
    return given if isinstance(given, RowLayout) else RowLayout() if given is None else RowLayout.read(given)


def named(cells: Mapping[str, str], column: str) -> str:
    """An identifier in a cell as it is stored. Raises BadInput for none, and for one too long or not printable."""
    read = identifier(column, cells[column], True)
    if read is None:
        raise BadInput(field=column, value="", reason="is missing")
    if not isinstance(read, str):
        raise BadInput(
            field=column, value=cells[column][:40], reason=f"use up to {MAX_ID_LENGTH} printable characters"
        )
    return read


@dataclass(frozen=True, slots=True)
class MoneyFile:
    """A kind of file: its command, its columns (the first says what a row is about), those its record is made of."""

    operation: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    recorded: tuple[str, ...]


def take_file(
    desk: Desk,
    kind: MoneyFile,
    file: Path | str,
    layout: RowLayout,
    take: Callable[[Unit, Cells], str],
    progress: Progress = silent,
) -> CashReport:
    """Read a file to its end, then take its rows; *take* answers ``accepted``, ``waiting`` or ``duplicates``.

    A refused row is listed and the rest goes on; a database that cannot go on stops the file, and the same file again
    continues where it stopped. Raises InvalidFile before anything is taken.
    """
    counts: Counter[str] = Counter()
    rejections: list[Rejection] = []
    with rows_aside(file, kind.required, kind.optional, layout) as rows:
        given, done = iter(rows), 0
        while some := list(islice(given, AT_ONCE)):
            for answer in desk.transactions.write(partial(_taken, desk, kind, some, take)):
                if isinstance(answer, Rejection):
                    rejections.append(answer)
                else:
                    counts[answer] += 1
            done += len(some)
            progress("storing", done, rows.count)
            desk.transactions.give_way()
    told = (counts["accepted"], counts["waiting"], counts["duplicates"])
    return CashReport(*told, rejected=len(rejections), rejections=tuple(rejections))


def _taken(
    desk: Desk,
    kind: MoneyFile,
    rows: Sequence[Row],
    take: Callable[[Unit, Cells], str],
    connection: Connection,
) -> list[str | Rejection]:
    """What became of each of some rows, kept together: one commit to disk serves them all."""
    return [_answer(desk, kind, row, take, connection) for row in rows]


def _answer(
    desk: Desk, kind: MoneyFile, row: Row, take: Callable[[Unit, Cells], str], connection: Connection
) -> str | Rejection:
    recorded = {name: row.cells[name] for name in kind.recorded}
    about = row.cells[kind.required[0]]
    try:
        return desk.row(connection, kind.operation, recorded, lambda unit: take(unit, row.cells), about)
    except MicroloanError as refused:
        if not is_refusal(refused):
            raise
        return Rejection(row.line, refused.code, refused.message)


def tried(unit: Unit, act: Callable[[], T]) -> tuple[T | None, str]:
    """What came of *act* and no code; or nothing and the code of its refusal, which leaves nothing behind."""
    try:
        with unit.connection.begin_nested():
            return act(), ""
    except MicroloanError as refused:
        if not is_refusal(refused):
            raise
        return None, refused.code


def is_refusal(error: MicroloanError) -> bool:
    """Whether an error speaks of the one thing it refused; others mean that the database or the book cannot go on."""
    return error.exit_status in (2, 3, 4) and not isinstance(error, Retryable)
