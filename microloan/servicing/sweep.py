"""Sweep loans: the share of a settlement, and the minimum of each period. Source: SEMANTICS 3, 9.14 and 9.18."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..money import half_up_div
from ..terms import LoanTerms, SweepMinimum, SweepTerms

if TYPE_CHECKING:
    from .fold import Fold


def swept(terms: SweepTerms, settlement: int) -> int:
    """The share of a net settlement in minor units, rounded half-up; nothing of a negative one.

    *Source:* SEMANTICS 9.14.

    >>> swept(SweepTerms(share="0.2"), 1003), swept(SweepTerms(share="0.2"), -1000)
    (201, 0)
    """
    return max(0, half_up_div(terms.share.numerator * settlement, terms.share.denominator))


def least_of_period(minimum: SweepMinimum, drawn: int) -> int:
    """The least that a period must bring, in minor units, rounded half-up.

    *Source:* SEMANTICS 3 and 9.14.

    >>> least_of_period(SweepMinimum(fraction="1/18", every="60d"), 30000000)
    1666667
    """
    return half_up_div(minimum.fraction.numerator * drawn, minimum.fraction.denominator)


def first_period_end(terms: LoanTerms) -> int | None:
    """The ordinal on which the first period ends; None where no minimum is agreed.

    >>> from datetime import date
    >>> sweep = {"share": "0.10", "minimum": {"fraction": "1/18", "of": "initial_balance", "every": "60d"}}
    >>> terms = LoanTerms.parse({"method": "sweep", "principal": "1", "rate": "0%/day", "start": "2024-01-01",
    ...                          "term": "12m", "sweep": sweep})
    >>> date.fromordinal(first_period_end(terms))
    datetime.date(2024, 3, 1)
    """
    minimum = _agreed_minimum(terms)
    return None if minimum is None else terms.start.toordinal() + minimum.every.count


def _agreed_minimum(terms: LoanTerms) -> SweepMinimum | None:
    return None if terms.sweep is None else terms.sweep.minimum


def end_period(loan: Fold, day: int) -> None:
    """The next period begins; what this one lacks of its minimum falls due, unless the maturity takes all of it anyway.

    *Source:* SEMANTICS 9.14 and 9.18.
    """
    minimum = _agreed_minimum(loan.terms)
    if minimum is None:
        return
    lack = max(0, least_of_period(minimum, loan.drawn) - loan.period_paid)
    loan.period_end, loan.period_paid = day + minimum.every.count, 0
    if loan.due_days and loan.due_days[0] != day:
        _fall_due(loan, day, lack)


def _fall_due(loan: Fold, day: int, lack: int) -> None:
    """The interest to the day first, then principal; what an extension moved here comes whole, besides the minimum."""
    running = min(lack, loan.accrued() - loan.moved_interest)
    interest = loan.moved_interest + running
    principal = loan.moved + min(lack - running, loan.future - loan.moved)
    loan.take_accrued(interest)
    loan.moved = 0
    loan.future -= principal
    loan.parts[-1] -= principal
    if interest or principal:
        loan.owe(day, principal, interest, planned=True)
