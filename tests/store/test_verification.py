"""Verify finds what was changed behind the book's back. Source: SEMANTICS 6 (invariants), RELIABILITY 47."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from microloan.servicing import replay

from .counter import START, Counter
from .test_verify_columns import behind

TAMPERING = {
    "an amount in an event": (
        "UPDATE ml_event SET payload = replace(payload, '10000000', '20000000') WHERE kind = 'repay'",
        "event_hash",
    ),
    "who did it": ("UPDATE ml_event SET actor = 'nobody' WHERE kind = 'repay'", "event_hash"),
    "a lost event": ("DELETE FROM ml_event WHERE kind = 'repay'", "event_gap"),
    "a lost last event": ("DELETE FROM ml_event WHERE kind = 'limit_set'", "chain_head"),
    "a journal line": (
        "UPDATE ml_journal SET amount_minor = amount_minor + 1 WHERE account = 'cash' AND line = 1",
        "entry_unbalanced",
    ),
    "a balanced fraud": (
        "UPDATE ml_journal SET amount_minor = amount_minor * 2 WHERE source = 'night'",
        "ledger_balance",
    ),
    "a cached principal": (
        "UPDATE ml_loan SET principal_minor = principal_minor - 1",
        "loan_principal_minor",
    ),
    "a cached exposure": ("UPDATE ml_facility SET outstanding_minor = 0", "facility_outstanding"),
    "a raised limit": ("UPDATE ml_facility SET limit_minor = limit_minor * 2", "facility_limit_minor"),
    "an accrual formula": ("UPDATE ml_accrual SET q = q + 1", "accrual_total"),
    "a lost accrual row": ("DELETE FROM ml_accrual", "accrual_rows"),
    "a lost loan": ("DELETE FROM ml_loan", "accrual_without_loan"),
    "a forged seal": ("UPDATE ml_seal SET heads = heads + 1", "seal_hash"),
    "a lost notice": ("DELETE FROM ml_outbox WHERE type LIKE '%repay%'", "event_without_notice"),
    "a forgotten answer": ("UPDATE ml_command SET result = NULL", "key_without_answer"),
    "a hidden command": ("DELETE FROM ml_command WHERE operation = 'repay'", "event_without_command"),
}


@pytest.mark.parametrize("case", TAMPERING)
def test_verify_finds(counter: Counter, case: str) -> None:
    loan = counter.loan(counter.line())
    counter.close_until(date(2017, 5, 31))
    counter.book.repay(loan.id, "100000", idempotency_key="k-1")
    counter.close_until(date(2017, 6, 3))
    counter.book.set_limit(loan.facility_id, "400000")
    counter.must_be_sound()
    statement, code = TAMPERING[case]
    behind_its_back(counter.url, statement)
    assert code in {finding.code for finding in counter.book.verify().findings}


def behind_its_back(url: str, statement: str) -> None:
    """Take the triggers away and change something."""
    with behind(url) as connection:
        connection.execute(text(statement))


def test_every_loan_is_walked_once(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    line = counter.line()
    running, closed = counter.loan(line, "1000"), counter.loan(line, "1000")
    counter.book.draw(line.id, "1000")
    counter.close_until(START + timedelta(days=3))
    counter.book.repay(running.id, "100")
    counter.book.repay(closed.id, "all")
    walks: list[date] = []
    walk = replay._walk

    def counted(loan: Any, events: Any, day: date, *more: Any) -> None:
        walks.append(day)
        walk(loan, events, day, *more)

    monkeypatch.setattr(replay, "_walk", counted)
    assert counter.book.verify().clean
    assert walks == [START + timedelta(days=3)] * 2  # the pending one has no life to walk
