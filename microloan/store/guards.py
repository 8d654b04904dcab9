"""The triggers of the tables: what was written stays as it was written, and a setting is as it was set.

Events, journal and seals only grow. Of what answers a key, a file or a signature (commands, receipts, offers …) a row stays and
so does what it says; only its state goes on.

Migrations make them, ``doctor`` looks whether they are there. Source: RELIABILITY 47 and 49.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import DDL, Connection, MetaData, Table, UniqueConstraint, event

from .base import metadata

#: The statements that guard a table, by the name of the database (``sqlite`` or ``postgresql``).
Statements = Callable[[str], tuple[str, ...]]

_BROKEN = "ERRCODE = 'integrity_constraint_violation'"
_APPEND_ONLY = f"BEGIN RAISE EXCEPTION USING {_BROKEN}, MESSAGE = TG_TABLE_NAME || ' is append-only'; END"

# The setting that was put on file last; a book nobody ever switched is off.
_FOUR_EYES_ON_FILE = (
    "COALESCE((SELECT value FROM ml_setting WHERE tenant = NEW.tenant AND name = 'four_eyes' "
    'ORDER BY effective_on DESC, seq DESC LIMIT 1), \'{"four_eyes":"off"}\')'
)
_NOT_AS_SET = f"'{{\"four_eyes\":\"' || NEW.four_eyes || '\"}}' <> {_FOUR_EYES_ON_FILE}"
_NOT_SET = "four_eyes changes only with a setting on file"

#: What the triggers of PostgreSQL run, by name; those of SQLite hold their own statements.
FUNCTIONS = {
    "ml_append_only": _APPEND_ONLY,
    "ml_four_eyes_as_set": (
        f"BEGIN IF {_NOT_AS_SET} THEN RAISE EXCEPTION USING {_BROKEN}, MESSAGE = '{_NOT_SET}'; END IF; "
        "RETURN NEW; END"
    ),
}

_GUARDED: dict[str, Statements] = {}


def guard(table: Table, statements: Statements) -> None:
    """Make these triggers with the table, on either database."""
    _GUARDED[table.name] = statements
    event.listen(table, "after_create", _make_guards)


def append_only(*tables: Table) -> None:
    """Nobody may change, replace or take away a row of these tables, on any database."""
    for table in tables:
        guard(table, _append_only(table))


def stays(table: Table, *changing: str, final: str = "", claimed: Sequence[str] = ()) -> None:
    """No row of a table goes, and none changes but in the columns *changing*; see :func:`staying`."""
    guard(table, lambda dialect: staying(dialect, table, changing, final=final, claimed=claimed))


def functions(dialect: str) -> tuple[str, ...]:
    """The statements that make what the triggers of a database run."""
    if dialect == "sqlite":
        return ()
    return tuple(
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$"
        for name, body in FUNCTIONS.items()
    )


def triggers(dialect: str) -> Iterator[tuple[str, str]]:
    """Name and statement of every trigger a database should have."""
    for name in sorted(_GUARDED):
        for statement in _GUARDED[name](dialect):
            made = re.match(r"CREATE TRIGGER (\w+) ", statement)
            assert made is not None
            yield made[1], statement


def refusal(table: str) -> str:
    """The body of a SQLite trigger that refuses to touch history."""
    return f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"


def staying(
    dialect: str, table: Table, changing: Sequence[str], *, final: str = "", claimed: Sequence[str] = ()
) -> tuple[str, ...]:
    """The statements that keep every row of a table, and of each all columns but those *changing*.

    *final* says of OLD and NEW when these change no more either. By the columns *claimed* a row is inserted unless it is
    there (ON CONFLICT DO NOTHING): on SQLite the one that is there stays, as it does for REPLACE.
    """
    name, kept = table.name, [each for each in map(str, table.columns.keys()) if each not in changing]
    if dialect == "sqlite":
        changed = " OR ".join((*filter(None, [final]), *(f"NEW.{each} IS NOT OLD.{each}" for each in kept)))
        return (
            f"CREATE TRIGGER {name}_no_change BEFORE UPDATE ON {name} WHEN {changed} {refusal(name)}",
            f"CREATE TRIGGER {name}_no_delete BEFORE DELETE ON {name} {refusal(name)}",
            not_replaced(table, claimed),
            *(
                f"CREATE TRIGGER {name}_claimed BEFORE INSERT ON {name} WHEN {_meets(name, key)} "
                "BEGIN SELECT RAISE(IGNORE); END"
                for key in filter(None, [list(claimed)])
            ),
        )
    new, old = (", ".join(f"{row}.{each}" for each in kept) for row in ("NEW", "OLD"))
    changed = " OR ".join((*filter(None, [final]), f"({new}) IS DISTINCT FROM ({old})"))
    refuse = "EXECUTE FUNCTION ml_append_only()"
    return (
        f"CREATE TRIGGER {name}_no_change BEFORE UPDATE ON {name} FOR EACH ROW WHEN ({changed}) {refuse}",
        f"CREATE TRIGGER {name}_no_delete BEFORE DELETE ON {name} FOR EACH ROW {refuse}",
        f"CREATE TRIGGER {name}_no_truncate BEFORE TRUNCATE ON {name} FOR EACH STATEMENT {refuse}",
    )


def not_replaced(table: Table, claimed: Sequence[str] = ()) -> str:
    """The SQLite trigger that refuses a row whose place is taken: REPLACE would delete the one there without a word.

    Of the triggers on DELETE it asks none. https://sqlite.org/lang_conflict.html
    """
    keys = [list(table.primary_key.columns.keys())]
    keys += sorted(
        list(each.columns.keys()) for each in table.constraints if isinstance(each, UniqueConstraint)
    )
    if table.dialect_options["sqlite"]["with_rowid"]:
        keys.append(["rowid"])
    keys = [key for key in keys if key != list(claimed)]
    taken = " OR ".join(_meets(table.name, key) for key in keys)
    return f"CREATE TRIGGER {table.name}_no_replace BEFORE INSERT ON {table.name} WHEN {taken} {refusal(table.name)}"


def _meets(table: str, columns: list[str]) -> str:
    same = " AND ".join(f"{column} = NEW.{column}" for column in columns)
    return f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 - names of our own


def _append_only(table: Table) -> Statements:
    def statements(dialect: str) -> tuple[str, ...]:
        name = table.name
        if dialect == "sqlite":
            return (
                f"CREATE TRIGGER {name}_no_update BEFORE UPDATE ON {name} {refusal(name)}",
                f"CREATE TRIGGER {name}_no_delete BEFORE DELETE ON {name} {refusal(name)}",
                not_replaced(table),
            )
        refuse = "EXECUTE FUNCTION ml_append_only()"
        return (
            f"CREATE TRIGGER {name}_no_change BEFORE UPDATE OR DELETE ON {name} FOR EACH ROW {refuse}",
            f"CREATE TRIGGER {name}_no_truncate BEFORE TRUNCATE ON {name} FOR EACH STATEMENT {refuse}",
        )

    return statements


def four_eyes_as_set(dialect: str) -> tuple[str, ...]:
    """``ml_book.four_eyes`` says what the dated setting says: whoever switches it by hand leaves a trace, or is refused."""
    of = "tenant, four_eyes ON ml_book"
    if dialect == "sqlite":
        refuse = f"BEGIN SELECT RAISE(ABORT, '{_NOT_SET}'); END"
        return (
            f"CREATE TRIGGER ml_book_four_eyes_made BEFORE INSERT ON ml_book WHEN {_NOT_AS_SET} {refuse}",
            f"CREATE TRIGGER ml_book_four_eyes_changed BEFORE UPDATE OF {of} WHEN {_NOT_AS_SET} {refuse}",
        )
    return (
        f"CREATE TRIGGER ml_book_four_eyes_as_set BEFORE INSERT OR UPDATE OF {of} FOR EACH ROW "
        "EXECUTE FUNCTION ml_four_eyes_as_set()",
    )


def _make_guards(table: Table, connection: Connection, **_: Any) -> None:
    _run(connection, _GUARDED[table.name](connection.dialect.name))


@event.listens_for(metadata, "before_create")
def _make_functions(_: MetaData, connection: Connection, **__: Any) -> None:
    _run(connection, functions(connection.dialect.name))


def _run(connection: Connection, statements: tuple[str, ...]) -> None:
    for statement in statements:
        connection.execute(DDL(statement))  # type: ignore[no-untyped-call]
