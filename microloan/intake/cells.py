"""Cells of a sales file: text → integers of minor units, days, words, identifiers — column by column.

A column's reader is a dict that computes what it has not met yet: a platform repeats its amounts, days and status words, so
that most cells cost one lookup. A cell that cannot be used becomes a :class:`Fault`; faults are never remembered, so their
readers count them and a column without any need not be searched.

Source: RELIABILITY 39, 40: plain ASCII digits are checked as text, before any arithmetic.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ..days import FIRST_DAY, LAST_DAY
from ..errors import BadInput
from .rejections import Fault, shown

#: Largest amount of one order line, in minor units: sums over hundreds of thousands of lines stay inside 64 bits.
MAX_LINE_MINOR = 10**13
MAX_ID_LENGTH = 128
STATUSES = ("paid", "shipped", "completed", "refunded", "cancelled")
PLATFORM = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}", re.ASCII)

_REMEMBERED = 100_000
_MAJOR = re.compile(r"(-?)([0-9]{1,15})(?:\.([0-9]{1,18}))?", re.ASCII)
_MINOR = re.compile(r"(-?)([0-9]{1,18})", re.ASCII)
_TAIL = re.compile(
    r"(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,9})?)?)(Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?",
    re.ASCII,
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_FRACTION = re.compile(r"[.,][0-9]+")
#: What stands for a mark between thousands while an amount is looked at: in "12,50" the comma is none, nor in "1,0,0".
GROUP = "\0"
GROUPED = re.compile(r"-?[0-9]{1,3}(?:\x00[0-9]{3})+(?:\.[0-9]+)?", re.ASCII)


def platform_code(given: str) -> str:
    """The platform of rows that name none, as it is stored; empty: there is none. Raises BadInput.

    >>> platform_code(" JD ")
    'jd'
    """
    code = given.strip().lower()
    if code and not PLATFORM.fullmatch(code):
        reason = "use lower-case letters, digits and . _ - (32 at most), for instance jd"
        raise BadInput(code="bad_platform", field="platform", value=given[:40], reason=reason)
    return code


def shop_id(given: str) -> str:
    """The shop of a file that has no column for it; empty: there is none. Raises BadInput.

    >>> shop_id(" tea ")
    'tea'
    """
    read = identifier("shop", given, True)
    if isinstance(read, Fault):
        raise BadInput(
            code=read.code, field="shop", value=given[:40], reason="use up to 128 printable characters"
        )
    return read or ""


class Reader(dict[str, Any]):
    """Cells seen so far and what they mean; ``faults`` counts the unusable ones met since it was last set to zero."""

    def __init__(self, read: Callable[[str], Any]) -> None:
        super().__init__()
        self._read = read
        self.faults = 0

    def __missing__(self, text: str) -> Any:
        meaning = self._read(text)
        if isinstance(meaning, Fault):
            self.faults += 1
            return meaning
        if len(self) >= _REMEMBERED:
            self.clear()
        self[text] = meaning
        return meaning

    def column(self, cells: Iterable[str]) -> list[Any]:
        """What each cell means, or its fault."""
        return list(map(self.__getitem__, cells))


def amount_reader(
    column: str,
    digits: int,
    *,
    empty: int | None = None,
    plain: Callable[[str], str] | None = None,
    signed: bool = False,
) -> Reader:
    """Reads amounts in major units with at most *digits* decimals; *empty* is what an empty cell stands for.

    *plain* takes off what a platform writes around an amount; *signed* amounts may be below zero.

    >>> amount_reader("amount", 2)["123.45"]
    12345
    >>> amount_reader("amount", 2)["1,234.50"].code
    'bad_amount'
    """

    def read(text: str) -> int | Fault | None:
        text = text.strip(" \t")
        if plain:
            text = plain(text)
        if not text and empty is not None:
            return empty
        match = _MAJOR.fullmatch(text)
        if not match:
            return _bad_amount(column, text)
        sign, whole, decimals = match[1], match[2], match[3] or ""
        if len(decimals) > digits:
            return Fault(
                "too_many_decimals", f"{column} {shown(text)} has more than {digits} digits after the point"
            )
        minor: int = int(whole) * 10**digits + int(decimals.ljust(digits, "0") or 0)
        if signed and minor <= MAX_LINE_MINOR:
            return -minor if sign else minor
        return _counted(column, text, sign, minor)

    return Reader(read)


def plain_amount(signs: Sequence[str], thousands: str, decimal: str) -> Callable[[str], str]:
    """What makes a plain number of an amount as a platform writes it; anything else comes back as it was.

    >>> plain_amount(("¥",), ",", ".")("¥1,234.50")
    '1234.50'
    >>> plain_amount((), ".", ",")("1.234,50")
    '1234.50'
    >>> plain_amount((), ",", ".")("12,34.50")
    '12,34.50'
    """

    def plain(text: str) -> str:
        for sign in signs:
            text = text.removeprefix(sign).removesuffix(sign).strip(" \t")
        if thousands not in text and decimal == ".":
            return text
        point = text.replace(thousands, GROUP) if thousands else text
        point = point.replace(decimal, ".")
        if GROUP not in point:
            return point
        return point.replace(GROUP, "") if GROUPED.fullmatch(point) else text

    return plain


def minor_reader(column: str, *, empty: int | None = None) -> Reader:
    """Reads amounts that are integers of minor units already.

    >>> minor_reader("amount_minor")["12345"]
    12345
    """

    def read(text: str) -> int | Fault | None:
        text = text.strip(" \t")
        if not text and empty is not None:
            return empty
        match = _MINOR.fullmatch(text)
        return (
            _counted(column, text, match[1], int(match[2])) if match else _bad_amount(column, text, "12345")
        )

    return Reader(read)


def _counted(column: str, text: str, sign: str, minor: int) -> int | Fault:
    if sign and minor:
        return Fault(
            "negative_amount", f"{column} {shown(text)} is below zero; give returns in refund_amount"
        )
    if minor > MAX_LINE_MINOR:
        return Fault("amount_too_large", f"{column} {shown(text)} is larger than one order line can be")
    return minor


def _bad_amount(column: str, text: str, example: str = "1234.50") -> Fault:
    if not text:
        return Fault("missing_value", f"{column} is empty")
    return Fault("bad_amount", f"{column} {shown(text)} is not a plain number such as {example}")


class DayReader:
    """Times → days (proleptic ordinals) in the lender's zone; a time without a zone is taken in that zone.

    The day and the time of day are looked up apart: a file has many instants but few days and at most 86,400 seconds.

    >>> DayReader("paid_at", ZoneInfo("Asia/Shanghai")).column(["2024-01-31T23:30:00Z", "2024-01-31 23:30:00"])
    [738917, 738916]
    """

    def __init__(self, column: str, zone: ZoneInfo, *, optional: bool = False) -> None:
        self._column, self._zone, self._optional = column, zone, optional
        self._heads = Reader(_day_ordinal)
        self._tails = Reader(_zone_given)
        self.faults = 0

    def column(self, cells: Sequence[str]) -> list[Any]:
        """The ordinal of each cell, None for an empty optional one, or its fault."""
        self._heads.faults = self._tails.faults = 0
        tails = self._tails.column([cell[10:] for cell in cells])
        days = self._heads.column([cell[:10] for cell in cells])
        if any(tails) or self._heads.faults or self._tails.faults or None in days:
            return [self._settle(*found) for found in zip(cells, days, tails, strict=True)]
        return days

    def _settle(self, cell: str, day: Any, tail: Any) -> Any:
        """The slow road: empty cells, zones, faults."""
        if day is None and not tail:
            return None if self._optional else self._fault(Fault("missing_value", f"{self._column} is empty"))
        if isinstance(day, Fault) or isinstance(tail, Fault) or day is None:
            text = cell.strip(" \t")
            if text != cell:
                return self.column([text])[0]
            return self._fault(
                Fault("bad_time", f"{self._column} {shown(cell)} is not a time such as 2024-02-29T23:59:59")
            )
        return self._in_zone(cell) if tail else day

    def _in_zone(self, cell: str) -> int:
        return datetime.fromisoformat(_FRACTION.sub("", cell)).astimezone(self._zone).toordinal()

    def _fault(self, fault: Fault) -> Fault:
        self.faults += 1
        return fault


def _day_ordinal(text: str) -> int | Fault | None:
    if not text:
        return None
    if not _DATE.fullmatch(text):
        return Fault("bad_time", "")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return Fault("bad_time", "")
    return day.toordinal() if FIRST_DAY <= day <= LAST_DAY else Fault("bad_time", "")


def _zone_given(text: str) -> bool | Fault:
    if not text:
        return False
    match = _TAIL.fullmatch(text)
    return bool(match[1]) if match else Fault("bad_time", "")


class DaysSoFar:
    """Days that have been by *today*; a later one is a fault.

    >>> read = DaysSoFar("paid_at", DayReader("paid_at", ZoneInfo("Asia/Shanghai")), date(2026, 5, 12))
    >>> read.column(["2026-05-12", "2099-01-05"])[1].code
    'day_to_come'
    """

    def __init__(self, column: str, days: DayReader, today: date) -> None:
        self._column, self._days, self._today = column, days, today
        self._last = today.toordinal()
        self.faults = 0

    def column(self, cells: Sequence[str]) -> list[Any]:
        """The ordinal of each cell, or its fault."""
        found = self._days.column(cells)
        self.faults = self._days.faults
        late = [place for place, day in enumerate(found) if type(day) is int and day > self._last]
        for place in late:
            found[place] = self._to_come(cells[place])
        self.faults += len(late)
        return found

    def _to_come(self, cell: str) -> Fault:
        message = (
            f"{self._column} {shown(cell)} is after the day of the import, {self._today}; "
            "correct it, or import the row once that day has come"
        )
        return Fault("day_to_come", message)


class FormattedDayReader(DayReader):
    """As :class:`DayReader`, for exports that write times in formats of their own (``strptime`` codes), in their own zone.

    ISO 8601 is understood besides. A date without a time of day is that day, whatever the zone.

    >>> read = FormattedDayReader("paid_at", ZoneInfo("Asia/Shanghai"), ("%d.%m.%Y %H:%M",), ZoneInfo("UTC"))
    >>> read.column(["31.01.2024 23:30"])
    [738917]
    """

    def __init__(
        self,
        column: str,
        zone: ZoneInfo,
        patterns: Sequence[str],
        given: ZoneInfo | None = None,
        *,
        optional: bool = False,
    ) -> None:
        super().__init__(column, zone, optional=optional)
        self._foreign = given if given is not None and given.key != zone.key else None
        self._formats = [(*map(_part_reader, _halves(pattern)),) for pattern in patterns]

    def column(self, cells: Sequence[str]) -> list[Any]:
        """The ordinal of each cell, None for an empty optional one, or its fault."""
        return super().column([self._iso(cell) for cell in cells])

    def _iso(self, cell: str) -> str:
        text = cell.strip(" \t")
        head, _, tail = text.partition(" ")
        for day, clock in self._formats:
            on, at = day[head], clock[tail]
            if on is not None and at is not None:
                return self._with_zone(on[:10] + at[10:] if tail else on[:10])
        return self._with_zone(text)

    def _with_zone(self, iso: str) -> str:
        """A time that names no zone, given the one it is in."""
        if self._foreign is None or _zone_given(iso[10:]) is not False or len(iso) == 10:
            return iso
        try:
            return datetime.fromisoformat(_FRACTION.sub("", iso)).replace(tzinfo=self._foreign).isoformat()
        except ValueError:
            return iso


def _halves(pattern: str) -> tuple[str, str]:
    """The format of the day and that of the time of day: a file has few of either, and many pairs of them."""
    head, _, tail = pattern.partition(" ")
    return head, tail


def _part_reader(pattern: str) -> Reader:
    """Reads one half of a time to the ISO text of a whole one; None where it is not of *pattern*."""

    def read(text: str) -> str | None:
        if not text or not pattern:
            return "" if text == pattern else None
        try:
            return datetime.strptime(text, pattern).isoformat() if text.isascii() else None  # noqa: DTZ007
        except ValueError:
            return None

    return Reader(read)


def unprotected(cell: str) -> str:
    """A cell without what keeps Excel from making a number of it: ``="…"``, an apostrophe or a tab.

    >>> unprotected('="1930679858170647"'), unprotected("'18618486065"), unprotected("168.99\\t")
    ('1930679858170647', '18618486065', '168.99')
    """
    cell = cell.strip(" \t")
    if cell.startswith('="') and cell.endswith('"') and len(cell) > 2:
        return cell[2:-1].strip(" \t")
    return cell.removeprefix("'")


def status_reader(words: Mapping[str, str]) -> Reader:
    """Reads status words: the five of the contract, and *words* a platform uses for them or for what is no sale.

    >>> status_reader({"交易成功": "completed"})["交易成功"]
    'completed'
    """
    known = {**{status: status for status in STATUSES}, **words}

    def read(text: str) -> str | Fault:
        text = text.strip(" \t")
        if text in known:
            return known[text]
        if not text:
            return Fault("missing_value", "status is empty")
        return Fault("unknown_status", f"status {shown(text)} is none of {', '.join(words or STATUSES)}")

    return Reader(read)


def platform_reader(default: str) -> Reader:
    """Reads platform codes, lower-cased; an empty cell means *default*."""

    def read(text: str) -> str | Fault:
        code = text.strip(" \t").lower() or default
        if not code:
            return Fault(
                "missing_value", "platform is empty; fill the column or name the platform for the whole file"
            )
        if not PLATFORM.fullmatch(code):
            return Fault(
                "bad_id", f"platform {shown(text)}: use lower-case letters, digits and . _ - (32 at most)"
            )
        return code

    return Reader(read)


def currency_reader(currency: str) -> Reader:
    """Reads a currency column: the book's own, or empty; nothing is ever converted."""

    def read(text: str) -> str | Fault:
        code = text.strip(" \t").upper() or currency
        return (
            code
            if code == currency
            else Fault("other_currency", f"currency {shown(text)}: this is a {currency} book")
        )

    return Reader(read)


