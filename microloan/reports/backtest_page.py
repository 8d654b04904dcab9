"""A back-test as one HTML page: what was granted, what came of it, in tables and pictures. Needs the extra ``reports``.

The page is a single file without any reference to another; it is made from the values of a
:class:`~microloan.underwriting.backtest.BackTest` and computes nothing itself but widths.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from ..errors import InvalidSetting
from ..money import amount_text
from ..underwriting.backtest import RULE_MONTHS, BackTest, Month, PolicyResult

_INK: Final = "#1f2933"
_COLOURS: Final = ("#1d5c8f", "#c4622d")
_RULE: Final = "#8a94a0"


def backtest_page(test: BackTest) -> str:
    """The page as HTML text. Raises InvalidSetting without the extra ``reports``."""
    jinja2 = _extra("jinja2")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update(
        percent=percent, amount=lambda minor: grouped(minor, test.currency), plain=plain
    )
    template = environment.from_string(_TEMPLATE)
    text: str = template.render(
        test=test, results=test.results, rule=RULE_MONTHS, colours=_COLOURS, verdicts=_verdicts(test),
        pictures={name: _svg(draw, test) for name, draw in _PICTURES.items()}, shift=_shift_word,
    )  # fmt: skip
    return text


def percent(share: Decimal | None) -> str:
    """A share in per cent with one digit, or a dash.

    >>> percent(Decimal("0.1234")), percent(None)
    ('12.3%', '–')
    """
    return "–" if share is None else f"{share * 100:.1f}%"


def plain(value: object) -> str:
    """Any value as text, a dash for what is not known."""
    return "–" if value is None else str(value)


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


def _extra(module: str) -> Any:
    """A module of the extra ``reports``."""
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        reason = (
            'the HTML report needs matplotlib and jinja2; install them with: pip install "microloan[reports]"'
        )
        raise InvalidSetting(code="extra_missing", field="extra", value="reports", reason=reason) from None


_STYLE: Final = {
    "font.family": "sans-serif", "font.size": 9, "axes.edgecolor": "#c5ccd3", "axes.labelcolor": _INK, "text.color": _INK,
    "axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 10,
    "xtick.color": "#52606d", "ytick.color": "#52606d", "axes.grid": True, "axes.grid.axis": "y", "grid.color": "#e4e7eb",
    "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "none",
    "svg.hashsalt": "microloan", "legend.frameon": False, "legend.fontsize": 8.5, "axes.formatter.use_mathtext": False,
}  # fmt: skip


def _svg(draw: Callable[[Any, BackTest], None], test: BackTest) -> Any:
    """The picture as safe SVG text without a prologue: no reference leaves the page, and the same values give the same text."""
    matplotlib = _extra("matplotlib")
    _extra("matplotlib.backends.backend_svg")
    figure = _extra("matplotlib.figure")
    with matplotlib.rc_context(_STYLE):
        made = figure.Figure(figsize=(5.6, 3.0), layout="constrained")
        draw(made.add_subplot(), test)
        buffer = io.StringIO()
        made.savefig(
            buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    text: str = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text[text.index("<svg") :], flags=re.S)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    return _markup(text)


def _markup(text: str) -> Any:
    """Marked as safe: made here, from numbers and from names that matplotlib has escaped."""
    return _extra("markupsafe").Markup(text)


def _labels(months: Sequence[Month]) -> list[str]:
    return [f"{month.as_of:%b}\n{month.as_of:%Y}" if n == 0 or month.as_of.month == 1 else f"{month.as_of:%b}"
            for n, month in enumerate(months)]  # fmt: skip


def _thin(axes: Any, months: Sequence[Month]) -> None:
    """Month names under the axis, at most a dozen of them."""
    step = -(-len(months) // 12)
    axes.set_xticks(range(0, len(months), step), _labels(months)[::step])


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
        axes.bar(places, heights, width * 0.92, color=_COLOURS[number], label=result.name)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    _thin(axes, test.champion.months)
    _legend(axes, test)


def _collapsed(axes: Any, test: BackTest) -> None:
    axes.set_title("Share of limits to merchants whose sales then collapsed")
    months = test.champion.months
    axes.plot(
        _numbers([m.rule_share for m in months]), "--", color=_RULE, marker="o", ms=3.5,
        label="common rule, same total",
    )  # fmt: skip
    for number, result in enumerate(test.results):
        shares = _numbers([m.collapsed_share for m in result.months])
        axes.plot(shares, color=_COLOURS[number], marker="o", ms=3.5, label=result.name)
    _as_percent(axes)
    _thin(axes, months)
    axes.legend(loc="best")


def _ranking(axes: Any, test: BackTest) -> None:
    axes.set_title("Ranking a month: AUC (0.5 is chance)")
    for number, result in enumerate(test.results):
        values = _numbers([m.auc for m in result.months])
        axes.plot(values, color=_COLOURS[number], marker="o", ms=3.5, label=result.name)
    axes.axhline(0.5, color=_RULE, lw=1, ls=":")
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
            axes.bar(middle, float(found.observed), width * 0.92, color=_COLOURS[number], label=label)
            if found.predicted is not None:
                told = float(found.predicted)
                axes.plot([middle - width / 2, middle + width / 2], [told, told], color=_INK, lw=2,
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

_TEMPLATE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Back-test {{ test.champion.name }} {{ test.first }} to {{ test.last }}</title>
<style>
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans SC", sans-serif; color: #1f2933;
  background: #fff; margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 1200px; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid #e4e7eb; padding-bottom: .3rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { max-width: 75ch; margin: .4rem 0; }
.lead { color: #52606d; }
.verdict { border-left: 4px solid #1d5c8f; background: #f5f7fa; padding: .6rem .9rem; margin: .6rem 0; max-width: none; }
.verdict.second { border-color: #c4622d; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 1.2rem; margin-top: 1rem; }
.pictures svg { width: 100%; height: auto; display: block; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: right; padding: .32rem .4rem; border-bottom: 1px solid #e4e7eb; white-space: nowrap; }
th { font-weight: 600; color: #52606d; vertical-align: bottom; white-space: normal; }
th:first-child, td:first-child { text-align: left; }
tr.total td { font-weight: 600; border-top: 2px solid #c5ccd3; }
td.bad { color: #a61b1b; font-weight: 600; }
td.word { text-align: left; color: #52606d; }
.narrow table { width: auto; }
code { font-size: .92em; }
@media print { body { max-width: none; padding: 0; } h2 { break-after: avoid; } .pictures svg { break-inside: avoid; } }
</style>
</head>
<body>
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
</body>
</html>
"""
