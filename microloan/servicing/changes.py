"""What changes a loan without paying it: fees, refunds, rates, pauses, extensions, write-offs.

Source: SEMANTICS 5, 9.8 to 9.10.
"""

from __future__ import annotations

from datetime import date

from ..errors import InvalidEvent
from ..rates import Rate
from .accrual import merged
from .allocation import NOTHING, Shares
from .events import Extended, FeeCharged, InterestPaused, RateChanged, Refunded, Restructured, WrittenOff
from .fold import Fold
from .schedule import monthly_before


def charge_fee(loan: Fold, event: FeeCharged) -> Shares:
    """A fee is owed from today and bears no interest: 20.00 charged, 20.00 more to pay off."""
    loan.fees += event.amount_minor
    loan.fees_charged += event.amount_minor
    return event.amount_minor, 0, 0, 0, 0


def refund(loan: Fold, event: Refunded) -> Shares:
    """Pay out a credit balance; what is no longer there is owed as a fee. Source: SEMANTICS 9.10.

    50.00 paid out of a balance of 30.00: the balance is 0.00, a fee of 20.00 is owed.
    """
    missing = max(0, event.amount_minor - loan.credit)
    loan.refunded += event.amount_minor
    loan.credit -= event.amount_minor - missing
    loan.fees += missing
    return 0, 0, 0, 0, -event.amount_minor


def change_rate(loan: Fold, event: RateChanged) -> Shares:
    """Another contract rate from tonight; level instalments are solved anew. Source: SEMANTICS 9.8.

    300,000.00 at 0.048% for 10 nights, then at 0.03% for 10: 1,440.00 + 900.00 = 2,340.00.
    """
    _bear(loan, event.rate)
    if loan.terms.method == "equal_instalment" and loan.future and not loan.written_off:
        loan.rebuild(loan.due_days, solve=True)
    return NOTHING


def _bear(loan: Fold, rate: Rate) -> None:
    loan.rate, loan.penalty_rate = loan.numerators[rate.per_day.as_integer_ratio()]
    loan.rate_log = (*loan.rate_log, (loan.day, loan.rate, loan.penalty_rate))


def pause(loan: Fold, event: InterestPaused) -> Shares:
    """No interest and no penalty in the nights named, from tonight at the earliest. Source: SEMANTICS 9.8.

    300,000.00 at 0.048%, 5 of 30 nights paused: 25 × 144.00 = 3,600.00.
    """
    span = (max(loan.day, event.first.toordinal()), event.until.toordinal())
    loan.pauses = tuple(merged((*loan.pauses, span)))
    return NOTHING


def extend(loan: Fold, event: Extended) -> Shares:
    """A later maturity (展期); what was past due moves whole to the next due date. Source: SEMANTICS 9.8.

    Raises InvalidEvent for a maturity that does not lie after today.
    """
    if loan.written_off:
        return NOTHING
    days = _days_to_come(loan, event)
    overdue = sum(bucket.principal for bucket in loan.buckets)
    waiting = sum(bucket.interest for bucket in loan.buckets)
    loan.buckets = []
    loan.carried += waiting
    loan.billed -= waiting
    loan.maturity = days[-1]
    if not loan.future:
        loan.future, overdue = overdue, 0
    loan.rebuild(days, solve=True)
    loan.parts[0] += overdue
    loan.future += overdue
    if loan.terms.method == "sweep":
        loan.moved += overdue
        loan.moved_interest += waiting
    return NOTHING


def restructure(loan: Fold, event: Restructured) -> Shares:
    """New terms from what is outstanding: an extension with another method, due day or rate. Source: house rule.

    Due days go on in the months counted from the loan's start. Raises InvalidEvent for a change to or from a sweep.
    """
    if loan.written_off:
        return NOTHING
    if event.method is not None and "sweep" in (event.method, loan.terms.method):
        raise InvalidEvent(
            id=event.id, field="method", value=event.method, reason="a sweep has terms of its own"
        )
    changed = {"method": event.method, "due_day": event.due_day}
    loan.terms = loan.terms.model_copy(update={name: new for name, new in changed.items() if new is not None})
    loan.at_will = loan.terms.method in ("anytime", "sweep")
    if event.rate is not None:
        _bear(loan, event.rate)
    return extend(loan, event)


def _days_to_come(loan: Fold, event: Extended) -> list[int]:
    last = event.maturity.toordinal()
    if last <= loan.day:
        raise InvalidEvent(
            id=event.id,
            field="maturity",
            value=str(event.maturity),
            reason="must lie after the day of the extension",
        )
    if event.due_dates:
        return [day.toordinal() for day in event.due_dates if day.toordinal() > loan.day]
    if loan.at_will:
        return [last]
    after = date.fromordinal(max(loan.day, loan.settled_until))
    return [*(day.toordinal() for day in monthly_before(loan.terms, after, event.maturity)), last]


def write_off(loan: Fold, event: WrittenOff) -> Shares:
    """All of it is due, nothing accrues any more. Source: SEMANTICS 9.9.

    300,000.00 written off after 30 nights at 0.048%: 304,320.00 is claimed from then on, whatever the day.
    """
    if not loan.written_off:
        loan.owe(loan.day, loan.future, loan.bill(), grace=False)
        loan.future, loan.written_off = 0, True
        loan.due_days, loan.parts = [], []
    return NOTHING
