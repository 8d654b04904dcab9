"""A damaged loan on the command line: named by everything it touches, with the exit status the contract gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.session import Said, say
from tests.cli.test_machine import done, sign, spoil

REPORTS = ("portfolio", "aging", "vintage", "expected-cash")


@pytest.fixture
def loan(tmp_path: Path) -> str:
    """A loan whose terms are none."""
    sign(tmp_path)
    drawn = done("draw", "seafood", "1000", "--days", "5", "--confirm", "--json")
    spoil('"method":"anytime"', '"method":"no such"')
    return str(json.loads(drawn.out)["loan_id"])


def left_out(said: Said, loan: str) -> bool:
    return said.status == 7 and f"left out of every figure: {loan}: terms.method" in said.err


def test_reports_leave_it_out_by_name_in_every_format(loan: str) -> None:
    for name in REPORTS:
        assert left_out(say("report", name), loan)
    assert left_out(say("calendar"), loan)
    assert left_out(say("report", "aging", "--format", "csv"), loan)
    assert left_out(say("report", "aging", "--output", "aging.txt"), loan)
    assert loan in Path("aging.txt").read_text("utf-8")
    said = say("report", "portfolio", "--json")
    (named,) = json.loads(said.out)["left_out"]
    assert (said.status, named["loan_id"], json.loads(said.err)["error"]["code"]) == (7, loan, "partly_done")
    assert f"未计入任何数字：{loan}" in say("report", "vintage", "--lang", "zh").err


@pytest.mark.parametrize("name", ["portfolio", "aging"])
def test_a_page_says_what_it_lacks(loan: str, name: str) -> None:
    assert left_out(say("report", name, "--format", "html", "--output", "page.html"), loan)
    assert f"left out of every figure: {loan}" in Path("page.html").read_text("utf-8")


@pytest.mark.parametrize("line", ["loan show", "loan ledger", "loan schedule", "payoff", "statement"])
def test_what_asks_for_it_alone_is_exit_status_5_with_its_id(loan: str, line: str) -> None:
    said = say(*line.split(), loan)
    assert said.status == 5
    assert said.err.startswith(f"microloan: {loan}: what is stored of it cannot be read (terms.method")
    error = json.loads(say(*line.split(), loan, "--json").err)["error"]
    assert (error["code"], error["details"]["loan_id"]) == ("loan_damaged", loan)


def test_a_close_goes_on_naming_what_rests(loan: str) -> None:
    first = say("eod", "--to", "2025-05-20")
    assert (first.status, "set aside" in first.err) == (7, True)
    again = say("eod", "--to", "2025-05-21")
    assert (again.status, f"still set aside: {loan}" in again.err) == (7, True)
    assert f"microloan loan release {loan}" in again.err
    idle = say("eod", "--to", "2025-05-21", "--json")
    values = json.loads(idle.out)
    assert (idle.status, values["held"], values["resting"][0]["loan_id"]) == (7, [], loan)
    spoil('"method":"no such"', '"method":"anytime"')
    done("loan", "release", loan)
    assert done("eod", "--to", "2025-05-22").err == ""
