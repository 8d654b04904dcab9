"""The sums below the features, against the same counted line by line in plain Python."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from microloan.underwriting import sales_lines
from microloan.underwriting.features import (
    _APART,
    _EVER,
    Axis,
    Settings,
    Value,
    feature_table,
    flagged_flow,
)
from microloan.underwriting.flow import KnownFlow, SalesLines, known_flow
from microloan.underwriting.genuine import BuyerGroups, _most_in_30_days, _so_many_alike, buyer_groups
from microloan.underwriting.kernels import ends_of_runs, first_of_runs, quantiles, sums_of_runs
from microloan.underwriting.policy import Detectors, Lags

AS_OF = date(2025, 5, 12)
SHOPS = 3
Row = dict[str, object]


@st.composite
def order_lines(draw: st.DrawFn, oldest: int = 800) -> Row:
    """A line of one of three shops: cancelled on its day, refunded on its day, reported as not genuine, or neither."""
    paid = (AS_OF - timedelta(days=draw(st.integers(0, oldest)))).isoformat()
    amount = draw(st.integers(1, 10**7))
    status = draw(st.sampled_from(["completed", "completed", "completed", "cancelled", "refunded"]))
    return {
        "shop_id": f"shop-{draw(st.integers(1, SHOPS))}", "order_id": str(draw(st.uuids())), "paid_at": paid,
        "amount_minor": amount, "status": status, "status_at": paid,
        "refund_minor": draw(st.integers(1, amount)) if status == "refunded" else 0,
        "buyer_id": draw(st.sampled_from(["", "a", "b", "c", "d", "e"])),
        "flag": draw(st.sampled_from(["", "", "", "", "own_buyer"])),
    }  # fmt: skip


def day(row: Row) -> int:
    return date.fromisoformat(str(row["paid_at"])).toordinal()


def minor(rows: list[Row]) -> int:
    return sum(int(str(row["amount_minor"])) for row in rows)


# --- whole tables -----------------------------------------------------------------------------------------------------


def undetected() -> Settings:
    """No detector judges: only reported lines are not genuine."""
    off = {name: {"enabled": False} for name in Detectors.model_fields}
    return Settings(detectors=Detectors.model_validate(off))


def by_hand(rows: list[Row], cut_off: int) -> dict[str, Value]:
    """Some features of one shop, by their definitions."""
    known = [row for row in rows if day(row) <= cut_off]
    genuine = [row for row in known if not row["flag"]]
    counted = [row for row in genuine if row["status"] != "cancelled"]
    of_year = [row for row in counted if day(row) > cut_off - 365]
    lately = {row["buyer_id"] for row in counted if day(row) > cut_off - 90 and row["buyer_id"]}
    before = {row["buyer_id"] for row in counted if day(row) <= cut_off - 90}
    orders = Counter(row["buyer_id"] for row in of_year if row["buyer_id"])
    enough = 0 < minor(of_year) <= 2 * minor([row for row in of_year if row["buyer_id"]])
    sold = [row for row in counted if int(str(row["refund_minor"])) < minor([row])]
    old = bool(sold) and cut_off - min(map(day, sold)) + 1 >= 180
    raw = [row for row in known if day(row) > cut_off - 365]
    worth = [row for row in raw if row["status"] != "cancelled"]
    return {
        "buyers": len(orders) if enough else None,
        "repeat_buyers": share(sum(n >= 2 for n in orders.values()), len(orders)) if enough else None,
        "new_buyers": share(len(lately - before), len(lately)) if enough and old and lately else None,
        "tenure": cut_off - min(map(day, sold)) if sold else None,
        "days_since_last_sale": cut_off - max(map(day, sold)) if sold else None,
        "received_365d": minor(raw) if known else None,
        "cancelled_365d": minor(raw) - minor(worth) if known else None,
        "unsettled_365d": 0 if known else None,
        "flagged_365d": minor(worth) - minor(of_year) if known else None,
        "refunded_365d": sum(int(str(row["refund_minor"])) for row in of_year) if known else None,
    }


def share(part: int, whole: int) -> Decimal:
    return Decimal(floor(Fraction(part * 10_000, whole) + Fraction(1, 2))).scaleb(-4)


@given(st.lists(order_lines(), min_size=1, max_size=60), st.integers(0, 500))
def test_features_of_buyers_and_deductions_are_those_counted_by_hand(rows: list[Row], ago: int) -> None:
    flagged = flagged_flow(sales_lines(rows), AS_OF, undetected())
    cut_off = AS_OF - timedelta(days=ago)
    table = feature_table(flagged, cut_off=cut_off)
    for shop in table.shops:
        expected = by_hand([row for row in rows if row["shop_id"] == shop], cut_off.toordinal())
        assert {name: table.row(shop)[name] for name in expected} == expected


@given(st.lists(order_lines(), min_size=1, max_size=40))
def test_a_few_named_features_are_those_of_the_whole_table(rows: list[Row]) -> None:
    flagged = flagged_flow(sales_lines(rows), AS_OF, Settings())
    whole = feature_table(flagged, cut_off=AS_OF)
    for names in (("sales_90d",), ("refund_rate", "buyers"), ("new_buyers",), tuple(whole.columns)):
        some = feature_table(flagged, cut_off=AS_OF, only=names)
        assert list(some.columns) == list(names)
        assert all(some.row(shop) == {name: whole.row(shop)[name] for name in names} for shop in whole.shops)


# --- windows ----------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, SHOPS), st.integers(0, 800), st.integers(-9, 9)), max_size=40),
    st.sampled_from([1, 30, 365, _EVER]),
)
def test_one_window_adds_up_the_entries_within_it(entries: list[tuple[int, int, int]], days: int) -> None:
    cut_off = AS_OF.toordinal()
    ordered = sorted((shop, cut_off - age, value) for shop, age, value in entries)
    shop, moment, value = (np.array([each[n] for each in ordered], dtype=np.int64) for n in range(3))
    axis = Axis(shop * _APART + moment, shop, SHOPS + 1, cut_off)
    expected = [0] * (SHOPS + 1)
    for of, age, amount in entries:
        expected[of] += amount if age < days else 0
    assert axis.summed(value, days).tolist() == expected


@given(st.lists(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=5), max_size=8))
def test_runs_that_follow_each_other_are_added_up_each_by_itself(runs: list[list[int]]) -> None:
    key = np.array([number for number, run in enumerate(runs) for _ in run], dtype=np.int64)
    values = np.array([value for run in runs for value in run], dtype=np.int64)
    starts = first_of_runs(key).nonzero()[0]
    assert sums_of_runs(values, ends_of_runs(starts, len(key))).tolist() == [sum(run) for run in runs]


@pytest.mark.parametrize("step", [1, 2**57])  # the second does not fit beside its key in 64 bits
@given(groups=st.dictionaries(st.integers(0, 6), st.lists(st.integers(0, 40), min_size=1, max_size=9)))
def test_quantiles_are_the_lower_of_two_values_per_key(groups: dict[int, list[int]], step: int) -> None:
    key = np.array([key for key in sorted(groups) for _ in groups[key]], dtype=np.int64)
    value = np.array([each * step for key in sorted(groups) for each in groups[key]], dtype=np.int64)
    for hundredth, found in zip((50, 75, 98), quantiles(key, value, 7, 50, 75, 98), strict=True):
        expected = [0] * 7
        for of, values in groups.items():
            expected[of] = sorted(values)[(len(values) - 1) * hundredth // 100] * step
        assert found.tolist() == expected


# --- buyers -----------------------------------------------------------------------------------------------------------


def grouped(orders: list[tuple[str, int, str]]) -> tuple[SalesLines, KnownFlow, BuyerGroups]:
    """Lines of one shop by buyer, days before AS_OF and order."""
    lines = sales_lines([
        {"shop_id": "s", "order_id": order, "paid_at": (AS_OF - timedelta(days=ago)).isoformat(),
         "amount_minor": 100, "buyer_id": buyer}
        for buyer, ago, order in orders
    ])  # fmt: skip
    flow = known_flow(lines, AS_OF.toordinal(), Lags())
    return lines, flow, buyer_groups(flow)


def apart(*days: int) -> list[tuple[str, int, str]]:
    return [("a", ago, str(number)) for number, ago in enumerate(days)]


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 70), st.integers(0, 40).map(str)),
        min_size=1,
        max_size=40,
    )
)
@example(apart(0, 29))
@example(apart(0, 30))
@example(apart(*[0] * 9, 29))  # more than are looked at one by one
@example(apart(*[30] * 9, 0))
def test_the_most_orders_within_thirty_days(orders: list[tuple[str, int, str]]) -> None:
    lines, flow, groups = grouped(orders)
    expected = [most_by_hand(lines, groups.index[groups.pair == pair]) for pair in range(groups.count)]
    assert _most_in_30_days(flow, groups).tolist() == expected


def most_by_hand(lines: SalesLines, places: np.ndarray) -> int:
    carrying = lines.one_per_order(np.ones(len(lines), dtype=np.bool_))
    days = [int(lines.paid_day[place]) for place in places if carrying[place]]
    return max((sum(first <= other < first + 30 for other in days) for first in days), default=0)


@given(st.lists(order_lines(), min_size=1, max_size=60))
@example([])
def test_each_buyers_orders_days_and_year_are_those_counted_by_hand(rows: list[Row]) -> None:
    lines = sales_lines(rows)
    groups = buyer_groups(known_flow(lines, AS_OF.toordinal(), Lags()))
    found = {
        (lines.shops[groups.shop[pair]], lines.buyers[lines.buyer[groups.index[groups.ends[pair] - 1]]]): (
            groups.orders[pair], groups.spoiled[pair], groups.order_days[pair], groups.orders_of_year[pair],
            groups.amount_of_year[pair],
        )
        for pair in range(groups.count)
    }  # fmt: skip
    expected: dict[tuple[object, object], list[Row]] = {}
    for row in rows:
        if row["buyer_id"]:
            expected.setdefault((row["shop_id"], row["buyer_id"]), []).append(row)
    assert found == {pair: of_buyer_by_hand(placed) for pair, placed in expected.items()}


def of_buyer_by_hand(rows: list[Row]) -> tuple[int, int, int, int, int]:
    back = [
        row
        for row in rows
        if row["status"] == "cancelled" or 2 * int(str(row["refund_minor"])) >= minor([row])
    ]
    of_year = [row for row in rows if day(row) > AS_OF.toordinal() - 365]
    worth = minor([row for row in of_year if row["status"] != "cancelled"])
    return len(rows), len(back), len({day(row) for row in rows}), len(of_year), worth


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), max_size=12), st.integers(1, 14))
def test_a_busy_day_is_seen_without_counting_every_day(lines: list[tuple[int, int]], number: int) -> None:
    shop, paid = (np.array([each[n] for each in sorted(lines)], dtype=np.int64) for n in range(2))
    assert _so_many_alike(number, shop, paid) == (max(Counter(lines).values(), default=0) >= number)
