"""Statements of settlements, bank receipts and promises. A row is claimed by its natural key before anything else is done."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Select, Table, bindparam, select, update

from .base import FAR
from .lending import Row, fixed
from .tables_cash import PROMISES, RECEIPTS, SETTLEMENTS, SWEPT
from .tables_lending import FACILITIES, LOANS
from .tables_merchants import IDENTIFIERS
from .unit import Unit
from .upserts import upsert

#: A loan or facility, as a payer's text names it.
CONTRACT = re.compile(r"\b(?:loan|fac)-[0-9]{2,4}-[0-9a-z]{1,40}\b", re.ASCII)

_TENANT: Any = bindparam("tenant")
_CLAIM_SETTLEMENT = (
    upsert(SETTLEMENTS)
    .on_conflict_do_nothing(index_elements=["tenant", "platform", "id"])
    .returning(SETTLEMENTS.c.id)
)
_SETTLEMENT_KEY = (
    SETTLEMENTS.c.tenant == _TENANT,
    SETTLEMENTS.c.platform == bindparam("platform"),
    SETTLEMENTS.c.id == bindparam("id"),
)
_SETTLEMENT = select(SETTLEMENTS).where(*_SETTLEMENT_KEY)
_SETTLEMENT_LOCKED = _SETTLEMENT.with_for_update()
_SETTLED = (
    update(SETTLEMENTS)
    .where(
        SETTLEMENTS.c.tenant == bindparam("of_tenant"),
        SETTLEMENTS.c.platform == bindparam("of_platform"),
        SETTLEMENTS.c.id == bindparam("of_id"),
    )
    .values({name: bindparam(f"new_{name}") for name in ("merchant", "status", "reason")})
)
_SETTLEMENTS = (
    select(SETTLEMENTS)
    .where(SETTLEMENTS.c.tenant == _TENANT)
    .where(SETTLEMENTS.c.settled_on.between(bindparam("first"), bindparam("last")))
    .order_by(SETTLEMENTS.c.settled_on, SETTLEMENTS.c.platform, SETTLEMENTS.c.id)
)
_ADD_SWEPT = upsert(SWEPT)
_SWEPT = (
    select(SWEPT, SETTLEMENTS.c.settled_on)
    .join(
        SETTLEMENTS,
        (SETTLEMENTS.c.tenant == SWEPT.c.tenant)
        & (SETTLEMENTS.c.platform == SWEPT.c.platform)
        & (SETTLEMENTS.c.id == SWEPT.c.settlement),
    )
    .where(SWEPT.c.tenant == _TENANT)
    .where(SETTLEMENTS.c.settled_on.between(bindparam("first"), bindparam("last")))
    .order_by(SETTLEMENTS.c.settled_on, SWEPT.c.platform, SWEPT.c.settlement, SWEPT.c.loan)
)
_SWEPT_OF = (
    select(SWEPT)
    .where(SWEPT.c.tenant == _TENANT, SWEPT.c.platform == bindparam("platform"))
    .where(SWEPT.c.settlement == bindparam("id"))
)
_FACILITIES_OF = (
    select(FACILITIES.c.id)
    .where(FACILITIES.c.tenant == _TENANT, FACILITIES.c.bucket == bindparam("bucket"))
    .where(FACILITIES.c.merchant == bindparam("merchant"))
)
_HELD_OF = select(LOANS.c.id).where(
    LOANS.c.tenant == _TENANT,
    LOANS.c.bucket == bindparam("bucket"),
    LOANS.c.merchant == bindparam("merchant"),
    LOANS.c.held_through.is_not(None),
)

_CLAIM_RECEIPT = (
    upsert(RECEIPTS).on_conflict_do_nothing(index_elements=["tenant", "id"]).returning(RECEIPTS.c.id)
)
_RECEIPT = select(RECEIPTS).where(RECEIPTS.c.tenant == _TENANT, RECEIPTS.c.id == bindparam("id"))
_RECEIPT_LOCKED = _RECEIPT.with_for_update()
_RECEIVED = (
    update(RECEIPTS)
    .where(RECEIPTS.c.tenant == bindparam("of_tenant"), RECEIPTS.c.id == bindparam("of_id"))
    .values(
        {name: bindparam(f"new_{name}") for name in ("status", "subject", "matched_by", "reason", "events")}
    )
)
_RECEIPTS = (
    select(RECEIPTS)
    .where(RECEIPTS.c.tenant == _TENANT)
    .where(RECEIPTS.c.received_on.between(bindparam("first"), bindparam("last")))
    .order_by(RECEIPTS.c.received_on, RECEIPTS.c.id)
)
_HOLDERS = (
    select(IDENTIFIERS.c.merchant)
    .where(IDENTIFIERS.c.tenant == _TENANT, IDENTIFIERS.c.kind == bindparam("kind"))
    .where(IDENTIFIERS.c.digest == bindparam("digest"))
    .order_by(IDENTIFIERS.c.merchant)
    .limit(2)
)

_ADD_PROMISE = upsert(PROMISES)
_PROMISES = select(PROMISES).where(PROMISES.c.tenant == _TENANT).order_by(PROMISES.c.by_day, PROMISES.c.id)


def claim_settlement(unit: Unit, row: dict[str, Any]) -> bool:
    """Insert a settlement; False when its platform and id are known, and then it is locked."""
    if unit.connection.execute(_CLAIM_SETTLEMENT, row).first() is not None:
        return True
    settlement(unit, row["platform"], row["id"], lock=True)
    return False


def settlement(unit: Unit, platform: str, settlement_id: str, *, lock: bool = False) -> Row | None:
    """A settlement's row."""
    key = {"platform": platform, "id": settlement_id}
    return unit.execute(_SETTLEMENT_LOCKED if lock else _SETTLEMENT, key).first()


