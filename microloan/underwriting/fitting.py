"""Fitting a scorecard: from what became of shops, bins and points that a person can read. Needs the extra ``fit``.

Each candidate feature is cut into bins whose share of bad cases only rises or only falls (a decision tree with a monotone
constraint); each bin gets its weight of evidence, the logarithm of its odds against the odds of all; a logistic regression
weighs the features against each other; its weights, scaled so that so many points double the odds, become whole points.
The probability is calibrated on cases the weights were not fitted on. The same cases and seed give the same policy.

Source: the trade's usual scorecard by weight of evidence. Cases of one shop on days close together are nearly one case:
they weigh together as much as one, and a shop is never on both sides of a cross-validation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput, InvalidSetting
from .decision import settings_of
from .features import DEFINITIONS, Column, Value, column_of_values, feature_table, flagged_flow
from .flow import Bools, Ints, SalesLines, factorize
from .outcome import HORIZON_DAYS, LEAST_MONTHS, auc, bin_of, decision_days, outcome
from .policy import Bin, Characteristic, Grade, Odds, Policy, Scorecard
from .policy_text import policy_text
from .scorecard import edges_of, places_of

Floats = NDArray[np.float64]

#: Features a fit chooses from: a shop compared with itself over half a year, how many orders that rests on, and orders
#: that came to nothing. None grows with the history on file, none is an amount: so they mean the same later and elsewhere.
CANDIDATES: Final = (
    "momentum_orders", "momentum_sales", "silence", "orders_90d", "growth_30_90", "growth_90_180", "order_growth",
    "refund_rate", "cancel_rate",
)  # fmt: skip
#: Characteristics of the template kept with its points where the cases cannot judge them: guards against abuse.
GUARDS: Final = ("refund_rate", "top_buyer_share", "flagged_share")
#: The reason told when a feature costs points; a template's own reason goes before.
REASON_OF: Final = {
    "momentum_orders": "falling_sales", "momentum_sales": "falling_sales", "growth_30_90": "falling_sales",
    "growth_90_180": "falling_sales", "growth_year": "falling_sales", "order_growth": "falling_sales",
    "trend": "falling_sales", "silence": "not_selling_lately", "days_since_last_sale": "not_selling_lately",
    "days_without_sales": "not_selling_lately", "orders_90d": "few_orders", "orders_180d": "few_orders",
    "active_days": "irregular_sales", "active_weeks": "irregular_sales", "volatility": "irregular_sales",
    "weekly_variation": "irregular_sales", "worst_fall": "past_fall", "tenure": "short_tenure", "blocks": "short_tenure",
    "refund_rate": "high_refund_rate", "refund_rate_trend": "high_refund_rate", "cancel_rate": "high_cancel_rate",
    "top_buyer_share": "few_buyers", "buyer_hhi": "few_buyers", "buyers": "few_buyers", "repeat_buyers": "few_buyers",
    "new_buyers": "few_buyers", "flagged_share": "flagged_orders", "settlement_cycle": "slow_settlement",
    "unsettled_receivable": "slow_settlement",
}  # fmt: skip

_EVENT: Final = "net sales of the following 90 days fall below half of the mean 90 days' of the preceding 180"
_MOST_BINS: Final = 6
_LEAST_SHARE: Final = 0.05  # of the cases in a bin
_PRIOR_CASES: Final = 10  # average cases added to every bin, so that a small one says little
_FOLDS: Final = 5
_STRENGTHS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_BASE: Final = 500
_DOUBLE: Final = 40
_LEAST_CASES: Final = 50
_LEAST_BAD: Final = 10
_LEAST_DOUBLE: Final = 10  # fewer points: what told the cases apart tells nothing of shops left out


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """Cases with a known outcome: one entry per shop and day, the features as known on the day.

    ``group`` numbers the shops; ``weight`` is a case's weight, below one where outcomes overlap. ``event`` says in words
    what a bad case is.
    """

    columns: Mapping[str, Column]
    bad: Bools
    group: Ints
    weight: Floats
    days: tuple[date, ...]
    event: str

    def __len__(self) -> int:
        return len(self.bad)


@dataclass(frozen=True, slots=True)
class WoeBin:
    """A bin of a fitted feature: upper edge (None: the last, or ``missing``), cases, bad ones, evidence and points."""

    below: Decimal | None
    missing: bool
    cases: int
    bad: int
    woe: float
    points: int


@dataclass(frozen=True, slots=True)
class WoeTable:
    """The weight-of-evidence table of a feature; ``weight`` is what the regression gave it."""

    feature: str
    weight: float
    information: float
    bins: tuple[WoeBin, ...]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted policy, its text as a file, and how it was fitted.

    ``auc_validated`` is measured on shops left out of the fit, ``auc_fitted`` on all cases; ``dropped`` says why a
    candidate is not in.
    """

    policy: Policy
    text: str
    tables: tuple[WoeTable, ...]
    cases: int
    bad: int
    shops: int
    days: tuple[date, ...]
    strength: float
    auc_validated: float
    auc_fitted: float
    dropped: tuple[tuple[str, str], ...]


