"""What the book answers: loans and facilities as of a day and as known on a day, statements, the journal, the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from itertools import islice

from ..errors import InvalidDate
from ..money import to_major
from ..servicing.replay import Life
from ..servicing.state import LedgerRow, LoanState
from ..store import lending, reading
from ..store.lists import Listed, guard_latest
from ..store.unit import Unit
from .dossier import LoanFile, as_columns
from .facilities import facility_view
from .lives import read_life, stored
from .results import (
    AccountBalance,
    AuditLine,
    Facility,
    JournalLine,
    LedgerLine,
    Loan,
    LoanCost,
    LoanSummary,
    Payoff,
    ScheduleLine,
    Statement,
    StatementLine,
    TrialBalance,
)
from .views import cost_view, ledger_view, loan_view, major, payoff_view, schedule_view, summary_view


def loan_file(unit: Unit, loan_id: str, known_on: date | None = None) -> LoanFile:
    """A loan with its life, for reading; with *known_on*, only what was booked by the end of that day.

    Raises NotFound, LoanDamaged.
    """
    return _file(unit, _row(unit, loan_id), known_on)


def _row(unit: Unit, loan_id: str) -> lending.Row:
    lending.facility_of_loan(unit, loan_id)  # that it is there; its days may be what is damaged
    with stored(loan_id):
        return lending.loan(unit, loan_id)


def _file(unit: Unit, row: lending.Row, known_on: date | None = None) -> LoanFile:
    with stored(row.id):
        events = lending.events_of_loan(unit, row.bucket, row.id)
        known = [event for event in events if known_on is None or event.booked_on <= known_on]
        life = read_life(known)
    return LoanFile(as_columns(row), life, unit.day_of(row.bucket))


def loan(unit: Unit, loan_id: str, as_of: date | None, known_on: date | None) -> Loan:
    """A loan at the end of a value date, as known at the end of a booking day. Raises NotFound, LoanDamaged."""
    return _loan_at(unit, _row(unit, loan_id), as_of, known_on)


def _loan_at(unit: Unit, row: lending.Row, as_of: date | None, known_on: date | None) -> Loan:
    file = _file(unit, row, known_on)
    with stored(row.id):
        return loan_view(file, file.life.state(as_of or file.today), known_on)


def loan_cost(unit: Unit, loan_id: str, as_of: date | None, known_on: date | None) -> LoanCost | None:
    """What a loan costs its merchant, as it looks on a day; None for a loan that has not started."""
    file = loan_file(unit, loan_id, known_on)
    with stored(loan_id):
        return cost_view(file, as_of or file.today, known_on)


def loans(unit: Unit, latest: int | None = None, **filters: str | None) -> Listed[LoanSummary]:
    """Loans in the order they were drawn, by facility, merchant, status; all or the *latest* so many."""
    return reading.loans(unit, latest, None, **filters).viewed(summary_view)


def loans_at(
    unit: Unit,
    as_of: date | None,
    known_on: date | None,
    status: str | None,
    latest: int | None,
    **whose: str | None,
) -> Listed[Loan]:
    """Loans drawn by then in their order, each as :func:`loan` tells it; all or the *latest* so many.

    For a *status* they are replayed from the last drawn backwards, until so many are found; those before are not counted.
    """
    drawn_by = min((day for day in (as_of, known_on) if day is not None), default=None)

    def view(row: lending.Row) -> Loan:
        return _loan_at(unit, row, as_of, known_on)

    if status is None:
        return reading.loans(unit, latest, drawn_by, **whose).viewed(view)
    guard_latest(latest)
    views = map(view, reading.loans_newest_first(unit, drawn_by, **whose))
    found = list(islice((loan for loan in views if loan.status == status), latest))
    return Listed(reversed(found), None if len(found) == latest else 0)


def facility(unit: Unit, facility_id: str) -> Facility:
    """A facility on the open day."""
    row = lending.facility(unit, facility_id)
    return facility_view(unit, row, unit.day_of(row.bucket))


def facilities(unit: Unit, latest: int | None = None, **filters: str | None) -> Listed[Facility]:
    """Facilities in the order they were signed, by merchant, status; all or the *latest* so many."""
    day_of = cache(unit.day_of)  # one question a bucket, not one a facility
    rows = reading.facilities(unit, latest, **filters)
    return rows.viewed(lambda row: facility_view(unit, row, day_of(row.bucket)))


def payoff(unit: Unit, loan_id: str, as_of: date | None) -> Payoff:
    """What closes a loan on a day, by default the open day."""
    file = loan_file(unit, loan_id)
    with stored(loan_id):
        return payoff_view(loan_id, file.life.state(as_of or file.today), file.row["currency"])


def ledger(unit: Unit, loan_id: str, as_of: date | None, known_on: date | None) -> tuple[LedgerLine, ...]:
    """A loan's ledger up to a value date."""
    file, life = _life(unit, loan_id, as_of, known_on)
    return tuple(ledger_view(row, file.row["currency"]) for row in life.ledger)


def schedule(unit: Unit, loan_id: str, as_of: date | None, known_on: date | None) -> tuple[ScheduleLine, ...]:
    """A loan's plan as it stands on a value date."""
    file, life = _life(unit, loan_id, as_of, known_on)
    return tuple(schedule_view(row, file.row["currency"]) for row in life.schedule)


