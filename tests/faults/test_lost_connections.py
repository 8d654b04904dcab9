"""PostgreSQL: a lock nobody gives back, and a connection that ends under the command. Source: RELIABILITY 27."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, create_engine, event, make_url, text
from sqlalchemy.orm import Session

from microloan.book.loanbook import LoanBook
from microloan.errors import Retryable, StorageFailed
from microloan.store import base
from tests.store.counter import Counter

pytestmark = pytest.mark.postgres


def end_all_others(url: str) -> None:
    """What an administrator, or a restart of the server, does to every connection."""
    name = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(name, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@contextmanager
def holding(counter: Counter, line: str) -> Iterator[None]:
    """A host that froze a line and does not commit."""
    engine = create_engine(counter.url)
    with Session(engine) as session:
        LoanBook(session, clock=counter.clock).freeze(line)
        yield
        session.rollback()
    engine.dispose()


def acts(counter: Counter, line: str) -> dict[str, Callable[[], object]]:
    return {
        "a command": lambda: counter.book.draw(line, "100"),
        "the close": lambda: counter.book.close_day(),
    }


@pytest.mark.parametrize("act", ["a command", "the close"])
def test_a_lock_that_is_not_given_back_is_waited_for_so_long_and_no_longer(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    line = counter.line().id
    counter.clock.set_day(counter.book.settings().open_day.replace(day=2))
    counter.book.close()  # connections made from here on wait as long as this
    monkeypatch.setattr(base, "PATIENCE_SECONDS", 0.5)
    with holding(counter, line):
        begun = time.monotonic()
        with pytest.raises(Retryable, match="another command was in the way"):
            acts(counter, line)[act]()
        assert 0.4 < time.monotonic() - begun < 5
    acts(counter, line)[act]()
    counter.must_be_sound()


def test_a_host_s_connection_waits_as_the_host_says(counter: Counter) -> None:
    engine = create_engine(counter.url)
    with Session(engine) as session:
        LoanBook(session).settings()
        assert session.execute(text("SHOW lock_timeout")).scalar() == "0"
    engine.dispose()


def test_connections_that_ended_meanwhile_are_made_anew(counter: Counter) -> None:
    line = counter.line().id
    end_all_others(counter.url)
    assert counter.book.facility(line).status == "active"
    end_all_others(counter.url)
    counter.book.draw(line, "100", confirm=True)
    assert len(counter.book.loans()) == 1
    counter.must_be_sound()


def during(counter: Counter, happening: str, strike: Callable[..., None]) -> None:
    """Let it strike once, at the first such event of the book's engine."""
    assert counter.book._own is not None
    event.listen(counter.book._own.engine, happening, strike, once=True)


def test_a_connection_lost_within_a_command_is_no_harm(counter: Counter) -> None:
    line = counter.line().id

    def strike(connection: Connection, cursor: Any, statement: str, *_: object) -> None:
        if "INSERT INTO ml_event" in statement and not struck:
            struck.append(statement)
            end_all_others(counter.url)

    struck: list[str] = []
    assert counter.book._own is not None
    event.listen(counter.book._own.engine, "before_cursor_execute", strike)
    loan = counter.book.draw(line, "100", confirm=True, idempotency_key="k-1")
    assert struck
    assert not loan.replayed
    assert [each.id for each in counter.book.loans()] == [loan.id]
    counter.must_be_sound()


def test_a_connection_lost_at_the_commit_is_told_and_not_run_again(counter: Counter) -> None:
    """Nobody knows whether the server had it: done again without a key, it might be done twice."""
    line = counter.line().id
    during(counter, "commit", lambda _: end_all_others(counter.url))
    with pytest.raises(StorageFailed, match="may have been done: look before you repeat it"):
        counter.book.draw(line, "100", idempotency_key="k-1")
    counter.book.draw(line, "100", idempotency_key="k-1")
    assert len(counter.book.loans()) == 1
    counter.must_be_sound()


def test_a_reading_lost_at_its_end_is_read_again(counter: Counter) -> None:
    line = counter.line().id
    during(counter, "commit", lambda _: end_all_others(counter.url))
    assert counter.book.facility(line).id == line


def test_a_host_is_told_to_try_again(counter: Counter) -> None:
    line = counter.line().id
    engine = create_engine(counter.url)
    with Session(engine) as session:
        book = LoanBook(session, clock=counter.clock)
        book.facility(line)
        end_all_others(counter.url)
        with pytest.raises(Retryable, match="connection to the database was lost"):
            book.draw(line, "100")
        session.rollback()
        book.draw(line, "100")
        session.commit()
    engine.dispose()
    assert len(counter.book.loans()) == 1
    counter.must_be_sound()
