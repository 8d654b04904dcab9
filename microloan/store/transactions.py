"""One transaction per use case: on an engine of our own, or inside a host's.

On our own engine a command begins IMMEDIATE (SQLite), commits, and is run again as a whole when the database asks for it.
Inside a host's session nothing is committed, rolled back or tried again: a savepoint keeps a refused command from
leaving anything behind. Source: STORAGE (embedding), RELIABILITY 16, 25 to 27.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from ..errors import (
    BadInput,
    DatabaseWarning,
    IntegrityBroken,
    MicroloanError,
    NoDatabase,
    Retryable,
    SnapshotNeeded,
    StorageFailed,
)
from ..free_text import NO_TEXT
from . import base, sqlite_file
from .base import BUSY_SECONDS, writing

T = TypeVar("T")
Act = Callable[[Connection], T]

_LONGEST_PAUSE = 0.003
# Before a server that is starting again is asked once more.
_AWAY_PAUSE = 0.2

_SQLITE_BUSY = {5, 6}  # BUSY and LOCKED, of any extended kind
_SQLITE_NOT_WRITABLE = {8, 14}  # READONLY and CANTOPEN
_READ_ONLY = "reading too needs its file and folder writable, SQLite keeps a log beside it: allow that, or read a copy elsewhere"
_TRY_AGAIN = {"40001", "40P01", "55P03"}
_NO_TABLE = "42P01"
_UNREACHED = (
    "look whether the server runs, and whether --db or MICROLOAN_DB names it, its database and its user"
)
# Levels at which a transaction of PostgreSQL sees one moment, that of its first statement.
_ONE_MOMENT = ("REPEATABLE READ", "SERIALIZABLE")
# The server ends a session, or is not ready for one. https://www.postgresql.org/docs/current/errcodes-appendix.html
_ENDED = {"57P01", "57P02", "57P03"}
_COMMITTED = (
    "the connection was lost at the commit, so the command may have been done: look before you repeat it, "
    "or repeat it with the same idempotency key"
)

#: What drivers raise, by way of SQLAlchemy or not; over a damaged SQLite schema Python's fails while it words its complaint.
FAULTS = (DBAPIError, sqlite3.Error, UnicodeError)

# A write that changes nothing: takes SQLite's write lock before the first read of a host's deferred transaction,
# which could not be upgraded afterwards. https://sqlite.org/isolation.html
_TAKE_WRITE_LOCK = text("UPDATE ml_book SET tenant = tenant WHERE tenant IS NULL")


class Transactions(Protocol):
    """Where a use case's transaction comes from."""

    hosted: bool

    def write(self, act: Act[T]) -> T:
        """Run *act* in a writing transaction: all of it happens or nothing."""
        ...

    def read(self, act: Act[T]) -> T:
        """Run *act* in a transaction that takes no write lock."""
        ...

    def snapshot(self, act: Act[T]) -> T:
        """As :meth:`read`, where everything *act* reads is of one moment, though others write meanwhile."""
        ...

    def define(self, act: Act[T]) -> T:
        """Run *act* where it may change the schema."""
        ...

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection to stream from; what is raised while it is open passes unchanged."""
        ...

    def telling(self) -> AbstractContextManager[None]:
        """What the database says against our own statements, as one of our errors."""
        ...

    def give_way(self) -> None:
        """Between two transactions of a long run: let those in who wait."""
        ...


class OwnEngine:
    """Transactions of an engine the book owns."""

    hosted = False

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        self.file = sqlite_file.database_file(engine.url)
        self._reached = False

    def write(self, act: Act[T]) -> T:
        """Run *act*, commit; queue and run it again while the database says busy, or has lost the connection before that.

        A server that was reached before and is away now may be starting again, so it is waited for too. Raises Retryable
        after 30 seconds, StorageFailed where the connection was lost at the commit: whether it was done nobody knows then,
        and to run it again could do it twice.
        """
        return self._patiently(lambda: self._once(act, writes=True))

    def read(self, act: Act[T]) -> T:
        """Run *act* on one snapshot of the database."""
        return self._patiently(lambda: self._once(act, writes=False))

    def snapshot(self, act: Act[T]) -> T:
        """As :meth:`read`, which is one."""
        return self.read(act)

    def define(self, act: Act[T]) -> T:
        """Run *act*, which changes the schema, as one transaction."""
        return self.write(act)

    def prepare(self) -> None:
        """Make a SQLite file ready, and private. Raises StorageFailed for a file that is empty or something else."""
        if self.file is not None:
            sqlite_file.create_book_file(self.file)
        if self.dialect == "sqlite":
            self._patiently(self._prepare_once)

    def _prepare_once(self) -> None:
        with self.telling():
            sqlite_file.prepare_file(self.engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One snapshot to stream from; what the caller raises meanwhile is the caller's and passes unchanged."""
        refuse_missing_file(self.file)
        with self.telling():
            connection = self.engine.connect()
        try:
            with self.telling():
                marked = self._one_snapshot(connection)
                marked.begin()
            yield marked
        finally:
            with self.telling():
                connection.close()  # nothing was written: what is open is rolled back

    def telling(self) -> AbstractContextManager[None]:
        """What the database says against our own statements, as one of our errors."""
        return telling(self.engine.url.database or "")

    def give_way(self) -> None:
        """SQLite has no queue: who waits for its one lock asks again within these milliseconds."""
        if self.dialect == "sqlite":
            time.sleep(_LONGEST_PAUSE + BUSY_SECONDS)

    def _once(self, act: Act[T], writes: bool) -> T:
        refuse_missing_file(self.file)
        with self.telling(), self._connected() as connection:
            marked = writing(connection) if writes else self._one_snapshot(connection)
            acted = False
            try:
                with marked.begin():
                    result = act(marked)
                    acted = True
            except DBAPIError as fault:
                if acted and writes and connection_lost(fault):
                    raise StorageFailed(database=self.engine.url.database or "", reason=_COMMITTED) from None
                raise
            return result

    def _connected(self) -> Connection:
        try:
            connection = self.engine.connect()
        except OperationalError as fault:
            if self.dialect != "postgresql":
                raise
            if self._reached:
                time.sleep(_AWAY_PAUSE)
                raise Retryable(reason="the server cannot be reached") from None
            reason = f"{_first_line(fault.orig)}; {_UNREACHED}"
            raise StorageFailed(database=self.engine.url.database or "", reason=reason) from None
        self._reached = True
        return connection

    def _one_snapshot(self, connection: Connection) -> Connection:
        if self.dialect == "sqlite":
            return connection
        return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def _patiently(self, once: Callable[[], T]) -> T:
        deadline, turn = time.monotonic() + base.PATIENCE_SECONDS, 0
        while True:
            turn += 1
            try:
                return once()
            except Retryable:
                if time.monotonic() > deadline:
                    raise
            # A short and uneven pause: SQLite's own back-off grows to 100 ms and lets some writers wait for seconds.
            # Who has waited longer asks more often.
            time.sleep(random.uniform(0.0002, _LONGEST_PAUSE) / turn)  # noqa: S311 - a pause, not a secret


