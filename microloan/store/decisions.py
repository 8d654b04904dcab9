"""Statements of policies, underwriting runs, decisions and reviews, and of what the lender knows of many merchants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Select, and_, bindparam, exists, func, insert, select, update

from ..errors import NotFound
from .lending import Row, keyed
from .tables_lending import EVENTS, FACILITIES, LOANS
from .tables_underwriting import DECISIONS, POLICIES, REVIEWS, RUNS
from .unit import Unit, bucket_in
from .upserts import upsert

_ASKED_AT_ONCE = 500

# --- policies --------------------------------------------------------------------------------------------------------

_NAMED = (POLICIES.c.tenant == bindparam("tenant"), POLICIES.c.name == bindparam("name"))
_POLICY = select(POLICIES).where(*_NAMED, POLICIES.c.version == bindparam("version"))
_LAST_VERSION = select(func.max(POLICIES.c.version)).where(*_NAMED)
_ACTIVE = (
    select(POLICIES)
    .where(*_NAMED, POLICIES.c.status == "approved", POLICIES.c.effective_on <= bindparam("day"))
    .order_by(POLICIES.c.version.desc())
    .limit(1)
)
_POLICIES = (
    select(POLICIES)
    .where(POLICIES.c.tenant == bindparam("tenant"))
    .order_by(POLICIES.c.name, POLICIES.c.version)
)
_ADD_POLICY = insert(POLICIES)
_APPROVE = (
    update(POLICIES)
    .where(*(POLICIES.c[name] == bindparam(f"of_{name}") for name in ("tenant", "name", "version")))
    .values(status="approved", approved_by=bindparam("by"), approved_at=bindparam("instant"))
)


def policy_row(unit: Unit, name: str, version: int) -> Row:
    """A version of a policy. Raises NotFound."""
    row = unit.execute(_POLICY, {"name": name, "version": version}).first()
    if row is None:
        raise NotFound(kind="policy", id=f"{name} version {version}")
    return row


def active_policy(unit: Unit, name: str, day: date) -> Row:
    """The newest approved version in force on a day. Raises NotFound."""
    row = unit.execute(_ACTIVE, {"name": name, "day": day}).first()
    if row is None:
        raise NotFound(kind="approved policy", id=name)
    return row


def last_policy_version(unit: Unit, name: str) -> int:
    """The newest version of a policy, approved or not; 0 when there is none."""
    return unit.execute(_LAST_VERSION, {"name": name}).scalar() or 0


def policies(unit: Unit) -> Sequence[Row]:
    """All versions of all policies."""
    rows: Sequence[Row] = unit.execute(_POLICIES).all()
    return rows


def add_policy(unit: Unit, row: dict[str, Any]) -> None:
    """Insert a proposed version."""
    unit.connection.execute(_ADD_POLICY, row)


def approve_policy(unit: Unit, name: str, version: int) -> None:
    """Mark a version approved by the unit's actor."""
    of = {"of_tenant": unit.tenant, "of_name": name, "of_version": version}
    unit.connection.execute(_APPROVE, of | {"by": unit.actor, "instant": unit.now})


# --- runs ------------------------------------------------------------------------------------------------------------

_OF_TENANT = RUNS.c.tenant == bindparam("tenant")
_START = upsert(RUNS).on_conflict_do_nothing(index_elements=["tenant", "key"]).returning(RUNS.c.id)
_RUN = select(RUNS).where(_OF_TENANT, RUNS.c.id == bindparam("id"))
_RUN_KEYED = select(RUNS).where(_OF_TENANT, RUNS.c.key == bindparam("key"))
_FINISH = (
    update(RUNS)
    .where(RUNS.c.tenant == bindparam("of_tenant"), RUNS.c.id == bindparam("of_id"))
    .values(status="done", finished_at=bindparam("instant"))
)


def start_run(unit: Unit, row: dict[str, Any]) -> Row:
    """The run's row: a new one, or the one that was started under the same key."""
    if unit.connection.execute(_START, row).first() is not None:
        return run_row(unit, row["id"])
    return unit.execute(_RUN_KEYED, {"key": row["key"]}).one()


