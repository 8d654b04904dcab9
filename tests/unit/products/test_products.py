"""Products: read from TOML, exact, coherent, the same after storing. Source: SEMANTICS 1 to 3."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from microloan.days import Term
from microloan.errors import InvalidDate, InvalidProduct
from microloan.products import Product, RateCeiling, TermSpan, ceiling_on


def changed(**fields: Any) -> Product:
    return Product.parse(Product.shipped("CNY").canonical() | fields)


@pytest.mark.parametrize("currency", ["CNY", "BRL", "JPY"])
def test_the_shipped_product_serves_books_in_other_currencies(currency: str) -> None:
    if currency == "JPY":
        product = Product.shipped(currency)
        assert product.minor("min_draw") == 100
        return
    product = Product.shipped(currency)
    assert (product.name, product.currency, product.minor("min_draw")) == (
        "marketplace",
        currency,
        5_000 if currency == "BRL" else 10_000,
    )
    assert bool(product.ceilings) == (currency == "CNY")


def test_a_product_is_the_same_after_it_was_stored() -> None:
    product = changed(sweep=None, due_day=21, caps={"merchant": "5"})
    again = Product.parse(product.canonical())
    assert (again, again.sha256) == (product, product.sha256)


def test_a_product_changes_its_hash_with_any_of_its_content() -> None:
    assert changed(grace_days=1).sha256 != changed(grace_days=2).sha256


def test_the_shipped_ceilings_are_24_percent_and_from_2028_four_times_the_lpr() -> None:
    ceilings = Product.shipped("CNY").ceilings
    before, after = ceiling_on(ceilings, date(2027, 12, 31)), ceiling_on(ceilings, date(2028, 1, 1))
    assert before is not None
    assert after is not None
    assert before.limit(None) == Fraction(24, 100)
    assert after.limit(Fraction(3, 100)) == Fraction(12, 100)
    assert after.limit(None) is None
    assert "counsel" in before.note + after.note


def test_there_is_no_ceiling_before_the_first() -> None:
    ceiling = RateCeiling(first_day=date(2020, 1, 1), yearly=Fraction(1, 5))
    assert ceiling_on([ceiling], date(2019, 12, 31)) is None


def test_terms_carry_everything_the_product_fixes() -> None:
    product = changed(grace_days=3, day_count="30E/360", min_interest_days=2, early_days=5, due_day=21)
    terms = product.terms_of("120000", "14.4%/year/360", date(2024, 1, 31), Term(12, "m"), "equal_instalment")
    assert (terms.grace_days, terms.day_count, terms.min_interest_days, terms.early_days) == (
        3,
        "30E/360",
        2,
        5,
    )
    assert terms.last_day == date(2025, 1, 21)


def test_a_deferred_pay_product_is_configuration() -> None:
    product = changed(
        interest_free_days=40, default_method="equal_instalment", default_term="36m",
        methods=[{"method": "equal_instalment", "terms": ["1m..36m"]}],
    )  # fmt: skip
    terms = product.terms_of("3600", "0.05%/day", date(2024, 1, 1), Term(36, "m"), "equal_instalment")
    assert (terms.interest_free_days, terms.last_day) == (40, date(2027, 1, 1))


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"min_draw": 100.5}, "min_draw"),
        ({"min_draw": "0"}, "product"),
        ({"min_draw": "0.001"}, "min_draw"),
        ({"max_draw": "1"}, "product"),
        ({"multiple": "-10"}, "product"),
        ({"name": "Big Loan"}, "name"),
        ({"version": 0}, "version"),
        ({"version": "1"}, "version"),
        ({"currency": "XXX"}, "currency"),
        ({"methods": []}, "methods"),
        ({"methods": [{"method": "balloon", "terms": ["90d"]}]}, "methods.0.method"),
        ({"methods": [{"method": "anytime", "terms": ["soon"]}]}, "methods.0.terms.0"),
        ({"methods": [{"method": "anytime", "terms": ["90d"]}] * 2}, "product"),
        ({"default_term": "400d"}, "product"),
        ({"sweep": {"share": "0.1"}}, "product"),
        ({"allocation": ["fees", "fees", "interest", "principal"]}, "allocation"),
        ({"grace_days": -1}, "grace_days"),
        ({"surprise": 1}, "surprise"),
        ({"ceilings": [{"from": "2024-01-01"}]}, "ceilings.0"),
        (
            {"ceilings": [{"from": "2025-01-01", "yearly": "0.2"}, {"from": "2024-01-01", "yearly": "0.3"}]},
            "product",
        ),
    ],
)
def test_a_product_that_contradicts_itself_is_refused_by_field(fields: dict[str, Any], where: str) -> None:
    with pytest.raises(InvalidProduct) as refused:
        changed(**fields)
    assert refused.value.details["field"] == where
    assert refused.value.exit_status == 2


def test_files_that_are_no_products_are_refused(tmp_path: Path) -> None:
    for content in (b"\xff\xfe", b"name = ", b"name = 'x'"):
        path = tmp_path / "product.toml"
        path.write_bytes(content)
        with pytest.raises(InvalidProduct):
            Product.load(path)
    with pytest.raises(InvalidProduct):
        Product.load(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("text", ["90d", "1d..365d", "12m", "1m..36m"])
def test_a_span_of_lengths_reads_back(text: str) -> None:
    assert str(TermSpan.parse(text)) == text


@pytest.mark.parametrize("text", ["365d..1d", "1d..12m", "d", "0d", "90", 90, None])
def test_a_span_that_is_none_is_refused(text: object) -> None:
    with pytest.raises(InvalidDate):
        TermSpan.parse(text)


def test_a_product_that_rolls_due_dates_reads_back_and_others_keep_their_hash() -> None:
    rolling = changed(business_days={"calendar": "CN", "roll": "modified_following"})
    assert Product.parse(rolling.canonical()) == rolling
    assert "business_days" not in Product.shipped("CNY").canonical()


@pytest.mark.parametrize("setting", [{"calendar": "china"}, {"roll": "nearest"}, {"days": []}])
def test_a_calendar_is_weekends_or_a_country(setting: dict[str, Any]) -> None:
    with pytest.raises(InvalidProduct):
        changed(business_days=setting)
