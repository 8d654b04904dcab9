"""Statements of verify: everything of a bucket, and what belongs to nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, bindparam, except_, exists, func, select, type_coerce

from .base import Day
from .lending import Row, columns, keyed
from .tables_closing import SEALS
from .tables_lending import ACCRUALS, COMMANDS, EVENTS, FACILITIES, LOANS, OUTBOX
from .unit import Unit

#: Facilities read together, with all that belongs to them.
BATCH = 500

_FACILITIES_IN = (
    select(*columns(FACILITIES))
    .where(*keyed(FACILITIES), FACILITIES.c.id > bindparam("after"))
    .order_by(FACILITIES.c.id)
    .limit(BATCH)
)
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_EVENTS_OF = (
    select(EVENTS)
    .where(*keyed(EVENTS), EVENTS.c.facility.in_(_IDS))
    .order_by(EVENTS.c.facility, EVENTS.c.seq)
)
_LOANS_OF = select(*columns(LOANS)).where(*keyed(LOANS), LOANS.c.facility.in_(_IDS))
_ACCRUALS_OF = select(*columns(ACCRUALS)).where(
    *keyed(ACCRUALS, "product", "class", "memo"),
    ACCRUALS.c.component.in_(("interest", "penalty")),
    ACCRUALS.c.loan.in_(_IDS),
)
_ACCRUALS_IN = select(func.count()).select_from(ACCRUALS).where(*keyed(ACCRUALS))
_EVENT_HASH = select(EVENTS.c.hash).where(*keyed(EVENTS, "facility", "seq"))
_SAME_EVENT = (
    (EVENTS.c.tenant == OUTBOX.c.tenant) & (EVENTS.c.bucket == OUTBOX.c.bucket) & (EVENTS.c.id == OUTBOX.c.id)
)
_DAYS_SEALED = select(SEALS.c.bucket, SEALS.c.day).where(SEALS.c.tenant == bindparam("tenant"))
_DAYS_TOLD = select(OUTBOX.c.bucket, type_coerce(OUTBOX.c.seq, Day)).where(
    OUTBOX.c.tenant == bindparam("tenant"), OUTBOX.c.facility == ""
)
_STRAYS = {
    "event_without_facility": select(EVENTS.c.id).where(
        EVENTS.c.tenant == bindparam("tenant"),
        ~exists().where(
            FACILITIES.c.tenant == EVENTS.c.tenant,
            FACILITIES.c.bucket == EVENTS.c.bucket,
            FACILITIES.c.id == EVENTS.c.facility,
        ),
    ),
    "accrual_without_loan": select(ACCRUALS.c.loan).where(
        ACCRUALS.c.tenant == bindparam("tenant"),
        ~exists().where(
            LOANS.c.tenant == ACCRUALS.c.tenant,
            LOANS.c.bucket == ACCRUALS.c.bucket,
            LOANS.c.id == ACCRUALS.c.loan,
        ),
    ),
    "notice_without_event": select(OUTBOX.c.id).where(
        OUTBOX.c.tenant == bindparam("tenant"), OUTBOX.c.facility != "", ~exists().where(_SAME_EVENT)
    ),
    "notice_without_close": except_(_DAYS_TOLD, _DAYS_SEALED),
    "close_without_notice": except_(_DAYS_SEALED, _DAYS_TOLD),
    "event_without_notice": select(EVENTS.c.id).where(
        EVENTS.c.tenant == bindparam("tenant"), ~exists().where(_SAME_EVENT)
    ),
    "key_without_answer": select(COMMANDS.c.id).where(
        COMMANDS.c.tenant == bindparam("tenant"), COMMANDS.c.key.is_not(None), COMMANDS.c.result.is_(None)
    ),
    "event_without_command": select(EVENTS.c.id).where(
        EVENTS.c.tenant == bindparam("tenant"),
        EVENTS.c.kind != "facility_expired",  # the close's own
        ~exists().where(COMMANDS.c.tenant == EVENTS.c.tenant, COMMANDS.c.id == EVENTS.c.command),
    ),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A facility with its events by sequence, its loans by id, and the accrual rows of each loan."""

    facility: Row
    events: list[Row]
    loans: list[Row]
    accruals: dict[str, list[Row]]


def facilities_in(unit: Unit, bucket: int) -> Iterator[Kept]:
    """All facilities of a bucket by id, read some hundred at a time."""
    after = ""
    while rows := unit.execute(_FACILITIES_IN, {"bucket": bucket, "after": after}).all():
        after = rows[-1].id
        ids = {"bucket": bucket, "ids": [row.id for row in rows]}
        events = _grouped(unit.execute(_EVENTS_OF, ids), "facility")
        loans = _grouped(sorted(unit.execute(_LOANS_OF, ids), key=lambda row: str(row.id)), "facility")
        accruals = _accruals_of(unit, bucket, [loan for group in loans.values() for loan in group])
        for row in rows:
            yield Kept(row, events.get(row.id, []), loans.get(row.id, []), accruals)


def _grouped(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(getattr(row, column), []).append(row)
    return groups


def _accruals_of(unit: Unit, bucket: int, loans: Iterable[Row]) -> dict[str, list[Row]]:
    """The accrual rows of loans, under the class their rows name."""
    named: dict[tuple[str, str, int], list[str]] = {}
    for loan in loans:
        named.setdefault((loan.product, loan.class_, loan.memo), []).append(loan.id)
    found: dict[str, list[Row]] = {}
    for (product, class_, memo), ids in named.items():
        for part in range(0, len(ids), BATCH):
            key = {"bucket": bucket, "product": product, "class": class_, "memo": memo}
            rows = unit.execute(_ACCRUALS_OF, key | {"ids": ids[part : part + BATCH]})
            found |= _grouped(rows, "loan")
    return found


def accruals_in(unit: Unit, bucket: int) -> int:
    """How many accrual rows a bucket has."""
    return int(unit.execute(_ACCRUALS_IN, {"bucket": bucket}).scalar())


def event_hash(unit: Unit, bucket: int, facility: str, seq: int) -> str | None:
    """The hash of one event of a chain; None when there is no such event."""
    found: str | None = unit.execute(
        _EVENT_HASH, {"bucket": bucket, "facility": facility, "seq": seq}
    ).scalar()
    return found


def strays(unit: Unit) -> Iterator[tuple[str, str]]:
    """What belongs to nothing: what it is, and its id."""
    for code, query in _STRAYS.items():
        for found in unit.execute(query):
            yield code, " ".join(map(str, found))
