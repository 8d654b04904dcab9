"""What stands on file beside the lines, for verify: the book and its products, contracts, the notices of closed days.

Little of it is part of a chain, so each is held against what is: a product against its own hash and the contracts that
name it, the book against its products and the request of the `init` that made it. Source: RELIABILITY 47.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from itertools import product as pairs
from typing import Any

from ..errors import InvalidSetting
from ..store import catalogue, closing, decisions, verifying
from ..store.chain import sha256
from ..store.damaged import FAULTS, Damaged
from ..store.unit import Unit
from .desk import hash_of
from .lives import fault_told
from .notices import day_closed
from .offers import contract_stands
from .results import Finding
from .setup import guard_settings, request_of


def of_the_book(unit: Unit) -> Iterator[Finding]:
    """What the book itself, its products and its policies contradict."""
    row, buckets = catalogue.book(unit), catalogue.buckets(unit)
    if row is None:
        return
    currencies: set[str] = set()
    for version in catalogue.products(unit):
        found = list(_of_product(version))
        yield from found
        if not found:
            currencies.add(version.currency)
    for policy in decisions.policies(unit):
        if (hashed := sha256(policy.body)) != policy.sha256:
            yield Finding("policy_sha256", f"{policy.name}@{policy.version}", policy.sha256, hashed)
    if currencies and row.currency not in currencies:
        yield Finding("book_currency", unit.tenant, row.currency, ", ".join(sorted(currencies)))
    if row.buckets != len(buckets):
        yield Finding("book_buckets", unit.tenant, str(row.buckets), str(len(buckets)))
    if not _zone_known(row.zone) or not _made_so(unit, row.zone, currencies | {row.currency}):
        yield Finding("book_zone", unit.tenant, row.zone, "the zone of the init on file")


def _of_product(row: Any) -> Iterator[Finding]:
    subject = f"{row.name}@{row.version}"
    if (hashed := sha256(row.body)) != row.sha256:
        yield Finding("product_sha256", subject, row.sha256, hashed)
        return
    body = json.loads(row.body)
    for name in ("name", "version", "currency"):
        if (stored := getattr(row, name)) != body.get(name):
            yield Finding(f"product_{name}", subject, str(stored), str(body.get(name)))


def _zone_known(zone: str) -> bool:
    try:
        guard_settings(None, zone, None, "off")
    except InvalidSetting:
        return False
    return True


def _made_so(unit: Unit, zone: str, currencies: set[str]) -> bool:
    """Whether an `init` on file asked for this zone: its request is known but for two answers it may have left open."""
    first = verifying.first_day_sealed(unit) or unit.book_day()
    asked = (request_of(currency, day, zone) for currency, day in pairs((None, *currencies), (None, first)))
    return not verifying.init_hashes(unit).isdisjoint(hash_of("init", request) for request in asked)


def unlike_its_contract(offer: Any, shown: str) -> Iterator[Finding]:
    """An offer whose contract is not the text that was *shown*, given by its SHA-256."""
    if (hashed := sha256(offer.contract)) != shown:
        yield Finding("offer_contract", offer.id, hashed, shown)


def of_open_offers(unit: Unit, bucket: int) -> Iterator[Finding]:
    """Offers of a bucket that could still be signed, and whose contract or figures are not those that were shown."""
    offers, lost = verifying.open_offers(unit, bucket)
    yield from map(cannot_be_read, lost)
    for offer in offers:
        unlike = list(unlike_its_contract(offer, offer.contract_sha256)) or list(
            _unlike_its_figures(unit, offer)
        )
        yield from unlike


def _unlike_its_figures(unit: Unit, offer: Any) -> Iterator[Finding]:
    try:
        stands = contract_stands(unit, offer)
    except FAULTS as fault:
        yield Finding("offer_figures", offer.id, fault_told(fault), "those of its contract")
        return
    if not stands:
        yield Finding("offer_figures", offer.id, "others", "those of its contract")


def cannot_be_read(row: Damaged) -> Finding:
    """The finding of a damaged row."""
    return Finding("unreadable", f"{row.table} {row.key}", row.found, "a day or an instant")


def of_closed_days(unit: Unit, bucket: int, first: date) -> Iterator[Finding]:
    """What other systems are told of a bucket's days closed from *first* on; a day without a notice is a stray."""
    notices, known = verifying.day_notices(unit, bucket), set()
    for seal in closing.seals(unit, bucket, first):
        told = day_closed(unit, bucket, seal.day)
        known.add(told["id"])
        notice = notices.get(told["id"])
        for name in ("type", "subject", "data") if notice is not None else ():
            if (stored := getattr(notice, name)) != told[name]:
                yield Finding(f"notice_{name}", told["id"], stored, told[name])
    if first == date.min:
        for astray in sorted(notices.keys() - known):
            yield Finding("notice_id", astray, "is there", "no close told it")