def run_row(unit: Unit, run_id: str) -> Row:
    """A run. Raises NotFound."""
    row = unit.execute(_RUN, {"id": run_id}).first()
    if row is None:
        raise NotFound(kind="underwriting run", id=run_id)
    return row


def finish_run(unit: Unit, run_id: str) -> None:
    """Mark a run as done."""
    unit.connection.execute(_FINISH, {"of_tenant": unit.tenant, "of_id": run_id, "instant": unit.now})


# --- decisions -------------------------------------------------------------------------------------------------------

_DECISION = select(DECISIONS).where(*keyed(DECISIONS, "id"))
_OF_RUN = (DECISIONS.c.tenant == bindparam("tenant"), DECISIONS.c.run == bindparam("run"))
_DECIDED = select(DECISIONS.c.merchant).where(
    *_OF_RUN, DECISIONS.c.merchant.in_(bindparam("merchants", expanding=True))
)
_IN_RUN = (
    select(DECISIONS)
    .where(*_OF_RUN, DECISIONS.c.merchant > bindparam("after"))
    .order_by(DECISIONS.c.merchant)
    .limit(bindparam("count"))
)
_COUNTS = select(DECISIONS.c.outcome, func.count()).where(*_OF_RUN).group_by(DECISIONS.c.outcome)
_HISTORY = (
    select(DECISIONS)
    .where(*keyed(DECISIONS, "merchant"))
    .order_by(DECISIONS.c.decided_at.desc(), DECISIONS.c.id.desc())
)
_LAST_ACTING = (
    select(
        DECISIONS.c.id, DECISIONS.c.decided_on, DECISIONS.c.outcome, DECISIONS.c.limit_minor, DECISIONS.c.currency,
        REVIEWS.c.status.label("review"),
    )
    .outerjoin(
        REVIEWS,
        and_(
            REVIEWS.c.tenant == DECISIONS.c.tenant, REVIEWS.c.bucket == DECISIONS.c.bucket,
            REVIEWS.c.decision == DECISIONS.c.id,
        ),
    )
    .where(*keyed(DECISIONS, "merchant"), DECISIONS.c.action != "what_if")
    .order_by(DECISIONS.c.decided_at.desc(), DECISIONS.c.id.desc())
    .limit(1)
)  # fmt: skip
_ADD_DECISIONS = insert(DECISIONS)


def decision_row(unit: Unit, decision_id: str) -> Row:
    """A stored decision. Raises NotFound."""
    row = unit.execute(_DECISION, {"bucket": bucket_in(decision_id, "decision"), "id": decision_id}).first()
    if row is None:
        raise NotFound(kind="decision", id=decision_id)
    return row


def add_decisions(unit: Unit, rows: list[dict[str, Any]]) -> None:
    """Write decisions."""
    if rows:
        unit.connection.execute(_ADD_DECISIONS, rows)


def decided_in(unit: Unit, run: str, merchants: Sequence[str]) -> set[str]:
    """Which of these merchants a run has decided on."""
    found: set[str] = set()
    for at in range(0, len(merchants), _ASKED_AT_ONCE):
        part = list(merchants[at : at + _ASKED_AT_ONCE])
        found.update(row.merchant for row in unit.execute(_DECIDED, {"run": run, "merchants": part}))
    return found


def run_decisions(unit: Unit, run: str, after: str, count: int) -> Sequence[Row]:
    """The next *count* decisions of a run, by merchant."""
    rows: Sequence[Row] = unit.execute(_IN_RUN, {"run": run, "after": after, "count": count}).all()
    return rows


def run_counts(unit: Unit, run: str) -> dict[str, int]:
    """How many decisions of a run have which outcome."""
    return {row[0]: row[1] for row in unit.execute(_COUNTS, {"run": run})}


