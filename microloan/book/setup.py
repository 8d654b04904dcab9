"""Opening a book: its currency, zone and buckets, the first business day, the shipped product and policy."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from ..clock import DEFAULT_ZONE, local_date
from ..errors import CurrencyMismatch, EventRefused, InvalidDate, InvalidSetting, NoBook
from ..money import currency_digits
from ..products import Product
from ..store import catalogue
from ..store.unit import Unit
from . import products
from .desk import Desk
from .results import Book

#: Buckets of a new book. One on SQLite: one writer there, and sixteen doubled the close.
BUCKETS = {"sqlite": 1, "postgresql": 16}


def init(
    desk: Desk,
    currency: str | None,
    open_day: date | None,
    zone: str,
    buckets: int | None,
    four_eyes: str | None,
) -> Book:
    """Open the tenant's book, or find it open already.

    Raises CurrencyMismatch when it has another currency, EventRefused (``four_eyes_differ``) another four-eyes setting;
    InvalidDate for a first day that has not begun.
    """
    request = request_of(currency, open_day, zone)
    guard_settings(currency, zone, buckets, four_eyes)

    def act(unit: Unit) -> Book:
        found = catalogue.book(unit)
        if found is None:
            unit.lock_bucket(0)  # of two who open one book at once, the second finds it open
            found = catalogue.book(unit)
        if found is not None:
            return _existing(unit, found, currency, four_eyes)
        first = _first_day(open_day, local_date(desk.clock, zone), zone)
        _open(unit, currency or "CNY", first, zone, buckets, four_eyes or "off")
        return _view(unit, catalogue.book(unit), created=True)

    return desk.command("init", request, act, Book, subject=desk.tenant)


def request_of(currency: str | None, open_day: date | None, zone: str) -> dict[str, str | None]:
    """What an `init` asked for, as it is hashed; None where it left the answer to us."""
    return {
        "currency": currency,
        "open_day": None if open_day is None else open_day.isoformat(),
        "zone": zone,
    }


def _first_day(asked: date | None, today: date, zone: str) -> date:
    """The first business day: on one that has not begun, whatever happens before would be dated ahead."""
    if asked is not None and asked > today:
        reason = f"has not begun in {zone}, where it is {today}; open the book on the day, or on {today}"
        raise InvalidDate(field="open_day", value=str(asked), reason=reason)
    return asked or today


def guard_settings(currency: str | None, zone: str, buckets: int | None, four_eyes: str | None) -> None:
    """Refuse settings a book could never work with. Raises BadInput, InvalidSetting."""
    if currency is not None:
        currency_digits(currency)
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise InvalidSetting(field="zone", value=zone, reason=f"use a name such as {DEFAULT_ZONE}") from None
    if buckets is not None and not 1 <= buckets <= 4096:
        raise InvalidSetting(field="buckets", value=buckets, reason="from 1 to 4096")
    if four_eyes not in (None, "off", "on"):
        raise InvalidSetting(field="four_eyes", value=four_eyes, reason="off or on")


def _open(unit: Unit, currency: str, open_day: date, zone: str, buckets: int | None, four_eyes: str) -> None:
    row: dict[str, Any] = {
        "tenant": unit.tenant,
        "currency": currency,
        "zone": zone,
        "buckets": buckets or BUCKETS[unit.dialect],
        "four_eyes": "off",
        "created_at": unit.now,
    }
    catalogue.add_book(unit, row, open_day)
    products.propose(unit, Product.shipped(currency))
    products.approve(unit, Product.shipped(currency).name, 1, shipped=True)
    from .policies import register_shipped_policy  # underwriting is heavy, and few processes open a book

    register_shipped_policy(unit)
    if four_eyes == "on":
        from .lender import set_four_eyes

        set_four_eyes(unit, four_eyes)


def _existing(unit: Unit, found: Any, currency: str | None, four_eyes: str | None) -> Book:
    if currency is not None and currency != found.currency:
        raise CurrencyMismatch(field="currency", value=currency, currency=found.currency)
    if four_eyes not in (None, found.four_eyes):
        reason = f"is {found.four_eyes} in this book and stays so; change it with: microloan lender set FILE"
        raise EventRefused(code="four_eyes_differ", subject="four_eyes", reason=reason)
    return _view(unit, found, created=False)


def _view(unit: Unit, row: Any, created: bool) -> Book:
    return Book(row.tenant, row.currency, row.zone, row.buckets, row.four_eyes, unit.book_day(), created)


def settings(unit: Unit) -> Book:
    """The book as it stands."""
    row = catalogue.book(unit)
    if row is None:
        raise NoBook(tenant=unit.tenant)
    return _view(unit, row, created=False)
