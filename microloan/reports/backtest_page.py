"""A back-test as one HTML page: what was granted, what came of it, in tables and pictures. Needs the extra ``reports``.

The page is a single file without any reference to another; it is made from the values of a
:class:`~microloan.underwriting.backtest.BackTest` and computes nothing itself but widths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from ..money import amount_text
from ..underwriting.backtest import RULE_MONTHS, BackTest, Month, PolicyResult
from .page import COLOURS, INK, RULE, percent, render, svg


def backtest_page(test: BackTest) -> str:
    """The page as HTML text. Raises InvalidSetting without the extra ``reports``."""
    return render(
        _TEMPLATE, {"amount": lambda minor: grouped(minor, test.currency)}, lang="en",
        title=f"Back-test {test.champion.name} {test.first} to {test.last}",
        test=test, results=test.results, rule=RULE_MONTHS, verdicts=_verdicts(test), shift=_shift_word,
        pictures={name: svg(_of(draw, test), (5.6, 3.0)) for name, draw in _PICTURES.items()},
    )  # fmt: skip


def _of(draw: Callable[[Any, BackTest], None], test: BackTest) -> Callable[[Any], None]:
    return lambda axes: draw(axes, test)


def grouped(minor: int | None, currency: str) -> str:
    """An amount in major units, thousands apart, without its minor digits.

    >>> grouped(123456789, "CNY")
    '1,234,567'
    """
    return "–" if minor is None else f"{Decimal(amount_text(minor, currency)):,.2f}".partition(".")[0]


def _shift_word(index: Decimal) -> str:
    return (
        "stable" if index < Decimal("0.1") else "moved" if index < Decimal("0.25") else "another population"
    )


def _verdicts(test: BackTest) -> list[str]:
    """What a reader should take away, in sentences."""
    return [_verdict(result) for result in test.results]


def _verdict(result: PolicyResult) -> str:
    total = result.total
    name = f"{result.name} v{result.version}"
    if not total.known or total.collapsed_share is None:
        return f"{name}: no outcome is known yet; the flow ends before the first 90 days are over."
    text = (
        f"{name}: {percent(total.collapsed_share)} of the limits went to merchants whose sales then collapsed"
    )
    if total.rule_share:
        lower = 1 - total.collapsed_share / total.rule_share
        word = "lower" if lower >= 0 else "higher"
        text += f"; under the common rule at the same total {percent(total.rule_share)}, so {percent(abs(lower))} {word}"
    ranked = f"AUC {total.auc}, KS {total.ks}" if total.auc is not None else "no ranking to measure"
    return f"{text}. {ranked}; following sales cover {percent(total.covered_share)} of the limits."


# --- pictures ---------------------------------------------------------------------------------------------------------


def _labels(months: Sequence[Month]) -> list[str]:
    return [f"{month.as_of:%b}\n{month.as_of:%Y}" if n == 0 or month.as_of.month == 1 else f"{month.as_of:%b}"
            for n, month in enumerate(months)]  # fmt: skip


def _thin(axes: Any, months: Sequence[Month]) -> None:
    """Month names under the axis, at most a dozen of them."""
    step = -(-len(months) // 12)
    axes.set_xticks(range(0, len(months), step), _labels(months)[::step])
    axes.set_xlim(-0.5, len(months) - 0.5)


def _numbers(values: Sequence[Decimal | None]) -> list[float]:
    return [float("nan") if value is None else float(value) for value in values]


def _as_percent(axes: Any) -> None:
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_ylim(bottom=0)


def _limits(axes: Any, test: BackTest) -> None:
    axes.set_title(f"Limits granted a month, {test.currency}")
    width = 0.8 / len(test.results)
    for number, result in enumerate(test.results):
        places = [n - 0.4 + width * (number + 0.5) for n in range(len(result.months))]
        heights = [float(Decimal(amount_text(month.limit_minor, test.currency))) for month in result.months]
        axes.bar(places, heights, width * 0.92, color=COLOURS[number], label=result.name)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    _thin(axes, test.champion.months)
    _legend(axes, test)


def _collapsed(axes: Any, test: BackTest) -> None:
    axes.set_title("Share of limits to merchants whose sales then collapsed")
    months = test.champion.months
    axes.plot(
        _numbers([m.rule_share for m in months]), "--", color=RULE, marker="o", ms=3.5,
        label="common rule, same total",
    )  # fmt: skip
    for number, result in enumerate(test.results):
        shares = _numbers([m.collapsed_share for m in result.months])
        axes.plot(shares, color=COLOURS[number], marker="o", ms=3.5, label=result.name)
    _as_percent(axes)
    _thin(axes, months)
    axes.legend(loc="best")


def _ranking(axes: Any, test: BackTest) -> None:
    axes.set_title("Ranking a month: AUC (0.5 is chance)")
    for number, result in enumerate(test.results):
        values = _numbers([m.auc for m in result.months])
        axes.plot(values, color=COLOURS[number], marker="o", ms=3.5, label=result.name)
    axes.axhline(0.5, color=RULE, lw=1, ls=":")
    axes.set_ylim(0.4, 1)
    _thin(axes, test.champion.months)
    _legend(axes, test)


def _calibration(axes: Any, test: BackTest) -> None:
    axes.set_title("Calibration by grade: told and happened")
    width = 0.8 / len(test.results)
    names = [grade.grade or "below" for grade in test.champion.grades]
    for number, result in enumerate(test.results):
        for n, name in enumerate(names):
            found = next((g for g in result.grades if (g.grade or "below") == name), None)
            if found is None or found.observed is None:
                continue
            middle = n - 0.4 + width * (number + 0.5)
            label = f"{result.name}: happened" if n == 0 else None
            axes.bar(middle, float(found.observed), width * 0.92, color=COLOURS[number], label=label)
            if found.predicted is not None:
                told = float(found.predicted)
                axes.plot([middle - width / 2, middle + width / 2], [told, told], color=INK, lw=2,
                          label="told" if n == 0 and number == 0 else None)  # fmt: skip
    axes.set_xticks(range(len(names)), names)
    _as_percent(axes)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left")


def _legend(axes: Any, test: BackTest) -> None:
    if len(test.results) > 1:
        axes.legend(loc="best")


_PICTURES: Final[dict[str, Callable[[Any, BackTest], None]]] = {
    "limits": _limits, "collapsed": _collapsed, "ranking": _ranking, "calibration": _calibration,
}  # fmt: skip


# --- the page ---------------------------------------------------------------------------------------------------------

_TEMPLATE: Final = """{% extends "page.html" %}
{% block body %}
<h1>Back-test of the policy {{ test.champion.name }} v{{ test.champion.version }}
{%- if test.challenger %} against {{ test.challenger.name }} v{{ test.challenger.version }}{% endif %}</h1>
<p class="lead">Decided monthly from {{ test.first }} to {{ test.last }} with the knowledge of each day; sales known to
{{ test.covered_until }}; amounts in {{ test.currency }}.</p>
{% for verdict in verdicts %}
<p class="verdict{{ ' second' if loop.index > 1 }}">{{ verdict }}</p>
{% endfor %}

