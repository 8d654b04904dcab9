"""SQLite finds every row by its key: without statistics it likes a short prefix, and a close then takes minutes.

PostgreSQL writes a loan that falls due where it lay, without a new entry in its indexes.
Source: STORAGE (traps met in a spike).
"""

from __future__ import annotations

import re
import sqlite3
from datetime import date
from typing import Any

from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import Session

from microloan.book.loanbook import LoanBook

from .counter import Counter

#: Plans that may read a whole bucket, because they are asked for all of it.
WHOLE_BUCKET = (
    "GROUP BY ml_accrual.product",
    "FROM ml_book",
    "ml_bucket",
    "ml_provision",
    "ml_seal",
    "ml_setting",
    "ml_offer.expires_on <",
    "held_through IS NOT NULL",  # from an index of the held ones alone
)


def plans_of(counter: Counter, act: Any) -> list[tuple[str, str]]:
    """Every statement that *act* sends, and how SQLite finds its rows."""
    found: list[tuple[str, str]] = []
    raw = sqlite3.connect(counter.url.removeprefix("sqlite:///"))

    def explain(_c: Any, _cursor: Any, statement: str, parameters: Any, _x: Any, many: bool) -> None:
        if re.match("SELECT|UPDATE|DELETE", statement):
            given = parameters[0] if many else parameters
            for row in raw.execute("EXPLAIN QUERY PLAN " + statement, given):
                found.append((statement, row[3]))

    assert counter.book._own is not None
    event.listen(counter.book._own.engine, "before_cursor_execute", explain)
    act()
    event.remove(counter.book._own.engine, "before_cursor_execute", explain)
    raw.close()
    return found


def test_draws_repayments_and_closes_find_their_rows_by_key(sqlite_url: str) -> None:
    counter = Counter(sqlite_url).init()
    line = counter.line()

    def act() -> None:
        loan = counter.loan(line, "1000", days=3)
        counter.close_until(date(2017, 5, 3))
        paid = counter.book.repay(loan.id, "100")
        counter.book.reverse(paid.allocations[0].event_id)
        counter.book.repay(line.id, "100")
        counter.close_until(date(2017, 5, 8))

    slow = [(statement, plan) for statement, plan in plans_of(counter, act) if not by_key(statement, plan)]
    assert slow == []


def by_key(statement: str, plan: str) -> bool:
    """Is the row found by tenant, bucket and at least one more column of a key?"""
    if not plan.startswith(("SCAN", "SEARCH")) or any(part in statement for part in WHOLE_BUCKET):
        return True
    if "SCAN" in plan:
        return False
    return plan.count("=?") + plan.count("<?") + plan.count(">?") >= 3


def test_loans_are_listed_from_an_index_without_being_sorted(sqlite_url: str) -> None:
    counter = Counter(sqlite_url).init()
    line = counter.line()
    for _ in range(3):
        counter.loan(line, "1000", days=3)
    plans = [plan for statement, plan in plans_of(counter, counter.book.loans) if "FROM ml_loan" in statement]
    assert [plan.split(" (")[0] for plan in plans] == [
        "SEARCH ml_loan USING INDEX ix_ml_loan_tenant_drawn_on_drawn_at_id"
    ]


def test_loans_not_yet_paid_out_are_found_without_reading_the_others(sqlite_url: str) -> None:
    counter = Counter(sqlite_url).init()
    waiting = counter.book.draw(counter.line().id, "1000")
    plans = [plan for _, plan in plans_of(counter, counter.book.payouts) if "ml_loan" in plan]
    assert [payout.loan_id for payout in counter.book.payouts()] == [waiting.id]
    assert plans
    assert all("ix_ml_loan_not_started" in plan for plan in plans)


def test_loans_that_fall_due_take_no_new_entry_in_an_index(postgres_url: str) -> None:
    counter = Counter(postgres_url).init(buckets=1)
    line = counter.line()
    for number in range(60):  # pages full of loans, two of them due on the first day
        counter.loan(line, "1000", days=1 if number in (5, 8) else 90)
    engine = create_engine(postgres_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM FULL ml_loan"))
    counter.clock.set_day(date(2017, 5, 4))
    with Session(engine) as session:
        LoanBook(session, clock=counter.clock, actor="host").close_day()
        written = session.execute(
            text("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'ml_loan'")
        ).one()
        session.commit()
    engine.dispose()
    assert (counter.book.loans(status="overdue")[1].status, *written) == ("overdue", 2, 2)
