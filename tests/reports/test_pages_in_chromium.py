"""The pages in a real browser, narrow and wide, in both languages: nothing overflows, nothing is fetched, all is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from microloan.book.loanbook import LoanBook
from microloan.reports.backtest_page import backtest_page
from microloan.reports.report_page import portfolio_page, report_page
from microloan.reports.statement_page import statement_page
from microloan.underwriting import shipped_policy
from microloan.underwriting.backtest import BackTest, backtest
from tests.store.counter import Counter

from .a_year import ODD_NAMES, a_year
from .chromium import PROGRAM, Tab, browser

FIGURES = {
    "balance", "flows", "utilisation", "aging", "vintage", "vintage_90", "rolls", "provisions", "concentration", "by_sales",
    "cash", "yield",
}  # fmt: skip
WIDTHS = (400, 1600)

#: Of each figure: its name, how many shapes it draws, and how wide it is shown.
SHOWN = """[...document.querySelectorAll('figure')].map(figure => [figure.id,
  figure.querySelectorAll('svg path, svg use').length, figure.querySelector('svg').getBoundingClientRect().width])"""
#: Every text inside the pictures that has no width on the screen.
INVISIBLE = """[...document.querySelectorAll('svg text')]
  .filter(text => text.textContent.trim() && !text.getBoundingClientRect().width).length"""


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoanBook]:
    """A lender's first year."""
    counter = Counter(f"sqlite:///{tmp_path_factory.mktemp('year')}/book.db").init()
    yield a_year(counter).book
    counter.book.close()


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """An open browser."""
    if not PROGRAM:
        pytest.skip("no chromium: apt-get install chromium fonts-noto-cjk")
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(year: LoanBook) -> dict[str, dict[str, str]]:
    """All pages there are, by language and name."""
    return {lang: _pages(year, lang) for lang in ("en", "zh")}


def _pages(book: LoanBook, lang: str) -> dict[str, str]:
    pack = book.portfolio_pack()
    each = (pack.aging, pack.rolls, pack.vintages, pack.cash, pack.provisions)
    facility = next(line for line in book.facilities() if line.merchant_id == ODD_NAMES[0])
    return {report.name: report_page(report, lang=lang) for report in each} | {
        "portfolio": portfolio_page(pack.portfolio, *each, lang=lang, lender="main"),
        "statement": statement_page(book.statement_paper(facility.id), lang),
        "backtest": backtest_page(_back_test(), lang=lang),
    }


def _back_test() -> BackTest:
    """Two shops of 700 days, one of which sells no more after the first year."""
    rows = [{"shop_id": shop, "order_id": f"{shop}{n}", "paid_at": date(2024, 1, 1) + timedelta(days=n), "amount": "9000"}
            for shop, days in (("a", 700), ("b", 366)) for n in range(days)]  # fmt: skip
    return backtest(rows, shipped_policy(), date(2024, 8, 1), date(2025, 3, 1))


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_asks_for_nothing_and_complains_of_nothing(
    pages: dict[str, dict[str, str]], tab: Tab, tmp_path: Path, lang: str, width: int
) -> None:
    for name, text in pages[lang].items():
        file = tmp_path / f"{name}.html"
        file.write_text(text, "utf-8")
        tab.visit(file, width)
        assert tab.ask("document.documentElement.scrollWidth") <= tab.ask("window.innerWidth") == width, name
        assert tab.requests() == [file.as_uri()], name
        assert tab.complaints() == [], name
        assert tab.ask("document.documentElement.lang") == {"en": "en", "zh": "zh-CN"}[lang]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_figure_of_the_portfolio_is_drawn(
    pages: dict[str, dict[str, str]], tab: Tab, tmp_path: Path, lang: str, width: int
) -> None:
    file = tmp_path / "portfolio.html"
    file.write_text(pages[lang]["portfolio"], "utf-8")
    tab.visit(file, width)
    shown = {name: (shapes, wide) for name, shapes, wide in tab.ask(SHOWN)}
    assert set(shown) == FIGURES
    for name, (shapes, wide) in shown.items():
        assert shapes >= 5, name
        assert 300 <= wide <= width, name
    assert tab.ask(INVISIBLE) == 0
    assert len(tab.picture()) > 50_000


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_column_of_a_back_test_is_hidden_on_an_ordinary_screen(
    pages: dict[str, dict[str, str]], tab: Tab, tmp_path: Path, lang: str
) -> None:
    file = tmp_path / "backtest.html"
    file.write_text(pages[lang]["backtest"], "utf-8")
    for width, hides in ((1100, False), (400, True)):
        tab.visit(file, width)
        cut = tab.ask(
            "[...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth).length"
        )
        assert bool(cut) is hides
    assert tab.ask("getComputedStyle(document.querySelector('.scroll')).overflowX") == "auto"
    assert tab.ask(INVISIBLE) == 0


def test_chinese_is_drawn_with_a_font_that_has_it(tab: Tab, tmp_path: Path) -> None:
    """Boxes for missing characters are all alike; characters of a font are not."""
    file = tmp_path / "characters.html"
    page = "<meta charset=utf-8><style>span{font:40px sans-serif}</style><canvas id=c></canvas>"
    file.write_text(page, "utf-8")
    tab.visit(file, 400)
    drawn = """(character => { const canvas = document.createElement('canvas'), pen = canvas.getContext('2d');
      pen.font = '40px sans-serif'; pen.fillText(character, 5, 50); return canvas.toDataURL(); })"""
    assert tab.ask(f"{drawn}('贷') !== {drawn}('款')"), "no Chinese font: apt-get install fonts-noto-cjk"


def test_names_of_merchants_are_text_and_nothing_else(
    pages: dict[str, dict[str, str]], tab: Tab, tmp_path: Path
) -> None:
    for name, text in pages["en"].items():
        file = tmp_path / f"{name}.html"
        file.write_text(text, "utf-8")
        tab.visit(file, 1600)
        assert tab.ask("document.scripts.length") == 0, name
    tab.visit(tmp_path / "statement.html", 1600)
    assert ODD_NAMES[0] in tab.ask("document.body.innerText")  # it is that merchant's
    assert "<script>" not in text


def test_a_statement_is_printed_on_a4(pages: dict[str, dict[str, str]], tab: Tab, tmp_path: Path) -> None:
    file = tmp_path / "statement.html"
    file.write_text(pages["zh"]["statement"], "utf-8")
    tab.visit(file, 1600)
    printed = tab.pdf_pages()
    assert printed.startswith(b"%PDF")
    assert b"/MediaBox [0 0 594.95996 841.91998]" in printed or b"/MediaBox [0 0 595" in printed
