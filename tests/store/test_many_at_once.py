"""Several processes on one book, and processes that die: the limit holds, nothing is lost, no lock error leaks.

Source: RELIABILITY 1, 2, 16, 23 and 32. Children are forked, so that killing one at every statement stays affordable.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter as Tally
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from microloan.errors import MicroloanError
from tests.killing import child, ended, own_book

from .counter import START, Counter


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
