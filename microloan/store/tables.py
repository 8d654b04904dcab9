"""All tables of the book in one metadata: for making them and for comparing them with a database.

Whoever only reads and writes imports the module of the room instead; a command pays for the tables it touches.
"""

from __future__ import annotations

from sqlalchemy import MetaData

from . import (
    tables_cash,
    tables_closing,
    tables_integrity,
    tables_lending,
    tables_merchants,
    tables_sales,
    tables_underwriting,
)
from .base import metadata as _metadata

metadata: MetaData = _metadata

for _table in metadata.tables.values():
    for _index in _table.indexes:  # part of a table's rows, on either database
        _index.dialect_options["postgresql"]["where"] = _index.dialect_options["sqlite"]["where"]

__all__ = [
    "metadata", "tables_cash", "tables_closing", "tables_integrity", "tables_lending", "tables_merchants", "tables_sales",
    "tables_underwriting",
]  # fmt: skip
