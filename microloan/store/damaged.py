"""Reading around damage: a row of which a day or an instant is none is named, and the rows beside it are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Select, type_coerce

from ..errors import IntegrityBroken, MicroloanError
from .base import BigInt, Day, Instant
from .lending import Row
from .unit import Unit

#: What damaged rows raise where they are read, or where the life they tell is walked: text that is no JSON, a word nobody
#: knows, a row that is gone; and, told by us, a day that is none, an event that cannot be.
UNREADABLE = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
FAULTS = (MicroloanError, *UNREADABLE)


@dataclass(frozen=True, slots=True)
class Damaged:
    """A row that cannot be read: its table and key, what it belongs to, and the columns that hold no day or instant."""

    table: str
    key: str
    place: str
    found: str


def readable(
    unit: Unit, query: Select[Any], values: Mapping[str, Any], key: Column[Any], place: Column[Any]
) -> tuple[list[Row], list[Damaged]]:
    """The rows of a prebuilt *query* that can be read, and those of the table of *key* that cannot."""
    try:
        return list(unit.execute(query, values)), []
    except (ArithmeticError, ValueError, IntegrityBroken):
        lost = _damaged(unit, query, values, key, place)
    found = unit.execute(query.where(key.not_in([row.key for row in lost])), values)
    return list(found), lost


def _damaged(
    unit: Unit, query: Select[Any], values: Mapping[str, Any], key: Column[Any], place: Column[Any]
) -> list[Damaged]:
    times = [column for column in key.table.c if isinstance(column.type, (Day, Instant))]
    raw = query.with_only_columns(
        key, place, *(type_coerce(column, BigInt) for column in times), maintain_column_froms=True
    )
    lost = []
    for name, where, *numbers in unit.execute(raw, values):
        pairs = zip(times, numbers, strict=True)
        wrong = [f"{time.name} {number}" for time, number in pairs if not _is_time(unit, time, number)]
        if wrong:
            lost.append(Damaged(key.table.name, name, where, ", ".join(wrong)))
    return lost


def _is_time(unit: Unit, column: Column[Any], number: int | None) -> bool:
    try:
        column.type.process_result_value(number, unit.connection.dialect)  # type: ignore[attr-defined]
    except (ArithmeticError, ValueError, IntegrityBroken):
        return False
    return True
