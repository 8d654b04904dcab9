"""Names that are SQL or paths, and zones whose clocks jump.

Source: RELIABILITY 29 and 43; hostile files are in test_bad_files.py and tests/unit/intake.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from microloan.errors import BadInput, NotFound, Refused
from tests.killing import child, ended
from tests.store.counter import Counter

NAMES = [
    "'; DROP TABLE ml_loan; --", '"; DELETE FROM ml_event; --', "x' OR '1'='1", "../../etc/passwd", "..\\..\\book",
    "a\x00b", "x" * 10_000, "%s%n%(name)s", "{0.__class__}", "loan-00-' UNION SELECT 1 --", "аlice", "a\u202eb", "",
]  # fmt: skip


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    """A book in a file, with a loan."""
    made = Counter(f"sqlite:///{tmp_path / 'book.db'}").init()
    made.loan(made.line(), "1000")
    yield made
    made.book.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_never_a_statement_nor_a_path(counter: Counter, tmp_path: Path, name: str) -> None:
    """Row 43: found nowhere, or refused, or kept as it is; the book is what it was."""
    book, line = counter.book, counter.book.facilities()[0].id
    acts = [
        lambda: book.loan(name), lambda: book.draw(name, "100"), lambda: book.repay(name, "1"),
        lambda: book.sign(name, signer=name, contract_sha256=name), lambda: book.reverse(name, name),
        lambda: book.loans(facility=name, merchant=name, status=name), lambda: book.merchants.show(name),
        lambda: book.freeze(line, name, idempotency_key=name), lambda: book.products.show(name),
        lambda: book.acting(name, "bob").set_limit(line, "2000", name),
    ]  # fmt: skip
    for act in acts:
        assert len(said(act)) < 1000
    assert len(book.loans()) == 1
    assert sorted(path.name.split("-")[0] for path in tmp_path.iterdir())[0] == "book.db"
    counter.must_be_sound()


def said(act: Callable[[], object]) -> str:
    """What a command refuses with, or nothing; only refusals of bad input, by a rule, or of what is not there are let through."""
    try:
        act()
    except (BadInput, Refused, NotFound) as refused:
        return refused.message
    return ""


ZONES = {
    "Asia/Shanghai": datetime(2024, 3, 10, 15, 30, tzinfo=UTC),  # 23:30 there
    "America/New_York": datetime(
        2024, 3, 11, 3, 30, tzinfo=UTC
    ),  # 23:30 there, at the end of a day of 23 hours
    "Australia/Lord_Howe": datetime(
        2024, 3, 10, 12, 30, tzinfo=UTC
    ),  # 23:30 there; its clocks move by half an hour
}


def forty_nights(folder: Path, zone: str, machine: str) -> str:
    """First day, nights and interest of a loan in a zone of the lender, on a machine set to another."""
    os.environ["TZ"] = machine
    time.tzset()
    counter = Counter(f"sqlite:///{folder / machine.replace('/', ' ')}.db")
    counter.clock.now = ZONES[zone]
    counter.book.init("CNY", zone=zone)
    loan = counter.loan(counter.line(), "100000", days=300)
    counter.clock.now += timedelta(minutes=29)
    assert not counter.book.close_day().closed, "the day has not ended"
    for _ in range(40):
        counter.clock.now += timedelta(days=1)
        counter.book.close_day()
    counter.must_be_sound()
    state = counter.book.loan(loan.id)
    return f"{loan.start} {(state.as_of - loan.start).days} {state.interest_charged}" if loan.start else ""


@pytest.mark.parametrize("zone", ZONES)
def test_interest_counts_calendar_days_of_the_lender_whatever_the_machine_says(
    tmp_path: Path, zone: str
) -> None:
    """Row 29: opened at 23:30 of 10 March 2024, through the changes of the clocks; 48.00 a night, every night."""
    told = set()
    for machine in ("America/New_York", "Pacific/Kiritimati"):
        file = tmp_path / "told"
        pid = child(lambda machine=machine, file=file: file.write_text(forty_nights(tmp_path, zone, machine)))  # type: ignore[misc]
        assert ended(pid) == 0
        told.add(file.read_text())
    assert told == {"2024-03-10 40 1920.00"}
