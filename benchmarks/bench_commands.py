"""Draw and repay beside their floors: the statements they send, alone, through SQLAlchemy Core and through the driver.

    python benchmarks/bench_commands.py [--postgres URL] [--operations N]

Ours is ``LoanBook.draw`` (paid out at once) and ``LoanBook.repay``, each with a key, as a program calls them: from the
arguments to the commit. The floors replay what ours sent, statement by statement with the same values, on a copy of the same
book: once as the prebuilt Core statements, once as text on the bare driver. Rows are fetched, transactions committed, the
durability is ours: SQLite synchronous=FULL, PostgreSQL as its server is set. The three take turns, operation by operation.
Figures are processor time, on PostgreSQL with that of the server's process of this connection; p50 and p99 are of the clock.
Then eight processes at once on one file, or one, two and four clients of one server.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from books import SetClock, noon
from sides import server_process, side_of, spent
from sqlalchemy import event, make_url

from microloan.book import offers
from microloan.book.loanbook import LoanBook
from microloan.errors import MicroloanError
from microloan.rates import Rate
from microloan.store.base import open_engine, writing
from microloan.store.writes import Writes, _in_row

DAY = date(2020, 6, 30)
LIMIT = 500_000_00

Sent = list[tuple[Any, Any]]  # statements of one transaction with their values, in order


# --- books -----------------------------------------------------------------------------------------------------------


def opened(url: str) -> LoanBook:
    return LoanBook.open(url, clock=SetClock(noon(DAY + timedelta(days=10))), actor="teller")


def founded(side: Any, merchants: int) -> tuple[str, list[tuple[str, str]]]:
    """A book of merchants with a line and a loan ten days old each: its URL, and the ids of lines and loans."""
    url, clock = side.empty(), SetClock(noon(DAY))
    with LoanBook.open(url, clock=clock, actor="teller") as book:
        book.init("CNY", DAY)
        pairs = [signed(book, f"m-{number:06d}") for number in range(merchants)]
        clock.now = noon(DAY + timedelta(days=10))
        book.close_day()
    return url, pairs


def signed(book: LoanBook, merchant: str) -> tuple[str, str]:
    """A merchant draws on a new line: ids of line and loan."""
    offer = book._desk.write(
        lambda unit: offers.make_offer(
            unit,
            merchant_id=merchant,
            decision_id="dec-bench",
            limit_minor=LIMIT,
            rate=Rate.parse("0.048%/day"),
            product="marketplace",
        )
    )
    line = book.sign(offer.id, signer="Li", contract_sha256=book.contract(offer.id).sha256)
    return line.id, book.draw(line.id, "10000", days=90, confirm=True).id


# --- what ours does, and what it sends -------------------------------------------------------------------------------

Command = Callable[[LoanBook, str, str, str], object]

COMMANDS: dict[str, Command] = {
    "draw": lambda book, line, _, key: book.draw(line, "1000", days=30, confirm=True, idempotency_key=key),
    "repay": lambda book, _, loan, key: book.repay(loan, "100", idempotency_key=key),
}


@dataclass
class Tape:
    """What one command sent: as Core statements, and as the driver got it."""

    core: Sent = field(default_factory=list)
    bare: list[tuple[str, Any, bool]] = field(default_factory=list)


@contextmanager
def recorded(book: LoanBook, tape: Tape) -> Iterator[None]:
    """Write down every statement the book sends meanwhile."""
    assert book._own is not None
    engine = book._own.engine

    def core(_connection: Any, statement: Any, many: Any, one: Any, _options: Any) -> None:
        tape.core.append((statement, list(many) or dict(one)))

    def run(writes: Writes, connection: Any, rows: Any) -> int:
        if rows:
            names = writes.statement.compile(dialect=engine.dialect).params
            tape.core.append(
                (writes.statement, [{name: row[_in_row(name)] for name in names} for row in rows])
            )
        return straight(writes, connection, rows)

    def bare(_c: Any, _cursor: Any, statement: str, values: Any, _x: Any, many: bool) -> None:
        if not statement.startswith("BEGIN"):
            tape.bare.append((statement, values, many))

    straight = Writes.run
    event.listen(engine, "before_execute", core)
    event.listen(engine, "before_cursor_execute", bare)
    Writes.run = run  # type: ignore[method-assign]
    try:
        yield
    finally:
        Writes.run = straight  # type: ignore[method-assign]
        event.remove(engine, "before_execute", core)
        event.remove(engine, "before_cursor_execute", bare)


def taped(url: str, pairs: list[tuple[str, str]], command: Command) -> list[Tape]:
    """What the command sends for each pair, on a copy nobody else uses."""
    tapes = []
    with opened(url) as book:
        for number, (line, loan) in enumerate(pairs):
            tapes.append(tape := Tape())
            with recorded(book, tape):
                command(book, line, loan, f"key-{number}")
    return tapes


# --- the three sides -------------------------------------------------------------------------------------------------


class Ours:
    def __init__(self, url: str, command: Command, pairs: list[tuple[str, str]]) -> None:
        self.book, self.command, self.pairs = opened(url), command, pairs
        self.book.settings()
        assert self.book._own is not None
        self.engine = self.book._own.engine

    def run(self, number: int) -> None:
        self.command(self.book, *self.pairs[number], f"key-{number}")


class Core:
    """The same statements, prebuilt, with the values they had."""

    def __init__(self, url: str, tapes: list[Tape]) -> None:
        self.engine, self.tapes = open_engine(url), tapes

    def run(self, number: int) -> None:
        with self.engine.connect() as connection:
            marked = writing(connection)
            with marked.begin():
                for statement, values in self.tapes[number].core:
                    result = marked.execute(statement, values)
                    if result.returns_rows:
                        result.all()


class Bare:
    """The same texts on the driver's own connection."""

    def __init__(self, url: str, tapes: list[Tape]) -> None:
        self.tapes = tapes
        if url.startswith("sqlite"):
            self.raw: Any = sqlite3.connect(url[10:], isolation_level=None)
            for pragma in ("synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
                self.raw.execute(f"PRAGMA {pragma}")
        else:
            plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
            self.raw = psycopg.connect(plain, autocommit=True)

    def run(self, number: int) -> None:
        cursor = self.raw.cursor()
        cursor.execute("BEGIN IMMEDIATE" if isinstance(self.raw, sqlite3.Connection) else "BEGIN")
        for statement, values, many in self.tapes[number].bare:
            (cursor.executemany if many else cursor.execute)(statement, values)
            if cursor.description is not None:
                cursor.fetchall()
        cursor.execute("COMMIT")


def process_behind(side: Any) -> int | None:
    """The id of the server's process behind a side; None on SQLite."""
    if isinstance(side, Bare):
        return None if isinstance(side.raw, sqlite3.Connection) else int(side.raw.info.backend_pid)
    return server_process(side.engine)


def measured(side: Any, name: str, operations: int) -> None:
    """One command: ours, Core and the bare driver in turns."""
    url, pairs = founded(side, operations)
    urls = [side.copy(url) for _ in range(4)]
    tapes = taped(urls[0], pairs, COMMANDS[name])
    runners: dict[str, Any] = {
        "core": Core(urls[1], tapes),
        "bare": Bare(urls[2], tapes),
        "ours": Ours(urls[3], COMMANDS[name], pairs),
    }
    servers = {who: process_behind(runner) for who, runner in runners.items()}
    cpu: dict[str, list[float]] = {who: [] for who in runners}
    clock: dict[str, list[float]] = {who: [] for who in runners}
    for number in range(operations):
        for who, runner in runners.items():
            began, start = spent(servers[who]), time.perf_counter()
            runner.run(number)
            clock[who].append(time.perf_counter() - start)
            cpu[who].append(spent(servers[who]) - began)
    half = operations // 5  # the first fifth warms up
    middle = {who: median(taken[half:]) for who, taken in cpu.items()}
    for who, label in (("bare", "bare driver"), ("core", "SQLAlchemy Core"), ("ours", name)):
        p50, p99 = centiles(clock[who][half:])
        ratio = "" if who != "ours" else (
            f"  {middle['ours'] / middle['core']:.2f} x Core, {middle['ours'] / middle['bare']:.2f} x bare"
        )  # fmt: skip
        print(
            f"{label:<18}{middle[who] * 1e3:>7.2f} ms CPU   p50 {p50 * 1e3:>6.2f} ms   p99 {p99 * 1e3:>6.2f} ms{ratio}",
            flush=True,
        )
    for one in (url, *urls):
        side.drop(one)


def centiles(taken: list[float]) -> tuple[float, float]:
    """Median and 99th of a hundred."""
    ordered = sorted(taken)
    return median(ordered), ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]


