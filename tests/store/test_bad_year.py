"""The bad year of docs/figures.md, lived through in a real book on either database, day by day and command by command."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from microloan_cli.main import main

from microloan.book.results import to_json_values
from microloan.rates import Rate

from .counter import Counter

PAGE = (Path(__file__).parents[2] / "docs" / "figures.md").read_text(encoding="utf-8")
BLOCKS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S)]
WHOLE_YEAR = next(block for block in BLOCKS if block["name"] == "the whole year")
FIRST_DAY = date(2024, 1, 10)


class BadYear:
    """The loan of the page; ``events`` are the book's ids by the names of the page."""

    def __init__(self, counter: Counter) -> None:
        self.counter, self.events = counter, {}
        terms = WHOLE_YEAR["terms"]
        product = counter.product(
            grace_days=terms["grace_days"], penalty=terms["penalty"],
            methods=[{"method": terms["method"], "terms": ["1m..12m"]}], default_method=terms["method"],
            default_term=terms["term"],
        )  # fmt: skip
        line = counter.line(product=product, rate=Rate.parse(terms["rate"]))
        self.loan = counter.loan(line, terms["principal"], months=12).id
        for event in sorted(WHOLE_YEAR["events"], key=lambda event: event.get("booked") or event["date"]):
            self._happens(event)

    def _happens(self, event: dict[str, Any]) -> None:
        """Close the days before the booking day, then do what the event says."""
        book, booked = self.counter.book, event.get("booked") or event["date"]
        if book.settings().open_day < booked:
            self.counter.close_until(booked)
        acts: dict[str, Callable[[], str]] = {
            "repay": lambda: self._repaid(event, booked),
            "waive": lambda: book.waive(self.loan, event["component"], event["amount"]).event_id,
            "reverse": lambda: book.charge_back(self.events[event["of"]], "bounced").event_id,
        }
        self.events[event["id"]] = acts[event["type"]]()

    def _repaid(self, event: dict[str, Any], booked: date) -> str:
        day = event["date"] if event["date"] != booked else None
        receipt = self.counter.book.repay(self.loan, event["amount"], value_date=day)
        return receipt.allocations[0].event_id

    def shown(self, block: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Each expectation of a block, and what the book shows as it was known then."""
        book, known_on = self.counter.book, block.get("known_on", max(block["as_of"]))
        ledger = {line.id: line for line in book.ledger(self.loan, max(block["as_of"]), known_on)}
        names = {event: name for name, event in self.events.items()}
        for expected in block["expect"]:
            if "as_of" in expected:
                found = to_json_values(book.loan(self.loan, expected["as_of"], known_on))
            else:
                found = to_json_values(ledger[self.events[expected["id"]]])
                found |= {"id": expected["id"], "reversed_by": names.get(found["reversed_by"])}
            yield to_json_values(expected), found


@pytest.fixture
def year(database_url: str) -> Iterator[BadYear]:
    counter = Counter(database_url)
    counter.clock.now = datetime(2024, 1, 10, 4, tzinfo=UTC)
    counter.book.init("CNY", FIRST_DAY, buckets=2)
    yield BadYear(counter)
    counter.book.close()


def test_the_bad_year_of_the_figures_page_is_the_books_to_the_fen(year: BadYear, tmp_path: Path) -> None:
    for block in BLOCKS:
        for expected, found in year.shown(block):
            assert {name: found[name] for name in expected} == expected, block["name"]
    year.counter.must_be_sound()
    posted_on_25_april(year)
    for chart in ("en", "zh"):
        accepted_by_beancount(year, tmp_path / f"{chart}.beancount", chart)


def posted_on_25_april(year: BadYear) -> None:
    """What the page says was posted when the receipt of 25 March was entered; debits above zero."""
    posted: dict[str, Decimal] = defaultdict(Decimal)
    for line in year.counter.journal():
        if line.day == date(2024, 4, 25) and line.source == "command":
            posted[line.account] += line.amount
    assert posted == {
        "cash": Decimal("1000.00"),
        "principal": Decimal("-1009.53"),
        "interest_receivable": Decimal("-4.64"),
        "interest_income": Decimal("4.64"),
        "penalty_receivable": Decimal("-2.38"),
        "penalty_income": Decimal("11.91"),
    }


def accepted_by_beancount(year: BadYear, file: Path, chart: str) -> None:
    """The program's own export, checked by the real bean-check."""
    line = ["journal", "export", "--format", "beancount", "--chart", chart, "--output", str(file)]
    assert main([*line, "--db", year.counter.url]) == 0
    program = shutil.which("bean-check", path=str(Path(sys.executable).parent)) or shutil.which("bean-check")
    if program is None:
        pytest.skip("bean-check is not installed (pip install beancount)")
    told = subprocess.run([program, str(file)], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout + told.stderr) == (0, "")
    assert file.read_text("utf-8").count(" * ") > 100
