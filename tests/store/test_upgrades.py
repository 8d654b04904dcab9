"""Books of every released version are upgraded and go on; a migration happens wholly, once, or not at all.

Source: RELIABILITY 13 to 15.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, inspect, make_url, text

from microloan import __version__
from microloan.book.loanbook import LoanBook
from microloan.errors import MicroloanError, SchemaMismatch
from microloan.store import schema
from tests.killing import child, ended

from .counter import START, Counter
from .released.keep import DAYS, HERE, figures

RELEASED = sorted(folder.name for folder in HERE.iterdir() if (folder / "figures.json").exists())


def restored(version: str, url: str) -> None:
    """Put a kept book where *url* points."""
    folder, path = HERE / version, url.removeprefix("sqlite:///")
    if path != url:
        Path(path).write_bytes(gzip.decompress((folder / "sqlite.db.gz").read_bytes()))
        Path(path).chmod(0o600)
        return
    import psycopg

    dump = gzip.decompress((folder / "postgresql.sql.gz").read_bytes())
    name = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(name) as connection:
        connection.execute(dump)


def test_this_version_is_kept() -> None:
    assert __version__ in RELEASED, "run: python -m tests.store.released.keep"


@pytest.mark.parametrize("version", RELEASED)
def test_a_book_of_a_released_version_is_upgraded_and_goes_on(version: str, empty_url: str) -> None:
    restored(version, empty_url)
    counter = Counter(empty_url, ids=later_ids())
    counter.clock.set_day(START + timedelta(days=DAYS))
    if not counter.book.schema_status().current:
        with pytest.raises(SchemaMismatch, match="microloan init"):
            counter.book.loans()
    assert counter.book.init().created is False
    kept = json.loads((HERE / version / "figures.json").read_text("utf-8"))
    assert figures(counter.book) == kept["sqlite" if empty_url.startswith("sqlite") else "postgresql"]
    counter.must_be_sound()
    counter.close_until(START + timedelta(days=DAYS + 1))
    loan = next(loan for loan in counter.book.loans() if loan.status == "active")
    counter.book.repay(loan.id, "10")
    counter.loan(counter.line(merchant="m-new"), "100.00")
    counter.close_until(START + timedelta(days=DAYS + 40))
    counter.must_be_sound()


def later_ids() -> Callable[[str, int], str]:
    """Identifiers that no kept book has."""
    numbers = iter(range(90_000_000, 99_999_999))
    return lambda kind, bucket: f"{kind}-{bucket:02d}-{next(numbers)}"


# --- the next schema, before there is one ----------------------------------------------------------------------------

NEXT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None


def upgrade():
    op.create_table("ml_next", sa.Column("id", sa.Text(), primary_key=True))
    op.add_column("ml_book", sa.Column("remark", sa.Text(), nullable=True))
    op.execute("UPDATE ml_book SET remark = 'upgraded'")
    op.create_index("ix_ml_next_id", "ml_next", ["id"])
    op.execute("INSERT INTO ml_next SELECT tenant FROM ml_book")
"""


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Calling it makes this code the one that needs revision 0002."""

    def become() -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "versions" / "v0002_next.py").write_text(NEXT)
        monkeypatch.setattr(schema, "MIGRATIONS", folder)
        monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "0002"))

    return become


def remarks(url: str) -> tuple[list[str], list[str]]:
    """The remark on each book and the rows of the new table; nothing where the schema is the old one, wholly."""
    engine = create_engine(url)
    with engine.connect() as connection:
        columns = [column["name"] for column in inspect(connection).get_columns("ml_book")]
        tables = inspect(connection).get_table_names()
        assert ("remark" in columns) == ("ml_next" in tables) == (schema.revision(connection) == "0002")
        found: Any = [], []
        if "remark" in columns:
            of_books = connection.execute(text("SELECT remark FROM ml_book")).scalars().all()
            found = list(of_books), list(connection.execute(text("SELECT id FROM ml_next")).scalars())
    engine.dispose()
    return found  # type: ignore[no-any-return]


def lent(counter: Counter) -> str:
    """A book with a loan in it; the loan."""
    loan = counter.loan(counter.line())
    counter.close_until(START + timedelta(days=3))
    counter.book.close()
    return loan.id


def test_an_older_schema_is_refused_with_advice_and_upgraded_by_init(
    counter: Counter, next_version: Callable[[], None]
) -> None:
    loan = lent(counter)
    next_version()
    with LoanBook.open(counter.url, clock=counter.clock) as book:
        refused: tuple[Callable[[], object], ...] = (
            book.loans, book.close_day, book.verify, lambda: book.repay(loan, "1")
        )  # fmt: skip
        for act in refused:
            with pytest.raises(SchemaMismatch) as error:
                act()
            assert error.value.details == {"found": "0001", "needed": "0002", "remedy": "run: microloan init"}
        assert remarks(counter.url) == ([], [])
        assert book.init().created is False
        assert remarks(counter.url) == (["upgraded"], ["main"])
        assert book.payoff(loan).principal == 300_000
        assert book.verify().clean


def test_a_newer_schema_is_refused_and_left_alone(
    counter: Counter, next_version: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    loan = lent(counter)
    next_version()
    LoanBook.open(counter.url, clock=counter.clock).init()
    monkeypatch.setattr(schema, "REVISIONS", ("0001",))  # the older program again
    with LoanBook.open(counter.url, clock=counter.clock) as book:
        for act in (book.loans, book.init, lambda: book.repay(loan, "1")):
            with pytest.raises(SchemaMismatch, match="upgrade the package"):
                act()
    assert remarks(counter.url) == (["upgraded"], ["main"])


def test_a_migration_killed_at_any_statement_happens_wholly_or_not_at_all(
    counter: Counter, next_version: Callable[[], None]
) -> None:
    loan = lent(counter)
    next_version()
    for statement in range(1, 200):
        pid = child(lambda at=statement: migrate_and_die(counter, at))  # type: ignore[misc]
        status = ended(pid)
        assert status in (0, -signal.SIGKILL)
        assert remarks(counter.url) in (([], []), (["upgraded"], ["main"]))
        if status == 0:
            break
    assert statement > 8
    with LoanBook.open(counter.url, clock=counter.clock) as book:
        book.init()
        assert remarks(counter.url) == (["upgraded"], ["main"])
        book.repay(loan, "1")
        assert book.verify().clean


def migrate_and_die(counter: Counter, at: int) -> None:
    """Upgrade, and die at the *at*-th statement."""
    book, count = LoanBook.open(counter.url, clock=counter.clock), 0

    def strike(*_: object) -> None:
        nonlocal count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

    assert book._own is not None
    event.listen(book._own.engine, "before_cursor_execute", strike)
    book.init()


def test_two_processes_that_upgrade_at_once_upgrade_once(
    counter: Counter, next_version: Callable[[], None]
) -> None:
    lent(counter)
    next_version()
    pids = [child(lambda: start(counter)) for _ in range(3)]
    assert [ended(pid) for pid in pids] == [0, 0, 0]
    assert remarks(counter.url) == (["upgraded"], ["main"])


def start(counter: Counter) -> None:
    with LoanBook.open(counter.url, clock=counter.clock) as book:
        try:
            book.init()
        except MicroloanError:
            os._exit(3)
