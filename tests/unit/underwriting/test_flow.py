"""What a sales line is worth, and what of it was known on a day."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from microloan.errors import BadInput, InvalidAmount, InvalidDate
from microloan.underwriting.flow import SalesLines, known_flow, lines_of_rows, sales_lines
from microloan.underwriting.frames import joined
from microloan.underwriting.policy import Lags

PAID = date(2025, 3, 1)


def one(**more: object) -> dict[str, object]:
    return {
        "shop_id": "s",
        "order_id": "1",
        "paid_at": "2025-03-01T10:00:00",
        "amount": "100.00",
        "status": "paid",
        **more,
    }


def worth(row: dict[str, object], on: date, **more: object) -> int:
    return int(known_flow(sales_lines([row]), on.toordinal(), Lags(), **more).net_minor.sum())  # type: ignore[arg-type]


def test_a_line_is_worth_its_amount_less_its_refund() -> None:
    row = one(status="refunded", refund_amount="30.00", refunded_at="2025-03-05")
    assert worth(row, date(2025, 3, 5)) == 7000


def test_a_dated_refund_counts_from_its_date() -> None:
    row = one(status="refunded", refund_amount="30.00", refunded_at="2025-03-05")
    assert worth(row, date(2025, 3, 4)) == 10000


def test_a_refunded_line_without_an_amount_is_refunded_whole() -> None:
    row = one(status="refunded", status_at="2025-03-05")
    assert (worth(row, date(2025, 3, 4)), worth(row, date(2025, 3, 5))) == (10000, 0)


def test_an_undated_refund_counts_after_the_stated_lag() -> None:
    row = one(refund_amount="30.00")
    assert (worth(row, date(2025, 3, 15)), worth(row, date(2025, 3, 16))) == (10000, 7000)


def test_a_cancelled_line_is_worth_nothing_from_the_day_it_was_cancelled() -> None:
    row = one(status="cancelled", status_at="2025-03-03")
    assert (worth(row, date(2025, 3, 2)), worth(row, date(2025, 3, 3))) == (10000, 0)


def test_a_line_is_worth_nothing_45_days_after_payment_when_still_unsettled_where_settlement_is_reported() -> (
    None
):
    on_44, on_45 = date(2025, 4, 14), date(2025, 4, 15)
    assert (on_45 - PAID).days == 45
    assert worth(one(), on_44, settlement_reported=True) == 10000
    assert worth(one(), on_45, settlement_reported=True) == 0
    assert worth(one(), on_45, settlement_reported=False) == 10000
    assert worth(one(), on_45) == 10000  # this platform has never settled anything: it does not report


def test_a_late_settlement_brings_the_line_back() -> None:
    row = one(settled_at="2025-05-01")
    assert worth(row, date(2025, 4, 30), settlement_reported=True) == 0
    assert worth(row, date(2025, 5, 1)) == 10000


def test_a_platform_that_settles_says_nothing_about_one_that_does_not() -> None:
    rows = [
        one(order_id="1", platform="settling", settled_at="2025-03-08"), one(order_id="2", platform="settling"),
        one(order_id="3", platform="silent"),
    ]  # fmt: skip
    lines = sales_lines([{"settled_at": None, **row} for row in rows])
    flow = known_flow(lines, date(2025, 6, 1).toordinal(), Lags())
    silent = flow.lines.platform == lines.platforms.index("silent")
    assert not flow.unsettled[silent].any()
    assert sorted(flow.unsettled[~silent].tolist()) == [False, True]


def test_a_line_paid_later_is_not_known() -> None:
    assert worth(one(), date(2025, 2, 28)) == 0


def test_times_with_a_zone_are_brought_to_the_lenders() -> None:
    late_in_london = sales_lines([one(paid_at="2025-03-01T20:00:00+00:00")])
    assert late_in_london.paid_day[0] == date(2025, 3, 2).toordinal()
    moment = datetime(2025, 3, 1, 20, tzinfo=ZoneInfo("UTC"))
    assert sales_lines([one(paid_at=moment)]).paid_day[0] == date(2025, 3, 2).toordinal()


@pytest.mark.parametrize(
    "amount",
    [12.5, float("nan"), "1e400", "１２.00", "-1.00", "1,200.00", "NaN", "1_000", "", None, "1.234", True],
)
def test_an_amount_that_is_not_exact_is_refused(amount: object) -> None:
    with pytest.raises(InvalidAmount, match=r"amount\[0\]"):
        sales_lines([one(amount=amount)])


def test_a_float_is_refused_with_the_advice_how_to_read_it() -> None:
    frame = pd.DataFrame([one(amount=12.5)])
    with pytest.raises(InvalidAmount, match="as text"):
        sales_lines(frame)


@pytest.mark.parametrize(
    "paid_at", ["", "yesterday", "2025-13-01", "01/03/2025", "20250301", None, "0001-01-01", "２０２５-03-01"]
)
def test_a_day_that_is_none_is_refused(paid_at: object) -> None:
    with pytest.raises(InvalidDate):
        sales_lines([one(paid_at=paid_at)])


@pytest.mark.parametrize("column", ["shop_id", "paid_at", "amount"])
def test_a_missing_column_is_named(column: str) -> None:
    row = one()
    del row[column]
    with pytest.raises(BadInput) as refused:
        sales_lines([row])
    assert (refused.value.code, refused.value.details["value"]) == ("missing_column", column)


def test_an_unknown_status_is_named_with_its_row() -> None:
    with pytest.raises(BadInput, match=r"status\[0\].*lost"):
        sales_lines([one(status="lost")])


def test_every_kind_of_frame_gives_the_same_lines() -> None:
    rows = [
        one(order_id="1"),
        one(order_id="2", paid_at="2025-02-01", amount="7.50", buyer_id="b", settled_at="2025-02-09"),
    ]
    rows = [{"buyer_id": None, "settled_at": None, **row} for row in rows]
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    minor = dict(columns, amount_minor=np.array([10000, 750]), paid_at=[date(2025, 3, 1), date(2025, 2, 1)])
    del minor["amount"]
    frames = [
        rows, columns, minor, pd.DataFrame(columns), polars.DataFrame(columns), pyarrow.table(columns),
        pd.DataFrame(dict(columns, paid_at=pd.to_datetime(pd.Series(columns["paid_at"]), format="ISO8601"))),
        dict(columns, amount=[Decimal("100"), Decimal("7.5")]),
    ]  # fmt: skip
    expected = sales_lines(rows)
    for frame in frames:
        lines = sales_lines(frame)
        for name in ("paid_day", "amount_minor", "buyer", "settled_day", "status", "order"):
            assert getattr(lines, name).tolist() == getattr(expected, name).tolist(), (type(frame), name)


def test_a_duckdb_relation_is_read() -> None:
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.sql(
        "select 's' shop_id, 'o' order_id, date '2025-03-01' paid_at, 1230::bigint amount_minor"
    )
    assert sales_lines(relation).amount_minor.tolist() == [1230]


def test_rows_of_a_database_are_read_with_day_ordinals() -> None:
    lines = lines_of_rows(
        [("s", "o", PAID.toordinal(), 1230)], ["shop_id", "order_id", "paid_at", "amount_minor"]
    )
    assert lines.paid_day.tolist() == [PAID.toordinal()]


def test_rows_without_orders_are_daily_totals() -> None:
    row = one()
    del row["order_id"]
    assert sales_lines([row]).is_total.all()


def test_an_order_of_several_lines_is_counted_once_in_each_shop() -> None:
    rows = [one(line_id="1"), one(line_id="2"), one(shop_id="t", line_id="3")]
    lines = sales_lines(rows)
    assert lines.one_per_order(np.ones(len(lines), dtype=np.bool_)).sum() == 2


def test_shops_of_a_merchant_are_added_up() -> None:
    lines = sales_lines([one(shop_id="a"), one(shop_id="b"), one(shop_id="c")]).grouped({"a": "m", "c": "m"})
    assert (lines.shops, np.bincount(lines.shop).tolist()) == (("m", "b"), [2, 1])


def test_orders_of_one_number_in_two_parts_stay_two_orders() -> None:
    def part(shop: str) -> SalesLines:
        lines = [
            {"shop_id": shop, "order_id": order, "paid_at": day, "amount": "9"}
            for order, day in (
                ("1", "2025-05-01"),
                ("1", "2025-05-01"),
                ("2", "2025-05-02"),
                ("2", "2025-05-02"),
            )
        ]
        return sales_lines(lines)

    whole = joined([part("a"), part("b"), part("c")])
    assert len(np.unique(whole.order)) == 6
    for number, shop in enumerate(whole.shops):
        assert whole.orders_among(np.flatnonzero(whole.shop == number)) == 2, shop
    assert int(whole.one_per_order(np.ones(12, dtype=np.bool_)).sum()) == 6
