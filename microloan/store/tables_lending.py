"""The tables of lending: the book and its buckets, dated settings, products, offers, facilities, loans, events, accrual, journal.

What belongs to a merchant carries the merchant's bucket in its key: the unit of closing, sealing and the business day.
Events and journal are append-only (triggers); balances in ``ml_facility``, ``ml_loan`` and ``ml_accrual`` are caches of
the replay, which ``verify`` rebuilds and compares.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, Text, UniqueConstraint, text
from sqlmodel import Field

from .base import Base, BigInt, Day, Instant, among, keep_room, table_args, table_of
from .guards import append_only, four_eyes_as_set, guard, stays

FLAG = "{0} IN (0, 1)"


class BookRow(Base, table=True):
    """One lender's book: what `init` fixed, and its settings."""

    __tablename__ = "ml_book"
    __table_args__ = table_args(
        CheckConstraint("buckets BETWEEN 1 AND 4096", name="buckets"), among("four_eyes", "off", "on")
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    currency: str = Field(sa_type=Text)
    zone: str = Field(sa_type=Text)
    buckets: int = Field(sa_type=BigInt)
    four_eyes: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=Instant)


class BucketRow(Base, table=True):
    """A share of the merchants and the business day it is on."""

    __tablename__ = "ml_bucket"
    __table_args__ = table_args()
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    open_day: date = Field(sa_type=Day)


class SettingRow(Base, table=True):
    """What a lender-wide setting is from a day on; the one set last for a day counts, the others are kept."""

    __tablename__ = "ml_setting"
    __table_args__ = table_args()
    tenant: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(primary_key=True, sa_type=Text)
    effective_on: date = Field(primary_key=True, sa_type=Day)
    seq: int = Field(primary_key=True, sa_type=BigInt)
    value: str = Field(sa_type=Text)
    set_by: str = Field(sa_type=Text)
    set_at: datetime = Field(sa_type=Instant)


