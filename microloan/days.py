"""Days: day counts, due days, terms. No clock lives here.

Source: SEMANTICS 1 (day count) and 9.4 (due days).
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal

from .errors import InvalidDate

DayCount = Literal["actual", "30E/360"]

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TERM = re.compile(r"(?P<count>[0-9]{1,4})(?P<unit>[dm])", re.ASCII)
FIRST_DAY = date(1970, 1, 1)
LAST_DAY = date(2999, 12, 31)


@dataclass(frozen=True, slots=True)
class Term:
    """A length of time: N calendar days or N months.

    >>> Term.parse("90d")
    Term(count=90, unit='d')
    """

    count: int
    unit: Literal["d", "m"]

    @classmethod
    def parse(cls, given: object, field: str = "term") -> Term:
        """Read ``90d`` or ``12m``; 1 to 3660 days, 1 to 600 months."""
        if isinstance(given, Term):
            return given
        match = _TERM.fullmatch(given) if isinstance(given, str) else None
        if not match:
            raise InvalidDate(field=field, value=given, reason="write 90d for days or 12m for months")
        count, unit = int(match["count"]), match["unit"]
        if not 1 <= count <= (3660 if unit == "d" else 600):
            raise InvalidDate(field=field, value=given, reason="from 1 day to ten years, or 1 to 600 months")
        return cls(count, "d" if unit == "d" else "m")

    def end(self, start: date) -> date:
        """The maturity of a loan that starts on *start*.

        >>> Term.parse("90d").end(date(2017, 5, 1))
        datetime.date(2017, 7, 30)
        """
        return start + timedelta(days=self.count) if self.unit == "d" else add_months(start, self.count)

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


def parse_date(given: object, field: str = "date") -> date:
    """A calendar date from ISO text or a date; a time of day is refused.

    >>> parse_date("2024-02-29")
    datetime.date(2024, 2, 29)
    """
    if isinstance(given, date) and not hasattr(given, "hour"):
        day = given
    elif isinstance(given, str) and _ISO.fullmatch(given):
        try:
            day = date.fromisoformat(given)
        except ValueError:
            raise InvalidDate(field=field, value=given, reason="no such day in the calendar") from None
    else:
        raise InvalidDate(field=field, value=given, reason="write a calendar date as 2024-02-29")
    if not FIRST_DAY <= day <= LAST_DAY:
        raise InvalidDate(field=field, value=str(day), reason=f"must lie between {FIRST_DAY} and {LAST_DAY}")
    return day


def add_months(start: date, months: int, due_day: int | None = None) -> date:
    """The same day *months* later, cut to the month's length; never drifting, since it always counts from *start*.

    >>> add_months(date(2024, 1, 31), 1), add_months(date(2024, 1, 31), 2)
    (datetime.date(2024, 2, 29), datetime.date(2024, 3, 31))
    """
    index = start.year * 12 + start.month - 1 + months
    year, month = divmod(index, 12)
    month += 1
    return date(year, month, min(due_day or start.day, _last_of(year, month)))


@lru_cache(maxsize=4096)
def _last_of(year: int, month: int) -> int:
    return monthrange(year, month)[1]


def day_number(day: date, day_count: DayCount) -> int:
    """N(day): the night from a to b counts N(b) − N(a) days.

    >>> day_number(date(2023, 3, 1), "30E/360") - day_number(date(2023, 2, 28), "30E/360")
    3
    """
    if day_count == "actual":
        return day.toordinal()
    return 360 * day.year + 30 * day.month + min(day.day, 30)


def days_between(start: date, end: date, day_count: DayCount = "actual") -> int:
    """Interest days from *start* (counted) to *end* (not counted): 算头不算尾.

    >>> days_between(date(2017, 5, 1), date(2017, 7, 30))
    90
    """
    return day_number(end, day_count) - day_number(start, day_count)
