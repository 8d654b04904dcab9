"""Statements of the close of day: the set pass over the accrual rows, loans with something happening, provisions, seals.

f(n) = whole + q·u + (rem + m·u) / den with u = n − anchor_n, all integers; the close of T posts Σ f(T+1) − f(T) per
product, class and memo, of interest and of penalty. Source: ARCHITECTURE (the accrual row), SEMANTICS 6 and 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache, partial
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    Integer,
    Text,
    any_,
    bindparam,
    case,
    collate,
    delete,
    insert,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from ..days import day_number
from ..errors import EventRefused
from ..servicing.accrual import INT64
from .chain import Digest
from .damaged import FAULTS
from .lending import RUNNING, Row, at, columns, facility, fixed, keyed
from .sums import summed, sums
from .tables_closing import PROVISIONS, SEALS
from .tables_lending import ACCRUALS, EVENTS, FACILITIES, JOURNAL, LOANS
from .unit import Unit
from .upserts import upsert
from .writes import Writes

_A = ACCRUALS.c
_GROUP = (_A.product, _A["class"], _A.memo)
# Days as the numbers they are stored as: one that is no day of the calendar holds its loan and stops no other.
_action = type_coerce(_A.next_action, Integer)
_ACTION_DAYS = (
    select(_action).distinct().where(*keyed(ACCRUALS), _action <= bindparam("last")).order_by(_action)
)
_DUE_ON = (
    select(*(each for each in columns(ACCRUALS) if each.name not in ("tenant", "bucket", "next_action")))
    .where(*keyed(ACCRUALS), _action == bindparam("action"), _A.loan > bindparam("after"))
    .order_by(_A.loan)
    .limit(bindparam("most"))
)
_DROP_DUE = delete(ACCRUALS).where(
    *at(ACCRUALS), _action == bindparam("action"), _A.loan > bindparam("after"), _A.loan <= bindparam("last")
)
_E = EVENTS.c
_L = LOANS.c
#: Figures of a loan's row that a close may change; ``had_x`` beside the new x is what the row must hold until then.
FIGURES = ("status", "credit_minor", "class", "memo", "oldest_due")
_SET_LOANS = Writes(
    update(LOANS)
    .where(*at(LOANS, "id", "product", "currency", "principal_minor"))
    .where(
        *(_L[name].is_not_distinct_from(bindparam(f"had_{name}", type_=_L[name].type)) for name in FIGURES)
    )
    .values({name: bindparam(f"new_{name}") for name in FIGURES})
)
_HOLD = (
    update(LOANS)
    .where(*at(LOANS, "id"))
    .values(held_through=bindparam("through"), held_reason=bindparam("reason"))
)
_ENDED = (
    *keyed(FACILITIES),
    FACILITIES.c.status.in_(("active", "frozen")),
    FACILITIES.c.valid_until < bindparam("day", type_=FACILITIES.c.valid_until.type),
)
_ENDED_FACILITIES = select(*columns(FACILITIES)).where(*_ENDED).with_for_update()
_ENDED_IDS = select(FACILITIES.c.id).where(*_ENDED).order_by(FACILITIES.c.id)
_J = JOURNAL.c
_MOVED_IN = (_J.day, _J.product, _J["class"], _J.currency)
_of_day = type_coerce(_J.day, BigInteger)  # as it is stored, also where that is no day of the calendar
_PROVISIONS = select(*columns(PROVISIONS)).where(*keyed(PROVISIONS))
_PUT_PROVISIONS = upsert(PROVISIONS)
_PUT_PROVISIONS = _PUT_PROVISIONS.on_conflict_do_update(
    index_elements=[PROVISIONS.c[name] for name in ("tenant", "bucket", "product", "class")],
    set_={name: _PUT_PROVISIONS.excluded[name] for name in ("principal_minor", "allowance_minor")},
)
_BOOKED = select(_E.booked_on, _E.facility, _E.seq, _E.hash).where(
    *keyed(EVENTS), _E.booked_on.between(bindparam("first"), bindparam("last"))
)
_NEWEST_SEAL = select(SEALS.c.day, SEALS.c.hash).where(*keyed(SEALS)).order_by(SEALS.c.day.desc()).limit(1)
_SEALS = select(SEALS).where(*keyed(SEALS), SEALS.c.day >= bindparam("first")).order_by(SEALS.c.day)
_ADD_SEAL = Writes(insert(SEALS))


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
    rows = summed(unit, lambda halves: _nights(len(days), halves), len(_GROUP), values)
    currency = unit.book.currency  # a book has one, and so have its products
    return [
        GroupNights(product, class_, memo, component, currency, _per_night(ends))
        for product, class_, memo, *totals in rows
        for component, ends in _by_component(totals)
    ]


def _by_component(totals: Sequence[int]) -> Iterator[tuple[str, Sequence[int]]]:
    each = len(totals) // len(RUNNING)
    return ((component, totals[n * each : (n + 1) * each]) for n, component in enumerate(RUNNING))


def _per_night(ends: Sequence[int]) -> tuple[int, ...]:
    if len(ends) == 1:
        return (ends[0],)
    return tuple(after - before for before, after in pairwise(ends))


@lru_cache(maxsize=64)
def _nights(nights: int, halves: bool) -> Any:
    """The grouped pass. One night: Σ f(1) − f(0); several: Σ f(n) − whole − q·u₀ at each end, one scan for all of them.

    Neither holds ``whole``, so that a sum stays far from 64 bits. Truncating division floors: no operand is below zero.
    """
    formulas: list[Any] = [_night] if nights == 1 else [partial(_end, place) for place in range(nights + 1)]
    earned = [
        total
        for whole, *numbers in RUNNING.values()
        for total in sums(
            *(_both_counts(formula, *(_A[name] for name in numbers)) for formula in formulas),
            halves=halves,
            where=_A[whole].is_not(None) if _A[whole].nullable else None,
        )
    ]
    return (
        select(*_GROUP, *earned)
        .where(*keyed(ACCRUALS), _A.next_action > bindparam("last", type_=_A.next_action.type))
        .group_by(*_GROUP)
        .order_by(*_GROUP)
    )


def _both_counts(formula: Any, *running: Any) -> Any:
    return case((_A.day_count == 0, formula("actual", *running)), else_=formula("thirty", *running))


def _night(count: str, q: Any, rem: Any, m: Any) -> Any:
    now, then = _number(count, 0), _number(count, 1)
    return q * (then - now) + _fraction(then, rem, m) - _fraction(now, rem, m)


def _end(place: int, count: str, q: Any, rem: Any, m: Any) -> Any:
    return q * (_number(count, place) - _number(count, 0)) + _fraction(_number(count, place), rem, m)


def _number(count: str, place: int) -> BindParameter[int]:
    return bindparam(f"{count}_{place}", type_=_A.anchor_n.type)


def _fraction(n: Any, rem: Any, m: Any) -> Any:
    return (rem + m * (n - _A.anchor_n)) // _A.den


# --- loans to which something happens --------------------------------------------------------------------------------


#: What reading or writing a damaged row raises; a check of its table may fail too.
DAMAGED = (*FAULTS, IntegrityError, DataError)


@dataclass(frozen=True, slots=True)
class DueLines:
    """Accrual rows by loan, of one next action (an ordinal): all there are after the id *after* up to the id *last*.

    A loan has one; where a damaged book has several of it for that day, they are here together.
    """

    action: int
    after: str
    last: str
    lines: dict[str, list[Row]]  # in the database's order

    def halves(self) -> tuple[DueLines, DueLines]:
        """The same in two parts; there must be two loans at least."""
        ids = list(self.lines)
        middle = len(ids) // 2
        between = ids[middle - 1]
        return (
            DueLines(self.action, self.after, between, {name: self.lines[name] for name in ids[:middle]}),
            DueLines(self.action, between, self.last, {name: self.lines[name] for name in ids[middle:]}),
        )


def due_lines(unit: Unit, bucket: int, last: date, most: int) -> Iterator[DueLines]:
    """Loans with something happening up to the morning of *last*, in batches of *most*; each is to be given new rows."""
    days = unit.execute(_ACTION_DAYS, {"bucket": bucket, "last": last.toordinal()}).scalars().all()
    for action in days:
        after, more = "", True
        while more:
            lines, more = _due_on(unit, bucket, action, after, most)
            if not lines:
                break
            before, after = after, next(reversed(lines))
            yield DueLines(action, before, after, lines)


def _due_on(unit: Unit, bucket: int, action: int, after: str, most: int) -> tuple[dict[str, list[Row]], bool]:
    """The lines of the next loans, and whether there are others after them."""
    # One row more than asked for, whose loan waits: so no loan is cut in two, not even one that has several rows.
    values = {"bucket": bucket, "action": action, "after": after, "most": most + 1}
    rows = unit.execute(_DUE_ON, values).all()
    lines: dict[str, list[Row]] = {}
    for row in rows:
        lines.setdefault(row.loan, []).append(row)
    more = len(rows) > most
    if more and len(lines) == 1:
        return _due_on(unit, bucket, action, after, 2 * most)
    if more:
        lines.popitem()
    return lines, more


def drop_accruals(unit: Unit, bucket: int, due: DueLines) -> None:
    """Remove these accrual rows, in one statement: no other loan has that day and an id between theirs."""
    of = {"of_tenant": unit.tenant, "of_bucket": bucket, "action": due.action}
    gone = unit.connection.execute(_DROP_DUE, of | {"after": due.after, "last": due.last}).rowcount
    assert gone == sum(map(len, due.lines.values())), "rows of another loan"


@cache
def _events_of(dialect: str) -> Any:
    """What a replay reads of the events of loans, by the loans' ids; the rest of these wide rows, and the draw, stay on disk."""
    read = select(_E.loan, _E.seq, _E.id, _E.kind, _E.value_date, _E.booked_on, _E.reverses, _E.payload)
    of_loans = read.where(*keyed(EVENTS), _among(_E.loan, dialect), _E.kind != fixed("drawn"))
    return of_loans.order_by(_E.loan, _E.seq)


