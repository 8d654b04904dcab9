"""Fitting: the policy it writes is read back, the same each time, ranks, is calibrated, and keeps what it must."""

from __future__ import annotations

import sys
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from market import FIRST, market

from microloan.errors import BadInput, InvalidSetting
from microloan.underwriting import Policy, SalesLines, decide_many, load_policy, shipped_policy
from microloan.underwriting.fitting import (
    CANDIDATES,
    GUARDS,
    REASON_OF,
    Cases,
    Fitted,
    cases_of_lines,
    cases_of_rows,
    fit,
    fit_until,
    score_cases,
)
from microloan.underwriting.outcome import auc, outcome
from microloan.underwriting.reasons import REASONS

LAST = date(2024, 3, 1)


@pytest.fixture(scope="module")
def lines() -> SalesLines:
    return market()


@pytest.fixture(scope="module")
def cases(lines: SalesLines) -> Cases:
    return cases_of_lines(lines, shipped_policy(), first=date(2023, 8, 1), last=LAST, every_days=14)


@pytest.fixture(scope="module")
def fitted(cases: Cases) -> Fitted:
    return fit(cases, shipped_policy(), name="ours")


def test_the_text_reads_back_as_the_policy_and_tells_how_it_was_made(
    fitted: Fitted, tmp_path: object
) -> None:
    path = tmp_path / "ours.toml"  # type: ignore[operator]
    path.write_text(fitted.text, encoding="utf-8")
    assert load_policy(path).sha256 == fitted.policy.sha256
    assert fitted.policy.name == "ours"
    for table in fitted.tables:
        assert f"# {table.feature}: " in fitted.text
    assert f"{fitted.cases} cases of {fitted.shops} shops, {fitted.bad} of them bad" in fitted.text


def test_the_same_cases_give_the_same_text(cases: Cases, fitted: Fitted) -> None:
    assert fit(cases, shipped_policy(), name="ours").text == fitted.text


def test_bins_rise_and_their_evidence_only_rises_or_only_falls(fitted: Fitted) -> None:
    for table in fitted.tables:
        points = [each.points for each in table.bins if not each.missing]
        assert points in (sorted(points), sorted(points, reverse=True)), table.feature
        assert sum(each.cases for each in table.bins) == fitted.cases
        assert sum(each.bad for each in table.bins) == fitted.bad


def test_a_falling_shop_loses_points(fitted: Fitted) -> None:
    momentum = next(each for each in fitted.tables if each.feature.startswith("momentum"))
    assert momentum.bins[0].points < 0 < momentum.bins[-2].points


def test_it_ranks_shops_later_and_is_calibrated(lines: SalesLines, fitted: Fitted) -> None:
    day = LAST + timedelta(days=95)
    found = outcome(lines, day)
    decided = list(decide_many(lines.take(lines.paid_day <= day.toordinal()), fitted.policy, as_of=day))
    score = np.array([each.score or 0 for each in decided])
    told = np.array([float(each.probability or 1) for each in decided])
    assert (auc(-score[found.judged], found.collapsed[found.judged]) or 0) > 0.65
    assert abs(told[found.judged].mean() - found.collapsed[found.judged].mean()) < 0.15


def test_a_case_scores_like_a_decision(lines: SalesLines, fitted: Fitted) -> None:
    cases = cases_of_lines(lines, shipped_policy(), first=LAST, last=LAST)
    scores = {
        each.merchant_id: each.score
        for each in decide_many(lines.take(lines.paid_day <= LAST.toordinal()), fitted.policy, as_of=LAST)
    }
    shops = [lines.shops[number] for number in cases.group.tolist()]
    assert score_cases(cases, fitted.policy).tolist() == [scores[shop] for shop in shops]


def test_grades_keep_their_odds_and_the_rest_of_the_template_stands(fitted: Fitted) -> None:
    before, after = shipped_policy(), fitted.policy
    for old, new in zip(before.grades, after.grades, strict=True):
        assert (old.name, old.k, old.rate) == (new.name, new.k, new.rate)
        told = [odds_at(policy, grade.score) for policy, grade in ((before, old), (after, new))]
        assert told[0] == pytest.approx(told[1], rel=0.03)
    assert after.model_copy(update={"scorecard": before.scorecard, "grades": before.grades, "name": before.name,
                                    "version": before.version, "description": before.description}) == before  # fmt: skip


