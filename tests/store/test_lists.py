"""Lists with a limit: the latest so many in the list's own order, the rest counted but neither read nor replayed.

Source: the lender's lists grow for years, and who asks for ten loans waits for ten (docs/scale.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from microloan.book.loanbook import LoanBook
from microloan.book.results import Loan
from microloan.errors import BadInput, NotFound
from microloan.store.unit import random_id

from .counter import START, Counter
from .test_query_plans import by_key, plans_of

SALES = "order_id,shop_id,paid_at,amount,status\n"


@pytest.fixture
def counter(database_url: str, tmp_path: Path) -> Iterator[Counter]:
    """Three merchants that draw in turn, four days long, under random ids; and three files of sales."""
    made = Counter(database_url, ids=random_id)
    made.init(buckets=1 if database_url.startswith("sqlite") else 3)
    lines = [made.line(merchant=f"m-{n}") for n in range(3)]
    for day in range(4):
        made.close_until(START + timedelta(days=day))
        for line in lines:
            made.loan(line, "1000", days=30)
    made.book.confirm_payout(made.book.draw(lines[0].id, "500", days=30).id)
    for n in range(3):
        file = tmp_path / f"{n}.csv"
        file.write_text(SALES + f"o-{n},s-1,2017-04-0{n + 1},10.00,paid\n", "utf-8")
        made.book.sales.load(file, platform="jd")
    yield made
    made.book.close()


LISTS: dict[str, Callable[..., Sequence[Any]]] = {
    "loans": lambda book, **how: book.loans(**how),
    "loans of a merchant": lambda book, **how: book.loans(merchant="m-1", **how),
    "loans in a status": lambda book, **how: book.loans(status="active", **how),
    "loans of a day": lambda book, **how: book.loans_at(START + timedelta(days=2), **how),
    "facilities": lambda book, **how: book.facilities(**how),
    "offers": lambda book, **how: book.offers(**how),
    "offers signed": lambda book, **how: book.offers("signed", **how),
    "audit": lambda book, **how: book.audit(**how),
    "imports": lambda book, **how: book.sales.imports(**how),
    "sales lines": lambda book, **how: book.sales.lines("s-1", **how),
}


def test_the_latest_are_the_end_of_the_list_in_its_order(counter: Counter) -> None:
    for name, listed in LISTS.items():
        everything = listed(counter.book)
        assert len(everything) >= 3, name
        for latest in (1, 2, len(everything), len(everything) + 1):
            some: Any = listed(counter.book, latest=latest)
            assert tuple(some) == tuple(everything)[-latest:], name
            assert some.earlier == max(len(everything) - latest, 0), name


def test_a_limit_that_leaves_nothing_is_refused(counter: Counter) -> None:
    for listed in (*LISTS.values(), lambda book, **how: book.loans_at(START, status="active", **how)):
        with pytest.raises(BadInput, match=r"latest.*0.*at least 1"):
            listed(counter.book, latest=0)


@contextmanager
def statements(book: LoanBook) -> Iterator[list[str]]:
    """The statements sent meanwhile."""
    sent: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    assert book._own is not None
    event.listen(book._own.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(book._own.engine, "before_cursor_execute", note)


def test_the_database_reads_no_more_than_was_asked_for(counter: Counter) -> None:
    """The one statement that reads rows in an order ends with the limit."""
    for name, listed in LISTS.items():
        with statements(counter.book) as sent:
            listed(counter.book, latest=2)
        (ordered,) = [text for text in sent if re.search(r"ORDER BY \S+(_on|_at|_day)( \+ 0\))? DESC", text)]
        assert re.search(r"LIMIT \S+( OFFSET \?)?$", ordered), name


def test_a_status_of_a_past_day_is_looked_for_from_the_last_drawn_backwards(counter: Counter) -> None:
    """Two of thirteen loans are asked for: two are replayed. How many more there are nobody worked out."""
    day = START + timedelta(days=3)
    with statements(counter.book) as sent:
        found = counter.book.loans_at(day, status="active", latest=2)
    replayed = [text for text in sent if "FROM ml_event" in text]
    assert len(replayed) == 2
    assert found.earlier is None
    assert [loan.id for loan in found] == [loan.id for loan in counter.book.loans()[-2:]]


def test_where_fewer_are_found_all_were_looked_at(counter: Counter) -> None:
    found = counter.book.loans_at(START, status="active", latest=50)
    assert (len(found), found.earlier) == (3, 0)
    assert counter.book.loans_at(START, status="overdue", latest=1) == ()


def test_loans_at_a_day_are_what_each_was_then(counter: Counter) -> None:
    book, day = counter.book, START + timedelta(days=1)
    paid = book.loans()[0].id
    book.repay(paid, "all")
    expected: list[Loan] = [book.loan(loan.id, day) for loan in book.loans() if loan.drawn_on <= day]
    assert list(book.loans_at(day)) == expected
    assert book.loan(paid).status == "closed"
    assert paid in [loan.id for loan in book.loans_at(day, status="active")]
    known = [book.loan(loan.id, None, day) for loan in book.loans() if loan.drawn_on <= day]
    assert list(book.loans_at(known_on=day)) == known


def test_a_facility_that_never_was_one_is_not_found(counter: Counter) -> None:
    assert counter.book.loans(facility="fac-00-unknown") == ()
    with pytest.raises(NotFound):
        counter.book.loans(facility="nonsense")


def test_lists_with_a_limit_are_read_from_an_index(sqlite_url: str) -> None:
    """The whole book's loans by their order, one merchant's by its key; the audit log by its instants."""
    counter = Counter(sqlite_url).init()
    for n in range(3):
        counter.loan(counter.line(merchant=f"m-{n}"), "1000", days=3)

    def plans(act: Callable[[], object], table: str) -> list[str]:
        return [plan for statement, plan in plans_of(counter, act) if f"FROM {table}" in statement]

    whole = plans(lambda: counter.book.loans(latest=2), "ml_loan")
    assert whole[0].startswith("SEARCH ml_loan USING INDEX ix_ml_loan_tenant_drawn_on_drawn_at_id")
    assert not any("TEMP B-TREE" in plan for plan in whole)
    audit = plans(lambda: counter.book.audit(latest=2), "ml_command")
    assert audit[0].startswith("SEARCH ml_command USING INDEX ix_ml_command_tenant_recorded_at")
    for act in (
        lambda: counter.book.loans(merchant="m-1", latest=2),
        lambda: counter.book.facilities("m-1", latest=2),
        lambda: counter.book.offers(None, "m-1", latest=2),
    ):
        slow = [(text, plan) for text, plan in plans_of(counter, act) if not by_key(text, plan)]
        assert slow == []
    counter.book.close()


def test_the_first_day_of_a_book_has_no_earlier_loans(counter: Counter) -> None:
    before = counter.book.loans_at(date(2016, 1, 1), latest=3)
    assert (before, before.earlier) == ((), 0)
