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
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ..accounting.provisions import SHIPPED_RATES
from ..days import FIRST_DAY, parse_date
from ..errors import InvalidFile, InvalidSetting, MicroloanError
from ..money import plain_decimal, to_major, to_minor
from ..products import RateCeiling
from ..rates import parse_percentage, rate_decimal
from ..servicing.facility import ExposureCap
from ..store import catalogue
from ..store import settings as store
from ..store.chain import canonical_json
from ..store.unit import Unit
from ..terms import CLASS_NAMES
from .desk import Desk
from .requests import Operation, Payload, command
from .results import Waiting

_KEY_NAME = "identifier_key"

#: Years of keeping where the lender has not said otherwise. House rule; RELIABILITY (retention hold).
RETENTION_YEARS = 10


def _checked(read: Any) -> Any:
    def check(given: object) -> Any:
        try:
            return read(given)
        except MicroloanError as refused:
            raise ValueError(refused.message) from None

    return BeforeValidator(check)


Day = Annotated[date, _checked(lambda given: parse_date(given, "from"))]
Share = Annotated[Fraction, _checked(lambda given: parse_percentage(given, "share"))]
Amount = Annotated[Decimal, _checked(lambda given: plain_decimal(given, "amount"))]


class _Dated(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=True
    )

    first_day: Day = Field(alias="from")


class NetAssets(_Dated):
    """The lender's net assets, in major units of the book's currency."""

    amount: Amount


class LoanPrimeRate(_Dated):
    """The LPR as a yearly fraction."""

    rate: Share


class Caps(_Dated):
    """The most that may be lent: shares of net assets and an amount per group of related merchants."""

    merchant_share: Share | None = None
    group_share: Share | None = None
    group_amount: Amount | None = None


class Holidays(_Dated):
    """Days on which nothing falls due, beside weekends."""

    days: tuple[Day, ...]


class BackDating(_Dated):
    """How many days back one person alone may date an entry in a book with four eyes."""

    days: Annotated[int, Field(ge=0, le=3660, strict=True)]


class Provisions(_Dated):
    """Shares of principal set aside per class, all five of them (拨备率)."""

    normal: Share
    special_mention: Share
    substandard: Share
    doubtful: Share
    loss: Share


class Retention(_Dated):
    """Years for which a merchant's data are kept after the last contract has ended."""

    years: Annotated[int, Field(ge=0, le=100, strict=True)]


class Accounts(_Dated):
    """The lender's accounts by purpose."""

    model_config = ConfigDict(frozen=True, extra="allow", arbitrary_types_allowed=True, populate_by_name=True)


class LenderFile(BaseModel):
    """A file of settings; what it does not name stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    four_eyes: Literal["off", "on"] | None = None
    net_assets: tuple[NetAssets, ...] = ()
    lpr: tuple[LoanPrimeRate, ...] = ()
    ceilings: tuple[RateCeiling, ...] = ()
    caps: tuple[Caps, ...] = ()
    holidays: tuple[Holidays, ...] = ()
    accounts: tuple[Accounts, ...] = ()
    back_dating: tuple[BackDating, ...] = ()
    provisions: tuple[Provisions, ...] = ()
    retention: tuple[Retention, ...] = ()

    @classmethod
    def read(cls, file: Path | str) -> LenderFile:
        """The settings in a TOML file. Raises InvalidFile, InvalidSetting."""
        try:
            return cls.parse(tomllib.loads(Path(file).read_text(encoding="utf-8")))
        except OSError as error:
            raise InvalidFile(
                code="unreadable_file", file=str(file), reason=f"cannot be read: {error.strerror}"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidFile(file=str(file), reason=f"is no TOML file: {error}") from None

    @classmethod
    def parse(cls, given: dict[str, Any]) -> LenderFile:
        """The settings in a mapping. Raises InvalidSetting naming the first that is wrong."""
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            value = str(first.get("input"))[:40]
            raise InvalidSetting(field=where, value=value, reason=first["msg"]) from None

    def entries(self) -> Iterator[tuple[str, date, str]]:
        """Name, first day and value (canonical JSON) of every dated entry."""
        for name in _NAMES:
            for entry in getattr(self, name):
                yield name, entry.first_day, canonical_json(_plain(entry))


_NAMES = (
    "net_assets", "lpr", "ceilings", "caps", "holidays", "accounts", "back_dating", "provisions", "retention",
)  # fmt: skip


def _plain(entry: BaseModel) -> dict[str, Any]:
    values = {**entry.__dict__, **(entry.model_extra or {})}
    return {
        ("from" if name == "first_day" else name): _text(value)
        for name, value in values.items()
        if value is not None
    }


def _text(value: object) -> object:
    if isinstance(value, tuple):
        return [_text(part) for part in value]
    if isinstance(value, Fraction):
        return _share_text(value)
    return value if isinstance(value, int | bool) else str(value)


def _share_text(share: Fraction) -> str:
    """An exact share as a decimal where it is one, else as a fraction."""
    decimal = rate_decimal(share, 18)
    return f"{decimal:f}" if Fraction(decimal) == share else str(share)


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
        file = given if isinstance(given, LenderFile) else _read(given)
        request = {
            "four_eyes": file.four_eyes,
            "entries": [[name, day.isoformat(), json.loads(value)] for name, day, value in file.entries()],
        }
        return command(self._desk, SET_SETTINGS, request, LenderSettings, key=idempotency_key)

    def show(self, as_of: date | None = None) -> LenderSettings:
        """What is in force on a day (default: the open business day)."""
        return self._desk.read(lambda unit: _show(unit, as_of or unit.book_day()))


def _read(given: Path | str | dict[str, Any]) -> LenderFile:
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
    catalogue.set_four_eyes(unit, setting)
    store.put_setting(unit, "four_eyes", unit.book_day(), canonical_json({"four_eyes": setting}))


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
        if row.name in (*_NAMES, "four_eyes")
    )
    return LenderSettings(
        day, currency, book.four_eyes if book else "off", None if assets is None else to_major(assets, currency),
        None if lpr is None else _share_text(lpr), ceiling, listed,
    )  # fmt: skip


def _ceiling_text(unit: Unit, day: date) -> str | None:
    begun = [each for each in rate_ceilings(unit) or () if each.first_day <= day]
    limit = begun[-1].limit(lpr_on(unit, day)) if begun else None
    return None if limit is None else _share_text(limit)


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
    rows = [row for row in store.settings(unit) if row.name == "ceilings"]
    return tuple(RateCeiling.model_validate(json.loads(row.value)) for row in rows) or None


def holidays(unit: Unit) -> frozenset[date]:
    """Every holiday on file."""
    rows = [row for row in store.settings(unit) if row.name == "holidays"]
    return frozenset(date.fromisoformat(day) for row in rows for day in json.loads(row.value)["days"])


def provision_rates(unit: Unit, day: date) -> Mapping[str, Fraction]:
    """The share of principal set aside per class at the close of a day: the lender's own, else the shipped ones."""
    found = _value_on(unit, "provisions", day)
    return SHIPPED_RATES if found is None else {name: Fraction(found[name]) for name in CLASS_NAMES}


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