class HostSession:
    """Transactions of a host: its session decides about commit and rollback, a savepoint about one command."""

    hosted = True

    def __init__(self, session: Session) -> None:
        self.session = session
        self._looked_at = False

    def write(self, act: Act[T]) -> T:
        """Run *act* inside the host's transaction, under a savepoint. Raises Retryable for the host to try all again."""
        with self.telling():
            connection = self.session.connection()  # the host may begin here, and find the database busy
            if connection.dialect.name == "sqlite":
                connection.execute(_TAKE_WRITE_LOCK)
            self._look_at(connection)
            with connection.begin_nested():
                return act(connection)

    def read(self, act: Act[T]) -> T:
        """Run *act* inside the host's transaction."""
        with self.telling():
            connection = self.session.connection()
            self._look_at(connection)
            return act(connection)

    def snapshot(self, act: Act[T]) -> T:
        """Run *act* inside the host's transaction, where that shows one moment. Raises SnapshotNeeded where it does not.

        SQLite's driver begins no transaction before the host writes: one is begun here, and ended if nobody wrote in it.
        PostgreSQL cannot change the level of a transaction that has begun, and another connection would not see what the
        host has not committed: figures of several moments are refused, not shown.
        """
        with self.telling():
            connection = self.session.connection()
            self._look_at(connection)
            if connection.dialect.name == "sqlite":
                with sqlite_file.one_moment(connection):
                    return act(connection)
            level = connection.get_isolation_level()
            if level not in _ONE_MOMENT:
                raise SnapshotNeeded(level=level)
            return act(connection)

    def define(self, act: Act[T]) -> T:
        """Run *act*, which changes the schema, inside the host's transaction."""
        return self.read(act)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The host's connection."""
        with self.telling():
            connection = self.session.connection()
        yield connection

    def _look_at(self, connection: Connection) -> None:
        """Once: a host's SQLite may be set up so that what was committed can be lost. After the write lock is taken."""
        if self._looked_at:
            return
        self._looked_at = True
        for weakness in sqlite_file.weaknesses(connection):
            warnings.warn(weakness, DatabaseWarning, stacklevel=2)

    def telling(self) -> AbstractContextManager[None]:
        """What the database says against our own statements, as one of our errors."""
        return telling("the host's database")

    def give_way(self) -> None:
        """One transaction, the host's: nobody can be let in."""


