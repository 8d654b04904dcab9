"""Products: what a lender offers, frozen and versioned, read from TOML; and the dated ceilings on its price.

A product fixes everything a loan's terms need besides amount, rate, start and length. Amounts are written in major
units of the product's currency. Source: SEMANTICS 1 to 5.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    field_validator,
    model_validator,
)

from .days import FIRST_DAY, DayCount, Term, parse_date
from .errors import InvalidDate, InvalidProduct, MicroloanError
from .money import amount_text, currency_digits, plain_decimal, to_minor
from .rates import Rate, parse_percentage, rate_decimal
from .terms import (
    COMPONENTS,
    FIVE_CATEGORIES,
    NON_PERFORMING_ORDER,
    Component,
    LoanTerms,
    Method,
    PenaltyTerms,
    SweepTerms,
)

#: The product `init` gives to a new book.
SHIPPED = "marketplace"

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}", re.ASCII)
_SPAN = re.compile(r"(?P<first>[0-9]{1,4})(?P<unit>[dm])(?:\.\.(?P<last>[0-9]{1,4})(?P=unit))?", re.ASCII)


class TermSpan(BaseModel):
    """The lengths a method is offered for: one (``90d``) or a span, ends included (``1d..365d``).

    >>> Term(90, "d") in TermSpan.parse("1d..365d"), Term(3, "m") in TermSpan.parse("1d..365d")
    (True, False)
    """

    model_config = ConfigDict(frozen=True)
    first: int
    last: int
    unit: Literal["d", "m"]

    @classmethod
    def parse(cls, given: object) -> TermSpan:
        """Read ``90d``, ``12m`` or ``1d..365d``."""
        if isinstance(given, TermSpan):
            return given
        match = _SPAN.fullmatch(given) if isinstance(given, str) else None
        if not match:
            raise InvalidDate(field="terms", value=given, reason="write 90d, 12m or a span such as 1d..365d")
        first, last = Term.parse(f"{match['first']}{match['unit']}"), match["last"] or match["first"]
        end = Term.parse(f"{last}{match['unit']}")
        if end.count < first.count:
            raise InvalidDate(field="terms", value=given, reason="a span runs from the shorter to the longer")
        return cls(first=first.count, last=end.count, unit=first.unit)

    def __contains__(self, term: Term) -> bool:
        return term.unit == self.unit and self.first <= term.count <= self.last

    def __str__(self) -> str:
        one = f"{self.first}{self.unit}"
        return one if self.first == self.last else f"{one}..{self.last}{self.unit}"


def _reader(read: Callable[[Any], Any]) -> BeforeValidator:
    """A reader of ours as pydantic wants it: its refusals are ValueErrors, so that the field's place is told."""

    def validator(given: Any) -> Any:
        try:
            return read(given)
        except MicroloanError as fault:
            raise ValueError(str(fault.details.get("reason", fault.message))) from None

    return BeforeValidator(validator)


def _share(given: Any) -> Fraction:
    return given if isinstance(given, Fraction) else parse_percentage(given, "share")


def _share_text(share: Fraction) -> str:
    return f"{share.numerator}/{share.denominator}"


Amount = Annotated[Decimal, _reader(plain_decimal)]
Share = Annotated[Fraction, _reader(_share), PlainSerializer(_share_text)]
Span = Annotated[TermSpan, _reader(TermSpan.parse), PlainSerializer(str)]
TermText = Annotated[Term, _reader(Term.parse), PlainSerializer(str)]
DayText = Annotated[date, _reader(parse_date)]


class _Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=True
    )


class MethodOffer(_Frozen):
    """A repayment method and the lengths it is offered for."""

    method: Method
    terms: tuple[Span, ...] = Field(min_length=1)

    def offers(self, term: Term) -> bool:
        """Is this length offered?

        >>> offer = MethodOffer(method="anytime", terms=("1d..365d", "1m..12m"))
        >>> offer.offers(Term.parse("90d")), offer.offers(Term.parse("13m"))
        (True, False)
        """
        return any(term in span for span in self.terms)


