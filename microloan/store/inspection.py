"""What a database has of what the migrations make: tables, columns, keys and checks, indexes, triggers. Read by the doctor.

Indexes, checks and triggers can be dropped without a word in the version: without its triggers history can be rewritten.
Source: RELIABILITY 47.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlalchemy import Connection, text

from .guards import FUNCTIONS, triggers
from .tables import metadata

_OF_SQLITE = text("SELECT type, name, sql FROM sqlite_schema WHERE substr(tbl_name, 1, 3) = 'ml_'")
_COLUMNS_OF_SQLITE = text(
    "SELECT t.name || '.' || c.name FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c "
    "WHERE t.type = 'table' AND substr(t.name, 1, 3) = 'ml_'"
)
_OF_POSTGRESQL = text(
    """
    SELECT CASE relkind WHEN 'i' THEN 'index' ELSE 'table' END, relname FROM pg_class
      WHERE relkind IN ('r', 'p', 'i') AND left(relname, 2) <> 'pg' AND pg_table_is_visible(oid)
    UNION ALL
    SELECT 'constraint', conname FROM pg_constraint
      WHERE conrelid <> 0 AND convalidated AND pg_table_is_visible(conrelid)
    UNION ALL
    SELECT 'column', relname || '.' || attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
      WHERE relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped AND pg_table_is_visible(attrelid)
    """
)
_TRIGGERS_OF_POSTGRESQL = text(
    "SELECT tgname, tgenabled IN ('O', 'A') AS works FROM pg_trigger WHERE NOT tgisinternal AND pg_table_is_visible(tgrelid)"
)
_FUNCTIONS_OF_POSTGRESQL = text("SELECT proname, prosrc FROM pg_proc WHERE pg_function_is_visible(oid)")

#: A kind of part, as a lender may know it, and its name.
Part = tuple[str, str]


def differences(connection: Connection) -> Iterator[str]:
    """What is not as the migrations made it, in words: ``index ix_ml_loan_held is missing``."""
    of_sqlite = connection.dialect.name == "sqlite"
    found = set(_parts_of_sqlite(connection)) if of_sqlite else set(_parts_of_postgresql(connection))
    for kind, name in sorted(set(_expected()) - found):
        yield f"{kind} {name} is missing"
    yield from _triggers_of_sqlite(connection) if of_sqlite else _triggers_of_postgresql(connection)


def _expected() -> Iterator[Part]:
    for table in metadata.sorted_tables:
        yield "table", table.name
        yield from (("column", f"{table.name}.{column.name}") for column in table.columns)
        yield from (("constraint", str(each.name)) for each in table.constraints)
        yield from (("index", str(each.name)) for each in table.indexes)


def _parts_of_sqlite(connection: Connection) -> Iterator[Part]:
    for kind, name, sql in connection.execute(_OF_SQLITE):
        yield kind, name
        yield from (("constraint", each) for each in re.findall(r"CONSTRAINT (\w+) ", sql or ""))
    yield from (("column", name) for (name,) in connection.execute(_COLUMNS_OF_SQLITE))


def _parts_of_postgresql(connection: Connection) -> Iterator[Part]:
    yield from ((kind, name) for kind, name in connection.execute(_OF_POSTGRESQL))


def _triggers_of_sqlite(connection: Connection) -> Iterator[str]:
    found = {name: sql for kind, name, sql in connection.execute(_OF_SQLITE) if kind == "trigger"}
    for name, statement in triggers("sqlite"):
        if name not in found:
            yield f"trigger {name} is missing"
        elif found[name] != statement:
            yield f"trigger {name} is not as it was made"


def _triggers_of_postgresql(connection: Connection) -> Iterator[str]:
    found = {row.tgname: row.works for row in connection.execute(_TRIGGERS_OF_POSTGRESQL)}
    for name, _ in triggers("postgresql"):
        if name not in found:
            yield f"trigger {name} is missing"
        elif not found[name]:
            yield f"trigger {name} is switched off"
    bodies = {row.proname: row.prosrc for row in connection.execute(_FUNCTIONS_OF_POSTGRESQL)}
    for name, body in FUNCTIONS.items():
        if bodies.get(name) != body:
            yield f"function {name} is not as it was made"
