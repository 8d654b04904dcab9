"""Who did what, which key acted, which row of a bank's file was booked: nobody can make it otherwise with the triggers in place.

Source: RELIABILITY 17 (one key, one effect), 41 (the same file twice) and 47.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from microloan.book.results import Loan

from .counter import Counter
from .test_lenders_week import receipts, settlements, sweep_line

REFUSED = {
    "another key": "UPDATE ml_command SET key = key || 'x' WHERE operation = 'draw'",
    "no key": "UPDATE ml_command SET key = NULL WHERE operation = 'draw'",
    "another operation": "UPDATE ml_command SET operation = 'fee' WHERE operation = 'draw'",
    "another actor": "UPDATE ml_command SET actor = 'mallory'",
    "a second person afterwards": "UPDATE ml_command SET approver = 'boss'",
    "another time": "UPDATE ml_command SET recorded_at = recorded_at - 1",
    "a command that never was": "DELETE FROM ml_command WHERE operation = 'close_day'",
    "a receipt that never came": "DELETE FROM ml_receipt",
    "a receipt that waits again": "UPDATE ml_receipt SET status = 'waiting', subject = '' WHERE status = 'booked'",
    "another amount received": "UPDATE ml_receipt SET amount_minor = amount_minor + 1",
    "a settlement that never came": "DELETE FROM ml_settlement",
    "a settlement that waits again": "UPDATE ml_settlement SET status = 'waiting' WHERE status = 'booked'",
    "another amount settled": "UPDATE ml_settlement SET captures_minor = captures_minor + 1",
    "nothing swept": "DELETE FROM ml_swept",
    "less swept": "UPDATE ml_swept SET asked_minor = asked_minor - 1",
    "a contract that never was": "DELETE FROM ml_offer",
    "another contract": "UPDATE ml_offer SET contract = contract || 'x'",
    "another limit offered": "UPDATE ml_offer SET limit_minor = limit_minor + 1",
    "another product": "UPDATE ml_product SET body = replace(body, '1.5', '9.5')",
    "a product nobody approved": "UPDATE ml_product SET status = 'proposed', approved_at = NULL, approved_by = NULL",
    "another policy": "UPDATE ml_policy SET body = body || ' '",
    "no policy": "DELETE FROM ml_policy",
}


@pytest.fixture
def week(counter: Counter, tmp_path: Path) -> Loan:
    """A loan drawn under a key, swept by a settlement and paid on by the bank's file."""
    loan = counter.loan(sweep_line(counter), "100000", months=12, idempotency_key="k-1")
    counter.book.sweeps.load(settlements(tmp_path, "S-1,s-1,jd,2017-05-01,20000.00,,"))
    counter.book.receipts.load(receipts(tmp_path, f"B-1,2017-05-01,1000.00,{loan.id},"))
    counter.close_until(date(2017, 5, 3))
    assert counter.book.loan(loan.id).principal == Decimal("97000.00")  # 10% of 20,000.00, and 1,000.00
    return loan


@pytest.fixture
def host(counter: Counter, week: Loan) -> Iterator[Engine]:
    """Whoever may write to the database."""
    engine = create_engine(counter.url)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("case", REFUSED)
def test_what_was_done_is_not_told_otherwise(host: Engine, case: str) -> None:
    with host.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
        assert connection.execute(text(REFUSED[case])).rowcount > 0


def test_what_goes_on_goes_on(counter: Counter, week: Loan, tmp_path: Path) -> None:
    """Keys answer again, files come twice, rows that waited are booked, an unknown shop is assigned: the triggers let them."""
    again = counter.book.draw(week.facility_id, "100000", months=12, confirm=True, idempotency_key="k-1")
    assert (again.loan_id, again.replayed) == (week.id, True)
    before = counter.book.loan(week.id)
    assert counter.book.sweeps.load(settlements(tmp_path, "S-1,s-1,jd,2017-05-01,20000.00,,")).duplicates == 1
    assert (
        counter.book.receipts.load(receipts(tmp_path, f"B-1,2017-05-01,1000.00,{week.id},")).duplicates == 1
    )
    assert counter.book.loan(week.id) == before
    assert counter.book.receipts.load(receipts(tmp_path, "B-2,2017-05-03,50.00,who knows,")).waiting == 1
    counter.book.receipts.assign("B-2", week.id)
    assert counter.book.loan(week.id).interest == before.interest - 50
    counter.must_be_sound()


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("ml_command", "actor"),
        ("ml_command", "key"),
        ("ml_receipt", "reference"),
        ("ml_settlement", "reason"),
    ],
)
def test_replace_leaves_the_row_that_is_there(
    sqlite_url: str, tmp_path: Path, table: str, change: str
) -> None:
    """Of a key that is taken SQLite keeps the row that took it; of an identifier that is taken it refuses another row."""
    counter = Counter(sqlite_url).init()
    loan = counter.loan(sweep_line(counter), "100000", months=12, idempotency_key="k-1")
    counter.book.sweeps.load(settlements(tmp_path, "S-1,s-1,jd,2017-05-01,20000.00,,"))
    counter.book.receipts.load(receipts(tmp_path, f"B-1,2017-05-01,1000.00,{loan.id},"))
    counter.book.close()
    engine = create_engine(sqlite_url)
    with engine.begin() as connection:
        before = connection.execute(text(f"SELECT rowid, * FROM {table} ORDER BY rowid")).mappings().all()
        for row in before:
            columns = {name: value for name, value in row.items() if name != "rowid"} | {change: "x"}
            names, marks = ", ".join(columns), ", ".join(f":{name}" for name in columns)
            try:
                connection.execute(text(f"REPLACE INTO {table} ({names}) VALUES ({marks})"), columns)
            except DBAPIError as refused:
                assert "append-only" in str(refused)  # noqa: PT017 - some are refused, others without effect
        after = connection.execute(text(f"SELECT rowid, * FROM {table} ORDER BY rowid")).mappings().all()
        assert after == before
    engine.dispose()
