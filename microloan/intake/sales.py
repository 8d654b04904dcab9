"""The way in: a file or a frame of order lines → validated batches, or one refusal for the whole file.

    with read_sales("orders.csv.gz", expected) as staged:
        for lines in staged.batches(): ...

By the time ``read_sales`` returns, the last byte has been read: a bad file — wrong encoding, a missing column, a broken archive,
even at its very end — has raised InvalidFile, and the rejected rows are known.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

from ..errors import InvalidFile
from .entries import EntryLayout, SoldBefore, nothing_sold
from .frames import Frame, frame_of, parquet_frame
from .lines import Expected, Layout, Lines, column_name
from .mapping import COLUMNS, Mapping, checked_encoding, shipped
from .rejections import LISTED_AT_MOST, Rejection, Rejections
from .spool import Spool
from .text import Hashed, Numbered, decoded, first_block, first_cells, header_of, physical_lines, records

#: Told what is going on, how far it is, and the end if it is known: ``("reading", bytes, of)``, ``("storing", rows, of)``.
Progress = Callable[[str, int, int | None], None]


def silent(stage: str, done: int, total: int | None) -> None:
    """Progress nobody watches."""


class Reading(NamedTuple):
    """How a file is to be read; ``encoding`` None means the mapping's, ``rejects`` a CSV to write every rejection to.

    ``sold_before`` is asked what the book has of the orders of a settlement report.
    """

    expected: Expected
    encoding: str | None = None
    strict: bool = False
    rejects: Path | None = None
    listed_at_most: int = LISTED_AT_MOST
    progress: Progress = silent
    sold_before: SoldBefore = nothing_sold


@dataclass(frozen=True)
class StagedSales:
    """A file found good: how many lines it holds, which rows were rejected and why; its lines wait to be taken in.

    ``sha256`` is that of the file, for frames that of the lines. ``adjusted`` counts, by code, rows taken with a date moved to
    the day of payment, ``left_out`` rows that are no sale. ``mapping`` is the layout that was read.
    """

    name: str
    sha256: str
    count: int
    rejected: int
    rejected_by_code: dict[str, int]
    rejections: tuple[Rejection, ...]
    adjusted: dict[str, int]
    left_out: dict[str, int]
    ignored_columns: tuple[str, ...]
    mapping: Mapping
    _spool: Spool

    def batches(self) -> Iterator[Lines]:
        """Validated lines shop by shop, some thousands at a time."""
        return self._spool.batches()

    def __enter__(self) -> StagedSales:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spool.close()


def read_sales(source: Any, reading: Reading) -> StagedSales:
    """Read *source* to its end and stage what is good in it.

    *source* is a path (CSV, CSV.gz or Parquet, told apart by their first bytes; a pipe will do for CSV) or a frame
    (pandas, polars, pyarrow, an Arrow stream, a list of mappings). Where no mapping was named, the header says which layout
    it is: the contract's order lines, daily totals or settlement documents, else the export of the platform.

    Raises InvalidFile for a bad file, and with ``strict`` for any rejected row (``rejected_rows``); CurrencyMismatch for a
    file in another currency.

    >>> expected = Expected("jd", "CNY", "Asia/Shanghai", Mapping())
    >>> read_sales("nowhere.csv", Reading(expected))
    Traceback (most recent call last):
    microloan.errors.InvalidFile: nowhere.csv: cannot be read: No such file or directory
    """
    with Rejections(reading.rejects, reading.listed_at_most) as rejections:
        spool = Spool()
        try:
            return _staged(source, reading, rejections, spool)
        except BaseException:
            spool.close()
            raise


def _staged(source: Any, reading: Reading, rejections: Rejections, spool: Spool) -> StagedSales:
    with ExitStack() as stack:
        opened = _open(source, reading, rejections, stack)
        for numbered in opened.records:
            spool.add(opened.layout.lines(numbered.numbers, numbered.rows, rejections))
        spool.add(opened.layout.rest(rejections))
        sha256 = opened.sha256()
    spool.reject_conflicts(rejections)
    if reading.strict and rejections.count:
        raise _refused(opened.name, rejections)
    return StagedSales(
        opened.name, sha256 or spool.sha256(), spool.count, rejections.count, dict(sorted(rejections.by_code.items())),
        rejections.listed, dict(opened.layout.adjusted), dict(+opened.layout.left_out), opened.layout.ignored,
        opened.layout.mapping, spool,
    )  # fmt: skip


def _refused(name: str, rejections: Rejections) -> InvalidFile:
    first = rejections.listed[0] if rejections.listed else None
    where = f", the first on line {first.line}: {first.message}" if first else ""
    return InvalidFile(
        code="rejected_rows",
        file=name,
        reason=f"{rejections.count} row(s) cannot be used{where}; nothing was imported",
        rejected=rejections.count,
        rejected_by_code=dict(rejections.by_code),
        rejections=[{"line": it.line, "code": it.code, "message": it.message} for it in rejections.listed],
    )


class _Opened(NamedTuple):
    name: str
    layout: Layout
    records: Iterator[Numbered]
    sha256: Callable[[], str]


def _open(source: Any, reading: Reading, rejections: Rejections, stack: ExitStack) -> _Opened:
    if not isinstance(source, str | os.PathLike):
        return _opened_frame(lambda wanted: frame_of(source, wanted), reading)
    name = os.fspath(source)
    try:
        file = stack.enter_context(open(name, "rb", buffering=0))  # noqa: SIM115 - the stack closes it
        total = os.fstat(file.fileno()).st_size or None
        hashed = Hashed(file, lambda done: reading.progress("reading", done, total))
        buffered = stack.enter_context(io.BufferedReader(hashed, 1 << 18))  # type: ignore[type-var]
        start = buffered.peek(4)
    except (OSError, ValueError) as error:
        reason = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise InvalidFile(code="unreadable_file", file=name, reason=reason) from None
    if start.startswith(b"PAR1"):
        parquet = stack.enter_context(open(name, "rb"))  # noqa: SIM115 - the stack closes it
        opened = _opened_frame(lambda wanted: parquet_frame(parquet, name, wanted), reading)
        return opened._replace(sha256=lambda: _digest_of(name))
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        reason = "is a zip archive or an Excel workbook; save the sheet as CSV, or unpack it"
        raise InvalidFile(code="unknown_format", file=name, reason=reason)
    text: BinaryIO = gzip.GzipFile(fileobj=buffered) if start.startswith(b"\x1f\x8b") else buffered  # type: ignore[assignment]
    return _opened_text(name, text, reading, rejections)._replace(sha256=lambda: hashed.sha256)


def _digest_of(name: str) -> str:
    with open(name, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _no_digest() -> str:
    return ""


def _opened_text(name: str, file: BinaryIO, reading: Reading, rejections: Rejections) -> _Opened:
    start = first_block(file, name)
    mapping = reading.expected.mapping or _fitting(first_cells(start), reading.expected.platform)
    try:
        encoding = checked_encoding(reading.encoding or _marked(start) or mapping.encoding)
    except ValueError as error:
        raise InvalidFile(code="unknown_encoding", file=name, reason=str(error)) from None
    lines = physical_lines(decoded(file, encoding, name, start))
    number, header = header_of(lines, mapping.delimiter, name)
    layout = _layout(header, reading, mapping, name)
    found = records(lines, number + 1, mapping.delimiter, layout.usable, rejections)
    return _Opened(name, layout, found, _no_digest)


def _marked(start: bytes) -> str | None:
    """The encoding that the first bytes of a file name; only UTF-8 is known by them."""
    return "utf-8" if start.startswith(codecs.BOM_UTF8) else None


#: Layouts known by their header whatever the platform; the contract's order lines come first.
_OURS = ("daily", "documents")


def _fitting(header: Sequence[str], platform: str) -> Mapping:
    """The layout of a file whose mapping nobody named: the first whose columns are all there, else the platform's own."""
    contract, names = Mapping(), [column_name(cell) for cell in header]
    if contract.fits(names):
        return contract
    ours = (shipped(name) for name in _OURS)
    return next((it for it in ours if it and it.fits(names)), None) or shipped(platform) or contract


def _layout(header: Sequence[str], reading: Reading, mapping: Mapping, name: str) -> Layout:
    if mapping.entries is not None:
        return EntryLayout(header, reading.expected, mapping, reading.sold_before, name)
    return Layout(header, reading.expected, mapping, name)


def _opened_frame(
    given: Callable[[Callable[[Sequence[str]], list[str]]], Frame], reading: Reading
) -> _Opened:
    """A frame, whose columns are converted only if they mean something to us."""
    chosen: list[Mapping] = []

    def wanted(names: Sequence[str]) -> list[str]:
        mapping = reading.expected.mapping or _fitting(names, reading.expected.platform)
        chosen.append(mapping)
        read = mapping.read_columns() | set(COLUMNS)
        return [name for name in names if column_name(name) in read]

    frame = given(wanted)
    layout = _layout(frame.columns, reading, chosen[0], frame.name)
    return _Opened(frame.name, layout, _watched(frame, reading.progress), _no_digest)


def _watched(frame: Frame, progress: Progress) -> Iterator[Numbered]:
    for numbered in frame.records():
        progress("reading", numbered.numbers[-1] if numbered.numbers else 0, frame.rows)
        yield numbered
