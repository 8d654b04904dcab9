"""The schema: is it current, bring it up to date, or print the SQL that would. Alembic does the work when there is any.

A host's own Alembic must be told to leave our tables alone: pass :func:`include_name` to its ``context.configure``, or
its autogenerate would drop them. Source: STORAGE (embedding), RELIABILITY 13 to 15.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from ..errors import SchemaMismatch

VERSION_TABLE = "ml_alembic_version"
MIGRATIONS = Path(__file__).parent / "migrations"

#: Every schema there has been, oldest first; the last is the one this version works with.
REVISIONS = ("0001",)

_ALTERED = "run: microloan verify; find out who changed it; microloan init --sql prints how it was made"
_REMAINS = "tables of a book are there without their version: restore a backup, or begin in an empty database"

_UPGRADE_LOCK = text("SELECT pg_advisory_xact_lock(7309453671285514612)")
_REVISION = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """The schema found (``none`` where there is no book), the one needed, and what to do about a difference.

    ``differences`` names what is not as the migrations made it: "trigger ml_event_no_update is missing".
    """

    found: str
    needed: str
    remedy: str = ""
    differences: tuple[str, ...] = ()

    @property
    def current(self) -> bool:
        """Nothing is to be done."""
        return self.found == self.needed and not self.differences


def schema_status(connection: Connection) -> SchemaStatus:
    """Which schema the database has, part by part, and what to do when it is not the one this version works with."""
    status = _status(revision(connection))
    if not status.current:
        return status
    from .inspection import differences

    found = tuple(differences(connection))
    return replace(status, remedy=_ALTERED if found else "", differences=found)


def _status(found: str) -> SchemaStatus:
    needed = REVISIONS[-1]
    if found == needed:
        return SchemaStatus(found, needed)
    if found == "none" or found in REVISIONS:
        return SchemaStatus(found, needed, "run: microloan init")
    return SchemaStatus(found, needed, "upgrade the package: the database was made by a newer version")


def require_current(connection: Connection) -> None:
    """Raise SchemaMismatch, with what to do, unless schema and code agree; looks at the revision alone."""
    _refuse_unless(_status(_recorded(connection)))


def _refuse_unless(status: SchemaStatus) -> None:
    if not status.current:
        raise SchemaMismatch(found=status.found, needed=status.needed, remedy=status.remedy)


def revision(connection: Connection) -> str:
    """The revision the database is at; ``none`` where our tables are not."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return "none"
    return _recorded(connection)


def _recorded(connection: Connection) -> str:
    return str(connection.execute(_REVISION).scalar() or "none")


def upgrade(connection: Connection) -> SchemaStatus:
    """Bring the schema up to date inside the connection's transaction; a second one waits and finds nothing to do.

    Raises SchemaMismatch for a schema newer than the code, and for tables without a version: made in part by somebody else.
    """
    _begin(connection)
    status = _status(revision(connection))
    if status.current:
        return status
    if status.found == "none":
        _refuse_remains(connection, status)
    elif status.found not in REVISIONS:
        _refuse_unless(status)
    from alembic import command

    with _alembic_of_the_host():
        command.upgrade(_alembic({"connection": connection}), "head")
    return _status(revision(connection))


def _begin(connection: Connection) -> None:
    """Python's SQLite driver begins before rows are written, not before tables are made: a rollback would leave those."""
    if connection.dialect.name == "postgresql":
        connection.execute(_UPGRADE_LOCK)
    elif not getattr(connection.connection.driver_connection, "in_transaction", True):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _refuse_remains(connection: Connection, status: SchemaStatus) -> None:
    remains = sorted(name for name in inspect(connection).get_table_names() if name.startswith("ml_"))
    if set(remains) - {VERSION_TABLE}:
        raise SchemaMismatch(found=status.found, needed=status.needed, remedy=_REMAINS)


def offline_sql(dialect: str) -> str:
    """The SQL that makes the schema in an empty database: for those who let nobody but themselves change one."""
    from alembic import command

    output = io.StringIO()
    command.upgrade(_alembic({"dialect": dialect, "output": output}), "head", sql=True)
    return output.getvalue()


def include_name(name: str | None, kind: str, parent_names: object) -> bool:
    """For a host's Alembic: True for what is not ours. ``context.configure(include_name=microloan.alembic.include_name)``.

    Ours are the tables this version has, not whatever begins like them.

    >>> include_name("ml_loan", "table", {}), include_name("customer", "table", {}), include_name("ml_customer", "table", {})
    (False, True, True)
    """
    from .tables import metadata

    return not (kind == "table" and (name == VERSION_TABLE or name in metadata.tables))


@contextmanager
def _alembic_of_the_host() -> Iterator[None]:
    """Alembic knows one running migration in a process and forgets it with ours: a host's that called us goes on after."""
    from alembic import context, op

    running = [proxy for module in (context, op) if (proxy := vars(module).get("_proxy")) is not None]
    try:
        yield
    finally:
        for proxy in running:
            proxy._install_proxy()


def _alembic(attributes: dict[str, Any]) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes.update(attributes)
    return config


__all__ = [
    "REVISIONS", "VERSION_TABLE", "SchemaStatus", "include_name", "offline_sql", "require_current", "revision",
    "schema_status", "upgrade",
]  # fmt: skip
