"""Every feature of a shop's sales flow, defined once: name, unit, window, meaning, edge cases.

Sums over shop × day and shop × buyer feed array arithmetic over shops × days, so one shop in memory and a whole platform
take the same path. Every value is a whole number: amounts in minor units, days, counts, and ratios in ten-thousandths
rounded half-up; a limit can therefore be recomputed by hand from the feature table, and is the same on every engine. A
feature that cannot be known is missing, never zero.

A feature as of D uses what was known on D. Windows end on the cut-off and include it.

Source: SEMANTICS 8 (house rule).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from ..clock import DEFAULT_ZONE
from ..days import parse_date
from .flow import NO_DAY, Bools, Ints, KnownFlow, SalesLines, known_flow, sales_lines
from .genuine import flag_lines
from .kernels import (
    amount_sums,
    counts,
    first_of_runs,
    momentum,
    peak_spans,
    ratio,
    recency_weights,
    scaled,
    variation,
)
from .policy import SHIPPED_PEAKS, Detectors, Lags, Peak

if TYPE_CHECKING:
    import pandas

Unit = Literal["amount", "days", "count", "ratio"]
Value = int | Decimal | None

#: Days of history a feature may look back on: two years and the 30 days of a peak a year before the coming one.
HISTORY_DAYS: Final = 760
BLOCK_DAYS: Final = 30
BLOCKS: Final = 12
_WEEKS: Final = 52
_YEAR: Final = 365
_LAGS: Final = Lags()
_DETECTORS: Final = Detectors()
_FEW: Final = 20  # fewer buyers, with
_OFTEN: Final = 3  # so many orders each, are taken for one party
_BUYER_COVERAGE: Final = 2  # buyer features need a known buyer on at least one half of the sales


@dataclass(frozen=True, slots=True)
class Definition:
    """What a feature is. ``unit``: amount (minor units), days, count, or ratio (four decimals)."""

    name: str
    unit: Unit
    window: str
    meaning: str
    edge: str


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A feature's values, one per shop, in whole numbers of its unit; ``missing`` marks those that are not known."""

    values: Ints
    missing: Bools


@dataclass(frozen=True, slots=True)
class Settings:
    """What of a policy the features depend on."""

    lags: Lags = _LAGS
    detectors: Detectors = _DETECTORS
    peaks: tuple[Peak, ...] = SHIPPED_PEAKS
    peak_ahead_days: int = 60
    settlement_reported: bool | None = None


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of shops as of a cut-off. ``columns`` maps a feature's name to its :class:`Column`.

    >>> table = features([{"shop_id": "s", "order_id": "1", "paid_at": "2025-05-01", "amount": "10"}], as_of="2025-05-01")
    >>> table.row("s")["sales_7d"]
    1000
    """

    shops: tuple[str, ...]
    cut_off: date
    known_on: date
    columns: Mapping[str, Column]

    def row(self, shop: str) -> dict[str, Value]:
        """One shop's features: amounts as int minor units, days and counts as int, ratios as Decimal; None if missing."""
        return self.row_at(self.shops.index(shop))

    def row_at(self, index: int) -> dict[str, Value]:
        """As :meth:`row`, by position."""
        return {name: _value(name, column, index) for name, column in self.columns.items()}

    def rows(self) -> Iterator[tuple[str, dict[str, Value]]]:
        """Every shop with its features."""
        for index, shop in enumerate(self.shops):
            yield shop, self.row_at(index)

    def to_pandas(self) -> pandas.DataFrame:
        """The table as a pandas frame, one row per shop: nullable integers; ratios as floats, for statistics only."""
        import pandas

        made: dict[str, Any] = {}
        for name, column in self.columns.items():
            values: Any = pandas.array(column.values, dtype="Int64")
            values[column.missing] = pandas.NA
            made[name] = values / 10_000 if DEFINITIONS[name].unit == "ratio" else values
        return pandas.DataFrame(made, index=pandas.Index(self.shops, name="shop_id"))


def _value(name: str, column: Column, index: int) -> Value:
    if column.missing[index]:
        return None
    value = int(column.values[index])
    return Decimal(value).scaleb(-4) if DEFINITIONS[name].unit == "ratio" else value


# --- the table --------------------------------------------------------------------------------------------------------


def features(
    frame: object,
    *,
    as_of: date | str,
    currency: str = "CNY",
    zone: str = DEFAULT_ZONE,
    settings: Settings | None = None,
) -> FeatureTable:
    """The features of every shop in *frame*, as known at the end of *as_of*.

    *frame*: pandas, polars, pyarrow, DuckDB relation, mapping of columns, list of rows or :class:`SalesLines`. Amounts
    are in *currency*; floats are refused. Raises BadInput, InvalidAmount or InvalidDate for what cannot be read.

    *Source:* SEMANTICS 8; CONTRACT 3.

    >>> rows = [{"shop_id": "s", "order_id": "1", "paid_at": "2025-05-01T10:00:00", "amount": "12.30"}]
    >>> features(rows, as_of=date(2025, 5, 3)).row("s")["days_since_last_sale"]
    2
    """
    lines = sales_lines(frame, currency=currency, zone=zone)
    day = parse_date(as_of, "as_of")
    return feature_table(flagged_flow(lines, day, settings or Settings()), cut_off=day)


