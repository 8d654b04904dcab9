"""Rates: exact fractions with the basis they were agreed on; never a rounded daily rate.

Source: SEMANTICS 1 (house rule) and the product's published quote (0.048% a day).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from .errors import InvalidRate
from .money import plain_decimal

_TEXT = re.compile(
    r"(?P<value>[0-9]{1,6}(?:\.[0-9]{1,18})?)(?P<unit>%|‰|‱)?\s*/\s*(?P<per>day|year|天|日|年)(?:\s*/\s*(?P<basis>360|365))?",
    re.ASCII,
)
_WAN = re.compile(
    r"(?:日利?率?)?万(?P<value>[0-9]{1,4}(?:\.[0-9]{1,14})?)(?:\s*/\s*(?:day|天|日))?", re.ASCII
)
_UNITS = {None: 1, "%": 100, "‰": 1000, "‱": 10000}
_MAX_DECIMALS = 18


@dataclass(frozen=True, slots=True)
class Rate:
    """An exact interest rate: a fraction per day, or per year on a basis of 360 or 365 days.

    ``value`` is the fraction agreed on (0.048% a day is 48/100000), ``basis`` is 1 for a daily rate.

    >>> Rate.parse("0.048%/day").yearly
    Decimal('0.1752')
    """

    value: Fraction
    basis: int = 1

    def __hash__(self) -> int:  # that of a Fraction costs a modular inverse, so that it may equal a float's
        return hash((self.value.numerator, self.value.denominator, self.basis))

    @classmethod
    def parse(cls, given: object, field: str = "rate") -> Rate:
        """Read what people write: ``0.048%/day``, ``万4.8``, ``14.4%/year/360`` or ``{value, per, basis}``.

        Raises InvalidRate for a negative rate, a float, more than 18 decimals or a yearly rate without a basis.

        >>> Rate.parse("万4.8") == Rate.parse("0.048%/day") == Rate.parse({"value": "0.00048", "per": "day"})
        True
        """
        if isinstance(given, Rate):
            return given
        if isinstance(given, dict):
            return cls._from_mapping(given, field)
        if not isinstance(given, str):
            raise InvalidRate(field=field, value=given, reason="write it as 0.048%/day or 14.4%/year/360")
        return cls._from_text(given.strip(), field)

    @classmethod
    def _from_mapping(cls, given: dict[str, object], field: str) -> Rate:
        unknown = set(given) - {"value", "per", "basis"}
        if unknown:
            raise InvalidRate(
                field=field, value=sorted(unknown)[0], reason="only value, per and basis are known"
            )
        number = plain_decimal(given.get("value"), f"{field}.value")
        per = given.get("per")
        if per == "day":
            if given.get("basis") is not None:
                raise InvalidRate(field=field, value=given["basis"], reason="a daily rate has no basis")
            return cls._checked(Fraction(number), 1, field, number)
        if per != "year":
            raise InvalidRate(field=field, value=per, reason="per is day or year")
        return cls._checked(Fraction(number), _basis(given.get("basis"), field), field, number)

    @classmethod
    def _from_text(cls, text: str, field: str) -> Rate:
        wan = _WAN.fullmatch(text)
        if wan:
            return cls._checked(Fraction(wan["value"]) / 10000, 1, field, text)
        match = _TEXT.fullmatch(text)
        if not match:
            raise InvalidRate(
                field=field, value=text[:60], reason="write it as 0.048%/day, 万4.8 or 14.4%/year/360"
            )
        value = Fraction(match["value"]) / _UNITS[match["unit"]]
        if match["per"] in ("day", "天", "日"):
            if match["basis"]:
                raise InvalidRate(field=field, value=text, reason="a daily rate has no basis")
            return cls._checked(value, 1, field, text)
        return cls._checked(value, _basis(match["basis"], field, text), field, text)

    @classmethod
    def _checked(cls, value: Fraction, basis: int, field: str, shown: object) -> Rate:
        if value < 0:
            raise InvalidRate(field=field, value=str(shown), reason="a rate is never negative")
        if 10**_MAX_DECIMALS % value.denominator:
            raise InvalidRate(
                field=field, value=str(shown), reason=f"at most {_MAX_DECIMALS} decimals as a fraction"
            )
        if value / basis > 1:
            raise InvalidRate(field=field, value=str(shown), reason="more than 100% a day")
        return cls(value, basis)

    @property
    def per_day(self) -> Fraction:
        """The exact fraction of principal a day costs.

        >>> Rate.parse("14.4%/year/360").per_day
        Fraction(1, 2500)
        """
        return self.value if self.basis == 1 else self.value / self.basis

    @property
    def yearly(self) -> Decimal:
        """The simple yearly rate, × 365, as a plain decimal rounded half-up to eight places, trailing zeros cut.

        >>> Rate.parse("14.4%/year/360").yearly
        Decimal('0.146')
        """
        return _shown(self)[1]

    @property
    def daily(self) -> Decimal:
        """The daily rate as a decimal for display, at most twelve places; calculations use :attr:`per_day`.

        >>> Rate.parse("0.048%/day").daily
        Decimal('0.00048')
        """
        return _shown(self)[0]

    @property
    def decimals(self) -> int:
        """Decimals of the agreed value as a fraction; a product allows 8."""
        value, places = self.value, 0
        while 10**places % value.denominator:
            places += 1
        return places

    def canonical(self) -> dict[str, object]:
        """The form in which a rate is stored and hashed.

        >>> Rate.parse("万4.8").canonical()
        {'value': '0.00048', 'per': 'day'}
        """
        return dict(_written(self))

    def __str__(self) -> str:
        percent = _plain(self.value * 100, max(self.decimals - 2, 0))
        return f"{percent}%/day" if self.basis == 1 else f"{percent}%/year/{self.basis}"


# A book has many loans and few rates: each is written and shown once.
@lru_cache(maxsize=1024)
def _written(rate: Rate) -> tuple[tuple[str, object], ...]:
    text = _plain(rate.value, rate.decimals)
    if rate.basis == 1:
        return ("value", text), ("per", "day")
    return ("value", text), ("per", "year"), ("basis", rate.basis)


@lru_cache(maxsize=1024)
def _shown(rate: Rate) -> tuple[Decimal, Decimal]:
    return rate_decimal(rate.per_day, 12), rate_decimal(rate.per_day * 365)


def rate_decimal(exact: Fraction, places: int = 8) -> Decimal:
    """An exact rate as a Decimal rounded half-up to *places*, trailing zeros cut.

    >>> rate_decimal(Fraction(876, 5000))
    Decimal('0.1752')
    """
    scaled = (2 * exact.numerator * 10**places + exact.denominator) // (2 * exact.denominator)
    text = f"{scaled // 10**places}.{scaled % 10**places:0{places}d}"
    return Decimal(text.rstrip("0").rstrip("."))


def parse_percentage(given: object, field: str) -> Fraction:
    """A plain share or multiple as an exact fraction: ``0.24``, ``24%``, ``1/18``.

    >>> parse_percentage("24%", "annual_cap")
    Fraction(6, 25)
    """
    if isinstance(given, str):
        share = re.fullmatch(r"([0-9]{1,9})\s*/\s*([0-9]{1,9})", given, re.ASCII)
        if share and int(share[2]):
            return Fraction(int(share[1]), int(share[2]))
        if given.endswith("%"):
            return Fraction(plain_decimal(given[:-1].strip(), field)) / 100
    return Fraction(plain_decimal(given, field))


def share_text(share: Fraction) -> str:
    """An exact share as a decimal where it is one, else as a fraction.

    >>> share_text(Fraction(6, 25)), share_text(Fraction(1, 18))
    ('0.24', '1/18')
    """
    decimal = rate_decimal(share, 18)
    return f"{decimal:f}" if Fraction(decimal) == share else str(share)


def _basis(given: object, field: str, shown: object = None) -> int:
    if given in (360, 365, "360", "365"):
        return int(str(given))
    raise InvalidRate(
        field=field,
        value=given if shown is None else shown,
        reason="a yearly rate needs its basis, 360 or 365",
    )


def _plain(value: Fraction, places: int) -> str:
    scaled = value * 10**places
    digits = str(scaled.numerator).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits
