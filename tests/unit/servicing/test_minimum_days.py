"""Minimum interest after the maturity: all that is unpaid of it falls due at once. Source: SEMANTICS 9.7."""

from __future__ import annotations

from datetime import date
from typing import Any

from microloan.servicing.events import Event, Repaid, Waived
from microloan.servicing.replay import replay
from microloan.terms import LoanTerms

TERMS = LoanTerms.parse({
    "method": "anytime", "principal": "5000", "rate": "30.6%/year/365", "start": "2023-01-23", "term": "5d",
    "grace_days": 5, "min_interest_days": 15, "across": "instalment",
    "penalty": {"multiple": "1.0", "annual_cap": "0.12", "on_interest": True},
})  # fmt: skip


def on(kind: type[Event], day: date, sequence: int, **fields: Any) -> Event:
    return kind(id=f"e{sequence}", value_date=day, booked_on=day, sequence=sequence, **fields)


def test_interest_of_the_grace_falls_due_with_the_minimum_and_bears_penalty_with_it() -> None:
    """Due on the 28th; within the grace the principal ends: 15 days of 4.1918 are 62.88, of which 23.06 was paid.

    All 39.82 are due on the 31st; less 10.48 they bear 12% a year from that day: 29.34 × 0.12 / 365 × 7 = 0.07.
    """
    events = [
        on(Repaid, date(2023, 1, 27), 1, amount_minor=210),
        on(Waived, date(2023, 1, 31), 2, component="principal", amount_minor=499581),
        on(Repaid, date(2023, 1, 31), 3, amount_minor=2515),
        on(Repaid, date(2023, 2, 1), 4, amount_minor=1048),
    ]
    ended = replay(TERMS, events, date(2023, 1, 31))
    assert (ended.principal, ended.interest_charged, ended.interest_due, ended.interest) == (
        0,
        6288,
        3982,
        3982,
    )
    grace = replay(TERMS, events, date(2023, 2, 5))
    assert (grace.interest_due, grace.penalty, grace.days_past_due) == (2934, 0, 5)
    assert replay(TERMS, events, date(2023, 2, 7)).penalty == 7
