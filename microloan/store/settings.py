"""Statements of the lender's dated settings, and of the exposure its caps look at."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from sqlalchemy import bindparam, func, insert, select, text

from .lending import Row
from .tables_lending import FACILITIES, SETTINGS
from .unit import Unit

_OF_TENANT = SETTINGS.c.tenant == bindparam("tenant")
_NEWEST_FIRST = (SETTINGS.c.effective_on.desc(), SETTINGS.c.seq.desc())
_ON = (
    select(SETTINGS)
    .where(_OF_TENANT, SETTINGS.c.name == bindparam("name"), SETTINGS.c.effective_on <= bindparam("day"))
    .order_by(*_NEWEST_FIRST)
    .limit(1)
)
_ALL = select(SETTINGS).where(_OF_TENANT).order_by(SETTINGS.c.name, SETTINGS.c.effective_on, SETTINGS.c.seq)
_NAMED = (
    select(SETTINGS)
    .where(_OF_TENANT, SETTINGS.c.name == bindparam("name"))
    .order_by(SETTINGS.c.effective_on, SETTINGS.c.seq)
)
_NEXT_SEQ = select(func.coalesce(func.max(SETTINGS.c.seq), 0) + 1).where(
    _OF_TENANT, SETTINGS.c.name == bindparam("name"), SETTINGS.c.effective_on == bindparam("day")
)
_ADD = insert(SETTINGS)
_OF_THESE = (
    FACILITIES.c.tenant == bindparam("tenant"),
    FACILITIES.c.bucket.in_(bindparam("buckets", expanding=True)),
    FACILITIES.c.merchant.in_(bindparam("merchants", expanding=True)),
)
_EXPOSURES = (
    select(
        FACILITIES.c.merchant,
        func.sum(FACILITIES.c.outstanding_minor + FACILITIES.c.pending_minor).label("used"),
    )
    .where(*_OF_THESE)
    .group_by(FACILITIES.c.merchant)
)
# A row changed since a host's old snapshot cannot be locked in it (40001), one being changed not at once (55P03).
_UNCHANGED = select(FACILITIES.c.id).where(*_OF_THESE).with_for_update(read=True, nowait=True)
_ISOLATION = text("SELECT current_setting('transaction_isolation')")


def setting_on(unit: Unit, name: str, day: date) -> str | None:
    """A setting's value on a day; None where it is not set."""
    row = unit.execute(_ON, {"name": name, "day": day}).first()
    return None if row is None else str(row.value)


def settings(unit: Unit) -> list[Row]:
    """Every setting there is, by name and day; of several for one day the last counts."""
    latest = {(row.name, row.effective_on): row for row in unit.execute(_ALL)}
    return list(latest.values())


def settings_named(unit: Unit, name: str) -> list[Row]:
    """As :func:`settings`, of one name."""
    latest = {row.effective_on: row for row in unit.execute(_NAMED, {"name": name})}
    return list(latest.values())


def entries(unit: Unit, name: str) -> Sequence[Row]:
    """Everything a setting ever was, in the order of the days it counts from and of its making."""
    rows: Sequence[Row] = unit.execute(_NAMED, {"name": name}).all()
    return rows


def put_setting(unit: Unit, name: str, day: date, value: str) -> None:
    """Set a setting from a day on; what it was before stays on file."""
    seq = unit.execute(_NEXT_SEQ, {"name": name, "day": day}).scalar()
    row = {"tenant": unit.tenant, "name": name, "effective_on": day, "seq": seq, "value": value}
    unit.connection.execute(_ADD, row | {"set_by": unit.actor, "set_at": unit.now})


def refuse_old_snapshot(unit: Unit, merchants: Collection[str]) -> None:
    """In a host's REPEATABLE READ, make sure that nobody drew for these merchants since its snapshot. Raises Retryable."""
    if not unit.hosted or unit.dialect != "postgresql":
        return
    if unit.connection.execute(_ISOLATION).scalar() != "read committed":
        buckets = sorted({unit.bucket_of(merchant) for merchant in merchants})
        unit.execute(_UNCHANGED, {"buckets": buckets, "merchants": sorted(merchants)}).all()


def exposures(unit: Unit, merchants: Sequence[str]) -> dict[str, int]:
    """Outstanding principal and pending draws of each of these merchants that has a facility, in minor units."""
    found: dict[str, int] = {}
    for at in range(0, len(merchants), 500):
        part = list(merchants[at : at + 500])
        buckets = sorted({unit.bucket_of(merchant) for merchant in part})
        rows = unit.execute(_EXPOSURES, {"buckets": buckets, "merchants": part})
        found.update({row.merchant: int(row.used) for row in rows})
    return found
