"""Aging (账龄): what is owed on a day, by days past due and by class of risk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import ClassVar

from ..money import to_major
from ..terms import CLASS_NAMES
from .exposure import BUCKETS, Exposure, bucket_of
from .result import LeftOut, Report, share


@dataclass(frozen=True, slots=True)
class AgingLine:
    """The loans of one bucket: unpaid principal and its share of all, booked and unpaid interest, penalty and fees."""

    bucket: str
    loans: int
    principal: Decimal
    share: Decimal | None
    interest: Decimal
    penalty: Decimal
    fees: Decimal


@dataclass(frozen=True, slots=True)
class ClassLine:
    """The loans of one class of risk: unpaid principal and its share of all."""

    classification: str
    loans: int
    principal: Decimal
    share: Decimal | None


@dataclass(frozen=True, slots=True)
class Aging(Report):
    """Loans owed at the end of ``as_of``, written-off ones left out, as the ledger then had them.

    A loan stands in the bucket of its days past due: days since the oldest unpaid due date, which itself is day 0. All its
    principal stands there, due or not. ``principal`` is the total; ``ledger_principal`` the balance of the principal
    accounts in the general ledger at the end of that day, and ``difference`` the first less the second: zero in a sound
    book. ``written_off_claim`` is the principal, interest, penalty and fees still claimed after write-offs (off the balance).
    *Source:* SEMANTICS 5 (days past due, classes).
    """

    name: ClassVar[str] = "aging"
    TABLES: ClassVar[tuple[str, ...]] = ("lines", "classes")
    as_of: date
    currency: str
    loans: int
    principal: Decimal
    ledger_principal: Decimal
    difference: Decimal
    written_off_loans: int
    written_off_claim: Decimal
    lines: tuple[AgingLine, ...]
    classes: tuple[ClassLine, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass
class _Sum:
    loans: int = 0
    principal: int = 0
    interest: int = 0
    penalty: int = 0
    fees: int = 0

    def add(self, one: Exposure) -> None:
        self.loans += 1
        self.principal += one.state.principal
        self.interest += one.state.interest
        self.penalty += one.state.penalty
        self.fees += one.state.fees


@dataclass
class _Sums:
    buckets: dict[str, _Sum] = field(default_factory=lambda: {name: _Sum() for name in BUCKETS})
    classes: dict[str, _Sum] = field(default_factory=lambda: {name: _Sum() for name in CLASS_NAMES})
    lost: _Sum = field(default_factory=_Sum)


def aging(exposures: Iterable[Exposure], as_of: date, currency: str, ledger_principal: int) -> Aging:
    """The aging of loans as they stood at the end of a day; *ledger_principal* in minor units."""
    sums = _Sums()
    for one in exposures:
        if one.state.written_off:
            sums.lost.add(one)
        elif one.owed:
            sums.buckets[bucket_of(one.state.days_past_due)].add(one)
            sums.classes[one.state.classification].add(one)
    return _report(sums, as_of, currency, ledger_principal)


def _report(sums: _Sums, as_of: date, currency: str, ledger: int) -> Aging:
    def money(minor: int) -> Decimal:
        return to_major(minor, currency)

    total = sum(one.principal for one in sums.buckets.values())
    lost = sums.lost
    return Aging(
        as_of=as_of,
        currency=currency,
        loans=sum(one.loans for one in sums.buckets.values()),
        principal=money(total),
        ledger_principal=money(ledger),
        difference=money(total - ledger),
        written_off_loans=lost.loans,
        written_off_claim=money(lost.principal + lost.interest + lost.penalty + lost.fees),
        lines=tuple(
            AgingLine(
                name, one.loans, money(one.principal), share(one.principal, total), money(one.interest),
                money(one.penalty), money(one.fees),
            )
            for name, one in sums.buckets.items()
        ),
        classes=tuple(
            ClassLine(name, one.loans, money(one.principal), share(one.principal, total))
            for name, one in sums.classes.items()
        ),
    )  # fmt: skip
