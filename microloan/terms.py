"""The terms of one loan, frozen when it is drawn: everything replay needs besides the events.

The written form is the ``terms`` mapping of a scenario file (CONTRACT 2); the stored form is the same mapping.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from .days import FIRST_DAY, DayCount, Term, add_months, parse_date
from .errors import InvalidTerms
from .kept import kept
from .money import amount_text, currency_digits, plain_decimal, positive_minor
from .rates import Rate, parse_percentage

Method = Literal["anytime", "interest_only", "equal_instalment", "equal_principal", "sweep"]
METHODS: tuple[Method, ...] = get_args(Method)
Component = Literal["fees", "penalty", "interest", "principal"]
COMPONENTS: tuple[Component, ...] = ("fees", "penalty", "interest", "principal")
_EACH = frozenset(COMPONENTS)
NON_PERFORMING_ORDER: tuple[Component, ...] = ("fees", "principal", "interest", "penalty")

#: Days past due above which a loan is in the second, third … class. Source: the five categories of the Chinese
#: risk classification rules, and a card-style preset (SEMANTICS 5); configuration, not law.
CLASS_NAMES = ("normal", "special_mention", "substandard", "doubtful", "loss")
FIVE_CATEGORIES = (0, 90, 270, 360)
CARD_CATEGORIES = (0, 90, 120, 180)


def _share(given: object) -> Fraction:
    if isinstance(given, str):
        return _share_of_text(given)
    return given if isinstance(given, Fraction) else parse_percentage(given, "share")


def _rate(given: object) -> Rate:
    if isinstance(given, dict) and all(type(part) is str for part in given.values()):
        return _rate_of_parts(tuple(given.items()))
    return Rate.parse(given, "terms.rate")


# A book has many loans and few rates: each is read once.
@lru_cache(maxsize=1024)
def _share_of_text(given: str) -> Fraction:
    return parse_percentage(given, "share")


@lru_cache(maxsize=1024)
def _rate_of_parts(parts: tuple[tuple[str, str], ...]) -> Rate:
    return Rate.parse(dict(parts), "terms.rate")


def _share_text(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"


@lru_cache(maxsize=1024)
def _decimal_share_text(value: Fraction) -> str:
    scaled = value * 10**18
    if scaled.denominator != 1:
        return _share_text(value)
    text = f"{Decimal(scaled.numerator).scaleb(-18):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_encoded = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode

Share = Annotated[Fraction, BeforeValidator(_share), PlainSerializer(_decimal_share_text)]
Day = Annotated[date, BeforeValidator(lambda given: parse_date(given, "terms"))]
RateField = Annotated[Rate, BeforeValidator(_rate), PlainSerializer(Rate.canonical)]
TermField = Annotated[
    Term, BeforeValidator(lambda given: Term.parse(given, "terms.term")), PlainSerializer(str)
]


class _Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, ignored_types=(kept,)
    )


class PenaltyTerms(_Frozen):
    """Penalty interest (罚息): a multiple of the contract rate, optionally cut by a yearly cap, optionally on interest too.

    Source: SEMANTICS 5; the multiple of 1.3 to 1.5 is the usual contract clause for overdue loans.
    """

    multiple: Share = Fraction(3, 2)
    annual_cap: Share | None = None
    on_interest: bool = False


class SweepMinimum(_Frozen):
    """The least a sweep loan pays per period: a fraction of the initial balance every so many days."""

    fraction: Share
    of: Literal["initial_balance"] = "initial_balance"
    every: TermField

    @model_validator(mode="after")
    def _days_only(self) -> SweepMinimum:
        if self.every.unit != "d":
            raise InvalidTerms(
                field="sweep.minimum.every", value=str(self.every), reason="give days, such as 60d"
            )
        return self


class SweepTerms(_Frozen):
    """A share of each settlement of the shop, with an optional minimum per period."""

    share: Share
    minimum: SweepMinimum | None = None


class LoanTerms(_Frozen):
    """What was agreed when a loan (借据) was drawn; amounts in major units, dates as calendar days.

    Give ``term`` (``90d``, ``12m``) or ``maturity``, not both. ``due_dates`` overrides the computed due days, for
    instance after a business-day roll; the last one is the maturity.

    Raises InvalidTerms, InvalidAmount, InvalidRate or InvalidDate from :meth:`parse`.
    *Source:* CONTRACT 2 (the written form) and SEMANTICS 1 to 5.

    >>> LoanTerms.parse({"method": "anytime", "principal": "300000", "rate": "0.048%/day",
    ...                  "start": "2017-05-01", "term": "90d"}).last_day
    datetime.date(2017, 7, 30)
    """

    method: Method
    principal: Annotated[Decimal, BeforeValidator(lambda given: plain_decimal(given, "terms.principal"))]
    currency: str = "CNY"
    rate: RateField
    day_count: DayCount = "actual"
    start: Day
    term: TermField | None = None
    maturity: Day | None = None
    due_day: Annotated[int, Field(ge=1, le=31, strict=True)] | None = None
    due_dates: tuple[Day, ...] | None = None
    interest_free_days: Annotated[int, Field(ge=0, le=3660, strict=True)] = 0
    min_interest_days: Annotated[int, Field(ge=0, le=3660, strict=True)] = 0
    grace_days: Annotated[int, Field(ge=0, le=365, strict=True)] = 0
    penalty: PenaltyTerms = PenaltyTerms()
    allocation: tuple[Component, ...] = COMPONENTS
    allocation_non_performing: tuple[Component, ...] = NON_PERFORMING_ORDER
    prepayment: Literal["reduce_instalment", "shorten_term"] = "reduce_instalment"
    early_days: Annotated[int, Field(ge=0, le=366, strict=True)] = 10
    across: Literal["component", "instalment"] = "component"
    sweep: SweepTerms | None = None
    class_thresholds: tuple[int, int, int, int] = FIVE_CATEGORIES
    non_accrual_after: Annotated[int, Field(ge=0, strict=True)] = 90
    non_performing_after: Annotated[int, Field(ge=0, strict=True)] = 90
    rules_version: Literal[1] = 1

    @model_validator(mode="after")
    def _coherent(self) -> LoanTerms:
        if (self.term is None) == (self.maturity is None):
            raise InvalidTerms(field="term", value=None, reason="give either term or maturity")
        for name in ("allocation", "allocation_non_performing"):
            if set(named := getattr(self, name)) != _EACH or len(named) != len(_EACH):
                raise InvalidTerms(field=name, value=named, reason="name each component once")
        if (self.method == "sweep") != (self.sweep is not None):
            raise InvalidTerms(
                field="sweep", value=self.sweep, reason="needed by method sweep, and by no other"
            )
        return self._drawable()

    def _drawable(self) -> LoanTerms:
        """What depends on principal and first day holds too."""
        _ = self.principal_minor  # raises InvalidAmount
        if self.last_day <= self.start:
            raise InvalidTerms(field="maturity", value=str(self.last_day), reason="must lie after the start")
        if self.due_dates is not None:
            self._check_due_dates(self.due_dates)
        return self

    def _check_due_dates(self, days: tuple[date, ...]) -> None:
        if not days or list(days) != sorted(set(days)) or days[0] <= self.start:
            raise InvalidTerms(
                field="due_dates", value=[str(d) for d in days], reason="ascending, after the start"
            )

    @classmethod
    def parse(cls, given: Mapping[str, Any], currency: str | None = None) -> LoanTerms:
        """Terms from the written form; every fault is one typed error naming the field and its value."""
        fields = dict(given) if currency is None else {"currency": currency, **given}
        if isinstance(fields.get("currency", "CNY"), str):
            currency_digits(str(fields.get("currency", "CNY")))
        try:
            return cls.model_validate(fields)
        except ValidationError as fault:
            first = fault.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "terms"
            raise InvalidTerms(field=field, value=_short(first["input"]), reason=first["msg"]) from None

    @classmethod
    def from_text(cls, given: str) -> LoanTerms:
        """Terms from their stored form, :attr:`text`; what the draws on one product have in common is read once.

        Raises InvalidTerms and its kin, ValueError for what is no JSON.

        >>> terms = LoanTerms.parse({"method": "anytime", "principal": "300000", "rate": "0.048%/day",
        ...                          "start": "2017-05-01", "term": "90d"})
        >>> LoanTerms.from_text(terms.text) == terms
        True
        """
        before, _, rest = given.partition(_PRINCIPAL)
        principal, _, rest = rest.partition('"')
        between, _, rest = rest.partition(_START)
        start, _, after = rest.partition('"')
        if not after:
            return cls.parse(json.loads(given))
        return _in_common(before, between, after).drawn(principal, start)

    def drawn(self, principal: object, start: object) -> LoanTerms:
        """The same terms for another principal from another first day: what differs between the draws on one product.

        Raises InvalidAmount, InvalidDate, and InvalidTerms for a start after an agreed maturity.

        >>> ninety = LoanTerms.parse({"method": "anytime", "principal": "1", "rate": "0.048%/day",
        ...                           "start": "2017-05-01", "term": "90d"})
        >>> ninety.drawn("300000", date(2024, 1, 1)).last_day
        datetime.date(2024, 3, 31)
        """
        given = {
            "principal": plain_decimal(principal, "terms.principal"),
            "start": parse_date(start, "terms"),
        }
        _ = self._agreed  # kept once for all that are drawn from these
        other = self.model_copy(update=given)
        for name in _OF_THE_DRAW:
            other.__dict__.pop(name, None)
        return other._drawable()

    @kept
    def principal_minor(self) -> int:
        """The principal in minor units."""
        return positive_minor(self.principal, self.currency, "terms.principal")

    @kept
    def last_day(self) -> date:
        """The maturity: the day on which the last of it is due."""
        if self.due_dates:
            return self.due_dates[-1]
        if self.maturity is not None:
            return self.maturity
        if self.term is None:
            raise InvalidTerms(field="term", value=None, reason="give either term or maturity")
        if self.term.unit == "m" and self.due_day and self.method not in ("anytime", "sweep"):
            return add_months(self.start, self.term.count, self.due_day)
        return self.term.end(self.start)

    def canonical(self) -> dict[str, Any]:
        """The mapping that is stored and hashed; ``LoanTerms.parse`` reads it back to equal terms."""
        return dict(json.loads(self.text))

    @kept
    def text(self) -> str:
        """The stored form as canonical JSON: keys sorted, no spaces, nothing but ASCII."""
        principal = amount_text(self.principal_minor, self.currency)
        own = (f'{_PRINCIPAL}{principal}"', f'{_START}{self.start.isoformat()}"')
        return "{" + ",".join(sorted((*self._agreed, *own))) + "}"

    @kept
    def _agreed(self) -> tuple[str, ...]:
        """The parts of the stored form that are the same for every draw on such terms."""
        agreed = self.model_dump(mode="json", exclude_none=True, exclude={"principal", "start"})
        return tuple(f'"{name}":{_encoded(value)}' for name, value in agreed.items())


# How the stored form tells of principal and first day.
_PRINCIPAL, _START = '"principal":"', '"start":"'


@lru_cache(maxsize=4096)
def _in_common(before: str, between: str, after: str) -> LoanTerms:
    return LoanTerms.parse(json.loads(f'{before}{_PRINCIPAL}1"{between}{_START}{FIRST_DAY}"{after}'))


#: What is worked out from principal and first day, and so not the same for every draw.
_OF_THE_DRAW = ("principal_minor", "last_day", "text")


def _short(value: object) -> str:
    return str(value)[:80]


__all__ = [
    "CARD_CATEGORIES",
    "CLASS_NAMES",
    "COMPONENTS",
    "FIVE_CATEGORIES",
    "METHODS",
    "NON_PERFORMING_ORDER",
    "Component",
    "LoanTerms",
    "Method",
    "PenaltyTerms",
    "SweepMinimum",
    "SweepTerms",
]
