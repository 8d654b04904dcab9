"""Small files of rows — bank receipts, settlements, payouts — each row with the line it stands on.

A layout says how another system calls our columns and writes its days and amounts:

    encoding = "gb18030"
    delimiter = ","
    date_format = "%Y%m%d"          # strptime codes; without it days are ISO 8601
    thousands = ","                 # a mark to leave out of amounts
    [columns]                       # ours = theirs
    receipt_id = "交易流水号"

Nothing is guessed: encoding, marks and formats are as declared. Source: RELIABILITY 38 and 39.
"""

from __future__ import annotations

import csv
import marshal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ..days import parse_date
from ..errors import InvalidDate, InvalidFile
from ..money import to_minor
from .cells import GROUP, GROUPED
from .mapping import checked_encoding, read_model

#: More belongs into several files: every row of these is a movement of money that somebody may have to look at.
ROWS_AT_MOST = 1_000_000
#: Bytes of rows put aside that stay in memory, and rows moved at once.
_IN_MEMORY, _AT_ONCE = 1 << 20, 1000


class Row(NamedTuple):
    """A row: the physical line it ends on, and its cells by our names, outer blanks cut; an absent column is empty."""

    line: int
    cells: dict[str, str]


class RowLayout(BaseModel):
    """How another system writes its file; the empty layout is ours."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    date_format: str | None = None
    thousands: str = Field(default="", pattern=r"^[, '\u2019_\uff0c]?$")
    columns: dict[str, str] = {}

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        return checked_encoding(encoding)

    @classmethod
    def read(cls, file: Path | str) -> RowLayout:
        """The layout in a TOML file. Raises InvalidFile naming the first thing that is wrong, and its line."""
        return read_model(cls, file)

    def day(self, text: str, field: str) -> date:
        """A day as this layout writes it. Raises InvalidDate.

        >>> RowLayout(date_format="%Y%m%d").day("20260630", "received_on")
        datetime.date(2026, 6, 30)
        """
        if self.date_format is None:
            return parse_date(text, field)
        try:
            return datetime.strptime(text, self.date_format).date()  # noqa: DTZ007 - a day, not an instant
        except ValueError:
            raise InvalidDate(field=field, value=text, reason=f"write it as {self.date_format}") from None

    def minor(self, text: str, currency: str, field: str) -> int:
        """An amount as this layout writes it, in minor units; it may be below zero. Raises InvalidAmount.

        >>> RowLayout(thousands=",").minor("-1,200.50", "CNY", "amount")
        -120050
        """
        if self.thousands and self.thousands in text:
            grouped = text.replace(self.thousands, GROUP)
            text = grouped.replace(GROUP, "") if GROUPED.fullmatch(grouped) else text
        return to_minor(text, currency, field)


def read_rows(
    file: Path | str, required: Sequence[str], optional: Sequence[str] = (), layout: RowLayout | None = None
) -> list[Row]:
    """The rows of a CSV, in its order. Raises InvalidFile for a bad file, a missing column, a layout with unknown names."""
    return list(_read(file, required, optional, layout or RowLayout()))


@contextmanager
def rows_aside(
    file: Path | str, required: Sequence[str], optional: Sequence[str] = (), layout: RowLayout | None = None
) -> Iterator[RowsAside]:
    """As :func:`read_rows`, for long files: read once to the end (a pipe will do), then given back row by row.

    In between the rows lie in a temporary file without a name, so that a long file takes no more memory than a short one.
    """
    names = (*required, *optional)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as aside:
        kept = RowsAside(aside, names)
        kept.add(_read(file, required, optional, layout or RowLayout()))
        yield kept


class RowsAside:
    """Rows put aside, ``count`` of them; iterated once, in their order."""

    def __init__(self, aside: IO[bytes], names: Sequence[str]) -> None:
        self._aside, self._names, self._batches = aside, names, 0
        self.count = 0

    def add(self, rows: Iterator[Row]) -> None:
        """Put rows aside, some at a time."""
        while some := [(row.line, tuple(row.cells.values())) for row in islice(rows, _AT_ONCE)]:
            marshal.dump(some, self._aside)
            self._batches, self.count = self._batches + 1, self.count + len(some)

    def __iter__(self) -> Iterator[Row]:
        self._aside.seek(0)
        for _ in range(self._batches):
            for line, cells in marshal.load(self._aside):  # noqa: S302 - our own temporary file
                yield Row(line, dict(zip(self._names, cells, strict=True)))


def _read(
    file: Path | str, required: Sequence[str], optional: Sequence[str], layout: RowLayout
) -> Iterator[Row]:
    names = (*required, *optional)
    unknown = sorted(set(layout.columns) - set(names))
    if unknown:
        reason = f"columns.{unknown[0]}: no such column; known are {', '.join(names)}"
        raise _bad("invalid_mapping", file, reason)
    theirs = {name: layout.columns.get(name, name) for name in names}
    encoding = "utf-8-sig" if layout.encoding.lower() in ("utf-8", "utf8") else layout.encoding
    try:
        with open(file, encoding=encoding, newline="") as opened:
            reader = csv.reader(opened, strict=True, delimiter=layout.delimiter)
            header = [cell.strip() for cell in next(reader, ())]
            _check_header(file, header, [theirs[name] for name in required])
            places = {ours: header.index(name) for ours, name in theirs.items() if name in header}
            yield from _rows(file, reader, len(header), places, names)
    except UnicodeDecodeError:
        raise _bad("bad_encoding", file, f"is not {layout.encoding}") from None
    except csv.Error as error:
        raise _bad("bad_quoting", file, str(error)) from None
    except (OSError, ValueError) as error:
        reason = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise _bad("unreadable_file", file, reason) from None


def _check_header(file: Path | str, header: Sequence[str], required: Sequence[str]) -> None:
    missing = [name for name in required if name not in header]
    if missing:
        raise _bad("missing_column", file, f"has no column {', '.join(missing)}")
    twice = next((name for name in header if name and header.count(name) > 1), None)
    if twice is not None:
        raise _bad("duplicate_column", file, f"has the column {twice} twice")


def _rows(
    file: Path | str, reader: Any, width: int, places: Mapping[str, int], names: Sequence[str]
) -> Iterator[Row]:
    found = 0
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        line, found = reader.line_num, found + 1
        if found > ROWS_AT_MOST:
            raise _bad("too_many_rows", file, f"has more than {ROWS_AT_MOST} rows; split it")
        if len(cells) != width:  # an amount with an unquoted comma in it would be another amount
            reason = (
                f"line {line} has {len(cells)} fields, the header {width}; quote what holds the delimiter"
            )
            raise _bad("wrong_field_count", file, reason)
        if any("\0" in cell for cell in cells):
            raise _bad("bad_character", file, f"line {line} has a NUL character")
        yield Row(line, {name: cells[places[name]].strip() if name in places else "" for name in names})


def _bad(code: str, file: Path | str, reason: str) -> InvalidFile:
    return InvalidFile(code=code, file=str(file), reason=reason)
