"""The books under test: on SQLite in memory, in a file, and on PostgreSQL; and the ways in which they are made to crash."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from sqlalchemy import Engine, event

from microloan.book.loanbook import LoanBook
from microloan.errors import MicroloanError
from microloan.store import base
from tests.store.counter import FakeClock

from .products import products

START = date(2023, 1, 1)
MOMENTS = ("before_cursor_execute", "after_cursor_execute", "commit")


class Crash(Exception):
    """The process stopped here, as far as the database can tell."""


@dataclass
class Ids:
    """Identifiers that say which operation and which attempt made them: the same on every database."""

    stem: str = ""
    number: int = 0

    def attempt(self, operation: int, attempt: int) -> None:
        """From now on identifiers belong to this attempt of this operation."""
        self.stem, self.number = f"{operation:06d}x{attempt}x", 0

    def __call__(self, kind: str, bucket: int) -> str:
        self.number += 1
        return f"{kind}-{bucket:02d}-{self.stem}{self.number:04d}"


@dataclass
class Fault:
    """Acts at the n-th moment (before a statement, after it, at a commit) of what runs while it is armed."""

    act: Callable[[Any], None] | None = None
    left: int = 0
    fired: bool = False

    def arm(self, act: Callable[[Any], None], moments: int) -> None:
        """Let *act* happen after so many moments."""
        self.act, self.left, self.fired = act, moments, False

    def disarm(self) -> bool:
        """Nothing more will happen; did it?"""
        self.act = None
        return self.fired

    def watch(self, engine: Engine) -> None:
        """Count the moments of an engine."""
        for moment in MOMENTS:
            event.listen(engine, moment, self._moment)

    def _moment(self, connection: Any, *_: Any) -> None:
        if self.act is None:
            return
        self.left -= 1
        if self.left < 0:
            act, self.act, self.fired = self.act, None, True
            act(connection)


def stop(_: Any) -> None:
    """An exception in the middle of a command."""
    raise Crash


def cut(connection: Any) -> None:
    """The connection to the database is gone."""
    connection.connection.driver_connection.close()


def kill(_: Any) -> None:
    """Nobody cleans up."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Desk:
    """A book on one database, ready for a world."""

    url: str
    buckets: int = 1
    kills: bool = False  # by SIGKILL, in a child; otherwise by an exception or a cut connection
    ids: Ids = field(default_factory=Ids)
    clock: FakeClock = field(default_factory=FakeClock)
    fault: Fault = field(default_factory=Fault)
    book: LoanBook = field(init=False)

    def __post_init__(self) -> None:
        self.book = self._open()

    def _open(self) -> LoanBook:
        book = LoanBook.open(self.url, clock=self.clock, actor="teller", ids=self.ids)
        self.fault.watch(engine_of(book))
        return book

    def fresh(self) -> Desk:
        """At the beginning of a world."""
        self.clock.set_day(START)
        return self

    def init(self) -> Desk:
        """Open a book with the simulated lender's products."""
        self.ids.attempt(0, 0)
        self.fresh()
        self.book.init("CNY", START, buckets=self.buckets)
        for product in products():
            self.book.products.propose(product)
            self.book.products.approve(product.name, 1)
        return self

    def crash(self, act: Callable[[], Any], moment: int) -> str:
        """Run *act* and let it crash after so many moments; how it crashed, or nothing when it was through before."""
        if self.kills:
            return "SIGKILL" if self._killed(act, moment) else ""
        cutting = self.url.startswith("postgresql") and moment % 2 == 1
        self.fault.arm(cut if cutting else stop, moment)
        # The book would run a command whose connection was lost again by itself: here that is for the world to do.
        with patch.object(base, "PATIENCE_SECONDS", 0), suppress(Crash, MicroloanError):
            act()
        return ("connection cut" if cutting else "exception") if self.fault.disarm() else ""

    def _killed(self, act: Callable[[], Any], moment: int) -> bool:
        self.book.close()  # a connection must not be shared with a child
        pid = os.fork()
        if not pid:
            self.fault.arm(kill, moment)
            with suppress(BaseException):
                act()
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def engine_of(book: LoanBook) -> Engine:
    """The engine a book owns."""
    assert book._own is not None
    return book._own.engine


@dataclass
class MemoryDesk(Desk):
    """A book in memory that starts every world from the same image, which costs far less than opening a book."""

    url: str = "sqlite://"

    def fresh(self) -> MemoryDesk:
        """Back to a book without merchants."""
        connection_of(template(self.buckets).book).backup(connection_of(self.book))
        super().fresh()
        return self


def connection_of(book: LoanBook) -> sqlite3.Connection:
    """The driver's connection to a book in memory."""
    with engine_of(book).connect() as connection:
        return cast(sqlite3.Connection, connection.connection.driver_connection)


@cache
def template(buckets: int) -> Desk:
    """An open book without merchants, in memory."""
    return Desk("sqlite://", buckets=buckets).init()


def file_desk(path: Path, *, buckets: int = 1, kills: bool = True) -> Desk:
    """A book in a file of its own, with a write-ahead log as ``init`` makes it."""
    with closing(sqlite3.connect(path)) as target:
        connection_of(template(buckets).book).backup(target)
    desk = Desk(f"sqlite:///{path}", buckets=buckets, kills=kills)
    desk.book.init("CNY", START)
    return desk.fresh()
