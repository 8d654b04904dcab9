"""Close of day: once, caught up, never too early, one bad loan set aside. Source: SEMANTICS 7."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from microloan.book import closing
from microloan.book.closing import close_bucket
from microloan.errors import EventRefused, InvalidDate
from microloan.store.closing import night_totals

from .counter import START, Counter


def after(days: int) -> date:
    return START + timedelta(days=days)


WISHES: tuple[dict[str, Any], ...] = (
    {"days": 7},
    {"days": 30},
    {"months": 3, "method": "equal_instalment"},
    {"months": 2, "method": "interest_only"},
)


def busy_book(counter: Counter) -> list[str]:
    """Loans of several methods, day counts and ages in one book."""
    thirty = counter.product(
        day_count="30E/360", grace_days=3, interest_free_days=4, min_interest_days=2, class_thresholds=[0, 5, 9, 12],
        ceilings=[],
    )  # fmt: skip
    lines = [counter.line(), counter.line(merchant="m-2"), counter.line(merchant="m-3", product=thirty)]
    loans = [counter.loan(line, "10000", **wish).id for line in lines for wish in WISHES]
    counter.book.repay(loans[1], "2500")
    return loans


def test_ten_days_at_once_give_the_same_journal_as_ten_single_closes(
    counter: Counter, tmp_path: Path
) -> None:
    twin = Counter(f"sqlite:///{tmp_path / 'twin.db'}").init(buckets=counter.book.settings().buckets)
    for one in (counter, twin):
        busy_book(one)
    for day in range(1, 41):
        counter.close_until(after(day))
    twin.close_until(after(40))
    assert counter.journal() == twin.journal()
    for one in (counter, twin):
        one.must_be_sound()


@pytest.mark.parametrize("most", [1, 2])
def test_loans_due_together_are_closed_in_batches_of_any_size(
    counter: Counter, tmp_path: Path, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = Counter(f"sqlite:///{tmp_path / 'twin.db'}").init(buckets=counter.book.settings().buckets)
    for one in (counter, twin):
        busy_book(one)
    twin.close_until(after(40))
    monkeypatch.setattr(closing, "BATCH", most)
    for day in range(5, 41, 5):
        counter.close_until(after(day))
    assert counter.journal() == twin.journal()
    counter.must_be_sound()


def test_every_day_of_a_busy_book_verifies(counter: Counter) -> None:
    busy_book(counter)
    for day in range(3, 108, 7):
        counter.close_until(after(day))
        counter.must_be_sound()


def test_closing_twice_changes_nothing(counter: Counter) -> None:
    counter.loan(counter.line())
    first = counter.close_until(after(3))
    before = counter.journal()
    assert counter.book.close_day().closed == ()
    assert counter.book.close_day(after(1)).closed == ()
    assert (len(first.closed), counter.journal()) == (3, before)


def test_a_day_that_has_not_ended_is_not_closed(counter: Counter) -> None:
    with pytest.raises(EventRefused) as refused:
        counter.book.close_day(START)
    assert refused.value.code == "day_not_ended"
    assert counter.book.close_day().closed == ()
    assert counter.book.settings().open_day == START


def test_a_clock_that_goes_backwards_closes_nothing_and_moves_nothing(counter: Counter) -> None:
    counter.close_until(after(5))
    counter.clock.set_day(after(1))
    assert counter.book.close_day().closed == ()
    assert counter.book.draw(counter.line().id, "1000", confirm=True).start == after(5)
    counter.must_be_sound()


def test_what_falls_due_is_dated_the_next_morning(counter: Counter) -> None:
    counter.loan(counter.line(), "1000", days=5)
    counter.close_until(after(7))
    moved = [
        line for line in counter.journal() if line.source == "morning" and "provision" not in line.account
    ]
    assert {line.day for line in moved} == {after(6)}
    assert {(line.account, line.classification) for line in moved} == {
        (account, class_)
        for account in ("principal", "interest_receivable", "penalty_receivable")
        for class_ in ("normal", "special_mention")
    }


def test_a_bad_loan_is_held_and_reported_and_the_others_are_closed(counter: Counter) -> None:
    good, bad = (
        counter.loan(counter.line(), "1000", days=5),
        counter.loan(counter.line(merchant="m-2"), "1000", days=5),
    )
    counter.close_until(after(2))
    with damaged(counter, bad.id):
        report = counter.close_until(after(9))
        assert [(held.loan_id, held.through) for held in report.held] == [(bad.id, after(4))]
        assert counter.book.loan(good.id).status == "overdue"
    with pytest.raises(EventRefused) as refused:
        counter.book.repay(bad.id, "10")
    assert refused.value.code == "loan_held"
    counter.must_be_sound()
    assert [held.loan_id for held in counter.book.held()] == [bad.id]
    assert counter.book.release(bad.id).status == "overdue"
    assert counter.book.held() == ()
    counter.must_be_sound()
    counter.close_until(after(12))
    counter.must_be_sound()


def test_a_book_opens_on_no_day_that_has_not_begun(database_url: str) -> None:
    counter = Counter(database_url)
    with pytest.raises(InvalidDate, match="has not begun in Asia/Shanghai, where it is 2017-05-01"):
        counter.book.init(open_day=after(1))
    counter.clock.now = datetime(2017, 5, 1, 17, tzinfo=UTC)  # 01:00 of the next day in Shanghai
    assert counter.book.init(open_day=after(1)).open_day == after(1)
    assert counter.book.init(open_day=after(9)).open_day == after(1)  # it is open already: nothing changes


class damaged:
    """Spoil the stored terms of a loan past the triggers, and mend them afterwards."""

    def __init__(self, counter: Counter, loan_id: str) -> None:
        self.engine = create_engine(counter.url)
        self.loan_id = loan_id

    def __enter__(self) -> None:
        self._replace('"method":"anytime"', '"method":"no such"')

    def __exit__(self, *_: object) -> None:
        self._replace('"method":"no such"', '"method":"anytime"')
        self.engine.dispose()

    def _replace(self, old: str, new: str) -> None:
        with self.engine.begin() as connection:
            for statement in unguard(connection.dialect.name):
                connection.execute(text(statement))
            connection.execute(
                text("UPDATE ml_event SET payload = replace(payload, :old, :new) WHERE loan = :loan"),
                {"old": old, "new": new, "loan": self.loan_id},
            )


def unguard(dialect: str) -> Iterator[str]:
    """Statements that take away the triggers of the events."""
    if dialect == "sqlite":
        yield from ("DROP TRIGGER IF EXISTS ml_event_no_update", "DROP TRIGGER IF EXISTS ml_event_no_delete")
    else:
        yield "DROP TRIGGER IF EXISTS ml_event_no_change ON ml_event"


def test_the_set_pass_names_each_product_class_and_component_once(counter: Counter) -> None:
    busy_book(counter)
    buckets = range(counter.book.settings().buckets)
    per_bucket = [counter.book._desk.read(lambda unit, n=n: night_totals(unit, n, [START])) for n in buckets]
    for rows in per_bucket:
        assert len({(row.product, row.class_, row.memo, row.component) for row in rows}) == len(rows)
    assert {row.product for rows in per_bucket for row in rows} == {"marketplace", "special"}


def test_buckets_close_one_by_one_and_a_second_run_finishes_what_a_first_left(counter: Counter) -> None:
    for number in range(6):
        counter.loan(counter.line(merchant=f"m-{number}"), "1000")
    counter.clock.set_day(after(2))
    counter.book._desk.write(lambda unit: close_bucket(unit, 0, START))
    counter.close_until(after(2))
    assert counter.book.settings().open_day == after(2)
    counter.must_be_sound()