# --- cases ------------------------------------------------------------------------------------------------------------


def cases_of_lines(
    lines: SalesLines,
    policy: Policy,
    *,
    first: date,
    last: date,
    every_days: int = 7,
    least_months: int = 3,
) -> Cases:
    """Cases from the sales flow itself: every shop on every *every_days*-th day from *first* to *last*, 90 days later.

    A case used for fitting was known only 90 days after *last*: test later than that. Raises BadInput for an empty span.

    >>> from .flow import sales_lines
    >>> from .policy import shipped_policy
    >>> days = [date(2025, 1, 1) + timedelta(days=n) for n in range(300)]
    >>> shop = [{"shop_id": "s", "order_id": str(n), "paid_at": day, "amount": "9"} for n, day in enumerate(days)]
    >>> cases = cases_of_lines(sales_lines(shop), shipped_policy(), first=date(2025, 6, 30), last=date(2025, 7, 14))
    >>> len(cases), int(cases.bad.sum())
    (3, 0)
    """
    days = [first + timedelta(days=n) for n in range(0, (last - first).days + 1, every_days)]
    if not days:
        raise BadInput(field="first", value=str(first), reason="lies after the last day")
    parts = [_cases_on(lines, policy, day, least_months) for day in days]
    bad = np.concatenate([part[1] for part in parts])
    shops = np.concatenate([part[2] for part in parts])
    columns = {name: _joined([part[0][name] for part in parts]) for name in parts[0][0]}
    weight = np.full(len(bad), min(1.0, every_days / HORIZON_DAYS))
    return Cases(columns, bad, shops, weight, tuple(days), _EVENT)


def _cases_on(
    lines: SalesLines, policy: Policy, day: date, least_months: int
) -> tuple[dict[str, Column], Bools, Ints]:
    settings = settings_of(policy)
    found = outcome(lines, day, settings=settings, least_months=least_months)
    table = feature_table(flagged_flow(lines, day, settings), cut_off=day)
    rows = found.judged
    columns = {name: Column(c.values[rows], c.missing[rows]) for name, c in table.columns.items()}
    return columns, found.collapsed[rows], np.flatnonzero(rows)


def _joined(parts: Sequence[Column]) -> Column:
    return Column(np.concatenate([p.values for p in parts]), np.concatenate([p.missing for p in parts]))


