"""Statements of the book itself: its settings, buckets, products and offers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from ..errors import NotFound
from ..products import Product
from .lending import Row, at, fixed, keyed
from .lists import Listed, chosen, listed
from .tables_lending import BOOKS, BUCKETS, OFFERS, PRODUCTS
from .unit import Unit, bucket_in

_BOOK = select(BOOKS).where(BOOKS.c.tenant == bindparam("tenant"))
_BUCKETS_OF = (
    select(BUCKETS.c.bucket, BUCKETS.c.open_day)
    .where(BUCKETS.c.tenant == bindparam("tenant"))
    .order_by(BUCKETS.c.bucket)
)
_ADD_BOOK = insert(BOOKS)
_ADD_BUCKETS = insert(BUCKETS)
_MOVE_DAY = (
    update(BUCKETS)
    .where(*at(BUCKETS), BUCKETS.c.open_day == bindparam("of_day"))
    .values(open_day=bindparam("next_day"))
)
_SET_FOUR_EYES = (
    update(BOOKS).where(BOOKS.c.tenant == bindparam("of_tenant")).values(four_eyes=bindparam("setting"))
)

_OF_PRODUCT = (PRODUCTS.c.tenant == bindparam("tenant"), PRODUCTS.c.name == bindparam("name"))
_PRODUCT_VERSION = select(PRODUCTS).where(*_OF_PRODUCT, PRODUCTS.c.version == bindparam("version"))
_LAST_VERSION = select(func.max(PRODUCTS.c.version)).where(*_OF_PRODUCT)
_ACTIVE_VERSION = select(func.max(PRODUCTS.c.version)).where(*_OF_PRODUCT, PRODUCTS.c.status == "approved")
_PRODUCTS = (
    select(PRODUCTS)
    .where(PRODUCTS.c.tenant == bindparam("tenant"))
    .order_by(PRODUCTS.c.name, PRODUCTS.c.version)
)
_ADD_PRODUCT = insert(PRODUCTS)
_APPROVE = (
    update(PRODUCTS)
    .where(*(PRODUCTS.c[n] == bindparam(f"of_{n}") for n in ("tenant", "name", "version")))
    .values(status="approved", approved_by=bindparam("by"), approved_at=bindparam("instant"))
)

_OFFER = select(OFFERS).where(*keyed(OFFERS, "id"))
_OFFER_LOCKED = _OFFER.with_for_update()
_AS_OFFERED = (OFFERS.c.offered_on, OFFERS.c.id)
_ADD_OFFER = insert(OFFERS)
_SUPERSEDE = (
    update(OFFERS)
    .where(*at(OFFERS, "merchant"), OFFERS.c.status == fixed("offered"))
    .values(status="superseded")
)
_ANSWER_OFFER = (
    update(OFFERS).where(*at(OFFERS, "id")).values(status=bindparam("answer"), facility=bindparam("made"))
)
_EXPIRE_OFFERS = (
    update(OFFERS)
    .where(*at(OFFERS), OFFERS.c.status == fixed("offered"), OFFERS.c.expires_on < bindparam("day"))
    .values(status="expired")
)


def book(unit: Unit) -> Row | None:
    """The tenant's book, if `init` has made it."""
    return unit.execute(_BOOK).first()


def buckets(unit: Unit) -> Sequence[Row]:
    """The buckets and their open days, by number; none before `init`."""
    rows: Sequence[Row] = unit.execute(_BUCKETS_OF).all()
    return rows


def last_open_day(unit: Unit) -> date:
    """The business day of the bucket that is furthest; every earlier day is closed somewhere."""
    day: date = max(row.open_day for row in buckets(unit))
    return day


def add_book(unit: Unit, row: dict[str, Any], open_day: date) -> None:
    """Insert a book and its buckets."""
    unit.connection.execute(_ADD_BOOK, row)
    days = [{"tenant": unit.tenant, "bucket": n, "open_day": open_day} for n in range(row["buckets"])]
    unit.connection.execute(_ADD_BUCKETS, days)