# --- many at once ----------------------------------------------------------------------------------------------------


def crowd(url: str, pairs: list[tuple[str, str]], clients: int, each: int) -> tuple[float, list[float], int]:
    """So many processes, each drawing and repaying in turn on lines of its own: seconds in all, of each call, errors."""
    gate_in, gate_out = os.pipe()
    readers = []
    for client in range(clients):
        read, write = os.pipe()
        if not os.fork():
            os.close(gate_out)
            with os.fdopen(write, "w") as answers:
                answers.write(_client(url, pairs[client::clients], each, gate_in, client))
            os._exit(0)
        os.close(write)
        readers.append(read)
    time.sleep(1.5)  # until all have connected
    began = time.perf_counter()
    os.close(gate_out)
    lines = [line for read in readers for line in os.fdopen(read).read().split()]
    took = time.perf_counter() - began
    os.close(gate_in)
    for _ in range(clients):
        os.wait()
    return took, [float(line) for line in lines if line != "error"], lines.count("error")


def _client(url: str, pairs: list[tuple[str, str]], each: int, gate: int, client: int) -> str:
    book = opened(url)
    book.settings()
    os.read(gate, 1)  # opens for all at once
    answers = []
    for number in range(each):
        command = COMMANDS["repay" if number % 2 else "draw"]
        start = time.perf_counter()
        try:
            command(book, *pairs[number // 2 % len(pairs)], f"crowd-{client}-{number}")
            answers.append(f"{time.perf_counter() - start:.6f}")
        except MicroloanError as error:
            print(error, file=sys.stderr)
            answers.append("error")
    return " ".join(answers)


def together(side: Any, clients: list[int], each: int) -> None:
    """Figures of several processes on one book."""
    base, pairs = founded(side, max(clients) * 20)
    for count in clients:
        url = side.copy(base)
        took, calls, errors = crowd(url, pairs, count, each)
        p50, p99 = centiles(calls)
        print(
            f"{count} processes{len(calls) / took:>9.0f} commands/s   p50 {p50 * 1e3:>6.2f} ms   p99 {p99 * 1e3:>7.2f} ms"
            f"   {p99 / p50:>5.1f} x p50   worst {max(calls) * 1e3:>7.1f} ms   {errors} errors",
            flush=True,
        )
        with opened(url) as book:
            report = book.verify()
            assert report.clean, report.findings[:5]
        side.drop(url)
    side.drop(base)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--postgres", default="", help="measure on this server instead of SQLite")
    parser.add_argument("--operations", type=int, default=300, help="of each command")
    parser.add_argument("--each", type=int, default=200, help="commands of each process, many at once")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        side = side_of(given.postgres, Path(folder))
        print(side.name)
        for name in COMMANDS:
            measured(side, name, given.operations)
        together(side, [1, 2, 4] if given.postgres else [1, 8], given.each)


if __name__ == "__main__":
    main()
