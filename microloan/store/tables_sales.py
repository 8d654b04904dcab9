"""The tables of sales and underwriting: merchants, shops, sales lines with their older versions, imports, decisions.

A shop has a number; its sales lines are kept under the number and the bucket its merchant had when the shop was first seen, in
the order in which they are read: one shop after the other. Days are proleptic ordinals, amounts minor units.

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


class MerchantRow(Base, table=True):
    """A merchant somebody registered; a shop nobody registered is its own merchant and has no row here."""

    __tablename__ = "ml_merchant"
    __table_args__ = table_args()
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    id: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=Instant)
    created_by: str = Field(sa_type=Text)


class ShopRow(Base, table=True):
    """A shop on a platform: whose it is, what the platform says of it. ``lines`` is about how many sales lines it has
    (those a killed import brought in are not counted): a measure for reading some hundreds of shops at once.

    Rating and violations count from ``rated_on``. No bucket in the key: with it one shop could be there twice.
    """

    __tablename__ = "ml_shop"
    __table_args__ = table_args(
        UniqueConstraint("tenant", "platform", "shop_id"),
        CheckConstraint("violations >= 0", name="violations"),
        CheckConstraint("platform_is_buyer IN (0, 1)", name="platform_is_buyer"),
        CheckConstraint("lines >= 0", name="lines"),
        Index(None, "tenant", "merchant"),
        Index(None, "tenant", "shop_id"),
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    number: int = Field(primary_key=True, sa_type=BigInt)
    platform: str = Field(sa_type=Text)
    shop_id: str = Field(sa_type=Text)
    bucket: int = Field(sa_type=BigInt)
    merchant: str = Field(sa_type=Text)
    rating: str | None = Field(default=None, nullable=True, sa_type=Text)
    violations: int | None = Field(default=None, nullable=True, sa_type=BigInt)
    rated_on: date | None = Field(default=None, nullable=True, sa_type=Day)
    platform_is_buyer: int = Field(sa_type=BigInt)
    lines: int = Field(sa_type=BigInt)


class MerchantLinkRow(Base, table=True):
    """Two merchants that are related parties, the smaller id first, and why."""

    __tablename__ = "ml_merchant_link"
    __table_args__ = table_args(
        CheckConstraint("merchant < other", name="ordered"), Index(None, "tenant", "other")
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    merchant: str = Field(primary_key=True, sa_type=Text)
    other: str = Field(primary_key=True, sa_type=Text)
    reason: str = Field(sa_type=Text)
    linked_at: datetime = Field(sa_type=Instant)
    linked_by: str = Field(sa_type=Text)


class IdentifierRow(Base, table=True):
    """Something that identifies a merchant — phone, account, licence — as a keyed digest and its last four characters.

    The merchant's from ``first_day`` to ``last_day``, both counted; no last day: it has it still. Known since ``added_at``,
    which stands in the index so that the holders of a day past are counted without a look at the rows.
    """

    __tablename__ = "ml_identifier"
    __table_args__ = table_args(
        CheckConstraint("last_day >= first_day", name="span"),
        Index(None, "tenant", "kind", "digest", "added_at", "merchant"),
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    merchant: str = Field(primary_key=True, sa_type=Text)
    kind: str = Field(primary_key=True, sa_type=Text)
    digest: str = Field(primary_key=True, sa_type=Text)
    last_four: str = Field(sa_type=Text)
    first_day: date = Field(sa_type=Day)
    last_day: date | None = Field(default=None, nullable=True, sa_type=Day)
    added_at: datetime = Field(sa_type=Instant)


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


SALES_CLOCKS: Table = table_of(SalesClockRow)
MERCHANTS: Table = table_of(MerchantRow)
SHOPS: Table = table_of(ShopRow)
LINKS: Table = table_of(MerchantLinkRow)
IDENTIFIERS: Table = table_of(IdentifierRow)
LINES: Table = table_of(SalesLineRow)
OLD_LINES: Table = table_of(SalesLineOldRow)
IMPORTS: Table = table_of(ImportRow)
BATCHES: Table = table_of(ImportBatchRow)
COVERAGE: Table = table_of(CoverageRow)
FEEDS: Table = table_of(FeedRow)
PLATFORMS: Table = table_of(PlatformRow)
POLICIES: Table = table_of(PolicyRow)
RUNS: Table = table_of(RunRow)
DECISIONS: Table = table_of(DecisionRow)
REVIEWS: Table = table_of(ReviewRow)
SETTINGS: Table = table_of(SettingRow)
