"""A credit policy: eligibility, scorecard, grades, limit formula, caps and prices, as a file people read.

The file is TOML; decimals in it are exact. A policy is a frozen value with a canonical form and its SHA-256, so that a
decision can say by which rules it was made.

Source: SEMANTICS 8 (house rule) for the shipped numbers; everything in the file is the lender's to change.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache, cached_property
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    model_validator,
)

from ..days import parse_date
from ..errors import BadInput, InvalidPolicy
from ..money import currency_digits, plain_decimal, to_minor
from ..rates import Rate, parse_percentage

Read = TypeVar("Read")


class _Setting(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, str_max_length=2000)


def _share(given: object) -> Fraction:
    return _without_library_error(lambda: parse_percentage(given, "value"))


def _number(given: object) -> Decimal:
    return _without_library_error(lambda: plain_decimal(given, "value"))


def _rate(given: object) -> Rate:
    return _without_library_error(lambda: Rate.parse(given))


def _above_zero(value: Fraction) -> Fraction:
    if not 0 < value <= 1:
        raise ValueError(f"{value} is not above 0 and at most 1")
    return value


def _part_of_one(value: Fraction) -> Fraction:
    if not 0 <= value <= 1:
        raise ValueError(f"{value} is not between 0 and 1")
    return value


def _up_to_100(value: Fraction) -> Fraction:
    if not 0 <= value <= 100:
        raise ValueError(f"{value} is not between 0 and 100")
    return value


def _not_nothing(value: Fraction) -> Fraction:
    if not value:
        raise ValueError("must be above 0")
    return value


def _without_library_error(read: Callable[[], Read]) -> Read:
    try:
        return read()
    except BadInput as refused:
        raise ValueError(refused.message) from None


def _fraction_text(value: Fraction) -> str:
    return str(value)


#: An exact share or multiple: ``0.3``, ``"30%"``, ``"1/18"``.
Share = Annotated[Fraction, PlainValidator(_share), PlainSerializer(_fraction_text, return_type=str)]
#: A share of a whole: 0 to 1.
Part = Annotated[Share, AfterValidator(_part_of_one)]
#: A factor that may be 0, at most 100; and one that may not.
Factor = Annotated[Share, AfterValidator(_up_to_100)]
Multiple = Annotated[Factor, AfterValidator(_not_nothing)]
#: A share above 0.
Chance = Annotated[Share, AfterValidator(_above_zero)]
#: An exact decimal number.
Number = Annotated[
    Decimal, PlainValidator(_number), PlainSerializer(lambda v: format(v.normalize(), "f"), return_type=str)
]
#: A rate with its basis: ``"0.048%/day"``.
DailyRate = Annotated[
    Rate, PlainValidator(_rate), PlainSerializer(lambda rate: rate.canonical(), return_type=dict)
]
Day = Annotated[date, PlainValidator(lambda given: _without_library_error(lambda: parse_date(given)))]
Days = Annotated[int, Field(strict=True, ge=0, le=3660)]
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Points = Annotated[int, Field(strict=True, ge=-10_000, le=10_000)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]


class Lags(_Setting):
    """How long undated news and missing settlements are waited for, in days.

    ``undated_change``: a refund or cancellation without a date counts this long after payment. ``unsettled``: a line
    still unsettled then is worth nothing, where the platform reports settlement. ``settlement``: lines younger than
    this never raise a limit. ``stale``: a flow not covered for this long sends the decision to a person.

    *Source:* SEMANTICS 8 (45 and 7 days); the two others are house rules of the shipped policy.
    """

    undated_change: Days = 15
    unsettled: Days = 45
    settlement: Days = 15
    stale: Days = 7


class SelfDealing(_Setting):
    """One buyer account that orders far more often, or far more at a time, than this shop's buyers do.

    *Often*: within 30 days at least ``orders_in_30_days``, half or more of all its orders, and ``times_typical`` times the
    upper quartile of the shop's buyers; in a shop of ``buyers_to_compare`` buyers ``least_in_30_days`` are enough, if that is
    also that multiple of what 49 of 50 buyers stay within. *Large*: ``large_orders`` or more in a year, but fewer than
    ``orders_in_a_year``, the mean and the middle one ``times_typical`` times the upper quartile of buyers' average orders.
    *Steadily*: ``orders_in_a_year`` or more, on average below that size, since a wholesale buyer orders more at a time. These
    two need ``buyers_to_judge`` buyers. All three only where the shop's own gradations, drawn on, would lead to so many such
    accounts with less than this ``chance``, ``chance_in_a_year`` for the last two: regulars and wholesale buyers come in all
    gradations. A buyer whose id is the shop's own is flagged always.
    """

    enabled: bool = True
    orders_in_30_days: Count = 6
    least_in_30_days: Count = 4
    times_typical: Count = 3
    buyers_to_compare: Count = 100
    buyers_to_judge: Count = 20
    orders_in_a_year: Count = 8
    large_orders: Count = 3
    chance: Chance = Fraction(10, 100)
    chance_in_a_year: Chance = Fraction(1, 100)


class BuyerRing(_Setting):
    """Buyer accounts that order on the same days, again and again: at least ``members`` of them, each with at least
    ``days`` order days, of which they share ``overlap`` (common days over all days of both)."""

    enabled: bool = True
    members: Count = 3
    days: Count = 3
    overlap: Part = Fraction(7, 10)


class Burst(_Setting):
    """A day with at least ``orders`` orders and ``times_typical`` times the shop's typical day with sales, outside the
    named peaks (there ``times_in_peak``); flagged are the day's orders of accounts that never bought on another day. Only
    where the shop's own busy days, drawn on, would lead to so many such days with less than this ``chance``, low because
    every day of a year is a trial: a shop that sells by broadcasts and flash sales has busy days in all gradations."""

    enabled: bool = True
    orders: Count = 10
    times_typical: Count = 4
    times_in_peak: Count = 20
    chance: Chance = Fraction(1, 10_000)


class RefundAfter(_Setting):
    """A buyer with at least ``orders`` orders, of which ``share`` or more were refunded or cancelled afterwards: the
    rest of that buyer's orders are expected to go the same way."""

    enabled: bool = True
    orders: Count = 3
    share: Part = Fraction(1, 2)


