"""Orders that are not genuine: self-dealing buyers, buyer rings, bursts, refund-after patterns, late settlement.

Each detector looks at what was known on a day and flags lines; a flagged line is worth nothing, and the flags never
improve a haircut. Every flag carries its evidence: which detector, which buyer or day, how many orders, how much.

Source: SEMANTICS 8 (house rule): configurable detectors, each flag with its evidence; adding wash orders to a shop never
raises its limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import combinations
from typing import Final

import numpy as np

from .flow import Bools, Ints, KnownFlow
from .kernels import (
    amount_sums,
    beyond_gradations,
    counts,
    first_of_runs,
    is_peak_day,
    quantiles,
    sums_of_runs,
)
from .policy import Burst, BuyerRing, Detectors, LateSettlement, Peak, RefundAfter, SelfDealing

#: What a flag can say; 0 is "nothing against the line", 1 stands for a flag that came with the file.
DETECTORS: Final = ("", "reported", "refund_after", "self_dealing", "buyer_ring", "burst", "late_settlement")
_CODE: Final = {name: code for code, name in enumerate(DETECTORS)}
_YEAR: Final = 365
_LATELY: Final = 45  # days of sales in which a stalled settlement shows
_FAR: Final = 10_000_000  # more days than any calendar has, so that pairs do not touch on one axis
_SPAN: Final = 1 << 20  # days and shops that fit side by side into one whole number
_TWICE: Final = np.array(2)  # orders: the first gradation above those of a passer-by
_STEPS: Final = 8  # orders ahead looked at one by one, before a search
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
    """The lines of known buyers, brought together by shop and buyer; ``pair`` numbers the (shop, buyer) pairs.

    ``index``, ``pair``, ``day`` and ``starts_order`` have one entry per such line, the others one per pair.
    """

    index: Ints
    pair: Ints
    day: Ints
    starts_order: Ints
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


def flag_lines(
    flow: KnownFlow, detectors: Detectors, peaks: tuple[Peak, ...] = (), groups: BuyerGroups | None = None
) -> Ints:
    """One code per line of *flow*, indexing :data:`DETECTORS`; 0 for a line with nothing against it."""
    flagged = np.where(flow.lines.flag > 0, _CODE["reported"], 0).astype(np.int64)
    if not len(flow.lines):
        return flagged
    groups = groups or buyer_groups(flow)
    for name, pairs in _flagged_pairs(flow, groups, detectors):
        if pairs.any():
            chosen = groups.index[pairs[groups.pair]]
            flagged[chosen[flagged[chosen] == 0]] = _CODE[name]
    if detectors.burst.enabled:
        burst = _burst_lines(flow, groups, flagged, detectors.burst, peaks)
        flagged[burst & (flagged == 0)] = _CODE["burst"]
    if detectors.late_settlement.enabled:
        late = _late_settlement(flow, flagged == 0, detectors.late_settlement)
        flagged[late[flagged[late] == 0]] = _CODE["late_settlement"]
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
    shop, day = lines.shop[index], lines.paid_day[index]
    new_pair = first_of_runs(shop, lines.buyer[index])
    starts = np.flatnonzero(new_pair)
    orders, recent = lines.starts_order[index], day > flow.known_on - _YEAR
    came_back = flow.cancelled | (2 * flow.refunded_minor >= lines.amount_minor)
    new_day = new_pair.copy()
    new_day[1:] |= day[1:] != day[:-1]
    return BuyerGroups(
        index, np.cumsum(new_pair) - 1, day, orders, starts, shop[starts],
        orders=sums_of_runs(orders, starts),
        spoiled=sums_of_runs(orders * came_back[index], starts),
        order_days=sums_of_runs(new_day.astype(np.int64), starts),
        orders_of_year=sums_of_runs(orders * recent, starts),
        amount_of_year=sums_of_runs(flow.placed_minor[index] * recent, starts),
    )  # fmt: skip


def _refund_after(groups: BuyerGroups, rule: RefundAfter) -> Bools:
    share = rule.share
    spoiled = groups.spoiled * share.denominator >= groups.orders * share.numerator
    return (groups.orders >= rule.orders) & spoiled


def _self_dealing(flow: KnownFlow, groups: BuyerGroups, rule: SelfDealing) -> Bools:
    """Accounts that stand out by a month or by the size of their orders; those that order on are customers."""
    buyers = counts(groups.shop, len(flow.lines.shops))[groups.shop]
    often = _often(flow, groups, rule, buyers >= rule.buyers_to_compare)
    judged = _large(flow, groups, rule) | _steadily(flow, groups, rule)
    return often | (judged & (buyers >= rule.buyers_to_judge)) | _own_account(flow, groups)


def _often(flow: KnownFlow, groups: BuyerGroups, rule: SelfDealing, comparable: Bools) -> Bools:
    most, shops = _most_in_30_days(flow, groups), len(flow.lines.shops)
    suspects = (most >= min(rule.orders_in_30_days, rule.least_in_30_days)) & (2 * most >= groups.orders)
    if not suspects.any():
        return suspects
    upper, nearly_all = _typical(groups, most, suspects, shops, 75, 98)
    needed = np.maximum(rule.orders_in_30_days, rule.times_typical * upper)
    unusual = np.maximum(rule.least_in_30_days, rule.times_typical * nearly_all)
    suspects &= most >= np.where(comparable, np.minimum(needed, unusual), needed)
    return beyond_gradations(groups.shop, most, suspects, shops, unit=_TWICE, chance=_share(rule.chance))


def _share(share: Fraction) -> float:
    return share.numerator / share.denominator


def _typical(
    groups: BuyerGroups,
    value: Ints,
    suspects: Bools,
    shops: int,
    *hundredths: int,
    among: Bools | None = None,
) -> list[Ints]:
    """Per pair the quantiles of its shop's pairs (*among* those), where the shop has a suspect; elsewhere 0."""
    watched = np.zeros(shops, dtype=np.bool_)
    watched[groups.shop[suspects]] = True
    compared = watched[groups.shop] if among is None else watched[groups.shop] & among
    found = quantiles(groups.shop[compared], value[compared], shops, *hundredths)
    return [each[groups.shop] for each in found]


