"""A lender's own chart of accounts, read from its file."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from microloan.accounting.chart import Chart
from microloan.errors import InvalidFile, InvalidSetting

SHIPPED = files("microloan.accounting").joinpath("chart-en.toml").read_text(encoding="utf-8")


def test_a_copy_with_other_names_and_codes_is_a_chart(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(SHIPPED.replace("Bank deposits", "Cash at Bank of Ningbo"), "utf-8")
    assert Chart.load(path).accounts["cash"].name == "Cash at Bank of Ningbo"
    assert Chart.load(path).accounts["principal"] == Chart.preset("en").accounts["principal"]


def test_files_that_are_no_charts_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    for content in (b"\xff\xfe", b"name = "):
        path.write_bytes(content)
        with pytest.raises(InvalidFile):
            Chart.load(path)
    path.write_text("name = 'empty'\naccounts = {}", "utf-8")
    with pytest.raises(InvalidSetting):
        Chart.load(path)
    with pytest.raises(InvalidFile):
        Chart.load(tmp_path / "nowhere.toml")
