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

from ..kept import kept
from .flow import Bools, Doubles, Ints, KnownFlow
from .kernels import (
    amount_sums,
    beyond_gradations,
    counts,
    ends_of_runs,
    first_of_runs,
    is_peak_day,
    quantiles,
    sums_of_runs,
)
from .policy import (
    Burst,
    BuyerRing,
    Detectors,
    LateSettlement,
    OutsizedOrder,
    Peak,
    RefundAfter,
    SelfDealing,
)

#: What a flag can say; 0 is "nothing against the line", 1 stands for a flag that came with the file.
DETECTORS: Final = (
    "", "reported", "refund_after", "self_dealing", "buyer_ring", "burst", "late_settlement", "outsized_order",
)  # fmt: skip
_CODE: Final = {name: code for code, name in enumerate(DETECTORS)}
_YEAR: Final = 365
_LATELY: Final = 45  # days of sales in which a stalled settlement shows
_FAR: Final = 10_000_000  # more days than any calendar has, so that pairs do not touch on one axis
_SPAN: Final = 1 << 20  # days and shops that fit side by side into one whole number
_TWICE: Final = np.array(2)  # orders: the first gradation above those of a passer-by
_STEPS: Final = 8  # orders ahead looked at one by one, before a search
_THROW_AWAY: Final = (
    30  # accounts made for one order each that may be one party's, and are no evidence for each other
)
_REGULAR: Final = 3  # orders in a year of those whose sizes tell what the shop sells
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


@dataclass(frozen=True, eq=False)
class BuyerGroups:
    """The lines of known buyers, brought together by shop and buyer; ``pair`` numbers the (shop, buyer) pairs.

    ``index``, ``pair``, ``day``, ``ordering`` (the line carries an order) and ``placed_minor`` have one entry per such line;
    ``ends`` and the others have one per pair. ``order_days`` counts a pair's days with lines; ``days`` has them all, in
    that order.
    """

    index: Ints
    pair: Ints
    day: Ints
    ordering: Bools
    placed_minor: Ints
    ends: Ints
    days: Ints
    shop: Ints
    orders: Ints
    spoiled: Ints
    order_days: Ints
    orders_of_year: Ints
    amount_of_year: Ints

    @property
    def count(self) -> int:
        """How many (shop, buyer) pairs there are."""
        return len(self.shop)

    @kept
    def mean_of_year(self) -> Ints:
        """The mean of a pair's orders of the year, rounded down."""
        return self.amount_of_year // np.maximum(self.orders_of_year, 1)

    def number_of(self, chosen: Bools) -> Ints:
        """How many of the *chosen* of such lines each pair has."""
        return counts(self.pair[chosen.nonzero()[0]], self.count)

    def placed_of(self, chosen: Bools) -> Ints:
        """What the *chosen* of such lines amount to, per pair."""
        return sums_of_runs(self.placed_minor * chosen.astype(np.int64), self.ends)

    def having(self, chosen: Bools) -> Bools:
        """The pairs with one of the *chosen* of such lines."""
        found = np.zeros(self.count, dtype=np.bool_)
        found[self.pair[chosen.nonzero()[0]]] = True
        return found


def flag_lines(
    flow: KnownFlow, detectors: Detectors, peaks: tuple[Peak, ...] = (), groups: BuyerGroups | None = None
) -> Ints:
    """One code per line of *flow*, indexing :data:`DETECTORS`; 0 for a line with nothing against it.

    Of a buyer that gave back all it bought, and of another:

    >>> from .flow import known_flow, sales_lines
    >>> from .policy import Lags
    >>> sold = [{"shop_id": "s", "order_id": str(n), "paid_at": "2025-04-01", "amount": "9", "buyer_id": buyer,
    ...          "status": "refunded" if buyer == "a" else "paid"} for n, buyer in enumerate("aaab")]
    >>> flagged = flag_lines(known_flow(sales_lines(sold), date(2025, 5, 1).toordinal(), Lags()), Detectors())
    >>> [DETECTORS[code] for code in flagged]
    ['refund_after', 'refund_after', 'refund_after', '']
    """
    flagged = np.zeros(len(flow.lines), dtype=np.int64)
    flagged[flow.lines.flag > 0] = _CODE["reported"]
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
    if detectors.outsized_order.enabled:
        yield "outsized_order", _outsized_order(flow, groups, detectors.outsized_order)


