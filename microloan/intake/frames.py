"""Data frames, rows of mappings and Parquet files → rows of text, so that one set of rules reads them all.

Numbers must be exact: a float in any column that is read is refused, for the whole frame, with advice how to read it exactly.
pandas, polars and pyarrow are only touched where such a frame was given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from numbers import Rational, Real
from typing import Any, BinaryIO

from ..errors import InvalidFile
from .text import BATCH_ROWS, Numbered

_EXPONENT_AT_MOST = 40
_MISSING = frozenset({"NAType", "NaTType"})


class Frame:
    """Something with named columns, read in slices of some thousand rows."""

    def __init__(
        self,
        name: str,
        columns: Sequence[str],
        slices: Iterator[Sequence[Sequence[object]]],
        rows: int | None = None,
    ) -> None:
        self.name, self.columns, self._slices, self.rows = name, tuple(columns), slices, rows

    def records(self) -> Iterator[Numbered]:
        """Rows of text with their position in the frame, from 1."""
        first = 1
        for columns in self._slices:
            texts = [self._texts(name, cells) for name, cells in zip(self.columns, columns, strict=True)]
            rows = list(map(list, zip(*texts, strict=True)))
            yield Numbered(list(range(first, first + len(rows))), rows)
            first += len(rows)

    def _texts(self, column: str, cells: Sequence[object]) -> list[str]:
        if set(map(type, cells)) <= {str}:
            return list(cells)  # type: ignore[arg-type]
        return [self._text(column, cell) for cell in cells]

    def _text(self, column: str, cell: object) -> str:
        if isinstance(cell, str):
            return cell
        if cell is None or type(cell).__name__ in _MISSING:
            return ""
        if isinstance(cell, Decimal):
            return _plain(cell)
        if isinstance(cell, Real) and not isinstance(cell, Rational):
            return self._float_text(column, float(cell))
        if isinstance(cell, bytes):
            raise InvalidFile(
                code="unusable_column", file=self.name, reason=f"column {column} holds bytes; decode it first"
            )
        return cell.isoformat() if isinstance(cell, date) else str(cell)

    def _float_text(self, column: str, number: float) -> str:
        """Not a number is how frames say that nothing is there; any other float is refused."""
        if number != number:
            return ""
        raise self._floats(column)

    def _floats(self, column: str) -> InvalidFile:
        reason = (
            f"column {column} holds floating point numbers, which are not exact; read the file with "
            f'dtype={{"{column}": str}}, or give integers of minor units (pandas: "Int64") or Decimals'
        )
        return InvalidFile(code="float_column", file=self.name, reason=reason, column=column)


def _plain(number: Decimal) -> str:
    """Digits without an exponent; one that is absurd keeps it, and is refused as text."""
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > _EXPONENT_AT_MOST:
        return str(number)
    return f"{number:f}"


def frame_of(given: Any, wanted: Callable[[Sequence[str]], Sequence[str]]) -> Frame:
    """A pandas or polars frame, a pyarrow table, whatever hands out Arrow streams, or a list of mappings, as a :class:`Frame`.

    *wanted* picks the columns worth reading from those there are. Raises InvalidFile for anything else.
    """
    module = type(given).__module__.partition(".")[0]
    if module == "pandas" and hasattr(given, "iloc") and hasattr(given, "columns"):
        names = wanted([str(name) for name in given.columns])
        return Frame("the data frame", names, _pandas_slices(given, names), len(given))
    if module == "polars" and hasattr(given, "iter_slices"):
        names = wanted(given.columns)
        return Frame("the data frame", names, _polars_slices(given, names), given.height)
    if hasattr(given, "__arrow_c_stream__"):
        return _arrow_frame(given, wanted)
    if isinstance(given, list) and all(isinstance(row, Mapping) for row in given):
        names = wanted(list(dict.fromkeys(name for row in given for name in row)))
        return Frame("the rows", names, _row_slices(given, names), len(given))
    raise InvalidFile(
        code="unknown_source",
        file=type(given).__name__,
        reason="give a path, a pandas or polars frame, a pyarrow table, an object with an Arrow stream, or a list of mappings",
    )


def _pandas_slices(given: Any, names: Sequence[str]) -> Iterator[list[list[object]]]:
    places = {str(name): place for place, name in reversed(list(enumerate(given.columns)))}
    for start in range(0, len(given), BATCH_ROWS):
        part = given.iloc[start : start + BATCH_ROWS]
        yield [_missing_as_none(part.iloc[:, places[name]]) for name in names]


def _missing_as_none(series: Any) -> list[object]:
    if series.dtype.kind == "f" and series.isna().all():
        return [None] * len(series)
    return list(series.tolist())


def _polars_slices(given: Any, names: Sequence[str]) -> Iterator[list[list[object]]]:
    for part in given.select(names).iter_slices(BATCH_ROWS):
        yield [part[name].to_list() for name in names]


def _row_slices(given: list[Mapping[str, object]], names: Sequence[str]) -> Iterator[list[list[object]]]:
    for start in range(0, len(given), BATCH_ROWS):
        part = given[start : start + BATCH_ROWS]
        yield [[row.get(name) for row in part] for name in names]


def _arrow_frame(given: Any, wanted: Callable[[Sequence[str]], Sequence[str]]) -> Frame:
    import pyarrow as pa

    reader = pa.RecordBatchReader.from_stream(given)
    names = wanted(reader.schema.names)
    batches = (part.slice(at, BATCH_ROWS) for part in reader for at in range(0, part.num_rows, BATCH_ROWS))
    return Frame("the table", names, _arrow_slices(batches, names))


def parquet_frame(file: BinaryIO, name: str, wanted: Callable[[Sequence[str]], Sequence[str]]) -> Frame:
    """A Parquet file as a :class:`Frame`. Raises InvalidFile if it is broken, or if pyarrow is not installed."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        reason = "Parquet files need pyarrow: pip install 'microloan[parquet]'"
        raise InvalidFile(code="needs_pyarrow", file=name, reason=reason) from None
    try:
        parquet = pq.ParquetFile(file)
        names = wanted(parquet.schema_arrow.names)
        batches = parquet.iter_batches(BATCH_ROWS, columns=list(names))
        slices = _unbroken(_arrow_slices(batches, names), name, (pa.ArrowException, OSError))
        return Frame(name, names, slices, parquet.metadata.num_rows)
    except (pa.ArrowException, OSError) as error:
        raise _broken_parquet(name, error) from None


def _unbroken(
    slices: Iterator[list[list[object]]], name: str, kinds: tuple[type[BaseException], ...]
) -> Iterator[list[list[object]]]:
    try:
        yield from slices
    except kinds as error:
        raise _broken_parquet(name, error) from None


def _broken_parquet(name: str, error: BaseException) -> InvalidFile:
    return InvalidFile(
        code="broken_archive", file=name, reason=f"the Parquet file is broken: {str(error)[:200]}"
    )


def _arrow_slices(batches: Iterator[Any], names: Sequence[str]) -> Iterator[list[list[object]]]:
    for batch in batches:
        yield [_arrow_cells(batch.column(batch.schema.get_field_index(name))) for name in names]


def _arrow_cells(column: Any) -> list[object]:
    return [None] * len(column) if column.null_count == len(column) else list(column.to_pylist())
