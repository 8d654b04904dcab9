"""Pages, pictures, frames and files of the reports, without a browser."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from microloan.book.loanbook import LoanBook
from microloan.book.reporting import REPORTS
from microloan.errors import BadInput, InvalidDate, InvalidSetting
from microloan.reports.page import CHINESE_FONTS, chinese_fonts, picture
from microloan.reports.plots import picture_of, words_for
from microloan.reports.report_page import TABLES, portfolio_page, report_page
from microloan.reports.result import Report
from microloan.reports.statement_page import statement_page
from microloan.reports.words import WORDS, words
from tests.store.counter import Counter
from tests.store.test_any_history import Teller
from tests.store.test_close_of_day import busy_book

from .a_year import ODD_NAMES, a_year


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoanBook]:
    """A lender's first year."""
    counter = Counter(f"sqlite:///{tmp_path_factory.mktemp('year')}/book.db").init()
    yield a_year(counter).book
    counter.book.close()


def whole_page(book: LoanBook, lang: str) -> str:
    pack = book.portfolio_pack()
    return portfolio_page(
        pack.portfolio, pack.aging, pack.rolls, pack.vintages, pack.cash, pack.provisions, lang=lang, lender="main"
    )  # fmt: skip


@pytest.fixture(scope="module")
def pages(year: LoanBook) -> dict[str, str]:
    """The whole page of the year in each language."""
    return {lang: whole_page(year, lang) for lang in ("en", "zh")}


def statement_of(book: LoanBook, merchant: str, lang: str = "en") -> str:
    facility = next(line for line in book.facilities() if line.merchant_id == merchant)
    return statement_page(book.statement_paper(facility.id), lang)


# --- one file that refers to nothing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_page_refers_to_nothing_and_runs_nothing(year: LoanBook, pages: dict[str, str], lang: str) -> None:
    for page in (pages[lang], statement_of(year, ODD_NAMES[0], lang)):
        references = re.findall(r"(?:href|src|url|@import)\s*[=(]?\s*[\"'(]([^\"')]+)", page)
        assert all(each.startswith("#") for each in references)
        addresses = set(re.findall(r"https?://[^\s\"'<&]+", page))
        assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink", "http://x"}
        assert "<script" not in page


def test_the_same_book_gives_the_same_page(year: LoanBook, pages: dict[str, str]) -> None:
    assert whole_page(year, "en") == pages["en"]


def test_the_page_says_that_it_agrees_with_the_ledger(year: LoanBook, pages: dict[str, str]) -> None:
    owed = year.report("aging").principal  # type: ignore[attr-defined]
    assert f"All loans together owe {owed:,}; the general ledger says the same." in pages["en"]


def test_a_difference_from_the_ledger_is_said_in_the_first_line(year: LoanBook) -> None:
    from dataclasses import replace

    aging = year.report("aging")
    wrong = replace(aging, ledger_principal=Decimal("1.00"), difference=Decimal("5.00"))  # type: ignore[type-var]
    assert "the general ledger says 1.00: run microloan verify" in report_page(wrong)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_an_empty_book_has_pages_too(sqlite_url: str, lang: str) -> None:
    book = Counter(sqlite_url).init().book
    for name in REPORTS:
        assert words(lang)[f"title.{name}"] in report_page(book.report(name), lang=lang)
    page = whole_page(book, lang)
    assert page.count("<figure") == 12
    assert words(lang)["page.empty"] in page


def test_every_word_is_there_in_both_languages_with_the_same_fields() -> None:
    for key, (english, chinese) in WORDS.items():
        assert english, key
        assert chinese != english, key
        assert sorted(re.findall(r"{(\w+)}", english)) == sorted(re.findall(r"{(\w+)}", chinese)), key


def test_every_table_of_every_report_can_be_shown(year: LoanBook) -> None:
    shown = {name for name, _ in TABLES}
    assert shown == set(REPORTS)


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_has_a_picture_as_png_and_svg(year: LoanBook, name: str) -> None:
    report = year.report(name)
    assert picture(picture_of(report, words_for(".PNG", "zh")), ".PNG").startswith(b"\x89PNG\r\n")
    drawn = picture(picture_of(report, words_for(".svg", "zh")), ".svg").decode()
    assert drawn.startswith("<?xml")
    assert drawn.count("<path") > 5
    assert "<image" not in drawn
    assert "Microsoft YaHei" in drawn


def test_words_of_a_picture_are_text_in_the_reader_s_fonts(year: LoanBook) -> None:
    drawn = picture(picture_of(year.report("aging"), words("zh")), ".svg").decode()
    assert "未逾期" in drawn


def test_a_picture_is_png_or_svg(year: LoanBook) -> None:
    with pytest.raises(BadInput, match=r"\.jpg"):
        picture(picture_of(year.report("aging"), words("en")), ".jpg")


def test_fonts_that_have_chinese_are_found_by_name() -> None:
    assert set(chinese_fonts()) <= set(CHINESE_FONTS)


@pytest.mark.parametrize("module", ["matplotlib", "jinja2"])
def test_without_the_extra_it_says_what_to_install(
    year: LoanBook, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InvalidSetting, match=r"microloan\[reports\]"):
        whole_page(year, "en")


