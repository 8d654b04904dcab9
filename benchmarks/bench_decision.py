"""One shop in memory: all features, and a whole decision, beside the least that could be done with its lines.

    python benchmarks/bench_decision.py [--lines N]

A generated shop of so many lines over 500 days, held as :class:`SalesLines`; each run starts from a fresh copy, so that
nothing is kept from the one before. Floor: one sum of its amounts by day with numpy. Medians of 300 runs, milliseconds: of
the CPU the run took, which says what it costs on a machine shared with others, and of the time on the clock.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from random import Random

import numpy as np

from microloan.underwriting import SalesLines, decide, features, sales_lines, shipped_policy

AS_OF = date(2025, 5, 12)


def shop(lines: int) -> SalesLines:
    """An ordinary shop: buyers who come once or twice, few refunds and cancellations, settled within days."""
    chance = Random(1)
    rows = []
    for number in range(lines):
        paid = AS_OF - timedelta(days=number * 500 // lines)
        rows.append({
            "shop_id": "shop", "order_id": str(number), "paid_at": paid.isoformat(),
            "amount_minor": chance.randrange(500, 90_000),
            "status": "cancelled" if chance.random() < 0.03 else "completed", "buyer_id": f"b{chance.randrange(lines)}",
            "settled_at": (paid + timedelta(days=5)).isoformat(),
        })  # fmt: skip
    return sales_lines(rows)


def timed(run: Callable[[SalesLines], object], lines: SalesLines) -> tuple[float, float]:
    """Median CPU and median time of 300 runs, milliseconds."""
    cpu, clock = [], []
    for _ in range(300):
        fresh = replace(lines)
        begun, used = time.perf_counter(), time.thread_time()
        run(fresh)
        cpu.append((time.thread_time() - used) * 1000)
        clock.append((time.perf_counter() - begun) * 1000)
    return statistics.median(cpu), statistics.median(clock)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=3000)
    given = parser.parse_args()
    lines, policy = shop(given.lines), shipped_policy()
    floor = timed(
        lambda each: np.bincount(each.paid_day - int(each.paid_day[0]), weights=each.amount_minor), lines
    )
    print(f"one shop, {len(lines):,} lines: medians of 300")
    for name, run in (
        ("features", lambda each: features(each, as_of=AS_OF)),
        ("decision", lambda each: decide(each, policy, as_of=AS_OF)),
    ):
        cpu, clock = timed(run, lines)
        print(f"{name:9} {cpu:6.2f} ms CPU {clock:6.2f} ms clock {cpu / floor[0]:6.0f} x one sum by day")


if __name__ == "__main__":
    main()
