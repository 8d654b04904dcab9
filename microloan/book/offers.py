"""Offers of a credit line, the contract text they stand for, and their signature."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from ..errors import EventRefused, InvalidAmount, InvalidRate, OfferRefused
from ..money import amount_text, to_major
from ..products import Product
from ..rates import Rate, rate_decimal
from ..servicing.accrual import penalty_rate
from ..store import catalogue, lending
from ..store.chain import GENESIS, canonical_json, sha256
from ..store.lists import Listed
from ..store.unit import Unit, bucket_in
from .dossier import Dossier
from .facilities import facility_view
from .results import Contract, Facility, Offer

#: Decimals a product's rate may have as a fraction. Source: SEMANTICS 1.
RATE_DECIMALS = 8


def make_offer(
    unit: Unit,
    *,
    merchant_id: str,
    decision_id: str,
    limit_minor: int,
    rate: Rate,
    product: str,
    version: int | None = None,
    seasonal_limit_minor: int = 0,
    seasonal_until: date | None = None,
) -> Offer:
    """Offer a merchant a credit line; an open offer of the merchant is superseded. Limits in minor units.

    Valid for the product's ``offer_days`` from the open day. Raises InvalidRate for more than eight decimals,
    EventRefused when the merchant has a live facility: then the run is a review of its limit.
    """
    bucket = unit.bucket_of(merchant_id)
    today = unit.open_day(bucket)
    chosen = catalogue.product(unit, product, version or catalogue.active_version(unit, product))
    _guard_offer(unit, merchant_id, limit_minor, seasonal_limit_minor, seasonal_until, rate)
    row: dict[str, Any] = {
        "tenant": unit.tenant,
        "bucket": bucket,
        "id": unit.new_id("off", bucket),
        "merchant": merchant_id,
        "decision": decision_id,
        "product": chosen.name,
        "product_version": chosen.version,
        "currency": chosen.currency,
        "limit_minor": limit_minor,
        "seasonal_limit_minor": seasonal_limit_minor,
        "seasonal_until": seasonal_until if seasonal_limit_minor else None,
        "rate": canonical_json(rate.canonical()),
        "offered_on": today,
        "expires_on": today + timedelta(days=chosen.offer_days),
        "status": "offered",
        "facility": None,
    }
    row["contract"] = contract_text(row, chosen)
    row["contract_sha256"] = sha256(row["contract"])
    catalogue.add_offer(unit, row)
    return offer_view(catalogue.offer(unit, row["id"]))


def _guard_offer(
    unit: Unit, merchant: str, limit: int, seasonal: int, seasonal_until: date | None, rate: Rate
) -> None:
    if limit < 0 or seasonal < 0 or limit + seasonal == 0:
        raise InvalidAmount(field="limit", value=limit, reason="an offer needs a limit above zero")
    if seasonal and seasonal_until is None:
        raise InvalidAmount(
            field="seasonal_limit", value=seasonal, reason="a seasonal limit needs its last day"
        )
    if rate.decimals > RATE_DECIMALS:
        raise InvalidRate(
            field="rate", value=str(rate), reason=f"a product's rate has at most {RATE_DECIMALS} decimals"
        )
    live = lending.live_facility(unit, merchant)
    if live is not None:
        reason = f"has the live facility {live.id}; review its limit instead"
        raise EventRefused(code="facility_exists", subject=merchant, reason=reason)


def sign(unit: Unit, offer_id: str, signer: str, contract_sha256: str) -> Facility:
    """Accept an offer: who, when, and the hash of the exact text. Raises OfferRefused."""
    today = unit.open_day(bucket_in(offer_id, "offer"))
    offer = catalogue.offer(unit, offer_id, lock=True)
    _guard_signature(unit, offer, today, signer, contract_sha256)
    product = catalogue.product(unit, offer.product, offer.product_version)
    row = _facility_row(unit, offer, product, today, signer)
    dossier = Dossier(unit, row, today)
    dossier.book("signed", _signed_payload(row))
    lending.add_facility(unit, dossier.row)
    lending.add_events(unit, dossier.events)
    catalogue.answer_offer(unit, offer, "signed", row["id"])
    return facility_view(unit, lending.facility(unit, row["id"]), today)


def _guard_signature(unit: Unit, offer: Any, today: date, signer: str, contract_sha256: str) -> None:
    if offer.status == "expired" or (offer.status == "offered" and today > offer.expires_on):
        raise OfferRefused(
            code="offer_expired", offer_id=offer.id, reason=f"expired after {offer.expires_on}"
        )
    if offer.status != "offered":
        raise OfferRefused(code=f"offer_{offer.status}", offer_id=offer.id, reason=f"is {offer.status}")
    if not signer.strip():
        raise OfferRefused(code="signer_missing", offer_id=offer.id, reason="nobody signs it")
    if contract_sha256.lower() != offer.contract_sha256:
        reason = f"the signed text is not the offered one, whose SHA-256 is {offer.contract_sha256}"
        raise OfferRefused(code="contract_differs", offer_id=offer.id, reason=reason)
    if not contract_stands(unit, offer):
        reason = "what is on file is no longer what its contract says; make the merchant a new offer"
        raise OfferRefused(code="offer_changed", offer_id=offer.id, reason=reason)
    live = lending.live_facility(unit, offer.merchant)
    if live is not None:
        raise OfferRefused(code="facility_exists", offer_id=offer.id, reason=f"facility {live.id} is live")


def contract_stands(unit: Unit, offer: Any) -> bool:
    """Whether an offer's row, with the product it names, still yields the contract that was shown under its hash."""
    product = catalogue.product(unit, offer.product, offer.product_version)
    text = contract_text(offer._mapping, product)
    return (text, sha256(text)) == (offer.contract, offer.contract_sha256)


