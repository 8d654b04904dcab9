"""Statements that write rows, one for a command or thousands for a night."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Delete, Dialect, Insert, Update


class Writes:
    """A statement that writes a row, with all its parameters named: what Core makes of it once, the driver takes each time.

    Core compiles it once for a database, and hands the values of every row through its machinery each time, which costs as
    much as writing them. Here they go to the driver in the order of the text, each as its column stores it. What raises is
    Core's, as ever.
    """

    def __init__(self, statement: Insert | Update | Delete) -> None:
        self.statement = statement
        self._texts: WeakKeyDictionary[Dialect, _Text] = WeakKeyDictionary()

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows, each a value by the name of every parameter; no rows, no statement."""
        if rows:
            text = self._texts.get(connection.dialect) or self._compiled(connection.dialect)
            connection.exec_driver_sql(text.sql, [text.values(row) for row in rows])

    def _compiled(self, dialect: Dialect) -> _Text:
        compiled = self.statement.compile(dialect=dialect)
        names = tuple(compiled.positiontup or compiled.binds)
        kinds = [compiled.binds[name].type.dialect_impl(dialect) for name in names]
        stored = [(place, kind.bind_processor(dialect)) for place, kind in enumerate(kinds)]
        special = [(place, store) for place, store in stored if store is not None]
        text = self._texts[dialect] = _Text(
            str(compiled), names, itemgetter(*names), special, bool(compiled.positiontup)
        )
        return text


class _Text(NamedTuple):
    sql: str
    names: tuple[str, ...]
    pick: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    special: Sequence[tuple[int, Callable[[Any], Any]]]  # what is stored as something else, by its place
    positional: bool

    def values(self, row: Mapping[str, Any]) -> Any:
        """A row as this driver takes it."""
        values = [*self.pick(row)]
        for place, store in self.special:
            values[place] = store(values[place])
        return tuple(values) if self.positional else dict(zip(self.names, values, strict=True))
