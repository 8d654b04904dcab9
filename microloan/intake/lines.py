"""Rows of text → sales lines, a few thousand at a time, column by column.

A header is resolved once into a :class:`Layout`: which cell of a row is which column of ours. Rows then become
:class:`Lines` — validated columns of equal length — and whatever cannot be used goes to the rejections with its line.

Decided here (the contract is silent):

* A row has one reason, the first in the order of the columns of the contract.
* ``refunded`` without a refund (or with one of zero) counts as refunded whole: an unknown refund must not raise a limit.
* Times of refund, status or settlement before the payment are taken as of the day of payment, the earliest they can be;
  such rows are counted in ``adjusted``.
* A row paid after the day of the import, in the lender's zone or that of the export, whichever is later, is a fault: it would
  pass for proof that all is known until then.
* Rows that a platform's layout knows to be no sale, such as orders never paid, are counted in ``left_out``.
* A day's total has no order: its order id is empty, its line id the day. A settlement document is an order of the platform
  itself, settled on its day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from ..errors import CurrencyMismatch, InvalidFile
from ..money import currency_digits
from .cells import (
    DayReader,
    DaysSoFar,
    FormattedDayReader,
    amount_reader,
    currency_reader,
    identifiers,
    minor_reader,
    plain_amount,
    platform_reader,
    status_reader,
    unprotected,
)
from .mapping import COLUMNS, Mapping, Money
from .rejections import Fault, Rejections, shown

Rows = Sequence[Sequence[str]]


class Lines(NamedTuple):
    """Validated sales lines as columns of equal length. Amounts in minor units, days as proleptic ordinals."""

    line: list[int]
    platform: list[str]
    shop_id: list[str]
    order_id: list[str]
    line_id: list[str]
    paid_day: list[int]
    amount_minor: list[int]
    refund_minor: list[int]
    status: list[str]
    refunded_day: list[int | None]
    status_day: list[int | None]
    settled_day: list[int | None]
    buyer_id: list[str | None]
    product_id: list[str | None]

    def keep(self, wanted: Sequence[bool]) -> Lines:
        """The lines at the places that are wanted."""
        return Lines(*([cell for cell, keep in zip(column, wanted, strict=True) if keep] for column in self))  # type: ignore[arg-type]


class _ColumnReader(Protocol):
    """Reads the cells of one column; ``faults`` says how many of the last could not be used."""

    faults: int

    def column(self, cells: Sequence[str]) -> list[Any]:
        """What each cell means, or its fault."""
        ...


class Expected(NamedTuple):
    """What a file is read against: the platform of rows that name none, the book's currency and zone, the mapping.

    ``shop`` is the shop of a file that has no column for it. ``mapping`` None: the layout that the header fits, see
    :func:`.sales.read_sales`. ``now``: the instant of the import; None for made-up rows of any day.
    """

    platform: str
    currency: str
    zone: str
    mapping: Mapping | None
    shop: str = ""
    now: datetime | None = None


class Layout:
    """A header resolved: where each of our columns stands, and the reader of each.

    Raises InvalidFile for a required column that is missing, one that is there twice, or an amount given in two units.
    """

    def __init__(self, header: Sequence[str], expected: Expected, mapping: Mapping, file: str) -> None:
        self.expected, self.mapping = expected, mapping
        self.width = len(header)
        self.ignored: tuple[str, ...] = ()
        if mapping.currency is not None and mapping.currency != expected.currency:
            raise CurrencyMismatch(field=file, value=mapping.currency, currency=expected.currency)
        self._fixed = {str(ours): value for ours, value in mapping.fixed.items()}
        if expected.shop:
            self._fixed["shop_id"] = expected.shop
        self._place = self._resolve([column_name(name) for name in header], file)
        self._continuation = self._place_of(mapping.rows.continuation, header, file)
        self._order = ""
        self._readers = _readers(expected, mapping, self._has("amount_minor"), self._has("refund_minor"))
        self.adjusted: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()

    def _has(self, column: str) -> bool:
        return column in self._place

    def _resolve(self, header: list[str], file: str) -> dict[str, int]:
        theirs = {ours: self._theirs(ours, header) for ours in COLUMNS}
        place = {ours: header.index(name) for ours, name in theirs.items() if name in header}
        _refuse_twice(header, theirs, file)
        for major, minor in (("amount", "amount_minor"), ("refund_amount", "refund_minor")):
            if major in place and minor in place:
                reason = f"has both {theirs[major]} and {theirs[minor]}; keep one of them"
                raise InvalidFile(code="ambiguous_column", file=file, reason=reason)
        if self.expected.shop and "shop_id" in place:
            reason = f"has a column {theirs['shop_id']}, which says whose each row is; leave out the shop for the whole file"
            raise InvalidFile(code="ambiguous_column", file=file, reason=reason)
        missing = self._missing(place)
        if missing:
            raise _lacks(missing, self.mapping, header, file)
        read = self.mapping.read_columns()
        self.ignored = tuple(name for name in header if name not in read)
        for major, minor in (("amount", "amount_minor"), ("refund_amount", "refund_minor")):
            if minor in place:
                place[major] = place[minor]
        return place

    def _place_of(self, theirs: str | None, header: Sequence[str], file: str) -> int | None:
        """Where a column of theirs stands that the layout cannot do without."""
        names = [column_name(name) for name in header]
        if theirs is not None and theirs not in names:
            raise _lacks([theirs], self.mapping, names, file)
        return None if theirs is None else names.index(theirs)

    def _theirs(self, ours: str, header: Sequence[str]) -> str:
        """What the file calls one of our columns: the first of its names that is there."""
        names = self.mapping.theirs(ours)
        return next((name for name in names if name in header), names[0])

    def _missing(self, place: dict[str, int]) -> list[str]:
        given = {*place, *self._fixed}
        if "amount_minor" in given:
            given.add("amount")
        if self.expected.platform:
            given.add("platform")
        wanted = (*self.mapping.required, "shop_id", "platform")
        return [ours for ours in _ORDER if ours in wanted and ours not in given]

    def _column(
        self, ours: str, columns: Sequence[Sequence[str]], rows: int, faulty: dict[int, Fault]
    ) -> list[Any]:
        if ours in self._place:
            return self._read(ours, self._bare(ours, columns[self._place[ours]]), faulty)
        if ours in self._fixed or ours == "platform":
            return self._read(ours, (self._fixed.get(ours, ""),) * rows, faulty)
        return [0 if ours == "refund_amount" else None] * rows

    def _bare(self, ours: str, cells: Sequence[str]) -> Sequence[str]:
        """Cells without what is wrapped around them, where the layout says that something is."""
        rules = self.mapping.cells
        if rules.excel:
            cells = [unprotected(cell) for cell in cells]
        if rules.masked and ours == "buyer_id":
            cells = ["" if rules.masked in cell else cell for cell in cells]
        return cells

    def usable(self, row: list[str]) -> bool:
        """Whether a record that spans lines can be a row: as wide as the header, no line end in what is read."""
        ends = (place for place in self._place.values() if not {"\n", "\r"}.isdisjoint(row[place]))
        return len(row) == self.width and not any(True for _ in ends)

    def lines(self, numbers: Sequence[int], rows: Rows, rejections: Rejections) -> Lines:
        """The rows that can be used, as columns; the others go to *rejections*."""
        numbers, rows = self._of_full_width(numbers, rows, rejections)
        if self._continuation is not None:
            numbers, rows = self._first_rows(numbers, rows, self._continuation)
        columns: list[Sequence[str]] = list(zip(*rows, strict=True)) if rows else [()] * self.width
        faulty: dict[int, Fault] = {}
        read = {ours: self._column(ours, columns, len(rows), faulty) for ours in _ORDER}
        lines = self._assembled(list(numbers), read)
        self._check_refunds(lines, faulty)
        no_sale = self._no_sale(lines.status, lines.paid_day, faulty)
        if faulty or no_sale:
            for index in sorted(faulty):
                rejections.add(numbers[index], faulty[index])
            lines = lines.keep([index not in faulty and index not in no_sale for index in range(len(rows))])
        self._settle_times(lines)
        return lines

    def rest(self, rejections: Rejections) -> Lines:
        """What only the end of the file tells: nothing, where every row is a line of its own."""
        return Lines(*([] for _ in Lines._fields))

    def _no_sale(self, statuses: list[Any], paid: list[Any], faulty: dict[int, Fault]) -> set[int]:
        """Rows of orders never paid, which are no sale and have no faults; a closed order that was paid is cancelled."""
        if not self.mapping.status:
            return set()
        found = set()
        for index, status in enumerate(statuses):
            blank = isinstance(paid[index], Fault) and paid[index].code == "missing_value"
            if status == "unpaid" or (status == "closed" and blank):
                found.add(index)
                faulty.pop(index, None)
            elif status == "closed":
                statuses[index] = "cancelled"
        self.left_out["unpaid"] += len(found)
        return found

    def _of_full_width(
        self, numbers: Sequence[int], rows: Rows, rejections: Rejections
    ) -> tuple[Sequence[int], Rows]:
        if set(map(len, rows)) <= {self.width}:
            return numbers, rows
        for number, row in zip(numbers, rows, strict=True):
            if row and len(row) != self.width:
                message = f"the row has {len(row)} fields, the header {self.width}"
                rejections.add(number, Fault("wrong_field_count", message))
        good = [(number, row) for number, row in zip(numbers, rows, strict=True) if len(row) == self.width]
        return [number for number, _ in good], [row for _, row in good]

    def _first_rows(self, numbers: Sequence[int], rows: Rows, column: int) -> tuple[Sequence[int], Rows]:
        """The rows that begin an order; those that list one more article of it are left out."""
        order, kept = self._place["order_id"], []
        for number, row in zip(numbers, rows, strict=True):
            if row[column].strip() or row[order] != self._order:
                kept.append((number, row))
                self._order = row[order]
        self.left_out["continuation"] += len(rows) - len(kept)
        return [number for number, _ in kept], [row for _, row in kept]

    def _read(self, ours: str, cells: Sequence[str], faulty: dict[int, Fault]) -> list[Any]:
        if ours in _IDENTIFIERS:
            found, faults = identifiers(ours, cells, optional=ours not in ("order_id", "shop_id"))
        else:
            reader = self._readers[ours]
            reader.faults = 0
            found, faults = reader.column(cells), reader.faults
        if faults:
            for index, cell in enumerate(found):
                if isinstance(cell, Fault):
                    faulty.setdefault(index, cell)
        return found

    def _assembled(self, numbers: list[int], read: dict[str, list[Any]]) -> Lines:
        lines = Lines(
            numbers, read["platform"], read["shop_id"], read["order_id"],
            [line_id or "" for line_id in read["line_id"]],
            read["paid_at"], read["amount"], read["refund_amount"], read["status"],
            read["refunded_at"], read["status_at"], read["settled_at"], read["buyer_id"], read["product_id"],
        )  # fmt: skip
        if self.mapping.holds == "daily_totals":
            days = [_iso(day) for day in lines.paid_day]
            return lines._replace(
                order_id=[""] * len(numbers), line_id=days, settled_day=list(lines.paid_day)
            )
        if self.mapping.holds == "settlement_documents":
            return lines._replace(buyer_id=list(lines.platform), settled_day=list(lines.paid_day))
        return lines

    def _check_refunds(self, lines: Lines, faulty: dict[int, Fault]) -> None:
        """Whole refunds are filled in; a refund above its amount is a fault."""
        if not any(lines.refund_minor) and "refunded" not in lines.status:
            return
        pairs = zip(lines.amount_minor, lines.refund_minor, lines.status, strict=True)
        for index, (amount, refund, status) in enumerate(pairs):
            if index in faulty:
                continue
            if status == "refunded" and not refund:
                lines.refund_minor[index] = amount
            elif refund > amount:
                message = f"the refund ({refund} minor units) is larger than the amount ({amount})"
                faulty[index] = Fault("refund_above_amount", message)

    def _settle_times(self, lines: Lines) -> None:
        """No refund, status or settlement before the payment: such a time is taken as of the day of payment."""
        for name, days in (
            ("refunded_before_paid", lines.refunded_day),
            ("status_before_paid", lines.status_day),
            ("settled_before_paid", lines.settled_day),
        ):
            if days.count(None) == len(days):
                continue
            for index, (day, paid) in enumerate(zip(days, lines.paid_day, strict=True)):
                if day is not None and day < paid:
                    days[index] = paid
                    self.adjusted[name] += 1


_IDENTIFIERS = frozenset({"order_id", "shop_id", "line_id", "buyer_id", "product_id"})
#: The order in which a row's first fault is looked for, and the columns that are read.
_ORDER = (
    "order_id", "shop_id", "paid_at", "amount", "status", "line_id", "platform", "currency", "refund_amount",
    "refunded_at", "status_at", "buyer_id", "settled_at", "product_id",
)  # fmt: skip


def _iso(day: Any) -> str:
    """The day of a total as its line id; that of a fault is never seen."""
    return date.fromordinal(day).isoformat() if isinstance(day, int) else ""


def column_name(cell: str) -> str:
    """A cell of the header without what may cling to it.

    >>> column_name("\ufeff订单付款时间 ")
    '订单付款时间'
    """
    return cell.strip(" \t\ufeff")


#: What stands for a column of the whole file, by the only one that is missing.
_REMEDIES: Final[dict[tuple[str, ...], str]] = {
    ("shop_id",): "; name the shop of the whole file (--shop SHOP)",
    ("platform",): "; name the platform of the whole file (--platform NAME)",
}


def _lacks(missing: list[str], mapping: Mapping, header: list[str], file: str) -> InvalidFile:
    """What a file lacks, and how to name it where the command can."""
    wanted = ", ".join(" or ".join(mapping.theirs(ours)) for ours in missing)
    remedy = _REMEDIES.get(tuple(missing), "")
    layout = "" if mapping.name == "contract" else f" of the layout {mapping.name}"
    columns = ", ".join(map(shown, header[:30])) or "none"
    reason = f"has no column {wanted}{layout}{remedy}; its columns are {columns}"
    return InvalidFile(code="missing_column", file=file, reason=reason, columns=missing)


def _readers(
    expected: Expected, mapping: Mapping, amount_minor: bool, refund_minor: bool
) -> dict[str, _ColumnReader]:
    digits = currency_digits(expected.currency)
    day = _day_readers(ZoneInfo(expected.zone), mapping)
    money = mapping.money
    plain = plain_amount(money.signs, money.thousands, money.decimal) if money != Money() else None
    signed = mapping.entries is not None
    paid = day("paid_at", False)
    return {
        "paid_at": DaysSoFar("paid_at", paid, _today(expected.now, expected.zone, mapping))
        if expected.now
        else paid,
        "amount": (
            minor_reader("amount_minor")
            if amount_minor
            else amount_reader("amount", digits, plain=plain, signed=signed)
        ),
        "status": status_reader(mapping.status),
        "platform": platform_reader(expected.platform),
        "currency": currency_reader(expected.currency),
        "refund_amount": (
            minor_reader("refund_minor", empty=0)
            if refund_minor
            else amount_reader("refund_amount", digits, empty=0, plain=plain)
        ),
        "refunded_at": day("refunded_at", True),
        "status_at": day("status_at", True),
        "settled_at": day("settled_at", True),
    }


def _day_readers(zone: ZoneInfo, mapping: Mapping) -> Callable[[str, bool], DayReader]:
    if not mapping.date_format and mapping.time_zone is None:
        return lambda column, optional: DayReader(column, zone, optional=optional)
    given = ZoneInfo(mapping.time_zone) if mapping.time_zone else None
    return lambda column, optional: FormattedDayReader(
        column, zone, mapping.date_format, given, optional=optional
    )


def _today(now: datetime, zone: str, mapping: Mapping) -> date:
    """The day of an import, where it is later: in the lender's zone or in that of the export."""
    return max(now.astimezone(ZoneInfo(each)).date() for each in (zone, mapping.time_zone or zone))


def _refuse_twice(header: list[str], theirs: dict[str, str], file: str) -> None:
    for name in theirs.values():
        if header.count(name) > 1:
            raise InvalidFile(
                code="duplicate_column", file=file, reason=f"has the column {name} twice", columns=[name]
            )