def buyer_groups(flow: KnownFlow) -> BuyerGroups:
    """The known buyers of each shop with their orders so far, and over the year that ends with the flow.

    >>> from .flow import known_flow, sales_lines
    >>> from .policy import Lags
    >>> sold = [{"shop_id": "s", "order_id": str(n), "paid_at": "2025-04-01", "amount": "9", "buyer_id": buyer}
    ...         for n, buyer in enumerate("aab")]
    >>> groups = buyer_groups(known_flow(sales_lines(sold), date(2025, 5, 1).toordinal(), Lags()))
    >>> groups.count, groups.orders.tolist()
    (2, [2, 1])
    """
    lines, index = flow.lines, flow.lines.by_buyer
    shop, day, placed = (each[index] for each in (lines.shop, lines.paid_day, flow.placed_minor))
    every_line = np.ones(len(lines), dtype=np.bool_)
    ordering, back = lines.one_per_order(every_line)[index], _came_back(flow)[index]
    new_pair = first_of_runs(shop, lines.buyer[index])
    starts = new_pair.nonzero()[0]
    pairs, ends = len(starts), ends_of_runs(starts, len(index))
    pair = new_pair.cumsum()
    pair -= 1
    new_day = (new_pair | first_of_runs(day)).nonzero()[0]
    recent = day > flow.known_on - _YEAR
    return BuyerGroups(
        index, pair, day, ordering, placed, ends, day[new_day], shop[starts],
        orders=counts(pair[ordering.nonzero()[0]], pairs),
        spoiled=counts(pair[(back & ordering).nonzero()[0]], pairs),
        order_days=counts(pair[new_day], pairs),
        orders_of_year=counts(pair[(recent & ordering).nonzero()[0]], pairs),
        amount_of_year=sums_of_runs(placed * recent.astype(np.int64), ends),
    )  # fmt: skip


def _came_back(flow: KnownFlow) -> Bools:
    """Lines of orders of which half or more was cancelled or refunded."""
    found: Bools = flow.cancelled | (2 * flow.refunded_minor >= flow.lines.amount_minor)
    together = flow.lines.together
    if len(together):
        placed = flow.lines.amount_minor[together]
        back = np.where(flow.cancelled[together], placed, flow.refunded_minor[together])
        starts = first_of_runs(flow.lines.order[together])
        ends = ends_of_runs(starts.nonzero()[0], len(together))
        most = 2 * sums_of_runs(back, ends) >= sums_of_runs(placed, ends)
        found[together] = most[starts.cumsum() - 1]
    return found


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
    pair, day = groups.pair, groups.day
    if not groups.ordering.all():
        pair, day = pair[groups.ordering], day[groups.ordering]
    moment = pair * _FAR
    moment += day
    most = np.zeros(groups.count, dtype=np.int64)
    most[pair] = 1
    first = reaching = (moment[1:] - moment[:-1] < 30).nonzero()[0]
    within = np.full(len(first), 2)
    for step in range(2, _STEPS):  # most buyers order once or twice, so this ends soon
        if not len(reaching):
            break
        reaching = reaching[: reaching.searchsorted(len(moment) - step)]
        reaching = reaching[moment[reaching + step] - moment[reaching] < 30]
        within[first.searchsorted(reaching)] = step + 1
    if len(reaching):
        within[first.searchsorted(reaching)] = moment.searchsorted(moment[reaching] + 30) - reaching
    np.maximum.at(most, pair[first], within)
    return most


def _steadily(flow: KnownFlow, groups: BuyerGroups, rule: SelfDealing) -> Bools:
    """Accounts that order on and on, in the baskets of everybody; a wholesale buyer's are larger."""
    orders, shops = groups.orders_of_year, len(flow.lines.shops)
    suspects = orders >= rule.orders_in_a_year
    if not suspects.any():
        return suspects
    mean = groups.mean_of_year
    (typical,) = _typical(groups, mean, suspects, shops, 75, among=orders > 0)
    suspects &= mean < rule.times_typical * np.maximum(typical, 1)
    chance = _share(rule.chance_in_a_year)
    return beyond_gradations(groups.shop, orders, suspects, shops, unit=_TWICE, chance=chance)


def _large(flow: KnownFlow, groups: BuyerGroups, rule: SelfDealing) -> Bools:
    """Accounts of a few orders, nearly all of them of a size that the shop's buyers do not lead to expect."""
    orders, shops = groups.orders_of_year, len(flow.lines.shops)
    suspects = (orders >= rule.large_orders) & (orders < rule.orders_in_a_year)
    mean = groups.mean_of_year
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


