"""Close of day beside its floor: the bare two-date grouped integer aggregate over the same rows, in one run.

    python benchmarks/bench_close.py [--loans N ...] [--parts young old some all] [--keep FOLDER] [--postgres URL]

Ours is ``LoanBook.close_day()`` of one day, from the first statement to the commit. The floor is one SELECT of
SUM(f(T+1) - f(T)) per product, class and memo, of interest and of penalty, over the same accrual rows on the same database,
and nothing else.
Books come from books.py; up to 20,000 loans they hold every row and ``verify`` must find nothing before and after, larger
ones hold what a close reads. Processor seconds, on PostgreSQL with those of the server's process of the connection, which
has no parallel workers: nobody would count their time. Medians; each close is of a fresh copy of the book.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from books import TODAY, Prototype, SetClock, changing_wishes, fill, led_by_the_library, noon, quiet_wishes
from sides import server_process, side_of, spent
from sqlalchemy import Connection, create_engine, text

from microloan.book import lives
from microloan.book.loanbook import LoanBook

FULL_UP_TO = 20_000

# Copies share their terms, loans of a real book do not: each is to be parsed.
lives._agreed_terms = lives._agreed_terms.__wrapped__  # type: ignore[assignment]

FLOOR = """SELECT product, class, memo,
  SUM(q * (:then_n - :now_n) + (rem + m * (:then_n - anchor_n)) / den - (rem + m * (:now_n - anchor_n)) / den),
  SUM(penalty_q * (:then_n - :now_n) + (penalty_rem + penalty_m * (:then_n - anchor_n)) / den
      - (penalty_rem + penalty_m * (:now_n - anchor_n)) / den) FILTER (WHERE penalty_whole IS NOT NULL)
  FROM ml_accrual WHERE tenant = 'main' AND bucket = :bucket GROUP BY product, class, memo"""


@dataclass
class Books:
    """Books of each size and part, made when first needed; with *keep* found again by a later run."""

    side: Any
    prototypes: dict[str, list[Prototype]]
    keep: bool

    def of(self, part: str, loans: int) -> tuple[str, int]:
        """The URL of a book, and how many of its loans change state when TODAY is closed."""
        age, share, _ = PARTS[part]
        url, there = self.side.kept(f"{part}-{loans}") if self.keep else (self.side.empty(), False)
        if not there:
            fill(url, loans, share, self.prototypes[age], self.side.buckets, lean=loans > FULL_UP_TO)
        return url, loans // round(1 / share) if share else 0


def floor(side: Any, url: str) -> float:
    """The bare aggregate, once per bucket."""
    now = TODAY.toordinal()
    engine = create_engine(url)
    server = server_process(engine)
    with engine.connect() as connection:
        read_once(connection)
        began = spent(server)
        for bucket in range(side.buckets):
            connection.execute(text(FLOOR), {"now_n": now, "then_n": now + 1, "bucket": bucket}).all()
        took = spent(server) - began
    engine.dispose()
    return took


def read_once(connection: Connection) -> None:
    """Both sides begin where the rows have been read before: neither is to pay for a process that has just started."""
    connection.execute(text("SELECT COUNT(*) FROM ml_accrual")).all()


def close(side: Any, url: str, days: int, calls: int) -> tuple[float, int]:
    """So many days in so many calls: seconds, and loans replayed."""
    clock, replayed = SetClock(), 0
    with LoanBook.open(url, clock=clock, actor="close") as book:
        book.settings()
        assert book._own is not None
        server = server_process(book._own.engine)
        with book._own.engine.connect() as connection:
            read_once(connection)
        began = spent(server)
        for call in range(1, calls + 1):
            clock.now = noon(TODAY + timedelta(days=days * call // calls))
            report = book.close_day()
            assert not report.held, report.held[:3]
            replayed += report.loans_replayed
        return spent(server) - began, replayed


def on_copies(side: Any, url: str, times: int, measure: Callable[[str], Any]) -> list[Any]:
    """The same on fresh copies of one book."""
    results = []
    for _ in range(times):
        twin = side.copy(url)
        results.append(measure(twin))
        side.drop(twin)
    return results


def in_a_process_of_its_own(measure: Callable[[], Any]) -> int:
    """The most memory it took, in MB: a child inherits little and ends."""
    pid = os.fork()
    if not pid:
        measure()
        os._exit(0)
    _, status, used = os.wait4(pid, 0)
    assert status == 0
    return used.ru_maxrss // 1024


def sound(url: str) -> None:
    """Verify finds nothing."""
    with LoanBook.open(url, clock=SetClock()) as book:
        report = book.verify()
        assert report.clean, report.findings[:5]


def shown(label: str, seconds: float, loans: int, note: str = "") -> None:
    print(
        f"{label:<46}{seconds:>9.3f} s {seconds / loans * 1e6:>8.2f} us a loan  {note}".rstrip(), flush=True
    )


PARTS = {
    "young": ("young", 0.0, "nothing due, loans of one day"),
    "old": ("old", 0.0, "nothing due, loans of 700 days"),
    "some": ("young", 0.01, "1% change state"),
    "all": ("young", 1.0, "all change state"),
}


def measured(side: Any, books: Books, loans: int, parts: list[str], passes: int) -> None:
    """All figures of one size."""
    for part in parts:
        label = PARTS[part][2]
        url, changing = books.of(part, loans)
        if loans <= FULL_UP_TO:
            sound(url)
        bare = median(on_copies(side, url, passes, lambda twin: floor(side, twin)))
        taken = [seconds for seconds, _ in on_copies(side, url, passes, lambda twin: close(side, twin, 1, 1))]
        ours = median(taken)
        shown(f"floor, {loans:,} loans", bare, loans)
        shown(f"close of a day, {label}", ours, loans, f"{ours / bare:.2f} x floor")
        if changing:
            print(f"{'':<46}{(ours - bare) / changing * 1e6:>9.0f} us a changed loan ({changing:,})")
        if part in ("young", "some"):
            caught_up(side, url, loans, passes)
        if loans <= FULL_UP_TO:
            twin = side.copy(url)
            close(side, twin, 1, 1)
            sound(twin)
            side.drop(twin)
        if not books.keep:
            side.drop(url)


def caught_up(side: Any, url: str, loans: int, passes: int) -> None:
    """Ten missed days beside ten closes; memory."""
    ten, _ = zip(*on_copies(side, url, passes, lambda twin: close(side, twin, 10, 10)), strict=True)
    once, _ = zip(*on_copies(side, url, passes, lambda twin: close(side, twin, 10, 1)), strict=True)
    shown("ten closes", median(ten), loans)
    shown("ten missed days at once", median(once), loans, f"{median(once) / median(ten):.2f} x ten closes")
    twin = side.copy(url)
    print(f"{'most memory of a close':<46}{in_a_process_of_its_own(lambda: close(side, twin, 1, 1)):>9} MB")
    side.drop(twin)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--loans", type=int, nargs="+", default=[10_000, 100_000], help="sizes of the books")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="which figures")
    parser.add_argument(
        "--keep", default="", help="a folder in which books stay for the next run (or the server)"
    )
    parser.add_argument("--postgres", default="", help="measure on this server instead of SQLite")
    parser.add_argument("--passes", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        side = side_of(given.postgres, Path(given.keep or folder))
        print(side.name)
        prototypes = {}
        for name, age in (("young", 1), ("old", 700)):
            (place := Path(folder) / name).mkdir()
            per_bucket = 40 if side.buckets == 1 else 5
            wishes = [*quiet_wishes(age, per_bucket), *changing_wishes(max(10, per_bucket // 2))]
            prototypes[name] = led_by_the_library(place, wishes, side.buckets)
        books = Books(side, prototypes, bool(given.keep))
        for loans in given.loans:
            measured(side, books, loans, given.parts, given.passes)
    print(
        f"this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB, day closed {TODAY}"
    )


if __name__ == "__main__":
    main()
