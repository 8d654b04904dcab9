"""Whom a merchant belongs to on a day: its related parties on file and the ring of those it shares identifiers with.

The rules are in :mod:`microloan.risk`; here the book's identifiers and related parties are brought to them, for one merchant or
for some hundreds at a time. Source: SEMANTICS 2 (cap per merchant with related parties).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from ..risk.findings import Declared, RelatedParty, related_parties
from ..risk.links import DEFAULT_RULES, LinkRules
from ..risk.rings import Neighbourhood, Ring, around, ring_around
from ..store import merchants as directory
from ..store import settings
from ..store.lending import Row
from ..store.rings import HOPS, MOST_MERCHANTS, Key, Register, surroundings_in
from ..store.unit import Unit
from .ring_lessons import rules_on

#: Related parties at which no more are looked for.
MOST_PARTIES = 200

#: The related parties on file of a merchant.
OnFile = Callable[[str], Sequence[Declared]]


@dataclass(frozen=True, slots=True)
class Circle:
    """A merchant with whom it belongs to: its neighbourhood, its ring, all related parties, what may be shown of identifiers.

    ``complete``: all of them are among the parties; False where there were more than are looked for.
    """

    merchant: str
    found: Neighbourhood
    ring: Ring | None
    parties: tuple[RelatedParty, ...]
    last_four: Mapping[Key, str]
    complete: bool = True

    @property
    def group(self) -> frozenset[str]:
        """The merchant and its related parties."""
        return frozenset({self.merchant, *(party.merchant for party in self.parties)})


class Circles:
    """The circles of merchants at the end of a day; what several of them need is read once."""

    def __init__(self, unit: Unit, as_of: date, on_file: OnFile, hops: int = HOPS) -> None:
        self._unit, self._register, self._on_file, self._hops = unit, Register(unit, as_of), on_file, hops
        self._found: dict[str, Neighbourhood] = {}
        self._on_day: LinkRules | None = None

    def read_ahead(self, merchants: Sequence[str]) -> None:
        """Read at once what the circles of these merchants will need."""
        self._register.read_ahead(merchants, max(self._hops, HOPS))

    def of(self, merchant: str) -> Circle:
        """The circle of a merchant."""
        found = self._around(merchant)
        parties, complete = self._parties(merchant, found)
        return Circle(merchant, found, ring_around(found), parties, self._register.last_four, complete)

    def _parties(self, merchant: str, found: Neighbourhood) -> tuple[tuple[RelatedParty, ...], bool]:
        """Everybody it is related to; the rings of parties on file count too, and who is on file with any of them.

        And whether that is all of them.
        """
        on_file: set[Declared] = set()
        others: dict[str, Neighbourhood] = {}
        parties: tuple[RelatedParty, ...] = ()
        asked, edge = set[str](), {merchant}
        while edge and len(asked) < MOST_PARTIES:
            on_file.update(link for each in sorted(edge) for link in self._on_file(each))
            asked |= edge
            others |= {each: self._around(each) for each in _ends(on_file) - others.keys() - {merchant}}
            parties = related_parties(merchant, found, on_file, others=others.values())
            edge = {party.merchant for party in parties} - asked
        return parties, not edge and all(each.complete for each in (found, *others.values()))

    def _around(self, merchant: str) -> Neighbourhood:
        if merchant not in self._found:
            self._found[merchant] = self._until_it_closes(merchant)
        return self._found[merchant]

    def _until_it_closes(self, merchant: str) -> Neighbourhood:
        """A merchant's neighbourhood, looked at from everybody of its ring, and of rings beside it that may be one with it.

        So its ring is that of the whole book. What goes on and on is followed no further than anything else: it is not complete.
        """
        found, looked = self._seen_from(merchant, (merchant,)), {merchant}
        while not looked.issuperset(rings := (*found.ring, *found.beside)):
            if len(rings) > MOST_MERCHANTS:
                return replace(found, complete=False)
            looked.update(rings)
            found = self._seen_from(merchant, sorted({merchant, *rings}))
        return found

    def _seen_from(self, merchant: str, rings: Sequence[str]) -> Neighbourhood:
        """What is found around a merchant by what is known around these of its ring and beside it."""
        read = surroundings_in(self._register, rings, max(self._hops, HOPS), MOST_MERCHANTS)
        # Most share nothing: nothing more is asked for them.
        rules = self._rules() if read.holdings else DEFAULT_RULES
        day = self._register.as_of
        return around(
            merchant, read.holdings, day, hops=self._hops, rules=rules, hubs=read.hubs, complete=read.complete
        )

    def _rules(self) -> LinkRules:
        """The rules on file on the day, asked for once."""
        if self._on_day is None:
            self._on_day = rules_on(self._unit, self._register.as_of)
        return self._on_day


def circle_of(unit: Unit, merchant: str, as_of: date, hops: int = HOPS) -> Circle:
    """The circle of one merchant. Raises InvalidSetting for too few or too many hops."""
    return Circles(unit, as_of, lambda party: _declared(directory.links(unit, party)), hops).of(merchant)


def circles_of(unit: Unit, merchants: Sequence[str], as_of: date) -> dict[str, Circle]:
    """The circles of many merchants, read together."""
    on_file: dict[str, list[Declared]] = {}
    for link in _declared(directory.all_links(unit)):
        on_file.setdefault(link.one, []).append(link)
        on_file.setdefault(link.other, []).append(link)
    circles = Circles(unit, as_of, lambda party: on_file.get(party, ()))
    circles.read_ahead(merchants)
    return {merchant: circles.of(merchant) for merchant in merchants}


def locked_group(unit: Unit, merchant: str, as_of: date) -> frozenset[str]:
    """A merchant with its related parties, whose loans nobody else counts until the transaction ends. Raises Retryable."""
    group = circle_of(unit, merchant, as_of).group
    if len(group) > 1:
        unit.lock_group(group)
        settings.refuse_old_snapshot(unit, group)
    return group


def exposures_of_groups(unit: Unit, circles: Mapping[str, Circle]) -> dict[str, int]:
    """What is lent to the related parties of each of these merchants, without the merchant itself, in minor units."""
    parties = {merchant: circle.group - {merchant} for merchant, circle in circles.items() if circle.parties}
    owed = settings.exposures(unit, sorted({each for group in parties.values() for each in group}))
    return {merchant: sum(owed.get(each, 0) for each in group) for merchant, group in parties.items()}


def _declared(rows: Iterable[Row]) -> list[Declared]:
    return [Declared(row.merchant, row.other, row.reason) for row in rows]


def _ends(links: Iterable[Declared]) -> set[str]:
    return {end for link in links for end in (link.one, link.other)}
