"""Drawing on a credit line (支用) and paying out (放款): first reserved, then confirmed or failed.

A draw reserves the limit and orders a payout; the loan starts on the value date of its confirmation. Source: SEMANTICS 2.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any, cast

from ..days import Term
from ..errors import DrawRefused, InvalidDate, InvalidTerms
from ..money import amount_text, positive_minor, to_major
from ..products import Product
from ..servicing.facility import DrawRequest, ExposureCap, Refusal, available, draw_refusals
from ..store import catalogue, lending, reading
from ..store.chain import canonical_parts
from ..store.unit import Unit
from ..terms import LoanTerms, Method
from . import lender
from .business_days import with_rolled_dates
from .ceilings import ceiling_in_force
from .dossier import Dossier, LoanFile, open_dossier, open_loan, refuse_unless
from .facilities import line_of
from .lives import CONFIRMED, DRAWN, FAILED, LoanLife, parse_rate
from .results import Drawdown, Loan, Payout
from .views import loan_view


def length_of(days: int | None, months: int | None) -> Term | None:
    """A length from days or months, not both. Raises InvalidDate."""
    if days is not None and months is not None:
        raise InvalidDate(field="days", value=days, reason="give days or months, not both")
    if days is not None:
        return Term.parse(f"{days}d", "days")
    return None if months is None else Term.parse(f"{months}m", "months")


def draw(
    unit: Unit, facility_id: str, amount: object, term: Term | None, method: str | None, confirm: bool
) -> Drawdown:
    """Draw on a facility. Raises DrawRefused with every reason, in the documented order."""
    dossier = open_dossier(unit, facility_id)
    row = dossier.row
    minor = positive_minor(amount, row["currency"])
    product = catalogue.product(unit, row["product"], row["product_version"])
    request = _request(product, row, minor, term or product.default_term, method, dossier.today)
    refusals = _refusals(unit, dossier, product, request)
    if refusals:
        raise _refused(facility_id, amount_text(minor, row["currency"]), refusals)
    assert request.terms is not None, "a draw without reasons against it has terms"
    loan = _pending(dossier, request.terms)
    if confirm:
        dossier.settle(loan, _confirmed(dossier, loan, request.terms))
    dossier.write()
    return _drawdown(dossier, loan, request.terms, request.term)


def _request(
    product: Product, row: dict[str, Any], minor: int, term: Term, method: str | None, today: date
) -> DrawRequest:
    chosen = method or product.default_method
    terms = None
    if product.offers(chosen, term):
        principal = amount_text(minor, product.currency)
        rate = parse_rate(row["rate"])
        terms = product.terms_of(principal, rate, today, term, cast(Method, chosen))
    return DrawRequest(minor, chosen, term, terms)


def _refusals(unit: Unit, dossier: Dossier, product: Product, request: DrawRequest) -> Sequence[Refusal]:
    bucket, merchant = dossier.row["bucket"], dossier.row["merchant"]
    return draw_refusals(
        line_of(dossier.row),
        request,
        product,
        day=dossier.today,
        overdue_loan=lending.overdue_loan(unit, bucket, merchant),
        caps=_caps(unit, product, dossier),
        ceiling=ceiling_in_force(unit, product, dossier.today),
    )


def _caps(unit: Unit, product: Product, dossier: Dossier) -> Sequence[ExposureCap]:
    """The product's cap per merchant, then what the lender's dated settings add."""
    bucket, merchant = dossier.row["bucket"], dossier.row["merchant"]
    own = product.caps.minor(product.currency)
    caps = (
        [] if own is None else [ExposureCap("merchant", own, lending.exposure_minor(unit, bucket, merchant))]
    )
    if lender.dated_caps(unit, dossier.today) is None:
        return caps
    from .related import locked_group

    # Two related merchants must not draw under one cap at once.
    group = locked_group(unit, merchant, dossier.today)
    return [*caps, *lender.exposure_caps(unit, merchant, group)]


def _refused(facility_id: str, amount: str, refusals: Sequence[Refusal]) -> DrawRefused:
    reasons = [{"code": refusal.code, **refusal.details} for refusal in refusals]
    explanation = "; ".join(
        refusal.code + "".join(f", {name} {value}" for name, value in refusal.details.items())
        for refusal in refusals
    )
    return DrawRefused(
        code=refusals[0].code,
        facility_id=facility_id,
        amount=amount,
        reasons=reasons,
        explanation=explanation,
    )


def _pending(dossier: Dossier, terms: LoanTerms) -> LoanFile:
    row = dossier.row
    loan = dossier.open(
        {
            name: row[name]
            for name in ("tenant", "bucket", "merchant", "product", "product_version", "currency")
        }
        | {
            "id": dossier.unit.new_id("loan", row["bucket"]),
            "facility": dossier.id,
            "terms": terms.text,
            "drawn_minor": terms.principal_minor,
            "drawn_on": dossier.today,
            "drawn_at": dossier.unit.now,
            "start": None,
            "maturity": None,
            "status": "pending",
            "principal_minor": 0,
            "credit_minor": 0,
            "class": "normal",
            "memo": 0,
            "oldest_due": None,
            "held_through": None,
            "held_reason": None,
        }
    )
    payload = canonical_parts(amount_minor=str(terms.principal_minor), terms=terms.text)
    dossier.book(DRAWN, payload, loan=loan.id)
    row["pending_minor"] += terms.principal_minor
    return loan


def confirm_payout(unit: Unit, loan_id: str, value_date: date | None) -> Loan:
    """The payout arrived: the loan starts on the value date. Raises EventRefused unless pending, InvalidDate."""
    dossier, loan = open_loan(unit, loan_id)
    day = value_date or dossier.today
    _guard_payout(loan, "confirmed")
    if not loan.row["drawn_on"] <= day <= dossier.today:
        reason = f"a payout is valued from its draw on {loan.row['drawn_on']} to the open day {dossier.today}"
        raise InvalidDate(field="value_date", value=str(day), reason=reason)
    dossier.settle(loan, _confirmed(dossier, loan, _starting(loan, day)))
    dossier.write()
    return loan_view(loan, loan.life.state(dossier.today))


def _starting(loan: LoanFile, day: date) -> LoanTerms:
    """The terms agreed at the draw, from the day the money arrived. Raises InvalidDate."""
    try:
        return LoanTerms.parse(json.loads(loan.row["terms"]) | {"start": day.isoformat()})
    except InvalidTerms:
        raise InvalidDate(
            field="value_date", value=str(day), reason="the terms do not allow this start"
        ) from None


def _confirmed(dossier: Dossier, loan: LoanFile, agreed: LoanTerms) -> LoanLife:
    """Book the payout; the life that begins with it."""
    row = loan.row
    product = catalogue.product(dossier.unit, row["product"], row["product_version"])
    terms = with_rolled_dates(dossier.unit, product, agreed)
    payload = canonical_parts(terms=terms.text)
    event = dossier.book(CONFIRMED, payload, loan=loan.id, value_date=terms.start)
    row |= {"terms": terms.text, "start": terms.start}
    dossier.row["pending_minor"] -= row["drawn_minor"]
    return LoanLife(agreed=terms, payout_family=(event["id"],))


def fail_payout(unit: Unit, loan_id: str, reason: str) -> Loan:
    """The payout did not arrive: the loan is cancelled and its reserve released. Raises EventRefused unless pending."""
    dossier, loan = open_loan(unit, loan_id)
    _guard_payout(loan, "failed")
    dossier.book(FAILED, {"reason": reason}, loan=loan.id)
    dossier.row["pending_minor"] -= loan.row["drawn_minor"]
    dossier.settle(loan, LoanLife(failed=True))
    dossier.write()
    return loan_view(loan, loan.life.state(dossier.today))


def _guard_payout(loan: LoanFile, what: str) -> None:
    status = loan.row["status"]
    refuse_unless(
        status == "pending", f"loan_{status}", loan.id, f"is {status}; only a pending payout can be {what}"
    )


def _drawdown(dossier: Dossier, loan: LoanFile, terms: LoanTerms, term: Term) -> Drawdown:
    room = available(line_of(dossier.row), dossier.today)
    return Drawdown(
        loan_id=loan.id,
        facility_id=dossier.id,
        status=loan.row["status"],
        principal=to_major(terms.principal_minor, terms.currency),
        available=to_major(room, terms.currency),
        currency=terms.currency,
        method=terms.method,
        term=str(term),
        daily_rate=terms.rate.daily,
        yearly_rate=terms.rate.yearly,
        event_id=dossier.events[0]["id"],
        start=loan.row["start"],
        maturity=loan.row["maturity"],
    )


def payouts(unit: Unit) -> tuple[Payout, ...]:
    """Payout orders that wait to be confirmed or failed, oldest first."""
    return tuple(
        Payout(
            row.id,
            row.facility,
            row.merchant,
            to_major(row.drawn_minor, row.currency),
            row.currency,
            row.drawn_on,
        )
        for row in reading.pending_loans(unit)
    )
