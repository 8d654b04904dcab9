"""Several at once on one book: keys in flight, reversals, limits cut meanwhile, hosts with transactions of their own.

Source: RELIABILITY 19, 22 to 28. What races are counted in tests/store/test_many_at_once.py and test_hosts.py is not repeated.
"""

from __future__ import annotations

import json
import threading
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session

from microloan.book.loanbook import LoanBook
from microloan.errors import EventRefused, MicroloanError, Retryable
from tests.killing import child, ended, own_book
from tests.store.counter import START, Counter


@pytest.fixture
def counter(database_url: str) -> Iterator[Counter]:
    """An open book on either database."""
    made = Counter(database_url)
    made.init(buckets=1 if database_url.startswith("sqlite") else 3)
    yield made
    made.book.close()


def in_children(acts: list[Callable[[], Any]], folder: Path) -> list[Any]:
    """What each act answered, each in a process of its own; all start together as far as the system lets them."""

    def report(act: Callable[[], Any], file: Path) -> None:
        try:
            answer = act()
        except MicroloanError as refused:
            answer = refused.code
        file.write_text(json.dumps(answer))

    files = [folder / f"answer-{number}.json" for number in range(len(acts))]
    children = [
        child(lambda act=act, file=file: report(act, file))  # type: ignore[misc]
        for act, file in zip(acts, files, strict=True)
    ]
    assert [ended(pid) for pid in children] == [0] * len(acts)
    return [json.loads(file.read_text()) for file in files]


# --- keys and reversals ----------------------------------------------------------------------------------------------


def test_a_key_in_flight_is_waited_for_and_then_answered_again(counter: Counter) -> None:
    """Row 19: the first holds its transaction open; the second, with the same key, gets the first's answer."""
    line, claimed, go_on = counter.line(), threading.Event(), threading.Event()
    slow = own_book(counter)

    def hold(*_: Any) -> None:
        claimed.set()
        go_on.wait(10)

    assert slow._own is not None
    event.listen(slow._own.engine, "commit", hold)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(slow.draw, line.id, "1000", idempotency_key="k")
        assert claimed.wait(10)
        second = pool.submit(counter.book.draw, line.id, "1000", idempotency_key="k")
        with pytest.raises(TimeoutError):
            second.result(timeout=0.3)
        go_on.set()
        assert first.result(20).loan_id == second.result(20).loan_id
        assert second.result().replayed
    assert len(counter.book.loans()) == 1
    counter.must_be_sound()


def test_one_event_reversed_by_many_at_once_is_reversed_once(counter: Counter, tmp_path: Path) -> None:
    """Row 22."""
    loan = counter.loan(counter.line(), "1000")
    paid = counter.book.repay(loan.id, "400").allocations[0].event_id
    counter.book.close()
    answers = in_children([lambda: own_book(counter).reverse(paid).kind] * 6, tmp_path)
    assert Tally(answers) == {"reverse": 1, "already_reversed": 5}
    assert counter.book.loan(loan.id).principal == 1000
    counter.must_be_sound()


def test_a_sweep_and_a_payment_at_once_never_take_more_than_is_owed(counter: Counter, tmp_path: Path) -> None:
    """Row 23: what both take together is the debt; the rest stays a credit balance."""
    product = counter.product(
        methods=[{"method": "sweep", "terms": ["90d"]}], default_method="sweep", sweep={"share": "1"}
    )
    loan = counter.loan(counter.line(product=product), "1000")
    counter.book.close()
    acts: list[Callable[[], Any]] = [lambda: str(own_book(counter).settlement(loan.id, "700").principal)] * 3
    acts += [lambda: str(own_book(counter).repay(loan.id, "700").principal)] * 3
    in_children(acts, tmp_path)
    after = counter.book.loan(loan.id)
    swept = sum(line.principal + line.credit for line in counter.book.ledger(loan.id))
    assert (after.status, after.principal) == ("closed", 0)
    assert swept == 1000 + after.credit_balance
    counter.must_be_sound()


def test_a_line_frozen_or_cut_meanwhile_grants_nothing_afterwards(counter: Counter, tmp_path: Path) -> None:
    """Row 24: in the order of the facility's events no draw follows the freeze, none passes the lowered limit."""
    line = counter.line("5000.00")
    counter.book.close()

    def draw() -> list[str]:
        book, answers = own_book(counter), []
        for _ in range(12):
            try:
                answers.append(book.draw(line.id, "100", confirm=True).status)
            except MicroloanError as refused:
                answers.append(refused.code)
        return answers

    def cut() -> str:
        book = own_book(counter)
        book.set_limit(line.id, "1500")
        return book.freeze(line.id).status

    *answers, frozen = in_children([draw, draw, draw, cut], tmp_path)
    assert frozen == "frozen"
    told = Tally(answer for each in answers for answer in each)
    assert set(told) <= {"active", "limit_exceeded", "facility_not_active"}
    with create_engine(counter.url).connect() as connection:
        kinds = list(connection.execute(text("SELECT kind FROM ml_event ORDER BY seq")).scalars())
    assert "drawn" not in kinds[kinds.index("frozen") :]
    between = kinds[kinds.index("limit_set") : kinds.index("frozen")].count("drawn")
    assert between <= max(0, 15 - kinds[: kinds.index("limit_set")].count("drawn"))
    assert counter.book.facility(line.id).outstanding == 100 * told["active"]
    counter.must_be_sound()


