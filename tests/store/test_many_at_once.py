"""Several processes on one book, and processes that die: the limit holds, nothing is lost, no lock error leaks.

Source: RELIABILITY 1, 2, 16, 23 and 32. Children are forked, so that killing one at every statement stays affordable.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter as Tally
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from microloan.book.loanbook import LoanBook
from microloan.errors import MicroloanError

from .counter import START, Counter


def child(act: Callable[[], None]) -> int:
    """Fork a process that does *act* and ends; its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        act()
        os._exit(0)
    except BaseException:  # a forked test must never return into pytest
        os._exit(1)


def ended(pid: int) -> int:
    """Wait for a child: its exit status, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def own_book(counter: Counter) -> LoanBook:
    """The same book with connections of its own, as another process has."""
    return LoanBook.open(counter.url, clock=counter.clock, actor="child")


def draw_many(counter: Counter, facility: str, name: str, draws: int, report: Path) -> None:
    book, answers = own_book(counter), []
    for number in range(draws):
        try:
            book.draw(facility, "100", confirm=True, idempotency_key=f"{name}-{number}")
            answers.append("granted")
        except MicroloanError as refused:
            answers.append(refused.code)
    report.write_text(json.dumps(answers))


def test_eight_processes_draw_exactly_up_to_the_limit(counter: Counter, tmp_path: Path) -> None:
    line = counter.line("5000.00")
    counter.book.close()
    reports = [tmp_path / f"{number}.json" for number in range(8)]
    children = [
        child(lambda report=report: draw_many(counter, line.id, report.stem, 20, report))  # type: ignore[misc]
        for report in reports
    ]
    assert [ended(pid) for pid in children] == [0] * 8
    answers = Tally(answer for report in reports for answer in json.loads(report.read_text()))
    assert answers == {"granted": 50, "limit_exceeded": 110}
    assert counter.book.facility(line.id).outstanding == Decimal("5000.00")
    counter.must_be_sound()


def test_a_killed_process_leaves_all_or_nothing(counter: Counter, tmp_path: Path) -> None:
    line = counter.line("500000.00")
    for number, pause in enumerate((0.2, 0.33, 0.47)):
        counter.book.close()
        pid = child(lambda n=number: draw_many(counter, line.id, f"killed-{n}", 4000, tmp_path / "never"))  # type: ignore[misc]
        time.sleep(pause)
        os.kill(pid, signal.SIGKILL)
        assert ended(pid) == -signal.SIGKILL
        counter.must_be_sound()
    assert counter.book.facility(line.id).outstanding == 100 * len(counter.book.loans())
    assert counter.book.loans()


def die_at(book: LoanBook, point: int) -> None:
    """End this process by SIGKILL before or after its n-th statement or at a commit."""
    left = point

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    assert book._own is not None
    for moment in ("before_cursor_execute", "after_cursor_execute", "commit"):
        event.listen(book._own.engine, moment, count)


OPERATIONS: dict[str, Callable[[LoanBook, str, str], Any]] = {
    "draw": lambda book, facility, _: book.draw(facility, "100", confirm=True, idempotency_key="k"),
    "repay": lambda book, _, loan: book.repay(loan, "100", value_date=START, idempotency_key="k"),
    "reverse": lambda book, _, loan: book.reverse(book.ledger(loan)[0].id, idempotency_key="k"),
    "write_off": lambda book, _, loan: book.write_off(loan, idempotency_key="k"),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at_any_statement_it_is_all_or_nothing_and_its_key_acts_once(
    counter: Counter, operation: str
) -> None:
    line = counter.line()
    loan = counter.loan(line, "1000")
    counter.book.repay(loan.id, "10")
    counter.close_until(START + timedelta(days=2))
    act = OPERATIONS[operation]
    for point in range(200):
        counter.book.close()
        pid = child(lambda point=point: _killed(counter, act, line.id, loan.id, point))  # type: ignore[misc]
        status = ended(pid)
        assert status in (0, -signal.SIGKILL)
        counter.must_be_sound()
        if status == 0 or _was_done(counter):
            break
    assert point > 10
    before = counter.journal()
    answer = act(counter.book, line.id, loan.id)
    assert answer.replayed
    assert counter.journal() == before
    counter.must_be_sound()


def _killed(
    counter: Counter, act: Callable[[LoanBook, str, str], Any], facility: str, loan: str, point: int
) -> None:
    book = own_book(counter)
    die_at(book, point)
    act(book, facility, loan)


def _was_done(counter: Counter) -> bool:
    return any(line.key == "k" for line in counter.book.audit())


def test_a_close_killed_at_any_statement_is_finished_by_the_next_run(counter: Counter) -> None:
    for number in range(3):
        counter.loan(counter.line(merchant=f"m-{number}"), "1000", days=1)
    counter.clock.set_day(START + timedelta(days=3))
    for point in range(3, 400, 5):
        counter.book.close()
        pid = child(lambda point=point: _killed_close(counter, point))  # type: ignore[misc]
        status = ended(pid)
        assert status in (0, -signal.SIGKILL)
        counter.must_be_sound()
        if status == 0:
            break
    assert counter.book.close_day().open_day == START + timedelta(days=3)
    entries = [(line.day, line.entry, line.line) for line in counter.journal()]
    assert len(entries) == len(set(entries)) or counter.book.settings().buckets > 1
    counter.must_be_sound()


def _killed_close(counter: Counter, point: int) -> None:
    book = own_book(counter)
    die_at(book, point)
    book.close_day()


def test_two_who_repay_all_at_once_never_make_a_negative_loan(counter: Counter) -> None:
    loan = counter.loan(counter.line(), "1000")
    with ThreadPoolExecutor(2) as pool:
        receipts = list(pool.map(lambda _: counter.book.repay(loan.id, "1000"), range(2)))
    assert sorted(receipt.principal for receipt in receipts) == [0, Decimal("1000.00")]
    assert counter.book.loan(loan.id).credit_balance == Decimal("1000.00")
    counter.must_be_sound()


def test_closes_and_draws_at_once_lose_nothing(counter: Counter) -> None:
    lines = [counter.line(merchant=f"m-{number}") for number in range(4)]
    counter.clock.set_day(date(2017, 5, 4))

    def close(_: int) -> int:
        return len(counter.book.close_day().closed)

    def draw(number: int) -> str:
        return counter.book.draw(lines[number % 4].id, "100", confirm=True).status

    with ThreadPoolExecutor(6) as pool:
        closes = pool.map(close, range(3))
        draws = list(pool.map(draw, range(24)))
        assert sum(closes) >= 3
    assert draws == ["active"] * 24
    assert counter.book.settings().open_day == START + timedelta(days=3)
    counter.must_be_sound()
