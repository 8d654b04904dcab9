"""A property worked out once per object, and kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class kept(Generic[T]):
    """A property worked out when it is first read, and kept in the object's ``__dict__``.

    As ``functools.cached_property``, which on Python 3.11 takes a lock, dear for every loan of a close and every sum of a
    shop. Two threads may work it out twice; so what is worked out must depend on the object alone. What raises is not
    kept.

    >>> class Order:
    ...     lines = (3, 4)
    ...     @kept
    ...     def total(self) -> int:
    ...         return sum(self.lines)
    >>> order = Order()
    >>> order.total, vars(order)
    (7, {'total': 7})
    """

    def __init__(self, work_out: Callable[[Any], T]) -> None:
        self.work_out, self.name, self.__doc__ = work_out, work_out.__name__, work_out.__doc__

    @overload
    def __get__(self, owner: None, kind: type[Any]) -> kept[T]: ...

    @overload
    def __get__(self, owner: object, kind: type[Any]) -> T: ...

    def __get__(self, owner: object | None, kind: type[Any]) -> kept[T] | T:
        if owner is None:
            return self
        value = owner.__dict__[self.name] = self.work_out(owner)
        return value