class ProductRow(Base, table=True):
    """A version of a product; its body never changes."""

    __tablename__ = "ml_product"
    __table_args__ = table_args(
        CheckConstraint("version > 0", name="version"),
        among("status", "proposed", "approved"),
        CheckConstraint("(status = 'approved') = (approved_at IS NOT NULL)", name="approved"),
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(primary_key=True, sa_type=Text)
    version: int = Field(primary_key=True, sa_type=BigInt)
    currency: str = Field(sa_type=Text)
    body: str = Field(sa_type=Text)
    sha256: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    proposed_by: str = Field(sa_type=Text)
    proposed_at: datetime = Field(sa_type=Instant)
    approved_by: str | None = Field(default=None, nullable=True, sa_type=Text)
    approved_at: datetime | None = Field(default=None, nullable=True, sa_type=Instant)


class OfferRow(Base, table=True):
    """A credit line offered to a merchant, with the contract text that signing accepts."""

    __tablename__ = "ml_offer"
    __table_args__ = table_args(
        among("status", "offered", "signed", "expired", "superseded"),
        CheckConstraint("limit_minor >= 0 AND seasonal_limit_minor >= 0", name="limits"),
        CheckConstraint("(seasonal_limit_minor = 0) = (seasonal_until IS NULL)", name="seasonal"),
        Index(None, "tenant", "bucket", "merchant"),
        Index(
            "uq_ml_offer_open", "tenant", "bucket", "merchant", unique=True,
            sqlite_where=text("status = 'offered'"),
        ),
    )  # fmt: skip
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    id: str = Field(primary_key=True, sa_type=Text)
    merchant: str = Field(sa_type=Text)
    decision: str = Field(sa_type=Text)
    product: str = Field(sa_type=Text)
    product_version: int = Field(sa_type=BigInt)
    currency: str = Field(sa_type=Text)
    limit_minor: int = Field(sa_type=BigInt)
    seasonal_limit_minor: int = Field(sa_type=BigInt)
    seasonal_until: date | None = Field(default=None, nullable=True, sa_type=Day)
    rate: str = Field(sa_type=Text)
    offered_on: date = Field(sa_type=Day)
    expires_on: date = Field(sa_type=Day)
    status: str = Field(sa_type=Text)
    contract: str = Field(sa_type=Text)
    contract_sha256: str = Field(sa_type=Text)
    facility: str | None = Field(default=None, nullable=True, sa_type=Text)


class FacilityRow(Base, table=True):
    """A merchant's credit line: limits, and as caches what is used of it and the head of its chain of events."""

    __tablename__ = "ml_facility"
    __table_args__ = table_args(
        among("status", "active", "frozen", "closed", "expired"),
        CheckConstraint("limit_minor >= 0 AND seasonal_limit_minor >= 0", name="limits"),
        CheckConstraint("(seasonal_limit_minor = 0) = (seasonal_until IS NULL)", name="seasonal"),
        CheckConstraint("outstanding_minor >= 0 AND pending_minor >= 0", name="used"),
        CheckConstraint("last_seq >= 0", name="seq"),
        Index(None, "tenant", "bucket", "merchant"),
        Index(None, "tenant", "bucket", "status", "valid_until"),
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    id: str = Field(primary_key=True, sa_type=Text)
    merchant: str = Field(sa_type=Text)
    offer: str = Field(sa_type=Text)
    product: str = Field(sa_type=Text)
    product_version: int = Field(sa_type=BigInt)
    currency: str = Field(sa_type=Text)
    rate: str = Field(sa_type=Text)
    limit_minor: int = Field(sa_type=BigInt)
    seasonal_limit_minor: int = Field(sa_type=BigInt)
    seasonal_until: date | None = Field(default=None, nullable=True, sa_type=Day)
    status: str = Field(sa_type=Text)
    signer: str = Field(sa_type=Text)  # a person's name: outside the hashed events, so that it can be erased
    signed_on: date = Field(sa_type=Day)
    signed_at: datetime = Field(sa_type=Instant)
    valid_until: date = Field(sa_type=Day)
    contract_sha256: str = Field(sa_type=Text)
    outstanding_minor: int = Field(sa_type=BigInt)
    pending_minor: int = Field(sa_type=BigInt)
    last_seq: int = Field(sa_type=BigInt)
    head_hash: str = Field(sa_type=Text)


class LoanRow(Base, table=True):
    """A draw and its life: terms, and as caches the figures that change only when something happens to the loan.

    No index holds the status: it is what changes when a loan falls due, and would cost an entry in every index.
    """

    __tablename__ = "ml_loan"
    __table_args__ = table_args(
        among("status", "pending", "cancelled", "active", "overdue", "closed", "written_off"),
        CheckConstraint("drawn_minor > 0", name="drawn"),
        CheckConstraint("principal_minor >= 0 AND credit_minor >= 0", name="caches"),
        CheckConstraint(FLAG.format("memo"), name="memo"),
        CheckConstraint("(held_through IS NULL) = (held_reason IS NULL)", name="held"),
        Index(None, "tenant", "bucket", "facility"),
        Index(None, "tenant", "bucket", "merchant"),
        Index(None, "tenant", "drawn_on", "drawn_at", "id"),
        Index(
            "ix_ml_loan_not_started", "tenant", "drawn_on", "drawn_at", "id",
            sqlite_where=text("start IS NULL"),
        ),
        Index(
            "ix_ml_loan_held", "tenant", "bucket", "id",
            sqlite_where=text("held_through IS NOT NULL"),
        ),
    )  # fmt: skip
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    id: str = Field(primary_key=True, sa_type=Text)
    facility: str = Field(sa_type=Text)
    merchant: str = Field(sa_type=Text)
    product: str = Field(sa_type=Text)
    product_version: int = Field(sa_type=BigInt)
    currency: str = Field(sa_type=Text)
    terms: str = Field(sa_type=Text)
    drawn_minor: int = Field(sa_type=BigInt)
    drawn_on: date = Field(sa_type=Day)
    drawn_at: datetime = Field(sa_type=Instant)
    start: date | None = Field(default=None, nullable=True, sa_type=Day)
    maturity: date | None = Field(default=None, nullable=True, sa_type=Day)
    status: str = Field(sa_type=Text)
    principal_minor: int = Field(sa_type=BigInt)
    credit_minor: int = Field(sa_type=BigInt)
    class_: str = Field(sa_type=Text, sa_column_kwargs={"name": "class"})
    memo: int = Field(sa_type=BigInt)
    oldest_due: date | None = Field(default=None, nullable=True, sa_type=Day)
    held_through: date | None = Field(default=None, nullable=True, sa_type=Day)
    held_reason: str | None = Field(default=None, nullable=True, sa_type=Text)


class EventRow(Base, table=True):
    """One fact in the life of a facility or one of its loans; hashed, chained per facility, never changed."""

    __tablename__ = "ml_event"
    __table_args__ = table_args(
        UniqueConstraint("tenant", "bucket", "id"),
        CheckConstraint("seq > 0", name="seq"),
        CheckConstraint("value_date <= booked_on", name="not_in_future"),
        CheckConstraint(FLAG.format("four_eyes"), name="four_eyes_flag"),
        CheckConstraint(
            "(four_eyes = 0 AND approver = '') OR (approver <> '' AND approver <> actor)", name="four_eyes"
        ),
        Index(None, "tenant", "bucket", "loan", "seq"),
        Index(None, "tenant", "bucket", "booked_on"),
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    facility: str = Field(primary_key=True, sa_type=Text)
    seq: int = Field(primary_key=True, sa_type=BigInt)
    id: str = Field(sa_type=Text)
    command: str = Field(sa_type=Text)
    loan: str = Field(sa_type=Text)  # empty for an event of the facility itself
    kind: str = Field(sa_type=Text)
    value_date: date = Field(sa_type=Day)
    booked_on: date = Field(sa_type=Day)
    recorded_at: datetime = Field(sa_type=Instant)
    reverses: str = Field(sa_type=Text)  # empty unless a reversal
    payload: str = Field(sa_type=Text)
    actor: str = Field(sa_type=Text)
    approver: str = Field(sa_type=Text)
    four_eyes: int = Field(sa_type=BigInt)  # 1: the book would not have it without a second person
    prev_hash: str = Field(sa_type=Text)
    hash: str = Field(sa_type=Text)


class AccrualLine(Base, table=True):
    """The running totals of one loan as formulas of the day number (ARCHITECTURE, the accrual row): of contract interest,
    and in ``penalty_…`` of penalty where there is any, over the same denominator.

    Led by product and class, so that the close reads it in the order in which it posts. One row per loan that is not closed.
    """

    __tablename__ = "ml_accrual"
    __table_args__ = table_args(
        CheckConstraint(FLAG.format("memo"), name="memo"),
        CheckConstraint(FLAG.format("day_count"), name="day_count"),
        CheckConstraint(
            "den > 0 AND rem >= 0 AND rem < den AND m >= 0 AND m < den AND q >= 0", name="formula"
        ),
        CheckConstraint(
            "(penalty_q IS NULL) = (penalty_whole IS NULL) AND (penalty_q IS NULL) = (penalty_rem IS NULL) "
            "AND (penalty_q IS NULL) = (penalty_m IS NULL) AND (penalty_q IS NULL OR (penalty_q >= 0 "
            "AND penalty_rem >= 0 AND penalty_rem < den AND penalty_m >= 0 AND penalty_m < den))",
            name="penalty",
        ),
        Index(None, "tenant", "bucket", "next_action", "loan"),
        rowid=False,
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    product: str = Field(primary_key=True, sa_type=Text)
    class_: str = Field(primary_key=True, sa_type=Text, sa_column_kwargs={"name": "class"})
    memo: int = Field(primary_key=True, sa_type=BigInt)
    loan: str = Field(primary_key=True, sa_type=Text)
    currency: str = Field(sa_type=Text)
    day_count: int = Field(sa_type=BigInt)  # 0 actual, 1 30E/360
    anchor_n: int = Field(sa_type=BigInt)
    whole: int = Field(sa_type=BigInt)
    q: int = Field(sa_type=BigInt)
    rem: int = Field(sa_type=BigInt)
    m: int = Field(sa_type=BigInt)
    den: int = Field(sa_type=BigInt)
    penalty_whole: int | None = Field(default=None, nullable=True, sa_type=BigInt)
    penalty_q: int | None = Field(default=None, nullable=True, sa_type=BigInt)
    penalty_rem: int | None = Field(default=None, nullable=True, sa_type=BigInt)
    penalty_m: int | None = Field(default=None, nullable=True, sa_type=BigInt)
    next_action: date = Field(sa_type=Day)


class JournalRow(Base, table=True):
    """One line of a balanced entry; debit above zero. Commands post per loan, the close per product and class."""

    __tablename__ = "ml_journal"
    __table_args__ = table_args(
        among("source", "command", "night", "morning"),
        CheckConstraint("amount_minor <> 0", name="amount"),
        Index(None, "tenant", "bucket", "day"),
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    entry: str = Field(primary_key=True, sa_type=Text)
    line: int = Field(primary_key=True, sa_type=BigInt)
    day: date = Field(sa_type=Day)
    source: str = Field(sa_type=Text)
    loan: str = Field(sa_type=Text)  # empty where the close posts a group
    product: str = Field(sa_type=Text)
    class_: str = Field(sa_type=Text, sa_column_kwargs={"name": "class"})  # empty on accounts without class
    account: str = Field(sa_type=Text)
    currency: str = Field(sa_type=Text)
    amount_minor: int = Field(sa_type=BigInt)


class OutboxRow(Base, table=True):
    """An event for other systems (CloudEvents 1.0), written with the fact itself; ordered per facility by ``seq``."""

    __tablename__ = "ml_outbox"
    __table_args__ = table_args(
        Index(
            "ix_ml_outbox_waiting", "tenant", "bucket", "facility", "seq",
            sqlite_where=text("published_at IS NULL"),
        ),
    )  # fmt: skip
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    id: str = Field(primary_key=True, sa_type=Text)
    facility: str = Field(sa_type=Text)
    seq: int = Field(sa_type=BigInt)
    type: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    time: datetime = Field(sa_type=Instant)
    data: str = Field(sa_type=Text)
    published_at: datetime | None = Field(default=None, nullable=True, sa_type=Instant)


class CommandRow(Base, table=True):
    """Who did what, when; and for a command with a key, what it answered, so that the same key never acts twice.

    No bucket in the key: with it one key could act twice.
    """

    __tablename__ = "ml_command"
    __table_args__ = table_args(
        UniqueConstraint("tenant", "operation", "key"),
        CheckConstraint("approver = '' OR approver <> actor", name="four_eyes"),
        Index(None, "tenant", "recorded_at"),
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    id: str = Field(primary_key=True, sa_type=Text)
    operation: str = Field(sa_type=Text)
    key: str | None = Field(default=None, nullable=True, sa_type=Text)
    request_hash: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    actor: str = Field(sa_type=Text)
    approver: str = Field(sa_type=Text)
    recorded_at: datetime = Field(sa_type=Instant)
    result: str | None = Field(default=None, nullable=True, sa_type=Text)


BOOKS = table_of(BookRow)
BUCKETS = table_of(BucketRow)
SETTINGS = table_of(SettingRow)
PRODUCTS = table_of(ProductRow)
OFFERS = table_of(OfferRow)
FACILITIES = table_of(FacilityRow)
LOANS = table_of(LoanRow)
EVENTS = table_of(EventRow)
ACCRUALS = table_of(AccrualLine)
JOURNAL = table_of(JournalRow)
OUTBOX = table_of(OutboxRow)
COMMANDS = table_of(CommandRow)

keep_room(LOANS)
guard(BOOKS, four_eyes_as_set)
append_only(SETTINGS, EVENTS, JOURNAL)
stays(COMMANDS, "request_hash", "subject", "result", claimed=("tenant", "operation", "key"))
stays(PRODUCTS, "status", "approved_by", "approved_at", final="OLD.status = 'approved'")
stays(OFFERS, "status", "facility")
