"""Amounts: exact decimals outside, integers of minor units inside, and the one rounding between.

Source: SEMANTICS 1 (house rule): floats, NaN, infinities, absurd exponents and surplus digits are refused, not repaired.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

from .errors import BadInput, InvalidAmount

#: Largest amount in minor units that enters the book; leaves room for sums of a thousand of them in 64 bits.
MAX_MINOR = 9_000_000_000_000_000

#: Digits after the point of each currency the library knows. Source: ISO 4217.
CURRENCY_DIGITS = {
    "AUD": 2, "BRL": 2, "CAD": 2, "CHF": 2, "CLP": 0, "CNY": 2, "EUR": 2, "GBP": 2, "HKD": 2, "IDR": 2, "INR": 2,
    "JPY": 0, "KRW": 0, "KWD": 3, "MXN": 2, "MYR": 2, "NGN": 2, "PHP": 2, "PLN": 2, "RUB": 2, "SGD": 2, "THB": 2,
    "TND": 3, "TRY": 2, "TWD": 2, "USD": 2, "VND": 0, "ZAR": 2,
}  # fmt: skip

_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,18})?", re.ASCII)


def currency_digits(currency: str) -> int:
    """Digits after the point of *currency*. Raises BadInput for a code the library does not know.

    >>> currency_digits("CNY")
    2
    """
    try:
        return CURRENCY_DIGITS[currency]
    except (KeyError, TypeError):
        raise BadInput(
            code="unknown_currency",
            field="currency",
            value=currency,
            reason="use an ISO 4217 code such as CNY",
        ) from None


def plain_decimal(value: object, field: str = "amount") -> Decimal:
    """*value* as an exact Decimal: a Decimal, an int, or text in plain ASCII digits. Anything else is refused.

    The check runs on text before any arithmetic, so that an absurd exponent costs nothing.

    >>> plain_decimal("1200.50")
    Decimal('1200.50')
    """
    if isinstance(value, bool) or value is None:
        raise InvalidAmount(field=field, value=value, reason="give a number")
    if isinstance(value, float):
        raise InvalidAmount(
            field=field, value=value, reason='floats are not exact, give a Decimal or text such as "12.30"'
        )
    if isinstance(value, int):
        if abs(value) >= 10**15:
            raise InvalidAmount(field=field, value="an integer of many digits", reason="too large")
        return Decimal(value)
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        if not isinstance(exponent, int):
            raise InvalidAmount(field=field, value=str(value), reason="not a number")
        if exponent < -18 or value.adjusted() > 15:
            raise InvalidAmount(field=field, value=str(value)[:40], reason="too many digits")
        return value
    if not isinstance(value, str):
        raise InvalidAmount(field=field, value=type(value).__name__, reason="give a Decimal, an int or text")
    if not _PLAIN_NUMBER.fullmatch(value):
        raise InvalidAmount(
            field=field, value=value[:40], reason="use plain digits with an optional point, such as 1200.50"
        )
    return Decimal(value)


def to_minor(value: object, currency: str, field: str = "amount") -> int:
    """*value* in major units as an integer of minor units; never rounds.

    >>> to_minor("300000.00", "CNY")
    30000000
    """
    digits = currency_digits(currency)
    scaled = plain_decimal(value, field).scaleb(digits)
    minor = int(scaled)
    if minor != scaled:
        raise InvalidAmount(
            field=field, value=str(value), reason=f"{currency} has {digits} digits after the point"
        )
    if abs(minor) > MAX_MINOR:
        raise InvalidAmount(field=field, value=str(value), reason="larger than the book can hold")
    return minor


def positive_minor(value: object, currency: str, field: str = "amount") -> int:
    """As :func:`to_minor`, and above zero.

    >>> positive_minor("0.01", "CNY")
    1
    """
    minor = to_minor(value, currency, field)
    if minor <= 0:
        raise InvalidAmount(field=field, value=str(value), reason="must be above zero")
    return minor


def to_major(minor: int, currency: str) -> Decimal:
    """Minor units as a Decimal with the currency's digits.

    >>> to_major(1296000, "CNY")
    Decimal('12960.00')
    """
    return Decimal(minor).scaleb(-currency_digits(currency))


def amount_text(minor: int, currency: str) -> str:
    """Minor units as text with the currency's digits, no grouping, as in JSON.

    >>> amount_text(-5, "CNY")
    '-0.05'
    """
    digits = currency_digits(currency)
    if not digits:
        return str(minor)
    whole, rest = divmod(abs(minor), 10**digits)
    return f"{'-' if minor < 0 else ''}{whole}.{rest:0{digits}d}"


def round_half_up(exact: Fraction) -> int:
    """⌊x + ½⌋, below zero too: the one rounding of the library.

    >>> round_half_up(Fraction(5, 2)), round_half_up(Fraction(-5, 2))
    (3, -2)
    """
    return half_up_div(exact.numerator, exact.denominator)


def half_up_div(numerator: int, denominator: int) -> int:
    """numerator / denominator rounded half-up, in integers; *denominator* above zero.

    >>> half_up_div(7, 2)
    4
    """
    return (2 * numerator + denominator) // (2 * denominator)
