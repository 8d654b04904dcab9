"""Sales lines from where they live: DuckDB relations and Spark frames, computed where they are, by the same definitions.

A shop's features depend on its own lines only. So an engine does what engines are for — bring the lines of a shop together —
and every part goes through the same arrays as lines in memory: one definition, identical figures. DuckDB streams its
lines shop after shop, so a relation may be larger than memory; Spark spreads the shops over its workers (extra ``spark``)
and only features or decisions come back. Source: SEMANTICS 8 (features).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from .. import errors
from ..errors import InvalidSetting, MicroloanError
from .flow import KNOWN_COLUMNS, LINE_COLUMNS, Ints, SalesLines, sales_lines

#: Lines asked of a relation at once.
LINES_AT_ONCE: Final = 200_000
_WORK: Final = "microloan_merchant"  # the column by which Spark brings lines together
_REFUSED: Final = "microloan_refused"  # the column in which a worker says why it cannot go on

Read = Callable[[SalesLines], Iterable[Sequence[Any]]]


def is_spark(frame: object) -> bool:
    """Whether *frame* is a Spark data frame, classic or remote."""
    return type(frame).__module__.startswith("pyspark.sql") and hasattr(frame, "mapInArrow")


def is_duckdb(frame: object) -> bool:
    """Whether *frame* is a DuckDB relation."""
    return type(frame).__module__.partition(".")[0] in ("duckdb", "_duckdb") and hasattr(frame, "project")


def parts_of(
    relation: Any, *, currency: str, zone: str, lines_at_once: int = LINES_AT_ONCE
) -> Iterator[SalesLines]:
    """The lines of a DuckDB relation in parts of whole shops, shop after shop.

    Only the columns of a sales file are read. The parts have shops in rising order of name; there is at least one part.
    Needs pyarrow, of the extra ``parquet``.
    """
    pyarrow = _pyarrow()
    names = [name for name in relation.columns if name in KNOWN_COLUMNS]
    sales_lines(
        dict.fromkeys(names, ()), currency=currency, zone=zone
    )  # refuses a relation without the columns
    ordered = relation.project(", ".join(f'"{name}"' for name in names)).order('"shop_id"')
    read = getattr(ordered, "to_arrow_reader", None) or ordered.fetch_arrow_reader
    reader = read(lines_at_once)
    rest = reader.schema.empty_table()
    for batch in reader:
        rest = pyarrow.concat_tables([rest, pyarrow.Table.from_batches([batch])])
        whole = _whole_shops(rest.column("shop_id"))
        if whole >= lines_at_once:
            yield sales_lines(columns_of_arrow(rest.slice(0, whole)), currency=currency, zone=zone)
            rest = rest.slice(whole)
    yield sales_lines(columns_of_arrow(rest), currency=currency, zone=zone)


def _whole_shops(shops: Any) -> int:
    """How many of the sorted lines belong to shops of which all lines are there: all but the last shop's."""
    last, low, high = shops[len(shops) - 1].as_py(), 0, len(shops)
    while low < high:
        middle = (low + high) // 2
        if shops[middle].as_py() == last:
            high = middle
        else:
            low = middle + 1
    return low


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        reason = 'DuckDB relations are read with pyarrow; install it with: pip install "microloan[parquet]"'
        raise InvalidSetting(code="extra_missing", field="extra", value="parquet", reason=reason) from None
    return pyarrow


@dataclass(frozen=True, slots=True)
class Shape:
    """What a Spark job gives back: its columns as a Spark schema text, and how each part's lines become rows."""

    schema: str
    read: Read


def on_spark(
    frame: Any, shape: Shape, *, currency: str, zone: str, merchant_of: Mapping[str, str] | None = None
) -> list[tuple[Any, ...]]:
    """The rows of *shape* for every merchant of a Spark frame, computed on its workers; in no particular order.

    What a worker refuses comes back beside the rows and is raised here: a task that failed would be tried again and
    end as Spark's own exception. Raises InvalidSetting without the extra ``spark``, and as lines in memory do.
    """
    functions = _functions()
    names = [name for name in frame.columns if name in KNOWN_COLUMNS]
    sales_lines(dict.fromkeys(names, ()), currency=currency, zone=zone)  # refuses a frame without the columns
    lines = frame.select(*names).withColumn(_WORK, functions.col("shop_id").cast("string"))
    if merchant_of:
        pairs = frame.sparkSession.createDataFrame(
            list(merchant_of.items()), "microloan_shop string, microloan_to string"
        )
        lines = lines.join(pairs, lines[_WORK] == pairs["microloan_shop"], "left")
        lines = lines.withColumn(_WORK, functions.coalesce("microloan_to", _WORK)).select(*names, _WORK)
    spread = lines.repartition(_WORK).select(*names)
    made = spread.mapInArrow(_job(shape, currency, zone), f"{shape.schema}, {_REFUSED} string")
    rows = [tuple(row) for row in made.collect()]
    if refused := [text for *_, text in rows if text is not None]:
        raise _error_of(min(refused))  # of several the same one every time, whichever worker was first
    return [row[:-1] for row in rows]


