"""Close of day beside its floor: the bare two-date grouped integer aggregate over the same rows, in one run.

    python benchmarks/bench_close.py [--loans N ...] [--million] [--postgres URL]

Ours is ``LoanBook.close_day()`` of one day, from the first statement to the commit. The floor is one SELECT of
SUM(f(T+1) - f(T)) per product, class, memo and component over the same accrual rows on the same database, and nothing else.
Books come from books.py; up to 20,000 loans they hold every row and ``verify`` must find nothing before and after, larger
ones hold what a close reads. On SQLite both are processor seconds; on PostgreSQL, where the server does the work, wall
seconds. Medians; each close is of a fresh copy of the book.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from books import TODAY, Prototype, SetClock, changing_wishes, fill, led_by_the_library, noon, quiet_wishes
from sqlalchemy import create_engine, make_url, text

from microloan.book import lives
from microloan.book.loanbook import LoanBook

FULL_UP_TO = 20_000

# Copies share their terms, loans of a real book do not: each is to be parsed.
lives._agreed_terms = lives._agreed_terms.__wrapped__  # type: ignore[assignment]

FLOOR = """SELECT product, class, memo, component,
  SUM(q * (:then_n - :now_n) + (rem + m * (:then_n - anchor_n)) / den - (rem + m * (:now_n - anchor_n)) / den)
  FROM ml_accrual WHERE tenant = 'main' AND bucket = :bucket GROUP BY product, class, memo, component"""


class Sqlite:
    """Books in files; a copy is a file."""

    buckets = 1
    clock = staticmethod(time.process_time)

    def __init__(self, folder: Path, _: str) -> None:
        self.folder = folder

    def empty(self) -> str:
        return f"sqlite:///{self.folder / uuid.uuid4().hex}.db"

    def copy(self, url: str) -> str:
        twin = self.empty()
        with sqlite3.connect(url[10:]) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(url[10:], twin[10:])
        return twin

    def drop(self, url: str) -> None:
        for end in ("", "-wal", "-shm"):
            Path(url[10:] + end).unlink(missing_ok=True)


class Postgres:
    """Books in databases; a copy is made from a template."""

    buckets = 16
    clock = staticmethod(time.perf_counter)

    def __init__(self, _: Path, server: str) -> None:
        self.server = make_url(server)
        self.admin = create_engine(self.server, isolation_level="AUTOCOMMIT")

    def empty(self, template: str = "template1") -> str:
        name = f"microloan_bench_{uuid.uuid4().hex}"
        with self.admin.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
        return self.server.set(database=name).render_as_string(hide_password=False)

    def copy(self, url: str) -> str:
        twin = self.empty(str(make_url(url).database))
        self._settle(twin)
        return twin

    def _settle(self, url: str) -> None:
        with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text("VACUUM ANALYZE ml_accrual"))
            connection.execute(text("VACUUM ANALYZE ml_loan"))
            connection.execute(text("VACUUM ANALYZE ml_event"))
            connection.execute(text("CHECKPOINT"))

    def drop(self, url: str) -> None:
        with self.admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)'))


def floor(side: Any, url: str) -> float:
    """The bare aggregate, once per bucket."""
    now = TODAY.toordinal()
    with create_engine(url).connect() as connection:
        connection.execute(text("SELECT COUNT(*) FROM ml_accrual")).all()
        began = side.clock()
        for bucket in range(side.buckets):
            connection.execute(text(FLOOR), {"now_n": now, "then_n": now + 1, "bucket": bucket}).all()
        return float(side.clock() - began)


def close(side: Any, url: str, days: int, calls: int) -> tuple[float, int]:
    """So many days in so many calls: seconds, and loans replayed."""
    clock, replayed = SetClock(), 0
    with LoanBook.open(url, clock=clock, actor="close") as book:
        book.settings()
        began = side.clock()
        for call in range(1, calls + 1):
            clock.now = noon(TODAY + timedelta(days=days * call // calls))
            report = book.close_day()
            assert not report.held, report.held[:3]
            replayed += report.loans_replayed
        return side.clock() - began, replayed


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


def measured(side: Any, prototypes: dict[str, list[Prototype]], loans: int, passes: int) -> None:
    """All figures of one size."""
    bare = 0.0
    for age, share, label in (
        ("young", 0.0, "nothing due, loans of one day"),
        ("old", 0.0, "nothing due, loans of 700 days"),
        ("young", 0.01, "1% change state"),
        ("young", 1.0, "all change state"),
    ):
        if share == 1.0 and loans > 100_000:
            continue
        url = side.empty()
        made = fill(url, loans, share, prototypes[age], side.buckets, lean=loans > FULL_UP_TO)
        if loans <= FULL_UP_TO:
            sound(url)
        bare = median(on_copies(side, url, passes, lambda twin: floor(side, twin)))
        taken = [seconds for seconds, _ in on_copies(side, url, passes, lambda twin: close(side, twin, 1, 1))]
        ours = median(taken)
        shown(f"floor, {loans:,} loans", bare, loans)
        shown(f"close of a day, {label}", ours, loans, f"{ours / bare:.2f} x floor")
        if made.changing:
            print(
                f"{'':<46}{(ours - bare) / made.changing * 1e6:>9.0f} us a changed loan ({made.changing:,})"
            )
        if age == "young" and share < 1:
            caught_up(side, url, loans, passes)
        if loans <= FULL_UP_TO:
            close(side, url, 1, 1)
            sound(url)
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
    parser.add_argument("--million", action="store_true", help="also a book of 1,000,000 loans")
    parser.add_argument("--postgres", default="", help="measure on this server instead of SQLite")
    parser.add_argument("--passes", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        side: Any = (Postgres if given.postgres else Sqlite)(Path(folder), given.postgres)
        prototypes = {}
        for name, age in (("young", 1), ("old", 700)):
            (place := Path(folder) / name).mkdir()
            per_bucket = 40 if side.buckets == 1 else 5
            wishes = [*quiet_wishes(age, per_bucket), *changing_wishes(max(10, per_bucket // 2))]
            prototypes[name] = led_by_the_library(place, wishes, side.buckets)
        for loans in [*given.loans, *([1_000_000] if given.million else [])]:
            measured(side, prototypes, loans, given.passes)
    print(
        f"this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB, day closed {TODAY}"
    )


if __name__ == "__main__":
    main()