def set_four_eyes(unit: Unit, setting: str) -> None:
    """Write the four-eyes setting: ``off`` or ``on``."""
    unit.connection.execute(_SET_FOUR_EYES, {"of_tenant": unit.tenant, "setting": setting})


def move_day(unit: Unit, bucket: int, day: date, next_day: date) -> bool:
    """Move a bucket's business day; False when another closed it first."""
    values = {"of_tenant": unit.tenant, "of_bucket": bucket, "of_day": day, "next_day": next_day}
    return bool(unit.connection.execute(_MOVE_DAY, values).rowcount)


def product_row(unit: Unit, name: str, version: int) -> Row:
    """A version of a product. Raises NotFound."""
    row = unit.execute(_PRODUCT_VERSION, {"name": name, "version": version}).first()
    if row is None:
        raise NotFound(kind="product", id=f"{name} version {version}")
    return row


def product(unit: Unit, name: str, version: int) -> Product:
    """The content of an approved version; it never changes, so it is kept. Raises NotFound."""
    known = unit.known.products.get((name, version))
    if known is None:
        row = product_row(unit, name, version)
        known = _parsed(row.body)
        if row.status == "approved":
            unit.known.products[(name, version)] = known
    return known


@lru_cache(maxsize=256)
def _parsed(body: str) -> Product:
    return Product.parse(json.loads(body))


def last_version(unit: Unit, name: str) -> int:
    """The newest version of a product, approved or not; 0 when there is none."""
    return unit.execute(_LAST_VERSION, {"name": name}).scalar() or 0


def active_version(unit: Unit, name: str) -> int:
    """The newest approved version. Raises NotFound."""
    found = unit.execute(_ACTIVE_VERSION, {"name": name}).scalar()
    if not found:
        raise NotFound(kind="approved product", id=name)
    return int(found)


def products(unit: Unit) -> Sequence[Row]:
    """All versions of all products."""
    rows: Sequence[Row] = unit.execute(_PRODUCTS).all()
    return rows


def add_product(unit: Unit, row: dict[str, Any]) -> None:
    """Insert a proposed version."""
    unit.connection.execute(_ADD_PRODUCT, row)


def approve_product(unit: Unit, name: str, version: int) -> None:
    """Mark a version approved by the unit's actor."""
    of = {"of_tenant": unit.tenant, "of_name": name, "of_version": version}
    unit.connection.execute(_APPROVE, of | {"by": unit.actor, "instant": unit.now})


def offer(unit: Unit, offer_id: str, *, lock: bool = False) -> Row:
    """An offer's row. Raises NotFound."""
    key = {"bucket": bucket_in(offer_id, "offer"), "id": offer_id}
    row = unit.execute(_OFFER_LOCKED if lock else _OFFER, key).first()
    if row is None:
        raise NotFound(kind="offer", id=offer_id)
    return row


def offers(unit: Unit, latest: int | None = None, **filters: Any) -> Listed[Row]:
    """Offers by columns, oldest first; all or the *latest* so many."""
    return listed(unit, chosen(unit, OFFERS, filters), _AS_OFFERED, latest)


def add_offer(unit: Unit, row: dict[str, Any]) -> None:
    """Insert an offer; the merchant's open one is superseded."""
    of = {"of_tenant": unit.tenant, "of_bucket": row["bucket"], "of_merchant": row["merchant"]}
    unit.connection.execute(_SUPERSEDE, of)
    unit.connection.execute(_ADD_OFFER, row)


def answer_offer(unit: Unit, row: Row, status: str, facility: str | None) -> None:
    """Mark an offer signed (with the facility it became) or expired."""
    of = {"of_tenant": unit.tenant, "of_bucket": row.bucket, "of_id": row.id}
    unit.connection.execute(_ANSWER_OFFER, of | {"answer": status, "made": facility})


def expire_offers(unit: Unit, bucket: int, day: date) -> int:
    """Expire the offers of a bucket that could be signed until before *day*; how many."""
    of = {"of_tenant": unit.tenant, "of_bucket": bucket, "day": day}
    return int(unit.connection.execute(_EXPIRE_OFFERS, of).rowcount)
