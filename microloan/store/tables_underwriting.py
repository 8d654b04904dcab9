"""The tables of underwriting: policies, runs, decisions and the reviews that wait for a person."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, Table, Text, UniqueConstraint
from sqlmodel import Field

from .base import Base, BigInt, Day, Instant, table_args, table_of
from .guards import append_only, stays


class PolicyRow(Base, table=True):
    """A version of a credit policy; its body never changes. In force from ``effective_on`` once approved."""

    __tablename__ = "ml_policy"
    __table_args__ = table_args(
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("status IN ('proposed', 'approved')", name="status"),
        CheckConstraint("(status = 'approved') = (approved_at IS NOT NULL)", name="approved"),
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(primary_key=True, sa_type=Text)
    version: int = Field(primary_key=True, sa_type=BigInt)
    body: str = Field(sa_type=Text)
    sha256: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    effective_on: date = Field(sa_type=Day)
    proposed_by: str = Field(sa_type=Text)
    proposed_at: datetime = Field(sa_type=Instant)
    approved_by: str | None = Field(default=None, nullable=True, sa_type=Text)
    approved_at: datetime | None = Field(default=None, nullable=True, sa_type=Instant)


class RunRow(Base, table=True):
    """A run over all merchants: with what it was asked for, and whether it came to its end."""

    __tablename__ = "ml_underwriting_run"
    __table_args__ = table_args(
        UniqueConstraint("tenant", "key"), CheckConstraint("status IN ('running', 'done')", name="status")
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    id: str = Field(primary_key=True, sa_type=Text)
    key: str | None = Field(default=None, nullable=True, sa_type=Text)
    request_hash: str = Field(sa_type=Text)
    policy: str = Field(sa_type=Text)
    policy_version: int = Field(sa_type=BigInt)
    as_of: date = Field(sa_type=Day)
    status: str = Field(sa_type=Text)
    started_by: str = Field(sa_type=Text)
    started_at: datetime = Field(sa_type=Instant)
    finished_at: datetime | None = Field(default=None, nullable=True, sa_type=Instant)


class DecisionRow(Base, table=True):
    """A decision as it was made: ``body`` is canonical JSON with the waterfall and the feature snapshot, and never changes.

    ``revision`` is the data cut-off: the sales lines as they stood then. ``run`` is its own id for a decision made alone.
    """

    __tablename__ = "ml_decision"
    __table_args__ = table_args(
        UniqueConstraint("tenant", "bucket", "run", "merchant"),
        CheckConstraint("outcome IN ('approved', 'declined', 'manual_review')", name="outcome"),
        CheckConstraint("limit_minor >= 0", name="limit"),
        Index(None, "tenant", "bucket", "merchant", "decided_at"),
        Index(None, "tenant", "run", "merchant"),
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    id: str = Field(primary_key=True, sa_type=Text)
    run: str = Field(sa_type=Text)
    merchant: str = Field(sa_type=Text)
    as_of: date = Field(sa_type=Day)
    decided_on: date = Field(sa_type=Day)
    revision: int = Field(sa_type=BigInt)
    policy: str = Field(sa_type=Text)
    policy_version: int = Field(sa_type=BigInt)
    policy_sha256: str = Field(sa_type=Text)
    outcome: str = Field(sa_type=Text)
    limit_minor: int = Field(sa_type=BigInt)
    currency: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    offer: str | None = Field(default=None, nullable=True, sa_type=Text)
    facility: str | None = Field(default=None, nullable=True, sa_type=Text)
    body: str = Field(sa_type=Text)
    body_sha256: str = Field(sa_type=Text)
    decided_at: datetime = Field(sa_type=Instant)
    decided_by: str = Field(sa_type=Text)


class ReviewRow(Base, table=True):
    """A decision that waits for a person, and what the person said."""

    __tablename__ = "ml_review"
    __table_args__ = table_args(
        CheckConstraint("status IN ('open', 'approved', 'declined', 'superseded')", name="status"),
        CheckConstraint("(status = 'open') = (answered_at IS NULL)", name="answered"),
        Index(None, "tenant", "status", "opened_at"),
        Index(None, "tenant", "bucket", "merchant", "status"),
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    decision: str = Field(primary_key=True, sa_type=Text)
    merchant: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    opened_at: datetime = Field(sa_type=Instant)
    answered_by: str | None = Field(default=None, nullable=True, sa_type=Text)
    answered_at: datetime | None = Field(default=None, nullable=True, sa_type=Instant)
    note: str = Field(sa_type=Text)
    offer: str | None = Field(default=None, nullable=True, sa_type=Text)


POLICIES: Table = table_of(PolicyRow)
RUNS: Table = table_of(RunRow)
DECISIONS: Table = table_of(DecisionRow)
REVIEWS: Table = table_of(ReviewRow)

append_only(DECISIONS)
stays(POLICIES, "status", "approved_by", "approved_at", final="OLD.status = 'approved'")
