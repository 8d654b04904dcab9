"""Statements of the life of facilities and loans: lock, read, append, refresh caches. All prebuilt.

Every WHERE names tenant, bucket and the whole of a key, and nothing is ordered by a column outside the index that should
be used: SQLite without statistics would rather walk a bucket in the wanted order. Such rows are sorted here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, bindparam, delete, func, insert, literal_column, select, update
from sqlalchemy.sql.elements import ColumnElement

from ..errors import NotFound
from .tables_lending import ACCRUALS, EVENTS, FACILITIES, JOURNAL, LOANS, OUTBOX
from .unit import Unit, bucket_in
from .writes import Writes

_quoted = json.encoder.encode_basestring_ascii

Row = Any  # a row of a Core select: attributes named as the columns, ``class`` as ``class_``


def columns(table: Table) -> list[ColumnElement[Any]]:
    """A table's columns; ``class`` is named ``class_``, so that a row has it as an attribute."""
    return [column.label("class_") if column.name == "class" else column for column in table.c]


def keyed(table: Table, *names: str) -> list[ColumnElement[bool]]:
    """tenant = :tenant, bucket = :bucket, and the named columns likewise."""
    return [table.c[name] == bindparam(name) for name in ("tenant", "bucket", *names)]


def at(table: Table, *names: str) -> list[ColumnElement[bool]]:
    """As :func:`keyed` for an UPDATE or DELETE, with the parameters called ``of_…``."""
    return [table.c[name] == bindparam(f"of_{name}") for name in ("tenant", "bucket", *names)]


def fixed(word: str) -> ColumnElement[str]:
    """One of our own words as a literal: SQLite uses a partial index only when the statement spells its condition."""
    return literal_column(f"'{word}'")


_FACILITY = select(*columns(FACILITIES)).where(*keyed(FACILITIES, "id"))
_FACILITY_LOCKED = _FACILITY.with_for_update()
_LOAN = select(*columns(LOANS)).where(*keyed(LOANS, "id"))
#: The order of loans wherever they are listed: as they were drawn.
AS_DRAWN = (LOANS.c.drawn_on, LOANS.c.drawn_at, LOANS.c.id)
_LOANS_OF = select(*columns(LOANS)).where(*keyed(LOANS, "facility"))
_FACILITY_OF_LOAN = select(LOANS.c.facility).where(*keyed(LOANS, "id"))
_EVENTS_OF_LOAN = select(EVENTS).where(*keyed(EVENTS, "loan")).order_by(EVENTS.c.seq)
_EVENTS_OF_FACILITY = select(EVENTS).where(*keyed(EVENTS, "facility")).order_by(EVENTS.c.seq)
_LOANS_IN = select(*columns(LOANS)).where(*keyed(LOANS), LOANS.c.id.in_(bindparam("ids", expanding=True)))
_EVENTS_IN = (
    select(EVENTS)
    .where(*keyed(EVENTS), EVENTS.c.loan.in_(bindparam("ids", expanding=True)))
    .order_by(EVENTS.c.loan, EVENTS.c.seq)
)
_EVENT = select(EVENTS).where(*keyed(EVENTS, "id"))
_LAST_OF_KIND = (
    select(EVENTS)
    .where(*keyed(EVENTS, "facility"), EVENTS.c.kind == bindparam("kind"))
    .order_by(EVENTS.c.seq.desc())
    .limit(1)
)
_LIVE_FACILITY = select(*columns(FACILITIES)).where(
    *keyed(FACILITIES, "merchant"), FACILITIES.c.status.in_(("active", "frozen"))
)
_EXPOSURE = select(
    func.coalesce(func.sum(FACILITIES.c.outstanding_minor + FACILITIES.c.pending_minor), 0)
).where(*keyed(FACILITIES, "merchant"))
_OVERDUE_LOANS = select(LOANS.c.id).where(*keyed(LOANS, "merchant"), LOANS.c.status == "overdue")

