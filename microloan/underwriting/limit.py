"""The limit: min(caps − exposure, repayment capacity, k × M × haircuts), every factor kept.

All arithmetic is exact (fractions of integers); the features it starts from have four decimals. Amounts are minor units.
The formula is taken twice, at the cut-off and a settlement lag before it; the lower result stands, so that young sales
never raise a limit.

Source: SEMANTICS 8, limit and seasonal limit (house rule).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final

from ..money import amount_text, currency_digits
from .features import Value, coming_peak
from .policy import Grade, Haircuts, Policy
from .reasons import Language, Reason, reason, step_text
from .relations import Relation

Row = Mapping[str, Value]
#: Steps whose value is counted in whole numbers.
COUNTED_STEPS: Final = frozenset({"score", "score_mature", "blocks"})


@dataclass(frozen=True, slots=True)
class Cap:
    """A cap on what a merchant may owe, minor units: ``amount_minor`` None means the lender has not set it.

    ``used_minor`` is what counts against it already.
    """

    name: str
    amount_minor: int | None
    used_minor: int = 0


@dataclass(frozen=True, slots=True)
class Applicant:
    """What the lender knows of a merchant beside the sales flow; amounts in minor units, None means not known.

    ``own_exposure_minor``: what the merchant owes us elsewhere (a review of a live facility leaves that facility out).
    ``related_exposure_minor``: that with related parties. ``net_assets_minor``: the lender's. ``debt_service_minor``:
    what debt elsewhere takes a month. ``covered_until``: last day the imported flow covers. ``platform_is_buyer``: the
    sole buyer is the platform itself (self-operated supplier), so concentration is ignored. ``minimum_limit_minor`` and
    ``product_cap_minor`` replace the policy's where the product has its own. ``relations``: what was found of whom the
    merchant belongs to. ``asked_minor``: the limit the merchant asked for. ``own_buyers``: buyers who are the merchant
    itself or one it belongs together with; what they buy is not sold.
    """

    own_exposure_minor: int = 0
    related_exposure_minor: int | None = None
    net_assets_minor: int | None = None
    caps: tuple[Cap, ...] = ()
    debt_service_minor: int | None = None
    covered_until: date | None = None
    platform_is_buyer: bool = False
    rating: Decimal | None = None
    violations: int | None = None
    days_past_due: int | None = None
    minimum_limit_minor: int | None = None
    product_cap_minor: int | None = None
    relations: tuple[Relation, ...] = ()
    own_buyers: tuple[str, ...] = ()
    asked_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the waterfall: what it is, its value and what it was made of.

    ``amount_minor`` or ``factor`` holds the value; both None print ``not set``. ``inputs`` are the values its wording
    mentions, as text.
    """

    name: str
    amount_minor: int | None = None
    factor: Fraction | None = None
    inputs: tuple[tuple[str, str], ...] = ()

    def text(self, language: Language = "en") -> str:
        """How the value is made, in words.

        >>> step("lowest", amount=1230000).text("zh")
        '取公式额度、还款能力与各项上限中的最低值，不低于零'
        """
        return step_text(self.name, dict(self.inputs), language)

    def value_text(self, currency: str) -> str:
        """The value for people: an amount with the currency's digits, a number counted, a factor to four decimals, ``not set``.

        >>> Step("volatility", factor=Fraction(2, 3)).value_text("CNY"), Step("blocks", factor=Fraction(9)).value_text("CNY")
        ('0.6666', '9')
        """
        if self.amount_minor is not None:
            return amount_text(self.amount_minor, currency)
        if self.name in COUNTED_STEPS:
            return str(self.factor)
        return "not set" if self.factor is None else _four_places(self.factor)


@dataclass(frozen=True, slots=True)
class SeasonalLimit:
    """A temporary limit before a named peak, on top of the ordinary one.

    It may be drawn from the decision to ``ends_on`` (counted); its draws mature within ``draw_days``.
    """

    peak: str
    limit_minor: int
    starts_on: date
    ends_on: date
    draw_days: int


