"""Files about money, taken in row by row: each row is a transaction of its own, and a row taken once is a duplicate later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput, MicroloanError, Retryable
from ..intake.cells import MAX_ID_LENGTH, identifier
from ..intake.rejections import Rejection
from ..intake.rows import Row, RowLayout, read_rows
from ..intake.sales import Progress, silent

Layout = RowLayout | Path | str | None


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


def take_file(
    file: Path | str,
    required: tuple[str, ...],
    optional: tuple[str, ...],
    layout: RowLayout,
    take: Callable[[Mapping[str, str]], str],
    progress: Progress = silent,
) -> CashReport:
    """Read a file whole, then take its rows; *take* answers ``accepted``, ``waiting`` or ``duplicates``.

    A refused row is listed and the rest goes on; a database that cannot go on stops the file, and the same file again
    continues where it stopped. Raises InvalidFile before anything is taken.
    """
    rows = read_rows(file, required, optional, layout)
    counts: Counter[str] = Counter()
    rejections: list[Rejection] = []
    for done, row in enumerate(rows, 1):
        _take(row, take, counts, rejections)
        progress("storing", done, len(rows))
    told = (counts["accepted"], counts["waiting"], counts["duplicates"])
    return CashReport(*told, rejected=len(rejections), rejections=tuple(rejections))


def _take(
    row: Row, take: Callable[[Mapping[str, str]], str], counts: Counter[str], rejections: list[Rejection]
) -> None:
    try:
        counts[take(row.cells)] += 1
    except Retryable:
        raise
    except MicroloanError as refused:
        if refused.exit_status not in (2, 3, 4):
            raise
        rejections.append(Rejection(row.line, refused.code, refused.message))
