"""What is to come of a loan if nothing else happens: the next due, the plan, the accrual rows.

Source: SEMANTICS 9.13, and ARCHITECTURE (accrual is a formula, not rows).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from ..days import LAST_DAY
from ..money import half_up_div
from .accrual import INT64, AccrualRow, formula, nights_that_fit, number_of
from .delinquency import classification
from .fold import FAR, Fallen, Fold
from .state import Due, ScheduleRow


def next_due(loan: Fold) -> Due | None:
    """The first due date from today on with something unpaid, and what that is: no overdue amounts, no fees.

    *Source:* SEMANTICS 9.13.
    """
    if loan.written_off:
        return None
    today = sum(bucket.principal + bucket.interest for bucket in loan.buckets if bucket.due == loan.day)
    if today:
        return Due(date.fromordinal(loan.day), today)
    for row in _ahead(loan):
        if row.principal or row.interest:
            return Due(date.fromordinal(row.due), row.principal + row.interest)
    return None


def plan_rows(loan: Fold) -> tuple[ScheduleRow, ...]:
    """The plan as it stands: rows already due as they fell due, then what is to come. Source: SEMANTICS 9.13."""
    rows = [row for row in (*loan.fallen, *_ahead(loan)) if row.planned]
    return tuple(
        ScheduleRow(n, date.fromordinal(row.due), row.principal, row.interest, row.left)
        for n, row in enumerate(rows, 1)
    )


def _ahead(loan: Fold) -> Iterator[Fallen]:
    """What falls due from tomorrow on (at dawn: from today on) if each due is paid when it falls due."""
    later = loan.twin()
    later.dawn, later.fallen = False, []
    unpaid = later.buckets
    if loan.dawn:
        later.morning(later.day)
        yield from later.fallen
    while (day := later.next_morning()) < FAR and (later.due_days or unpaid):
        later.fallen, later.buckets = [], unpaid[:]
        later.advance(day)
        yield from later.fallen
        if not later.due_days and all(bucket.penal for bucket in unpaid):
            return


# -- the accrual rows --------------------------------------------------------------------------------------------------


def running_totals(loan: Fold) -> tuple[AccrualRow, ...]:
    """Contract interest, and penalty if there is any, as formulas that hold until something happens by itself.

    Both name the same denominator and the same next action: from then on neither counts, the loan is replayed.
    """
    asleep = loan.written_off or any(first <= loan.day < until for first, until in loan.pauses)
    base, late_base = (0, 0) if asleep else loan.bases()
    slope = 0 if loan.day < loan.free_until else base * loan.rate
    action = _next_action(loan)
    totals = [("interest", _total(loan, action, loan.billed + loan.carried, loan.carry, slope))]
    if loan.late or late_base:
        totals.append(("penalty", _total(loan, action, 0, loan.late, late_base * loan.penalty_rate)))
    stop = min([until for _, (until, _) in totals])
    until, late = date.fromordinal(min(stop, LAST_DAY.toordinal())), loan.late_days()
    class_ = classification(late, loan.terms.class_thresholds)
    memo = int(loan.non_accrual or late > loan.terms.non_accrual_after)
    anchor_n = number_of(loan.day, loan.terms.day_count)
    return tuple(
        [AccrualRow(component, class_, memo, anchor_n, *numbers, until) for component, (_, numbers) in totals]
    )


def _total(
    loan: Fold, action: int, whole: int, carry: int, slope: int
) -> tuple[int, tuple[int, int, int, int, int]]:
    """Until when a running total holds, at most to *action*, and its formula: whole, q, rem, m and den."""
    above, q, rem, m, den = formula(carry, slope, loan.den)
    stop = min(action, loan.day + nights_that_fit(whole + above, q, rem, m, den) // 3)
    if stop <= loan.day:  # more than 64 bits: no formula, replay it every day
        return loan.day + 1, (whole + half_up_div(carry, loan.den), 0, 0, 0, den if den <= INT64 else 2)
    return stop, (whole + above, q, rem, m, den)


def _next_action(loan: Fold) -> int:
    """The next morning that changes more than the running totals."""
    edges = [loan.free_until, *[edge for span in loan.pauses for edge in span]]
    oldest = loan.oldest_due()
    if oldest is not None:
        marks = (*loan.terms.class_thresholds, loan.terms.non_accrual_after)
        edges += [oldest + mark + 1 for mark in marks]
    return min([loan.next_morning(), *[edge for edge in edges if edge > loan.day]])
