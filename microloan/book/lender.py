"""What is the lender's own and changes with time: net assets, LPR, rate ceilings, caps, holidays, accounts, four eyes.

    four_eyes = "on"
    [[net_assets]]
    from = 2025-01-01
    amount = "500000000"
    [[lpr]]
    from = 2025-01-20
    rate = "3.1%"
    [[ceilings]]
    from = 2025-01-01
    yearly = "24%"
    [[caps]]
    from = 2025-01-01
    merchant_share = "10%"          # of net assets, per merchant
    group_share = "15%"             # of net assets, per merchant with its related parties
    group_amount = "5000000"
    [[holidays]]
    from = 2025-01-01
    days = [2025-01-28, 2025-01-29]
    [[accounts]]
    from = 2025-01-01
    payout = "…"
    [[back_dating]]
    from = 2025-01-01
    days = 7                        # with four eyes: older entries wait for a second person
    [[provisions]]
    from = 2025-01-01               # not before the open day: closed days keep the rates they had
    normal = "1.5%"
    special_mention = "3%"
    substandard = "30%"
    doubtful = "60%"
    loss = "100%"
    [[retention]]
    from = 2025-01-01
    years = 10                      # a merchant's data are kept that long after its last contract

Every entry counts from its day until the next one. A cap without its input is reported as not set; it never passes as met.

Source: SEMANTICS 2 (dated configuration, never constants).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..accounting.provisions import SHIPPED_RATES
from ..days import FIRST_DAY
from ..errors import InvalidSetting
from ..money import to_major, to_minor
from ..products import RateCeiling
from ..rates import share_text
from ..servicing.facility import ExposureCap
from ..store import catalogue
from ..store import settings as store
from ..store.chain import canonical_json
from ..store.unit import Unit
from ..terms import CLASS_NAMES
from .desk import Desk
from .requests import Operation, Payload, command
from .results import Waiting

if TYPE_CHECKING:
    from .lender_file import LenderFile

_KEY_NAME = "identifier_key"

#: Kinds of dated entries.
NAMES = (
    "net_assets", "lpr", "ceilings", "caps", "holidays", "accounts", "back_dating", "provisions", "retention",
)  # fmt: skip

#: Years of keeping where the lender has not said otherwise. House rule; RELIABILITY (retention hold).
RETENTION_YEARS = 10


@dataclass(frozen=True, slots=True)
class Setting:
    """A dated setting as it stands: its name, the day it counts from, its value."""

    name: str
    first_day: date
    value: dict[str, Any]
    set_by: str


@dataclass(frozen=True, slots=True)
class LenderSettings:
    """The lender's settings: what is in force on ``as_of`` (``None`` prints as not set), and every dated entry."""

    as_of: date
    currency: str
    four_eyes: str
    net_assets: Decimal | None
    lpr: str | None
    rate_ceiling: str | None
    settings: tuple[Setting, ...]
    replayed: bool = False


class Lender:
    """The lender's dated settings. ``book.lender.set("lender.toml")``, ``book.lender.show()``"""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def set(
        self, given: Path | str | dict[str, Any] | LenderFile, *, idempotency_key: str | None = None
    ) -> LenderSettings | Waiting:
        """Set what a file (or mapping) says; the same again changes nothing. Raises InvalidSetting, InvalidFile.

        With the four-eyes setting on it waits for a second person, the setting itself included.
        """
        file = _read(given)
        request = {
            "four_eyes": file.four_eyes,
            "entries": [[name, day.isoformat(), json.loads(value)] for name, day, value in file.entries()],
        }
        return command(self._desk, SET_SETTINGS, request, LenderSettings, key=idempotency_key)

    def show(self, as_of: date | None = None) -> LenderSettings:
        """What is in force on a day (default: the open business day)."""
        return self._desk.read(lambda unit: _show(unit, as_of or unit.book_day()))


def _read(given: Path | str | dict[str, Any] | LenderFile) -> LenderFile:
    from .lender_file import LenderFile

    if isinstance(given, LenderFile):
        return given
    return LenderFile.parse(given) if isinstance(given, dict) else LenderFile.read(given)


def _set(unit: Unit, given: Payload) -> LenderSettings:
    known = {(row.name, row.effective_on): row.value for row in store.settings(unit)}
    for name, first, entry in given["entries"]:
        day, value = date.fromisoformat(first), canonical_json(entry)
        if known.get((name, day)) != value:
            _guard(unit, name, day, entry)
            store.put_setting(unit, name, day, value)
    if given["four_eyes"]:
        set_four_eyes(unit, given["four_eyes"])
    return _show(unit, unit.book_day())


SET_SETTINGS = Operation("lender.set", _set, "lender")


def set_four_eyes(unit: Unit, setting: str) -> None:
    """Switch the four-eyes setting, ``off`` or ``on``; who switched it and when stays on file, day by day."""
    if setting == four_eyes_on_file(unit):
        return
    store.put_setting(unit, "four_eyes", unit.book_day(), canonical_json({"four_eyes": setting}))
    catalogue.set_four_eyes(unit, setting)  # the database refuses it without the line on file


def four_eyes_on_file(unit: Unit) -> str:
    """The four-eyes setting as it was switched last, by those who may: ``off`` or ``on``."""
    found = _value_on(unit, "four_eyes", unit.book_day())
    return "off" if found is None else str(found["four_eyes"])