def odds_at(policy: Policy, score: int) -> float:
    odds = policy.scorecard.odds
    assert odds is not None
    return float(odds.good_to_bad) * float(2 ** ((score - odds.score) / odds.double))


def test_guards_against_abuse_stay_where_the_cases_cannot_judge_them(fitted: Fitted) -> None:
    kept = {each.feature: each for each in fitted.policy.scorecard.characteristics}
    own = {each.feature: each for each in shipped_policy().scorecard.characteristics}
    for name in GUARDS:
        assert name in kept
        if name not in {table.feature for table in fitted.tables}:
            assert kept[name] == own[name]


def test_a_lenders_own_outcomes_can_be_fitted(lines: SalesLines) -> None:
    rows, bad, shops = [], [], []
    for day in (LAST, LAST + timedelta(days=60)):
        found = outcome(lines, day, least_months=3)
        for number, each in enumerate(
            decide_many(lines.take(lines.paid_day <= day.toordinal()), shipped_policy(), as_of=day)
        ):
            rows.append(each.snapshot.row)
            bad.append(bool(found.collapsed[number]))
            shops.append(each.merchant_id)
    cases = cases_of_rows(rows, bad, shops=shops, event="90 days past due within a year")
    made = fit(
        cases, shipped_policy(), name="arrears", candidates=["momentum_sales", "sales_90d", "refund_rate"]
    )
    assert made.policy.scorecard.odds is not None
    assert made.policy.scorecard.odds.event == "90 days past due within a year"
    amounts = [t for t in made.tables if t.feature == "sales_90d"]
    assert all(each.below is None or each.below < Decimal(100_000) for t in amounts for each in t.bins)


def test_too_few_cases_and_unknown_candidates_are_refused(cases: Cases) -> None:
    few = cases_of_rows([{"silence": 1}] * 20, [True] * 20)
    with pytest.raises(BadInput, match="at least 50 cases"):
        fit(few, shipped_policy(), name="ours")
    with pytest.raises(BadInput, match="no such feature"):
        fit(cases, shipped_policy(), name="ours", candidates=["luck"])
    with pytest.raises(BadInput, match="need as many outcomes"):
        cases_of_rows([{}], [])
    with pytest.raises(BadInput, match="after the last day"):
        cases_of_lines(market(1), shipped_policy(), first=LAST, last=FIRST)


def test_a_fit_that_tells_nothing_of_other_shops_is_refused() -> None:
    with pytest.raises(BadInput, match="hardly ranked at all; 30 are bad"):
        fit_until(market(40), shipped_policy(), date(2024, 3, 1), name="chance")


def test_a_fit_until_a_day_uses_no_outcome_after_it_and_is_tested_from_it(lines: SalesLines) -> None:
    until = date(2024, 6, 1)
    done = fit_until(lines, shipped_policy(), until, name="ours")
    assert max(done.fitted.days) + timedelta(days=90) <= until
    assert done.out_of_time is not None
    assert min(done.out_of_time.days) == until
    early = lines.take(lines.paid_day <= until.toordinal())
    blind = fit_until(early, shipped_policy(), until, name="ours")
    assert blind.fitted.text == done.fitted.text
    assert blind.out_of_time is None
    with pytest.raises(BadInput, match="no outcome is known by then"):
        fit_until(lines, shipped_policy(), date(2023, 6, 1), name="ours")


def test_silence_after_the_end_of_the_file_is_no_collapse(lines: SalesLines) -> None:
    last = date.fromordinal(int(lines.paid_day.max()))
    known = fit_until(lines, shipped_policy(), last, name="ours")
    for until in (last + timedelta(days=30), date(2099, 1, 1)):
        later = fit_until(lines, shipped_policy(), until, name="ours")
        assert later.fitted.text == known.fitted.text
        assert (later.until, later.covered_until, later.out_of_time) == (until, last, None)


def test_a_template_without_odds_is_refused(cases: Cases) -> None:
    card = shipped_policy().scorecard.model_copy(update={"odds": None})
    with pytest.raises(BadInput, match="no odds"):
        fit(cases, shipped_policy().model_copy(update={"scorecard": card}), name="ours")


def test_without_the_extra_it_says_what_to_install(cases: Cases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.tree", None)
    with pytest.raises(InvalidSetting, match=r"microloan\[fit\]"):
        fit(cases, shipped_policy(), name="ours")


def test_every_candidate_has_a_reason_in_words() -> None:
    assert set(CANDIDATES) <= set(REASON_OF)
    assert set(REASON_OF.values()) <= set(REASONS)
