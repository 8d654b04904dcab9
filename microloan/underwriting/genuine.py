"""Orders that are not genuine: self-dealing buyers, buyer rings, bursts and refund-after patterns.

Each detector looks at what was known on a day and flags lines; a flagged line is worth nothing, and the flags never
improve a haircut. Every flag carries its evidence: which detector, which buyer or day, how many orders, how much.

Source: SEMANTICS 8 (house rule): configurable detectors, each flag with its evidence; adding wash orders to a shop never
raises its limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import Final

import numpy as np

from .flow import Bools, Ints, KnownFlow
from .kernels import amount_sums, counts, first_of_runs, is_peak_day, quantiles
from .policy import Burst, BuyerRing, Detectors, Peak, RefundAfter, SelfDealing

#: What a flag can say; 0 is "nothing against the line", 1 stands for a flag that came with the file.
DETECTORS: Final = ("", "reported", "refund_after", "self_dealing", "buyer_ring", "burst")
_CODE: Final = {name: code for code, name in enumerate(DETECTORS)}
_YEAR: Final = 365
_FAR: Final = 10_000_000  # more days than any calendar has, so that pairs do not touch on one axis
_RING_SIZE: Final = 200  # accounts compared with each other at most


@dataclass(frozen=True, slots=True)
class Finding:
    """Evidence for one flag: the orders of a buyer, or of a day, that are not counted.

    ``amount_minor`` is their amount as placed; ``buyer_id`` or ``day`` is None where the finding is not about one.
    """

    detector: str
    shop: str
    buyer_id: str | None
    day: date | None
    orders: int
    amount_minor: int
    first_day: date
    last_day: date


@dataclass(frozen=True, slots=True, eq=False)
class BuyerGroups:
    """The lines of known buyers, brought together by shop and buyer; ``pair`` numbers the (shop, buyer) pairs."""

    index: Ints
    pair: Ints
    starts: Ints
    shop: Ints
    orders: Ints
    spoiled: Ints
    order_days: Ints
    orders_of_year: Ints
    amount_of_year: Ints

    @property
    def count(self) -> int:
        """How many (shop, buyer) pairs there are."""
        return len(self.starts)


def flag_lines(flow: KnownFlow, detectors: Detectors, peaks: tuple[Peak, ...] = ()) -> Ints:
    """One code per line of *flow*, indexing :data:`DETECTORS`; 0 for a line with nothing against it."""
    flagged = np.where(flow.lines.flag > 0, _CODE["reported"], 0).astype(np.int64)
    if not len(flow.lines):
        return flagged
    groups = buyer_groups(flow)
    for name, pairs in _flagged_pairs(flow, groups, detectors):
        chosen = groups.index[pairs[groups.pair]]
        flagged[chosen[flagged[chosen] == 0]] = _CODE[name]
    if detectors.burst.enabled and not flow.lines.daily_totals:
        burst = _burst_lines(flow, groups, flagged, detectors.burst, peaks)
        flagged[burst & (flagged == 0)] = _CODE["burst"]
    return flagged


def _flagged_pairs(flow: KnownFlow, groups: BuyerGroups, detectors: Detectors) -> Iterator[tuple[str, Bools]]:
    if not groups.count:
        return
    if detectors.refund_after.enabled:
        yield "refund_after", _refund_after(groups, detectors.refund_after)
    if detectors.self_dealing.enabled:
        yield "self_dealing", _self_dealing(flow, groups, detectors.self_dealing)
    if detectors.buyer_ring.enabled:
        yield "buyer_ring", _buyer_ring(flow, groups, detectors.buyer_ring)


def buyer_groups(flow: KnownFlow) -> BuyerGroups:
    """The known buyers of each shop with their orders so far, and over the year that ends with the flow."""
    lines = flow.lines
    index = lines.by_buyer
    index = index[lines.buyer[index] >= 0]
    shop, buyer, day = lines.shop[index], lines.buyer[index], lines.paid_day[index]
    new_pair = first_of_runs(shop, buyer)
    pair = np.cumsum(new_pair) - 1
    starts = np.flatnonzero(new_pair)
    count = len(starts)
    orders, recent = lines.starts_order[index], day > flow.known_on - _YEAR
    spoiled = orders * (flow.cancelled[index] | (2 * flow.refunded_minor[index] >= lines.amount_minor[index]))
    return BuyerGroups(
        index, pair, starts, shop[starts],
        orders=counts(pair, count, orders), spoiled=counts(pair, count, spoiled),
        order_days=counts(pair, count, first_of_runs(pair, day)),
        orders_of_year=counts(pair, count, orders * recent),
        amount_of_year=amount_sums(pair, count, flow.placed_minor[index] * recent),
    )  # fmt: skip


def _refund_after(groups: BuyerGroups, rule: RefundAfter) -> Bools:
    share = rule.share
    spoiled = groups.spoiled * share.denominator >= groups.orders * share.numerator
    return (groups.orders >= rule.orders) & spoiled


def _self_dealing(flow: KnownFlow, groups: BuyerGroups, rule: SelfDealing) -> Bools:
    buyers = counts(groups.shop, len(flow.lines.shops))[groups.shop]
    comparable = buyers >= rule.buyers_to_compare
    judged = _steadily(flow, groups, rule, comparable) | _large(flow, groups, rule)
    often = _often(flow, groups, rule, comparable)
    return often | (judged & (buyers >= rule.buyers_to_judge)) | _own_account(flow, groups)


def _often(flow: KnownFlow, groups: BuyerGroups, rule: SelfDealing, comparable: Bools) -> Bools:
    shops, most = len(flow.lines.shops), _most_in_30_days(flow, groups)
    upper = quantiles(groups.shop, most, shops, 75)[groups.shop]
    nearly_all = quantiles(groups.shop, most, shops, 98)[groups.shop]
    needed = np.maximum(rule.orders_in_30_days, rule.times_typical * upper)
    unusual = np.maximum(rule.least_in_30_days, rule.times_typical * nearly_all)
    return most >= np.where(comparable, np.minimum(needed, unusual), needed)


def _most_in_30_days(flow: KnownFlow, groups: BuyerGroups) -> Ints:
    """Per pair: the most orders within any 30 days."""
    ordering = flow.lines.starts_order[groups.index] > 0
    pair = groups.pair[ordering]
    moment = pair * _FAR + flow.lines.paid_day[groups.index][ordering]
    within = np.searchsorted(moment, moment + 30) - np.arange(len(moment))
    most = np.zeros(groups.count, dtype=np.int64)
    if len(pair):
        starts = np.flatnonzero(first_of_runs(pair))
        most[pair[starts]] = np.maximum.reduceat(within, starts)
    return most


def _steadily(flow: KnownFlow, groups: BuyerGroups, rule: SelfDealing, comparable: Bools) -> Bools:
    shops, orders = len(flow.lines.shops), groups.orders_of_year
    buying = orders > 0
    typical = quantiles(groups.shop[buying], orders[buying], shops, 75)[groups.shop]
    nearly_all = quantiles(groups.shop[buying], orders[buying], shops, 98)[groups.shop]
    recent = flow.lines.paid_day > flow.known_on - _YEAR
    sold = amount_sums(flow.lines.shop, shops, flow.placed_minor * recent)[groups.shop]
    share = rule.share_of_year
    heavy = groups.amount_of_year / np.maximum(sold, 1) >= share.numerator / share.denominator
    beyond = comparable & (orders >= rule.times_typical * nearly_all)
    often = heavy & (orders >= rule.times_typical * typical)
    return (orders >= rule.orders_in_a_year) & (beyond | often)


def _large(flow: KnownFlow, groups: BuyerGroups, rule: SelfDealing) -> Bools:
    mean = groups.amount_of_year // np.maximum(groups.orders_of_year, 1)
    buying = groups.orders_of_year > 0
    typical = quantiles(groups.shop[buying], mean[buying], len(flow.lines.shops), 75)[groups.shop]
    return (groups.orders_of_year >= rule.large_orders) & (
        mean >= rule.times_typical * np.maximum(typical, 1)
    )


def _own_account(flow: KnownFlow, groups: BuyerGroups) -> Bools:
    shops = {name: code for code, name in enumerate(flow.lines.shops)}
    own = [(shops[name], code) for code, name in enumerate(flow.lines.buyers) if name in shops]
    flagged = np.zeros(groups.count, dtype=np.bool_)
    if own:
        buyer = flow.lines.buyer[groups.index][groups.starts]
        for shop, code in own:
            flagged |= (groups.shop == shop) & (buyer == code)
    return flagged


def _buyer_ring(flow: KnownFlow, groups: BuyerGroups, rule: BuyerRing) -> Bools:
    """Rings among buyers who share their first two, last two, or first and last order days."""
    flagged = np.zeros(groups.count, dtype=np.bool_)
    candidates = np.flatnonzero(groups.order_days >= max(rule.days, 2))
    if len(candidates) < rule.members:
        return flagged
    new_day = first_of_runs(groups.pair, flow.lines.paid_day[groups.index])
    days = flow.lines.paid_day[groups.index][new_day]
    ends = np.cumsum(groups.order_days)
    first, last = (ends - groups.order_days)[candidates], ends[candidates] - 1
    for one, other in ((first, first + 1), (last - 1, last), (first, last)):
        for together in _same(groups.shop[candidates], days[one], days[other], rule.members):
            flagged[_ring_among(candidates[together], ends, groups.order_days, days, rule)] = True
    return flagged


def _same(shop: Ints, day: Ints, other_day: Ints, members: int) -> Iterator[Ints]:
    order = np.lexsort((other_day, day, shop))
    runs = np.flatnonzero(first_of_runs(shop[order], day[order], other_day[order]))
    lengths = np.diff(np.append(runs, len(order)))
    enough = lengths >= members
    for start, length in zip(runs[enough], lengths[enough], strict=True):
        yield order[start : start + length]


def _ring_among(pairs: Ints, ends: Ints, order_days: Ints, days: Ints, rule: BuyerRing) -> list[int]:
    shown = {int(p): frozenset(days[ends[p] - order_days[p] : ends[p]].tolist()) for p in pairs[:_RING_SIZE]}
    alike: dict[int, int] = dict.fromkeys(shown, 1)
    for one, other in combinations(shown, 2):
        common, either = len(shown[one] & shown[other]), len(shown[one] | shown[other])
        if common * rule.overlap.denominator >= either * rule.overlap.numerator:
            alike[one] += 1
            alike[other] += 1
    return [pair for pair, count in alike.items() if count >= rule.members]


def _burst_lines(
    flow: KnownFlow, groups: BuyerGroups, flagged: Ints, rule: Burst, peaks: tuple[Peak, ...]
) -> Bools:
    lines = flow.lines
    counted = lines.starts_order * ((flagged == 0) & ~flow.nil)
    new_day = first_of_runs(lines.shop, lines.paid_day)
    shop_day = np.cumsum(new_day) - 1
    orders = counts(shop_day, int(shop_day[-1]) + 1, counted)
    shop, day = lines.shop[new_day], lines.paid_day[new_day]
    selling = (orders > 0) & (day > flow.known_on - _YEAR)
    typical = np.maximum(quantiles(shop[selling], orders[selling], len(lines.shops)), 1)
    times = np.where(is_peak_day(day, peaks), rule.times_in_peak, rule.times_typical)
    burst = orders >= np.maximum(rule.orders, times * typical[shop])
    if not burst.any():
        return np.zeros(len(lines), dtype=np.bool_)
    flagged_lines: Bools = burst[shop_day] & _bought_once(lines.buyer, groups, len(lines))
    return flagged_lines


def _bought_once(buyer: Ints, groups: BuyerGroups, count: int) -> Bools:
    once = np.ones(count, dtype=np.bool_)
    once[groups.index] = (groups.order_days == 1)[groups.pair]
    return once | (buyer < 0)


def findings(flow: KnownFlow, flagged: Ints) -> tuple[Finding, ...]:
    """The evidence behind the flags, largest amount first: bursts and unknown buyers by day, the others by buyer."""
    rows = np.flatnonzero(flagged)
    by_key: dict[tuple[int, int, int, int], list[int]] = {}
    for row in rows.tolist():
        by_key.setdefault(_finding_key(flow, flagged, row), []).append(row)
    found = [_finding(flow, key, members) for key, members in by_key.items()]
    return tuple(
        sorted(found, key=lambda f: (-f.amount_minor, f.detector, f.shop, f.buyer_id or "", f.first_day))
    )


def _finding_key(flow: KnownFlow, flagged: Ints, row: int) -> tuple[int, int, int, int]:
    code, shop, buyer = int(flagged[row]), int(flow.lines.shop[row]), int(flow.lines.buyer[row])
    if code == _CODE["burst"] or buyer < 0:
        return code, shop, -1, int(flow.lines.paid_day[row])
    return code, shop, buyer, 0


def _finding(flow: KnownFlow, key: tuple[int, int, int, int], rows: list[int]) -> Finding:
    code, shop, buyer, day = key
    lines = flow.lines
    days = lines.paid_day[rows]
    return Finding(
        detector=DETECTORS[code], shop=lines.shops[shop], buyer_id=lines.buyers[buyer] if buyer >= 0 else None,
        day=date.fromordinal(day) if day else None, orders=int(lines.starts_order[rows].sum()),
        amount_minor=int(lines.amount_minor[rows].sum()), first_day=date.fromordinal(int(days.min())),
        last_day=date.fromordinal(int(days.max())),
    )  # fmt: skip
