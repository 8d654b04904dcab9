"""Business days: which days are closed, and where a due date moves that falls on one.

A calendar is any function from a day to whether it is closed. The rolled dates lie in the terms, so that replay needs no
calendar. Source: SEMANTICS 3 (optional business-day roll with a pluggable calendar) and 6 (pure means pure).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import date, timedelta
from typing import Literal

from ..errors import InvalidSetting
from ..terms import LoanTerms
from .schedule import due_days

Closed = Callable[[date], bool]
Roll = Literal["following", "modified_following", "preceding"]

_DAY = timedelta(days=1)


def weekends(day: date) -> bool:
    """Saturday and Sunday are closed.

    >>> weekends(date(2024, 6, 1))
    True
    """
    return day.weekday() >= 5


def listed(holidays: Collection[date], workdays: Collection[date] = ()) -> Closed:
    """A lender's own calendar: weekends and *holidays* are closed, *workdays* (moved weekends) are open.

    >>> closed = listed({date(2024, 10, 1)}, {date(2024, 9, 29)})
    >>> closed(date(2024, 10, 1)), closed(date(2024, 9, 29))
    (True, False)
    """
    closed, opened = frozenset(holidays), frozenset(workdays)
    return lambda day: day not in opened and (day in closed or weekends(day))


def public_holidays(country: str) -> Closed:
    """The public holidays of a country, with its moved workdays; needs the extra ``holidays``.

    Raises InvalidSetting for a country the holiday library does not know, or when it is not installed.

    The Sunday before the National Day of China was a workday in 2024:

    >>> closed = public_holidays("CN")
    >>> closed(date(2024, 10, 1)), closed(date(2024, 9, 29))
    (True, False)
    """
    try:
        import holidays
    except ImportError:
        reason = "needs the extra: pip install 'microloan[holidays]'"
        raise InvalidSetting(field="calendar", value=country, reason=reason) from None
    try:
        known = holidays.country_holidays(country)
    except NotImplementedError:
        raise InvalidSetting(field="calendar", value=country, reason="no such country code") from None
    return lambda day: not known.is_working_day(day)


def rolled(day: date, closed: Closed, rule: Roll = "following") -> date:
    """*day*, or the business day it moves to: the next one, the one before, or the next one of the same month.

    >>> rolled(date(2024, 6, 1), weekends), rolled(date(2024, 6, 30), weekends, "modified_following")
    (datetime.date(2024, 6, 3), datetime.date(2024, 6, 28))
    """
    step = -_DAY if rule == "preceding" else _DAY
    moved = day
    while closed(moved):
        moved += step
    if rule == "modified_following" and moved.month != day.month:
        return rolled(day, closed, "preceding")
    return moved


def rolled_due_dates(terms: LoanTerms, closed: Closed, rule: Roll = "following") -> tuple[date, ...]:
    """The loan's due dates after the roll, to be kept in its terms; dates that meet become one.

    A date never moves to the start or before it: then it rolls forward.

    >>> terms = LoanTerms.parse({"method": "equal_principal", "principal": "300", "rate": "0.05%/day",
    ...                          "start": "2024-05-01", "term": "3m"})
    >>> [day.isoformat() for day in rolled_due_dates(terms, weekends)]
    ['2024-06-03', '2024-07-01', '2024-08-01']
    """
    return rolled_after(terms.start, due_days(terms), closed, rule)


def rolled_after(start: date, days: Sequence[date], closed: Closed, rule: Roll) -> tuple[date, ...]:
    """Due dates after the roll, ascending, each once; one that would not lie after *start* rolls forward.

    >>> rolled_after(date(2024, 5, 31), [date(2024, 6, 1)], weekends, "preceding")
    (datetime.date(2024, 6, 3),)
    """
    moved = [(rolled(day, closed, rule), rolled(day, closed)) for day in days]
    return ascending([day if day > start else forward for day, forward in moved])


def ascending(days: Sequence[date]) -> tuple[date, ...]:
    """The dates in order, each once.

    >>> ascending([date(2024, 6, 3), date(2024, 5, 1), date(2024, 6, 3)])
    (datetime.date(2024, 5, 1), datetime.date(2024, 6, 3))
    """
    return tuple(sorted(set(days)))