def history(unit: Unit, merchant_id: str) -> Sequence[Row]:
    """The decisions on a merchant, newest first."""
    values = {"bucket": unit.bucket_of(merchant_id), "merchant": merchant_id}
    rows: Sequence[Row] = unit.execute(_HISTORY, values).all()
    return rows


def last_acting(unit: Unit, merchant_id: str) -> Row | None:
    """The newest decision on a merchant that had consequences: its outcome, and the answer of its ``review`` if it has one."""
    values = {"bucket": unit.bucket_of(merchant_id), "merchant": merchant_id}
    return unit.execute(_LAST_ACTING, values).first()


# --- reviews ---------------------------------------------------------------------------------------------------------

_REVIEW = select(REVIEWS).where(*keyed(REVIEWS, "decision")).with_for_update()
_REVIEWS = (
    select(REVIEWS)
    .where(REVIEWS.c.tenant == bindparam("tenant"))
    .order_by(REVIEWS.c.opened_at, REVIEWS.c.merchant, REVIEWS.c.decision)
)
_REVIEWS_IN = _REVIEWS.where(REVIEWS.c.status == bindparam("status"))
_ADD_REVIEWS = insert(REVIEWS)
_SUPERSEDE = (
    update(REVIEWS)
    .where(REVIEWS.c.tenant == bindparam("of_tenant"), REVIEWS.c.bucket == bindparam("of_bucket"))
    .where(REVIEWS.c.merchant == bindparam("of_merchant"), REVIEWS.c.status == "open")
    .values(status="superseded", answered_at=bindparam("instant"))
)
_ANSWER = (
    update(REVIEWS)
    .where(*(REVIEWS.c[name] == bindparam(f"of_{name}") for name in ("tenant", "bucket", "decision")))
    .values(
        status=bindparam("answer"), answered_by=bindparam("by"), answered_at=bindparam("instant"), note=bindparam("why"),
        offer=bindparam("made"),
    )
)  # fmt: skip


def review_row(unit: Unit, decision_id: str) -> Row:
    """The review of a decision, locked. Raises NotFound."""
    row = unit.execute(
        _REVIEW, {"bucket": bucket_in(decision_id, "decision"), "decision": decision_id}
    ).first()
    if row is None:
        raise NotFound(kind="review of decision", id=decision_id)
    return row


def reviews(unit: Unit, status: str | None) -> Sequence[Row]:
    """Reviews, oldest first."""
    found = unit.execute(_REVIEWS) if status is None else unit.execute(_REVIEWS_IN, {"status": status})
    rows: Sequence[Row] = found.all()
    return rows


def replace_reviews(unit: Unit, merchants: list[tuple[int, str]], rows: list[dict[str, Any]]) -> None:
    """A newer decision ends the open reviews of these merchants (bucket, id); *rows* are the new ones."""
    if merchants:
        of = {"of_tenant": unit.tenant, "instant": unit.now}
        values = [{**of, "of_bucket": bucket, "of_merchant": merchant} for bucket, merchant in merchants]
        unit.connection.execute(_SUPERSEDE, values)
    if rows:
        unit.connection.execute(_ADD_REVIEWS, rows)


def answer_review(unit: Unit, row: Row, answer: str, note: str, offer: str | None) -> None:
    """Write what a person decided."""
    of = {"of_tenant": unit.tenant, "of_bucket": row.bucket, "of_decision": row.decision}
    unit.connection.execute(
        _ANSWER, of | {"answer": answer, "by": unit.actor, "instant": unit.now, "why": note, "made": offer}
    )


# --- what the lender knows of many merchants -------------------------------------------------------------------------