def _text_of(error: MicroloanError) -> str:
    """An error as a worker sends it back."""
    return json.dumps([type(error).__name__, error.code, error.details], default=str, sort_keys=True)


def _error_of(text: str) -> MicroloanError:
    """The error of a worker: its kind, code and values.

    >>> _error_of(_text_of(InvalidSetting(field="zone", value="Mars", reason="no such zone"))).message
    "zone: 'Mars' cannot be used: no such zone"
    """
    kind, code, details = json.loads(text)
    made: MicroloanError = getattr(errors, kind)(code=code, **details)
    return made


def _functions() -> Any:
    try:
        from pyspark.sql import functions
    except ImportError:
        reason = 'Spark frames need pyspark; install it with: pip install "microloan[spark]"'
        raise InvalidSetting(code="extra_missing", field="extra", value="spark", reason=reason) from None
    return functions


def _job(shape: Shape, currency: str, zone: str) -> Callable[[Iterator[Any]], Iterator[Any]]:
    def compute(batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow

        held = list(batches)
        if not sum(batch.num_rows for batch in held):
            return
        fields = [field.split()[0] for field in shape.schema.split(",")]
        rows: list[Sequence[Any]]
        try:
            columns = columns_of_arrow(pyarrow.Table.from_batches(held))
            rows = [(*row, None) for row in shape.read(sales_lines(columns, currency=currency, zone=zone))]
        except MicroloanError as error:
            rows = [(*(None for _ in fields), _text_of(error))]
        by_field = {field: [row[n] for row in rows] for n, field in enumerate((*fields, _REFUSED))}
        yield from pyarrow.Table.from_pydict(by_field).to_batches() if rows else ()

    return compute


def columns_of_arrow(table: Any) -> dict[str, Any]:
    """The columns of a pyarrow table that a sales file has; whole numbers and local times as arrays, the rest as lists."""
    import pyarrow

    found: dict[str, Any] = {}
    for name in table.column_names:
        if name in KNOWN_COLUMNS:
            found[name] = _column_of_arrow(table.column(name), pyarrow)
    return found


def _column_of_arrow(column: Any, pyarrow: Any) -> Any:
    kind = column.type
    if pyarrow.types.is_integer(kind) and not column.null_count:
        return np.asarray(column)
    if pyarrow.types.is_date(kind) or (pyarrow.types.is_timestamp(kind) and kind.tz is None):
        return np.asarray(column.cast(pyarrow.timestamp("s"), safe=False), dtype="datetime64[s]")
    return column.to_pylist()


# --- lines that came in parts -----------------------------------------------------------------------------------------


def joined(parts: Sequence[SalesLines]) -> SalesLines:
    """Parts of whole shops, no shop in two of them, as one.

    >>> day = {"order_id": "1", "paid_at": "2025-05-01", "amount": "12.30"}
    >>> joined([sales_lines([{"shop_id": "b", **day}]), sales_lines([{"shop_id": "a", **day}])]).shops
    ('b', 'a')
    """
    if not parts:
        return sales_lines([])
    names = {each: _all_names(parts, each) for each in _NAMED}
    changes: dict[str, Any] = {
        column: np.concatenate([_codes(part, column, names) for part in parts]) for column in LINE_COLUMNS
    }
    changes |= {each: tuple(known) for each, known in names.items()}
    changes["order"] = np.concatenate(list(_orders_apart(parts)))
    return replace(parts[0], settling_since=_settling_since(parts, names["platforms"]), **changes)


def _orders_apart(parts: Sequence[SalesLines]) -> Iterator[Ints]:
    """The orders of each part, numbered on from the part before."""
    taken = 0
    for part in parts:
        yield np.where(part.order < 0, part.order, part.order + taken)
        taken += int(part.order.max(initial=-1)) + 1


def _settling_since(parts: Sequence[SalesLines], platforms: Iterable[str]) -> tuple[int, ...] | None:
    """The day of each platform, as the parts know it; None where one of them leaves it to its lines."""
    known: dict[str, int] = {}
    for part in parts:
        if part.settling_since is None:
            return None
        known |= dict(zip(part.platforms, part.settling_since, strict=True))
    return tuple(known[name] for name in platforms)


#: The names that lines point to, and the column that does.
_NAMED: Final = {"shops": "shop", "buyers": "buyer", "platforms": "platform", "flags": "flag"}


def _all_names(parts: Sequence[SalesLines], named: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in parts:
        for name in getattr(part, named):
            found.setdefault(name, len(found))
    return found


def _codes(part: SalesLines, column: str, names: Mapping[str, Mapping[str, int]]) -> Ints:
    """A column of *part*; where it points to names, to their places among all. Below zero stays: no name."""
    values: Ints = getattr(part, column)
    named = next((each for each, points in _NAMED.items() if points == column), None)
    if named is None:
        return values
    places = np.array([names[named][name] for name in getattr(part, named)], dtype=np.int64)
    return np.where(values < 0, values, places[values]) if len(places) else values
