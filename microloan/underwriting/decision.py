"""The decision on a merchant: approved, declined or for a person; with everything it came from.

``decide`` reads a flow, ``assess`` works from the feature snapshot alone; a stored decision holds the snapshot, so that
running it again gives the same to the fen without the sales lines.

Source: SEMANTICS 8, decision (house rule); CONTRACT 1, JSON of ``underwrite``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from ..clock import DEFAULT_ZONE
from ..days import parse_date
from ..errors import BadInput, IntegrityBroken
from ..money import amount_text, to_minor
from ..rates import Rate
from .features import (
    DEFINITIONS,
    NO_FLOW,
    FeatureTable,
    FlaggedFlow,
    Settings,
    Value,
    feature_table,
    flagged_flow,
)
from .flow import SalesLines, sales_lines
from .frames import Shape, is_duckdb, is_spark, on_spark, parts_of
from .genuine import Finding, findings
from .limit import Applicant, Basis, Cap, Limit, Row, SeasonalLimit, Step, credit_limit, step
from .policy import Grade, Policy
from .reasons import Reason, in_precedence, reason
from .relations import relation_from, relation_values
from .scorecard import Points, Score, score, worst_points

Outcome = Literal["approved", "declined", "manual_review"]
#: Findings kept with a decision; the flagged share counts them all.
FINDINGS_KEPT = 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The features a decision was made from: at its cut-off, and a settlement lag before it, of settled lines only.

    ``flow_sha256`` is over the lines as known: day, net sale and flag of each.
    """

    known_on: date
    cut_off: date
    mature_cut_off: date
    row: Row
    mature_row: Row
    daily_totals: bool
    flow_sha256: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a merchant, and why. Amounts in minor units of ``currency``.

    ``limit_minor`` is what is offered, or what a person may approve; 0 when declined. ``probability`` is the policy's
    estimate that its event happens, None where the policy has none. ``rate`` and ``grade`` are None below the lowest
    grade.
    """

    merchant_id: str
    shop_ids: tuple[str, ...]
    as_of: date
    cut_off: date
    currency: str
    outcome: Outcome
    score: int | None
    probability: Decimal | None
    grade: str | None
    limit_minor: int
    rate: Rate | None
    seasonal: SeasonalLimit | None
    reasons: tuple[Reason, ...]
    steps: tuple[Step, ...]
    points: tuple[Points, ...]
    snapshot: Snapshot
    applicant: Applicant
    findings: tuple[Finding, ...]
    policy_name: str
    policy_version: int
    policy_sha256: str

    @property
    def limit(self) -> Decimal:
        """The limit in major units.

        >>> from .policy import shipped_policy
        >>> decide([], shipped_policy(), as_of="2025-05-01").limit
        Decimal('0.00')
        """
        return Decimal(amount_text(self.limit_minor, self.currency))

    @property
    def daily_rate(self) -> Decimal | None:
        """The daily rate as a plain decimal."""
        return self.rate.daily if self.rate else None

    @property
    def yearly_rate(self) -> Decimal | None:
        """The simple yearly rate, × 365.

        >>> from .policy import shipped_policy
        >>> policy = shipped_policy()
        >>> decided = replace(decide([], policy, as_of="2025-05-01"), rate=policy.grades[0].rate)
        >>> decided.daily_rate, decided.yearly_rate
        (Decimal('0.00048'), Decimal('0.1752'))
        """
        return self.rate.yearly if self.rate else None

    def to_json(self) -> str:
        """Canonical JSON, from which :func:`from_json` makes an equal decision.

        >>> from .policy import shipped_policy
        >>> json.loads(decide([], shipped_policy(), as_of="2025-05-01").to_json())["outcome"]
        'declined'
        """
        return json.dumps(to_values(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


# --- deciding ---------------------------------------------------------------------------------------------------------


def decide(
    frame: object,
    policy: Policy,
    *,
    as_of: date | str,
    currency: str = "CNY",
    zone: str = DEFAULT_ZONE,
    merchant_id: str | None = None,
    own_exposure: Decimal | int | str = 0,
    applicant: Applicant | None = None,
) -> Decision:
    """Decide on the merchant whose sales *frame* holds; all shops in it are added up.

    *own_exposure* in major units is what the merchant owes us already; *applicant* says all a lender may know instead.
    Pure: no database, no clock. Raises BadInput and its kin for what cannot be read.

    *Source:* SEMANTICS 8; CONTRACT 3.

    >>> from .policy import shipped_policy
    >>> decide([], shipped_policy(), as_of="2025-05-01").outcome
    'declined'
    """
    lines = sales_lines(frame, currency=currency, zone=zone)
    if applicant is None:
        applicant = Applicant(own_exposure_minor=to_minor(own_exposure, currency, "own_exposure"))
    elif own_exposure:
        raise BadInput(field="own_exposure", value=str(own_exposure), reason="say it in the applicant")
    name = merchant_id or (lines.shops[0] if len(lines.shops) == 1 else "merchant")
    merged = lines.as_one_shop(name) if lines.shops else lines
    return _decided(merged, (tuple(sorted(lines.shops)),), {name: applicant}, policy, as_of, currency, name)[
        0
    ]


def decide_many(
    lines: object,
    policy: Policy,
    *,
    as_of: date | str,
    currency: str = "CNY",
    zone: str = DEFAULT_ZONE,
    merchant_of: Mapping[str, str] | None = None,
    applicants: Mapping[str, Applicant] | None = None,
) -> Iterator[Decision]:
    """Decide on every merchant of *lines*, each like :func:`decide`, the features in one pass.

    *lines*: all that :func:`.features.features` reads; a Spark frame is decided on its workers, a DuckDB relation streamed.
    *merchant_of* maps shops to merchants (a shop not named is its own merchant). Merchants with different
    ``covered_until`` are computed apart.

    >>> from .policy import shipped_policy
    >>> sold = [{"shop_id": shop, "order_id": "1", "paid_at": "2025-04-01", "amount": "9"} for shop in ("s-1", "s-2")]
    >>> [decision.merchant_id for decision in decide_many(sold, shipped_policy(), as_of="2025-05-01")]
    ['s-1', 's-2']
    """
    merchant_of, applicants = merchant_of or {}, applicants or {}
    settled = (policy, parse_date(as_of, "as_of"), currency, merchant_of, applicants)
    if is_spark(lines):
        shape = Shape("merchant_id string, decision string", lambda part: _texts(part, *settled))
        rows = on_spark(lines, shape, currency=currency, zone=zone, merchant_of=merchant_of)
        yield from (from_json(text) for _, text in sorted(rows))
    elif is_duckdb(lines) and not merchant_of:
        for part in parts_of(lines, currency=currency, zone=zone):
            yield from _each_decided(part, *settled)
    else:
        yield from _each_decided(sales_lines(lines, currency=currency, zone=zone), *settled)


def _texts(lines: SalesLines, *settled: Any) -> Iterator[tuple[str, str]]:
    return ((each.merchant_id, each.to_json()) for each in _each_decided(lines, *settled))


def _each_decided(
    lines: SalesLines,
    policy: Policy,
    as_of: date,
    currency: str,
    merchant_of: Mapping[str, str],
    applicants: Mapping[str, Applicant],
) -> Iterator[Decision]:
    merged = lines.grouped(merchant_of)
    shops: dict[str, list[str]] = {}
    for shop in lines.shops:
        shops.setdefault(merchant_of.get(shop, shop), []).append(shop)
    by_cut_off: dict[date | None, list[int]] = {}
    for index, merchant in enumerate(merged.shops):
        covered = applicants.get(merchant, Applicant()).covered_until
        by_cut_off.setdefault(covered, []).append(index)
    for members in by_cut_off.values():
        part = merged if len(members) == len(merged.shops) else merged.of_shops(members)
        groups = tuple(tuple(sorted(shops[merchant])) for merchant in part.shops)
        yield from _decided(part, groups, applicants, policy, as_of, currency, None)


def _decided(
    lines: SalesLines,
    groups: tuple[tuple[str, ...], ...],
    applicants: Mapping[str, Applicant],
    policy: Policy,
    as_of: date | str,
    currency: str,
    name: str | None,
) -> list[Decision]:
    day = parse_date(as_of, "as_of")
    policy.amounts(currency)
    names = lines.shops or ((name,) if name else ())
    if not lines.shops:
        return [
            _without_sales(merchant, day, applicants.get(merchant, Applicant()), policy, currency)
            for merchant in names
        ]
    covered = applicants.get(names[0], Applicant()).covered_until
    cut_off = day if covered is None else min(day, covered)
    flagged = flagged_flow(lines, day, settings_of(policy), covered)
    now = feature_table(flagged, cut_off=cut_off)
    before = cut_off - timedelta(days=policy.lags.settlement)
    mature = feature_table(flagged, cut_off=before, settled_only=True)
    evidence = _evidence(flagged)
    decisions = []
    for index, merchant in enumerate(names):
        snapshot = _snapshot(flagged, now, mature, index)
        decisions.append(
            assess(snapshot, policy, applicants.get(merchant, Applicant()), as_of=day, currency=currency,
                   merchant_id=merchant, shop_ids=groups[index], evidence=evidence.get(merchant, ()))
        )  # fmt: skip
    return decisions


def settings_of(policy: Policy) -> Settings:
    """What of the policy the features depend on.

    >>> from .policy import shipped_policy
    >>> settings_of(shipped_policy()).lags.settlement
    15
    """
    return Settings(policy.lags, policy.detectors, policy.peaks, policy.seasonal.days_before)


def _evidence(flagged: FlaggedFlow) -> dict[str, tuple[Finding, ...]]:
    if not flagged.flagged.any():
        return {}
    found: dict[str, list[Finding]] = {}
    for finding in findings(flagged.flow, flagged.flagged):
        found.setdefault(finding.shop, []).append(finding)
    return {shop: tuple(each[:FINDINGS_KEPT]) for shop, each in found.items()}


def _snapshot(flagged: FlaggedFlow, now: FeatureTable, mature: FeatureTable, index: int) -> Snapshot:
    return Snapshot(
        known_on=now.known_on, cut_off=now.cut_off, mature_cut_off=mature.cut_off, row=now.row_at(index),
        mature_row=mature.row_at(index), daily_totals=bool(flagged.flow.lines.only_totals[index]),
        flow_sha256=flagged.sha256(index),
    )  # fmt: skip


def _without_sales(merchant: str, day: date, applicant: Applicant, policy: Policy, currency: str) -> Decision:
    nothing: dict[str, Value] = dict.fromkeys(DEFINITIONS)
    mature = day - timedelta(days=policy.lags.settlement)
    snapshot = Snapshot(day, day, mature, nothing, nothing, False, NO_FLOW)
    return assess(
        snapshot, policy, applicant, as_of=day, currency=currency, merchant_id=merchant, shop_ids=()
    )


# --- judging a snapshot -----------------------------------------------------------------------------------------------


def assess(
    snapshot: Snapshot,
    policy: Policy,
    applicant: Applicant,
    *,
    as_of: date,
    currency: str,
    merchant_id: str,
    shop_ids: tuple[str, ...] = (),
    evidence: tuple[Finding, ...] = (),
) -> Decision:
    """Apply the policy to a feature snapshot: eligibility, score, grade, limit, outcome.

    The grade is the lower of the grades at the cut-off and a settlement lag before it.

    >>> from .policy import shipped_policy
    >>> policy = shipped_policy()
    >>> decided = decide([], policy, as_of="2025-05-01")
    >>> assess(decided.snapshot, policy, Applicant(), as_of=decided.as_of, currency="CNY", merchant_id="merchant") == decided
    True
    """
    scored, mature = (_scored(row, policy, currency) for row in (snapshot.row, snapshot.mature_row))
    grade = _lower_grade(scored, mature, policy)
    belongs = [each.reason for each in applicant.relations]
    declines = _declines(snapshot, policy, applicant, scored, mature)
    declines += [each for each in belongs if each.weight == "decline"]
    reviews = _reviews(snapshot, policy, applicant, as_of)
    reviews += [each for each in belongs if each.weight == "review"]
    limit = _limit(snapshot, policy, applicant, currency, as_of, grade)
    if limit and not limit.limit_minor and not declines:
        declines.append(_too_small(limit, currency))
    outcome = _outcome(declines, reviews)
    granted = limit.limit_minor if limit and outcome != "declined" else 0
    told = [*declines, *reviews, *(limit.reasons if limit else ()), *belongs, *_score_reasons(scored, policy)]
    told += _counter_offer(applicant, granted, currency)
    steps = (*_score_steps(snapshot, scored, mature), *(limit.steps if limit else ()))
    return Decision(
        merchant_id=merchant_id, shop_ids=shop_ids, as_of=as_of, cut_off=snapshot.cut_off, currency=currency,
        outcome=outcome, score=scored.total if scored else None, probability=scored.probability if scored else None,
        grade=grade.name if grade else None, limit_minor=granted, rate=grade.rate if grade else None,
        seasonal=limit.seasonal if limit and granted else None,
        reasons=in_precedence(told) or (reason("strong_sales"),), steps=steps,
        points=scored.points if scored else (), snapshot=snapshot, applicant=applicant, findings=evidence,
        policy_name=policy.name, policy_version=policy.version, policy_sha256=policy.sha256,
    )  # fmt: skip


def _scored(row: Row, policy: Policy, currency: str) -> Score | None:
    return score(row, policy, currency) if row.get("tenure") is not None else None


def _lower_grade(now: Score | None, mature: Score | None, policy: Policy) -> Grade | None:
    """None when either is below the lowest band; without mature sales the grade now stands."""
    if now is None or now.grade is None:
        return None
    if mature is None:
        return now.grade
    if mature.grade is None:
        return None
    return max(now.grade, mature.grade, key=policy.grades.index)


def _declines(
    snapshot: Snapshot, policy: Policy, applicant: Applicant, scored: Score | None, mature: Score | None
) -> list[Reason]:
    row, rules = snapshot.row, policy.eligibility
    tenure, last, blocks = row.get("tenure"), row.get("days_since_last_sale"), row.get("blocks")
    if tenure is None or scored is None:
        return [reason("no_sales")]
    found = []
    if tenure < rules.tenure_days:
        found.append(reason("tenure_too_short", tenure=tenure, needed=rules.tenure_days))
    if last is None or last > rules.last_sale_days:
        found.append(
            reason("no_recent_sale", days="?" if last is None else last, allowed=rules.last_sale_days)
        )
    if blocks is None or blocks < rules.blocks:
        found.append(reason("too_few_months", blocks=blocks, needed=rules.blocks))
    flagged = Fraction(row.get("flagged_share") or 0)
    if flagged >= rules.flagged_share_decline:
        found.append(reason("orders_not_genuine", share=_percent(flagged)))
    if applicant.violations is not None and applicant.violations >= rules.violations_decline:
        found.append(reason("too_many_violations", violations=applicant.violations))
    if applicant.days_past_due is not None and applicant.days_past_due >= rules.overdue_days_decline:
        found.append(reason("overdue_with_us", days=applicant.days_past_due))
    return found + _below_lowest(snapshot, policy, scored, mature)


def _below_lowest(snapshot: Snapshot, policy: Policy, scored: Score, mature: Score | None) -> list[Reason]:
    """The score that is below the lowest grade, with its day."""
    for each, cut_off in ((scored, snapshot.cut_off), (mature, snapshot.mature_cut_off)):
        if each is not None and each.grade is None:
            lowest = policy.grades[-1].score
            return [reason("score_too_low", score=each.total, cut_off=cut_off, needed=lowest)]
    return []


def _score_steps(snapshot: Snapshot, scored: Score | None, mature: Score | None) -> tuple[Step, ...]:
    """Both scores with the grades they earn."""
    told = (("score", scored, snapshot.cut_off), ("score_mature", mature, snapshot.mature_cut_off))
    return tuple(
        step(name, factor=Fraction(each.total), cut_off=day, grade=each.grade.name if each.grade else "none")
        for name, each, day in told
        if each is not None
    )


def _reviews(snapshot: Snapshot, policy: Policy, applicant: Applicant, as_of: date) -> list[Reason]:
    row, rules, found = snapshot.row, policy.eligibility, []
    covered = applicant.covered_until
    if covered is not None and (as_of - covered).days >= policy.lags.stale:
        found.append(reason("data_stale", covered_until=covered))
    blocks = row.get("blocks")
    if blocks is not None and rules.blocks <= blocks < rules.blocks_without_review:
        found.append(reason("short_history", blocks=blocks))
    if snapshot.daily_totals and rules.review_daily_totals:
        found.append(reason("daily_totals_only"))
    if rules.review_few_buyers and row.get("few_accounts") and not applicant.platform_is_buyer:
        found.append(reason("few_accounts", buyers=row.get("buyers")))
    apart = Fraction(row.get("apart_share") or 0)
    if apart >= rules.apart_share_review and not applicant.platform_is_buyer:
        found.append(reason("accounts_apart", share=_percent(apart)))
    flagged = Fraction(row.get("flagged_share") or 0)
    if rules.flagged_share_review <= flagged < rules.flagged_share_decline:
        found.append(reason("orders_flagged", share=_percent(flagged)))
    if applicant.rating is not None and applicant.rating < rules.rating_review:
        found.append(reason("low_rating", rating=applicant.rating))
    return found


def _limit(
    snapshot: Snapshot, policy: Policy, applicant: Applicant, currency: str, as_of: date, grade: Grade | None
) -> Limit | None:
    if grade is None or snapshot.row.get("typical_month") is None:
        return None
    bases = [Basis(snapshot.cut_off, snapshot.row, grade)]
    if snapshot.mature_row.get("typical_month") is not None:
        bases.append(Basis(snapshot.mature_cut_off, snapshot.mature_row, grade))
    return credit_limit(bases, policy, applicant, currency, as_of)


def _too_small(limit: Limit, currency: str) -> Reason:
    return reason(
        "limit_too_small", limit=amount_text(limit.unrounded_minor, currency),
        minimum=amount_text(limit.minimum_minor, currency),
    )  # fmt: skip


def _counter_offer(applicant: Applicant, granted: int, currency: str) -> list[Reason]:
    """Less than was asked for can be granted, and is offered; a decline offers nothing. *Source:* house rule."""
    asked = applicant.asked_minor
    if asked is None or not 0 < granted < asked:
        return []
    told = {"asked": amount_text(asked, currency), "limit": amount_text(granted, currency)}
    return [reason("counter_offer", **told)]


def _outcome(declines: list[Reason], reviews: list[Reason]) -> Outcome:
    """A stale flow goes to a person whatever it says: it is not the same as fallen sales."""
    if any(each.code == "data_stale" for each in reviews):
        return "manual_review"
    if declines:
        return "declined"
    return "manual_review" if reviews else "approved"


def _score_reasons(scored: Score | None, policy: Policy) -> list[Reason]:
    if scored is None:
        return []
    return [reason(points.reason) for points in worst_points(scored.points, policy.scorecard.reasons_told)]


def _percent(share: Fraction) -> str:
    return f"{Decimal(int(share * 1000)).scaleb(-1)}%"


def rerun(decision: Decision, policy: Policy) -> Decision:
    """The stored decision made again from its snapshot; equal to the fen. Raises BadInput for another policy.

    >>> from .policy import shipped_policy
    >>> decided = decide([], shipped_policy(), as_of="2025-05-01")
    >>> rerun(decided, shipped_policy()) == decided
    True
    """
    if policy.sha256 != decision.policy_sha256:
        raise BadInput(
            field="policy", value=policy.sha256, reason=f"the decision was made by {decision.policy_sha256}"
        )
    return assess(
        decision.snapshot, policy, decision.applicant, as_of=decision.as_of, currency=decision.currency,
        merchant_id=decision.merchant_id, shop_ids=decision.shop_ids, evidence=decision.findings,
    )  # fmt: skip


# --- JSON -------------------------------------------------------------------------------------------------------------


def to_values(decision: Decision) -> dict[str, Any]:
    """The decision as plain JSON values: amounts as text with the currency's digits, dates ISO, rates plain decimals.

    >>> from .policy import shipped_policy
    >>> values = to_values(decide([], shipped_policy(), as_of="2025-05-01"))
    >>> values["outcome"], values["limit"], values["as_of"]
    ('declined', '0.00', '2025-05-01')
    """
    currency = decision.currency
    return {
        "merchant_id": decision.merchant_id, "shop_ids": list(decision.shop_ids),
        "shop_id": decision.shop_ids[0] if len(decision.shop_ids) == 1 else decision.merchant_id,
        "as_of": decision.as_of.isoformat(), "cut_off": decision.cut_off.isoformat(), "currency": currency,
        "outcome": decision.outcome, "score": decision.score, "probability": _text(decision.probability),
        "grade": decision.grade, "limit": amount_text(decision.limit_minor, currency),
        "daily_rate": _plain(decision.daily_rate), "yearly_rate": _plain(decision.yearly_rate),
        "rate": decision.rate.canonical() if decision.rate else None,
        "seasonal": _seasonal_values(decision.seasonal, currency),
        "reasons": [_reason_values(each) for each in decision.reasons],
        "waterfall": [_step_values(each, currency) for each in decision.steps],
        "points": [_points_values(each, currency) for each in decision.points],
        "snapshot": _snapshot_values(decision.snapshot, currency),
        "applicant": _applicant_values(decision.applicant),
        "findings": [_plain_values(asdict(each)) for each in decision.findings],
        "policy": {"name": decision.policy_name, "version": decision.policy_version, "sha256": decision.policy_sha256},
    }  # fmt: skip


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def _plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(v) if isinstance(v, (date, Decimal)) else v for name, v in values.items()}


def _seasonal_values(seasonal: SeasonalLimit | None, currency: str) -> dict[str, Any] | None:
    if seasonal is None:
        return None
    return {
        "peak": seasonal.peak, "limit": amount_text(seasonal.limit_minor, currency),
        "starts_on": seasonal.starts_on.isoformat(), "ends_on": seasonal.ends_on.isoformat(),
        "draw_days": seasonal.draw_days,
    }  # fmt: skip


def _reason_values(each: Reason) -> dict[str, Any]:
    return {"code": each.code, "en": each.text("en"), "zh": each.text("zh"), "values": dict(each.values)}


def _step_values(each: Step, currency: str) -> dict[str, Any]:
    return {
        "step": each.name, "value": each.value_text(currency),
        "amount_minor": each.amount_minor, "factor": _text(each.factor), "inputs": dict(each.inputs),
        "en": each.text("en"), "zh": each.text("zh"),
    }  # fmt: skip


def _points_values(each: Points, currency: str) -> dict[str, Any]:
    return {
        "feature": each.feature, "value": feature_text(each.feature, each.value, currency), "points": each.points,
        "best": each.best, "reason": each.reason,
    }  # fmt: skip


def feature_text(name: str, value: Value, currency: str) -> str | int | None:
    """A feature's value in JSON: amounts and ratios as text, days and counts as numbers, null when missing.

    >>> feature_text("sales_7d", 1230, "CNY")
    '12.30'
    """
    if value is None:
        return None
    if DEFINITIONS[name].unit == "amount":
        return amount_text(int(value), currency)
    return str(value) if isinstance(value, Decimal) else value


def feature_value(name: str, text: str | int | None, currency: str) -> Value:
    """The inverse of :func:`feature_text`.

    >>> feature_value("sales_90d", "120.50", "CNY"), feature_value("refund_rate", "0.0312", "CNY")
    (12050, Decimal('0.0312'))
    """
    if text is None:
        return None
    unit = DEFINITIONS[name].unit
    if unit == "amount":
        return to_minor(str(text), currency, name)
    return Decimal(text) if unit == "ratio" else int(text)


def _snapshot_values(snapshot: Snapshot, currency: str) -> dict[str, Any]:
    return {
        "known_on": snapshot.known_on.isoformat(), "cut_off": snapshot.cut_off.isoformat(),
        "mature_cut_off": snapshot.mature_cut_off.isoformat(),
        "features": {name: feature_text(name, value, currency) for name, value in snapshot.row.items()},
        "mature_features": {name: feature_text(name, value, currency) for name, value in snapshot.mature_row.items()},
        "daily_totals": snapshot.daily_totals, "flow_sha256": snapshot.flow_sha256,
    }  # fmt: skip


def _applicant_values(applicant: Applicant) -> dict[str, Any]:
    relations = [relation_values(each) for each in applicant.relations]
    plain = _plain_values(asdict(replace(applicant, relations=())))
    return {**plain, "relations": relations, "own_buyers": list(applicant.own_buyers)}


def from_json(text: str) -> Decision:
    """The decision that :meth:`Decision.to_json` wrote. Raises IntegrityBroken for anything else.

    >>> from .policy import shipped_policy
    >>> decided = decide([], shipped_policy(), as_of="2025-05-01")
    >>> from_json(decided.to_json()) == decided
    True
    """
    try:
        return _from_values(json.loads(text))
    except (KeyError, TypeError, ValueError, BadInput) as broken:
        raise IntegrityBroken(subject="stored decision", reason=f"cannot be read: {broken}") from None


def _from_values(values: dict[str, Any]) -> Decision:
    currency = values["currency"]
    return Decision(
        merchant_id=values["merchant_id"], shop_ids=tuple(values["shop_ids"]),
        as_of=date.fromisoformat(values["as_of"]), cut_off=date.fromisoformat(values["cut_off"]), currency=currency,
        outcome=values["outcome"], score=values["score"], probability=_decimal(values["probability"]),
        grade=values["grade"], limit_minor=to_minor(values["limit"], currency, "limit"),
        rate=Rate.parse(values["rate"]) if values["rate"] else None,
        seasonal=_seasonal_from(values["seasonal"], currency),
        reasons=tuple(Reason(each["code"], tuple(each["values"].items())) for each in values["reasons"]),
        steps=tuple(_step_from(each) for each in values["waterfall"]),
        points=tuple(_points_from(each, currency) for each in values["points"]),
        snapshot=_snapshot_from(values["snapshot"], currency), applicant=_applicant_from(values["applicant"]),
        findings=tuple(_finding_from(each) for each in values["findings"]), policy_name=values["policy"]["name"],
        policy_version=values["policy"]["version"], policy_sha256=values["policy"]["sha256"],
    )  # fmt: skip


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _seasonal_from(values: dict[str, Any] | None, currency: str) -> SeasonalLimit | None:
    if values is None:
        return None
    starts_on, ends_on = date.fromisoformat(values["starts_on"]), date.fromisoformat(values["ends_on"])
    limit = to_minor(values["limit"], currency, "seasonal.limit")
    return SeasonalLimit(values["peak"], limit, starts_on, ends_on, values["draw_days"])


def _step_from(values: dict[str, Any]) -> Step:
    factor = None if values["factor"] is None else Fraction(values["factor"])
    return Step(values["step"], values["amount_minor"], factor, tuple(values["inputs"].items()))


def _points_from(values: dict[str, Any], currency: str) -> Points:
    value = feature_value(values["feature"], values["value"], currency)
    return Points(values["feature"], value, values["points"], values["best"], values["reason"])


def _snapshot_from(values: dict[str, Any], currency: str) -> Snapshot:
    return Snapshot(
        known_on=date.fromisoformat(values["known_on"]), cut_off=date.fromisoformat(values["cut_off"]),
        mature_cut_off=date.fromisoformat(values["mature_cut_off"]), row=_row_from(values["features"], currency),
        mature_row=_row_from(values["mature_features"], currency), daily_totals=values["daily_totals"],
        flow_sha256=values["flow_sha256"],
    )  # fmt: skip


def _row_from(values: dict[str, Any], currency: str) -> dict[str, Value]:
    return {name: feature_value(name, text, currency) for name, text in values.items()}


def _applicant_from(values: dict[str, Any]) -> Applicant:
    caps = tuple(Cap(**cap) for cap in values["caps"])
    known = {
        "caps": caps,
        "covered_until": _day(values["covered_until"]),
        "rating": _decimal(values["rating"]),
        "relations": tuple(relation_from(each) for each in values["relations"]),
        "own_buyers": tuple(values["own_buyers"]),
    }
    return Applicant(**{**values, **known})


def _finding_from(values: dict[str, Any]) -> Finding:
    days = {name: _day(values[name]) for name in ("day", "first_day", "last_day")}
    return Finding(**{**values, **days})
