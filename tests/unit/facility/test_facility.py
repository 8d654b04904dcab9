"""May this be drawn? Every reason at once, in order. Source: SEMANTICS 2."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from microloan.days import Term
from microloan.products import Product
from microloan.servicing import facility
from microloan.servicing.facility import (
    DrawRequest,
    ExposureCap,
    Line,
    available,
    costs_more_than,
    draw_refusals,
    limit_on,
)
from microloan.terms import LoanTerms

TODAY = date(2024, 3, 1)
PRODUCT = Product.parse(Product.shipped("CNY").canonical() | {"max_draw": "5000"})
LINE = Line("active", date(2024, 12, 31), limit=1_000_000)


def request(
    amount: int = 100_000, method: str = "anytime", term: str = "90d", rate: str = "0.048%/day"
) -> DrawRequest:
    length = Term.parse(term)
    terms = None
    if PRODUCT.offers(method, length):
        terms = PRODUCT.terms_of(f"{amount / 100:.2f}", rate, TODAY, length, method)  # type: ignore[arg-type]
    return DrawRequest(amount, method, length, terms)


def codes(line: Line = LINE, asked: DrawRequest | None = None, **options: Any) -> list[str]:
    return [
        refusal.code for refusal in draw_refusals(line, asked or request(), PRODUCT, day=TODAY, **options)
    ]


def test_a_draw_within_all_rules_has_no_reason_against_it() -> None:
    assert (
        codes(
            ceiling=Fraction(24, 100),
            caps=[ExposureCap("merchant", 100_000, 0), ExposureCap("group", None, 0)],
        )
        == []
    )


@pytest.mark.parametrize(
    ("line", "asked", "options", "code"),
    [
        (replace(LINE, status="frozen"), None, {}, "facility_not_active"),
        (replace(LINE, valid_until=date(2024, 2, 29)), None, {}, "facility_not_valid"),
        (replace(LINE, outstanding=900_000, pending=1_000), None, {}, "limit_exceeded"),
        (LINE, request(9_000), {}, "below_minimum"),
        (LINE, request(501_000), {}, "above_maximum"),
        (LINE, request(100_500), {}, "not_multiple"),
        (LINE, None, {"overdue_loan": "loan-1"}, "loan_overdue"),
        (LINE, request(term="366d"), {}, "term_not_offered"),
        (LINE, request(method="sweep"), {}, "method_not_offered"),
        (LINE, None, {"caps": [ExposureCap("merchant", 100_000, 1)]}, "cap_exceeded"),
        (LINE, None, {"ceiling": Fraction(17, 100)}, "rate_above_ceiling"),
    ],
)
def test_each_rule_has_its_code(
    line: Line, asked: DrawRequest | None, options: dict[str, Any], code: str
) -> None:
    assert codes(line, asked, **options) == [code]


def test_all_reasons_come_at_once_in_the_documented_order() -> None:
    line = replace(LINE, status="closed", valid_until=date(2024, 1, 1), limit=0)
    asked = request(500_500, term="366d")
    caps = [ExposureCap("merchant", 0, 0)]
    assert codes(line, asked, overdue_loan="loan-1", caps=caps) == [
        "facility_not_active", "facility_not_valid", "limit_exceeded", "above_maximum", "not_multiple", "loan_overdue",
        "term_not_offered", "cap_exceeded",
    ]  # fmt: skip


def test_the_last_days_of_validity_and_season_count() -> None:
    line = replace(LINE, valid_until=TODAY, seasonal_limit=500_000, seasonal_until=TODAY)
    assert available(line, TODAY) == 1_500_000
    assert limit_on(line, date(2024, 3, 2)) == 1_000_000
    assert available(line, date(2024, 3, 2)) == 0


def test_a_draw_on_the_seasonal_limit_matures_within_ninety_days() -> None:
    line = replace(LINE, limit=50_000, seasonal_limit=100_000, seasonal_until=TODAY)
    assert codes(line, request(term="90d")) == []
    assert codes(line, request(term="91d")) == ["term_not_offered"]
    assert codes(line, request(50_000, term="91d")) == []


@given(limit=st.integers(0, 10**9), outstanding=st.integers(0, 10**9), pending=st.integers(0, 10**9))
def test_available_is_never_below_zero_and_never_more_than_is_free(
    limit: int, outstanding: int, pending: int
) -> None:
    room = available(Line("active", TODAY, limit, outstanding, pending), TODAY)
    assert room == max(0, limit - outstanding - pending)


@given(amount=st.integers(1, 40_000).map(lambda tens: tens * 1_000))
def test_what_may_be_drawn_fits_into_what_is_available(amount: int) -> None:
    allowed = not codes(asked=request(min(amount, 500_000)))
    assert not allowed or min(amount, 500_000) <= available(LINE, TODAY)


@pytest.mark.parametrize("principal", ["100.00", "777.77", "300000.00"])
def test_a_rate_exactly_at_the_ceiling_is_not_above_it_whatever_the_rounding(principal: str) -> None:
    terms = PRODUCT.terms_of(principal, "24%/year/365", TODAY, Term(90, "d"))
    assert not costs_more_than(terms, Fraction(24, 100))


def test_minimum_interest_days_are_tested_at_the_earliest_payoff() -> None:
    strict = Product.parse(PRODUCT.canonical() | {"min_interest_days": 7})
    terms = strict.terms_of("10000", "0.048%/day", TODAY, Term(90, "d"))
    assert costs_more_than(terms, Fraction(24, 100))


METHODS_AND_TERMS = [
    ("anytime", "1d"),
    ("anytime", "90d"),
    ("interest_only", "6m"),
    ("equal_instalment", "12m"),
]
METHODS_AND_TERMS += [("equal_principal", "3m"), ("sweep", "120d")]


@given(
    asked=st.sampled_from(METHODS_AND_TERMS),
    cents=st.integers(1, 10**9),
    yearly=st.integers(1, 60),
    room=st.integers(-1, 1),
    start=st.sampled_from([TODAY, date(2023, 2, 28), date(2024, 1, 31)]),
    extra=st.fixed_dictionaries(
        {
            "day_count": st.sampled_from(["actual", "30E/360"]),
            "min_interest_days": st.sampled_from([0, 0, 7]),
            "interest_free_days": st.sampled_from([0, 5]),
            "grace_days": st.sampled_from([0, 3]),
        }
    ),
)
@example(  # the night from 28 February to 1 March counts three
    asked=("anytime", "1d"), cents=10**7, yearly=10, room=0, start=date(2023, 2, 28), extra={"day_count": "30E/360"}
)  # fmt: skip
def test_what_the_rate_alone_shows_the_plan_says_too(
    asked: tuple[str, str], cents: int, yearly: int, room: int, start: date, extra: dict[str, Any]
) -> None:
    method, term = asked
    sweep = {"share": "0.2", "minimum": {"fraction": "1/6", "every": "30d"}} if method == "sweep" else None
    terms = LoanTerms.parse(
        {"method": method, "principal": f"{cents / 100:.2f}", "rate": f"{yearly}%/year/365", "start": start,
         "term": term, "sweep": sweep} | extra
    )  # fmt: skip
    most = Fraction(yearly + room, 100)
    with patch.object(facility, "_rate_shows_it_within", lambda *_: False):
        walked = costs_more_than(terms, most)
    assert costs_more_than(terms, most) == walked
