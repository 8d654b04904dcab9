"""Who had an identifier at the same time, and whether they took it up together.

A number is given to a new customer, a machine sold on: its holders before and after have nothing to do with each other. A
*tenure* is the holders of an identifier whose days with it run into each other. Merchants that share a phone honestly mostly
took it up years apart, those that one hand opened in one season: so a tenure is described by how many had it, within how many
days all of them took it up, and whether two of them are also at one place. How telling that is, a book says itself:
:mod:`microloan.risk.learning`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

#: Days that nobody had an identifier, after which it counts as handed on.
HANDED_ON_DAYS: Final = 31
#: Days within which all of a tenure took the identifier up: a month, a season, half a year. Later than that is not together.
WINDOWS: Final = (31, 93, 183)
#: Days that are a season: merchants of one ring take things up within one.
SEASON: Final = WINDOWS[1]
#: Holders of a tenure, by the least of each class: two, three or four, five and more.
SIZES: Final = (2, 3, 5)


@dataclass(frozen=True, slots=True, order=True)
class TakenUp:
    """How a tenure took its identifier up: the class it is compared with others in.

    ``holders``: 2, 3 for three or four, 5 for five and more; ``within_days``: 31, 93 or 183; ``at_one_place``: two of them
    share an identifier of a place besides.
    """

    kind: str
    holders: int
    within_days: int
    at_one_place: bool


def tenures(days: Sequence[tuple[date, date]]) -> list[list[int]]:
    """The holders of an identifier, by their positions, cut where it was handed on; the first to have it first.

    *days*: from when to when each had it.

    >>> day = date(2026, 3, 1)
    >>> tenures([(day, date(2026, 6, 1)), (date(2024, 1, 1), date(2025, 1, 1)), (date(2026, 4, 1), date(2026, 6, 1))])
    [[1], [0, 2]]
    """
    found: list[list[int]] = []
    until = date.min
    for place in sorted(range(len(days)), key=lambda each: (days[each][0], each)):
        first, last = days[place]
        if not found or (first - until).days > HANDED_ON_DAYS:
            found.append([])
        found[-1].append(place)
        until = max(until, last)
    return found


def taken_up(kind: str, first_days: Sequence[date], at_one_place: bool) -> TakenUp | None:
    """The class of a tenure whose holders took the identifier up on these days; None where not together, or one alone had it.

    >>> taken_up("phone", [date(2026, 3, 1), date(2026, 4, 20), date(2026, 3, 9)], at_one_place=False)
    TakenUp(kind='phone', holders=3, within_days=93, at_one_place=False)
    """
    window = bisect_left(WINDOWS, (max(first_days) - min(first_days)).days)
    size = bisect_right(SIZES, len(first_days))
    if not size or window == len(WINDOWS):
        return None
    return TakenUp(kind, SIZES[size - 1], WINDOWS[window], at_one_place)