class LateSettlement(_Setting):
    """A line still unsettled after ``days`` and ``times_usual`` times the days within which 95 of 100 of this shop's lines
    were settled, where at least ``settled_to_compare`` were; flagged until its settlement is known. Where more than
    ``late_share`` of the sales of the last 45 days that are old enough to be settled is not, ``late_lines`` of them or
    more, nothing unsettled counts."""

    enabled: bool = True
    days: Days = 15
    times_usual: Count = 3
    settled_to_compare: Count = 20
    late_share: Part = Fraction(25, 100)
    late_lines: Count = 5


class OutsizedOrder(_Setting):
    """Accounts whose year is one order, or mostly one, of ``times_typical`` times the upper quartile of what this shop's orders
    amount to or more: at least ``accounts`` of them, in a shop with at least ``buyers_to_judge`` buyers. Only where the
    shop's own sizes of orders, drawn on, would lead to so many such accounts with less than this ``chance``, and there are
    more than if passers-by ordered so large as often as its regulars: a shop that sells in all sizes keeps them."""

    enabled: bool = True
    accounts: Count = 3
    times_typical: Count = 15
    buyers_to_judge: Count = 20
    chance: Chance = Fraction(1, 100)


class Detectors(_Setting):
    """What makes an order not genuine; each detector can be set and switched off."""

    self_dealing: SelfDealing = SelfDealing()
    buyer_ring: BuyerRing = BuyerRing()
    burst: Burst = Burst()
    refund_after: RefundAfter = RefundAfter()
    late_settlement: LateSettlement = LateSettlement()
    outsized_order: OutsizedOrder = OutsizedOrder()


class Peak(_Setting):
    """A named sales peak: the ``day`` (MM-DD) and the 30 days around it, ``first`` to ``last`` (MM-DD, both counted)."""

    name: str
    day: str
    first: str
    last: str

    @model_validator(mode="after")
    def _thirty_days(self) -> Self:
        first, day, last = (self.on(2023, part) for part in ("first", "day", "last"))
        if not first <= day <= last or (last - first).days != 29:
            raise ValueError("first … last must be 30 days around the day, within one year")
        return self

    def on(self, year: int, part: str = "day") -> date:
        """The peak's day, first or last day in *year*.

        >>> str(Peak(name="6.18", day="06-18", first="05-22", last="06-20").on(2025))
        '2025-06-18'
        """
        text: str = getattr(self, part)
        try:
            return _day_in(year, text)
        except ValueError:
            raise ValueError(f"{part}: {text!r} is no day of the year, write MM-DD") from None


@cache
def _day_in(year: int, text: str) -> date:
    return date.fromisoformat(f"{year}-{text}")