@dataclass(frozen=True, slots=True)
class Basis:
    """A feature row at a cut-off and the grade it earns there."""

    cut_off: date
    row: Row
    grade: Grade


@dataclass(frozen=True, slots=True)
class Limit:
    """The limit with everything it came from; ``unrounded_minor`` is the lowest bound before rounding."""

    limit_minor: int
    unrounded_minor: int
    minimum_minor: int
    steps: tuple[Step, ...]
    reasons: tuple[Reason, ...]
    seasonal: SeasonalLimit | None


def step(
    name: str, /, *, amount: int | None = None, factor: Fraction | None = None, **inputs: object
) -> Step:
    """A waterfall step with its inputs as text.

    >>> step("rounded", amount=1230000, step="100.00").inputs
    (('step', '100.00'),)
    """
    return Step(name, amount, factor, tuple((key, _shown(inputs[key])) for key in sorted(inputs)))


def rounded_down(amount_minor: int, currency: str) -> int:
    """Down to 100 major units, to 10 below 1,000; never below zero.

    *Source:* SEMANTICS 8.

    >>> rounded_down(123_456, "CNY"), rounded_down(99_999, "CNY"), rounded_down(-5, "CNY")
    (120000, 99000, 0)
    """
    unit = rounding_step(amount_minor, currency)
    return max(amount_minor, 0) // unit * unit


def rounding_step(amount_minor: int, currency: str) -> int:
    """The step a limit of this size is rounded down to, in minor units.

    >>> rounding_step(99999, "CNY"), rounding_step(100000, "CNY")
    (1000, 10000)
    """
    one: int = 10 ** currency_digits(currency)
    return 100 * one if amount_minor >= 1000 * one else 10 * one


# --- haircuts and formula ---------------------------------------------------------------------------------------------


def volatility_factor(variation: Value) -> Fraction | None:
    """1 / (1 + variation); None where the variation is not known.

    >>> volatility_factor(Decimal("0.25"))
    Fraction(4, 5)
    """
    return None if variation is None else 1 / (1 + Fraction(variation))


def refund_factor(rate: Value, haircuts: Haircuts) -> Fraction:
    """max(0, 1 − slope × max(0, rate − free)); 1 where nothing was sold.

    >>> refund_factor(Decimal("0.15"), Haircuts())
    Fraction(4, 5)
    """
    excess = max(Fraction(0), Fraction(rate or 0) - haircuts.refunds.free)
    return max(Fraction(0), 1 - haircuts.refunds.slope * excess)


def concentration_factor(share: Value, haircuts: Haircuts) -> Fraction | None:
    """min(1, allowed / largest buyer's share); None where buyers are not known.

    >>> concentration_factor(Decimal("0.6"), Haircuts())
    Fraction(1, 2)
    """
    if share is None:
        return None
    return min(Fraction(1), haircuts.top_buyer_share / Fraction(share)) if share else Fraction(1)


def haircut_product(
    volatility: Fraction, refunds: Fraction, concentration: Fraction, floor: Fraction
) -> Fraction:
    """The product of the three, at least *floor* unless refunds or concentration alone are lower.

    >>> haircut_product(Fraction(1, 3), Fraction(1, 10), Fraction(1), Fraction(1, 4))
    Fraction(1, 10)
    """
    return max(volatility * refunds * concentration, min(floor, refunds, concentration))


@dataclass(frozen=True, slots=True)
class Formula:
    """k × M × haircuts at one cut-off, with its factors; volatility and concentration None where not measured."""

    basis: Basis
    typical_month_minor: int
    volatility: Fraction | None
    refunds: Fraction
    concentration: Fraction | None
    haircuts: Fraction
    amount_minor: int


