"""Statements of personal data: where they are, and how they are blanked. None of these columns is part of a hash."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from .chain import sha256
from .lending import Row, at, keyed
from .tables_integrity import ERASURES
from .tables_lending import COMMANDS, EVENTS, FACILITIES, LOANS, OFFERS
from .tables_sales import IDENTIFIERS, LINKS, MERCHANTS, REVIEWS
from .unit import Unit

#: Commands whose stored answer or request hash can tell of a person.
_PERSONAL_COMMANDS = (
    "merchant.add", "merchant.give", "merchant.link", "merchant.identify", "merchant.rate", "sign",
)  # fmt: skip

_FACILITIES = select(FACILITIES).where(*keyed(FACILITIES, "merchant")).order_by(FACILITIES.c.id)
_OPEN_LOANS = (
    select(LOANS.c.id)
    .where(*keyed(LOANS, "merchant"), LOANS.c.status.not_in(("closed", "cancelled")))
    .order_by(LOANS.c.id)
)
_OPEN_OFFERS = select(OFFERS.c.id).where(*keyed(OFFERS, "merchant"), OFFERS.c.status == "offered")
_LAST_BOOKED = select(func.max(EVENTS.c.booked_on)).where(
    *keyed(EVENTS), EVENTS.c.facility.in_(bindparam("facilities", expanding=True))
)
_ERASURES = select(ERASURES).where(*keyed(ERASURES, "merchant")).order_by(ERASURES.c.erased_at)
_ADD_ERASURE = insert(ERASURES)
_COMMANDS = (
    select(COMMANDS.c.id, COMMANDS.c.result, COMMANDS.c.request_hash)
    .where(COMMANDS.c.tenant == bindparam("tenant"), COMMANDS.c.operation.in_(_PERSONAL_COMMANDS))
    .where(COMMANDS.c.subject.in_(bindparam("subjects", expanding=True)))
)
_REDACT = (
    update(COMMANDS)
    .where(COMMANDS.c.tenant == bindparam("of_tenant"), COMMANDS.c.id == bindparam("of_id"))
    .values(result=bindparam("answer"), request_hash=bindparam("blank_hash"))
)
_BLANKED = (
    update(MERCHANTS).where(*at(MERCHANTS), MERCHANTS.c.id == bindparam("of_merchant"), MERCHANTS.c.name != "")
    .values(name=""),
    update(FACILITIES).where(*at(FACILITIES, "merchant"), FACILITIES.c.signer != "").values(signer=""),
    update(REVIEWS).where(*at(REVIEWS, "merchant"), REVIEWS.c.note != "").values(note=""),
    update(LINKS).where(
        LINKS.c.tenant == bindparam("of_tenant"), LINKS.c.reason != "",
        or_(LINKS.c.merchant == bindparam("of_merchant"), LINKS.c.other == bindparam("of_merchant")),
    ).values(reason=""),
    delete(IDENTIFIERS).where(*at(IDENTIFIERS, "merchant")),
)  # fmt: skip


def _place(unit: Unit, merchant_id: str) -> dict[str, Any]:
    return {"bucket": unit.bucket_of(merchant_id), "merchant": merchant_id}


def facilities(unit: Unit, merchant_id: str) -> Sequence[Row]:
    """The merchant's facilities with their signers, oldest first."""
    rows: Sequence[Row] = unit.execute(_FACILITIES, _place(unit, merchant_id)).all()
    return rows


def running(unit: Unit, merchant_id: str) -> list[str]:
    """What still binds the merchant: live facilities, loans not paid back, offers that may be signed."""
    place = _place(unit, merchant_id)
    live = [row.id for row in facilities(unit, merchant_id) if row.status in ("active", "frozen")]
    loans = unit.execute(_OPEN_LOANS, place).scalars().all()
    return [*live, *loans, *unit.execute(_OPEN_OFFERS, place).scalars()]


def last_booked(unit: Unit, merchant_id: str) -> date | None:
    """The day of the last event of any of the merchant's contracts; None where there was none."""
    ids = [row.id for row in facilities(unit, merchant_id)]
    values = {"bucket": unit.bucket_of(merchant_id), "facilities": ids}
    found: date | None = unit.execute(_LAST_BOOKED, values).scalar() if ids else None
    return found


def erasures(unit: Unit, merchant_id: str) -> Sequence[Row]:
    """When the merchant's personal data were erased, and by whom."""
    rows: Sequence[Row] = unit.execute(_ERASURES, _place(unit, merchant_id)).all()
    return rows


def blank(unit: Unit, merchant_id: str) -> int:
    """Blank every personal column of a merchant and drop its identifiers; how many rows held something."""
    of = {"of_tenant": unit.tenant, "of_bucket": unit.bucket_of(merchant_id), "of_merchant": merchant_id}
    blanked = sum(int(unit.connection.execute(statement, of).rowcount) for statement in _BLANKED)
    return blanked + _redact_answers(unit, merchant_id)


def _redact_answers(unit: Unit, merchant_id: str) -> int:
    """Answers kept under keys lose the person; their request hashes too, since a short number can be guessed from one."""
    subjects = [merchant_id, *(row.id for row in facilities(unit, merchant_id))]
    blanks = [
        {
            "of_tenant": unit.tenant, "of_id": row.id, "blank_hash": sha256(row.id),
            "answer": None if row.result is None else _without_person(row.result),
        }
        for row in unit.execute(_COMMANDS, {"subjects": subjects})
        if row.request_hash != sha256(row.id)
    ]  # fmt: skip
    if blanks:
        unit.connection.execute(_REDACT, blanks)
    return len(blanks)


def _without_person(result: str) -> str:
    values: dict[str, Any] = json.loads(result)
    blanks: Mapping[str, Any] = {"name": "", "identifiers": [], "related": []}
    return json.dumps(values | {name: blank for name, blank in blanks.items() if name in values})


def add_erasure(unit: Unit, merchant_id: str, erased_on: date, reason: str, fields: int) -> None:
    """Put on record that a merchant was erased."""
    unit.connection.execute(_ADD_ERASURE, {
        "tenant": unit.tenant, "bucket": unit.bucket_of(merchant_id), "merchant": merchant_id,
        "command": unit.command_id, "erased_on": erased_on, "erased_at": unit.now, "reason": reason, "fields": fields,
        "actor": unit.actor, "approver": unit.approver,
    })  # fmt: skip
