"""Commands while a book is closed: on SQLite they wait for one bucket, not for the whole close. Source: RELIABILITY 32."""

from __future__ import annotations

import sqlite3
import time
from datetime import timedelta
from pathlib import Path

from tests.killing import child, ended, own_book

from .counter import START, Counter

BUCKETS = 8
LOANS = 80


def test_a_teller_is_served_between_the_buckets_of_a_close_on_sqlite(tmp_path: Path) -> None:
    counter = Counter(f"sqlite:///{tmp_path / 'book.db'}").init(buckets=BUCKETS)
    line = counter.line()
    loan = counter.loan(line, "1000", days=300)
    for number in range(LOANS):
        counter.loan(counter.line(merchant=f"m-{number + 2}"), "1000", days=3)
    counter.clock.set_day(START + timedelta(days=20))
    counter.book.close()
    ready = tmp_path / "ready"
    teller = child(lambda: _repays_until_closed(counter, loan.id, ready))
    while not ready.exists():
        time.sleep(0.01)
    own_book(counter).close_day()
    (tmp_path / "closed").touch()
    assert ended(teller) == 0
    order = _order_of_commands(counter)
    first, last = order.index("close_day"), len(order) - 1 - order[::-1].index("close_day")
    served_between = order[first:last].count("repay")
    assert served_between >= BUCKETS // 2, order
    counter.must_be_sound()


def _repays_until_closed(counter: Counter, loan: str, ready: Path) -> None:
    book, number = own_book(counter), 0
    while not ready.with_name("closed").exists():
        book.repay(loan, "0.01", idempotency_key=f"repay-{number}")
        ready.touch()
        number += 1


def _order_of_commands(counter: Counter) -> list[str]:
    """Operations in the order in which they were committed."""
    with sqlite3.connect(counter.url.removeprefix("sqlite:///")) as connection:
        return [name for (name,) in connection.execute("SELECT operation FROM ml_command ORDER BY rowid")]
