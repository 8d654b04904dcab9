"""Rings seen from one merchant outwards: whom it reaches over how many hops, by which evidence, and the ring it is in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from ..errors import InvalidSetting
from .links import (
    DEFAULT_RULES,
    Holding,
    Hub,
    Link,
    LinkRules,
    freshest_first,
    in_order,
    joint_strength,
    links_among,
    witnessed,
)

#: How many ties a ring shows, the strongest first.
TIES_SHOWN: Final = 5
#: Hops beyond which a path says nothing any more.
MOST_HOPS: Final = 20
#: Rounds in which rings may grow.
MOST_ROUNDS: Final = 20


@dataclass(frozen=True, slots=True)
class Tie:
    """All that two merchants share, the smaller id first; links freshest first. ``strength``: from 0 to 1."""

    one: str
    other: str
    strength: float
    links: tuple[Link, ...]

    @property
    def last_day(self) -> date:
        """The last day on which they shared something."""
        return self.links[0].until

    @property
    def kinds(self) -> tuple[str, ...]:
        """What they share, each kind once.

        >>> day = date(2026, 3, 1)
        >>> Tie("m-1", "m-2", 0.5, (Link("m-1", "m-2", "phone", "c0ffee", day, day, 2, 0.5, 0.5),)).kinds
        ('phone',)
        """
        return tuple(sorted({link.kind for link in self.links}))

    def across(self, merchant: str) -> str:
        """The other end of the tie.

        >>> Tie("m-1", "m-2", 0.5, ()).across("m-2")
        'm-1'
        """
        return self.other if merchant == self.one else self.one


@dataclass(frozen=True, slots=True)
class Reached:
    """A merchant reached from another: the ties on the way, in order, and the last day of the oldest of them."""

    merchant: str
    path: tuple[Tie, ...]
    last_day: date

    @property
    def hops(self) -> int:
        """Ties on the way."""
        return len(self.path)

    @property
    def strength(self) -> float:
        """How strongly the two are tied over this path: the product of its ties.

        >>> ties = (Tie("m-1", "m-2", 0.5, ()), Tie("m-2", "m-3", 0.5, ()))
        >>> Reached("m-3", ties, date(2026, 3, 1)).strength
        0.25
        """
        product = 1.0
        for tie in self.path:
            product *= tie.strength
        return product


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What is found around a merchant: whom it reaches (fewest hops first, then freshest), by which ties, past which hubs.

    ``ring``: who is of its ring, itself included, as far as is known; empty where it is in none. ``beside``: who else has to be
    looked at before the ring is known: of rings near it, and who might be of one. ``complete`` is False where the search was
    stopped because there was too much to look at.
    """

    merchant: str
    as_of: date
    reached: tuple[Reached, ...]
    ties: tuple[Tie, ...]
    hubs: tuple[Hub, ...]
    complete: bool = True
    ring: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ring:
    """Merchants that belong together by what they share. Its id is that of its smallest member.

    ``evidence``: identifiers that two or more of its members share, hubs aside; ``ties``: pairs of members that share any of
    them; ``strongest``: the strongest of these ties. ``oversized``: larger than was asked for, and raising the thresholds would
    only have taken it to pieces.
    """

    id: str
    members: tuple[str, ...]
    evidence: int
    ties: int
    strongest: tuple[Tie, ...]
    oversized: bool = False


def ring_id(members: Iterable[str]) -> str:
    """The name of a ring: that of its smallest member, so that it seldom changes when somebody joins.

    >>> ring_id(["m-7", "m-3"])
    'ring:m-3'
    """
    return f"ring:{min(members)}"


def ties_of(links: Iterable[Link]) -> tuple[Tie, ...]:
    """The links between the same two merchants brought together, by their ids.

    >>> day = date(2026, 3, 1)
    >>> (tie,) = ties_of(Link("m-1", "m-2", kind, "c0ffee", day, day, 2, 0.5, 0.5) for kind in ("phone", "device"))
    >>> tie.one, tie.other, tie.kinds, tie.strength
    ('m-1', 'm-2', ('device', 'phone'), 0.75)
    """
    between: dict[tuple[str, str], list[Link]] = defaultdict(list)
    for link in links:
        between[link.one, link.other].append(link)
    return tuple(
        Tie(one, other, joint_strength(link.counted for link in shared), freshest_first(shared))
        for (one, other), shared in sorted(between.items())
    )


