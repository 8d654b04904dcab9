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


def listed(results: Iterable[Any], noun: str, plural: str) -> dict[str, Any]:
    """Several results under their plural, newest last."""
    return {plural: [document(result, noun) for result in results]}


def latest(results: Any, noun: str, plural: str, limit: int | None) -> dict[str, Any]:
    """As :func:`listed`; where a *limit* was asked for, how many it leaves out too, null where nobody counted."""
    left_out = {} if limit is None else {"earlier": results.earlier}
    return {**listed(results, noun, plural), **left_out}


def json_text(values: Any) -> str:
    """A document as text."""
    return json.dumps(values, ensure_ascii=False, indent=2) + "\n"
