"""Several processes close one book at once: each bucket and day once, the journal of a single closer. Source: RELIABILITY 32."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select

from microloan.errors import PartlyClosed, Retryable
from microloan.store import base
from microloan.store.unit import advisory_key
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


def test_a_close_stopped_on_its_way_says_how_far_it_came(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that nothing was written: two of three buckets are closed, and the next close does the third."""
    monkeypatch.setattr(base, "PATIENCE_SECONDS", 0.4)
    counter = busy(Counter(postgres_url).init(buckets=3))
    book = counter.book
    last = book.settings().buckets - 1
    other = create_engine(postgres_url)
    with other.begin() as somebody:
        somebody.execute(select(func.pg_advisory_xact_lock(advisory_key("bucket", "main", str(last)))))
        with pytest.raises(
            PartlyClosed, match=r"; 80 of 120 days of buckets are closed, run the command again"
        ):
            book.close_day()
        with pytest.raises(Retryable, match=r"; nothing was written"):
            book.close_day()
    other.dispose()
    assert book.close_day().open_day == AFTER
    counter.must_be_sound()
    book.close()