#: The hash of a flow without a line.
NO_FLOW: Final = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class FlaggedFlow:
    """A flow as known on a day, with one code per line saying whether it is genuine."""

    flow: KnownFlow
    flagged: Ints
    settings: Settings

    def sha256(self, index: int) -> str:
        """SHA-256 over a shop's lines as known: day, net sale, flag and amount of each, whatever their order."""
        start, end = np.searchsorted(self.flow.lines.shop, [index, index + 1])
        span = slice(int(start), int(end))
        lines = self.flow.lines
        parts = (
            lines.paid_day[span],
            self.flow.net_minor[span],
            self.flagged[span],
            lines.amount_minor[span],
        )
        order = np.lexsort(parts)
        return hashlib.sha256(b"".join(part[order].astype("<i8").tobytes() for part in parts)).hexdigest()


def flagged_flow(lines: SalesLines, known_on: date, settings: Settings) -> FlaggedFlow:
    """What was known of the lines on *known_on*, and which of them were flagged with that knowledge."""
    flow = known_flow(
        lines, known_on.toordinal(), settings.lags, settlement_reported=settings.settlement_reported
    )
    return FlaggedFlow(flow, flag_lines(flow, settings.detectors, settings.peaks), settings)


def feature_table(
    flagged: FlaggedFlow, *, cut_off: date, settled_only: bool = False, only: Iterable[str] | None = None
) -> FeatureTable:
    """All features, or *only* those named, over windows that end on *cut_off*, with the knowledge of the flow's day.

    ``settled_only``: lines not yet settled count for nothing, where the platform reports settlement.
    """
    view = View(flagged, cut_off.toordinal(), settled_only)
    columns = {name: _COMPUTE[name](view) for name in (_COMPUTE if only is None else only)}
    known_on = date.fromordinal(flagged.flow.known_on)
    return FeatureTable(flagged.flow.lines.shops, cut_off, known_on, columns)


