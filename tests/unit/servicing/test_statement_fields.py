"""A state tells each figure of a loan under its own name."""

from __future__ import annotations

from datetime import date

from microloan.servicing.fold import Fold
from microloan.servicing.statement import state_of
from microloan.terms import LoanTerms

TERMS = {"method": "anytime", "principal": "3000", "rate": "0.048%/day", "start": "2017-05-01", "term": "90d"}


def test_every_figure_of_the_walk_stands_under_its_name() -> None:
    """A state is made in the order of its fields: figures that are all different show any two that changed places."""
    loan = Fold(LoanTerms.parse(TERMS))
    totals = (
        "fees", "credit", "fees_charged", "received", "refunded", "fees_paid", "penalty_paid", "interest_paid",
        "principal_paid", "billed", "late_taken",
    )  # fmt: skip
    for number, name in enumerate(totals, 11):
        setattr(loan, name, number)
    parts = ("fees", "penalty", "interest", "principal")
    loan.waived = dict(zip(parts, (31, 32, 33, 34), strict=True))
    loan.recovered = dict(zip(parts, (41, 42, 43, 44), strict=True))
    state = state_of(loan, date(2017, 5, 1), outlook=False)
    told = {name: getattr(state, name) for name in totals if hasattr(state, name)}
    assert told == {name: getattr(loan, name) for name in told}
    assert len(told) == 8
    assert (state.credit_balance, state.interest_charged, state.penalty, state.penalty_charged) == (
        12,
        20,
        -21,
        0,
    )
    for part in parts:
        assert getattr(state, f"{part}_waived") == loan.waived[part]
        assert getattr(state, f"recovered_{part}") == loan.recovered[part]
    assert (state.as_of, state.status, state.written_off) == (date(2017, 5, 1), "active", False)
    assert (state.principal, state.drawn, state.interest, state.principal_due) == (300_000, 300_000, 0, 0)
    assert state.payoff == 300_000 - 21 + 11
