"""The tables that guard people and data: what waits for a second person, and which merchants were erased."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, Table, Text, text
from sqlmodel import Field

from .base import Base, BigInt, Day, Instant, table_args, table_of
from .guards import append_only, guard, staying


class RequestRow(Base, table=True):
    """A command that waits for a second person, exactly as it was asked for, and what became of it.

    Whoever asked may take it back (reject it), never approve it: the database refuses that too.
    """

    __tablename__ = "ml_request"
    __table_args__ = table_args(
        CheckConstraint("status IN ('waiting', 'approved', 'rejected')", name="status"),
        CheckConstraint("(status = 'waiting') = (decided_by IS NULL)", name="decided"),
        CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name="decided_at"),
        CheckConstraint("created_by <> ''", name="created_by"),
        CheckConstraint(
            "status <> 'approved' OR (decided_by <> '' AND decided_by <> created_by)", name="four_eyes"
        ),
        Index(None, "tenant", "status", "created_at"),
        Index(
            "uq_ml_request_waiting", "tenant", "asked_hash", unique=True,
            sqlite_where=text("status = 'waiting'"),
        ),
    )  # fmt: skip
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    id: str = Field(primary_key=True, sa_type=Text)
    operation: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    payload: str = Field(sa_type=Text)
    asked_hash: str = Field(sa_type=Text)  # of operation and payload: the same waits once
    reason: str = Field(sa_type=Text)
    created_by: str = Field(sa_type=Text)
    created_on: date = Field(sa_type=Day)
    created_at: datetime = Field(sa_type=Instant)
    status: str = Field(sa_type=Text)
    decided_by: str | None = Field(default=None, nullable=True, sa_type=Text)
    decided_at: datetime | None = Field(default=None, nullable=True, sa_type=Instant)
    note: str = Field(sa_type=Text)
    command: str = Field(sa_type=Text)  # the command that carried it out; empty until then


class ErasureRow(Base, table=True):
    """That a merchant's personal data were erased: when, by whom, why; nothing of what was erased."""

    __tablename__ = "ml_erasure"
    __table_args__ = table_args(
        CheckConstraint("approver = '' OR approver <> actor", name="four_eyes"),
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    merchant: str = Field(primary_key=True, sa_type=Text)
    command: str = Field(primary_key=True, sa_type=Text)
    erased_on: date = Field(sa_type=Day)
    erased_at: datetime = Field(sa_type=Instant)
    reason: str = Field(sa_type=Text)
    fields: int = Field(sa_type=BigInt)
    actor: str = Field(sa_type=Text)
    approver: str = Field(sa_type=Text)


REQUESTS: Table = table_of(RequestRow)
ERASURES: Table = table_of(ErasureRow)

append_only(ERASURES)

#: What of a request an answer writes; everything else stays as it was asked for.
ANSWERED = ("status", "decided_by", "decided_at", "note", "command")


def request_guards(dialect: str) -> tuple[str, ...]:
    """The statements that let a request be answered once, and neither changed, replaced nor taken away.

    Of what is asked for while the same waits, SQLite keeps the one that waits (REPLACE would delete it).
    """
    guards = staying(dialect, REQUESTS, ANSWERED, final="OLD.status <> 'waiting'")
    if dialect != "sqlite":
        return guards
    table = REQUESTS.name
    waits = "tenant = NEW.tenant AND asked_hash = NEW.asked_hash AND status = 'waiting' AND id <> NEW.id"
    return (
        *guards,
        f"CREATE TRIGGER {table}_waits_once BEFORE INSERT ON {table} WHEN NEW.status = 'waiting' "  # noqa: S608
        f"AND EXISTS (SELECT 1 FROM {table} WHERE {waits}) BEGIN SELECT RAISE(IGNORE); END",
    )


guard(REQUESTS, request_guards)
