"""PostgreSQL: a server that is away for a while, as in a restart, stops no close and no command; one that forgets is told of.

Source: RELIABILITY 4 and 27.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date

import psycopg
import pytest
from sqlalchemy import make_url

from microloan.book.loanbook import LoanBook
from microloan.errors import Retryable, StorageFailed
from microloan.store import base
from tests.databases import SERVER
from tests.store.counter import Counter

pytestmark = pytest.mark.postgres


@contextmanager
def away(url: str, seconds: float) -> Iterator[None]:
    """Every connection ends and no new one is taken, until so many seconds have passed."""
    database = make_url(url).database
    server = make_url(SERVER).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as admin:

        def back() -> None:
            admin.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')

        admin.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
        timer = threading.Timer(seconds, back)
        timer.start()
        try:
            yield
        finally:
            timer.join()


def test_a_close_waits_for_a_server_that_comes_back(counter: Counter) -> None:
    loan = counter.loan(counter.line())
    counter.clock.set_day(date(2017, 5, 9))
    struck = []

    def progress(day: date, _done: int, _total: int) -> None:
        if not struck:
            struck.append(gone.enter_context(away(counter.url, 0.7)))

    with ExitStack() as gone:
        assert counter.book.close_day(progress=progress).open_day == date(2017, 5, 9)
    assert struck
    assert counter.book.loan(loan.id).interest == 8 * 144
    counter.must_be_sound()


def test_a_server_that_stays_away_is_waited_for_so_long_and_no_longer(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "PATIENCE_SECONDS", 0.3)
    with away(counter.url, 1.5), pytest.raises(Retryable, match="the server cannot be reached"):
        counter.book.loans()
    assert list(counter.book.loans()) == []


def test_a_server_that_was_never_reached_is_told_at_once(counter: Counter) -> None:
    told = pytest.raises(StorageFailed, match="look whether the server runs")
    with away(counter.url, 0.5), LoanBook.open(counter.url) as fresh, told:
        fresh.loans()


@pytest.mark.parametrize(("setting", "status"), [("off", "warning"), ("on", "ok"), ("local", "ok")])
def test_the_doctor_tells_of_commits_that_a_crash_can_lose(
    counter: Counter, setting: str, status: str
) -> None:
    there = make_url(counter.url).update_query_dict({"options": f"-csynchronous_commit={setting}"})
    with LoanBook.open(there, clock=counter.clock) as book:
        [found] = [check for check in book.doctor().checks if check.check == "synchronous_commit"]
    assert (found.status, found.found) == (status, setting)
    assert ("can lose what was committed" in found.remedy) is (status == "warning")
