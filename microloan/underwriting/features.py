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
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from ..clock import DEFAULT_ZONE
from ..days import parse_date
from ..kept import kept
from .flow import NO_DAY, Bools, Ints, KnownFlow, SalesLines, known_flow, sales_lines
from .frames import Shape, is_duckdb, is_spark, on_spark, parts_of
from .genuine import BuyerGroups, buyer_groups, flag_lines
from .kernels import (
    amount_sums,
    beyond_gradations,
    ends_of_runs,
    first_of_runs,
    late_share,
    peak_spans,
    ratio,
    recency_weights,
    running_total,
    scaled,
    stretches,
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


class Column(NamedTuple):
    """A feature's values, one per shop, in whole numbers of its unit; ``missing`` marks those that are not known."""

    values: Ints
    missing: Bools


class Figure(NamedTuple):
    """What a definition finds per shop: whole numbers, where they are ``known``, and what they are a share ``of``, if any."""

    values: Ints
    known: Bools
    of: Ints | None = None


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


def flagged_flow(
    lines: SalesLines, known_on: date, settings: Settings, covered_until: date | None = None
) -> FlaggedFlow:
    """What was known of the lines on *known_on*, imported up to *covered_until*, and which were flagged with that knowledge."""
    flow = known_flow(
        lines, known_on.toordinal(), settings.lags, settlement_reported=settings.settlement_reported,
        covered_until=covered_until.toordinal() if covered_until else None,
    )  # fmt: skip
    groups = buyer_groups(flow)
    return FlaggedFlow(flow, flag_lines(flow, settings.detectors, settings.peaks, groups), groups, settings)


def feature_table(
    flagged: FlaggedFlow, *, cut_off: date, settled_only: bool = False, only: Iterable[str] | None = None
) -> FeatureTable:
    """All features, or *only* those named, over windows that end on *cut_off*, with the knowledge of the flow's day.

    ``settled_only``: lines not yet settled count for nothing, where the platform reports settlement.
    """
    view = View(flagged, cut_off.toordinal(), settled_only)
    columns = _columns({name: _COMPUTE[name](view) for name in (_COMPUTE if only is None else only)})
    lines = flagged.flow.lines
    if lines.is_total.any():
        columns = {
            name: _unknown_of_orders(name, column, lines.with_totals) for name, column in columns.items()
        }
    known_on = date.fromordinal(flagged.flow.known_on)
    return FeatureTable(flagged.flow.lines.shops, cut_off, known_on, columns)


def _columns(figures: Mapping[str, Figure]) -> dict[str, Column]:
    """The columns of a table, worked out together: for one shop a call of numpy costs more than its arithmetic."""
    found = list(figures.values())
    values, known = np.array([each.values for each in found]), np.array([each.known for each in found])
    shares = [place for place, each in enumerate(found) if each.of is not None]
    if shares:
        values[shares] = ratio(values[shares], np.array([found[place].of for place in shares]))
    values *= known
    return dict(zip(figures, map(Column, values, ~known), strict=True))


#: What cannot be told of a shop some of whose days are known by their totals only.
_OF_ORDERS: Final = frozenset({
    "orders_90d", "orders_180d", "order_growth", "momentum_orders", "cancel_rate", "average_order", "settlement_cycle",
    "buyers", "repeat_buyers", "buyer_hhi", "top_buyer_share", "few_accounts", "apart_share", "new_buyers",
})  # fmt: skip


def _unknown_of_orders(name: str, column: Column, totals: Bools) -> Column:
    return column._replace(missing=column.missing | totals) if name in _OF_ORDERS else column


_APART: Final = 4_000_000  # more days than any calendar has, so that shops do not touch on one axis
_EVER: Final = _APART - 1
_FEWER: Final = 8  # times fewer edges than entries: then looking each up is quicker than counting all entries
_MOMENTUM_DAYS: Final = 180
_MOMENTUM_WEIGHTS: Final = recency_weights(_MOMENTUM_DAYS, 20)
_WEIGHT_OF_AGE: Final = np.append(_MOMENTUM_WEIGHTS[::-1], 0)  # the last for all that is older


class Axis:
    """Where days lie among sorted entries of shops and days up to the cut-off: what parts windows and periods."""

    def __init__(self, moment: Ints, shop: Ints, shops: int, cut_off: int) -> None:
        self.moment, self.shop, self.shops, self.cut_off = moment, shop, shops, cut_off
        self._bounds: dict[int, Ints] = {}
        self._edges: dict[tuple[int, int], Ints] = {}
        self._parts: dict[int, tuple[Ints, Bools]] = {}
        self._zero = np.arange(shops) * _APART + cut_off + 1

    @kept
    def age(self) -> Ints:
        """Days before the cut-off; 0 is the cut-off's own day."""
        age = self.shop * _APART
        age -= self.moment
        age += self.cut_off
        return age

    @kept
    def recency(self) -> Ints:
        """The weight of each entry in a shop's momentum, by its age."""
        return _WEIGHT_OF_AGE[np.minimum(self.age, _MOMENTUM_DAYS)]

    def bound(self, age: int) -> Ints:
        """Per shop the position of its first entry younger than *age* days."""
        if age not in self._bounds:
            self._bounds[age] = self.moment.searchsorted(self._zero - age)
        return self._bounds[age]

    def summed(self, of_entries: Ints, days: int) -> Ints:
        """Whole numbers of entries less than *days* days old added up per shop: cheaper than a running total for one window."""
        sums = np.zeros(2 * self.shops, dtype=np.int64)
        parts, some = self._parted(days)
        if len(parts):
            sums[: len(parts)] = np.add.reduceat(of_entries, parts)
        return sums[::2] * some

    def _parted(self, days: int) -> tuple[Ints, Bools]:
        """Where the windows of so many days begin and end, shop after shop, and the shops that have an entry in them."""
        if days not in self._parts:
            starts, ends = self.bound(days), self.bound(0)
            parts = np.column_stack((starts, ends)).ravel()
            self._parts[days] = parts[: parts.searchsorted(len(self.moment))], starts < ends
        return self._parts[days]

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


def _where(chosen: Bools, of_lines: Ints) -> Ints:
    """Whole numbers of the *chosen* lines, 0 for the others."""
    return of_lines * chosen.astype(np.int64)  # several times as quick as with the mask itself


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

    @kept
    def shop(self) -> Ints:
        return self.flagged.flow.lines.shop[self.keep]

    @kept
    def day(self) -> Ints:
        return self.flagged.flow.lines.paid_day[self.keep]

    @kept
    def genuine(self) -> Bools:
        unflagged: Bools = self.flagged.flagged[self.keep] == 0
        return unflagged

    @kept
    def all_genuine(self) -> bool:
        return bool(self.genuine.all())

    @kept
    def nil(self) -> Bools:
        """Lines worth nothing: cancelled, of 0, or without the settlement they need."""
        flow = self.flagged.flow
        return (flow.nil | flow.unsettled if self.settled_only else flow.nil)[self.keep]

    @kept
    def worth(self) -> Bools:
        """Lines worth something, flagged ones included."""
        return ~self.nil

    @kept
    def counted(self) -> Bools:
        """Genuine lines worth something."""
        return self.worth if self.all_genuine else self.worth & self.genuine

    @kept
    def received_minor(self) -> Ints:
        """Amounts placed, flagged lines included."""
        return _where(self.worth, self.flagged.flow.placed_minor[self.keep])

    @kept
    def placed_minor(self) -> Ints:
        """Amounts placed by genuine buyers, before refunds."""
        return self.received_minor if self.all_genuine else _where(self.genuine, self.received_minor)

    @kept
    def net_minor(self) -> Ints:
        return _where(self.counted, self.flagged.flow.net_minor[self.keep])

    @kept
    def worth_of_year(self) -> Bools:
        """Lines of the year that are worth something, flagged ones included."""
        return self.worth & (self.day > self.cut_off - _YEAR)

    @kept
    def sales(self) -> Ints:
        """The places of the lines that are a sale: genuine, and of which something is left."""
        return (self.net_minor > 0).nonzero()[0]

    @kept
    def settled(self) -> Bools:
        """Lines whose settlement was known."""
        day = self.flagged.flow.lines.settled_day[self.keep]
        known: Bools = (day != NO_DAY) & (day <= self.flagged.flow.known_on)
        return known

    # runs: shop × day -------------------------------------------------------------------------------------------------

    @kept
    def lines(self) -> Axis:
        """The lines by shop and day."""
        return Axis(self.shop * _APART + self.day, self.shop, self.shops, self.cut_off)

    @kept
    def run_starts(self) -> Ints:
        return first_of_runs(self.lines.moment).nonzero()[0]

    @kept
    def runs(self) -> Axis:
        """The days with lines by shop and day."""
        return Axis(self.lines.moment[self.run_starts], self.shop[self.run_starts], self.shops, self.cut_off)

    def daily(self, of_lines: Ints) -> Daily:
        """Whole numbers of lines, for sums over any window."""
        return Daily(self.lines, of_lines)

    def summed(self, of_lines: Ints, days: int) -> Ints:
        """Whole numbers of lines less than *days* days old added up per shop."""
        return self.lines.summed(of_lines, days)

    def by_day(self, daily: Daily) -> Daily:
        """The same per day with lines instead of per line."""
        if daily.axis is self.runs or len(self.run_starts) == len(daily.values):
            return daily
        ends = ends_of_runs(self.run_starts, len(daily.values))
        return Daily(self.runs, daily.running[ends] - daily.running[self.run_starts])

    @kept
    def net(self) -> Daily:
        return self.daily(self.net_minor)

    @kept
    def placed(self) -> Daily:
        return self.daily(self.placed_minor)

    @kept
    def received(self) -> Daily:
        return self.placed if self.all_genuine else self.daily(self.received_minor)

    @kept
    def refunded(self) -> Daily:
        """Refunds of lines that are worth something, flagged ones included."""
        return self.daily(_where(self.worth, self.flagged.flow.refunded_minor[self.keep]))

    @kept
    def raw_of_year(self) -> Ints:
        """All amounts placed in a year per shop, whatever became of them."""
        return self.summed(self.flagged.flow.lines.amount_minor[self.keep], _YEAR)

    @kept
    def cancelled_of_year(self) -> Ints:
        flow = self.flagged.flow
        return self.summed(_where(flow.cancelled[self.keep], flow.lines.amount_minor[self.keep]), _YEAR)

    @kept
    def orders(self) -> Daily:
        """Genuine orders that were neither cancelled nor left unsettled: those of which a line counts."""
        return self.daily(self.one_per_order(self.counted).astype(np.int64))

    def one_per_order(self, chosen: Bools) -> Bools:
        """The first of the *chosen* lines of each order."""
        return self._of_orders(SalesLines.one_per_order, chosen)

    def of_orders_with(self, chosen: Bools) -> Bools:
        """All lines of the orders that have one of the *chosen* lines."""
        return self._of_orders(SalesLines.of_orders_with, chosen)

    def _of_orders(self, found: Callable[[SalesLines, Bools], Bools], chosen: Bools) -> Bools:
        lines = self.flagged.flow.lines
        return found(lines, self.of_flow(chosen))[self.keep] if len(lines.together) else chosen

    def of_flow(self, chosen: Bools) -> Bools:
        """The *chosen* lines among all lines of the flow."""
        if isinstance(self.keep, slice):
            return chosen
        of_flow = np.zeros(len(self.flagged.flow.lines), dtype=np.bool_)
        of_flow[self.keep] = chosen
        return of_flow

    @kept
    def active(self) -> Daily:
        """1 for a day with such an order."""
        orders = self.by_day(self.orders)
        return Daily(orders.axis, (orders.values > 0).astype(np.int64))

    # life of the shop -------------------------------------------------------------------------------------------------

    def day_among(self, at: Ints, *, last: bool = False) -> Ints:
        """The first or the last day of the lines *at* these places per shop; NO_DAY where there is none."""
        starts, ends = at.searchsorted(self.lines.bound(_EVER)), at.searchsorted(self.lines.bound(0))
        some = starts < ends
        day = np.full(self.shops, NO_DAY, dtype=np.int64)
        day[some] = self.day[at[(ends - 1 if last else starts)[some]]]
        return day

    @kept
    def last_sale(self) -> Ints:
        """The day of the last sale per shop; NO_DAY where there is none."""
        return self.day_among(self.sales, last=True)

    @kept
    def first_line(self) -> Ints:
        """The first day with a line per shop; NO_DAY where there is none."""
        return self.day_among(np.arange(len(self.day)))

    @kept
    def first_order(self) -> Ints:
        """The first day with a genuine line per shop, whatever became of it; NO_DAY where there is none."""
        return self.first_line if self.all_genuine else self.day_among(self.genuine.nonzero()[0])

    @kept
    def born(self) -> Bools:
        """Shops with a genuine order by the cut-off."""
        known: Bools = self.first_order != NO_DAY
        return known

    @kept
    def first_sale(self) -> Ints:
        """The day of the first sale per shop; NO_DAY where there is none."""
        return self.day_among(self.sales)

    @kept
    def history_days(self) -> Ints:
        """Days from the first sale to the cut-off, both counted: no cancelled, flagged or returned order lengthens it."""
        return self.days_since(self.first_sale)

    @kept
    def life_days(self) -> Ints:
        """Days from the first line worth something, flagged ones and refunds included: no flag and no refund shortens it.

        For means over the life of a shop, which a longer one lowers.
        """
        return self.days_since(self.day_among(self.worth.nonzero()[0]))

    def days_since(self, day: Ints) -> Ints:
        """Days from a day per shop to the cut-off, both counted; 0 where there is none."""
        return np.where(day == NO_DAY, 0, self.cut_off - day + 1)

    @kept
    def existing_blocks(self) -> Ints:
        """How many blocks of a shop's life there are, at most 12; the oldest may be a part of one."""
        return np.minimum(-(-self.life_days // BLOCK_DAYS), BLOCKS)

    @kept
    def net_blocks(self) -> Ints:
        """Twelve 30-day blocks per shop, oldest first, the last ending on the cut-off."""
        return self.net.periods(BLOCK_DAYS, BLOCKS)

    @kept
    def placed_blocks(self) -> Ints:
        return self.placed.periods(BLOCK_DAYS, BLOCKS)

    def variation_of_weeks(self, daily: Daily) -> Ints:
        """Standard deviation over mean of up to 52 weekly sums, of whole weeks of the shop's life."""
        whole, lived = self.whole_weeks
        return variation(daily.periods(7, _WEEKS) * lived, whole)

    @kept
    def whole_weeks(self) -> tuple[Ints, Ints]:
        """How many whole weeks of each shop's life there are, at most 52, and 1 for each of them, 0 for those before."""
        whole = np.minimum(self.life_days // 7, _WEEKS)
        return whole, (np.arange(_WEEKS) >= _WEEKS - whole[:, None]).astype(np.int64)

    @kept
    def year_spans(self) -> list[tuple[int, int]]:
        """Oldest and youngest age of every peak's 30 days that lie wholly within 52 weeks."""
        peaks = self.flagged.settings.peaks
        spans = peak_spans(self.cut_off - 7 * _WEEKS + 1, self.cut_off, peaks)
        return [(self.cut_off - first, self.cut_off - last) for first, last in spans]

    @kept
    def year_peaks(self) -> list[tuple[int, int]]:
        """The same days as stretches that do not touch."""
        return stretches(self.year_spans)

    @kept
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
        base_days, oldest = self.ordinary_days, np.array(self.year_spans)[:, :1]
        base = (daily.window(7 * _WEEKS) - daily.within(self.year_peaks)) / np.maximum(base_days, 1)
        high = np.array(
            [daily.window(first - last + 1, last) / (first - last + 1) for first, last in self.year_spans]
        )
        lowered = np.minimum(1.0, base / np.maximum(high, 1.0))
        factors = np.where((base_days >= 90) & (self.life_days > oldest), lowered, 1.0)
        within, span_of_shop = self.peak_lines
        level = daily.values.copy()
        level[within] = np.floor(level[within] * factors.ravel()[span_of_shop]).astype(np.int64)
        return Daily(daily.axis, level)

    @kept
    def peak_lines(self) -> tuple[Ints, Ints]:
        """The lines within named peaks: their positions, and span and shop of each, all of the first span's shops first."""
        span_of_age = np.full(7 * _WEEKS + 1, -1)
        for number, (oldest, youngest) in enumerate(self.year_spans):
            span_of_age[youngest : oldest + 1] = number
        span = span_of_age[np.minimum(self.lines.age, 7 * _WEEKS)]
        within = (span >= 0).nonzero()[0]
        return within, span[within] * self.shops + self.shop[within]

    def momentum(self, daily: Daily) -> Ints:
        """How late a shop's sum of the last 180 days lies; see ``kernels.late_share``.

        Large days are first brought to 40 bits, so that the weighted sum is exact in 64-bit integers.
        """
        if len(daily.values) and int(daily.values.max()) >> 20:
            daily = self._shortened(self.by_day(daily))
        weighted = daily.axis.summed(daily.values * daily.axis.recency, _MOMENTUM_DAYS)
        return late_share(weighted, daily.window(_MOMENTUM_DAYS), self.history_days, _MOMENTUM_WEIGHTS)

    def _shortened(self, daily: Daily) -> Daily:
        small = _where(daily.axis.age < _MOMENTUM_DAYS, daily.values)
        largest = np.zeros(self.shops, dtype=np.int64)
        np.maximum.at(largest, daily.axis.shop, np.abs(small))
        shift = np.maximum(np.frexp(largest.astype(np.float64))[1].astype(np.int64) - 40, 0)
        return Daily(daily.axis, small >> shift[daily.axis.shop])

    # buyers -----------------------------------------------------------------------------------------------------------

    def by_buyer(self, chosen: Bools) -> Bools:
        """Which lines of known buyers, as brought together by buyer, are among the *chosen* lines."""
        return self.of_flow(chosen)[self.flagged.groups.index]

    @kept
    def bought(self) -> tuple[Ints, Ints]:
        """Orders and sales of the year per pair of shop and buyer, flagged lines included."""
        groups, recent = self.flagged.groups, self.worth_of_year
        by_buyer = self.by_buyer(recent)
        several = len(self.flagged.flow.lines.together)
        carrying = self.by_buyer(self.one_per_order(recent)) if several else by_buyer
        return groups.number_of(carrying), groups.placed_of(by_buyer)

    def bought_flagged(self) -> tuple[Ints, Ints]:
        """The same of flagged lines, and of orders all of whose lines are flagged."""
        groups, flagged = self.flagged.groups, self.worth_of_year & ~self.genuine
        gone = flagged & ~self.of_orders_with(self.worth_of_year & self.genuine)
        orders = groups.number_of(self.by_buyer(self.one_per_order(gone)))
        at = self.by_buyer(flagged).nonzero()[0]  # few
        return orders, amount_sums(groups.pair[at], groups.count, groups.placed_minor[at])

    @kept
    def buyers(self) -> Buyers:
        """Buyers by their genuine orders."""
        orders, sales = self.bought
        if not self.all_genuine:
            flagged_orders, flagged_sales = self.bought_flagged()
            orders, sales = orders - flagged_orders, sales - flagged_sales
        return Buyers(self.flagged.groups.shop, orders, sales, self.shops)

    @kept
    def buyers_unknown(self) -> Bools:
        """Shops of which too few genuine sales have a known buyer."""
        known = self.buyers.known
        return (known <= 0) | (_BUYER_COVERAGE * known < self.placed.window(_YEAR))

    @kept
    def party(self) -> tuple[Ints, Bools]:
        """Largest buyer's share and whether a few accounts make up the shop, flagged orders counted or not, the worse."""
        share, few = self.buyers.top_share, self.buyers.few
        if self.all_genuine:
            return share, few
        tainted = np.zeros(self.shops, dtype=np.bool_)
        tainted[self.shop[~self.genuine]] = True  # in other shops both are the same
        groups, (orders, sales) = self.flagged.groups, self.bought
        every = Buyers(groups.shop, _where(tainted[groups.shop], orders), sales, self.shops)
        return np.where(tainted, np.maximum(share, every.top_share), share), np.where(tainted, every.few, few)


class Daily:
    """Whole numbers along an axis with their running total: any window of any shop is a difference."""

    def __init__(self, axis: Axis, values: Ints) -> None:
        self.axis, self.values = axis, values
        self._windows: dict[tuple[int, int], Ints] = {}

    @kept
    def running(self) -> Ints:
        return running_total(self.values)

    def window(self, days: int, skip: int = 0) -> Ints:
        """Sums per shop of days at least *skip* and less than *skip* + *days* old."""
        known = self._windows.get((days, skip))
        if known is None:
            bound, running = self.axis.bound, self.running
            known = self._windows[days, skip] = running[bound(skip)] - running[bound(skip + days)]
        return known

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

    def __init__(self, shop: Ints, orders: Ints, sales: Ints, shops: int) -> None:
        """Of pairs of shop and buyer, sorted by *shop*: those with an order."""
        self.pairs = (orders > 0).nonzero()[0]
        self.shop, self.orders, self.sales = shop[self.pairs], orders[self.pairs], sales[self.pairs]
        self.shops = shops
        self.starts = first_of_runs(self.shop).nonzero()[0]

    def of_shops(self, per_buyer: Ints, gather: np.ufunc = np.add) -> Ints:
        """Whole numbers of buyers added up, or gathered otherwise, per shop; 0 where it has none."""
        found = np.zeros(self.shops, dtype=np.int64)
        if len(self.starts):
            found[self.shop[self.starts]] = gather.reduceat(per_buyer, self.starts)
        return found

    @kept
    def number(self) -> Ints:
        """How many buyers each shop has."""
        return self.number_of(self.orders > 0)

    def number_of(self, chosen: Bools) -> Ints:
        """How many of the *chosen* buyers each shop has."""
        return self.of_shops(chosen.astype(np.int64))

    @kept
    def known(self) -> Ints:
        """Sales with a known buyer per shop."""
        return self.of_shops(self.sales)

    @kept
    def few(self) -> Bools:
        """Shops with a handful of accounts that order again and again."""
        found: Bools = (
            (self.number < _FEW) & (self.of_shops(self.orders) >= _OFTEN * self.number) & (self.number > 0)
        )
        return found

    @kept
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

    @kept
    def top_share(self) -> Ints:
        """The largest buyer's part of sales with a known buyer, in ten-thousandths; few accounts are one party."""
        top = np.maximum(self.apart_sales, self.of_shops(self.sales, np.maximum))
        return ratio(np.where(self.few, self.known, top), self.known)

    @kept
    def hhi(self) -> Ints:
        """Σ of squared shares, shares in millionths, the sum in ten-thousandths."""
        share = np.floor(self.sales / np.maximum(self.known, 1)[self.shop] * 1e6 + 0.5).astype(np.int64)
        return scaled(self.of_shops(share * share) / 1e8)


# --- the definitions --------------------------------------------------------------------------------------------------

Compute = Callable[[View], Figure]
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


def _define_sales(days: int) -> None:
    @_define(f"sales_{days}d", "amount", f"{days} days", "net sales", "0 where nothing was sold")
    def _sales(view: View) -> Figure:
        return Figure(view.net.window(days), view.born)


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
    def _block(view: View) -> Figure:
        return Figure(view.net_blocks[:, BLOCKS - number], view.existing_blocks >= number)


for _number in range(1, BLOCKS + 1):
    _define_block(_number)


@_define(
    "blocks", "count", "all history, at most 12",
    "30-day blocks since the first sale: the first genuine order line of which something is left after cancellation and refunds",
    "missing before the first sale",
)  # fmt: skip
def _blocks(view: View) -> Figure:
    return Figure(np.minimum(-(-view.history_days // BLOCK_DAYS), BLOCKS), view.history_days > 0)


@_define(
    "typical_month", "amount", "12 blocks",
    "M: mean of up to 12 blocks without the highest and the lowest, or the mean of the last 3 if lower, rounded down",
    "missing with fewer than 3 blocks",
)  # fmt: skip
def _typical_month(view: View) -> Figure:
    return Figure(typical_month(view.net_blocks, view.existing_blocks), view.existing_blocks >= 3)


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
    @_define(name, "amount", "365 days", meaning, "0 where there is none, missing before the first order")
    def _raw(view: View) -> Figure:
        return Figure(part(view), view.first_line != NO_DAY)


_define_raw("received_365d", "all amounts placed, whatever became of them", lambda view: view.raw_of_year)
_define_raw("cancelled_365d", "amounts of cancelled orders", lambda view: view.cancelled_of_year)
_define_raw("unsettled_365d", "amounts worthless for want of settlement",
            lambda view: view.raw_of_year - view.cancelled_of_year - view.received.window(_YEAR))  # fmt: skip
_define_raw("flagged_365d", "amounts flagged as not genuine, neither cancelled nor unsettled",
            lambda view: view.received.window(_YEAR) - view.placed.window(_YEAR))  # fmt: skip
_define_raw("refunded_365d", "refunds of the orders that are left",
            lambda view: view.placed.window(_YEAR) - view.net.window(_YEAR))  # fmt: skip


@_define(
    "growth_30_90", "ratio", "90 days", "orders placed in the last 30 days over a third of the last 90 days'",
    "missing with less than 90 days of history, or nothing in them",
)  # fmt: skip
def _growth_30_90(view: View) -> Figure:
    quarter = view.placed.window(90)
    return Figure(3 * view.placed.window(30), (quarter > 0) & (view.history_days >= 90), of=quarter)


@_define(
    "growth_90_180", "ratio", "180 days", "orders placed in the last 90 days over those of the 90 days before",
    "missing with less than 180 days of history, or nothing before",
)  # fmt: skip
def _growth_90_180(view: View) -> Figure:
    before = view.placed.window(90, 90)
    known = (before > 0) & (view.history_days >= 180)
    return Figure(view.placed.window(90), known, of=before)


@_define(
    "growth_year", "ratio", "90 days and the same a year before",
    "year on year: orders placed in the last 90 days over those of the same 90 days a year before",
    "missing where those days reach back before the first sale, or nothing was sold in them",
)  # fmt: skip
def _growth_year(view: View) -> Figure:
    before = view.placed.window(90, _YEAR)
    known = (before > 0) & (view.history_days >= _YEAR + 90)
    return Figure(view.placed.window(90), known, of=before)


def _define_momentum(name: str, meaning: str, daily: Callable[[View], Daily]) -> None:
    @_define(
        name, "ratio", "180 days",
        f"{meaning} of the last 180 days, weighted by recency (the weight halves every 20 days), over the same spread "
        "evenly: above 1 where the shop sells more of late",
        "missing with less than 30 days of history, or nothing in 180 days",
    )  # fmt: skip
    def _momentum(view: View) -> Figure:
        known = (view.history_days >= BLOCK_DAYS) & (daily(view).window(_MOMENTUM_DAYS) > 0)
        return Figure(view.momentum(daily(view)), known)


_define_momentum("momentum_orders", "orders", lambda view: view.orders)
_define_momentum("momentum_sales", "amounts placed", lambda view: view.placed)


@_define(
    "trend", "ratio", "12 blocks", "least-squares slope of whole blocks' placed orders per block, over their mean",
    "missing with fewer than 3 whole blocks of history",
)  # fmt: skip
def _trend(view: View) -> Figure:
    existing = np.minimum(view.history_days // BLOCK_DAYS, BLOCKS)
    lived = np.arange(BLOCKS) >= BLOCKS - existing[:, None]
    blocks = view.placed_blocks * lived.astype(np.int64)
    total = blocks.sum(axis=1)
    step = np.arange(BLOCKS)[None, :] * 2 - (2 * BLOCKS - 1 - existing[:, None])
    weighted = (blocks * step).sum(axis=1)
    spread = np.maximum(existing * (existing * existing - 1), 1)
    slope = scaled(6.0 * weighted / spread / np.maximum(total / np.maximum(existing, 1), 1) * 10_000)
    return Figure(slope, (existing >= 3) & (total > 0))


@_define(
    "weekly_variation", "ratio", "52 weeks", "coefficient of variation of weekly sales, whole weeks, orders placed",
    "missing with fewer than 4 whole weeks, or nothing in them",
)  # fmt: skip
def _weekly_variation(view: View) -> Figure:
    known = (view.life_days >= 28) & (view.placed.window(7 * _WEEKS) > 0)
    return Figure(view.variation_of_weeks(view.placed), known)


@_define(
    "volatility", "ratio", "52 weeks",
    "coefficient of variation of deseasonalised weekly sales, whole weeks: days of named peaks brought down to the level of "
    "the other days; orders placed, before refunds; with flagged orders or without, whichever varies more",
    "missing with fewer than 4 whole weeks, or nothing in them",
)  # fmt: skip
def _volatility(view: View) -> Figure:
    found = view.variation_of_weeks(view.deseasonalised(view.placed))
    if not view.all_genuine:
        found = np.maximum(found, view.variation_of_weeks(view.deseasonalised(view.received)))
    known = (view.life_days >= 28) & (view.placed.window(7 * _WEEKS) > 0)
    return Figure(found, known)


@_define(
    "worst_fall",
    "ratio",
    "12 blocks",
    "largest fall of a block's placed orders below an earlier block's, as a share",
    "missing with fewer than 2 blocks, or nothing in them",
)
def _worst_fall(view: View) -> Figure:
    blocks = view.placed_blocks
    peak = np.maximum.accumulate(blocks, axis=1)
    return Figure(ratio(peak - blocks, peak).max(axis=1), (view.existing_blocks >= 2) & (peak[:, -1] > 0))


@_define(
    "days_without_sales",
    "days",
    "90 days",
    "days without an order",
    "days before the first order are not counted; missing before it",
)
def _days_without_sales(view: View) -> Figure:
    active = view.active.window(90)
    return Figure(np.maximum(np.minimum(view.life_days, 90) - active, 0), view.born)


@_define(
    "days_since_last_sale", "days", "all history",
    "days from the last sale to the cut-off: the last genuine order line of which something is left after cancellation and "
    "refunds",
    "missing before the first sale",
)  # fmt: skip
def _days_since_last_sale(view: View) -> Figure:
    last = view.last_sale
    return Figure(view.cut_off - last, last != NO_DAY)


@_define(
    "silence", "ratio", "180 days",
    "days since the last sale in units of this shop's usual gap: × days with an order / days of history within 180",
    "missing where no order of 180 days is left",
)  # fmt: skip
def _silence(view: View) -> Figure:
    active = view.active.window(180)
    last = view.last_sale
    history = np.minimum(view.history_days, 180)
    return Figure((view.cut_off - last) * active, (active > 0) & (last != NO_DAY), of=history)


@_define(
    "active_days",
    "ratio",
    "180 days",
    "share of days with an order",
    "over the days since the first order if fewer",
)
def _active_days(view: View) -> Figure:
    active = view.active.window(180)
    return Figure(active, view.born, of=np.minimum(view.life_days, 180))


@_define(
    "active_weeks",
    "ratio",
    "26 weeks",
    "share of weeks with an order",
    "over the weeks since the first if fewer",
)
def _active_weeks(view: View) -> Figure:
    weeks = (view.orders.periods(7, _WEEKS)[:, -26:] > 0).sum(axis=1)
    return Figure(weeks, view.born, of=np.minimum(-(-view.life_days // 7), 26))


@_define("orders_90d", "count", "90 days", "orders placed and not cancelled")
def _orders_90d(view: View) -> Figure:
    return Figure(view.orders.window(90), view.born)


@_define("orders_180d", "count", "180 days", "orders placed and not cancelled")
def _orders_180d(view: View) -> Figure:
    return Figure(view.orders.window(180), view.born)


@_define("order_growth", "ratio", "90 and 180 days", "orders of the last 90 days over half of the last 180 days'",
         "missing with less than 180 days of history, or no order in them")  # fmt: skip
def _order_growth(view: View) -> Figure:
    half_year = view.orders.window(180)
    known = (half_year > 0) & (view.history_days >= 180)
    return Figure(2 * view.orders.window(90), known, of=half_year)


@_define(
    "seasonality", "ratio", "12 blocks", "the highest block's share of twelve blocks' placed orders (even: 0.0833)",
    "missing with fewer than 12 whole blocks, or nothing in them",
)  # fmt: skip
def _seasonality(view: View) -> Figure:
    total = view.placed_blocks.sum(axis=1)
    known = (view.history_days >= BLOCKS * BLOCK_DAYS) & (total > 0)
    return Figure(view.placed_blocks.max(axis=1), known, of=total)


@_define(
    "promotion_share", "ratio", "365 days", "share of placed orders within the 30 days of named peaks",
    "missing with less than a year of history",
)  # fmt: skip
def _promotion_share(view: View) -> Figure:
    spans = peak_spans(view.cut_off - 2 * _YEAR, view.cut_off + 2 * BLOCK_DAYS, view.flagged.settings.peaks)
    ages = [(view.cut_off - first, view.cut_off - last) for first, last in spans]
    of_year = [(min(oldest, _YEAR - 1), max(youngest, 0)) for oldest, youngest in ages]
    in_peak = stretches([span for span in of_year if span[0] >= span[1]])
    total = view.placed.window(_YEAR)
    known = (view.history_days >= _YEAR) & (total > 0)
    return Figure(view.placed.within(in_peak), known, of=total)


@_define(
    "refund_rate", "ratio", "180 days",
    "refunds over amounts placed; with flagged orders or without, whichever is higher", "missing where nothing was sold",
)  # fmt: skip
def _refund_rate(view: View) -> Figure:
    rate, known = _refunds_over_sales(view, 180)
    return Figure(rate, known)


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
def _refund_rate_trend(view: View) -> Figure:
    now, known_now = _refunds_over_sales(view, 90)
    before, known_before = _refunds_over_sales(view, 90, 90)
    return Figure(now - before, known_now & known_before)


@_define(
    "cancel_rate",
    "ratio",
    "180 days",
    "orders cancelled with all their lines over orders, flagged ones left out",
    "missing without orders",
)
def _cancel_rate(view: View) -> Figure:
    orders = view.one_per_order(view.genuine)
    standing = view.of_orders_with(view.genuine & ~view.flagged.flow.cancelled[view.keep])
    placed = view.summed(orders.astype(np.int64), 180)
    cancelled = view.summed((orders & ~standing).astype(np.int64), 180)
    return Figure(cancelled, placed > 0, of=placed)


@_define(
    "average_order",
    "amount",
    "180 days",
    "net sales per order not cancelled, rounded down",
    "missing without orders",
)
def _average_order(view: View) -> Figure:
    orders = view.orders.window(180)
    return Figure(view.net.window(180) // np.maximum(orders, 1), orders > 0)


_BUYER_EDGE: Final = "missing where the buyer is known for less than half of the sales"


@_define("buyers", "count", "365 days", "distinct buyers", _BUYER_EDGE)
def _buyers(view: View) -> Figure:
    return Figure(view.buyers.number, ~view.buyers_unknown)


@_define("repeat_buyers", "ratio", "365 days", "share of buyers with at least two orders", _BUYER_EDGE)
def _repeat_buyers(view: View) -> Figure:
    buyers = view.buyers
    return Figure(buyers.number_of(buyers.orders >= 2), ~view.buyers_unknown, of=buyers.number)


@_define(
    "buyer_hhi",
    "ratio",
    "365 days",
    "Herfindahl index of buyers' placed orders, 1 for a single buyer",
    _BUYER_EDGE,
)
def _buyer_hhi(view: View) -> Figure:
    return Figure(view.buyers.hhi, ~view.buyers_unknown)


@_define(
    "top_buyer_share", "ratio", "365 days",
    "largest buyer's share of placed orders; with flagged orders or without, whichever is higher", _BUYER_EDGE,
)  # fmt: skip
def _top_buyer_share(view: View) -> Figure:
    return Figure(view.party[0], ~view.buyers_unknown)


@_define(
    "few_accounts",
    "count",
    "365 days",
    "1 where fewer than 20 buyers place 3 orders each or more on average: so few accounts cannot be told from one party",
    _BUYER_EDGE,
)
def _few_accounts(view: View) -> Figure:
    return Figure(view.party[1].astype(np.int64), ~view.buyers_unknown)


@_define(
    "apart_share", "ratio", "365 days",
    "share of placed orders from accounts that stand apart: 8 orders a year or more, where 5 or more order so often and more "
    "than order half as often, or where those who order 2 and 4 times would lead to so many in less than 5 of 100 shops; a "
    "shop's own regulars come in all gradations",
    _BUYER_EDGE,
)  # fmt: skip
def _apart_share(view: View) -> Figure:
    return Figure(view.buyers.apart_sales, ~view.buyers_unknown, of=view.buyers.known)


@_define(
    "new_buyers",
    "ratio",
    "90 days",
    "share of the last 90 days' buyers who had not bought before",
    f"{_BUYER_EDGE}, with less than 180 days of history, or nobody bought in the 90",
)
def _new_buyers(view: View) -> Figure:
    buyers, groups = view.buyers, view.flagged.groups
    counted, young = view.by_buyer(view.counted), groups.day > view.cut_off - 90
    active = groups.having(counted & young)[buyers.pairs]
    before = groups.having(counted & ~young)[buyers.pairs]
    number, fresh = buyers.number_of(active), buyers.number_of(active & ~before)
    return Figure(fresh, ~view.buyers_unknown & (number > 0) & (view.history_days >= 180), of=number)


@_define(
    "tenure",
    "days",
    "all history",
    "days from the first sale to the cut-off",
    "missing before the first sale",
)
def _tenure(view: View) -> Figure:
    return Figure(view.history_days - 1, view.history_days > 0)


@_define(
    "settlement_cycle", "ratio", "180 days", "mean days from payment to settlement of settled lines",
    "missing where no settlement is reported",
)  # fmt: skip
def _settlement_cycle(view: View) -> Figure:
    settled = (view.settled & view.genuine).astype(np.int64)
    number = view.summed(settled, 180)
    waited = np.maximum(view.flagged.flow.lines.settled_day[view.keep] - view.day, 0) * settled
    return Figure(view.summed(waited, 180), number > 0, of=number)


@_define(
    "unsettled_receivable", "amount", "45 days", "net sales paid but not yet settled",
    "missing where no settlement is reported",
)  # fmt: skip
def _unsettled_receivable(view: View) -> Figure:
    open_minor = view.summed(_where(~view.settled, view.net_minor), _EVER)
    return Figure(open_minor, view.summed(view.settled.astype(np.int64), _EVER) > 0)


@_define(
    "flagged_share", "ratio", "365 days", "flagged orders' share of all amounts placed", "0 where nothing was sold",
)  # fmt: skip
def _flagged_share(view: View) -> Figure:
    received = view.received.window(_YEAR)
    flagged = received - view.placed.window(_YEAR)
    return Figure(flagged, view.first_line != NO_DAY, of=received)


@_define(
    "last_peak_sales", "amount", "30 days around the coming named peak, a year before",
    "net sales of the same 30 days last year, where a named peak is at most 60 days ahead",
    "missing where no peak is near or those days lie before the first order",
)  # fmt: skip
def _last_peak_sales(view: View) -> Figure:
    settings = view.flagged.settings
    coming = coming_peak(date.fromordinal(view.cut_off), settings.peaks, settings.peak_ahead_days)
    if coming is None:
        return Figure(view.born.astype(np.int64), np.zeros(view.shops, dtype=np.bool_))
    peak, year = coming
    first, last = peak.on(year - 1, "first").toordinal(), peak.on(year - 1, "last").toordinal()
    sales = view.net.window(last - first + 1, view.cut_off - last)
    return Figure(sales, (view.history_days > 0) & (view.first_sale <= first))


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
