"""Statements of the close of day: the set pass over the accrual rows, loans with something happening, provisions, seals.

f(n) = whole + q·u + (rem + m·u) / den with u = n − anchor_n, all integers; the close of T posts Σ f(T+1) − f(T) per
product, class, memo and component. Source: ARCHITECTURE (the accrual row), SEMANTICS 6 and 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

from sqlalchemy import BindParameter, bindparam, case, delete, func, insert, select, update
from sqlalchemy.exc import OperationalError

from ..days import day_number
from ..errors import EventRefused
from ..servicing.accrual import INT64
from .lending import Row, at, columns, fixed, keyed
from .tables_closing import PROVISIONS, SEALS
from .tables_lending import ACCRUALS, EVENTS, FACILITIES, JOURNAL, LOANS
from .unit import Unit
from .upserts import upsert

_A = ACCRUALS.c
_GROUP = (_A.product, _A["class"], _A.memo, _A.component)
_ACTION_DAYS = (
    select(_A.next_action)
    .distinct()
    .where(*keyed(ACCRUALS), _A.next_action <= bindparam("last", type_=_A.next_action.type))
    .order_by(_A.next_action)
)
_DUE_ON = (
    select(*columns(ACCRUALS))
    .where(*keyed(ACCRUALS, "next_action"), _A.loan > bindparam("after"))
    .order_by(_A.loan)
    .limit(bindparam("most"))
)
_DROP_DUE = delete(ACCRUALS).where(
    *at(ACCRUALS, "next_action"), _A.loan > bindparam("after"), _A.loan <= bindparam("last")
)
# What a replay reads of a loan and its events; the rest of these wide rows, and the draw, stay on disk.
_OF_LOAN = (
    "tenant", "bucket", "id", "product", "currency", "status", "principal_minor", "credit_minor", "class", "memo",
    "oldest_due", "held_through", "held_reason",
)  # fmt: skip
_LOANS_IN = select(*(c for c in columns(LOANS) if c.name.rstrip("_") in _OF_LOAN)).where(
    *keyed(LOANS), LOANS.c.id.in_(bindparam("ids", expanding=True))
)
_E = EVENTS.c
_EVENTS_IN = (
    select(_E.loan, _E.seq, _E.id, _E.kind, _E.value_date, _E.booked_on, _E.reverses, _E.payload)
    .where(*keyed(EVENTS), _E.loan.in_(bindparam("ids", expanding=True)), _E.kind != fixed("drawn"))
    .order_by(_E.loan, _E.seq)
)
_CHANGED = ("status", "credit_minor", "class", "memo", "oldest_due", "held_through", "held_reason")
_GIVEN = [(name, f"of_{name}") for name in ("tenant", "bucket", "id")] + [(n, f"new_{n}") for n in _CHANGED]
_SET_LOANS = update(LOANS).where(*at(LOANS, "id")).values({n: bindparam(f"new_{n}") for n in _CHANGED})
_ENDED_FACILITIES = (
    select(*columns(FACILITIES))
    .where(
        *keyed(FACILITIES),
        FACILITIES.c.status.in_(("active", "frozen")),
        FACILITIES.c.valid_until < bindparam("day", type_=FACILITIES.c.valid_until.type),
    )
    .with_for_update()
)
_J = JOURNAL.c
_PRINCIPAL_MOVED = (
    select(
        _J.day, _J.product, _J["class"].label("class_"), _J.currency, func.sum(_J.amount_minor).label("total")
    )
    .where(*keyed(JOURNAL), _J.day.between(bindparam("first"), bindparam("last")))
    .where(_J.source == fixed("command"), _J.account == fixed("principal"))
    .group_by(_J.day, _J.product, _J["class"], _J.currency)
)
_PROVISIONS = select(*columns(PROVISIONS)).where(*keyed(PROVISIONS))
_PUT_PROVISIONS = upsert(PROVISIONS)
_PUT_PROVISIONS = _PUT_PROVISIONS.on_conflict_do_update(
    index_elements=[PROVISIONS.c[name] for name in ("tenant", "bucket", "product", "class")],
    set_={name: _PUT_PROVISIONS.excluded[name] for name in ("principal_minor", "allowance_minor")},
)
_BOOKED = select(_E.booked_on, _E.facility, _E.seq, _E.hash).where(
    *keyed(EVENTS), _E.booked_on.between(bindparam("first"), bindparam("last"))
)
_LAST_SEAL = select(SEALS.c.hash).where(*keyed(SEALS)).order_by(SEALS.c.day.desc()).limit(1)
_SEALS = select(SEALS).where(*keyed(SEALS)).order_by(SEALS.c.day)
_ADD_SEAL = insert(SEALS)

_HALF = 1 << 32


def fitting(minor: int, what: str, product: str) -> int:
    """A sum of a close as its column holds it. Raises EventRefused (``sum_too_large``) beyond 64 bits.

    >>> fitting(1, "principal", "marketplace")
    1
    """
    if abs(minor) > INT64:
        reason = (
            f"{what} of {product} comes to {abs(minor)} minor units, more than the book can hold; nothing was closed. "
            "Reverse payouts that cannot be real, or settle or write off the largest loans"
        )
        raise EventRefused(code="sum_too_large", subject="close of day", reason=reason)
    return minor


# --- loans to which nothing happens ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GroupNights:
    """What each night of a span earns on a group's loans, in minor units, in the order of the nights."""

    product: str
    class_: str
    memo: int
    component: str
    currency: str
    totals: tuple[int, ...]


