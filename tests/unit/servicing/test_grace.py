"""Graces that still run after the maturity. Source: SEMANTICS 9.6, docs/DECISIONS.md (readings, 4)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from microloan.servicing.replay import replay
from microloan.servicing.scenario import read_scenario
from tests.reference import daily

#: 5.00 a night. 200.00 fall due on 10 April (grace ends on the morning of the 19th), 25.00 and all principal on the 15th
#: (grace ends on the 24th).
TERMS = {
    "method": "interest_only", "principal": "10000.00", "rate": "0.05%/day", "start": "2024-03-01", "term": "45d",
    "due_day": 10, "grace_days": 8, "penalty": {"multiple": "1.0", "on_interest": True},
}  # fmt: skip


@pytest.mark.parametrize(
    ("paid", "due"),
    [
        ("200.00", [25_00, 25_00, 25_00 + 45_00]),  # the first due is paid: its grace has no end any more
        ("199.99", [25_01, 25_01 + 20_00, 25_01 + 20_00 + 25_00]),  # four nights fall due, then five
    ],
)
def test_interest_of_the_grace_falls_due_where_a_grace_ends_unpaid(paid: str, due: list[int]) -> None:
    event = {"id": "r", "type": "repay", "date": "2024-04-17", "amount": paid}
    scenario = read_scenario({"terms": TERMS, "events": [event]})
    days = [date(2024, 4, 18), date(2024, 4, 19), date(2024, 4, 24)]
    assert [replay(scenario.terms, scenario.events, day).interest_due for day in days] == due


@pytest.mark.parametrize("paid", ["200.00", "199.99"])
def test_the_calculator_reads_it_so_too(paid: str) -> None:
    days = [date(2024, 4, 15) + timedelta(days=n) for n in range(20)]
    case = {"terms": TERMS, "events": [{"id": "r", "type": "repay", "date": "2024-04-17", "amount": paid}]}
    scenario = read_scenario(case)
    told = daily.simulate(case | {"as_of": [day.isoformat() for day in days]})
    for day, there in zip(days, told["states"], strict=True):
        state = replay(scenario.terms, scenario.events, day)
        assert (there["interest"], there["penalty"]) == (
            f"{state.interest / 100:.2f}",
            f"{state.penalty / 100:.2f}",
        )
