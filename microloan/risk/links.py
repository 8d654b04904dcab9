"""A link: two merchants that have had the same phone, device, account, address, owner or licence.

Identifiers arrive as opaque digests; what one looks like is never known here, nor shown. A link is worth the more, the harder
its kind is to share by chance, the fresher it is, and the fewer merchants share it. An identifier of a whole mall, or of an
agent who opens accounts for others, is a *hub*: it says nothing about its holders, makes no links, and is kept as evidence.
What a book has shown of identifiers that merchants took up together (:mod:`microloan.risk.learning`) comes on top.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..errors import InvalidSetting
from .tenures import SEASON, WINDOWS, TakenUp, taken_up, tenures

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

#: One number, or one for each of many links: the arithmetic of a weight is written once.
Measure = TypeVar("Measure", "float", "NDArray[float64]")

#: Merchants that are a pool of their own, see :func:`pool_is_one`; and those one household may run, which shares more by custom.
POOL: Final = 4
HOUSEHOLD: Final = 4
#: Two routes to one strength may differ in the last digits; a threshold is met this much below it.
TOLERANCE: Final = 1e-9


def _require(name: str, value: object, holds: bool, reason: str) -> None:
    if not holds:
        raise InvalidSetting(field=name, value=value, reason=reason)


@dataclass(frozen=True, slots=True)
class KindRule:
    """What sharing an identifier of one kind is worth.

    ``weight``: of a fresh link between its only two holders, between 0 and 1: read it as the chance that the two act as one.
    ``half_life_days``: days after which a link that nobody confirmed is worth half. ``hub_holders``: shared by more merchants
    than this, it is a hub. ``crowding``: how much other holders take from a tie of two, see :func:`counted`; 0 is nothing.
    ``together`` and ``apart``: how many times as much it says to a ring there is, where a newcomer took it up in the same month
    as the member it shares it with, or more than half a year from it. ``place``: neighbours share it, whenever they began.
    """

    weight: float
    half_life_days: int
    hub_holders: int
    crowding: float
    together: float = 1.0
    apart: float = 1.0
    place: bool = False

    def __post_init__(self) -> None:
        _require("weight", self.weight, 0 < self.weight < 1, "between 0 and 1, neither of them")
        _require("half_life_days", self.half_life_days, self.half_life_days >= 1, "at least one day")
        _require("hub_holders", self.hub_holders, self.hub_holders >= 2, "at least two merchants")
        _require("crowding", self.crowding, 0 <= self.crowding <= 2, "from 0 to 2")
        _require("together", self.together, 1 <= self.together <= 10, "from 1 to 10")
        _require("apart", self.apart, 0 <= self.apart <= 1, "from 0 to 1")


#: Source: house rule. An owner, a licence and an account are shown by documents, so that one is enough; a phone, a device or an
#: address passes on and is shared honestly, so that two kinds must agree — but a phone and an address alone are what a household
#: shares, and do not reach ``ring_at``. Crowding 1, a division by (holders − 1), is how co-authors of one paper are weighed
#: (Newman 2001, Phys. Rev. E 64, 016132); less finds more on made-up books, and the hubs are gone already. A ring's merchants
#: are opened in one season, customers of one agent and neighbours over years: hence ``together`` and ``apart``.
DEFAULT_KINDS: Final[Mapping[str, KindRule]] = MappingProxyType(
    {
        "owner": KindRule(weight=0.95, half_life_days=3650, hub_holders=200, crowding=0.0),
        "licence": KindRule(weight=0.95, half_life_days=3650, hub_holders=200, crowding=0.0),
        "account": KindRule(weight=0.90, half_life_days=1095, hub_holders=20, crowding=0.0),
        "device": KindRule(0.65, half_life_days=1095, hub_holders=15, crowding=0.1, together=1.5, apart=0.3),
        "phone": KindRule(0.55, half_life_days=1095, hub_holders=15, crowding=0.1, together=1.5, apart=0.3),
        "address": KindRule(
            0.25, half_life_days=1095, hub_holders=15, crowding=0.5, together=2.0, apart=0.3, place=True
        ),
    }
)


@dataclass(frozen=True, slots=True)
class LinkRules:
    """How shared identifiers are weighed; an identifier of a kind without a rule links nobody.

    ``gap_half_life_days``: where one merchant had stopped using it before the other began — a number given to a new customer,
    a machine sold on — each so many days in between halve the weight. ``ring_at``: the strength from which two merchants, or
    two rings, count as one ring. Above the weight of
    every kind that shall not bind alone. ``join_at``: that from which one more merchant counts to a ring that exists already.
    ``telling``: for ways in which merchants took an identifier up together, the part of them that chance and custom do not
    explain in the lender's own book, from 0 to 1: such a link is worth that. Empty until a book was read.
    """

    kinds: Mapping[str, KindRule] = field(default_factory=lambda: DEFAULT_KINDS)
    gap_half_life_days: int = 30
    ring_at: float = 0.67
    join_at: float = 0.45
    telling: Mapping[TakenUp, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require("kinds", sorted(self.kinds), bool(self.kinds), "at least one kind of identifier")
        _require(
            "gap_half_life_days", self.gap_half_life_days, self.gap_half_life_days >= 1, "at least one day"
        )
        _require("ring_at", self.ring_at, 0 < self.ring_at <= 1, "above 0, at most 1")
        _require("join_at", self.join_at, 0 < self.join_at <= 1, "above 0, at most 1")
        shares = list(self.telling.values())
        _require("telling", shares, all(0 < each < 1 for each in shares), "between 0 and 1, neither of them")

    @property
    def most_holders(self) -> int:
        """The most merchants that may share an identifier of any kind without its being a hub.

        >>> LinkRules().most_holders
        200
        """
        return max(rule.hub_holders for rule in self.kinds.values())

    @property
    def documents(self) -> frozenset[str]:
        """The kinds that bind two merchants alone: what documents show.

        >>> sorted(LinkRules().documents)
        ['account', 'licence', 'owner']
        """
        return frozenset(kind for kind, rule in self.kinds.items() if self.binds(rule.weight))

    @property
    def movable(self) -> frozenset[str]:
        """The kinds that pass from hand to hand, neither documents nor places: how they were taken up can tell.

        >>> sorted(LinkRules().movable)
        ['device', 'phone']
        """
        return frozenset(kind for kind, rule in self.kinds.items() if not rule.place) - self.documents

    def binds(self, strength: float, *, joining: bool = False) -> bool:
        """Whether two merchants this strongly tied count as one ring; *joining*: whether one counts to a ring there is.

        >>> LinkRules().binds(0.67), LinkRules().binds(0.6), LinkRules().binds(0.6, joining=True)
        (True, False, True)
        """
        return strength >= (self.join_at if joining else self.ring_at) - TOLERANCE


DEFAULT_RULES: Final = LinkRules()


@dataclass(frozen=True, slots=True, order=True)
class Holding:
    """A merchant has an identifier, from the first to the last day on which it was seen with it.

    ``last_day`` None: nobody has said that it ended, so it is taken to hold still.
    """

    merchant: str
    kind: str
    identifier: str = field(repr=False)
    first_day: date
    last_day: date | None = None


@dataclass(frozen=True, slots=True)
class Hub:
    """An identifier shared by too many merchants to mean anything; ``holders`` is how many were counted, at least."""

    kind: str
    identifier: str = field(repr=False)
    holders: int


@dataclass(frozen=True, slots=True)
class Link:
    """One identifier that two merchants share, the smaller id first.

    ``since``: the later of their first days with it; ``until``: the earlier of their last. ``since`` after ``until`` is a
    change of hands, not a sharing. ``holders``: merchants that have it. ``weight``: what it says to a ring of somebody beside
    it, from 0 to 1, see :func:`joining_weight`; ``counted``: between its two ends alone, see :func:`counted`. ``telling``: they
    took it up together in a way that is no chance in this book.
    """

    one: str
    other: str
    kind: str
    identifier: str = field(repr=False)
    since: date
    until: date
    holders: int
    weight: float
    counted: float
    telling: bool = False

    @property
    def changed_hands(self) -> bool:
        """Whether one merchant had stopped using it before the other began.

        >>> Link("m-1", "m-2", "phone", "c0ffee", date(2026, 6, 1), date(2026, 3, 1), 2, 0.5, 0.5).changed_hands
        True
        """
        return self.since > self.until


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the holdings say on a day: the links, freshest first, and the hubs that were left aside."""

    as_of: date
    links: tuple[Link, ...]
    hubs: tuple[Hub, ...]


