"""Positions of worked lives, account by account."""

from __future__ import annotations

from datetime import date

from microloan.accounting.position import moved, position
from microloan.accounting.provisions import SHIPPED_RATES, provision
from microloan.servicing.replay import replay
from microloan.servicing.scenario import read_scenario
from microloan.servicing.state import LoanState

TERMS = {
    "method": "anytime", "principal": "10000.00", "rate": "0.05%/day", "start": "2024-03-01", "term": "90d",
    "penalty": {"multiple": "1.5"},
}  # fmt: skip


def state_on(day: date, *events: dict[str, object]) -> LoanState:
    scenario = read_scenario({"terms": TERMS, "events": list(events)})
    return replay(scenario.terms, scenario.events, day)


def position_on(day: date, *events: dict[str, object]) -> dict[str, int]:
    return position(state_on(day, *events))


def test_a_night_earns_interest_and_nothing_else() -> None:
    before, after = state_on(date(2024, 3, 1)), state_on(date(2024, 3, 2))
    assert moved(before, after) == {("interest_receivable", "normal"): 500, ("interest_income", ""): -500}


def test_a_change_of_class_moves_what_is_kept_by_class() -> None:
    before = state_on(date(2024, 8, 28))
    after = before._replace(classification="loss")
    assert moved(before, after) == {
        ("principal", before.classification): -1000000,
        ("principal", "loss"): 1000000,
        ("interest_receivable", before.classification): -45000,
        ("interest_receivable", "loss"): 45000,
        ("penalty_receivable", before.classification): -67500,
        ("penalty_receivable", "loss"): 67500,
    }


def test_beyond_90_days_past_due_unpaid_interest_leaves_income() -> None:
    # due 2024-05-30; 450.00 of interest; penalty 7.50 a night: day 90 past due 675.00, day 91 682.50
    last_good, first_bad = position_on(date(2024, 8, 28)), position_on(date(2024, 8, 29))
    assert (last_good["interest_income"], last_good["penalty_income"]) == (-45000, -67500)
    assert "interest_income" not in first_bad
    assert (first_bad["memo_interest"], first_bad["memo_penalty"]) == (45000, 68250)
    assert first_bad["memo_contra"] == -113250


def test_when_nothing_is_past_due_any_more_the_memo_returns_to_income() -> None:
    day = date(2024, 9, 2)
    cured = position_on(day, {"id": "r", "type": "repay", "date": day, "amount": "20000.00"})
    assert (cured["interest_income"], cured["penalty_income"]) == (-45000, -71250)
    assert "memo_contra" not in cured


def test_part_of_the_debt_paid_keeps_a_non_accrual_loan_out_of_income() -> None:
    day = date(2024, 9, 2)
    part = position_on(day, {"id": "r", "type": "repay", "date": day, "amount": "9000.00"})
    assert part["principal"] == 100000
    assert part["memo_interest"] == 45000


def test_a_write_off_costs_principal_and_fees_and_takes_unpaid_interest_out_of_income() -> None:
    day = date(2024, 6, 9)
    off = position_on(
        day,
        {"id": "f", "type": "fee", "date": day, "amount": "20.00"},
        {"id": "w", "type": "write_off", "date": day},
    )
    assert off["write_off_expense"] == 1002000
    assert off["written_off_claim"] == 1002000 + 45000 + 7500
    assert "interest_income" not in off
    assert off["fee_income"] == -2000


def test_what_comes_back_after_a_write_off_is_recovery_income() -> None:
    off = {"id": "w", "type": "write_off", "date": date(2024, 6, 9)}
    back = {"id": "r", "type": "recover", "date": date(2024, 7, 9), "amount": "600.00"}
    assert moved(state_on(date(2024, 7, 9), off), state_on(date(2024, 7, 9), off, back)) == {
        ("cash", ""): 60000,
        ("recovery_income", ""): -60000,
        ("written_off_claim", ""): -60000,
        ("written_off_contra", ""): 60000,
    }


def test_provisions_round_the_group_once() -> None:
    assert provision(33, "normal") == 0
    assert provision(34, "normal") == 1  # 0.51
    assert provision(100, "loss") == 100
    assert sorted(SHIPPED_RATES.values()) == list(SHIPPED_RATES.values())
