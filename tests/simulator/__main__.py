"""The command: worlds from a seed until so many operations are done, or one script from its file."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections import Counter
from pathlib import Path

from .run import Books, Failure, Script, replay, shrink, write


def main() -> int:
    """Run; 1 when a rule was broken."""
    asked = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    asked.add_argument("--seed", default="1", help="any text; the same seed gives the same run")
    asked.add_argument("--operations", type=int, default=10_000, help="how many operations at least")
    asked.add_argument("--replay", type=Path, help="a script that an earlier run saved")
    asked.add_argument(
        "--save", type=Path, default=Path("simulator-failure.json"), help="where a failure goes"
    )
    given = asked.parse_args()
    with Books() as books:
        try:
            if given.replay:
                told(replay(books, Script.read(given.replay)), 0)
            else:
                run(books, given.seed, given.operations)
        except Failure as failure:
            explain(books, failure, given.save)
            return 1
    return 0


def run(books: Books, seed: str, operations: int) -> None:
    """Play worlds until there are enough operations, with a line now and then."""
    print(f"seed {seed}", flush=True)
    gc.freeze()
    gc.set_threshold(
        50_000
    )  # a world is thrown away whole: collecting it bit by bit costs a tenth of the run
    begun = spoken = time.perf_counter()
    tally: Counter[str] = Counter()
    while tally["operations"] < operations:
        kind = books.kind(tally["worlds"])
        tally += write(books, f"{seed}-{tally['worlds']}", kind)
        tally += Counter({"worlds": 1, f"worlds on {_PLACES[kind]}": 1})
        if time.perf_counter() - spoken > 30:
            spoken = time.perf_counter()
            print(
                f"{tally['operations']} operations, {tally['operations'] / (spoken - begun):.0f} a second",
                flush=True,
            )
    told(tally, time.perf_counter() - begun)


_PLACES = {"memory": "SQLite in memory", "file": "a SQLite file", "both": "SQLite and PostgreSQL in step"}


def told(tally: Counter[str], seconds: float) -> None:
    """Print what was done."""
    for name in sorted(tally):
        print(f"{tally[name]:>10,}  {name}")
    if seconds:
        print(f"{seconds:>10,.0f}  seconds, {tally['operations'] / seconds:.0f} operations a second")


def explain(books: Books, failure: Failure, place: Path) -> None:
    """Shorten the script of a failure, save it, and say how to play it again."""
    operations = len(failure.script.operations)
    print(
        f"\nBROKEN in world {failure.script.seed} ({failure.script.kind}), operation {operations}: {failure}"
    )
    shortest = shrink(
        books, failure, lambda left: print(f"  shortened to {left} operations", file=sys.stderr)
    )
    place.write_text(shortest.script.written(), encoding="utf-8")
    print(f"\nShortened from {operations} to {len(shortest.script.operations)} operations: {shortest}\n")
    print(shortest.script.written())
    print(f"Play it again: python -m tests.simulator --replay {place}")


if __name__ == "__main__":
    sys.exit(main())
