"""The pictures of the reports: each a function that draws a report on axes, with its words in one language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from .aging import Aging
from .cash import ExpectedCash
from .exposure import BUCKETS
from .page import COLOURS, INK, RULE, chinese_fonts, extra
from .portfolio import Portfolio
from .provisioning import Provisions
from .result import Report
from .rolling import PLACES, RollRates
from .vintage import VintageLine, Vintages
from .words import words

Words = Mapping[str, str]
Draw = Callable[[Any], None]

#: From not past due to the longest past due.
HEAT: Final = ("#b9cfe0", "#f6d9a8", "#f0b66b", "#e38b4a", "#c4622d", "#96401b", "#5f2410")
#: Curves of the newest cohorts are drawn, older ones would hide them.
MOST_COHORTS: Final = 12


def picture_of(report: Report, words: Words) -> Draw:
    """The one picture that shows a report best."""
    return lambda axes: BEST[report.name](axes, report, words)


def words_for(suffix: str, lang: str) -> Words:
    """The words of a picture file: English in a PNG where no installed font has Chinese; an SVG is its reader's to draw."""
    return words("en" if suffix.lower() == ".png" and not chinese_fonts() else lang)


# --- portfolio --------------------------------------------------------------------------------------------------------


def balance(axes: Any, portfolio: Portfolio, words: Words) -> None:
    """Principal at month ends."""
    _bars(axes, [line.principal for line in portfolio.months], words)
    months_under(axes, [line.last for line in portfolio.months])


def flows(axes: Any, portfolio: Portfolio, words: Words) -> None:
    """Cash out and cash in, a pair a month."""
    _pairs(
        axes, [(line.paid_out, line.received) for line in portfolio.months], words,
        (words["series.paid_out"], words["series.received"]),
    )  # fmt: skip
    months_under(axes, [line.last for line in portfolio.months])


def utilisation(axes: Any, portfolio: Portfolio, words: Words) -> None:
    """Principal over limits at month ends."""
    _share_line(axes, [line.utilisation for line in portfolio.months])
    months_under(axes, [line.last for line in portfolio.months])


def annual_yield(axes: Any, portfolio: Portfolio, words: Words) -> None:
    """Income over average principal, a point a month."""
    _share_line(axes, [line.annual_yield for line in portfolio.months])
    months_under(axes, [line.last for line in portfolio.months])


def concentration(axes: Any, portfolio: Portfolio, words: Words) -> None:
    """The largest merchants, the largest at the top."""
    lines = portfolio.merchants[::-1]
    axes.barh(range(len(lines)), [float(line.share or 0) for line in lines], 0.7, color=COLOURS[0])
    axes.set_yticks(range(len(lines)), [_short(line.name) for line in lines])
    axes.xaxis.set_major_formatter(in_percent)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")


def by_sales(axes: Any, portfolio: Portfolio, words: Words) -> None:
    """Limits by how many typical months of sales they are."""
    _bars(axes, [line.limits for line in portfolio.by_sales], words)
    names = [words[f"multiple.{line.months_of_sales}"] for line in portfolio.by_sales]
    axes.set_xticks(range(len(names)), [name.replace(" ", "\n", 1) for name in names], fontsize=8)


# --- the other reports ------------------------------------------------------------------------------------------------


def aging_bars(axes: Any, aging: Aging, words: Words) -> None:
    """Principal in each bucket."""
    axes.bar(range(len(BUCKETS)), [float(line.principal) for line in aging.lines], 0.7, color=HEAT)
    axes.set_xticks(range(len(BUCKETS)), [_bucket(name, words) for name in BUCKETS], fontsize=8)
    axes.yaxis.set_major_formatter(compact(words))


def late_shares(axes: Any, rolls: RollRates, words: Words) -> None:
    """Principal by bucket at month ends, shares stacked."""
    ends = sorted({line.month for line in rolls.months})
    floor = [0.0] * len(ends)
    for bucket, colour in zip(BUCKETS, HEAT, strict=True):
        heights = [float(line.share or 0) for line in rolls.months if line.bucket == bucket]
        axes.bar(range(len(ends)), heights, 0.8, bottom=floor, color=colour, label=_bucket(bucket, words))
        floor = [low + height for low, height in zip(floor, heights, strict=True)]
    axes.yaxis.set_major_formatter(in_percent)
    axes.set_ylim(0, 1)
    months_under(axes, ends)
    _legend_below(axes, 4)


