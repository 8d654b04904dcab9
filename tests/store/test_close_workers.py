"""Several processes close one book at once: each bucket and day once, the journal of a single closer. Source: RELIABILITY 32."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.killing import child, ended, own_book

from .counter import START, Counter

AFTER = START + timedelta(days=40)


def busy(counter: Counter) -> Counter:
    """Loans of several lengths in every bucket."""
    for number in range(12):
        counter.loan(counter.line(merchant=f"m-{number}"), "1000", days=3 + number * 4)
    counter.clock.set_day(AFTER)
    return counter


def test_three_processes_close_with_the_journal_of_one(counter: Counter, tmp_path: Path) -> None:
    buckets = counter.book.settings().buckets
    twin = busy(Counter(f"sqlite:///{tmp_path / 'twin.db'}").init(buckets=buckets))
    twin.book.close_day()
    busy(counter).book.close()
    workers = [child(lambda: _close(counter)) for _ in range(3)]
    assert [ended(worker) for worker in workers] == [0, 0, 0]
    assert counter.book.settings().open_day == AFTER
    assert counter.journal() == twin.journal()
    closes = [line.subject for line in counter.book.audit() if line.operation == "close_day"]
    assert len(closes) == len(set(closes)) == 40 * buckets
    counter.must_be_sound()


def _close(counter: Counter) -> None:
    own_book(counter).close_day()
