"""Payout orders as a file for the bank's upload or the lender's own payment run: one row a payout, exact and unformatted.

Only ids and amounts: the account of a merchant is the payer's system's to know. Source: RELIABILITY 42 (guarded text cells).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Protocol, TextIO

from .journal import safe_cell

COLUMNS = ("loan_id", "facility_id", "merchant_id", "amount", "currency", "drawn_on")


class Order(Protocol):
    """A payout order as the book gives it; the amount in major units."""

    @property
    def loan_id(self) -> str: ...
    @property
    def facility_id(self) -> str: ...
    @property
    def merchant_id(self) -> str: ...
    @property
    def amount(self) -> Decimal: ...
    @property
    def currency(self) -> str: ...
    @property
    def drawn_on(self) -> date: ...


def write_payouts(orders: Iterable[Order], out: TextIO) -> int:
    """Write payout orders as CSV; returns their number."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    written = 0
    for order in orders:
        ids = (order.loan_id, order.facility_id, order.merchant_id)
        writer.writerow((*map(safe_cell, ids), order.amount, order.currency, order.drawn_on.isoformat()))
        written += 1
    return written
