"""A book is never made over another's file, nor over nothing; and nobody but its owner reads it.

Source: RELIABILITY 10, 15, 26, 46.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing as closed
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.orm import Session

from microloan.book.loanbook import LoanBook
from microloan.errors import StorageFailed
from microloan.store.sqlite_file import APPLICATION_ID
from microloan.store.unit import random_id
from tests.killing import child, ended
from tests.store.counter import Counter


def made(path: Path, *statements: str) -> Path:
    with closed(sqlite3.connect(path)) as raw:
        for statement in statements:
            raw.execute(statement)
        raw.commit()
    return path


def refused(path: Path, match: str) -> None:
    """``init`` refuses the file and changes not a byte of it, nor puts another beside it."""
    before, mode = path.read_bytes(), path.stat().st_mode
    with LoanBook.open(f"sqlite:///{path}") as book, pytest.raises(StorageFailed, match=match):
        book.init()
    assert (path.read_bytes(), path.stat().st_mode) == (before, mode)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_book_cut_to_nothing_is_not_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    path.touch()
    refused(path, "empty: restore a backup over it, or remove it")


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE customer (id INTEGER PRIMARY KEY AUTOINCREMENT)"],
        ["PRAGMA application_id=252006674", "CREATE TABLE customer (id INTEGER PRIMARY KEY)"],
        ["PRAGMA application_id=252006674"],
    ],
)
def test_another_program_s_file_is_refused_and_left_alone(tmp_path: Path, statements: list[str]) -> None:
    refused(made(tmp_path / "other.db", *statements), "another program")


def test_a_host_s_file_with_a_book_in_it_is_upgraded_and_stays_the_host_s(tmp_path: Path) -> None:
    path = made(
        tmp_path / "host.db", "PRAGMA application_id=77", "CREATE TABLE customer (id INTEGER PRIMARY KEY)"
    )
    path.chmod(0o640)
    engine = create_engine(f"sqlite:///{path}")
    with Session(engine) as session:
        LoanBook(session).init()
        session.commit()
    engine.dispose()
    with LoanBook.open(f"sqlite:///{path}") as book:
        assert book.init().created is False
    with closed(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA application_id").fetchone() == (77,)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_book_others_may_read_is_made_private_by_init(empty_sqlite_url: str) -> None:
    Counter(empty_sqlite_url).init().book.close()
    path = Path(empty_sqlite_url.removeprefix("sqlite:///"))
    path.chmod(0o644)
    again = Counter(empty_sqlite_url, ids=random_id)
    assert not again.book.doctor().healthy
    again.init()
    assert again.book.doctor().healthy
    with closed(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


def test_processes_that_make_one_book_at_once_make_one(empty_sqlite_url: str) -> None:
    """Whoever comes second finds the file whole."""
    pids = [child(lambda: Counter(empty_sqlite_url, ids=random_id).init()) for _ in range(6)]
    assert [ended(pid) for pid in pids] == [0] * 6
    Counter(empty_sqlite_url).must_be_sound()


def test_who_dies_while_the_file_is_made_leaves_none_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "book.db"

    def make_and_die() -> None:
        monkeypatch.setattr(os, "link", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        Counter(f"sqlite:///{path}").init()

    assert ended(child(make_and_die)) == -signal.SIGKILL
    assert not path.exists()
    Counter(f"sqlite:///{path}").init().must_be_sound()


# --- a host that changes its mind --------------------------------------------------------------------------------------


def test_a_host_s_rollback_takes_the_tables_along(empty_sqlite_url: str) -> None:
    """Python's driver begins no transaction before tables are made: we do."""
    engine = create_engine(empty_sqlite_url)
    with Session(engine) as session:
        LoanBook(session).init()
        session.rollback()
    assert inspect(engine).get_table_names() == []
    with Session(engine) as session:
        LoanBook(session).init()
        session.commit()
        LoanBook(session).merchants.list()
    engine.dispose()
    Counter(empty_sqlite_url).must_be_sound()


def test_a_host_s_own_tables_made_before_ours_are_kept_by_its_commit(empty_sqlite_url: str) -> None:
    engine = create_engine(empty_sqlite_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE customer (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql("INSERT INTO customer VALUES (1)")
        LoanBook(Session(connection)).init()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM customer").scalar() == 1
    engine.dispose()
    Counter(empty_sqlite_url).must_be_sound()


def test_a_host_that_dies_while_it_makes_the_tables_leaves_none(empty_sqlite_url: str) -> None:
    def make_and_die() -> None:
        with Session(create_engine(empty_sqlite_url)) as session:
            LoanBook(session).init()
            os.kill(os.getpid(), signal.SIGKILL)

    assert ended(child(make_and_die)) != 0
    engine = create_engine(empty_sqlite_url)
    assert inspect(engine).get_table_names() == []
    with Session(engine) as session:
        LoanBook(session).init()
        session.commit()
    engine.dispose()
