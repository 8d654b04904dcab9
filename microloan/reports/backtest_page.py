"""A back-test as one HTML page: what was granted, what came of it, in tables and pictures. Needs the extra ``reports``.

The page is a single file without any reference to another, in English or Chinese; it is made from the values of a
:class:`~microloan.underwriting.backtest.BackTest` and computes nothing itself but widths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from ..money import amount_text
from ..underwriting.backtest import RULE_MONTHS, BackTest, Month, PolicyResult, Shift, Stress
from .page import COLOURS, INK, RULE, percent, plain, render, svg
from .plots import compact, in_percent, months_under
from .words import words

Words = Mapping[str, str]
#: A cell: its text and its class in the style sheet, if it has one.
Cell = tuple[str, str]

DECIDED: Final = "as_of merchants approved manual_review declined approval_rate limit_minor"
CAME: Final = "as_of covered_share coverage judged collapsed collapsed_share rule_share auc ks"
GRADES: Final = "grade cases collapsed predicted observed limit_minor"
#: Decimal fields that are no share of anything.
NO_SHARES: Final = ("coverage", "auc", "ks")
_RULE: Final = Decimal(RULE_MONTHS.numerator) / RULE_MONTHS.denominator


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it is shown: a label a column, cells a row; with ``total`` the last row is the sum of the others."""

    labels: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: bool = False
    narrow: bool = True


def backtest_page(test: BackTest, *, lang: str = "en") -> str:
    """The page as HTML text in a language, ``en`` or ``zh``. Raises InvalidSetting without the extra ``reports``."""
    said = words(lang)
    share = percent(test.undated_share)
    return render(
        "backtest.html", lang=lang, said=said, test=test, title=_title(test, said),
        lead=said["backtest.lead"].format(
            first=test.first, last=test.last, covered_until=test.covered_until, currency=test.currency
        ),
        verdicts=[verdict(result, lang) for result in test.results],
        pictures=[_picture(name, test, said) for name in _PICTURES],
        sections=_sections(test, said), terms=_terms(test, said),
        undated=said["backtest.undated"].format(undated=test.undated, changes=test.changes, share=share),
    )  # fmt: skip


def _named(result: PolicyResult) -> str:
    return f"{result.name} v{result.version}"


def _title(test: BackTest, said: Words) -> str:
    if test.challenger is None:
        return said["backtest.heading"].format(champion=_named(test.champion))
    return said["backtest.heading_against"].format(
        champion=_named(test.champion), challenger=_named(test.challenger)
    )


def verdict(result: PolicyResult, lang: str = "en") -> str:
    """What a reader should take away, in sentences of a language, ``en`` or ``zh``."""
    said, total, policy = words(lang), result.total, _named(result)
    if not total.known or total.collapsed_share is None:
        return said["backtest.unknown"].format(policy=policy)
    told = [said["backtest.collapsed_share"].format(policy=policy, share=percent(total.collapsed_share))]
    if total.rule_share:
        lower = 1 - total.collapsed_share / total.rule_share
        key = "backtest.lower" if lower >= 0 else "backtest.higher"
        told.append(said[key].format(months=_RULE, rule=percent(total.rule_share), by=percent(abs(lower))))
    ranked = "backtest.unranked" if total.auc is None else "backtest.ranked"
    told.append(said[ranked].format(auc=total.auc, ks=total.ks))
    told.append(said["backtest.covered"].format(covered=percent(total.covered_share)))
    return said["sentence.next"].join(told)


def _terms(test: BackTest, said: Words) -> list[tuple[str, str]]:
    """The terms of the tables, each with its definition."""
    names = {
        "collapsed": "collapsed",
        "judged": "judged",
        "rule_share": "rule",
        "covered_share": "covered",
        "predicted": "told",
    }
    return [
        (
            said[f"backtest.{label}"],
            said[f"backtest.about_{about}"].format(rule=_RULE, least_months=test.least_months),
        )
        for label, about in names.items()
    ]


# --- tables -----------------------------------------------------------------------------------------------------------


def _sections(test: BackTest, said: Words) -> list[tuple[str, str, list[tuple[str, Table]]]]:
    """Headings, each with what to know and a table a policy."""
    made: dict[str, Callable[[PolicyResult], Table]] = {
        "decided": lambda result: _months(result, DECIDED, test.currency, said),
        "came": lambda result: _months(result, CAME, test.currency, said),
        "calibration": lambda result: _grades(result, test.currency, said),
        "stress": lambda result: _stresses(result, said),
        "stability": lambda result: _shifts(result, said),
    }
    return [
        (
            said[f"backtest.{name}"],
            said.get(f"backtest.about_{name}", ""),
            [(_named(result), make(result)) for result in test.results],
        )
        for name, make in made.items()
    ]


def _months(result: PolicyResult, fields: str, currency: str, said: Words) -> Table:
    names = fields.split()
    rows = [_cells(month, names, currency) for month in (*result.months, result.total)]
    rows[-1] = ((said["backtest.total"], ""), *rows[-1][1:])
    return Table(_labels(names, said), tuple(rows), total=True, narrow=False)


def _grades(result: PolicyResult, currency: str, said: Words) -> Table:
    names = GRADES.split()
    rows = (
        ((grade.grade or said["backtest.below"], ""), *_cells(grade, names[1:], currency))
        for grade in result.grades
    )
    return Table(_labels(names, said), tuple(rows))


def _stresses(result: PolicyResult, said: Words) -> Table:
    rows = (
        (
            (_preset(each, said), ""),
            *((percent(share), "") for share in (each.covered, each.collapsed, each.expected)),
        )
        for each in result.stress
    )
    return Table(_labels(["preset", "covered_share", "of_limits", "expected"], said), tuple(rows))