class ExposureCaps(_Frozen):
    """The most this product lends to one merchant; caps of groups and of net assets are the lender's dated settings."""

    merchant: Amount | None = None

    def minor(self, currency: str) -> int | None:
        """The cap per merchant in minor units; None where it is not set.

        >>> ExposureCaps(merchant="5000.00").minor("CNY"), ExposureCaps().minor("CNY")
        (500000, None)
        """
        return None if self.merchant is None else to_minor(self.merchant, currency, "caps.merchant")


class BusinessDays(_Frozen):
    """Where a due date moves that falls on a closed day: which days are closed, and in which direction.

    ``calendar``: ``weekends``, or a country's two letters (``CN``) for its public holidays with their moved workdays. The
    holidays the lender has listed are closed in either. *Source:* SEMANTICS 3.
    """

    calendar: Annotated[str, Field(pattern=r"^(weekends|[A-Z]{2})$")] = "weekends"
    roll: Literal["following", "modified_following", "preceding"] = "following"


class RateCeiling(_Frozen):
    """The highest all-in yearly cost of new loans from a day on: a plain share, or a multiple of the LPR of that day.

    ``note`` says where it comes from and who must confirm it.
    """

    first_day: DayText = Field(alias="from")
    yearly: Share | None = None
    lpr_multiple: Share | None = None
    note: str = ""

    @model_validator(mode="after")
    def _one_of(self) -> RateCeiling:
        if (self.yearly is None) == (self.lpr_multiple is None):
            raise ValueError("give either yearly or lpr_multiple")
        return self

    def limit(self, lpr: Fraction | None) -> Fraction | None:
        """The ceiling as a yearly fraction; None when it needs an LPR that is not set.

        >>> RateCeiling(first_day="2028-01-01", lpr_multiple="4").limit(Fraction(3, 100))
        Fraction(3, 25)
        """
        if self.lpr_multiple is None:
            return self.yearly
        return None if lpr is None else self.lpr_multiple * lpr