def formula(basis: Basis, policy: Policy, applicant: Applicant) -> Formula:
    """k(grade) × M × haircuts, minor units rounded down.

    10,000.00 in a typical month, 1.5 times that in grade B, × 1 / (1 + 0.25) for volatility. *Source:* SEMANTICS 8.

    >>> from .policy import shipped_policy
    >>> policy = shipped_policy()
    >>> basis = Basis(date(2025, 5, 1), {"typical_month": 1000000, "volatility": Decimal("0.25")}, policy.grades[1])
    >>> worked = formula(basis, policy, Applicant())
    >>> basis.grade.k, worked.haircuts, worked.amount_minor
    (Fraction(3, 2), Fraction(4, 5), 1200000)
    """
    rules, row = policy.haircuts, basis.row
    month = _whole(row.get("typical_month"))
    volatility = volatility_factor(row.get("volatility")) if rules.volatility else Fraction(1)
    refunds = refund_factor(row.get("refund_rate"), rules)
    measured = not applicant.platform_is_buyer
    concentration = concentration_factor(row.get("top_buyer_share"), rules) if measured else Fraction(1)
    # an unknown volatility earns the floor; unknown buyers are no finding against the shop
    product = haircut_product(rules.floor if volatility is None else volatility, refunds,
                              Fraction(1) if concentration is None else concentration, rules.floor)  # fmt: skip
    amount = int(max(basis.grade.k * max(month, 0) * product, Fraction(0)))
    return Formula(basis, month, volatility, refunds, concentration, product, amount)


def repayment_capacity(month_minor: int, grade: Grade, policy: Policy, debt_service_minor: int = 0) -> int:
    """(margin × sweep share × M − monthly debt service elsewhere) × months / (1 + rate × days), minor units down.

    *Source:* SEMANTICS 8.

    >>> from .policy import shipped_policy
    >>> policy = shipped_policy()
    >>> repayment_capacity(0, policy.grades[0], policy)
    0
    """
    rules = policy.repayment
    monthly = rules.margin * rules.sweep_share * month_minor - debt_service_minor
    return int(max(monthly, Fraction(0)) * rules.months / (1 + grade.rate.per_day * rules.days))


# --- the whole limit --------------------------------------------------------------------------------------------------


def credit_limit(
    bases: Sequence[Basis], policy: Policy, applicant: Applicant, currency: str, as_of: date
) -> Limit:
    """The limit of a merchant whose features at each of *bases* are given; the lowest result stands.

    Below the product's minimum the limit is zero and the caller declines. Every factor is in ``steps``, in order, from
    raw sales to the final figure.

    *Source:* SEMANTICS 8.

    >>> from .policy import shipped_policy
    >>> policy = shipped_policy()
    >>> basis = Basis(date(2025, 5, 1), {"typical_month": 1008000, "volatility": Decimal("0.25")}, policy.grades[1])
    >>> found = credit_limit([basis], policy, Applicant(), "CNY", date(2025, 5, 1))
    >>> found.unrounded_minor, found.limit_minor
    (1209600, 1200000)
    """
    formulas = [formula(basis, policy, applicant) for basis in bases]
    used = min(formulas, key=lambda each: each.amount_minor)
    minimum = _minimum(policy, applicant, currency)
    bounds = [_capacity_step(used, policy, applicant, currency), *_cap_steps(policy, applicant, currency)]
    lowest = max(min([used.amount_minor, *(b.amount_minor for b in bounds if b.amount_minor is not None)]), 0)
    rounded = rounded_down(lowest, currency)
    granted = rounded if rounded >= minimum else 0
    seasonal, seasonal_steps = _seasonal(bases, used, bounds[1:], granted, policy, currency, as_of)
    steps = [
        *_sales_steps(bases[0].row, policy), *_formula_steps(used, formulas, bases, policy), *bounds,
        step("lowest", amount=lowest),
        step("rounded", amount=rounded, step=amount_text(rounding_step(lowest, currency), currency)),
        step("minimum", amount=minimum), step("limit", amount=granted), *seasonal_steps,
    ]  # fmt: skip
    reasons = _limit_reasons(used, formulas, bounds, lowest, policy)
    return Limit(granted, lowest, minimum, tuple(steps), tuple(reasons), seasonal)


