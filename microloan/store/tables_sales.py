"""The tables of sales: the lines with their older versions, the imports that brought them, which days they cover.

The lines of a shop are kept under its number and the bucket its merchant had when the shop was first seen, in the order in
which they are read: one shop after the other. Days are proleptic ordinals, amounts minor units.

Every batch of sales lines gets the next *revision* of the tenant. A line knows the revision that wrote it, an older version also
the one that replaced it, so that the flow can be read as it stood at any revision, and a decision made again on it.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, Table, Text, UniqueConstraint
from sqlmodel import Field

from .base import Base, BigInt, Day, Instant, table_args, table_of

#: What ``status`` of a sales line stands for, by position.
LINE_STATUSES = ("paid", "shipped", "completed", "refunded", "cancelled")


class SalesClockRow(Base, table=True):
    """The tenant's counters; its row is the lock that lets one batch in after the other, in the order of revisions."""

    __tablename__ = "ml_sales_clock"
    __table_args__ = table_args(CheckConstraint("revision >= 0 AND shops >= 0", name="counters"))
    tenant: str = Field(primary_key=True, sa_type=Text)
    revision: int = Field(sa_type=BigInt)
    shops: int = Field(sa_type=BigInt)


class SalesLineRow(Base, table=True):
    """One line of an order, as last imported. Natural key: tenant, platform, shop, order, line."""

    __tablename__ = "ml_sales_line"
    __table_args__ = table_args(
        CheckConstraint("amount_minor BETWEEN 0 AND 10000000000000", name="amount"),
        CheckConstraint("refund_minor BETWEEN 0 AND amount_minor", name="refund"),
        CheckConstraint("status BETWEEN 0 AND 4", name="status"),
        rowid=False,
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    shop: int = Field(primary_key=True, sa_type=BigInt)
    order_id: str = Field(primary_key=True, sa_type=Text)
    line_id: str = Field(primary_key=True, sa_type=Text)
    paid_day: int = Field(sa_type=BigInt)
    amount_minor: int = Field(sa_type=BigInt)
    refund_minor: int = Field(sa_type=BigInt)
    status: int = Field(sa_type=BigInt)
    refunded_day: int | None = Field(default=None, nullable=True, sa_type=BigInt)
    status_day: int | None = Field(default=None, nullable=True, sa_type=BigInt)
    settled_day: int | None = Field(default=None, nullable=True, sa_type=BigInt)
    buyer_id: str | None = Field(default=None, nullable=True, sa_type=Text)
    product_id: str | None = Field(default=None, nullable=True, sa_type=Text)
    revision: int = Field(sa_type=BigInt)


class SalesLineOldRow(Base, table=True):
    """What a sales line said before it was updated: from its ``revision`` until before ``replaced_by``."""

    __tablename__ = "ml_sales_line_old"
    __table_args__ = table_args(rowid=False)
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    shop: int = Field(primary_key=True, sa_type=BigInt)
    order_id: str = Field(primary_key=True, sa_type=Text)
    line_id: str = Field(primary_key=True, sa_type=Text)
    revision: int = Field(primary_key=True, sa_type=BigInt)
    replaced_by: int = Field(sa_type=BigInt)
    paid_day: int = Field(sa_type=BigInt)
    amount_minor: int = Field(sa_type=BigInt)
    refund_minor: int = Field(sa_type=BigInt)
    status: int = Field(sa_type=BigInt)
    refunded_day: int | None = Field(default=None, nullable=True, sa_type=BigInt)
    status_day: int | None = Field(default=None, nullable=True, sa_type=BigInt)
    settled_day: int | None = Field(default=None, nullable=True, sa_type=BigInt)
    buyer_id: str | None = Field(default=None, nullable=True, sa_type=Text)
    product_id: str | None = Field(default=None, nullable=True, sa_type=Text)


class ImportRow(Base, table=True):
    """A file that was taken in, or is being taken in: what it was and what came of it. ``lines_done`` is where to go on."""

    __tablename__ = "ml_import"
    __table_args__ = table_args(
        UniqueConstraint("tenant", "key"),
        CheckConstraint("status IN ('running', 'done')", name="status"),
        CheckConstraint("covers IN ('shops', 'platform')", name="covers"),
        CheckConstraint(
            "accepted >= 0 AND updated >= 0 AND duplicates >= 0 AND rejected >= 0", name="counts"
        ),
        CheckConstraint("accepted + updated + duplicates = lines_done", name="lines_done"),
        Index(None, "tenant", "sha256"),
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    id: str = Field(primary_key=True, sa_type=Text)
    key: str | None = Field(default=None, nullable=True, sa_type=Text)
    request_hash: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    sha256: str = Field(sa_type=Text)
    platform: str = Field(sa_type=Text)
    covers: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    lines_done: int = Field(sa_type=BigInt)
    accepted: int = Field(sa_type=BigInt)
    updated: int = Field(sa_type=BigInt)
    duplicates: int = Field(sa_type=BigInt)
    rejected: int = Field(sa_type=BigInt)
    rejected_by_code: str = Field(sa_type=Text)
    first_day: date | None = Field(default=None, nullable=True, sa_type=Day)
    last_day: date | None = Field(default=None, nullable=True, sa_type=Day)
    started_by: str = Field(sa_type=Text)
    started_at: datetime = Field(sa_type=Instant)
    finished_at: datetime | None = Field(default=None, nullable=True, sa_type=Instant)


class ImportBatchRow(Base, table=True):
    """Which import a revision belongs to."""

    __tablename__ = "ml_import_batch"
    __table_args__ = table_args()
    tenant: str = Field(primary_key=True, sa_type=Text)
    revision: int = Field(primary_key=True, sa_type=BigInt)
    import_id: str = Field(sa_type=Text)


class CoverageRow(Base, table=True):
    """Days of a shop's flow that have been imported, both ends counted; spans neither touch nor overlap."""

    __tablename__ = "ml_coverage"
    __table_args__ = table_args(CheckConstraint("first_day <= last_day", name="span"), rowid=False)
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    shop: int = Field(primary_key=True, sa_type=BigInt)
    first_day: date = Field(primary_key=True, sa_type=Day)
    last_day: date = Field(sa_type=Day)


class FeedRow(Base, table=True):
    """Days for which the flow of a whole platform has been imported: shops without sales then sold nothing."""

    __tablename__ = "ml_feed"
    __table_args__ = table_args(CheckConstraint("first_day <= last_day", name="span"))
    tenant: str = Field(primary_key=True, sa_type=Text)
    platform: str = Field(primary_key=True, sa_type=Text)
    first_day: date = Field(primary_key=True, sa_type=Day)
    last_day: date = Field(sa_type=Day)


class PlatformRow(Base, table=True):
    """From which day a platform is known to report settlement: a row whenever a batch brought an earlier one."""

    __tablename__ = "ml_platform"
    __table_args__ = table_args()
    tenant: str = Field(primary_key=True, sa_type=Text)
    platform: str = Field(primary_key=True, sa_type=Text)
    revision: int = Field(primary_key=True, sa_type=BigInt)
    first_settled_day: date = Field(sa_type=Day)


SALES_CLOCKS: Table = table_of(SalesClockRow)
LINES: Table = table_of(SalesLineRow)
OLD_LINES: Table = table_of(SalesLineOldRow)
IMPORTS: Table = table_of(ImportRow)
BATCHES: Table = table_of(ImportBatchRow)
COVERAGE: Table = table_of(CoverageRow)
FEEDS: Table = table_of(FeedRow)
PLATFORMS: Table = table_of(PlatformRow)
