"""Roll rates (迁徙率): where the loans of one month end stand at the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import ClassVar

from ..money import to_major
from ..servicing.state import LoanState
from .exposure import BUCKETS, NOT_OWED, place_of
from .result import LeftOut, Report, share


@dataclass(frozen=True, slots=True)
class RollLine:
    """From a bucket at the end of a month to a place at the end of the next; ``principal`` as it stood at the first.

    ``share`` is of the principal of the bucket it came from. ``to_bucket`` may also be ``paid`` or ``written_off``.
    """

    month: date
    next_month: date
    from_bucket: str
    to_bucket: str
    loans: int
    principal: Decimal
    share: Decimal | None


@dataclass(frozen=True, slots=True)
class RollTotal:
    """All months together: the mean roll rate from a bucket to a place, weighted by principal."""

    from_bucket: str
    to_bucket: str
    loans: int
    principal: Decimal
    share: Decimal | None


@dataclass(frozen=True, slots=True)
class MonthEnd:
    """The principal of one bucket at the end of a month; over all buckets it is the principal in the ledger."""

    month: date
    bucket: str
    loans: int
    principal: Decimal
    share: Decimal | None


@dataclass(frozen=True, slots=True)
class RollRates(Report):
    """Every loan owed at a month end, by its bucket there and where it stood at the next month end.

    Both month ends are taken as the ledger then had them, so that a month once reported never changes. The rows of one
    bucket and month add up to its principal; all rows of a month to the principal in the ledger at its end. Loans paid out
    during a month have no bucket to come from and are left out of it. ``total`` are all months together.
    *Source:* house rule; the roll-rate matrix of the consumer-loan trade.
    """

    name: ClassVar[str] = "roll-rate"
    TABLES: ClassVar[tuple[str, ...]] = ("lines", "total", "months")
    as_of: date
    currency: str
    first: date | None
    last: date | None
    lines: tuple[RollLine, ...]
    total: tuple[RollTotal, ...]
    months: tuple[MonthEnd, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass
class _Cell:
    loans: int = 0
    minor: int = 0

    def add(self, minor: int, loans: int = 1) -> None:
        self.loans += loans
        self.minor += minor


@dataclass
class RollCount:
    """Loans counted one by one, so that none is kept; *ends* are month ends in order."""

    ends: Sequence[date]
    moves: dict[tuple[date, date, str, str], _Cell] = field(default_factory=dict)
    stock: dict[tuple[date, str], _Cell] = field(default_factory=dict)

    def add(self, states: Mapping[date, LoanState]) -> None:
        """One loan, by its states at the month ends at which it had been paid out."""
        owed = {end: place_of(state) for end, state in states.items()}
        for end, place in owed.items():
            if place in BUCKETS:
                self.stock.setdefault((end, place), _Cell()).add(states[end].principal)
        for end, then in pairwise(self.ends):
            if owed.get(end) in BUCKETS:
                move = (end, then, owed[end], owed[then])
                self.moves.setdefault(move, _Cell()).add(states[end].principal)

    def report(self, as_of: date, currency: str) -> RollRates:
        """The roll rates of everything counted; month ends before the first loan are left out."""
        began = min((end for end, _ in self.stock), default=None)
        self.ends = [end for end in self.ends if began is not None and end >= began]
        return RollRates(
            as_of, currency, began, self.ends[-1] if self.ends else None,
            tuple(self._lines(currency)), tuple(self._total(currency)), tuple(self._months(currency)),
        )  # fmt: skip

    def _lines(self, currency: str) -> list[RollLine]:
        wholes: dict[tuple[date, str], int] = {}
        for (end, _, came, _), cell in self.moves.items():
            wholes[end, came] = wholes.get((end, came), 0) + cell.minor
        return [
            RollLine(
                end,
                then,
                came,
                went,
                cell.loans,
                to_major(cell.minor, currency),
                share(cell.minor, wholes[end, came]),
            )
            for (end, then, came, went), cell in sorted(self.moves.items(), key=_in_order)
        ]

    def _total(self, currency: str) -> list[RollTotal]:
        sums: dict[tuple[str, str], _Cell] = {}
        wholes: dict[str, int] = {}
        for (_, _, came, went), cell in sorted(self.moves.items(), key=_in_order):
            sums.setdefault((came, went), _Cell()).add(cell.minor, cell.loans)
            wholes[came] = wholes.get(came, 0) + cell.minor
        return [
            RollTotal(came, went, cell.loans, to_major(cell.minor, currency), share(cell.minor, wholes[came]))
            for (came, went), cell in sorted(sums.items(), key=lambda item: tuple(map(PLACES.index, item[0])))
        ]

    def _months(self, currency: str) -> list[MonthEnd]:
        empty = _Cell()
        return [
            MonthEnd(end, bucket, cell.loans, to_major(cell.minor, currency), share(cell.minor, whole))
            for end in self.ends
            for whole in [sum(self.stock.get((end, name), empty).minor for name in BUCKETS)]
            for bucket in BUCKETS
            for cell in [self.stock.get((end, bucket), empty)]
        ]


PLACES = (*BUCKETS, *NOT_OWED)


def _in_order(item: tuple[tuple[date, date, str, str], _Cell]) -> tuple[date, int, int]:
    (end, _, came, went), _ = item
    return end, PLACES.index(came), PLACES.index(went)