def night_totals(unit: Unit, bucket: int, days: Sequence[date]) -> list[GroupNights]:
    """What the nights after consecutive *days* earn on loans to which nothing else happens in any of their closes."""
    ends = [*days, days[-1] + timedelta(days=1)]
    values: dict[str, Any] = {"bucket": bucket, "last": ends[-1]}
    for place, day in enumerate(ends):
        values[f"actual_{place}"] = day_number(day, "actual")
        values[f"thirty_{place}"] = day_number(day, "30E/360")
    rows = _summed(unit, len(days), values)
    currency = unit.book.currency  # a book has one, and so have its products
    return [
        GroupNights(product, class_, memo, component, currency, _per_night(sums))
        for product, class_, memo, component, *sums in rows
    ]


def _summed(unit: Unit, nights: int, values: dict[str, Any]) -> list[Sequence[Any]]:
    """The rows of the grouped pass. Where SQLite's SUM passes 64 bits, it is taken again in two halves, which cannot."""
    try:
        return list(unit.execute(_nights(nights), values).all())
    except OperationalError as fault:
        if "integer overflow" not in str(fault.orig):
            raise
    groups = len(_GROUP)
    return [
        (*row[:groups], *(high * _HALF + low for high, low in _pairs(row[groups:])))
        for row in unit.execute(_nights(nights, halves=True), values)
    ]


def _pairs(values: Sequence[int]) -> Iterator[tuple[int, int]]:
    return zip(values[::2], values[1::2], strict=True)


def _per_night(sums: Sequence[Any]) -> tuple[int, ...]:
    if len(sums) == 1:
        return (int(sums[0]),)
    return tuple(int(after) - int(before) for before, after in pairwise(sums))


@lru_cache(maxsize=64)
def _nights(nights: int, halves: bool = False) -> Any:
    """The grouped pass. One night: Σ f(1) − f(0); several: Σ f(n) − whole − q·u₀ at each end, one scan for all of them.

    Neither holds ``whole``, so that a sum stays far from 64 bits; with *halves* the high and the low part of each are summed
    by themselves. Truncating division floors: no operand is below zero.
    """
    ends = range(nights + 1)
    sums = [_both_counts(_night)] if nights == 1 else [_both_counts(_end, place) for place in ends]
    return (
        select(*_GROUP, *(func.sum(part) for each in sums for part in (_halves(each) if halves else (each,))))
        .where(*keyed(ACCRUALS), _A.next_action > bindparam("last", type_=_A.next_action.type))
        .group_by(*_GROUP)
        .order_by(*_GROUP)
    )


def _halves(amount: Any) -> tuple[Any, Any]:
    return amount // _HALF, amount % _HALF


def _both_counts(formula: Any, *place: int) -> Any:
    return case((_A.day_count == 0, formula("actual", *place)), else_=formula("thirty", *place))


def _night(count: str) -> Any:
    now, then = _number(count, 0), _number(count, 1)
    return _A.q * (then - now) + _fraction(then) - _fraction(now)


def _end(count: str, place: int) -> Any:
    return _A.q * (_number(count, place) - _number(count, 0)) + _fraction(_number(count, place))


def _number(count: str, place: int) -> BindParameter[int]:
    return bindparam(f"{count}_{place}", type_=_A.anchor_n.type)


def _fraction(n: Any) -> Any:
    return (_A.rem + _A.m * (n - _A.anchor_n)) // _A.den


# --- loans to which something happens --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DueLoan:
    """A loan with something happening: its row, its accrual rows and its events."""

    row: dict[str, Any]
    accruals: tuple[Row, ...]
    events: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class DueLoans:
    """Loans with one next action day: all there are after the id *after* up to the id *last*, in the database's order."""

    day: date
    after: str
    last: str
    loans: list[DueLoan]


def due_loans(unit: Unit, bucket: int, last: date, most: int) -> Iterator[DueLoans]:
    """Loans with something happening up to the morning of *last*, in batches of *most*; each is to be given new rows."""
    days = unit.execute(_ACTION_DAYS, {"bucket": bucket, "last": last}).scalars().all()
    for day in days:
        after = ""
        while lines := _due_on(unit, bucket, day, after, most):
            before, after = after, next(reversed(lines))
            yield DueLoans(day, before, after, _with_events(unit, bucket, lines))