def _facility_row(unit: Unit, offer: Any, product: Product, today: date, signer: str) -> dict[str, Any]:
    copied = (
        "tenant", "bucket", "merchant", "product", "product_version", "currency", "rate", "limit_minor",
        "seasonal_limit_minor", "seasonal_until", "contract_sha256",
    )  # fmt: skip
    return {name: getattr(offer, name) for name in copied} | {
        "id": unit.new_id("fac", offer.bucket),
        "offer": offer.id,
        "status": "active",
        "signer": signer.strip(),
        "signed_on": today,
        "signed_at": unit.now,
        "valid_until": today + timedelta(days=product.facility_days),
        "outstanding_minor": 0,
        "pending_minor": 0,
        "last_seq": 0,
        "head_hash": GENESIS,
    }


def _signed_payload(row: dict[str, Any]) -> dict[str, Any]:
    named = (
        "merchant", "offer", "product", "product_version", "currency", "limit_minor", "seasonal_limit_minor",
        "seasonal_until", "valid_until", "contract_sha256",
    )  # fmt: skip
    return {name: row[name] for name in named} | {"rate": json.loads(row["rate"])}


def offer_view(row: Any) -> Offer:
    """An offer as the library shows it."""
    rate = Rate.parse(json.loads(row.rate))
    return Offer(
        id=row.id,
        merchant_id=row.merchant,
        decision_id=row.decision,
        product=row.product,
        product_version=row.product_version,
        currency=row.currency,
        limit=to_major(row.limit_minor, row.currency),
        seasonal_limit=to_major(row.seasonal_limit_minor, row.currency),
        seasonal_until=row.seasonal_until,
        daily_rate=rate.daily,
        yearly_rate=rate.yearly,
        rate=str(rate),
        offered_on=row.offered_on,
        expires_on=row.expires_on,
        status=row.status,
        contract_sha256=row.contract_sha256,
        facility_id=row.facility,
    )


