"""Files of text → lines → rows, bounded in memory, with the physical line of every row.

Bytes are decoded strictly in the encoding that was named; nothing is guessed. A record may span lines inside quotes, but only if
it is a good one: of a record with a stray quote, the line it began on is rejected and reading resumes on the next line, so
that one quote cannot swallow the rows after it.

Source: RELIABILITY 38.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from itertools import chain, islice
from typing import BinaryIO, NamedTuple, Protocol

from ..errors import InvalidFile
from .rejections import Fault, Rejections, shown

BATCH_ROWS = 8_192
BLOCK_BYTES = 1 << 18
MAX_LINE_CHARACTERS = 131_072
MAX_RECORD_LINES = 100


class Numbered(NamedTuple):
    """Rows and the physical line each began on."""

    numbers: list[int]
    rows: list[list[str]]


class Watch(Protocol):
    """Told how many bytes of the file have been read."""

    def __call__(self, done: int, /) -> None: ...


class Hashed(io.RawIOBase):
    """A file that is being read, its SHA-256 so far, and how far reading has come."""

    def __init__(self, file: BinaryIO, watch: Watch) -> None:
        self._file, self._watch = file, watch
        self._digest = hashlib.sha256()
        self._done = 0

    def readable(self) -> bool:
        """Always: this is for reading."""
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Fill *buffer* from the file, counting and hashing what went into it."""
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._digest.update(data)
        self._done += len(data)
        self._watch(self._done)
        return len(data)

    @property
    def sha256(self) -> str:
        """Of the bytes read so far."""
        return self._digest.hexdigest()


def first_block(file: BinaryIO, name: str) -> bytes:
    """The first bytes of *file*, which is then behind them; a pipe is waited for."""
    return next(_blocks(file, name))


def first_cells(start: bytes) -> list[str]:
    """The cells of a header, read as UTF-8 with commas before the encoding is known; those of another come out garbled."""
    lines = start.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace").splitlines()
    header = next((line for line in lines if line.strip()), "")
    return next(csv.reader([header[:MAX_LINE_CHARACTERS]]), [])


