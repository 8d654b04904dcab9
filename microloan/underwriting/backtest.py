"""A policy over history: month by month, what it would have granted with the knowledge of the day, and what came then.

Each decision sees the flow as known on its day; its outcome (:mod:`microloan.underwriting.outcome`) is what the 90 days
after it brought. The same months are decided by a challenger, if there is one, and by the common rule "1.5 × mean
monthly sales of 180 days", scaled to the same total. Results are plain values; rendering them is another's work.

Source: SEMANTICS 8, back-test (house rule).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any, Final, NamedTuple

import numpy as np

from ..clock import DEFAULT_ZONE
from ..errors import BadInput
from ..money import amount_text
from .decision import Decision, decide_many, settings_of
from .features import Value, column_of_values
from .flow import NO_DAY, REFUNDED, STATUSES, Bools, Ints, SalesLines, sales_lines
from .limit import Applicant
from .outcome import (
    LEAST_MONTHS,
    Outcome,
    auc,
    bin_of,
    decision_days,
    kolmogorov_smirnov,
    outcome,
    stability_index,
)
from .policy import Characteristic, Policy
from .scorecard import edges_of

#: The rule of thumb a policy is held against: so many mean months of the last 180 days' net sales.
RULE_MONTHS: Final = Fraction(3, 2)
_CHANGED: Final = (REFUNDED, STATUSES.index("cancelled"))
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Month:
    """What a policy did on one decision day, and what the 90 days to ``ends_on`` brought. Amounts in minor units.

    ``known``: the flow reaches ``ends_on``; otherwise everything about the outcome is None. ``judged`` merchants have
    an outcome that says something; of their limits ``collapsed_limit_minor`` went to those whose sales then collapsed,
    ``rule_collapsed_minor`` would have under the common rule at the same total. ``following_minor`` is what approved
    merchants then sold, ``covered_minor`` the part of their limits that lay within those sales; ``known_limit_minor`` are
    the limits whose outcome is known.
    """

    as_of: date
    ends_on: date
    known: bool
    merchants: int
    approved: int
    manual_review: int
    declined: int
    limit_minor: int
    expected_minor: int
    known_limit_minor: int | None
    following_minor: int | None
    covered_minor: int | None
    judged: int | None
    collapsed: int | None
    judged_limit_minor: int | None
    collapsed_limit_minor: int | None
    rule_collapsed_minor: int | None
    auc: Decimal | None
    ks: Decimal | None

    @property
    def approval_rate(self) -> Decimal | None:
        """Approved without a person, of all merchants with sales on file."""
        return part(self.approved, self.merchants)

    @property
    def coverage(self) -> Decimal | None:
        """Following 90-day sales of approved merchants, per unit of limit."""
        return part(self.following_minor, self.known_limit_minor)

    @property
    def covered_share(self) -> Decimal | None:
        """Share of the limits that lay within the following 90-day sales."""
        return part(self.covered_minor, self.known_limit_minor)

    @property
    def collapsed_share(self) -> Decimal | None:
        """Share of the limit that went to merchants whose sales then collapsed."""
        return part(self.collapsed_limit_minor, self.judged_limit_minor)

    @property
    def rule_share(self) -> Decimal | None:
        """The same share under the common rule, at the same total."""
        return part(self.rule_collapsed_minor, self.judged_limit_minor)


@dataclass(frozen=True, slots=True)
class GradeResult:
    """Calibration of a grade (None: below the lowest): judged cases, the mean probability told, and what happened."""

    grade: str | None
    cases: int
    collapsed: int
    predicted: Decimal | None
    observed: Decimal | None
    limit_minor: int


@dataclass(frozen=True, slots=True)
class Shift:
    """Population stability of a scored feature (or ``score``): each later month against the first."""

    feature: str
    monthly: tuple[Decimal, ...]

    @property
    def largest(self) -> Decimal:
        """The largest monthly index; above 0.25 the population is another one.

        >>> Shift("tenure", (Decimal("0.02"), Decimal("0.31"), Decimal("0.11"))).largest
        Decimal('0.31')
        """
        return max(self.monthly, default=Decimal(0))


class Preset(NamedTuple):
    """A stress: what becomes of the following sales, and how many times the probability of the event rises."""

    name: str
    sales: Fraction
    default: int


#: The stress that is always put on an outcome.
PRESETS: Final = (
    Preset("as it came", Fraction(1), 1),
    Preset("sales −50%", Fraction(1, 2), 1),
    Preset("default × 3", Fraction(1), 3),
    Preset("sales −50%, default × 3", Fraction(1, 2), 3),
)


def stress_preset(text: str) -> Preset:
    """A stress as people write it: ``sales=-30%``, ``default=2``, or both with a comma. Raises BadInput.

    >>> stress_preset("sales=-30%,default=2")
    Preset(name='sales −30%, default × 2', sales=Fraction(7, 10), default=2)
    """
    found = _STRESS.fullmatch(text.replace(" ", "").replace("−", "-"))
    if found is None or not (found["fall"] or found["times"]):
        raise BadInput(field="stress", value=text[:60], reason=_STRESS_HELP)
    fall, times = int(found["fall"] or 0), int(found["times"] or 1)
    if fall > 100 or not times:
        raise BadInput(field="stress", value=text[:60], reason=_STRESS_HELP)
    words = [f"sales −{fall}%"] * bool(fall) + [f"default × {times}"] * (times > 1)
    return Preset(", ".join(words) or "as it came", Fraction(100 - fall, 100), times)


_STRESS: Final = re.compile(r"(?:sales=-(?P<fall>[0-9]{1,3})%)?,?(?:default=(?P<times>[0-9]{1,2}))?", re.A)
_STRESS_HELP: Final = "write it as sales=-30%, default=2 or sales=-30%,default=2"


@dataclass(frozen=True, slots=True)
class Stress:
    """The granted limits under a preset: sales after the decision times ``sales``, probabilities times ``default``.

    ``covered`` is the share of limits within the following sales, ``collapsed`` the share of limits of merchants whose
    sales then collapse, ``expected`` the mean probability of the event, weighed by limits.
    """

    name: str
    sales: Fraction
    default: int
    covered: Decimal | None
    collapsed: Decimal | None
    expected: Decimal | None


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """One policy over all months. ``total`` sums them; its ``auc`` and ``ks`` are over all judged cases together."""

    name: str
    version: int
    sha256: str
    months: tuple[Month, ...]
    total: Month
    grades: tuple[GradeResult, ...]
    shifts: tuple[Shift, ...]
    stress: tuple[Stress, ...]


@dataclass(frozen=True, slots=True)
class BackTest:
    """Champion, challenger if any, and what they were measured on. ``currency`` is that of all amounts.

    ``changes``: refunds and cancellations in the flow; ``undated`` of them carry no date, and count only after the
    policy's lag. ``least_months``: calendar months with sales a merchant needs to be judged.
    """

    first: date
    last: date
    currency: str
    covered_until: date
    least_months: int
    changes: int
    undated: int
    champion: PolicyResult
    challenger: PolicyResult | None

    @property
    def undated_share(self) -> Decimal | None:
        """Share of refunds and cancellations without a date."""
        return part(self.undated, self.changes)

    @property
    def results(self) -> tuple[PolicyResult, ...]:
        """Champion first."""
        return (self.champion,) if self.challenger is None else (self.champion, self.challenger)

    def rows(self) -> list[dict[str, str]]:
        """One row of plain text per policy and month, the totals last: for a terminal or a CSV file."""
        return [
            _row(self, result, month) for result in self.results for month in (*result.months, result.total)
        ]

    def to_json(self) -> str:
        """Everything as JSON: amounts as text with the currency's digits, shares as decimals, dates ISO."""
        return json.dumps(_values(self), ensure_ascii=False, separators=(",", ":"))


