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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from ..clock import DEFAULT_ZONE
from ..days import parse_date
from .flow import NO_DAY, Bools, Ints, KnownFlow, SalesLines, known_flow, sales_lines
from .frames import Shape, is_duckdb, is_spark, on_spark, parts_of
from .genuine import BuyerGroups, buyer_groups, flag_lines
from .kernels import (
    amount_sums,
    beyond_gradations,
    first_of_runs,
    late_share,
    peak_spans,
    ratio,
    recency_weights,
    running_total,
    scaled,
    stretches,
    sums_of_runs,
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
#: Lines computed together: few enough that their arrays stay near the processor.
LINES_AT_ONCE: Final = 200_000
_LAGS: Final = Lags()
_DETECTORS: Final = Detectors()
_FEW: Final = 20  # fewer buyers, with
_OFTEN: Final = 3  # so many orders each, are taken for one party
_REGULAR: Final = 8  # orders in a year
_ONE_PARTY: Final = 5  # so many accounts that stand apart are taken for one party
_REPEATED: Final = np.array(2)  # orders: the first gradation above those of a passer-by
_UNEXPECTED: Final = 0.05  # a chance so low that a shop's own gradations would lead to such regulars
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

    *frame*: pandas, polars or pyarrow frame, DuckDB relation (streamed), Spark frame (computed on its workers), mapping
    of columns, list of rows or :class:`SalesLines`. Amounts are in *currency*; floats are refused. Raises BadInput,
    InvalidAmount or InvalidDate for what cannot be read.

    *Source:* SEMANTICS 8; CONTRACT 3.

    >>> rows = [{"shop_id": "s", "order_id": "1", "paid_at": "2025-05-01T10:00:00", "amount": "12.30"}]
    >>> features(rows, as_of=date(2025, 5, 3)).row("s")["days_since_last_sale"]
    2
    """
    day, settings = parse_date(as_of, "as_of"), settings or Settings()
    if is_spark(frame):
        return _spark_table(frame, day, settings, currency, zone)
    if is_duckdb(frame):
        parts: Iterable[SalesLines] = parts_of(frame, currency=currency, zone=zone)
    else:
        parts = sales_lines(frame, currency=currency, zone=zone).parts(LINES_AT_ONCE)
    return joined([feature_table(flagged_flow(part, day, settings), cut_off=day) for part in parts])


def _spark_table(frame: object, day: date, settings: Settings, currency: str, zone: str) -> FeatureTable:
    names = tuple(_COMPUTE)

    def read(lines: SalesLines) -> Iterator[tuple[object, ...]]:
        table = feature_table(flagged_flow(lines, day, settings), cut_off=day)
        for index, shop in enumerate(table.shops):
            columns = (table.columns[name] for name in names)
            yield shop, *(None if c.missing[index] else int(c.values[index]) for c in columns)

    schema = ", ".join(["shop_id string", *(f"{name} bigint" for name in names)])
    rows = sorted(
        on_spark(frame, Shape(schema, read), currency=currency, zone=zone), key=lambda row: str(row[0])
    )
    columns = {name: _column_of([row[place] for row in rows]) for place, name in enumerate(names, start=1)}
    return FeatureTable(tuple(str(row[0]) for row in rows), day, day, columns)


def column_of_values(values: Sequence[Value], name: str) -> Column:
    """The inverse of reading a row: values of the feature *name* as a column."""
    scale = 4 if DEFINITIONS[name].unit == "ratio" else 0
    return _column_of([None if value is None else int(Decimal(value).scaleb(scale)) for value in values])


def _column_of(values: Sequence[int | None]) -> Column:
    """A column from whole numbers of its unit, None where missing."""
    whole = np.array([0 if value is None else value for value in values], dtype=np.int64)
    return Column(whole, np.array([value is None for value in values], dtype=np.bool_))


def joined(parts: Sequence[FeatureTable]) -> FeatureTable:
    """The shops of all *parts*, one after the other, as one table."""
    if len(parts) == 1:
        return parts[0]
    columns = {
        name: Column(
            np.concatenate([part.columns[name].values for part in parts]),
            np.concatenate([part.columns[name].missing for part in parts]),
        )
        for name in parts[0].columns
    }
    shops = tuple(shop for part in parts for shop in part.shops)
    return FeatureTable(shops, parts[0].cut_off, parts[0].known_on, columns)


#: The hash of a flow without a line.
NO_FLOW: Final = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class FlaggedFlow:
    """A flow as known on a day, with one code per line saying whether it is genuine."""

    flow: KnownFlow
    flagged: Ints
    groups: BuyerGroups
    settings: Settings

    def of_shops(self, shops: Ints) -> FlaggedFlow:
        """The flow of the shops at these positions, which must rise; flags stand."""
        wanted = np.zeros(len(self.flow.lines.shops), dtype=np.bool_)
        wanted[shops] = True
        here = wanted[self.flow.lines.shop]
        flow = self.flow.take(here, self.flow.lines.of_shops(shops.tolist()))
        return FlaggedFlow(flow, self.flagged[here], buyer_groups(flow), self.settings)

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
    groups = buyer_groups(flow)
    return FlaggedFlow(flow, flag_lines(flow, settings.detectors, settings.peaks, groups), groups, settings)


def feature_table(
    flagged: FlaggedFlow, *, cut_off: date, settled_only: bool = False, only: Iterable[str] | None = None
) -> FeatureTable:
    """All features, or *only* those named, over windows that end on *cut_off*, with the knowledge of the flow's day.

    ``settled_only``: lines not yet settled count for nothing, where the platform reports settlement.
    """
    view = View(flagged, cut_off.toordinal(), settled_only)
    columns = {name: _COMPUTE[name](view) for name in (_COMPUTE if only is None else only)}
    lines = flagged.flow.lines
    if lines.is_total.any():
        columns = {
            name: _unknown_of_orders(name, column, lines.with_totals) for name, column in columns.items()
        }
    known_on = date.fromordinal(flagged.flow.known_on)
    return FeatureTable(flagged.flow.lines.shops, cut_off, known_on, columns)


#: What cannot be told of a shop some of whose days are known by their totals only.
_OF_ORDERS: Final = frozenset({
    "orders_90d", "orders_180d", "order_growth", "momentum_orders", "cancel_rate", "average_order", "settlement_cycle",
    "buyers", "repeat_buyers", "buyer_hhi", "top_buyer_share", "few_accounts", "apart_share", "new_buyers",
})  # fmt: skip


def _unknown_of_orders(name: str, column: Column, totals: Bools) -> Column:
    return replace(column, missing=column.missing | totals) if name in _OF_ORDERS else column


_APART: Final = 4_000_000  # more days than any calendar has, so that shops do not touch on one axis
_EVER: Final = _APART - 1
_FEWER: Final = 8  # times fewer edges than entries: then looking each up is quicker than counting all entries


class Axis:
    """Where days lie among sorted entries of shops and days: the positions that part windows and periods."""

    def __init__(self, moment: Ints, shop: Ints, shops: int, cut_off: int) -> None:
        self.moment, self.shop, self.shops, self.cut_off = moment, shop, shops, cut_off
        self._bounds: dict[int, Ints] = {}
        self._edges: dict[tuple[int, int], Ints] = {}
        self._zero = np.arange(shops) * _APART + cut_off + 1

    @cached_property
    def age(self) -> Ints:
        """Days before the cut-off; 0 is the cut-off's own day."""
        return self.shop * _APART + self.cut_off - self.moment

    def bound(self, age: int) -> Ints:
        """Per shop the position of its first entry younger than *age* days."""
        if age not in self._bounds:
            self._bounds[age] = self.moment.searchsorted(self._zero - age)
        return self._bounds[age]

    def edges(self, width: int, number: int) -> Ints:
        """Per shop the positions that part its entries into *number* periods of *width* days, oldest first."""
        if (width, number) not in self._edges:
            few = _FEWER * self.shops * number < len(self.moment)
            self._edges[width, number] = (self._found if few else self._counted)(width, number)
        return self._edges[width, number]

    def _found(self, width: int, number: int) -> Ints:
        return self.moment.searchsorted(self._zero[:, None] - width * np.arange(number, -1, -1))

    def _counted(self, width: int, number: int) -> Ints:
        period_of_age = np.maximum(number - np.arange(width * number + 1) // width, 0)  # 0: older than all
        period = period_of_age[np.minimum(self.age, width * number)]
        number_in = np.bincount(self.shop * (number + 1) + period, minlength=self.shops * (number + 1))
        return np.cumsum(number_in).reshape(self.shops, number + 1)


class View:
    """The sums the features are made of: lines paid by the cut-off, brought together per shop and day, or per buyer.

    Lines are sorted by shop and day, so a sum over any window of a shop is the difference of two running totals; a
    platform costs a few passes over its lines however many windows there are.
    """

    def __init__(self, flagged: FlaggedFlow, cut_off: int, settled_only: bool = False) -> None:
        paid = flagged.flow.lines.paid_day
        self.flagged, self.cut_off, self.settled_only = flagged, cut_off, settled_only
        self.shops = len(flagged.flow.lines.shops)
        self.keep: Bools | slice = slice(None) if flagged.flow.known_on <= cut_off else paid <= cut_off

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
    def all_genuine(self) -> bool:
        return bool(self.genuine.all())

    @cached_property
    def nil(self) -> Bools:
        """Lines worth nothing: cancelled, or without the settlement they need."""
        flow = self.flagged.flow
        return (flow.nil | flow.unsettled if self.settled_only else flow.nil)[self.keep]

    @cached_property
    def received_minor(self) -> Ints:
        """Amounts placed, flagged lines included."""
        return self.flagged.flow.lines.amount_minor[self.keep] * ~self.nil

    @cached_property
    def placed_minor(self) -> Ints:
        """Amounts placed by genuine buyers, before refunds."""
        return self.received_minor if self.all_genuine else self.received_minor * self.genuine

    @cached_property
    def net_minor(self) -> Ints:
        return self.flagged.flow.net_minor[self.keep] * (self.genuine & ~self.nil)

    @cached_property
    def refunded_minor(self) -> Ints:
        """Refunds of lines that are worth something, flagged ones included."""
        return self.flagged.flow.refunded_minor[self.keep] * ~self.nil

    @cached_property
    def refunded(self) -> Daily:
        return self.daily(self.refunded_minor)

    @cached_property
    def settled(self) -> Bools:
        """Lines whose settlement was known."""
        day = self.flagged.flow.lines.settled_day[self.keep]
        known: Bools = (day != NO_DAY) & (day <= self.flagged.flow.known_on)
        return known

    # runs: shop × day -------------------------------------------------------------------------------------------------

    @cached_property
    def lines(self) -> Axis:
        """The lines by shop and day."""
        return Axis(self.shop * _APART + self.day, self.shop, self.shops, self.cut_off)

    @cached_property
    def run_starts(self) -> Ints:
        return first_of_runs(self.lines.moment).nonzero()[0]

    @cached_property
    def runs(self) -> Axis:
        """The days with lines by shop and day."""
        return Axis(self.lines.moment[self.run_starts], self.shop[self.run_starts], self.shops, self.cut_off)

    def daily(self, of_lines: Ints) -> Daily:
        """Whole numbers of lines, for sums over any window."""
        return Daily(self.lines, of_lines)

    def summed(self, of_lines: Ints | Bools, days: int) -> Ints:
        """Whole numbers of lines less than *days* days old added up per shop: cheaper than a running total for one window."""
        starts, ends = self.lines.bound(days), self.lines.bound(0)
        padded = np.zeros(len(of_lines) + 1, dtype=np.int64)
        padded[:-1] = of_lines
        parts = np.empty(2 * self.shops, dtype=np.int64)
        parts[::2], parts[1::2] = starts, ends
        sums: Ints = np.add.reduceat(padded, parts)[::2] if self.shops else padded[:0]
        return sums * (starts < ends)

    def by_day(self, daily: Daily) -> Daily:
        """The same per day with lines instead of per line."""
        if daily.axis is self.runs or len(self.run_starts) == len(daily.values):
            return daily
        return Daily(self.runs, np.diff(daily.running[np.append(self.run_starts, len(daily.values))]))

    @cached_property
    def net(self) -> Daily:
        return self.daily(self.net_minor)

    @cached_property
    def placed(self) -> Daily:
        return self.daily(self.placed_minor)

    @cached_property
    def received(self) -> Daily:
        return self.placed if self.all_genuine else self.daily(self.received_minor)

    @cached_property
    def orders(self) -> Daily:
        """Genuine orders that were neither cancelled nor left unsettled."""
        return self.daily(self.flagged.flow.lines.starts_order[self.keep] * (self.genuine & ~self.nil))

    @cached_property
    def active(self) -> Daily:
        """1 for a day with such an order."""
        orders = self.by_day(self.orders)
        return Daily(orders.axis, (orders.values > 0).astype(np.int64))

    # life of the shop -------------------------------------------------------------------------------------------------

    @cached_property
    def last_sale(self) -> Ints:
        """The day of the last genuine line worth something per shop; NO_DAY where there is none."""
        chosen = self.genuine & ~self.nil
        shop, day = self.shop[chosen], self.day[chosen]
        last = np.full(self.shops, NO_DAY, dtype=np.int64)
        ends = np.searchsorted(shop, np.arange(1, self.shops + 1)) - 1
        known = (
            (ends >= 0) & (shop[ends] == np.arange(self.shops))
            if len(shop)
            else np.zeros(self.shops, np.bool_)
        )
        last[known] = day[ends[known]]
        return last

    def first_day(self, shop: Ints, day: Ints) -> Ints:
        """The first day per shop of lines sorted by shop and day; NO_DAY where there is none."""
        first = np.full(self.shops, NO_DAY, dtype=np.int64)
        starts = first_of_runs(shop).nonzero()[0]
        first[shop[starts]] = day[starts]
        return first

    @cached_property
    def first_line(self) -> Ints:
        return self.first_day(self.shop, self.day)

    @cached_property
    def first_sale(self) -> Ints:
        """The first day with a genuine line per shop; NO_DAY where there is none."""
        if self.all_genuine:
            return self.first_line
        return self.first_day(self.shop[self.genuine], self.day[self.genuine])

    @cached_property
    def born(self) -> Bools:
        """Shops with a genuine order by the cut-off."""
        known: Bools = self.first_sale != NO_DAY
        return known

    @cached_property
    def life_days(self) -> Ints:
        """Days from the first order to the cut-off, both counted; flagged orders count too, so that none shortens it."""
        return np.where(self.first_line == NO_DAY, 0, self.cut_off - self.first_line + 1)

    @cached_property
    def existing_blocks(self) -> Ints:
        return np.minimum(-(-self.life_days // BLOCK_DAYS), BLOCKS)

    @cached_property
    def net_blocks(self) -> Ints:
        """Twelve 30-day blocks per shop, oldest first, the last ending on the cut-off."""
        return self.net.periods(BLOCK_DAYS, BLOCKS)

    @cached_property
    def placed_blocks(self) -> Ints:
        return self.placed.periods(BLOCK_DAYS, BLOCKS)

    def variation_of_weeks(self, daily: Daily) -> Ints:
        """Standard deviation over mean of up to 52 weekly sums."""
        return variation(daily.periods(7, _WEEKS), np.minimum(-(-self.life_days // 7), _WEEKS))

    @cached_property
    def year_spans(self) -> list[tuple[int, int]]:
        """Oldest and youngest age of every peak's 30 days that lie wholly within 52 weeks."""
        peaks = self.flagged.settings.peaks
        spans = peak_spans(self.cut_off - 7 * _WEEKS + 1, self.cut_off, peaks)
        return [(self.cut_off - first, self.cut_off - last) for first, last in spans]

    @cached_property
    def year_peaks(self) -> list[tuple[int, int]]:
        """The same days as stretches that do not touch."""
        return stretches(self.year_spans)

    @cached_property
    def ordinary_days(self) -> Ints:
        """Per shop its days of 52 weeks outside named peaks."""
        lived: Ints = np.minimum(self.life_days, 7 * _WEEKS)
        for oldest, youngest in self.year_peaks:
            lived = lived - np.minimum(np.maximum(self.life_days - youngest, 0), oldest - youngest + 1)
        return lived

    def deseasonalised(self, daily: Daily) -> Daily:
        """The days of named peaks brought down to the level of the other days, where they lie above it."""
        if not self.year_spans:
            return daily
        base_days = self.ordinary_days
        base = (daily.window(7 * _WEEKS) - daily.within(self.year_peaks)) / np.maximum(base_days, 1)
        factors = np.ones((len(self.year_spans), self.shops))
        for number, (oldest, youngest) in enumerate(self.year_spans):
            high = daily.window(oldest - youngest + 1, youngest) / (oldest - youngest + 1)
            lowered = np.minimum(1.0, base / np.maximum(high, 1.0))
            factors[number] = np.where((base_days >= 90) & (self.life_days > oldest), lowered, 1.0)
        within, span, shop = self.peak_lines
        level = daily.values.copy()
        level[within] = np.floor(level[within] * factors[span, shop]).astype(np.int64)
        return Daily(daily.axis, level)

    @cached_property
    def peak_lines(self) -> tuple[Ints, Ints, Ints]:
        """The lines within named peaks: their positions, which of the year's spans, and whose they are."""
        span_of_age = np.full(7 * _WEEKS + 1, -1)
        for number, (oldest, youngest) in enumerate(self.year_spans):
            span_of_age[youngest : oldest + 1] = number
        span = span_of_age[np.minimum(self.lines.age, 7 * _WEEKS)]
        within = (span >= 0).nonzero()[0]
        return within, span[within], self.shop[within]

    def momentum(self, daily: Daily, weights: Ints) -> Ints:
        """How late a shop's sum of as many days as there are *weights* lies; see ``kernels.late_share``.

        Large days are first brought to 40 bits, so that the weighted sum is exact in 64-bit integers.
        """
        number = len(weights)
        if len(daily.values) and int(daily.values.max()) >> 20:
            daily = self._shortened(self.by_day(daily), number)
        of_age = np.append(weights[::-1], 0)
        weighted = daily.values * of_age[np.minimum(daily.axis.age, number)]
        late = (
            self.summed(weighted, number) if daily.axis is self.lines else Daily(daily.axis, weighted).total()
        )
        return late_share(late, daily.window(number), self.life_days, weights)

    def _shortened(self, daily: Daily, number: int) -> Daily:
        small = daily.values * (daily.axis.age < number)
        largest = np.zeros(self.shops, dtype=np.int64)
        np.maximum.at(largest, daily.axis.shop, np.abs(small))
        shift = np.maximum(np.frexp(largest.astype(np.float64))[1].astype(np.int64) - 40, 0)
        return Daily(daily.axis, small >> shift[daily.axis.shop])

    # buyers -----------------------------------------------------------------------------------------------------------

    @cached_property
    def buyers(self) -> Buyers:
        return Buyers(self, None if self.all_genuine else self.genuine)

    @cached_property
    def party(self) -> tuple[Ints, Bools]:
        """Largest buyer's share and whether a few accounts make up the shop, flagged orders counted or not, the worse."""
        share, few = self.buyers.top_share.copy(), self.buyers.few.copy()
        if not self.all_genuine:
            doubtful = self.shop[~self.genuine]
            tainted = doubtful[first_of_runs(doubtful)]  # in other shops both are the same
            every = Buyers(self if len(tainted) == self.shops else self.of_shops(tainted), None)
            share[tainted], few[tainted] = np.maximum(share[tainted], every.top_share), every.few
        return share, few

    def of_shops(self, shops: Ints) -> View:
        """The same view of some of the shops."""
        return View(self.flagged.of_shops(shops), self.cut_off, self.settled_only)


class Daily:
    """Whole numbers along an axis with their running total: any window of any shop is a difference."""

    def __init__(self, axis: Axis, values: Ints) -> None:
        self.axis, self.values = axis, values
        self._windows: dict[tuple[int, int], Ints] = {}

    @cached_property
    def running(self) -> Ints:
        return running_total(self.values)

    def window(self, days: int, skip: int = 0) -> Ints:
        """Sums per shop of days at least *skip* and less than *skip* + *days* old."""
        known = self._windows.get((days, skip))
        if known is None:
            bound, running = self.axis.bound, self.running
            known = self._windows[days, skip] = running[bound(skip)] - running[bound(skip + days)]
        return known

    def total(self) -> Ints:
        """Sums per shop of all days up to the cut-off."""
        return self.window(_EVER)

    def periods(self, width: int, number: int) -> Ints:
        """Sums per shop and period of *width* days, oldest first."""
        reached = self.running[self.axis.edges(width, number)]
        return reached[:, 1:] - reached[:, :-1]

    def within(self, ages: Sequence[tuple[int, int]]) -> Ints:
        """Sums per shop of the days of these stretches of ages, each from its oldest to its youngest."""
        found: Ints = np.zeros(self.axis.shops, dtype=np.int64)
        for oldest, youngest in ages:
            found = found + self.window(oldest - youngest + 1, youngest)
        return found


class Buyers:
    """Buyers of each shop over the year to the cut-off, by sales placed and not cancelled."""

    def __init__(self, view: View, chosen: Bools | None) -> None:
        """Of the *chosen* lines of the view, by default all."""
        groups, lines = view.flagged.groups, view.flagged.flow.lines
        worth = ~view.nil if chosen is None else chosen & ~view.nil
        taken = np.zeros(len(lines), dtype=np.bool_)
        taken[view.keep] = worth
        here = taken[groups.index].nonzero()[0]  # places among the lines brought together by buyer
        day, pair = groups.day[here], groups.pair[here]
        starts = first_of_runs(pair).nonzero()[0]
        recent = day > view.cut_off - _YEAR
        orders = sums_of_runs(groups.starts_order[here] * recent, starts)
        active = (orders > 0).nonzero()[0]
        ends = np.append(starts, len(here))[1:] - 1
        amount = lines.amount_minor[groups.index[here]] * recent
        self.shop, self.orders = groups.shop[pair[starts[active]]], orders[active]
        self.sales = sums_of_runs(amount, starts)[active]
        self.first, self.last = day[starts[active]], day[ends[active]]
        self.shops = view.shops
        self.known = amount_sums(self.shop, view.shops, self.sales)
        placed = view.received if chosen is None else view.placed
        self.missing = (self.known <= 0) | (_BUYER_COVERAGE * self.known < placed.window(_YEAR))

    def number(self, chosen: Bools | None = None) -> Ints:
        """How many (of the chosen) buyers each shop has."""
        shop = self.shop if chosen is None else self.shop[chosen]
        return np.bincount(shop, minlength=self.shops)

    @cached_property
    def few(self) -> Bools:
        """Shops with a handful of accounts that order again and again."""
        number, orders = self.number(), amount_sums(self.shop, self.shops, self.orders)
        found: Bools = (number < _FEW) & (orders >= _OFTEN * number) & (number > 0)
        return found

    @cached_property
    def apart_sales(self) -> Ints:
        """Per shop the sales of the accounts that stand apart from all others by how often they order."""
        sales = np.zeros(self.shops, dtype=np.int64)
        often = self.orders >= _REGULAR
        if not often.any():
            return sales
        regular = often.nonzero()[0]
        beyond = beyond_gradations(
            self.shop, self.orders, often, self.shops, unit=_REPEATED, chance=_UNEXPECTED
        )
        apart = regular[self._outnumber(regular) | beyond[regular]]
        least = np.full(self.shops, np.iinfo(np.int64).max, dtype=np.int64)
        np.minimum.at(least, self.shop[apart], self.orders[apart])
        chosen = regular[self.orders[regular] >= least[self.shop[regular]]]
        np.add.at(sales, self.shop[chosen], self.sales[chosen])
        return sales

    def _outnumber(self, regular: Ints) -> Bools:
        """Whether those who order as often as these or more are many, and more than those who order half as often."""
        width = int(self.orders.max()) + 1
        shop, often = self.shop[regular], self.orders[regular]
        ranked = np.sort(self.shop * width + self.orders)
        start = np.searchsorted(ranked, shop * width + often)
        as_often = np.searchsorted(ranked, (shop + 1) * width) - start
        half_as_often = start - np.searchsorted(ranked, shop * width + (often + 1) // 2)
        found: Bools = (as_often >= _ONE_PARTY) & (as_often > half_as_often)
        return found

    @cached_property
    def apart_share(self) -> Ints:
        """Their part of sales with a known buyer, in ten-thousandths."""
        return ratio(self.apart_sales, self.known)

    @cached_property
    def top_share(self) -> Ints:
        """The largest buyer's part of sales with a known buyer, in ten-thousandths; few accounts are one party."""
        top = self.apart_sales.copy()
        if len(self.shop):
            starts = first_of_runs(self.shop).nonzero()[0]
            of_shop = self.shop[starts]
            top[of_shop] = np.maximum(top[of_shop], np.maximum.reduceat(self.sales, starts))
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
    return Column(values * known, ~known)


def _define_sales(days: int) -> None:
    @_define(f"sales_{days}d", "amount", f"{days} days", "net sales", "0 where nothing was sold")
    def _sales(view: View) -> Column:
        return _known_if(view.net.window(days), view.born)


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
        return _known_if(view.summed(part(view), _YEAR), view.life_days > 0)


def _raw_minor(view: View) -> Ints:
    return view.flagged.flow.lines.amount_minor[view.keep]


_define_raw("received_365d", "all amounts placed, whatever became of them", _raw_minor)
_define_raw("cancelled_365d", "amounts of cancelled orders",
            lambda view: _raw_minor(view) * view.flagged.flow.cancelled[view.keep])  # fmt: skip
_define_raw("unsettled_365d", "amounts worthless for want of settlement",
            lambda view: _raw_minor(view) * (view.nil & ~view.flagged.flow.cancelled[view.keep]))  # fmt: skip
_define_raw("flagged_365d", "amounts flagged as not genuine, neither cancelled nor unsettled",
            lambda view: view.received_minor - view.placed_minor)  # fmt: skip
_define_raw("refunded_365d", "refunds of the orders that are left",
            lambda view: view.placed_minor - view.net_minor)  # fmt: skip


@_define(
    "growth_30_90", "ratio", "90 days", "orders placed in the last 30 days over a third of the last 90 days'"
)
def _growth_30_90(view: View) -> Column:
    quarter = view.placed.window(90)
    return _known_if(ratio(3 * view.placed.window(30), quarter), (quarter > 0) & (view.life_days >= 90))


@_define(
    "growth_90_180", "ratio", "180 days", "orders placed in the last 90 days over those of the 90 days before",
    "missing with less than 180 days of history, or nothing before",
)  # fmt: skip
def _growth_90_180(view: View) -> Column:
    before = view.placed.window(90, 90)
    known = (before > 0) & (view.life_days >= 180)
    return _known_if(ratio(view.placed.window(90), before), known)


@_define(
    "growth_year", "ratio", "90 days and the same a year before",
    "year on year: orders placed in the last 90 days over those of the same 90 days a year before",
    "missing where those days lie before the first order, or nothing was sold in them",
)  # fmt: skip
def _growth_year(view: View) -> Column:
    before = view.placed.window(90, _YEAR)
    known = (before > 0) & (view.life_days >= _YEAR + 90)
    return _known_if(ratio(view.placed.window(90), before), known)


_MOMENTUM_DAYS: Final = 180
_MOMENTUM_WEIGHTS: Final = recency_weights(_MOMENTUM_DAYS, 20)


def _define_momentum(name: str, meaning: str, daily: Callable[[View], Daily]) -> None:
    @_define(
        name, "ratio", "180 days",
        f"{meaning} of the last 180 days, weighted by recency (the weight halves every 20 days), over the same spread "
        "evenly: above 1 where the shop sells more of late",
        "missing with less than 30 days of history, or nothing in 180 days",
    )  # fmt: skip
    def _momentum(view: View) -> Column:
        known = (view.life_days >= BLOCK_DAYS) & (daily(view).window(_MOMENTUM_DAYS) > 0)
        return _known_if(view.momentum(daily(view), _MOMENTUM_WEIGHTS), known)


_define_momentum("momentum_orders", "orders", lambda view: view.orders)
_define_momentum("momentum_sales", "amounts placed", lambda view: view.placed)


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
    known = (view.life_days >= 28) & (view.placed.window(7 * _WEEKS) > 0)
    return _known_if(view.variation_of_weeks(view.placed), known)


@_define(
    "volatility", "ratio", "52 weeks",
    "coefficient of variation of deseasonalised weekly sales: days of named peaks brought down to the level of the other "
    "days; orders placed, before refunds; with flagged orders or without, whichever varies more",
    "missing with fewer than 4 weeks",
)  # fmt: skip
def _volatility(view: View) -> Column:
    found = view.variation_of_weeks(view.deseasonalised(view.placed))
    if not view.all_genuine:
        found = np.maximum(found, view.variation_of_weeks(view.deseasonalised(view.received)))
    known = (view.life_days >= 28) & (view.placed.window(7 * _WEEKS) > 0)
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
    active = view.active.window(90)
    return _known_if(np.maximum(np.minimum(view.life_days, 90) - active, 0), view.born)


@_define(
    "days_since_last_sale", "days", "all history", "days from the last order not cancelled to the cut-off"
)
def _days_since_last_sale(view: View) -> Column:
    last = view.last_sale
    return _known_if(view.cut_off - last, last != NO_DAY)


@_define(
    "silence", "ratio", "180 days",
    "days since the last sale in units of this shop's usual gap: × days with an order / days of history within 180",
    "missing where no order of 180 days is left",
)  # fmt: skip
def _silence(view: View) -> Column:
    active = view.active.window(180)
    last = view.last_sale
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
    active = view.active.window(180)
    return _known_if(ratio(active, np.minimum(view.life_days, 180)), view.born)


@_define(
    "active_weeks",
    "ratio",
    "26 weeks",
    "share of weeks with an order",
    "over the weeks since the first if fewer",
)
def _active_weeks(view: View) -> Column:
    weeks = (view.orders.periods(7, _WEEKS)[:, -26:] > 0).sum(axis=1)
    return _known_if(ratio(weeks, np.minimum(-(-view.life_days // 7), 26)), view.born)


@_define("orders_90d", "count", "90 days", "orders placed and not cancelled")
def _orders_90d(view: View) -> Column:
    return _known_if(view.orders.window(90), view.born)


@_define("orders_180d", "count", "180 days", "orders placed and not cancelled")
def _orders_180d(view: View) -> Column:
    return _known_if(view.orders.window(180), view.born)


@_define("order_growth", "ratio", "90 and 180 days", "orders of the last 90 days over half of the last 180 days'",
         "missing with less than 180 days of history, or no order in them")  # fmt: skip
def _order_growth(view: View) -> Column:
    half_year = view.orders.window(180)
    known = (half_year > 0) & (view.life_days >= 180)
    return _known_if(ratio(2 * view.orders.window(90), half_year), known)


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
    spans = peak_spans(view.cut_off - 2 * _YEAR, view.cut_off + 2 * BLOCK_DAYS, view.flagged.settings.peaks)
    ages = [(view.cut_off - first, view.cut_off - last) for first, last in spans]
    of_year = [(min(oldest, _YEAR - 1), max(youngest, 0)) for oldest, youngest in ages]
    in_peak = stretches([span for span in of_year if span[0] >= span[1]])
    total = view.placed.window(_YEAR)
    known = (view.life_days >= _YEAR) & (total > 0)
    return _known_if(ratio(view.placed.within(in_peak), total), known)


@_define(
    "refund_rate", "ratio", "180 days",
    "refunds over amounts placed; with flagged orders or without, whichever is higher", "missing where nothing was sold",
)  # fmt: skip
def _refund_rate(view: View) -> Column:
    rate, known = _refunds_over_sales(view, 180)
    return _known_if(rate, known)


def _refunds_over_sales(view: View, days: int, skip: int = 0) -> tuple[Ints, Bools]:
    placed = view.placed.window(days, skip)
    rate = ratio(placed - view.net.window(days, skip), placed)
    if not view.all_genuine:
        refunded = view.refunded.window(days, skip)
        rate = np.maximum(rate, ratio(refunded, view.received.window(days, skip)))
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
    placed = view.summed(orders, 180)
    cancelled = view.summed(orders * view.flagged.flow.cancelled[view.keep], 180)
    return _known_if(ratio(cancelled, placed), placed > 0)


@_define(
    "average_order",
    "amount",
    "180 days",
    "net sales per order not cancelled, rounded down",
    "missing without orders",
)
def _average_order(view: View) -> Column:
    orders = view.orders.window(180)
    return _known_if(view.net.window(180) // np.maximum(orders, 1), orders > 0)


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
    return _known_if(view.party[0], ~view.buyers.missing)


@_define(
    "few_accounts",
    "count",
    "365 days",
    "1 where fewer than 20 buyers place 3 orders each or more on average: so few accounts cannot be told from one party",
    _BUYER_EDGE,
)
def _few_accounts(view: View) -> Column:
    return _known_if(view.party[1].astype(np.int64), ~view.buyers.missing)


@_define(
    "apart_share", "ratio", "365 days",
    "share of placed orders from accounts that stand apart: 8 orders a year or more, where 5 or more order so often and more "
    "than order half as often, or where those who order 2 and 4 times would lead to so many in less than 5 of 100 shops; a "
    "shop's own regulars come in all gradations",
    _BUYER_EDGE,
)  # fmt: skip
def _apart_share(view: View) -> Column:
    return _known_if(view.buyers.apart_share, ~view.buyers.missing)


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
    settled = view.settled & view.genuine
    number = view.summed(settled, 180)
    waited = np.maximum(view.flagged.flow.lines.settled_day[view.keep] - view.day, 0) * settled
    return _known_if(ratio(view.summed(waited, 180), number), number > 0)


@_define(
    "unsettled_receivable", "amount", "45 days", "net sales paid but not yet settled",
    "missing where no settlement is reported",
)  # fmt: skip
def _unsettled_receivable(view: View) -> Column:
    open_minor = view.summed(view.net_minor * ~view.settled, _EVER)
    return _known_if(open_minor, view.summed(view.settled, _EVER) > 0)


@_define(
    "flagged_share", "ratio", "365 days", "flagged orders' share of all amounts placed", "0 where nothing was sold",
)  # fmt: skip
def _flagged_share(view: View) -> Column:
    received = view.received.window(_YEAR)
    flagged = received - view.placed.window(_YEAR)
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
    sales = view.net.window(last - first + 1, view.cut_off - last)
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
