"""Validated lines waiting on disk for the whole file to be found good, put in order, and what appears in it twice.

A file is read once — it may be a pipe — and only when its last byte is known to be good does the first line go into the book.
In between, the validated lines lie in temporary files without names, so that memory stays bounded and no database is
locked. They come out shop by shop: a platform's file is written in the order of time, and lines scattered over a hundred thousand
shops would touch as many pages of the database with every batch.

The same order line twice in one file: with the same content it is a duplicate, with other content it is rejected
(``conflicting_duplicate``), because neither the file's order nor chance should decide which of two amounts counts; mostly
the export has several lines per order and lacks a ``line_id``.
"""

from __future__ import annotations

import hashlib
import marshal
import tempfile
import zlib
from collections.abc import Iterator
from itertools import chain
from operator import itemgetter
from typing import IO

import numpy as np
from numpy.typing import NDArray

from .lines import Lines
from .rejections import Fault, Rejections
from .text import BATCH_ROWS

_IN_MEMORY = 1 << 24
#: Lines held before they are spread over the parts, and the parts: by a checksum of the shop, so that a shop is in one.
_HELD = 1 << 15
_PARTS = 256
#: Lines whose fingerprints are compared at once: 24 bytes each.
_COMPARED = 1_000_000
_CHUNK = 1 << 16

_Ints = NDArray[np.int64]


class Spool:
    """Lines put aside and given back shop by shop; ``count`` is how many there are.

    The order in which they come back depends on the lines alone, so that an interrupted import can go on where it stopped.
    """

    def __init__(self) -> None:
        self._held: list[Lines] = []
        self._held_lines = 0
        self._parts: list[IO[bytes]] = []
        self._marks = _Fingerprints()
        self._conflicting: _Ints = np.empty(0, dtype=np.int64)
        self.count = 0

    def add(self, lines: Lines) -> None:
        """Put a batch aside."""
        if not lines.line:
            return
        self._marks.add(lines)
        self._held.append(lines)
        self._held_lines += len(lines.line)
        self.count += len(lines.line)
        if self._held_lines >= _HELD:
            self._spread()

    def _spread(self) -> None:
        """Write what is held to the parts its shops belong to."""
        if not self._parts:
            self._parts = [tempfile.TemporaryFile() for _ in range(_PARTS)]  # noqa: SIM115 - closed by close()
        for part, lines in _by_part(_joined(self._held)):
            packed = marshal.dumps(tuple(lines), 2)
            self._parts[part].write(len(packed).to_bytes(8, "little"))
            self._parts[part].write(packed)
        self._held, self._held_lines = [], 0

    def reject_conflicts(self, rejections: Rejections) -> None:
        """Find lines that contradict an earlier line of the file; they are rejected and left out of :meth:`batches`."""
        found = self._marks.conflicts()
        self._conflicting = found[:, 0]
        for line, earlier in found:
            message = f"the same order line as on line {earlier}, with other content; give each line of an order its line_id"
            rejections.add(int(line), Fault("conflicting_duplicate", message))
        self.count -= len(found)

    def batches(self) -> Iterator[Lines]:
        """The lines put aside, shop by shop, some thousands at a time; may be asked for again."""
        waiting: list[Lines] = []
        rows = 0
        for lines in self._sorted():
            waiting.append(lines)
            rows += len(lines.line)
            if rows >= BATCH_ROWS:
                joined = _joined(waiting)
                full = rows - rows % BATCH_ROWS
                yield from (_cut(joined, at, at + BATCH_ROWS) for at in range(0, full, BATCH_ROWS))
                waiting, rows = [_cut(joined, full, rows)], rows - full
        if rows:
            yield _joined(waiting)

    def _sorted(self) -> Iterator[Lines]:
        if not self._parts:
            if self._held:
                yield self._without_conflicts(_by_shop(_joined(self._held)))
            return
        if self._held:
            self._spread()
        for part in self._parts:
            pieces = list(_pieces(part))
            if pieces:
                yield self._without_conflicts(_by_shop(_joined(pieces)))

    def _without_conflicts(self, lines: Lines) -> Lines:
        if not len(self._conflicting):
            return lines
        conflicting = np.isin(lines.line, self._conflicting)
        return lines.keep(list(~conflicting)) if conflicting.any() else lines

    def sha256(self) -> str:
        """Of the content of all lines put aside, for what has no file."""
        digest = hashlib.sha256()
        for lines in self.batches():
            digest.update(marshal.dumps(tuple(lines), 2))
        return digest.hexdigest()

    def close(self) -> None:
        """Let go of the disk space."""
        self._marks.close()
        for part in self._parts:
            part.close()


