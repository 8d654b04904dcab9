"""What the lender's own book has shown of identifiers taken up together, on file from the day it was read.

A look at a day uses the lessons on file on it, from one merchant outwards and over the whole book alike; without any, the shipped
weights stand alone. The rule: :mod:`microloan.risk.learning`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Any, Final

from ..risk.links import DEFAULT_KINDS, DEFAULT_RULES, LinkRules
from ..risk.tenures import TakenUp
from ..store import settings
from ..store.chain import canonical_json
from ..store.rings import every_holding
from ..store.unit import Unit
from .requests import Operation, Payload

if TYPE_CHECKING:
    from ..risk.learning import Lessons

#: The dated setting the lessons are kept in.
SETTING: Final = "ring_lessons"
_EXACT: Final = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class RingWay:
    """One way of taking an identifier up together: how often it was found, and how often it was to be expected without rings.

    ``holders``: 2, 3 for three or four, 5 for five and more merchants that had it at one time; ``within_days``: all took it up
    within so many; ``at_one_place``: two of them have an address in common besides; ``telling``: the part of those found that
    neither chance nor custom explains, from 0 to 1; ``binds``: such an identifier makes a ring of its holders alone.
    """

    kind: str
    holders: int
    within_days: int
    at_one_place: bool
    found: int
    expected: Decimal
    telling: Decimal
    binds: bool


@dataclass(frozen=True, slots=True)
class RingLessons:
    """What the book shows of itself at the end of a day. ``known``: merchants with rings by other evidence.

    ``on_file``: it counts from that day on; False for a look at what a past day would have taught.
    """

    as_of: date
    known: int
    ways: tuple[RingWay, ...]
    on_file: bool = False
    replayed: bool = False


def rules_on(unit: Unit, day: date) -> LinkRules:
    """The rules of rings on a day: as shipped, with the lessons then on file."""
    text = settings.setting_on(unit, SETTING, day)
    if text is None:
        return DEFAULT_RULES
    return LinkRules(
        telling={_way(each): float(each["telling"]) for each in json.loads(text)["ways"] if each["binds"]}
    )


def _way(given: Mapping[str, Any]) -> TakenUp:
    return TakenUp(given["kind"], given["holders"], given["within_days"], given["at_one_place"])


def shown_by(unit: Unit, day: date) -> RingLessons:
    """What the identifiers known at the end of a day teach; nothing is put on file."""
    from ..risk.learning import lessons  # numpy: few commands need it
    from ..risk.wholebook import Holdings

    return _told(lessons(Holdings.streamed(every_holding(unit, day, sorted(DEFAULT_KINDS))), day))


def _learn(unit: Unit, given: Payload) -> RingLessons:
    day = unit.book_day()
    told = replace(shown_by(unit, day), on_file=True)
    names = ("kind", "holders", "within_days", "at_one_place", "binds")
    ways = [{**{name: getattr(way, name) for name in names}, "found": way.found, "expected": str(way.expected),
             "telling": str(way.telling)} for way in told.ways]  # fmt: skip
    value = canonical_json({"known": told.known, "ways": ways})
    if settings.setting_on(unit, SETTING, day) != value:
        settings.put_setting(unit, SETTING, day, value)
    return told


def _told(learned: Lessons) -> RingLessons:
    """The lessons as they are kept: rounded down, so that nothing binds that did not."""
    binding = {lesson.way for lesson in learned.binding()}
    ways = (
        RingWay(
            way.kind, way.holders, way.within_days, way.at_one_place, lesson.found, _exact(lesson.expected),
            _exact(lesson.telling), way in binding,
        )
        for lesson in learned.lessons
        for way in (lesson.way,)
    )  # fmt: skip
    return RingLessons(learned.as_of, learned.known, tuple(ways))


def _exact(figure: float) -> Decimal:
    return Decimal(figure).quantize(_EXACT, rounding=ROUND_DOWN)


LEARN: Final = Operation("risk.learn", _learn, "risk")
