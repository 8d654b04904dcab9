"""Versions of products: proposed by one person, approved by another, never changed after."""

from __future__ import annotations

import json
from typing import Any

from ..errors import CurrencyMismatch, EventRefused, InvalidProduct
from ..products import Product
from ..store import catalogue
from ..store.chain import canonical_json
from ..store.unit import Unit
from . import four_eyes
from .business_days import calendar_of
from .ceilings import guard_product
from .desk import Desk
from .results import ProductVersion


class Products:
    """The book's products. ``book.products.propose(Product.load("mine.toml"))``, then another approves."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def propose(self, product: Product, *, idempotency_key: str | None = None) -> ProductVersion:
        """Put a new version on file; it lends nothing until approved.

        Raises CurrencyMismatch for another currency than the book's, InvalidProduct for a version that is not newer,
        InvalidSetting for a calendar that is not known.
        """
        request = {"name": product.name, "version": product.version, "sha256": product.sha256}
        subject = f"{product.name}@{product.version}"
        return self._desk.command(
            "product.propose", request, lambda unit: propose(unit, product), ProductVersion,
            key=idempotency_key, subject=subject,
        )  # fmt: skip

    def approve(self, name: str, version: int, *, idempotency_key: str | None = None) -> ProductVersion:
        """Make a proposed version the one new offers use. Raises FourEyesRequired where the book wants a second person.

        Raises EventRefused (rate_above_ceiling) where a price of the policies in force would pass the ceiling with it.
        """
        return self._desk.command(
            "product.approve", {"name": name, "version": version}, lambda unit: approve(unit, name, version),
            ProductVersion, key=idempotency_key, subject=f"{name}@{version}",
        )  # fmt: skip

    def list(self) -> tuple[ProductVersion, ...]:
        """All versions of all products, by name and version."""
        return self._desk.read(lambda unit: tuple(_view(row) for row in catalogue.products(unit)))

    def show(self, name: str, version: int | None = None) -> ProductVersion:
        """One version, by default the active one. Raises NotFound."""

        def look(unit: Unit) -> ProductVersion:
            wanted = version or catalogue.active_version(unit, name)
            return _view(catalogue.product_row(unit, name, wanted))

        return self._desk.read(look)


def active(unit: Unit, name: str) -> Product:
    """The newest approved version of a product. Raises NotFound."""
    return catalogue.product(unit, name, catalogue.active_version(unit, name))


def propose(unit: Unit, product: Product) -> ProductVersion:
    """As :meth:`Products.propose`, inside an open unit."""
    if product.currency != unit.book.currency:
        raise CurrencyMismatch(field="product", value=product.currency, currency=unit.book.currency)
    last = catalogue.last_version(unit, product.name)
    if product.version <= last:
        reason = f"version {last} is on file; a change is a new version"
        raise InvalidProduct(file=product.name, field="version", reason=reason)
    if product.business_days is not None:
        calendar_of(product.business_days)
    catalogue.add_product(unit, _row(unit, product))
    return _view(catalogue.product_row(unit, product.name, product.version))


def approve(unit: Unit, name: str, version: int, *, shipped: bool = False) -> ProductVersion:
    """As :meth:`Products.approve`, inside an open unit; the shipped product needs no second person."""
    row = catalogue.product_row(unit, name, version)
    if row.status == "approved":
        raise EventRefused(
            code="already_approved", subject=f"{name} version {version}", reason="is approved already"
        )
    if not shipped and four_eyes.insists(unit):
        four_eyes.require_another(row.proposed_by, unit.actor, f"product {name} version {version}")
    guard_product(unit, catalogue.product(unit, name, version))
    catalogue.approve_product(unit, name, version)
    return _view(catalogue.product_row(unit, name, version))


def _row(unit: Unit, product: Product) -> dict[str, Any]:
    return {
        "tenant": unit.tenant, "name": product.name, "version": product.version, "currency": product.currency,
        "body": canonical_json(product.canonical()), "sha256": product.sha256, "status": "proposed",
        "proposed_by": unit.actor, "proposed_at": unit.now, "approved_by": None, "approved_at": None,
    }  # fmt: skip


def _view(row: Any) -> ProductVersion:
    return ProductVersion(
        row.name, row.version, row.currency, row.status, row.sha256, row.proposed_by, row.proposed_at, row.approved_by,
        row.approved_at, json.loads(row.body),
    )  # fmt: skip
