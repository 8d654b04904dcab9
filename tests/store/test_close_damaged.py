"""One damaged row holds its own loan and stops no other. Source: SEMANTICS 7, RELIABILITY 33.

The damage is done past the library, and all of it passes the table's own checks.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from microloan.book import closing
from microloan.errors import MicroloanError
from microloan.rates import Rate

from .counter import START, Counter
from .test_close_of_day import unguard

HOLDING = {
    "a day of the loan's row that is no day": "UPDATE ml_loan SET oldest_due = 0 WHERE id = :loan",
    "an event on no day": "UPDATE ml_event SET value_date = 0 WHERE loan = :loan AND kind = 'payout_confirmed'",
    "an event booked before the calendar": (
        "UPDATE ml_event SET value_date = -1, booked_on = -1 WHERE loan = :loan AND kind = 'payout_confirmed'"
    ),
    "a product the accrual rows do not know": "UPDATE ml_loan SET product = 'other' WHERE id = :loan",
    "a class the accrual rows do not know": "UPDATE ml_loan SET class = 'loss' WHERE id = :loan",
    "another currency": "UPDATE ml_loan SET currency = 'USD' WHERE id = :loan",
    "a day on which nothing fell due": "UPDATE ml_loan SET oldest_due = 736000 WHERE id = :loan",
    "a principal its events do not tell": "UPDATE ml_loan SET principal_minor = principal_minor - 1 WHERE id = :loan",
    "a status its events do not tell": "UPDATE ml_loan SET status = 'closed' WHERE id = :loan",
    "money in hand its events do not tell": "UPDATE ml_loan SET credit_minor = 1 WHERE id = :loan",
    "income its events do not tell": "UPDATE ml_loan SET memo = 1 WHERE id = :loan",
}


@pytest.mark.parametrize("damage", HOLDING.values(), ids=HOLDING)
def test_a_damaged_loan_is_held_by_name_and_every_other_closes_as_in_a_sound_book(
    counter: Counter, tmp_path: Path, damage: str
) -> None:
    sound = Counter(f"sqlite:///{tmp_path / 'sound.db'}").init(buckets=counter.book.settings().buckets)
    loans, twins = ([lend(one, f"m-{n}") for n in range(5)] for one in (counter, sound))
    spoil(counter, damage, loans[2])
    sound.close_until(START + timedelta(days=9))
    report = counter.close_until(START + timedelta(days=9))
    assert [held.loan_id for held in report.held] == [loans[2]]
    if "UPDATE ml_loan" in damage:
        told = "LookupError: its row holds something else than its events and accrual rows tell"
        assert report.held[0].reason == told
    assert report.open_day == START + timedelta(days=9)
    for loan, twin in zip(loans, twins, strict=True):
        if loan != loans[2]:
            assert figures(counter, loan) == figures(sound, twin)
    assert [each.loan_id for each in counter.close_until(START + timedelta(days=11)).held] == []


@pytest.mark.parametrize("action", [0, -1])
def test_a_next_action_on_no_day_is_worked_out_anew(counter: Counter, action: int) -> None:
    loan = lend(counter, "m-1")
    spoil(counter, f"UPDATE ml_accrual SET next_action = {action} WHERE loan = :loan", loan)
    assert counter.close_until(START + timedelta(days=9)).held == ()
    assert counter.book.loan(loan).status == "overdue"
    counter.must_be_sound()


_COPIED = (
    "tenant, bucket, product, memo, loan, currency, day_count, anchor_n, whole, q, rem, m, den, next_action"
)
TWIN = (
    f"INSERT INTO ml_accrual (class, {_COPIED}) SELECT 'loss', {_COPIED} FROM ml_accrual WHERE loan = :loan"
)


@pytest.mark.parametrize("most", [1, 2, 500])
def test_a_loan_with_two_accrual_rows_is_named_and_held_when_it_falls_due(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(closing, "BATCH", most)
    loans = [lend(counter, f"m-{n}") for n in range(4)]
    spoil(counter, TWIN, loans[1])
    named = {(finding.code, finding.subject) for finding in counter.book.verify().findings}
    assert ("accrual_rows", loans[1]) in named
    assert {code for code, _ in named} == {"accrual_count", "accrual_rows"}
    report = counter.close_until(START + timedelta(days=9))
    assert [(held.loan_id, held.reason) for held in report.held] == [
        (loans[1], "LookupError: it has 2 accrual rows instead of one")
    ]
    assert {counter.book.loan(loan).status for loan in loans if loan != loans[1]} == {"overdue"}


def test_a_row_that_acts_on_another_day_is_named_also_when_its_loan_is_held(counter: Counter) -> None:
    loan = lend(counter, "m-1")
    later = "UPDATE ml_accrual SET next_action = next_action + 3 WHERE class = 'loss' AND loan = :loan"
    spoil(counter, TWIN, loan)
    spoil(counter, later, loan)
    for days in (3, 6, 12):
        counter.close_until(START + timedelta(days=days))
        named = {(finding.code, finding.subject) for finding in counter.book.verify().findings}
        assert ("accrual_rows", loan) in named, days


def test_a_loan_without_a_row_is_named_by_every_close_that_meets_it(counter: Counter) -> None:
    loans = [lend(counter, f"m-{n}") for n in range(3)]
    spoil(counter, "UPDATE ml_loan SET id = 'loan-00-nobody' WHERE id = :loan", loans[1])
    for days in (9, 11):
        report = counter.close_until(START + timedelta(days=days))
        assert [(held.loan_id, held.reason) for held in report.held] == [
            (loans[1], "LookupError: its row is not there")
        ]
    assert counter.book.loan(loans[0]).status == "overdue"


def test_a_credit_line_with_an_end_on_no_day_stops_no_other_from_ending(counter: Counter) -> None:
    lines = [counter.line(merchant=f"m-{n}") for n in range(3)]
    spoil(counter, "UPDATE ml_facility SET valid_until = 0 WHERE id = :loan", lines[1].id)
    report = counter.close_until(lines[0].valid_until + timedelta(days=2))
    assert report.held[0].loan_id == lines[1].id
    assert [counter.book.facility(line.id).status for line in (lines[0], lines[2])] == ["expired", "expired"]


@pytest.mark.parametrize("damage", [HOLDING["an event on no day"], TWIN])
def test_what_a_held_loan_earned_before_stays_posted_in_a_catch_up(
    counter: Counter, tmp_path: Path, damage: str
) -> None:
    single = Counter(f"sqlite:///{tmp_path / 'single.db'}").init(buckets=counter.book.settings().buckets)
    for one in (counter, single):
        spoil(one, damage, lend(one, "m-1"))
    held = [each for days in range(1, 9) for each in single.close_until(START + timedelta(days=days)).held]
    assert list(counter.close_until(START + timedelta(days=8)).held) == held
    assert counter.journal() == single.journal()


@pytest.mark.parametrize("most", [1, 2, 500])
def test_the_damaged_are_found_in_batches_of_any_size(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(closing, "BATCH", most)
    loans = [lend(counter, f"m-{n}") for n in range(7)]
    for loan in (loans[0], loans[3], loans[6]):
        spoil(counter, HOLDING["an event on no day"], loan)
    report = counter.close_until(START + timedelta(days=9))
    assert {held.loan_id for held in report.held} == {loans[0], loans[3], loans[6]}
    assert {
        counter.book.loan(loan).status for loan in loans if loan not in (loans[0], loans[3], loans[6])
    } == {"overdue"}


OUTGROWN: dict[str, tuple[str, dict[str, Any], date]] = {
    "penalty": ("1000", {"days": 1}, date(2017, 6, 1)),
    "interest": ("1.5", {"months": 600}, date(2044, 1, 1)),  # every night of 25 years
}


@pytest.mark.parametrize(
    "component", ["penalty", pytest.param("interest", marks=[pytest.mark.slow, pytest.mark.timeout(1200)])]
)
def test_a_loan_that_outgrows_64_bits_is_held_and_the_others_close(counter: Counter, component: str) -> None:
    multiple, term, day = OUTGROWN[component]
    counter.product(
        caps={},
        ceilings=[],
        multiple="0.01",
        penalty={"multiple": multiple},
        methods=[{"method": "anytime", "terms": ["1d..3650d", "1m..600m"]}],
    )
    line = counter.line(
        "10000000000000.00", product="special", rate=Rate.parse("0.99999999/day"), merchant="m-0"
    )
    huge = counter.book.draw(line.id, "10000000000000.00", confirm=True, **term).loan_id
    small = lend(counter, "m-1")
    report = counter.close_until(day)
    assert [held.loan_id for held in report.held] == [huge]
    assert f"owes {component} of " in report.held[0].reason
    assert "more than the book can hold" in report.held[0].reason
    assert counter.book.loan(small).status == "overdue"
    counter.must_be_sound()


def lend(counter: Counter, merchant: str) -> str:
    """A loan that falls due in five days."""
    return counter.loan(counter.line(merchant=merchant), "1000", days=5).id


def figures(counter: Counter, loan: str) -> tuple[object, ...]:
    """What a loan owes."""
    found = counter.book.loan(loan)
    return found.status, found.principal, found.interest, found.penalty, found.payoff


def spoil(counter: Counter, statement: str, loan: str) -> None:
    """Damage one row past triggers, never past a check."""
    engine = create_engine(counter.url)
    with engine.begin() as connection:
        for each in unguard(connection.dialect.name):
            connection.execute(text(each))
        changed = connection.execute(text(statement), {"loan": loan}).rowcount
    engine.dispose()
    assert changed, "nothing was damaged"


def test_a_loan_that_is_held_can_be_told_from_one_that_is_refused(counter: Counter) -> None:
    loan = lend(counter, "m-1")
    spoil(counter, HOLDING["an event on no day"], loan)
    counter.close_until(START + timedelta(days=9))
    with pytest.raises(MicroloanError):
        counter.book.repay(loan, "10")
