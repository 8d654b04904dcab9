"""A backup of a SQLite book while it is in use: one consistent copy, checked before it gets its name.

A copy of the main file alone lacks what stands in the write-ahead log. Source: RELIABILITY 11.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing as closed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InvalidFile, StorageFailed
from ..store.sqlite_file import create_private_file, database_file


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup: the file, and its size in bytes."""

    file: str
    bytes: int


def backup(database: Any, target: Path) -> Backup:
    """Copy the SQLite database at an engine's URL to a new file, readable by its owner only.

    Writers go on meanwhile; the copy holds what was committed when it ended. Raises InvalidFile for a target that
    exists, StorageFailed for a copy that is not sound, and for PostgreSQL, which has tools of its own.
    """
    source = database_file(database)
    if source is None:
        reason = "backup copies a SQLite file; use pg_dump, or pg_basebackup with archived logs"
        raise StorageFailed(database=database.get_backend_name(), reason=reason)
    if target.exists():
        reason = "exists already; a backup overwrites nothing"
        raise InvalidFile(code="file_exists", file=str(target), reason=reason)
    unfinished = target.with_name(f"{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        create_private_file(unfinished)
        _copy(source, unfinished)
        os.link(unfinished, target)  # unlike a rename it refuses a target made meanwhile
    except (sqlite3.Error, OSError) as fault:
        raise StorageFailed(database=str(target), reason=str(fault)[:200]) from None
    finally:
        unfinished.unlink(missing_ok=True)
    return Backup(str(target), target.stat().st_size)


def _copy(source: Path, target: Path) -> None:
    with (
        closed(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as from_book,
        closed(sqlite3.connect(target)) as to_copy,
    ):
        from_book.backup(to_copy)
        # Written through a log of its own, the copy would be two files.
        to_copy.execute("PRAGMA journal_mode=DELETE")
        found = to_copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(f"the copy is not sound: {found}")
    number = os.open(target, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