@contextmanager
def telling(database: str) -> Iterator[None]:
    """Turn what a database raises into one of our errors."""
    try:
        yield
    except FAULTS as fault:
        raise understood(fault, database) from None


def refuse_missing_file(path: Path | None) -> None:
    """SQLite would make an empty file of a mistyped name."""
    if path is not None and not os.path.exists(path):
        raise NoDatabase(database=str(path), reason="no such file")


def understood(fault: Exception, database: str) -> MicroloanError:
    """A database error as one of ours; values of the statement are never in it."""
    if isinstance(fault, UnicodeEncodeError):
        return BadInput(field="text", value="…", reason=NO_TEXT)
    if isinstance(fault, UnicodeDecodeError):
        return StorageFailed(database=database, reason="its schema is damaged; restore a backup")
    cause = getattr(fault, "orig", fault)
    if getattr(cause, "sqlite_errorcode", 0) & 0xFF in _SQLITE_BUSY:
        return Retryable(reason="the database is busy")
    state = getattr(cause, "sqlstate", None)
    if connection_lost(fault):
        return Retryable(reason="the connection to the database was lost")
    if state in _TRY_AGAIN:
        return Retryable(reason="another command was in the way")
    if state == _NO_TABLE or "no such table" in str(cause):
        return NoDatabase(database=database, reason="no book in it")
    reason = _first_line(cause)
    if getattr(cause, "sqlite_errorcode", 0) & 0xFF in _SQLITE_NOT_WRITABLE:
        return StorageFailed(database=database, reason=f"{reason}; {_READ_ONLY}")
    if type(fault).__name__ == "IntegrityError":
        return IntegrityBroken(subject=database, reason=f"the database refused it: {reason}")
    return StorageFailed(database=database, reason=reason)


def connection_lost(fault: Exception) -> bool:
    """Whether the connection ended under the statement: class 08, a server that stops, or as the driver tells it."""
    state = str(getattr(getattr(fault, "orig", fault), "sqlstate", None) or "")
    return state.startswith("08") or state in _ENDED or bool(getattr(fault, "connection_invalidated", False))


def _first_line(cause: object) -> str:
    lines = str(cause).strip().splitlines()
    return lines[0][:200] if lines else type(cause).__name__