class Product(_Frozen):
    """A version of a loan product; immutable once approved.

    Amounts in major units of ``currency``; lengths in days unless named otherwise. :meth:`load` reads a TOML file,
    :meth:`shipped` the one that comes with the library. *Source:* SEMANTICS 1 to 5 (house rules).

    >>> Product.shipped("CNY").terms_of("300000", "0.048%/day", date(2017, 5, 1), Term(90, "d")).last_day
    datetime.date(2017, 7, 30)
    """

    name: str
    version: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] = 1
    title: str = ""
    currency: str
    methods: tuple[MethodOffer, ...] = Field(min_length=1)
    default_method: Method
    default_term: TermText
    min_limit: Amount
    min_draw: Amount
    max_draw: Amount | None = None
    multiple: Amount
    offer_days: Annotated[int, Field(ge=1, le=366, strict=True)] = 30
    facility_days: Annotated[int, Field(ge=1, le=3660, strict=True)] = 365
    seasonal_max_days: Annotated[int, Field(ge=1, le=366, strict=True)] = 90
    day_count: DayCount = "actual"
    due_day: Annotated[int, Field(ge=1, le=31, strict=True)] | None = None
    business_days: BusinessDays | None = None
    interest_free_days: Annotated[int, Field(ge=0, le=3660, strict=True)] = 0
    min_interest_days: Annotated[int, Field(ge=0, le=3660, strict=True)] = 0
    grace_days: Annotated[int, Field(ge=0, le=365, strict=True)] = 0
    penalty: PenaltyTerms = PenaltyTerms()
    allocation: tuple[Component, ...] = COMPONENTS
    allocation_non_performing: tuple[Component, ...] = NON_PERFORMING_ORDER
    prepayment: Literal["reduce_instalment", "shorten_term"] = "reduce_instalment"
    early_days: Annotated[int, Field(ge=0, le=366, strict=True)] = 10
    across: Literal["component", "instalment"] = "component"
    payer_may_choose_principal: bool = False
    sweep: SweepTerms | None = None
    class_thresholds: tuple[int, int, int, int] = FIVE_CATEGORIES
    non_accrual_after: Annotated[int, Field(ge=0, strict=True)] = 90
    non_performing_after: Annotated[int, Field(ge=0, strict=True)] = 90
    caps: ExposureCaps = ExposureCaps()
    ceilings: tuple[RateCeiling, ...] = ()

    @field_validator("name")
    @classmethod
    def _plain_name(cls, given: str) -> str:
        if not _NAME.fullmatch(given):
            raise ValueError("lower-case letters, digits, - and _, at most 31, a letter first")
        return given

    @model_validator(mode="after")
    def _coherent(self) -> Product:
        currency_digits(self.currency)
        for field in _AMOUNTS:
            self._check_amount(field)
        if self.max_draw is not None and self.max_draw < self.min_draw:
            raise ValueError("max_draw lies below min_draw")
        if (self.sweep is not None) != any(offer.method == "sweep" for offer in self.methods):
            raise ValueError("a sweep table is needed by method sweep, and by no other")
        if len({offer.method for offer in self.methods}) != len(self.methods):
            raise ValueError("name each method once")
        if not self.offers(self.default_method, self.default_term):
            raise ValueError("default_method and default_term are not among what is offered")
        if [c.first_day for c in self.ceilings] != sorted({c.first_day for c in self.ceilings}):
            raise ValueError("ceilings ascend by their first day")
        self._check_terms()
        return self

    def _check_amount(self, field: str) -> None:
        amount = getattr(self, field)
        if amount is not None and to_minor(amount, self.currency, field) <= 0:
            raise ValueError(f"{field} must be above zero")

    def _check_terms(self) -> None:
        for offer in self.methods:
            span = offer.terms[0]
            self.terms_of(
                self.min_draw, Rate(Fraction(0)), date(2024, 1, 31), Term(span.last, span.unit), offer.method
            )

    @classmethod
    def parse(cls, given: Mapping[str, Any], source: str = "product") -> Product:
        """A product from a mapping. Raises InvalidProduct naming the field and what is wrong with it."""
        try:
            return cls.model_validate(given)
        except ValidationError as fault:
            first = fault.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "product"
            reason = first["msg"].removeprefix("Value error, ")
            raise InvalidProduct(file=source, field=field, reason=reason) from None
        except MicroloanError as fault:
            field = str(fault.details.get("field", "product"))
            raise InvalidProduct(file=source, field=field, reason=fault.message) from None

    @classmethod
    def load(cls, path: Path | str) -> Product:
        """A product from a TOML file. Raises InvalidProduct."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as fault:
            raise InvalidProduct(file=str(path), field="file", reason=str(fault)) from None
        return cls.from_toml(text, str(path))

    @classmethod
    def from_toml(cls, text: str, source: str = "product") -> Product:
        """A product from TOML text. Raises InvalidProduct."""
        try:
            given = tomllib.loads(text)
        except tomllib.TOMLDecodeError as fault:
            raise InvalidProduct(file=source, field="file", reason=f"not TOML: {fault}") from None
        return cls.parse(given, source)

    @classmethod
    def shipped(cls, currency: str = "CNY") -> Product:
        """The product ``marketplace`` in a currency; its rate ceilings are those of CNY and are left out elsewhere."""
        text = files("microloan").joinpath(f"{SHIPPED}.product.toml").read_text(encoding="utf-8")
        given = tomllib.loads(text)
        amounts = given.pop("currencies").get(currency, {})
        if currency != given["currency"]:
            given |= {"currency": currency, "ceilings": [], **amounts}
        return cls.parse(given, f"{SHIPPED}.product.toml")

    def canonical(self) -> dict[str, Any]:
        """The mapping that is stored and hashed; :meth:`parse` reads it back to an equal product."""
        return self.model_dump(mode="json", exclude_none=True, by_alias=True)

    @cached_property
    def sha256(self) -> str:
        """The hash of this version's content."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def minor(self, field: str) -> int | None:
        """An amount of the product in minor units; None where it is not set.

        >>> Product.shipped("CNY").minor("min_draw")
        10000
        """
        return self._minors[field]

    @cached_property
    def _minors(self) -> dict[str, int | None]:
        amounts = {name: getattr(self, name) for name in _AMOUNTS}
        return {
            name: None if amount is None else to_minor(amount, self.currency, name)
            for name, amount in amounts.items()
        }

    def offer_of(self, method: str) -> MethodOffer | None:
        """The method as it is offered, or None."""
        return next((offer for offer in self.methods if offer.method == method), None)

    def offers(self, method: str, term: Term) -> bool:
        """Is the method offered for this length?"""
        offer = self.offer_of(method)
        return offer is not None and offer.offers(term)

    def terms_of(
        self,
        principal: Decimal | str,
        rate: Rate | str,
        start: date,
        term: Term,
        method: Method | None = None,
    ) -> LoanTerms:
        """The terms of a loan of this product, frozen at its draw. Raises InvalidTerms and its kin."""
        wanted = (rate, term, method or self.default_method)
        agreed = self._agreed.get(wanted)
        if agreed is None:
            if len(self._agreed) >= _PATTERNS:
                self._agreed.clear()
            agreed = self._agreed[wanted] = self._agree(*wanted)
        return agreed.drawn(principal, start)

    @cached_property
    def _agreed(self) -> dict[tuple[Rate | str, Term, Method], LoanTerms]:
        """Terms but for principal and first day: many draws share one rate, length and method."""
        return {}

    def _agree(self, rate: Rate | str, term: Term, method: Method) -> LoanTerms:
        given: dict[str, Any] = {
            "method": method,
            "principal": self.min_draw,
            "currency": self.currency,
            "rate": rate,
            "start": FIRST_DAY,
            "term": term,
        }
        for field in _COPIED:
            given[field] = getattr(self, field)
        if method == "sweep":
            given["sweep"] = self.sweep
        if method in ("anytime", "sweep"):
            given["due_day"] = None
        return LoanTerms.parse(given)

    def summary(self) -> dict[str, str]:
        """The product's figures as text, for contracts and lists; amounts with the currency's digits."""
        amounts = {name: self.minor(name) for name in _AMOUNTS}
        shown = {
            name: amount_text(minor, self.currency) for name, minor in amounts.items() if minor is not None
        }
        cap = self.penalty.annual_cap
        return {
            **shown,
            "day_count": self.day_count,
            "penalty_multiple": str(rate_decimal(self.penalty.multiple)),
            "annual_cap": "not set" if cap is None else str(rate_decimal(cap)),
            "methods": "; ".join(f"{o.method} {', '.join(map(str, o.terms))}" for o in self.methods),
        }


#: How many of them are kept at most.
_PATTERNS = 256

_AMOUNTS = ("min_limit", "min_draw", "max_draw", "multiple")
_COPIED = (
    "day_count", "due_day", "interest_free_days", "min_interest_days", "grace_days", "penalty", "allocation",
    "allocation_non_performing", "prepayment", "early_days", "across", "class_thresholds", "non_accrual_after",
    "non_performing_after",
)  # fmt: skip


def ceiling_on(ceilings: Sequence[RateCeiling], day: date) -> RateCeiling | None:
    """The ceiling in force on a day: the latest that has begun; None before the first.

    >>> ceiling_on(Product.shipped("CNY").ceilings, date(2027, 12, 31)).yearly
    Fraction(6, 25)
    """
    begun = [ceiling for ceiling in ceilings if ceiling.first_day <= day]
    return begun[-1] if begun else None