def cases_of_rows(
    rows: Sequence[Mapping[str, Value]],
    bad: Sequence[bool],
    *,
    shops: Sequence[str] | None = None,
    days: Sequence[date] = (),
    event: str = "the loan goes bad",
) -> Cases:
    """Cases from a lender's own outcomes: feature rows (of stored decisions, say) and whether each went bad.

    *shops* names the merchant of each row, so that several rows of one are kept together. Raises BadInput where the
    lengths differ.

    >>> cases = cases_of_rows([{"tenure": 100}, {"tenure": 900}], [True, False], shops=["m-1", "m-2"])
    >>> len(cases), cases.bad.tolist(), cases.columns["tenure"].values.tolist()
    (2, [True, False], [100, 900])
    """
    if len(rows) != len(bad) or (shops is not None and len(shops) != len(rows)):
        raise BadInput(field="bad", value=len(bad), reason=f"{len(rows)} feature rows need as many outcomes")
    names = [name for name in DEFINITIONS if any(row.get(name) is not None for row in rows)]
    columns = {name: column_of_values([row.get(name) for row in rows], name) for name in names}
    group = factorize(shops)[0] if shops is not None else np.arange(len(rows), dtype=np.int64)
    repeats = np.bincount(group)[group] if len(rows) else np.ones(0)
    return Cases(
        columns, np.asarray(bad, dtype=np.bool_), group, 1.0 / repeats, tuple(sorted(set(days))), event
    )


# --- fitted until a day, tested from then on --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutOfTime:
    """How well scores ranked the cases of the days from the end of the fit on; an AUC is None without both outcomes."""

    days: tuple[date, ...]
    cases: int
    bad: int
    auc: float | None
    auc_template: float | None


@dataclass(frozen=True, slots=True)
class FittedUntil:
    """A policy fitted with what was known by ``until``, and its test on later days; None where the flow ends before.

    ``covered_until`` is the last day the flow is complete for: no case was taken whose 90 days reach beyond it.
    """

    until: date
    covered_until: date
    fitted: Fitted
    out_of_time: OutOfTime | None


def fit_until(
    lines: SalesLines,
    template: Policy,
    until: date,
    *,
    name: str,
    version: int = 1,
    currency: str = "CNY",
    first: date | None = None,
    every_days: int = 7,
    covered_until: date | None = None,
) -> FittedUntil:
    """Fit on the days whose outcome was known by *until*, then rank the shops of every month from there on.

    An outcome is known when its 90 days are over by *until* and inside the days the flow is complete for, which end on
    *covered_until* (by default with the last line): silence after the end of a file is no collapse.

    *first*: the first day of a case, by default 180 days after the first line, so that half a year lies before it. The
    test is on the same day of every month, on shops with sales in at least six months. Raises BadInput as :func:`fit`
    does, and for a flow too short to have an outcome by *until*.

    >>> from .flow import sales_lines
    >>> from .policy import shipped_policy
    >>> sold = sales_lines([{"shop_id": "s", "order_id": "1", "paid_at": "2025-01-01", "amount": "9"}])
    >>> try:
    ...     fit_until(sold, shipped_policy(), date(2025, 6, 1), name="own")
    ... except BadInput as refused:
    ...     print(refused.details["reason"])
    no outcome is known by then: cases begin on 2025-06-30 and take 90 days
    """
    start = first or _half_a_year_in(lines)
    covered = covered_until or date.fromordinal(int(lines.paid_day.max()))
    end = min(until, covered) - timedelta(days=HORIZON_DAYS)
    if end < start:
        reason = f"no outcome is known by then: cases begin on {start} and take {HORIZON_DAYS} days"
        raise BadInput(field="until", value=str(until), reason=reason)
    cases = cases_of_lines(lines, template, first=start, last=end, every_days=every_days)
    fitted = fit(cases, template, name=name, version=version, currency=currency)
    tested = _later(lines, template, fitted.policy, (until, covered), currency)
    return FittedUntil(until, covered, fitted, tested)


def _half_a_year_in(lines: SalesLines) -> date:
    if not len(lines):
        raise BadInput(field="lines", value=0, reason="there is no sales line to fit on")
    return date.fromordinal(int(lines.paid_day.min()) + 2 * HORIZON_DAYS)


