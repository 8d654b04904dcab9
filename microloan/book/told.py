"""What hashed events tell of the rows beside them: the columns of a line, of its offer and of a loan.

A draw is priced on these columns, and caps and reports read them; nothing but their events says whether they still hold
what was signed, drawn and paid out. Source: SEMANTICS 6 (rebuilt caches equal the stored ones).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from ..store.chain import canonical_json
from .lives import CONFIRMED, DRAWN, LoanLife

#: What a line's own events change of it after its signature.
LIMITS = ("limit_minor", "seasonal_limit_minor", "seasonal_until")

_SIGNED = (
    "merchant", "offer", "product", "product_version", "currency", "rate", "valid_until", "contract_sha256",
    "signed_on", "signed_at", "bucket",
)  # fmt: skip
_OFFERED = (
    "merchant", "product", "product_version", "currency", *LIMITS, "rate", "contract_sha256", "status",
    "facility",
)  # fmt: skip
_STATUS = {
    "signed": "active", "frozen": "frozen", "unfrozen": "active", "facility_closed": "closed",
    "facility_expired": "expired",
}  # fmt: skip


def line_told(events: Iterable[Any]) -> dict[str, Any]:
    """A line's status and limits (minor units; dates as ISO text), as its own events tell them in their order."""
    told: dict[str, Any] = {"status": None}
    for event in events:
        told |= {name: value for name, value in json.loads(event.payload).items() if name in LIMITS}
        told["status"] = _STATUS.get(event.kind, told["status"])
    return told


def signed_told(signed: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns of a facility that never change, and those of the offer it came from, as the signature's event tells them."""
    told = json.loads(signed.payload)
    told["rate"] = canonical_json(told["rate"])
    for name in ("valid_until", "seasonal_until"):
        told[name] = told[name] and date.fromisoformat(told[name])
    told |= {
        "signed_on": signed.booked_on, "signed_at": signed.recorded_at, "bucket": signed.bucket, "status": "signed",
        "facility": signed.facility,
    }  # fmt: skip
    return {name: told[name] for name in _SIGNED}, {name: told[name] for name in _OFFERED}


def loan_told(line: Mapping[str, Any], events: Sequence[Any], life: LoanLife) -> dict[str, Any]:
    """The columns of a loan that its draw, its payout and the line it was drawn on tell. Raises LookupError without a draw."""
    drawn = next((event for event in events if event.kind == DRAWN), None)
    if drawn is None:
        raise LookupError("nobody drew it: its first event is not there")
    paid = next((event for event in events if event.kind == CONFIRMED), None)
    head, terms = _terms_in(drawn)
    told = {name: line[name] for name in ("merchant", "product", "product_version", "currency")} | {
        "drawn_minor": json.loads(head.rstrip(",") + "}")["amount_minor"],
        "drawn_on": drawn.booked_on,
        "drawn_at": drawn.recorded_at,
        "terms": terms,
        "start": None,
        "maturity": None,
    }
    if paid is None:
        return told
    standing = replace(life, payout_reversed=False) if life.payout_reversed else life
    return told | {"terms": _terms_in(paid)[1], "start": paid.value_date, "maturity": standing.maturity}


def _terms_in(event: Any) -> tuple[str, str]:
    """What a payload says before its terms, which stand last in it, and their text."""
    head, _, terms = event.payload.partition('"terms":')
    return head, terms[:-1]
