"""Stored answers of keyed commands against the events these booked: what a replayed command would say again.

Nothing hashes an answer. What it says of its events (which, of what loan, on which days, for how much) they tell; the
figures it gives beside them (what was owed then) nobody can tell again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import MicroloanError
from ..money import to_major, to_minor
from .lives import DRAWN
from .results import Finding

_COLUMNS = {"kind": "kind", "loan_id": "loan", "facility_id": "facility"}
_DAYS = ("value_date", "booked_on")

#: Kinds of events whose amount an answer repeats; a settlement is answered by what was taken of it.
_REPEATED = ("repay", "recover", "refund", "fee", "waive")


def differences(events: Sequence[Any], answers: Mapping[str, str], currency: str) -> Iterator[Finding]:
    """What the stored answers (JSON, by command) of the commands that booked *events* say of them, and they do not tell."""
    booked: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.command in answers:
            booked.setdefault(event.command, {})[event.id] = event
    for command, own in booked.items():
        try:
            wrong = list(_wrong(json.loads(answers[command]), own, currency))
        except (MicroloanError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as fault:
            yield Finding("answer_unreadable", command, type(fault).__name__, "what its events tell")
            continue
        for field, stored, told in wrong:
            yield Finding(f"answer_{field}", command, str(stored), str(told))


def _wrong(answer: Any, own: Mapping[str, Any], currency: str) -> Iterator[tuple[str, object, object]]:
    """Field, what is stored and what the events tell, of every part of an answer that differs."""
    for part in _parts(answer):
        if "event_id" in part:
            yield from _wrong_of_event(part, own, currency)
        if "allocations" in part:
            paid = sum(to_minor(each["amount"], currency) for each in part["allocations"])
            if to_minor(part["amount"], currency) != paid:
                yield "amount", part["amount"], to_major(paid, currency)


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside an answer, the answer itself among them."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _parts(inner)


def _wrong_of_event(
    part: Mapping[str, Any], own: Mapping[str, Any], currency: str
) -> Iterator[tuple[str, object, object]]:
    event = own.get(part["event_id"])
    if event is None:
        yield "event_id", part["event_id"], ", ".join(own)
        return
    told = {field: getattr(event, column) for field, column in _COLUMNS.items()}
    told |= {field: getattr(event, field).isoformat() for field in _DAYS}
    for field, value in told.items():
        if field in part and part[field] != value:
            yield field, part[field], value
    amount = _amount_field(part, event)
    if amount is not None:
        minor = int(json.loads(event.payload)["amount_minor"])
        if to_minor(part[amount], currency) != minor:
            yield amount, part[amount], to_major(minor, currency)


def _amount_field(part: Mapping[str, Any], event: Any) -> str | None:
    """The field in which a part repeats the amount of its event; None where it gives another figure, or none."""
    if event.kind == DRAWN:
        return "principal" if "facility_id" in part and "available" in part else None
    alone = "principal_after" in part or part.get("kind") == event.kind
    return "amount" if alone and event.kind in _REPEATED else None
