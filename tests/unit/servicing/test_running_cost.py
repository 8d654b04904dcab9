"""What a running loan costs a year: paid so far, then the plan. Source: SEMANTICS 2; the equation of the EU directive."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from microloan import quote
from microloan.rates import rate_decimal
from microloan.servicing.cost import RunningCost, running_cost
from microloan.servicing.events import Event, FeeCharged, Refunded, Repaid, Settled, Waived, WrittenOff
from microloan.terms import LoanTerms

START = date(2024, 1, 10)


def terms(**changes: Any) -> LoanTerms:
    given = {
        "method": "anytime",
        "principal": "10000.00",
        "rate": "0.05%/day",
        "start": START,
        "term": "100d",
    }
    return LoanTerms.parse(given | changes)


def event(make: Any, day: int, number: int = 1, **fields: Any) -> Event:
    when = START + timedelta(days=day)
    made: Event = make(id=f"e{number}", value_date=when, booked_on=when, sequence=number, **fields)
    return made


def cost(day: int, *events: Event, **changes: Any) -> RunningCost:
    return running_cost(terms(**changes), events, START + timedelta(days=day))


@pytest.mark.parametrize("method", ["anytime", "interest_only", "equal_instalment", "equal_principal"])
@pytest.mark.parametrize("day", [0, 20])
def test_a_loan_on_its_plan_costs_what_was_quoted(method: str, day: int) -> None:
    quoted = quote("10000", "0.05%/day", months=3, method=method, start=START)
    now = cost(day, method=method, term="3m")
    assert now.simple is not None
    assert (rate_decimal(now.simple, 6), now.effective) == (
        quoted.simple_yearly_cost,
        quoted.effective_yearly_cost,
    )
    assert now.charges == quoted.interest * 100


def test_what_is_overdue_counts_as_paid_on_the_day() -> None:
    """100 nights at 5.00, then ten at 7.50: 575.00 over 10,000.00 for 110 days."""
    late = cost(110)
    assert (late.charges, late.simple) == (57500, Fraction(57500 * 365, 1000000 * 110))


def test_a_waiver_makes_it_cheaper_and_a_refunded_surplus_costs_nothing() -> None:
    waived = cost(50, event(Waived, 50, component="interest", amount_minor=10000))
    assert waived.charges == 40000
    paid = event(Repaid, 50, 1, amount_minor=1100000)
    back = event(Refunded, 60, 2, amount_minor=75000)
    assert cost(60, paid, back).charges == cost(55, paid).charges == 25000


def test_a_fee_of_a_settled_sweep_loan_is_part_of_its_cost() -> None:
    swept = terms(method="sweep", sweep={"share": "0.10"})
    events = [event(Settled, 10, 1, amount_minor=500000), event(FeeCharged, 20, 2, amount_minor=700)]
    now = running_cost(swept, events, START + timedelta(days=20))
    assert now.charges == 5000 + 42975 + 700  # 10 nights of 5.00; of 500.00 swept 450.00 repay; 90 of 4.775


def test_a_written_off_claim_counts_as_if_it_were_paid() -> None:
    off = cost(400, event(WrittenOff, 120))
    assert off.charges == cost(120).charges


def test_a_loan_whose_principal_was_given_up_costs_nothing() -> None:
    free = cost(10, event(Waived, 10, component="principal", amount_minor=900000))
    assert free.charges < 0
    assert (free.simple, free.effective) == (0, Decimal(0))


def test_no_night_no_cost() -> None:
    assert cost(5, event(Repaid, 0, amount_minor=1000000)) == RunningCost(0, None, None)
