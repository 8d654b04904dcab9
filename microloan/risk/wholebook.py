"""Rings over the whole book at once: holdings as arrays, ties that bind, connected components. Needs the extra ``risk``.

The same links, weights and threshold as :mod:`microloan.risk.rings` from one merchant outwards; a property test holds the two
equal. Merchants and identifiers are numbers here, days proleptic ordinals; only the rings that somebody looks at become values.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from types import ModuleType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import InvalidSetting
from .booktenures import BookTenures
from .links import (
    DEFAULT_RULES,
    TOLERANCE,
    Holding,
    Hub,
    Link,
    LinkRules,
    counted,
    freshest_first,
    in_order,
    joining_weight,
    link_weight,
    pool_is_one,
    pool_least,
    witnessed,
)
from .rings import MOST_ROUNDS, Ring, Tie, ring_of
from .tenures import SEASON

Ints = npt.NDArray[np.int64]
Days = npt.NDArray[np.int32]
Rows = npt.NDArray[np.int32]
Codes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: By how much the threshold is raised at a time to take a ring apart that is too large.
SPLIT_STEP: Final = 0.02
#: Links weighed at a time: what is worked on stays in the processor's cache.
_BATCH: Final = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class Holdings:
    """Who has which identifier: one row per merchant and identifier, days as ordinals, both ends counted.

    ``kind`` numbers ``kinds``; merchants are numbered from 0 to ``merchants`` − 1 in the order of their ids, identifiers
    of all kinds together from 0. ``merchant_id`` and ``identifier_of`` give the texts back.
    """

    kinds: tuple[str, ...]
    merchants: int
    merchant: Ints
    identifier: Ints
    kind: Codes
    first_day: Days
    last_day: Days
    merchant_id: Callable[[int], str] = str
    identifier_of: Callable[[int], str] = str

    def __post_init__(self) -> None:
        columns = (self.merchant, self.identifier, self.kind, self.first_day, self.last_day)
        rows = {len(column) for column in columns}
        _require("holdings", sorted(rows), len(rows) == 1, "as many rows in each column")
        _require("merchants", self.merchants, self.merchants < 1 << 31, "fewer than 2^31")

    def __len__(self) -> int:
        return len(self.merchant)

    @classmethod
    def of(cls, holdings: Iterable[Holding], as_of: date) -> Holdings:
        """Holdings one by one as arrays, as known on a day; what is said twice of one merchant and identifier is joined.

        >>> day = date(2026, 1, 1)
        >>> len(Holdings.of([Holding("m-1", "phone", "c0ffee", day)] * 2, day))
        1
        """
        spans: dict[tuple[str, str, str], tuple[int, int]] = {}
        for each in holdings:
            if each.first_day > as_of:  # would otherwise lengthen a span that had ended
                continue
            key = (each.merchant, each.kind, each.identifier)
            first, last = each.first_day.toordinal(), (each.last_day or date.max).toordinal()
            known = spans.get(key, (first, last))
            spans[key] = (min(known[0], first), max(known[1], last))
        who, what = sorted({key[0] for key in spans}), sorted({key[1:] for key in spans})
        kinds = tuple(sorted({kind for kind, _ in what}))
        place, number = {m: n for n, m in enumerate(who)}, {i: n for n, i in enumerate(what)}
        return cls(
            kinds, len(who),
            merchant=np.array([place[merchant] for merchant, _, _ in spans], dtype=np.int64),
            identifier=np.array([number[kind, digest] for _, kind, digest in spans], dtype=np.int64),
            kind=np.array([kinds.index(kind) for _, kind, _ in spans], dtype=np.uint8),
            first_day=np.array([first for first, _ in spans.values()], dtype=np.int32),
            last_day=np.array([last for _, last in spans.values()], dtype=np.int32),
            merchant_id=who.__getitem__, identifier_of=lambda n: what[n][1],
        )  # fmt: skip

    @classmethod
    def streamed(cls, rows: Iterable[Sequence[Any]]) -> Holdings:
        """Holdings from rows of merchant, kind, identifier, first day and last day, each merchant once for an identifier.

        The rows come one identifier after the other, and are not kept: numbers only are, and the ids of merchants. An identifier
        is called by its number.

        >>> day = date(2026, 1, 1)
        >>> held = Holdings.streamed([("m-2", "phone", "c0ffee", day, None), ("m-1", "phone", "c0ffee", day, day)])
        >>> held.merchant.tolist(), held.identifier.tolist(), held.merchant_id(0)
        ([1, 0], [0, 0], 'm-1')
        """
        merchants: dict[str, int] = {}
        kinds: dict[str, int] = {}
        who, what, kind_of = array("q"), array("q"), array("B")
        first_day, last_day = array("i"), array("i")
        before: tuple[str, str] | None = None
        number, open_end = -1, date.max.toordinal()
        for merchant, kind, identifier, first, last in rows:
            if (kind, identifier) != before:
                before, number = (kind, identifier), number + 1
            who.append(merchants.setdefault(merchant, len(merchants)))
            what.append(number)
            kind_of.append(kinds.setdefault(kind, len(kinds)))
            first_day.append(first.toordinal())
            last_day.append(open_end if last is None else last.toordinal())
        ids = sorted(merchants)
        place = np.empty(len(ids), dtype=np.int64)
        place[[merchants[each] for each in ids]] = np.arange(len(ids))
        return cls(
            tuple(kinds), len(ids), merchant=place[np.frombuffer(who, dtype=np.int64)],
            identifier=np.frombuffer(what, dtype=np.int64), kind=np.frombuffer(kind_of, dtype=np.uint8),
            first_day=np.frombuffer(first_day, dtype=np.int32), last_day=np.frombuffer(last_day, dtype=np.int32),
            merchant_id=ids.__getitem__,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """Links as arrays: two rows of the holdings that share an identifier, its holders, what it is worth (see ``links``)."""

    row_one: Rows
    row_other: Rows
    holders: Rows
    weight: Floats
    counted: Floats
    telling: Bools | None = None

    def __len__(self) -> int:
        return len(self.weight)

    def take(self, chosen: Ints | Bools) -> Links:
        """Some of the links."""
        return Links(
            self.row_one[chosen], self.row_other[chosen], self.holders[chosen], self.weight[chosen], self.counted[chosen],
            None if self.telling is None else self.telling[chosen],
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Ties:
    """Pairs of merchants with the strength of all they share; links ``starts[i]`` to ``starts[i + 1]`` are those of tie i."""

    one: Rows
    other: Rows
    strength: Floats
    starts: Ints
    links: Links

    def __len__(self) -> int:
        return len(self.strength)

    def take(self, chosen: Ints) -> Ties:
        """Some of the ties, with their links."""
        starts = np.append(0, np.cumsum(np.diff(self.starts)[chosen]))
        return Ties(
            self.one[chosen], self.other[chosen], self.strength[chosen], starts, self.links_of(chosen)
        )

    def links_of(self, chosen: Ints) -> Links:
        """The links of some of the ties, tie after tie."""
        counts = np.diff(self.starts)[chosen]
        ends = np.cumsum(counts)
        within = np.arange(int(counts.sum())) - np.repeat(ends - counts, counts)
        return self.links.take(np.repeat(self.starts[:-1][chosen], counts) + within)


@dataclass(frozen=True, slots=True, eq=False)
class BookRings:
    """Every ring of a book, by its smallest member; a ring becomes a value when it is asked for.

    ``members`` of ring i: ``members[starts[i]:starts[i + 1]]``; its ties likewise, by ``tie_starts``. ``hub_rows`` and
    ``hub_holders``: a row of each identifier left aside, and how many have it.
    """

    holdings: Holdings
    as_of: date
    members: Ints
    starts: Ints
    oversized: Bools
    ties: Ties
    tie_starts: Ints
    hub_rows: Ints
    hub_holders: Ints

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __iter__(self) -> Iterator[Ring]:
        return (self.ring(number) for number in range(len(self)))

    @property
    def placed(self) -> int:
        """Merchants in any ring."""
        return len(self.members)

    def sizes(self) -> Ints:
        """Members of each ring."""
        return np.diff(self.starts)

    def largest(self, most: int) -> tuple[Ring, ...]:
        """The rings with the most members, at equal size by their smallest member.

        >>> day = date(2026, 1, 1)
        >>> pairs = [(who, kind) for who in ("m-1", "m-2") for kind in ("phone", "device")]
        >>> found = book_rings(Holdings.of((Holding(who, kind, "c0ffee", day) for who, kind in pairs), day), day)
        >>> [ring.id for ring in found.largest(3)], found.sizes().tolist(), found.label().tolist()
        (['ring:m-1'], [2], [0, 0])
        """
        order = np.argsort(-self.sizes(), kind="stable")[:most]
        return tuple(self.ring(int(number)) for number in order)

    def ring(self, number: int) -> Ring:
        """One ring with its evidence."""
        return ring_of(self.member_ids(number), self.ties_of(number), oversized=bool(self.oversized[number]))

    def member_ids(self, number: int) -> tuple[str, ...]:
        """The members of one ring."""
        members = self.members[self.starts[number] : self.starts[number + 1]]
        return tuple(self.holdings.merchant_id(int(member)) for member in members)

    def ties_of(self, number: int) -> list[Tie]:
        """All ties inside one ring."""
        return [
            self._tie(tie) for tie in range(int(self.tie_starts[number]), int(self.tie_starts[number + 1]))
        ]

    def label(self) -> Ints:
        """The ring of every merchant by its number; −1 for a merchant in none."""
        labels = np.full(self.holdings.merchants, -1, dtype=np.int64)
        labels[self.members] = np.repeat(np.arange(len(self)), self.sizes())
        return labels

    def hubs(self, most: int) -> tuple[Hub, ...]:
        """The identifiers with too many holders to mean anything, those with the most first."""
        top = np.argsort(-self.hub_holders, kind="stable")[:most]
        return in_order(
            Hub(*_named(self.holdings, int(self.hub_rows[each])), int(self.hub_holders[each])) for each in top
        )

    def _tie(self, number: int) -> Tie:
        ties = self.ties
        one, other = (self.holdings.merchant_id(int(end[number])) for end in (ties.one, ties.other))
        span = range(int(ties.starts[number]), int(ties.starts[number + 1]))
        links = freshest_first(self._link(one, other, each) for each in span)
        return Tie(one, other, float(ties.strength[number]), links)

    def _link(self, one: str, other: str, number: int) -> Link:
        links, held = self.ties.links, self.holdings
        rows = np.array([links.row_one[number], links.row_other[number]])
        since = date.fromordinal(int(held.first_day[rows].max()))
        until = min(date.fromordinal(int(held.last_day[rows].min())), self.as_of)
        kind, identifier = _named(held, int(rows[0]))
        worth = float(links.weight[number]), float(links.counted[number])
        telling = links.telling is not None and bool(links.telling[number])
        return Link(one, other, kind, identifier, since, until, int(links.holders[number]), *worth, telling)


def book_rings(
    holdings: Holdings, as_of: date, rules: LinkRules = DEFAULT_RULES, *, most_members: int | None = None
) -> BookRings:
    """The rings of a book on a day: merchants whose ties bind, and who shares enough with all of a ring together.

    *most_members*: a larger ring is taken apart by raising the thresholds inside it, step by step; members who are only weakly
    tied fall out. Where most of them would, it stays whole and is marked oversized. Raises InvalidSetting without scipy.

    >>> day = date(2026, 1, 1)
    >>> pairs = [(who, kind) for who in ("m-1", "m-2") for kind in ("phone", "device")]
    >>> rings = book_rings(Holdings.of((Holding(who, kind, "c0ffee", day) for who, kind in pairs), day), day)
    >>> [ring.members for ring in rings]
    [('m-1', 'm-2')]
    """
    _require(
        "most_members", most_members, most_members is None or most_members >= 2, "at least two merchants"
    )
    _scipy_sparse()  # missing, it is told before any work is done
    rows, ties, hubs = ties_of_book(holdings, as_of, rules)
    if rules.telling:
        ties = _told_by_tenure(holdings, rows, ties, as_of, rules)
    book = _Book(holdings, rows, rules)
    label = book.grouped(ties, 0.0)
    oversized = np.zeros(0, dtype=np.int64)
    if most_members is not None:
        label, oversized = book.split(ties, label, most_members)
    return _rings(holdings, as_of, ties, label, oversized, hubs)


def ties_of_book(holdings: Holdings, as_of: date, rules: LinkRules) -> tuple[Ints, Ties, tuple[Ints, Ints]]:
    """The rows that link somebody, one identifier after the other; all ties; and the hubs, a row and the holders of each.

    >>> day = date(2026, 6, 30)
    >>> known = [Holding(merchant, "phone", "c0ffee", day) for merchant in ("m-1", "m-2", "m-3")]
    >>> rows, ties, (hub_rows, _) = ties_of_book(Holdings.of(known, day), day, DEFAULT_RULES)
    >>> len(rows), len(ties), len(hub_rows)
    (3, 3, 0)
    """
    rows, holders, hubs = _shared_rows(holdings, as_of, rules)
    ties = _ties(holdings, _weighed(holdings, _pairs(rows, holders), as_of, rules))
    return rows, _uncrowded(ties, pooled(holdings, ties, rules)), hubs


def components(nodes: int, one: Ints | Rows, other: Ints | Rows) -> Ints:
    """The connected component of every node, each named by its smallest node; a node without an edge by itself.

    >>> components(4, np.array([3]), np.array([1])).tolist()
    [0, 1, 2, 1]
    """
    label = np.arange(nodes, dtype=np.int64)
    if not len(one):
        return label
    touched = np.zeros(nodes, dtype=np.bool_)
    touched[one] = touched[other] = True
    at = np.flatnonzero(touched)
    place = np.cumsum(touched, dtype=np.int32) - np.int32(1)
    found = _connected(len(at), place[one], place[other])
    smallest = np.full(int(found.max()) + 1, nodes, dtype=np.int64)
    np.minimum.at(smallest, found, at)
    label[at] = smallest[found]
    return label


def _connected(nodes: int, one: npt.NDArray[np.int32], other: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    sparse = _scipy_sparse()
    graph = sparse.csr_matrix((np.ones(len(one), dtype=np.int8), (one, other)), shape=(nodes, nodes))
    labels: npt.NDArray[np.int32] = sparse.csgraph.connected_components(graph, directed=False)[1]
    return labels


def _scipy_sparse() -> Any:
    """scipy's sparse matrices and graphs: an extra, because nothing else needs it."""
    try:
        import scipy.sparse.csgraph
    except ImportError:
        reason = 'rings of a whole book need scipy; install it with: pip install "microloan[risk]"'
        raise InvalidSetting(code="extra_missing", field="extra", value="risk", reason=reason) from None
    module: ModuleType = scipy.sparse
    return module