def _guard(unit: Unit, name: str, first_day: date, value: dict[str, Any]) -> None:
    for field in ("amount", "group_amount"):
        if field in value and name in ("net_assets", "caps"):
            to_minor(value[field], unit.book.currency, f"{name}.{field}")
    if name == "provisions" and first_day < (opened := catalogue.last_open_day(unit)):
        reason = f"days before {opened} are closed, with the rates they had"
        raise InvalidSetting(field="provisions.from", value=str(first_day), reason=reason)


def _show(unit: Unit, day: date) -> LenderSettings:
    book = catalogue.book(unit)
    assets, lpr, ceiling = net_assets_minor(unit, day), lpr_on(unit, day), _ceiling_text(unit, day)
    currency = unit.book.currency
    listed = tuple(
        Setting(row.name, row.effective_on, json.loads(row.value), row.set_by)
        for row in store.settings(unit)
        if row.name in (*NAMES, "four_eyes")
    )
    return LenderSettings(
        day, currency, book.four_eyes if book else "off", None if assets is None else to_major(assets, currency),
        None if lpr is None else share_text(lpr), ceiling, listed,
    )  # fmt: skip


def _ceiling_text(unit: Unit, day: date) -> str | None:
    begun = [each for each in rate_ceilings(unit) or () if each.first_day <= day]
    limit = begun[-1].limit(lpr_on(unit, day)) if begun else None
    return None if limit is None else share_text(limit)


# --- what other rooms ask --------------------------------------------------------------------------------------------


def _value_on(unit: Unit, name: str, day: date) -> dict[str, Any] | None:
    text = store.setting_on(unit, name, day)
    return None if text is None else json.loads(text)


def net_assets_minor(unit: Unit, day: date) -> int | None:
    """The lender's net assets on a day, in minor units; None where they are not set."""
    found = _value_on(unit, "net_assets", day)
    return None if found is None else to_minor(found["amount"], unit.book.currency, "net_assets")


def lpr_on(unit: Unit, day: date) -> Fraction | None:
    """The LPR on a day as a yearly fraction; None where it is not set."""
    found = _value_on(unit, "lpr", day)
    return None if found is None else Fraction(found["rate"])


def rate_ceilings(unit: Unit) -> tuple[RateCeiling, ...] | None:
    """The lender's own rate ceilings by their first day; None where none is set (the product's count then)."""
    rows = store.settings_named(unit, "ceilings")
    return tuple(RateCeiling.model_validate(json.loads(row.value)) for row in rows) or None


def holidays(unit: Unit) -> frozenset[date]:
    """Every holiday on file."""
    rows = store.settings_named(unit, "holidays")
    return frozenset(date.fromisoformat(day) for row in rows for day in json.loads(row.value)["days"])


def provision_rates(unit: Unit, day: date) -> Mapping[str, Fraction]:
    """The share of principal set aside per class at the close of a day: the lender's own, else the shipped ones."""
    return provision_rates_on(unit, [day])[day]


def provision_rates_on(unit: Unit, days: Sequence[date]) -> dict[date, Mapping[str, Fraction]]:
    """As :func:`provision_rates`, for several days in one reading."""
    set_on = [(row.effective_on, json.loads(row.value)) for row in store.settings_named(unit, "provisions")]
    own = [(first, {name: Fraction(given[name]) for name in CLASS_NAMES}) for first, given in set_on]
    return {
        day: next((rates for first, rates in reversed(own) if first <= day), SHIPPED_RATES) for day in days
    }


def retention_years(unit: Unit, day: date) -> int:
    """Years for which a merchant's data are kept after its last contract has ended."""
    found = _value_on(unit, "retention", day)
    return RETENTION_YEARS if found is None else int(found["years"])


def exposure_caps(unit: Unit, merchant_id: str, group: Collection[str]) -> tuple[ExposureCap, ...]:
    """The lender's caps on a merchant and on the *group* of it and its related parties, with what is lent under each now.

    A cap whose input is not set has ``most`` None.
    """
    day = unit.book_day()
    if dated_caps(unit, day) is None:
        return ()
    used = store.exposures(unit, sorted(group))
    return caps_against(unit, day, used.get(merchant_id, 0), sum(used.values()))


def dated_caps(unit: Unit, day: date) -> dict[str, Any] | None:
    """The caps in force on a day as they were set; None where there are none."""
    return _value_on(unit, "caps", day)


def caps_against(unit: Unit, day: date, own_minor: int, group_minor: int) -> tuple[ExposureCap, ...]:
    """The caps in force on a day against what is lent to a merchant, and to it with its related parties."""
    found = dated_caps(unit, day) or {}
    assets, currency = net_assets_minor(unit, day), unit.book.currency
    caps = []
    if "merchant_share" in found:
        caps.append(ExposureCap("net_assets_merchant", _part(found["merchant_share"], assets), own_minor))
    if "group_share" in found:
        caps.append(ExposureCap("net_assets_group", _part(found["group_share"], assets), group_minor))
    if "group_amount" in found:
        most = to_minor(found["group_amount"], currency, "caps.group_amount")
        caps.append(ExposureCap("related_group", most, group_minor))
    return tuple(caps)


def _part(share: str, whole: int | None) -> int | None:
    """A share of an amount, rounded down: a cap is never stretched."""
    return None if whole is None else int(Fraction(share) * whole)


def identifier_key(unit: Unit) -> bytes:
    """The secret under which identifiers are digested; made at the first need, and never shown."""
    found = store.setting_on(unit, _KEY_NAME, FIRST_DAY)
    if found is None:
        found = secrets.token_hex(32)
        store.put_setting(unit, _KEY_NAME, FIRST_DAY, found)
    return bytes.fromhex(found)
