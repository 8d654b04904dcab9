"""The requests. Amounts are text, read exactly by the book; its results, frozen dataclasses, are the response models."""

from datetime import date
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from sqlmodel import Session

from microloan import to_minor
from microloan.book.results import Contract, Drawdown, Facility, Loan, Receipt, Statement, Waiting
from microloan.book.sales import SalesReport
from microloan.book.underwriting import DecisionRecord
from microloan.errors import NotFound

from .models import PayoutInstruction, Shop
from .office import At, Key

router = APIRouter()


class ShopBody(BaseModel):
    id: str
    name: str
    bank_account: str


class SalesRow(BaseModel):
    order_id: str
    line_id: str = ""
    paid_at: str
    amount: str
    status: Literal["paid", "shipped", "completed", "refunded", "cancelled"]
    buyer_id: str | None = None
    refund_amount: str = "0"
    refunded_at: str | None = None
    status_at: str | None = None
    settled_at: str | None = None


class Signature(BaseModel):
    signer: str
    contract_sha256: str


class DrawBody(BaseModel):
    amount: str
    days: int


class Payment(BaseModel):
    payment_id: str
    loan_id: str
    outcome: Literal["paid", "failed"]
    value_date: date | None = None


class Repayment(BaseModel):
    amount: str


@router.post("/shops", status_code=201)
def register(body: ShopBody, at: At, key: Key) -> ShopBody:
    with at.writing() as (session, book):
        merchant = book.merchants.add(body.id, body.name, shops=[f"market:{body.id}"], idempotency_key=key)
        if not merchant.replayed:
            session.add(Shop(tenant=at.caller.tenant, **body.model_dump()))
        return body


@router.post("/shops/{shop_id}/sales")
def take_sales(shop_id: str, rows: list[SalesRow], at: At, key: Key) -> SalesReport:
    lines = [{"shop_id": shop_id, **row.model_dump()} for row in rows]
    with at.writing() as (_, book):
        return book.sales.load(lines, platform="market", idempotency_key=key)


@router.post("/shops/{shop_id}/underwriting")
def underwrite(shop_id: str, at: At, key: Key) -> DecisionRecord:
    with at.writing() as (_, book):
        return book.underwriting.run(shop_id, idempotency_key=key)


@router.get("/offers/{offer_id}/contract")
def contract(offer_id: str, at: At) -> Contract:
    with at.reading() as book:
        return book.contract(offer_id)


@router.post("/offers/{offer_id}/signature", status_code=201)
def sign(offer_id: str, body: Signature, at: At, key: Key) -> Facility:
    with at.writing() as (_, book):
        return book.sign(offer_id, **body.model_dump(), idempotency_key=key)


@router.post("/facilities/{facility_id}/draws", status_code=201)
def draw(facility_id: str, body: DrawBody, at: At, key: Key) -> Drawdown:
    with at.writing() as (session, book):
        drawn = book.draw(facility_id, body.amount, days=body.days, idempotency_key=key)
        if not drawn.replayed:
            shop = session.get_one(Shop, (at.caller.tenant, book.facility(facility_id).merchant_id))
            session.add(_instruction(shop, drawn))
        return drawn


@router.post("/payments")
def payment_callback(body: Payment, at: At) -> Loan | Waiting:
    """The payment provider calls this, perhaps more than once: its own id is the key."""
    with at.writing() as (session, book):
        instruction = _instruction_of(session, at.caller.tenant, body.loan_id)
        instruction.status = body.outcome
        if body.outcome == "failed":
            return book.fail_payout(body.loan_id, idempotency_key=body.payment_id)
        return book.confirm_payout(body.loan_id, body.value_date, idempotency_key=body.payment_id)


@router.post("/loans/{loan_id}/repayments", status_code=201)
def repay(loan_id: str, body: Repayment, at: At, key: Key) -> Receipt:
    with at.writing() as (_, book):
        return book.repay(loan_id, body.amount, idempotency_key=key)


@router.get("/loans/{loan_id}/statement")
def statement(loan_id: str, at: At) -> Statement:
    with at.reading() as book:
        return book.statement(loan_id)


def _instruction(shop: Shop, drawn: Drawdown) -> PayoutInstruction:
    return PayoutInstruction(
        loan_id=drawn.loan_id,
        tenant=shop.tenant,
        shop_id=shop.id,
        bank_account=shop.bank_account,
        amount_minor=to_minor(drawn.principal, drawn.currency),
        currency=drawn.currency,
    )


def _instruction_of(session: Session, tenant: str, loan_id: str) -> PayoutInstruction:
    found = session.get(PayoutInstruction, loan_id)
    if found is None or found.tenant != tenant:
        raise NotFound(kind="payout instruction", id=loan_id)
    return found
