"""What a book says itself about identifiers that merchants took up together."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from microloan.risk.generate import BookPlan, made_up_book, score
from microloan.risk.learning import DOUBT, MOST_FALSE, Lesson, Lessons, chance, learned, lessons
from microloan.risk.links import DEFAULT_RULES, Holding
from microloan.risk.tenures import TakenUp
from microloan.risk.wholebook import Holdings, book_rings

DAY = date(2026, 6, 30)
PAIR = TakenUp("phone", 2, 31, at_one_place=False)


def sharing(kind: str, groups: int, holders: int, apart: int, name: str) -> list[Holding]:
    """Groups with an identifier each, begun evenly over four years, their holders so many days apart."""
    return [
        Holding(f"{name}-{group:03}-{each}", kind, f"{name}{group:03}",
                DAY - timedelta(days=1500 - 1100 * group // groups - apart * each))
        for group in range(groups) for each in range(holders)
    ]  # fmt: skip


def lesson(told: Lessons, way: TakenUp) -> Lesson:
    (found,) = [each for each in told.lessons if each.way == way]
    return found


def told_by(*rows: list[Holding]) -> Lessons:
    return lessons(Holdings.of((each for some in rows for each in some), DAY), DAY)


HONEST_LARGE = sharing("phone", 49, 5, 50, name="bookkeeper")  # 200 days from the first to the last


def test_pairs_that_began_together_are_set_against_those_that_did_not() -> None:
    """Forty pairs apart. Custom: none of 49 large tenures, so 0.5 in 50. By chance some 5% of pairs fall into one month."""
    told = told_by(
        HONEST_LARGE, sharing("phone", 40, 2, 300, name="apart"), sharing("phone", 30, 2, 3, name="pair"),
    )  # fmt: skip
    found = lesson(told, PAIR)
    assert (found.found, found.holders) == (30, 60)
    assert 40 * 0.01 < found.expected < 40 * 0.15
    assert found.telling == pytest.approx(1 - (found.expected + DOUBT) / 30)
    assert found.honest == pytest.approx((found.expected + DOUBT) * 2)


def test_a_book_imported_on_one_day_teaches_nothing() -> None:
    rows = [
        *HONEST_LARGE,
        *sharing("phone", 40, 2, 300, name="apart"),
        *sharing("phone", 30, 2, 3, name="pair"),
    ]
    imported = [replace(each, first_day=DAY) for each in rows]
    assert {each.telling for each in told_by(imported).lessons} == {0.0}


def test_where_large_groups_begin_together_by_custom_pairs_that_do_mean_nothing() -> None:
    """Of large groups, which would share more were they rings, half began together: so did as many honest pairs as apart."""
    campaigns = sharing("device", 20, 5, 3, name="campaign")
    agents, apart = sharing("device", 20, 5, 50, name="agent"), sharing("device", 30, 2, 300, name="apart")
    pairs = sharing("device", 30, 2, 3, name="pair")
    way = TakenUp("device", 2, 31, at_one_place=False)
    assert lesson(told_by(campaigns, agents, apart, pairs), way).telling < 0.1
    assert lesson(told_by(agents, apart, pairs), way).telling > 0.8


def test_without_large_groups_to_tell_the_custom_half_are_taken_for_it() -> None:
    apart, pairs = sharing("phone", 30, 2, 300, name="apart"), sharing("phone", 30, 2, 3, name="pair")
    assert lesson(told_by(apart, pairs), PAIR).telling < 0.1


def test_households_that_open_together_are_compared_with_neighbours() -> None:
    """Pairs with a phone and an address, half of them opened in one week; and so did half of those with an address alone."""
    together, apart = ([sharing(kind, 20, 2, days, name=name) for kind in ("phone", "address")]
                       for days, name in ((3, "couple"), (300, "parents")))  # fmt: skip
    neighbours = sharing("address", 20, 2, 3, name="new"), sharing("address", 20, 2, 300, name="old")
    way = replace(PAIR, at_one_place=True)
    assert lesson(told_by(HONEST_LARGE, *together, *apart, *neighbours), way).telling < 0.1
    assert (
        lesson(told_by(HONEST_LARGE, *together, *apart), way).telling < 0.1
    )  # their own addresses say so too


def test_what_documents_explain_is_not_counted() -> None:
    both = [sharing(kind, 30, 2, 3, name="pair") for kind in ("phone", "account")]
    told = told_by(HONEST_LARGE, *both)
    assert (told.known, [each.way for each in told.lessons]) == (60, [])


def test_too_few_to_show_anything_do_not_bind() -> None:
    one = told_by(HONEST_LARGE, sharing("phone", 1, 2, 3, name="pair"))
    assert lesson(one, PAIR).telling == pytest.approx(
        0.75
    )  # nothing was expected; the doubt is a quarter of a tenure
    assert one.binding() == ()


def test_no_more_bind_than_keep_the_honest_within_half_of_one_in_a_hundred() -> None:
    sure = Lesson(PAIR, found=50, holders=100, expected=0.0)  # 0.5 honest of 100 placed
    likely = Lesson(replace(PAIR, holders=3), found=50, holders=175, expected=4.75)  # 17.5 of 175
    alone = Lessons(DAY, known=0, lessons=(likely, sure))
    assert [each.way for each in alone.binding()] == [PAIR]
    among_many = replace(alone, known=3400)
    assert [each.way for each in among_many.binding()] == [sure.way, likely.way]
    assert sum(each.honest for each in among_many.binding()) <= MOST_FALSE * (3400 + 275)


def test_a_way_less_likely_than_a_ring_must_be_never_binds() -> None:
    unlikely = Lesson(PAIR, found=100, holders=200, expected=40.0)
    assert Lessons(DAY, known=1_000_000, lessons=(unlikely,)).binding() == ()


@pytest.mark.parametrize(("holders", "often"), [(2, 0.19), (3, 0.028), (4, 0.0037)])
def test_the_chance_of_beginning_in_one_window_is_the_range_of_even_days(holders: int, often: float) -> None:
    """Two lie within a tenth of the time in 0.1 x 2 - 0.1^2 = 0.19 of all cases; n of them in n w^(n-1) - (n-1) w^n."""
    assert chance(0.19, holders) == pytest.approx(often)


def test_a_book_without_holdings_teaches_nothing() -> None:
    assert told_by([]) == Lessons(DAY, 0, ())


def test_small_rings_are_found_by_what_the_book_says() -> None:
    """Rings of three to five, seeds the rules were not tuned on; nine in ten at one in a hundred."""
    plan = BookPlan(ring_size=(3, 5))
    books = [made_up_book(seed, DAY, plan) for seed in (211, 212, 213, 214)]
    hidden = found = placed = honest = missed = 0
    for book in books:
        label, truth = book_rings(book.holdings, DAY, learned(book.holdings, DAY)).label(), book.truth
        placed, honest = placed + int((label >= 0).sum()), honest + int(((label >= 0) & (truth < 0)).sum())
        hidden, found = hidden + int((truth >= 0).sum()), found + int(((label >= 0) & (truth >= 0)).sum())
        missed += int(((truth >= 0) & (book_rings(book.holdings, DAY).label() < 0)).sum())
    assert found / hidden >= 0.9
    assert honest / placed <= 0.01
    assert missed > hidden - found  # the shipped weights alone find fewer


@pytest.mark.parametrize("kinds", [("device", "address"), ("phone", "address")])
def test_rings_that_share_one_thing_and_their_address_teach_it(kinds: tuple[str, str]) -> None:
    """Their own addresses are no sign that neighbours begin together by custom: who shares nothing else is.

    Members take each of the two with 0.8, so that most pools are too ragged for the shipped rules.
    """
    shared = {
        kind: 0.8 if kind in kinds else 0.0 for kind in ("owner", "account", "device", "phone", "address")
    }
    book = made_up_book(21, DAY, BookPlan(shared=shared, pool=30, at_mall=0.0, ring_size=(4, 15)))
    shipped, taught = (
        score(book, book_rings(book.holdings, DAY, rules))
        for rules in (DEFAULT_RULES, learned(book.holdings, DAY))
    )
    assert 0.4 <= shipped.recall < 0.6 < 0.85 <= taught.recall
    assert max(shipped.false_share, taught.false_share) <= 0.01


def test_the_rules_keep_all_else() -> None:
    book = made_up_book(3, DAY, BookPlan(merchants=2000))
    assert replace(learned(book.holdings, DAY), telling={}) == DEFAULT_RULES
