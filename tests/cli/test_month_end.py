"""The month-end pack holds what it says, adds up, and leaves nothing behind when it cannot be made."""

from __future__ import annotations

import csv
import hashlib
import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.session import say

FOLDER = Path("june")


@pytest.fixture
def book() -> None:
    """A loan of May and June 2025, closed up to the end of June."""
    fixtures = Path(__file__).resolve().parents[2] / "fixtures"
    for line in (
        "init --open-day 2025-05-12",
        f"sales import {fixtures}/sales/seafood.csv.gz",
        "underwrite seafood",
    ):
        assert say(*line.split()).status == 0
    offer = json.loads(say("offer", "show", "seafood", "--json").out)
    signed = ("facility", "sign", "seafood", "--signer", "Li", "--sha256", offer["contract_sha256"])
    assert say(*signed).status == 0
    assert say("draw", "seafood", "60000", "--days", "40", "--confirm").status == 0
    assert say("eod", "--to", "2025-06-29").status == 0


def rows(name: str) -> list[dict[str, str]]:
    """A paper as a spreadsheet reads it."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("book")
def test_an_open_month_has_no_papers() -> None:
    refused = say("month-end", "2025-06", "--output", "june")
    assert (refused.status, FOLDER.exists()) == (3, False)
    assert "2025-06-30" in refused.err


@pytest.mark.usefixtures("book")
def test_the_papers_of_a_month_agree_with_each_other_and_with_the_manifest() -> None:
    assert say("eod", "--to", "2025-06-30").status == 0
    made = json.loads(say("month-end", "2025-06", "--output", "june", "--json").out)
    manifest = json.loads((FOLDER / "manifest.json").read_text("utf-8"))
    assert manifest["files"] == made["files"]
    for file in manifest["files"]:
        assert hashlib.sha256((FOLDER / file["file"]).read_bytes()).hexdigest() == file["sha256"]
    assert {path.name for path in FOLDER.iterdir()} == {f["file"] for f in made["files"]} | {"manifest.json"}

    balances = rows("trial-balance.csv")
    assert sum(Decimal(row["balance"]) for row in balances) == 0
    principal = sum(Decimal(row["balance"]) for row in balances if row["account"] == "principal")
    assert principal == sum(Decimal(row["principal"]) for row in rows("aging.csv")) == Decimal("60000.00")
    allowance = -sum(Decimal(row["balance"]) for row in balances if row["account"] == "provision_allowance")
    assert allowance == sum(Decimal(row["allowance"]) for row in rows("provisions.csv")) > 0
    journal = rows("journal.csv")
    assert {row["day"][:7] for row in journal} == {"2025-06"}
    assert sum(Decimal(row["debit"] or 0) - Decimal(row["credit"] or 0) for row in journal) == 0
    assert "60,000.00" in (FOLDER / "portfolio.html").read_text("utf-8")
    assert json.loads((FOLDER / "verify.json").read_text("utf-8"))["findings"] == []


@pytest.mark.usefixtures("book")
def test_what_stands_in_the_way_is_not_touched_and_nothing_is_left_half_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    FOLDER.mkdir()
    (FOLDER / "mine").write_text("mine", "utf-8")
    assert say("month-end", "2025-05", "--output", "june").status == 2
    assert [path.name for path in FOLDER.iterdir()] == ["mine"]
    assert say("month-end", "2025-05", "--output", "no/such/place").status == 2
    monkeypatch.setattr("microloan_cli.month_end._page", lambda *_: 1 / 0)
    assert say("month-end", "2025-05", "--output", "may").status == 1
    assert [path.name for path in Path().iterdir() if "may" in path.name] == []


@pytest.mark.parametrize("month", ["2025-13", "2025", "0000-01", "may"])
def test_a_month_is_written_as_a_year_and_a_number(month: str) -> None:
    assert say("month-end", month, "--output", "june").status == 2
