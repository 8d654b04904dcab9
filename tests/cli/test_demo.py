"""The story's figures come out of the book: other sales or another amount, and the story is another."""

from __future__ import annotations

import csv
import gzip
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from microloan_cli.messages import texts_of
from microloan_cli.view import grouped

from tests.cli.session import Said, say

SEAFOOD = Path(str(files("microloan_cli.fixtures").joinpath("sales/seafood.csv.gz")))


def told(*arguments: str) -> dict[str, Any]:
    """The story's figures."""
    said = say("demo", "--json", *arguments)
    assert said.status == 0, said.err
    document: dict[str, Any] = json.loads(said.out)
    return document


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return told("--keep", str(tmp_path_factory.mktemp("story")))


def test_the_published_figures_come_out(story: dict[str, Any]) -> None:
    assert (story["interest"], story["bank_interest"]) == ("12960.00", "18000.00")
    assert story["quote"]["yearly_rate"] == "0.1752"
    assert story["quote"]["interest"] == story["receipt"]["interest"] == story["ledger"][-1]["interest"]


def test_limit_and_seasonal_limit_cover_the_draw(story: dict[str, Any]) -> None:
    decision = story["decision"]
    assert decision["outcome"] == "approved"
    assert float(decision["limit"]) + float(decision["seasonal_limit"]) >= 300_000
    assert decision["seasonal_until"] == "2025-06-20"


def test_repayments_on_odd_days_bear_interest_to_the_day(story: dict[str, Any]) -> None:
    first, rest = story["odd_days"]
    assert (first["interest"], first["principal"]) == ("81.60", "3918.40")  # 17 nights
    assert (rest["interest"], rest["principal"]) == ("40.87", "6081.60")  # 14 nights


def test_the_book_of_the_story_balances_and_verifies(story: dict[str, Any]) -> None:
    assert story["verify"]["clean"] is True
    assert story["trial_balance"]["total"] == "0.00"


def test_the_batch_decides_on_every_bundled_shop(story: dict[str, Any]) -> None:
    decided = {decision["shop_id"] for decision in story["batch"]["decisions"]}
    assert {"seafood", "steady", "wash", "collapsing"} <= decided
    assert sum(story["batch"]["counts"].values()) == len(decided)


def test_the_kept_book_can_be_looked_around_in(story: dict[str, Any]) -> None:
    said = say("loan", "show", story["loan_id"], "--db", story["db"], "--json")
    assert json.loads(said.out)["interest_paid"] == "12960.00"


def test_another_amount_makes_another_story() -> None:
    story = told("--principal", "200000", "--days", "60")
    assert (story["interest"], story["bank_interest"]) == ("5760.00", "12000.00")


def halved(file: Path, target: Path) -> Path:
    """The same orders at half the price."""
    with gzip.open(file, "rt", newline="") as given, target.open("w", newline="") as out:
        rows = csv.DictReader(given)
        writer = csv.DictWriter(out, rows.fieldnames or ())
        writer.writeheader()
        for row in rows:
            writer.writerow({**row, **{name: half(row[name]) for name in ("amount", "refund_amount")}})
    return target


def half(amount: str) -> str:
    """Half an amount, rounded down to the cent."""
    return f"{int(amount.replace('.', '')) // 2 / 100:.2f}" if amount else ""


def test_other_sales_make_another_story(story: dict[str, Any], tmp_path: Path) -> None:
    sales = halved(SEAFOOD, tmp_path / "half.csv")
    refused = say("demo", "--sales", str(sales), "--json")
    assert refused.status == 3
    assert json.loads(refused.err)["error"]["code"] == "limit_exceeded"
    smaller = told("--sales", str(sales), "--principal", "100000")
    assert float(smaller["decision"]["limit"]) < float(story["decision"]["limit"])
    assert smaller["interest"] == "4320.00"


def text(lang: str) -> Said:
    return say("demo", "--lang", lang)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_story_is_told_with_its_figures_in_both_languages(lang: str, story: dict[str, Any]) -> None:
    said = text(lang)
    assert (said.status, said.err) == (0, "")
    assert grouped(story["decision"]["limit"]) in said.out
    assert grouped(story["decision"]["seasonal_limit"]) in said.out
    for figure in ("12,960.00", "17.52%", "18,000.00", "300,000.00", "81.60", "40.87"):
        assert figure in said.out, figure
    assert "microloan sales import orders.csv" in said.out
    assert list(Path().iterdir()) == []  # the book of the story is gone


def test_no_figure_of_the_story_stands_in_its_text() -> None:
    for texts in (texts_of("en"), texts_of("zh")):
        wording = " ".join(value for key, value in texts.items() if key.startswith("demo."))
        assert set(re.findall(r"[0-9][0-9.,%]*[0-9%]", wording)) <= {"6.18"}


def test_a_shop_without_an_offer_ends_the_story_early(tmp_path: Path) -> None:
    file = tmp_path / "new.csv"
    file.write_text(
        "order_id,shop_id,platform,paid_at,amount,status\n1,tea,jd,2025-05-01T10:00:00,100.00,completed\n"
    )
    said = say("demo", "--sales", str(file))
    assert said.status == 0
    assert "There is nothing to sign" in said.out
    assert "payout confirm" not in said.out


def test_the_demo_wants_a_fresh_book(tmp_path: Path) -> None:
    assert say("demo", "--keep", str(tmp_path / "kept"), "--json").status == 0
    again = say("demo", "--keep", str(tmp_path / "kept"))
    assert again.status == 3
    assert "the demo wants a fresh one" in again.err
