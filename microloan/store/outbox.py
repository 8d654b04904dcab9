"""Statements of the outbox: notices that wait for other systems, facility by facility in the order of their facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, exists, insert, select, tuple_, update

from ..errors import NotFound
from .lending import Row, at, keyed
from .tables_lending import OUTBOX
from .unit import Unit, bucket_in

_EARLIER = OUTBOX.alias("earlier")
_WAITS = (OUTBOX.c.tenant == bindparam("tenant"), OUTBOX.c.published_at.is_(None))
_IN_ORDER = (OUTBOX.c.bucket, OUTBOX.c.facility, OUTBOX.c.seq)
_ONE = select(OUTBOX).where(*keyed(OUTBOX, "id"))
_WAITING = select(OUTBOX).where(*_WAITS).order_by(*_IN_ORDER).limit(bindparam("count"))
_WAITING_AFTER = _WAITING.where(
    tuple_(*_IN_ORDER) > tuple_(bindparam("of_bucket"), bindparam("of_facility"), bindparam("of_seq"))
)
# The first waiting notice of a facility stands for all of them: whoever holds its lock delivers that facility, the
# others pass it over. Not "seq > last": what commits late would be missed.
_HEADS = (
    select(OUTBOX.c.bucket, OUTBOX.c.facility)
    .where(*_WAITS)
    .where(
        ~exists()
        .where(_EARLIER.c.tenant == OUTBOX.c.tenant, _EARLIER.c.bucket == OUTBOX.c.bucket)
        .where(_EARLIER.c.facility == OUTBOX.c.facility, _EARLIER.c.seq < OUTBOX.c.seq)
        .where(_EARLIER.c.published_at.is_(None))
    )
    .order_by(*_IN_ORDER)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True, of=OUTBOX)
)
_OF_FACILITY = (
    select(OUTBOX)
    .where(*keyed(OUTBOX, "facility"), OUTBOX.c.published_at.is_(None))
    .order_by(OUTBOX.c.seq)
    .limit(bindparam("count"))
)
_ADD = insert(OUTBOX)
_ACKNOWLEDGE = (
    update(OUTBOX)
    .where(*at(OUTBOX, "facility"), OUTBOX.c.seq <= bindparam("of_seq"), OUTBOX.c.published_at.is_(None))
    .values(published_at=bindparam("instant"))
)


def notice(unit: Unit, event_id: str) -> Row:
    """One notice, waiting or acknowledged. Raises NotFound."""
    row = unit.execute(_ONE, {"bucket": bucket_in(event_id, "event"), "id": event_id}).first()
    if row is None:
        raise NotFound(kind="event", id=event_id)
    return row


def waiting(unit: Unit, after: Row | None, count: int) -> Sequence[Row]:
    """The next *count* notices that wait, those of a facility in their order; from the place after *after* on."""
    if after is None:
        found: Sequence[Row] = unit.execute(_WAITING, {"count": count}).all()
        return found
    place = {"of_bucket": after.bucket, "of_facility": after.facility, "of_seq": after.seq}
    rows: Sequence[Row] = unit.execute(_WAITING_AFTER, place | {"count": count}).all()
    return rows


def claim(unit: Unit, count: int) -> list[Row]:
    """At most *count* waiting notices of facilities nobody else is delivering; theirs alone until the transaction ends."""
    rows: list[Row] = []
    for head in unit.execute(_HEADS, {"count": count}).all():
        left = {"bucket": head.bucket, "facility": head.facility, "count": count - len(rows)}
        rows += unit.execute(_OF_FACILITY, left).all()
        if len(rows) >= count:
            break
    return rows


def acknowledge(unit: Unit, row: Row) -> int:
    """Mark a notice and those of its facility before it as delivered; how many waited."""
    of = {"of_tenant": unit.tenant, "of_bucket": row.bucket, "of_facility": row.facility, "of_seq": row.seq}
    return int(unit.connection.execute(_ACKNOWLEDGE, of | {"instant": unit.now}).rowcount)


def add_notices(unit: Unit, rows: Sequence[dict[str, Any]]) -> None:
    """Put notices that are no events of a facility."""
    unit.connection.execute(_ADD, list(rows))