def part(share: int | None, whole: int | None) -> Decimal | None:
    """share / whole to four decimals, half-up; None where either is not known or whole is nil.

    >>> part(1, 3)
    Decimal('0.3333')
    """
    if share is None or not whole:
        return None
    return _four_places(Fraction(share, whole))


def _four_places(value: Fraction) -> Decimal:
    return Decimal((2 * value.numerator * 10**4 + value.denominator) // (2 * value.denominator)).scaleb(-4)


def _statistic(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(value).quantize(Decimal("0.0001"), rounding=ROUND_HALF_UP)


# --- running it -------------------------------------------------------------------------------------------------------


def backtest(
    lines: object,
    policy: Policy,
    first: date,
    last: date,
    *,
    against: Policy | None = None,
    currency: str = "CNY",
    zone: str = DEFAULT_ZONE,
    merchant_of: Mapping[str, str] | None = None,
    applicants: Mapping[str, Applicant] | None = None,
    covered_until: date | None = None,
    least_months: int = LEAST_MONTHS,
    presets: Sequence[Preset] | None = None,
    progress: Progress | None = None,
) -> BackTest:
    """Decide every merchant of *lines* monthly from *first* to *last* by *policy* (and *against*), and look what came.

    *lines*: all that :func:`.features.features` reads. *covered_until*: the last day the flow is complete for, by default the
    last day with a line; months whose 90 days go beyond it have decisions but no outcome. *progress* is called with the
    months done and all. *applicants*: what is known of a merchant besides its sales, on every day alike (the limits of a
    product, say); *presets*: the stress to put on the outcome, by default :data:`PRESETS`. Outcomes are measured with
    *policy*'s lags and detectors for both.

    *Source:* SEMANTICS 8. Raises BadInput for an empty or a very long span.

    >>> from .policy import shipped_policy
    >>> shop = [{"shop_id": "s", "order_id": str(n), "paid_at": date.fromordinal(739000 + n), "amount": "90"}
    ...         for n in range(500)]
    >>> found = backtest(shop, shipped_policy(), date(2025, 1, 1), date(2025, 3, 1))
    >>> [(str(month.as_of), month.approved, str(month.collapsed_share)) for month in found.champion.months]
    [('2025-01-01', 1, '0.0000'), ('2025-02-01', 1, '0.0000'), ('2025-03-01', 1, '0.0000')]
    """
    flow = sales_lines(lines, currency=currency, zone=zone).grouped(merchant_of or {})
    days = decision_days(first, last)
    end = covered_until or _last_day(flow)
    policies = [policy] if against is None else [policy, against]
    cases: list[list[_Decided]] = [[] for _ in policies]
    known = {name: replace(each, covered_until=None) for name, each in (applicants or {}).items()}
    for number, day in enumerate(days):
        found = outcome(flow, day, settings=settings_of(policy), least_months=least_months)
        for made, each in zip(cases, policies, strict=True):
            made.append(_decided(flow, each, currency, known, found, known=found.ends_on <= end))
        if progress:
            progress(number + 1, len(days))
    chosen = PRESETS if presets is None else tuple(presets)
    results = [_result(made, each, currency, chosen) for made, each in zip(cases, policies, strict=True)]
    changes, undated = _undated(flow, days[-1])
    return BackTest(
        first=days[0], last=days[-1], currency=currency, covered_until=end, least_months=least_months, changes=changes,
        undated=undated, champion=results[0], challenger=results[1] if against else None,
    )  # fmt: skip


def _last_day(flow: SalesLines) -> date:
    if not len(flow):
        raise BadInput(field="lines", value=0, reason="there is no sales line to test on")
    return date.fromordinal(int(flow.paid_day.max()))


def _undated(flow: SalesLines, last: date) -> tuple[int, int]:
    changed = (np.isin(flow.status, _CHANGED) | (flow.refund_minor > 0)) & (flow.paid_day <= last.toordinal())
    undated = changed & (flow.status_day == NO_DAY) & (flow.refunded_day == NO_DAY)
    return int(changed.sum()), int(undated.sum())


class _Kept(NamedTuple):
    """What is kept of a decision; ``scored`` are the values of the policy's characteristics, None without a score."""

    outcome: str
    limit_minor: int
    score: int | None
    probability: Decimal | None
    grade: str | None
    seen: bool
    scored: tuple[Value, ...] | None

    @property
    def granted_minor(self) -> int:
        """What a person has not to look at first."""
        return self.limit_minor if self.outcome == "approved" else 0


@dataclass(frozen=True, slots=True, eq=False)
class _Decided:
    """The decisions of one day in the order of the outcome's shops."""

    decisions: list[_Kept]
    outcome: Outcome
    known: bool

    @property
    def limit_minor(self) -> Ints:
        return np.array([d.granted_minor for d in self.decisions], dtype=np.int64)

    @property
    def scored(self) -> Bools:
        return np.array([d.score is not None for d in self.decisions], dtype=np.bool_)

    @property
    def score(self) -> Ints:
        return np.array([d.score or 0 for d in self.decisions], dtype=np.int64)


def _decided(
    flow: SalesLines,
    policy: Policy,
    currency: str,
    applicants: Mapping[str, Applicant],
    found: Outcome,
    *,
    known: bool,
) -> _Decided:
    seen = flow.take(flow.paid_day <= found.as_of.toordinal())
    made = decide_many(seen, policy, as_of=found.as_of, currency=currency, applicants=applicants)
    features = [each.feature for each in policy.scorecard.characteristics]
    return _Decided([_kept(decision, features) for decision in made], found, known)


def _kept(decision: Decision, features: Sequence[str]) -> _Kept:
    row = decision.snapshot.row
    scored = None if decision.score is None else tuple(row.get(name) for name in features)
    return _Kept(decision.outcome, decision.limit_minor, decision.score, decision.probability, decision.grade,
                 row.get("tenure") is not None, scored)  # fmt: skip


def _result(
    cases: Sequence[_Decided], policy: Policy, currency: str, presets: Sequence[Preset]
) -> PolicyResult:
    months = tuple(_month(each) for each in cases)
    return PolicyResult(
        name=policy.name, version=policy.version, sha256=policy.sha256, months=months, total=_total(months, cases),
        grades=tuple(_grades(cases, policy)), shifts=tuple(_shifts(cases, policy, currency)),
        stress=tuple(_stress(cases, preset) for preset in presets),
    )  # fmt: skip


# --- a month ----------------------------------------------------------------------------------------------------------


def _month(case: _Decided) -> Month:
    limit, found = case.limit_minor, case.outcome
    outcomes = [d.outcome for d in case.decisions if d.seen]
    known: dict[str, Any] = dict.fromkeys(_OUTCOME_FIELDS)
    if case.known:
        known = _what_came(case, limit)
    return Month(
        as_of=found.as_of, ends_on=found.ends_on, known=case.known, merchants=len(outcomes),
        approved=outcomes.count("approved"), manual_review=outcomes.count("manual_review"),
        declined=outcomes.count("declined"), limit_minor=int(limit.sum()), expected_minor=_expected(case, 1), **known,
    )  # fmt: skip


_OUTCOME_FIELDS: Final = (
    "known_limit_minor", "following_minor", "covered_minor", "judged", "collapsed", "judged_limit_minor", "collapsed_limit_minor",
    "rule_collapsed_minor", "auc", "ks",
)  # fmt: skip


def _what_came(case: _Decided, limit: Ints) -> dict[str, Any]:
    found = case.outcome
    after = np.maximum(found.after_minor, 0)
    judged, collapsed = found.judged, found.collapsed
    rule = np.maximum(found.before_minor, 0)  # the rule's multiple falls out: it is scaled to the same total
    granted, by_rule = int(limit[judged].sum()), int(rule[judged].sum())
    ranked = judged & case.scored
    return {
        "known_limit_minor": int(limit.sum()), "following_minor": int(after[limit > 0].sum()),
        "covered_minor": int(np.minimum(after, limit).sum()), "judged": int(judged.sum()),
        "collapsed": int(collapsed.sum()), "judged_limit_minor": granted,
        "collapsed_limit_minor": int(limit[collapsed].sum()),
        "rule_collapsed_minor": granted * int(rule[collapsed].sum()) // by_rule if by_rule else 0,
        "auc": _statistic(auc(-case.score[ranked], collapsed[ranked])),
        "ks": _statistic(kolmogorov_smirnov(-case.score[ranked], collapsed[ranked])),
    }  # fmt: skip


def _expected(case: _Decided, times: int) -> int:
    """Σ limit × probability (times so much, at most one) of approved merchants, minor units rounded down."""
    total = sum(
        (d.granted_minor * min(Fraction(d.probability) * times, Fraction(1))
         for d in case.decisions if d.probability is not None),
        Fraction(0),
    )  # fmt: skip
    return int(total)


def _total(months: Sequence[Month], cases: Sequence[_Decided]) -> Month:
    known = [month for month in months if month.known]

    def over(name: str, among: Sequence[Month]) -> Any:
        return sum(getattr(month, name) for month in among) if among else None

    ranked = [(c, c.outcome.judged & c.scored) for c in cases if c.known]
    score = np.concatenate([c.score[rows] for c, rows in ranked]) if ranked else np.zeros(0, dtype=np.int64)
    bad = (
        np.concatenate([c.outcome.collapsed[rows] for c, rows in ranked])
        if ranked
        else np.zeros(0, dtype=np.bool_)
    )
    decided = {
        name: over(name, months) or 0
        for name in ("merchants", "approved", "manual_review", "declined", "limit_minor", "expected_minor")
    }
    came = {name: over(name, known) for name in _OUTCOME_FIELDS if name not in ("auc", "ks")}
    return Month(
        as_of=months[0].as_of, ends_on=months[-1].ends_on, known=bool(known), **decided, **came,
        auc=_statistic(auc(-score, bad)), ks=_statistic(kolmogorov_smirnov(-score, bad)),
    )  # fmt: skip


# --- calibration, stability, stress -----------------------------------------------------------------------------------


def _grades(cases: Sequence[_Decided], policy: Policy) -> Iterator[GradeResult]:
    judged = [
        (d, bool(c.outcome.collapsed[n]))
        for c in cases
        if c.known
        for n, d in enumerate(c.decisions)
        if c.outcome.judged[n] and d.score is not None
    ]
    for grade in (*(g.name for g in policy.grades), None):
        among = [(d, bad) for d, bad in judged if d.grade == grade]
        bads = sum(bad for _, bad in among)
        told = [Fraction(d.probability) for d, _ in among if d.probability is not None]
        yield GradeResult(
            grade, len(among), bads, _four_places(sum(told, Fraction(0)) / len(told)) if told else None,
            part(bads, len(among)), sum(d.granted_minor for d, _ in among),
        )  # fmt: skip


def _shifts(cases: Sequence[_Decided], policy: Policy, currency: str) -> Iterator[Shift]:
    for place, each in enumerate(policy.scorecard.characteristics):
        yield Shift(each.feature, _indices([_distribution(case, place, each, currency) for case in cases]))
    edges = np.array(sorted(grade.score for grade in policy.grades), dtype=np.int64)
    yield Shift("score", _indices([_counts(case.score[case.scored], edges) for case in cases]))


def _indices(monthly: Sequence[Ints]) -> tuple[Decimal, ...]:
    found = [_statistic(stability_index(monthly[0], later)) for later in monthly[1:]]
    return tuple(each for each in found if each is not None)


def _counts(values: Ints, edges: Ints) -> Ints:
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


def _distribution(case: _Decided, place: int, each: Characteristic, currency: str) -> Ints:
    values = [d.scored[place] for d in case.decisions if d.scored is not None]
    column = column_of_values(values, each.feature)
    edges = edges_of(each, currency)
    return np.bincount(bin_of(column, edges), minlength=len(edges) + 2)


def _stress(cases: Sequence[_Decided], preset: Preset) -> Stress:
    known = [case for case in cases if case.known]
    limit = judged_limit = covered = collapsed = 0
    for case in known:
        granted, found = case.limit_minor, case.outcome
        after = np.maximum(found.after_minor, 0) * preset.sales.numerator // preset.sales.denominator
        limit += int(granted.sum())
        covered += int(np.minimum(after, granted).sum())
        judged_limit += int(granted[found.judged].sum())
        collapsed += int(granted[found.judged & (4 * after < found.before_minor)].sum())
    expected = sum(_expected(case, preset.default) for case in cases)
    total = sum(int(case.limit_minor.sum()) for case in cases)
    return Stress(
        preset.name, preset.sales, preset.default, part(covered, limit), part(collapsed, judged_limit),
        part(expected, total),
    )  # fmt: skip


# --- plain values -----------------------------------------------------------------------------------------------------


def _row(test: BackTest, result: PolicyResult, month: Month) -> dict[str, str]:
    total = month is result.total
    shown = {
        "policy": f"{result.name} v{result.version}", "month": "total" if total else str(month.as_of),
        "merchants": month.merchants, "approved": month.approved, "manual_review": month.manual_review,
        "declined": month.declined, "approval_rate": month.approval_rate, "limit": amount_text(month.limit_minor, test.currency),
        "coverage": month.coverage, "covered": month.covered_share, "judged": month.judged,
        "collapsed": month.collapsed, "collapsed_share": month.collapsed_share, "rule_share": month.rule_share,
        "expected": part(month.expected_minor, month.limit_minor), "auc": month.auc, "ks": month.ks,
    }  # fmt: skip
    return {name: "" if value is None else str(value) for name, value in shown.items()}


def _values(test: BackTest) -> dict[str, Any]:
    return {
        "from": str(test.first), "to": str(test.last), "currency": test.currency, "covered_until": str(test.covered_until),
        "least_months": test.least_months, "changes": test.changes, "undated": test.undated,
        "undated_share": _plain(test.undated_share), "champion": _result_values(test, test.champion),
        "challenger": None if test.challenger is None else _result_values(test, test.challenger),
    }  # fmt: skip


def _result_values(test: BackTest, result: PolicyResult) -> dict[str, Any]:
    return {
        "policy": result.name, "version": result.version, "sha256": result.sha256,
        "months": [_month_values(month, test.currency) for month in result.months],
        "total": _month_values(result.total, test.currency),
        "grades": [_amounts(asdict(each), test.currency) for each in result.grades],
        "stability": [{"feature": s.feature, "largest": str(s.largest), "monthly": [str(m) for m in s.monthly]}
                      for s in result.shifts],
        "stress": [_amounts(asdict(each), test.currency) for each in result.stress],
    }  # fmt: skip


def _month_values(month: Month, currency: str) -> dict[str, Any]:
    rates = {
        name: _plain(getattr(month, name))
        for name in ("approval_rate", "coverage", "covered_share", "collapsed_share", "rule_share")
    }
    return _amounts(asdict(month), currency) | rates


def _amounts(values: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """Minor units to text under the name without its unit; everything else plain."""
    return {
        name.removesuffix("_minor"): amount_text(value, currency)
        if name.endswith("_minor") and value is not None
        else _plain(value)
        for name, value in values.items()
    }


def _plain(value: object) -> object:
    return str(value) if isinstance(value, (date, Decimal, Fraction)) else value