# --- from holdings to links ------------------------------------------------------------------------------------------


def _shared_rows(holdings: Holdings, as_of: date, rules: LinkRules) -> tuple[Ints, Ints, tuple[Ints, Ints]]:
    """Rows whose identifier links somebody, one identifier after the other, with its holders; then the hubs likewise."""
    most = np.array([_hub_holders(rules, kind) for kind in holdings.kinds] or [0], dtype=np.int64)
    known = np.flatnonzero((holdings.first_day <= as_of.toordinal()) & (most > 0)[holdings.kind])
    identifier = holdings.identifier if len(known) == len(holdings) else holdings.identifier[known]
    holders = np.bincount(identifier)[identifier] if len(known) else np.zeros(0, dtype=np.int64)
    within = np.flatnonzero(holders >= 2)
    rows, holders = known[within], holders[within]
    is_hub = holders > most[holdings.kind[rows]]
    hub_rows, first = rows[is_hub], np.unique(holdings.identifier[rows[is_hub]], return_index=True)[1]
    rows, left = rows[~is_hub], holders[~is_hub]
    order = np.argsort(holdings.identifier[rows])
    return rows[order], left[order], (hub_rows[first], holders[is_hub][first])


def _hub_holders(rules: LinkRules, kind: str) -> int:
    rule = rules.kinds.get(kind)
    return rule.hub_holders if rule else 0