<div class="pictures">
{% for name, picture in pictures.items() %}
<div>{{ picture }}</div>
{% endfor %}
</div>

<h2>Month by month</h2>
{% for result in results %}
<h3>{{ result.name }} v{{ result.version }}</h3>
<div class="scroll"><table>
<thead><tr><th>decided on</th><th>merchants</th><th>approved</th><th>for a person</th><th>declined</th><th>approval rate</th>
<th>limits</th><th>limits covered</th><th>following sales / limit</th><th>judged</th><th>collapsed</th>
<th>of limits to collapsed</th><th>common rule</th><th>AUC</th><th>KS</th></tr></thead>
<tbody>
{% for month in result.months + (result.total,) %}
<tr{% if loop.last %} class="total"{% endif %}><td>{{ 'all' if loop.last else month.as_of }}</td><td>{{ month.merchants }}</td>
<td>{{ month.approved }}</td><td>{{ month.manual_review }}</td><td>{{ month.declined }}</td>
<td>{{ month.approval_rate|percent }}</td>
<td>{{ month.limit_minor|amount }}</td><td>{{ month.covered_share|percent }}</td>
<td>{{ month.coverage|plain }}</td><td>{{ month.judged|plain }}</td><td>{{ month.collapsed|plain }}</td>
<td>{{ month.collapsed_share|percent }}</td><td>{{ month.rule_share|percent }}</td><td>{{ month.auc|plain }}</td>
<td>{{ month.ks|plain }}</td></tr>
{% endfor %}
</tbody></table></div>
{% endfor %}

