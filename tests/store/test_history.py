"""Back-tests and fits over the sales of a book: the same as over the file they came from, and nothing is stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from microloan.book import history
from microloan.book.loanbook import LoanBook
from microloan.errors import BadInput, EventRefused, NotFound
from microloan.intake.flow import read_flow
from microloan.underwriting import Applicant, Policy, shipped_policy, shipped_policy_text
from microloan.underwriting.backtest import backtest
from tests.databases import Originals

SALES = Path(__file__).parents[2] / "fixtures" / "sales" / "marketplace.csv.gz"
SPAN = date(2025, 1, 1), date(2025, 2, 1)


class Noon:
    def now_utc(self) -> datetime:
        return datetime(2025, 5, 12, 4, tzinfo=UTC)


def opened(url: str) -> LoanBook:
    return LoanBook.open(url, clock=Noon(), actor="ann")


def make_marketplace(url: str) -> None:
    """A book with the sales of the bundled marketplace."""
    with opened(url) as book:
        book.init(open_day=date(2025, 5, 12))
        book.sales.load(SALES)


@pytest.fixture
def book(originals: Originals, database_kind: str, tmp_path: Path) -> Iterator[LoanBook]:
    with originals.copy(database_kind, make_marketplace, tmp_path) as url, opened(url) as made:
        yield made


def test_the_book_tells_what_the_file_tells(book: LoanBook) -> None:
    lines = read_flow(SALES).lines
    held = Applicant(minimum_limit_minor=50_000)
    expected = backtest(lines, shipped_policy(), *SPAN, applicants=dict.fromkeys(lines.shops, held))
    told: list[tuple[str, int, int | None]] = []
    found = book.underwriting.backtest("marketplace@1", *SPAN, progress=lambda *step: told.append(step))
    assert found.to_json() == expected.to_json()
    assert told == [("reading", 10, 10), ("backtesting", 1, 2), ("backtesting", 2, 2)]
    assert book.underwriting.history("seafood" if "seafood" in lines.shops else lines.shops[0]) == ()


def test_merchants_of_several_shops_are_decided_once(book: LoanBook) -> None:
    book.merchants.add("both", "Both", shops=["market:steady", "market:growing"])
    found = book.underwriting.backtest(shipped_policy(), *SPAN)
    assert [month.merchants for month in found.champion.months] == [7, 7]


def test_a_policy_that_is_not_on_file_is_not_found(book: LoanBook) -> None:
    for name in ("nobody", "marketplace@7"):
        with pytest.raises(NotFound):
            book.underwriting.backtest(name, *SPAN)
    with pytest.raises(BadInput, match="NAME@2"):
        book.underwriting.policies.named("marketplace@latest")


def test_a_version_that_nobody_approved_can_be_tested_but_not_decide(book: LoanBook) -> None:
    text = shipped_policy_text().replace("version = 1", "version = 2", 1)
    proposed = Policy.from_toml(text, file="mine.toml")
    book.underwriting.policies.propose(proposed)
    assert book.underwriting.policies.named("marketplace@2").sha256 == proposed.sha256
    assert book.underwriting.policies.named("marketplace").version == 1
    found = book.underwriting.backtest("marketplace@2", *SPAN, against="marketplace")
    assert [result.version for result in found.results] == [2, 1]


def test_a_policy_with_a_price_above_the_ceiling_is_not_approved(book: LoanBook) -> None:
    text = shipped_policy_text().replace("version = 1", "version = 2", 1)
    dear = Policy.from_toml(text.replace("0.060%/day", "0.0658%/day"), file="dear.toml")  # 24.017% a year
    assert dear.sha256 != shipped_policy().sha256
    book.underwriting.policies.propose(dear)
    with pytest.raises(EventRefused, match=r"policy marketplace version 2.* the ceiling of 0.24"):
        book.underwriting.policies.approve("marketplace", 2)
    assert book.underwriting.policies.named().version == 1


def test_a_fit_without_bad_cases_is_refused(book: LoanBook) -> None:
    with pytest.raises(BadInput, match="10 of each outcome"):
        book.underwriting.fit(date(2025, 2, 1), name="ours")


def test_the_book_is_read_in_parts_of_whole_merchants(
    book: LoanBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = book.underwriting.backtest("marketplace", *SPAN)
    monkeypatch.setattr(history, "parts_of", lambda cases: [[case] for case in cases])
    assert book.underwriting.backtest("marketplace", *SPAN) == whole
