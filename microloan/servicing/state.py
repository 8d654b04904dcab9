"""What a loan owes on a day: the value that replay returns. All amounts are integers of minor units."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

Status = Literal["pending", "cancelled", "active", "overdue", "closed", "written_off"]


@dataclass(frozen=True, slots=True)
class Split:
    """How an amount was divided over the components of a debt; ``credit`` is what was left over."""

    fees: int = 0
    penalty: int = 0
    interest: int = 0
    principal: int = 0
    credit: int = 0

    @property
    def total(self) -> int:
        """What was divided.

        >>> Split(interest=3, principal=4).total
        7
        """
        return self.fees + self.penalty + self.interest + self.principal + self.credit


@dataclass(frozen=True, slots=True)
class Due:
    """A due date and what will be unpaid on it if nothing else happens."""

    date: date
    amount: int


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One line of the plan: what falls due on ``due`` and the principal not yet due after it."""

    n: int
    due: date
    principal: int
    interest: int
    balance: int

    @property
    def total(self) -> int:
        """Principal and interest together.

        >>> ScheduleRow(1, date(2017, 7, 30), principal=30000000, interest=1296000, balance=0).total
        31296000
        """
        return self.principal + self.interest


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One event as the loan's ledger shows it; a reversed one keeps its amount, its split is zero.

    ``amount`` is None for events that move no amount of their own: a rate change, a pause, an extension, a write-off.
    """

    id: str
    kind: str
    value_date: date | None
    booked_on: date
    amount: int | None
    split: Split
    principal_after: int | None
    reversed_by: str | None


class LoanState(NamedTuple):
    """A loan at the end of value date ``as_of``, before that day's close; minor units.

    ``interest`` and ``penalty`` are booked and unpaid; ``interest_due`` and ``principal_due`` the part of them that has
    fallen due. The totals since the start keep this identity:
    principal + interest + penalty + fees - credit_balance
    = drawn + interest_charged + penalty_charged + fees_charged - received + refunded - waived (all components).
    """

    as_of: date
    status: Status
    principal: int = 0
    interest: int = 0
    penalty: int = 0
    fees: int = 0
    payoff: int = 0
    credit_balance: int = 0
    principal_due: int = 0
    interest_due: int = 0
    days_past_due: int = 0
    oldest_due: date | None = None
    classification: str = "normal"
    non_accrual: bool = False
    written_off: bool = False
    drawn: int = 0
    interest_charged: int = 0
    penalty_charged: int = 0
    fees_charged: int = 0
    interest_paid: int = 0
    penalty_paid: int = 0
    fees_paid: int = 0
    principal_paid: int = 0
    interest_waived: int = 0
    penalty_waived: int = 0
    fees_waived: int = 0
    principal_waived: int = 0
    received: int = 0
    refunded: int = 0
    recovered_interest: int = 0
    recovered_penalty: int = 0
    recovered_fees: int = 0
    recovered_principal: int = 0
    next_due: Due | None = None
