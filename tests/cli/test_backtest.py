"""The credit team's workbench as its user meets it: a fitted file that can be proposed, a page that stands alone."""

from __future__ import annotations

import csv
import json
from importlib import resources
from pathlib import Path

import pandas  # noqa: F401 - cannot be imported once a test has stopped the clock
import pytest

from microloan.underwriting import load_policy
from tests.cli.session import say


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    """Forty shops of two years, every third of which loses most of its buyers."""
    import sys

    sys.path.append(str(Path(__file__).parents[1] / "unit" / "underwriting"))
    from market import market_rows

    rows = market_rows(40)
    file = tmp_path / "market.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return file


def test_a_fitted_policy_is_a_file_to_read_to_test_and_to_propose(sales: Path, tmp_path: Path) -> None:
    ours, page = tmp_path / "ours.toml", tmp_path / "report.html"
    source = ("--sales", str(sales), "--platform", "market")
    fitted = say("policy", "fit", *source, "--until", "2024-06-01", "--out", str(ours), "--json")
    assert fitted.status == 0, fitted.err
    values = json.loads(fitted.out)
    assert float(values["auc_later"]) > 0.65
    assert values["test_first"] == "2024-06-01"
    assert values["last"] <= "2024-03-03"  # 90 days before
    assert load_policy(str(ours)).sha256 == values["sha256"]
    span = ("--from", "2024-06-01", "--to", "2024-07-01")
    tested = say("backtest", "--policy", str(ours), "--against", "marketplace", *source, *span, "--format", "html",
                 "--out", str(page), "--json")  # fmt: skip
    assert tested.status == 0, tested.err
    values = json.loads(tested.out)
    assert [values["champion"]["policy"], values["challenger"]["policy"]] == ["ours", "marketplace"]
    html = page.read_text(encoding="utf-8")
    assert html.count("<svg") == 4
    assert "http" not in html.replace("http://www.w3.org/", "")  # nothing is fetched
    again = say("backtest", "--policy", str(ours), *source, *span, "--out", str(page))
    assert (again.status, again.out) == (2, "")


def test_the_product_of_a_back_test_over_a_file_is_a_file_of_the_same_currency(
    sales: Path, tmp_path: Path
) -> None:
    product = tmp_path / "product.toml"
    shipped = resources.files("microloan").joinpath("marketplace.product.toml")
    product.write_text(shipped.read_text("utf-8").partition("[currencies")[0], encoding="utf-8")
    line = ("backtest", "--policy", "marketplace", "--sales", str(sales), "--platform", "market", "--product",
            str(product), "--from", "2024-03-01", "--to", "2024-03-01")  # fmt: skip
    assert say(*line).status == 0
    refused = say(*line, "--currency", "BRL")
    assert refused.status == 2
    assert "the sales are in BRL" in refused.err
