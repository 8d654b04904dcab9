"""May this be drawn? A credit line's limit, what is available of it, and every reason against a draw at once.

Source: SEMANTICS 2. Amounts are minor units.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction

from ..days import Term
from ..money import amount_text, half_up_div
from ..products import Product
from ..rates import rate_decimal
from ..terms import LoanTerms
from .fold import Fold
from .outlook import plan_rows


@dataclass(frozen=True, slots=True)
class Line:
    """A facility as a draw meets it; ``seasonal_limit`` comes on top until ``seasonal_until``, that day included."""

    status: str
    valid_until: date
    limit: int
    outstanding: int = 0
    pending: int = 0
    seasonal_limit: int = 0
    seasonal_until: date | None = None

    @property
    def used(self) -> int:
        """Outstanding principal and reserved payouts."""
        return self.outstanding + self.pending


@dataclass(frozen=True, slots=True)
class ExposureCap:
    """A cap on what is lent, and what is lent under it now; ``most`` is None where its input is not set."""

    name: str
    most: int | None
    used: int


@dataclass(frozen=True, slots=True)
class DrawRequest:
    """What the merchant asks for; ``terms`` are the loan's terms if it started today, None if they cannot be made."""

    amount: int
    method: str
    term: Term
    terms: LoanTerms | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason against a draw: a stable code, and the figures behind it as text."""

    code: str
    details: dict[str, str] = field(default_factory=dict)


def limit_on(line: Line, day: date) -> int:
    """The limit in force on a day: the standing one, and the seasonal one until its end.

    >>> limit_on(Line("active", date(2025, 1, 1), 100, seasonal_limit=50, seasonal_until=date(2024, 6, 30)), date(2024, 7, 1))
    100
    """
    in_season = line.seasonal_until is not None and day <= line.seasonal_until
    return line.limit + (line.seasonal_limit if in_season else 0)


def available(line: Line, day: date) -> int:
    """What can be drawn on a day: limit − outstanding principal − pending draws, never below zero; 0 unless active and valid.

    *Source:* SEMANTICS 2.

    >>> available(Line("active", date(2025, 1, 1), limit=100, outstanding=30, pending=20), date(2024, 7, 1))
    50
    """
    if line.status != "active" or day > line.valid_until:
        return 0
    return max(0, limit_on(line, day) - line.used)


def draw_refusals(
    line: Line,
    request: DrawRequest,
    product: Product,
    *,
    day: date,
    overdue_loan: str | None = None,
    caps: Sequence[ExposureCap] = (),
    ceiling: Fraction | None = None,
) -> tuple[Refusal, ...]:
    """Every reason against a draw on *day*, in the documented order; empty when it may be drawn.

    Order: facility_not_active, facility_not_valid, limit_exceeded, below_minimum, above_maximum, not_multiple,
    loan_overdue, term_not_offered, method_not_offered, cap_exceeded, rate_above_ceiling. *ceiling* is the highest all-in
    yearly cost in force, as a fraction; None where none is set. *Source:* SEMANTICS 2.

    >>> product = Product.shipped("CNY")
    >>> terms = product.terms_of("300", "0.048%/day", date(2024, 1, 1), Term(90, "d"))
    >>> frozen = Line("frozen", date(2025, 1, 1), limit=20000)
    >>> request = DrawRequest(30000, "anytime", Term(90, "d"), terms)
    >>> [refusal.code for refusal in draw_refusals(frozen, request, product, day=date(2024, 1, 1))]
    ['facility_not_active', 'limit_exceeded']
    """
    return (
        *_line_refusals(line, request, product, day),
        *_amount_refusals(request, product),
        *_merchant_refusals(overdue_loan),
        *_offer_refusals(line, request, product, day),
        *_cap_refusals(request, caps, product),
        *_price_refusals(request, ceiling),
    )


def _line_refusals(line: Line, request: DrawRequest, product: Product, day: date) -> Iterator[Refusal]:
    if line.status != "active":
        yield Refusal("facility_not_active", {"status": line.status})
    if day > line.valid_until:
        yield Refusal("facility_not_valid", {"valid_until": line.valid_until.isoformat()})
    room = max(0, limit_on(line, day) - line.used)
    if request.amount > room:
        yield Refusal("limit_exceeded", {"available": amount_text(room, product.currency)})


def _amount_refusals(request: DrawRequest, product: Product) -> Iterator[Refusal]:
    least, most, multiple = (product.minor(name) for name in ("min_draw", "max_draw", "multiple"))
    if least is not None and request.amount < least:
        yield Refusal("below_minimum", {"minimum": amount_text(least, product.currency)})
    if most is not None and request.amount > most:
        yield Refusal("above_maximum", {"maximum": amount_text(most, product.currency)})
    if multiple is not None and request.amount % multiple:
        yield Refusal("not_multiple", {"multiple": amount_text(multiple, product.currency)})


def _merchant_refusals(overdue_loan: str | None) -> Iterator[Refusal]:
    if overdue_loan is not None:
        yield Refusal("loan_overdue", {"loan_id": overdue_loan})


def _offer_refusals(line: Line, request: DrawRequest, product: Product, day: date) -> Iterator[Refusal]:
    offer = product.offer_of(request.method)
    seasonal = line.used + request.amount > line.limit
    last_seasonal = day + timedelta(days=product.seasonal_max_days)
    if offer is not None and not offer.offers(request.term):
        yield Refusal(
            "term_not_offered", {"term": str(request.term), "offered": ", ".join(map(str, offer.terms))}
        )
    elif seasonal and request.term.end(day) > last_seasonal:
        yield Refusal(
            "term_not_offered", {"term": str(request.term), "offered": f"1d..{product.seasonal_max_days}d"}
        )
    if offer is None:
        yield Refusal("method_not_offered", {"method": request.method})


def _cap_refusals(request: DrawRequest, caps: Sequence[ExposureCap], product: Product) -> Iterator[Refusal]:
    for cap in caps:
        if cap.most is not None and cap.used + request.amount > cap.most:
            most, used = (amount_text(minor, product.currency) for minor in (cap.most, cap.used))
            yield Refusal("cap_exceeded", {"cap": cap.name, "most": most, "used": used})


def _price_refusals(request: DrawRequest, ceiling: Fraction | None) -> Iterator[Refusal]:
    if request.terms is not None and ceiling is not None and costs_more_than(request.terms, ceiling):
        yearly = str(request.terms.rate.yearly)
        yield Refusal("rate_above_ceiling", {"ceiling": str(rate_decimal(ceiling)), "yearly_rate": yearly})


def costs_more_than(terms: LoanTerms, ceiling: Fraction) -> bool:
    """Does the all-in cost pass a yearly ceiling, at the scheduled maturity or at the earliest possible payoff?

    Cost over the principal actually outstanding × 365; the half-up rounding of a bill is not held against it.
    *Source:* SEMANTICS 2.

    >>> terms = Product.shipped("CNY").terms_of("300000", "0.07%/day", date(2024, 1, 1), Term(90, "d"))
    >>> costs_more_than(terms, Fraction(24, 100)), costs_more_than(terms, Fraction(26, 100))
    (True, False)
    """
    if _rate_shows_it_within(terms, ceiling):
        return False
    loan = Fold(terms)
    rows = plan_rows(loan)
    loan.advance(loan.start + 1)
    most, per = ceiling.numerator, ceiling.denominator * 365
    if loan.payoff() - terms.principal_minor > half_up_div(most * terms.principal_minor, per):
        return True
    outstanding, since, principal_days = terms.principal_minor, terms.start, 0
    for row in rows:
        principal_days += outstanding * (row.due - since).days
        outstanding, since = outstanding - row.principal, row.due
    cost = sum(row.interest for row in rows)
    return 2 * cost * per > 2 * most * principal_days + len(rows) * per


def _rate_shows_it_within(terms: LoanTerms, ceiling: Fraction) -> bool:
    """Whether the contract rate alone shows that the cost stays within; without it the plan must be walked.

    With calendar nights and no minimum days every bill is at most rate × principal × days, half a unit of rounding apart.
    """
    if terms.day_count != "actual" or terms.min_interest_days or terms.method == "sweep":
        return False
    rate = terms.rate.per_day
    return rate.numerator * 365 * ceiling.denominator <= ceiling.numerator * rate.denominator