class Eligibility(_Setting):
    """Who is decided at all, and what sends a decision to a person.

    *Source:* SEMANTICS 8: tenure ≥ 90 days, last sale ≤ 30 days ago, at least 3 blocks; 3–5 blocks to a person. The
    rules on few buyers, flags, violations, ratings and arrears are house rules of the shipped policy.
    """

    tenure_days: Days = 90
    last_sale_days: Days = 30
    blocks: Count = 3
    blocks_without_review: Count = 6
    review_few_buyers: bool = True
    review_daily_totals: bool = True
    flagged_share_decline: Part = Fraction(30, 100)
    flagged_share_review: Part = Fraction(10, 100)
    apart_share_review: Part = Fraction(3, 100)
    violations_decline: Count = 3
    rating_review: Number = Decimal("3.0")
    overdue_days_decline: Days = 30


class Bin(_Setting):
    """Points for values up to, not including, ``below``; the last bin has no ``below``."""

    points: Points
    below: Number | None = None


class Characteristic(_Setting):
    """One line of the scorecard: a feature, its bins in rising order, and the reason told when it costs points."""

    feature: str
    reason: Name
    bins: tuple[Bin, ...] = Field(min_length=1, max_length=50)
    missing: Points = 0

    @model_validator(mode="after")
    def _known_feature(self) -> Self:
        from .features import DEFINITIONS  # features import the policy's settings

        if self.feature not in DEFINITIONS:
            raise ValueError(f"feature {self.feature!r} is not defined")
        return self

    @model_validator(mode="after")
    def _rising(self) -> Self:
        edges = [each.below for each in self.bins[:-1]]
        if None in edges or self.bins[-1].below is not None:
            raise ValueError("every bin but the last needs `below`, the last has none")
        known = [edge for edge in edges if edge is not None]
        if known != sorted(set(known)):
            raise ValueError("bins must be in rising order of `below`")
        return self


class Odds(_Setting):
    """From score to probability: at ``score`` the odds good to bad are ``good_to_bad``; every ``double`` points more
    double them. ``event`` says what the probability is of."""

    score: Points
    good_to_bad: Multiple
    double: Annotated[int, Field(strict=True, ge=1, le=1000)]
    event: str


class Scorecard(_Setting):
    """Points per bin, on top of ``base``."""

    base: Points
    characteristics: tuple[Characteristic, ...] = Field(min_length=1, max_length=100)
    odds: Odds | None = None
    reasons_told: Count = 4


class Grade(_Setting):
    """A band of scores from ``score`` up: its k, months of sales lent, and its price."""

    name: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9+-]{0,7}$")]
    score: Points
    k: Multiple
    rate: DailyRate


class RefundHaircut(_Setting):
    """max(0, 1 − ``slope`` × max(0, refund rate − ``free``))."""

    free: Part = Fraction(5, 100)
    slope: Factor = Fraction(2)


class Haircuts(_Setting):
    """Factors below one; their product at least ``floor`` unless refunds or concentration alone are lower.

    *Source:* SEMANTICS 8.
    """

    volatility: bool = True
    refunds: RefundHaircut = RefundHaircut()
    top_buyer_share: Part = Fraction(30, 100)
    floor: Part = Fraction(1, 4)


class Repayment(_Setting):
    """What the flow can repay: ``margin`` × ``sweep_share`` × M × ``months`` / (1 + rate × ``days``).

    *Source:* SEMANTICS 8 (margin 0.8); share and term are the shipped product's.
    """

    margin: Chance = Fraction(8, 10)
    sweep_share: Chance = Fraction(25, 100)
    months: Annotated[int, Field(strict=True, ge=1, le=60)] = 12
    days: Days = 360


class Caps(_Setting):
    """Regulatory caps as shares of the lender's net assets: one merchant, and a merchant with related parties.

    ``None``: no such cap. A share without the lender's net assets prints ``not set``.
    """

    net_assets_share: Part | None = Fraction(10, 100)
    related_net_assets_share: Part | None = Fraction(15, 100)


class Seasonal(_Setting):
    """The temporary limit before a named peak.

    *Source:* SEMANTICS 8: from 60 days before; its draws mature within 90 days.
    """

    enabled: bool = True
    days_before: Days = 60
    draw_days: Days = 90


class CurrencyAmounts(_Setting):
    """Amounts in one currency, major units: the least limit worth granting, and the product's cap for a merchant."""

    minimum_limit: Number
    product_cap: Number