_ADD_FACILITY = Writes(insert(FACILITIES))
_ADD_LOANS = Writes(insert(LOANS))
_ADD_EVENTS = Writes(insert(EVENTS))
_ADD_OUTBOX = Writes(insert(OUTBOX))
_ADD_JOURNAL = Writes(insert(JOURNAL))
_ADD_ACCRUALS = Writes(insert(ACCRUALS))

_FACILITY_CHANGES = (
    "status", "limit_minor", "seasonal_limit_minor", "seasonal_until", "outstanding_minor", "pending_minor",
    "last_seq", "head_hash",
)  # fmt: skip
LOAN_CHANGES = (
    "terms", "start", "maturity", "status", "principal_minor", "credit_minor", "class", "memo", "oldest_due",
    "held_through", "held_reason",
)  # fmt: skip
#: What an accrual row has running totals of, and the columns of each: whole, q, rem, m; all empty where there is none.
RUNNING = {
    "interest": ("whole", "q", "rem", "m"),
    "penalty": ("penalty_whole", "penalty_q", "penalty_rem", "penalty_m"),
}
_SET_FACILITY = Writes(
    update(FACILITIES).where(*at(FACILITIES, "id")).values({n: bindparam(n) for n in _FACILITY_CHANGES})
)
_SET_LOANS = Writes(
    update(LOANS).where(*at(LOANS, "id")).values({n: bindparam(f"new_{n}") for n in LOAN_CHANGES})
)
_DROP_ACCRUALS = Writes(
    delete(ACCRUALS).where(*at(ACCRUALS, "product", "class", "memo"), ACCRUALS.c.loan == bindparam("of_id"))
)


# --- reading ---------------------------------------------------------------------------------------------------------


def facility(unit: Unit, facility_id: str, *, lock: bool = False) -> Row:
    """A facility's row; with *lock*, nobody else writes to it or its loans until the transaction ends. Raises NotFound."""
    key = {"bucket": bucket_in(facility_id, "facility"), "id": facility_id}
    row = unit.execute(_FACILITY_LOCKED if lock else _FACILITY, key).first()
    if row is None:
        raise NotFound(kind="facility", id=facility_id)
    return row


def facility_of_loan(unit: Unit, loan_id: str) -> str:
    """The id of the facility a loan was drawn on. Raises NotFound."""
    found = unit.execute(_FACILITY_OF_LOAN, {"bucket": bucket_in(loan_id, "loan"), "id": loan_id}).scalar()
    if found is None:
        raise NotFound(kind="loan", id=loan_id)
    return str(found)


def loan(unit: Unit, loan_id: str) -> Row:
    """A loan's row. Raises NotFound."""
    row = unit.execute(_LOAN, {"bucket": bucket_in(loan_id, "loan"), "id": loan_id}).first()
    if row is None:
        raise NotFound(kind="loan", id=loan_id)
    return row


def loans_of(unit: Unit, bucket: int, facility_id: str) -> Sequence[Row]:
    """All loans of a facility, as they were drawn."""
    rows = unit.execute(_LOANS_OF, {"bucket": bucket, "facility": facility_id})
    return sorted(
        rows, key=lambda row: (row.drawn_on, row.drawn_at, row.id)
    )  # by SQL, SQLite would walk all loans


def events_of_loan(unit: Unit, bucket: int, loan_id: str) -> Sequence[Row]:
    """A loan's events in the order they were booked."""
    rows: Sequence[Row] = unit.execute(_EVENTS_OF_LOAN, {"bucket": bucket, "loan": loan_id}).all()
    return rows


def loans_with_events(unit: Unit, bucket: int, ids: Sequence[str]) -> list[tuple[Row, list[Row]]]:
    """Loans in the order of their *ids*, each with its events, read together."""
    values = {"bucket": bucket, "ids": list(ids)}
    events: dict[str, list[Row]] = {loan_id: [] for loan_id in ids}
    for row in unit.execute(_EVENTS_IN, values):
        events[row.loan].append(row)
    loans = {row.id: row for row in unit.execute(_LOANS_IN, values)}
    return [(loans[loan_id], events[loan_id]) for loan_id in ids if loan_id in loans]