def _later(
    lines: SalesLines, template: Policy, policy: Policy, span: tuple[date, date], currency: str
) -> OutOfTime | None:
    until, end = span[0], span[1] - timedelta(days=HORIZON_DAYS)
    days = decision_days(until, end) if until <= end else []
    if not days:
        return None
    monthly = [
        cases_of_lines(lines, template, first=day, last=day, least_months=LEAST_MONTHS) for day in days
    ]
    bad = np.concatenate([each.bad for each in monthly])
    return OutOfTime(
        tuple(days),
        len(bad),
        int(bad.sum()),
        *(_pooled(monthly, each, currency) for each in (policy, template)),
    )


def _pooled(monthly: Sequence[Cases], policy: Policy, currency: str) -> float | None:
    score = np.concatenate([score_cases(each, policy, currency) for each in monthly])
    found = auc(-score, np.concatenate([each.bad for each in monthly]))
    return None if found is None else round(found, 4)


# --- the fit ----------------------------------------------------------------------------------------------------------


def fit(
    cases: Cases,
    template: Policy,
    *,
    name: str,
    version: int = 1,
    currency: str = "CNY",
    candidates: Iterable[str] = CANDIDATES,
    seed: int = 0,
) -> Fitted:
    """A policy like *template* whose scorecard is fitted on *cases*; its grades keep their probabilities.

    *candidates* are the features to choose from; amounts among them are cut in major units of *currency*. Of the other
    characteristics of the template only the guards against abuse stay, with their points. Raises BadInput for too few
    cases, an unknown candidate, or a template without odds; InvalidSetting without the extra ``fit``.

    Four hundred merchants, three times as many bad ones among the younger half; their refunds say nothing:

    >>> from .policy import shipped_policy
    >>> rows = [{"tenure": 60 + n, "refund_rate": Decimal(n % 7).scaleb(-2)} for n in range(400)]
    >>> bad = [n % 10 < (6 if n < 200 else 2) for n in range(400)]
    >>> fitted = fit(cases_of_rows(rows, bad), shipped_policy(), name="own", candidates=["tenure", "refund_rate"])
    >>> [table.feature for table in fitted.tables], fitted.policy.name
    (['tenure'], 'own')
    """
    chosen = tuple(dict.fromkeys(candidates))
    _check(cases, template, chosen)
    cuts, dropped = _cuts(cases, chosen, currency, seed)
    strength, validated = _strength(cases, tuple(cuts), currency, seed)
    weights = _weights(cases, _evidence(cases, cuts, cases.weight > 0), cases.weight > 0, strength)
    dropped |= {feature: "adds nothing beside the others" for feature in cuts if feature not in weights}
    points_per_unit = _DOUBLE / float(np.log(2)) * _slope(validated, cases)
    tables = tuple(_table(cases, f, cuts[f], weights[f], points_per_unit, currency) for f in weights)
    scorecard = _scorecard(cases, tables, template, currency)
    policy = _policy(template, scorecard, name, version, cases)
    total = _totals(cases, scorecard, currency)
    figures: dict[str, Any] = {
        "cases": len(cases), "bad": int(cases.bad.sum()), "shops": len(np.unique(cases.group)), "days": cases.days,
        "strength": strength, "auc_validated": _rounded(auc(-validated, cases.bad)),
        "auc_fitted": _rounded(auc(-total, cases.bad)), "dropped": tuple(sorted(dropped.items())),
    }  # fmt: skip
    text = policy_text(policy, _notes(template, tables, figures))
    return Fitted(policy=Policy.from_toml(text, file=name), text=text, tables=tables, **figures)


def _check(cases: Cases, template: Policy, candidates: Sequence[str]) -> None:
    unknown = [name for name in candidates if name not in DEFINITIONS]
    if unknown:
        raise BadInput(field="candidates", value=unknown[0], reason="no such feature")
    if template.scorecard.odds is None:
        raise BadInput(
            field="template", value=template.name, reason="its scorecard has no odds, so its grades have no meaning"
        )  # fmt: skip
    bad = int(cases.bad.sum())
    if len(cases) < _LEAST_CASES or min(bad, len(cases) - bad) < _LEAST_BAD:
        reason = f"at least {_LEAST_CASES} cases and {_LEAST_BAD} of each outcome are needed, {bad} are bad"
        raise BadInput(field="cases", value=len(cases), reason=reason)
    if len(np.unique(cases.group)) < 2 * _FOLDS:
        raise BadInput(
            field="cases", value=len(cases), reason=f"cases of at least {2 * _FOLDS} shops are needed"
        )


