"""Reports on a large book: CPU seconds of each, on a book that ``verify`` finds sound.

    python benchmarks/bench_reports.py [--loans N]

The loans are of all methods and up to a year old, with three repayments or two each; a quarter of them is past due.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from books import TODAY, SetClock, Wish, fill, led_by_the_library

from microloan.book.loanbook import LoanBook
from microloan.book.reporting import REPORTS
from microloan.days import add_months

#: A year of loans: some run, some were missed since, some are in instalments.
WISHES = [
    *(Wish(30 * n + 7, {"days": 400 + n}, repays=3) for n in range(1, 12)),
    *(Wish(30 * n + 3, {"months": 12, "method": "equal_instalment"}, repays=2) for n in range(1, 12)),
    *(Wish(30 * n + 11, {"days": 45}, repays=2) for n in range(2, 9)),
]


def main() -> None:
    """Make the book, run every report once for the open day and once for a day past."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--loans", type=int, default=20_000)
    loans = parser.parse_args().loans
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/book.db"
        fill(url, loans, 0.0, led_by_the_library(Path(folder), WISHES, 1), 1, lean=False)
        with LoanBook.open(url, clock=SetClock()) as book:
            print(f"{loans:,} loans, {book.report('aging').principal:,} principal")  # type: ignore[attr-defined]
            for name in REPORTS:
                _time(loans, name, lambda name=name: book.report(name))
            _time(loans, "aging, three months ago", lambda: book.report("aging", add_months(TODAY, -3)))
            _time(loans, "all of the page", book.portfolio_pack)


def _time(loans: int, name: str, run: object) -> None:
    began = time.process_time()
    run()  # type: ignore[operator]
    spent = time.process_time() - began
    print(f"{name:<26} {spent:>7.2f} s CPU {spent / loans * 1e6:>8.1f} us a loan")


if __name__ == "__main__":
    main()
