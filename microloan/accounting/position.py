"""What a loan stands for in the general ledger: a vector over accounts that sums to zero.

Every command posts the difference of two positions; so does the close. There is no other posting rule.
Source: SEMANTICS 6 (double entry, one posting rule) and 5 (non-accrual).
"""

from __future__ import annotations

from ..servicing.state import LoanState

#: Account keys; a chart of accounts gives them names and codes. Debits are positive.
ACCOUNTS = (
    "cash",
    "principal",
    "interest_receivable",
    "penalty_receivable",
    "fees_receivable",
    "credit_balance",
    "interest_income",
    "penalty_income",
    "fee_income",
    "waiver_expense",
    "write_off_expense",
    "recovery_income",
    "memo_interest",
    "memo_penalty",
    "memo_contra",
    "written_off_claim",
    "written_off_contra",
)

#: Accounts whose balances are kept per class of risk; cash, income and credit balances are not.
CLASSED_ACCOUNTS = frozenset(
    {
        "principal",
        "interest_receivable",
        "penalty_receivable",
        "fees_receivable",
        "memo_interest",
        "memo_penalty",
    }
)

Position = dict[str, int]


def position(state: LoanState) -> Position:
    """The loan's balances per account in minor units, debits positive, zeros left out; they sum to zero.

    A performing loan carries principal and receivables against cash and income. Of a non-accrual loan the booked and
    unpaid interest and penalty stand in memo accounts, out of income. Of a written-off loan the claim stands in memo
    accounts too; what was lost is an expense, what came back afterwards is recovery income.

    >>> from datetime import date
    >>> position(LoanState(as_of=date(2017, 5, 2), status="active", principal=100, interest=5, drawn=100, interest_charged=5))
    {'cash': -100, 'principal': 100, 'interest_receivable': 5, 'interest_income': -5}
    """
    if state.status == "pending":
        return {}
    lines = _common(state)
    if state.written_off:
        lines |= _written_off(state)
    else:
        lines |= _standing(state)
    return {account: amount for account, amount in lines.items() if amount}


def _common(state: LoanState) -> Position:
    return {
        "cash": state.received - state.refunded - state.drawn,
        "credit_balance": -state.credit_balance,
    }


def _standing(state: LoanState) -> Position:
    memo_interest, memo_penalty = (state.interest, state.penalty) if state.non_accrual else (0, 0)
    return {
        "principal": state.principal,
        "interest_receivable": state.interest - memo_interest,
        "penalty_receivable": state.penalty - memo_penalty,
        "fees_receivable": state.fees,
        "interest_income": memo_interest - state.interest_charged,
        "penalty_income": memo_penalty - state.penalty_charged,
        "fee_income": -state.fees_charged,
        "waiver_expense": _waived(state),
        "memo_interest": memo_interest,
        "memo_penalty": memo_penalty,
        "memo_contra": -memo_interest - memo_penalty,
    }


def _written_off(state: LoanState) -> Position:
    """Unpaid interest and penalty leave income; principal and fees lost are an expense, receipts are recovery income.

    The surplus of a recovery is credit, not recovery income.
    """
    claim = state.principal + state.interest + state.penalty + state.fees
    interest_kept = state.interest_charged - state.interest - state.recovered_interest
    penalty_kept = state.penalty_charged - state.penalty - state.recovered_penalty
    lost = state.principal + state.fees + state.recovered_principal + state.recovered_fees
    recovered = (
        state.recovered_principal + state.recovered_interest + state.recovered_penalty + state.recovered_fees
    )
    return {
        "interest_income": -interest_kept,
        "penalty_income": -penalty_kept,
        "fee_income": -state.fees_charged,
        "waiver_expense": _waived(state),
        "write_off_expense": lost,
        "recovery_income": -recovered,
        "written_off_claim": claim,
        "written_off_contra": -claim,
    }


def _waived(state: LoanState) -> int:
    return state.principal_waived + state.interest_waived + state.penalty_waived + state.fees_waived


def difference(before: Position, after: Position) -> Position:
    """What must be posted to get from one position to another; zeros left out.

    >>> difference({"cash": -100, "principal": 100}, {"cash": -100, "principal": 90, "write_off_expense": 10})
    {'principal': -10, 'write_off_expense': 10}
    """
    accounts = [account for account in ACCOUNTS if account in before or account in after]
    moved = {account: after.get(account, 0) - before.get(account, 0) for account in accounts}
    return {account: amount for account, amount in moved.items() if amount}
