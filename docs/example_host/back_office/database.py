"""The back office's engine. On SQLite it says BEGIN itself, so that savepoints and schema changes roll back too."""

import sqlite3
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

#: Execution options of a transaction that will write: ``Session(engine.execution_options(**WRITES))``.
WRITES = {"begin": "BEGIN IMMEDIATE"}


def open_engine(url: str) -> Engine:
    """The one engine of the process, for PostgreSQL (``postgresql+psycopg://…``) or SQLite."""
    engine = create_engine(url, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