def link_weight(rule: KindRule, gap_half_life: int, age: Measure, gap: Measure) -> Measure:
    """What a link is worth however many share it, from 0 to the weight of its kind.

    *age*: days since both were last seen with it; *gap*: days between the one's last and the other's first, 0 where they
    overlap. *Source:* house rule.

    >>> phone = KindRule(weight=0.6, half_life_days=365, hub_holders=15, crowding=0.5)
    >>> link_weight(phone, 30, 365.0, 0.0)
    0.3
    """
    halvings: Measure = age / rule.half_life_days + gap / gap_half_life
    faded: Measure = rule.weight * 0.5**halvings
    return faded


def joining_weight(rule: KindRule, weight: Measure, apart: Measure) -> Measure:
    """What a link of this weight says of a ring and a newcomer: more where both took it up in one month, less half a year apart.

    *apart*: days between the two taking it up. Twice as much is what two such links would say. *Source:* house rule.

    >>> phone = KindRule(weight=0.5, half_life_days=365, hub_holders=15, crowding=0.5, together=2.0, apart=0.0)
    >>> [joining_weight(phone, 0.5, days) for days in (20.0, 100.0, 400.0)]
    [0.75, 0.5, 0.0]
    """
    together, long_apart = apart <= WINDOWS[0], apart > WINDOWS[-1]
    times = 1.0 + (rule.together - 1.0) * together + (rule.apart - 1.0) * long_apart
    doubt: Measure = (1.0 - weight) ** times
    return 1.0 - doubt