SHIPPED_PEAKS = (
    Peak(name="6.18", day="06-18", first="05-22", last="06-20"),
    Peak(name="11.11", day="11-11", first="10-15", last="11-13"),
    Peak(name="12.12", day="12-12", first="11-16", last="12-15"),
)


_Place = tuple[str | int, ...]
_Fault = tuple[_Place, str]


class _Contradictions(ValueError):
    """Parts of a policy that do not go together, each with its place."""

    def __init__(self, faults: Sequence[_Fault]) -> None:
        super().__init__("; ".join(f"{_field_name(place)}: {reason}" for place, reason in faults))
        self.faults = tuple(faults)


def _grade_faults(grades: Sequence[Grade]) -> Iterator[_Fault]:
    names: set[str] = set()
    for number, grade in enumerate(grades):
        if grade.name in names:
            yield ("grades", number, "name"), f"there is a grade {grade.name} already"
        names.add(grade.name)
    for number, (better, worse) in enumerate(pairwise(grades), start=1):
        if worse.score >= better.score:
            yield (
                ("grades", number, "score"),
                "list the best grade first, each with a lower score than the one before",
            )
        if worse.rate.per_day < better.rate.per_day:
            yield (
                ("grades", number, "rate"),
                f"a worse grade may not cost less than grade {better.name} before it",
            )


def _scored_twice(card: Scorecard) -> Iterator[_Fault]:
    seen: set[str] = set()
    for number, each in enumerate(card.characteristics):
        if each.feature in seen:
            yield (
                ("scorecard", "characteristics", number, "feature"),
                f"feature {each.feature!r} is scored already",
            )
        seen.add(each.feature)


def _amount_faults(currencies: Mapping[str, CurrencyAmounts]) -> Iterator[_Fault]:
    for currency, amounts in currencies.items():
        place: _Place = ("currencies", currency)
        try:
            least = to_minor(amounts.minimum_limit, currency, "minimum_limit")
            most = to_minor(amounts.product_cap, currency, "product_cap")
        except BadInput as refused:
            yield place, refused.message
            continue
        if not 0 < least <= most:
            yield place, "the minimum must be above zero and at most the cap"


