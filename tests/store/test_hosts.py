"""A book inside a host's transaction: one commit for both, one rollback for both. Source: RELIABILITY 25 to 27."""

from __future__ import annotations

import asyncio
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing as closed
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from microloan.book.loanbook import LoanBook
from microloan.errors import DatabaseWarning, DrawRefused, NoDatabase, Retryable, SnapshotNeeded
from microloan.store.sqlite_file import SOUND_WAL

from .counter import Counter


@pytest.fixture
def host(counter: Counter) -> Iterator[Engine]:
    """A host's own engine, with its library's defaults, on the database of the book."""
    engine = create_engine(
        counter.url, **({"connect_args": {"timeout": 0.1}} if "sqlite" in counter.url else {})
    )
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE host_note (note TEXT)"))
    yield engine
    engine.dispose()


def rows(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() or 0)


def inside(counter: Counter, session: Session) -> LoanBook:
    return LoanBook(session, clock=counter.clock, actor="host")


def test_one_commit_keeps_the_host_s_rows_and_ours(counter: Counter, host: Engine) -> None:
    line = counter.line()
    with Session(host) as session:
        session.execute(text("INSERT INTO host_note VALUES ('before')"))
        inside(counter, session).draw(line.id, "1000", confirm=True, idempotency_key="k-1")
        session.commit()
    assert rows(host, "host_note") == 1
    assert len(counter.book.loans()) == 1
    counter.must_be_sound()


@pytest.mark.parametrize("host_writes_first", [True, False])
def test_a_host_s_rollback_leaves_nothing(counter: Counter, host: Engine, host_writes_first: bool) -> None:
    line = counter.line()
    before = {
        table: rows(host, table)
        for table in ("ml_event", "ml_outbox", "ml_command", "ml_journal", "ml_accrual")
    }
    with Session(host) as session:
        if host_writes_first:
            session.execute(text("INSERT INTO host_note VALUES ('before')"))
        loan = inside(counter, session).draw(line.id, "1000", confirm=True, idempotency_key="k-1")
        inside(counter, session).repay(loan.id, "500")
        assert inside(counter, session).loan(loan.id).principal == 500
        session.rollback()
    assert before == {table: rows(host, table) for table in before}
    assert rows(host, "host_note") == 0
    assert not counter.book.draw(line.id, "1000", idempotency_key="k-1").replayed
    counter.must_be_sound()


def test_a_refused_command_leaves_the_host_s_transaction_usable(counter: Counter, host: Engine) -> None:
    line = counter.line("1000.00")
    with Session(host) as session:
        session.execute(text("INSERT INTO host_note VALUES ('before')"))
        book = inside(counter, session)
        with pytest.raises(DrawRefused):
            book.draw(line.id, "2000", idempotency_key="k-1")
        book.draw(line.id, "500", idempotency_key="k-1")
        session.commit()
    assert rows(host, "host_note") == 1
    assert counter.book.facility(line.id).pending == 500
    counter.must_be_sound()


@pytest.mark.parametrize("hosted", [False, True])
def test_a_host_s_own_database_error_passes_through_our_context_unchanged(
    counter: Counter, host: Engine, hosted: bool
) -> None:
    counter.loan(counter.line())
    with host.begin() as connection:
        connection.execute(text("CREATE TABLE host_sum (line BIGINT PRIMARY KEY)"))
    with Session(host) as session, Session(host) as others:
        book = inside(counter, session) if hosted else counter.book

        def keep_twice() -> None:
            with book.journal() as lines:
                for _ in lines:
                    others.execute(text("INSERT INTO host_sum VALUES (1)"))

        def misread() -> None:
            with book.journal() as lines:
                next(lines)
                b"\xff".decode()

        with pytest.raises(IntegrityError, match="host_sum"):
            keep_twice()
        others.rollback()
        with pytest.raises(UnicodeDecodeError):
            misread()
        with book.journal() as lines:  # and the book goes on
            assert len(list(lines)) == len(counter.journal())


@pytest.mark.parametrize("hosted", [False, True])
def test_what_our_own_statements_meet_while_streaming_is_one_of_our_errors(
    counter: Counter, host: Engine, hosted: bool
) -> None:
    counter.book.settings()
    with host.begin() as connection:
        connection.execute(text("DROP TABLE ml_journal"))
    with Session(host) as session:
        book = inside(counter, session) if hosted else counter.book
        with book.journal() as lines, pytest.raises(NoDatabase):
            list(lines)


