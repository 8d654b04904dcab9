"""Importing order lines: ours beside its floor, the csv module and a bare executemany into one table, in one run.

    python benchmarks/bench_import.py [--lines N] [--shops N]

The lines come from a generator through a pipe, so that no large file is needed; each side runs in a process of its own, which
tells its peak memory. Floor: csv.reader, int() of the amounts, INSERT by the ten thousand into a table with the same key, one
commit per batch — no validation, no look at duplicates, no older versions. Ours: ``book.sales.load``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path

FIRST_DAY = date(2023, 1, 1).toordinal()
HEADER = b"order_id,shop_id,paid_at,amount,status,refund_amount,buyer_id,settled_at\n"
BATCH = 8_192


class Noon:
    """A clock that stands."""

    def now_utc(self) -> datetime:
        return datetime(2025, 1, 1, 4, tzinfo=UTC)


def generate(lines: int, shops: int) -> None:
    """Write order lines to standard output: two years of days, shops and amounts scattered, settled a week later."""
    write = sys.stdout.buffer.write
    write(HEADER)
    days = [date.fromordinal(FIRST_DAY + n).isoformat() for n in range(800)]
    row = "%016x,shop-%06d,%sT%02d:%02d:%02d,%d.%02d,completed,0,buyer-%09d,%sT12:00:00\n"
    for start in range(0, lines, 1000):
        write("".join([
            row % (n * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF, n * 7919 % shops, days[n * 730 // lines], n % 24, n % 60,
                   n * 7 % 60, n * 31 % 900, n % 100, n * 104729 % 10**9, days[n * 730 // lines + 7])
            for n in range(start, min(start + 1000, lines))
        ]).encode())  # fmt: skip


def floor(source: str, folder: str) -> None:
    """csv.reader and a bare executemany."""
    database = sqlite3.connect(f"{folder}/floor.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(
        "CREATE TABLE line (shop_id TEXT, order_id TEXT, paid_at TEXT, amount INTEGER, status TEXT, refund TEXT, "
        "buyer_id TEXT, settled_at TEXT, PRIMARY KEY (shop_id, order_id)) STRICT, WITHOUT ROWID"
    )
    with open(source, encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        while rows := list(islice(reader, BATCH)):
            batch = [(r[1], r[0], r[2], int(r[3].replace(".", "")), r[4], r[5], r[6], r[7]) for r in rows]
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO line VALUES (?, ?, ?, ?, ?, ?, ?, ?)", batch)
            database.execute("COMMIT")
    assert database.execute("SELECT count(*) FROM line").fetchone()[0]


def ours(source: str, folder: str) -> None:
    """The library, into a fresh book."""
    from microloan import LoanBook

    with LoanBook.open(f"sqlite:///{folder}/ours.db", clock=Noon()) as book:
        book.init(open_day=date(2025, 1, 1))
        report = book.sales.load(source, platform="bench")
        assert report.rejected == report.duplicates == 0


def measured(side: str, lines: int, shops: int) -> dict[str, float]:
    """One side in a process of its own, fed by another."""
    with tempfile.TemporaryDirectory() as folder:
        pipe = Path(folder) / "pipe.csv"
        os.mkfifo(pipe)
        begun = time.perf_counter()
        me = [sys.executable, __file__, "--lines", str(lines), "--shops", str(shops)]
        with subprocess.Popen(f"exec {' '.join(me)} --side generate > {pipe}", shell=True) as generator:
            done = subprocess.run(
                [*me, "--side", side, "--source", str(pipe)], capture_output=True, check=True, cwd=folder
            )
            generator.wait()
        told: dict[str, float] = json.loads(done.stdout)
        return {**told, "seconds": time.perf_counter() - begun}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=500_000)
    parser.add_argument("--shops", type=int, default=10_000)
    parser.add_argument("--side", choices=["generate", "floor", "ours"])
    parser.add_argument("--source")
    given = parser.parse_args()
    if given.side == "generate":
        generate(given.lines, given.shops)
    elif given.side:
        {"floor": floor, "ours": ours}[given.side](given.source, ".")
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024}))
    else:
        report(given.lines, given.shops)


def report(lines: int, shops: int) -> None:
    """Both sides, and how much dearer ours is."""
    found = {side: measured(side, lines, shops) for side in ("floor", "ours")}
    print(f"{lines:,} lines of {shops:,} shops")
    for side, each in found.items():
        print(
            f"{side:6} {each['seconds']:8.1f} s wall {each['cpu']:8.1f} s CPU {lines / each['seconds']:10,.0f} lines/s "
            f"{each['peak_mb']:6.0f} MB peak"
        )
    print(f"ratio  {found['ours']['cpu'] / found['floor']['cpu']:.2f} x the CPU, "
          f"{found['ours']['seconds'] / found['floor']['seconds']:.2f} x the time of the floor")  # fmt: skip


if __name__ == "__main__":
    main()