def _among(column: ColumnElement[str], dialect: str) -> ColumnElement[bool]:
    # One array: a text with a parameter for each of a thousand loans is made, sent and planned anew every time.
    if dialect == "postgresql":
        return column == any_(bindparam("ids", type_=ARRAY(Text)))
    return column.in_(bindparam("ids", expanding=True))


def due_events(unit: Unit, bucket: int, due: DueLines) -> dict[str, list[Row]]:
    """The events of each of these loans, in their order."""
    events: dict[str, list[Row]] = {loan_id: [] for loan_id in due.lines}
    for row in unit.execute(_events_of(unit.dialect), {"bucket": bucket, "ids": list(due.lines)}).all():
        events[row.loan].append(row)
    return events


def hold(unit: Unit, bucket: int, loan_id: str, through: date, reason: str) -> bool:
    """Set a loan aside without reading its row; False where there is none."""
    of = {"of_tenant": unit.tenant, "of_bucket": bucket, "of_id": loan_id}
    done = unit.connection.execute(_HOLD, of | {"through": through, "reason": reason})
    return bool(done.rowcount)


def set_loans(unit: Unit, rows: Sequence[dict[str, Any]]) -> None:
    """Write what a close changes of loans, unread: a row must hold what its events and accrual rows tell.

    Raises LookupError where one is gone or holds something else.
    """
    if _SET_LOANS.run(unit.connection, rows) < len(rows):
        raise LookupError("its row holds something else than its events and accrual rows tell")


