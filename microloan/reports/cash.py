"""Expected cash (预计回款): what loans owe by contract, by the day, week or month on which it falls due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import ClassVar, Literal

from ..errors import BadInput
from ..money import to_major
from ..servicing.state import LoanState, ScheduleRow
from .result import LeftOut, Report

By = Literal["day", "week", "month"]
SPANS = ("day", "week", "month")


@dataclass(frozen=True, slots=True)
class CashLine:
    """What falls due from ``first`` to ``last``, both included; the line without days is what is past due already."""

    first: date | None
    last: date | None
    loans: int
    principal: Decimal
    interest: Decimal
    fees: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class ExpectedCash(Report):
    """What the loans owed at the end of ``as_of`` will pay if every due is paid when it falls due, and nothing earlier.

    The first line is what had fallen due by then and was unpaid: principal, interest with penalty, fees. The others are
    the contract's: the plans as they stand, with interest to each due date. Nothing is added for delay or taken off for
    losses, credit balances and prepayments; written-off loans are left out. Without a limit in days the principal adds up
    to the principal in the ledger. *Source:* house rule.
    """

    name: ClassVar[str] = "expected-cash"
    as_of: date
    currency: str
    by: str
    loans: int
    principal: Decimal
    interest: Decimal
    fees: Decimal
    total: Decimal
    lines: tuple[CashLine, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass
class _Due:
    loans: set[str] = field(default_factory=set)
    principal: int = 0
    interest: int = 0
    fees: int = 0

    def add(self, loan: str, principal: int, interest: int, fees: int = 0) -> None:
        if principal or interest or fees:
            self.loans.add(loan)
            self.principal += principal
            self.interest += interest
            self.fees += fees


@dataclass
class CashCount:
    """Loans counted one by one, by the span in which they owe."""

    as_of: date
    by: str
    until: date | None = None
    since: date | None = None
    overdue: _Due = field(default_factory=_Due)
    spans: dict[tuple[date, date], _Due] = field(default_factory=dict)
    loans: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.by not in SPANS:
            raise BadInput(field="by", value=self.by, reason=f"known are {', '.join(SPANS)}")

    def add(self, loan: str, state: LoanState, plan: Sequence[ScheduleRow]) -> None:
        """One loan that is owed: its state at the end of the day, and its plan as it then stands."""
        self.loans.add(loan)
        self.overdue.add(loan, state.principal_due, state.interest_due + state.penalty, state.fees)
        for row in plan:
            if row.due > self.as_of and self._wanted(row.due):
                span = span_of(row.due, self.by)
                self.spans.setdefault(span, _Due()).add(loan, row.principal, row.interest)

    def _wanted(self, due: date) -> bool:
        return (self.since is None or due >= self.since) and (self.until is None or due <= self.until)

    def report(self, currency: str) -> ExpectedCash:
        """The expected cash of everything counted."""
        spans: list[tuple[tuple[date | None, date | None], _Due]] = [((None, None), self.overdue)]
        spans += sorted(self.spans.items())
        lines = tuple(_line(*span, due, currency) for span, due in spans)
        zero = to_major(0, currency)
        principal, interest, fees, total = (
            sum((getattr(line, name) for line in lines), zero)
            for name in ("principal", "interest", "fees", "total")
        )
        return ExpectedCash(
            self.as_of, currency, self.by, len(self.loans), principal, interest, fees, total, lines
        )


def _line(first: date | None, last: date | None, due: _Due, currency: str) -> CashLine:
    amounts = (due.principal, due.interest, due.fees, due.principal + due.interest + due.fees)
    return CashLine(first, last, len(due.loans), *(to_major(minor, currency) for minor in amounts))


def span_of(day: date, by: str) -> tuple[date, date]:
    """The first and last day of the day, the week from Monday, or the month in which a day lies.

    >>> [str(end) for end in span_of(date(2024, 2, 15), "month")]
    ['2024-02-01', '2024-02-29']
    """
    if by == "day":
        return day, day
    if by == "week":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=6)
    return day.replace(day=1), month_end(day)


def month_end(day: date) -> date:
    """The last day of the month in which a day lies.

    >>> month_end(date(2023, 12, 5)).isoformat()
    '2023-12-31'
    """
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
