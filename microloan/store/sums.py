"""Sums on any database, however large: SQLite's SUM stops beyond 64 bits, and is then taken again in two halves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func
from sqlalchemy.exc import OperationalError

from .unit import Unit

_HALF = 1 << 32


def sums(*amounts: ColumnElement[Any], halves: bool) -> Iterator[ColumnElement[Any]]:
    """SUM of each amount; with *halves* of its high part and of its low part, neither of which can pass 64 bits.

    Division truncates and the remainder has the sign of the amount, so that the parts add up below zero too.
    """
    for amount in amounts:
        if halves:
            yield func.sum(amount // _HALF)
            yield func.sum(amount % _HALF)
        else:
            yield func.sum(amount)


def summed(
    unit: Unit, statement: Callable[[bool], Any], groups: int, values: Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """The rows of a grouped statement: *groups* columns, then its :func:`sums` as integers of any size.

    *statement* is asked for the one with or without halves; the halves are only read where a whole sum does not fit.
    """
    try:
        return [(*row[:groups], *map(int, row[groups:])) for row in unit.execute(statement(False), values)]
    except OperationalError as fault:
        if "integer overflow" not in str(fault.orig):
            raise
    return [(*row[:groups], *_whole(row[groups:])) for row in unit.execute(statement(True), values)]


def _whole(halves: Sequence[int]) -> Iterator[int]:
    return (high * _HALF + low for high, low in zip(halves[::2], halves[1::2], strict=True))
