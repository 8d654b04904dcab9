"""Array arithmetic over shops × days: exact sums of runs, medians, ratios to four places, peak days.

Everything that enters a figure is a sum of integers, exact, followed by single IEEE operations on those sums; so the same
lines give the same figures on every machine and from every engine. Logarithms decide only whether accounts stand out, yes or
no. Source: SEMANTICS 8 (features).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Context, Decimal
from functools import lru_cache
from typing import Final

import numpy as np

from .flow import Bools, Doubles, Ints
from .policy import Peak

#: Ratios are integers of this part of one: four decimals.
RATIO_SCALE: Final = 10_000
_RATIO_LIMIT: Final = 1e15
_ONE_PARTY: Final = 5  # suspects that may be one party, and are not evidence for each other


def first_of_runs(*keys: Ints) -> Bools:
    """True where a run of equal keys begins.

    >>> first_of_runs(np.array([1, 1, 2])).tolist()
    [True, False, True]
    """
    first = np.empty(len(keys[0]), dtype=np.bool_)
    first[:1] = True
    np.not_equal(keys[0][1:], keys[0][:-1], out=first[1:])
    for key in keys[1:]:
        first[1:] |= key[1:] != key[:-1]
    return first


def ends_of_runs(starts: Ints, length: int) -> Ints:
    """Where runs that follow each other end, each before the next starts and the last at *length*.

    >>> ends_of_runs(np.array([0, 2]), 5).tolist()
    [2, 5]
    """
    ends = np.empty_like(starts)
    ends[:-1] = starts[1:]
    ends[-1:] = length
    return ends


def counts(key: Ints, size: int, weight: Ints | Bools | None = None) -> Ints:
    """Small whole numbers (orders, days) added up per *key*; exact below 2⁵³.

    >>> counts(np.array([0, 2, 2]), 3).tolist()
    [1, 0, 2]
    """
    if weight is None:
        return np.bincount(key, minlength=size)
    return np.bincount(key, weights=weight, minlength=size).astype(np.int64)


def amount_sums(key: Ints, size: int, amount_minor: Ints) -> Ints:
    """Amounts added up per *key* in 64-bit integers; *key* must be sorted.

    >>> amount_sums(np.array([0, 2, 2]), 3, np.array([5, 1, 1])).tolist()
    [5, 0, 2]
    """
    sums = np.zeros(size, dtype=np.int64)
    if len(key):
        starts = first_of_runs(key).nonzero()[0]
        sums[key[starts]] = np.add.reduceat(amount_minor, starts)
    return sums


def sums_of_runs(values: Ints | Bools, ends: Ints) -> Ints:
    """Sums of runs of *values* that follow each other from the first value on, by where each ends; in 64-bit integers.

    >>> sums_of_runs(np.array([1, 2, 3]), np.array([2, 3])).tolist()
    [3, 3]
    """
    reached: Ints = values.cumsum(dtype=np.int64)[ends - 1]
    reached[1:] -= reached[:-1]
    return reached


def running_total(values: Ints) -> Ints:
    """0 and the sums of the first one, two, … values, in 64-bit integers.

    >>> running_total(np.array([1, 2, 3])).tolist()
    [0, 1, 3, 6]
    """
    reached = np.empty(len(values) + 1, dtype=np.int64)
    reached[0] = 0
    values.cumsum(out=reached[1:])
    return reached


def quantiles(key: Ints, value: Ints, size: int, *hundredths: int) -> list[Ints]:
    """Per *key* the values that so many per cent of its values do not exceed, the lower of two; 0 where none.

    *key* must be sorted.

    >>> [found.tolist() for found in quantiles(np.array([0, 0, 0]), np.array([9, 1, 2]), 2, 50, 99)]
    [[2, 0], [2, 0]]
    """
    found = [np.zeros(size, dtype=np.int64) for _ in hundredths]
    if not len(key):
        return found
    values = _sorted_within(key, value)
    starts = first_of_runs(key).nonzero()[0]
    lengths = ends_of_runs(starts, len(key)) - starts
    for each, hundredth in zip(found, hundredths, strict=True):
        each[key[starts]] = values[starts + (lengths - 1) * hundredth // 100]
    return found


def _sorted_within(key: Ints, value: Ints) -> Ints:
    """Values sorted within each key; packed with it into one number where they fit, which sorts much faster."""
    least = int(value.min())
    bits = (int(value.max()) - least).bit_length()
    if int(key[-1]).bit_length() + bits > 62:
        return value[np.lexsort((value, key))]
    packed = key << bits
    packed |= value - least
    packed.sort()
    packed &= (1 << bits) - 1
    packed += least
    return packed


def beyond_gradations(
    key: Ints,
    value: Ints,
    suspects: Bools,
    size: int,
    *,
    unit: Ints,
    chance: float,
    part: Doubles | None = None,
    party: int = _ONE_PARTY,
) -> Bools:
    """Which *suspects* stand out: so many of their key reach their value as its other values do not lead to expect.

    Of n₁ other entries with one *unit* or more, n₂ have two or more (or one half, where none has): a power law through both,
    the heaviest tail that customers have, expects E = n₂ · (value / 2 units)^−log₂(n₁ / n₂) with that value. Where n₁ is five or
    less, the law is drawn one gradation lower, through half a unit and one. *part* of each key multiplies E.
    Where k have the value and Chernoff's bound of the Poisson law, (eE / k)^k · e^−E, is below *chance*, they stand out. Others
    are those without k, up to so many as one *party* may have.

    *Source:* house rule; Chernoff's bound: Mitzenmacher and Upfal, Probability and Computing (2005), theorem 5.4.

    >>> orders = np.array([1] * 90 + [2] * 8 + [4] + [24])
    >>> beyond_gradations(np.zeros(100, dtype=int), orders, orders > 3, 1, unit=np.array(2), chance=0.05)[-2:].tolist()
    [False, True]
    """
    found = np.zeros(len(key), dtype=np.bool_)
    at = suspects.nonzero()[0]
    if not len(at):
        return found
    units, reached = unit[at] if unit.ndim else unit, _as_high(key[at], value[at])
    own = np.minimum(reached, party)
    halves, ones, twos = (counts(key, size, 2 * value >= times * unit)[key[at]] - own for times in (1, 2, 4))
    few = ones <= _ONE_PARTY
    fewer = np.maximum(np.where(few, ones, twos), 0.5)
    more = np.maximum(np.where(few, halves, ones), fewer)
    expected = fewer * (value[at] / np.where(few, units, 2 * units)) ** -np.log2(more / fewer)
    if part is not None:
        expected = expected * part[key[at]]
    expected = np.maximum(expected, np.finfo(np.float64).tiny)
    bound = reached - expected - reached * np.log(reached / expected)
    found[at] = (reached > expected) & (bound < np.log(chance))
    return found


def _as_high(key: Ints, value: Ints) -> Ints:
    """How many entries of the same key are as high or higher."""
    order = np.lexsort((value, key))
    keys, places = key[order], np.arange(len(key))
    first_equal = np.maximum.accumulate(np.where(first_of_runs(keys, value[order]), places, 0))
    found = np.empty_like(places)
    found[order] = np.searchsorted(keys, keys, side="right") - first_equal
    return found


def ratio(part: Ints, whole: Ints) -> Ints:
    """part / whole in ten-thousandths, rounded half-up; 0 where whole is not above zero (mark those missing).

    >>> ratio(np.array([1]), np.array([3])).tolist()
    [3333]
    """
    exact = part / np.maximum(whole, 1) * RATIO_SCALE
    return scaled(exact) * (whole > 0)


def scaled(value: Doubles) -> Ints:
    """Doubles to whole numbers, half-up, cut to ±10¹⁵ so that nothing overflows."""
    return np.minimum(np.maximum(np.floor(value + 0.5), -_RATIO_LIMIT), _RATIO_LIMIT).astype(np.int64)


def recency_weights(days: int, half_life: int) -> Ints:
    """Whole-number weights of the last *days* days, oldest first: 16384 today, half of it every *half_life* days.

    >>> recency_weights(41, 20)[[0, 20, 40]].tolist()
    [4096, 8192, 16384]
    """
    context = Context(prec=28)
    ages = (context.divide(Decimal(-age), Decimal(half_life)) for age in range(days - 1, -1, -1))
    weights = [
        int(context.multiply(Decimal(1 << 14), context.power(Decimal(2), age)) + Decimal("0.5"))
        for age in ages
    ]
    return np.array(weights, dtype=np.int64)


def late_share(weighted: Ints, total: Ints, existing: Ints, weights: Ints) -> Ints:
    """How late a sum lies: its weighted total over its total, against the mean of the last *existing* weights.

    In ten-thousandths, half-up; even values give 1. 0 where nothing lies above zero.

    >>> late_share(np.array([9, 12]), np.array([3, 2]), np.array([3, 3]), np.array([1, 2, 6])).tolist()
    [10000, 20000]
    """
    lived = np.minimum(np.maximum(existing, 1), len(weights))
    weight_lived = weights[::-1].cumsum()[lived - 1]
    found = scaled(weighted / np.maximum(total, 1) / weight_lived * lived * RATIO_SCALE)
    return np.where(total > 0, found, 0)


def variation(values: Ints, existing: Ints) -> Ints:
    """Standard deviation over mean of the last *existing* entries of each row, in ten-thousandths, half-up.

    Entries before them must be zero. The entries are first brought to 25 bits, so that their squares add up exactly in
    64-bit integers; the mean is the population's. 0 where there is nothing to divide by.

    >>> variation(np.array([[0, 100, 300]]), np.array([2])).tolist()
    [5000]
    """
    largest = np.abs(values).max(axis=1, initial=0)
    shift = np.maximum(np.frexp(largest.astype(np.float64))[1].astype(np.int64) - 25, 0)
    small = values >> shift[:, None]
    total, squares = small.sum(axis=1), (small * small).sum(axis=1)
    spread = np.sqrt(np.maximum(existing * squares - total * total, 0))
    return np.where(total > 0, scaled(spread / np.maximum(total, 1) * RATIO_SCALE), 0)


@lru_cache(maxsize=256)
def peak_spans(first_day: int, last_day: int, peaks: tuple[Peak, ...]) -> list[tuple[int, int]]:
    """First and last ordinal of every peak's 30 days that lie wholly within the days given.

    >>> peak_spans(date(2024, 1, 1).toordinal(), date(2024, 12, 31).toordinal(), ())
    []
    """
    years = range(date.fromordinal(max(first_day, 1)).year, date.fromordinal(last_day).year + 1)
    spans = [(p.on(y, "first").toordinal(), p.on(y, "last").toordinal()) for y in years for p in peaks]
    return sorted(span for span in spans if first_day <= span[0] and span[1] <= last_day)


def stretches(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The days of *spans*, each (highest, lowest) and both counted, as stretches that do not overlap, highest first.

    >>> stretches([(3, 1), (9, 7), (8, 5)])
    [(9, 5), (3, 1)]
    """
    found: list[tuple[int, int]] = []
    for highest, lowest in sorted(spans, reverse=True):
        if found and highest >= found[-1][1]:
            found[-1] = (found[-1][0], min(found[-1][1], lowest))
        else:
            found.append((highest, lowest))
    return found


def is_peak_day(days: Ints, peaks: tuple[Peak, ...]) -> Bools:
    """True for days within the 30 days of a named peak, in any year."""
    found = np.zeros(len(days), dtype=np.bool_)
    if not len(days) or not peaks:
        return found
    for first, last in peak_spans(int(days.min()) - 366, int(days.max()) + 366, peaks):
        found |= (days >= first) & (days <= last)
    return found
