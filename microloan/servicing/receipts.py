"""Money that comes in for a loan, and debts given up: how they lower what is owed.

Source: SEMANTICS 4 (allocation), 9.2 (several dues), 9.5 and 9.16 (the coming instalment), 9.9 (waiver), 9.14 (sweep).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..terms import Component
from .allocation import NOTHING, Bucket, Shares, payment_steps
from .events import Recovered, Repaid, Settled, Waived
from .fold import Fold
from .sweep import swept


@dataclass(slots=True)
class Receipt:
    """An amount while it is divided: what is left of it, and what each component has had."""

    left: int
    fees: int = 0
    penalty: int = 0
    interest: int = 0
    principal: int = 0


def repay(loan: Fold, event: Repaid) -> Shares:
    """Money came in for this loan.

    >>> from datetime import date
    >>> from microloan.terms import LoanTerms
    >>> loan = Fold(LoanTerms.parse({"method": "anytime", "principal": "300000", "rate": "0.048%/day",
    ...                              "start": "2017-05-01", "term": "90d"}))
    >>> day = date(2017, 5, 31)
    >>> loan.advance(day.toordinal())
    >>> repay(loan, Repaid(id="r1", value_date=day, booked_on=day, amount_minor=10000000))
    (0, 0, 432000, 9568000, 0)
    """
    return receive(loan, event.amount_minor, event.to_principal)


def settle(loan: Fold, event: Settled) -> Shares:
    """The share of a net settlement, at most the payoff. Source: SEMANTICS 9.14.

    A settlement of 1,000.00 at a share of 30%: 300.00, or 250.00 where that closes the loan.
    """
    if loan.terms.sweep is None:
        return NOTHING
    return receive(loan, min(swept(loan.terms.sweep, event.amount_minor), loan.payoff()))


def recover(loan: Fold, event: Recovered) -> Shares:
    """Money came in after the write-off."""
    return receive(loan, event.amount_minor)


def receive(loan: Fold, amount: int, to_principal: bool = False) -> Shares:
    """Divide *amount* over the debts; what is left over becomes a credit balance. Source: SEMANTICS 4 and 9.2.

    100,000.00 for 300,000.00 after 30 nights at 0.048%: 4,320.00 interest, 95,680.00 principal.
    """
    receipt = Receipt(amount)
    loan.received += amount
    if loan.written_off:
        _clear_dues(loan, receipt, loan.terms.allocation_non_performing)
        loan.recovered = {part: had + getattr(receipt, part) for part, had in loan.recovered.items()}
        return _booked(loan, receipt)
    if loan.buckets or loan.fees or loan.late:
        _clear_dues(loan, receipt, _order(loan))
    _pay_ahead(loan, receipt, to_principal)
    if not loan.future and not loan.principal():
        charge_minimum(loan)
        _pay_accrued(loan, receipt)
        _pay_due_interest(loan, receipt)
    return _booked(loan, receipt)


def _booked(loan: Fold, receipt: Receipt) -> Shares:
    loan.fees_paid += receipt.fees
    loan.penalty_paid += receipt.penalty
    loan.interest_paid += receipt.interest
    loan.principal_paid += receipt.principal
    loan.credit += receipt.left
    return receipt.fees, receipt.penalty, receipt.interest, receipt.principal, receipt.left


# -- what is due -------------------------------------------------------------------------------------------------------


def _order(loan: Fold) -> Sequence[Component]:
    late = loan.late_days() > loan.terms.non_performing_after
    return loan.terms.allocation_non_performing if late else loan.terms.allocation


def _clear_dues(loan: Fold, receipt: Receipt, order: Sequence[Component]) -> None:
    for part, bucket in payment_steps(order, loan.terms.across, loan.buckets):
        if not receipt.left:
            return
        if bucket is None:
            _pay_total(loan, receipt, part)
        else:
            _pay_bucket(bucket, receipt, part)


def _pay_total(loan: Fold, receipt: Receipt, part: Component) -> None:
    if part == "fees":
        share = min(receipt.left, loan.fees)
        loan.fees -= share
        receipt.fees += share
    else:
        share = min(receipt.left, loan.penalty())
        loan.late_taken += share
        receipt.penalty += share
    receipt.left -= share


def _pay_bucket(bucket: Bucket, receipt: Receipt, part: Component) -> None:
    if part == "interest":
        share = min(receipt.left, bucket.interest)
        bucket.interest -= share
        receipt.interest += share
    else:
        share = min(receipt.left, bucket.principal)
        bucket.principal -= share
        receipt.principal += share
    receipt.left -= share


def _pay_due_interest(loan: Fold, receipt: Receipt) -> None:
    for bucket in loan.buckets:
        _pay_bucket(bucket, receipt, "interest")


# -- what is not yet due -----------------------------------------------------------------------------------------------


def _pay_ahead(loan: Fold, receipt: Receipt, to_principal: bool) -> None:
    """The interest to the day, then future principal; both count towards a sweep period's minimum, moved dues do not."""
    before, moved = receipt.left, loan.moved + loan.moved_interest
    _pay_accrued(loan, receipt)
    if not to_principal and _inside_window(loan):
        _pay_coming(loan, receipt)
    _prepay(loan, receipt)
    loan.period_paid += before - receipt.left - (moved - loan.moved - loan.moved_interest)


