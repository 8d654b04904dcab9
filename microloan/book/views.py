"""Loans as the library shows them: states and rows turned into results with amounts in major units."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from ..money import to_major
from ..rates import rate_decimal
from ..servicing.cost import running_cost
from ..servicing.state import LedgerRow, LoanState, ScheduleRow, Split
from .dossier import LoanFile
from .lives import parse_terms
from .results import Allocation, Entry, LedgerLine, Loan, LoanCost, LoanSummary, NextDue, Payoff, ScheduleLine


def major(currency: str) -> Callable[[int], Decimal]:
    """Minor units to major units of a currency."""
    return lambda minor: to_major(minor, currency)


def loan_view(loan: LoanFile, state: LoanState, known_on: date | None = None) -> Loan:
    """A loan in a state."""
    row, money = loan.row, major(loan.row["currency"])
    terms = loan.life.terms or parse_terms(row["terms"])
    rate = loan.life.rate(state.as_of) or terms.rate
    due = state.next_due
    return Loan(
        id=row["id"],
        facility_id=row["facility"],
        merchant_id=row["merchant"],
        product=row["product"],
        currency=row["currency"],
        method=loan.life.method or terms.method,
        status=state.status,
        as_of=state.as_of,
        drawn=money(row["drawn_minor"]),
        drawn_on=row["drawn_on"],
        start=loan.life.agreed.start if loan.life.agreed else None,
        maturity=loan.life.maturity,
        daily_rate=rate.daily,
        yearly_rate=rate.yearly,
        principal=money(state.principal),
        interest=money(state.interest),
        penalty=money(state.penalty),
        fees=money(state.fees),
        payoff=money(state.payoff),
        credit_balance=money(state.credit_balance),
        interest_charged=money(state.interest_charged),
        penalty_charged=money(state.penalty_charged),
        interest_paid=money(state.interest_paid),
        days_past_due=state.days_past_due,
        classification=state.classification,
        non_accrual=state.non_accrual,
        next_due=None if due is None else NextDue(due.date, money(due.amount)),
        known_on=known_on,
        held_through=row["held_through"],
        held_reason=row["held_reason"],
    )


def cost_view(loan: LoanFile, as_of: date, known_on: date | None = None) -> LoanCost | None:
    """What a loan costs, contract rate and all in; None while it has not started or when its payout came back."""
    terms, rate = loan.life.terms, loan.life.rate(as_of)
    if terms is None or rate is None or as_of < terms.start:
        return None
    cost = running_cost(terms, loan.life.events, as_of)
    simple = None if cost.simple is None else rate_decimal(cost.simple, 6)
    charges = to_major(cost.charges, terms.currency)
    return LoanCost(loan.id, as_of, terms.currency, rate.yearly, charges, simple, cost.effective, known_on)


def summary_view(row: Any) -> LoanSummary:
    """A loan's row in a list."""
    money = major(row.currency)
    return LoanSummary(
        row.id, row.facility, row.merchant, row.product, row.currency, row.status, money(row.drawn_minor),
        money(row.principal_minor), money(row.credit_minor), row.class_, row.drawn_on, row.start, row.maturity,
        row.oldest_due, row.held_reason,
    )  # fmt: skip


def allocation_view(loan: LoanFile, row: LedgerRow, state: LoanState) -> Allocation:
    """What one payment did to one loan."""
    money = major(loan.row["currency"])
    return Allocation(
        loan.id,
        row.id,
        money(row.amount or 0),
        *_parts(row.split, money),
        money(row.principal_after or 0),
        state.status,
    )


def entry_view(loan: LoanFile, event: dict[str, Any], amount_minor: int, state: LoanState) -> Entry:
    """What a command did to a loan."""
    money = major(loan.row["currency"])
    return Entry(
        event["id"], event["kind"], loan.id, loan.row["facility"], event["value_date"], event["booked_on"],
        loan.row["currency"], money(amount_minor), state.status, money(state.principal), money(state.payoff),
        money(state.credit_balance),
    )  # fmt: skip


def payoff_view(loan_id: str, state: LoanState, currency: str) -> Payoff:
    """What closes a loan on the state's day."""
    amounts = (state.principal, state.interest, state.penalty, state.fees, state.credit_balance, state.payoff)
    return Payoff(loan_id, state.as_of, currency, *map(major(currency), amounts))


def ledger_view(row: LedgerRow, currency: str) -> LedgerLine:
    """A line of a loan's ledger."""
    money = major(currency)
    amount, after = (None if minor is None else money(minor) for minor in (row.amount, row.principal_after))
    return LedgerLine(
        row.id, row.kind, row.value_date, row.booked_on, amount, *_parts(row.split, money), after, row.reversed_by,
    )  # fmt: skip


def schedule_view(row: ScheduleRow, currency: str) -> ScheduleLine:
    """A line of the plan."""
    money = major(currency)
    amounts = (row.principal, row.interest, row.total, row.balance)
    return ScheduleLine(row.n, row.due, *map(money, amounts))


def _parts(
    split: Split, money: Callable[[int], Decimal]
) -> tuple[Decimal, Decimal, Decimal, Decimal, Decimal]:
    amounts = (split.fees, split.penalty, split.interest, split.principal, split.credit)
    fees, penalty, interest, principal, credit = map(money, amounts)
    return fees, penalty, interest, principal, credit