def _learn() -> Any:
    """scikit-learn: an extra, because scoring needs nothing of it."""
    try:
        import sklearn.linear_model
        import sklearn.model_selection
        import sklearn.tree
    except ImportError:
        reason = 'fitting a scorecard needs scikit-learn; install it with: pip install "microloan[fit]"'
        raise InvalidSetting(code="extra_missing", field="extra", value="fit", reason=reason) from None
    return sklearn


def _cuts(
    cases: Cases, candidates: Sequence[str], currency: str, seed: int, taken: Bools | None = None
) -> tuple[dict[str, Ints], dict[str, str]]:
    """Inner edges of each candidate's bins, and why the others have none."""
    cuts: dict[str, Ints] = {}
    dropped: dict[str, str] = {}
    taken = np.ones(len(cases), dtype=np.bool_) if taken is None else taken
    for name in candidates:
        column = cases.columns.get(name)
        known = taken & ~column.missing if column is not None else np.zeros(len(cases), dtype=np.bool_)
        if column is None or not known.any():
            dropped[name] = "never known"
            continue
        edges = _monotone_edges(column.values[known], cases.bad[known], cases.weight[known], seed)
        readable = _readable(edges, column.values[known], name, currency)
        readable = _one_way(readable, cases, column, taken)
        if len(readable):
            cuts[name] = readable
        else:
            dropped[name] = "tells good from bad in no bin"
    return cuts, dropped


def _monotone_edges(values: Ints, bad: Bools, weight: Floats, seed: int) -> Floats:
    higher_is_worse = auc(values, bad)
    if higher_is_worse is None or values.min() == values.max():
        return np.zeros(0)
    tree = _learn().tree.DecisionTreeClassifier(
        criterion="entropy", max_leaf_nodes=_MOST_BINS, min_weight_fraction_leaf=_LEAST_SHARE,
        min_impurity_decrease=0.0005, monotonic_cst=[1 if higher_is_worse >= 0.5 else -1], random_state=seed,
    )  # fmt: skip
    tree.fit(values[:, None].astype(np.float64), bad, sample_weight=weight)
    inner = tree.tree_.feature >= 0
    edges: Floats = np.sort(tree.tree_.threshold[inner])
    return edges


def _one_way(edges: Ints, cases: Cases, column: Column, taken: Bools) -> Ints:
    """*edges* without those between bins whose evidence turns around: rounding and small bins may have done that."""
    while len(edges):
        place = bin_of(column, edges)
        evidence = _woe(place[taken], cases.bad[taken], cases.weight[taken], len(edges) + 2)[:-1]
        steps = np.diff(evidence)
        turning = np.flatnonzero(steps * (evidence[-1] - evidence[0]) <= 0)
        if not len(turning):
            break
        edges = np.delete(edges, turning[np.argmin(np.abs(steps[turning]))])
    return edges


def _readable(edges: Floats, values: Ints, name: str, currency: str) -> Ints:
    """Edges moved to the shortest decimal that hardly moves a case, in whole units of the feature."""
    places = places_of(name, currency)
    found = sorted({_short(float(edge), values, places) for edge in edges})
    inside = [edge for edge in found if values.min() < edge <= values.max()]
    return np.array(inside, dtype=np.int64)


