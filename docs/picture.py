"""Draws the picture of the README: a shop's sales, the limit made of them, and a loan within it, on the bundled data.

``python docs/picture.py [FOLDER]`` writes picture.svg and picture.zh.svg, by default beside this file. Every figure in it is
the book's answer; the story is that of ``microloan demo``.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from microloan import LoanBook
from microloan.reports.page import COLOURS, INK, SOFT, picture

HERE: Final = Path(__file__).parent
SALES: Final = HERE.parent / "fixtures" / "sales" / "seafood.csv.gz"
SHOP: Final = "seafood"
APPLIED, PART_PAID, REPAID = date(2025, 5, 12), date(2025, 6, 20), date(2025, 7, 21)
DRAWN, PART = Decimal("300000"), Decimal("200000")
SHOWN_FROM: Final = date(2024, 6, 1)
BARS, LOAN = "#b9cfe0", COLOURS[1]

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "sales": "sales of a seafood shop, by month",
        "limit": "its limit, of which {seasonal:,.0f} for the 6.18 sale",
        "owed": "what it owes",
        "drawn": "draws {drawn:,.0f}",
        "part": "pays {part:,.0f} back",
        "closed": "pays the rest after {days} days:\n{interest:,.2f} interest in all",
    },
    "zh": {
        "sales": "一家海鲜店的每月销售额",
        "limit": "授信额度，其中 6.18 临时额度 {seasonal:,.0f}",
        "owed": "欠款",
        "drawn": "支用 {drawn:,.0f}",
        "part": "还款 {part:,.0f}",
        "closed": "{days} 天后结清\n利息共 {interest:,.2f}",
    },
}


@dataclass(frozen=True)
class Story:
    """What the book says of the shop; amounts in yuan."""

    sales: Mapping[date, Decimal]
    limit: Mapping[date, Decimal]
    owed: Mapping[date, Decimal]
    seasonal: Decimal
    interest: Decimal


def story() -> Story:
    """The shop's year, lived in a book of its own."""
    with TemporaryDirectory() as folder, LoanBook.open(f"sqlite:///{folder}/book.db") as book:
        book.init(open_day=APPLIED)
        book.sales.load(SALES)
        decision = book.underwrite(SHOP)
        assert decision.offer_id is not None
        contract = book.contract(decision.offer_id)
        facility = book.sign(decision.offer_id, signer="Li Wei", contract_sha256=contract.sha256)
        loan = book.draw(facility.id, DRAWN, days=90, confirm=True).id
        book.close_day(to=PART_PAID - timedelta(1))
        first = book.repay(loan, PART)
        book.close_day(to=REPAID - timedelta(1))
        last = book.repay(loan, "all")
        days = [APPLIED + timedelta(n) for n in range((REPAID - APPLIED).days + 1)]
        until = facility.seasonal_until or APPLIED
        return Story(
            sales=_by_month(book),
            limit={day: facility.limit + (facility.seasonal_limit if day <= until else 0) for day in days},
            owed={day: book.payoff(loan, day).amount for day in days},
            seasonal=facility.seasonal_limit,
            interest=first.interest + last.interest,
        )


def _by_month(book: LoanBook) -> Mapping[date, Decimal]:
    """Net sales by the first day of their month."""
    months: defaultdict[date, Decimal] = defaultdict(Decimal)
    for line in book.sales.lines(SHOP, SHOWN_FROM, APPLIED):
        if line.status != "cancelled":
            months[line.paid_on.replace(day=1)] += line.amount - line.refund
    return months


def drawing(told: Story, words: Mapping[str, str]) -> Callable[[Any], None]:
    """The picture, to be drawn on axes."""

    def draw(axes: Any) -> None:
        months = list(told.sales)
        ends = [min((month + timedelta(31)).replace(day=1), APPLIED) for month in months]
        widths = [(end - month).days - 3 for month, end in zip(months, ends, strict=True)]
        sold = axes.bar(months, list(told.sales.values()), widths, align="edge", color=BARS)
        (limit,) = axes.step(*_line(told.limit), where="post", color=COLOURS[0], linewidth=2)
        owed = axes.fill_between(*_line(told.owed), step="post", color=LOAN, alpha=0.55, linewidth=0)
        named = (words["sales"], words["limit"].format(seasonal=told.seasonal), words["owed"])
        axes.legend((sold, limit, owed), named, loc="upper left")
        _notes(axes, told, words)
        axes.set_ylim(0, float(max(told.limit.values())) * 1.32)
        axes.set_xlim(SHOWN_FROM, REPAID + timedelta(75))
        axes.yaxis.set_major_formatter(lambda value, _place: f"{value:,.0f}")
        axes.xaxis.set_major_formatter(_month)

    return draw


def _line(values: Mapping[date, Decimal]) -> tuple[list[date], list[float]]:
    return list(values), [float(value) for value in values.values()]


def _month(day: float, _place: object) -> str:
    """A tick: matplotlib counts days from 1970."""
    return f"{date(1970, 1, 1) + timedelta(int(day)):%Y-%m}"


def _notes(axes: Any, told: Story, words: Mapping[str, str]) -> None:
    figures = {"drawn": DRAWN, "part": PART, "interest": told.interest, "days": (REPAID - APPLIED).days}
    rest = float(told.owed[REPAID - timedelta(1)])
    places = (
        ("drawn", APPLIED, float(DRAWN), (-8, -14), "right"),
        ("part", PART_PAID, float(DRAWN), (8, -14), "left"),
        ("closed", REPAID, rest, (8, -24), "left"),
    )
    for name, day, height, offset, side in places:
        text = words[name].format(**figures)
        axes.annotate(
            text, (day, height), offset, textcoords="offset points", ha=side, fontsize=8.5,
            color=INK if name == "drawn" else SOFT,
        )  # fmt: skip


def main(folder: Path = HERE) -> None:
    """Draw it in both languages."""
    told = story()
    for lang, name in (("en", "picture.svg"), ("zh", "picture.zh.svg")):
        (folder / name).write_bytes(picture(drawing(told, WORDS[lang]), ".svg", (9.0, 3.6)))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
