"""How late a loan is. Source: SEMANTICS 5."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from ..terms import CLASS_NAMES


def days_past_due(day: int, oldest_due: int | None) -> int:
    """Calendar days since the oldest unpaid due date; the due date itself is 0.

    >>> days_past_due(738000, 737990)
    10
    """
    return 0 if oldest_due is None else max(0, day - oldest_due)


def classification(late_days: int, thresholds: Sequence[int]) -> str:
    """The class of a loan so many days past due: above 0, above 90 … in the five-category preset.

    >>> classification(90, (0, 90, 270, 360)), classification(91, (0, 90, 270, 360))
    ('special_mention', 'substandard')
    """
    return CLASS_NAMES[bisect_left(thresholds, late_days)]
