"""Statements that only read: lists of facilities and loans, the journal, the audit log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, func, select

from .base import FAR
from .lending import AS_DRAWN, Row, columns, fixed
from .lists import Listed, chosen, listed, newest_first, not_by_index
from .sums import summed, sums
from .tables_lending import BUCKETS, COMMANDS, EVENTS, FACILITIES, JOURNAL, LOANS, OUTBOX
from .unit import Unit

_TENANT: BindParameter[str] = bindparam("tenant")
_PENDING = (
    select(*columns(LOANS))
    .where(LOANS.c.tenant == _TENANT, LOANS.c.start.is_(None), LOANS.c.status == fixed("pending"))
    .order_by(*AS_DRAWN)
)
# No more than is told: the rest of such a row may be what cannot be read.
_HELD = (
    select(LOANS.c.id, LOANS.c.held_through, LOANS.c.held_reason)
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
#: Loans read together where each is replayed.
_LOANS_AT_ONCE = 500
_AS_SIGNED = (FACILITIES.c.signed_on, FACILITIES.c.id)
#: Days closed together are recorded at one instant; their subjects begin with the day.
_AS_RECORDED = (COMMANDS.c.recorded_at, COMMANDS.c.subject, COMMANDS.c.id)
_IN_DAYS = (JOURNAL.c.tenant == _TENANT, JOURNAL.c.day.between(bindparam("first"), bindparam("last")))
_JOURNAL = (
    select(*columns(JOURNAL))
    .where(*_IN_DAYS)
    .order_by(JOURNAL.c.day, JOURNAL.c.bucket, JOURNAL.c.entry, JOURNAL.c.line)
    .execution_options(yield_per=5000)
)
_GROUP = (JOURNAL.c.currency, JOURNAL.c.product, JOURNAL.c.account, JOURNAL.c["class"])
_COUNTS = {
    table.name: select(func.count()).select_from(table).where(table.c.tenant == _TENANT)
    for table in (FACILITIES, LOANS, EVENTS, JOURNAL, OUTBOX)
}
_AUDIT = select(COMMANDS).where(
    COMMANDS.c.tenant == _TENANT, COMMANDS.c.recorded_at.between(bindparam("first"), bindparam("last"))
)


def pending_loans(unit: Unit) -> Sequence[Row]:
    """Draws whose payout is neither confirmed nor failed, oldest first."""
    rows: Sequence[Row] = unit.execute(_PENDING).all()
    return rows


def held_loans(unit: Unit) -> Sequence[Row]:
    """Loans the close has set aside: id, held through, reason."""
    rows: Sequence[Row] = unit.execute(_HELD).all()
    return rows


def due_loans(unit: Unit, *, today: bool) -> Sequence[Row]:
    """Bucket and id of running loans whose oldest unpaid due day is the open day, or lies before it; held ones left out."""
    rows: Sequence[Row] = unit.execute(_DUE_TODAY if today else _PAST_DUE).all()
    return rows


def loans(
    unit: Unit, latest: int | None = None, drawn_by: date | None = None, **filters: str | None
) -> Listed[Row]:
    """Loans by columns in the order they were drawn, all or the *latest* so many; those *drawn_by* a day only."""
    return listed(unit, _loans(unit, drawn_by, filters), _as_drawn(filters), latest)


def loans_newest_first(unit: Unit, drawn_by: date | None = None, **filters: str | None) -> Iterator[Row]:
    """As :func:`loans`, read as they are needed, the last drawn first."""
    query = newest_first(_loans(unit, drawn_by, filters), _as_drawn(filters))
    yield from unit.execute(query.execution_options(yield_per=_LOANS_AT_ONCE))


def _loans(unit: Unit, drawn_by: date | None, filters: Mapping[str, str | None]) -> Select[Any]:
    query = chosen(unit, LOANS, filters)
    return query if drawn_by is None else query.where(LOANS.c.drawn_on <= drawn_by)


def _as_drawn(filters: Mapping[str, str | None]) -> tuple[ColumnElement[Any], ...]:
    return not_by_index(AS_DRAWN) if filters.get("merchant") or filters.get("facility") else AS_DRAWN


def facilities(unit: Unit, latest: int | None = None, **filters: str | None) -> Listed[Row]:
    """Facilities by columns in the order they were signed, all or the *latest* so many."""
    return listed(unit, chosen(unit, FACILITIES, filters), _AS_SIGNED, latest)


def journal(unit: Unit, first: date | None, last: date | None) -> Iterator[Row]:
    """Journal lines by day, entry and line, read as they are needed."""
    yield from unit.execute(_JOURNAL, {"first": first or date.min, "last": last or FAR})


class Balance(NamedTuple):
    """A balance of the journal, in minor units; debit above zero."""

    currency: str
    product: str
    account: str
    class_: str
    total: int


def balances(unit: Unit, last: date | None) -> Sequence[Balance]:
    """The journal's balance per currency, product, account and class up to a day."""
    rows = summed(unit, _balances, len(_GROUP), {"last": last or FAR})
    return [Balance(*row) for row in rows]


@cache
def _balances(halves: bool) -> Any:
    return (
        select(*_GROUP, *sums(JOURNAL.c.amount_minor, halves=halves))
        .where(JOURNAL.c.tenant == _TENANT, JOURNAL.c.day <= bindparam("last"))
        .group_by(*_GROUP)
        .order_by(*_GROUP)
    )


def count(unit: Unit, table: str) -> int:
    """How many rows the tenant has in a table."""
    return int(unit.execute(_COUNTS[table]).scalar())


def audit(unit: Unit, first: datetime, last: datetime, latest: int | None = None) -> Listed[Row]:
    """Commands recorded between two instants, both included; all or the *latest* so many."""
    return listed(unit, _AUDIT, _AS_RECORDED, latest, {"first": first, "last": last})
