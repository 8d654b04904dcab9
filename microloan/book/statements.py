"""A statement with what a merchant wants to see beside its movements: the parties, the price, how interest came about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise

from ..money import to_major
from ..reports.statement_page import InterestSpan, StatementPaper
from ..servicing.replay import effective, evenings
from ..store import merchants
from ..store.unit import Unit
from . import enquiries
from .lives import LoanLife
from .views import cost_view


def paper(unit: Unit, subject: str, first: date | None, last: date | None) -> StatementPaper:
    """The statement of a loan or facility as it is put on paper; see :func:`enquiries.statement`."""
    statement = enquiries.statement(unit, subject, first, last)
    known = merchants.merchant(unit, statement.merchant_id)
    named = statement.merchant_id if known is None else f"{known.name} ({statement.merchant_id})"
    files = {loan.id: enquiries.loan_file(unit, loan.id) for loan in statement.loans}
    spans = [
        span
        for name, file in files.items()
        for span in _spans(name, file.life, statement.first, statement.last)
    ]
    costs = {name: cost_view(file, statement.last) for name, file in files.items()}
    return StatementPaper(unit.tenant, named, statement, costs, tuple(spans))


def _spans(loan_id: str, life: LoanLife, first: date, last: date) -> Iterator[InterestSpan]:
    """The nights of a period, cut where an event or a due date may have changed what bears interest.

    The statement's interest is that of the nights before its last day: from the evening before *first* on.
    """
    terms = life.terms
    if terms is None:
        return
    begin = max(first - timedelta(days=1), terms.start)
    if begin >= last:
        return
    counting, _ = effective(terms, life.events)
    dues = {row.due for row in life.life([last]).schedule}
    changes = {day for day in dues | {event.value_date for event in counting} if begin < day < last}
    days = [begin, *sorted(changes), last]
    states = evenings(terms, life.events, days)
    for (start, before), (end, after) in pairwise(zip(days, states, strict=True)):
        rate = life.rate(start) or terms.rate
        yield InterestSpan(
            loan_id, start, end, (end - start).days if before.principal else 0,
            to_major(before.principal, terms.currency), rate.daily, rate.yearly,
            to_major(after.interest_charged - before.interest_charged, terms.currency),
            to_major(after.penalty_charged - before.penalty_charged, terms.currency),
        )  # fmt: skip
