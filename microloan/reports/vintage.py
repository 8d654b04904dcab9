"""Vintages: the loans paid out in a month, and what became of them month by month of their lives."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import ClassVar

from ..days import add_months
from ..money import to_major
from ..servicing.state import LoanState
from .result import LeftOut, Report, share

#: A curve ends here at the latest; loans of the family run for months, not years.
MOST_MONTHS = 24
MARKS = (30, 90)


@dataclass(frozen=True, slots=True)
class VintageLine:
    """A cohort when each of its loans had been on the book for so many months.

    ``paid_out`` is the principal of the cohort's loans; ``past_30`` and ``past_90`` that of loans that had by then ever been
    more than 30 or 90 days past due, the whole principal paid out; ``net_loss`` principal written off and not recovered.
    The shares are of ``paid_out``.
    """

    cohort: str
    months_on_book: int
    loans: int
    paid_out: Decimal
    past_30: Decimal
    share_30: Decimal | None
    past_90: Decimal
    share_90: Decimal | None
    net_loss: Decimal
    share_lost: Decimal | None


@dataclass(frozen=True, slots=True)
class Vintages(Report):
    """Loans by the month of their payout, known as of ``as_of``; payouts that were reversed are left out.

    A point of a curve is drawn when every loan of the cohort has reached that age, so that curves only move because loans
    do. *Source:* house rule; the vintage analysis of the consumer-loan trade.
    """

    name: ClassVar[str] = "vintage"
    as_of: date
    currency: str
    loans: int
    paid_out: Decimal
    lines: tuple[VintageLine, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class LoanPast:
    """What a vintage wants to know of one loan: first days on which it was more than 30 and 90 days past due, and its
    losses: from each day on, the principal written off and not recovered. Minor units.
    """

    start: date
    drawn: int
    first_past: tuple[date | None, ...]
    losses: tuple[tuple[date, int], ...] = ()

    def lost_by(self, day: date) -> int:
        """The principal written off and not recovered on a day."""
        place = bisect_right(self.losses, day, key=lambda loss: loss[0])
        return self.losses[place - 1][1] if place else 0


def first_day_past(states: Sequence[LoanState], days: int) -> date | None:
    """The first day on which a loan was more than so many days past due, from its states on the eves of its events.

    Between events the oldest unpaid due date does not move, so the day follows from it: due date + days + 1.
    """
    late = [state for state in states if state.oldest_due is not None and state.days_past_due > days]
    return min(
        (state.oldest_due + timedelta(days=days + 1) for state in late if state.oldest_due), default=None
    )


@dataclass
class _Cohort:
    loans: list[LoanPast] = field(default_factory=list)

    def ages(self, as_of: date) -> int:
        """How many whole months the youngest loan has been on the book."""
        youngest = max(loan.start for loan in self.loans)
        months = 0
        while months < MOST_MONTHS and add_months(youngest, months + 1) <= as_of:
            months += 1
        return months


def vintages(pasts: Sequence[LoanPast], as_of: date, currency: str) -> Vintages:
    """The curves of loans by the month of their payout."""
    cohorts: dict[str, _Cohort] = {}
    for past in sorted(pasts, key=lambda past: past.start):
        cohorts.setdefault(f"{past.start:%Y-%m}", _Cohort()).loans.append(past)
    lines = [
        _line(name, cohort.loans, months, currency)
        for name, cohort in cohorts.items()
        for months in range(cohort.ages(as_of) + 1)
    ]
    return Vintages(
        as_of, currency, len(pasts), to_major(sum(past.drawn for past in pasts), currency), tuple(lines)
    )


def _line(cohort: str, loans: Sequence[LoanPast], months: int, currency: str) -> VintageLine:
    paid_out = lost = 0
    past = dict.fromkeys(MARKS, 0)
    for loan in loans:
        day = add_months(loan.start, months)
        paid_out += loan.drawn
        lost += loan.lost_by(day)
        for mark, first in zip(MARKS, loan.first_past, strict=True):
            past[mark] += loan.drawn if first is not None and first <= day else 0
    money = [to_major(minor, currency) for minor in (paid_out, past[30], past[90], lost)]
    return VintageLine(
        cohort, months, len(loans), money[0], money[1], share(past[30], paid_out), money[2], share(past[90], paid_out),
        money[3], share(lost, paid_out),
    )  # fmt: skip