def set_settlement(unit: Unit, key: tuple[str, str], *, merchant: str, status: str, reason: str) -> None:
    """Write what became of a settlement."""
    of = {"of_tenant": unit.tenant, "of_platform": key[0], "of_id": key[1]}
    new = {"new_merchant": merchant, "new_status": status, "new_reason": reason}
    unit.connection.execute(_SETTLED, of | new)


def settlements(
    unit: Unit, first: date | None, last: date | None, status: str | None = None
) -> Sequence[Row]:
    """Settlements by day, platform and id; in one status only."""
    query = _in_status(_SETTLEMENTS, SETTLEMENTS, status)
    rows: Sequence[Row] = unit.execute(query, _span(first, last)).all()
    return rows


def add_swept(unit: Unit, row: dict[str, Any]) -> None:
    """Note which part of a settlement was asked of a loan."""
    unit.connection.execute(_ADD_SWEPT, row)


def swept_of(unit: Unit, platform: str, settlement_id: str) -> Sequence[Row]:
    """Which loans a settlement was asked of, and the event of each."""
    rows: Sequence[Row] = unit.execute(_SWEPT_OF, {"platform": platform, "id": settlement_id}).all()
    return rows


def swept(unit: Unit, first: date | None, last: date | None) -> Sequence[Row]:
    """What was asked of loans, with ``settled_on``, by day."""
    rows: Sequence[Row] = unit.execute(_SWEPT, _span(first, last)).all()
    return rows


def facilities_of(unit: Unit, merchant: str) -> list[str]:
    """The ids of a merchant's facilities, in the order in which they are locked."""
    values = {"bucket": unit.bucket_of(merchant), "merchant": merchant}
    return sorted(unit.execute(_FACILITIES_OF, values).scalars())


def held_loan_of(unit: Unit, merchant: str) -> str | None:
    """A loan of the merchant that the close has set aside, if there is one."""
    found = unit.execute(_HELD_OF, {"bucket": unit.bucket_of(merchant), "merchant": merchant}).scalars()
    return min(found, default=None)


def claim_receipt(unit: Unit, row: dict[str, Any]) -> bool:
    """Insert a receipt; False when its id is known, and then it is locked."""
    if unit.connection.execute(_CLAIM_RECEIPT, row).first() is not None:
        return True
    receipt(unit, row["id"], lock=True)
    return False


def receipt(unit: Unit, receipt_id: str, *, lock: bool = False) -> Row | None:
    """A receipt's row."""
    return unit.execute(_RECEIPT_LOCKED if lock else _RECEIPT, {"id": receipt_id}).first()


def set_receipt(unit: Unit, receipt_id: str, **new: str) -> None:
    """Write what became of a receipt: status, subject, matched_by, reason, events."""
    of = {"of_tenant": unit.tenant, "of_id": receipt_id}
    unit.connection.execute(_RECEIVED, of | {f"new_{name}": value for name, value in new.items()})


def receipts(unit: Unit, first: date | None, last: date | None, status: str | None = None) -> Sequence[Row]:
    """Receipts by day and id; in one status only."""
    query = _in_status(_RECEIPTS, RECEIPTS, status)
    rows: Sequence[Row] = unit.execute(query, _span(first, last)).all()
    return rows


def holders(unit: Unit, kind: str, digest: str) -> list[str]:
    """The merchants with an identifier; two at most, since only one is an answer."""
    return list(unit.execute(_HOLDERS, {"kind": kind, "digest": digest}).scalars())


def add_promise(unit: Unit, row: dict[str, Any]) -> None:
    """Note a promise."""
    unit.connection.execute(_ADD_PROMISE, row)


def promises(unit: Unit) -> Sequence[Row]:
    """All promises, the nearest day first."""
    rows: Sequence[Row] = unit.execute(_PROMISES).all()
    return rows


def _in_status(query: Select[Any], table: Table, status: str | None) -> Select[Any]:
    """Only what is in a status; the few that wait are found by an index of their own."""
    if status is None:
        return query
    return query.where(table.c.status == (fixed(status) if status == "waiting" else status))


def _span(first: date | None, last: date | None) -> dict[str, date]:
    return {"first": first or date.min, "last": last or FAR}
