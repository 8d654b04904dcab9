"""Statements of verify: everything of a bucket, and what belongs to nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    and_,
    bindparam,
    except_,
    exists,
    func,
    or_,
    select,
    type_coerce,
    union,
)

from ..days import day_number
from .base import Day
from .damaged import Damaged, readable
from .kept_lines import BATCH, Kept, batches, kept_lines
from .lending import Row, fixed, keyed
from .tables_closing import SEALS
from .tables_lending import ACCRUALS, COMMANDS, EVENTS, FACILITIES, LOANS, OFFERS, OUTBOX
from .tables_underwriting import DECISIONS
from .unit import Unit

_FACILITIES_AFTER = (
    select(FACILITIES.c.id)
    .where(*keyed(FACILITIES), FACILITIES.c.id > bindparam("after"))
    .order_by(FACILITIES.c.id)
    .limit(BATCH)
)
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
# Anchored by a command or a close since: a walk sets a loan's formulas from the day it ends on.
_SET_SINCE = or_(
    and_(ACCRUALS.c.day_count == 0, ACCRUALS.c.anchor_n > bindparam("actual")),
    and_(ACCRUALS.c.day_count == 1, ACCRUALS.c.anchor_n > bindparam("thirty")),
)
_ITS_LOAN = and_(
    ACCRUALS.c.tenant == LOANS.c.tenant, ACCRUALS.c.bucket == LOANS.c.bucket, ACCRUALS.c.loan == LOANS.c.id
)
_TOUCHED_SINCE = union(
    select(EVENTS.c.facility).where(*keyed(EVENTS), EVENTS.c.booked_on > bindparam("since", type_=Day)),
    select(LOANS.c.facility).join(ACCRUALS, _ITS_LOAN).where(*keyed(ACCRUALS), _SET_SINCE),
)
_OFFERS_OPEN = select(OFFERS).where(*keyed(OFFERS), OFFERS.c.status == fixed("offered"))
_DECIDED = select(DECISIONS.c.id, DECISIONS.c.merchant).where(*keyed(DECISIONS), DECISIONS.c.id.in_(_IDS))
_DAY_NOTICES = select(OUTBOX.c.id, OUTBOX.c.type, OUTBOX.c.subject, OUTBOX.c.data).where(
    *keyed(OUTBOX), OUTBOX.c.facility == ""
)
_FIRST_SEALED = select(func.min(SEALS.c.day)).where(SEALS.c.tenant == bindparam("tenant"))
_INITS = select(COMMANDS.c.request_hash).where(
    COMMANDS.c.tenant == bindparam("tenant"), COMMANDS.c.operation == "init"
)
_ACCRUALS_IN = select(func.count()).select_from(ACCRUALS).where(*keyed(ACCRUALS))
_PLACED = ("product", "class", "memo")
_ASTRAY = (
    select(ACCRUALS.c.loan, *(table.c[name] for table in (ACCRUALS, LOANS) for name in _PLACED))
    .join_from(ACCRUALS, LOANS, _ITS_LOAN)
    .where(*keyed(ACCRUALS), or_(*(ACCRUALS.c[name] != LOANS.c[name] for name in _PLACED)))
    .order_by(ACCRUALS.c.loan, ACCRUALS.c["class"])
)
_HASHES_AT = select(EVENTS.c.facility, EVENTS.c.hash).where(
    *keyed(EVENTS, "seq"), EVENTS.c.facility.in_(_IDS)
)
_COMMANDS_OF = (
    select(EVENTS.c.command)
    .where(*keyed(EVENTS), type_coerce(EVENTS.c.booked_on, BigInteger) == bindparam("day"))
    .distinct()
)
_OPERATION = select(COMMANDS.c.operation).where(
    COMMANDS.c.tenant == bindparam("tenant"), COMMANDS.c.id == bindparam("id")
)
_SAME_EVENT = (
    (EVENTS.c.tenant == OUTBOX.c.tenant) & (EVENTS.c.bucket == OUTBOX.c.bucket) & (EVENTS.c.id == OUTBOX.c.id)
)
_DAYS_SEALED = select(SEALS.c.bucket, SEALS.c.day).where(SEALS.c.tenant == bindparam("tenant"))
_DAYS_TOLD = select(OUTBOX.c.bucket, type_coerce(OUTBOX.c.seq, Day)).where(
    OUTBOX.c.tenant == bindparam("tenant"), OUTBOX.c.facility == ""
)
_STRAY_EVENTS = {
    "event_without_facility": select(EVENTS.c.id).where(
        EVENTS.c.tenant == bindparam("tenant"),
        ~exists().where(
            FACILITIES.c.tenant == EVENTS.c.tenant,
            FACILITIES.c.bucket == EVENTS.c.bucket,
            FACILITIES.c.id == EVENTS.c.facility,
        ),
    ),
    "event_without_notice": select(EVENTS.c.id).where(
        EVENTS.c.tenant == bindparam("tenant"), ~exists().where(_SAME_EVENT)
    ),
    "event_without_command": select(EVENTS.c.id).where(
        EVENTS.c.tenant == bindparam("tenant"),
        EVENTS.c.kind != "facility_expired",  # the close's own
        ~exists().where(COMMANDS.c.tenant == EVENTS.c.tenant, COMMANDS.c.id == EVENTS.c.command),
    ),
}
_STRAYS: dict[str, Any] = {
    **_STRAY_EVENTS,
    "accrual_without_loan": select(ACCRUALS.c.loan).where(
        ACCRUALS.c.tenant == bindparam("tenant"), ~exists().where(_ITS_LOAN)
    ),
    "notice_without_event": select(OUTBOX.c.id).where(
        OUTBOX.c.tenant == bindparam("tenant"), OUTBOX.c.facility != "", ~exists().where(_SAME_EVENT)
    ),
    "notice_without_close": except_(_DAYS_TOLD, _DAYS_SEALED),
    "close_without_notice": except_(_DAYS_SEALED, _DAYS_TOLD),
    "key_without_answer": select(COMMANDS.c.id).where(
        COMMANDS.c.tenant == bindparam("tenant"), COMMANDS.c.key.is_not(None), COMMANDS.c.result.is_(None)
    ),
}


def facilities_in(unit: Unit, bucket: int, since: date | None = None) -> Iterator[Kept]:
    """All facilities of a bucket by id, read some hundred at a time; or those touched after the day *since*.

    Touched are a facility with an event, and one of a loan whose formulas a command or a close has set.
    """
    for ids in _all(unit, bucket) if since is None else _touched(unit, bucket, since):
        yield from kept_lines(unit, bucket, ids)


def _all(unit: Unit, bucket: int) -> Iterator[Sequence[str]]:
    after = ""
    while ids := unit.execute(_FACILITIES_AFTER, {"bucket": bucket, "after": after}).scalars().all():
        after = ids[-1]
        yield ids


def _touched(unit: Unit, bucket: int, since: date) -> Iterator[Sequence[str]]:
    numbers = {"actual": day_number(since, "actual"), "thirty": day_number(since, "30E/360")}
    found = unit.execute(_TOUCHED_SINCE, {"bucket": bucket, "since": since} | numbers)
    yield from batches(sorted(found.scalars()))


def open_offers(unit: Unit, bucket: int) -> tuple[list[Row], list[Damaged]]:
    """The offers of a bucket that can still be signed; and those that cannot be read."""
    return readable(unit, _OFFERS_OPEN, {"bucket": bucket}, OFFERS.c.id, OFFERS.c.id)


def day_notices(unit: Unit, bucket: int) -> dict[str, Row]:
    """The notices that a bucket has closed its days, by id: type, subject, data."""
    return {row.id: row for row in unit.execute(_DAY_NOTICES, {"bucket": bucket})}


def merchants_decided(unit: Unit, bucket: int, decisions: Sequence[str]) -> dict[str, str]:
    """Of these decisions those on file, each with its merchant."""
    return {
        row.id: row.merchant
        for part in batches(decisions)
        for row in unit.execute(_DECIDED, {"bucket": bucket, "ids": part})
    }


def first_day_sealed(unit: Unit) -> date | None:
    """The first day any bucket has closed; None while there is none."""
    found: date | None = unit.execute(_FIRST_SEALED).scalar()
    return found


def init_hashes(unit: Unit) -> set[str]:
    """The request hashes of every `init`: of the one that made the book, and of those that found it open."""
    return set(unit.execute(_INITS).scalars())


def accruals_in(unit: Unit, bucket: int) -> int:
    """How many accrual rows a bucket has."""
    return int(unit.execute(_ACCRUALS_IN, {"bucket": bucket}).scalar())


def accruals_astray(unit: Unit, bucket: int) -> Iterator[tuple[str, str, str]]:
    """The accrual rows of a bucket that do not lie under product, class and memo of their loan: loan, theirs, its own.

    Every accrual row and loan of the bucket is read.
    """
    for loan, *placed in unit.execute(_ASTRAY, {"bucket": bucket}):
        theirs, own = placed[: len(_PLACED)], placed[len(_PLACED) :]
        yield loan, " ".join(map(str, theirs)), " ".join(map(str, own))


def event_hashes(unit: Unit, bucket: int, events: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """The hashes of events by facility and sequence, of those that are there."""
    at: dict[int, list[str]] = {}
    for facility, seq in events:
        at.setdefault(seq, []).append(facility)
    return {
        (row.facility, seq): row.hash
        for seq, facilities in at.items()
        for part in batches(facilities)
        for row in unit.execute(_HASHES_AT, {"bucket": bucket, "seq": seq, "ids": part})
    }


def commands_with_events(unit: Unit, bucket: int, day: int) -> set[str]:
    """The commands that booked events on a day, given as an ordinal."""
    return set(unit.execute(_COMMANDS_OF, {"bucket": bucket, "day": day}).scalars())


def released(unit: Unit, command: str) -> bool:
    """Whether a command on file let a held loan go on."""
    return bool(unit.execute(_OPERATION, {"id": command}).scalar() == "release")


def strays(unit: Unit, since: date | None = None) -> Iterator[tuple[str, str]]:
    """What belongs to nothing: what it is, and its id; of all there is, or of events booked after the day *since*."""
    for code, query in (_STRAYS if since is None else _since(since)).items():
        for found in unit.execute(query):
            yield code, " ".join(map(str, found))


def _since(day: date) -> dict[str, Any]:
    return {code: query.where(EVENTS.c.booked_on > day) for code, query in _STRAY_EVENTS.items()}
