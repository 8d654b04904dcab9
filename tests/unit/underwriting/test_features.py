"""Features by hand, their edges, and their definitions."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from flows import AS_OF, line, regular
from hypothesis import given
from hypothesis import strategies as st

from microloan.underwriting import DEFINITIONS, features, sales_lines
from microloan.underwriting.features import _APART, Axis, Value


def row(lines: list[dict[str, object]], as_of: date = AS_OF) -> dict[str, Value]:
    return features(lines, as_of=as_of).row("shop")


def test_every_definition_says_what_it_is() -> None:
    assert len(DEFINITIONS) >= 30
    for name, definition in DEFINITIONS.items():
        assert definition.name == name
        assert definition.unit in ("amount", "days", "count", "ratio")
        assert all((definition.window, definition.meaning, definition.edge))


def test_windows_end_on_the_cut_off_and_include_it() -> None:
    lines = [
        line(1, AS_OF),
        line(2, AS_OF - timedelta(days=6), "10.00"),
        line(3, AS_OF - timedelta(days=7), "1.00"),
    ]
    found = row(lines)
    assert (found["sales_7d"], found["sales_30d"]) == (11000, 11100)


def test_blocks_before_the_first_sale_do_not_exist() -> None:
    found = row(regular(65))
    assert (found["blocks"], found["month_1"], found["month_2"], found["month_3"]) == (
        3,
        290000,
        300000,
        60000,
    )
    assert found["month_4"] is None


def test_typical_month_leaves_out_the_highest_and_the_lowest_block() -> None:
    """SEMANTICS 8: blocks 400, 100, 300, 200, 600 (oldest first): (300 + 200 + 400) / 3; the last three give more."""
    amounts = [400, 100, 300, 200, 600]
    lines = [line(n, AS_OF - timedelta(days=30 * (4 - n)), f"{a}.00") for n, a in enumerate(amounts)]
    lines.append(line(9, AS_OF - timedelta(days=149), "0.00"))
    assert row(lines)["typical_month"] == 30000


def test_typical_month_is_the_mean_of_the_last_three_blocks_where_that_is_lower() -> None:
    amounts = [400, 400, 400, 100, 100, 40]
    lines = [line(n, AS_OF - timedelta(days=30 * (5 - n)), f"{a}.00") for n, a in enumerate(amounts)]
    assert row(lines)["typical_month"] == 8000


def test_a_new_shop_has_no_growth_and_no_typical_month() -> None:
    found = row(regular(20))
    assert (found["blocks"], found["tenure"]) == (1, 20)
    for name in (
        "typical_month",
        "growth_30_90",
        "growth_90_180",
        "growth_year",
        "trend",
        "volatility",
        "seasonality",
    ):
        assert found[name] is None, name


def test_a_shop_without_a_known_line_has_no_features_at_all() -> None:
    found = row([line(1, AS_OF + timedelta(days=1))])
    assert set(found.values()) == {None}


def test_missing_buyers_give_null_never_zero() -> None:
    lines = [{**each, "buyer_id": ""} for each in regular(200)]
    found = row(lines)
    for name in ("buyers", "repeat_buyers", "buyer_hhi", "top_buyer_share", "new_buyers"):
        assert found[name] is None, name


def test_one_customer_is_all_of_the_sales() -> None:
    found = row([{**each, "buyer_id": "only"} for each in regular(200, every=7)])
    assert (found["buyers"], found["top_buyer_share"], found["buyer_hhi"]) == (1, 1, 1)


def test_a_handful_of_accounts_is_taken_for_one_party() -> None:
    found = row([{**each, "buyer_id": f"b{n % 4}"} for n, each in enumerate(regular(300, every=7))])
    assert (found["buyers"], found["few_accounts"], found["top_buyer_share"]) == (4, 1, 1)


def test_a_gap_shows_in_silence_and_idle_days() -> None:
    lines = [each for each in regular(200) if str(each["paid_at"]) <= "2025-05-01"]
    found = row(lines)
    assert found["days_since_last_sale"] == 11
    assert found["days_without_sales"] == 11
    assert found["silence"] == Decimal("10.3278")  # 11 days × 169 days with an order / 180


def test_steady_sales_do_not_vary_and_neither_grow_nor_fall() -> None:
    found = row([*regular(499), line(999, AS_OF)])
    assert (found["weekly_variation"], found["growth_30_90"], found["growth_year"], found["trend"]) == (
        0,
        1,
        1,
        0,
    )
    assert found["worst_fall"] == 0


def test_named_peaks_do_not_make_a_shop_volatile() -> None:
    lines = []
    for back in range(400, 0, -1):
        day = AS_OF - timedelta(days=back)
        in_618 = (5, 22) <= (day.month, day.day) <= (6, 20)
        lines.append(line(back, day, "300.00" if in_618 else "100.00"))
    found = row(lines)
    assert found["weekly_variation"] > Decimal("0.4")  # type: ignore[operator]
    assert found["volatility"] < Decimal("0.05")  # type: ignore[operator]


def test_refunds_count_in_their_rate_and_not_in_volatility() -> None:
    lines = regular(180)
    lines[-10:] = [
        {**each, "refund_amount": each["amount"], "refunded_at": str(AS_OF)} for each in lines[-10:]
    ]
    found = row(lines)
    assert found["refund_rate"] == Decimal("0.0559")  # 10 of the 179 orders less than 180 days old
    assert found["volatility"] == row(regular(180))["volatility"]


def test_the_raw_amount_less_its_deductions_is_the_net_sale() -> None:
    lines = regular(100)
    lines[3] |= {"status": "cancelled", "status_at": "2025-03-01"}
    lines[5] |= {"status": "refunded", "refunded_at": "2025-03-01", "refund_amount": "40.00"}
    lines[7] |= {"flag": "reported by the platform"}
    found = row(lines)
    parts = ("cancelled_365d", "unsettled_365d", "flagged_365d", "refunded_365d")
    assert [found[name] for name in parts] == [10000, 0, 10000, 4000]
    assert found["received_365d"] - 24000 == found["sales_365d"]  # type: ignore[operator]


def of_two_lines(dead: dict[str, object], first: str, second: str) -> list[dict[str, object]]:
    """Orders of a year, one line of each standing and settled, the other not."""
    rows = []
    for back in range(300):
        paid = AS_OF - timedelta(days=back)
        standing = {
            "status": "completed",
            "settled_at": min(paid + timedelta(days=5), AS_OF),
            "refund_amount": "",
        }
        rows.append(line(back, paid, first, **{"status_at": None, **standing}))
        rows.append(line(back, paid, second, line_id="2", **{"status_at": None, **standing, **dead}))
    return rows


@pytest.mark.parametrize(("first", "second"), [("50.00", "60.00"), ("50.00", "40.00")])
@pytest.mark.parametrize(
    "dead", [{"status": "cancelled", "status_at": "2024-01-01"}, {"settled_at": None}, {"flag": "own"}]
)
def test_an_order_counts_with_its_buyer_and_its_day_while_a_line_of_it_counts(
    dead: dict[str, object], first: str, second: str
) -> None:
    found = row([{"flag": "", **each} for each in of_two_lines(dead, first, second)])
    counted = ("orders_90d", "orders_180d", "buyers", "days_without_sales", "active_days", "cancel_rate")
    assert [found[name] for name in counted] == [90, 180, 300, 0, 1, 0]


def test_an_order_is_cancelled_when_all_its_lines_are() -> None:
    lines = [line(n, AS_OF - timedelta(days=n // 2), line_id=str(n % 2)) for n in range(8)]
    for each, order, cancelled in zip(lines, "00112233", (1, 1, 1, 0, 0, 1, 0, 0), strict=True):
        each.update(
            order_id=order,
            buyer_id=order,
            status="cancelled" if cancelled else "paid",
            status_at="2025-05-12",
        )
    found = row(lines)
    assert (found["cancel_rate"], found["orders_90d"]) == (Decimal("0.25"), 3)


def test_an_order_of_lines_paid_on_two_days_counts_on_the_day_of_its_first_line_that_counts() -> None:
    lines = [
        line(1, AS_OF - timedelta(days=95), status="cancelled", status_at="2025-05-01"),
        line(1, AS_OF - timedelta(days=85), line_id="2"),
    ]
    assert row(lines, date(2025, 4, 30))["orders_90d"] == 1  # 83 and 73 days ago, nothing cancelled yet
    found = row(lines)
    assert (found["orders_90d"], found["cancel_rate"], found["tenure"]) == (1, 0, 85)


GHOSTS: dict[str, dict[str, object]] = {
    "cancelled": {"status": "cancelled", "status_at": "2024-09-01"},
    "of nothing": {"amount": "0.00"},
    "given back whole": {"status": "refunded", "refund_amount": "5.00", "refunded_at": "2024-09-01"},
    "flagged": {"flag": "own_buyer"},
}


@pytest.mark.parametrize("ghost", GHOSTS)
def test_the_first_sale_is_the_first_of_which_something_is_left(ghost: str) -> None:
    shop = [
        {"flag": "", "refund_amount": "", "refunded_at": None, "status_at": None, **each}
        for each in regular(85)
    ]
    added = {**shop[0], "order_id": "g", "paid_at": "2024-08-01", "amount": "5.00", **GHOSTS[ghost]}
    before, after = row(shop), row([*shop, added])
    for name in ("tenure", "blocks", "momentum_sales", "silence", "trend", "growth_90_180", "growth_year"):
        assert after[name] == before[name], name
    assert (after["tenure"], after["blocks"]) == (85, 3)


@pytest.mark.parametrize("other", ["", "a-second-buyer"])
def test_the_buyer_of_an_order_is_the_first_by_name_wherever_its_line_stands(other: str) -> None:
    first = [line(n, AS_OF - timedelta(days=n), buyer_id=f"B{n % 30}") for n in range(60)]
    second = [{**each, "line_id": "2", "buyer_id": other} for each in first]
    found, turned = row([*first, *second]), row([*second, *first])
    assert (found["buyers"], found["repeat_buyers"], found["orders_90d"]) == (30, 1, 60)
    assert found == turned


def test_a_line_of_nothing_is_no_order() -> None:
    nothing = [line(900 + n, AS_OF - timedelta(days=n), "0.00") for n in range(0, 180, 2)]
    before, after = row(regular(179, every=2)), row([*regular(179, every=2), *nothing])
    for name in (
        "orders_90d",
        "active_days",
        "days_without_sales",
        "buyers",
        "average_order",
        "momentum_orders",
    ):
        assert after[name] == before[name], name


def test_a_last_order_of_which_nothing_is_left_is_no_sale() -> None:
    back = line(900, AS_OF, "5.00", status="refunded", status_at=AS_OF.isoformat())
    assert row([*regular(85), back])["days_since_last_sale"] == 1


@pytest.mark.parametrize("days", [120, 126, 127, 154, 155, 182, 183, 190, 365, 366, 420])
def test_a_steady_shop_does_not_vary_with_its_age(days: int) -> None:
    found = row([line(back, AS_OF - timedelta(days=back)) for back in range(days)])
    assert [found[name] for name in ("weekly_variation", "volatility", "trend", "worst_fall")] == [0, 0, 0, 0]


def test_a_part_of_a_week_or_of_a_block_is_none() -> None:
    shop = [line(back, AS_OF - timedelta(days=back)) for back in range(91)]
    assert row(shop[:27])["weekly_variation"] is None
    assert row(shop[:28])["weekly_variation"] == 0
    assert row(shop[:89])["trend"] is None
    assert (row(shop[:90])["trend"], row(shop)["blocks"]) == (0, 4)


@pytest.mark.parametrize(
    ("name", "days"),
    [("growth_30_90", 90), ("growth_90_180", 180), ("order_growth", 180), ("new_buyers", 180), ("worst_fall", 31),
     ("promotion_share", 365), ("growth_year", 455), ("seasonality", 360)],
)  # fmt: skip
def test_a_feature_is_missing_with_less_history_than_its_definition_says(name: str, days: int) -> None:
    shop = [line(back, AS_OF - timedelta(days=back)) for back in range(days)]
    assert row(shop)[name] is not None
    assert row(shop[:-1])[name] is None


def test_last_years_peak_is_known_sixty_days_before_the_next() -> None:
    found = row([line(1, date(2024, 1, 1)), line(2, date(2024, 6, 18), "500.00"), line(3, AS_OF)])
    assert found["last_peak_sales"] == 50000
    early = features([line(1, date(2024, 1, 1))], as_of=date(2025, 4, 18)).row("shop")
    assert early["last_peak_sales"] is None


def test_many_shops_in_one_pass_equal_each_alone() -> None:
    from microloan_cli.fixtures import generate

    rows = [row for shop in generate.SHOPS[5:] for row in generate.rows(shop)]
    together = features(rows, as_of=generate.DEMO_DAY)
    for shop in generate.SHOPS[5:]:
        alone = features(generate.rows(shop), as_of=generate.DEMO_DAY).row(shop.shop_id)
        assert together.row(shop.shop_id) == alone


def test_amounts_near_the_limit_of_64_bits_do_not_overflow() -> None:
    lines = [line(back, AS_OF - timedelta(days=back), "80000000000000.00") for back in range(100)]
    found = row(lines)
    assert found["sales_90d"] == 90 * 8 * 10**15
    assert found["volatility"] == pytest.approx(Decimal("0.1"), abs=Decimal("0.2"))


def test_the_table_converts_to_pandas_with_missing_values() -> None:
    frame = features(sales_lines(regular(20)), as_of=AS_OF).to_pandas()
    assert frame.loc["shop", "sales_7d"] == 60000
    assert frame["growth_year"].isna().all()


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 800)), min_size=1, max_size=60), st.integers(1, 30),
    st.integers(1, 60),
)  # fmt: skip
def test_periods_are_parted_alike_for_one_shop_and_for_many(
    lines: list[tuple[int, int]], width: int, number: int
) -> None:
    cut_off = AS_OF.toordinal()
    shop, day = (
        np.array(each) for each in zip(*sorted((shop, cut_off - back) for shop, back in lines), strict=True)
    )
    axis = Axis(shop * _APART + day, shop, 3, cut_off)
    assert (axis._found(width, number) == axis._counted(width, number)).all()