def _joined(parts: list[Lines]) -> Lines:
    if len(parts) == 1:
        return parts[0]
    return Lines(*(list(chain.from_iterable(columns)) for columns in zip(*parts, strict=True)))


def _cut(lines: Lines, start: int, end: int) -> Lines:
    return Lines(*(column[start:end] for column in lines))  # type: ignore[arg-type]


def _taken(lines: Lines, places: list[int]) -> Lines:
    if len(places) == 1:
        return _cut(lines, places[0], places[0] + 1)
    pick = itemgetter(*places)
    return Lines(*(list(pick(column)) for column in lines))


def _by_part(lines: Lines) -> Iterator[tuple[int, Lines]]:
    """The lines of each part, in their order."""
    part_of = {shop: zlib.crc32(shop.encode()) % _PARTS for shop in set(lines.shop_id)}
    parts = np.fromiter(map(part_of.__getitem__, lines.shop_id), dtype=np.int64, count=len(lines.shop_id))
    order = np.argsort(parts, kind="stable")
    ends = np.searchsorted(parts[order], np.arange(_PARTS + 1))
    for part in range(_PARTS):
        if ends[part] < ends[part + 1]:
            yield part, _taken(lines, order[ends[part] : ends[part + 1]].tolist())


def _by_shop(lines: Lines) -> Lines:
    """The lines shop after shop, each shop's in their order."""
    keys = list(zip(lines.platform, lines.shop_id, strict=True))
    rank = {key: place for place, key in enumerate(sorted(set(keys)))}
    ranks = np.fromiter(map(rank.__getitem__, keys), dtype=np.int64, count=len(keys))
    return _taken(lines, np.argsort(ranks, kind="stable").tolist())


def _pieces(part: IO[bytes]) -> Iterator[Lines]:
    part.seek(0)
    while size := part.read(8):
        yield Lines(*marshal.loads(part.read(int.from_bytes(size, "little"))))  # noqa: S302 - our own temporary file
    part.seek(0, 2)


class _Fingerprints:
    """64-bit fingerprints of each line's key and content, on disk; compared some millions at a time.

    Two different keys of a file of ten million lines share a fingerprint with a chance of 3 in a million.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by close()
        self._count = 0

    def add(self, lines: Lines) -> None:
        """Note what a batch says of which order lines."""
        marks = np.empty((len(lines.line), 3), dtype=np.int64)
        marks[:, 0] = lines.line
        marks[:, 1] = list(map(hash, zip(*lines[1:5], strict=True)))
        marks[:, 2] = list(map(hash, zip(*lines[5:], strict=True)))
        self._file.write(marks.tobytes())
        self._count += len(marks)

    def conflicts(self) -> _Ints:
        """Pairs of a line and the earlier line it contradicts, by line."""
        parts = self._count // _COMPARED + 1
        found = [_contradictions(self._part(number, parts)) for number in range(parts)]
        pairs = np.concatenate(found)
        return pairs[np.argsort(pairs[:, 0])]

    def _part(self, number: int, parts: int) -> _Ints:
        self._file.seek(0)
        chunks = [chunk[chunk[:, 1] % parts == number] for chunk in self._chunks()]
        return np.concatenate(chunks) if chunks else np.empty((0, 3), dtype=np.int64)

    def _chunks(self) -> Iterator[_Ints]:
        while data := self._file.read(_CHUNK * 24):
            yield np.frombuffer(data, dtype=np.int64).reshape(-1, 3)

    def close(self) -> None:
        """Let go of the disk space."""
        self._file.close()


def _contradictions(marks: _Ints) -> _Ints:
    """Of lines sharing a key, those whose content is not the first one's, each with that first line."""
    ordered = marks[np.argsort(marks[:, 1], kind="stable")]
    keys = ordered[:, 1]
    begins = (
        np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        if len(keys)
        else np.empty(0, dtype=np.int64)
    )
    first = np.repeat(begins, np.diff(np.append(begins, len(keys))))
    other = ordered[:, 2] != ordered[first, 2]
    return np.column_stack((ordered[other, 0], ordered[first[other], 0]))
