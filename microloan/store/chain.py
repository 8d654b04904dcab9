"""Canonical JSON, and the chains of hashes over events and seals."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
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
    columns = dict(row)
    columns.pop("hash", None)
    text = _encoded_row(columns)
    return sha256(
        text if text.isascii() else canonical_json(columns)
    )  # only other letters have several forms


class Digest:
    """The running hash of rows of texts and integers in the order they are added, and how many they were.

    >>> digest = Digest()
    >>> digest.add(("cmd-00-k7", 1, 30000000))
    >>> digest.count, digest.hash[:8]
    (1, '66d3fe8a')
    """

    def __init__(self) -> None:
        self.count = 0
        self._hash = hashlib.sha256()

    def add(self, row: Iterable[str | int]) -> None:
        """Add a row: its values as a JSON list, as they are stored."""
        self.count += 1
        self._hash.update(_encoded([*row]).encode())

    @property
    def hash(self) -> str:
        """The hash of all rows so far, in hexadecimal."""
        return self._hash.hexdigest()


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


# A row is mostly ASCII text and integers already: what is neither is made plain where it is met.
_encoded_row = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain
).encode