def counted(weight: Measure, holders: Measure, crowding: Measure) -> Measure:
    """What an identifier says of two of its holders: the less, the more others have it too. *Source:* house rule.

    >>> counted(0.6, 5.0, 0.5)
    0.3
    """
    worth: Measure = weight / (holders - 1.0) ** crowding
    return worth


def pool_is_one(together: Any, merchants: Any, holders: Any, least: Any) -> Any:
    """Whether *merchants* who agree in two kinds were begun as one: so many of their pairs took both up *together*.

    *least* of them, each with each, at least, and most pairs of a larger pool; and they are three in four of the *holders* of
    either identifier. What crowds an identifier is strangers, and who shares the next with its other holders is none: crowding
    takes nothing from their ties. An agent's customers in one block, or a landlord's, share both too, but over the years, or as
    some of many. Numbers, or arrays of them. *Source:* house rule.

    >>> pool_is_one(6, 4, 4, 4), pool_is_one(6, 5, 6, 4)
    (True, True)
    >>> pool_is_one(3, 3, 3, 4), pool_is_one(6, 6, 6, 4), pool_is_one(15, 6, 9, 4)
    (False, False, False)
    """
    enough, most = 2 * together >= least * (least - 1), 4 * together > merchants * (merchants - 1)
    return enough & most & (4 * merchants >= 3 * holders)


def pool_least(rules: LinkRules, one: str, other: str) -> int:
    """How many merchants that agree in these two kinds are more than chance and custom: a household is four at most.

    >>> pool_least(DEFAULT_RULES, "address", "device"), pool_least(DEFAULT_RULES, "address", "phone")
    (4, 5)
    """
    bound = rules.binds(joint_strength(rules.kinds[kind].weight for kind in (one, other)))
    return POOL if bound else HOUSEHOLD + 1


def witnessed(weight: Measure, together: Measure, holders: Measure) -> Measure:
    """What an identifier says of a ring and somebody beside it, who *together* are so many of its *holders*.

    Every holder in the ring is a witness of its own, believed by the part they are of all other holders: an identifier that only
    the ring has says much, one that the ring shares with many others hardly anything. *Source:* house rule.

    >>> witnessed(0.5, 3.0, 3.0), round(witnessed(0.5, 2.0, 11.0), 3)
    (0.75, 0.067)
    """
    witnesses: Measure = together - 1.0
    belief: Measure = witnesses * witnesses / (holders - 1.0)
    doubt: Measure = (1.0 - weight) ** belief
    return 1.0 - doubt


def joint_strength(weights: Iterable[float]) -> float:
    """How strongly several links tie two merchants: the chance that at least one of them is no coincidence.

    >>> joint_strength([0.6, 0.5])
    0.8
    """
    doubt = 1.0
    for weight in weights:
        doubt *= 1.0 - weight
    return 1.0 - doubt


