"""The journal as CSV and as beancount text, checked by the real bean-check."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from microloan.accounting.chart import LEDGER_ACCOUNTS, Chart
from microloan.errors import InvalidSetting
from microloan.exchange.journal import write_beancount, write_csv


class Posted(NamedTuple):
    day: date
    entry: str
    line: int
    source: str
    account: str
    classification: str
    product: str
    loan_id: str
    currency: str
    amount: Decimal


def entry(day: date, name: str, *lines: tuple[str, str], loan: str = "loan-00-a") -> list[Posted]:
    return [
        Posted(
            day,
            name,
            n,
            "command",
            account,
            "normal" if account == "principal" else "",
            "market-place",
            loan,
            "CNY",
            Decimal(amount),
        )
        for n, (account, amount) in enumerate(lines, 1)
    ]


DRAW = entry(date(2017, 5, 1), "cmd-1", ("cash", "-300000.00"), ("principal", "300000.00"))
NIGHT = entry(
    date(2017, 5, 1), "night-1", ("interest_receivable", "144.00"), ("interest_income", "-144.00"), loan=""
)


def bean_check(path: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("bean-check", path=str(Path(sys.executable).parent)) or shutil.which("bean-check")
    if program is None:
        pytest.skip("bean-check is not installed (pip install beancount)")
    return subprocess.run([program, str(path)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_bean_check_accepts_the_journal(tmp_path: Path, language: str) -> None:
    path = tmp_path / "journal.beancount"
    with path.open("w", encoding="utf-8") as out:
        assert write_beancount([*DRAW, *NIGHT], out, Chart.preset(language), title='the "book"') == 2
    told = bean_check(path)
    assert (told.returncode, told.stdout + told.stderr) == (0, "")


def test_bean_check_notices_an_entry_that_does_not_balance(tmp_path: Path) -> None:
    path = tmp_path / "journal.beancount"
    with path.open("w", encoding="utf-8") as out:
        write_beancount([*DRAW, *NIGHT[:1]], out, Chart.preset("en"))
    assert bean_check(path).returncode != 0


def test_debits_and_credits_have_columns_of_their_own() -> None:
    out = io.StringIO()
    assert write_csv(DRAW, out, Chart.preset("zh")) == 2
    cash, principal = csv.DictReader(io.StringIO(out.getvalue()))
    assert (cash["debit"], cash["credit"], cash["name"]) == ("", "300000.00", "银行存款")
    assert (principal["debit"], principal["credit"], principal["class"]) == ("300000.00", "", "normal")


def test_no_text_cell_becomes_a_formula() -> None:
    out = io.StringIO()
    write_csv(entry(date(2017, 5, 1), "=cmd", ("cash", "-5.00"), loan="@loan"), out, Chart.preset("en"))
    (row,) = csv.DictReader(io.StringIO(out.getvalue()))
    assert (row["entry"], row["loan"], row["credit"]) == ("'=cmd", "'@loan", "5.00")


def test_the_presets_name_every_account_and_in_different_words() -> None:
    en, zh = Chart.preset("en").accounts, Chart.preset("zh").accounts
    assert set(en) == set(zh) == set(LEDGER_ACCOUNTS)
    assert all(en[key].name != zh[key].name for key in en)
    assert all(en[key].kind == zh[key].kind for key in en)


def test_a_chart_that_misses_an_account_is_refused() -> None:
    given = Chart.preset("en").model_dump()
    del given["accounts"]["cash"]
    with pytest.raises(InvalidSetting, match="cash"):
        Chart.parse(given)


def test_two_accounts_with_one_code_are_refused() -> None:
    given = Chart.preset("en").model_dump()
    given["accounts"]["cash"]["code"] = given["accounts"]["principal"]["code"]
    with pytest.raises(InvalidSetting, match="share this code"):
        Chart.parse(given)