def _most_in_30_days(flow: KnownFlow, groups: BuyerGroups) -> Ints:
    """Per pair: the most orders within any 30 days."""
    ordering = groups.starts_order > 0
    pair = groups.pair if ordering.all() else groups.pair[ordering]
    moment = pair * _FAR + (groups.day if ordering.all() else groups.day[ordering])
    within = np.ones(len(moment), dtype=np.int64)
    reaching = np.flatnonzero(moment[1:] - moment[:-1] < 30)
    within[reaching] = 2
    for step in range(2, _STEPS):  # most buyers order once or twice, so this ends soon
        if not len(reaching):
            break
        reaching = reaching[: np.searchsorted(reaching, len(moment) - step)]
        reaching = reaching[moment[reaching + step] - moment[reaching] < 30]
        within[reaching] = step + 1
    if len(reaching):
        within[reaching] = np.searchsorted(moment, moment[reaching] + 30) - reaching
    most = np.zeros(groups.count, dtype=np.int64)
    if len(pair):
        starts = np.flatnonzero(first_of_runs(pair))
        most[pair[starts]] = np.maximum.reduceat(within, starts)
    return most


def _steadily(flow: KnownFlow, groups: BuyerGroups, rule: SelfDealing) -> Bools:
    """Accounts that order on and on, in the baskets of everybody; a wholesale buyer's are larger."""
    orders, shops = groups.orders_of_year, len(flow.lines.shops)
    suspects = orders >= rule.orders_in_a_year
    if not suspects.any():
        return suspects
    mean = groups.amount_of_year // np.maximum(orders, 1)
    (typical,) = _typical(groups, mean, suspects, shops, 75, among=orders > 0)
    suspects &= mean < rule.times_typical * np.maximum(typical, 1)
    chance = _share(rule.chance_in_a_year)
    return beyond_gradations(groups.shop, orders, suspects, shops, unit=_TWICE, chance=chance)


