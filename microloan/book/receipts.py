"""Money that reached the lender's bank account (到账), from the bank's file: matched to loans, or kept until somebody knows.

A receipt is matched, in this order, by the one loan or facility its reference names, or by the payer's account, where exactly
one merchant has that account among its identifiers and has a live facility. A match is booked as a repayment on the day the
money was received. What matches nothing, or is refused, waits with the reason; nothing is dropped.

Source: house rule; the split over a facility's loans is SEMANTICS 4.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..errors import BadInput, InvalidDate, NotFound
from ..intake.rows import RowLayout
from ..intake.sales import Progress, silent
from ..money import to_major
from ..store import cash, lending
from ..store.unit import Unit
from . import guarded, payments
from .cash_files import CashReport, Cells, Layout, MoneyFile, layout_of, named, take_file, tried
from .desk import Desk
from .dossier import refuse_unless
from .merchants import digest_of
from .requests import Operation, Payload, command, require_attended
from .results import Waiting

REQUIRED = ("receipt_id", "received_on", "amount")
OPTIONAL = ("reference", "payer_account")
_FILE = MoneyFile("receipt", REQUIRED, OPTIONAL, recorded=REQUIRED)
#: The kind under which a merchant's bank accounts are registered: ``merchant identify M account NUMBER``.
ACCOUNT = "account"
_REFERENCE_AT_MOST = 500


@dataclass(frozen=True, slots=True)
class BankReceipt:
    """Money received. ``status`` is ``waiting`` (with the reason), ``booked`` (to ``subject``) or ``set_aside``.

    ``matched_by`` is ``reference``, ``account`` or ``person``; ``event_ids`` are the events it became.
    """

    receipt_id: str
    received_on: date
    amount: Decimal
    currency: str
    reference: str
    payer_last_four: str
    status: str
    subject: str
    matched_by: str
    reason: str
    event_ids: tuple[str, ...]
    replayed: bool = False


class Receipts:
    """The book's bank receipts."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def load(self, file: Path | str, *, layout: Layout = None, progress: Progress = silent) -> CashReport:
        """Take in a bank's file, each row once; what waits is tried again. Raises InvalidFile."""
        how = layout_of(layout)

        def take(unit: Unit, cells: Cells) -> str:
            return _take(unit, _row(unit, cells, how))

        return take_file(self._desk, _FILE, file, how, take, progress)

    def list(
        self, status: str | None = None, first: date | None = None, last: date | None = None
    ) -> tuple[BankReceipt, ...]:
        """Receipts by day."""

        def look(unit: Unit) -> tuple[BankReceipt, ...]:
            return tuple(receipt_view(unit, row) for row in cash.receipts(unit, first, last, status))

        return self._desk.read(look)

    def assign(
        self, receipt_id: str, subject: str, *, idempotency_key: str | None = None
    ) -> BankReceipt | Waiting:
        """Book a receipt that waits, or was set aside, to a loan or facility a person names. Raises what a repayment raises.

        Four eyes: one received longer ago than the lender's days for back-dating waits for a second person.
        """
        received_on = self._desk.read(lambda unit: _known(unit, receipt_id).received_on)
        payload = {"receipt": receipt_id, "subject": subject, "value_date": str(received_on)}
        return command(self._desk, ASSIGN_RECEIPT, payload, BankReceipt, key=idempotency_key)

    def set_aside(self, receipt_id: str, reason: str, *, idempotency_key: str | None = None) -> BankReceipt:
        """Say that a receipt is none of a loan's, and why; it can be assigned later. Raises EventRefused once booked."""

        def act(unit: Unit) -> BankReceipt:
            row = _open(unit, receipt_id)
            if not reason.strip():
                raise BadInput(field="reason", value=reason, reason="must not be empty")
            _mark(unit, row.id, status="set_aside", reason=reason.strip())
            return receipt_view(unit, cash.receipt(unit, receipt_id))

        return self._desk.command(
            "receipt.set_aside", {"receipt": receipt_id, "reason": reason}, act, BankReceipt,
            key=idempotency_key, subject=receipt_id,
        )  # fmt: skip


def _row(unit: Unit, cells: Cells, how: RowLayout) -> dict[str, Any]:
    minor = how.minor(cells["amount"], unit.book.currency, "amount")
    if minor <= 0:
        raise BadInput(
            field="amount", value=cells["amount"], reason="is no money in; take such rows out of the file"
        )
    digest, last_four = _payer(unit, cells["payer_account"])
    return {
        "tenant": unit.tenant, "id": named(cells, "receipt_id"), "received_on": how.day(cells["received_on"], "received_on"),
        "amount_minor": minor, "reference": cells["reference"][:_REFERENCE_AT_MOST], "payer_digest": digest,
        "payer_last_four": last_four, "status": "waiting", "subject": "", "matched_by": "", "reason": "",
        "events": "[]", "recorded_at": unit.now,
    }  # fmt: skip


