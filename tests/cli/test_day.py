"""What is set aside, and what differs: named on stderr, with the exit status the contract gives."""

from __future__ import annotations

import json
from datetime import date

import pytest

from microloan import LoanBook
from microloan.book.results import CloseReport, Finding, Held, VerifyReport
from tests.cli.session import say

HELD = CloseReport(
    (date(2026, 2, 1),), date(2026, 2, 2), 3, 0, (Held("loan-00-a1", date(2026, 2, 1), "no terms"),)
)
DIFFERS = VerifyReport(1, 2, 3, 4, (Finding("principal", "loan-00-a1", "1.00", "2.00"),))


@pytest.fixture(autouse=True)
def book() -> None:
    assert say("init", "--open-day", "2026-02-01").status == 0


def test_a_loan_set_aside_is_exit_status_7(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LoanBook, "close_day", lambda self, to=None, *, progress=None: HELD)
    answer = say("eod")
    assert answer.status == 7
    assert answer.err == "set aside: loan-00-a1, held through 2026-02-01: no terms\n"
    answer = say("eod", "--json")
    assert answer.status == 7
    assert json.loads(answer.out)["held"][0]["loan_id"] == "loan-00-a1"
    assert json.loads(answer.err)["error"]["code"] == "partly_done"


def test_a_difference_is_exit_status_5(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LoanBook, "verify", lambda self, *, progress=None: DIFFERS)
    answer = say("verify", "--lang", "zh")
    assert answer.status == 5
    assert answer.err == "principal：loan-00-a1：存储值 1.00，重算值 2.00\n"
    answer = say("verify", "--json")
    assert (answer.status, json.loads(answer.out)["clean"]) == (5, False)
    assert json.loads(answer.err)["error"]["code"] == "integrity_broken"


def test_nothing_to_close_says_so() -> None:
    assert say("eod").status == 0
    assert (
        say("eod").out
        == "Nothing to close: the open day is 2026-02-02, and it has not ended or lies after --to.\n"
    )
