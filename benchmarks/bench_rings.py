"""Rings over a whole book: ours beside its floor, scipy's connected components on the bare graph, in one run.

    python benchmarks/bench_rings.py [--edges N] [--seed N]

Edges: who has which phone, device, account, address and owner, as arrays, in a made-up book with rings hidden in it. Floor:
``connected_components`` on the CSR matrix of these edges, made beforehand; it gives components of everybody who shares
anything, malls and agents included. Ours: from the arrays to rings — hubs left aside, links weighed by kind, age and holders,
ties that bind, rings grown — with what the book says of itself; reading that from the book (``risk learn``) is told beside it.
The second book is links only: every identifier has exactly two holders, drawn at random. Each figure is the median of three
passes of processor time; peak memory is that of a process that does only this.

    python benchmarks/bench_rings.py --recall

prints how many hidden members share anything with their ring and so could be found, how many of all and of these are found, and
the honest among those placed: by the shipped weights, and with what each book says of itself. Seeds and, the first aside, plans
are such that the rules were not tuned on.

    python benchmarks/bench_rings.py --one

looks from single merchants outwards in a SQLite book of a million identifiers. Floor: one bare join of a merchant's identifiers
with their other holders, hubs and all.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sqlite3
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from sqlalchemy import insert

from microloan.risk.generate import BookPlan, MadeUpBook, Score, findable, made_up_book, score
from microloan.risk.learning import learned
from microloan.risk.rings import around, ring_around
from microloan.risk.wholebook import BookRings, Holdings, book_rings
from microloan.store.base import open_engine
from microloan.store.rings import surroundings
from microloan.store.tables_merchants import IDENTIFIERS
from microloan.store.unit import Unit, random_id

DAY = date(2026, 6, 30)
PASSES = 3
BARE_JOIN = """
    SELECT theirs.merchant, theirs.kind, theirs.digest, theirs.added_at
    FROM ml_identifier mine CROSS JOIN ml_identifier theirs -- in this order: without statistics SQLite begins at the wrong end
        ON theirs.tenant = mine.tenant AND theirs.kind = mine.kind AND theirs.digest = mine.digest
    WHERE mine.tenant = 'main' AND mine.bucket = 0 AND mine.merchant = ?
