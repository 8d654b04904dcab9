"""Money that comes in: repayments of a loan or a facility, settlements of a sweep loan, recoveries, credit balances.

A payment to a facility is split once, over its loans, and stored as events of them: first what is overdue, oldest due
first; then the loan the payer names; then the highest rate. What is left stays a credit balance. Source: SEMANTICS 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Literal

from ..errors import EventRefused, InvalidDate, InvalidEvent
from ..money import positive_minor, to_major, to_minor
from ..servicing.events import Recovered, Refunded, Repaid, Settled
from ..servicing.state import LedgerRow, LoanState
from ..store import catalogue
from ..store.unit import Unit
from .dossier import Dossier, LoanFile, open_dossier, open_loan, refuse_unless
from .results import Allocation, Entry, Receipt
from .views import allocation_view, entry_view

#: In place of an amount: what closes the loan, or all loans of the facility, on the value date.
ALL: Literal["all"] = "all"


@dataclass(frozen=True, slots=True)
class _Share:
    loan: LoanFile
    minor: int


def repay(
    unit: Unit,
    subject: str,
    amount: object,
    value_date: date | None,
    named: str | None,
    apply: str | None,
) -> Receipt:
    """Book a repayment to a loan or a facility. Raises EventRefused, InvalidDate, InvalidAmount, NotFound."""
    if subject.startswith("loan-"):
        dossier, loan = open_loan(unit, subject)
        day = value_day(dossier, value_date)
        guard_running(loan, day)
        shares = [_Share(loan, _minor(amount, dossier, [loan], day))]
    else:
        dossier = open_dossier(unit, subject)
        day = value_day(dossier, value_date)
        loans = [loan for loan in dossier.loans() if loan.life.terms and loan.life.terms.start <= day]
        if not loans:
            dossier.refuse_held()
        refuse_unless(bool(loans), "nothing_owed", subject, f"no loan of it was running on {day}")
        shares = split(loans, _minor(amount, dossier, loans, day), day, named)
    to_principal = _to_principal(unit, dossier, apply)
    return _receipt(dossier, subject, day, [_pay(dossier, share, day, to_principal) for share in shares])


def split(loans: Sequence[LoanFile], minor: int, day: date, named: str | None) -> list[_Share]:
    """Split a payment over a facility's *loans*, given as they were drawn, in the order of the rule.

    Of two that the rule treats alike the one drawn first is paid first. Raises EventRefused for a name not among them.
    *Source:* SEMANTICS 4; between equals: house rule.
    """
    if named is not None and all(loan.id != named for loan in loans):
        raise EventRefused(code="not_payable", subject=named, reason="is not a running loan of this facility")
    states = {loan.id: loan.evening(day) for loan in loans}
    given = dict.fromkeys(states, 0)
    queue = _payees(loans, states, day, named)
    for loan, most in queue:
        share = min(minor, most - given[loan.id])
        if share > 0:
            given[loan.id] += share
            minor -= share
    last = named or queue[-1][0].id
    given[last] += minor  # a surplus: it stays with the loan it is paid to, as a credit balance
    paid = dict.fromkeys(loan.id for loan, _ in queue)
    files = {loan.id: loan for loan in loans}
    return [_Share(files[loan_id], given[loan_id]) for loan_id in paid if given[loan_id]]


def _payees(
    loans: Sequence[LoanFile], states: dict[str, LoanState], day: date, named: str | None
) -> list[tuple[LoanFile, int]]:
    """Loans in the order they are paid, each with the most it takes at that place; equals stay as they were drawn."""

    def oldest_due(loan: LoanFile) -> date:
        return states[loan.id].oldest_due or date.max

    def dearest(loan: LoanFile) -> tuple[bool, Fraction]:
        rate = loan.life.rate(day)
        assert rate is not None, "a running loan has terms"
        return (loan.id != named, -rate.per_day)

    overdue = sorted((loan for loan in loans if states[loan.id].days_past_due), key=oldest_due)
    first = [(loan, _due(states[loan.id])) for loan in overdue]
    return [*first, *((loan, states[loan.id].payoff) for loan in sorted(loans, key=dearest))]


def _due(state: LoanState) -> int:
    return state.fees + state.penalty + state.interest_due + state.principal_due


def _minor(amount: object, dossier: Dossier, loans: Sequence[LoanFile], day: date) -> int:
    if amount != ALL:
        return positive_minor(amount, dossier.row["currency"])
    owed = sum(loan.evening(day).payoff for loan in loans)
    refuse_unless(owed > 0, "nothing_owed", dossier.id, f"nothing is owed on {day}")
    return owed


def _to_principal(unit: Unit, dossier: Dossier, apply: str | None) -> bool:
    if apply is None:
        return False
    if apply != "principal":
        raise InvalidEvent(id="repay", field="apply", value=apply, reason="principal, or nothing")
    product = catalogue.product(unit, dossier.row["product"], dossier.row["product_version"])
    refuse_unless(
        product.payer_may_choose_principal,
        "choice_not_offered",
        dossier.id,
        "the product does not let the payer choose",
    )
    return True


def _pay(
    dossier: Dossier, share: _Share, day: date, to_principal: bool
) -> tuple[LoanFile, LedgerRow, LoanState]:
    loan = share.loan
    if loan.evening(day).written_off:
        event = dossier.add(loan, Recovered, day, amount_minor=share.minor)
    else:
        event = dossier.add(loan, Repaid, day, amount_minor=share.minor, to_principal=to_principal)
    after = dossier.settle(loan, loan.life.plus(event))
    return loan, next(row for row in after.ledger if row.id == event.id), after.state


def _receipt(
    dossier: Dossier, subject: str, day: date, paid: Sequence[tuple[LoanFile, LedgerRow, LoanState]]
) -> Receipt:
    dossier.write()
    currency = dossier.row["currency"]
    allocations: tuple[Allocation, ...] = tuple(allocation_view(*one) for one in paid)

    def total(part: str) -> int:
        return sum(getattr(row.split, part) for _, row, _ in paid)

    fees, penalty, interest, principal, credit = (
        to_major(total(part), currency) for part in ("fees", "penalty", "interest", "principal", "credit")
    )
    amount = to_major(sum(row.amount or 0 for _, row, _ in paid), currency)
    return Receipt(
        subject, amount, currency, day, dossier.today, fees, penalty, interest, principal, credit, allocations
    )


def settlement(unit: Unit, loan_id: str, amount: object, value_date: date | None) -> Entry:
    """A net settlement of the shop reached a sweep loan; its share is taken. A negative day takes nothing."""
    dossier, loan = open_loan(unit, loan_id)
    day = value_day(dossier, value_date)
    guard_running(loan, day)
    swept = loan.life.terms is not None and loan.life.terms.method == "sweep"
    refuse_unless(swept, "not_a_sweep_loan", loan_id, "only a sweep loan takes settlements")
    minor = to_minor(amount, dossier.row["currency"])
    event = dossier.add(loan, Settled, day, amount_minor=minor)
    state = dossier.settle(loan, loan.life.plus(event)).state
    dossier.write()
    return entry_view(loan, dossier.events[-1], minor, state)


def recover(unit: Unit, loan_id: str, amount: object, value_date: date | None) -> Entry:
    """Money came in after the write-off. Raises EventRefused unless written off."""
    dossier, loan = open_loan(unit, loan_id)
    day = value_day(dossier, value_date)
    refuse_unless(loan.state.written_off, "not_written_off", loan_id, "is not written off; book a repayment")
    minor = positive_minor(amount, dossier.row["currency"])
    event = dossier.add(loan, Recovered, day, amount_minor=minor)
    state = dossier.settle(loan, loan.life.plus(event)).state
    dossier.write()
    return entry_view(loan, dossier.events[-1], minor, state)


def refund(unit: Unit, loan_id: str, amount: object) -> Entry:
    """Pay out a credit balance (溢缴款). Raises EventRefused for more than there is."""
    dossier, loan = open_loan(unit, loan_id)
    minor = _credit(dossier, loan, amount)
    event = dossier.add(loan, Refunded, amount_minor=minor)
    state = dossier.settle(loan, loan.life.plus(event)).state
    dossier.write()
    return entry_view(loan, dossier.events[-1], minor, state)


def apply_credit(unit: Unit, from_loan: str, to_loan: str, amount: object) -> Receipt:
    """Use a credit balance for another loan of the same facility: a pair of events, reversed only together."""
    dossier, source = open_loan(unit, from_loan)
    refuse_unless(from_loan != to_loan, "same_loan", from_loan, "give another loan to apply the credit to")
    target = dossier.loan(to_loan)
    guard_running(target, dossier.today)
    minor = _credit(dossier, source, amount)
    event = dossier.add(source, Refunded, amount_minor=minor, moved_to=to_loan)
    dossier.settle(source, source.life.plus(event))
    return _receipt(
        dossier, to_loan, dossier.today, [_pay(dossier, _Share(target, minor), dossier.today, False)]
    )


def _credit(dossier: Dossier, loan: LoanFile, amount: object) -> int:
    there = loan.state.credit_balance
    minor = there if amount == ALL else positive_minor(amount, dossier.row["currency"])
    shown = to_major(there, dossier.row["currency"])
    refuse_unless(0 < minor <= there, "credit_too_small", loan.id, f"its credit balance is {shown}")
    return minor


def guard_running(loan: LoanFile, day: date) -> None:
    """Refuse a loan that is pending or cancelled, and a day before its start. Raises EventRefused, InvalidDate."""
    terms = loan.life.terms
    if terms is None:
        status = loan.row["status"]
        raise EventRefused(code=f"loan_{status}", subject=loan.id, reason=f"is {status}: no money is out")
    if day < terms.start:
        raise InvalidDate(
            field="value_date", value=str(day), reason=f"lies before the loan's start {terms.start}"
        )


def value_day(dossier: Dossier, given: date | None) -> date:
    """The value date of a command: the open day, or an earlier one. Raises InvalidDate for the future."""
    if given is not None and given > dossier.today:
        reason = f"lies after the open day {dossier.today}; future value dates are refused"
        raise InvalidDate(field="value_date", value=str(given), reason=reason)
    return given or dossier.today
