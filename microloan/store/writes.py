"""Statements that write rows, one for a command or thousands for a night."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, cast
from weakref import WeakKeyDictionary

from pydantic_core import to_json
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
Binds = Mapping[str, BindParameter[Any]]  # parameters by name, in the order of the text

#: From so many rows on PostgreSQL gets them as one JSON text: a statement for each costs it twice to three times as much.
MANY = 16
#: The rows of a command or a close lie in one bucket, and the text says so: only there is anything looked for.
_PLACE = ("tenant", "bucket")
_ROWS = "rows_of_the_batch"


class Writes:
    """A statement that writes rows, all its parameters named: what Core makes of it once, the driver is given each time.

    Core compiles it once for a database, and then hands the values of every row through its machinery, which costs as much
    as writing them. Here they go to the driver in the order of the text, each as its column stores it. A parameter takes
    the value of its name in a row; ``of_x``, by which a row is found, and ``new_x``, what becomes of it, take that of x.
    What raises is Core's, as ever.
    """

    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self._by_row: WeakKeyDictionary[Dialect, _Text] = WeakKeyDictionary()
        self._together: WeakKeyDictionary[Dialect, _Text] = WeakKeyDictionary()

    def run(self, connection: Connection, rows: Rows) -> int:
        """Write rows, each with a value for every parameter; comes back: how many were there. No rows, no statement."""
        if not rows:
            return 0
        dialect = connection.dialect
        text = self._by_row.get(dialect)
        if text is None:
            text = self._by_row[dialect] = _Text.of(self.statement, dialect)
        if len(rows) >= MANY and dialect.name == "postgresql" and text.takes_a_batch(rows):
            together = self._together.get(dialect)
            if together is None:
                together = self._together[dialect] = text.together(self.statement, dialect)
            return connection.exec_driver_sql(together.sql, together.batch(rows)).rowcount
        return connection.exec_driver_sql(text.sql, [text.values(row) for row in rows]).rowcount


class _Text(NamedTuple):
    sql: str
    binds: Binds
    pick: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    special: Sequence[tuple[int, Callable[[Any], Any]]]  # what is stored as something else, by its place
    place: Mapping[str, str]  # the parameters that say where the rows lie, and the name of each in a row
    positional: bool

    @classmethod
    def of(cls, statement: Statement, dialect: Dialect) -> _Text:
        """The text of a statement for a database, and how it wants its values."""
        compiled = statement.compile(dialect=dialect)
        # Core's names are text of a kind of their own, at which a JSON writer stops and wonders.
        binds = {str(name): compiled.binds[name] for name in compiled.positiontup or compiled.binds}
        place = {name: _in_row(name) for name in binds if _in_row(name) in _PLACE}
        return cls(str(compiled), binds, *_taking(binds, dialect), place, bool(compiled.positiontup))

    def stored(self, row: Mapping[str, Any]) -> list[Any]:
        """A row's values in the order of the text, as their columns store them."""
        values = [*self.pick(row)]
        for place, store in self.special:
            values[place] = store(values[place])
        return values

    def values(self, row: Mapping[str, Any]) -> Any:
        """A row as this driver takes it."""
        values = self.stored(row)
        return tuple(values) if self.positional else dict(zip(self.binds, values, strict=True))

    def together(self, statement: Statement, dialect: Dialect) -> _Text:
        """The text that writes a batch of such rows; their place is no part of the JSON."""
        binds = {name: bind for name, bind in self.binds.items() if name not in self.place}
        sql = str(_together(statement, binds).compile(dialect=dialect))
        return _Text(sql, binds, *_taking(binds, dialect), self.place, self.positional)

    def takes_a_batch(self, rows: Rows) -> bool:
        """Are parameters named, and do all rows lie in the bucket of the first?"""
        if self.positional:
            return False
        return all(len({row[name] for row in rows}) == 1 for name in self.place.values())

    def batch(self, rows: Rows) -> dict[str, Any]:
        """Rows of one bucket as JSON, and their place beside them."""
        values = {name: rows[0][in_row] for name, in_row in self.place.items()}
        named = [dict(zip(self.binds, self.stored(row), strict=True)) for row in rows]
        return values | {_ROWS: to_json(named).decode()}


def _in_row(name: str) -> str:
    return name.removeprefix("of_").removeprefix("new_")


def _taking(binds: Binds, dialect: Dialect) -> tuple[Any, Any]:
    """What takes the parameters' values out of a row; and how those are stored that are stored as something else."""
    kinds = [bind.type.dialect_impl(dialect) for bind in binds.values()]
    stored = [(place, kind.bind_processor(dialect)) for place, kind in enumerate(kinds)]
    return itemgetter(*map(_in_row, binds)), [(place, store) for place, store in stored if store is not None]


def _together(statement: Statement, given: Binds) -> Statement:
    """The statement for a batch: what was a row's value is the column of the rows that are given as JSON instead."""
    columns = [column(name, bind.type) for name, bind in given.items()]
    batch = func.json_to_recordset(bindparam(_ROWS, type_=JSON)).table_valued(*columns, name="batch")
    batch = batch.render_derived(name="batch", with_types=True)
    if isinstance(statement, Insert):
        table = statement.table.c
        values = [batch.c.get(each.key, bindparam(each.key, type_=each.type)) for each in table]
        return insert(statement.table).from_select([*table], select(*values))

    def of_the_batch(element: ExternallyTraversible, **_: Any) -> Any:
        return batch.c[element.key] if isinstance(element, BindParameter) and element.key in given else None

    return cast(Statement, replacement_traverse(statement, {}, of_the_batch))
