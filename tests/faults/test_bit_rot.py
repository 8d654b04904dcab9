"""One bit at a time: a log or a file that rots is found out, or harmless, or shorter than the anchor says.

Source: RELIABILITY 3, 5 and 6. SQLite's own check notices few of these; the chains, the recomputed caches and the anchor do.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import sqlite3
from collections import Counter as Tally
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from microloan.errors import IntegrityBroken, NotFound, StorageFailed
from tests.store.counter import START, Counter

LOAN_EVENTS = 12
LONG = [pytest.mark.slow, pytest.mark.timeout(1200)]

#: What the book knows of money. A change here that nobody notices is the one thing that must not happen.
OF_MONEY = (
    "ml_event",
    "ml_journal",
    "ml_loan",
    "ml_facility",
    "ml_accrual",
    "ml_seal",
    "ml_provision",
    "ml_bucket",
)

#: Columns that no money follows from, which `verify` cannot recompute from anything else.
OTHER_WORDS = {
    "ml_journal": {"entry", "line", "source", "loan", "bucket", "day"},
    "ml_loan": {
        "held_reason",
        "terms",
        "method",
        "merchant",
        "facility",
        "maturity",
        "start",
        "drawn_on",
        "drawn_at",
        "drawn_minor",
    },
    "ml_facility": {
        "merchant",
        "offer",
        "rate",
        "signed_on",
        "valid_until",
        "contract_sha256",
        "signer",
        "signed_at",
    },
}


@pytest.fixture
def counter(tmp_path: Path) -> Counter:
    """A book in a file with some closed days, a loan that owes penalty and one that does not."""
    made = Counter(f"sqlite:///{tmp_path / 'book.db'}").init()
    line = made.line()
    made.loan(line, "1000", days=3)
    made.loan(line, "1000", days=90)
    made.close_until(START + timedelta(days=4))
    return made


def file_of(counter: Counter) -> Path:
    return Path(counter.url.removeprefix("sqlite:///"))


@dataclass(frozen=True)
class Flip:
    """A bit of a file."""

    offset: int
    bit: int

    @classmethod
    def of(cls, rng: random.Random, size: int) -> Flip:
        """Any bit of a file of so many bytes."""
        return cls(rng.randrange(size), rng.randrange(8))

    def apply(self, content: bytes) -> bytes:
        """The content with the bit turned over."""
        return (
            content[: self.offset]
            + bytes([content[self.offset] ^ 1 << self.bit])
            + content[self.offset + 1 :]
        )


@contextmanager
def rotten(folder: Path, main: bytes, log: bytes = b"") -> Iterator[Counter]:
    """A book whose files have these contents."""
    file = folder / "rotten.db"
    file.write_bytes(main)
    if log:
        Path(f"{file}-wal").write_bytes(log)
    counter = Counter(f"sqlite:///{file}")
    try:
        yield counter
    finally:
        counter.book.close()
        for each in folder.glob("rotten.db*"):
            each.unlink()


def found_out(counter: Counter, anchor: Path | None = None) -> bool:
    """Does anything say that the book is not what it was?"""
    try:
        return not counter.book.verify(anchor=anchor).clean
    except (IntegrityBroken, NotFound):
        return True


# --- the log ---------------------------------------------------------------------------------------------------------


def lived_in_the_log(counter: Counter) -> tuple[bytes, bytes, str]:
    """The main file, a log with twelve commits that nobody emptied, and the loan they belong to."""
    source = file_of(counter)
    with closing(sqlite3.connect(source)) as keeper:
        keeper.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        loan = counter.book.loans()[0].id
        for _ in range(LOAN_EVENTS):
            counter.book.repay(loan, "1")
        return source.read_bytes(), Path(f"{source}-wal").read_bytes(), loan


def repayments(counter: Counter, loan: str) -> int:
    return sum(line.type == "repay" for line in counter.book.ledger(loan))


@pytest.mark.parametrize("flips", [20, pytest.param(600, marks=LONG)])
def test_a_bit_flipped_in_the_log_costs_the_last_commits_and_the_anchor_tells(
    counter: Counter, tmp_path: Path, flips: int
) -> None:
    main, log, loan = lived_in_the_log(counter)
    anchor = tmp_path / "anchor"
    counter.book.anchor(anchor)
    lost: Tally[int] = Tally()
    for number in range(flips):
        flip = Flip.of(random.Random(f"log {number}"), len(log))
        with rotten(tmp_path, main, flip.apply(log)) as book:
            kept = repayments(book, loan)
            lost[LOAN_EVENTS - kept] += 1
            book.must_be_sound()  # a shorter history, and a whole one
            assert found_out(book, kept_copy(anchor)) == (kept < LOAN_EVENTS), flip
    print(f"faults injected: {flips}; commits lost: {sorted(lost.items())}")
    assert sum(lost.values()) == flips


def kept_copy(anchor: Path) -> Path:
    """A copy of an anchor file: a clean verification adds a line of its own to it."""
    copy = anchor.with_suffix(".copy")
    shutil.copyfile(anchor, copy)
    return copy


@pytest.mark.parametrize("cuts", [20, pytest.param(600, marks=LONG)])
def test_a_log_cut_anywhere_is_a_prefix_and_the_anchor_tells(
    counter: Counter, tmp_path: Path, cuts: int
) -> None:
    main, log, loan = lived_in_the_log(counter)
    counter.book.anchor(tmp_path / "anchor")
    kept = []
    for number in range(cuts + 1):
        with rotten(tmp_path, main, log[: len(log) * number // cuts]) as book:
            kept.append(repayments(book, loan))
            book.must_be_sound()
            assert found_out(book, kept_copy(tmp_path / "anchor")) == (kept[-1] < LOAN_EVENTS)
    print(f"faults injected: {cuts + 1}; commits kept: {sorted(Tally(kept).items())}")
    assert (kept[0], kept[-1]) == (0, LOAN_EVENTS)
    assert kept == sorted(kept)


def test_what_was_acknowledged_is_in_the_log_by_then(counter: Counter, tmp_path: Path) -> None:
    """Row 4: cut at the length the log had when a command returned, it still holds that command, and all before."""
    source = file_of(counter)
    with closing(sqlite3.connect(source)) as keeper:
        keeper.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        loan, lengths = counter.book.loans()[0].id, []
        for _ in range(LOAN_EVENTS):
            counter.book.repay(loan, "1")
            lengths.append(Path(f"{source}-wal").stat().st_size)
        main, log = source.read_bytes(), Path(f"{source}-wal").read_bytes()
    for acknowledged, length in enumerate(lengths, 1):
        with rotten(tmp_path, main, log[:length]) as book:
            assert repayments(book, loan) == acknowledged
            book.must_be_sound()


# --- the file --------------------------------------------------------------------------------------------------------


def contents(file: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table that holds money, as it stands in the table, whatever an index makes of their order."""
    with closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite3.Row
        return {
            table: [named(row) for row in connection.execute(f"SELECT * FROM {table} NOT INDEXED")]
            for table in OF_MONEY
        }


