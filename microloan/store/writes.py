"""Statements that write rows, one for a command or thousands for a night."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, cast
from weakref import WeakKeyDictionary

from sqlalchemy import (
    JSON,
    BindParameter,
    Connection,
    Delete,
    Dialect,
    Insert,
    Update,
    bindparam,
    column,
    func,
    insert,
    select,
)
from sqlalchemy.sql.visitors import ExternallyTraversible, replacement_traverse

Rows = Sequence[Mapping[str, Any]]
Statement = Insert | Update | Delete

#: From so many rows on PostgreSQL gets them as one JSON text: a statement for each costs it twice to three times as much.
MANY = 16
#: The rows of a command or a close lie in one bucket, and the text says so: only there is anything looked for.
_PLACE = ("tenant", "bucket", "of_tenant", "of_bucket")
_ROWS = "rows_of_the_batch"


class Writes:
    """A statement that writes rows, all its parameters named: what Core makes of it once, the driver is given each time.

    Core compiles it once for a database, and then hands the values of every row through its machinery, which costs as much
    as writing them. Here they go to the driver in the order of the text, each as its column stores it. What raises is
    Core's, as ever.
    """

    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self._by_row: WeakKeyDictionary[Dialect, _Text] = WeakKeyDictionary()
        self._together: WeakKeyDictionary[Dialect, _Text] = WeakKeyDictionary()

    def run(self, connection: Connection, rows: Rows) -> None:
        """Write rows, each a value by the name of every parameter; no rows, no statement."""
        if not rows:
            return
        dialect = connection.dialect
        text = self._by_row.get(dialect)
        if text is None:
            text = self._by_row[dialect] = _Text.of(self.statement, dialect)
        if len(rows) >= MANY and dialect.name == "postgresql" and text.takes_a_batch(rows):
            together = self._together.get(dialect)
            if together is None:
                together = self._together[dialect] = text.together(self.statement, dialect)
            connection.exec_driver_sql(together.sql, together.batch(rows))
        else:
            connection.exec_driver_sql(text.sql, [text.values(row) for row in rows])


class _Text(NamedTuple):
    sql: str
    names: tuple[str, ...]
    pick: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    special: Sequence[tuple[int, Callable[[Any], Any]]]  # what is stored as something else, by its place
    positional: bool

    @classmethod
    def of(cls, statement: Statement, dialect: Dialect) -> _Text:
        """The text of a statement for a database, and how it wants its values."""
        compiled = statement.compile(dialect=dialect)
        names = tuple(compiled.positiontup or compiled.binds)
        kinds = [compiled.binds[name].type.dialect_impl(dialect) for name in names]
        stored = [(place, kind.bind_processor(dialect)) for place, kind in enumerate(kinds)]
        special = [(place, store) for place, store in stored if store is not None]
        return cls(str(compiled), names, itemgetter(*names), special, bool(compiled.positiontup))

    def stored(self, row: Mapping[str, Any]) -> list[Any]:
        """A row's values in the order of the names, as their columns store them."""
        values = [*self.pick(row)]
        for place, store in self.special:
            values[place] = store(values[place])
        return values

    def values(self, row: Mapping[str, Any]) -> Any:
        """A row as this driver takes it."""
        values = self.stored(row)
        return tuple(values) if self.positional else dict(zip(self.names, values, strict=True))

    def together(self, statement: Statement, dialect: Dialect) -> _Text:
        """The text that writes a batch of such rows."""
        return self._replace(sql=str(_together(statement, dialect).compile(dialect=dialect)))

    def takes_a_batch(self, rows: Rows) -> bool:
        """Are parameters named, and do all rows lie in the bucket of the first?"""
        if self.positional:
            return False
        place = [(name, rows[0][name]) for name in self.names if name in _PLACE]
        return all(row[name] == first for name, first in place for row in rows)

    def batch(self, rows: Rows) -> dict[str, Any]:
        """Rows of one bucket as JSON, and their place beside them."""
        named = [dict(zip(self.names, self.stored(row), strict=True)) for row in rows]
        return {_ROWS: json.dumps(named)} | {name: named[0][name] for name in _PLACE if name in named[0]}


def _together(statement: Statement, dialect: Dialect) -> Statement:
    """The statement for a batch: what was a row's value is the column of the rows that are given as JSON instead."""
    named = statement.compile(dialect=dialect).binds
    given = {name: bind.type for name, bind in named.items() if name not in _PLACE}
    columns = [column(name, kind) for name, kind in given.items()]
    batch = func.json_to_recordset(bindparam(_ROWS, type_=JSON)).table_valued(*columns, name="batch")
    batch = batch.render_derived(name="batch", with_types=True)
    if isinstance(statement, Insert):
        table = statement.table.c
        values = [batch.c.get(each.key, bindparam(each.key, type_=each.type)) for each in table]
        return insert(statement.table).from_select([*table], select(*values))

    def of_the_batch(element: ExternallyTraversible, **_: Any) -> Any:
        return batch.c[element.key] if isinstance(element, BindParameter) and element.key in given else None

    return cast(Statement, replacement_traverse(statement, {}, of_the_batch))
