"""Interest of days, exact: rates over one common denominator, nights that count, and the accrual row of a loan.

Source: SEMANTICS 1 (rounding: one rule) and ARCHITECTURE (accrual is a formula, not rows).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import NamedTuple

from ..days import DayCount, day_number
from ..terms import PenaltyTerms

INT64 = 2**63 - 1

#: A fraction as numerator and denominator in lowest terms.
Ratio = tuple[int, int]


def penalty_rate(contract: Fraction, penalty: PenaltyTerms) -> Fraction:
    """The penalty rate per day: multiple × contract rate, cut so that the year stays within the cap.

    *Source:* SEMANTICS 5 and 9.11. 0.048% × 1.5 with a cap of 24% a year:

    >>> penalty_rate(Fraction(48, 100000), PenaltyTerms(multiple="1.5", annual_cap="0.24")) == Fraction(24, 36500)
    True
    """
    full = contract * penalty.multiple
    return full if penalty.annual_cap is None else min(full, penalty.annual_cap / 365)


def rate_numerators(
    rates: Iterable[Fraction], multiple: Fraction, cap: Fraction | None
) -> tuple[int, Mapping[Ratio, tuple[int, int]]]:
    """The common denominator of all rates of a loan, and under each rate's ratio its contract and penalty numerators.

    0.048% a day is 6 / 12,500, one and a half times that 9 / 12,500:

    >>> den, numerators = rate_numerators([Fraction(48, 100000)], Fraction(3, 2), None)
    >>> den, numerators[Fraction(48, 100000).as_integer_ratio()]
    (12500, (6, 9))
    """
    own = tuple([rate.as_integer_ratio() for rate in rates])
    return _numerators(own, multiple.as_integer_ratio(), None if cap is None else cap.as_integer_ratio())


# By ratios: a book has many loans and few rates, and the hash of a fraction is dear.
@lru_cache(maxsize=4096)
def _numerators(
    rates: tuple[Ratio, ...], multiple: Ratio, cap: Ratio | None
) -> tuple[int, Mapping[Ratio, tuple[int, int]]]:
    penalty = PenaltyTerms(multiple=Fraction(*multiple), annual_cap=None if cap is None else Fraction(*cap))
    contract = {ratio: Fraction(*ratio) for ratio in rates}
    pairs = {ratio: (rate, penalty_rate(rate, penalty)) for ratio, rate in contract.items()}
    den = lcm(*(part.denominator for pair in pairs.values() for part in pair))
    return den, {ratio: (int(own * den), int(late * den)) for ratio, (own, late) in pairs.items()}


def number_of(ordinal: int, day_count: DayCount) -> int:
    """N(day) of an ordinal; nights from a to b count N(b) - N(a).

    *Source:* SEMANTICS 1. From 30 January to 1 March 2017, 31 nights by 30E/360 and 30 by the calendar:

    >>> january, march = date(2017, 1, 30).toordinal(), date(2017, 3, 1).toordinal()
    >>> number_of(march, "30E/360") - number_of(january, "30E/360"), march - january
    (31, 30)
    """
    return ordinal if day_count == "actual" else day_number(date.fromordinal(ordinal), day_count)


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans of nights [first, until) in order, overlaps joined.

    >>> merged([(10, 12), (1, 3), (2, 5), (7, 7)])
    [(1, 5), (10, 12)]
    """
    joined: list[tuple[int, int]] = []
    for first, until in sorted(spans):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(until, joined[-1][1]))
        elif first < until:
            joined.append((first, until))
    return joined


class AccrualRow(NamedTuple):
    """Interest (or penalty) of one loan as a formula, good from ``anchor_n`` until ``next_action``; a loan that has both
    has them over one denominator.

    Booked in total at day number n: ``whole + q·u + (rem + m·u) // den`` with ``u = n - anchor_n``; the half-up rounding
    lies inside ``rem``. All fields fit in 64 bits until ``next_action``.
    """

    component: str
    class_: str
    memo: int
    anchor_n: int
    whole: int
    q: int
    rem: int
    m: int
    den: int
    next_action: date


def booked(row: AccrualRow, n: int) -> int:
    """The running total in minor units at day number *n* (of the loan's day count).

    >>> row = AccrualRow("interest", "normal", 0, 0, 0, 14400, 1, 0, 2, date(2017, 7, 30))
    >>> booked(row, 90)
    1296000
    """
    nights = n - row.anchor_n
    return row.whole + row.q * nights + (row.rem + row.m * nights) // row.den


def formula(carry: int, slope: int, den: int) -> tuple[int, int, int, int, int]:
    """(whole, q, rem, m, den) of a carry and a slope per day, both over *den*; den of the row is even.

    >>> formula(1, 3, 4)
    (0, 0, 6, 6, 8)
    """
    start = 2 * carry + den
    whole, rem = divmod(start, 2 * den)
    q, m = divmod(2 * slope, 2 * den)
    return whole, q, rem, m, 2 * den


def nights_that_fit(whole: int, q: int, rem: int, m: int, den: int) -> int:
    """For how many day counts the row's arithmetic stays inside 64 bits; 0 when it cannot be stored at all.

    300,000.00 at 0.048% a day fits for any day there is, a slope beyond every amount for none:

    >>> nights_that_fit(*formula(0, 14400, 1)) > date.max.toordinal()
    True
    >>> nights_that_fit(0, 2**62, 0, 0, 2)
    0
    """
    if den > INT64 // 2 or whole > INT64 // 4 or q > INT64 // 4:
        return 0
    by_rem = (INT64 // 2 - rem) // m if m else INT64
    by_whole = (INT64 // 4) // q if q else INT64
    return min(by_rem, by_whole)