def _short(edge: float, values: Ints, places: int) -> int:
    exact = int(np.ceil(edge))
    digits: int = len(str(abs(exact)))
    for kept in range(1, digits + 1):
        unit: int = 10 ** (digits - kept)
        rounded = int((2 * exact + unit) // (2 * unit)) * unit
        moved = int((values < exact).sum()) - int((values < rounded).sum())
        if abs(moved) * 100 <= len(values) and (places or rounded):
            return rounded
    return exact


@dataclass(frozen=True, slots=True, eq=False)
class _Evidence:
    """Per feature the weight of evidence of every bin, and per case and feature that of its bin."""

    features: tuple[str, ...]
    of_bins: Mapping[str, Floats]
    of_cases: Floats


def _evidence(cases: Cases, cuts: Mapping[str, Ints], taken: Bools) -> _Evidence:
    of_bins, of_cases = {}, np.zeros((len(cases), len(cuts)))
    for position, (name, edges) in enumerate(cuts.items()):
        place = bin_of(cases.columns[name], edges)
        of_bins[name] = _woe(place[taken], cases.bad[taken], cases.weight[taken], len(edges) + 2)
        of_cases[:, position] = of_bins[name][place]
    return _Evidence(tuple(cuts), of_bins, of_cases)


def _woe(place: Ints, bad: Bools, weight: Floats, bins: int) -> Floats:
    """ln(odds good : bad of the bin) − ln(odds of all), each bin with some average cases added."""
    share = float((weight * bad).sum() / weight.sum())
    number = np.bincount(place, weights=weight, minlength=bins) + _PRIOR_CASES
    bads = np.bincount(place, weights=weight * bad, minlength=bins) + _PRIOR_CASES * share
    evidence: Floats = np.log((number - bads) / bads) - np.log((1 - share) / share)
    return evidence


def _weights(cases: Cases, evidence: _Evidence, taken: Bools, strength: float) -> dict[str, float]:
    """The regression's weight of each feature; those that would turn its evidence around are left out."""
    kept = list(range(len(evidence.features)))
    while kept:
        model = _learn().linear_model.LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-8)
        model.fit(evidence.of_cases[taken][:, kept], ~cases.bad[taken], sample_weight=cases.weight[taken])
        found = model.coef_[0]
        if found.min() > 0:
            return {evidence.features[k]: float(w) for k, w in zip(kept, found, strict=True)}
        kept.pop(int(found.argmin()))
    raise BadInput(field="candidates", value="", reason="no candidate tells good cases from bad ones")


def _strength(cases: Cases, features: Sequence[str], currency: str, seed: int) -> tuple[float, Floats]:
    """How far the weights may go, and each case's score from a fit without its shop.

    The least strength within one standard error of the best validated AUC: where the cases cannot tell, the simpler
    card, in which every feature weighs by its own evidence.
    """
    scores = {strength: np.zeros(len(cases)) for strength in _STRENGTHS}
    folds = list(_folds(cases))
    for left_out in folds:
        taken = ~left_out
        cuts, _ = _cuts(cases, features, currency, seed, taken)
        evidence = _evidence(cases, cuts, taken)
        for strength in _STRENGTHS:
            weights = _weights(cases, evidence, taken, strength)
            by_feature = np.array([weights.get(name, 0.0) for name in evidence.features])
            scores[strength][left_out] = evidence.of_cases[left_out] @ by_feature
    reached = {s: [auc(-scores[s][out], cases.bad[out]) or 0.5 for out in folds] for s in _STRENGTHS}
    best = max(_STRENGTHS, key=lambda s: float(np.mean(reached[s])))
    enough = float(np.mean(reached[best])) - float(np.std(reached[best], ddof=1)) / len(folds) ** 0.5
    chosen = next(s for s in _STRENGTHS if float(np.mean(reached[s])) >= enough)
    return chosen, scores[chosen]


def _folds(cases: Cases) -> Iterator[Bools]:
    split = _learn().model_selection.GroupKFold(_FOLDS).split(cases.bad, cases.bad, cases.group)
    for _, test in split:
        left_out = np.zeros(len(cases), dtype=np.bool_)
        left_out[test] = True
        yield left_out


