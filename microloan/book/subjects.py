"""What is kept of a person: handed out on request, and erased once nothing requires it to be kept.

Names, signers and identifiers stand outside the hashed events, under opaque ids: events, journal and decisions name a
merchant by id alone, so an erasure leaves every hash as it was. Reasons and notes are text people write: those inside
events stay for good, so no person is to be named there. Source: RELIABILITY 45; retention: SEMANTICS (dated settings).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from ..days import add_months
from ..errors import EventRefused
from ..store import cash, decisions
from ..store import subjects as store
from ..store.unit import Unit
from . import enquiries, offers, promises
from .desk import Desk
from .lender import retention_years
from .merchants import Merchant, merchant_of, merchant_view
from .promises import Promise
from .receipts import BankReceipt, receipt_view
from .requests import Operation, Payload, command
from .results import Facility, LedgerLine, LoanSummary, Offer, Waiting
from .sweeps import Settlement, settlement_views


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed which contract, when."""

    facility_id: str
    offer_id: str
    signer: str
    signed_on: date
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class SubjectDecision:
    """A decision on a merchant, with the waterfall and the features it was made on."""

    decision_id: str
    as_of: date
    decided_at: datetime
    outcome: str
    decision: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Erasure:
    """That a merchant's personal data were erased: when, by whom, why, and how many rows held any."""

    merchant_id: str
    erased_on: date
    erased_at: datetime
    reason: str
    rows: int
    actor: str
    approver: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class SubjectData:
    """Everything the book holds on a merchant and whoever signed for it.

    ``erasable_from``: the day from which it may be erased; None while ``running`` contracts bind it. Sales lines are in
    ``sales lines``; identifiers are kept as digests, so only their last four characters can be told.
    """

    merchant: Merchant
    running: tuple[str, ...]
    erasable_from: date | None
    signatures: tuple[Signature, ...]
    offers: tuple[Offer, ...]
    contracts: Mapping[str, str]
    facilities: tuple[Facility, ...]
    loans: tuple[LoanSummary, ...]
    ledgers: Mapping[str, tuple[LedgerLine, ...]]
    receipts: tuple[BankReceipt, ...]
    promises: tuple[Promise, ...]
    settlements: tuple[Settlement, ...]
    decisions: tuple[SubjectDecision, ...]
    erasures: tuple[Erasure, ...]


class Subjects:
    """Personal data by merchant. ``book.subjects.export("m-1")``, ``book.subjects.erase("m-1", "asked on 3 May")``"""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def export(self, merchant: str) -> SubjectData:
        """Everything the book holds on a merchant, named by its id or by a shop of it. Raises NotFound."""
        return self._desk.read(lambda unit: _everything(unit, merchant_of(unit, merchant)))

    def erase(self, merchant: str, reason: str, *, idempotency_key: str | None = None) -> Erasure | Waiting:
        """Blank names, signers, notes and what payers wrote, drop identifiers, for good; figures and events stay, under the id.

        Raises NotFound; EventRefused while a contract runs (``contract_running``) or its data must still be kept
        (``retention_hold``, with the day from which it may), and where nothing personal is left
        (``nothing_to_erase``). With the four-eyes setting on it waits for a second person.
        """
        named = self._desk.read(lambda unit: merchant_of(unit, merchant))
        payload = {"merchant": named, "reason": reason}
        return command(self._desk, ERASE, payload, Erasure, key=idempotency_key)


def _erase(unit: Unit, given: Payload) -> Erasure:
    merchant, today = given["merchant"], unit.open_day(unit.bucket_of(given["merchant"]))
    _guard_kept(unit, merchant, today)
    rows = store.blank(unit, merchant)
    if not rows:
        reason = "holds nothing personal any more"
        raise EventRefused(code="nothing_to_erase", subject=merchant, reason=reason)
    store.add_erasure(unit, merchant, today, given["reason"], rows)
    return Erasure(merchant, today, unit.now, given["reason"], rows, unit.actor, unit.approver)


ERASE = Operation("subject.erase", _erase, "merchant")


def _guard_kept(unit: Unit, merchant: str, today: date) -> None:
    running = store.running(unit, merchant)
    if running:
        reason = f"a contract still runs: {', '.join(running)}"
        raise EventRefused(code="contract_running", subject=merchant, reason=reason)
    first = erasable_from(unit, merchant, today)
    if today < first:
        years = retention_years(unit, today)
        reason = (
            f"its data are kept for {years} years after the last contract; they may be erased from {first}"
        )
        raise EventRefused(code="retention_hold", subject=merchant, reason=reason, erasable_from=first)


def erasable_from(unit: Unit, merchant: str, today: date) -> date:
    """The first day on which a merchant without running contracts may be erased; *today* where it never had one."""
    ended = store.last_booked(unit, merchant)
    return today if ended is None else add_months(ended, 12 * retention_years(unit, today))


def _everything(unit: Unit, merchant: str) -> SubjectData:
    today = unit.day_of(unit.bucket_of(merchant))
    running = tuple(store.running(unit, merchant))
    loans = enquiries.loans(unit, merchant=merchant)
    made = offers.listed(unit, merchant=merchant)
    return SubjectData(
        merchant=merchant_view(unit, merchant),
        running=running,
        erasable_from=None if running else erasable_from(unit, merchant, today),
        signatures=tuple(
            Signature(row.id, row.offer, row.signer, row.signed_on, row.signed_at)
            for row in store.facilities(unit, merchant)
        ),
        offers=made,
        contracts={offer.id: offers.contract(unit, offer.id).text for offer in made},
        facilities=enquiries.facilities(unit, merchant=merchant),
        loans=loans,
        ledgers={loan.id: enquiries.ledger(unit, loan.id, None, None) for loan in loans},
        receipts=tuple(receipt_view(unit, row) for row in store.receipts(unit, merchant)),
        promises=promises.listed(unit, merchant),
        settlements=settlement_views(
            unit, [row for row in cash.settlements(unit, None, None) if row.merchant == merchant]
        ),
        decisions=tuple(
            SubjectDecision(row.id, row.as_of, row.decided_at, row.outcome, json.loads(row.body))
            for row in decisions.history(unit, merchant)
        ),
        erasures=tuple(
            Erasure(
                row.merchant, row.erased_on, row.erased_at, row.reason, row.fields, row.actor, row.approver
            )
            for row in store.erasures(unit, merchant)
        ),
    )