# --- frames and JSON --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REPORTS)
def test_a_frame_has_the_rows_of_the_report_with_exact_amounts(year: LoanBook, name: str) -> None:
    report = year.report(name)
    for table in report.TABLES:
        frame = report.to_frame(table)
        rows = getattr(report, table)
        assert len(frame) == len(rows)
        for column in frame:
            assert [getattr(row, column) for row in rows] == list(frame[column])
            assert not any(isinstance(value, float) for value in frame[column])


def test_a_frame_of_another_table_names_those_there_are(year: LoanBook) -> None:
    with pytest.raises(KeyError, match="lines, classes"):
        year.report("aging").to_frame("rows")


def test_pandas_comes_only_with_a_frame(year: LoanBook) -> None:
    import subprocess

    told = "import microloan.book.reporting, sys; print([m for m in ('pandas', 'matplotlib', 'jinja2') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", told], text=True).strip() == "[]"


def test_json_has_money_as_text(year: LoanBook) -> None:
    import json

    told = json.loads(year.report("aging").to_json())
    assert all(isinstance(line["principal"], str) for line in told["lines"])
    assert told["as_of"] == year.settings().open_day.isoformat()


# --- what cannot be asked ---------------------------------------------------------------------------------------------


def test_a_report_there_is_not_names_those_there_are(year: LoanBook) -> None:
    with pytest.raises(BadInput, match="portfolio, aging, vintage, roll-rate, expected-cash, provisions"):
        year.report("profit")


@pytest.mark.parametrize("name", REPORTS)
def test_no_report_is_of_a_day_to_come(year: LoanBook, name: str) -> None:
    with pytest.raises(InvalidDate):
        year.report(name, year.settings().open_day + timedelta(days=1))


def test_expected_cash_of_a_span_there_is_not_is_refused(year: LoanBook) -> None:
    with pytest.raises(BadInput, match="day, week, month"):
        year.report("expected-cash", by="year")


@pytest.mark.parametrize("by", ["day", "week", "month"])
def test_expected_cash_is_the_same_money_by_day_week_and_month(year: LoanBook, by: str) -> None:
    months = year.report("expected-cash")
    other = year.report("expected-cash", by=by)
    assert _totals(other) == _totals(months)


def _totals(report: Report) -> tuple[object, ...]:
    return tuple(getattr(report, name) for name in ("principal", "interest", "fees", "total"))


# --- the statement ----------------------------------------------------------------------------------------------------


def test_a_name_full_of_markup_is_only_text(year: LoanBook) -> None:
    page = statement_of(year, ODD_NAMES[0])
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "=HYPERLINK(&#34;http://x&#34;,&#34;y&#34;)" in statement_of(year, ODD_NAMES[1])


def test_a_reversed_payment_is_struck_through_and_explained(year: LoanBook) -> None:
    owner = {loan.id: loan.merchant_id for loan in year.loans()}
    merchant = next(
        owner[loan] for loan in owner for line in year.ledger(loan) if line.reversed_by and line.type == "repay"
    )  # fmt: skip
    page = statement_of(year, merchant)
    assert '<tr class="struck">' in page
    assert "entered and later reversed" in page
    assert "已被冲销" in statement_of(year, merchant, "zh")


def test_the_price_stands_on_the_statement_in_every_form(year: LoanBook) -> None:
    page = statement_of(year, ODD_NAMES[2])
    for text in (
        "0.048%",
        "17.52%",
        "rate a year (simple × 365)",
        "all-in cost a year",
        "深圳海鲜 &amp; 水产",
    ):
        assert text in page, text


def test_a_statement_without_movements_says_so(year: LoanBook) -> None:
    facility = next(line for line in year.facilities() if line.merchant_id == ODD_NAMES[0])
    day = year.settings().open_day
    page = statement_page(year.statement_paper(facility.id, day, day))
    assert "No movements in this period." in page


@pytest.mark.parametrize("seed", range(60, 64))
def test_the_days_that_bore_interest_add_up_to_the_interest_of_the_period(sqlite_url: str, seed: int) -> None:
    counter = Counter(sqlite_url).init()
    busy_book(counter)
    teller = Teller(counter, seed)
    for _ in range(60):
        teller.step()
    last = counter.book.settings().open_day
    for facility in counter.book.facilities():
        for first in (None, last - timedelta(days=30), last):
            paper = counter.book.statement_paper(facility.id, first, last)
            statement = paper.statement
            assert sum((span.interest for span in paper.spans), Decimal()) == statement.interest_charged
            assert sum((span.penalty for span in paper.spans), Decimal()) == statement.penalty_charged
            assert statement_page(paper, "zh")


def test_a_loan_paid_on_its_days_shows_the_published_figures(sqlite_url: str) -> None:
    """SEMANTICS 1: 300,000.00 at 0.048% a day; 100,000.00 after 30 days, 50,000.00 after 15 more."""
    counter = Counter(sqlite_url).init()
    loan = counter.loan(counter.line())
    for days, amount in ((30, "100000"), (45, "50000")):
        counter.close_until(loan.start + timedelta(days=days))  # type: ignore[operator]
        counter.book.repay(loan.id, amount)
    spans = counter.book.statement_paper(loan.id).spans
    assert [(span.nights, span.principal, span.interest) for span in spans] == [
        (30, Decimal("300000.00"), Decimal("4320.00")),
        (15, Decimal("204320.00"), Decimal("1471.10")),
    ]