def _outsized_order(flow: KnownFlow, groups: BuyerGroups, rule: OutsizedOrder) -> Bools:
    """Accounts of one order of a size that the shop's buyers do not lead to expect; one or two of them raise no usual month."""
    shops = len(flow.lines.shops)
    suspects = _of_uneven_sizes(groups, rule)
    if not suspects.any():
        return suspects
    size, buying = groups.mean_of_year, groups.amount_of_year > 0
    suspects &= (counts(groups.shop, shops, buying) >= rule.buyers_to_judge)[groups.shop]
    (typical,) = _typical(groups, size, suspects, shops, 75, among=buying)
    # where the shop has few buyers, those made for one order each may be a quarter of them, but not of the orders
    typical = np.maximum(np.minimum(typical, _typical_order(flow, groups, suspects, shops)), 1)
    suspects &= groups.amount_of_year >= rule.times_typical * typical
    if not suspects.any():
        return suspects
    size = np.maximum(size, _largest_of_year(flow, groups, suspects))
    suspects &= (size >= rule.times_typical * typical) & (2 * size >= groups.amount_of_year)
    chance = _share(rule.chance)
    beyond = beyond_gradations(
        groups.shop, size, suspects, shops, unit=2 * typical, chance=chance, party=_THROW_AWAY
    )
    number = counts(groups.shop, shops, beyond)
    few = (number < rule.accounts) | (number <= _expected_of_regulars(flow, groups, beyond, rule, typical))
    return beyond & ~few[groups.shop]


def _typical_order(flow: KnownFlow, groups: BuyerGroups, suspects: Bools, shops: int) -> Ints:
    """Per pair the upper quartile of the year's lines of its shop, where the shop has a suspect."""
    lines = (
        suspects[groups.pair] & (groups.day > flow.known_on - _YEAR) & (groups.placed_minor > 0)
    ).nonzero()[0]
    (typical,) = quantiles(groups.shop[groups.pair[lines]], groups.placed_minor[lines], shops, 75)
    return typical[groups.shop]


def _of_uneven_sizes(groups: BuyerGroups, rule: OutsizedOrder) -> Bools:
    """The pairs of shops whose largest account is so many times as large as half of them: most shops need no quantile."""
    starts = first_of_runs(groups.shop).nonzero()[0]
    buyers = ends_of_runs(starts, groups.count) - starts
    largest = np.maximum.reduceat(groups.amount_of_year, starts) // rule.times_typical
    small = groups.mean_of_year <= largest.repeat(buyers)
    found: Bools = np.add.reduceat(small, starts, dtype=np.int64) > (buyers - 1) // 2
    return found.repeat(buyers)


def _expected_of_regulars(
    flow: KnownFlow, groups: BuyerGroups, outsized: Bools, rule: OutsizedOrder, typical: Ints
) -> Doubles:
    """Per shop: how many accounts would order outsized, if passers-by ordered so as often as those who order on do."""
    shops = len(flow.lines.shops)
    regular = (groups.orders_of_year >= _REGULAR) & ~outsized
    lines = (regular[groups.pair] & (groups.day > flow.known_on - _YEAR)).nonzero()[0]
    pair = groups.pair[lines]
    large = groups.placed_minor[lines] >= rule.times_typical * typical[pair]
    of_regulars = counts(groups.shop[pair], shops)
    passing = counts(groups.shop, shops, (groups.orders_of_year > 0) & (groups.orders_of_year < _REGULAR))
    found: Doubles = passing * counts(groups.shop[pair], shops, large) / np.maximum(of_regulars, 1)
    return found


def _largest_of_year(flow: KnownFlow, groups: BuyerGroups, pairs: Bools) -> Ints:
    """The largest line of a year, of these pairs."""
    chosen = pairs[groups.pair] & (groups.day > flow.known_on - _YEAR)
    largest = np.zeros(groups.count, dtype=np.int64)
    np.maximum.at(largest, groups.pair[chosen], groups.placed_minor[chosen])
    return largest


def _own_account(flow: KnownFlow, groups: BuyerGroups) -> Bools:
    flagged = np.zeros(groups.count, dtype=np.bool_)
    own = flow.lines.own_accounts
    if own:
        buyer = flow.lines.buyer[groups.index[groups.ends - 1]]
        for shop, code in own:
            flagged |= (groups.shop == shop) & (buyer == code)
    return flagged