def _due_on(unit: Unit, bucket: int, day: date, after: str, most: int) -> dict[str, list[Row]]:
    # A loan has at most two rows and both carry one day: with one row more than asked for, no loan is cut in two.
    values = {"bucket": bucket, "next_action": day, "after": after, "most": 2 * most + 1}
    rows = unit.execute(_DUE_ON, values).all()
    lines: dict[str, list[Row]] = {}
    for row in rows:
        lines.setdefault(row.loan, []).append(row)
    if len(rows) > 2 * most:
        lines.popitem()
    return lines


def drop_accruals(unit: Unit, bucket: int, due: DueLoans) -> None:
    """Remove the accrual rows of these loans, in one statement: no other loan has that day and an id between theirs."""
    of = {"of_tenant": unit.tenant, "of_bucket": bucket, "of_next_action": due.day}
    gone = unit.connection.execute(_DROP_DUE, of | {"after": due.after, "last": due.last}).rowcount
    assert gone == sum(len(loan.accruals) for loan in due.loans), "rows of another loan"


def _with_events(unit: Unit, bucket: int, lines: dict[str, list[Row]]) -> list[DueLoan]:
    values = {"bucket": bucket, "ids": list(lines)}
    events: dict[str, list[Row]] = {loan_id: [] for loan_id in lines}
    for row in unit.execute(_EVENTS_IN, values):
        events[row.loan].append(row)
    loans = [_columns(row) for row in unit.execute(_LOANS_IN, values)]
    return [DueLoan(row, tuple(lines[row["id"]]), tuple(events[row["id"]])) for row in loans]


def _columns(row: Row) -> dict[str, Any]:
    values = dict(zip(row._fields, row, strict=True))
    values["class"] = values.pop("class_")
    return values


def set_loans(unit: Unit, rows: Sequence[dict[str, Any]]) -> None:
    """Write what a close may change of loans."""
    values = [{given: row[name] for name, given in _GIVEN} for row in rows]
    if values:
        unit.connection.execute(_SET_LOANS, values)


def ended_facilities(unit: Unit, bucket: int, day: date) -> Sequence[Row]:
    """Live facilities whose validity ended before *day*, locked."""
    rows = unit.execute(_ENDED_FACILITIES, {"bucket": bucket, "day": day})
    return sorted(rows, key=lambda row: str(row.id))


# --- provisions ------------------------------------------------------------------------------------------------------


def principal_moved(unit: Unit, bucket: int, day: date) -> Sequence[Row]:
    """What the commands of a day did to principal, per product and class."""
    return principal_moved_in(unit, bucket, day, day).get(day, ())


def principal_moved_in(unit: Unit, bucket: int, first: date, last: date) -> dict[date, list[Row]]:
    """As :func:`principal_moved`, by day, for the days on which anything moved."""
    moved: dict[date, list[Row]] = {}
    for row in unit.execute(_PRINCIPAL_MOVED, {"bucket": bucket, "first": first, "last": last}):
        moved.setdefault(row.day, []).append(row)
    return moved


def provisions(unit: Unit, bucket: int) -> Sequence[Row]:
    """The provisions of a bucket as the last close left them."""
    rows: Sequence[Row] = unit.execute(_PROVISIONS, {"bucket": bucket}).all()
    return rows


def put_provisions(unit: Unit, rows: Sequence[dict[str, Any]]) -> None:
    """Write provisions, new or changed."""
    if rows:
        unit.connection.execute(_PUT_PROVISIONS, list(rows))


# --- seals -----------------------------------------------------------------------------------------------------------


def heads_of(unit: Unit, bucket: int, day: date) -> list[tuple[str, int, str]]:
    """The heads of the chains that grew on a booking day: facility, sequence, hash."""
    return heads_in(unit, bucket, day, day).get(day, [])


def heads_in(unit: Unit, bucket: int, first: date, last: date) -> dict[date, list[tuple[str, int, str]]]:
    """As :func:`heads_of`, by booking day, for the days on which any chain grew."""
    grown: dict[date, dict[str, tuple[int, str]]] = {}
    for row in unit.execute(_BOOKED, {"bucket": bucket, "first": first, "last": last}):
        heads = grown.setdefault(row.booked_on, {})
        heads[row.facility] = max(heads.get(row.facility, (0, "")), (row.seq, row.hash))
    return {
        day: [(facility, *head) for facility, head in sorted(heads.items())] for day, heads in grown.items()
    }


def last_seal(unit: Unit, bucket: int) -> str | None:
    """The hash of the bucket's newest seal."""
    found: str | None = unit.execute(_LAST_SEAL, {"bucket": bucket}).scalar()
    return found


def seals(unit: Unit, bucket: int) -> Sequence[Row]:
    """All seals of a bucket, oldest first."""
    rows: Sequence[Row] = unit.execute(_SEALS, {"bucket": bucket}).all()
    return rows


def add_seals(unit: Unit, rows: Sequence[dict[str, Any]]) -> None:
    """Append seals, oldest first."""
    unit.connection.execute(_ADD_SEAL, list(rows))
