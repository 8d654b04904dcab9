"""What a book has shown of identifiers taken up together: kept from a day on, used alike from a merchant and over the book."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine, event, insert

from microloan.book.loanbook import LoanBook
from microloan.book.results import Waiting
from microloan.book.ring_lessons import RingLessons
from microloan.errors import InvalidDate
from microloan.risk.links import Holding
from microloan.store.base import open_engine
from microloan.store.tables_merchants import IDENTIFIERS
from microloan.store.unit import bucket_of
from tests.unit.risk.test_learning import HONEST_LARGE, sharing

from .test_rings import DAY, NOON, Clock

BUCKETS = 3
#: Thirty pairs with nothing but a phone, taken up three days apart, in a book where nobody else begins so.
PAIRS = sharing("phone", 30, 2, 3, name="pair")
PAIR = ("pair-007-0", "pair-007-1")
ROWS = [*HONEST_LARGE, *PAIRS, *sharing("account", 300, 2, 3, name="firm")]


@pytest.fixture(scope="module")
def rows() -> list[Holding]:
    return ROWS


@pytest.fixture
def book(database_url: str, rows: list[Holding]) -> Iterator[LoanBook]:
    with LoanBook.open(database_url, clock=Clock(), actor="ann") as made:
        made.init(open_day=DAY, buckets=BUCKETS)
        for merchant in PAIR:
            made.merchants.add(merchant)
        write(database_url, rows)
        yield made


def write(url: str, rows: list[Holding]) -> None:
    """These identifiers, noted ten days ago."""
    made = [
        {
            "tenant": "main", "bucket": bucket_of(each.merchant, BUCKETS), "merchant": each.merchant, "kind": each.kind,
            "digest": each.identifier, "last_four": each.identifier[-4:], "added_at": NOON - timedelta(days=10),
            "first_day": each.first_day, "last_day": each.last_day,
        }
        for each in rows
    ]  # fmt: skip
    with open_engine(url).begin() as connection:
        if made:
            connection.execute(insert(IDENTIFIERS), made)


def learn(book: LoanBook) -> RingLessons:
    found = book.risk.learn()
    assert isinstance(found, RingLessons)
    return found


def ring_of(book: LoanBook, merchant: str, as_of: date | None = None) -> tuple[str, ...]:
    return book.merchants.rings(merchant, as_of).ring


def test_before_a_book_was_read_one_phone_is_no_ring(book: LoanBook) -> None:
    assert ring_of(book, PAIR[0]) == ()
    assert book.risk.rings().found == 300


def test_what_the_book_shows_comes_back_with_its_figures(book: LoanBook) -> None:
    told = learn(book)
    assert (told.as_of, told.known) == (DAY, 600)
    (way,) = [each for each in told.ways if each.binds]
    assert (way.kind, way.holders, way.within_days, way.at_one_place, way.found) == (
        "phone",
        2,
        31,
        False,
        30,
    )
    assert 0 <= way.expected < 1
    assert way.telling > Decimal("0.9")


def test_from_then_on_a_merchant_and_the_book_say_the_same(book: LoanBook) -> None:
    learn(book)
    whole = {ring.id: ring.members for ring in book.risk.rings(most=None).rings}
    assert len(whole) == 330
    assert ring_of(book, PAIR[0]) == ring_of(book, PAIR[1]) == whole["ring:pair-007-0"] == PAIR
    (shared,) = book.merchants.rings(PAIR[0]).evidence
    assert (shared.kind, shared.telling) == ("phone", True)
    assert shared.weight > 0


def test_the_day_before_it_was_not_known_yet(book: LoanBook) -> None:
    learn(book)
    assert ring_of(book, PAIR[0], DAY - timedelta(days=1)) == ()
    assert book.risk.rings(DAY - timedelta(days=1)).found == 300


def test_the_same_lessons_again_put_nothing_on_file(book: LoanBook, database_url: str) -> None:
    assert learn(book) == learn(book)
    with open_engine(database_url).connect() as connection:
        count = connection.exec_driver_sql(
            "SELECT count(*) FROM ml_setting WHERE name = 'ring_lessons'"
        ).scalar()
    assert count == 1


def test_a_look_at_a_past_day_knows_what_the_book_knew_then_and_puts_nothing_on_file(
    book: LoanBook, database_url: str
) -> None:
    """The identifiers were noted ten days ago: the day before nothing could be learned, on that day what is learned today."""
    noted = DAY - timedelta(days=10)
    before = book.risk.lessons(noted - timedelta(days=1))
    assert (before.known, before.ways, before.on_file) == (0, (), False)
    assert [way.found for way in book.risk.lessons(noted).ways if way.binds] == [30]
    today = book.risk.lessons()
    assert ring_of(book, PAIR[0]) == ()
    with open_engine(database_url).connect() as connection:
        count = "SELECT count(*) FROM ml_setting WHERE name = 'ring_lessons'"
        assert connection.exec_driver_sql(count).scalar() == 0
    assert learn(book) == replace(today, on_file=True)
    book.lender.set({"four_eyes": "on"})
    assert book.risk.lessons() == today  # who only looks needs nobody else
    with pytest.raises(InvalidDate):
        book.risk.lessons(DAY + timedelta(days=1))


def test_two_people_stand_behind_it_where_the_book_wants_four_eyes(book: LoanBook) -> None:
    book.lender.set({"four_eyes": "on"})
    waiting = book.risk.learn()
    assert isinstance(waiting, Waiting)
    assert ring_of(book, PAIR[0]) == ()
    book.acting("bob").requests.approve(waiting.request_id)
    assert ring_of(book, PAIR[0]) == PAIR


def test_a_merchant_that_shares_nothing_asks_for_no_lessons(book: LoanBook) -> None:
    learn(book)
    book.merchants.add("alone")
    asked: list[str] = []
    listener = lambda *given: asked.append(given[2])  # noqa: E731
    event.listen(Engine, "before_cursor_execute", listener)
    book.merchants.rings("alone")
    assert not any("ml_setting" in statement for statement in asked)
    book.merchants.rings(PAIR[0])
    assert sum("ml_setting" in statement for statement in asked) == 1  # once, however many it shares with
    event.remove(Engine, "before_cursor_execute", listener)


@pytest.mark.parametrize("rows", [[], [Holding(each.merchant, each.kind, each.identifier, DAY) for each in ROWS]],
                         ids=["an empty book", "a book imported on one day"])  # fmt: skip
def test_where_nothing_can_be_learned_nothing_binds(book: LoanBook) -> None:
    assert not any(way.binds for way in learn(book).ways)
    assert ring_of(book, PAIR[0]) == ()