def around(
    merchant: str,
    holdings: Iterable[Holding],
    as_of: date,
    *,
    hops: int = 2,
    rules: LinkRules = DEFAULT_RULES,
    hubs: Iterable[Hub] = (),
    complete: bool = True,
) -> Neighbourhood:
    """Whom a merchant reaches over shared identifiers within so many hops, and how; its ring reaches as far as it is known.

    *holdings*: what is known of the merchant's surroundings, with every holder of an identifier that is no hub; *hubs*: those
    that were not even read; *complete*: whether everything within reach was read.

    >>> day = date(2026, 1, 1)
    >>> pairs = [("m-1", "phone"), ("m-2", "phone"), ("m-2", "device"), ("m-3", "device")]
    >>> found = around("m-1", [Holding(who, kind, "c0ffee", day) for who, kind in pairs], date(2026, 6, 1))
    >>> [(each.merchant, each.hops, round(each.strength, 2)) for each in found.reached]
    [('m-2', 1, 0.55), ('m-3', 2, 0.36)]
    """
    if not 1 <= hops <= MOST_HOPS:
        raise InvalidSetting(field="hops", value=hops, reason=f"from 1 to {MOST_HOPS}")
    evidence = links_among(holdings, as_of, rules)
    ties = ties_of(evidence.links)
    ring, beside = _rings_at(merchant, ties, rules)
    everybody = _walk(merchant, ties, max(hops, len(ring) - 1))
    reached = tuple(each for each in everybody if each.hops <= hops or each.merchant in ring)
    near = {merchant, *(each.merchant for each in reached)}
    within = tuple(tie for tie in ties if tie.one in near and tie.other in near)
    passed = in_order((*evidence.hubs, *hubs))
    return Neighbourhood(
        merchant, as_of, reached, within, passed, complete, tuple(sorted(ring)), tuple(sorted(beside))
    )


def _rings_at(merchant: str, ties: tuple[Tie, ...], rules: LinkRules) -> tuple[set[str], set[str]]:
    """Who is of the ring of a merchant; and who besides has to be looked at before that is known.

    These are of other rings, no more than two steps away, and whoever shares so much with the merchant or its ring that a ring
    of theirs, not seen yet, might be one with it.
    """
    group = groups(ties, rules)
    size = Counter(group.values())
    mine = group.get(merchant)
    near = _tied_to({mine}, ties, group)
    rings = {name for name in _tied_to(near, ties, group) if size[name] >= 2}
    ring = {each for each, name in group.items() if name == mine in rings}
    drawn = {
        end
        for tie in ties
        if mine in (group[tie.one], group[tie.other])
        and rules.binds(joint_strength(link.weight for link in tie.links), joining=True)
        for end in (tie.one, tie.other)
    }
    return ring, ({each for each, name in group.items() if name in rings} | drawn) - ring - {merchant}


def _tied_to(names: Collection[str | None], ties: tuple[Tie, ...], group: Mapping[str, str]) -> set[str]:
    """These groups, and those that share anything with them."""
    ends = ((group[tie.one], group[tie.other]) for tie in ties)
    return {name for pair in ends if pair[0] in names or pair[1] in names for name in pair}


def ring_around(found: Neighbourhood) -> Ring | None:
    """The ring a merchant is in, with its evidence. None where it is in none.

    >>> day = date(2026, 1, 1)
    >>> pairs = [(who, kind) for who in ("m-1", "m-2") for kind in ("phone", "device")]
    >>> found = around("m-1", [Holding(who, kind, "c0ffee", day) for who, kind in pairs], day)
    >>> ring_around(found).members, ring_around(found).evidence
    (('m-1', 'm-2'), 2)
    """
    members = frozenset(found.ring)
    inside = [tie for tie in found.ties if tie.one in members and tie.other in members]
    return ring_of(members, inside) if members else None


def ring_of(members: Iterable[str], ties: list[Tie], *, oversized: bool = False) -> Ring:
    """A ring from its members and all ties between them.

    >>> day = date(2026, 3, 1)
    >>> ties = ties_of(Link("m-1", "m-2", kind, "c0ffee", day, day, 2, 0.5, 0.5) for kind in ("phone", "device"))
    >>> ring = ring_of({"m-2", "m-1"}, list(ties))
    >>> ring.id, ring.members, ring.evidence, ring.ties
    ('ring:m-1', ('m-1', 'm-2'), 2, 1)
    """
    shared = {(link.kind, link.identifier) for tie in ties for link in tie.links}
    strongest = sorted(ties, key=lambda tie: (-tie.strength, tie.one, tie.other))[:TIES_SHOWN]
    named = tuple(sorted(members))
    return Ring(ring_id(named), named, len(shared), len(ties), tuple(strongest), oversized)


def groups(ties: tuple[Tie, ...], rules: LinkRules = DEFAULT_RULES) -> dict[str, str]:
    """The group of every tied merchant, named by its smallest member; a group of two and more is a ring.

    First those whose tie alone binds; then, round by round, whoever shares enough with all members of a ring together, and
    rings that share enough with each other.

    A phone and a device in common bind two merchants, a faint address does not bind a third:

    >>> day = date(2026, 3, 1)
    >>> shared = [("m-1", "m-2", "phone", 0.7), ("m-1", "m-2", "device", 0.7), ("m-2", "m-3", "address", 0.1)]
    >>> groups(ties_of(Link(one, other, kind, kind, day, day, 2, worth, worth) for one, other, kind, worth in shared))
    {'m-1': 'm-1', 'm-2': 'm-1', 'm-3': 'm-3'}
    """
    links = [link for tie in ties for link in tie.links]
    group = _joined({end: end for tie in ties for end in (tie.one, tie.other)},
                    ((tie.one, tie.other) for tie in ties if rules.binds(tie.strength)))  # fmt: skip
    for _ in range(MOST_ROUNDS):
        size = Counter(group.values())
        pulls = _pulls(links, group, size)
        joining = [
            pair
            for pair, pull in pulls.items()
            if rules.binds(pull, joining=min(size[end] for end in pair) == 1)
        ]
        if not joining:
            break
        group = _joined(group, joining)
    return group


