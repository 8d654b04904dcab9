"""Canonical JSON: one text per value, whatever its order or spelling; what a hash is taken of."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microloan.days import Term
from microloan.products import Product
from microloan.store.chain import canonical_json, canonical_parts

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_it_is_sorted_json_without_spaces_of_the_values_in_nfc(value: Any) -> None:
    text = canonical_json(value)
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert json.loads(text) == in_nfc(value)


def in_nfc(value: Any) -> Any:
    """Values in NFC; keys stay as they are."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, dict):
        return {key: in_nfc(part) for key, part in value.items()}
    return [in_nfc(part) for part in value] if isinstance(value, list) else value


def test_days_instants_and_keys_have_one_spelling() -> None:
    day, instant = date(2024, 2, 29), datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert canonical_json({2: day, "1": (instant, True)}) == '{"1":[1000000,true],"2":"2024-02-29"}'


@pytest.mark.parametrize("value", [1.0, {"a": float("nan")}, [{1}], b"x"])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


@given(principal=st.integers(1, 10**12), days=st.integers(1, 365))
def test_the_parts_of_a_draw_make_the_text_of_the_whole(principal: int, days: int) -> None:
    product = Product.shipped("CNY")
    terms = product.terms_of(
        f"{principal}.00", "0.048%/day", date(2024, 1, 31), Term(days, "d"), "interest_only"
    )
    whole = canonical_json({"amount_minor": terms.principal_minor, "terms": terms.canonical()})
    assert canonical_parts(amount_minor=str(terms.principal_minor), terms=terms.text) == whole
