"""Statements of verify: everything of a bucket, and what belongs to nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import bindparam, exists, func, select

from .lending import Row, columns, keyed
from .tables_lending import ACCRUALS, COMMANDS, EVENTS, FACILITIES, LOANS, OUTBOX
from .unit import Unit

_FACILITIES_IN = select(*columns(FACILITIES)).where(*keyed(FACILITIES)).order_by(FACILITIES.c.id)
_ACCRUALS_OF = select(*columns(ACCRUALS)).where(
    *keyed(ACCRUALS, "product", "class", "memo", "loan"), ACCRUALS.c.component.in_(("interest", "penalty"))
)
_ACCRUALS_IN = select(func.count()).select_from(ACCRUALS).where(*keyed(ACCRUALS))
_EVENT_HASH = select(EVENTS.c.hash).where(*keyed(EVENTS, "facility", "seq"))
_SAME_EVENT = (
    (EVENTS.c.tenant == OUTBOX.c.tenant) & (EVENTS.c.bucket == OUTBOX.c.bucket) & (EVENTS.c.id == OUTBOX.c.id)
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
        OUTBOX.c.tenant == bindparam("tenant"), ~exists().where(_SAME_EVENT)
    ),
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


def facilities_in(unit: Unit, bucket: int) -> Sequence[Row]:
    """All facilities of a bucket."""
    rows: Sequence[Row] = unit.execute(_FACILITIES_IN, {"bucket": bucket}).all()
    return rows


def accruals_of(unit: Unit, loan: Row) -> Sequence[Row]:
    """The accrual rows of a loan, under the class its row names."""
    key = {"product": loan.product, "class": loan.class_, "memo": loan.memo, "loan": loan.id}
    rows: Sequence[Row] = unit.execute(_ACCRUALS_OF, {"bucket": loan.bucket, **key}).all()
    return rows


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
        for found in unit.execute(query).scalars():
            yield code, str(found)
