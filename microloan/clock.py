"""The one reading of the machine's clock; everything else is handed a clock.

Source: SEMANTICS 1: "now" comes from an injected clock only.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

DEFAULT_ZONE = "Asia/Shanghai"


class Clock(Protocol):
    """What the library asks of time: the instant, in UTC."""

    def now_utc(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_utc(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC)


def local_date(clock: Clock, zone: str = DEFAULT_ZONE) -> date:
    """The calendar day it is in the lender's time zone.

    Late in the evening of London it is the next day in Shanghai, in winter as in summer:

    >>> class Stopped:
    ...     def now_utc(self) -> datetime:
    ...         return datetime(2017, 4, 30, 16, 0, tzinfo=UTC)
    >>> local_date(Stopped())
    datetime.date(2017, 5, 1)
    >>> local_date(Stopped(), "Europe/London")
    datetime.date(2017, 4, 30)
    """
    return clock.now_utc().astimezone(ZoneInfo(zone)).date()