def test_a_savepoint_of_the_host_takes_our_work_with_it(counter: Counter, host: Engine) -> None:
    line = counter.line()
    with Session(host) as session:
        session.execute(text("INSERT INTO host_note VALUES ('kept')"))
        inner = session.begin_nested()
        inside(counter, session).draw(line.id, "1000")
        inner.rollback()
        session.commit()
    assert (rows(host, "host_note"), len(counter.book.loans())) == (1, 0)
    counter.must_be_sound()


def test_a_whole_day_is_closed_inside_one_host_transaction(counter: Counter, host: Engine) -> None:
    from datetime import date

    counter.loan(counter.line())
    counter.clock.set_day(date(2017, 5, 3))
    with Session(host) as session:
        assert len(inside(counter, session).close_day().closed) == 2
        session.rollback()
    assert counter.book.settings().open_day == date(2017, 5, 1)
    with Session(host) as session:
        inside(counter, session).close_day()
        session.commit()
    assert counter.book.settings().open_day == date(2017, 5, 3)
    counter.must_be_sound()


def test_a_host_that_read_before_others_wrote_is_told_to_try_again(counter: Counter, host: Engine) -> None:
    if host.dialect.name != "sqlite":
        return  # there the row lock makes it wait instead
    line = counter.line()
    options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}
    with host.connect().execution_options(**options) as raw:
        raw.exec_driver_sql("BEGIN")
        raw.exec_driver_sql("SELECT count(*) FROM ml_loan").all()
        counter.book.draw(line.id, "1000")
        with Session(raw) as session, pytest.raises(Retryable):
            inside(counter, session).draw(line.id, "1000")
        raw.exec_driver_sql("ROLLBACK")
    counter.must_be_sound()


