"""Provisions (拨备): a share of the principal of a group of loans, by class; a position of the group, not of a loan.

Per bucket, product and class the share is rounded once; the last figure is stored and the difference posted. Source:
SEMANTICS 5. The shipped rates are those of the five-category guidance for loan loss reserves; configuration, not law.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from ..money import half_up_div
from ..terms import CLASS_NAMES

#: Share of principal set aside per class: 1.5 / 3 / 30 / 60 / 100%.
SHIPPED_RATES: dict[str, Fraction] = dict(
    zip(
        CLASS_NAMES,
        (Fraction(15, 1000), Fraction(3, 100), Fraction(3, 10), Fraction(6, 10), Fraction(1)),
        strict=True,
    )
)

#: The two accounts of a provision; the allowance carries the class.
PROVISION_ACCOUNTS = ("provision_allowance", "provision_expense")


def provision(principal: int, class_: str, rates: Mapping[str, Fraction] = SHIPPED_RATES) -> int:
    """What must be set aside for a group's principal of one class, in minor units, rounded half-up once.

    >>> provision(1000033, "normal")
    15000
    """
    rate = rates[class_]
    return half_up_div(rate.numerator * principal, rate.denominator)


def provision_postings(before: int, after: int) -> dict[str, int]:
    """The balanced lines that bring a group's allowance from one figure to another; none when nothing changed.

    >>> provision_postings(15000, 30000)
    {'provision_allowance': -15000, 'provision_expense': 15000}
    """
    change = after - before
    return {} if not change else {"provision_allowance": -change, "provision_expense": change}
