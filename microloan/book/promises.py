"""Promises to pay (还款承诺): what a merchant said on the phone, and whether it came true.

Kept: what was booked on the loan since the promise was made, of value dates to the promised day, reaches the amount.
Broken: the day is over and it did not. Open: the day is still to come. Source: house rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from ..errors import InvalidDate
from ..money import positive_minor, to_major
from ..servicing.events import Recovered, Repaid, Settled
from ..store import cash, lending
from ..store.unit import Unit, bucket_in
from .desk import Desk, amount_key
from .dossier import RUNNING, refuse_unless
from .enquiries import loan_file

_PAYMENTS = (Repaid.kind, Settled.kind, Recovered.kind)


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise to pay an amount on a loan; ``status`` is ``open``, ``kept`` or ``broken``, ``paid`` what came so far."""

    id: str
    loan_id: str
    merchant_id: str
    amount: Decimal
    paid: Decimal
    currency: str
    made_on: date
    by_day: date
    status: str
    note: str
    replayed: bool = False


class Promises:
    """The book's promises to pay."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add(
        self,
        loan_id: str,
        amount: object,
        by_day: date,
        note: str = "",
        *,
        idempotency_key: str | None = None,
    ) -> Promise:
        """Note a promise made on the open day. Raises EventRefused unless the loan is running, InvalidDate for a past day."""
        request = {"loan": loan_id, "amount": amount_key(amount), "by": by_day, "note": note}
        return self._desk.command(
            "promise", request, lambda unit: _add(unit, loan_id, amount, by_day, note), Promise,
            key=idempotency_key, subject=loan_id,
        )  # fmt: skip

    def list(self, status: str | None = None) -> tuple[Promise, ...]:
        """Promises, the nearest day first; ``open``, ``kept`` or ``broken`` as of the open day."""

        return self._desk.read(
            lambda unit: tuple(promise for promise in listed(unit) if status in (None, promise.status))
        )


def listed(unit: Unit, merchant: str | None = None) -> tuple[Promise, ...]:
    """All promises, or one merchant's, the nearest day first."""
    rows = (row._mapping for row in cash.promises(unit) if merchant in (None, row.merchant))
    return tuple(_shown(unit, row) for row in rows)


def _add(unit: Unit, loan_id: str, amount: object, by_day: date, note: str) -> Promise:
    loan = lending.loan(unit, loan_id)
    refuse_unless(loan.status in RUNNING, f"loan_{loan.status}", loan_id, f"is {loan.status}")
    today = unit.open_day(loan.bucket)
    if by_day < today:
        raise InvalidDate(field="by", value=str(by_day), reason=f"lies before {today}")
    made_after = lending.facility(unit, loan.facility).last_seq
    row = {
        "tenant": unit.tenant, "bucket": loan.bucket, "id": unit.new_id("prm", loan.bucket), "loan": loan_id,
        "merchant": loan.merchant, "amount_minor": positive_minor(amount, loan.currency), "made_on": today,
        "by_day": by_day, "made_after": made_after, "note": note.strip()[:500], "recorded_at": unit.now,
        "recorded_by": unit.actor,
    }  # fmt: skip
    cash.add_promise(unit, row)
    return _shown(unit, row)


def _shown(unit: Unit, row: Any) -> Promise:
    bucket = bucket_in(row["loan"], "loan")
    events = lending.events_of_loan(unit, bucket, row["loan"])
    since = {event.id for event in events if event.seq > row["made_after"]}
    file, today = loan_file(unit, row["loan"]), unit.day_of(bucket)
    paid = sum(
        line.split.total
        for line in file.life.life([today]).ledger
        if line.kind in _PAYMENTS
        and line.id in since
        and line.value_date is not None
        and line.value_date <= row["by_day"]
    )
    currency = file.row["currency"]
    kept = paid >= row["amount_minor"]
    status = "kept" if kept else "broken" if row["by_day"] < today else "open"
    return Promise(
        id=row["id"],
        loan_id=row["loan"],
        merchant_id=row["merchant"],
        amount=to_major(row["amount_minor"], currency),
        paid=to_major(paid, currency),
        currency=currency,
        made_on=row["made_on"],
        by_day=row["by_day"],
        status=status,
        note=row["note"],
    )
