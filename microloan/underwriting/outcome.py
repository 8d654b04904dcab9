"""What became of a shop's sales after a decision day, and how well a score told it beforehand.

The outcome: the shop's sales *collapsed* if its net sales of the 90 days after the day are below half of the mean 90-day
sales of the 180 days up to it. What was before is measured with the knowledge of the day, what came after with the
knowledge of the day on which the 90 days end; both are the library's own features, so nothing is defined twice.

Source: the collapse of sales is the event of the shipped policy's odds; ranking measures are the trade's usual ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from ..days import add_months
from ..errors import BadInput
from .features import Column, Settings, View, feature_table, flagged_flow
from .flow import Bools, Ints, SalesLines
from .kernels import counts, first_of_runs

#: Days after a decision that its outcome looks at.
HORIZON_DAYS: Final = 90
#: Calendar months with sales a shop needs for its outcome to say something.
LEAST_MONTHS: Final = 6
_MOST_MONTHS: Final = 240


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Per shop of ``shops``: net sales of the 180 days to ``as_of`` and of the days to ``ends_on``, minor units.

    ``judged``: the shop sold in at least so many calendar months before, and in the 180 days; only for those is
    ``collapsed`` a statement. ``active_months`` counts calendar months with a net sale up to ``as_of``.
    """

    shops: tuple[str, ...]
    as_of: date
    ends_on: date
    before_minor: Ints
    after_minor: Ints
    active_months: Ints
    judged: Bools
    collapsed: Bools


def outcome(
    lines: SalesLines, as_of: date, *, settings: Settings | None = None, least_months: int = LEAST_MONTHS
) -> Outcome:
    """What became of every shop of *lines* in the 90 days after *as_of*.

    *Source:* the policy's event: following 90 days < ½ × (preceding 180 days ÷ 2).

    >>> from .flow import sales_lines
    >>> days = [date(2025, 1, 1) + timedelta(days=n) for n in range(200)]
    >>> shop = [{"shop_id": "s", "order_id": str(n), "paid_at": d, "amount": "9"} for n, d in enumerate(days)]
    >>> found = outcome(sales_lines(shop), date(2025, 6, 30))
    >>> bool(found.judged[0]), bool(found.collapsed[0]), int(found.before_minor[0]), int(found.after_minor[0])
    (True, True, 162000, 17100)
    """
    settings = settings or Settings()
    ends_on = as_of + timedelta(days=HORIZON_DAYS)
    now, later = flagged_flow(lines, as_of, settings), flagged_flow(lines, ends_on, settings)
    view = View(now, as_of.toordinal())
    before = feature_table(now, cut_off=as_of, only=("sales_180d",)).columns["sales_180d"].values
    after = feature_table(later, cut_off=ends_on, only=("sales_90d",)).columns["sales_90d"].values
    months = active_months(view)
    judged = (months >= least_months) & (before > 0)
    return Outcome(lines.shops, as_of, ends_on, before, after, months, judged, judged & (4 * after < before))


def active_months(view: View) -> Ints:
    """Calendar months of all history in which a shop had a net sale, one count per shop.

    >>> from .flow import sales_lines
    >>> days = [date(2025, 1, 31), date(2025, 2, 1), date(2025, 2, 28)]
    >>> shop = [{"shop_id": "s", "order_id": str(n), "paid_at": day, "amount": "9"} for n, day in enumerate(days)]
    >>> flagged = flagged_flow(sales_lines(shop), date(2025, 6, 30), Settings())
    >>> active_months(View(flagged, date(2025, 6, 30).toordinal())).tolist()
    [2]
    """
    selling = view.net_minor > 0
    shop = view.shop[selling]
    month = (view.day[selling] - _EPOCH).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return counts(shop[first_of_runs(shop, month)], view.shops) if len(shop) else counts(shop, view.shops)


_EPOCH: Final = date(1970, 1, 1).toordinal()


def decision_days(first: date, last: date) -> list[date]:
    """The same day of every month from *first* to *last*. Raises BadInput for none, or more than twenty years.

    >>> [str(day) for day in decision_days(date(2024, 1, 31), date(2024, 3, 31))]
    ['2024-01-31', '2024-02-29', '2024-03-31']
    """
    if last < first:
        raise BadInput(field="last", value=str(last), reason=f"lies before the first day {first}")
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    if months > _MOST_MONTHS:
        raise BadInput(field="last", value=str(last), reason=f"{months} months, at most {_MOST_MONTHS}")
    return [day for n in range(months) if (day := add_months(first, n)) <= last]


# --- how well a score ranks -------------------------------------------------------------------------------------------


def auc(risk: np.ndarray[tuple[int, ...], np.dtype[np.float64]] | Ints, bad: Bools) -> float | None:
    """Probability that a bad case has the higher *risk* than a good one, ties counting half; None without both kinds.

    >>> auc(np.array([1, 2, 3, 3]), np.array([False, False, True, False]))
    0.8333333333333334
    """
    goods, bads = int((~bad).sum()), int(bad.sum())
    if not goods or not bads:
        return None
    _, rank, number = np.unique(risk, return_inverse=True, return_counts=True)
    middle = 2 * np.cumsum(number) - number + 1  # twice the mean rank
    return (int(middle[rank][bad].sum()) - bads * (bads + 1)) / (2 * goods * bads)


def kolmogorov_smirnov(
    risk: np.ndarray[tuple[int, ...], np.dtype[np.float64]] | Ints, bad: Bools
) -> float | None:
    """Largest gap between the shares of bad and of good cases above a cut-off of *risk*; None without both kinds.

    >>> kolmogorov_smirnov(np.array([1, 2, 3, 4]), np.array([False, False, True, True]))
    1.0
    """
    goods, bads = int((~bad).sum()), int(bad.sum())
    if not goods or not bads:
        return None
    values, rank = np.unique(risk, return_inverse=True)
    bad_below = np.cumsum(np.bincount(rank[bad], minlength=len(values))) / bads
    good_below = np.cumsum(np.bincount(rank[~bad], minlength=len(values))) / goods
    return float(np.abs(good_below - bad_below).max())


def stability_index(expected: Ints, actual: Ints) -> float:
    """Population stability index of two distributions over the same bins; below 0.1 is stable, above 0.25 is a shift.

    Half a case is added to every bin, so that an empty one has a share.

    >>> stability_index(np.array([50, 50]), np.array([500, 500])) < 0.0001
    True
    """
    before = (expected + 0.5) / (expected + 0.5).sum()
    after = (actual + 0.5) / (actual + 0.5).sum()
    return float(((after - before) * np.log(after / before)).sum())


def bin_of(column: Column, edges: Ints) -> Ints:
    """The bin of each value: how many *edges* it has reached; missing values are in the bin after the last.

    >>> bin_of(Column(np.array([1, 5, 0]), np.array([False, False, True])), np.array([5])).tolist()
    [0, 1, 2]
    """
    return np.where(column.missing, len(edges) + 1, np.searchsorted(edges, column.values, side="right"))
