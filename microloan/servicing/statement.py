"""What a loan shows of itself: its state on a day and a ledger row for each event. Source: SEMANTICS 6 and 9.12."""

from __future__ import annotations

from datetime import date

from .allocation import Shares
from .delinquency import classification
from .events import Event, Reversed
from .fold import Fold
from .outlook import next_due
from .state import LedgerRow, LoanState, Split, Status


def state_of(loan: Fold, as_of: date, *, outlook: bool = True) -> LoanState:
    """The loan on *as_of*, the day to which it was walked; before its start it is pending, with zeros.

    Without *outlook* ``next_due`` stays None: finding it walks on into the future.
    """
    if loan.start > as_of.toordinal():
        return LoanState(as_of=as_of, status="pending")
    oldest, late = loan.oldest_due(), loan.late_days()
    principal_due, interest_due = loan.principal_due(), loan.interest_due()
    principal, interest, penalty = loan.future + principal_due, loan.accrued() + interest_due, loan.penalty()
    payoff = loan.payoff_of(principal, interest, penalty)
    # In the order of the fields: to name 34 of them takes 2.3 us instead of 1.1.
    return LoanState(
        as_of,
        _status(loan, payoff, late),
        principal,
        interest,
        penalty,
        loan.fees,
        payoff,
        loan.credit,
        principal_due,
        interest_due,
        late,
        None if oldest is None else date.fromordinal(oldest),
        classification(late, loan.terms.class_thresholds),
        loan.non_accrual or late > loan.terms.non_accrual_after,
        loan.written_off,
        loan.drawn,
        loan.interest_charged(),
        penalty + loan.late_taken,
        loan.fees_charged,
        loan.interest_paid,
        loan.penalty_paid,
        loan.fees_paid,
        loan.principal_paid,
        loan.waived["interest"],
        loan.waived["penalty"],
        loan.waived["fees"],
        loan.waived["principal"],
        loan.received,
        loan.refunded,
        loan.recovered["interest"],
        loan.recovered["penalty"],
        loan.recovered["fees"],
        loan.recovered["principal"],
        next_due(loan) if outlook else None,
    )


def _status(loan: Fold, payoff: int, late: int) -> Status:
    if not payoff:
        return "closed"
    if loan.written_off:
        return "written_off"
    return "overdue" if late else "active"


def ledger_row(event: Event, shares: Shares, principal_after: int) -> LedgerRow:
    """The row of an event that counts; an event that moves no amount of its own shows None."""
    amount = getattr(event, "amount_minor", None)
    return LedgerRow(
        event.id, event.kind, event.value_date, event.booked_on, amount, Split(*shares), principal_after, None
    )


def uncounted_row(event: Event, reversed_by: str | None) -> LedgerRow:
    """The row of a reversed event, which keeps its amount, or of a reversal, which has neither amount nor value date."""
    if isinstance(event, Reversed):
        return LedgerRow(event.id, event.kind, None, event.booked_on, 0, Split(), None, reversed_by)
    amount = getattr(event, "amount_minor", None)
    return LedgerRow(
        event.id, event.kind, event.value_date, event.booked_on, amount, Split(), None, reversed_by
    )


def shown_from(event: Event) -> date:
    """From which date on the ledger shows an event: a reversal from the day on which it was booked."""
    return event.booked_on if isinstance(event, Reversed) else event.value_date
