"""docs/reports.md: the worked example is run, its fields are those there are."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

import pytest

from microloan.book.reporting import REPORTS
from microloan.reports.result import Report
from tests.store.counter import Counter

PAGE = Path(__file__).parents[2] / "docs" / "reports.md"


@dataclass
class Lender:
    """What the page's first block does."""

    counter: Counter

    def draw(self, amount: int, days: int) -> None:
        """Draw on the merchant's line; the money is there at once."""
        (line,) = self.counter.book.facilities()
        self.counter.book.draw(line.id, str(amount), days=days, confirm=True)

    def repay_first(self, amount: int) -> None:
        """Repay the loan drawn first."""
        self.counter.book.repay(self.counter.book.loans()[0].id, str(amount))

    def close_until(self, day: str) -> None:
        """Close every day before that one."""
        self.counter.close_until(date.fromisoformat(day))


@pytest.fixture
def lender(sqlite_url: str) -> Iterator[Lender]:
    """A lender on 12 May 2025 with one merchant."""
    counter = Counter(sqlite_url)
    counter.clock.set_day(date(2025, 5, 12))
    counter.book.init("CNY", date(2025, 5, 12))
    counter.line()
    yield Lender(counter)
    counter.book.close()


def test_the_worked_example_goes_as_written(lender: Lender) -> None:
    names = {"lender": lender, "book": lender.counter.book}
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    result = runner.run(parser.get_doctest(PAGE.read_text("utf-8"), names, "reports.md", str(PAGE), 0))
    assert result.attempted > 12
    assert not result.failed


@pytest.mark.parametrize("name", REPORTS)
def test_the_page_names_the_fields_of_every_report(lender: Lender, name: str) -> None:
    report: Report = lender.counter.book.report(name)
    row = re.search(rf"^\| `{name}` \| `([^`]*)` \| `([^`]*)` \|$", PAGE.read_text("utf-8"), re.M)
    assert row
    head, tables = (set(listed.split()) for listed in row.groups())
    assert head | tables == {field.name for field in fields(report)}  # type: ignore[arg-type]
    assert tables == set(report.TABLES)
