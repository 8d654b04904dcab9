"""Provisions (拨备): what is set aside per product and class, against the principal and the rates it is counted from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar

from ..accounting.provisions import provision
from ..money import to_major
from ..rates import rate_decimal
from ..terms import CLASS_NAMES
from .result import LeftOut, Report


@dataclass(frozen=True, slots=True)
class ProvisionLine:
    """A product's loans of one class: principal and allowance in the ledger, and the allowance their principal asks for.

    ``provision_rate`` is the share of principal set aside. ``required`` is rounded once per bucket of the book, as the close
    does; ``to_post`` = required − allowance is what the next close posts if nothing moves before.
    """

    product: str
    classification: str
    provision_rate: Decimal
    principal: Decimal
    allowance: Decimal
    required: Decimal
    to_post: Decimal


@dataclass(frozen=True, slots=True)
class Provisions(Report):
    """The allowance for loan losses at the end of ``as_of``: principal and allowance as the general ledger has them.

    ``to_post`` is not zero where commands of the day moved principal after its morning. *Source:* SEMANTICS 5.
    """

    name: ClassVar[str] = "provisions"
    as_of: date
    currency: str
    principal: Decimal
    allowance: Decimal
    required: Decimal
    to_post: Decimal
    lines: tuple[ProvisionLine, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass
class _Group:
    principal: int = 0
    booked: int = 0
    required: int = 0


@dataclass
class _Bucket:
    principal: int = 0
    booked: int = 0


@dataclass
class _Groups:
    buckets: dict[tuple[int, str, str], _Bucket] = field(default_factory=dict)

    def read(self, balances: Iterable[Any]) -> None:
        for row in balances:
            one = self.buckets.setdefault((row.bucket, row.product, row.class_), _Bucket())
            if row.account == "principal":
                one.principal += int(row.total)
            else:
                one.booked -= int(row.total)

    def per_product(self, rates: Mapping[str, Fraction]) -> dict[tuple[str, str], _Group]:
        found: dict[tuple[str, str], _Group] = {}
        for (_, product, class_), one in self.buckets.items():
            group = found.setdefault((product, class_), _Group())
            group.principal += one.principal
            group.booked += one.booked
            group.required += provision(one.principal, class_, rates)
        return found


def provisions(
    balances: Iterable[Any], as_of: date, currency: str, rates: Mapping[str, Fraction]
) -> Provisions:
    """The report from the ledger's balances: rows of bucket, product, ``class_``, account and ``total`` in minor units.

    *rates* are the shares of principal by class that the close of ``as_of`` sets aside.
    """
    groups = _Groups()
    groups.read(balances)
    found = sorted(
        groups.per_product(rates).items(), key=lambda item: (item[0][0], CLASS_NAMES.index(item[0][1]))
    )
    lines = [
        _line(*name, group, rates[name[1]], currency)
        for name, group in found
        if group.principal or group.booked
    ]
    sums = [sum(getattr(group, name) for _, group in found) for name in ("principal", "booked", "required")]
    money = [to_major(minor, currency) for minor in (*sums, sums[2] - sums[1])]
    return Provisions(as_of, currency, money[0], money[1], money[2], money[3], tuple(lines))


def _line(product: str, class_: str, group: _Group, rate: Fraction, currency: str) -> ProvisionLine:
    amounts = (group.principal, group.booked, group.required, group.required - group.booked)
    return ProvisionLine(
        product, class_, rate_decimal(rate), *(to_major(minor, currency) for minor in amounts)
    )
