"""Statements of the close of day: the set pass over the accrual rows, loans with something happening, seals.

f(n) = whole + q·u + (rem + m·u) / den with u = n − anchor_n, all integers; the close of T posts Σ f(T+1) − f(T) per
product, class, memo and component. Source: ARCHITECTURE (the accrual row), SEMANTICS 6 and 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import bindparam, case, func, insert, select

from ..days import day_number
from .lending import Row, columns, keyed
from .tables_lending import ACCRUALS, EVENTS, FACILITIES, SEALS
from .unit import Unit

_A = ACCRUALS.c
_NOW = case((_A.day_count == 0, bindparam("now_actual")), else_=bindparam("now_30e"))
_THEN = case((_A.day_count == 0, bindparam("then_actual")), else_=bindparam("then_30e"))


def _rounded(n: Any) -> Any:
    # Truncating division is flooring here: no operand is below zero.
    return (_A.rem + _A.m * (n - _A.anchor_n)) // _A.den


_EARNED = _A.q * (_THEN - _NOW) + _rounded(_THEN) - _rounded(_NOW)
_GROUP = (_A.product, _A["class"], _A.memo, _A.component)
_NIGHT = (
    select(
        _A.product,
        _A["class"].label("class_"),
        _A.memo,
        _A.component,
        func.min(_A.currency).label("currency"),
        func.sum(_EARNED).label("total"),
    )
    .where(*keyed(ACCRUALS), _A.next_action > bindparam("next_day", type_=_A.next_action.type))
    .group_by(*_GROUP)
    .order_by(*_GROUP)
)
_DUE = (
    select(_A.loan)
    .distinct()
    .where(
        *keyed(ACCRUALS),
        _A.next_action <= bindparam("next_day", type_=_A.next_action.type),
        _A.loan > bindparam("after"),
    )
    .order_by(_A.loan)
    .limit(bindparam("most"))
)
_ENDED_FACILITIES = (
    select(*columns(FACILITIES))
    .where(
        *keyed(FACILITIES),
        FACILITIES.c.status.in_(("active", "frozen")),
        FACILITIES.c.valid_until < bindparam("day", type_=FACILITIES.c.valid_until.type),
    )
    .with_for_update()
)
_BOOKED = select(EVENTS.c.facility, EVENTS.c.seq, EVENTS.c.hash).where(*keyed(EVENTS, "booked_on"))
_LAST_SEAL = select(SEALS.c.hash).where(*keyed(SEALS)).order_by(SEALS.c.day.desc()).limit(1)
_SEALS = select(SEALS).where(*keyed(SEALS)).order_by(SEALS.c.day)
_ADD_SEAL = insert(SEALS)


def night_totals(unit: Unit, bucket: int, day: date) -> Sequence[Row]:
    """What the night after *day* earns on loans to which nothing else happens, per product, class, memo and component."""
    following = day + timedelta(days=1)
    values = {
        "bucket": bucket,
        "next_day": following,
        "now_actual": day_number(day, "actual"),
        "now_30e": day_number(day, "30E/360"),
        "then_actual": day_number(following, "actual"),
        "then_30e": day_number(following, "30E/360"),
    }
    rows: Sequence[Row] = unit.execute(_NIGHT, values).all()
    return rows


def due_loans(unit: Unit, bucket: int, next_day: date, after: str, most: int) -> list[str]:
    """Ids of loans with something happening up to the morning of *next_day*, in order, from the one after *after*."""
    values = {"bucket": bucket, "next_day": next_day, "after": after, "most": most}
    return list(unit.execute(_DUE, values).scalars())


def ended_facilities(unit: Unit, bucket: int, day: date) -> Sequence[Row]:
    """Live facilities whose validity ended before *day*, locked."""
    rows = unit.execute(_ENDED_FACILITIES, {"bucket": bucket, "day": day})
    return sorted(rows, key=lambda row: str(row.id))


def heads_of(unit: Unit, bucket: int, day: date) -> list[tuple[str, int, str]]:
    """The heads of the chains that grew on a booking day: facility, sequence, hash."""
    heads: dict[str, tuple[int, str]] = {}
    for row in unit.execute(_BOOKED, {"bucket": bucket, "booked_on": day}):
        heads[row.facility] = max(heads.get(row.facility, (0, "")), (row.seq, row.hash))
    return [(facility, *head) for facility, head in sorted(heads.items())]


def last_seal(unit: Unit, bucket: int) -> str | None:
    """The hash of the bucket's newest seal."""
    found: str | None = unit.execute(_LAST_SEAL, {"bucket": bucket}).scalar()
    return found


def seals(unit: Unit, bucket: int) -> Sequence[Row]:
    """All seals of a bucket, oldest first."""
    rows: Sequence[Row] = unit.execute(_SEALS, {"bucket": bucket}).all()
    return rows


def add_seal(unit: Unit, row: dict[str, Any]) -> None:
    """Insert a seal."""
    unit.connection.execute(_ADD_SEAL, row)