def _slope(score: Floats, cases: Cases) -> float:
    """By how much the validated score must be stretched to be the logarithm of the odds."""
    return max(_logistic(score, cases)[1], 0.05)


def _logistic(score: Floats, cases: Cases) -> tuple[float, float]:
    """Intercept and slope of ln(odds good : bad) in *score*, by weighted maximum likelihood."""
    model = _learn().linear_model.LogisticRegression(C=1e6, solver="newton-cholesky", tol=1e-8)
    scale = float(np.abs(score).max()) or 1.0
    model.fit(score[:, None] / scale, ~cases.bad, sample_weight=cases.weight)
    return float(model.intercept_[0]), float(model.coef_[0][0]) / scale


# --- from weights to points -------------------------------------------------------------------------------------------


def _table(
    cases: Cases, feature: str, edges: Ints, weight: float, points_per_unit: float, currency: str
) -> WoeTable:
    place = bin_of(cases.columns[feature], edges)
    bins = len(edges) + 2
    woe = _woe(place, cases.bad, cases.weight, bins)
    number, bads = np.bincount(place, minlength=bins), np.bincount(place, weights=cases.bad, minlength=bins)
    places = places_of(feature, currency)
    below = [Decimal(int(edge)).scaleb(-places).normalize() for edge in edges]
    rows = tuple(
        WoeBin(below[k] if k < len(below) else None, k > len(below), int(number[k]), int(bads[k]), round(float(woe[k]), 4),
               round(weight * float(woe[k]) * points_per_unit))
        for k in range(bins)
    )  # fmt: skip
    return WoeTable(feature, round(weight, 4), round(_information(number, bads), 4), rows)


def _information(number: NDArray[Any], bads: NDArray[Any]) -> float:
    """Information value: Σ (share of goods − share of bads) × ln of their ratio, half a case added to each."""
    good, bad = number - bads + 0.5, bads + 0.5
    good, bad = good / good.sum(), bad / bad.sum()
    return float(((good - bad) * np.log(good / bad)).sum())


def _scorecard(cases: Cases, tables: Sequence[WoeTable], template: Policy, currency: str) -> Scorecard:
    own = {each.feature: each for each in template.scorecard.characteristics}
    fitted = [_characteristic(table, own) for table in tables]
    guards = [own[name] for name in GUARDS if name in own and name not in {t.feature for t in tables}]
    draft = Scorecard(
        base=_BASE, characteristics=tuple(fitted + guards), reasons_told=template.scorecard.reasons_told,
        odds=Odds(score=_BASE, good_to_bad="1", double=_DOUBLE, event=cases.event),
    )  # fmt: skip
    intercept, slope = _logistic(_totals(cases, draft, currency), cases)
    double = min(max(round(float(np.log(2)) / max(slope, 1e-6)), 1), 1000)
    if double < _LEAST_DOUBLE:
        reason = f"too few or too alike: shops left out of the fit are hardly ranked at all; {int(cases.bad.sum())} are bad"
        raise BadInput(field="cases", value=len(cases), reason=reason)
    # the curve is held at the average score, where most cases are
    middle = float(np.average(_totals(cases, draft, currency), weights=cases.weight))
    good_to_bad = np.exp(intercept + slope * middle) * 2 ** ((_BASE - middle) / double)
    odds = Odds(score=_BASE, good_to_bad=f"{max(good_to_bad, 0.01):.2f}", double=double, event=cases.event)
    return draft.model_copy(update={"odds": odds})


def _characteristic(table: WoeTable, own: Mapping[str, Characteristic]) -> Characteristic:
    name = table.feature
    bins = tuple(Bin(points=each.points, below=each.below) for each in table.bins if not each.missing)
    missing = next(each.points for each in table.bins if each.missing)
    reason = own[name].reason if name in own else REASON_OF.get(name, "short_tenure")
    return Characteristic(feature=name, reason=reason, bins=bins, missing=missing)


