"""What every table of the book is made of: its own metadata, integer columns, strict tables; and the engine.

Nothing lands in ``SQLModel.metadata``: a host's own tables and ours never meet. Amounts are integers of minor units,
business dates day ordinals, instants microseconds since 1970 in UTC: SQLite would turn NUMERIC into floating point.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import registry
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import SQLModel

from ..errors import IntegrityBroken, StorageFailed

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

#: A day after every day the book knows.
FAR = date.max

#: How long a command of our own queues for a busy database before it gives up.
PATIENCE_SECONDS = 30.0

#: How long SQLite itself waits for a lock before the command pauses and asks again.
BUSY_SECONDS = 0.005

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_WRITES = "microloan_writes"


class Base(SQLModel, registry=registry(metadata=MetaData(naming_convention=NAMING))):
    """Parent of every table class of the library. Table names begin with ``ml_``.

    Rows come and go through Core, so pydantic's schema of one is made when somebody asks for it: in a host's frozen time
    it cannot be made at all.
    """

    model_config = {"defer_build": True}


metadata: MetaData = Base.metadata


class BigInt(TypeDecorator[int]):
    """A 64-bit integer on both databases; STRICT SQLite knows no BIGINT."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[int]:
        kind = Integer() if dialect.name == "sqlite" else BigInteger()
        return dialect.type_descriptor(cast("TypeEngine[int]", kind))


class Day(TypeDecorator[date]):
    """A calendar day, stored as its ordinal (1 is 0001-01-01), so that nights can be counted in SQL."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> int | None:
        return None if value is None else value.toordinal()

    def process_result_value(self, value: int | None, dialect: Dialect) -> date | None:
        if value is None:
            return None
        try:
            return date.fromordinal(value)
        except (ValueError, OverflowError):
            reason = f"{value} stands where a day belongs; the database is damaged, restore a backup"
            raise IntegrityBroken(subject="a stored day", reason=reason) from None


class Instant(TypeDecorator[datetime]):
    """A point in time, stored as microseconds since 1970 in UTC; naive values are refused."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind = Integer() if dialect.name == "sqlite" else BigInteger()
        return dialect.type_descriptor(cast("TypeEngine[Any]", kind))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=value)


def microseconds(instant: datetime) -> int:
    """An aware instant as microseconds since 1970 in UTC.

    >>> microseconds(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    if instant.tzinfo is None:
        raise ValueError("an instant without a zone")
    return (instant - _EPOCH) // _MICROSECOND


def table_args(*parts: Any, rowid: bool = True) -> tuple[Any, ...]:
    """``__table_args__`` of one of our tables: constraints and indexes, STRICT on SQLite.

    ``rowid=False`` makes the primary key the table itself on SQLite (narrow tables that are read in key order).
    """
    return (*parts, {"sqlite_strict": True, "sqlite_with_rowid": rowid})


def keep_room(table: Table) -> None:
    """Leave room on PostgreSQL's pages for rows that change often.

    A row written anew beside its old self needs no new entry in any index whose columns it does not change.
    """
    room = DDL(f"ALTER TABLE {table.name} SET (fillfactor = 85)")  # type: ignore[no-untyped-call]
    event.listen(table, "after_create", room.execute_if(dialect="postgresql"))


def among(column: str, *values: str) -> CheckConstraint:
    """The check that a column holds one of our own words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def table_of(model: type[SQLModel]) -> Table:
    """The Core table of a table class, for prebuilt statements."""
    return cast(Table, model.__table__)  # type: ignore[attr-defined]


# --- the engine ------------------------------------------------------------------------------------------------------


def open_engine(url: str | URL) -> Engine:
    """The engine of a book that owns its database.

    On SQLite: every write begins IMMEDIATE, a read takes no write lock, commits are durable (synchronous=FULL), a missing
    file is not created (``init`` does that). On PostgreSQL a lock is waited for as long as on SQLite, not for ever. Raises
    StorageFailed for a URL that cannot be used.
    """
    target = _parsed(url)
    if target.get_backend_name() != "sqlite":
        engine = _silent(create_engine(target, hide_parameters=True, pool_pre_ping=False))
        event.listen(engine, "connect", _prepare_postgresql)
        return engine
    engine = _silent(create_engine(target, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS}))
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _silent(engine: Engine) -> Engine:
    """``hide_parameters`` keeps what is written out of the log; at level DEBUG the rows that are read would show there."""
    engine._should_log_debug = lambda: False  # type: ignore[method-assign]
    return engine


def writing(connection: Connection) -> Connection:
    """Mark a connection before its first statement: its transaction will write."""
    return connection.execution_options(**{_WRITES: True})


def _parsed(url: str | URL) -> URL:
    try:
        target = make_url(url)
    except ArgumentError:
        raise StorageFailed(database=str(url).split("@")[-1][:80], reason="not a database URL") from None
    if target.get_backend_name() not in ("sqlite", "postgresql"):
        raise StorageFailed(database=target.get_backend_name(), reason="use sqlite or postgresql+psycopg")
    return target


def _prepare_sqlite(raw: sqlite3.Connection, _record: object) -> None:
    raw.isolation_level = None  # we say BEGIN ourselves; it also mends SAVEPOINT and DDL in transactions
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        raw.execute(f"PRAGMA {pragma}")


def _prepare_postgresql(raw: Any, _record: object) -> None:
    raw.autocommit = True  # outside a transaction the setting outlives it
    with raw.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {round(PATIENCE_SECONDS * 1000)}")
    raw.autocommit = False


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN DEFERRED")
