"""What a loan costs its merchant: the quote, the simple and the effective yearly rate, the dated ceilings.

Source: SEMANTICS 2 (all-in cost, ceilings as dated configuration) and 1 (the product's published example).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from ..errors import InvalidRate, InvalidTerms
from ..money import round_half_up, to_major
from ..rates import Rate, parse_percentage, rate_decimal
from ..terms import LoanTerms
from .events import Event, Repaid
from .replay import life, replay
from .scenario import shown_row
from .state import LedgerRow, ScheduleRow, Split

#: The day a quote starts on when none is given; any day gives the same figures for a term in days.
QUOTE_START = date(2025, 1, 1)


@dataclass(frozen=True, slots=True)
class BankLoan:
    """The same money from a bank that lends for a full year: principal × rate."""

    rate: Decimal
    interest: Decimal
    saved: Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """What a loan would cost; amounts in major units, rates as fractions.

    ``daily_rate`` and ``yearly_rate`` (× 365) are the contract rate, ``simple_yearly_cost`` the all-in cost over the
    principal outstanding × 365, ``effective_yearly_cost`` the compound rate (IRR of the dated payments).
    """

    currency: str
    method: str
    principal: Decimal
    start: date
    maturity: date
    days: int
    rate: str
    daily_rate: Decimal
    yearly_rate: Decimal
    interest: Decimal
    fees: Decimal
    total: Decimal
    simple_yearly_cost: Decimal
    effective_yearly_cost: Decimal
    schedule: tuple[ScheduleRow, ...]
    bank: BankLoan | None = None

    def as_json(self) -> dict[str, Any]:
        """The document ``microloan quote --json`` prints.

        >>> from microloan import quote
        >>> quote(principal="300000", rate="0.048%/day", days=90, start=date(2017, 5, 1)).as_json()["interest"]
        '12960.00'
        """
        bank = {} if self.bank is None else _bank_json(self.bank)
        return {
            "currency": self.currency,
            "method": self.method,
            "principal": str(self.principal),
            "start": self.start.isoformat(),
            "maturity": self.maturity.isoformat(),
            "days": self.days,
            "rate": self.rate,
            "daily_rate": f"{self.daily_rate:f}",
            "yearly_rate": f"{self.yearly_rate:f}",
            "interest": str(self.interest),
            "fees": str(self.fees),
            "total": str(self.total),
            "simple_yearly_cost": f"{self.simple_yearly_cost:f}",
            "effective_yearly_cost": f"{self.effective_yearly_cost:f}",
            **bank,
            "schedule": [shown_row(row, self.currency) for row in self.schedule],
        }


def quote(
    principal: object,
    rate: object,
    *,
    days: int | None = None,
    months: int | None = None,
    method: str = "anytime",
    currency: str = "CNY",
    start: date = QUOTE_START,
    compare_bank_rate: object = None,
    **other_terms: Any,
) -> Quote:
    """What a loan would cost if every instalment is paid on its day; no database, no clock.

    Give *days* or *months*; further terms (``day_count``, ``grace_days``, ``due_day`` …) as in LoanTerms. With
    *compare_bank_rate* also the interest of a bank loan that must run a full year. Interest is rounded half-up to the
    minor unit. Raises InvalidAmount, InvalidRate, InvalidTerms.

    *Source:* the product's published example, SEMANTICS 1.

    >>> quote("300000", "0.048%/day", days=90, compare_bank_rate="6%/year").interest
    Decimal('12960.00')
    """
    if (days is None) == (months is None):
        raise InvalidTerms(field="term", value=None, reason="give either days or months")
    term = f"{months}m" if days is None else f"{days}d"
    given = {
        "method": method,
        "principal": principal,
        "rate": rate,
        "start": start,
        "term": term,
        **other_terms,
    }
    terms = LoanTerms.parse(given, currency)
    rows = life(terms, [], [start]).schedule
    interest = sum(row.interest for row in rows)
    flows = [(row.due, row.total) for row in rows]
    return Quote(
        currency=currency,
        method=terms.method,
        principal=to_major(terms.principal_minor, currency),
        start=start,
        maturity=terms.last_day,
        days=(terms.last_day - start).days,
        rate=str(terms.rate),
        daily_rate=terms.rate.daily,
        yearly_rate=terms.rate.yearly,
        interest=to_major(interest, currency),
        fees=to_major(0, currency),
        total=to_major(terms.principal_minor + interest, currency),
        simple_yearly_cost=rate_decimal(simple_yearly_cost(terms, rows), 6),
        effective_yearly_cost=effective_yearly_rate(start, terms.principal_minor, flows),
        schedule=rows,
        bank=_bank_loan(terms, interest, compare_bank_rate),
    )


def simple_yearly_cost(terms: LoanTerms, rows: Sequence[ScheduleRow], fees: int = 0) -> Fraction:
    """All-in cost over the principal actually outstanding, × 365, exact: interest and fees per principal-day.

    *Source:* SEMANTICS 2. 0.048% a day is 17.52% a year:

    >>> terms = LoanTerms.parse({"method": "anytime", "principal": "300000", "rate": "0.048%/day",
    ...                          "start": "2017-05-01", "term": "90d"})
    >>> simple_yearly_cost(terms, life(terms, [], [terms.start]).schedule)
    Fraction(219, 1250)
    """
    outstanding, since, principal_days, cost = terms.principal_minor, terms.start, 0, fees
    for row in rows:
        principal_days += outstanding * (row.due - since).days
        outstanding, since, cost = outstanding - row.principal, row.due, cost + row.interest
    return Fraction(cost * 365, principal_days) if principal_days else Fraction(0)


def earliest_payoff_cost(terms: LoanTerms, fees: int = 0) -> Fraction:
    """The same cost when the loan is paid off after one night, where minimum interest days weigh most.

    >>> terms = LoanTerms.parse({"method": "anytime", "principal": "10000", "rate": "0.05%/day",
    ...                          "start": "2024-03-01", "term": "90d", "min_interest_days": 7})
    >>> earliest_payoff_cost(terms)
    Fraction(511, 400)
    """
    night = terms.start + timedelta(days=1)
    state = replay(terms, [], night)
    return Fraction((state.payoff - state.principal + fees) * 365, terms.principal_minor)


@dataclass(frozen=True, slots=True)
class RunningCost:
    """What a loan costs its merchant over its whole life as it now looks.

    ``charges`` (minor units) is what the merchant pays beyond what it received, below zero where principal was waived;
    ``simple`` the charges over the principal outstanding × 365, ``effective`` the compound rate, both yearly fractions,
    never below zero, and None for a loan outstanding over no night.
    """

    charges: int
    simple: Fraction | None
    effective: Decimal | None


#: Events in whose ledger rows money moved between merchant and lender.
_MONEY_MOVED = ("repay", "settlement", "recover", "refund")


def running_cost(terms: LoanTerms, events: Sequence[Event], as_of: date) -> RunningCost:
    """The cost of a running loan: its dated payments up to *as_of*, then its plan; fees and penalty included.

    What is due and unpaid counts as paid on *as_of*, a credit balance as paid out on it, the rest as paid on its due days.
    *Source:* SEMANTICS 2; the compound rate as in :func:`effective_yearly_rate`.

    >>> terms = LoanTerms.parse({"method": "anytime", "principal": "300000", "rate": "0.048%/day",
    ...                          "start": "2017-05-01", "term": "90d"})
    >>> cost = running_cost(terms, [], date(2017, 5, 1))
    >>> cost.charges, cost.simple, cost.effective
    (1296000, Fraction(219, 1250), Decimal('0.187109'))
    """
    day = max(as_of, terms.start)
    known = [*events, *_arrears_paid(terms, events, day)]
    told = life(terms, known, [day])
    to_come = [row for row in told.schedule if row.due > day]
    moved = [row for row in told.ledger if row.kind in _MONEY_MOVED and row.value_date is not None]
    flows = [(row.value_date or day, _in_all(row.split)) for row in moved]
    flows += [(row.due, row.total) for row in to_come]
    left = told.states[0]
    flows.append((day, -left.credit_balance if to_come else left.payoff - left.credit_balance))
    charges = sum(amount for _, amount in flows) - terms.principal_minor
    principal_days = _principal_days(terms, told.ledger, to_come, day)
    if not principal_days:
        return RunningCost(charges, None, None)
    simple = Fraction(max(charges, 0) * 365, principal_days)
    return RunningCost(charges, simple, effective_yearly_rate(terms.start, terms.principal_minor, flows))


def _arrears_paid(terms: LoanTerms, known: Sequence[Event], day: date) -> list[Event]:
    """A payment of what is due and unpaid on *day*; none where nothing is, or where the claim was written off."""
    state = replay(terms, known, day)
    due = state.fees + state.penalty + state.interest_due + state.principal_due
    if not due or state.written_off:
        return []
    last = max((event.sequence for event in known), default=0)
    return [Repaid(id="arrears", value_date=day, booked_on=day, sequence=last + 1, amount_minor=due)]


def _in_all(split: Split) -> int:
    return split.fees + split.penalty + split.interest + split.principal + split.credit


def _principal_days(
    terms: LoanTerms, ledger: Sequence[LedgerRow], to_come: Sequence[ScheduleRow], day: date
) -> int:
    """Principal × calendar days from the start to *day* as it was, and from then on as it is planned; minor units."""
    total, principal, since = 0, terms.principal_minor, terms.start
    for row in ledger:
        if row.principal_after is not None and row.value_date is not None:
            total += principal * (row.value_date - since).days
            principal, since = row.principal_after, row.value_date
    total, since = total + principal * (day - since).days, day
    for planned in to_come:
        total += principal * (planned.due - since).days
        principal, since = principal - planned.principal, planned.due
    return total


def effective_yearly_rate(
    start: date, received: int, payments: Sequence[tuple[date, int]], places: int = 6
) -> Decimal:
    """The compound yearly rate at which the dated payments are worth what was received: IRR on days / 365.

    Found by bisection in exact-enough decimals (50 digits) and rounded half-up to *places*. 0 when the payments do not
    exceed what was received. *Source:* the usual annual percentage rate equation (EU Directive 2008/48/EC, annex I).

    >>> effective_yearly_rate(date(2024, 1, 1), 100000, [(date(2024, 12, 31), 110000)])
    Decimal('0.1')
    """
    if sum(amount for _, amount in payments) <= received:
        return Decimal(0)
    with localcontext() as context:
        context.prec = 50
        spans = [(Decimal((day - start).days) / 365, Decimal(amount)) for day, amount in payments]
        low, high = Decimal(0), Decimal(1)
        while _worth(spans, high) > received and high < 10**9:
            high *= 4
        for _ in range(120):
            middle = (low + high) / 2
            low, high = (middle, high) if _worth(spans, middle) > received else (low, middle)
        return rate_decimal(Fraction(high), places)


def _worth(spans: Sequence[tuple[Decimal, Decimal]], rate: Decimal) -> Decimal:
    growth = (1 + rate).ln()
    return sum((amount * (-years * growth).exp() for years, amount in spans), Decimal(0))


def _bank_loan(terms: LoanTerms, interest: int, rate: object) -> BankLoan | None:
    if rate is None:
        return None
    yearly = bank_rate(rate)
    cost = round_half_up(terms.principal_minor * yearly)
    return BankLoan(
        rate=rate_decimal(yearly),
        interest=to_major(cost, terms.currency),
        saved=to_major(cost - interest, terms.currency),
    )


def bank_rate(given: object) -> Fraction:
    """A bank's yearly rate for a full year; it needs no basis. Source: SEMANTICS 9.15.

    >>> bank_rate("6%/year")
    Fraction(3, 50)
    """
    if isinstance(given, str) and given.replace(" ", "").endswith(("/year", "/年")):
        return _never_negative(
            parse_percentage(given.replace(" ", "").rpartition("/")[0], "compare_bank_rate"), given
        )
    if isinstance(given, str) and "/" not in given:
        return _never_negative(parse_percentage(given, "compare_bank_rate"), given)
    rate = Rate.parse(given, "compare_bank_rate")
    return rate.per_day * 365 if rate.basis == 1 else rate.value


def _never_negative(rate: Fraction, given: object) -> Fraction:
    if rate < 0:
        raise InvalidRate(field="compare_bank_rate", value=given, reason="a rate is never negative")
    return rate


def _bank_json(bank: BankLoan) -> dict[str, str]:
    return {"bank_rate": f"{bank.rate:f}", "bank_interest": str(bank.interest), "saved": str(bank.saved)}
