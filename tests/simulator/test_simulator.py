"""Random lenders' lives hold every rule, on every database, through every crash; and a broken rule is found and cut down.

Source: RELIABILITY (how to provoke it). `python -m tests.simulator --seed S --operations N` runs as many as one likes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from microloan.servicing import allocation, receipts
from tests.databases import SERVER

from .run import Books, Failure, Script, replay, shrink, write


@pytest.fixture(scope="module")
def books() -> Iterator[Books]:
    """Books of every kind; engines are kept from test to test."""
    with Books() as found:
        yield found


@pytest.mark.parametrize("seed", range(3))
def test_lives_in_memory_hold_every_rule(books: Books, seed: int) -> None:
    tally = write(books, f"everyday-{seed}", "memory", length=200, crashes=0.15)
    print(f"faults injected: {tally['crashes by exception']}")
    assert tally["loans recomputed"] >= 5
    assert tally["crashes by exception"] >= 3
    assert tally["keys used again"] >= 3


def test_a_life_in_a_file_survives_sigkill(books: Books) -> None:
    tally = write(books, "everyday-file", "file", length=100, crashes=0.4)
    print(f"faults injected: {tally['crashes by SIGKILL']}")
    assert tally["crashes by SIGKILL"] >= 2


@pytest.mark.postgres
def test_sqlite_and_postgresql_in_step_answer_the_same(books: Books) -> None:
    if not SERVER:
        pytest.skip("no PostgreSQL: export MICROLOAN_TEST_POSTGRES=$(.ci/postgres start)")
    tally = write(books, "everyday-both", "both", length=60, crashes=0.5)
    print(f"faults injected: {tally['crashes by exception'] + tally['crashes by connection cut']}")
    assert tally["crashes by exception"] + tally["crashes by connection cut"] >= 4


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_operations_of_a_fresh_seed(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.simulator",
        "--operations",
        "10000",
        "--seed",
        tmp_path.parent.name,
    ]
    done = subprocess.run(
        [*command, "--save", tmp_path / "failure.json"], capture_output=True, text=True, check=False
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout


def broken(books: Books) -> Failure:
    """The failure of the first world that breaks a rule."""
    for number in range(20):
        try:
            write(books, f"broken-{number}", "memory", length=150)
        except Failure as failure:
            return failure
    raise AssertionError("the simulator did not notice")


@pytest.mark.slow
def test_a_wrong_order_of_allocation_is_found_and_shortened(
    books: Books, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    right = allocation.payment_steps

    def penalty_last(order, across, buckets):  # type: ignore[no-untyped-def]
        return right(sorted(order, key="penalty".__eq__), across, buckets)

    monkeypatch.setattr(receipts, "payment_steps", penalty_last)
    failure = broken(books)
    assert failure.rule in ("state", "ledger", "answer")
    shortest = shrink(books, failure)
    assert shortest.rule == failure.rule
    assert len(shortest.script.operations) < 15 < len(failure.script.operations)
    file = tmp_path / "script.json"
    file.write_text(shortest.script.written())
    with pytest.raises(Failure):
        replay(books, Script.read(file))
    monkeypatch.undo()
    replay(books, Script.read(file))  # once the rule holds again, so does the script