class Policy(_Setting):
    """A lender's credit policy, frozen. Read one with :meth:`from_file` or take :func:`shipped_policy`.

    >>> shipped_policy().name
    'marketplace'
    """

    name: Name
    version: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    description: str = ""
    eligibility: Eligibility = Eligibility()
    lags: Lags = Lags()
    detectors: Detectors = Detectors()
    peaks: tuple[Peak, ...] = SHIPPED_PEAKS
    scorecard: Scorecard
    grades: tuple[Grade, ...] = Field(min_length=1, max_length=26)
    haircuts: Haircuts = Haircuts()
    repayment: Repayment = Repayment()
    caps: Caps = Caps()
    seasonal: Seasonal = Seasonal()
    currencies: dict[str, CurrencyAmounts] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        faults = [
            *_grade_faults(self.grades),
            *_scored_twice(self.scorecard),
            *_amount_faults(self.currencies),
        ]
        if self.eligibility.flagged_share_decline < self.eligibility.flagged_share_review:
            reason = "lies below flagged_share_review: nobody would be reviewed"
            faults.append((("eligibility", "flagged_share_decline"), reason))
        if faults:
            raise _Contradictions(faults)
        return self

    @classmethod
    def from_file(cls, path: str | Path) -> Policy:
        """Read a policy from a TOML file. Raises InvalidPolicy naming file, line and field; every fault is listed."""
        path = Path(path)
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as failed:
            raise InvalidPolicy(file=str(path), field="file", reason=str(failed), line=None) from None
        return cls.from_toml(text, file=str(path))

    @classmethod
    def from_toml(cls, text: str, file: str = "policy") -> Policy:
        """Read a policy from TOML text; *file* names it in errors. Raises InvalidPolicy."""
        try:
            given = tomllib.loads(text, parse_float=Decimal)
        except tomllib.TOMLDecodeError as broken:
            line = re.search(r"at line (\d+)", str(broken))
            raise _refusal(file, int(line[1]) if line else None, "file", f"no TOML: {broken}", []) from None
        try:
            return cls.model_validate(given)
        except ValidationError as wrong:
            raise _all_faults(wrong, text, file) from None

    @classmethod
    def from_canonical(cls, text: str) -> Policy:
        """A policy from its stored canonical form; gives the same SHA-256."""
        try:
            return cls.model_validate(json.loads(text, parse_float=Decimal))
        except (ValidationError, ValueError) as wrong:
            raise InvalidPolicy(file="stored policy", field="policy", reason=str(wrong), line=None) from None

    @cached_property
    def canonical(self) -> str:
        """The policy as canonical JSON: sorted keys, no spaces, exact decimals as text."""
        return json.dumps(
            self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the canonical form, hexadecimal."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    def minimum_limit_minor(self, currency: str) -> int:
        """The least limit worth granting, in minor units. Raises InvalidPolicy for a currency without amounts."""
        return to_minor(self.amounts(currency).minimum_limit, currency)

    def product_cap_minor(self, currency: str) -> int:
        """The product's cap for one merchant, in minor units."""
        return to_minor(self.amounts(currency).product_cap, currency)

    def amounts(self, currency: str) -> CurrencyAmounts:
        """The policy's amounts in *currency*. Raises InvalidPolicy where it has none."""
        currency_digits(currency)
        try:
            return self.currencies[currency]
        except KeyError:
            raise InvalidPolicy(
                file=f"policy {self.name!r} version {self.version}", field=f"currencies.{currency}", line=None,
                reason="the policy has no amounts in this currency; add minimum_limit and product_cap",
            ) from None  # fmt: skip


def load_policy(path: str | Path) -> Policy:
    """Read a policy file; the same as :meth:`Policy.from_file`.

    Raises InvalidPolicy naming field and line.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     written = Path(folder, "own.toml").write_text(shipped_policy_text(), encoding="utf-8")
    ...     load_policy(Path(folder, "own.toml")).name
    'marketplace'
    """
    return Policy.from_file(path)


def shipped_policy_text() -> str:
    """The text of the shipped policy ``marketplace``, comments and all: a start for one's own.

    >>> Policy.from_toml(shipped_policy_text()).name
    'marketplace'
    """
    return resources.files(__package__).joinpath("marketplace.toml").read_text(encoding="utf-8")


@cache
def shipped_policy() -> Policy:
    """The shipped policy ``marketplace``.

    >>> shipped_policy().grades[0].name
    'A'
    """
    return Policy.from_toml(shipped_policy_text(), file="marketplace.toml")


# --- where in the file a fault lies -----------------------------------------------------------------------------------


def _all_faults(wrong: ValidationError, text: str, file: str) -> InvalidPolicy:
    faults = [
        {"line": line_of(text, place), "field": _field_name(place), "reason": reason}
        for place, reason in _told(wrong)
    ]
    first = faults[0]
    return _refusal(file, first["line"], str(first["field"]), str(first["reason"]), faults)


def _told(wrong: ValidationError) -> Iterator[_Fault]:
    for each in wrong.errors(include_url=False, include_input=False):
        cause = each.get("ctx", {}).get("error")
        if isinstance(cause, _Contradictions):
            yield from cause.faults
        else:
            yield tuple(each["loc"]), each["msg"].removeprefix("Value error, ")


def _refusal(file: str, line: object, field: str, reason: str, faults: Sequence[object]) -> InvalidPolicy:
    where = file if line is None else f"{file}, line {line}"
    return InvalidPolicy(file=where, line=line, field=field, reason=reason, faults=list(faults))


def _field_name(place: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in place) or "policy"


_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]*\")\s*=")


def line_of(text: str, place: Sequence[str | int]) -> int | None:
    """The line, counted from 1, on which the nearest thing to *place* stands in TOML *text*; None if nowhere.

    >>> line_of("name = 'x'\\n[lags]\\nstale = 'y'", ("lags", "stale"))
    3
    """
    spots = dict(_spots(text))
    for length in range(len(place), 0, -1):
        if tuple(place[:length]) in spots:
            return spots[tuple(place[:length])]
    return None


def _spots(text: str) -> list[tuple[tuple[str | int, ...], int]]:
    spots: list[tuple[tuple[str | int, ...], int]] = []
    table: tuple[str | int, ...] = ()
    seen: dict[tuple[str | int, ...], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            table = _table_path(header, seen)
            spots.append((table, number))
        elif key:
            spots.append(((*table, key[1].strip('"')), number))
    return spots


def _table_path(header: re.Match[str], seen: dict[tuple[str | int, ...], int]) -> tuple[str | int, ...]:
    path: tuple[str | int, ...] = ()
    parts = [part.strip().strip('"') for part in header[2].split(".")]
    for part in parts[:-1]:
        path = (*path, part)
        if path in seen:
            path = (*path, seen[path])
    path = (*path, parts[-1])
    if header[1] == "[[":
        seen[path] = seen.get(path, -1) + 1
        path = (*path, seen[path])
    return path