<h2>Calibration by grade</h2>
{% for result in results %}
<h3>{{ result.name }} v{{ result.version }}</h3>
<div class="narrow scroll"><table>
<thead><tr><th>grade</th><th>judged cases</th><th>collapsed</th><th>told</th><th>happened</th><th>limits</th></tr></thead><tbody>
{% for grade in result.grades %}
<tr><td>{{ grade.grade or 'below the lowest' }}</td><td>{{ grade.cases }}</td><td>{{ grade.collapsed }}</td>
<td>{{ grade.predicted|percent }}</td><td>{{ grade.observed|percent }}</td><td>{{ grade.limit_minor|amount }}</td></tr>
{% endfor %}
</tbody></table></div>
{% endfor %}

<h2>Stress</h2>
{% for result in results %}
<h3>{{ result.name }} v{{ result.version }}</h3>
<div class="narrow scroll"><table>
<thead><tr><th>preset</th><th>limits covered by following sales</th><th>of limits to collapsed</th>
<th>expected share of limits, by the policy's probability</th></tr></thead><tbody>
{% for stress in result.stress %}
<tr><td>{{ stress.name }}</td><td>{{ stress.covered|percent }}</td><td>{{ stress.collapsed|percent }}</td>
<td>{{ stress.expected|percent }}</td></tr>
{% endfor %}
</tbody></table></div>
{% endfor %}

<h2>Stability of the scored features</h2>
<p class="lead">Population stability index of each later month against the first: below 0.10 stable, above 0.25 another
population, for which the scorecard was not made.</p>
{% for result in results %}
<h3>{{ result.name }} v{{ result.version }}</h3>
<div class="narrow scroll"><table>
<thead><tr><th>feature</th><th>largest</th><th>last month</th><th></th></tr></thead><tbody>
{% for each in result.shifts %}
<tr><td>{{ each.feature }}</td><td{% if each.largest > 0.25 %} class="bad"{% endif %}>{{ each.largest }}</td>
<td>{{ each.monthly[-1] if each.monthly else '–' }}</td><td class="word">{{ shift(each.largest) }}</td></tr>
{% endfor %}
</tbody></table></div>
{% endfor %}

<h2>How to read this</h2>
<p>A merchant's sales <em>collapsed</em> if the net sales of the 90 days after the decision were below half of the mean 90-day
sales of the 180 days before. <em>Judged</em> are merchants with sales in at least {{ test.least_months }} calendar months before.
The <em>common rule</em> lends {{ rule }} × the mean monthly sales of 180 days to every judged merchant, scaled to the policy's
total of the month. <em>Limits covered</em> is the part of the limits that lies within the following 90-day sales. Months whose
90 days are not over have no outcome. <em>Told</em> is the mean probability the policy gave; sales that collapse are not loans
that default.</p>
<p>{{ test.undated }} of {{ test.changes }} refunds and cancellations ({{ test.undated_share|percent }}) carry no date: they count
only after the policy's stated lag. Policy hashes:
{% for result in results %}<code>{{ result.name }} {{ result.sha256[:16] }}…</code>{{ ', ' if not loop.last }}{% endfor %}.</p>
{% endblock %}
"""