def links_among(holdings: Iterable[Holding], as_of: date, rules: LinkRules = DEFAULT_RULES) -> Evidence:
    """Every link between the holders of the same identifiers, freshest first, and the hubs.

    What began after *as_of* is not known yet. All holders of an identifier must be among the holdings: their number counts.

    >>> day = date(2026, 1, 1)
    >>> shared = [Holding("m-1", "phone", "c0ffee", day), Holding("m-2", "phone", "c0ffee", day)]
    >>> [(link.one, link.other, link.kind, link.counted) for link in links_among(shared, day).links]
    [('m-1', 'm-2', 'phone', 0.55)]
    """
    shared: list[list[Holding]] = []
    hubs: list[Hub] = []
    for (kind, identifier), holders in _by_identifier(holdings, as_of, rules).items():
        if len(holders) > rules.kinds[kind].hub_holders:
            hubs.append(Hub(kind, identifier, len(holders)))
        else:
            shared.append(holders)
    told = _told_by_tenure(shared, as_of, rules) if rules.telling else {}
    links = [link for holders in shared for link in _links_of(holders, as_of, rules, told)]
    links = _uncrowded(links, _agreeing(links, shared, rules))
    return Evidence(as_of, freshest_first(links), in_order(hubs))


def freshest_first(links: Iterable[Link]) -> tuple[Link, ...]:
    """Links by their last day, the latest first, then by their first; then the strongest; no two orders are possible.

    What two still share they share until today: of two such links the one that began later is the fresher. What changed hands
    was never shared, and comes after what was shared until the same day.

    >>> spring, summer = date(2026, 3, 1), date(2026, 6, 1)
    >>> told = [Link("m-1", "m-2", kind, "c0ffee", spring, until, 2, 0.5, 0.5)
    ...         for kind, until in (("phone", spring), ("device", summer))]
    >>> [link.kind for link in freshest_first(told)]
    ['device', 'phone']
    """
    return tuple(
        sorted(
            links,
            key=lambda link: (
                -link.until.toordinal(), link.changed_hands, -link.since.toordinal(), -link.weight,
                link.one, link.other, link.kind, link.identifier,
            ),
        )
    )  # fmt: skip


def in_order(hubs: Iterable[Hub]) -> tuple[Hub, ...]:
    """Hubs once each, those with the most holders first.

    >>> [hub.holders for hub in in_order([Hub("device", "a", 40), Hub("phone", "b", 90), Hub("device", "a", 40)])]
    [90, 40]
    """
    return tuple(sorted(set(hubs), key=lambda hub: (-hub.holders, hub.kind, hub.identifier)))


def _by_identifier(
    holdings: Iterable[Holding], as_of: date, rules: LinkRules
) -> dict[tuple[str, str], list[Holding]]:
    """The holders of each identifier known on a day, each once, with the days it was theirs as then known."""
    spans: dict[tuple[str, str], dict[str, Holding]] = {}
    for holding in holdings:
        if holding.kind not in rules.kinds or holding.first_day > as_of:
            continue
        _check_span(holding)
        holders = spans.setdefault((holding.kind, holding.identifier), {})
        holders[holding.merchant] = _joined(holders.get(holding.merchant), holding, as_of)
    return {
        key: [holders[merchant] for merchant in sorted(holders)] for key, holders in sorted(spans.items())
    }


def _joined(known: Holding | None, told: Holding, as_of: date) -> Holding:
    """One span from what was known and what is told, ended by *as_of* at the latest."""
    first, last = told.first_day, min(told.last_day or as_of, as_of)
    if known is not None and known.last_day is not None:
        first, last = min(first, known.first_day), max(last, known.last_day)
    return Holding(told.merchant, told.kind, told.identifier, first, last)


