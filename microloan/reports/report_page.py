"""Reports as pages: the portfolio with all its pictures, and any other report with its table, picture and definition."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from . import plots
from .aging import Aging
from .cash import ExpectedCash
from .page import money, percent, render, svg
from .portfolio import Portfolio
from .provisioning import Provisions
from .result import Report
from .rolling import RollRates
from .vintage import Vintages
from .words import words

#: Fields that are shares of something, and words by the group in which their values are found.
SHARES: Final = re.compile(r"^(share.*|utilisation|annual_yield|(provision|lpr|ceiling)_rate)$")
GROUPS: Final = {
    "bucket": "bucket", "from_bucket": "bucket", "to_bucket": "bucket", "classification": "class",
    "months_of_sales": "multiple",
}  # fmt: skip

#: Per report and table: title key and the fields shown.
TABLES: Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("portfolio", "months"): (
        "months",
        "month principal paid_out received income net_loss average_principal annual_yield limits utilisation allowance",
    ),
    ("portfolio", "merchants"): ("top_merchants", "name loans principal share"),
    ("portfolio", "products"): ("by_product", "name loans principal share"),
    ("portfolio", "platforms"): ("by_platform", "name loans principal share"),
    ("portfolio", "by_sales"): ("by_sales", "months_of_sales credit_lines limits share"),
    ("aging", "lines"): ("aging", "bucket loans principal share interest penalty fees"),
    ("aging", "classes"): ("classes", "classification loans principal share"),
    ("vintage", "lines"): (
        "vintage", "cohort months_on_book loans paid_out past_30 share_30 past_90 share_90 net_loss share_lost",
    ),
    ("roll-rate", "total"): ("roll-rate", "from_bucket to_bucket loans principal share"),
    ("roll-rate", "months"): ("roll_months", "month bucket loans principal share"),
    ("expected-cash", "lines"): ("expected-cash", "first last loans principal interest fees total"),
    ("provisions", "lines"): (
        "provisions", "product classification provision_rate principal allowance required to_post",
    ),
    ("rate-ceiling", "lines"): (
        "rate-ceiling", "month lpr_rate ceiling_rate loans amount loans_above amount_above share_above",
    ),
}  # fmt: skip

#: Figures at the head of a page.
HEADS: Final = {
    "portfolio": "principal loans borrowers limits utilisation past_due share_past_due share_past_90 allowance paid_out "
    "received income annual_yield net_loss hhi",
    "aging": "principal loans written_off_loans written_off_claim",
    "vintage": "loans paid_out",
    "roll-rate": "first last",
    "expected-cash": "total principal interest fees loans",
    "provisions": "principal allowance required to_post",
    "rate-ceiling": "first last",
}

Picture = tuple[str, Callable[[Any, Any, Mapping[str, str]], None], Report]


def portfolio_page(
    portfolio: Portfolio,
    aging: Aging,
    rolls: RollRates,
    vintages: Vintages,
    cash: ExpectedCash,
    provisions: Provisions,
    *,
    lang: str = "en",
    lender: str = "",
) -> str:
    """All of the portfolio on one page in a language, ``en`` or ``zh``. Raises InvalidSetting without the extra."""
    pictures: list[Picture] = [
        ("balance", plots.balance, portfolio), ("flows", plots.flows, portfolio),
        ("utilisation", plots.utilisation, portfolio), ("aging", plots.late_shares, rolls),
        ("vintage", plots.vintage_curves, vintages), ("vintage_90", plots.vintage_curves_90, vintages),
        ("rolls", plots.roll_matrix, rolls), ("provisions", plots.provision_bars, provisions),
        ("concentration", plots.concentration, portfolio), ("by_sales", plots.by_sales, portfolio),
        ("cash", plots.cash_bars, cash), ("yield", plots.annual_yield, portfolio),
    ]  # fmt: skip
    shown = [(portfolio, "months"), (aging, "lines"), (aging, "classes"), (provisions, "lines"),
             (portfolio, "merchants"), (portfolio, "products"), (portfolio, "platforms"), (portfolio, "by_sales"),
             (cash, "lines")]  # fmt: skip
    return _page(portfolio, shown, pictures, lang, lender)


def report_page(report: Report, *, lang: str = "en", lender: str = "") -> str:
    """One report on a page: figures, picture, tables, definition. Raises InvalidSetting without the extra."""
    shown = [(report, table) for table in report.TABLES if (report.name, table) in TABLES]
    pictures: list[Picture] = [(_CHARTS[report.name], plots.BEST[report.name], report)]
    return _page(report, shown, pictures, lang, lender)


_CHARTS: Final = {
    "portfolio": "balance", "aging": "aging", "vintage": "vintage", "roll-rate": "rolls", "expected-cash": "cash",
    "provisions": "provisions", "rate-ceiling": "rate_ceiling",
}  # fmt: skip


def _page(
    report: Any, shown: Sequence[tuple[Report, str]], pictures: Sequence[Picture], lang: str, lender: str
) -> str:
    said = words(lang)
    first = getattr(report, "first", None)
    told = "page.as_of" if report.name == "portfolio" else "page.as_of_day"
    return render(
        "report.html", lang=lang, title=said[f"title.{report.name}"], said=said,
        lead=said[told].format(as_of=report.as_of, first=first, currency=report.currency),
        verdict=_verdict(report, said), left_out=_left_out(report, said),
        facts=_facts(report, said), maker=said["page.made"].format(tenant=lender),
        pictures=[
            (key, said[f"chart.{key}"], said[f"about.{key}"], _drawn(draw, of, said)) for key, draw, of in pictures
        ],
        tables=[_table(of, table, said) for of, table in shown],
    )  # fmt: skip


def _drawn(
    draw: Callable[[Any, Any, Mapping[str, str]], None], report: Report, said: Mapping[str, str]
) -> Any:
    """The picture; None of a report that has nothing to show."""
    return svg(lambda axes: draw(axes, report, said)) if getattr(report, report.TABLES[0]) else None


def _verdict(report: Any, said: Mapping[str, str]) -> tuple[str, bool] | None:
    """Do the loans add up to the ledger? None of a report that does not ask."""
    if not hasattr(report, "ledger_principal"):
        return None
    sound = not report.difference
    key = "page.reconciled" if sound else "page.not_reconciled"
    amounts = {"principal": money(report.principal), "ledger": money(report.ledger_principal)}
    return said[key].format(**amounts), sound


def _left_out(report: Report, said: Mapping[str, str]) -> list[str]:
    """The loans that no figure of the page contains, a line each."""
    return [said["left_out"].format(loan_id=loan.loan_id, reason=loan.reason) for loan in report.left_out]


def _facts(report: Report, said: Mapping[str, str]) -> list[tuple[str, str]]:
    return [
        (_label(name, said), cell(name, getattr(report, name), said)) for name in HEADS[report.name].split()
    ]


def _table(report: Report, table: str, said: Mapping[str, str]) -> dict[str, Any]:
    title, listed = TABLES[report.name, table]
    names = listed.split()
    rows = [
        [(cell(name, getattr(row, name), said), _word(name)) for name in names]
        for row in getattr(report, table)
    ]
    labels = [(_label(name, said), _word(name)) for name in names]
    return {"title": said[f"title.{title}"], "labels": labels, "rows": rows}


def _word(name: str) -> bool:
    """Words and days stand left, numbers right."""
    return name in GROUPS or name in ("name", "product", "cohort", "month", "first", "last")


def _label(name: str, said: Mapping[str, str]) -> str:
    return said[f"field.{name}"]


def cell(name: str, value: Any, said: Mapping[str, str]) -> str:
    """A value as people read it: an amount with thousands apart, a share in per cent, a trade word."""
    if value is None:
        return "–" if name not in ("first", "last") else said["span.overdue"]
    if SHARES.match(name):
        return percent(value)
    if name == "hhi":
        return f"{value:f}"
    if isinstance(value, Decimal):
        return money(value)
    if isinstance(value, date):
        return value.isoformat()
    return said.get(f"{GROUPS.get(name, name)}.{value}", str(value))
