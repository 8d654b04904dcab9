"""Due days and instalments: the plan of a loan. Days are proleptic ordinals here, amounts minor units.

Source: SEMANTICS 3 (methods), 9.4 (due days), 9.5 and 9.8 (rebuilding).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache

from ..days import add_months
from ..money import half_up_div
from ..terms import LoanTerms


def due_days(terms: LoanTerms) -> tuple[date, ...]:
    """Every due date of the loan as drawn, the maturity last.

    >>> due_days(LoanTerms.parse({"method": "interest_only", "principal": "1", "rate": "0%/day",
    ...                           "start": "2024-01-05", "term": "90d"}))[-1]
    datetime.date(2024, 4, 4)
    """
    if terms.due_dates:
        return terms.due_dates
    if terms.method in ("anytime", "sweep"):
        return (terms.last_day,)
    return (*monthly_before(terms, terms.start, terms.last_day), terms.last_day)


def monthly_before(terms: LoanTerms, after: date, before: date) -> tuple[date, ...]:
    """The monthly due days strictly between two dates, counted from the loan's start so that they never drift.

    Drawn on the 31st, the due days keep to the end of each month:

    >>> terms = LoanTerms.parse({"method": "interest_only", "principal": "1", "rate": "0%/day",
    ...                          "start": "2024-01-31", "term": "90d"})
    >>> [str(day) for day in monthly_before(terms, terms.start, terms.last_day)]
    ['2024-02-29', '2024-03-31']
    """
    return _monthly(terms.start, terms.due_day, after, before)


@lru_cache(maxsize=4096)  # the loans drawn on a day for a term share them
def _monthly(start: date, due_day: int | None, after: date, before: date) -> tuple[date, ...]:
    months = max(1, (after.year - start.year) * 12 + after.month - start.month)
    days = []
    while (day := add_months(start, months, due_day)) < before:
        if day > after:
            days.append(day)
        months += 1
    return tuple(days)


def level_instalment(
    principal: int, rate: int, den: int, nights: Sequence[int], interest_so_far: int = 0
) -> int:
    """The equal instalment (等额本息) that repays *principal* over the periods, rounded half-up to the minor unit.

    The exact solution of the present-value equation: period i charges ``principal × rate/den × nights[i]``;
    *interest_so_far* (over *den*) lies inside the first instalment and bears none itself.

    *Source:* SEMANTICS 3. 120,000.00 at 0.04% a day over twelve 30-day months is 10,797.05:

    >>> level_instalment(12000000, 4, 10000, [30] * 12)
    1079705
    """
    growth = annuity = 1
    scale = 1
    for days in nights[1:]:
        factor = den + rate * days
        growth *= factor
        scale *= den
        annuity = scale + factor * annuity
    first = principal * (den + rate * nights[0]) + interest_so_far
    return half_up_div(first * growth, den * annuity)


def level_parts(
    principal: int, instalment: int, rate: int, den: int, nights: Sequence[int], interest_so_far: int = 0
) -> list[int]:
    """The principal part of each level instalment; the last takes what is left, none is negative.

    >>> level_parts(12000000, 1079705, 4, 10000, [30] * 12)[0]
    935705
    """
    parts, left, carry = [], principal, interest_so_far
    for days in nights[:-1]:
        interest = half_up_div(carry + left * rate * days, den)
        part = min(max(instalment - interest, 0), left)
        parts.append(part)
        left -= part
        carry = 0
    return [*parts, left]


def equal_parts(principal: int, count: int, part: int | None = None) -> list[int]:
    """Equal principal parts (等额本金): principal / count rounded half-up, the last takes the rest.

    >>> equal_parts(100000, 3)
    [33333, 33333, 33334]
    """
    size = half_up_div(principal, count) if part is None else part
    parts, left = [], principal
    for _ in range(count - 1):
        parts.append(min(size, left))
        left -= parts[-1]
    return [*parts, left]


def shorten(days: list[int], parts: list[int]) -> None:
    """Cut both after the date on which nothing is left; a plan of nothing keeps its dates.

    >>> days, parts = [30, 60, 90], [700, 300, 0]
    >>> shorten(days, parts)
    >>> days
    [30, 60]
    """
    while any(parts) and parts[-1] == 0:
        del days[-1], parts[-1]
