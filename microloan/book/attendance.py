"""Whether a second person stood behind every event that needed one, by the settings on file when it was booked.

The CHECK of an event ties its approver to a flag that whoever writes it chooses; what the flag had to be, the dated
settings tell. Where days and clock leave open which came first, an event or a switch, the event has the benefit of the
doubt. Source: RELIABILITY 49.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from ..store import settings
from ..store.unit import Unit
from . import guarded
from .lives import CONFIRMED
from .requests import BACK_DATING_DAYS

_KINDS = (
    (guarded.SET_LIMIT, "limit_set"), (guarded.WRITE_OFF, "write_off"), (guarded.REVERSE, "reverse"),
    (guarded.CHARGE_BACK, "reverse"), (guarded.CONFIRM_PAYOUT, CONFIRMED), (guarded.REPAY, "repay"),
    (guarded.SETTLEMENT, "settlement"), (guarded.RECOVER, "recover"), (guarded.CHANGE_RATE, "rate_change"),
    (guarded.PAUSE, "pause_interest"),
)  # fmt: skip
_ALWAYS = frozenset(kind for operation, kind in _KINDS if operation.always)
_DATED_BACK = frozenset(kind for operation, kind in _KINDS if not operation.always)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A setting as it was made: from which day, when by the clock, and what it says."""

    first_day: date
    set_at: datetime
    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attendance:
    """The four-eyes setting and the days one person may date back, as they were set one after the other."""

    switched: Sequence[_Entry]
    back_dating: Sequence[_Entry]

    @classmethod
    def read(cls, unit: Unit) -> Attendance:
        """As the book has them on file."""
        switched, back_dating = (
            [_Entry(row.effective_on, row.set_at, json.loads(row.value)) for row in settings.entries(unit, name)]
            for name in ("four_eyes", "back_dating")
        )  # fmt: skip
        return cls(switched, back_dating)

    def lacking(self, event: Any) -> bool:
        """Whether an event needed a second person and has none. One that a decision made (see :func:`decided_by`) does not."""
        if not self.switched or (event.four_eyes and event.approver):
            return False
        dated_back = event.kind in _DATED_BACK and self._long_ago(event)
        return (event.kind in _ALWAYS or dated_back) and self._on(event)

    def _on(self, event: Any) -> bool:
        for entry in reversed(self.switched):
            on: bool = entry.value["four_eyes"] == "on"
            earlier_day = entry.first_day < event.booked_on
            same_day = entry.first_day == event.booked_on
            by_the_clock = entry.set_at <= event.recorded_at
            if (by_the_clock and (earlier_day or same_day)) or (earlier_day and not on):
                return on
        return False

    def _long_ago(self, event: Any) -> bool:
        """Whether an event is dated back further than one person might, by any setting from its value date on."""
        back: int = (event.booked_on - event.value_date).days
        if not back:
            return False
        known = [entry for entry in self.back_dating if entry.set_at <= event.recorded_at]
        before = [entry for entry in known if entry.first_day <= event.value_date]
        since = [entry for entry in known if event.value_date < entry.first_day <= event.booked_on]
        days = [int(entry.value["days"]) for entry in (*before[-1:], *since)]
        return back > max(days if before else [BACK_DATING_DAYS, *days])


def decided_by(event: Any) -> str | None:
    """The decision that set a line's limits; None where somebody set them by hand."""
    if event.kind != "limit_set":
        return None
    decision: str | None = json.loads(event.payload).get("decision")
    return decision