def named(row: sqlite3.Row) -> dict[str, Any]:
    """A row by column names, of which SQLite ignores the case: a bit turns ``journal`` into ``jouRnal``."""
    return {name.lower(): value for name, value in dict(row).items()}


def changed_unseen(
    before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]]
) -> set[str]:
    """The columns of money that differ, although nothing was found."""
    changed = {table for table in OF_MONEY if len(before[table]) != len(after[table])}
    for table in OF_MONEY:
        for old, new in zip(before[table], after[table], strict=False):
            changed |= {f"{table}.{name}" for name in old if old[name] != new.get(name)}
    return {name for name in changed if name.split(".")[-1] not in OTHER_WORDS.get(name.split(".")[0], ())}


def refused_by_the_backup(counter: Counter) -> bool:
    """A backup reads tables and indexes against each other: `verify` finds its rows by an index, which may be whole."""
    try:
        counter.book.backup(file_of(counter).with_name("rotten.copy.db"))
    except StorageFailed:
        return True
    file_of(counter).with_name("rotten.copy.db").unlink()
    return False


@pytest.mark.parametrize("flips", [40, pytest.param(2000, marks=LONG)])
def test_a_bit_flipped_in_the_file_is_found_out_or_touches_no_money(
    counter: Counter, tmp_path: Path, flips: int
) -> None:
    counter.book.repay(counter.book.loans()[0].id, "100", idempotency_key="k")
    counter.book.backup(tmp_path / "whole.db")
    whole = (tmp_path / "whole.db").read_bytes()
    before, outcome = contents(tmp_path / "whole.db"), Tally[str]()
    for number in range(flips):
        flip = Flip.of(random.Random(f"file {number}"), len(whole))
        with rotten(tmp_path, flip.apply(whole)) as book:
            outcome[outcome_of(book, before, flip)] += 1
    print(f"faults injected: {flips}; {dict(outcome)}")
    assert sum(outcome.values()) == flips


def outcome_of(book: Counter, before: dict[str, list[dict[str, Any]]], flip: Flip) -> str:
    """Found out, harmless, or words beside the money; anything else fails the test."""
    if found_out(book):
        return "found out"
    try:
        after = contents(file_of(book))
    except sqlite3.DatabaseError:
        return "found out"
    unseen = changed_unseen(before, after)
    if unseen and refused_by_the_backup(book):
        return "found out by the backup"
    assert not unseen, (flip, unseen)
    same = hashlib.sha256(repr(before).encode()).digest() == hashlib.sha256(repr(after).encode()).digest()
    return "harmless" if same else "other words changed"


DAMAGE = {
    "no JSON in an event of the line": (
        "UPDATE ml_event SET payload = '{' WHERE kind = 'signed'",
        "line_unreadable",
    ),
    "no JSON in an event of the loan": (
        "UPDATE ml_event SET payload = '{' WHERE kind = 'payout_confirmed'",
        "loan_unreadable",
    ),
    "a day that is none": ("UPDATE ml_event SET value_date = 9000000", "unreadable"),
    "a word nobody knows": ("UPDATE ml_event SET kind = 'repaX' WHERE kind = 'repay'", "loan_unreadable"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_what_cannot_even_be_read_is_said_and_not_a_crash(counter: Counter, case: str) -> None:
    counter.book.repay(counter.book.loans()[0].id, "100")
    statement, code = DAMAGE[case]
    with closing(sqlite3.connect(file_of(counter))) as rot:  # which no CHECK and no trigger holds up
        rot.executescript(f"PRAGMA ignore_check_constraints=ON; DROP TRIGGER ml_event_no_update; {statement}")
    assert code in {finding.code for finding in counter.book.verify().findings}