def _pairs(rows: Ints, holders: Ints) -> Iterator[tuple[Ints, Ints, int]]:
    """Every two rows that share an identifier, in batches of one number of holders."""
    for count in np.unique(holders).tolist():
        starts = np.flatnonzero(holders == count)[::count]
        left, right = np.triu_indices(count, 1)
        step = max(1, _BATCH // len(left))
        for begin in range(0, len(starts), step):
            base = starts[begin : begin + step, None]
            yield rows[base + left].ravel(), rows[base + right].ravel(), count


def _weighed(
    holdings: Holdings, pairs: Iterable[tuple[Ints, Ints, int]], as_of: date, rules: LinkRules
) -> Links:
    """The links between these rows, the smaller merchant of each pair first."""
    batches = [_weighed_batch(holdings, *pair, as_of, rules) for pair in pairs]
    if not batches:
        none, nothing = np.zeros(0, dtype=np.int32), np.zeros(0)
        return Links(none, none, none, nothing, nothing)
    return Links(
        np.concatenate([batch.row_one for batch in batches]),
        np.concatenate([batch.row_other for batch in batches]),
        np.concatenate([batch.holders for batch in batches]),
        np.concatenate([batch.weight for batch in batches]),
        np.concatenate([batch.counted for batch in batches]),
    )


def _weighed_batch(
    holdings: Holdings, left: Ints, right: Ints, count: int, as_of: date, rules: LinkRules
) -> Links:
    first, second = holdings.merchant[left], holdings.merchant[right]
    _check_once(holdings, first[first == second])
    swapped = first > second
    one, other = np.where(swapped, right, left), np.where(swapped, left, right)
    today, kind = as_of.toordinal(), holdings.kind[one]
    until = np.minimum(np.minimum(holdings.last_day[one], holdings.last_day[other]), today)
    since = np.maximum(holdings.first_day[one], holdings.first_day[other])
    age, gap = (today - until).astype(np.float64), np.maximum(since - until, 0).astype(np.float64)
    apart = np.abs(holdings.first_day[one] - holdings.first_day[other]).astype(np.float64)
    weight, worth, holders = np.zeros(len(one)), np.zeros(len(one)), np.full(len(one), count, dtype=np.int32)
    for code, name in enumerate(holdings.kinds):
        chosen = np.flatnonzero(kind == code)
        if len(chosen):
            rule = rules.kinds[name]
            alone = link_weight(rule, rules.gap_half_life_days, age[chosen], gap[chosen])
            worth[chosen] = counted(alone, holders[chosen].astype(np.float64), rule.crowding)
            weight[chosen] = joining_weight(rule, alone, apart[chosen])
    return Links(one.astype(np.int32), other.astype(np.int32), holders, weight, worth)


def _check_once(holdings: Holdings, twice: Ints) -> None:
    if len(twice):
        raise InvalidSetting(
            field="holdings", value=holdings.merchant_id(int(twice[0])), reason="one row per merchant and identifier"
        )  # fmt: skip


def _ties(holdings: Holdings, links: Links) -> Ties:
    """The links brought together by the pair of merchants they are between."""
    one, other = holdings.merchant[links.row_one], holdings.merchant[links.row_other]
    pair = one * holdings.merchants + other
    order = np.argsort(pair)
    links, starts = links.take(order), _first_of_runs(pair[order])
    first = order[starts]
    return Ties(
        one[first].astype(np.int32), other[first].astype(np.int32), _joint(links.counted, starts),
        np.append(starts, len(order)), links,
    )  # fmt: skip


def pooled(holdings: Holdings, ties: Ties, rules: LinkRules) -> Ints:
    """The links within pools that agree in two kinds and were begun as one, see :func:`~microloan.risk.links.pool_is_one`.

    >>> day = date(2026, 6, 30)
    >>> pairs = [(f"m-{who}", kind) for who in range(4) for kind in ("device", "address")]
    >>> held = Holdings.of((Holding(who, kind, "c0ffee", day) for who, kind in pairs), day)
    >>> len(pooled(held, ties_of_book(held, day, DEFAULT_RULES)[1], DEFAULT_RULES))
    12
    """
    links = ties.links
    one, other = _agreeing(holdings, ties, rules)
    if not len(one):
        return one
    low, high = (holdings.identifier[links.row_one[each]] for each in (one, other))
    low, high = np.minimum(low, high), np.maximum(low, high)
    _, some, pool = np.unique(np.column_stack([low, high]), axis=0, return_index=True, return_inverse=True)
    pool = pool.ravel()
    near = np.maximum(_apart(holdings, links, one), _apart(holdings, links, other)) <= SEASON
    # All who have both identifiers share both, each with each: of n pairs there are about sqrt(2n) and one merchants.
    merchants = np.ceil(np.sqrt(2.0 * np.bincount(pool))).astype(np.int64)
    one_kind, other_kind = (holdings.kind[links.row_one[each[some]]] for each in (one, other))
    least = _pool_least(holdings, rules)[one_kind, other_kind]
    holders = np.maximum(links.holders[one[some]], links.holders[other[some]])
    is_one = pool_is_one(np.bincount(pool, near).astype(np.int64), merchants, holders, least)
    chosen = near & is_one[pool]
    return np.unique(np.concatenate([one[chosen], other[chosen]]))


def _uncrowded(ties: Ties, chosen: Ints) -> Ties:
    """The ties, these of their links with all that they say to a ring."""
    worth = ties.links.counted.copy()
    worth[chosen] = np.maximum(worth[chosen], ties.links.weight[chosen])
    return replace(ties, strength=_joint(worth, ties.starts[:-1]), links=replace(ties.links, counted=worth))


def _pool_least(holdings: Holdings, rules: LinkRules) -> Ints:
    """For every two kinds by their numbers, how many merchants that agree in both are a pool of their own."""
    kinds = [kind if kind in rules.kinds else None for kind in holdings.kinds]
    least = [[pool_least(rules, one, other) if one and other else 0 for other in kinds] for one in kinds]
    return np.array(least, dtype=np.int64)


def _agreeing(holdings: Holdings, ties: Ties, rules: LinkRules) -> tuple[Ints, Ints]:
    """Every two links of one tie, of two kinds that documents do not show."""
    soft = rules.kinds.keys() - rules.documents
    soft_kind = np.array([kind in soft for kind in holdings.kinds] or [False])
    kind = holdings.kind[ties.links.row_one]
    many = np.flatnonzero(np.diff(ties.starts) >= 2)
    counts = np.diff(ties.starts)[many]
    at = np.repeat(ties.starts[:-1][many] - (np.cumsum(counts) - counts), counts) + np.arange(
        int(counts.sum())
    )
    tie = np.repeat(many, counts)
    chosen = soft_kind[kind[at]]
    at, tie = at[chosen], tie[chosen]
    ones, others = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for step in range(1, int(np.bincount(tie).max(initial=0)) if len(tie) else 0):
        both = np.flatnonzero((tie[:-step] == tie[step:]) & (kind[at[:-step]] != kind[at[step:]]))
        ones.append(at[both])
        others.append(at[both + step])
    return np.concatenate(ones), np.concatenate(others)


def _apart(holdings: Holdings, links: Links, chosen: Ints) -> Ints:
    """Days between the two ends of each link taking it up."""
    first = holdings.first_day
    days: Ints = np.abs(first[links.row_one[chosen]].astype(np.int64) - first[links.row_other[chosen]])
    return days


def _told_by_tenure(holdings: Holdings, rows: Ints, ties: Ties, as_of: date, rules: LinkRules) -> Ties:
    """The ties with what the book has shown of identifiers that were taken up together."""
    links, spells = ties.links, BookTenures.of(holdings, rows, as_of)
    at = spells.of_links(links)
    share = spells.shares(rules, spells.at_one_place(ties, at, rules))
    told = np.flatnonzero(at >= 0)
    told = told[share[at[told]] > 0]
    weight, worth = links.weight.copy(), links.counted.copy()
    one, other = links.row_one[told], links.row_other[told]
    seen = np.minimum(np.minimum(holdings.last_day[one], holdings.last_day[other]), as_of.toordinal())
    age, kind, shown = (as_of.toordinal() - seen).astype(np.float64), holdings.kind[one], np.zeros(len(told))
    for code, value in {*zip(kind.tolist(), share[at[told]].tolist(), strict=True)}:
        chosen = (kind == code) & (share[at[told]] == value)
        rule = replace(rules.kinds[holdings.kinds[code]], weight=value)
        shown[chosen] = link_weight(rule, rules.gap_half_life_days, age[chosen], np.zeros(int(chosen.sum())))
    weight[told], worth[told] = np.maximum(weight[told], shown), np.maximum(worth[told], shown)
    telling = np.zeros(len(links), dtype=np.bool_)
    telling[told] = True
    told_links = replace(links, weight=weight, counted=worth, telling=telling)
    return replace(ties, strength=_joint(worth, ties.starts[:-1]), links=told_links)


def _joint(worth: Floats, starts: Ints) -> Floats:
    """Runs of links as one strength each, as :func:`~microloan.risk.links.joint_strength` has it."""
    if not len(starts):
        return np.zeros(0)
    strength: Floats = 1.0 - np.multiply.reduceat(1.0 - worth, starts)
    return strength


def _first_of_runs(*keys: Ints) -> Ints:
    """Where a run of equal values begins, in keys that are sorted together."""
    begins = np.zeros(len(keys[0]), dtype=np.bool_)
    begins[:1] = True
    for key in keys:
        begins[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(begins)


# --- from ties to rings ----------------------------------------------------------------------------------------------


class _Book:
    """The merchants put into groups. Arrays only: groups are named by their smallest member."""

    def __init__(self, holdings: Holdings, rows: Ints, rules: LinkRules) -> None:
        self.holdings, self.rules, self.rows = holdings, rules, rows

    def grouped(self, ties: Ties, raised: float) -> Ints:
        """The group of every merchant: those whose tie binds, then whoever shares enough with all of a ring together.

        *raised*: by how much both thresholds are above those of the rules.
        """
        binding = np.flatnonzero(ties.strength >= self.rules.ring_at + raised - TOLERANCE)
        label = components(self.holdings.merchants, ties.one[binding], ties.other[binding])
        changed = np.bincount(label, minlength=1) >= 2
        for _ in range(MOST_ROUNDS):
            one, other = self._joining(ties, label, changed, raised)
            if not len(one):
                break
            joined = components(len(label), one, other)
            label, changed = joined[label], np.zeros(len(label), dtype=np.bool_)
            changed[joined[one]] = True
        return label

    def split(self, ties: Ties, label: Ints, most_members: int) -> tuple[Ints, Ints]:
        """Groups with ever higher thresholds inside those that are too large; and the names of what stays too large."""
        oversized: list[Ints] = []
        raised, large = 0.0, _larger(label, most_members)
        while len(large):
            raised += SPLIT_STEP
            inside = np.flatnonzero(np.isin(label[ties.one], large) & (label[ties.one] == label[ties.other]))
            ties = ties.take(inside)
            finer = self.grouped(ties, raised)
            whole = large[_loses_most(label, finer)[large]]
            oversized.append(whole)
            label = np.where(np.isin(label, np.setdiff1d(large, whole)), finer, label)
            large = np.setdiff1d(_larger(label, most_members), np.concatenate(oversized))
        return label, np.concatenate(oversized) if oversized else large

    def _joining(self, ties: Ties, label: Ints, changed: Bools, raised: float) -> tuple[Ints, Ints]:
        """Pairs of groups, one of them a ring that has just changed, that share enough to be one."""
        links = ties.links_of(_beside(ties, label, changed))
        low, high = (label[self.holdings.merchant[rows]] for rows in (links.row_one, links.row_other))
        low, high = np.minimum(low, high), np.maximum(low, high)
        pair, worth = self._witnessed(links, label, low, high)
        order = np.argsort(pair)
        starts = _first_of_runs(pair[order])
        pair = pair[order[starts]]
        low, high, size = pair // len(label), pair % len(label), np.bincount(label)
        needed = np.where(np.minimum(size[low], size[high]) == 1, self.rules.join_at, self.rules.ring_at)
        enough = _joint(worth[order], starts) >= needed + raised - TOLERANCE
        return low[enough], high[enough]

    def _witnessed(self, links: Links, label: Ints, low: Ints, high: Ints) -> tuple[Ints, Floats]:
        """For every identifier between two groups: the pair of groups as one number, and what the identifier says of them."""
        pair = low * np.int64(len(label)) + high
        # Where only two have an identifier, one is in each group: nothing to count, and most are such.
        alone = np.flatnonzero(links.holders == 2)
        shared = np.flatnonzero(links.holders > 2)
        identifier = self.holdings.identifier[links.row_one[shared]]
        order = np.lexsort((identifier, pair[shared]))
        shared, identifier = shared[order], identifier[order]
        starts = _first_of_runs(pair[shared], identifier)
        if not len(starts):
            return pair[alone], links.weight[alone]
        weight = np.maximum.reduceat(links.weight[shared], starts)
        first = shared[starts]
        together = self._holders(label, identifier[starts], low[first], high[first])
        worth = witnessed(weight, together, links.holders[first].astype(np.float64))
        return np.concatenate([pair[alone], pair[first]]), np.concatenate([links.weight[alone], worth])

    def _holders(self, label: Ints, identifier: Ints, low: Ints, high: Ints) -> Floats:
        """How many holders of an identifier two groups have together."""
        held = self.holdings
        wanted = np.zeros(int(identifier.max()) + 1, dtype=np.bool_)
        wanted[identifier] = True
        of_rows = held.identifier[self.rows]
        near = np.flatnonzero(of_rows < len(wanted))
        rows = self.rows[near[wanted[of_rows[near]]]]
        keys, counts = np.unique(
            held.identifier[rows] * np.int64(len(label)) + label[held.merchant[rows]], return_counts=True
        )
        base = identifier * np.int64(len(label))
        together: Ints = (
            counts[np.searchsorted(keys, base + low)] + counts[np.searchsorted(keys, base + high)]
        )
        return together.astype(np.float64)


def _beside(ties: Ties, label: Ints, changed: Bools) -> Ints:
    """The ties between a group that has changed and another; between two that have not, nothing is new."""
    fresh = changed[label]
    near = np.flatnonzero(fresh[ties.one] | fresh[ties.other])
    beside: Ints = near[label[ties.one[near]] != label[ties.other[near]]]
    return beside


def _larger(label: Ints, most_members: int) -> Ints:
    """The groups with more members than that."""
    return np.flatnonzero(np.bincount(label) > most_members)


def _loses_most(label: Ints, finer: Ints) -> Bools:
    """For every group, whether most of its members would be alone in the finer groups."""
    alone = np.bincount(finer)[finer] == 1
    lost = np.bincount(label, weights=alone, minlength=len(label))
    most: Bools = 2 * lost > np.bincount(label, minlength=len(label))
    return most


def _rings(
    holdings: Holdings, as_of: date, ties: Ties, label: Ints, oversized: Ints, hubs: tuple[Ints, Ints]
) -> BookRings:
    """Groups of two and more merchants, by their smallest member, with their ties."""
    members = np.flatnonzero(np.bincount(label)[label] >= 2) if len(label) else label
    members = members[np.argsort(label[members], kind="stable")]
    starts = _first_of_runs(label[members])
    names = label[members[starts]]
    within = np.flatnonzero(label[ties.one] == label[ties.other])
    ties = ties.take(within[np.argsort(label[ties.one[within]], kind="stable")])
    tie_starts = np.searchsorted(label[ties.one], names)
    return BookRings(
        holdings, as_of, members, np.append(starts, len(members)), np.isin(names, oversized),
        ties, np.append(tie_starts, len(ties)), *hubs,
    )  # fmt: skip


def _named(holdings: Holdings, row: int) -> tuple[str, str]:
    """Kind and text of the identifier in a row."""
    kind = holdings.kinds[int(holdings.kind[row])]
    return kind, holdings.identifier_of(int(holdings.identifier[row]))


def _require(name: str, value: object, holds: bool, reason: str) -> None:
    if not holds:
        raise InvalidSetting(field=name, value=value, reason=reason)
