"""Ids that begin with what was typed, for a shell that completes a line: one small read, and nothing else loaded.

Speaks to the driver itself, because a person waits for every keystroke and SQLAlchemy takes longer to load than this takes
to answer. Reads only, and makes no file, not even beside a SQLite book.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

#: What can be named on a line, and the table and column that hold it.
KINDS = {
    "decision": ("ml_decision", "id"),
    "event": ("ml_event", "id"),
    "facility": ("ml_facility", "id"),
    "loan": ("ml_loan", "id"),
    "merchant": ("ml_merchant", "id"),
    "offer": ("ml_offer", "id"),
    "policy": ("ml_policy", "name"),
    "product": ("ml_product", "name"),
    "receipt": ("ml_receipt", "id"),
    "request": ("ml_request", "id"),
    "review": ("ml_review", "decision"),
    "settlement": ("ml_settlement", "platform || ':' || id"),
    "shop": ("ml_shop", "shop_id"),
}
AT_MOST = 50
_SQLITE, _POSTGRES = "sqlite:///", "postgresql+psycopg://"
_READ_ONLY = "-c default_transaction_read_only=on -c statement_timeout=1000"


def beginning_with(typed: str, kinds: Sequence[str], url: str, tenant: str) -> list[str]:
    """At most 50 ids of *kinds* in the book of *url* and *tenant*, kind by kind, each in order.

    Raises whatever the driver raises: the caller is a shell, and stays silent.

    >>> beginning_with("", ["loan"], "sqlite:///nowhere.db", "main")
    []
    """
    found: dict[str, None] = {}
    with closing(_connected(url)) as connection:
        mark = "?" if isinstance(connection, sqlite3.Connection) else "%s"
        for kind in kinds:
            found |= dict.fromkeys(_read(connection, mark, kind, tenant, typed))
    return list(found)[:AT_MOST]


def _read(connection: Any, mark: str, kind: str, tenant: str, typed: str) -> Iterator[str]:
    table, column = KINDS[kind]
    pattern = "".join(f"!{letter}" if letter in "!%_" else letter for letter in typed) + "%"
    wanted = f"tenant = {mark} AND {column} LIKE {mark} ESCAPE '!'"
    statement = f"SELECT DISTINCT {column} FROM {table} WHERE {wanted} ORDER BY 1 LIMIT {AT_MOST}"  # noqa: S608 - ours
    return (row[0] for row in connection.execute(statement, (tenant, pattern)))


def _connected(url: str) -> Any:
    if url.startswith(_SQLITE):
        file = Path(url.removeprefix(_SQLITE).partition("?")[0])
        return sqlite3.connect(_as_it_lies(file), uri=True, timeout=0.2) if file.is_file() else _nothing()
    if not url.startswith(_POSTGRES):
        return _nothing()
    import psycopg

    place = f"postgresql://{url.removeprefix(_POSTGRES)}"
    return psycopg.connect(place, connect_timeout=2, options=_READ_ONLY)


def _as_it_lies(file: Path) -> str:
    """Read-only; where no write-ahead log is at hand not even that is made."""
    quiet = "" if file.with_name(f"{file.name}-wal").exists() else "&immutable=1"
    return f"{file.absolute().as_uri()}?mode=ro{quiet}"


class _Empty:
    """A book that is not there."""

    def execute(self, *_: object) -> tuple[()]:
        return ()

    def close(self) -> None:
        """Nothing to close."""


def _nothing() -> _Empty:
    return _Empty()
