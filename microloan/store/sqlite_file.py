"""The file of a SQLite book: made private, never made over another's, and what its settings can lose.

Source: RELIABILITY 4, 10, 12 and 46.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.engine import URL

from ..errors import StorageFailed

#: ``PRAGMA application_id`` of a SQLite file that ``init`` made: the letters "mlon".
APPLICATION_ID = 0x6D6C6F6E

#: What of a file's mode lets others read or write it.
OTHERS = 0o077

#: The first SQLite release in which two writers on a write-ahead log cannot corrupt it. https://sqlite.org/wal.html
SOUND_WAL = (3, 51, 3)

#: What to do where :func:`log_can_tear`.
TORN_LOG = (
    "several processes writing at once can corrupt the write-ahead log: upgrade SQLite to 3.51.3, or let one "
    "process write at a time"
)

_EMPTY = "the file is empty: restore a backup over it, or remove it and begin anew"
_FOREIGN = (
    "holds the data of another program: give the book a file of its own, or open it inside that program"
)

_FULL = 2
_SAFETY = text("SELECT s.synchronous, j.journal_mode FROM pragma_synchronous AS s, pragma_journal_mode AS j")


def database_file(url: str | URL) -> Path | None:
    """The file of a SQLite URL, or None for another database or one in memory."""
    target = make_url(url)
    if target.get_backend_name() != "sqlite" or not target.database or target.database == ":memory:":
        return None
    return None if target.database.startswith("file:") else Path(target.database)


def create_private_file(path: Path) -> None:
    """Make an empty file only its owner can read; SQLite gives the same mode to the files beside it. Raises OSError."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def create_book_file(path: Path) -> None:
    """Make a database file only its owner can read, unless there is one. Raises StorageFailed, also for an empty one.

    It gets its name once it is whole: an empty file is never one that is being made, but one that lost what it held.
    """
    if not path.exists():
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
        try:
            create_private_file(unfinished)
            _make_database(unfinished)
            with contextlib.suppress(FileExistsError):  # another process was first
                os.link(unfinished, path)
        except (sqlite3.Error, OSError) as fault:
            reason = getattr(fault, "strerror", None) or str(fault)[:200]
            raise StorageFailed(database=str(path), reason=reason) from None
        finally:
            unfinished.unlink(missing_ok=True)
    if path.stat().st_size == 0:
        raise StorageFailed(database=str(path), reason=_EMPTY)


def _make_database(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute(f"PRAGMA application_id={APPLICATION_ID}")


def prepare_file(engine: Engine) -> None:
    """Once in the life of a SQLite file: write-ahead log, our mark, and nobody but its owner may read it.

    At every connect it would meet a lock. A host's file keeps the host's mark and mode. Raises StorageFailed for the file
    of another program, which stays as it is.
    """
    with engine.connect() as connection:
        raw = cast(sqlite3.Connection, connection.connection.driver_connection)
        mark = raw.execute("PRAGMA application_id").fetchone()[0]
        tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        ours = {name for name in tables if name.startswith("ml_")}
        others = {name for name in tables - ours if not name.startswith("sqlite_")}
        if not ours and (others or mark not in (0, APPLICATION_ID)):
            raise StorageFailed(database=engine.url.database or "", reason=_FOREIGN)
        raw.execute("PRAGMA journal_mode=WAL")
        if others:
            return
        if mark != APPLICATION_ID:
            raw.execute(f"PRAGMA application_id={APPLICATION_ID}")
    if (path := database_file(engine.url)) is not None:
        _keep_private(path)


def _keep_private(path: Path) -> None:
    for each in beside(path):
        if each.exists() and each.stat().st_mode & OTHERS:
            with contextlib.suppress(PermissionError):  # only its owner may; the doctor tells
                each.chmod(0o600)


def beside(path: Path) -> tuple[Path, Path, Path]:
    """A SQLite file and the two that stand beside it while it is in use."""
    return path, Path(f"{path}-wal"), Path(f"{path}-shm")


def log_can_tear() -> bool:
    """Whether this SQLite has the bug by which several processes that write can corrupt the write-ahead log."""
    return sqlite3.sqlite_version_info < SOUND_WAL


def weaknesses(connection: Connection) -> Iterator[str]:
    """What a SQLite connection is set to that can lose or corrupt what was committed. Source: RELIABILITY 4 and 12."""
    if connection.dialect.name != "sqlite":
        return
    synchronous, log = connection.execute(_SAFETY).one()
    if synchronous < _FULL:
        yield f"PRAGMA synchronous={synchronous}: a power cut can lose what was committed; use synchronous=FULL"
    if log == "wal" and log_can_tear():
        yield f"SQLite {sqlite3.sqlite_version}: {TORN_LOG}"


@contextlib.contextmanager
def one_moment(connection: Connection) -> Iterator[None]:
    """Inside it a host's connection reads one moment of the file, though its driver has begun no transaction yet.

    One that was begun here ends here, so that the next command of the host finds the newest state; unless somebody wrote
    in it: then it is the host's.
    """
    raw = cast(sqlite3.Connection, connection.connection.driver_connection)
    if raw.in_transaction:
        yield
        return
    connection.exec_driver_sql("BEGIN")
    before = raw.total_changes
    try:
        yield
    finally:
        if raw.in_transaction and raw.total_changes == before:
            connection.exec_driver_sql("COMMIT")
