"""Lists: rows in one order, all of them or the latest so many. What a limit leaves out is counted, never read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Select, Table, bindparam, func, literal_column, select

from ..errors import BadInput
from .lending import columns
from .unit import Unit, bucket_in

#: A limit leaves so many at least.
FEWEST: Final = 1

T = TypeVar("T")
U = TypeVar("U")


class Listed(tuple[T, ...]):
    """Results in the order of their list, the newest last. ``earlier``: how many before them a limit leaves out.

    ``earlier`` is None where counting them would mean working each of them out.

    >>> latest = Listed(["b", "c"], earlier=1)
    >>> latest[-1], latest.earlier
    ('c', 1)
    """

    earlier: int | None

    def __new__(cls, found: Iterable[T] = (), earlier: int | None = 0) -> Listed[T]:
        made: Listed[T] = super().__new__(cls, found)
        made.earlier = earlier
        return made

    def viewed(self, view: Callable[[T], U]) -> Listed[U]:
        """The same list, each of its results seen through *view*.

        >>> Listed([1, 2], earlier=5).viewed(str)
        ('1', '2')
        """
        return Listed(map(view, self), self.earlier)


def listed(
    unit: Unit,
    query: Select[Any],
    order: Sequence[ColumnElement[Any]],
    latest: int | None,
    values: Any = None,
) -> Listed[Any]:
    """Rows of *query* in an *order* that no two rows share: all, or the *latest* so many. Raises BadInput below 1."""
    guard_latest(latest)
    if latest is None:
        return Listed(unit.execute(query.order_by(*order), values))
    rows = unit.execute(newest_first(query, order).limit(latest), values).all()
    counted = query.with_only_columns(func.count(), maintain_column_froms=True)
    earlier = unit.execute(counted, values).scalar() - len(rows) if len(rows) == latest else 0
    return Listed(reversed(rows), earlier)


def chosen(unit: Unit, table: Table, filters: Mapping[str, Any]) -> Select[Any]:
    """The tenant's rows of a table by columns; a filter that is None leaves nothing out.

    Whose merchant or facility is known has a known bucket, which is named: it begins the key of both.
    """
    wanted = {name: value for name, value in filters.items() if value is not None}
    query = select(*columns(table)).where(table.c.tenant == bindparam("tenant"))
    if "merchant" in wanted:
        query = query.where(table.c.bucket == unit.bucket_of(wanted["merchant"]))
    elif "facility" in wanted:
        query = query.where(table.c.bucket == bucket_in(wanted["facility"], "facility"))
    return query.where(*(table.c[name] == value for name, value in wanted.items()))


def not_by_index(order: Sequence[ColumnElement[Any]]) -> tuple[ColumnElement[Any], ...]:
    """The same order, of a key's few rows: SQLite would rather walk the whole table in the wanted order to find them."""
    first, *rest = order
    return first.op("+")(literal_column("0")), *rest


def newest_first(query: Select[Any], order: Sequence[ColumnElement[Any]]) -> Select[Any]:
    """The rows of *query* from the end of an *order* to its beginning."""
    return query.order_by(*(column.desc() for column in order))


def guard_latest(latest: int | None) -> None:
    """Raises BadInput for a limit that leaves nothing."""
    if latest is not None and latest < FEWEST:
        raise BadInput(field="latest", value=latest, reason=f"at least {FEWEST}")
