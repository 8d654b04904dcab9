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
