"""Statements of the reports: lives of loans as they were known on a day, sums of the journal, lines of credit, shops.

Everything is read in one pass over an index and grouped as it comes, so that a report on a large book holds one loan's events
at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, case, func, or_, select

from ..errors import IntegrityBroken
from .lending import Row, fixed, keyed
from .tables_lending import EVENTS, FACILITIES, JOURNAL, LOANS
from .tables_merchants import SHOPS
from .tables_underwriting import DECISIONS
from .unit import Unit

_TENANT: BindParameter[str] = bindparam("tenant")
_E, _L, _J, _F = EVENTS.c, LOANS.c, JOURNAL.c, FACILITIES.c
_DAY: BindParameter[date] = bindparam("day", type_=_J.day.type)
_ROWS_AT_ONCE = 5000

_LIVES = (
    select(
        _E.loan, _E.seq, _E.id, _E.kind, _E.value_date, _E.booked_on, _E.reverses, _E.payload,
        _L.bucket, _L.facility, _L.merchant, _L.product, _L.currency, _L.status, _L.drawn_minor, _L.held_through,
    )
    .join_from(EVENTS, LOANS, (_L.tenant == _E.tenant) & (_L.bucket == _E.bucket) & (_L.id == _E.loan))
    .where(
        *keyed(EVENTS), _E.loan != fixed(""), _E.loan > bindparam("after"), _E.booked_on <= _DAY, _L.drawn_on <= _DAY,
    )
    .order_by(_E.loan, _E.seq)
)  # fmt: skip
_TOUCHED_LATER = select(_E.loan).where(*keyed(EVENTS), _E.booked_on > _DAY)
#: Loans that may still have owed something, or been owed something, at the end of the day.
_LIVES_OPEN = _LIVES.where(
    or_(_L.status.not_in(("closed", "cancelled")), _L.credit_minor > 0, _L.id.in_(_TOUCHED_LATER))
)
_NEXT_LOAN = select(func.min(_L.id)).where(*keyed(LOANS), _L.id > bindparam("after"))

_ALLOWANCES = (
    select(_J.bucket, _J.product, _J["class"].label("class_"), _J.account, func.sum(_J.amount_minor).label("total"))
    .where(
        _J.tenant == _TENANT, _J.day <= _DAY, _J.account.in_((fixed("principal"), fixed("provision_allowance")))
    )
    .group_by(_J.bucket, _J.product, _J["class"], _J.account)
)  # fmt: skip
_BY_DAY = (
    select(_J.day, _J.account, func.sum(_J.amount_minor).label("total"))
    .where(_J.tenant == _TENANT, _J.day <= _DAY)
    .group_by(_J.day, _J.account)
    .order_by(_J.day)
)
_PAYOUTS = select(_E.id).where(_E.tenant == _TENANT, _E.kind == fixed("payout_confirmed"))
_PAYOUT_COMMANDS = select(_E.command).where(
    _E.tenant == _TENANT, or_(_E.kind == fixed("payout_confirmed"), _E.reverses.in_(_PAYOUTS))
)
_CASH_BY_DAY = (
    select(
        _J.day,
        func.sum(case((_J.entry.in_(_PAYOUT_COMMANDS), _J.amount_minor), else_=0)).label("paid_out"),
        func.sum(_J.amount_minor).label("total"),
    )
    .where(_J.tenant == _TENANT, _J.day <= _DAY, _J.account == fixed("cash"))
    .group_by(_J.day)
    .order_by(_J.day)
)
_LINES = (
    select(_E.facility, _E.seq, _E.kind, _E.booked_on, _E.payload, _F.merchant, _F.valid_until)
    .join_from(EVENTS, FACILITIES, (_F.tenant == _E.tenant) & (_F.bucket == _E.bucket) & (_F.id == _E.facility))
    .where(*keyed(EVENTS), _E.loan == fixed(""), _E.booked_on <= _DAY)
    .order_by(_E.facility, _E.seq)
)  # fmt: skip
_PLATFORMS = select(SHOPS.c.merchant, SHOPS.c.platform).where(SHOPS.c.tenant == _TENANT).distinct()
_D = DECISIONS.c
_NEWEST = (
    select(_D.bucket, _D.merchant, func.max(_D.decided_at).label("decided_at"))
    .where(_D.tenant == _TENANT, _D.decided_on <= _DAY)
    .group_by(_D.bucket, _D.merchant)
    .subquery()
)
_DECISIONS = select(_D.merchant, _D.currency, _D.body).join_from(
    DECISIONS, _NEWEST,
    (_D.tenant == _TENANT) & (_D.bucket == _NEWEST.c.bucket) & (_D.merchant == _NEWEST.c.merchant)
    & (_D.decided_at == _NEWEST.c.decided_at),
)  # fmt: skip


def lives(
    unit: Unit, bucket: int, day: date, *, open_only: bool = False
) -> Iterator[tuple[str, list[Row] | Exception]]:
    """Every loan drawn by *day* with its events booked by then, in their order; the first of them tells of the loan too.

    With *open_only* loans that had ended before that day, with nothing left on either side, are left out. Instead of the
    events of a loan with a day that is none comes what was raised; the others follow.
    """
    query = _LIVES_OPEN if open_only else _LIVES
    values = {"bucket": bucket, "day": day, "after": ""}
    while True:
        try:
            for loan, group in groupby(_streamed(unit, query, values), key=attrgetter("loan")):
                yield loan, list(group)
                values["after"] = loan
        except IntegrityBroken:
            yield from _up_to_the_damaged(unit, query, values)
        else:
            return


def _up_to_the_damaged(
    unit: Unit, query: Select[Any], values: dict[str, Any]
) -> Iterator[tuple[str, list[Row] | Exception]]:
    """The loans after ``values["after"]`` one by one, to the first that cannot be read; moves ``after`` there."""
    while (loan := unit.execute(_NEXT_LOAN, values).scalar()) is not None:
        values["after"] = loan
        try:
            events = unit.execute(
                query.where(_E.loan == bindparam("loan")), values | {"after": "", "loan": loan}
            ).all()
        except IntegrityBroken as fault:
            yield loan, fault
            return
        if events:
            yield loan, events


def lines_of_credit(unit: Unit, bucket: int, day: date) -> Iterator[list[Row]]:
    """The own events of each facility of a bucket booked by *day*, in their order."""
    rows = _streamed(unit, _LINES, {"bucket": bucket, "day": day})
    for _, group in groupby(rows, key=attrgetter("facility")):
        yield list(group)


def _streamed(unit: Unit, statement: Select[Any], values: dict[str, Any]) -> Iterator[Row]:
    connection = unit.connection.execution_options(yield_per=_ROWS_AT_ONCE)
    yield from connection.execute(statement, {"tenant": unit.tenant, **values})


def allowances(unit: Unit, day: date) -> Sequence[Row]:
    """Principal and provision allowance per bucket, product and class, as posted up to *day*."""
    rows: Sequence[Row] = unit.execute(_ALLOWANCES, {"day": day}).all()
    return rows


def posted_by_day(unit: Unit, day: date) -> Sequence[Row]:
    """What each day up to *day* posted to each account."""
    rows: Sequence[Row] = unit.execute(_BY_DAY, {"day": day}).all()
    return rows


def cash_by_day(unit: Unit, day: date) -> Sequence[Row]:
    """What each day up to *day* did to cash, and the part of it that payouts and their reversals did."""
    rows: Sequence[Row] = unit.execute(_CASH_BY_DAY, {"day": day}).all()
    return rows


def platforms(unit: Unit) -> dict[str, tuple[str, ...]]:
    """The platforms of every merchant that has shops, in alphabetical order."""
    found: dict[str, list[str]] = {}
    for row in unit.execute(_PLATFORMS):
        found.setdefault(row.merchant, []).append(row.platform)
    return {merchant: tuple(sorted(names)) for merchant, names in found.items()}


def newest_decisions(unit: Unit, day: date) -> Iterator[Row]:
    """The last decision on each merchant made by *day*."""
    yield from _streamed(unit, _DECISIONS, {"day": day})
