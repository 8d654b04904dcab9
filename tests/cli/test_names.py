"""A merchant's name stands for its offer, facility or loan, where that is one thing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from microloan_cli.names import facility_named, loan_named, offer_named, subject_named

from microloan.errors import BadInput, NotFound


def run(
    *, offers: tuple[Any, ...] = (), facilities: tuple[Any, ...] = (), loans: tuple[Any, ...] = ()
) -> Any:
    """A run whose book knows the merchant ``tea`` and what is given."""

    def show(name: str) -> Any:
        if name != "tea":
            raise NotFound(kind="merchant or shop", id=name)
        return SimpleNamespace(id="m-1")

    book = SimpleNamespace(
        merchants=SimpleNamespace(show=show),
        offers=lambda merchant: tuple(offer for offer in offers if offer.merchant_id == merchant),
        facilities=lambda merchant: facilities,
        loans=lambda merchant: loans,
    )
    return SimpleNamespace(book=book)


def thing(id: str, status: str, merchant_id: str = "m-1") -> Any:
    return SimpleNamespace(id=id, status=status, merchant_id=merchant_id)


def test_an_id_is_taken_as_it_is() -> None:
    assert offer_named(run(), "off-00-a") == "off-00-a"
    assert facility_named(run(), "fac-00-a") == subject_named(run(), "fac-00-a") == "fac-00-a"
    assert loan_named(run(), "loan-00-a") == subject_named(run(), "loan-00-a") == "loan-00-a"


def test_a_merchants_offer_is_the_one_that_waits_else_its_newest() -> None:
    others = thing("off-9", "offered", "m-9")
    waiting = (thing("off-1", "offered"), thing("off-2", "expired"), others)
    assert offer_named(run(offers=waiting), "tea") == "off-1"
    assert (
        offer_named(run(offers=(thing("off-1", "signed"), thing("off-2", "expired"), others)), "tea")
        == "off-2"
    )


def test_a_merchants_loan_is_the_one_that_runs_else_its_newest() -> None:
    assert loan_named(run(loans=(thing("loan-1", "active"), thing("loan-2", "closed"))), "tea") == "loan-1"
    assert loan_named(run(loans=(thing("loan-1", "closed"), thing("loan-2", "cancelled"))), "tea") == "loan-2"


def test_several_running_loans_must_be_told_apart() -> None:
    with pytest.raises(BadInput, match="loan-1, loan-2"):
        loan_named(run(loans=(thing("loan-1", "active"), thing("loan-2", "overdue"))), "tea")


def test_a_merchant_without_one_and_an_unknown_merchant_are_not_found() -> None:
    with pytest.raises(NotFound, match="facility 'tea'"):
        facility_named(run(), "tea")
    with pytest.raises(NotFound, match="merchant or shop 'nobody'"):
        subject_named(run(), "nobody")
