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


def canonical_parts(**parts: str) -> str:
    """Canonical JSON of an object whose parts are canonical JSON already, each under an ASCII name.

    >>> canonical_parts(b="1", a='{"c":2}')
    '{"a":{"c":2},"b":1}'
    """
    return "{" + ",".join(f'"{name}":{parts[name]}' for name in sorted(parts)) + "}"


def sha256(text: str) -> str:
    """The SHA-256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def row_hash(row: Mapping[str, Any]) -> str:
    """The hash of a stored row: over canonical JSON of all its columns but ``hash``."""
    return sha256(_encoded({name: _plain(value) for name, value in row.items() if name != "hash"}))


_encoded = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def _plain(value: Any) -> object:
    kind = type(value)
    if kind is str:
        return value if value.isascii() else unicodedata.normalize("NFC", value)
    if kind is int or value is None or kind is bool:
        return value
    if isinstance(value, datetime):
        return microseconds(value)
    if isinstance(value, date):
        return value.isoformat()
    if kind is dict or isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, int):
        return value
    raise TypeError(f"not a canonical value: {kind.__name__}")