def _buyer_ring(flow: KnownFlow, groups: BuyerGroups, rule: BuyerRing) -> Bools:
    """Rings among buyers who share their first two, last two, or first and last order days."""
    flagged = np.zeros(groups.count, dtype=np.bool_)
    candidates = (groups.order_days >= max(rule.days, 2)).nonzero()[0]
    if len(candidates) < rule.members:
        return flagged
    days, ends = groups.days, groups.order_days.cumsum()
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
    common = ordered[members - 1 :][ordered[members - 1 :] == ordered[: len(ordered) - members + 1]]
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
    lines, found = flow.lines, np.zeros(len(flow.lines), dtype=np.bool_)
    if not _so_many_alike(rule.orders, lines.shop, lines.paid_day):
        return found
    counted = lines.one_per_order((flagged == 0) & ~flow.nil & ~lines.is_total)
    new_day = first_of_runs(lines.shop, lines.paid_day)
    starts = new_day.nonzero()[0]
    orders = sums_of_runs(counted, ends_of_runs(starts, len(lines)))
    shop, day = lines.shop[starts], lines.paid_day[starts]
    busy_days = orders >= rule.orders
    if not busy_days.any():
        return found
    selling = (orders > 0) & (day > flow.known_on - _YEAR)
    typical = np.maximum(quantiles(shop[selling], orders[selling], len(lines.shops), 50)[0], 1)
    burst = busy_days & (orders >= min(rule.times_typical, rule.times_in_peak) * typical[shop])
    many = np.flatnonzero(burst)
    if not len(many):
        return found
    times = np.where(is_peak_day(day[many], peaks), rule.times_in_peak, rule.times_typical)
    burst[many] = orders[many] >= times * typical[shop[many]]
    burst = beyond_gradations(
        shop, orders, burst, len(lines.shops), unit=2 * typical[shop], chance=_share(rule.chance)
    )
    shop_day = np.cumsum(new_day) - 1
    busy = np.flatnonzero(burst[shop_day])
    found[busy] = _bought_once(busy, lines.buyer, groups, len(lines))
    return found


def _so_many_alike(number: int, shop: Ints, day: Ints) -> bool:
    """Whether any shop has so many lines on a day: most have not, and need no further look."""
    ahead = number - 1
    until = -ahead or None
    return bool(((shop[ahead:] == shop[:until]) & (day[ahead:] == day[:until])).any())


def _late_settlement(flow: KnownFlow, unsuspected: Bools, rule: LateSettlement) -> Ints:
    """Positions of lines that this shop's customers would long have settled, and these have not."""
    lines, shops = flow.lines, len(flow.lines.shops)
    # what went back is never settled
    waiting = unsuspected & flow.unsettled & ~flow.nil & (flow.refunded_minor == 0)
    suspects = np.flatnonzero(waiting & (lines.paid_day < flow.heard_until - rule.days))
    if not len(suspects):
        return suspects
    watched = np.zeros(shops, dtype=np.bool_)
    watched[lines.shop[suspects]] = True
    settled = np.flatnonzero(watched[lines.shop] & ~flow.unsettled & (lines.settled_day >= lines.paid_day))
    shop, waited = lines.shop[settled], (lines.settled_day - lines.paid_day)[settled]
    (usual,) = quantiles(shop, waited, shops, 95)
    enough = counts(shop, shops) >= rule.settled_to_compare
    age = flow.heard_until - lines.paid_day[suspects]
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
    due = np.flatnonzero((lines.paid_day < flow.heard_until - usual[lines.shop]) & ~flow.nil)
    due = due[lines.paid_day[due] > flow.heard_until - _LATELY]
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
    """The evidence behind the flags, largest amount first: bursts and unknown buyers by day, the others by buyer.

    >>> from .flow import known_flow, sales_lines
    >>> from .policy import Lags
    >>> sold = [{"shop_id": "s", "order_id": str(n), "paid_at": "2025-04-01", "amount": "9", "buyer_id": buyer,
    ...          "status": "refunded" if buyer == "a" else "paid"} for n, buyer in enumerate("aaab")]
    >>> flow = known_flow(sales_lines(sold), date(2025, 5, 1).toordinal(), Lags())
    >>> [(each.detector, each.buyer_id, each.amount_minor) for each in findings(flow, flag_lines(flow, Detectors()))]
    [('refund_after', 'a', 2700)]
    """
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
        day=date.fromordinal(day) if day else None, orders=lines.orders_among(rows),
        amount_minor=int(lines.amount_minor[rows].sum()), first_day=date.fromordinal(int(days.min())),
        last_day=date.fromordinal(int(days.max())),
    )  # fmt: skip