@dataclass(eq=False)
class View:
    """The sums the features are made of: lines paid by the cut-off, per shop and day, period, or buyer."""

    flagged: FlaggedFlow
    cut_off: int
    settled_only: bool = False
    shops: int = field(init=False)
    keep: Bools | slice = field(init=False)

    def __post_init__(self) -> None:
        paid = self.flagged.flow.lines.paid_day
        self.shops = len(self.flagged.flow.lines.shops)
        self.keep = slice(None) if self.flagged.flow.known_on <= self.cut_off else paid <= self.cut_off

    # lines ------------------------------------------------------------------------------------------------------------

    @cached_property
    def shop(self) -> Ints:
        return self.flagged.flow.lines.shop[self.keep]

    @cached_property
    def day(self) -> Ints:
        return self.flagged.flow.lines.paid_day[self.keep]

    @cached_property
    def genuine(self) -> Bools:
        unflagged: Bools = self.flagged.flagged[self.keep] == 0
        return unflagged

    @cached_property
    def received_minor(self) -> Ints:
        """Amounts placed, flagged lines included."""
        return np.where(self.nil, 0, self.flagged.flow.lines.amount_minor[self.keep])

    @cached_property
    def placed_minor(self) -> Ints:
        """Amounts placed by genuine buyers, before refunds."""
        return self.received_minor * self.genuine

    @cached_property
    def net_minor(self) -> Ints:
        return np.where(self.nil, 0, self.flagged.flow.net_minor[self.keep]) * self.genuine

    @cached_property
    def age(self) -> Ints:
        """Days before the cut-off; 0 is the cut-off's own day."""
        return self.cut_off - self.day

    @cached_property
    def counted_orders(self) -> Ints:
        """One per genuine order that was neither cancelled nor left unsettled."""
        return self.flagged.flow.lines.starts_order[self.keep] * (self.genuine & ~self.nil)

    @cached_property
    def nil(self) -> Bools:
        """Lines worth nothing: cancelled, or without the settlement they need."""
        flow = self.flagged.flow
        return (flow.nil | flow.unsettled if self.settled_only else flow.nil)[self.keep]

    # shop × day -------------------------------------------------------------------------------------------------------

    def grid(self, amount_minor: Ints) -> Ints:
        """Amounts per shop and day, oldest day first, over the days a feature may look back on."""
        within = self.age < HISTORY_DAYS
        key = self.shop * HISTORY_DAYS + (HISTORY_DAYS - 1 - self.age)
        if not within.all():
            key, amount_minor = key[within], amount_minor[within]
        return amount_sums(key, self.shops * HISTORY_DAYS, amount_minor).reshape(self.shops, HISTORY_DAYS)

    @cached_property
    def net_days(self) -> Ints:
        return self.grid(self.net_minor)

    @cached_property
    def placed_days(self) -> Ints:
        return self.grid(self.placed_minor)

    @cached_property
    def received_days(self) -> Ints:
        return self.placed_days if self.genuine.all() else self.grid(self.received_minor)

    @cached_property
    def order_days(self) -> Ints:
        within = self.age < HISTORY_DAYS
        key = self.shop * HISTORY_DAYS + (HISTORY_DAYS - 1 - self.age)
        found = counts(key[within], self.shops * HISTORY_DAYS, self.counted_orders[within])
        return found.reshape(self.shops, HISTORY_DAYS)

    def in_window(self, amount_minor: Ints, days: int, skip: int = 0) -> Ints:
        """Amounts per shop of lines at least *skip* and less than *skip* + *days* days old."""
        within = (self.age < days + skip) & (self.age >= skip) if skip else self.age < days
        return self.per_shop(amount_minor * within)

    @cached_property
    def shop_starts(self) -> Ints:
        return np.flatnonzero(first_of_runs(self.shop))

    def per_shop(self, amount_minor: Ints) -> Ints:
        """Amounts added up per shop."""
        sums = np.zeros(self.shops, dtype=np.int64)
        if len(self.shop):
            sums[self.shop[self.shop_starts]] = np.add.reduceat(amount_minor, self.shop_starts)
        return sums

    def counted_in(self, weight: Ints | Bools, days: int) -> Ints:
        """Whole numbers per shop of lines less than *days* days old."""
        return self.per_shop((weight * (self.age < days)).astype(np.int64))

    def blocks_of(self, grid: Ints) -> Ints:
        """Twelve 30-day blocks per shop, oldest first, the last ending on the cut-off."""
        blocks: Ints = grid[:, -BLOCK_DAYS * BLOCKS :].reshape(self.shops, BLOCKS, BLOCK_DAYS).sum(axis=2)
        return blocks

    # life of the shop -------------------------------------------------------------------------------------------------

    def first_day(self, chosen: Bools) -> Ints:
        """The first day of the chosen lines per shop; NO_DAY where there is none."""
        shop, day = self.shop[chosen], self.day[chosen]
        starts = first_of_runs(shop)
        first = np.full(self.shops, NO_DAY, dtype=np.int64)
        first[shop[starts]] = day[starts]
        return first

    def last_day(self, chosen: Bools) -> Ints:
        """The last day of the chosen lines per shop; NO_DAY where there is none."""
        shop, day = self.shop[chosen], self.day[chosen]
        last = np.full(self.shops, NO_DAY, dtype=np.int64)
        last[shop] = day
        return last

    @cached_property
    def first_sale(self) -> Ints:
        return self.first_day(self.genuine)

    @cached_property
    def born(self) -> Bools:
        """Shops with a genuine order by the cut-off."""
        known: Bools = self.first_sale != NO_DAY
        return known

    @cached_property
    def life_days(self) -> Ints:
        """Days from the first order to the cut-off, both counted; flagged orders count too, so that none shortens it."""
        first = self.first_day(np.ones(len(self.shop), dtype=np.bool_))
        return np.where(first == NO_DAY, 0, self.cut_off - first + 1)

    @cached_property
    def existing_blocks(self) -> Ints:
        return np.minimum(-(-self.life_days // BLOCK_DAYS), BLOCKS)

    @cached_property
    def net_blocks(self) -> Ints:
        return self.blocks_of(self.net_days)

    @cached_property
    def placed_blocks(self) -> Ints:
        return self.blocks_of(self.placed_days)

    def variation_of_weeks(self, grid: Ints) -> Ints:
        """Standard deviation over mean of up to 52 weekly sums of *grid*."""
        weeks = grid[:, -7 * _WEEKS :].reshape(self.shops, _WEEKS, 7).sum(axis=2)
        return variation(weeks, np.minimum(-(-self.life_days // 7), _WEEKS))

    def deseasonalised(self, grid: Ints) -> Ints:
        """*grid* with the days of named peaks brought down to the level of the other days, where they lie above it."""
        year = grid[:, -7 * _WEEKS :]
        spans = peak_spans(self.cut_off - 7 * _WEEKS + 1, self.cut_off, self.flagged.settings.peaks)
        if not spans:
            return year
        offset = self.cut_off - 7 * _WEEKS + 1
        in_peak = np.zeros(7 * _WEEKS, dtype=np.bool_)
        for first, last in spans:
            in_peak[first - offset : last - offset + 1] = True
        lived = np.arange(7 * _WEEKS) >= 7 * _WEEKS - self.life_days[:, None]
        base_days = (lived & ~in_peak).sum(axis=1)
        base = year[:, ~in_peak].sum(axis=1) / np.maximum(base_days, 1)
        level = year.copy()
        for first, last in spans:
            days = slice(first - offset, last - offset + 1)
            high = year[:, days].sum(axis=1) / (last - first + 1)
            factor = np.minimum(1.0, base / np.maximum(high, 1.0))
            factor = np.where((base_days >= 90) & lived[:, days].all(axis=1), factor, 1.0)
            level[:, days] = np.floor(year[:, days] * factor[:, None]).astype(np.int64)
        return level

    # buyers -----------------------------------------------------------------------------------------------------------

    @cached_property
    def buyers(self) -> Buyers:
        return Buyers(self, self.genuine)

    @cached_property
    def all_buyers(self) -> Buyers:
        return self.buyers if self.genuine.all() else Buyers(self, np.ones(len(self.shop), dtype=np.bool_))


class Buyers:
    """Buyers of each shop over the year to the cut-off, by sales placed and not cancelled."""

    def __init__(self, view: View, chosen: Bools) -> None:
        lines = view.flagged.flow.lines
        taken = np.zeros(len(lines), dtype=np.bool_)
        taken[view.keep] = chosen & ~view.nil
        index = lines.by_buyer
        index = index[taken[index] & (lines.buyer[index] >= 0)]
        shop, day = lines.shop[index], lines.paid_day[index]
        new = first_of_runs(shop, lines.buyer[index])
        pair = np.cumsum(new) - 1
        count = int(pair[-1]) + 1 if len(pair) else 0
        recent = day > view.cut_off - _YEAR
        amount = lines.amount_minor[index]
        orders = counts(pair, count, lines.starts_order[index] * recent)
        active = orders > 0
        self.shop = shop[new][active]
        self.sales = amount_sums(pair, count, amount * recent)[active]
        self.orders = orders[active]
        self.first = day[new][active]
        last = np.zeros(count, dtype=np.int64)
        last[pair] = day
        self.last = last[active]
        self.shops = view.shops
        self.known = amount_sums(self.shop, view.shops, self.sales)
        placed = view.in_window(view.received_minor * chosen, _YEAR)
        self.missing = (self.known <= 0) | (_BUYER_COVERAGE * self.known < placed)

    def number(self, chosen: Bools | None = None) -> Ints:
        """How many (of the chosen) buyers each shop has."""
        return counts(self.shop, self.shops, chosen)

    @cached_property
    def few(self) -> Bools:
        """Shops with a handful of accounts that order again and again."""
        number, orders = self.number(), counts(self.shop, self.shops, self.orders)
        found: Bools = (number < _FEW) & (orders >= _OFTEN * number) & (number > 0)
        return found

    @cached_property
    def top_share(self) -> Ints:
        """The largest buyer's part of sales with a known buyer, in ten-thousandths; few accounts are one party."""
        top = np.zeros(self.shops, dtype=np.int64)
        if len(self.shop):
            starts = np.flatnonzero(first_of_runs(self.shop))
            top[self.shop[starts]] = np.maximum.reduceat(self.sales, starts)
        return ratio(np.where(self.few, self.known, top), self.known)

    @cached_property
    def hhi(self) -> Ints:
        """Σ of squared shares, shares in millionths, the sum in ten-thousandths."""
        share = np.floor(self.sales / np.maximum(self.known[self.shop], 1) * 1e6 + 0.5).astype(np.int64)
        return scaled(amount_sums(self.shop, self.shops, share * share) / 1e8)


# --- the definitions --------------------------------------------------------------------------------------------------

Compute = Callable[[View], Column]
DEFINITIONS: Final[dict[str, Definition]] = {}
_COMPUTE: Final[dict[str, Compute]] = {}


def _define(
    name: str, unit: Unit, window: str, meaning: str, edge: str = "missing before the first order"
) -> Callable[[Compute], Compute]:
    def register(compute: Compute) -> Compute:
        DEFINITIONS[name] = Definition(name, unit, window, meaning, edge)
        _COMPUTE[name] = compute
        return compute

    return register


def _known_if(values: Ints, known: Bools) -> Column:
    return Column(np.where(known, values, 0), ~known)


def _define_sales(days: int) -> None:
    @_define(f"sales_{days}d", "amount", f"{days} days", "net sales", "0 where nothing was sold")
    def _sales(view: View) -> Column:
        return _known_if(view.net_days[:, -days:].sum(axis=1), view.born)


for _days in (7, 30, 90, 180, 365):
    _define_sales(_days)


def _define_block(number: int) -> None:
    meaning = f"net sales of the 30-day block {number}, 1 being the last"

    @_define(
        f"month_{number}",
        "amount",
        f"30-day block {number}",
        meaning,
        "missing before the block of the first order",
    )
    def _block(view: View) -> Column:
        return _known_if(view.net_blocks[:, BLOCKS - number], view.existing_blocks >= number)


for _number in range(1, BLOCKS + 1):
    _define_block(_number)


@_define("blocks", "count", "all history, at most 12", "30-day blocks since the first genuine order")
def _blocks(view: View) -> Column:
    lived = np.where(view.born, view.cut_off - view.first_sale + 1, 0)
    return _known_if(np.minimum(-(-lived // BLOCK_DAYS), BLOCKS), view.born)


@_define(
    "typical_month", "amount", "12 blocks",
    "M: mean of up to 12 blocks without the highest and the lowest, or the mean of the last 3 if lower, rounded down",
    "missing with fewer than 3 blocks",
)  # fmt: skip
def _typical_month(view: View) -> Column:
    return _known_if(typical_month(view.net_blocks, view.existing_blocks), view.existing_blocks >= 3)


def typical_month(blocks: Ints, existing: Ints) -> Ints:
    """M per shop from its blocks (oldest first; those before the first order 0), in minor units rounded down.

    *Source:* SEMANTICS 8, limit.

    >>> typical_month(np.array([[0, 100, 300, 200, 400]]), np.array([4])).tolist()
    [250]
    """
    width = blocks.shape[1]
    lived = np.arange(width) >= width - existing[:, None]
    largest, smallest = np.iinfo(np.int64).max, np.iinfo(np.int64).min
    highest = np.where(lived, blocks, smallest).max(axis=1)
    lowest = np.where(lived, blocks, largest).min(axis=1)
    enough = existing >= 3
    trimmed = np.where(
        enough, blocks.sum(axis=1) - np.where(enough, highest, 0) - np.where(enough, lowest, 0), 0
    )
    month: Ints = np.minimum(trimmed // np.maximum(existing - 2, 1), blocks[:, -3:].sum(axis=1) // 3)
    return month


def _define_raw(name: str, meaning: str, part: Callable[[View], Ints]) -> None:
    @_define(name, "amount", "365 days", meaning, "0 where there is none")
    def _raw(view: View) -> Column:
        return _known_if(view.in_window(part(view), _YEAR), view.life_days > 0)


def _raw_minor(view: View) -> Ints:
    return view.flagged.flow.lines.amount_minor[view.keep]


_define_raw("received_365d", "all amounts placed, whatever became of them", _raw_minor)
_define_raw("cancelled_365d", "amounts of cancelled orders",
            lambda view: _raw_minor(view) * view.flagged.flow.cancelled[view.keep])  # fmt: skip
_define_raw("unsettled_365d", "amounts worthless for want of settlement",
            lambda view: _raw_minor(view) * (view.nil & ~view.flagged.flow.cancelled[view.keep]))  # fmt: skip
_define_raw("flagged_365d", "amounts flagged as not genuine, neither cancelled nor unsettled",
            lambda view: view.received_minor * ~view.genuine)  # fmt: skip
_define_raw("refunded_365d", "refunds of the orders that are left",
            lambda view: view.placed_minor - view.net_minor)  # fmt: skip


@_define(
    "growth_30_90", "ratio", "90 days", "orders placed in the last 30 days over a third of the last 90 days'"
)
def _growth_30_90(view: View) -> Column:
    quarter = view.placed_days[:, -90:].sum(axis=1)
    return _known_if(
        ratio(3 * view.placed_days[:, -30:].sum(axis=1), quarter), (quarter > 0) & (view.life_days >= 90)
    )


@_define(
    "growth_90_180", "ratio", "180 days", "orders placed in the last 90 days over those of the 90 days before",
    "missing with less than 180 days of history, or nothing before",
)  # fmt: skip
def _growth_90_180(view: View) -> Column:
    before = view.placed_days[:, -180:-90].sum(axis=1)
    known = (before > 0) & (view.life_days >= 180)
    return _known_if(ratio(view.placed_days[:, -90:].sum(axis=1), before), known)


@_define(
    "growth_year", "ratio", "90 days and the same a year before",
    "year on year: orders placed in the last 90 days over those of the same 90 days a year before",
    "missing where those days lie before the first order, or nothing was sold in them",
)  # fmt: skip
def _growth_year(view: View) -> Column:
    before = view.placed_days[:, -90 - _YEAR : -_YEAR].sum(axis=1)
    known = (before > 0) & (view.life_days >= _YEAR + 90)
    return _known_if(ratio(view.placed_days[:, -90:].sum(axis=1), before), known)


_MOMENTUM_DAYS: Final = 180
_MOMENTUM_WEIGHTS: Final = recency_weights(_MOMENTUM_DAYS, 20)


def _define_momentum(name: str, meaning: str, grid: Callable[[View], Ints]) -> None:
    @_define(
        name, "ratio", "180 days",
        f"{meaning} of the last 180 days, weighted by recency (the weight halves every 20 days), over the same spread "
        "evenly: above 1 where the shop sells more of late",
        "missing with less than 30 days of history, or nothing in 180 days",
    )  # fmt: skip
    def _momentum(view: View) -> Column:
        days = grid(view)[:, -_MOMENTUM_DAYS:]
        known = (view.life_days >= BLOCK_DAYS) & (days.sum(axis=1) > 0)
        return _known_if(momentum(days, view.life_days, _MOMENTUM_WEIGHTS), known)


_define_momentum("momentum_orders", "orders", lambda view: view.order_days)
_define_momentum("momentum_sales", "amounts placed", lambda view: view.placed_days)


@_define(
    "trend", "ratio", "12 blocks", "least-squares slope of the blocks' placed orders per block, over their mean",
    "missing with fewer than 3 blocks",
)  # fmt: skip
def _trend(view: View) -> Column:
    blocks, existing = view.placed_blocks, view.existing_blocks
    total = blocks.sum(axis=1)
    step = np.arange(BLOCKS)[None, :] * 2 - (2 * BLOCKS - 1 - existing[:, None])
    lived = np.arange(BLOCKS) >= BLOCKS - existing[:, None]
    weighted = (blocks * np.where(lived, step, 0)).sum(axis=1)
    spread = np.maximum(existing * (existing * existing - 1), 1)
    slope = scaled(6.0 * weighted / spread / np.maximum(total / np.maximum(existing, 1), 1) * 10_000)
    return _known_if(slope, (existing >= 3) & (total > 0))


@_define(
    "weekly_variation", "ratio", "52 weeks", "coefficient of variation of weekly sales, orders placed",
    "missing with fewer than 4 weeks",
)  # fmt: skip
def _weekly_variation(view: View) -> Column:
    known = (view.life_days >= 28) & (view.placed_days[:, -7 * _WEEKS :].sum(axis=1) > 0)
    return _known_if(view.variation_of_weeks(view.placed_days), known)


@_define(
    "volatility", "ratio", "52 weeks",
    "coefficient of variation of deseasonalised weekly sales: days of named peaks brought down to the level of the other "
    "days; orders placed, before refunds; with flagged orders or without, whichever varies more",
    "missing with fewer than 4 weeks",
)  # fmt: skip
def _volatility(view: View) -> Column:
    found = view.variation_of_weeks(view.deseasonalised(view.placed_days))
    if view.received_days is not view.placed_days:
        found = np.maximum(found, view.variation_of_weeks(view.deseasonalised(view.received_days)))
    known = (view.life_days >= 28) & (view.placed_days[:, -7 * _WEEKS :].sum(axis=1) > 0)
    return _known_if(found, known)


@_define(
    "worst_fall",
    "ratio",
    "12 blocks",
    "largest fall of a block's placed orders below an earlier block's, as a share",
)
def _worst_fall(view: View) -> Column:
    blocks = view.placed_blocks
    peak = np.maximum.accumulate(blocks, axis=1)
    return _known_if(ratio(peak - blocks, peak).max(axis=1), (view.existing_blocks >= 2) & (peak[:, -1] > 0))


@_define(
    "days_without_sales",
    "days",
    "90 days",
    "days without an order",
    "days before the first order are not counted",
)
def _days_without_sales(view: View) -> Column:
    active = (view.order_days[:, -90:] > 0).sum(axis=1)
    return _known_if(np.maximum(np.minimum(view.life_days, 90) - active, 0), view.born)


@_define(
    "days_since_last_sale", "days", "all history", "days from the last order not cancelled to the cut-off"
)
def _days_since_last_sale(view: View) -> Column:
    last = view.last_day(view.genuine & ~view.nil)
    return _known_if(view.cut_off - last, last != NO_DAY)


@_define(
    "silence", "ratio", "180 days",
    "days since the last sale in units of this shop's usual gap: × days with an order / days of history within 180",
    "missing where no order of 180 days is left",
)  # fmt: skip
def _silence(view: View) -> Column:
    active = (view.order_days[:, -180:] > 0).sum(axis=1)
    last = view.last_day(view.genuine & ~view.nil)
    return _known_if(
        ratio((view.cut_off - last) * active, np.minimum(view.life_days, 180)),
        (active > 0) & (last != NO_DAY),
    )


@_define(
    "active_days",
    "ratio",
    "180 days",
    "share of days with an order",
    "over the days since the first order if fewer",
)
def _active_days(view: View) -> Column:
    active = (view.order_days[:, -180:] > 0).sum(axis=1)
    return _known_if(ratio(active, np.minimum(view.life_days, 180)), view.born)


@_define(
    "active_weeks",
    "ratio",
    "26 weeks",
    "share of weeks with an order",
    "over the weeks since the first if fewer",
)
def _active_weeks(view: View) -> Column:
    weeks = (view.order_days[:, -182:].reshape(view.shops, 26, 7).sum(axis=2) > 0).sum(axis=1)
    return _known_if(ratio(weeks, np.minimum(-(-view.life_days // 7), 26)), view.born)


@_define("orders_90d", "count", "90 days", "orders placed and not cancelled")
def _orders_90d(view: View) -> Column:
    return _known_if(view.order_days[:, -90:].sum(axis=1), view.born)


@_define("orders_180d", "count", "180 days", "orders placed and not cancelled")
def _orders_180d(view: View) -> Column:
    return _known_if(view.order_days[:, -180:].sum(axis=1), view.born)


@_define("order_growth", "ratio", "90 and 180 days", "orders of the last 90 days over half of the last 180 days'",
         "missing with less than 180 days of history, or no order in them")  # fmt: skip
def _order_growth(view: View) -> Column:
    half_year = view.order_days[:, -180:].sum(axis=1)
    known = (half_year > 0) & (view.life_days >= 180)
    return _known_if(ratio(2 * view.order_days[:, -90:].sum(axis=1), half_year), known)


@_define(
    "seasonality", "ratio", "12 blocks", "the highest block's share of twelve blocks' placed orders (even: 0.0833)",
    "missing with fewer than 12 blocks",
)  # fmt: skip
def _seasonality(view: View) -> Column:
    total = view.placed_blocks.sum(axis=1)
    known = (view.existing_blocks == BLOCKS) & (total > 0)
    return _known_if(ratio(view.placed_blocks.max(axis=1), total), known)


@_define(
    "promotion_share", "ratio", "365 days", "share of placed orders within the 30 days of named peaks",
    "missing with less than a year of history",
)  # fmt: skip
def _promotion_share(view: View) -> Column:
    year = view.placed_days[:, -_YEAR:]
    spans = peak_spans(view.cut_off - 2 * _YEAR, view.cut_off + 2 * BLOCK_DAYS, view.flagged.settings.peaks)
    days = np.arange(view.cut_off - _YEAR + 1, view.cut_off + 1)
    in_peak = np.zeros(_YEAR, dtype=np.bool_)
    for first, last in spans:
        in_peak |= (days >= first) & (days <= last)
    total = year.sum(axis=1)
    return _known_if(ratio(year[:, in_peak].sum(axis=1), total), (view.life_days >= _YEAR) & (total > 0))


@_define(
    "refund_rate", "ratio", "180 days",
    "refunds over amounts placed; with flagged orders or without, whichever is higher", "missing where nothing was sold",
)  # fmt: skip
def _refund_rate(view: View) -> Column:
    rate, known = _refunds_over_sales(view, 180)
    return _known_if(rate, known)


def _refunds_over_sales(view: View, days: int, skip: int = 0) -> tuple[Ints, Bools]:
    refunded = view.flagged.flow.refunded_minor[view.keep] * ~view.nil
    placed = view.in_window(view.placed_minor, days, skip)
    rate = ratio(view.in_window(refunded * view.genuine, days, skip), placed)
    if not view.genuine.all():
        received = view.in_window(view.received_minor, days, skip)
        rate = np.maximum(rate, ratio(view.in_window(refunded, days, skip), received))
    return rate, placed > 0


@_define(
    "refund_rate_trend", "ratio", "90 days and the 90 before", "refund rate of the last 90 days less that of the 90 before",
    "missing where nothing was sold in either",
)  # fmt: skip
def _refund_rate_trend(view: View) -> Column:
    now, known_now = _refunds_over_sales(view, 90)
    before, known_before = _refunds_over_sales(view, 90, 90)
    return _known_if(now - before, known_now & known_before)


@_define(
    "cancel_rate",
    "ratio",
    "180 days",
    "orders cancelled over orders, flagged ones left out",
    "missing without orders",
)
def _cancel_rate(view: View) -> Column:
    orders = view.flagged.flow.lines.starts_order[view.keep] * view.genuine
    placed = view.counted_in(orders, 180)
    return _known_if(
        ratio(view.counted_in(orders * view.flagged.flow.cancelled[view.keep], 180), placed), placed > 0
    )


@_define(
    "average_order",
    "amount",
    "180 days",
    "net sales per order not cancelled, rounded down",
    "missing without orders",
)
def _average_order(view: View) -> Column:
    orders = view.order_days[:, -180:].sum(axis=1)
    return _known_if(view.net_days[:, -180:].sum(axis=1) // np.maximum(orders, 1), orders > 0)


_BUYER_EDGE: Final = "missing where the buyer is known for less than half of the sales"


@_define("buyers", "count", "365 days", "distinct buyers", _BUYER_EDGE)
def _buyers(view: View) -> Column:
    return _known_if(view.buyers.number(), ~view.buyers.missing)


@_define("repeat_buyers", "ratio", "365 days", "share of buyers with at least two orders", _BUYER_EDGE)
def _repeat_buyers(view: View) -> Column:
    buyers = view.buyers
    return _known_if(ratio(buyers.number(buyers.orders >= 2), buyers.number()), ~buyers.missing)


@_define(
    "buyer_hhi",
    "ratio",
    "365 days",
    "Herfindahl index of buyers' placed orders, 1 for a single buyer",
    _BUYER_EDGE,
)
def _buyer_hhi(view: View) -> Column:
    return _known_if(view.buyers.hhi, ~view.buyers.missing)


@_define(
    "top_buyer_share", "ratio", "365 days",
    "largest buyer's share of placed orders; with flagged orders or without, whichever is higher", _BUYER_EDGE,
)  # fmt: skip
def _top_buyer_share(view: View) -> Column:
    share = np.maximum(view.buyers.top_share, view.all_buyers.top_share)
    return _known_if(share, ~view.buyers.missing)


@_define(
    "few_accounts",
    "count",
    "365 days",
    "1 where fewer than 20 buyers place 3 orders each or more on average: so few accounts cannot be told from one party",
    _BUYER_EDGE,
)
def _few_accounts(view: View) -> Column:
    return _known_if(view.all_buyers.few.astype(np.int64), ~view.buyers.missing)


@_define(
    "new_buyers",
    "ratio",
    "90 days",
    "share of the last 90 days' buyers who had not bought before",
    _BUYER_EDGE,
)
def _new_buyers(view: View) -> Column:
    buyers = view.buyers
    active = buyers.last > view.cut_off - 90
    number = buyers.number(active)
    fresh = buyers.number(active & (buyers.first > view.cut_off - 90))
    return _known_if(ratio(fresh, number), ~buyers.missing & (number > 0) & (view.life_days >= 180))


@_define("tenure", "days", "all history", "days from the first genuine order to the cut-off")
def _tenure(view: View) -> Column:
    return _known_if(view.cut_off - view.first_sale, view.born)


@_define(
    "settlement_cycle", "ratio", "180 days", "mean days from payment to settlement of settled lines",
    "missing where no settlement is reported",
)  # fmt: skip
def _settlement_cycle(view: View) -> Column:
    settled_day = view.flagged.flow.lines.settled_day[view.keep]
    settled = (settled_day != NO_DAY) & (settled_day <= view.flagged.flow.known_on) & view.genuine
    number = view.counted_in(settled, 180)
    waited = view.counted_in(np.maximum(settled_day - view.day, 0) * settled, 180)
    return _known_if(ratio(waited, number), number > 0)


@_define(
    "unsettled_receivable", "amount", "45 days", "net sales paid but not yet settled",
    "missing where no settlement is reported",
)  # fmt: skip
def _unsettled_receivable(view: View) -> Column:
    settled_day = view.flagged.flow.lines.settled_day[view.keep]
    settled = (settled_day != NO_DAY) & (settled_day <= view.flagged.flow.known_on)
    open_minor = view.per_shop(view.net_minor * ~settled)
    return _known_if(open_minor, view.per_shop(settled.astype(np.int64)) > 0)


@_define(
    "flagged_share", "ratio", "365 days", "flagged orders' share of all amounts placed", "0 where nothing was sold",
)  # fmt: skip
def _flagged_share(view: View) -> Column:
    received = view.in_window(view.received_minor, _YEAR)
    flagged = received - view.in_window(view.placed_minor, _YEAR)
    return _known_if(ratio(flagged, received), view.life_days > 0)


@_define(
    "last_peak_sales", "amount", "30 days around the coming named peak, a year before",
    "net sales of the same 30 days last year, where a named peak is at most 60 days ahead",
    "missing where no peak is near or those days lie before the first order",
)  # fmt: skip
def _last_peak_sales(view: View) -> Column:
    settings = view.flagged.settings
    coming = coming_peak(date.fromordinal(view.cut_off), settings.peaks, settings.peak_ahead_days)
    if coming is None:
        return Column(np.zeros(view.shops, dtype=np.int64), np.ones(view.shops, dtype=np.bool_))
    peak, year = coming
    first, last = peak.on(year - 1, "first").toordinal(), peak.on(year - 1, "last").toordinal()
    within = (view.day >= first) & (view.day <= last)
    sales = view.per_shop(view.net_minor * within)
    return _known_if(sales, view.born & (view.first_sale <= first))


def coming_peak(day: date, peaks: tuple[Peak, ...], ahead_days: int) -> tuple[Peak, int] | None:
    """The next named peak on or after *day*, at most *ahead_days* away, with its year.

    >>> coming_peak(date(2025, 5, 1), SHIPPED_PEAKS, 60)[0].name
    '6.18'
    """
    near = [(peak.on(year), year, peak) for peak in peaks for year in (day.year, day.year + 1)]
    near = [each for each in near if 0 <= (each[0] - day).days <= ahead_days]
    if not near:
        return None
    _, year, peak = min(near, key=lambda each: each[0])
    return peak, year