def _large(flow: KnownFlow, groups: BuyerGroups, rule: SelfDealing) -> Bools:
    """Accounts of a few orders, nearly all of them of a size that the shop's buyers do not lead to expect."""
    orders, shops = groups.orders_of_year, len(flow.lines.shops)
    suspects = (orders >= rule.large_orders) & (orders < rule.orders_in_a_year)
    mean = groups.amount_of_year // np.maximum(orders, 1)
    (typical,) = _typical(groups, mean, suspects, shops, 75, among=orders > 0)
    large = rule.times_typical * np.maximum(typical, 1)
    suspects &= mean >= large
    if not suspects.any():
        return suspects
    suspects &= _median_of_year(flow, groups, suspects) >= large
    # to come back and to order much are taken for independent: so many of the large buyers would be back
    back = counts(groups.shop, shops, orders >= rule.large_orders) / np.maximum(
        counts(groups.shop, shops, orders > 0), 1
    )
    unit = 2 * np.maximum(typical, 1)
    return beyond_gradations(
        groups.shop, mean, suspects, shops, unit=unit, chance=_share(rule.chance_in_a_year), part=back
    )


def _median_of_year(flow: KnownFlow, groups: BuyerGroups, pairs: Bools) -> Ints:
    """The middle order of a year, of these pairs."""
    chosen = pairs[groups.pair] & (groups.day > flow.known_on - _YEAR)
    amount = flow.lines.amount_minor[groups.index[chosen]]
    return quantiles(groups.pair[chosen], amount, groups.count, 50)[0]


def _own_account(flow: KnownFlow, groups: BuyerGroups) -> Bools:
    flagged = np.zeros(groups.count, dtype=np.bool_)
    own = flow.lines.own_accounts
    if own:
        buyer = flow.lines.buyer[groups.index[groups.starts]]
        for shop, code in own:
            flagged |= (groups.shop == shop) & (buyer == code)
    return flagged


def _buyer_ring(flow: KnownFlow, groups: BuyerGroups, rule: BuyerRing) -> Bools:
    """Rings among buyers who share their first two, last two, or first and last order days."""
    flagged = np.zeros(groups.count, dtype=np.bool_)
    candidates = np.flatnonzero(groups.order_days >= max(rule.days, 2))
    if len(candidates) < rule.members:
        return flagged
    days = groups.day[first_of_runs(groups.pair, groups.day)]
    ends = np.cumsum(groups.order_days)
    first, last = (ends - groups.order_days)[candidates], ends[candidates] - 1
    for one, other in ((first, first + 1), (last - 1, last), (first, last)):
        for together in _same(groups.shop[candidates], days[one], days[other], rule.members):
            flagged[_ring_among(candidates[together], ends, groups.order_days, days, rule)] = True
    return flagged