def _pay_accrued(loan: Fold, receipt: Receipt) -> None:
    share = min(receipt.left, loan.accrued())
    if share:
        loan.take_accrued(share)
        receipt.interest += share
        receipt.left -= share


def _inside_window(loan: Fold) -> bool:
    """Whether a repayment of today goes to the coming instalment first. Source: SEMANTICS 9.16."""
    if loan.at_will or not loan.due_days:
        return False
    return loan.due_days[0] - loan.day <= loan.terms.early_days


def _pay_coming(loan: Fold, receipt: Receipt) -> None:
    """The principal of the coming instalment; with nothing else open its due date is settled. Source: SEMANTICS 9.5."""
    share = min(receipt.left, loan.parts[0])
    loan.parts[0] -= share
    loan.future -= share
    receipt.principal += share
    receipt.left -= share
    goes_on = loan.future > receipt.left and len(loan.due_days) > 1
    if goes_on and not loan.parts[0] and _nothing_else_open(loan):
        del loan.parts[0]
        loan.settled_until = loan.due_days.pop(0)


def _nothing_else_open(loan: Fold) -> bool:
    paid = not loan.accrued() and not loan.fees and not loan.penalty()
    return paid and not any(bucket.unpaid for bucket in loan.buckets)


def _prepay(loan: Fold, receipt: Receipt) -> None:
    share = min(receipt.left, loan.future)
    if share:
        loan.take_future(share)
        receipt.principal += share
        receipt.left -= share
        loan.rebuild(loan.due_days, solve=False)


def charge_minimum(loan: Fold) -> None:
    """The principal has reached zero early: the minimum days are charged instead of the days that were.

    After the maturity all that is unpaid of them falls due at once, interest of the grace included. *Source:* SEMANTICS 9.7.
    """
    missing = loan.minimum_missing()
    if loan.day < loan.start + loan.terms.min_interest_days:
        loan.minimum_charged = True
    if not missing:
        return
    if loan.due_days:
        loan.carried += missing
    else:
        accrued = loan.accrued()
        loan.take_accrued(accrued)
        loan.billed += missing
        loan.owe(loan.day, 0, missing + accrued)


# -- waivers -----------------------------------------------------------------------------------------------------------


def waive(loan: Fold, event: Waived) -> Shares:
    """Give up at most what is owed of a component; what was charged and paid does not change. Source: SEMANTICS 9.9."""
    part = event.component
    given = Receipt(min(event.amount_minor, loan.owed(part)))
    loan.waived = {**loan.waived, part: loan.waived[part] + given.left}
    if part in ("fees", "penalty"):
        _pay_total(loan, given, part)
    else:
        for bucket in loan.buckets:
            _pay_bucket(bucket, given, part)
        _waive_not_due(loan, given, part)
    return given.fees, given.penalty, given.interest, given.principal, 0


def _waive_not_due(loan: Fold, given: Receipt, part: Component) -> None:
    if part == "interest":
        _pay_accrued(loan, given)
        return
    _prepay(loan, given)
    if not loan.principal():
        charge_minimum(loan)
