"""New terms from what is outstanding."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from microloan import simulate
from microloan.errors import InvalidEvent
from microloan.rates import Rate
from microloan.servicing.events import Restructured, event_from_payload, event_payload

TERMS = {
    "method": "anytime",
    "principal": "12000.00",
    "rate": "0.05%/day",
    "start": "2024-01-10",
    "term": "90d",
}


def restructured(**changes: Any) -> dict[str, Any]:
    return {"id": "n", "type": "restructure", "date": "2024-04-19", "maturity": "2024-07-10", **changes}


def test_an_overdue_loan_goes_on_in_instalments_at_another_rate() -> None:
    """Due 9 April with 540.00 of interest; ten nights late at 0.075% cost 90.00; then three equal parts at 0.04% a day."""
    told = simulate({
        "terms": TERMS,
        "events": [restructured(method="equal_principal", rate="0.04%/day")],
        "as_of": ["2024-04-19", "2024-05-11"],
    })  # fmt: skip
    before, after = told["states"]
    assert (before["days_past_due"], before["interest"], before["penalty"]) == (0, "540.00", "90.00")
    assert before["next_due"] == {
        "date": "2024-05-10",
        "amount": "4640.80",
    }  # 4,000 + 540 + 21 nights of 4.80
    assert after["days_past_due"] == 1
    assert [row["principal"] for row in told["schedule"][1:]] == ["4000.00"] * 3


def test_a_reversed_restructuring_leaves_the_old_terms() -> None:
    undo = {"id": "x", "type": "reverse", "of": "n", "booked": "2024-04-20"}
    events = [restructured(method="equal_instalment"), undo]
    with_both = simulate({"terms": TERMS, "events": events, "as_of": ["2024-04-25"]})
    without = simulate({"terms": TERMS, "as_of": ["2024-04-25"]})
    assert with_both["states"] == without["states"]


def test_a_sweep_cannot_be_agreed_on_in_passing() -> None:
    with pytest.raises(InvalidEvent, match="sweep"):
        simulate({"terms": TERMS, "events": [restructured(method="sweep")], "as_of": ["2024-04-25"]})


def test_it_comes_back_from_storage_as_it_was() -> None:
    common = {"id": "n", "value_date": date(2024, 4, 19), "booked_on": date(2024, 4, 19), "sequence": 3}
    event = Restructured(
        **common, maturity=date(2024, 7, 10), method="equal_instalment", rate=Rate.parse("万4")
    )
    assert event_from_payload("restructure", event_payload(event), **common) == event
