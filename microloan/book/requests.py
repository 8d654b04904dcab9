"""What waits for a second person: commands put on file exactly as they were asked for, approved or rejected later.

With the four-eyes setting on, a command that needs a second person is tried, undone and kept. Another person approves it:
then it is carried out as of the open day, all conditions checked again, and its events carry both names. Source:
RELIABILITY 49, SEMANTICS 9.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from ..days import parse_date
from ..errors import EventRefused
from ..plain import to_json_values
from ..store import requests as store
from ..store import settings
from ..store.chain import canonical_json
from ..store.lending import Row
from ..store.unit import Unit, bucket_in
from . import four_eyes
from .desk import Desk
from .results import Request, RequestAnswer, Waiting

T = TypeVar("T")
Payload = Mapping[str, Any]

#: How far back an entry may be dated without a second person, where the lender has not said otherwise.
BACK_DATING_DAYS = 7


@dataclass(frozen=True, slots=True)
class Operation:
    """A command that may need a second person, carried out from its canonical payload alone.

    ``about`` is the field of the payload that names what it acts on. Unless ``always``, a second person is needed only
    where its ``value_date`` lies further back than the lender lets one person date.
    """

    name: str
    act: Callable[[Unit, Payload], Any]
    about: str = "loan"
    always: bool = True

    def subject(self, payload: Payload) -> str:
        """What the command acts on."""
        return str(payload.get(self.about, self.about))

    def bucket(self, unit: Unit, payload: Payload) -> int:
        """The bucket of what the command acts on; 0 for what is the lender's own."""
        if self.about not in payload:
            return 0
        subject = self.subject(payload)
        if self.about == "merchant":
            return unit.bucket_of(subject)
        return bucket_in(subject, "loan" if self.about == "subject" else self.about)


def command(
    desk: Desk, operation: Operation, payload: Payload, kind: type[T], *, key: str | None = None
) -> T | Waiting:
    """Carry out a command, or put it on file where the book wants a second person and none stands behind it."""

    def act(unit: Unit) -> T | Waiting:
        attending = attended(unit, operation, payload)
        if attending is None:
            return _file(unit, operation, payload)
        return cast(T, operation.act(attending, payload))

    answered = cast("type[T | Waiting]", kind | Waiting)
    return desk.command(operation.name, payload, act, answered, key=key, subject=operation.subject(payload))


def attended(unit: Unit, operation: Operation, payload: Payload) -> Unit | None:
    """The unit that may carry out a command, marked where only the second person lets it; None where that person lacks."""
    if not needs_another(unit, operation, payload):
        return unit
    return replace(unit, four_eyes=True) if unit.approver else None


def require_attended(unit: Unit, operation: Operation, payload: Payload) -> Unit:
    """As :func:`attended`, for what cannot be put on file. Raises EventRefused where the second person lacks."""
    attending = attended(unit, operation, payload)
    if attending is None:
        reason = "is dated too far back for one person; ask for it by command"
        raise EventRefused(code="needs_second_person", subject=operation.subject(payload), reason=reason)
    return attending


def needs_another(unit: Unit, operation: Operation, payload: Payload) -> bool:
    """Whether the book wants a second person behind this command."""
    if not operation.always and payload.get("value_date") is None:
        return False
    return four_eyes.insists(unit) and (operation.always or _long_ago(unit, operation, payload))


def _long_ago(unit: Unit, operation: Operation, payload: Payload) -> bool:
    today = unit.open_day(operation.bucket(unit, payload))
    return (today - parse_date(payload["value_date"], "value_date")).days > back_dating_days(unit)


def back_dating_days(unit: Unit) -> int:
    """How many days back one person may date an entry, as the lender's settings say on the open day."""
    found = settings.setting_on(unit, "back_dating", unit.book_day())
    return BACK_DATING_DAYS if found is None else int(json.loads(found)["days"])


