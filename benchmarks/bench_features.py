"""All features of a platform beside one bare ``group by shop, sum`` of the same lines, in one run.

    python benchmarks/bench_features.py [--lines N] [--shops N]

Ours: ``features`` on lines in memory as :class:`SalesLines` holds them, sorted by shop and day: what was known, detectors,
all features of every shop. Floor: pandas ``groupby("shop_id")["amount"].sum()`` on a frame of the same lines in the order
they were paid, whose shops are text as users have them; and once more with whole numbers for shops. Each side runs in a
process of its own, which tells its peak memory; CPU is that of the operation alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date

import numpy as np

AS_OF = date(2025, 5, 12)
DAYS = 500


def columns(lines: int, shops: int) -> dict[str, np.ndarray]:
    """Whole-number columns of lines sorted by shop and day; one shop in ten sells ten times as much.

    A buyer orders once or twice.
    """
    chance = np.random.default_rng(7)
    size = np.where(np.arange(shops) % 10 == 0, 10, 1)
    shop = np.repeat(np.arange(shops), np.bincount(
        chance.choice(shops, lines, p=size / size.sum()), minlength=shops))  # fmt: skip
    day = AS_OF.toordinal() - chance.integers(0, DAYS, lines)
    day = (np.sort(shop * 4_000_000 + day)) % 4_000_000
    fate = chance.random(lines)
    return {
        "shop": shop, "day": day, "amount": chance.integers(500, 90_000, lines),
        "buyer": shop * 60 + (chance.random(lines) * np.where(shop % 10, 60, 600)).astype(np.int64),
        "status": np.where(fate < 0.03, 4, np.where(fate < 0.07, 3, 2)), "settled": day + chance.integers(3, 12, lines),
    }  # fmt: skip


def ours(made: dict[str, np.ndarray], shops: int) -> Callable[[], object]:
    """The library's features of every shop."""
    from microloan.underwriting import SalesLines, features

    count = len(made["shop"])
    never, none = np.full(count, -1), np.zeros(count, dtype=np.int64)
    lines = SalesLines(
        shops=tuple(f"shop-{n:07d}" for n in range(shops)), buyers=tuple(str(n) for n in range(60 * shops + 600)),
        platforms=("market",), flags=("",), shop=made["shop"], platform=none, paid_day=made["day"],
        amount_minor=made["amount"], refund_minor=none, status=made["status"], refunded_day=never, status_day=never,
        settled_day=made["settled"], buyer=made["buyer"], product=never, order=never, flag=none,
        is_total=np.zeros(count, dtype=bool),
    )  # fmt: skip
    return lambda: features(lines, as_of=AS_OF)


def bare(made: dict[str, np.ndarray], shops: int, *, text: bool) -> Callable[[], object]:
    """pandas: sum by shop."""
    import pandas as pd

    names = np.array([f"shop-{n:07d}" for n in range(shops)], dtype=object)
    order = np.random.default_rng(8).permutation(len(made["shop"]))  # as they were paid, not by shop
    shop = made["shop"][order]
    frame = pd.DataFrame(
        {"shop_id": pd.Series(names[shop], dtype="str") if text else shop, "amount": made["amount"][order]}
    )
    return lambda: frame.groupby("shop_id")["amount"].sum()


def measured(side: str, lines: int, shops: int) -> dict[str, float]:
    """CPU seconds of one side, the least of three, in a process of its own."""
    command = [sys.executable, __file__, "--lines", str(lines), "--shops", str(shops), "--side", side]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def one_side(side: str, lines: int, shops: int) -> None:
    made = columns(lines, shops)
    run = ours(made, shops) if side == "ours" else bare(made, shops, text=side == "text")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spent = []
    for _ in range(3):
        begun = time.process_time()
        run()
        spent.append(time.process_time() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": min(spent), "first_cpu": spent[0], "peak_mb": peak, "input_mb": before}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--shops", type=int, default=100_000)
    parser.add_argument("--side", choices=["ours", "text", "whole"])
    given = parser.parse_args()
    if given.side:
        one_side(given.side, given.lines, given.shops)
        return
    found = {side: measured(side, given.lines, given.shops) for side in ("text", "whole", "ours")}
    print(
        f"{given.lines:,} lines of {given.shops:,} shops, CPU of the best of three, peak memory of the process"
    )
    for side, each in found.items():
        print(f"{side:6} {each['cpu']:7.2f} s {each['peak_mb']:6.0f} MB")
    print(f"ratio  {found['ours']['cpu'] / found['text']['cpu']:.1f} x the bare sum by text, "
          f"{found['ours']['cpu'] / found['whole']['cpu']:.1f} x the bare sum by whole numbers")  # fmt: skip


if __name__ == "__main__":
    main()
