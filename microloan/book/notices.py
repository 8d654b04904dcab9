"""The notices other systems read: CloudEvents 1.0, written in the transaction of the fact itself, delivered at least once.

Ordered per facility. A consumer remembers the ids it has seen, reads with :meth:`Events.tail` and says
:meth:`Events.ack`, or lets :meth:`Events.deliver` do both. Amounts are integers of minor units. Source: STORAGE (embedding).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from ..errors import BadInput
from ..store import outbox as store
from ..store.chain import canonical_json
from ..store.lending import Row
from ..store.unit import Unit
from .desk import Desk

#: Events that are read or delivered at once unless told otherwise, and at most.
AT_ONCE, AT_MOST = 100, 10_000


@dataclass(frozen=True, slots=True)
class EventType:
    """What a type of event says, and the fields of its data beside the common ones."""

    meaning: str
    fields: str = ""


#: In the data of every event of a facility: where it belongs and its two days; ``loan`` and ``reverses`` where they apply.
COMMON = ("currency", "facility", "loan", "reverses", "command", "value_date", "booked_on")

#: Every type there is, without its prefix ``microloan.`` and its version ``.v1``. Fields are added, never changed.
TYPES = {
    "signed": EventType(
        "An offer was accepted; the credit line is active",
        "merchant offer product product_version currency limit_minor seasonal_limit_minor seasonal_until valid_until "
        "contract_sha256 rate",
    ),
    "limit_set": EventType(
        "The line's limits changed: by hand (reason) or by a review (decision)",
        "limit_minor seasonal_limit_minor seasonal_until reason? decision?",
    ),
    "frozen": EventType("No further draws", "reason"),
    "unfrozen": EventType("Draws are possible again", "reason"),
    "facility_closed": EventType("The line was ended", "reason"),
    "facility_expired": EventType("The line's last day has passed", "valid_until"),
    "drawn": EventType("A draw reserved part of the limit; a payout is ordered", "amount_minor terms"),
    "payout_confirmed": EventType("The money went out; the loan starts on the value date", "terms"),
    "payout_failed": EventType("The money did not go out; the draw is cancelled", "reason"),
    "repay": EventType("Money came in for a loan", "amount_minor to_principal"),
    "settlement": EventType("A sales settlement reached a sweep loan", "amount_minor"),
    "recover": EventType("Money came in after the write-off", "amount_minor"),
    "refund": EventType("A credit balance was paid out or moved", "amount_minor moved_to"),
    "fee": EventType("A fee was charged", "amount_minor name"),
    "waive": EventType("Part of what is owed was given up", "amount_minor component"),
    "rate_change": EventType("Another contract rate from the night of the value date", "rate"),
    "pause_interest": EventType("No interest in the nights from first to before until", "first until"),
    "extend": EventType("A later maturity", "maturity due_dates"),
    "restructure": EventType("New terms from what is outstanding", "maturity due_dates method due_day rate"),
    "write_off": EventType("The claim was taken off the balance sheet"),
    "reverse": EventType("An earlier event never counted; reverses names it", "of reason"),
    "day_closed": EventType(
        "A bucket has closed a business day; open_day is the next", "bucket day open_day"
    ),
}


@dataclass(frozen=True, slots=True)
class Notice:
    """An event for other systems. ``sequence`` counts within ``facility``; ``data`` holds the fields of its type."""

    id: str
    type: str
    source: str
    subject: str
    time: str
    facility: str
    sequence: int
    data: Mapping[str, Any]

    def cloud_event(self) -> dict[str, Any]:
        """As CloudEvents 1.0 in JSON; ``partitionkey`` and ``sequence`` are its documented extensions.

        The key is the facility, of a closed day the bucket: ``sequence`` counts within it. No attribute may be empty.
        """
        return {
            "specversion": "1.0", "id": self.id, "source": self.source, "type": self.type, "subject": self.subject,
            "time": self.time, "partitionkey": self._partition, "sequence": f"{self.sequence:012d}",
            "datacontenttype": "application/json", "data": dict(self.data),
        }  # fmt: skip

    @property
    def _partition(self) -> str:
        return self.facility or f"bucket-{self.data['bucket']:02d}"


class Events:
    """Notices that wait for other systems. ``book.events.tail()``, then ``book.events.ack(event.id)``"""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def tail(self, after: str | None = None, limit: int = AT_ONCE) -> tuple[Notice, ...]:
        """The next *limit* notices that nobody has acknowledged, each facility's in their order; changes nothing.

        *after*: from the place behind that notice on, for reading on page by page. Raises NotFound, BadInput.
        """
        count = _checked(limit)

        def look(unit: Unit) -> tuple[Notice, ...]:
            place = None if after is None else store.notice(unit, after)
            return tuple(_view(unit, row) for row in store.waiting(unit, place, count))

        return self._desk.read(look)

    def ack(self, event_ids: Iterable[str] | str) -> int:
        """These notices have been dealt with, and those of their facilities before them; how many were waiting.

        Said twice it changes nothing. Raises NotFound.
        """
        named = (event_ids,) if isinstance(event_ids, str) else tuple(event_ids)

        def act(unit: Unit) -> int:
            return sum(store.acknowledge(unit, store.notice(unit, each)) for each in named)

        return self._desk.write(act)

    def deliver(self, send: Callable[[Notice], object], limit: int = AT_ONCE) -> int:
        """Hand at most *limit* waiting notices to *send* and acknowledge them, in one transaction; how many.

        Any number of processes may deliver: each takes facilities that no other is delivering (PostgreSQL: FOR UPDATE
        SKIP LOCKED; SQLite has one writer). What *send* raises comes out as it is: nothing is acknowledged, all of it
        comes again.
        *send* runs while the transaction is open: it should hand over to something near.
        """
        count = _checked(limit)

        def act(unit: Unit) -> int:
            rows = store.claim(unit, count)
            for row in rows:
                _send(send, _view(unit, row))
            last = {(row.bucket, row.facility): row for row in rows}
            return sum(store.acknowledge(unit, row) for row in last.values())

        try:
            return self._desk.write(act)
        except _NotSent as failed:
            raise failed.error from failed.error.__cause__


class _NotSent(Exception):
    """Carries an error of the consumer's own past those who would take it for one of our database."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _send(send: Callable[[Notice], object], notice: Notice) -> None:
    try:
        send(notice)
    except Exception as error:
        raise _NotSent(error) from error