def _minimum(policy: Policy, applicant: Applicant, currency: str) -> int:
    if applicant.minimum_limit_minor is not None:
        return applicant.minimum_limit_minor
    return policy.minimum_limit_minor(currency)


def _sales_steps(row: Row, policy: Policy) -> list[Step]:
    parts = (("cancelled", "cancelled_365d"), ("unsettled", "unsettled_365d"), ("not_genuine", "flagged_365d"),
             ("refunded", "refunded_365d"))  # fmt: skip
    lines = [
        step(name, amount=-_whole(row.get(feature)), days=policy.lags.unsettled)
        if name == "unsettled"
        else step(name, amount=-_whole(row.get(feature)))
        for name, feature in parts
    ]
    received = step("sales_received", amount=_whole(row.get("received_365d")))
    return [received, *lines, step("net_sales", amount=_whole(row.get("sales_365d")))]


def _formula_steps(
    used: Formula, formulas: Sequence[Formula], bases: Sequence[Basis], policy: Policy
) -> list[Step]:
    row, rules = used.basis.row, policy.haircuts
    others = [f for f in formulas if f is not used]
    return [
        step("basis", amount=used.amount_minor, as_of=bases[0].cut_off, mature=bases[-1].cut_off),
        step("blocks", factor=Fraction(_whole(row.get("blocks")))),
        step("typical_month", amount=used.typical_month_minor),
        step("k", factor=used.basis.grade.k, grade=used.basis.grade.name),
        step("volatility", factor=used.volatility, variation=row.get("volatility")),
        step("refunds", factor=used.refunds, slope=rules.refunds.slope, rate=row.get("refund_rate"),
             free=rules.refunds.free),
        step("concentration", factor=used.concentration, allowed=rules.top_buyer_share,
             share=row.get("top_buyer_share")),
        step("haircuts", factor=used.haircuts, floor=rules.floor),
        step("formula", amount=used.amount_minor),
        *(step("formula_other", amount=other.amount_minor, cut_off=other.basis.cut_off) for other in others),
    ]  # fmt: skip


def _capacity_step(used: Formula, policy: Policy, applicant: Applicant, currency: str) -> Step:
    grade, rules, elsewhere = used.basis.grade, policy.repayment, applicant.debt_service_minor
    capacity = repayment_capacity(used.typical_month_minor, grade, policy, elsewhere or 0)
    return step(
        "repayment_capacity", amount=capacity, margin=rules.margin, sweep_share=rules.sweep_share,
        elsewhere="not set" if elsewhere is None else amount_text(elsewhere, currency), months=rules.months,
        rate=grade.rate.daily, days=rules.days,
    )  # fmt: skip


def _cap_steps(policy: Policy, applicant: Applicant, currency: str) -> list[Step]:
    product_cap = policy.product_cap_minor(currency)
    if applicant.product_cap_minor is not None:
        product_cap = applicant.product_cap_minor
    own = applicant.own_exposure_minor
    steps = [step("product_cap", amount=product_cap - own, cap=amount_text(product_cap, currency),
                  exposure=amount_text(own, currency))]  # fmt: skip
    related = applicant.related_exposure_minor
    shares = (("net_assets_cap", policy.caps.net_assets_share, own),
              ("related_cap", policy.caps.related_net_assets_share, own if related is None else related))  # fmt: skip
    for name, share, used in shares:
        if share is not None:
            steps.append(_net_assets_step(name, share, used, applicant.net_assets_minor, currency))
    return steps + [_other_cap_step(cap, currency) for cap in applicant.caps]


def _net_assets_step(name: str, share: Fraction, used: int, net_assets: int | None, currency: str) -> Step:
    room = None if net_assets is None else int(share * net_assets) - used
    shown = "not set" if net_assets is None else amount_text(net_assets, currency)
    return step(name, amount=room, share=share, net_assets=shown, exposure=amount_text(used, currency))


def _other_cap_step(cap: Cap, currency: str) -> Step:
    room = None if cap.amount_minor is None else cap.amount_minor - cap.used_minor
    shown = "not set" if cap.amount_minor is None else amount_text(cap.amount_minor, currency)
    return step(
        "other_cap", amount=room, name=cap.name, cap=shown, exposure=amount_text(cap.used_minor, currency)
    )


