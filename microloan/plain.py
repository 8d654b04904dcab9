"""Results as plain values: what JSON can hold, money as text with its digits, days and instants ISO 8601."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any


def to_json_values(result: Any) -> Any:
    """A result as plain JSON values: money as text with its digits, days and instants ISO 8601.

    >>> to_json_values({"date": date(2024, 1, 2), "amount": Decimal("10.00")})
    {'date': '2024-01-02', 'amount': '10.00'}
    """
    if result is None or isinstance(result, (str, int)):
        return result
    if isinstance(result, Decimal):
        return f"{result:f}"
    if isinstance(result, date):  # a datetime is one too
        return result.isoformat()
    names = names_in(result.__class__)
    if names is not None:
        return {name: to_json_values(getattr(result, name)) for name in names}
    if isinstance(result, Mapping):
        return {str(key): to_json_values(value) for key, value in result.items()}
    if isinstance(result, (list, tuple, frozenset, set)):
        return [to_json_values(part) for part in result]
    return result


@cache  # few classes, many answers of each
def names_in(kind: type[Any]) -> tuple[str, ...] | None:
    """The fields of a class of results, a dataclass or a named tuple; None for any other class.

    >>> names_in(int)
    """
    if dataclasses.is_dataclass(kind):
        return tuple(each.name for each in dataclasses.fields(kind))
    return getattr(kind, "_fields", None)
