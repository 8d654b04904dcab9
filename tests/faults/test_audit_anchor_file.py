"""The anchor file on a disk that fills up, and one whose last line is not whole: no close stands still over it unexplained.

Source: RELIABILITY 7 and 48.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from microloan.book import anchors
from microloan.errors import InvalidFile
from tests.killing import child, ended
from tests.store.counter import Counter


@pytest.fixture
def counter(sqlite_url: str) -> Iterator[Counter]:
    """An open book on 1 May 2017; the file is the same whichever database the book is in."""
    made = Counter(sqlite_url).init()
    yield made
    made.book.close()


@pytest.fixture
def file(counter: Counter, tmp_path: Path) -> Path:
    """A file with one line, of a book with a loan."""
    counter.loan(counter.line())
    found = tmp_path / "anchor"
    assert counter.book.verify(anchor=found).clean
    return found


def test_a_line_for_which_there_is_no_room_is_not_begun(file: Path) -> None:
    before = file.read_bytes()

    def with_little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, len(before) + 100))
        with pytest.raises(InvalidFile, match="No space left"):
            anchors.append(file, "x" * 300)

    assert ended(child(with_little_room)) == 0
    assert file.read_bytes() == before


def test_a_line_is_added_after_one_without_its_end(counter: Counter, file: Path) -> None:
    """As an editor may leave it."""
    file.write_bytes(file.read_bytes().removesuffix(b"\n"))
    counter.clock.set_day(date(2017, 5, 3))
    counter.book.close_day(anchor=file)
    assert counter.book.verify(anchor=file).clean
    assert len(anchors.read(file)) == 3


def test_a_last_line_cut_short_is_told_as_that(counter: Counter, file: Path) -> None:
    assert counter.book.verify(anchor=file).clean
    os.truncate(file, file.stat().st_size - 40)
    counter.clock.set_day(date(2017, 5, 3))
    with pytest.raises(InvalidFile, match="its last line was cut short"):
        counter.book.close_day(anchor=file)
    assert counter.book.settings().open_day == date(2017, 5, 1)
    file.write_text(file.read_text("utf-8").splitlines()[0] + "\n", "utf-8")
    counter.book.close_day(anchor=file)
    assert counter.book.verify(anchor=file).clean
