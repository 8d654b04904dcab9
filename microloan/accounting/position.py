"""What a loan stands for in the general ledger: a vector over accounts that sums to zero.

Every command posts the difference of two positions; so does the close. There is no other posting rule.
Source: SEMANTICS 6 (double entry, one posting rule) and 5 (non-accrual).
"""

from __future__ import annotations

from functools import lru_cache

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

#: Balances by their key in the ledger: account, and class where the account is kept by class.
Balances = dict[tuple[str, str], int]


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


def balances(state: LoanState) -> Balances:
    """A state's position with the class beside each account that carries it; sums to zero.

    >>> from datetime import date
    >>> balances(LoanState(as_of=date(2017, 5, 2), status="active", principal=100, drawn=100))
    {('cash', ''): -100, ('principal', 'normal'): 100}
    """
    keys = _keys(state.classification)
    return {keys[account]: amount for account, amount in position(state).items()}


def moved(before: LoanState, after: LoanState) -> Balances:
    """What must be posted to get from one state to another; a change of class moves balances. Zeros left out.

    >>> from datetime import date
    >>> lent = LoanState(as_of=date(2017, 5, 2), status="active", principal=100, drawn=100)
    >>> moved(lent, lent._replace(principal=90, received=10))
    {('cash', ''): 10, ('principal', 'normal'): -10}
    """
    was, becomes = position(before), position(after)
    if was == becomes and before.classification == after.classification:
        return {}
    keys = _keys(before.classification)
    change = {keys[account]: -amount for account, amount in was.items()}
    keys = _keys(after.classification)
    for account, amount in becomes.items():
        key = keys[account]
        change[key] = change.get(key, 0) + amount
    return {key: amount for key, amount in change.items() if amount}


@lru_cache(maxsize=64)
def _keys(class_: str) -> dict[str, tuple[str, str]]:
    """The balance key of each account for loans of a class."""
    return {account: (account, class_ if account in CLASSED_ACCOUNTS else "") for account in ACCOUNTS}
