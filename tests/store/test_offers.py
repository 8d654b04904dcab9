"""Offers, the contract text and its signature. Source: SEMANTICS 2."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from decimal import Decimal

import pytest

from microloan.errors import EventRefused, InvalidRate, OfferRefused
from microloan.rates import Rate

from .counter import START, Counter


def test_the_contract_holds_all_its_numbers_and_its_hash_is_of_the_exact_text(counter: Counter) -> None:
    offer = counter.offer("300000.00", seasonal_limit_minor=100, seasonal_until=date(2017, 6, 18))
    contract = counter.book.contract(offer.id)
    assert hashlib.sha256(contract.text.encode()).hexdigest() == contract.sha256 == offer.contract_sha256
    for part in (
        "300000.00 CNY",
        "0.00048",
        "0.1752",
        "0.24 per year",
        "2017-05-31",
        "m-1",
        "Fees: none",
        "2017-06-18",
    ):
        assert part in contract.text


def test_signing_needs_the_hash_of_the_offered_text(counter: Counter) -> None:
    offer = counter.offer()
    with pytest.raises(OfferRefused) as refused:
        counter.book.sign(offer.id, signer="Li", contract_sha256="0" * 64)
    assert refused.value.code == "contract_differs"
    assert counter.book.offer(offer.id).status == "offered"


def test_an_offer_is_signed_once(counter: Counter) -> None:
    offer = counter.offer()
    line = counter.book.sign(offer.id, signer="Li", contract_sha256=offer.contract_sha256)
    assert line.valid_until == START + timedelta(days=365)
    with pytest.raises(OfferRefused) as refused:
        counter.book.sign(offer.id, signer="Li", contract_sha256=offer.contract_sha256)
    assert refused.value.code == "offer_signed"
    assert counter.book.offer(offer.id).facility_id == line.id


def test_an_offer_can_be_signed_on_its_last_day_and_expires_in_the_morning_after(counter: Counter) -> None:
    late, last = counter.offer(merchant="m-1"), counter.offer(merchant="m-2")
    counter.close_until(START + timedelta(days=30))
    counter.book.sign(last.id, signer="Li", contract_sha256=last.contract_sha256)
    report = counter.close_until(START + timedelta(days=31))
    assert (report.expired, counter.book.offer(late.id).status) == (1, "expired")
    with pytest.raises(OfferRefused) as refused:
        counter.book.sign(late.id, signer="Li", contract_sha256=late.contract_sha256)
    assert refused.value.code == "offer_expired"


def test_a_new_offer_supersedes_the_open_one(counter: Counter) -> None:
    first, second = counter.offer("1000.00"), counter.offer("2000.00")
    assert [offer.status for offer in counter.book.offers()] == ["superseded", "offered"]
    assert counter.book.offers("offered")[0].id == second.id
    assert first.limit == Decimal("1000.00")


def test_a_merchant_with_a_live_line_gets_no_second_one(counter: Counter) -> None:
    counter.line()
    with pytest.raises(EventRefused) as refused:
        counter.offer()
    assert refused.value.code == "facility_exists"


def test_a_line_expires_in_the_morning_after_its_last_day(counter: Counter) -> None:
    product = counter.product(facility_days=10)
    line = counter.line(product=product)
    counter.close_until(START + timedelta(days=10))
    assert counter.book.facility(line.id).status == "active"
    counter.close_until(START + timedelta(days=11))
    assert counter.book.facility(line.id).status == "expired"
    counter.must_be_sound()


def test_a_rate_has_at_most_eight_decimals(counter: Counter) -> None:
    with pytest.raises(InvalidRate):
        counter.offer(rate=Rate.parse({"value": "0.000123456", "per": "day"}))
