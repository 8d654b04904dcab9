"""Amounts, rates and days: what is read, and what is refused before any arithmetic."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microloan.days import Term, add_months, days_between, parse_date
from microloan.errors import BadInput, InvalidAmount, InvalidDate, InvalidRate
from microloan.money import MAX_MINOR, amount_text, half_up_div, round_half_up, to_major, to_minor
from microloan.rates import Rate

NOT_AMOUNTS = [
    1.5, float("nan"), True, None, "", " 1", "1 ", "1_000", "1,000.00", "１２３", "٣٤", "1e2", "1e400", "NaN", "sNaN",
    "Infinity", "-Infinity", "0x10", "1.", ".5", "1" * 16, "+1", b"1", Decimal("NaN"), Decimal("Infinity"), Decimal("1e400"),
    10**400,
]  # fmt: skip


@pytest.mark.parametrize("value", NOT_AMOUNTS, ids=lambda value: repr(value)[:20])
def test_what_is_no_plain_amount_is_refused_with_its_field(value: object) -> None:
    with pytest.raises(InvalidAmount) as refused:
        to_minor(value, "CNY", "principal")
    assert refused.value.details["field"] == "principal"


@pytest.mark.timeout(20)  # minutes, if the number were ever written out
@pytest.mark.parametrize("text", ["1e1000000", "1e100000000", "9" * 1000])
def test_absurd_exponents_cost_nothing(text: str) -> None:
    for given_ in (text, Decimal(text)):
        with pytest.raises(InvalidAmount):
            to_minor(given_, "CNY")


@pytest.mark.parametrize(
    ("text", "currency"), [("0.001", "CNY"), ("1.5", "JPY"), ("90000000000000.01", "CNY")]
)
def test_surplus_digits_and_sizes_are_refused_not_rounded(text: str, currency: str) -> None:
    with pytest.raises(InvalidAmount):
        to_minor(text, currency)


def test_an_unknown_currency_is_named() -> None:
    with pytest.raises(BadInput, match="XYZ"):
        to_minor("1", "XYZ")


@given(st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from(["CNY", "JPY", "KWD"]))
def test_minor_units_survive_the_way_out_and_back(minor: int, currency: str) -> None:
    assert to_minor(to_major(minor, currency), currency) == minor
    assert to_minor(amount_text(minor, currency), currency) == minor


@given(st.fractions(max_denominator=10**6))
def test_the_one_rounding_is_half_up_below_zero_too(exact: Fraction) -> None:
    rounded = round_half_up(exact)
    assert Fraction(-1, 2) < rounded - exact <= Fraction(1, 2)
    assert half_up_div(exact.numerator, exact.denominator) == rounded


def test_every_way_to_write_a_rate() -> None:
    same = [
        "0.048%/day",
        "万4.8",
        "0.48‰/day",
        "4.8‱/日",
        {"value": "0.00048", "per": "day"},
        "17.52%/year/365",
    ]
    assert {Rate.parse(given).per_day for given in same} == {Fraction(48, 100000)}


@pytest.mark.parametrize(
    "text",
    ["14%/year", "-1%/day", "0.048%", "5", 0.00048, "1e-4/day", "0.1%/day/360", "200%/day",
     {"value": 0.1, "per": "day"}, {"per": "day"}],
)  # fmt: skip
def test_a_rate_without_basis_sign_or_exactness_is_refused(text: object) -> None:
    with pytest.raises((InvalidRate, InvalidAmount)):
        Rate.parse(text)


def test_a_yearly_rate_is_never_turned_into_a_rounded_daily_one() -> None:
    assert Rate.parse("7.2%/year/365").per_day == Fraction(72, 365000)


def test_a_rate_is_read_back_from_its_stored_form() -> None:
    for text in ("0.048%/day", "14.4%/year/360", "7.2%/year/365"):
        assert Rate.parse(Rate.parse(text).canonical()) == Rate.parse(text)


def test_month_ends_never_drift() -> None:
    days = [add_months(date(2023, 1, 31), n) for n in (1, 2, 3, 13)]
    assert days == [date(2023, 2, 28), date(2023, 3, 31), date(2023, 4, 30), date(2024, 2, 29)]


def test_leap_days_and_centuries() -> None:
    assert days_between(date(2024, 2, 28), date(2024, 3, 1)) == 2
    assert days_between(date(2100, 2, 28), date(2100, 3, 1)) == 1
    assert days_between(date(2023, 2, 28), date(2023, 3, 1), "30E/360") == 3
    assert days_between(date(2023, 1, 30), date(2023, 1, 31), "30E/360") == 0


@given(st.dates(date(1970, 1, 1), date(2900, 1, 1)), st.integers(1, 400), st.integers(1, 400))
def test_days_add_up_over_any_split(start: date, first: int, second: int) -> None:
    middle, end = (date.fromordinal(start.toordinal() + n) for n in (first, first + second))
    for count in ("actual", "30E/360"):
        assert days_between(start, middle, count) + days_between(middle, end, count) == days_between(
            start, end, count
        )


@pytest.mark.parametrize(
    "given_",
    ["2024-02-30", "2024-2-3", "20240203", 20240203, datetime(2024, 2, 3, tzinfo=UTC), None, "1900-01-01"],
)
def test_what_is_no_calendar_day_is_refused(given_: object) -> None:
    with pytest.raises(InvalidDate):
        parse_date(given_)


@pytest.mark.parametrize("text", ["0d", "90", "3w", "-1m", "601m", "3661d", "", None])
def test_what_is_no_term_is_refused(text: object) -> None:
    with pytest.raises(InvalidDate):
        Term.parse(text)


def test_the_library_may_be_imported_while_time_is_frozen() -> None:
    program = (
        "import microloan\n"
        "from freezegun import freeze_time\n"
        "with freeze_time('2026-01-02'):\n"
        "    for name in microloan.__all__: getattr(microloan, name)\n"
        "    print(microloan.SystemClock().now_utc().isoformat())\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout.strip()) == (0, "2026-01-02T00:00:00+00:00"), told.stderr[-800:]