def _limit_reasons(
    used: Formula, formulas: Sequence[Formula], bounds: Sequence[Step], lowest: int, policy: Policy
) -> list[Reason]:
    reasons = []
    if 20 * used.amount_minor < 19 * formulas[0].amount_minor:
        reasons.append(reason("recent_sales_unproven", days=policy.lags.settlement))
    binding = [
        b.name for b in bounds if b.amount_minor is not None and b.amount_minor <= lowest < used.amount_minor
    ]
    reasons += [
        reason("regulatory_cap" if name.endswith("_cap") and name != "product_cap" else name)
        for name in binding
    ]
    if used.volatility is not None and used.volatility < Fraction(1, 2):
        reasons.append(reason("volatile_sales"))
    if used.refunds < 1:
        reasons.append(reason("refunds", rate=_percent(used.basis.row.get("refund_rate"))))
    if used.concentration is not None and used.concentration < 1:
        reasons.append(reason("buyer_concentration", share=_percent(used.basis.row.get("top_buyer_share"))))
    return reasons


# --- the seasonal limit -----------------------------------------------------------------------------------------------


def _seasonal(
    bases: Sequence[Basis],
    used: Formula,
    caps: Sequence[Step],
    granted: int,
    policy: Policy,
    currency: str,
    as_of: date,
) -> tuple[SeasonalLimit | None, list[Step]]:
    coming = (
        coming_peak(as_of, policy.peaks, policy.seasonal.days_before) if policy.seasonal.enabled else None
    )
    sales, growth = bases[0].row.get("last_peak_sales"), _lowest_growth(bases)
    if coming is None or sales is None or growth is None or not granted:
        return None, []
    peak, year = coming
    k = min(basis.grade.k for basis in bases)
    factor = min(Fraction(1), growth)
    wanted = int(k * max(_whole(sales), 0) * factor)
    room = min(
        [max(cap.amount_minor - granted, 0) for cap in caps if cap.amount_minor is not None], default=wanted
    )
    limit = rounded_down(min(wanted, room), currency)
    ends_on = peak.on(year, "last")
    steps = [
        step("seasonal_sales", amount=_whole(sales), first=peak.on(year - 1, "first"), last=peak.on(year - 1, "last")),
        step("seasonal_growth", factor=factor, growth=_four_places(growth)),
        step("seasonal_formula", amount=wanted), step("seasonal_caps", amount=room),
        step("seasonal_limit", amount=limit, peak=peak.name, ends_on=ends_on),
    ]  # fmt: skip
    if not limit:
        return None, steps
    starts_on = peak.on(year) - timedelta(days=policy.seasonal.days_before)
    return SeasonalLimit(peak.name, limit, starts_on, ends_on, policy.seasonal.draw_days), steps


def _lowest_growth(bases: Sequence[Basis]) -> Fraction | None:
    known = [basis.row.get("growth_year") for basis in bases]
    if any(growth is None for growth in known):
        return None
    return min(Fraction(growth) for growth in known if growth is not None)


# --- words ------------------------------------------------------------------------------------------------------------


def _whole(value: Value) -> int:
    return int(value) if value is not None else 0


def _four_places(value: Fraction) -> str:
    cut = abs(value) * 10_000 // 1
    return format(Decimal(int(cut) if value >= 0 else -int(cut)).scaleb(-4), "f")


def _shown(value: object) -> str:
    if isinstance(value, Fraction):
        return str(value) if value.denominator == 1 else _decimal_or_fraction(value)
    return "not known" if value is None else str(value)


def _decimal_or_fraction(value: Fraction) -> str:
    for places in range(1, 7):
        if 10**places % value.denominator == 0:
            return format(Decimal(int(value * 10**places)).scaleb(-places), "f")
    return str(value)


def _percent(value: Value) -> str:
    return "?" if value is None else f"{Decimal(value) * 100:.1f}%"
