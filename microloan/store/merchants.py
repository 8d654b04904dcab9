"""Statements of merchants: registering, shops and their ratings, related parties, identifiers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import bindparam, or_, select, update

from .lending import Row, keyed
from .tables_merchants import IDENTIFIERS, LINKS, MERCHANTS, SHOPS
from .unit import Unit
from .upserts import upsert

_MERCHANT = select(MERCHANTS).where(*keyed(MERCHANTS, "id"))
_MERCHANTS = select(MERCHANTS).where(MERCHANTS.c.tenant == bindparam("tenant")).order_by(MERCHANTS.c.id)
_ADD = (
    upsert(MERCHANTS)
    .on_conflict_do_nothing(index_elements=["tenant", "bucket", "id"])
    .returning(MERCHANTS.c.id)
)
_OF_SHOP = (SHOPS.c.tenant == bindparam("of_tenant"), SHOPS.c.number == bindparam("of_number"))
_MOVE_SHOP = update(SHOPS).where(*_OF_SHOP).values(merchant=bindparam("to_merchant"))
_RATE_SHOP = (
    update(SHOPS)
    .where(*_OF_SHOP)
    .values(
        rating=bindparam("new_rating"), violations=bindparam("new_violations"), rated_on=bindparam("new_rated_on"),
        platform_is_buyer=bindparam("new_platform_is_buyer"),
    )
)  # fmt: skip
_LINK = (
    upsert(LINKS)
    .on_conflict_do_nothing(index_elements=["tenant", "merchant", "other"])
    .returning(LINKS.c.merchant)
)
_LINKS = (
    select(LINKS)
    .where(LINKS.c.tenant == bindparam("tenant"))
    .where(or_(LINKS.c.merchant == bindparam("merchant"), LINKS.c.other == bindparam("merchant")))
    .order_by(LINKS.c.merchant, LINKS.c.other)
)
_ALL_LINKS = select(LINKS).where(LINKS.c.tenant == bindparam("tenant"))
_NOTED = upsert(IDENTIFIERS)
_PUT_IDENTIFIER = _NOTED.on_conflict_do_update(
    index_elements=["tenant", "bucket", "merchant", "kind", "digest"],
    set_={name: _NOTED.excluded[name] for name in ("first_day", "last_day")},
)
_IDENTIFIER = select(IDENTIFIERS).where(*keyed(IDENTIFIERS, "merchant", "kind", "digest"))
_IDENTIFIERS = (
    select(IDENTIFIERS)
    .where(*keyed(IDENTIFIERS, "merchant"))
    .order_by(IDENTIFIERS.c.kind, IDENTIFIERS.c.digest)
)
_SHARING = (
    select(IDENTIFIERS.c.merchant)
    .where(IDENTIFIERS.c.tenant == bindparam("tenant"), IDENTIFIERS.c.kind == bindparam("kind"))
    .where(IDENTIFIERS.c.digest == bindparam("digest"))
    .order_by(IDENTIFIERS.c.merchant)
)
_TENANT_HAS = select(SHOPS.c.number).where(
    SHOPS.c.tenant == bindparam("tenant"), SHOPS.c.merchant == bindparam("merchant")
)


def merchant(unit: Unit, merchant_id: str) -> Row | None:
    """A registered merchant."""
    return unit.execute(_MERCHANT, {"bucket": unit.bucket_of(merchant_id), "id": merchant_id}).first()


def merchants(unit: Unit) -> Sequence[Row]:
    """All registered merchants, by id."""
    rows: Sequence[Row] = unit.execute(_MERCHANTS).all()
    return rows


def add_merchant(unit: Unit, merchant_id: str, name: str) -> bool:
    """Register a merchant; False when it was registered already."""
    row = {"tenant": unit.tenant, "bucket": unit.bucket_of(merchant_id), "id": merchant_id, "name": name}
    made = {"created_at": unit.now, "created_by": unit.actor}
    return unit.connection.execute(_ADD, row | made).first() is not None


def has_shops(unit: Unit, merchant_id: str) -> bool:
    """Whether a shop belongs to this merchant, registered or not."""
    return unit.execute(_TENANT_HAS, {"merchant": merchant_id}).first() is not None


def move_shop(unit: Unit, number: int, merchant_id: str) -> None:
    """Give a shop to a merchant; its lines stay where they are."""
    unit.connection.execute(
        _MOVE_SHOP, {"of_tenant": unit.tenant, "of_number": number, "to_merchant": merchant_id}
    )


def rate_shop(unit: Unit, number: int, facts: dict[str, Any]) -> None:
    """Write what the platform says of a shop: rating, violations, rated_on, platform_is_buyer."""
    new = {f"new_{name}": value for name, value in facts.items()}
    unit.connection.execute(_RATE_SHOP, {"of_tenant": unit.tenant, "of_number": number} | new)


def link(unit: Unit, one: str, other: str, reason: str) -> bool:
    """Note that two merchants are related parties; False when that was known."""
    first, second = sorted((one, other))
    row = {"tenant": unit.tenant, "merchant": first, "other": second, "reason": reason}
    return (
        unit.connection.execute(_LINK, row | {"linked_at": unit.now, "linked_by": unit.actor}).first()
        is not None
    )


def links(unit: Unit, merchant_id: str) -> Sequence[Row]:
    """The links of a merchant."""
    rows: Sequence[Row] = unit.execute(_LINKS, {"merchant": merchant_id}).all()
    return rows


def all_links(unit: Unit) -> Sequence[Row]:
    """Every pair of related merchants."""
    rows: Sequence[Row] = unit.execute(_ALL_LINKS).all()
    return rows


def put_identifier(
    unit: Unit, merchant_id: str, kind: str, digest: str, last_four: str, span: tuple[date, date | None]
) -> None:
    """Note an identifier of a merchant, or the days between which a known one was its; no last day: it has it still."""
    row = {"tenant": unit.tenant, "bucket": unit.bucket_of(merchant_id), "merchant": merchant_id}
    row |= {"kind": kind, "digest": digest, "last_four": last_four, "added_at": unit.now}
    unit.connection.execute(_PUT_IDENTIFIER, row | {"first_day": span[0], "last_day": span[1]})


def identifier(unit: Unit, merchant_id: str, kind: str, digest: str) -> Row | None:
    """One identifier of a merchant."""
    values = {"bucket": unit.bucket_of(merchant_id), "merchant": merchant_id, "kind": kind, "digest": digest}
    return unit.execute(_IDENTIFIER, values).first()


def identifiers(unit: Unit, merchant_id: str) -> Sequence[Row]:
    """The identifiers of a merchant."""
    values = {"bucket": unit.bucket_of(merchant_id), "merchant": merchant_id}
    rows: Sequence[Row] = unit.execute(_IDENTIFIERS, values).all()
    return rows


def sharing(unit: Unit, kind: str, digest: str) -> list[str]:
    """The merchants that have this identifier."""
    return [row.merchant for row in unit.execute(_SHARING, {"kind": kind, "digest": digest})]
