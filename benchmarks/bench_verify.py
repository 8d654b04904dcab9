"""Verify: a whole book recomputed from its events and compared, beside reading and hashing the same events alone.

    python benchmarks/bench_verify.py [--loans N]

Loans of six events each with those of their line (signed; drawn, paid out, three repayments), on SQLite, processor seconds.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from books import SetClock, Wish, fill, led_by_the_library
from sqlalchemy import select

from microloan.book.loanbook import LoanBook
from microloan.store.chain import row_hash
from microloan.store.tables_lending import EVENTS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--loans", type=int, default=100_000)
    loans = parser.parse_args().loans
    with tempfile.TemporaryDirectory() as folder:
        prototypes = led_by_the_library(
            Path(folder), [Wish(30, {"days": 400 + n}, repays=3) for n in range(20)], 1
        )
        url = f"sqlite:///{folder}/book.db"
        fill(url, loans, 0.0, prototypes, 1, lean=False)
        with LoanBook.open(url, clock=SetClock()) as book:
            bare, events = hashing_alone(book)
            began = time.process_time()
            report = book.verify()
            ours = time.process_time() - began
    assert report.clean, report.findings[:5]
    print(f"floor: {events:,} events read and hashed  {bare:>8.2f} s {bare / loans * 1e6:>8.1f} us a loan")
    print(
        f"verify of {loans:,} loans         {ours:>8.2f} s {ours / loans * 1e6:>8.1f} us a loan  {ours / bare:.1f} x floor"
    )
    print(f"most memory of all this  {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


def hashing_alone(book: LoanBook) -> tuple[float, int]:
    """Every event read and hashed, nothing else."""
    began, count = time.process_time(), 0
    with book._desk.transactions.reading() as connection:
        for row in connection.execution_options(yield_per=5000).execute(select(EVENTS)):
            assert row_hash(row._mapping) == row.hash
            count += 1
    return time.process_time() - began, count


if __name__ == "__main__":
    main()
