"""The limit, factor by factor, with worked figures. Source of the rules: SEMANTICS 8."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from microloan.underwriting import Applicant, Cap, shipped_policy
from microloan.underwriting.features import DEFINITIONS, Value
from microloan.underwriting.limit import (
    Basis,
    Limit,
    Row,
    concentration_factor,
    credit_limit,
    haircut_product,
    refund_factor,
    repayment_capacity,
    rounded_down,
    volatility_factor,
)
from microloan.underwriting.reasons import STEPS

POLICY = shipped_policy()
A, B, C, D = POLICY.grades
DAY = date(2025, 3, 1)


def features(**known: Value) -> dict[str, Value]:
    """A row of a perfectly steady shop of 100,000.00 a month, but for what is said."""
    row: dict[str, Value] = dict.fromkeys(DEFINITIONS)
    row |= {
        "typical_month": 10_000_000, "blocks": 12, "volatility": Decimal(0), "refund_rate": Decimal(0),
        "top_buyer_share": Decimal("0.01"), "received_365d": 120_000_000, "sales_365d": 120_000_000,
    }  # fmt: skip
    return row | known


def limit(row: Row, applicant: Applicant | None = None, day: date = DAY, **more: Row) -> Limit:
    bases = [Basis(day, row, A), *(Basis(day, other, A) for other in more.values())]
    return credit_limit(bases, POLICY, applicant or Applicant(), "CNY", day)


def value(found: Limit, name: str) -> str:
    return next(step.value_text("CNY") for step in found.steps if step.name == name)


def test_haircuts_by_hand() -> None:
    """CV 0.25 → 1 / 1.25; refunds 15% → 1 − 2 × 10%; largest buyer 60% → 30 / 60."""
    assert volatility_factor(Decimal("0.25")) == Fraction(4, 5)
    assert refund_factor(Decimal("0.15"), POLICY.haircuts) == Fraction(4, 5)
    assert concentration_factor(Decimal("0.6"), POLICY.haircuts) == Fraction(1, 2)


@pytest.mark.parametrize(
    ("rate", "factor"), [("0", "1"), ("0.05", "1"), ("0.30", "1/2"), ("0.55", "0"), ("0.9", "0")]
)
def test_the_refund_haircut_starts_at_five_per_cent_and_ends_at_nothing(rate: str, factor: str) -> None:
    assert refund_factor(Decimal(rate), POLICY.haircuts) == Fraction(factor)


@pytest.mark.parametrize(
    ("volatility", "refunds", "concentration", "product"),
    [
        ("4/5", "4/5", "1/2", "8/25"),  # the plain product
        ("1/2", "1/2", "1/2", "1/4"),  # 0.125 is lifted to the floor
        ("1/3", "1/5", "1", "1/5"),  # refunds alone are lower than the floor
        ("1/3", "1/5", "1/10", "1/10"),  # concentration alone is lower still
        ("1/3", "0", "1", "0"),
    ],
)
def test_the_product_of_haircuts_has_a_floor(
    volatility: str, refunds: str, concentration: str, product: str
) -> None:
    factors = Fraction(volatility), Fraction(refunds), Fraction(concentration)
    assert haircut_product(*factors, POLICY.haircuts.floor) == Fraction(product)


def test_repayment_capacity_by_hand() -> None:
    """0.8 × 25% × 100,000.00 × 12 / (1 + 0.048% × 360) = 240,000.00 / 1.1728 = 204,638.47… rounded down."""
    assert repayment_capacity(10_000_000, A, POLICY) == 20_463_847
    assert repayment_capacity(10_000_000, A, POLICY, debt_service_minor=500_000) == 15_347_885
    assert repayment_capacity(10_000_000, A, POLICY, debt_service_minor=9_000_000) == 0


def test_a_limit_by_hand() -> None:
    """k 2 × 100,000.00 × (1 / 1.25 × 0.8 × 0.5 = 0.32) = 64,000.00."""
    row = features(volatility=Decimal("0.25"), refund_rate=Decimal("0.15"), top_buyer_share=Decimal("0.6"))
    found = limit(row)
    assert found.limit_minor == 6_400_000
    assert [value(found, name) for name in ("k", "volatility", "refunds", "concentration", "haircuts")] == [
        "2.0000", "0.8000", "0.8000", "0.5000", "0.3200",
    ]  # fmt: skip


def test_every_step_of_the_waterfall_has_words_in_both_languages() -> None:
    found = limit(features())
    assert found.steps[0].name == "sales_received"
    names = [step.name for step in found.steps]
    assert names[-1] == "limit"
    assert names.index("typical_month") < names.index("k") < names.index("formula") < names.index("lowest")
    for step in found.steps:
        assert "?" not in step.text("en")
        assert step.text("zh") != step.text("en")
    assert all(en != zh for en, zh in STEPS.values())


@pytest.mark.parametrize(
    ("amount", "limit"),
    [
        (12_345_678, 12_340_000),
        (100_000, 100_000),
        (99_999, 99_000),
        (100_999, 100_000),
        (999, 0),
        (0, 0),
        (-1, 0),
    ],
)
def test_rounding_is_down_to_100_and_to_10_below_1000(amount: int, limit: int) -> None:
    assert rounded_down(amount, "CNY") == limit


def test_rounding_knows_the_digits_of_the_currency() -> None:
    assert (rounded_down(12_345, "JPY"), rounded_down(987, "JPY"), rounded_down(1_234_567, "KWD")) == (
        12_300,
        980,
        1_200_000,
    )


def test_a_limit_below_the_products_minimum_is_none() -> None:
    found = limit(features(typical_month=24_000))
    assert (found.limit_minor, found.unrounded_minor, found.minimum_minor) == (0, 48_000, 50_000)
    assert limit(features(typical_month=25_000)).limit_minor == 50_000
    assert limit(features(typical_month=25_000), Applicant(minimum_limit_minor=60_000)).limit_minor == 0


def test_own_exposure_is_taken_off_the_caps() -> None:
    big = features(typical_month=1_000_000_000)
    assert limit(big).limit_minor == 200_000_000
    assert limit(big, Applicant(own_exposure_minor=50_000_000)).limit_minor == 150_000_000
    assert limit(big, Applicant(own_exposure_minor=300_000_000)).limit_minor == 0
    assert limit(big, Applicant(product_cap_minor=30_000_000)).limit_minor == 30_000_000


def test_shares_of_net_assets_bind_where_known_and_print_not_set_where_not() -> None:
    """10% of 1,000,000.00 is 100,000.00; 15% with related parties, of which 80,000.00 are used, is 70,000.00."""
    assert value(limit(features()), "net_assets_cap") == "not set"
    alone = limit(features(), Applicant(net_assets_minor=100_000_000))
    assert alone.limit_minor == 10_000_000
    assert "regulatory_cap" in [each.code for each in alone.reasons]
    related = limit(features(), Applicant(net_assets_minor=100_000_000, related_exposure_minor=8_000_000))
    assert related.limit_minor == 7_000_000


def test_other_caps_of_the_lender_bind_too() -> None:
    caps = (Cap("city", 9_000_000, used_minor=1_000_000), Cap("branch", None))
    found = limit(features(), Applicant(caps=caps))
    assert found.limit_minor == 8_000_000
    assert [step.value_text("CNY") for step in found.steps if step.name == "other_cap"] == [
        "80000.00",
        "not set",
    ]


def test_concentration_is_ignored_where_the_platform_is_the_buyer() -> None:
    row = features(top_buyer_share=Decimal(1))
    assert limit(row).limit_minor == 6_000_000
    assert limit(row, Applicant(platform_is_buyer=True)).limit_minor == 20_000_000


def test_unknown_buyers_cost_nothing_and_show_as_not_set() -> None:
    found = limit(features(top_buyer_share=None))
    assert (found.limit_minor, value(found, "concentration")) == (20_000_000, "not set")


def test_the_lower_of_the_two_bases_stands() -> None:
    found = limit(features(), mature=features(typical_month=8_000_000))
    assert found.limit_minor == 16_000_000
    assert [each.code for each in found.reasons] == ["recent_sales_unproven"]
    assert value(found, "formula_other") == "200000.00"
    assert limit(features(), mature=features(typical_month=12_000_000)).limit_minor == 20_000_000


def test_the_seasonal_limit_by_hand() -> None:
    """k 2 × last year's 150,000.00 of 22 May to 20 June × min(1, 0.9) = 270,000.00 beside the limit, until 20 June."""
    row = features(last_peak_sales=15_000_000, growth_year=Decimal("0.9"))
    found = limit(row, day=date(2025, 5, 12))
    assert found.seasonal is not None
    assert (found.seasonal.peak, found.seasonal.limit_minor) == ("6.18", 27_000_000)
    assert (found.seasonal.starts_on, found.seasonal.ends_on) == (date(2025, 4, 19), date(2025, 6, 20))
    assert found.seasonal.draw_days == 90


