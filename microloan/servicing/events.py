"""The facts of a loan's life: immutable, append-only, ordered by value date, kind and sequence.

A mistake is corrected by a :class:`Reversed`; a late entry carries an earlier value date. Source: SEMANTICS 6 and 9.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, ClassVar

from ..days import parse_date
from ..errors import InvalidEvent
from ..rates import Rate
from ..terms import Component, Method


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact. ``value_date`` is when it counts, ``booked_on`` the open day on which it was entered, ``sequence`` its place."""

    kind: ClassVar[str] = ""
    rank: ClassVar[int] = 0  # order of a day, SEMANTICS 9.3

    id: str
    value_date: date
    booked_on: date
    sequence: int = 0

    def order(self) -> tuple[date, int, int]:
        """The place of this event in replay.

        >>> day = date(2024, 1, 2)
        >>> paid = Repaid(id="r1", value_date=day, booked_on=day, amount_minor=100)
        >>> RateChanged(id="c1", value_date=day, booked_on=day, sequence=9, rate=Rate.parse("0%/day")).order() < paid.order()
        True
        """
        return (self.value_date, self.rank, self.sequence)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateChanged(Event):
    """From the night of its date the loan bears another contract rate."""

    kind, rank = "rate_change", 1
    rate: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class InterestPaused(Event):
    """Interest and penalty of the nights from ``first`` to, not including, ``until`` are nil."""

    kind, rank = "pause_interest", 2
    first: date
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended(Event):
    """The loan gets a later maturity; what was past due moves to the next due date (展期)."""

    kind, rank = "extend", 3
    maturity: date
    due_dates: tuple[date, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restructured(Extended):
    """The loan goes on under new terms from what is outstanding: another maturity, and where given method, due day, rate."""

    kind, rank = "restructure", 3
    method: Method | None = None
    due_day: int | None = None
    rate: Rate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeCharged(Event):
    """A fee, collectable from its date."""

    kind, rank = "fee", 4
    amount_minor: int
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waived(Event):
    """The lender gives up part of a component (减免); at most what is owed."""

    kind, rank = "waive", 5
    component: Component
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaid(Event):
    """Money came in for this loan; ``to_principal`` asks that what is left after the interest to the day rebuild the plan."""

    kind, rank = "repay", 6
    amount_minor: int
    to_principal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Event):
    """A net settlement of the shop reached a sweep loan; a share of it is taken."""

    kind, rank = "settlement", 7
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenOff(Event):
    """The claim is taken off the balance sheet (核销): all of it is due, nothing accrues any more."""

    kind, rank = "write_off", 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered(Event):
    """Money came in after the write-off."""

    kind, rank = "recover", 9
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded(Event):
    """A credit balance (溢缴款) was paid out, or moved to another loan (``moved_to``)."""

    kind, rank = "refund", 10
    amount_minor: int
    moved_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversed(Event):
    """An earlier event never counted; reversing a reversal makes the first count again. ``value_date`` repeats ``booked_on``."""

    kind, rank = "reverse", 11
    of: str
    reason: str = ""


KINDS: dict[str, type[Event]] = {
    kind.kind: kind
    for kind in (
        RateChanged, InterestPaused, Extended, Restructured, FeeCharged, Waived, Repaid, Settled, WrittenOff, Recovered,
        Refunded, Reversed,
    )
}  # fmt: skip


def rate_of(event: Event) -> Rate | None:
    """The contract rate an event brings, if any.

    >>> day = date(2024, 1, 2)
    >>> rate_of(RateChanged(id="c1", value_date=day, booked_on=day, rate=Rate.parse("0.04%/day"))).daily
    Decimal('0.0004')
    >>> rate_of(Repaid(id="r1", value_date=day, booked_on=day, amount_minor=100)) is None
    True
    """
    return event.rate if isinstance(event, (RateChanged, Restructured)) else None


_COMMON = {"id", "value_date", "booked_on", "sequence"}


def event_payload(event: Event) -> dict[str, Any]:
    """What is particular to this event, as plain JSON values: the canonical payload of an event row.

    >>> event_payload(Repaid(id="r1", value_date=date(2024, 1, 2), booked_on=date(2024, 1, 2), amount_minor=100))
    {'amount_minor': 100, 'to_principal': False}
    """
    return {f.name: _plain(getattr(event, f.name)) for f in fields(event) if f.name not in _COMMON}


def event_from_payload(
    kind: str, payload: Mapping[str, Any], *, id: str, value_date: date, booked_on: date, sequence: int
) -> Event:
    """The event of a stored row; the inverse of :func:`event_payload`.

    Raises InvalidEvent for a kind or a field that no event has.

    >>> day = date(2024, 1, 2)
    >>> event_from_payload("repay", {"amount_minor": 100}, id="r1", value_date=day, booked_on=day, sequence=1).amount_minor
    100
    """
    values = dict(payload)
    if values.get("rate") is not None:
        values["rate"] = Rate.parse(values["rate"])
    for name in ("first", "until", "maturity"):
        if name in values:
            values[name] = parse_date(values[name], name)
    if values.get("due_dates"):
        values["due_dates"] = tuple(parse_date(day, "due_dates") for day in values["due_dates"])
    try:
        return KINDS[kind](id=id, value_date=value_date, booked_on=booked_on, sequence=sequence, **values)
    except (KeyError, TypeError) as fault:
        raise InvalidEvent(
            id=id, field="kind", value=kind, reason=f"not an event of a loan ({fault})"
        ) from None


def _plain(value: object) -> object:
    if isinstance(value, Rate):
        return value.canonical()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value


__all__ = [
    "KINDS", "Event", "Extended", "FeeCharged", "InterestPaused", "RateChanged", "Recovered", "Refunded",
    "Repaid", "Restructured", "Reversed", "Settled", "Waived", "WrittenOff", "event_from_payload", "event_payload",
]  # fmt: skip