def _file(unit: Unit, operation: Operation, payload: Payload) -> Waiting:
    """Put a command on file, once it is known that it could be carried out today; what waits already waits once."""
    subject = operation.subject(payload)
    four_eyes.require_somebody(unit.actor, subject)
    asked = canonical_json(payload)
    asked_hash = store.asked_hash(operation.name, asked)
    known = store.same_waiting(unit, asked_hash)
    if known is not None:
        return _waits(known)
    attempt = unit.connection.begin_nested()
    try:
        operation.act(unit, payload)
    finally:
        attempt.rollback()
    bucket = operation.bucket(unit, payload)
    return _waits(store.add_request(unit, {
        "tenant": unit.tenant, "bucket": bucket, "id": unit.new_id("req", bucket), "operation": operation.name,
        "subject": subject, "payload": asked, "asked_hash": asked_hash, "reason": str(payload.get("reason") or ""),
        "created_by": unit.actor, "created_on": unit.day_of(bucket), "created_at": unit.now, "status": "waiting",
        "decided_by": None, "decided_at": None, "note": "", "command": "",
    }))  # fmt: skip


def _waits(row: Row) -> Waiting:
    return Waiting(row.id, row.operation, row.subject, row.created_by)


class Requests:
    """What waits for a second person: ``book.acting("bob").requests.approve(waiting.request_id)``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def list(self, *, decided: bool = False) -> tuple[Request, ...]:
        """What waits, oldest first; with *decided* also what was approved or rejected."""
        return self._desk.read(
            lambda unit: tuple(_view(row) for row in store.requests(unit, decided=decided))
        )

    def show(self, request_id: str) -> Request:
        """One request with the command exactly as it was asked for. Raises NotFound."""
        return self._desk.read(lambda unit: _view(store.request(unit, request_id)))

    def approve(
        self, request_id: str, note: str = "", *, idempotency_key: str | None = None
    ) -> RequestAnswer:
        """Carry out what was asked for, in one transaction, as of the open day; the actor is the second person.

        Raises FourEyesRequired for whoever asked for it, EventRefused when it was answered already, and whatever the
        command itself refuses now: the request then still waits.
        """
        payload = {"request": request_id, "note": note}
        return self._desk.command(
            "request.approve", payload, lambda unit: _approve(unit, request_id, note), RequestAnswer,
            key=idempotency_key, subject=request_id,
        )  # fmt: skip

    def reject(self, request_id: str, note: str = "", *, idempotency_key: str | None = None) -> RequestAnswer:
        """Answer no; whoever asked may take it back so. Raises EventRefused when it was answered already."""
        payload = {"request": request_id, "note": note}
        return self._desk.command(
            "request.reject", payload, lambda unit: _reject(unit, request_id, note), RequestAnswer,
            key=idempotency_key, subject=request_id,
        )  # fmt: skip


def _approve(unit: Unit, request_id: str, note: str) -> RequestAnswer:
    from .guarded import operation_named

    row = _waiting(unit, request_id)
    four_eyes.require_another(row.created_by, unit.actor, request_id)
    both = replace(unit, actor=row.created_by, approver=unit.actor, four_eyes=True)
    result = operation_named(row.operation).act(both, json.loads(row.payload))
    store.decide_request(unit, row, "approved", note)
    return _answer(unit, row, "approved", to_json_values(result))


def _reject(unit: Unit, request_id: str, note: str) -> RequestAnswer:
    row = _waiting(unit, request_id)
    four_eyes.require_somebody(unit.actor, request_id)
    store.decide_request(unit, row, "rejected", note)
    return _answer(unit, row, "rejected", None)


def _waiting(unit: Unit, request_id: str) -> Row:
    row = store.request(unit, request_id, lock=True)
    if row.status != "waiting":
        reason = f"was {row.status} by {row.decided_by} already"
        raise EventRefused(code=f"request_{row.status}", subject=request_id, reason=reason)
    return row


def _answer(unit: Unit, row: Row, status: str, result: Payload | None) -> RequestAnswer:
    return RequestAnswer(
        row.id, row.operation, row.subject, status, row.created_by, unit.actor, unit.command_id, result
    )


def _view(row: Row) -> Request:
    return Request(
        row.id, row.operation, row.subject, json.loads(row.payload), row.reason, row.status, row.created_by,
        row.created_on, row.created_at, row.decided_by, row.decided_at, row.note, row.command,
    )  # fmt: skip