"""
SEEDS = range(411, 419)
PLANS = {
    "the plan tuned on, other seeds": BookPlan(),
    "another plan": BookPlan(
        merchants=40_000,
        rings=0.04,
        ring_size=(4, 20),
        pool=5,
        at_mall=0.3,
        ring_days=600,
        sleeping=0.15,
        shared={"owner": 0.05, "account": 0.4, "device": 0.8, "phone": 0.6, "address": 0.65},
        families=0.15,
        blocks=0.15,
        block_size=(4, 25),
        mall_size=(60, 1500),
        agents=0.15,
        agent_size=(2, 9),
        local_agents=0.02,
        bookkeeper_size=(2, 30),
        recycled=0.08,
    ),
    "one merchant in a hundred in a ring": BookPlan(merchants=60_000, rings=0.01),
    "old rings, much honest sharing": BookPlan(
        merchants=50_000,
        rings=0.02,
        ring_size=(5, 9),
        pool=4,
        at_mall=0.5,
        ring_days=900,
        shared={"owner": 0.15, "account": 0.3, "device": 0.7, "phone": 0.75, "address": 0.5},
        families=0.2,
        family_phone=0.02,
        blocks=0.08,
        malls=0.25,
        agents=0.06,
        large_agents=0.3,
        bookkeepers=0.1,
        payment_services=0.15,
        recycled=0.1,
        idle_days=(40, 200),
    ),
    "rings of three to five": BookPlan(ring_size=(3, 5)),
    "rings that share little": BookPlan(
        shared={"owner": 0.03, "account": 0.25, "device": 0.5, "phone": 0.5, "address": 0.5}
    ),
    "large rings, many identifiers": BookPlan(
        merchants=45_000,
        rings=0.035,
        ring_size=(8, 30),
        pool=7,
        at_mall=0.25,
        ring_days=500,
        sleeping=0.2,
        shared={"owner": 0.02, "account": 0.5, "device": 0.7, "phone": 0.7, "address": 0.55},
        families=0.12,
        blocks=0.2,
        block_size=(3, 12),
        agents=0.12,
        agent_size=(3, 14),
        local_agents=0.01,
        recycled=0.1,
    ),
    "one device farm, phones of their own": BookPlan(
        merchants=35_000,
        rings=0.025,
        ring_size=(4, 10),
        pool=8,
        at_mall=0.1,
        ring_days=300,
        shared={"owner": 0.0, "account": 0.3, "device": 0.95, "phone": 0.3, "address": 0.6},
        agents=0.2,
        agent_size=(2, 10),
        large_agents=0.2,
        bookkeepers=0.03,
        recycled=0.03,
    ),
    "one bank account behind many": BookPlan(
        merchants=35_000,
        rings=0.02,
        ring_size=(3, 9),
        pool=6,
        at_mall=0.3,
        ring_days=700,
        sleeping=0.25,
        shared={"owner": 0.1, "account": 0.85, "device": 0.4, "phone": 0.4, "address": 0.4},
        payment_services=0.2,
        payment_service_size=(30, 400),
        families=0.2,
        family_phone=0.015,
        recycled=0.06,
    ),
    "campaigns, rings slow to gather": BookPlan(
        merchants=40_000,
        rings=0.025,
        ring_size=(4, 12),
        ring_days=600,
        ring_begins_within=180,
        at_mall=0.25,
        together=0.3,
        agents=0.15,
        local_agents=0.008,
        families=0.12,
        family_phone=0.015,
        recycled=0.06,
    ),
    "households and malls that open together": BookPlan(
        merchants=40_000,
        rings=0.02,
        ring_size=(3, 10),
        at_mall=0.3,
        together=0.5,
        together_days=21,
        shared={"owner": 0.05, "account": 0.35, "device": 0.65, "phone": 0.6, "address": 0.5},
        families=0.2,
        family_phone=0.03,
        blocks=0.12,
        malls=0.2,
        bookkeepers=0.08,
        sleeping=0.15,
    ),
}
#: The only other book that rules were tuned on, beside the first plan: honest merchants begin together too.
SECOND_TUNED = BookPlan(
    merchants=30_000, rings=0.02, ring_size=(3, 8), ring_begins_within=60, at_mall=0.3, together=0.3,
    shared={"owner": 0.05, "account": 0.35, "device": 0.6, "phone": 0.6, "address": 0.55},
    family_phone=0.02, local_agents=0.01, recycled=0.08, sleeping=0.15,
)  # fmt: skip


def made_up(edges: int, seed: int) -> MadeUpBook:
    """A book of about so many edges: five for each merchant and some handed on."""
    return made_up_book(seed, DAY, BookPlan(merchants=int(edges / 5.05)))


def links_only(edges: int, seed: int) -> Holdings:
    """So many links, one identifier each, between a fifth as many merchants."""
    random, merchants = np.random.default_rng(seed), edges // 5
    one = random.integers(0, merchants, edges)
    other = (one + random.integers(1, merchants, edges)) % merchants
    kind = np.repeat(random.choice(np.arange(5, dtype=np.uint8), edges, p=[0.01, 0.02, 0.3, 0.32, 0.35]), 2)
    first = DAY.toordinal() - random.integers(30, 1500, 2 * edges)
    last = np.minimum(DAY.toordinal(), first + random.integers(0, 1500, 2 * edges))
    return Holdings(
        ("owner", "account", "device", "phone", "address"), merchants,
        merchant=np.column_stack([one, other]).ravel(), identifier=np.repeat(np.arange(edges, dtype=np.int64), 2),
        kind=kind, first_day=first.astype(np.int32), last_day=last.astype(np.int32),
    )  # fmt: skip


def bare_graph(holdings: Holdings, pairs: bool) -> Any:
    """What the floor is given: merchants and identifiers as nodes, or merchants only where each edge is a pair of them."""
    from scipy.sparse import csr_matrix

    if pairs:
        one, other, nodes = holdings.merchant[::2], holdings.merchant[1::2], holdings.merchants
    else:
        one, other = holdings.merchant, holdings.identifier + holdings.merchants
        nodes = int(other.max()) + 1
    ends = one.astype(np.int32), other.astype(np.int32)
    return csr_matrix((np.ones(len(one), dtype=np.int8), ends), shape=(nodes, nodes))


def floor(graph: Any) -> int:
    """The bare routine."""
    from scipy.sparse.csgraph import connected_components

    return int(connected_components(graph, directed=False)[0])


def seconds(work: Callable[[], object]) -> float:
    """Processor time of one pass: the median of three."""
    taken = []
    for _ in range(PASSES):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return median(taken)


def peak_mib() -> float:
    """The most memory this process has held since :func:`forget_peak`, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def forget_peak() -> float:
    """Begin to measure the peak anew (Linux); what is held now, in MiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_mib()


def measure(name: str, edges: int, seed: int) -> str:
    """One line: floor, ours, ratio, memory, and what came out."""
    book = made_up(edges, seed) if name == "made-up book" else None
    holdings = book.holdings if book else links_only(edges, seed)
    held = forget_peak()
    rules = learned(holdings, DAY)
    rings = book_rings(holdings, DAY, rules)
    peak = peak_mib()
    learning = seconds(lambda: learned(holdings, DAY))
    ours = seconds(lambda: book_rings(holdings, DAY, rules))
    graph = bare_graph(holdings, pairs=book is None)
    bare = seconds(lambda: floor(graph))
    count = len(holdings) if book else len(holdings) // 2
    return (
        f"{name:14} {count:>11,} edges  floor {bare:5.2f} s  ours {ours:5.2f} s  ratio {ours / bare:4.2f}"
        f"  learning {learning:5.2f} s  peak {peak:,.0f} MiB, {held:,.0f} of it the book  {told(rings, book)}"
    )


def told(rings: BookRings, book: MadeUpBook | None) -> str:
    """What was found."""
    found = f"{len(rings):,} rings, largest {int(rings.sizes().max(initial=0)):,}"
    if book is None:
        return found
    result = score(book, rings)
    return f"{found}, recall {result.recall:.1%}, false {result.false_share:.2%}"


def recall() -> None:
    """Recall and false members of every plan, over all seeds together, and the worst seed of each."""
    print("                                         could   shipped          with what the book says")
    print(
        "plan                                     be      recall  false    recall (worst)  of could be  false (worst)"
    )
    for name, plan in PLANS.items():
        books = [made_up_book(seed, DAY, plan) for seed in SEEDS]
        shipped = together([score(book, book_rings(book.holdings, DAY)) for book in books])
        each = [score(book, book_rings(book.holdings, DAY, learned(book.holdings, DAY))) for book in books]
        whole, could = together(each), sum(map(findable, books))
        worst = min(one.recall for one in each), max(one.false_share for one in each)
        print(
            f"{name:39}  {could / whole.hidden:5.1%}   {shipped.recall:5.1%}   {shipped.false_share:.2%}"
            f"    {whole.recall:5.1%} ({worst[0]:5.1%})   {whole.found / could:5.1%}"
            f"        {whole.false_share:.2%} ({worst[1]:.2%})"
        )


def together(each: list[Score]) -> Score:
    """Several books as one."""
    fields = ("hidden", "found", "placed", "honest_placed")
    return Score(*(sum(getattr(one, field) for one in each) for field in fields))


def a_book_on_disk(url: str, book: MadeUpBook) -> None:
    """The identifiers of a made-up book in a SQLite file."""
    from microloan.book.loanbook import LoanBook

    holdings = book.holdings
    with LoanBook.open(url, clock=Noon(), actor="bench") as made:
        made.init(open_day=DAY, buckets=1)
    columns = (holdings.merchant, holdings.identifier, holdings.kind, holdings.first_day, holdings.last_day)
    rows = [
        {
            "tenant": "main", "bucket": 0, "merchant": holdings.merchant_id(merchant), "kind": holdings.kinds[kind],
            "digest": holdings.identifier_of(identifier) * 4, "last_four": "0000",
            "added_at": datetime.fromordinal(first).replace(tzinfo=UTC), "first_day": date.fromordinal(first),
            "last_day": date.fromordinal(last),
        }
        for merchant, identifier, kind, first, last in zip(*(column.tolist() for column in columns), strict=True)
    ]  # fmt: skip
    with open_engine(url).begin() as connection:
        connection.execute(insert(IDENTIFIERS), rows)


class Noon:
    """A clock that stands."""

    def now_utc(self) -> datetime:
        """Noon in Shanghai."""
        return datetime(2026, 6, 30, 4, tzinfo=UTC)


def milliseconds(work: Callable[[str], object], merchants: list[str]) -> tuple[float, float]:
    """Processor time of one look: median and 99th percentile over these merchants."""
    taken = []
    for merchant in merchants:
        began = time.process_time()
        work(merchant)
        taken.append((time.process_time() - began) * 1000)
    return median(taken), sorted(taken)[len(taken) * 99 // 100]


def one_merchant() -> None:
    """From one merchant outwards: merchants drawn from all, then members of hidden rings."""
    book = made_up_book(9, DAY, BookPlan(merchants=200_000))
    name = book.holdings.merchant_id
    drawn = {"any": range(0, 200_000, 500), "hidden": np.flatnonzero(book.truth >= 0)[::15].tolist()}
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/book.db"
        a_book_on_disk(url, book)
        bare = sqlite3.connect(f"{folder}/book.db")
        with open_engine(url).connect() as connection:
            unit = Unit(connection, tenant="main", now=Noon().now_utc(), ids=random_id, actor="bench")

            rules = learned(book.holdings, DAY)

            def look(merchant: str, hops: int) -> object:
                found = surroundings(unit, merchant, DAY, hops=hops)
                return ring_around(
                    around(merchant, found.holdings, DAY, hops=hops, hubs=found.hubs, rules=rules)
                )

            def join(merchant: str) -> object:
                return bare.execute(BARE_JOIN, (merchant,)).fetchall()

            for who, numbers in drawn.items():
                merchants = [name(number) for number in numbers]
                middle, slow = milliseconds(join, merchants)
                print(f"{who:7} floor   median {middle:6.2f} ms  p99 {slow:7.2f} ms")
                for hops in (1, 2, 3):
                    middle, slow = milliseconds(partial(look, hops=hops), merchants)
                    print(f"{who:7} {hops} hops  median {middle:6.2f} ms  p99 {slow:7.2f} ms")
        bare.close()


def main() -> None:
    """Measure each book in a process of its own."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--edges", type=int, default=10_000_000)
    given.add_argument("--seed", type=int, default=1)
    given.add_argument("--recall", action="store_true")
    given.add_argument("--one", action="store_true")
    options = given.parse_args()
    if options.recall:
        recall()
        return
    if options.one:
        one_merchant()
        return
    context = multiprocessing.get_context("spawn")
    for name in ("made-up book", "links only"):
        with context.Pool(1) as process:
            print(process.apply(measure, (name, options.edges, options.seed)), flush=True)


if __name__ == "__main__":
    main()