def events_of_facility(unit: Unit, bucket: int, facility_id: str) -> Sequence[Row]:
    """A facility's whole chain of events."""
    rows: Sequence[Row] = unit.execute(_EVENTS_OF_FACILITY, {"bucket": bucket, "facility": facility_id}).all()
    return rows


def event(unit: Unit, event_id: str) -> Row:
    """An event's row. Raises NotFound."""
    row = unit.execute(_EVENT, {"bucket": bucket_in(event_id, "event"), "id": event_id}).first()
    if row is None:
        raise NotFound(kind="event", id=event_id)
    return row


def live_facility(unit: Unit, merchant: str) -> Row | None:
    """The merchant's active or frozen facility, if there is one."""
    return unit.execute(_LIVE_FACILITY, {"bucket": unit.bucket_of(merchant), "merchant": merchant}).first()


def exposure_minor(unit: Unit, bucket: int, merchant: str) -> int:
    """Outstanding principal and pending draws of a merchant over all its facilities."""
    return int(unit.execute(_EXPOSURE, {"bucket": bucket, "merchant": merchant}).scalar())


def overdue_loan(unit: Unit, bucket: int, merchant: str) -> str | None:
    """The id of an overdue loan of the merchant, if there is one."""
    found = unit.execute(_OVERDUE_LOANS, {"bucket": bucket, "merchant": merchant}).all()
    return min((row.id for row in found), default=None)


def last_of_kind(unit: Unit, facility: Row, kind: str) -> Row | None:
    """The newest event of a kind in the life of a facility (its row), if there is one."""
    values = {"bucket": facility.bucket, "facility": facility.id, "kind": kind}
    return unit.execute(_LAST_OF_KIND, values).first()


# --- writing ---------------------------------------------------------------------------------------------------------


def add_facility(unit: Unit, row: dict[str, Any]) -> None:
    """Insert a facility."""
    _ADD_FACILITY.run(unit.connection, [row])


def add_loans(unit: Unit, rows: Sequence[dict[str, Any]]) -> None:
    """Insert loans."""
    _ADD_LOANS.run(unit.connection, rows)


def add_events(unit: Unit, rows: Sequence[dict[str, Any]]) -> None:
    """Append events, and for each its notice to other systems."""
    _ADD_EVENTS.run(unit.connection, rows)
    _ADD_OUTBOX.run(unit.connection, [notice_of(row) for row in rows])


def notice_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The notice of an event, both as columns by name."""
    named = ("tenant", "bucket", "id", "facility", "seq")
    return {name: row[name] for name in named} | {
        "type": f"microloan.{row['kind']}.v1",
        "subject": row["loan"] or row["facility"],
        "time": row["recorded_at"],
        "data": _told(row),
        "published_at": None,
    }


def _told(row: Mapping[str, Any]) -> str:
    """What a notice says of an event: its days and what it belongs to, then the event's own fields."""
    named = [(name, row[name]) for name in ("facility", "loan", "reverses") if row[name]]
    named.append(("command", row["command"]))
    named += [(name, row[name].isoformat()) for name in ("value_date", "booked_on")]
    common = ",".join([f'"{name}":{_quoted(value)}' for name, value in named])
    own = str(row["payload"])[1:]
    return "{" + common + ("," if own != "}" else "") + own


def add_journal(unit: Unit, rows: Sequence[dict[str, Any]]) -> None:
    """Append journal lines."""
    _ADD_JOURNAL.run(unit.connection, rows)


def set_facility(unit: Unit, row: dict[str, Any]) -> None:
    """Write a facility's changed columns."""
    _SET_FACILITY.run(unit.connection, [row])


def set_loans(unit: Unit, rows: Sequence[dict[str, Any]]) -> None:
    """Write loans' changed columns."""
    _SET_LOANS.run(unit.connection, rows)


def drop_accruals(unit: Unit, rows: Sequence[dict[str, Any]]) -> None:
    """Remove the accrual rows of loans, given as their rows were when those were written."""
    _DROP_ACCRUALS.run(unit.connection, rows)


def add_accruals(unit: Unit, rows: Sequence[dict[str, Any]]) -> None:
    """Insert accrual rows."""
    _ADD_ACCRUALS.run(unit.connection, rows)
