"""The tables of a lender's week: settlements of platforms and what was swept of them, bank receipts, promises to pay."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, Text, text
from sqlmodel import Field

from .base import Base, BigInt, Day, Instant, among, table_args, table_of
from .guards import append_only, stays

_BOOKED = "OLD.status = 'booked' AND NEW.status <> 'booked'"


class SettlementRow(Base, table=True):
    """What a platform's file says it settled with a shop on a day, and what became of it. Natural key: platform and id."""

    __tablename__ = "ml_settlement"
    __table_args__ = table_args(
        among("status", "waiting", "booked", "nothing_to_sweep"),
        CheckConstraint("captures_minor >= 0 AND refunds_minor >= 0 AND chargebacks_minor >= 0", name="amounts"),
        Index(None, "tenant", "settled_on"),
        Index(
            "ix_ml_settlement_waiting", "tenant", "platform", "id",
            sqlite_where=text("status = 'waiting'"),
        ),
    )  # fmt: skip
    tenant: str = Field(primary_key=True, sa_type=Text)
    platform: str = Field(primary_key=True, sa_type=Text)
    id: str = Field(primary_key=True, sa_type=Text)
    shop: str = Field(sa_type=Text)
    settled_on: date = Field(sa_type=Day)
    captures_minor: int = Field(sa_type=BigInt)
    refunds_minor: int = Field(sa_type=BigInt)
    chargebacks_minor: int = Field(sa_type=BigInt)
    merchant: str = Field(sa_type=Text)  # empty while the shop is not known
    status: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)  # why it waits, or why there is nothing to sweep
    recorded_at: datetime = Field(sa_type=Instant)


class SweptRow(Base, table=True):
    """The part of a settlement that was asked of one loan, and the event that booked it."""

    __tablename__ = "ml_swept"
    __table_args__ = table_args(
        CheckConstraint("asked_minor >= 0", name="asked"),
        Index(None, "tenant", "platform", "settlement"),
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    event: str = Field(primary_key=True, sa_type=Text)
    loan: str = Field(sa_type=Text)
    platform: str = Field(sa_type=Text)
    settlement: str = Field(sa_type=Text)
    asked_minor: int = Field(sa_type=BigInt)


class ReceiptRow(Base, table=True):
    """Money that reached the lender's bank account. The payer's account is kept as a keyed digest and its last four."""

    __tablename__ = "ml_receipt"
    __table_args__ = table_args(
        among("status", "waiting", "booked", "set_aside"),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("(status = 'booked') = (subject <> '')", name="booked"),
        Index(None, "tenant", "received_on"),
        Index(
            "ix_ml_receipt_waiting", "tenant", "id",
            sqlite_where=text("status = 'waiting'"),
        ),
    )  # fmt: skip
    tenant: str = Field(primary_key=True, sa_type=Text)
    id: str = Field(primary_key=True, sa_type=Text)
    received_on: date = Field(sa_type=Day)
    amount_minor: int = Field(sa_type=BigInt)
    reference: str = Field(sa_type=Text)
    payer_digest: str = Field(sa_type=Text)  # empty where the file names no account
    payer_last_four: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)  # the loan or facility it was booked to
    matched_by: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    events: str = Field(sa_type=Text)  # JSON list of the events it became
    recorded_at: datetime = Field(sa_type=Instant)


class PromiseRow(Base, table=True):
    """A merchant's word to pay an amount on a loan by a day."""

    __tablename__ = "ml_promise"
    __table_args__ = table_args(
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("by_day >= made_on", name="days"),
        Index(None, "tenant", "bucket", "loan"),
        Index(None, "tenant", "by_day"),
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    id: str = Field(primary_key=True, sa_type=Text)
    loan: str = Field(sa_type=Text)
    merchant: str = Field(sa_type=Text)
    amount_minor: int = Field(sa_type=BigInt)
    made_on: date = Field(sa_type=Day)
    by_day: date = Field(sa_type=Day)
    made_after: int = Field(sa_type=BigInt)  # the facility's last event when the promise was made
    note: str = Field(sa_type=Text)
    recorded_at: datetime = Field(sa_type=Instant)
    recorded_by: str = Field(sa_type=Text)


SETTLEMENTS = table_of(SettlementRow)
SWEPT = table_of(SweptRow)
RECEIPTS = table_of(ReceiptRow)
PROMISES = table_of(PromiseRow)

# A row of a money file that was booked is known by its key: were it gone, the same file would book it again.
append_only(SWEPT)
stays(SETTLEMENTS, "merchant", "status", "reason", final=_BOOKED, claimed=("tenant", "platform", "id"))
stays(
    RECEIPTS, "reference", "payer_digest", "payer_last_four", "status", "subject", "matched_by", "reason", "events",
    final=_BOOKED, claimed=("tenant", "id"),
)  # fmt: skip
