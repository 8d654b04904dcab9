"""A book inside a host's transaction: one commit for both, one rollback for both. Source: RELIABILITY 25 to 27."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from microloan.book.loanbook import LoanBook
from microloan.errors import DrawRefused, NoDatabase, Retryable

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
