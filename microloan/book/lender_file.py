"""The file of the lender's own figures: what it may say, and how each entry is kept. Shown in :mod:`.lender`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ..days import parse_date
from ..errors import InvalidFile, InvalidSetting, MicroloanError
from ..money import plain_decimal
from ..products import RateCeiling
from ..rates import parse_percentage, share_text
from ..store.chain import canonical_json
from .lender import NAMES


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
        for name in NAMES:
            for entry in getattr(self, name):
                yield name, entry.first_day, canonical_json(_plain(entry))


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
        return share_text(value)
    return value if isinstance(value, int | bool) else str(value)
