"""What rings mean for a decision: the related parties whose loans count towards one cap, and the reasons to be given.

A finding has the form of a reason of a decision — stable code, values as text — and its evidence. Nothing here refuses anybody:
the policy says what a code weighs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from .links import Holding, Hub
from .rings import Neighbourhood, Ring, Tie, ring_around

#: Every code a finding can have, in order of precedence.
CODES: Final = (
    "ring_written_off",
    "ring_overdue",
    "ring_applications",
    "ring_suspected",
    "ring_not_closed",
    "related_parties",
    "identifier_of_many",
)


@dataclass(frozen=True, slots=True)
class Declared:
    """Two merchants that the lender has on file as related parties, and why."""

    one: str
    other: str
    reason: str


@dataclass(frozen=True, slots=True)
class RelatedParty:
    """A merchant whose loans count with those of another, and the first step towards it: declared, or what they share.

    ``through`` is the party one step nearer, the merchant itself for a direct one. Exactly one of ``declared`` and ``tie`` is
    given.
    """

    merchant: str
    through: str
    declared: Declared | None = None
    tie: Tie | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a merchant stands with the lender on the day; ``applied_on`` is the day of its last application."""

    days_past_due: int = 0
    written_off: bool = False
    applied_on: date | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason that lies in whom a merchant belongs to: code, values as text, and the merchants and ties it rests on."""

    code: str
    values: tuple[tuple[str, str], ...]
    merchants: tuple[str, ...] = ()
    ties: tuple[Tie, ...] = ()
    hubs: tuple[Hub, ...] = ()


def related_parties(
    merchant: str,
    found: Neighbourhood,
    declared: Iterable[Declared] = (),
    *,
    others: Iterable[Neighbourhood] = (),
) -> tuple[RelatedParty, ...]:
    """Everybody whose loans count with the merchant's towards the cap on related parties, by their ids.

    Declared links and rings alike, and theirs in turn: *others* are the neighbourhoods of declared parties, whose rings count
    too. *Source:* SEMANTICS 2 (cap per merchant with related parties); that a ring counts like a declared group is a house rule.

    >>> nobody = Neighbourhood("m-1", date(2026, 1, 1), (), (), ())
    >>> files = [Declared("m-1", "m-2", "spouses"), Declared("m-2", "m-3", "one owner")]
    >>> [(party.merchant, party.through) for party in related_parties("m-1", nobody, files)]
    [('m-2', 'm-1'), ('m-3', 'm-2')]
    """
    steps = _steps((found, *others), declared)
    parties: dict[str, RelatedParty] = {}
    edge = [merchant]
    while edge:
        here = edge.pop(0)
        for step in steps.get(here, []):
            if step.merchant != merchant and step.merchant not in parties:
                parties[step.merchant] = step
                edge.append(step.merchant)
    return tuple(parties[each] for each in sorted(parties))


def group_exposure_minor(
    merchant: str, parties: Iterable[RelatedParty], exposure_minor: Mapping[str, int]
) -> int:
    """What is lent to a merchant and its related parties together, each counted once, in minor units.

    >>> group_exposure_minor("m-1", [RelatedParty("m-2", "m-1")], {"m-1": 300_00, "m-2": 200_00, "m-9": 100_00})
    50000
    """
    return sum(exposure_minor.get(each, 0) for each in {merchant, *(party.merchant for party in parties)})


def ring_flags(
    found: Neighbourhood,
    ring: Ring | None,
    standing: Mapping[str, Standing],
    parties: Collection[RelatedParty] = (),
    *,
    complete: bool = True,
    applications_within_days: int = 30,
) -> tuple[Finding, ...]:
    """What a decision on a merchant should mention, in the order of :data:`CODES`; nothing where there is nothing.

    *ring*: the merchant's, from its neighbourhood or the whole book; *standing*: of the merchant and the others of the ring.
    *complete*: whether *parties* are all there are.
    *applications_within_days*: members who applied within so many days of each other, the merchant's own application included.

    >>> hub = Hub("device", "c0ffee", 16)
    >>> [finding.code for finding in ring_flags(Neighbourhood("m-1", date(2026, 1, 1), (), (), (hub,)), None, {})]
    ['identifier_of_many']
    """
    others = [each for each in ring.members if each != found.merchant] if ring else []
    findings = [
        _written_off(found, others, standing),
        _overdue(found, others, standing),
        _applications(found, others, standing, applications_within_days),
        _suspected(found, ring, others),
        None if complete else Finding("ring_not_closed", _values(counted=len(parties))),
        _related(parties),
        _of_many(found.hubs),
    ]
    return tuple(finding for finding in findings if finding)


def ring_buyers(
    members: Collection[str], holdings: Iterable[Holding], buyers: Mapping[str, Collection[tuple[str, str]]]
) -> dict[str, tuple[str, ...]]:
    """The buyers that are the ring itself: they have an identifier of its members. For the flags of orders.

    *buyers*: the identifiers of each buyer as (kind, digest), under the same key as the merchants'. Comes back: for each such
    buyer, the members it shares one with.

    >>> ring_buyers(["m-1"], [Holding("m-1", "phone", "c0ffee", date(2026, 1, 1))], {"b-7": [("phone", "c0ffee")], "b-8": []})
    {'b-7': ('m-1',)}
    """
    owners: dict[tuple[str, str], set[str]] = defaultdict(set)
    for holding in holdings:
        if holding.merchant in members:
            owners[holding.kind, holding.identifier].add(holding.merchant)
    shared = {
        buyer: {who for key in keys for who in owners.get(key, ())} for buyer, keys in sorted(buyers.items())
    }
    return {buyer: tuple(sorted(who)) for buyer, who in shared.items() if who}


def _steps(around: Iterable[Neighbourhood], declared: Iterable[Declared]) -> dict[str, list[RelatedParty]]:
    """For every merchant, those it is one step from: what is on file first, then what binds most, then the rest of the ring."""
    steps: dict[str, list[RelatedParty]] = defaultdict(list)
    for link in sorted(declared, key=lambda each: (each.one, each.other, each.reason)):
        steps[link.one].append(RelatedParty(link.other, link.one, declared=link))
        steps[link.other].append(RelatedParty(link.one, link.other, declared=link))
    ties = {tie for found in around for tie in _ties_inside(found, ring_around(found))}
    for tie in sorted(ties, key=lambda each: (-each.strength, each.one, each.other)):
        steps[tie.one].append(RelatedParty(tie.other, tie.one, tie=tie))
        steps[tie.other].append(RelatedParty(tie.one, tie.other, tie=tie))
    return steps


def _ties_inside(found: Neighbourhood, ring: Ring | None) -> list[Tie]:
    members = frozenset(ring.members if ring else ())
    return [tie for tie in found.ties if tie.one in members and tie.other in members]


def _written_off(found: Neighbourhood, others: list[str], standing: Mapping[str, Standing]) -> Finding | None:
    lost = tuple(each for each in others if standing.get(each, Standing()).written_off)
    return _finding("ring_written_off", found, lost, count=len(lost)) if lost else None


def _overdue(found: Neighbourhood, others: list[str], standing: Mapping[str, Standing]) -> Finding | None:
    days = {each: standing[each].days_past_due for each in others if each in standing}
    late = tuple(each for each in others if days.get(each, 0) > 0)
    if not late:
        return None
    return _finding("ring_overdue", found, late, count=len(late), days=max(days[each] for each in late))


def _applications(
    found: Neighbourhood, others: list[str], standing: Mapping[str, Standing], within_days: int
) -> Finding | None:
    own = standing.get(found.merchant, Standing()).applied_on or found.as_of
    near = timedelta(days=within_days)
    applied = {each: standing.get(each, Standing()).applied_on for each in others}
    also = tuple(each for each, on in applied.items() if on is not None and abs(on - own) <= near)
    return _finding("ring_applications", found, also, count=len(also), days=within_days) if also else None


def _suspected(found: Neighbourhood, ring: Ring | None, others: list[str]) -> Finding | None:
    if ring is None or not others:
        return None
    ties = (*_ties_with(found, others), *ring.strongest)
    kinds = sorted({kind for tie in ties for kind in tie.kinds})
    return _finding("ring_suspected", found, tuple(others), count=len(others), kinds=", ".join(kinds))


def _related(parties: Collection[RelatedParty]) -> Finding | None:
    if not parties:
        return None
    names = tuple(sorted(party.merchant for party in parties))
    ties = tuple(party.tie for party in parties if party.tie)
    return Finding("related_parties", _values(count=len(names)), names, ties)


def _of_many(hubs: tuple[Hub, ...]) -> Finding | None:
    if not hubs:
        return None
    kinds = ", ".join(sorted({hub.kind for hub in hubs}))
    return Finding("identifier_of_many", _values(kinds=kinds), hubs=hubs)


def _finding(code: str, found: Neighbourhood, merchants: tuple[str, ...], **values: object) -> Finding:
    return Finding(code, _values(**values), merchants, _ties_with(found, merchants))


def _ties_with(found: Neighbourhood, others: Collection[str]) -> tuple[Tie, ...]:
    """The ties of the merchant and these others: its own first, then the strongest."""
    near = {found.merchant, *others}
    ties = [tie for tie in found.ties if tie.one in near and tie.other in near]
    return tuple(
        sorted(
            ties,
            key=lambda tie: (found.merchant not in (tie.one, tie.other), -tie.strength, tie.one, tie.other),
        )
    )


def _values(**values: object) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(values[name])) for name in sorted(values))