def decoded(file: BinaryIO, encoding: str, name: str, start: bytes = b"") -> Iterator[str]:
    """The text of *start* and then *file*, in blocks. Raises InvalidFile at the first byte not of *encoding*, naming its line."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    lines_before = 0
    for block in chain((start,) if start else (), _blocks(file, name)):
        try:
            text = decoder.decode(block, not block)
        except UnicodeDecodeError as error:
            line = lines_before + 1 + _newlines(error.object[: error.start], encoding)
            reason = (
                f"line {line} is not {encoding}: byte {error.object[error.start : error.start + 1].hex()} cannot stand there; "
                "name the encoding, for instance gb18030 for a Chinese export"
            )
            raise InvalidFile(
                code="bad_encoding", file=name, reason=reason, line=line, encoding=encoding
            ) from None
        lines_before += text.count("\n")
        if text:
            yield text


def _newlines(data: bytes, encoding: str) -> int:
    return data.decode(encoding, "replace").count("\n")


def _blocks(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Blocks of bytes, at the end an empty one; a broken archive shows here."""
    block = b"x"
    while block:
        try:
            block = file.read(BLOCK_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InvalidFile(
                code="broken_archive", file=name, reason=f"the gzip archive is broken: {error}"
            ) from None
        except OSError as error:
            raise InvalidFile(code="unreadable_file", file=name, reason=f"cannot be read: {error}") from None
        yield block


def physical_lines(blocks: Iterator[str]) -> Iterator[str]:
    """Lines with their ends, split at LF, CR LF or a lone CR; what is far too long is cut, and so recognised later."""
    rest = ""
    for number, block in enumerate(blocks):
        text = rest + (block.removeprefix("\ufeff") if number == 0 else block)
        cut = text.rfind("\n") + 1 or text.rfind("\r", 0, -1) + 1
        yield from io.StringIO(text[:cut], newline="")
        rest = text[cut:][: MAX_LINE_CHARACTERS + 1]
    yield from io.StringIO(rest, newline="")


def header_of(lines: Iterator[str], delimiter: str, name: str) -> tuple[int, list[str]]:
    """The first line that is not blank, its number and its cells. Raises InvalidFile if there is none."""
    for number, line in enumerate(lines, 1):
        try:
            header = next(csv.reader([line[:MAX_LINE_CHARACTERS]], delimiter=delimiter, strict=True), [])
        except csv.Error as error:
            raise InvalidFile(
                code="bad_header", file=name, reason=f"the header cannot be read: {error}"
            ) from None
        if any(cell.strip() for cell in header):
            return number, header
    raise InvalidFile(code="empty_file", file=name, reason="is empty; it needs a header line")


def records(
    lines: Iterator[str], first: int, delimiter: str, good: _Good, rejections: Rejections
) -> Iterator[Numbered]:
    """Rows of the CSV with the line each began on, some thousands at a time; blank lines are none.

    *first* is the number of the first line; *good* says whether a record that spans lines is a row;
    rows that cannot be parsed go to *rejections*.
    """
    pending: list[str] = []
    while True:
        fresh = list(islice(lines, BATCH_ROWS))
        batch = pending + fresh
        if not batch:
            return
        rows = _plain(batch, delimiter)
        if rows is None:
            found, taken = _Careful(
                batch, first, delimiter, good, rejections, last=len(fresh) < BATCH_ROWS
            ).read()
        else:
            found, taken = Numbered(list(range(first, first + len(rows))), rows), len(batch)
        yield _without_blanks(found)
        first, pending = first + taken, batch[taken:]


def _plain(batch: list[str], delimiter: str) -> list[list[str]] | None:
    """The rows of a batch in which every line is a row; None where it is not so simple."""
    if max(map(len, batch)) > MAX_LINE_CHARACTERS:
        return None
    try:
        rows = list(csv.reader(batch, delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows if len(rows) == len(batch) else None


def _without_blanks(found: Numbered) -> Numbered:
    if [] not in found.rows:
        return found
    kept = [(number, row) for number, row in zip(*found, strict=True) if row]
    return Numbered([number for number, _ in kept], [row for _, row in kept])


class _Good(Protocol):
    """Whether a record that spans lines is a row of the file."""

    def __call__(self, row: list[str], /) -> bool: ...


class _Careful:
    """One batch, line by line: for batches with quotes that do not close on their line, and other trouble."""

    def __init__(
        self, batch: list[str], first: int, delimiter: str, good: _Good, rejections: Rejections, *, last: bool
    ) -> None:
        self._batch, self._first, self._delimiter = batch, first, delimiter
        self._good, self._rejections, self._last = good, rejections, last

    def read(self) -> tuple[Numbered, int]:
        """The rows, and how many lines of the batch are used up; the rest may be a record whose end is still to come."""
        found = Numbered([], [])
        at = 0
        while at < len(self._batch):
            row, lines = self._record(at)
            if lines == 0:
                break
            if row is not None:
                found.numbers.append(self._first + at)
                found.rows.append(row)
            at += lines
        return found, at

    def _record(self, at: int) -> tuple[list[str] | None, int]:
        """The row that begins at *at* and the lines it took; None and 1 for a rejected line, None and 0 to wait for more."""
        line = self._batch[at]
        if len(line) > MAX_LINE_CHARACTERS:
            return self._reject(
                at, "line_too_long", f"the line has more than {MAX_LINE_CHARACTERS} characters"
            )
        try:
            return next(csv.reader([line], delimiter=self._delimiter, strict=True), []), 1
        except csv.Error:
            return self._spanning(at)

    def _spanning(self, at: int) -> tuple[list[str] | None, int]:
        reach = self._batch[at : at + MAX_RECORD_LINES]
        reader = csv.reader(reach, delimiter=self._delimiter, strict=True)
        try:
            row = next(reader)
        except csv.Error as error:
            open_ended = reader.line_num == len(reach) < MAX_RECORD_LINES and "unexpected end" in str(error)
            if open_ended and not self._last:
                return None, 0
            return self._reject(
                at, "bad_quoting", f"{shown(self._batch[at].rstrip())}: a quote is not closed, or not doubled"
            )
        if self._good(row):
            return row, reader.line_num
        return self._reject(
            at, "bad_quoting", f"{shown(self._batch[at].rstrip())}: a quote is not closed on its line"
        )

    def _reject(self, at: int, code: str, message: str) -> tuple[None, int]:
        self._rejections.add(self._first + at, Fault(code, message))
        return None, 1