def roll_matrix(axes: Any, rolls: RollRates, words: Words) -> None:
    """Where each bucket went: a square a pair, darker the larger its share."""
    found = {(line.from_bucket, line.to_bucket): float(line.share or 0) for line in rolls.total}
    grid = [[found.get((came, went), 0.0) for went in PLACES] for came in BUCKETS]
    across, down = ([n - 0.5 for n in range(len(names) + 1)] for names in (PLACES, BUCKETS))
    axes.pcolormesh(across, down, grid, cmap="Blues", vmin=0, vmax=1)
    axes.invert_yaxis()
    for row, shares in enumerate(grid):
        for column, each in enumerate(shares):
            if each:
                colour = "white" if each > 0.6 else INK
                axes.text(column, row, f"{each:.0%}", ha="center", va="center", fontsize=7.5, color=colour)
    axes.set_xticks(
        range(len(PLACES)), [_bucket(name, words) for name in PLACES], fontsize=7.5, rotation=35, ha="right"
    )
    axes.set_yticks(range(len(BUCKETS)), [_bucket(name, words) for name in BUCKETS], fontsize=7.5)
    axes.grid(visible=False)


def vintage_curves(axes: Any, vintages: Vintages, words: Words, mark: str = "share_30") -> None:
    """A curve a cohort by months on book, the newest darkest."""
    cohorts = _cohorts(vintages)
    shades = extra("matplotlib").colormaps["viridis"]
    for place, (name, lines) in enumerate(cohorts):
        colour = shades(0.9 - 0.85 * place / max(len(cohorts) - 1, 1))
        shares = [float(getattr(line, mark) or 0) for line in lines]
        months = [line.months_on_book for line in lines]
        axes.plot(months, shares, color=colour, lw=1.4, marker="o", ms=2.5, label=name)
    axes.yaxis.set_major_formatter(in_percent)
    axes.set_ylim(bottom=0)
    if not any(getattr(line, mark) for _, lines in cohorts for line in lines):
        axes.set_ylim(0, 0.1)
    axes.set_xlim(-0.5, max((line.months_on_book for _, lines in cohorts for line in lines), default=0) + 0.5)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel(words["series.months_on_book"])
    _legend_below(axes, 4)


def vintage_curves_90(axes: Any, vintages: Vintages, words: Words) -> None:
    """The same for more than 90 days."""
    vintage_curves(axes, vintages, words, "share_90")


def _cohorts(vintages: Vintages) -> list[tuple[str, list[VintageLine]]]:
    found: dict[str, list[VintageLine]] = {}
    for line in vintages.lines:
        found.setdefault(line.cohort, []).append(line)
    return list(found.items())[-MOST_COHORTS:]


def provision_bars(axes: Any, provisions: Provisions, words: Words) -> None:
    """Booked and required allowance, a pair a class."""
    sums: dict[str, list[Decimal]] = {}
    for line in provisions.lines:
        entry = sums.setdefault(line.classification, [Decimal(), Decimal()])
        entry[0] += line.allowance
        entry[1] += line.required
    series = (words["series.allowance"], words["series.required"])
    _pairs(axes, [(booked, asked) for booked, asked in sums.values()], words, series)
    axes.set_xticks(
        range(len(sums)), [words[f"class.{name}"].replace(" ", "\n") for name in sums], fontsize=8
    )