def _links_of(
    holders: list[Holding], as_of: date, rules: LinkRules, told: Mapping[tuple[str, str, str, str], float]
) -> Iterator[Link]:
    for one, other in combinations(holders, 2):
        since = max(one.first_day, other.first_day)
        until = min(one.last_day or as_of, other.last_day or as_of)
        age, gap = (as_of - until).days, max(0, (since - until).days)
        rule, count = rules.kinds[one.kind], len(holders)
        weight = link_weight(rule, rules.gap_half_life_days, float(age), float(gap))
        worth = counted(weight, float(count), rule.crowding)
        weight = joining_weight(rule, weight, float(abs((one.first_day - other.first_day).days)))
        share = told.get((one.kind, one.identifier, one.merchant, other.merchant), 0.0)
        if share:
            shown = link_weight(replace(rule, weight=share), rules.gap_half_life_days, float(age), 0.0)
            weight, worth = max(weight, shown), max(worth, shown)
        yield Link(
            one.merchant, other.merchant, one.kind, one.identifier, since, until, count, weight, worth, share > 0
        )  # fmt: skip


def _agreeing(
    links: list[Link], shared: list[list[Holding]], rules: LinkRules
) -> set[tuple[str, str, str, str]]:
    """The links, as kind, identifier and ends, of those who agree in another kind too, in a pool that is one."""
    soft = [link for link in links if link.kind not in rules.documents]
    first = {
        (held.merchant, held.kind, held.identifier): held.first_day for holders in shared for held in holders
    }
    between: dict[tuple[str, str], list[Link]] = defaultdict(list)
    for link in soft:
        between[link.one, link.other].append(link)
    pools: dict[tuple[tuple[str, str], ...], list[tuple[Link, ...]]] = defaultdict(list)
    for tie in between.values():
        for two in combinations(sorted(tie, key=_key), 2):
            if two[0].kind != two[1].kind:
                pools[_key(two[0]), _key(two[1])].append(two)
    found: set[tuple[str, str, str, str]] = set()
    for pool in pools.values():
        together = [two for two in pool if all(_apart(link, first) <= SEASON for link in two)]
        one, other = pool[0]
        merchants = len({end for two in pool for end in (two[0].one, two[0].other)})
        holders = max(one.holders, other.holders)
        if pool_is_one(len(together), merchants, holders, pool_least(rules, one.kind, other.kind)):
            found |= {(*_key(link), link.one, link.other) for two in together for link in two}
    return found


def _uncrowded(links: list[Link], agreeing: set[tuple[str, str, str, str]]) -> list[Link]:
    """The links, those of a pool that is one with all they say to a ring."""
    return [
        replace(link, counted=max(link.counted, link.weight))
        if (*_key(link), link.one, link.other) in agreeing
        else link
        for link in links
    ]


def _key(link: Link) -> tuple[str, str]:
    return link.kind, link.identifier


def _apart(link: Link, first: Mapping[tuple[str, str, str], date]) -> int:
    """Days between the two taking it up."""
    return abs((first[link.one, *_key(link)] - first[link.other, *_key(link)]).days)


def _told_by_tenure(
    shared: list[list[Holding]], as_of: date, rules: LinkRules
) -> dict[tuple[str, str, str, str], float]:
    """For every two holders of an identifier that took it up in a way that tells in this book: how much of it is no chance."""
    spells = [spell for holders in shared for spell in _tenures_of(holders, as_of)]
    neighbours = {
        pair
        for spell in spells
        if rules.kinds[spell[0].kind].place
        for pair in combinations(_names(spell), 2)
    }
    told: dict[tuple[str, str, str, str], float] = {}
    for spell in spells:
        kind, identifier, pairs = spell[0].kind, spell[0].identifier, list(combinations(_names(spell), 2))
        if kind in rules.movable:
            way = taken_up(
                kind, [each.first_day for each in spell], any(pair in neighbours for pair in pairs)
            )
            share = rules.telling.get(way, 0.0) if way else 0.0
            told |= {(kind, identifier, *pair): share for pair in pairs if share}
    return told


def _tenures_of(holders: list[Holding], as_of: date) -> list[list[Holding]]:
    """The holders of an identifier, tenure by tenure."""
    days = [(each.first_day, each.last_day or as_of) for each in holders]
    return [[holders[place] for place in spell] for spell in tenures(days)]


def _names(spell: list[Holding]) -> list[str]:
    return sorted(each.merchant for each in spell)


def _check_span(holding: Holding) -> None:
    if holding.last_day is not None and holding.last_day < holding.first_day:
        raise InvalidSetting(
            field="last_day", value=holding.last_day.isoformat(), reason=f"is before the first day, {holding.first_day}"
        )  # fmt: skip
