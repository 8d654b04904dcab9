"""Figures that others published: yearly cost of EU law, annual percentage rates of US law, level instalments."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from microloan.servicing.cost import effective_yearly_rate, quote


@pytest.mark.parametrize(
    ("received", "payments", "published"),
    [
        (100000, [(date(1995, 7, 1), 120000)], "0.1296"),
        (95000, [(date(1995, 7, 1), 120000)], "0.1690"),
        (100000, [(date(1995, 1, 1), 60000), (date(1996, 1, 1), 60000)], "0.1307"),
    ],
)
def test_eu_annual_percentage_rate_of_charge(
    received: int, payments: list[tuple[date, int]], published: str
) -> None:
    """Source: Directive 98/7/EC (annex III A, calendar basis), first to third example: 12.96%, 16.9%, 13.07%."""
    assert (
        effective_yearly_rate(date(1994, 1, 1), received, payments, places=4)
        == Decimal(published).normalize()
    )


def test_us_annual_percentage_rate_of_regular_monthly_payments() -> None:
    """5,000 repaid by 24 monthly payments of 230 is 9.69%; published to 0.01%, so the payment lies between two rates.

    Source: 12 CFR 1026 appendix J (c)(1)(i).
    """
    low, high = (
        quote("5000", f"{rate}%/year/360", months=24, method="equal_instalment", day_count="30E/360")
        for rate in ("9.685", "9.695")
    )
    assert low.schedule[0].total <= 23000 <= high.schedule[0].total


def test_the_effective_rate_of_a_quote_compounds_its_simple_rate() -> None:
    """0.048% a day over 90 days: (1 + 0.0432) ^ (365 / 90) - 1 = 18.7109%."""
    told = quote("300000", "0.048%/day", days=90)
    assert (told.simple_yearly_cost, told.effective_yearly_cost) == (Decimal("0.1752"), Decimal("0.187109"))


def test_a_year_at_once_costs_the_same_simple_and_compound() -> None:
    told = quote("10000", "12%/year/365", days=365)
    assert told.simple_yearly_cost == told.effective_yearly_cost == Decimal("0.12")


def test_an_interest_free_loan_costs_nothing() -> None:
    told = quote("3600", "0%/day", months=36, method="equal_principal")
    assert (told.interest, told.simple_yearly_cost, told.effective_yearly_cost) == (Decimal("0.00"), 0, 0)
