"""Facilities: showing, freezing, closing a credit line, and changing its limit. Running loans are never touched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from ..errors import EventRefused
from ..money import to_major
from ..rates import Rate
from ..servicing.facility import Line, available, limit_on
from ..store import catalogue, lending
from ..store.unit import Unit
from .dossier import Dossier, open_dossier, refuse_unless
from .results import Facility


def line_of(row: Mapping[str, Any]) -> Line:
    """A stored facility (columns by name) as the rules of drawing see it."""
    return Line(
        status=row["status"],
        valid_until=row["valid_until"],
        limit=row["limit_minor"],
        outstanding=row["outstanding_minor"],
        pending=row["pending_minor"],
        seasonal_limit=row["seasonal_limit_minor"],
        seasonal_until=row["seasonal_until"],
    )


#: The reason of a freeze by a review of the limit, before the decision's id.
BY_DECISION: Final = "decision "


def frozen_reason(unit: Unit, row: lending.Row) -> str:
    """Why a facility (its row) is frozen, in the words of the event that froze it; empty where it is not."""
    event = lending.last_of_kind(unit, row, "frozen") if row.status == "frozen" else None
    return "" if event is None else str(json.loads(event.payload).get("reason", ""))


def facility_view(unit: Unit, row: lending.Row, day: date) -> Facility:
    """A facility as the library shows it on a day."""
    rate = Rate.parse(json.loads(row.rate))
    line = line_of(row._mapping)
    major = [
        to_major(minor, row.currency)
        for minor in (
            line.limit, line.seasonal_limit, limit_on(line, day), line.outstanding, line.pending, available(line, day),
        )
    ]  # fmt: skip
    limit, seasonal, in_force, outstanding, pending, room = major
    return Facility(
        row.id, row.merchant, row.offer, row.product, row.product_version, row.currency, row.status, limit, seasonal,
        row.seasonal_until, in_force, outstanding, pending, room, rate.daily, rate.yearly, str(rate), row.signed_on,
        row.valid_until, row.contract_sha256, frozen_reason(unit, row),
    )  # fmt: skip


def live_facility(unit: Unit, merchant_id: str) -> Facility | None:
    """The merchant's active or frozen facility, if there is one."""
    row = lending.live_facility(unit, merchant_id)
    return None if row is None else facility_view(unit, row, unit.day_of(row.bucket))


def exposure_minor(unit: Unit, merchant_id: str) -> int:
    """Outstanding principal and pending draws of a merchant, in minor units."""
    return lending.exposure_minor(unit, unit.bucket_of(merchant_id), merchant_id)


def freeze(unit: Unit, facility_id: str, reason: str) -> Facility:
    """Stop draws until unfrozen; running loans go on. Raises EventRefused unless active."""
    return _turn(unit, facility_id, "frozen", "frozen", ("active",), {"reason": reason})


def unfreeze(unit: Unit, facility_id: str, reason: str) -> Facility:
    """Allow draws again. Raises EventRefused unless frozen."""
    return _turn(unit, facility_id, "unfrozen", "active", ("frozen",), {"reason": reason})


def close(unit: Unit, facility_id: str, reason: str) -> Facility:
    """End the line for good; running loans are repaid as agreed. Raises EventRefused while a payout is pending."""
    dossier = open_dossier(unit, facility_id)
    refuse_unless(
        not dossier.row["pending_minor"],
        "payout_pending",
        facility_id,
        "a payout is pending; confirm or fail it first",
    )
    return _turned(dossier, "facility_closed", "closed", ("active", "frozen", "expired"), {"reason": reason})


def set_limit(unit: Unit, facility_id: str, limit_minor: int, reason: str) -> Facility:
    """Set the standing limit by hand, in minor units; the seasonal one stays.

    Raises EventRefused unless live, and for more than the product lends to one merchant: no draw could use it.
    """
    dossier = open_dossier(unit, facility_id)
    _guard_cap(dossier, limit_minor)
    seasonal = (dossier.row["seasonal_limit_minor"], dossier.row["seasonal_until"])
    return _limited(dossier, limit_minor, *seasonal, {"reason": reason})


def _guard_cap(dossier: Dossier, limit: int) -> None:
    row = dossier.row
    product = catalogue.product(dossier.unit, row["product"], row["product_version"])
    most = product.caps.minor(row["currency"])
    if most is not None and limit > most:
        shown = to_major(most, row["currency"])
        reason = f"its product lends at most {shown} to one merchant; set a limit up to that"
        raise EventRefused(code="limit_above_cap", subject=dossier.id, reason=reason)


def review_limit(
    unit: Unit,
    facility_id: str,
    *,
    limit_minor: int,
    seasonal_limit_minor: int = 0,
    seasonal_until: date | None = None,
    decision_id: str = "",
) -> Facility:
    """Set both limits as a decision says, in minor units. Raises EventRefused unless live."""
    dossier = open_dossier(unit, facility_id)
    return _limited(dossier, limit_minor, seasonal_limit_minor, seasonal_until, {"decision": decision_id})


def _limited(
    dossier: Dossier, limit: int, seasonal: int, seasonal_until: date | None, payload: dict[str, Any]
) -> Facility:
    limits = {
        "limit_minor": limit,
        "seasonal_limit_minor": seasonal,
        "seasonal_until": seasonal_until if seasonal else None,
    }
    status = dossier.row["status"]
    refuse_unless(status in ("active", "frozen"), "facility_not_live", dossier.id, f"is {status}")
    dossier.row |= limits
    return _turned(dossier, "limit_set", status, (status,), payload | limits)


def _turn(
    unit: Unit, facility_id: str, kind: str, to: str, allowed: tuple[str, ...], payload: dict[str, Any]
) -> Facility:
    return _turned(open_dossier(unit, facility_id), kind, to, allowed, payload)


def _turned(
    dossier: Dossier, kind: str, to: str, allowed: tuple[str, ...], payload: dict[str, Any]
) -> Facility:
    status = dossier.row["status"]
    if status not in allowed:
        raise EventRefused(code=f"facility_{status}", subject=dossier.id, reason=f"is {status}")
    dossier.book(kind, payload)
    dossier.row["status"] = to
    dossier.write()
    return facility_view(dossier.unit, lending.facility(dossier.unit, dossier.id), dossier.today)
