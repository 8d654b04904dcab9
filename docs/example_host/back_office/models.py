"""The back office's own tables, in its own metadata. Nothing here knows the tables of the loan book."""

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class Shop(SQLModel, table=True):
    """A shop on the marketplace, and where its money goes."""

    tenant: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    name: str
    bank_account: str


class PayoutInstruction(SQLModel, table=True):
    """Money the payment provider is to send: one for each draw."""

    __tablename__ = "payout_instruction"
    loan_id: str = Field(primary_key=True)
    tenant: str
    shop_id: str
    bank_account: str
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str
    status: str = "ordered"


class Notice(SQLModel, table=True):
    """What the merchant is told. Tenant and event make the key: an event that comes twice is told once."""

    tenant: str = Field(primary_key=True)
    event_id: str = Field(primary_key=True)
    type: str
    subject: str
