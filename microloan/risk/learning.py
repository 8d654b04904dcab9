"""What a book says itself about merchants that took an identifier up together: how much of it is neither chance nor custom.

Two merchants that share nothing but a phone, taken up in the same weeks: are they one? It depends on the book. Where such pairs
began over the years like everybody, two in the same weeks are rare by chance, and those there are were opened by one hand. Where
agents sign up a street in a week, or a book was imported on one day, it means nothing. So for each way of taking an identifier
up (:class:`~microloan.risk.tenures.TakenUp`) the tenures found are set against those expected without any ring:

- *chance*: how often so many would fall into one window, sign-ups being spread as they are in this book;
- *custom*: how often five and more do that share nothing else. A ring of five that shares a device almost always shares more,
  so these are the honest ones: an agent's campaign, a bookkeeper's clients. For a tenure at one place, also how often
  neighbours do that share no phone or device: a mall opens.

The two together, applied to the tenures of the same size that did *not* begin together, give the number expected; what was
found beyond it is telling. Tenures in which two share a document, or two movable kinds, or that are a pool of their own
(:func:`~microloan.risk.links.pool_is_one`), are left out: they are found anyhow.
The most telling ways are then let bind alone, as many as keep the honest merchants expected among all in rings within 0.5%.
Source: house rule. It is the test of record linkage (Fellegi and Sunter 1969, JASA 64, 1183), agreement against agreement by
chance, with the chance read from the book instead of assumed; and a bound on false discoveries, not on each test (Benjamini
and Hochberg 1995, JRSS B 57, 289). Needs numpy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np

from .booktenures import BookTenures, Bools, Floats, Ints
from .links import DEFAULT_RULES, LinkRules
from .tenures import SIZES, WINDOWS, TakenUp
from .wholebook import Holdings, pooled, ties_of_book

#: The most honest merchants expected among all in rings: half of one in a hundred, the other half is left to other evidence.
MOST_FALSE: Final = 0.005
#: Tenures by which the number expected is taken to be larger than estimated: few that were found show nothing.
DOUBT: Final = 0.25
#: How often honest merchants begin so, from which on it is no sign of anything: all that were found were expected.
USUAL: Final = 0.5
#: No share is certain.
_MOST: Final = 0.99


@dataclass(frozen=True, slots=True)
class Lesson:
    """One way of taking an identifier up: tenures found in the book and their holders, and tenures expected without any ring."""

    way: TakenUp
    found: int
    holders: int
    expected: float

    @property
    def telling(self) -> float:
        """The part that neither chance nor custom explains, from 0 to 1.

        >>> Lesson(TakenUp("phone", 2, 31, False), found=20, holders=40, expected=1.75).telling
        0.9
        """
        return min(_MOST, 1.0 - self._explained)

    @property
    def honest(self) -> float:
        """How many of the holders are expected to be honest.

        >>> round(Lesson(TakenUp("phone", 2, 31, False), found=20, holders=40, expected=1.75).honest, 6)
        4.0
        """
        return self.holders * self._explained

    @property
    def _explained(self) -> float:
        return min(1.0, (self.expected + DOUBT) / self.found)


@dataclass(frozen=True, slots=True)
class Lessons:
    """What a book says on a day: every way its merchants took, and how many merchants are known by other evidence."""

    as_of: date
    known: int
    lessons: tuple[Lesson, ...]

    def binding(self, rules: LinkRules = DEFAULT_RULES) -> tuple[Lesson, ...]:
        """The ways that make a ring of their holders alone, the most telling first."""
        chosen: list[Lesson] = []
        placed, honest = float(self.known), 0.0
        for each in sorted(self.lessons, key=lambda lesson: (-lesson.telling, lesson.way)):
            if rules.binds(each.telling) and honest + each.honest <= MOST_FALSE * (placed + each.holders):
                chosen.append(each)
                placed, honest = placed + each.holders, honest + each.honest
        return tuple(chosen)

    def taught(self, rules: LinkRules = DEFAULT_RULES) -> LinkRules:
        """The rules with what binds in this book."""
        return replace(rules, telling={each.way: each.telling for each in self.binding(rules)})


def lessons(holdings: Holdings, as_of: date, rules: LinkRules = DEFAULT_RULES) -> Lessons:
    """What the book says on a day.

    >>> from microloan.risk.generate import BookPlan, made_up_book
    >>> day = date(2026, 6, 30)
    >>> told = lessons(made_up_book(3, day, BookPlan(ring_size=(3, 5))).holdings, day)
    >>> told.binding()[0].way
    TakenUp(kind='phone', holders=2, within_days=31, at_one_place=False)
    """
    rows, ties, _ = ties_of_book(holdings, as_of, rules)
    spells = BookTenures.of(holdings, rows, as_of)
    at = spells.of_links(ties.links)
    shared = spells.sharing(ties, at, rules.documents) | spells.sharing(ties, at, rules.movable, least=2)
    shared[pooled(holdings, ties, rules)] = True
    known = spells.any_of(at, shared)
    together = _together(holdings.first_day[rows].astype(np.int64))
    attended = spells.any_of(at, spells.sharing(ties, at, rules.movable))
    book = _Unknown(spells, ~known, spells.at_one_place(ties, at, rules), attended, together, rules)
    found = [
        lesson
        for kind in sorted(rules.movable & set(holdings.kinds))
        for at_one_place in (False, True)
        for lesson in book.lessons(kind, at_one_place)
    ]
    members = np.unique(holdings.merchant[rows[known[spells.of_row[rows]]]])
    return Lessons(as_of, len(members), tuple(found))


def learned(holdings: Holdings, as_of: date, rules: LinkRules = DEFAULT_RULES) -> LinkRules:
    """The rules with what the book itself says on a day.

    >>> from microloan.risk.generate import BookPlan, made_up_book
    >>> day = date(2026, 6, 30)
    >>> way = TakenUp("phone", 2, 31, False)
    >>> learned(made_up_book(3, day, BookPlan(ring_size=(3, 5))).holdings, day).telling[way] > 0.9
    True
    """
    return lessons(holdings, as_of, rules).taught(rules)


def chance(together: float, holders: int) -> float:
    """How often so many begin within one window by chance, where two of them do this often.

    As if sign-ups were spread evenly over as long a time as brings two so close so often: the range of n even variates.

    >>> round(chance(0.19, 2), 4), round(chance(0.19, 3), 4)
    (0.19, 0.028)
    """
    window = 1.0 - (1.0 - together) ** 0.5
    return float(holders * window ** (holders - 1) - (holders - 1) * window**holders)


def _together(first_days: Ints) -> tuple[float, ...]:
    """How often two sign-ups of this book lie within each window."""
    if not len(first_days):
        return (1.0,) * len(WINDOWS)
    on = np.bincount(first_days - first_days.min()).astype(np.float64)
    until, day = np.append(0.0, np.cumsum(on)), np.arange(len(on))
    within = (
        until[np.minimum(day + days, len(on) - 1) + 1] - until[np.maximum(day - days, 0)] for days in WINDOWS
    )
    return tuple(float((on * near).sum() / on.sum() ** 2) for near in within)


class _Unknown:
    """The tenures of a book that nothing else explains, to be counted."""

    def __init__(
        self,
        spells: BookTenures,
        unknown: Bools,
        at_one_place: Bools,
        attended: Bools,
        together: tuple[float, ...],
        rules: LinkRules,
    ) -> None:
        self.size, self.size_class, self.window = spells.size, spells.size_class, spells.window
        self.unknown, self.at_one_place, self.together = unknown, at_one_place, together
        self.spells, self.rules = spells, rules
        self.places = (
            spells.of_kinds(frozenset(kind for kind, rule in rules.kinds.items() if rule.place))
            & unknown
            & ~attended
        )

    def lessons(self, kind: str, at_one_place: bool) -> list[Lesson]:
        """What the tenures of one kind show."""
        of_kind = self.spells.of_kinds(frozenset({kind})) & self.unknown
        custom = self._custom(of_kind & (self.size >= SIZES[-1]) & ~self.at_one_place)
        these = of_kind & (self.at_one_place == at_one_place)
        told = []
        for place, least in enumerate(SIZES):
            of_size = these & (self.size_class == place)
            found, holders = self._counted(of_size), self._counted(of_size, self.size[of_size])
            expected = self._expected(of_size, custom, at_one_place)
            told += [
                Lesson(
                    TakenUp(kind, least, days, at_one_place),
                    int(found[at]),
                    int(holders[at]),
                    float(expected[at]),
                )
                for at, days in enumerate(WINDOWS)
                if found[at]
            ]
        return told

    def _counted(self, tenures: Bools, weights: Ints | None = None) -> Floats:
        """How many of these began in each window, and apart; with weights: how much together."""
        counted: Floats = np.bincount(self.window[tenures], weights, len(WINDOWS) + 1).astype(np.float64)
        return counted

    def _expected(self, of_size: Bools, custom: Floats, at_one_place: bool) -> Floats:
        """How many of these tenures would have begun in each window, were there no ring."""
        expected = np.zeros(len(WINDOWS))
        for holders in np.unique(self.size[of_size]).tolist():
            found, wont = self._counted(of_size & (self.size == holders)), custom
            if at_one_place:
                wont = np.maximum(custom, self._custom(self.places & (self.size == holders)))
            by_chance = np.array([chance(each, holders) for each in self.together])
            usual = 1.0 - (1.0 - wont) * (1.0 - by_chance)
            honest = found[-1] / max(1.0 - usual[-1], 1.0 - _MOST)
            expected += np.where(usual < USUAL, np.diff(honest * usual, prepend=0.0), found[:-1])
        return expected

    def _custom(self, honest: Bools) -> Floats:
        """How often tenures that share nothing else begin within each window; a half where none is known."""
        within = np.cumsum(self._counted(honest))
        often: Floats = (within[: len(WINDOWS)] + 0.5) / (within[-1] + 1.0)
        return often