def _same(shop: Ints, day: Ints, other_day: Ints, members: int) -> Iterator[Ints]:
    """Groups of at least so many entries with equal shop and days."""
    base = int(day.min())
    key = (shop * _SPAN + (day - base)) * _SPAN + (other_day - base)
    if int(other_day.max()) - base >= _SPAN or int(shop.max()) >= _SPAN:
        key = np.unique(np.column_stack((shop, day, other_day)), axis=0, return_inverse=True)[1].ravel()
    ordered = np.sort(key)
    runs = np.flatnonzero(first_of_runs(ordered))
    common = ordered[runs[np.diff(np.append(runs, len(ordered))) >= members]]
    if len(common):
        shared = np.flatnonzero(np.isin(key, common))
        shared = shared[np.argsort(key[shared], kind="stable")]
        yield from np.split(shared, np.flatnonzero(first_of_runs(key[shared]))[1:])


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
    counted = lines.starts_order * ((flagged == 0) & ~flow.nil & ~lines.is_total)
    new_day = first_of_runs(lines.shop, lines.paid_day)
    starts = np.flatnonzero(new_day)
    orders = sums_of_runs(counted, starts)
    shop, day = lines.shop[starts], lines.paid_day[starts]
    busy_days = orders >= rule.orders
    if not busy_days.any():
        return np.zeros(len(lines), dtype=np.bool_)
    selling = (orders > 0) & (day > flow.known_on - _YEAR)
    typical = np.maximum(quantiles(shop[selling], orders[selling], len(lines.shops), 50)[0], 1)
    burst = busy_days & (orders >= min(rule.times_typical, rule.times_in_peak) * typical[shop])
    many = np.flatnonzero(burst)
    if not len(many):
        return np.zeros(len(lines), dtype=np.bool_)
    times = np.where(is_peak_day(day[many], peaks), rule.times_in_peak, rule.times_typical)
    burst[many] = orders[many] >= times * typical[shop[many]]
    burst = beyond_gradations(
        shop, orders, burst, len(lines.shops), unit=2 * typical[shop], chance=_share(rule.chance)
    )
    shop_day = np.cumsum(new_day) - 1
    busy = np.flatnonzero(burst[shop_day])
    flagged_lines = np.zeros(len(lines), dtype=np.bool_)
    flagged_lines[busy] = _bought_once(busy, lines.buyer, groups, len(lines))
    return flagged_lines


def _late_settlement(flow: KnownFlow, unsuspected: Bools, rule: LateSettlement) -> Ints:
    """Positions of lines that this shop's customers would long have settled, and these have not."""
    lines, shops = flow.lines, len(flow.lines.shops)
    # what went back is never settled
    waiting = unsuspected & flow.unsettled & ~flow.nil & (flow.refunded_minor == 0)
    suspects = np.flatnonzero(waiting & (lines.paid_day < flow.known_on - rule.days))
    if not len(suspects):
        return suspects
    watched = np.zeros(shops, dtype=np.bool_)
    watched[lines.shop[suspects]] = True
    settled = np.flatnonzero(watched[lines.shop] & ~flow.unsettled & (lines.settled_day >= lines.paid_day))
    shop, waited = lines.shop[settled], (lines.settled_day - lines.paid_day)[settled]
    (usual,) = quantiles(shop, waited, shops, 95)
    enough = counts(shop, shops) >= rule.settled_to_compare
    age = flow.known_on - lines.paid_day[suspects]
    of_shop = lines.shop[suspects]
    late = enough[of_shop] & (age > rule.times_usual * np.maximum(usual[of_shop], 1))
    stalled = enough & _stalled(flow, waiting, np.maximum(usual, rule.days), rule)
    if not stalled.any():
        return suspects[late]
    everything = np.flatnonzero(waiting & stalled[lines.shop])
    return np.union1d(suspects[late], everything)


def _stalled(flow: KnownFlow, waiting: Bools, usual: Ints, rule: LateSettlement) -> Bools:
    """Shops of whose sales old enough to be settled, and young enough to count unsettled, too much is not."""
    lines, shops = flow.lines, len(flow.lines.shops)
    due = np.flatnonzero((lines.paid_day < flow.known_on - usual[lines.shop]) & ~flow.nil)
    due = due[lines.paid_day[due] > flow.known_on - _LATELY]
    placed = amount_sums(lines.shop[due], shops, flow.placed_minor[due])
    missing = amount_sums(lines.shop[due], shops, flow.placed_minor[due] * waiting[due])
    many = np.bincount(lines.shop[due][waiting[due]], minlength=shops) >= rule.late_lines
    found: Bools = many & (missing / np.maximum(placed, 1) > _share(rule.late_share))
    return found


def _bought_once(lines: Ints, buyer: Ints, groups: BuyerGroups, count: int) -> Bools:
    """Of *lines* those whose buyer never ordered on another day, or is not known."""
    once = np.ones(count, dtype=np.bool_)
    once[groups.index] = (groups.order_days == 1)[groups.pair]
    return once[lines] | (buyer[lines] < 0)


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
