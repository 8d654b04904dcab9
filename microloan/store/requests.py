"""Statements of what waits for a second person."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import bindparam, select, update

from ..errors import NotFound, Retryable
from .chain import sha256
from .lending import Row, at, fixed, keyed
from .tables_integrity import REQUESTS
from .unit import Unit, bucket_in

_ONE = select(REQUESTS).where(*keyed(REQUESTS, "id"))
_ONE_LOCKED = _ONE.with_for_update()
_ALL = (
    select(REQUESTS)
    .where(REQUESTS.c.tenant == bindparam("tenant"))
    .order_by(REQUESTS.c.created_at, REQUESTS.c.id)
)
_WAITING = _ALL.where(REQUESTS.c.status == "waiting")
_SAME = _WAITING.where(REQUESTS.c.asked_hash == bindparam("asked_hash"))
_DECIDE = (
    update(REQUESTS)
    .where(*at(REQUESTS, "id"))
    .values(
        status=bindparam("answer"), decided_by=bindparam("by"), decided_at=bindparam("instant"), note=bindparam("why"),
        command=bindparam("made"),
    )
)  # fmt: skip


def request(unit: Unit, request_id: str, *, lock: bool = False) -> Row:
    """A request's row. Raises NotFound."""
    key = {"bucket": bucket_in(request_id, "request"), "id": request_id}
    row = unit.execute(_ONE_LOCKED if lock else _ONE, key).first()
    if row is None:
        raise NotFound(kind="request", id=request_id)
    return row


def requests(unit: Unit, *, decided: bool) -> Sequence[Row]:
    """What waits, oldest first; with *decided* also what was answered."""
    rows: Sequence[Row] = unit.execute(_ALL if decided else _WAITING).all()
    return rows


def asked_hash(operation: str, payload: str) -> str:
    """What tells two requests apart: the operation and its canonical payload."""
    return sha256(f"{operation}\n{payload}")


def same_waiting(unit: Unit, asked: str) -> Row | None:
    """The request with this hash that waits, if there is one."""
    return unit.execute(_SAME, {"asked_hash": asked}).first()


def add_request(unit: Unit, row: dict[str, Any]) -> Row:
    """Put a request on file; the one that waits now: this, or the same that another put there meanwhile.

    Raises Retryable where a host's snapshot cannot see the other's.
    """
    unit.connection.execute(_claim(), row)
    waits = same_waiting(unit, row["asked_hash"])
    if waits is None:
        raise Retryable(reason="the same is being asked for right now")
    return waits


@cache
def _claim() -> Any:
    """The request unless the same waits; built when first used, as few commands wait for anybody."""
    from .upserts import upsert

    return upsert(REQUESTS).on_conflict_do_nothing(
        index_elements=["tenant", "asked_hash"], index_where=REQUESTS.c.status == fixed("waiting")
    )


def decide_request(unit: Unit, row: Row, answer: str, note: str) -> None:
    """Write what the unit's actor said: ``approved`` (this command carried it out) or ``rejected``."""
    of = {"of_tenant": unit.tenant, "of_bucket": row.bucket, "of_id": row.id, "answer": answer, "why": note}
    made = unit.command_id if answer == "approved" else ""
    unit.connection.execute(_DECIDE, of | {"by": unit.actor, "instant": unit.now, "made": made})