def identifiers(column: str, cells: Sequence[str], *, optional: bool = False) -> tuple[list[Any], int]:
    """Identifiers as platforms give them: printable, at most 128 characters, outer blanks cut; and the number of faults.

    A column in order is recognised at one glance; only others are looked at cell by cell.

    >>> identifiers("order_id", ["a1", " b2"])
    (['a1', 'b2'], 0)
    """
    joined = "".join(cells)
    lengths = set(map(len, cells))
    if (
        joined.isascii()
        and joined.isprintable()
        and " " not in joined
        and max(lengths, default=0) <= MAX_ID_LENGTH
    ):
        if 0 not in lengths:
            return list(cells), 0
        if optional:
            return [cell or None for cell in cells], 0
    read = [identifier(column, cell, optional) for cell in cells]
    return read, sum(isinstance(cell, Fault) for cell in read)


def identifier(column: str, cell: str, optional: bool) -> str | Fault | None:
    """An identifier as it is stored (NFC, outer blanks cut); None for an empty one that may be empty."""
    text = cell.strip(" \t\u3000\xa0")
    if not text:
        return None if optional else Fault("missing_value", f"{column} is empty")
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if len(text) > MAX_ID_LENGTH:
        return Fault("bad_id", f"{column} {shown(text)} has more than {MAX_ID_LENGTH} characters")
    if not text.isprintable():
        return Fault("bad_id", f"{column} {shown(text)} has characters that cannot be printed")
    return text
