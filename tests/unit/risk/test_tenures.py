"""Who had an identifier at one time, and how they took it up."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from microloan.risk.tenures import HANDED_ON_DAYS, TakenUp, taken_up, tenures

DAY = date(2026, 1, 1)


def after(days: int) -> date:
    return DAY + timedelta(days=days)


def test_nobody_has_no_tenure() -> None:
    assert tenures([]) == []


@pytest.mark.parametrize(("idle", "found"), [(HANDED_ON_DAYS, [[0, 1]]), (HANDED_ON_DAYS + 1, [[0], [1]])])
def test_a_number_nobody_had_for_a_month_was_handed_on(idle: int, found: list[list[int]]) -> None:
    assert tenures([(DAY, after(10)), (after(10 + idle), after(90))]) == found


def test_whoever_had_it_longest_holds_a_tenure_together() -> None:
    assert tenures([(DAY, after(900)), (after(1), after(2)), (after(800), after(900))]) == [[0, 1, 2]]


@pytest.mark.parametrize(
    ("holders", "last", "way"),
    [
        (2, 0, (2, 31)), (2, 31, (2, 31)), (2, 32, (2, 93)), (3, 93, (3, 93)), (4, 94, (3, 183)), (5, 183, (5, 183)),
        (15, 1, (5, 31)),
    ],
)  # fmt: skip
def test_tenures_are_compared_by_holders_and_by_the_days_in_which_they_began(
    holders: int, last: int, way: tuple[int, int]
) -> None:
    firsts = [DAY] * (holders - 1) + [after(last)]
    assert taken_up("phone", firsts, at_one_place=True) == TakenUp("phone", *way, at_one_place=True)


def test_over_half_a_year_is_not_together_and_one_alone_shares_with_nobody() -> None:
    assert taken_up("phone", [DAY, after(184)], at_one_place=False) is None
    assert taken_up("phone", [DAY], at_one_place=False) is None