def _life(unit: Unit, loan_id: str, as_of: date | None, known_on: date | None) -> tuple[LoanFile, Life]:
    file = loan_file(unit, loan_id, known_on)
    with stored(loan_id):
        return file, file.life.life([as_of or file.today])


def statement(unit: Unit, subject: str, first: date | None, last: date | None) -> Statement:
    """Movements of a loan, or of all loans of a facility, from *first* to *last* by value date. Raises LoanDamaged."""
    files = _files(unit, subject)
    first = first or min((file.row["drawn_on"] for file in files), default=unit.book_day())
    last = last or max(first, unit.book_day())
    if last < first:
        raise InvalidDate(field="to", value=str(last), reason=f"lies before {first}")
    parts = [_statement_part(file, first, last) for file in files]
    currency = files[0].row["currency"] if files else unit.book.currency
    money = major(currency)
    lines = sorted((line for _, _, found in parts for line in found), key=lambda line: line.date)
    return Statement(
        subject=subject,
        merchant_id=files[0].row["merchant"] if files else lending.facility(unit, subject).merchant,
        currency=currency,
        first=first,
        last=last,
        opening_principal=money(sum(opening.principal for opening, _, _ in parts)),
        closing_principal=money(sum(closing.principal for _, closing, _ in parts)),
        interest_charged=money(sum(b.interest_charged - a.interest_charged for a, b, _ in parts)),
        penalty_charged=money(sum(b.penalty_charged - a.penalty_charged for a, b, _ in parts)),
        lines=tuple(lines),
        loans=tuple(loan_view(file, closing) for file, (_, closing, _) in zip(files, parts, strict=True)),
    )


def _files(unit: Unit, subject: str) -> list[LoanFile]:
    if subject.startswith("loan-"):
        return [loan_file(unit, subject)]
    row = lending.facility(unit, subject)
    return [_file(unit, loan_row) for loan_row in lending.loans_of(unit, row.bucket, row.id)]


def _statement_part(
    file: LoanFile, first: date, last: date
) -> tuple[LoanState, LoanState, list[StatementLine]]:
    """The states on the evening before *first* and on *last*, and the lines between."""
    before = date.fromordinal(max(first.toordinal() - 1, date.min.toordinal()))
    with stored(file.id):
        walked = file.life.life([before, last])
    rows = [row for row in walked.ledger if row.value_date is not None and first <= row.value_date <= last]
    lines = [_statement_line(file, row) for row in rows]
    if file.life.terms is not None and first <= file.life.terms.start <= last:
        lines.insert(0, _draw_line(file))
    return walked.states[0], walked.states[1], lines


def _statement_line(file: LoanFile, row: LedgerRow) -> StatementLine:
    shown = ledger_view(row, file.row["currency"])
    assert shown.date is not None, "chosen by its date"
    return StatementLine(
        file.id, shown.id, shown.type, shown.date, shown.booked, shown.amount, shown.fees, shown.penalty, shown.interest,
        shown.principal, shown.credit, shown.principal_after, shown.reversed_by,
    )  # fmt: skip


def _draw_line(file: LoanFile) -> StatementLine:
    terms = file.life.terms
    assert terms is not None, "a started loan has terms"
    drawn, nothing = (to_major(minor, terms.currency) for minor in (terms.principal_minor, 0))
    parts: tuple[Decimal, Decimal, Decimal] = (nothing, nothing, nothing)
    return StatementLine(
        file.id, file.life.payout_family[0], "draw", terms.start, file.row["drawn_on"], drawn, *parts, drawn, nothing,
        drawn, None,
    )  # fmt: skip


def journal(unit: Unit, first: date | None, last: date | None) -> Iterator[JournalLine]:
    """Journal lines from *first* to *last*, by day and entry."""
    for row in reading.journal(unit, first, last):
        yield JournalLine(
            row.day, row.entry, row.line, row.source, row.account, row.class_, row.product, row.loan, row.currency,
            to_major(row.amount_minor, row.currency),
        )  # fmt: skip


def trial_balance(unit: Unit, as_of: date | None) -> TrialBalance:
    """The journal's balances up to a day; their total is zero in a sound book."""
    rows = [row for row in reading.balances(unit, as_of) if row.total]
    accounts = tuple(
        AccountBalance(
            row.account, row.class_, row.product, row.currency, to_major(int(row.total), row.currency)
        )
        for row in rows
    )
    total = to_major(sum(int(row.total) for row in rows), unit.book.currency)
    return TrialBalance(as_of or unit.book_day(), accounts, total)


def audit(
    unit: Unit, first: datetime | None, last: datetime | None, latest: int | None = None
) -> Listed[AuditLine]:
    """Who did what, when, oldest first; all or the *latest* so many."""
    begin, end = first or datetime.min.replace(tzinfo=UTC), last or datetime.max.replace(tzinfo=UTC)
    return reading.audit(unit, begin, end, latest).viewed(
        lambda row: AuditLine(
            row.recorded_at, row.actor, row.approver, row.operation, row.subject, row.id, row.key
        )
    )