# The status is looked at here: asked for it too, SQLite would read all live facilities by the index of statuses.
_OF_MERCHANTS = (
    select(FACILITIES)
    .where(FACILITIES.c.tenant == bindparam("tenant"))
    .where(FACILITIES.c.bucket.in_(bindparam("buckets", expanding=True)))
    .where(FACILITIES.c.merchant.in_(bindparam("merchants", expanding=True)))
)
_LIVE_STATUSES = ("active", "frozen")
_LATE = (
    select(LOANS.c.merchant, func.min(LOANS.c.oldest_due).label("oldest"))
    .where(LOANS.c.tenant == bindparam("tenant"), LOANS.c.oldest_due.is_not(None))
    .where(LOANS.c.bucket.in_(bindparam("buckets", expanding=True)))
    .where(LOANS.c.merchant.in_(bindparam("merchants", expanding=True)))
    .group_by(LOANS.c.merchant)
)
_LOST = (
    select(LOANS.c.merchant)
    .where(LOANS.c.tenant == bindparam("tenant"), LOANS.c.status == "written_off")
    .where(LOANS.c.bucket.in_(bindparam("buckets", expanding=True)))
    .where(LOANS.c.merchant.in_(bindparam("merchants", expanding=True)))
    .where(
        exists().where(
            EVENTS.c.tenant == LOANS.c.tenant, EVENTS.c.bucket == LOANS.c.bucket, EVENTS.c.loan == LOANS.c.id,
            EVENTS.c.kind == "write_off", EVENTS.c.booked_on <= bindparam("day"),
        )
    )
    .distinct()
)  # fmt: skip
_SIGNED = (
    select(FACILITIES.c.merchant, func.max(FACILITIES.c.signed_on).label("day"))
    .where(FACILITIES.c.tenant == bindparam("tenant"), FACILITIES.c.signed_on <= bindparam("day"))
    .where(FACILITIES.c.bucket.in_(bindparam("buckets", expanding=True)))
    .where(FACILITIES.c.merchant.in_(bindparam("merchants", expanding=True)))
    .group_by(FACILITIES.c.merchant)
)
# A decision made alone was asked for; one of a run over many was not.
_ASKED = (
    select(DECISIONS.c.merchant, func.max(DECISIONS.c.decided_on).label("day"))
    .where(DECISIONS.c.tenant == bindparam("tenant"), DECISIONS.c.decided_on <= bindparam("day"))
    .where(DECISIONS.c.bucket.in_(bindparam("buckets", expanding=True)))
    .where(DECISIONS.c.merchant.in_(bindparam("merchants", expanding=True)))
    .where(DECISIONS.c.run == DECISIONS.c.id, DECISIONS.c.action != "what_if")
    .group_by(DECISIONS.c.merchant)
)


def live_facilities(unit: Unit, merchants: Sequence[str]) -> dict[str, Row]:
    """The live facility of each of these merchants that has one."""
    rows = _in_parts(unit, _OF_MERCHANTS, merchants)
    return {row.merchant: row for row in rows if row.status in _LIVE_STATUSES}


def oldest_dues(unit: Unit, merchants: Sequence[str]) -> dict[str, date]:
    """The oldest unpaid due date of each of these merchants that has one."""
    return {row.merchant: row.oldest for row in _in_parts(unit, _LATE, merchants)}


def written_off(unit: Unit, merchants: Sequence[str], day: date) -> set[str]:
    """Those of these merchants with a loan that was written off by a day and still is."""
    return {row.merchant for row in _in_parts(unit, _LOST, merchants, day=day)}


def applications(unit: Unit, merchants: Sequence[str], day: date) -> dict[str, date]:
    """The day on which each of these merchants last asked for credit by a day: for a decision of its own, or by signing."""
    found: dict[str, date] = {}
    for statement in (_SIGNED, _ASKED):
        for row in _in_parts(unit, statement, merchants, day=day):
            found[row.merchant] = max(row.day, found.get(row.merchant, row.day))
    return found


def _in_parts(
    unit: Unit, statement: Select[Any], merchants: Sequence[str], **values: object
) -> Iterator[Row]:
    for at in range(0, len(merchants), _ASKED_AT_ONCE):
        part = list(merchants[at : at + _ASKED_AT_ONCE])
        buckets = sorted({unit.bucket_of(merchant) for merchant in part})
        yield from unit.execute(statement, {"buckets": buckets, "merchants": part, **values})