def listed(
    unit: Unit, status: str | None = None, merchant: str | None = None, latest: int | None = None
) -> Listed[Offer]:
    """Offers, oldest first; all or the *latest* so many."""
    return catalogue.offers(unit, latest, status=status, merchant=merchant).viewed(offer_view)


def shown(unit: Unit, offer_id: str) -> Offer:
    """One offer. Raises NotFound."""
    return offer_view(catalogue.offer(unit, offer_id))


def contract(unit: Unit, offer_id: str) -> Contract:
    """The text a signature of this offer accepts. Raises NotFound."""
    row = catalogue.offer(unit, offer_id)
    return Contract(row.id, row.contract, row.contract_sha256)


def content_line(name: str, version: int, content: str) -> str:
    """The line of a contract that names its product; *content*: the product's SHA-256."""
    return f"Product: {name}, version {version}, content {content}"


def contract_text(row: Mapping[str, Any], product: Product) -> str:
    """The credit contract with all its numbers; the same offer always gives the same text."""
    rate = Rate.parse(json.loads(row["rate"]))
    penalty = penalty_rate(rate.per_day, product.penalty)
    amounts = product.summary()
    most = f"{amounts['max_draw']} {product.currency}" if "max_draw" in amounts else "what is available"
    seasonal = "none"
    if row["seasonal_limit_minor"]:
        extra = amount_text(row["seasonal_limit_minor"], product.currency)
        seasonal = (
            f"{extra} {product.currency} on top until {row['seasonal_until']}; "
            f"draws that use it mature within {product.seasonal_max_days} days"
        )
    lines = (
        "CREDIT LINE CONTRACT",
        f"Offer: {row['id']}",
        f"Lender: {row['tenant']}",
        f"Borrower: {row['merchant']}",
        f"Decision: {row['decision']}",
        content_line(product.name, product.version, product.sha256),
        f"Credit limit: {amount_text(row['limit_minor'], product.currency)} {product.currency}, revolving",
        f"Seasonal limit: {seasonal}",
        f"Offered on {row['offered_on']}; to be signed by {row['expires_on']}",
        f"The line can be drawn on for {product.facility_days} days from the day of signing, that day included",
        f"Draws: at least {amounts['min_draw']}, in multiples of {amounts['multiple']}, at most {most}",
        f"Repayment methods and lengths: {amounts['methods']}",
        f"Interest: {rate}; {_plain(rate.per_day)} of the principal outstanding per day, "
        f"{_plain(rate.per_day * 365)} per year (simple, x 365)",
        f"Day count: {product.day_count}; interest-free days: {product.interest_free_days}; "
        f"minimum interest days: {product.min_interest_days}",
        "The day the money goes out bears interest, the day it comes back does not; interest is never taken in advance",
        f"Days of grace: {product.grace_days}",
        *_business_days(product),
        f"Penalty interest on overdue principal: {_plain(penalty)} per day, {_plain(penalty * 365)} per year "
        f"(multiple {amounts['penalty_multiple']}, yearly cap {amounts['annual_cap']})",
        f"Penalty on overdue interest: {'yes' if product.penalty.on_interest else 'no'}",
        f"Payments settle: {', '.join(product.allocation)}; "
        f"more than {product.non_performing_after} days past due: {', '.join(product.allocation_non_performing)}",
        "Early repayment of any amount on any day, without a fee",
        "Fees: none",
    )
    return "\n".join(lines) + "\n"


def _business_days(product: Product) -> tuple[str, ...]:
    setting = product.business_days
    if setting is None:
        return ()
    named = (
        "weekends"
        if setting.calendar == "weekends"
        else f"weekends and public holidays of {setting.calendar}"
    )
    rule = setting.roll.replace("_", " ")
    return (f"Due dates on {named}, or on holidays the lender has listed, move to a business day: {rule}",)


def _plain(share: Any) -> str:
    return f"{rate_decimal(share, 12):f}"
