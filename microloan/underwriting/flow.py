"""The sales flow: what a sales line is, what of it was known on a day, and what it was worth then.

A flow is held as arrays, one entry per line, sorted by shop and day paid. Days are ordinals (``date.toordinal``) in the
lender's time zone; amounts are int64 minor units. Nothing here reads a clock.

Source: SEMANTICS 8 (house rule): net sale = amount − refund, nil for cancelled, unsettled and not genuine lines; dated
changes count from their date, undated ones after a stated lag.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from ..clock import DEFAULT_ZONE
from ..days import FIRST_DAY, LAST_DAY
from ..errors import BadInput, InvalidAmount, InvalidDate
from ..kept import kept
from ..money import MAX_MINOR, to_minor
from .policy import Lags

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Doubles = NDArray[np.float64]

#: Stands for "no such day known" in a day column.
NO_DAY: Final = -1
#: Stands for "unknown" in a code column (buyer, product).
UNKNOWN: Final = -1

STATUSES: Final = ("paid", "shipped", "completed", "refunded", "cancelled")
REFUNDED: Final = STATUSES.index("refunded")
CANCELLED: Final = STATUSES.index("cancelled")

REQUIRED_COLUMNS: Final = ("shop_id", "paid_at")
OPTIONAL_COLUMNS: Final = (
    "order_id", "line_id", "platform", "status", "amount", "amount_minor", "refund_amount", "refund_minor",
    "refunded_at", "status_at", "settled_at", "buyer_id", "product_id", "flag",
)  # fmt: skip
#: Columns that are read; others are passed over.
KNOWN_COLUMNS: Final = frozenset(REQUIRED_COLUMNS + OPTIONAL_COLUMNS)


@dataclass(frozen=True, eq=False)
class SalesLines:
    """Order lines of one or more shops, sorted by shop, then by day paid.

    ``shop`` indexes ``shops``, ``buyer`` indexes ``buyers`` (−1: unknown), ``platform`` indexes ``platforms``,
    ``flag`` indexes ``flags`` (0: nothing against the line). ``order`` numbers the orders of several lines of a shop, and is
    ``UNKNOWN`` for a line that is an order of its own. ``is_total``: the row is a shop's day, not an order.
    ``settling_since`` has a day per platform from which it is known to report settlement (``NO_DAY``: it is not); None: what
    the lines themselves tell.
    """

    shops: tuple[str, ...]
    buyers: tuple[str, ...]
    platforms: tuple[str, ...]
    flags: tuple[str, ...]
    shop: Ints
    platform: Ints
    paid_day: Ints
    amount_minor: Ints
    refund_minor: Ints
    status: Ints
    refunded_day: Ints
    status_day: Ints
    settled_day: Ints
    buyer: Ints
    product: Ints
    order: Ints
    flag: Ints
    is_total: Bools
    settling_since: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self.paid_day)

    @kept
    def with_totals(self) -> Bools:
        """Shops of which some days are known by their totals only: their orders and buyers are not known."""
        shops: Bools = np.bincount(self.shop[self.is_total], minlength=len(self.shops)) > 0
        return shops

    @kept
    def only_totals(self) -> Bools:
        """Shops of which nothing but daily totals is known."""
        if not self.is_total.any():
            return np.zeros(len(self.shops), dtype=np.bool_)
        with_orders = np.bincount(self.shop[~self.is_total], minlength=len(self.shops)) > 0
        shops: Bools = self.with_totals & ~with_orders
        return shops

    @kept
    def by_buyer(self) -> Ints:
        """The order of lines with a known buyer that brings each shop's buyers together, oldest line first."""
        if not self.buyers:
            return np.zeros(0, dtype=np.int64)
        place = len(self).bit_length()
        shop = self.shop - self.shop[:1]
        if (int(shop.max(initial=0)) * (len(self.buyers) + 1) + len(self.buyers)).bit_length() + place > 62:
            order = np.lexsort((self.buyer, self.shop))
            return order[self.buyer[order] >= 0]
        key = shop * (len(self.buyers) + 1) + self.buyer
        key <<= place
        key |= np.arange(len(self))  # each key holds its line's place: sorting the keys sorts the lines
        known = self.buyer >= 0
        if not known.all():
            key = key[known]
        key.sort()
        key &= (1 << place) - 1
        return key

    @kept
    def own_accounts(self) -> tuple[tuple[int, int], ...]:
        """Shops that are also buyers, by the same name: (shop, buyer)."""
        if set(self.shops).isdisjoint(self.buyers):
            return ()
        buyers = {name: code for code, name in enumerate(self.buyers)}
        return tuple((code, buyers[name]) for code, name in enumerate(self.shops) if name in buyers)

    @kept
    def together(self) -> Ints:
        """The lines of orders of several lines, one order after the other, each in the order of the lines."""
        shared = (self.order >= 0).nonzero()[0]
        return shared[self.order[shared].argsort(kind="stable")]

    def one_per_order(self, chosen: Bools) -> Bools:
        """The first of the *chosen* lines of each order: what carries the order, with its buyer and its day."""
        if not len(self.together):
            return chosen
        found, among = chosen.copy(), self.together[chosen[self.together]]
        order = self.order[among]
        found[among[1:]] = order[1:] != order[:-1]
        return found

    def of_orders_with(self, chosen: Bools) -> Bools:
        """All lines of the orders that have one of the *chosen* lines."""
        if not len(self.together):
            return chosen
        found, order = chosen.copy(), self.order[self.together]
        found[self.together] = np.isin(order, order[chosen[self.together]])
        return found

    def orders_among(self, places: Sequence[int] | Ints) -> int:
        """How many orders have a line at one of these *places*."""
        order = self.order[places]
        return int((order < 0).sum()) + len(np.unique(order[order >= 0]))

    def take(self, index: Ints | Bools | slice) -> SalesLines:
        """The chosen lines; their order must stay sorted by shop and day."""
        return replace(self, **{name: getattr(self, name)[index] for name in LINE_COLUMNS})

    def of_shops(self, indices: Sequence[int]) -> SalesLines:
        """The lines of the shops at these positions, which must rise."""
        wanted = np.zeros(len(self.shops), dtype=np.bool_)
        wanted[list(indices)] = True
        chosen, codes = self.take(wanted[self.shop]), np.cumsum(wanted) - 1
        return replace(chosen, shops=tuple(self.shops[index] for index in indices), shop=codes[chosen.shop])

    def parts(self, lines_at_once: int) -> Iterator[SalesLines]:
        """The same lines in parts of whole shops, of about so many lines each."""
        if len(self) <= lines_at_once:
            yield self
            return
        starts = np.searchsorted(self.shop, np.arange(len(self.shops) + 1))
        first = 0
        while first < len(self.shops):
            after = int(np.searchsorted(starts, starts[first] + lines_at_once, side="right")) - 1
            after = min(max(after, first + 1), len(self.shops))
            part = self.take(slice(int(starts[first]), int(starts[after])))
            part = replace(part, shops=self.shops[first:after], shop=part.shop - first)
            own = tuple((shop - first, code) for shop, code in self.own_accounts if first <= shop < after)
            part.__dict__["own_accounts"] = own  # looked up once, among all buyers
            yield part
            first = after

    def as_one_shop(self, name: str) -> SalesLines:
        """All lines as the flow of one merchant: several shops and platforms are added up.

        *Source:* SEMANTICS 8.
        """
        if len(self.shops) == 1:
            return replace(self, shops=(name,))
        return self.grouped(dict.fromkeys(self.shops, name))

    def grouped(self, merchant_of: Mapping[str, str]) -> SalesLines:
        """The lines with each shop replaced by its merchant; a shop not named is its own merchant."""
        names = [merchant_of.get(shop, shop) for shop in self.shops]
        codes, merchants = factorize(names)
        moved = replace(self, shops=merchants, shop=codes[self.shop] if len(names) else self.shop)
        return moved.take(np.lexsort((moved.paid_day, moved.shop)))


