"""The tables of the close of day: what is provided for, and the seal of each closed day."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, Text
from sqlmodel import Field

from .base import Base, BigInt, Day, table_args, table_of
from .guards import append_only


class ProvisionRow(Base, table=True):
    """The provision of a group at the last close: the principal it was counted on, and the figure posted (both minor)."""

    __tablename__ = "ml_provision"
    __table_args__ = table_args(
        CheckConstraint("principal_minor >= 0 AND allowance_minor >= 0", name="amounts"),
    )
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    product: str = Field(primary_key=True, sa_type=Text)
    class_: str = Field(primary_key=True, sa_type=Text, sa_column_kwargs={"name": "class"})
    currency: str = Field(sa_type=Text)
    principal_minor: int = Field(sa_type=BigInt)
    allowance_minor: int = Field(sa_type=BigInt)


class SealRow(Base, table=True):
    """What the close of a day seals: the heads of the chains that grew that day and the journal booked, chained to the last."""

    __tablename__ = "ml_seal"
    __table_args__ = table_args()
    tenant: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInt)
    day: date = Field(primary_key=True, sa_type=Day)
    heads: int = Field(sa_type=BigInt)
    lines: int = Field(sa_type=BigInt)
    journal: str = Field(sa_type=Text)  # the digest of these lines
    prev_hash: str = Field(sa_type=Text)
    hash: str = Field(sa_type=Text)


PROVISIONS = table_of(ProvisionRow)
SEALS = table_of(SealRow)

append_only(SEALS)
