"""Keep a book as this version makes it, so that every later version is tested on upgrading it.

    python -m tests.store.released.keep          # once, when a version is released; needs pg_dump

writes ``tests/store/released/<version>/``: ``sqlite.db.gz``, ``postgresql.sql.gz`` and ``figures.json``, what the book said
then. MICROLOAN_TEST_POSTGRES names the server. A version that was released is never written again.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import subprocess
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from microloan import __version__
from microloan.book.loanbook import LoanBook
from microloan.plain import to_json_values
from tests.databases import new_postgres
from tests.store.counter import START, Counter

HERE = Path(__file__).parent
DAYS = 40
SALES = "order_id,shop_id,paid_at,amount,status\n" + "".join(
    f"o-{n},s-1,{START - timedelta(days=200 - n // 2)},{80 + n % 40}.50,completed\n" for n in range(400)
)


def live(counter: Counter, folder: Path) -> None:
    """Forty days of a small lender: something of everything a book can hold."""
    book = counter.book
    book.lender.set({"net_assets": [{"from": "2017-01-01", "amount": "500000000"}], "four_eyes": "off"})
    sales = folder / "sales.csv"
    sales.write_text(SALES)
    book.merchants.add("m-1", "Chen", shops=["jd:s-1"], idempotency_key="add-m-1")
    book.merchants.identify("m-1", "phone", "13900001111")
    book.sales.load(sales, platform="jd")
    book.underwrite("s-1")
    line = counter.line("900000.00", merchant="m-2")
    anytime, overdue = counter.loan(line, "300000.00"), counter.loan(line, "50000.00", days=10)
    monthly = counter.loan(line, "120000.00", months=6, method="equal_instalment")
    book.draw(line.id, "1000", days=30)
    counter.close_until(START + timedelta(days=9))
    book.repay(anytime.id, "100000", idempotency_key="bank-1")
    mistake = book.repay(monthly.id, "500").allocations[0].event_id
    counter.close_until(START + timedelta(days=25))
    book.reverse(mistake, "entered twice")
    book.waive(overdue.id, "penalty", "1")
    gone = counter.loan(counter.line(merchant="m-3"), "700.00")
    book.write_off(gone.id)
    counter.close_until(START + timedelta(days=DAYS))
    book.events.ack([notice.id for notice in book.events.tail(limit=5)])


def figures(book: LoanBook) -> dict[str, Any]:
    """What the book says: a later version must say the same."""
    return {
        "open_day": str(book.settings().open_day),
        "loans": {
            loan.id: to_json_values(book.payoff(loan.id)) for loan in book.loans() if loan.status != "pending"
        },
        "balances": to_json_values(book.trial_balance().accounts),
        "waiting_events": len(book.events.tail(limit=10_000)),
    }


def keep(folder: Path) -> None:
    """Write the three files."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "book.db"
        said = lived(f"sqlite:///{path}", Path(made), buckets=1)
        with sqlite3.connect(path) as raw:
            raw.execute("PRAGMA journal_mode=DELETE")
            raw.execute("VACUUM")
        (folder / "sqlite.db.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        with new_postgres() as url:
            of_postgres = lived(url, Path(made), buckets=2)
            (folder / "postgresql.sql.gz").write_bytes(gzip.compress(dumped(url), mtime=0))
    kept = {"sqlite": said, "postgresql": of_postgres}
    (folder / "figures.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


def lived(url: str, folder: Path, buckets: int) -> dict[str, Any]:
    """Make a book, let it live, and ask it."""
    counter = Counter(url).init(buckets=buckets)
    live(counter, folder)
    counter.must_be_sound()
    said = figures(counter.book)
    counter.book.close()
    return said


def dumped(url: str) -> bytes:
    """A database as SQL that any client can run: without what only psql understands."""
    name = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    command = ["pg_dump", "--no-owner", "--no-privileges", "--inserts", "--dbname", name]
    lines = subprocess.run(command, check=True, capture_output=True).stdout.splitlines()
    return b"\n".join(line for line in lines if not line.startswith((b"\\", b"--")) and line) + b"\n"


if __name__ == "__main__":
    keep(HERE / __version__)
    for file in sorted((HERE / __version__).iterdir()):
        print(f"{file.stat().st_size:8}  {file.relative_to(HERE)}")