def _totals(cases: Cases, scorecard: Scorecard, currency: str) -> Floats:
    total = np.full(len(cases), float(scorecard.base))
    for each in scorecard.characteristics:
        column = cases.columns.get(each.feature)
        points = np.array([*(one.points for one in each.bins), each.missing], dtype=np.float64)
        total += points[-1] if column is None else points[bin_of(column, edges_of(each, currency))]
    return total


def _policy(template: Policy, scorecard: Scorecard, name: str, version: int, cases: Cases) -> Policy:
    assert template.scorecard.odds is not None
    assert scorecard.odds is not None
    grades = tuple(_moved(grade, template.scorecard.odds, scorecard.odds) for grade in template.grades)
    what = f"{template.name} with a scorecard fitted on {len(cases)} cases"
    days = f" from {cases.days[0]} to {cases.days[-1]}" if cases.days else ""
    changes = {
        "name": name,
        "version": version,
        "description": what + days,
        "scorecard": scorecard,
        "grades": grades,
    }
    return template.model_copy(update=changes)


def _moved(grade: Grade, before: Odds, after: Odds) -> Grade:
    """The grade at the score that has the same odds on the new scale."""
    ratio = float(before.good_to_bad / after.good_to_bad)
    steps = (grade.score - before.score) / before.double + float(np.log2(ratio))
    return grade.model_copy(update={"score": round(after.score + steps * after.double)})


def _rounded(value: float | None) -> float:
    return round(value or 0.5, 4)


# --- words ------------------------------------------------------------------------------------------------------------


def _notes(template: Policy, tables: Sequence[WoeTable], figures: Mapping[str, Any]) -> dict[str, list[str]]:
    notes = {table.feature: _table_notes(table) for table in tables}
    days = figures["days"]
    span = (
        f", decided {days[0]} to {days[-1]} and known by {days[-1] + timedelta(days=HORIZON_DAYS)}"
        if days
        else ""
    )
    notes[""] = [
        f"A credit policy fitted from outcomes; all but the scorecard and the bands of the grades is {template.name!r}",
        f"version {template.version}. {figures['cases']} cases of {figures['shops']} shops, {figures['bad']} of them bad{span}.",
        f"AUC {figures['auc_validated']:.4f} on shops left out of the fit, {figures['auc_fitted']:.4f} on all cases.",
        "Tables: cases in the bin, how many were bad, weight of evidence (above zero: better than average).",
        *(f"Not in: {name}, {why}." for name, why in figures["dropped"]),
        "",
    ]
    for name in GUARDS:
        if name not in notes:
            notes[name] = ["Not fitted, kept from the template: a guard against abuse."]
    return notes


def _table_notes(table: WoeTable) -> list[str]:
    definition = DEFINITIONS[table.feature]
    head = f"{table.feature}: {definition.meaning}; information value {table.information:.3f}, weight {table.weight:.3f}"
    rows = [f"{'below':>12}{'cases':>8}{'bad':>7}{'share':>8}{'evidence':>10}{'points':>8}"]
    rows += [_bin_note(each) for each in table.bins if each.cases or not each.missing]
    return [head, *rows]


def _bin_note(each: WoeBin) -> str:
    edge = "missing" if each.missing else "above" if each.below is None else f"{each.below.normalize():f}"
    share = each.bad / each.cases if each.cases else 0.0
    return f"{edge:>12}{each.cases:>8}{each.bad:>7}{share:>8.1%}{each.woe:>+10.3f}{each.points:>+8}"


def score_cases(cases: Cases, policy: Policy, currency: str = "CNY") -> Ints:
    """The policy's score of every case, the same as a decision's.

    >>> from .policy import shipped_policy
    >>> cases = cases_of_rows([{"refund_rate": Decimal("0.50")}, {"refund_rate": Decimal("0.01")}], [True, False])
    >>> much, little = score_cases(cases, shipped_policy())
    >>> bool(much < little)
    True
    """
    return _totals(cases, policy.scorecard, currency).astype(np.int64)