# --- hosts -----------------------------------------------------------------------------------------------------------


def host_engine(counter: Counter, **options: Any) -> Engine:
    """A host's engine with its library's defaults: on SQLite a plain deferred BEGIN, and five seconds of patience."""
    return create_engine(counter.url, **options)


def hosted_draws(counter: Counter, facility: str, draws: int) -> list[str]:
    """One transaction a draw, in sessions of the host; told to try again, it does so from the beginning."""
    engine, answers = host_engine(counter), []
    for number in range(draws):
        for _ in range(200):
            with Session(engine) as session:
                book = LoanBook(session, clock=counter.clock)
                try:
                    book.draw(facility, "100", confirm=True)
                    if number % 5 == 4:
                        session.rollback()
                        answers.append("rolled back")
                    else:
                        session.commit()
                        answers.append("granted")
                    break
                except Retryable:
                    session.rollback()
                except MicroloanError as refused:
                    session.rollback()
                    answers.append(refused.code)
                    break
    return answers


def test_hosts_with_deferred_transactions_draw_exactly_up_to_the_limit(
    counter: Counter, tmp_path: Path
) -> None:
    """Rows 25 and 26: four processes of hosts, a fifth of whose transactions are rolled back."""
    line = counter.line("2000.00")
    counter.book.close()
    answers = in_children([lambda: hosted_draws(counter, line.id, 15)] * 4, tmp_path)
    told = Tally(answer for each in answers for answer in each)
    assert set(told) <= {"granted", "rolled back", "limit_exceeded"}
    assert told["granted"] == 20
    assert told["rolled back"] > 0
    assert counter.book.facility(line.id).outstanding == 2000
    counter.must_be_sound()


@pytest.mark.parametrize("rolled_back", [0b101, 0b010, 0b111, 0b000])
def test_savepoints_of_a_host_take_exactly_their_own_commands_with_them(
    counter: Counter, rolled_back: int
) -> None:
    """Row 26: three savepoints, some rolled back: keys, events, journal and notices of those are gone, no others."""
    loan = counter.loan(counter.line(), "1000")
    with Session(host_engine(counter)) as session:
        book = LoanBook(session, clock=counter.clock)
        for number in range(3):
            inner = session.begin_nested()
            book.repay(loan.id, 100 + number, idempotency_key=f"k{number}")
            inner.rollback() if rolled_back >> number & 1 else inner.commit()
        session.commit()
    kept = [number for number in range(3) if not rolled_back >> number & 1]
    assert [line.amount for line in counter.book.ledger(loan.id)] == [100 + number for number in kept]
    for number in range(3):
        assert counter.book.repay(loan.id, 100 + number, idempotency_key=f"k{number}").replayed == (
            number in kept
        )
    assert counter.book.loan(loan.id).principal == 1000 - 303
    counter.must_be_sound()


@pytest.mark.postgres
def test_serialization_failures_and_deadlocks_are_one_error_a_host_can_try_again(postgres_url: str) -> None:
    """Row 27: two hosts, two facilities, opposite orders, SERIALIZABLE: one loses, as Retryable; nothing is half done."""
    counter = Counter(postgres_url).init(buckets=1)
    lines = [counter.line(merchant=f"m-{number}").id for number in range(2)]
    engine, lost, met = host_engine(counter, isolation_level="SERIALIZABLE"), [], threading.Barrier(2)

    def both(order: list[str]) -> None:
        with Session(engine) as session:
            book = LoanBook(session, clock=counter.clock)
            try:
                book.draw(order[0], "100")
                met.wait(10)
                book.draw(order[1], "100")
                session.commit()
            except Retryable:
                lost.append(order)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(both, [lines, lines[::-1]]))
    assert len(lost) == 1
    assert [counter.book.facility(line).pending for line in lines] == [100, 100]
    counter.must_be_sound()


# --- the clock -------------------------------------------------------------------------------------------------------


def test_a_clock_set_back_lets_work_go_on_on_the_open_day(counter: Counter) -> None:
    """Row 28: the business day stays, events keep their order, closes wait for the clock to catch up."""
    line = counter.line()
    loan = counter.loan(line, "1000")
    counter.close_until(START + timedelta(days=5))
    counter.clock.set_day(START + timedelta(days=1))
    receipt = counter.book.repay(loan.id, "100")
    assert receipt.booked_on == START + timedelta(days=5)
    assert counter.book.close_day().closed == ()
    with pytest.raises(EventRefused) as refused:
        counter.book.close_day(START + timedelta(days=5))
    assert refused.value.code == "day_not_ended"
    assert [check.status for check in counter.book.doctor().checks if check.check == "clock"] == ["bad"]
    counter.book.repay(loan.id, "50")
    assert [line.amount for line in counter.book.ledger(loan.id)] == [Decimal(100), Decimal(50)]
    assert len(counter.close_until(START + timedelta(days=7)).closed) == 2
    counter.must_be_sound()
