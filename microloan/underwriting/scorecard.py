"""From features to points, from points to a grade and a probability.

Source: SEMANTICS 8: points per bin, reason codes, grade bands. Odds double every so many points (the trade's usual
scaling); the power is taken in decimals, so that a probability is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from math import ceil

import numpy as np

from ..money import currency_digits
from .features import DEFINITIONS, Value
from .flow import Ints
from .policy import Characteristic, Grade, Odds, Policy

_CONTEXT = Context(prec=28)


@dataclass(frozen=True, slots=True)
class Points:
    """What one characteristic gave: the feature's value, its points, and the most it could have given."""

    feature: str
    value: Value
    points: int
    best: int
    reason: str


@dataclass(frozen=True, slots=True)
class Score:
    """The sum of points, each characteristic's part, the grade (None below the lowest band) and the probability."""

    total: int
    points: tuple[Points, ...]
    grade: Grade | None
    probability: Decimal | None


def score(row: Mapping[str, Value], policy: Policy, currency: str) -> Score:
    """Score a feature row by the policy's scorecard. Amounts are compared in major units of *currency*.

    >>> from .policy import shipped_policy
    >>> policy = shipped_policy()
    >>> told = score({"tenure": 400}, policy, "CNY")
    >>> told.total - sum(part.points for part in told.points) == policy.scorecard.base
    True
    """
    parts = tuple(_points(each, row.get(each.feature), currency) for each in policy.scorecard.characteristics)
    total = policy.scorecard.base + sum(part.points for part in parts)
    return Score(total, parts, grade_of(total, policy), probability_of(total, policy.scorecard.odds))


def _points(characteristic: Characteristic, value: Value, currency: str) -> Points:
    best = max(each.points for each in characteristic.bins)
    points = characteristic.missing if value is None else _bin_points(characteristic, value, currency)
    return Points(characteristic.feature, value, points, best, characteristic.reason)


def _bin_points(characteristic: Characteristic, value: int | Decimal, currency: str) -> int:
    measured = Decimal(value)
    if DEFINITIONS[characteristic.feature].unit == "amount":
        measured = measured.scaleb(-currency_digits(currency))
    for each in characteristic.bins[:-1]:
        if each.below is not None and measured < each.below:
            return each.points
    return characteristic.bins[-1].points


def grade_of(total: int, policy: Policy) -> Grade | None:
    """The best grade whose band the score reaches; None below the lowest.

    >>> from .policy import shipped_policy
    >>> policy = shipped_policy()
    >>> grade_of(policy.grades[0].score, policy).name, grade_of(policy.grades[-1].score - 1, policy)
    ('A', None)
    """
    return next((grade for grade in policy.grades if total >= grade.score), None)


def probability_of(total: int, odds: Odds | None) -> Decimal | None:
    """The policy's estimate that its event happens, to four decimals half-up; None where the policy has no odds.

    >>> probability_of(500, Odds(score=500, good_to_bad="3", double=40, event="sales collapse"))
    Decimal('0.2500')
    """
    if odds is None:
        return None
    steps = _CONTEXT.divide(Decimal(total - odds.score), Decimal(odds.double))
    good = _CONTEXT.divide(Decimal(odds.good_to_bad.numerator), Decimal(odds.good_to_bad.denominator))
    good = _CONTEXT.multiply(good, _CONTEXT.power(Decimal(2), steps))
    return _CONTEXT.divide(Decimal(1), good + 1).quantize(Decimal("0.0001"), rounding=ROUND_HALF_UP)


def edges_of(characteristic: Characteristic, currency: str) -> Ints:
    """The inner edges of a characteristic's bins, in the whole numbers its feature is kept in.

    >>> from .policy import shipped_policy
    >>> edges_of(shipped_policy().scorecard.characteristics[0], "CNY").tolist()[:3]
    [1000, 2500, 4500]
    """
    places = places_of(characteristic.feature, currency)
    below = [one.below for one in characteristic.bins if one.below is not None]
    # a value is a whole number: reaching an edge between two of them is reaching the upper one
    return np.array([ceil(edge.scaleb(places)) for edge in below], dtype=np.int64)


def places_of(feature: str, currency: str) -> int:
    """Decimals between a feature's whole numbers and what a policy writes: 4 for ratios, the currency's for amounts.

    >>> places_of("refund_rate", "CNY"), places_of("sales_90d", "CNY"), places_of("sales_90d", "JPY"), places_of("tenure", "CNY")
    (4, 2, 0, 0)
    """
    unit = DEFINITIONS[feature].unit
    return 4 if unit == "ratio" else currency_digits(currency) if unit == "amount" else 0


def worst_points(points: tuple[Points, ...], told: int) -> tuple[Points, ...]:
    """The characteristics that took points away, at most *told* of them, the costliest first.

    >>> given = [Points("tenure", 30, -20, 10, "short_tenure"), Points("refund_rate", None, -35, 0, "refunds")]
    >>> [each.feature for each in worst_points((*given, Points("orders", 9, 5, 5, "")), 1)]
    ['refund_rate']
    """
    costly = sorted(
        (each for each in points if each.points < 0), key=lambda each: (each.points, each.feature)
    )
    return tuple(costly[:told])
