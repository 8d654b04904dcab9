"""What a person types for an offer, a facility or a loan: its id, or the merchant or shop whose it is."""

from __future__ import annotations

from collections.abc import Sequence

from microloan.errors import BadInput, NotFound

from .run import Run

OVER = ("closed", "expired", "cancelled")


def merchant_named(run: Run, given: str | None) -> str | None:
    """The merchant's id, where one was named. Raises NotFound."""
    return None if given is None else run.book.merchants.show(given).id


def offer_named(run: Run, given: str) -> str:
    """An offer's id; of a merchant, the offer that waits for a signature, else its newest."""
    if given.startswith("off-"):
        return given
    merchant = run.book.merchants.show(given).id
    offers = run.book.offers(merchant=merchant)
    waiting = [offer.id for offer in offers if offer.status == "offered"]
    return _newest(waiting or [offer.id for offer in offers], "offer", given)


def review_named(run: Run, given: str) -> str:
    """The decision a review is about; of a merchant, its open review."""
    if given.startswith("dec-"):
        return given
    merchant = run.book.merchants.show(given).id
    waiting = [
        review.decision_id for review in run.book.underwriting.reviews() if review.merchant_id == merchant
    ]
    return _newest(waiting, "review", given)


def facility_named(run: Run, given: str) -> str:
    """A facility's id; of a merchant, its newest."""
    if given.startswith("fac-"):
        return given
    merchant = run.book.merchants.show(given).id
    return _newest([facility.id for facility in run.book.facilities(merchant)], "facility", given)


def loan_named(run: Run, given: str) -> str:
    """A loan's id; of a merchant, the one that is not over, else its newest. Raises BadInput where it could be several."""
    if given.startswith("loan-"):
        return given
    merchant = run.book.merchants.show(given).id
    loans = run.book.loans(merchant=merchant)
    running = [loan.id for loan in loans if loan.status not in OVER]
    if len(running) > 1:
        reason = f"has several loans running, name one: {', '.join(running)}"
        raise BadInput(code="ambiguous_loan", field="LOAN", value=given, reason=reason)
    return _newest(running or [loan.id for loan in loans], "loan", given)


def subject_named(run: Run, given: str) -> str:
    """A loan or a facility by its id; of a merchant, its facility."""
    return given if given.startswith("loan-") else facility_named(run, given)


def _newest(ids: Sequence[str], kind: str, given: str) -> str:
    if not ids:
        raise NotFound(kind=kind, id=given)
    return ids[-1]