def _payer(unit: Unit, account: str) -> tuple[str, str]:
    """The payer's account as a digest and its last four; nothing where a bank writes what cannot be one, such as a dash."""
    try:
        return digest_of(unit, ACCOUNT, account)
    except BadInput:
        return "", ""


def _take(unit: Unit, row: dict[str, Any]) -> str:
    """Claim a receipt, then match it; one that waits is tried again."""
    if row["received_on"] > unit.book_day():
        raise InvalidDate(
            field="received_on", value=str(row["received_on"]), reason="lies after the open day"
        )
    if not cash.claim_receipt(unit, row):
        known = cash.receipt(unit, row["id"])
        assert known is not None, "a receipt that could not be claimed is there"
        same = all(getattr(known, name) == row[name] for name in ("received_on", "amount_minor"))
        refuse_unless(same, "receipt_changed", row["id"], "is on file with another day or amount")
        if known.status != "waiting":
            return "duplicates"
        same = all(getattr(known, name) == row[name] for name in ("reference", "payer_digest"))
        refuse_unless(same, "receipt_changed", row["id"], "is on file with another reference or payer")
    subject, by, reason = _match(unit, row)
    if subject:
        reason = _try(unit, row, subject, by)
    if reason:
        _mark(unit, row["id"], status="waiting", reason=reason)
    return "waiting" if reason else "accepted"


def _match(unit: Unit, row: Mapping[str, Any]) -> tuple[str, str, str]:
    """The loan or facility a receipt is for, by what it was found, or else why none was."""
    named = sorted(set(cash.CONTRACT.findall(row["reference"])))
    if len(named) == 1:
        return named[0], "reference", ""
    if len(named) > 1:
        return "", "", "several_named"
    holders = cash.holders(unit, ACCOUNT, row["payer_digest"]) if row["payer_digest"] else []
    if len(holders) != 1:
        return "", "", "account_of_several" if holders else "nothing_named"
    facility = lending.live_facility(unit, holders[0])
    return ("", "", "no_facility") if facility is None else (facility.id, "account", "")


def _try(unit: Unit, row: Mapping[str, Any], subject: str, by: str) -> str:
    """Book a match, or say why it cannot be; a day far back needs a second person."""

    def act() -> None:
        attending = require_attended(
            unit, guarded.REPAY, {"subject": subject, "value_date": str(row["received_on"])}
        )
        _guard_held(unit, subject)
        _book(attending, row["id"], subject, row["amount_minor"], row["received_on"], by)

    return tried(unit, act)[1]


def _guard_held(unit: Unit, subject: str) -> None:
    """Refuse a payment to a line of which a loan is held and could not be paid. Raises EventRefused."""
    if not subject.startswith("loan-"):
        held = cash.held_loan_of(unit, lending.facility(unit, subject).merchant)
        refuse_unless(held is None, "loan_held", subject, f"its loan {held} is held")


def _book(unit: Unit, receipt_id: str, subject: str, minor: int, day: date, by: str) -> None:
    currency = unit.book.currency
    receipt = payments.repay(unit, subject, to_major(minor, currency), day, None, None)
    events = json.dumps([part.event_id for part in receipt.allocations])
    _mark(unit, receipt_id, status="booked", subject=subject, matched_by=by, events=events)


def _assigned(unit: Unit, given: Payload) -> BankReceipt:
    row = _open(unit, given["receipt"])
    _book(unit, row.id, given["subject"], row.amount_minor, row.received_on, "person")
    return receipt_view(unit, cash.receipt(unit, row.id))


ASSIGN_RECEIPT = Operation("receipt.assign", _assigned, "subject", always=False)


def _mark(unit: Unit, receipt_id: str, **new: str) -> None:
    blank = {"subject": "", "matched_by": "", "reason": "", "events": "[]"}
    cash.set_receipt(unit, receipt_id, **(blank | new))


def _known(unit: Unit, receipt_id: str, *, lock: bool = False) -> Any:
    row = cash.receipt(unit, receipt_id, lock=lock)
    if row is None:
        raise NotFound(kind="receipt", id=receipt_id[:80])
    return row


def _open(unit: Unit, receipt_id: str) -> Any:
    row = _known(unit, receipt_id, lock=True)
    refuse_unless(row.status != "booked", "receipt_booked", receipt_id, f"is booked to {row.subject} already")
    return row


def receipt_view(unit: Unit, row: Any) -> BankReceipt:
    """A receipt as it is shown."""
    currency = unit.book.currency
    return BankReceipt(
        receipt_id=row.id,
        received_on=row.received_on,
        amount=to_major(row.amount_minor, currency),
        currency=currency,
        reference=row.reference,
        payer_last_four=row.payer_last_four,
        status=row.status,
        subject=row.subject,
        matched_by=row.matched_by,
        reason=row.reason,
        event_ids=tuple(json.loads(row.events)),
    )
