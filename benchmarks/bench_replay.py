"""Replaying loans: ours beside its floor, a bare loop with the two integer operations no replay can do without, in one run.

    python benchmarks/bench_replay.py [--loans N]

Floor: for each event, interest = base * rate * nights and min(), with every day already a number and no state made of it.
Ours: ``replay`` from terms and events to a LoanState. Each loan has terms of its own and each pass is over new loans, as in
a close of day over a large book. One process, processor time; every figure is the median of five passes, and floor and ours
take turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from statistics import median
from typing import Any

from microloan.servicing.events import Repaid
from microloan.servicing.replay import replay
from microloan.servicing.scenario import simulate
from microloan.terms import LoanTerms

PASSES = 5
FIRST_DAY = date(2024, 1, 5)
Loan = tuple[LoanTerms, list[Repaid], date]


def a_loan(n: int, method: str, count: int) -> Loan:
    """A loan over twelve months and *count* even repayments that bring back most of it."""
    start, principal = FIRST_DAY + timedelta(n % 300), 100_000 + n
    terms = LoanTerms.parse(
        {"method": method, "principal": principal, "rate": "0.048%/day", "start": start, "term": "12m"}
    )
    days = [start + timedelta(350 * place // count) for place in range(1, count + 1)]
    events = [
        Repaid(id=f"r{place}", value_date=day, booked_on=day, sequence=place, amount_minor=principal * 100 // count)
        for place, day in enumerate(days)
    ]  # fmt: skip
    return terms, events, start + timedelta(355)


def a_scenario(n: int) -> tuple[dict[str, Any]]:
    """A scenario with two repayments and two dates, as read from a file."""
    return (
        {
            "name": "two repayments",
            "terms": {"method": "anytime", "principal": str(300_000 + n), "rate": "0.048%/day",
                      "start": "2017-05-01", "term": "90d"},
            "events": [{"type": "repay", "date": "2017-05-31", "amount": "100000.00"},
                       {"type": "repay", "date": "2017-06-15", "amount": "50000.00"}],
            "as_of": ["2017-06-15", "2017-07-30"],
        },
    )  # fmt: skip


def as_numbers(loan: Loan) -> tuple[int, list[tuple[int, int]]]:
    """What the floor is given: the principal, and day and amount of each event."""
    terms, events, _ = loan
    return terms.principal_minor, [(event.value_date.toordinal(), event.amount_minor) for event in events]


def floor(base: int, events: list[tuple[int, int]]) -> int:
    """The bare loop."""
    day, carry, rate = events[0][0], 0, 48
    for on, amount in events:
        carry += base * rate * (on - day)
        base -= min(amount, base)
        day = on
    return base


def seconds(work: Callable[..., Any], given: Sequence[tuple[Any, ...]]) -> float:
    """What one item of a pass takes."""
    began = time.process_time()
    for one in given:
        work(*one)
    return (time.process_time() - began) / len(given)


def passes(make: Callable[[int], Any], loans: int) -> list[list[Any]]:
    return [[make(number * loans + n) for n in range(loans)] for number in range(PASSES)]


def shown(label: str, each: float, events: int = 0, note: str = "") -> None:
    rate = f"{1 / each:>10,.0f}/s" + (f" {events / each:>12,.0f} events/s" if events else "")
    print(f"{label:<42}{each * 1e6:>9.1f} us {rate} {note}".rstrip())


def anytime(count: int, loans: int) -> None:
    """One kind of loan beside its floor."""
    bare, ours = [], []
    for book in passes(lambda n: a_loan(n, "anytime", count), loans):
        bare.append(seconds(floor, [as_numbers(loan) for loan in book]))
        ours.append(seconds(replay, book))
    shown(f"floor, {count} events", median(bare), count)
    shown(
        f"replay, anytime, {count} events", median(ours), count, f"{median(ours) / median(bare):.0f} x floor"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--loans", type=int, default=1000, help="loans in a pass (default: 1000)")
    loans = parser.parse_args().loans
    for count in (5, 20, 60):
        anytime(count, loans)
    for method in ("equal_instalment", "equal_principal"):
        books = passes(lambda n, method=method: a_loan(n, method, 20), loans)  # type: ignore[misc]
        shown(f"replay, {method}, 20 events", median(seconds(replay, book) for book in books), 20)
    files = passes(a_scenario, loans)
    shown("simulate, 2 events, 2 dates", median(seconds(simulate, book) for book in files))


if __name__ == "__main__":
    main()
