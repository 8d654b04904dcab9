"""Sums on any database, however large: SQLite's SUM stops beyond 64 bits, and is then taken again in two halves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func
from sqlalchemy.exc import OperationalError

from .unit import Unit

_HALF = 1 << 32


def sums(
    *amounts: ColumnElement[Any], halves: bool, where: ColumnElement[bool] | None = None
) -> Iterator[ColumnElement[Any]]:
    """SUM of each amount, of the rows *where*; with *halves* of its high part and of its low part, neither of which can
    pass 64 bits.

    Division truncates and the remainder has the sign of the amount, so that the parts add up below zero too.
    """
    for amount in amounts:
        for part in (amount // _HALF, amount % _HALF) if halves else (amount,):
            yield func.sum(part) if where is None else func.sum(part).filter(where)


def summed(
    unit: Unit, statement: Callable[[bool], Any], groups: int, values: Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """The rows of a grouped statement: *groups* columns, then its :func:`sums` as integers of any size, of no rows 0.

    *statement* is asked for the one with or without halves; the halves are only read where a whole sum does not fit.
    """
    try:
        return [
            (*row[:groups], *[int(total or 0) for total in row[groups:]])
            for row in unit.execute(statement(False), values)
        ]
    except OperationalError as fault:
        if "integer overflow" not in str(fault.orig):
            raise
    return [(*row[:groups], *_whole(row[groups:])) for row in unit.execute(statement(True), values)]


def _whole(halves: Sequence[int | None]) -> Iterator[int]:
    return ((high or 0) * _HALF + (low or 0) for high, low in zip(halves[::2], halves[1::2], strict=True))