def cash_bars(axes: Any, cash: ExpectedCash, words: Words) -> None:
    """Principal, and interest with fees on it, a bar a span; what is past due first."""
    lines = cash.lines[:25]
    principal = [float(line.principal) for line in lines]
    places = range(len(lines))
    axes.bar(places, principal, 0.7, color=COLOURS[0], label=words["series.principal"])
    rest = [float(line.interest + line.fees) for line in lines]
    axes.bar(places, rest, 0.7, bottom=principal, color=COLOURS[1], label=words["series.interest"])
    names = [
        words["span.overdue"] if line.first is None else _span_name(line.first, cash.by) for line in lines
    ]
    step = -(-len(names) // 9)
    axes.set_xticks(places[::step], names[::step], fontsize=8, rotation=30, ha="right")
    axes.yaxis.set_major_formatter(compact(words))
    _legend_below(axes, 2)


def ceiling_bars(axes: Any, report: Any, words: Words) -> None:
    """New loans a month, by whether their yearly cost is above the ceiling; without an LPR all stand as not above."""
    above = [float(line.amount_above or 0) for line in report.lines]
    below = [float(line.amount) - over for line, over in zip(report.lines, above, strict=True)]
    places = range(len(above))
    axes.bar(places, below, 0.7, color=COLOURS[0], label=words["series.not_above"])
    axes.bar(places, above, 0.7, bottom=below, color=COLOURS[1], label=words["series.above"])
    axes.set_xticks(places, [line.month for line in report.lines], fontsize=8, rotation=30, ha="right")
    axes.yaxis.set_major_formatter(compact(words))
    _legend_below(axes, 2)


def _span_name(first: date, by: str) -> str:
    return f"{first:%Y-%m}" if by == "month" else f"{first:%m-%d}"


#: By report, the picture that shows it best.
BEST: Final[dict[str, Callable[[Any, Any, Words], None]]] = {
    "portfolio": balance, "aging": aging_bars, "vintage": vintage_curves, "roll-rate": roll_matrix,
    "expected-cash": cash_bars, "provisions": provision_bars,
    "rate-ceiling": ceiling_bars,
}  # fmt: skip


# --- axes -------------------------------------------------------------------------------------------------------------


def _bars(axes: Any, amounts: Sequence[Decimal], words: Words) -> None:
    axes.bar(range(len(amounts)), [float(amount) for amount in amounts], 0.7, color=COLOURS[0])
    axes.yaxis.set_major_formatter(compact(words))


def _pairs(axes: Any, pairs: Sequence[tuple[Decimal, Decimal]], words: Words, names: tuple[str, str]) -> None:
    for side, name in enumerate(names):
        places = [n - 0.2 + 0.4 * side for n in range(len(pairs))]
        axes.bar(places, [float(pair[side]) for pair in pairs], 0.38, color=COLOURS[side], label=name)
    axes.yaxis.set_major_formatter(compact(words))
    _legend_below(axes, 2)


def _share_line(axes: Any, shares: Sequence[Decimal | None]) -> None:
    values = [float("nan") if share is None else float(share) for share in shares]
    axes.plot(range(len(values)), values, color=COLOURS[0], marker="o", ms=3.5)
    axes.yaxis.set_major_formatter(in_percent)
    known = [float(share) for share in shares if share is not None]
    axes.set_ylim(min([0.0, *known]) * 1.15, max(known, default=0) * 1.15 or 1)
    axes.axhline(0, color=RULE, lw=0.8)


def _legend_below(axes: Any, columns: int) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=columns, fontsize=8, columnspacing=1.2
        )


def months_under(axes: Any, days: Sequence[date]) -> None:
    """Month names under the axis, at most seven of them."""
    step = max(1, -(-len(days) // 7))
    places = range(len(days) - 1, -1, -step)
    axes.set_xticks(list(places), [f"{days[place]:%Y-%m}" for place in places], fontsize=8)
    axes.set_xlim(-0.6, max(len(days), 1) - 0.4)


def in_percent(value: float, _: object) -> str:
    """A share beside an axis: small ones with a digit."""
    return f"{value:.0%}" if abs(value) >= 0.1 or value == 0 else f"{value:.1%}"


def compact(words: Words) -> Callable[[float, object], str]:
    """Large amounts as people say them: 1.2M, or 120万."""
    steps = ((1e8, "亿"), (1e4, "万")) if words["by.day"] == "日" else ((1e6, "M"), (1e3, "k"))

    def text(value: float, _: object) -> str:
        for size, unit in steps:
            if abs(value) >= size:
                return f"{value / size:,.4g}{unit}"
        return f"{value:,.0f}"

    return text


def _bucket(name: str, words: Words) -> str:
    return words[f"bucket.{name}"]


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:15]}…"


__all__ = [
    "aging_bars", "annual_yield", "balance", "by_sales", "cash_bars", "compact", "concentration", "flows", "in_percent",
    "late_shares", "months_under", "picture_of", "provision_bars", "roll_matrix", "utilisation", "vintage_curves",
    "vintage_curves_90", "words_for",
]  # fmt: skip