def ended_facilities(unit: Unit, bucket: int, day: date) -> tuple[list[Row], list[tuple[str, str]]]:
    """Live facilities whose validity ended before *day*, locked; and those whose row cannot be read, each with the fault."""
    try:
        rows = unit.execute(_ENDED_FACILITIES, {"bucket": bucket, "day": day}).all()
        return sorted(rows, key=lambda row: str(row.id)), []
    except DAMAGED:
        pass
    found, damaged = [], []
    for facility_id in unit.execute(_ENDED_IDS, {"bucket": bucket, "day": day}).scalars().all():
        try:
            found.append(facility(unit, facility_id, lock=True))
        except DAMAGED as fault:
            damaged.append((facility_id, f"{type(fault).__name__}: {fault}"))
    return found, damaged


# --- provisions ------------------------------------------------------------------------------------------------------


class Moved(NamedTuple):
    """What the commands of a day did to a group's principal, in minor units."""

    day: date
    product: str
    class_: str
    currency: str
    total: int


def principal_moved(unit: Unit, bucket: int, day: date) -> Sequence[Moved]:
    """What the commands of a day did to principal, per product and class."""
    return principal_moved_in(unit, bucket, day, day).get(day, ())


def principal_moved_in(unit: Unit, bucket: int, first: date, last: date) -> dict[date, list[Moved]]:
    """As :func:`principal_moved`, by day, for the days on which anything moved."""
    moved: dict[date, list[Moved]] = {}
    for row in summed(unit, _moved, len(_MOVED_IN), {"bucket": bucket, "first": first, "last": last}):
        moved.setdefault(row[0], []).append(Moved(*row))
    return moved