def _preset(stress: Stress, said: Words) -> str:
    """The name of a preset, from its factors."""
    parts = []
    if stress.sales != 1:
        parts.append(said["backtest.sales_fall"].format(fall=int((1 - stress.sales) * 100)))
    if stress.default != 1:
        parts.append(said["backtest.default_times"].format(times=stress.default))
    return said["backtest.and"].join(parts) or said["backtest.as_it_came"]


def _shifts(result: PolicyResult, said: Words) -> Table:
    rows = (_shift(each, said) for each in result.shifts)
    return Table(_labels(["feature", "largest", "last_month", "meaning"], said), tuple(rows))


def _shift(shift: Shift, said: Words) -> tuple[Cell, ...]:
    stable, moved = shift.largest < Decimal("0.1"), shift.largest < Decimal("0.25")
    word = "stable" if stable else "moved" if moved else "another"
    return (
        (said.get(f"feature_name.{shift.feature}", shift.feature), ""),
        (str(shift.largest), "" if moved else "bad"),
        (plain(shift.monthly[-1] if shift.monthly else None), ""),
        (said[f"backtest.{word}"], "word"),
    )


def _labels(names: Iterable[str], said: Words) -> tuple[str, ...]:
    """The heads of columns; a share of limits is told apart from the number that collapsed."""
    keys = {"collapsed_share": "of_limits"}
    return tuple(said[f"backtest.{keys.get(name, name)}"] for name in names)


def _cells(row: object, names: Iterable[str], currency: str) -> tuple[Cell, ...]:
    return tuple((_text(name, getattr(row, name), currency), "") for name in names)


def _text(name: str, value: Any, currency: str) -> str:
    if name == "limit_minor":
        return grouped(value, currency)
    if isinstance(value, Decimal) and name not in NO_SHARES:
        return percent(value)
    return plain(value)


def grouped(minor: int | None, currency: str) -> str:
    """An amount in major units, thousands apart, without its minor digits.

    >>> grouped(123456789, "CNY")
    '1,234,567'
    """
    return "–" if minor is None else f"{Decimal(amount_text(minor, currency)):,.2f}".partition(".")[0]


# --- pictures ---------------------------------------------------------------------------------------------------------


def _picture(name: str, test: BackTest, said: Words) -> tuple[str, str, Any]:
    """A picture: its name, its caption, its drawing."""
    caption = said[f"backtest.chart_{name}"].format(currency=test.currency)
    return name, caption, svg(lambda axes: _PICTURES[name](axes, test, said), (5.6, 3.0))


def _days(months: Sequence[Month]) -> list[date]:
    return [month.as_of for month in months]


def _numbers(values: Sequence[Decimal | None]) -> list[float]:
    return [float("nan") if value is None else float(value) for value in values]


def _as_percent(axes: Any) -> None:
    axes.yaxis.set_major_formatter(in_percent)
    axes.set_ylim(bottom=0)


def _limits(axes: Any, test: BackTest, said: Words) -> None:
    width = 0.8 / len(test.results)
    for number, result in enumerate(test.results):
        places = [n - 0.4 + width * (number + 0.5) for n in range(len(result.months))]
        heights = [float(Decimal(amount_text(month.limit_minor, test.currency))) for month in result.months]
        axes.bar(places, heights, width * 0.92, color=COLOURS[number], label=result.name)
    axes.yaxis.set_major_formatter(compact(said))
    months_under(axes, _days(test.champion.months))
    _legend(axes, test)


def _collapsed(axes: Any, test: BackTest, said: Words) -> None:
    months = test.champion.months
    axes.plot(
        _numbers([m.rule_share for m in months]), "--", color=RULE, marker="o", ms=3.5,
        label=said["backtest.series_rule"],
    )  # fmt: skip
    for number, result in enumerate(test.results):
        shares = _numbers([m.collapsed_share for m in result.months])
        axes.plot(shares, color=COLOURS[number], marker="o", ms=3.5, label=result.name)
    _as_percent(axes)
    months_under(axes, _days(months))
    axes.legend(loc="best")


def _ranking(axes: Any, test: BackTest, said: Words) -> None:
    for number, result in enumerate(test.results):
        values = _numbers([m.auc for m in result.months])
        axes.plot(values, color=COLOURS[number], marker="o", ms=3.5, label=result.name)
    axes.axhline(0.5, color=RULE, lw=1, ls=":")
    axes.set_ylim(0.4, 1)
    months_under(axes, _days(test.champion.months))
    _legend(axes, test)


def _calibration(axes: Any, test: BackTest, said: Words) -> None:
    width = 0.8 / len(test.results)
    names = [grade.grade for grade in test.champion.grades]
    for number, result in enumerate(test.results):
        for n, name in enumerate(names):
            found = next((g for g in result.grades if g.grade == name), None)
            if found is None or found.observed is None:
                continue
            middle = n - 0.4 + width * (number + 0.5)
            label = said["backtest.series_happened"].format(policy=result.name) if n == 0 else None
            axes.bar(middle, float(found.observed), width * 0.92, color=COLOURS[number], label=label)
            if found.predicted is not None:
                told = float(found.predicted)
                axes.plot([middle - width / 2, middle + width / 2], [told, told], color=INK, lw=2,
                          label=said["backtest.predicted"] if n == 0 and number == 0 else None)  # fmt: skip
    axes.set_xticks(range(len(names)), [name or said["backtest.below"] for name in names])
    _as_percent(axes)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left")


def _legend(axes: Any, test: BackTest) -> None:
    if len(test.results) > 1:
        axes.legend(loc="best")


_PICTURES: Final[dict[str, Callable[[Any, BackTest, Words], None]]] = {
    "limits": _limits, "collapsed": _collapsed, "ranking": _ranking, "calibration": _calibration,
}  # fmt: skip
