"""Canonical JSON, and the chains of hashes over events and seals."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from .base import microseconds

#: The previous hash of a first event or seal.
GENESIS = "0" * 64


def canonical_json(value: object) -> str:
    """One text per value: sorted keys, no spaces, NFC text; days ISO, instants UTC microseconds, no floats.

    >>> canonical_json({"b": 1, "a": date(2024, 1, 2)})
    '{"a":"2024-01-02","b":1}'
    """
    return _encoded(_plain(value))


def sha256(text: str) -> str:
    """The SHA-256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def row_hash(row: Mapping[str, Any]) -> str:
    """The hash of a stored row: over canonical JSON of all its columns but ``hash``."""
    return sha256(canonical_json({name: value for name, value in row.items() if name != "hash"}))


_encoded = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def _plain(value: object) -> object:
    if value is None or isinstance(value, str | int):
        if not isinstance(value, str) or value.isascii():
            return value
        return unicodedata.normalize("NFC", value)
    if isinstance(value, datetime):
        return microseconds(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    raise TypeError(f"not a canonical value: {type(value).__name__}")