@cache
def _moved(halves: bool) -> Any:
    return (
        select(*_MOVED_IN, *sums(_J.amount_minor, halves=halves))
        .where(*keyed(JOURNAL), _J.day.between(bindparam("first"), bindparam("last")))
        .where(_J.source == fixed("command"), _J.account == fixed("principal"))
        .group_by(*_MOVED_IN)
    )


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


def newest_seal(unit: Unit, bucket: int) -> Row | None:
    """The day and hash of the bucket's newest seal, if it has one."""
    return unit.execute(_NEWEST_SEAL, {"bucket": bucket}).first()


def seals(unit: Unit, bucket: int, first: date = date.min) -> Sequence[Row]:
    """The seals of a bucket from the day *first* on, oldest first; all of them unless told otherwise."""
    rows: Sequence[Row] = unit.execute(_SEALS, {"bucket": bucket, "first": first}).all()
    return rows


def journal_by_seal(unit: Unit, bucket: int, first: int, last: int) -> Iterator[Row]:
    """The lines of the journal that the seals of some days cover, read as they are needed by day, entry and line.

    A day's seal covers what its commands posted, its night, and the morning after it, which one close posts together.
    Days are ordinals, also those of the lines.
    """
    values = {"bucket": bucket, "first": first, "after": last + 1}
    yield from unit.execute(_by_seal(unit.dialect), values)


@cache
def _by_seal(dialect: str) -> Any:
    # One order on every server, so that a digest stays what it was: that of SQLite, by the bytes.
    entry = collate(_J.entry, "C") if dialect == "postgresql" else _J.entry
    return (
        select(
            *(c for c in columns(JOURNAL) if c.name not in ("tenant", "bucket", "day")), _of_day.label("day")
        )
        .where(*keyed(JOURNAL), _of_day.between(bindparam("first"), bindparam("after")))
        .where(or_(_J.source == fixed("morning"), _of_day < bindparam("after")))
        .where(or_(_J.source != fixed("morning"), _of_day > bindparam("first")))
        .order_by(_of_day, entry, _J.line)
        .execution_options(yield_per=5000)
    )


def sealed_with(day: int, source: str) -> int:
    """The day under whose seal lines of a day stand, both as ordinals: of a morning, the day before it."""
    return day - 1 if source == "morning" else day


def journal_digests(lines: Iterable[Row]) -> dict[int, Digest]:
    """What seals say of lines given in the order of :func:`journal_by_seal`: their digest by day."""
    digests: dict[int, Digest] = {}
    for line in lines:
        day = sealed_with(line.day, line.source)
        if day not in digests:
            digests[day] = Digest()
        digests[day].add(line)
    return digests


def add_seals(unit: Unit, rows: Sequence[dict[str, Any]]) -> None:
    """Append seals, oldest first."""
    _ADD_SEAL.run(unit.connection, rows)
