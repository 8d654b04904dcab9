"""The tables of merchants: who they are, their shops, and what ties them to others."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, Table, Text, UniqueConstraint
from sqlmodel import Field

from .base import Base, BigInt, Day, Instant, table_args, table_of


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


MERCHANTS: Table = table_of(MerchantRow)
SHOPS: Table = table_of(ShopRow)
LINKS: Table = table_of(MerchantLinkRow)
IDENTIFIERS: Table = table_of(IdentifierRow)
