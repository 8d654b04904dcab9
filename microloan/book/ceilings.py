"""Dated ceilings on the price of loans: which is in force, what it stops, and the share of new loans above 4 × LPR.

Source: SEMANTICS 2 (dated configuration, never constants; a report shows the share of new loans above 4 × LPR).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

from ..days import Term, add_months
from ..errors import EventRefused, InvalidDate
from ..money import amount_text, to_major
from ..products import Product, ceiling_on
from ..rates import Rate, rate_decimal
from ..reports.result import LeftOut
from ..servicing.facility import costs_more_than
from ..store import reading
from ..store.damaged import FAULTS
from ..store.unit import Unit
from ..terms import LoanTerms
from . import lender
from .lives import fault_told, parse_terms
from .results import CeilingLine, RateCeilingReport

if TYPE_CHECKING:
    from ..underwriting import Policy

#: The multiple of the LPR that Chinese courts hold against private lending. Source: SEMANTICS 2; confirm with counsel.
LPR_MULTIPLE = 4


def ceiling_in_force(unit: Unit, product: Product, day: date) -> Fraction | None:
    """The highest all-in yearly cost on a day, as a fraction: the lender's own where it has set some, else the product's.

    None where there is no ceiling, or where it needs an LPR that is not set.
    """
    own = lender.rate_ceilings(unit)
    ceiling = ceiling_on(product.ceilings if own is None else own, day)
    if ceiling is None:
        return None
    return ceiling.limit(None if ceiling.lpr_multiple is None else lender.lpr_on(unit, day))


def guard_price(unit: Unit, product: Product, terms: LoanTerms, subject: str) -> None:
    """Refuse terms whose all-in cost passes the ceiling on their first day. Raises EventRefused (rate_above_ceiling)."""
    ceiling = ceiling_in_force(unit, product, terms.start)
    if ceiling is not None and costs_more_than(terms, ceiling):
        shown, yearly = rate_decimal(ceiling), terms.rate.yearly
        reason = f"at {yearly} a year its all-in cost passes the ceiling of {shown} in force on {terms.start}"
        raise EventRefused(code="rate_above_ceiling", subject=subject, reason=reason)


def guard_product(unit: Unit, product: Product) -> None:
    """Refuse a product whose draws the ceiling would refuse at a price of the policies in force.

    A product names no rate: each method is tried at its shortest and its longest length, on the open day, at the highest
    of these prices. Without an approved policy there is no price to try. Raises EventRefused (rate_above_ceiling).
    """
    day = unit.book_day()
    prices = _prices(unit, day)
    if not prices:
        return
    _guard_dearest(unit, product, prices, day, f"product {product.name} version {product.version}")


def guard_policy(unit: Unit, policy: Policy, product: Product, day: date) -> None:
    """Refuse a policy that takes effect on *day* with a grade whose price the ceiling would refuse for draws of *product*.

    Raises EventRefused (rate_above_ceiling).
    """
    prices = [grade.rate for grade in policy.grades]
    _guard_dearest(unit, product, prices, day, f"policy {policy.name} version {policy.version}")


def _guard_dearest(unit: Unit, product: Product, prices: list[Rate], day: date, subject: str) -> None:
    dearest = max(prices, key=lambda price: price.per_day)
    for terms in _cases(product, dearest, day):
        guard_price(unit, product, terms, subject)


def _prices(unit: Unit, day: date) -> list[Rate]:
    """The rates of every grade of the policies in force."""
    from ..store import decisions
    from ..underwriting import Policy  # heavy, and few commands price anything

    begun = [row for row in decisions.policies(unit) if row.status == "approved" and row.effective_on <= day]
    newest = {row.name: row.body for row in begun}  # by name and version
    return [grade.rate for body in newest.values() for grade in Policy.from_canonical(body).grades]


def _cases(product: Product, rate: Rate, day: date) -> Iterator[LoanTerms]:
    principal = amount_text(
        (product.minor("min_draw") or 0) * 1000, product.currency
    )  # rounding weighs nothing
    for offer in product.methods:
        spans = {(count, span.unit) for span in offer.terms for count in (span.first, span.last)}
        for count, kind in sorted(spans):
            yield product.terms_of(principal, rate, day, Term(count, kind), offer.method)


# --- the report ------------------------------------------------------------------------------------------------------


@dataclass
class _Count:
    """New loans so far, and those above the threshold; minor units."""

    loans: int = 0
    minor: int = 0
    loans_above: int = 0
    minor_above: int = 0

    def add(self, minor: int, above: bool) -> None:
        """One more loan."""
        self.loans, self.minor = self.loans + 1, self.minor + minor
        if above:
            self.loans_above, self.minor_above = self.loans_above + 1, self.minor_above + minor


def rate_ceiling_report(unit: Unit, first: date | None, last: date | None) -> RateCeilingReport:
    """New loans by month and LPR, and those whose all-in cost is above 4 × the LPR of their first day.

    By default the twelve months to the open day. Raises InvalidDate for days in the wrong order.
    *Source:* SEMANTICS 2.
    """
    last = last or unit.book_day()
    first = first or add_months(last, -12) + timedelta(days=1)
    if last < first:
        raise InvalidDate(field="to", value=str(last), reason=f"lies before {first}")
    counts: dict[tuple[str, Fraction | None], _Count] = {}
    lprs: dict[date, Fraction | None] = {}
    left_out: list[LeftOut] = []
    for row in reading.loans(unit):
        if row.start is None or row.status == "cancelled" or not first <= row.start <= last:
            continue
        if row.start not in lprs:
            lprs[row.start] = lender.lpr_on(unit, row.start)
        lpr = lprs[row.start]
        try:
            above = lpr is not None and costs_more_than(parse_terms(row.terms), LPR_MULTIPLE * lpr)
        except FAULTS as fault:
            left_out.append(LeftOut(row.id, fault_told(fault)))
            continue
        counts.setdefault((f"{row.start:%Y-%m}", lpr), _Count()).add(row.drawn_minor, above)
    keys = sorted(counts, key=lambda key: (key[0], key[1] or 0))
    lines = tuple(_line(unit, month, lpr, counts[month, lpr]) for month, lpr in keys)
    return RateCeilingReport(first, last, unit.book.currency, lines, tuple(left_out))


def _line(unit: Unit, month: str, lpr: Fraction | None, count: _Count) -> CeilingLine:
    amount = to_major(count.minor, unit.book.currency)
    if lpr is None:
        return CeilingLine(month, None, None, count.loans, amount, None, None, None)
    above = to_major(count.minor_above, unit.book.currency)
    share = rate_decimal(Fraction(count.minor_above, count.minor), 4)
    threshold = rate_decimal(LPR_MULTIPLE * lpr)
    return CeilingLine(
        month, rate_decimal(lpr), threshold, count.loans, amount, count.loans_above, above, share
    )
