"""What holds for every shop: no look-ahead, wash orders and refunds never raise a limit, limits are round."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from microloan_cli.fixtures import generate

from microloan.underwriting import (
    Applicant,
    Decision,
    decide,
    features,
    from_json,
    rerun,
    sales_lines,
    shipped_policy,
)
from microloan.underwriting.features import typical_month
from microloan.underwriting.flow import STATUSES, SalesLines
from microloan.underwriting.limit import Basis, credit_limit, haircut_product, rounded_down
from microloan.underwriting.scorecard import score

POLICY = shipped_policy()
AS_OF = date(2025, 5, 12)
Row = dict[str, object]

days_back = st.integers(0, 420)
amounts = st.integers(1, 3_000_000)


@st.composite
def order_lines(draw: st.DrawFn, days: st.SearchStrategy[int] = days_back) -> Row:
    """A line with any history, paid so many days before AS_OF."""
    paid = AS_OF - timedelta(days=draw(days))
    amount, status = draw(amounts), draw(st.sampled_from(STATUSES))
    later = st.none() | st.integers(0, 90).map(lambda n: (paid + timedelta(days=n)).isoformat())
    return {
        "shop_id": "shop", "order_id": str(draw(st.integers(0, 10**9))), "paid_at": paid.isoformat(), "amount_minor": amount,
        "status": status, "refund_minor": draw(st.integers(0, amount)) if status == "refunded" else 0,
        "refunded_at": draw(later) if status == "refunded" else None, "status_at": draw(later), "settled_at": draw(later),
        "buyer_id": draw(st.sampled_from(["", *(f"b{n}" for n in range(30))])),
    }  # fmt: skip


flows = st.lists(order_lines(), min_size=1, max_size=60)


@st.composite
def selling_shops(draw: st.DrawFn) -> list[Row]:
    """A shop that sells often enough to be granted something, with weekly ups and downs."""
    levels = draw(st.lists(st.integers(1, 9), min_size=58, max_size=58))
    return [
        row(f"{week}-{n}", AS_OF - timedelta(days=7 * week + n), level * 7_000, f"b{week}-{n}")
        for week, level in enumerate(levels)
        for n in range(3)
    ]


def row(order: str, day: date, amount: int, buyer: str, **more: object) -> Row:
    return {
        "shop_id": "shop", "order_id": order, "paid_at": day.isoformat(), "amount_minor": amount, "status": "completed",
        "buyer_id": buyer, **more,
    }  # fmt: skip


def decided(rows: list[Row] | SalesLines) -> Decision:
    return decide(rows, POLICY, as_of=AS_OF)


def granted(found: Decision) -> int:
    """What the merchant gets without a person looking."""
    return found.limit_minor if found.outcome == "approved" else 0


@given(flows, st.lists(order_lines(st.integers(-200, -1)), max_size=10))
def test_lines_paid_later_change_nothing(known: list[Row], later: list[Row]) -> None:
    assert features(known, as_of=AS_OF).row("shop") == features(known + later, as_of=AS_OF).row("shop")
    assert decided(known).snapshot == decided(known + later).snapshot


def _after(day: object) -> bool:
    return day is not None and str(day) > AS_OF.isoformat()


def _forgotten(each: Row) -> Row:
    """The line as it stood on AS_OF: dated changes after it had not happened."""
    known = dict(each)
    if _after(each["settled_at"]):
        known["settled_at"] = None
    change = each["refunded_at"] or each["status_at"]
    if each["status"] == "refunded" and _after(change):
        known |= {"status": "completed", "refund_minor": 0, "refunded_at": None, "status_at": None}
    if each["status"] == "cancelled" and _after(each["status_at"]):
        known |= {"status": "paid", "status_at": None}
    return known


@given(flows)
def test_refunds_cancellations_and_settlements_of_later_days_change_nothing(rows: list[Row]) -> None:
    then = [_forgotten(each) for each in rows]
    assert features(rows, as_of=AS_OF).row("shop") == features(then, as_of=AS_OF).row("shop")


@settings(max_examples=40)
@given(
    selling_shops(),
    st.integers(1, 5),
    st.integers(6, 40),
    st.integers(6, 30),
    st.integers(0, 300),
    st.integers(1, 60),
)
def test_orders_of_accounts_that_buy_again_and_again_never_raise_the_limit(
    shop: list[Row], accounts: int, orders: int, span: int, back: int, worth: int
) -> None:
    wash = [
        row(f"w{a}-{n}", AS_OF - timedelta(days=back + n * span // orders), worth * 10_000, f"w{a}")
        for a in range(accounts)
        for n in range(orders)
    ]
    before, after = decided(shop), decided(shop + wash)
    assert after.limit_minor <= before.limit_minor
    assert granted(after) <= granted(before)


@st.composite
def young_shops(draw: st.DrawFn) -> list[Row]:
    """A shop of 60 to 260 days with ups and downs, rising or falling."""
    days, slope = draw(st.integers(60, 260)), draw(st.integers(-20, 20))
    levels = draw(st.lists(st.integers(5, 15), min_size=14, max_size=14))
    return [
        row(
            f"o{back}",
            AS_OF - timedelta(days=back),
            max(levels[back % 14] * (600 - slope * back // 10), 1),
            f"b{back}",
        )
        for back in range(days)
    ]


@st.composite
def ghost_orders(draw: st.DrawFn) -> list[Row]:
    """Orders of which nothing is left: cancelled, of 0.00, or not genuine."""
    fates: list[Row] = [{"status": "cancelled"}, {"amount_minor": 0}, {"flag": "own_buyer"}]
    days = draw(st.lists(st.integers(0, 400), min_size=1, max_size=12))
    return [
        row(f"g{n}", AS_OF - timedelta(days=back), draw(amounts), f"g{n}")
        | {"status_at": (AS_OF - timedelta(days=back)).isoformat()} | draw(st.sampled_from(fates))
        for n, back in enumerate(days)
    ]  # fmt: skip


@settings(max_examples=80)
@given(young_shops(), ghost_orders())
def test_orders_of_which_nothing_is_left_never_raise_the_limit(shop: list[Row], ghosts: list[Row]) -> None:
    plain = [{"flag": "", **each} for each in shop]
    before, after = decided(plain), decided([*plain, *({"flag": "", **each} for each in ghosts)])
    assert after.limit_minor <= before.limit_minor
    assert granted(after) <= granted(before)


@given(st.lists(order_lines(), min_size=1, max_size=30, unique_by=lambda each: each["order_id"]), st.data())
def test_an_order_sold_in_two_lines_is_one_order(rows: list[Row], data: st.DataObject) -> None:
    """Every feature is the same whether an order is one line or two of the same fate and refund share."""
    whole = [{**each, "amount_minor": 2 * int(str(each["amount_minor"])), "refund_minor": 2 * int(str(each["refund_minor"]))}
             for each in rows]  # fmt: skip
    halves = [each for half in rows for each in (half, dict(half))]
    assert features(whole, as_of=AS_OF).row("shop") == features(halves, as_of=AS_OF).row("shop")


@given(flows, st.integers(0, 30))
def test_a_cancelled_line_beside_a_line_changes_no_order(rows: list[Row], amount: int) -> None:
    beside = [{**each, "amount_minor": amount, "status": "cancelled", "status_at": each["paid_at"], "refund_minor": 0}
              for each in rows]  # fmt: skip
    unlike = ("received_365d", "cancelled_365d")
    before, after = (features(each, as_of=AS_OF).row("shop") for each in (rows, rows + beside))
    assert {k: v for k, v in before.items() if k not in unlike} == {
        k: v for k, v in after.items() if k not in unlike
    }


@cache
def _bundled(shop_id: str) -> tuple[list[Row], Decision]:
    rows: list[Row] = list(generate.rows(generate.shop(shop_id)))  # type: ignore[arg-type]
    return rows, decided(rows)


@settings(max_examples=40)
@given(
    st.sampled_from(["steady", "seasonal", "collapsing", "small"]), st.integers(1, 6), st.integers(8, 60), st.integers(0, 200),
    st.integers(1, 8), st.booleans(),
)  # fmt: skip
def test_wash_orders_never_raise_the_limit_of_a_bundled_shop(
    shop_id: str, accounts: int, orders: int, back: int, worth: int, come_back: bool
) -> None:
    rows, before = _bundled(shop_id)
    fate = {"status": "refunded", "refunded_at": AS_OF.isoformat()} if come_back else {"status": "completed"}
    wash = [
        {**rows[0], "order_id": f"w{a}-{n}", "buyer_id": f"w{a}", "amount": f"{worth * 90}.00", "refund_amount": "",
         "paid_at": (AS_OF - timedelta(days=back + n * 30 // orders)).isoformat(), "status_at": "", **fate}
        for a in range(accounts) for n in range(orders)
    ]  # fmt: skip
    after = decided(rows + wash)
    assert after.limit_minor <= before.limit_minor
    assert granted(after) <= granted(before)


def _sent_back(each: Row, part: int) -> Row:
    """The line with so many per cent of it refunded on AS_OF."""
    refund = int(str(each["amount_minor"])) * part // 100
    return {**each, "status": "refunded", "refund_minor": refund, "refunded_at": AS_OF.isoformat()}


@settings(max_examples=60)
@given(selling_shops(), st.sets(st.integers(0, 173), min_size=1, max_size=60), st.integers(1, 100))
def test_more_refunds_never_raise_the_limit(shop: list[Row], refunded: set[int], part: int) -> None:
    back = [_sent_back(each, part) if index in refunded else each for index, each in enumerate(shop)]
    before, after = decided(shop), decided(back)
    assert after.limit_minor <= before.limit_minor
    assert (after.seasonal.limit_minor if after.seasonal else 0) <= (
        before.seasonal.limit_minor if before.seasonal else 0
    )


@settings(max_examples=40)
@given(selling_shops(), st.lists(st.tuples(st.integers(0, 14), amounts), min_size=1, max_size=15))
def test_young_sales_never_raise_the_limit_above_what_older_ones_earn(
    shop: list[Row], young: list[tuple[int, int]]
) -> None:
    added = [row(f"y{n}", AS_OF - timedelta(days=back), fen, f"y{n}") for n, (back, fen) in enumerate(young)]
    older = decided(shop).snapshot
    grade = score(older.mature_row, POLICY, "CNY").grade
    after = decided(shop + added)
    if grade is None:
        assert after.outcome == "declined"
        return
    proven = credit_limit(
        [Basis(older.mature_cut_off, older.mature_row, grade)], POLICY, Applicant(), "CNY", AS_OF
    )
    assert after.limit_minor <= proven.limit_minor


@given(flows)
def test_a_decision_reads_back_and_runs_again_the_same(rows: list[Row]) -> None:
    made = decided(rows)
    assert from_json(made.to_json()) == made
    assert rerun(from_json(made.to_json()), POLICY) == made


@given(flows)
def test_the_order_of_the_rows_does_not_matter(rows: list[Row]) -> None:
    unique = list({str(each["order_id"]): each for each in rows}.values())
    assert decided(unique).snapshot == decided(unique[::-1]).snapshot


@given(st.integers(-(10**6), 10**16), st.sampled_from(["CNY", "JPY", "KWD", "BRL"]))
def test_a_rounded_limit_is_round_never_higher_and_loses_less_than_a_step(amount: int, currency: str) -> None:
    one = {"CNY": 100, "BRL": 100, "JPY": 1, "KWD": 1000}[currency]
    rounded = rounded_down(amount, currency)
    step = (100 if amount >= 1000 * one else 10) * one
    assert 0 <= rounded <= max(amount, 0)
    assert rounded % step == 0
    assert max(amount, 0) - rounded < step


shares = st.fractions(0, 1, max_denominator=1000)


@given(shares, shares, shares, shares)
def test_the_product_of_haircuts_lies_between_the_floor_and_one(
    volatility: Fraction, refunds: Fraction, concentration: Fraction, floor: Fraction
) -> None:
    product = haircut_product(volatility, refunds, concentration, floor)
    assert min(floor, refunds, concentration) <= product <= 1


@given(st.lists(st.integers(0, 10**13), min_size=3, max_size=12), st.data())
def test_more_sales_in_a_month_never_lower_the_typical_month(blocks: list[int], data: st.DataObject) -> None:
    import numpy as np

    index, more = data.draw(st.integers(0, len(blocks) - 1)), data.draw(st.integers(0, 10**13))
    higher = [each + more * (n == index) for n, each in enumerate(blocks)]
    pair = np.zeros((2, 12), dtype=np.int64)
    pair[0, -len(blocks) :], pair[1, -len(blocks) :] = blocks, higher
    low, high = typical_month(pair, np.full(2, len(blocks)))
    assert low <= high


def test_lines_are_read_once_and_used_for_every_day() -> None:
    lines = sales_lines(generate.rows(generate.shop("steady")))
    for back in (0, 30, 200):
        day = AS_OF - timedelta(days=back)
        assert decide(lines, POLICY, as_of=day) == decide(
            generate.rows(generate.shop("steady")), POLICY, as_of=day
        )