def test_growth_never_raises_the_seasonal_limit_and_the_caps_hold_for_both() -> None:
    row = features(last_peak_sales=15_000_000, growth_year=Decimal(3))
    day = date(2025, 5, 12)
    grown = limit(row, day=day)
    assert grown.seasonal is not None
    assert grown.seasonal.limit_minor == 30_000_000
    capped = limit(row, Applicant(product_cap_minor=30_000_000), day=day)
    assert capped.seasonal is not None
    assert (capped.limit_minor, capped.seasonal.limit_minor) == (20_000_000, 10_000_000)


@pytest.mark.parametrize("day", [date(2025, 4, 18), date(2025, 6, 19), date(2025, 3, 1)])
def test_there_is_no_seasonal_limit_outside_the_sixty_days(day: date) -> None:
    row = features(last_peak_sales=15_000_000, growth_year=Decimal(1))
    assert limit(row, day=day).seasonal is None


def test_without_a_year_to_compare_there_is_no_seasonal_limit() -> None:
    assert limit(features(last_peak_sales=15_000_000), day=date(2025, 5, 12)).seasonal is None


def test_what_is_not_set_is_said_in_the_readers_language() -> None:
    found = limit(features())
    texts = {each.name: (each.text("en"), each.text("zh")) for each in found.steps}
    english, chinese = texts["net_assets_cap"]
    assert "not set" in english
    assert "（未设置）" in chinese
    assert not any("not set" in zh or "not known" in zh for _, zh in texts.values())
