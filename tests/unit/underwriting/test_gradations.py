"""What stands out of a shop's own gradations, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microloan.underwriting.kernels import beyond_gradations


def stands_out(values: list[int], suspect: int, chance: float) -> bool:
    value = np.array([*values, suspect])
    suspects = np.arange(len(value)) == len(values)
    return bool(
        beyond_gradations(np.zeros_like(value), value, suspects, 1, unit=np.array(2), chance=chance)[-1]
    )


@pytest.mark.parametrize(
    ("others", "value", "expected"),
    [
        ([1] * 90 + [2] * 7 + [4], 24, 1 / 6**3),  # n₁ = 8, n₂ = 1: three halvings a doubling
        ([1] * 50 + [2] * 30 + [4] * 20, 40, 20 * 10 ** -math.log2(50 / 20)),
        ([1] * 60 + [2] * 4, 8, 4 * 4 ** -math.log2(64 / 4)),  # four are too few: through one order and two
        ([1] * 64, 10, 0.5 * 5 ** -math.log2(64 / 0.5)),  # nobody else came back: half a buyer
    ],
)
def test_the_bound_of_one_account_by_hand(others: list[int], value: int, expected: float) -> None:
    bound = math.e * expected * math.exp(-expected)
    assert stands_out(others, value, bound * 1.0001)
    assert not stands_out(others, value, bound * 0.9999)


def test_several_accounts_are_bounded_together_and_are_no_evidence_for_each_other() -> None:
    others, expected = [1] * 90 + [2] * 7 + [4], 1 / 3**3
    value = np.array(others + [12] * 3)
    bound = (math.e * expected / 3) ** 3 * math.exp(-expected)
    for chance, found in ((bound * 1.0001, True), (bound * 0.9999, False)):
        marked = beyond_gradations(np.zeros_like(value), value, value > 4, 1, unit=np.array(2), chance=chance)
        assert marked[-3:].tolist() == [found] * 3


def test_shops_are_judged_apart() -> None:
    value = np.array([1] * 90 + [24] + [2**step for step in range(6) for _ in range(2 ** (6 - step))])
    shop = np.array([0] * 91 + [1] * (len(value) - 91))
    marked = beyond_gradations(shop, value, value >= 8, 2, unit=np.array(2), chance=0.05)
    assert np.flatnonzero(marked).tolist() == [90]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=80), st.randoms(use_true_random=False))
def test_the_order_of_the_accounts_changes_nothing_and_less_chance_marks_fewer(
    values: list[int], chance: object
) -> None:
    value = np.array(values)
    key = np.zeros_like(value)
    order = np.array(sorted(range(len(values)), key=lambda _: chance.random()))  # type: ignore[attr-defined]
    marked = beyond_gradations(key, value, value >= 6, 1, unit=np.array(2), chance=0.1)
    mixed = beyond_gradations(key, value[order], value[order] >= 6, 1, unit=np.array(2), chance=0.1)
    assert (marked[order] == mixed).all()
    fewer = beyond_gradations(key, value, value >= 6, 1, unit=np.array(2), chance=0.01)
    assert not (fewer & ~marked).any()