LINE_COLUMNS: Final = (
    "shop", "platform", "paid_day", "amount_minor", "refund_minor", "status", "refunded_day", "status_day",
    "settled_day", "buyer", "product", "order", "flag", "is_total",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class KnownFlow:
    """What a lender knew of the lines on a day: one entry per line paid by then, in the order of the lines.

    ``placed_minor`` is the amount of lines not cancelled and not worthless for want of settlement, before refunds;
    ``net_minor`` the net sale. Neither knows of flags: those are applied where the flow is used. ``unsettled``: not
    settled by then, where the platform reports settlement. ``nil``: worth nothing, as cancelled, of 0, or unsettled for too
    long. ``heard_until``: the last day of which news came in; how long a line has waited for its settlement is counted up to
    then.
    """

    lines: SalesLines
    known_on: int
    heard_until: int
    cancelled: Bools
    unsettled: Bools
    nil: Bools
    refunded_minor: Ints
    placed_minor: Ints
    net_minor: Ints


def known_flow(
    lines: SalesLines,
    known_on: int,
    lags: Lags,
    *,
    settlement_reported: bool | None = None,
    covered_until: int | None = None,
) -> KnownFlow:
    """The lines paid by *known_on*, with the refunds, cancellations and settlements of which that day had news.

    ``settlement_reported`` says whether the platforms report settlement; ``None``: those that do by what the lines know,
    see :class:`SalesLines`. After ``covered_until``, the last day imported, nothing is heard: that a line has not settled
    since says nothing.

    *Source:* SEMANTICS 8, net sale and no look-ahead.
    """
    seen = lines.paid_day <= known_on
    if not seen.all():
        lines = lines.take(seen)
    cancelled = _cancelled(lines, known_on, lags)
    unsettled = _unsettled(lines, known_on, settlement_reported)
    heard_until = known_on if covered_until is None else min(known_on, covered_until)
    nil = (
        cancelled | (lines.amount_minor == 0) | (unsettled & (lines.paid_day <= heard_until - lags.unsettled))
    )
    refunded = _refunded_minor(lines, known_on, lags)
    counted = (~nil).astype(np.int64)
    placed = lines.amount_minor * counted
    return KnownFlow(
        lines, known_on, heard_until, cancelled, unsettled, nil, refunded, placed, placed - refunded * counted
    )  # fmt: skip


def _cancelled(lines: SalesLines, known_on: int, lags: Lags) -> Bools:
    cancelled: Bools = lines.status == CANCELLED
    at = cancelled.nonzero()[0]  # few: only they are looked at
    cancelled[at] = _news_day(lines, at, lines.status_day[at], lags) <= known_on
    return cancelled


def _refunded_minor(lines: SalesLines, known_on: int, lags: Lags) -> Ints:
    returned = lines.status == REFUNDED
    at = (returned | (lines.refund_minor > 0)).nonzero()[0]  # few: only they are looked at
    returned, refund, dated = returned[at], lines.refund_minor[at], lines.refunded_day[at]
    refund = np.where(returned & (refund == 0), lines.amount_minor[at], refund)
    dated = np.where(returned & (dated == NO_DAY), lines.status_day[at], dated)
    known = (refund > 0) & (_news_day(lines, at, dated, lags) <= known_on)
    refunded = np.zeros(len(lines), dtype=np.int64)
    refunded[at] = refund * known
    return refunded


def _news_day(lines: SalesLines, at: Ints, dated: Ints, lags: Lags) -> Ints:
    """The day that brought news of a change of the lines at these places, *dated* or not."""
    return np.where(dated == NO_DAY, lines.paid_day[at] + lags.undated_change, dated)


def _unsettled(lines: SalesLines, known_on: int, reported: bool | None) -> Bools:
    if reported is False:
        return np.zeros(len(lines), dtype=np.bool_)
    settled: Bools = (lines.settled_day != NO_DAY) & (lines.settled_day <= known_on)
    open_yet = ~settled
    if reported:
        return open_yet
    if lines.settling_since is not None:
        reporting = [since != NO_DAY and since <= known_on for since in lines.settling_since]
    else:
        codes = range(len(lines.platforms))
        reporting = [bool((settled & (lines.platform == code)).any()) for code in codes]
    return open_yet if all(reporting) else open_yet & np.array(reporting, dtype=np.bool_)[lines.platform]


# --- reading frames ---------------------------------------------------------------------------------------------------


def sales_lines(
    frame: object,
    *,
    currency: str = "CNY",
    zone: str = DEFAULT_ZONE,
    settling_since: Mapping[str, date] | None = None,
) -> SalesLines:
    """Order lines from a pandas, polars or pyarrow frame, a DuckDB relation, a mapping of columns or a list of rows.

    Columns as in a sales file: ``shop_id, paid_at`` and ``amount`` (major units: text, Decimal or int) or
    ``amount_minor`` are required, the others optional. Rows without ``order_id`` are daily totals; a day of a shop that has
    order lines counts by them alone, never twice. *settling_since* names the platforms that report settlement and the
    first day of it; without it, those do that have settled a line. Times are ISO text, dates, datetimes or day ordinals as
    whole numbers; those with a zone are brought to *zone*.

    Raises BadInput for a missing column, InvalidAmount and InvalidDate naming the row.

    *Source:* CONTRACT 3 and 4.

    >>> lines = sales_lines([{"shop_id": "s", "order_id": "1", "paid_at": "2025-05-01", "amount": "12.30"}])
    >>> int(lines.amount_minor[0])
    1230
    """
    if isinstance(frame, SalesLines):
        return frame
    columns = _columns(frame)
    _check_columns(columns)
    count = len(columns["shop_id"])
    shop, shops = factorize(_names(columns["shop_id"], "shop_id", required=True))
    buyer, buyers = _optional_codes(columns, "buyer_id", count)
    platform, platforms = factorize(
        _names(columns["platform"], "platform") if "platform" in columns else [""] * count
    )
    flag, flags = _flags(columns, count)
    product, _ = _optional_codes(columns, "product_id", count)
    lines = SalesLines(
        shops=shops, buyers=buyers, platforms=platforms or ("",), flags=flags, shop=shop, platform=platform,
        paid_day=_days(columns, "paid_at", count, zone, required=True),
        amount_minor=_amounts(columns, "amount", "amount_minor", count, currency),
        refund_minor=_amounts(columns, "refund_amount", "refund_minor", count, currency, optional=True),
        status=_statuses(columns, count),
        refunded_day=_days(columns, "refunded_at", count, zone),
        status_day=_days(columns, "status_at", count, zone),
        settled_day=_days(columns, "settled_at", count, zone),
        buyer=buyer, product=product, order=_orders(columns, shop, count), flag=flag,
        is_total=_totals(columns, count), settling_since=_since(platforms or ("",), settling_since),
    )  # fmt: skip
    # within the day by buyer and amount, which no later news changes: the order in which the lines came changes nothing
    lines = lines.take(np.lexsort((lines.amount_minor, _rank_of_buyer(lines), lines.paid_day, lines.shop)))
    return _counted_once(lines) if lines.is_total.any() else lines


def _totals(columns: Mapping[str, Any], count: int) -> Bools:
    """Rows without an order."""
    if "order_id" not in columns:
        return np.ones(count, dtype=np.bool_)
    names = _names(columns["order_id"], "order_id")
    return np.fromiter((name == "" for name in names), dtype=np.bool_, count=count)


def _since(platforms: Sequence[str], given: Mapping[str, date] | None) -> tuple[int, ...] | None:
    if given is None:
        return None
    return tuple(given[name].toordinal() if name in given else NO_DAY for name in platforms)


def _counted_once(lines: SalesLines) -> SalesLines:
    """The lines without the totals of days for which the shop's orders are known."""
    moment = lines.shop * (LAST_DAY.toordinal() + 1) + lines.paid_day
    twice = lines.is_total & np.isin(moment, moment[~lines.is_total])
    return lines.take(~twice) if twice.any() else lines


def factorize(names: Sequence[str]) -> tuple[Ints, tuple[str, ...]]:
    """Codes in order of first appearance, and the names they stand for.

    >>> factorize(["b", "a", "b"])[1]
    ('b', 'a')
    """
    codes: dict[str, int] = {}
    found = np.fromiter(
        (codes.setdefault(name, len(codes)) for name in names), dtype=np.int64, count=len(names)
    )
    return found, tuple(codes)


def _columns(frame: object) -> dict[str, Any]:
    if isinstance(frame, Mapping):
        return {str(name): values for name, values in frame.items() if name in KNOWN_COLUMNS}
    if isinstance(frame, (list, tuple)):
        return _columns_of_rows(frame)
    if hasattr(frame, "fetchall") and hasattr(frame, "columns"):
        rows = list(zip(*frame.fetchall(), strict=True)) or [()] * len(frame.columns)
        return _columns(dict(zip(frame.columns, map(list, rows), strict=True)))
    if hasattr(frame, "toArrow"):
        frame = frame.toArrow()
    names = getattr(frame, "column_names", None) or getattr(frame, "columns", None)
    if names is None:
        raise BadInput(
            field="frame", value=type(frame).__name__,
            reason="give a pandas, polars or pyarrow frame, a mapping of columns or a list of rows",
        )  # fmt: skip
    return {str(name): frame[name] for name in names if name in KNOWN_COLUMNS}  # type: ignore[index]


def _columns_of_rows(rows: Sequence[Mapping[str, object]]) -> dict[str, Any]:
    names = dict.fromkeys(name for row in rows for name in row if name in KNOWN_COLUMNS)
    if not rows:
        return {"shop_id": [], "paid_at": [], "amount_minor": [], "order_id": []}
    return {name: [row.get(name) for row in rows] for name in names}


def _check_columns(columns: Mapping[str, Any]) -> None:
    missing = [name for name in REQUIRED_COLUMNS if name not in columns]
    if "amount" not in columns and "amount_minor" not in columns:
        missing.append("amount")
    if missing:
        raise BadInput(
            code="missing_column", field="frame", value=", ".join(missing), reason="column missing"
        )
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise BadInput(field="frame", value=sorted(lengths), reason="columns of different lengths")


def _plain_list(column: Any) -> list[Any]:
    for read in ("to_pylist", "to_list", "tolist"):
        if hasattr(column, read):
            return list(getattr(column, read)())
    return list(column)


def _is_missing(value: object) -> bool:
    return value is None or value == "" or value != value or type(value).__name__ in ("NAType", "NaTType")


def _names(column: Any, field: str, *, required: bool = False) -> list[str]:
    values = _plain_list(column)
    names = ["" if v is None or v != v or type(v).__name__ == "NAType" else str(v) for v in values]
    if required and "" in names:
        raise BadInput(field=f"{field}[{names.index('')}]", value="", reason="must not be empty")
    return names


def _optional_codes(columns: Mapping[str, Any], field: str, count: int) -> tuple[Ints, tuple[str, ...]]:
    if field not in columns:
        return np.full(count, UNKNOWN, dtype=np.int64), ()
    codes, names = factorize(["", *_names(columns[field], field)])
    return codes[1:] - 1, names[1:]


def _flags(columns: Mapping[str, Any], count: int) -> tuple[Ints, tuple[str, ...]]:
    if "flag" not in columns:
        return np.zeros(count, dtype=np.int64), ("",)
    codes, names = factorize(["", *_names(columns["flag"], "flag")])
    return codes[1:], names


def _orders(columns: Mapping[str, Any], shop: Ints, count: int) -> Ints:
    """A number per order of a shop that has several lines; UNKNOWN for lines that are an order, or a day's total, alone."""
    if "order_id" not in columns:
        return np.full(count, UNKNOWN, dtype=np.int64)
    number, names = factorize(_names(columns["order_id"], "order_id"))
    key = shop * len(names) + number
    several = np.bincount(number, minlength=len(names)) > 1
    several[[code for code, name in enumerate(names) if name == ""]] = False
    shared = several[number].nonzero()[0]  # few of most files
    order = np.full(count, UNKNOWN, dtype=np.int64)
    _, place, lines = np.unique(key[shared], return_inverse=True, return_counts=True)
    order[shared] = np.where(lines[place] > 1, place, UNKNOWN)
    return order


def _rank_of_buyer(lines: SalesLines) -> Ints:
    """Buyers by name, unknown ones last; all alike where no order has two lines, and nothing depends on it."""
    if not len(lines.together):
        return np.zeros(len(lines), dtype=np.int64)
    ranked = sorted(range(len(lines.buyers)), key=lines.buyers.__getitem__)
    rank = np.empty(len(ranked) + 1, dtype=np.int64)
    rank[ranked], rank[UNKNOWN] = np.arange(len(ranked)), len(ranked)
    return rank[lines.buyer]


def _statuses(columns: Mapping[str, Any], count: int) -> Ints:
    if "status" not in columns:
        return np.full(count, STATUSES.index("completed"), dtype=np.int64)
    known = {name: code for code, name in enumerate(STATUSES)}
    names = _names(columns["status"], "status")
    try:
        return np.fromiter((known[name] for name in names), dtype=np.int64, count=count)
    except KeyError as unknown:
        row = names.index(unknown.args[0])
        raise BadInput(
            code="unknown_status",
            field=f"status[{row}]",
            value=unknown.args[0],
            reason="use " + ", ".join(STATUSES),
        ) from None


def _amounts(
    columns: Mapping[str, Any], major: str, minor: str, count: int, currency: str, *, optional: bool = False
) -> Ints:
    field = minor if minor in columns else major
    if field not in columns:
        return np.zeros(count, dtype=np.int64)
    column = columns[field]
    kind = getattr(getattr(column, "dtype", None), "kind", "")
    if isinstance(column, np.ndarray) and kind in "iu" and field == minor:
        amounts = column.astype(np.int64)
    else:
        amounts = _parsed_amounts(_plain_list(column), field, "" if field == minor else currency, optional)
    outside = (amounts < 0) | (amounts > MAX_MINOR)
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise InvalidAmount(
            field=f"{field}[{row}]", value=str(amounts[row]), reason="below zero or too large"
        )
    return amounts


def _parsed_amounts(values: list[Any], field: str, currency: str, optional: bool) -> Ints:
    known: dict[object, int] = {}
    parsed = np.zeros(len(values), dtype=np.int64)
    for row, value in enumerate(values):
        if type(value) is int and not currency:
            parsed[row] = _within_64_bits(value, f"{field}[{row}]")
        elif optional and _is_missing(value):
            continue
        else:
            minor = known.get(value) if value.__hash__ else None
            parsed[row] = known[value] = (
                _parsed_amount(value, f"{field}[{row}]", currency) if minor is None else minor
            )
    return parsed


def _within_64_bits(value: int, field: str) -> int:
    if abs(value) > MAX_MINOR:
        raise InvalidAmount(field=field, value="an integer of many digits", reason="too large")
    return value


def _parsed_amount(value: Any, field: str, currency: str) -> int:
    if isinstance(value, (float, np.floating)):
        raise InvalidAmount(
            field=field, value=str(value),
            reason='floats are not exact, read the column as text (pandas: dtype={"amount": str}) or as integers',
        )  # fmt: skip
    if isinstance(value, np.integer):
        value = int(value)
    if currency:
        return to_minor(value, currency, field)
    exact = to_minor(
        value, "JPY", field
    )  # a currency without digits: the number is one of minor units already
    return exact


def _days(columns: Mapping[str, Any], field: str, count: int, zone: str, *, required: bool = False) -> Ints:
    if field not in columns:
        return np.full(count, NO_DAY, dtype=np.int64)
    column = columns[field]
    if (
        getattr(getattr(column, "dtype", None), "kind", "") == "M"
        and getattr(column.dtype, "tz", None) is None
    ):
        return _checked_days(_days_of_datetimes(np.asarray(column)), field, required)
    if getattr(getattr(column, "dtype", None), "kind", "") in "iu" and isinstance(column, np.ndarray):
        return _checked_days(column.astype(np.int64), field, required)
    values = _plain_list(column)
    fast = _days_of_plain_text(values)
    if fast is not None:
        return _checked_days(fast, field, required)
    there = ZoneInfo(zone)
    days = np.fromiter(
        (_day(v, field, row, there) for row, v in enumerate(values)), dtype=np.int64, count=count
    )
    return _checked_days(days, field, required)


_EPOCH: Final = date(1970, 1, 1).toordinal()


def _days_of_datetimes(moments: NDArray[Any]) -> Ints:
    days = moments.astype("datetime64[D]").astype(np.int64) + _EPOCH
    return np.where(np.isnat(moments), NO_DAY, days)


def _days_of_plain_text(values: list[Any]) -> Ints | None:
    """Days of ISO texts without a zone, all at once; None when there is anything else among them."""
    if not all(type(v) is str and _has_plain_day(v) for v in values):
        return None
    try:
        return _days_of_datetimes(np.array([v[:10] for v in values], dtype="datetime64[D]"))
    except ValueError:
        return None


def _has_plain_day(text: str) -> bool:
    if text == "":
        return True
    clock = text[10:]
    if not text.isascii() or text[4:5] != "-" or text[7:8] != "-" or text[:1] in "+-":
        return False
    return clock == "" or (len(clock) == 9 and clock[0] in "T " and clock[3] == ":" and clock[1:3] < "24")


def _day(value: Any, field: str, row: int, there: ZoneInfo) -> int:
    if _is_missing(value):
        return NO_DAY
    if isinstance(value, str):
        value = _moment_of_text(value, field, row)
    if isinstance(value, datetime):
        return (value.astimezone(there) if value.tzinfo else value).toordinal()
    if isinstance(value, date):
        return value.toordinal()
    if type(value) is int:
        return value
    raise InvalidDate(
        field=f"{field}[{row}]", value=str(value)[:40], reason="write a time as 2024-02-29T13:30:00"
    )


def _moment_of_text(text: str, field: str, row: int) -> datetime:
    try:
        if len(text) > 40 or not text.isascii() or text[4:5] != "-":
            raise ValueError
        return datetime.fromisoformat(text)
    except ValueError:
        raise InvalidDate(
            field=f"{field}[{row}]", value=text[:40], reason="write a time as 2024-02-29T13:30:00"
        ) from None


def _checked_days(days: Ints, field: str, required: bool) -> Ints:
    outside = (days != NO_DAY) & ((days < FIRST_DAY.toordinal()) | (days > LAST_DAY.toordinal()))
    if required:
        outside |= days == NO_DAY
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise InvalidDate(
            field=f"{field}[{row}]", value="", reason=f"a day from {FIRST_DAY} to {LAST_DAY} is needed"
        )
    return days


def lines_of_rows(rows: Iterable[Sequence[object]], columns: Sequence[str]) -> SalesLines:
    """Lines from tuples as a database gives them, in the order of *columns*; amounts already in minor units.

    >>> len(lines_of_rows([("s", "o1", "2025-05-01", 1230)], ["shop_id", "order_id", "paid_at", "amount_minor"]))
    1
    """
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    return sales_lines(dict(zip(columns, values, strict=True)))
