"""Statements that only read: lists of facilities and loans, the journal, the audit log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, func, select

from .base import FAR
from .lending import AS_DRAWN, Row, columns, fixed
from .tables_lending import BUCKETS, COMMANDS, EVENTS, FACILITIES, JOURNAL, LOANS, OUTBOX
from .unit import Unit

_TENANT: BindParameter[str] = bindparam("tenant")
_PENDING = (
    select(*columns(LOANS))
    .where(LOANS.c.tenant == _TENANT, LOANS.c.status == fixed("pending"))
    .order_by(*AS_DRAWN)
)
_HELD = (
    select(*columns(LOANS))
    .where(LOANS.c.tenant == _TENANT, LOANS.c.held_through.is_not(None))
    .order_by(LOANS.c.id)
)
_OWING = (
    LOANS.c.tenant == _TENANT,
    LOANS.c.status.in_(("active", "overdue")),
    LOANS.c.held_through.is_(None),
)
_DUE = (
    select(LOANS.c.bucket, LOANS.c.id)
    .join(BUCKETS, (BUCKETS.c.tenant == LOANS.c.tenant) & (BUCKETS.c.bucket == LOANS.c.bucket))
    .where(*_OWING)
    .order_by(LOANS.c.bucket, LOANS.c.id)
)
_DUE_TODAY = _DUE.where(LOANS.c.oldest_due == BUCKETS.c.open_day)
_PAST_DUE = _DUE.where(LOANS.c.oldest_due < BUCKETS.c.open_day)
_LOANS = select(*columns(LOANS)).where(LOANS.c.tenant == _TENANT).order_by(*AS_DRAWN)
_FACILITIES = (
    select(*columns(FACILITIES))
    .where(FACILITIES.c.tenant == _TENANT)
    .order_by(FACILITIES.c.signed_on, FACILITIES.c.id)
)
_IN_DAYS = (JOURNAL.c.tenant == _TENANT, JOURNAL.c.day.between(bindparam("first"), bindparam("last")))
_JOURNAL = (
    select(*columns(JOURNAL))
    .where(*_IN_DAYS)
    .order_by(JOURNAL.c.day, JOURNAL.c.bucket, JOURNAL.c.entry, JOURNAL.c.line)
)
_GROUP = (JOURNAL.c.currency, JOURNAL.c.product, JOURNAL.c.account, JOURNAL.c["class"])
_BALANCES = (
    select(
        *(c.label("class_") if c.name == "class" else c for c in _GROUP),
        func.sum(JOURNAL.c.amount_minor).label("total"),
    )
    .where(JOURNAL.c.tenant == _TENANT, JOURNAL.c.day <= bindparam("last"))
    .group_by(*_GROUP)
    .order_by(*_GROUP)
)
_UNBALANCED = (
    select(JOURNAL.c.entry, func.sum(JOURNAL.c.amount_minor).label("total"))
    .where(JOURNAL.c.tenant == _TENANT)
    .group_by(JOURNAL.c.bucket, JOURNAL.c.entry, JOURNAL.c.currency)
    .having(func.sum(JOURNAL.c.amount_minor) != 0)
    .order_by(JOURNAL.c.entry)
)
_COUNTS = {
    table.name: select(func.count()).select_from(table).where(table.c.tenant == _TENANT)
    for table in (FACILITIES, LOANS, EVENTS, JOURNAL, OUTBOX)
}
_AUDIT = (
    select(COMMANDS)
    .where(
        COMMANDS.c.tenant == _TENANT, COMMANDS.c.recorded_at.between(bindparam("first"), bindparam("last"))
    )
    .order_by(COMMANDS.c.recorded_at, COMMANDS.c.id)
)


def pending_loans(unit: Unit) -> Sequence[Row]:
    """Draws whose payout is neither confirmed nor failed, oldest first."""
    rows: Sequence[Row] = unit.execute(_PENDING).all()
    return rows


def held_loans(unit: Unit) -> Sequence[Row]:
    """Loans the close has set aside."""
    rows: Sequence[Row] = unit.execute(_HELD).all()
    return rows


def due_loans(unit: Unit, *, today: bool) -> Sequence[Row]:
    """Bucket and id of running loans whose oldest unpaid due day is the open day, or lies before it; held ones left out."""
    rows: Sequence[Row] = unit.execute(_DUE_TODAY if today else _PAST_DUE).all()
    return rows


def loans(unit: Unit, **filters: Any) -> Sequence[Row]:
    """Loans by columns, oldest first."""
    return _filtered(unit, _LOANS, LOANS, filters)


def facilities(unit: Unit, **filters: Any) -> Sequence[Row]:
    """Facilities by columns, oldest first."""
    return _filtered(unit, _FACILITIES, FACILITIES, filters)


def _filtered(unit: Unit, query: Select[Any], table: Any, filters: dict[str, Any]) -> Sequence[Row]:
    wanted = {name: value for name, value in filters.items() if value is not None}
    for name, value in wanted.items():
        query = query.where(table.c[name] == value)
    rows: Sequence[Row] = unit.execute(query).all()
    return rows


def journal(unit: Unit, first: date | None, last: date | None) -> Iterator[Row]:
    """Journal lines by day, entry and line, read as they are needed."""
    streamed = unit.connection.execution_options(yield_per=5000)
    values = {"tenant": unit.tenant, "first": first or date.min, "last": last or FAR}
    yield from streamed.execute(_JOURNAL, values)


def balances(unit: Unit, last: date | None) -> Sequence[Row]:
    """The journal's balance per currency, product, account and class up to a day."""
    rows: Sequence[Row] = unit.execute(_BALANCES, {"last": last or FAR}).all()
    return rows


def unbalanced_entries(unit: Unit) -> Sequence[Row]:
    """Entries that do not sum to zero; there are none in a sound book."""
    rows: Sequence[Row] = unit.execute(_UNBALANCED).all()
    return rows


def count(unit: Unit, table: str) -> int:
    """How many rows the tenant has in a table."""
    return int(unit.execute(_COUNTS[table]).scalar())


def audit(unit: Unit, first: datetime, last: datetime) -> Sequence[Row]:
    """Commands recorded between two instants, both included."""
    rows: Sequence[Row] = unit.execute(_AUDIT, {"first": first, "last": last}).all()
    return rows
