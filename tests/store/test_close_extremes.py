"""Close of day at the ends of 64 bits: exact, or not at all; never a rounded figure. Source: ARCHITECTURE (the accrual row)."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from microloan.days import DayCount, day_number
from microloan.errors import EventRefused
from microloan.money import MAX_MINOR, to_major
from microloan.rates import Rate
from microloan.servicing.accrual import INT64, AccrualRow, booked, formula, nights_that_fit
from microloan.store.closing import night_totals
from microloan.store.lending import RUNNING
from microloan.store.tables_lending import ACCRUALS
from microloan.store.unit import Unit

from .counter import START, Counter

COUNTS: tuple[DayCount, DayCount] = ("actual", "30E/360")
#: Denominators of rates: few and many decimals, years of 360 and 365 days, the largest a row can hold.
DENOMINATORS = (1, 10**5, 360 * 10**8, 365 * 10**12, 2**58 - 1, INT64 // 4)


Totals = tuple[AccrualRow, ...]  # of one loan, over one denominator


@st.composite
def rows(draw: st.DrawFn) -> tuple[Totals, int]:
    """The formulas of a loan as far from their anchor as its next action allows, with or without penalty; its day count."""
    den = draw(st.sampled_from(DENOMINATORS))
    most = draw(st.sampled_from((10_000, 10**12, MAX_MINOR, INT64 // 8)))
    components = draw(st.sampled_from((("interest",), ("interest", "penalty"))))
    figures = [
        formula(draw(st.integers(0, MAX_MINOR * den)), draw(st.integers(0, most * den)), den)
        for _ in components
    ]
    reach = min(nights_that_fit(*each) for each in figures) // 3
    count = draw(st.sampled_from((0, 1)))
    left = draw(st.integers(1, 31))
    offset = max(0, min(reach, 3_000_000) - 3 * left)
    n = day_number(START, COUNTS[count]) - draw(st.sampled_from((0, offset)))
    action = START + timedelta(days=left + 1 if reach > 3 * left else 1)
    pairs = zip(components, figures, strict=True)
    return tuple(AccrualRow(component, "normal", 0, n, *each, action) for component, each in pairs), count


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_rows=st.lists(rows(), min_size=1, max_size=30), nights=st.integers(1, 31))
def test_the_set_pass_equals_unbounded_integers(
    counter: Counter, given_rows: list[tuple[Totals, int]], nights: int
) -> None:
    days = [START + timedelta(days=n) for n in range(nights)]

    def compare(unit: Unit) -> None:
        lines = [stored(rows, count, number) for number, (rows, count) in enumerate(given_rows)]
        unit.connection.execute(insert(ACCRUALS), lines)
        found = {group.component: group.totals for group in night_totals(unit, 0, days)}
        told = expected(given_rows, days)
        assert found == (told and {"penalty": (0,) * nights} | told)
        raise Undone

    with pytest.raises(Undone):
        counter.book._desk.write(compare)


class Undone(Exception):
    """Rolls a transaction back."""


def stored(rows: Totals, count: int, number: int) -> dict[str, Any]:
    row = rows[0]
    line: dict[str, Any] = {
        "tenant": "main", "bucket": 0, "product": "extreme", "class": row.class_, "memo": row.memo,
        "loan": f"loan-00-{number}", "currency": "CNY", "day_count": count, "anchor_n": row.anchor_n,
        "den": row.den, "next_action": row.next_action,
    }  # fmt: skip
    for component, names in RUNNING.items():
        (figures,) = [
            (each.whole, each.q, each.rem, each.m) for each in rows if each.component == component
        ] or [(None,) * len(names)]
        line |= dict(zip(names, figures, strict=True))
    return line


def expected(given_rows: list[tuple[Totals, int]], days: list[date]) -> dict[str, tuple[int, ...]]:
    """What the nights earn, counted in Python, on rows whose next action lies after the span."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0] * len(days))
    for rows, count in given_rows:
        for row in rows if rows[0].next_action > days[-1] + timedelta(days=1) else ():
            for place, day in enumerate(days):
                now, then = (day_number(each, COUNTS[count]) for each in (day, day + timedelta(days=1)))
                sums[row.component][place] += booked(row, then) - booked(row, now)
    return {component: tuple(totals) for component, totals in sums.items()}


@pytest.mark.parametrize(
    "rate", ["0.048%/day", "99.999937%/day", "35999.999999%/year/360", "0.000001%/year/365"]
)
@pytest.mark.parametrize("day_count", COUNTS)
def test_the_largest_loans_close_to_the_fen(counter: Counter, rate: str, day_count: DayCount) -> None:
    counter.product(
        ceilings=[], caps={}, day_count=day_count, max_draw="89999999999999.99", multiple="0.01",
        penalty={"multiple": "1.5"},
    )  # fmt: skip
    for number in range(2):
        line = counter.line("89999999999999.99", f"m-{number}", product="special", rate=Rate.parse(rate))
        counter.loan(line, "89999999999999.99", days=4 + number)
    for days in (5, 9, 20):
        report = counter.close_until(START + timedelta(days=days))
        assert report.held == ()
        counter.must_be_sound()


def test_a_month_whose_sum_passes_64_bits_is_exact_by_night(counter: Counter) -> None:
    q = INT64 // 400  # reaches just over a month
    days = [START + timedelta(days=n) for n in range(31)]
    action, first = START + timedelta(days=33), START.toordinal()
    assert nights_that_fit(0, q, 1, 1, 3) // 3 >= 33
    given_rows = [
        (tuple(AccrualRow(name, "normal", 0, first, 0, q + n, 1, 1, 3, action) for name in RUNNING), 0)
        for n in range(40)
    ]
    assert 40 * q * 31 > INT64

    def compare(unit: Unit) -> None:
        lines = [stored(rows, count, number) for number, (rows, count) in enumerate(given_rows)]
        unit.connection.execute(insert(ACCRUALS), lines)
        found = {group.component: group.totals for group in night_totals(unit, 0, days)}
        assert found == expected(given_rows, days)
        raise Undone

    with pytest.raises(Undone):
        counter.book._desk.write(compare)


@pytest.mark.parametrize("many", [399, 402])
def test_a_night_above_64_bits_closes_nothing_and_says_so(counter: Counter, many: int) -> None:
    q, rest = INT64 // 400, START + timedelta(days=40)
    row = AccrualRow("interest", "normal", 0, START.toordinal(), 0, q, 1, 0, 2, rest)
    lines = [stored((row,), 0, number) for number in range(many)]
    counter.book._desk.write(lambda unit: unit.connection.execute(insert(ACCRUALS), lines))
    if many * q <= INT64:
        counter.close_until(START + timedelta(days=1))
        assert max(line.amount for line in counter.journal()) == to_major(many * q, "CNY")
        return
    with pytest.raises(EventRefused, match="nothing was closed") as refusal:
        counter.close_until(START + timedelta(days=1))
    assert refusal.value.code == "sum_too_large"
    assert f"interest_income of extreme comes to {many * q} minor units" in str(refusal.value)
    assert counter.journal() == []
    assert counter.book.settings().open_day == START