def _pulls(
    links: list[Link], group: Mapping[str, str], size: Mapping[str, int]
) -> dict[tuple[str, str], float]:
    """How strongly each ring is tied to another group, over every identifier that both have."""
    held = _holders_by_group(links, group)
    best: dict[tuple[str, str], dict[tuple[str, str], Link]] = defaultdict(dict)
    for link in links:
        pair = _ordered(group[link.one], group[link.other])
        if pair[0] != pair[1] and max(size[pair[0]], size[pair[1]]) >= 2:
            shared, key = best[pair], (link.kind, link.identifier)
            shared[key] = max(shared.get(key, link), link, key=lambda each: each.weight)
    return {
        pair: joint_strength(_worth(each, pair, held) for each in shared.values())
        for pair, shared in best.items()
    }


def _worth(link: Link, pair: tuple[str, str], held: Mapping[tuple[str, str], Counter[str]]) -> float:
    """What the identifier of a link says of two groups that both have it."""
    have = held[link.kind, link.identifier]
    together = have[pair[0]] + have[pair[1]]
    return witnessed(link.weight, float(together), float(link.holders))


def _holders_by_group(links: list[Link], group: Mapping[str, str]) -> dict[tuple[str, str], Counter[str]]:
    """For every identifier, how many of its holders are in each group."""
    holders: dict[tuple[str, str], set[str]] = defaultdict(set)
    for link in links:
        holders[link.kind, link.identifier] |= {link.one, link.other}
    return {key: Counter(group[merchant] for merchant in have) for key, have in holders.items()}


def _joined(group: Mapping[str, str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The groups after joining these pairs of groups, each named by its smallest member."""
    name = {each: each for each in group.values()}

    def root(each: str) -> str:
        while name[each] != each:
            name[each] = each = name[name[each]]
        return each

    for one, other in pairs:
        first, second = _ordered(root(one), root(other))
        name[second] = first
    return {merchant: root(each) for merchant, each in group.items()}


def _ordered(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one <= other else (other, one)


def told(path: Iterable[Tie], start: str) -> str:
    """A path in words: merchant, what is shared, until when, next merchant.

    >>> day = date(2026, 1, 1)
    >>> told([Tie("m-1", "m-2", 0.6, (Link("m-1", "m-2", "phone", "c0ffee", day, day, 2, 0.6, 0.6),))], "m-2")
    'm-2 – phone 2026-01-01..2026-01-01 – m-1'
    """
    words = [start]
    for tie in path:
        words.append(" + ".join(f"{link.kind} {link.since}..{link.until}" for link in tie.links))
        words.append(tie.across(words[-2]))
    return " – ".join(words)


def _walk(start: str, ties: Iterable[Tie], hops: int) -> tuple[Reached, ...]:
    """Everybody within reach: by the fewest hops, then over the freshest path, then the strongest, then by id.

    A path is as fresh as the oldest of its ties.
    """
    touching = _touching(ties)
    seen, reached = {start}, list[Reached]()
    edge: list[Reached | None] = [None]
    for _ in range(hops):
        ways = [
            step for before in edge for step in _steps(start, before, touching) if step.merchant not in seen
        ]
        best: dict[str, Reached] = {}
        for way in sorted(ways, key=_freshest):
            best.setdefault(way.merchant, way)
        seen |= best.keys()
        reached.extend(best.values())
        edge = list(best.values())
    return tuple(reached)


def _steps(start: str, before: Reached | None, touching: Mapping[str, list[Tie]]) -> list[Reached]:
    """One hop further from the merchant reached so far, in every direction."""
    here, path = (before.merchant, before.path) if before else (start, ())
    return [
        Reached(
            tie.across(here), (*path, tie), min(tie.last_day, before.last_day) if before else tie.last_day
        )
        for tie in touching.get(here, [])
    ]


def _freshest(way: Reached) -> tuple[int, int, float, str, tuple[tuple[str, str], ...]]:
    began, steps = (
        min(tie.links[0].since for tie in way.path),
        tuple((tie.one, tie.other) for tie in way.path),
    )
    return -way.last_day.toordinal(), -began.toordinal(), -way.strength, way.merchant, steps


def _touching(ties: Iterable[Tie]) -> dict[str, list[Tie]]:
    """The ties at each merchant."""
    at: dict[str, list[Tie]] = defaultdict(list)
    for tie in ties:
        at[tie.one].append(tie)
        at[tie.other].append(tie)
    return at