def test_a_host_that_cannot_begin_is_told_to_try_again(counter: Counter, host: Engine) -> None:
    if host.dialect.name != "sqlite":
        return  # nothing is locked there at the beginning
    line = counter.line()
    event.listen(host, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
    event.listen(host, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    host.pool.dispose()
    with host.begin(), Session(host) as session, pytest.raises(Retryable):
        inside(counter, session).draw(line.id, "1000")
    counter.must_be_sound()


def test_a_repeatable_read_host_never_posts_on_a_closed_day(counter: Counter, host: Engine) -> None:
    if host.dialect.name != "postgresql":
        return
    from datetime import date

    line = counter.line()
    with (
        host.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
        Session(connection) as session,
    ):
        session.execute(text("SELECT count(*) FROM ml_loan")).all()
        counter.close_until(date(2017, 5, 3))
        with pytest.raises(Retryable):
            inside(counter, session).draw(line.id, "1000")
        session.rollback()
    counter.must_be_sound()


# --- asynchronous hosts ----------------------------------------------------------------------------------------------

DRIVERS = [
    pytest.param("sqlite", "sqlite+aiosqlite"),
    pytest.param("postgres", "postgresql+asyncpg", marks=pytest.mark.postgres),
    pytest.param("postgres", "postgresql+psycopg", marks=pytest.mark.postgres),
]


@pytest.fixture
def opened(request: pytest.FixtureRequest, database: str) -> Iterator[Counter]:
    """An open book on the database the driver is for."""
    made = Counter(request.getfixturevalue(f"{database}_url"))
    made.init(buckets=1 if database == "sqlite" else 3)
    yield made
    made.book.close()


def asynchronous(counter: Counter, driver: str) -> AsyncEngine:
    url = make_url(counter.url).set(drivername=driver)
    wait = {"timeout": 0.1} if "sqlite" in driver else {}
    return create_async_engine(url, connect_args=wait)


@pytest.mark.parametrize(("database", "driver"), DRIVERS)
def test_an_asynchronous_host_draws_repays_and_rolls_back(opened: Counter, driver: str) -> None:
    line = opened.line("1000.00")

    async def serve() -> str:
        engine = asynchronous(opened, driver)
        async with AsyncSession(engine) as session:
            await session.run_sync(lambda s: inside(opened, s).draw(line.id, "100"))
            await session.rollback()
        async with AsyncSession(engine) as session:
            loan = await session.run_sync(lambda s: inside(opened, s).draw(line.id, "600", confirm=True))
            with pytest.raises(DrawRefused):
                await session.run_sync(lambda s: inside(opened, s).draw(line.id, "600"))
            await session.run_sync(lambda s: inside(opened, s).repay(loan.id, "200"))
            await session.commit()
        await engine.dispose()
        return loan.id

    loan_id = asyncio.run(serve())
    assert opened.book.loan(loan_id).principal == 400
    assert len(opened.book.loans()) == 1
    opened.must_be_sound()


@pytest.mark.parametrize(("database", "driver"), DRIVERS)
def test_asynchronous_requests_at_once_keep_the_limit_or_come_again(opened: Counter, driver: str) -> None:
    line = opened.line("1000.00")

    async def draw(engine: AsyncEngine, number: int) -> str:
        while True:
            async with AsyncSession(engine) as session:
                try:
                    await session.run_sync(
                        lambda s: inside(opened, s).draw(line.id, "300", idempotency_key=f"k-{number}")
                    )
                    await session.commit()
                    return "drawn"
                except Retryable:
                    await session.rollback()
                except DrawRefused as refused:
                    return refused.code

    async def serve() -> list[str]:
        engine = asynchronous(opened, driver)
        answers = await asyncio.gather(*(draw(engine, number) for number in range(5)))
        await engine.dispose()
        return answers

    assert sorted(asyncio.run(serve())) == ["drawn"] * 3 + ["limit_exceeded"] * 2
    assert opened.book.facility(line.id).pending == 900
    opened.must_be_sound()


@pytest.mark.parametrize(("database", "driver"), DRIVERS)
def test_an_asynchronous_driver_s_busy_database_is_retryable(opened: Counter, driver: str) -> None:
    line = opened.line("1000.00")
    other = create_engine(opened.url)

    async def serve() -> None:
        engine = asynchronous(opened, driver)
        async with AsyncSession(engine) as session:
            if driver.startswith("postgresql"):
                await session.execute(text("SET LOCAL lock_timeout = 100"))
            with pytest.raises(Retryable):
                await session.run_sync(lambda s: inside(opened, s).draw(line.id, "300"))
            await session.rollback()
        await engine.dispose()

    with other.begin() as connection:
        connection.execute(text("UPDATE ml_facility SET status = status"))
        asyncio.run(serve())
    other.dispose()
    assert opened.book.loans() == ()
    opened.must_be_sound()


# --- a host's SQLite that can lose what was committed ------------------------------------------------------------------


def warned(session: Session, by: str) -> list[str]:
    """What a book on this session warns of, in several uses that begin with a reading or a writing."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        book = LoanBook(session)
        for _ in range(3):
            if by == "reading":
                book.settings()
            book.acting("another").lender.set({"four_eyes": "off"})
    return [str(each.message) for each in caught if each.category is DatabaseWarning]


@pytest.mark.parametrize("by", ["reading", "writing"])
@pytest.mark.parametrize(("synchronous", "expected"), [("FULL", 0), ("EXTRA", 0), ("NORMAL", 1), ("OFF", 1)])
def test_a_host_s_setting_that_a_power_cut_can_undo_is_warned_of_once(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, by: str, synchronous: str, expected: int
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", SOUND_WAL)
    Counter(sqlite_url).init().book.close()
    engine = create_engine(sqlite_url)
    event.listen(engine, "connect", lambda raw, _: raw.execute(f"PRAGMA synchronous={synchronous}"))
    with Session(engine) as session:
        assert ["synchronous=FULL" in message for message in warned(session, by)] == [True] * expected
    engine.dispose()


@pytest.mark.parametrize(("log", "version", "expected"), [
    ("WAL", (3, 51, 2), 1), ("WAL", SOUND_WAL, 0), ("DELETE", (3, 51, 2), 0),
])  # fmt: skip
def test_a_log_that_several_writers_can_corrupt_is_warned_of(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, log: str, version: tuple[int, int, int], expected: int
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    Counter(sqlite_url).init().book.close()
    with closed(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as raw:
        raw.execute(f"PRAGMA journal_mode={log}")
    engine = create_engine(sqlite_url)
    with Session(engine) as session:
        assert ["upgrade SQLite" in message for message in warned(session, "reading")] == [True] * expected
    engine.dispose()


def test_a_book_with_an_engine_of_its_own_warns_of_nothing(counter: Counter) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        counter.book.settings()
        counter.line()


def test_looking_at_a_host_s_settings_begins_no_reading_before_the_write_lock(sqlite_url: str) -> None:
    """A deferred transaction that has read could not write once another has."""
    counter = Counter(sqlite_url).init()
    line = counter.line()
    engine = create_engine(sqlite_url)
    with Session(engine) as session, engine.connect() as other:
        begun = session.connection()
        begun.exec_driver_sql("BEGIN DEFERRED")
        other.exec_driver_sql("UPDATE ml_facility SET status = status")
        other.commit()
        inside(counter, session).draw(line.id, "100")
        session.commit()
    engine.dispose()
    counter.must_be_sound()


# --- figures of one moment -------------------------------------------------------------------------------------------


def at_one_moment(session: Session) -> None:
    """What the documentation tells a host on PostgreSQL to begin with."""
    if session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def test_a_book_is_verified_as_it_was_at_one_moment_though_others_write_meanwhile(
    counter: Counter, host: Engine
) -> None:
    loans = [counter.loan(counter.line(merchant=f"m-{n}"), "1000").id for n in range(3)]
    written: list[int] = []

    def another_writes(done: int, _total: int) -> None:
        for loan in loans:
            counter.book.repay(loan, "1")
        written.append(done)

    with Session(host) as session:
        at_one_moment(session)
        book = inside(counter, session)
        assert book.verify(progress=another_writes).findings == ()
    assert written, "nobody wrote meanwhile"
    counter.must_be_sound()


def test_what_a_host_has_not_committed_is_verified_with_the_rest(counter: Counter, host: Engine) -> None:
    line = counter.line()
    with Session(host) as session:
        at_one_moment(session)
        book = inside(counter, session)
        book.draw(line.id, "1000", confirm=True)
        report = book.verify()
        assert (report.loans, report.findings) == (1, ())
        assert book.report("aging").loans == 1  # type: ignore[attr-defined]
        session.rollback()
    assert counter.book.loans() == ()


def test_after_a_report_a_host_s_next_command_finds_the_newest_state(counter: Counter, host: Engine) -> None:
    loan = counter.loan(counter.line(), "1000").id
    with Session(host) as session:
        at_one_moment(session)
        book = inside(counter, session)
        book.report("aging")
        if host.dialect.name == "postgresql":
            session.commit()
        counter.book.repay(loan, "100")
        assert book.repay(loan, "100").principal == 100
        session.commit()
    counter.must_be_sound()


def test_what_is_written_while_a_report_is_made_stays_the_host_s_to_decide(
    counter: Counter, host: Engine
) -> None:
    loan = counter.loan(counter.line(), "1000").id
    with Session(host) as session:
        at_one_moment(session)
        book = inside(counter, session)
        book.verify(
            progress=lambda _done, _total: session.execute(text("INSERT INTO host_note VALUES ('mine')"))
        )  # type: ignore[arg-type,return-value]
        session.rollback()
    assert rows(host, "host_note") == 0
    assert counter.book.loan(loan).principal == 1000


def test_figures_of_several_moments_are_refused(counter: Counter, host: Engine) -> None:
    if host.dialect.name == "sqlite":
        return  # there is no such transaction
    with Session(host) as session:
        book = inside(counter, session)
        asked: list[Any] = [book.verify, lambda: book.report("aging"), book.portfolio_pack]
        for ask in asked:
            with pytest.raises(SnapshotNeeded, match=r"READ COMMITTED.*'REPEATABLE READ'") as refused:
                ask()
            assert refused.value.code == "snapshot_needed"
        session.commit()  # the refusal has spoilt nothing
        session.connection(execution_options={"isolation_level": "SERIALIZABLE"})
        assert book.verify().clean


def test_what_is_no_session_is_named_at_once(counter: Counter) -> None:
    """A connection looks like one until the first command."""
    engine = create_engine(counter.url)
    with (
        engine.connect() as connection,
        pytest.raises(TypeError, match=r"not Connection: give Session\(bind=connection\)"),
    ):
        LoanBook(connection)  # type: ignore[arg-type]
    with engine.connect() as connection:
        assert (
            LoanBook(Session(bind=connection), clock=counter.clock, actor="host").settings().currency == "CNY"
        )
    engine.dispose()