def days_closed(unit: Unit, bucket: int, days: Sequence[date]) -> None:
    """The notices that a bucket has closed these days, in the transaction that closed them."""
    store.add_notices(unit, [day_closed(unit, bucket, day) for day in days])


def day_closed(unit: Unit, bucket: int, day: date) -> dict[str, Any]:
    """The notice that a bucket has closed a day, as columns by name."""
    data = {"bucket": bucket, "day": day, "open_day": day + timedelta(days=1)}
    return {
        "tenant": unit.tenant, "bucket": bucket, "id": f"day-{bucket:02d}-{day.toordinal()}", "facility": "",
        "seq": day.toordinal(), "type": "microloan.day_closed.v1", "subject": str(day), "time": unit.now,
        "data": canonical_json(data), "published_at": None,
    }  # fmt: skip


def _checked(limit: int) -> int:
    if not 1 <= limit <= AT_MOST:
        raise BadInput(field="limit", value=limit, reason=f"from 1 to {AT_MOST}")
    return limit


def _view(unit: Unit, row: Row) -> Notice:
    data = {"currency": unit.book.currency, **json.loads(row.data)}
    return Notice(
        row.id,
        row.type,
        f"/microloan/{unit.tenant}",
        row.subject,
        row.time.isoformat(),
        row.facility,
        row.seq,
        data,
    )
