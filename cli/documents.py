"""Results as the documents --json prints: plain values, and every thing's id also under its full name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


def document(result: Any, noun: str = "") -> dict[str, Any]:
    """One result; with *noun* its ``id`` stands under ``<noun>_id`` too."""
    from microloan.book.results import to_json_values

    values: dict[str, Any] = to_json_values(result)
    if noun and "id" in values:
        values = {f"{noun}_id": values["id"], **values}
    return values


def listed(results: Iterable[Any], noun: str, plural: str, limit: int | None = None) -> dict[str, Any]:
    """Several results under their plural, newest last; with *limit* the latest so many and how many are left out."""
    if limit is None:
        return {plural: [document(result, noun) for result in results]}
    every = list(results)
    shown = every[-limit:]
    return {plural: [document(result, noun) for result in shown], "earlier": len(every) - len(shown)}


def json_text(values: Any) -> str:
    """A document as text."""
    return json.dumps(values, ensure_ascii=False, indent=2) + "\n"
