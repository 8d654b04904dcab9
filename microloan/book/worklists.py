"""The lists a lender's day begins with: what waits for somebody, each with what to do next.

Due and overdue are read from the loans' cached oldest due day, amounts from their replay: exact, and only for the loans
that are listed. Source: house rule; days past due are SEMANTICS 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby, islice

from ..errors import BadInput
from ..money import to_major
from ..store import cash, decisions, lending, reading
from ..store.damaged import FAULTS
from ..store.unit import Unit
from . import closing, draws, offers, promises
from .desk import Desk
from .dossier import RUNNING, LoanFile, as_columns
from .facilities import BY_DECISION, frozen_reason
from .lives import fault_told, read_life
from .promises import Promise
from .requests import Requests
from .sweeps import KeptShare, Sweeps
from .underwriting import Underwriting


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that waits: since or until ``day``, about ``subject`` of ``merchant_id``; ``amount`` is what it is about.

    ``note`` says more in a few words: days past due, the reason of a hold, a reference. ``kept_for``: of a settlement, the loans
    whose share is still to come, and how much.
    """

    list: str
    subject: str
    merchant_id: str
    day: date
    amount: Decimal | None = None
    note: str = ""
    kept_for: tuple[KeptShare, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkList:
    """A list by name, what waits on it, the oldest day among it, and the sum of the amounts."""

    list: str
    tasks: tuple[Task, ...]
    count: int
    oldest: date | None
    total: Decimal


def work(desk: Desk, only: str | None = None) -> tuple[WorkList, ...]:
    """Every list, in the order of a lender's day; with *only*, that one."""
    if only is not None and only not in LISTS:
        raise BadInput(field="list", value=only, reason=f"one of {', '.join(LISTS)}")
    names = LISTS if only is None else {only: LISTS[only]}
    digits = desk.read(lambda unit: to_major(0, unit.book.currency))
    return tuple(_list(name, tuple(find(desk, name)), digits) for name, find in names.items())


def _list(name: str, tasks: tuple[Task, ...], zero: Decimal) -> WorkList:
    tasks = tuple(sorted(tasks, key=lambda task: (task.day, task.subject)))
    total = sum((task.amount or zero for task in tasks), zero)
    return WorkList(name, tasks, len(tasks), tasks[0].day if tasks else None, total)


def _offers(desk: Desk, name: str) -> Iterator[Task]:
    for offer in desk.read(lambda unit: offers.listed(unit, "offered")):
        yield Task(name, offer.id, offer.merchant_id, offer.expires_on, offer.limit)


def _payouts(desk: Desk, name: str) -> Iterator[Task]:
    for payout in desk.read(draws.payouts):
        yield Task(name, payout.loan_id, payout.merchant_id, payout.drawn_on, payout.amount)


def _reviews(desk: Desk, name: str) -> Iterator[Task]:
    for review in Underwriting(desk).reviews():
        yield Task(name, review.decision_id, review.merchant_id, review.opened_at.date())


def _requests(desk: Desk, name: str) -> Iterator[Task]:
    for request in Requests(desk).list():
        yield Task(name, request.id, "", request.created_on, note=f"{request.operation} {request.subject}")


#: Loans replayed together.
AT_ONCE = 500


def _owing(of_today: bool) -> Callable[[Desk, str], Iterator[Task]]:
    def find(desk: Desk, name: str) -> Iterator[Task]:
        yield from desk.read(lambda unit: tuple(_due(unit, name, of_today)))

    return find


def _due(unit: Unit, name: str, of_today: bool) -> Iterator[Task]:
    for bucket, ids in groupby(reading.due_loans(unit, today=of_today), key=lambda row: int(row.bucket)):
        for some in batched((row.id for row in ids), AT_ONCE):
            for row, events in lending.loans_with_events(unit, bucket, some):
                try:
                    yield _due_task(name, LoanFile(as_columns(row), read_life(events), unit.day_of(bucket)))
                except FAULTS as damage:  # it is due all the same; how much nobody can tell
                    yield Task(name, row.id, row.merchant, row.oldest_due, note=fault_told(damage))


def _due_task(name: str, file: LoanFile) -> Task:
    """What is due on a loan and not paid; the note gives the days past due."""
    state, row = file.state, file.row
    owed = state.fees + state.penalty + state.interest_due + state.principal_due
    note = f"{state.days_past_due}d" if state.days_past_due else ""
    return Task(name, file.id, row["merchant"], row["oldest_due"], to_major(owed, row["currency"]), note)


def batched(items: Iterable[str], size: int) -> Iterator[list[str]]:
    """Items in lists of at most *size*."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def _promises(desk: Desk, name: str) -> Iterator[Task]:
    """Promises not kept on loans that still owe; what was paid back otherwise waits for nobody."""

    def look(unit: Unit) -> tuple[Promise, ...]:
        return tuple(
            promise
            for promise in promises.listed(unit)
            if promise.status != "kept" and lending.loan(unit, promise.loan_id).status in RUNNING
        )

    for promise in desk.read(look):
        open_ = promise.amount - promise.paid
        yield Task(name, promise.loan_id, promise.merchant_id, promise.by_day, open_, promise.status)


def _held(desk: Desk, name: str) -> Iterator[Task]:
    for held in desk.read(closing.held):
        yield Task(name, held.loan_id, "", held.through, note=held.reason)


def _receipts(desk: Desk, name: str) -> Iterator[Task]:
    def look(unit: Unit) -> tuple[Task, ...]:
        return tuple(
            Task(
                name, row.id, "", row.received_on, to_major(row.amount_minor, unit.book.currency),
                f"{row.reason}: {row.reference}" if row.reference else row.reason,
            )
            for row in cash.receipts(unit, None, None, "waiting")
        )  # fmt: skip

    yield from desk.read(look)


def _settlements(desk: Desk, name: str) -> Iterator[Task]:
    for waiting in Sweeps(desk).list("waiting"):
        subject = f"{waiting.platform}:{waiting.settlement_id}"
        yield Task(
            name,
            subject,
            waiting.merchant_id,
            waiting.settled_on,
            waiting.net,
            waiting.reason,
            waiting.kept_for,
        )


def _frozen(desk: Desk, name: str) -> Iterator[Task]:
    """Credit lines a review of the limit froze whose merchant was approved since; a person unfreezes, no decision does."""
    yield from desk.read(lambda unit: tuple(_approved_since(unit, name)))


def _approved_since(unit: Unit, name: str) -> Iterator[Task]:
    for row in reading.facilities(unit, status="frozen"):
        cause = frozen_reason(unit, row)
        last = decisions.last_acting(unit, row.merchant) if cause.startswith(BY_DECISION) else None
        if last is not None and "approved" in (last.outcome, last.review):
            limit = to_major(row.limit_minor, row.currency)
            yield Task(name, row.id, row.merchant, last.decided_on, limit, f"approved_since: {last.id}")


#: Each list and how it is found, in the order of a lender's day.
LISTS: dict[str, Callable[[Desk, str], Iterator[Task]]] = {
    "reviews": _reviews,
    "requests": _requests,
    "offers": _offers,
    "payouts": _payouts,
    "due_today": _owing(True),
    "overdue": _owing(False),
    "promises": _promises,
    "receipts": _receipts,
    "settlements": _settlements,
    "held": _held,
    "frozen": _frozen,
}
