"""What is worked out once and kept."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict

from microloan.kept import kept


class Order:
    def __init__(self, *lines: int) -> None:
        self.lines, self.counted = lines, 0

    @kept
    def total(self) -> int:
        """The sum of its lines."""
        self.counted += 1
        if not self.lines:
            raise ValueError("an order has lines")
        return sum(self.lines)


def test_it_is_worked_out_at_first_use_and_never_again() -> None:
    order = Order(3, 4)
    assert order.counted == 0
    assert [order.total, order.total] == [7, 7]
    assert order.counted == 1


def test_each_object_keeps_its_own() -> None:
    assert (Order(1).total, Order(2).total) == (1, 2)


def test_what_raises_is_not_kept() -> None:
    order = Order()
    for _ in range(2):
        with pytest.raises(ValueError, match="an order has lines"):
            _ = order.total
    assert order.counted == 2


def test_the_class_shows_the_property_and_its_meaning() -> None:
    assert isinstance(Order.total, kept)
    assert Order.total.__doc__ == "The sum of its lines."


def test_a_frozen_model_keeps_it_without_having_it_as_a_field() -> None:
    class Frozen(BaseModel):
        model_config = ConfigDict(frozen=True, ignored_types=(kept,))
        amount: int

        @kept
        def double(self) -> int:
            return 2 * self.amount

    found = Frozen(amount=4)
    assert found.double == 8
    assert found.model_dump() == {"amount": 4}
    assert found == Frozen(amount=4)
