"""Back-tests: no look-ahead, sums that add up, outcomes only where they are known, challengers and rendering."""

from __future__ import annotations

import json
import re
import sys
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from html.parser import HTMLParser

import numpy as np
import pytest
from market import market

from microloan.errors import BadInput, InvalidSetting
from microloan.reports.backtest_page import backtest_page
from microloan.reports.words import WORDS, words
from microloan.underwriting import Applicant, SalesLines, decide, sales_lines, shipped_policy
from microloan.underwriting.backtest import BackTest, Preset, backtest, part, stress_preset
from microloan.underwriting.features import DEFINITIONS
from microloan.underwriting.outcome import auc, decision_days, kolmogorov_smirnov, outcome, stability_index

FIRST, LAST = date(2023, 10, 1), date(2024, 11, 1)


def stricter() -> object:
    policy = shipped_policy()
    halved = tuple(grade.model_copy(update={"k": grade.k / 2}) for grade in policy.grades)
    return policy.model_copy(update={"name": "halved", "version": 2, "grades": halved})


@pytest.fixture(scope="module")
def lines() -> SalesLines:
    return market(40)


@pytest.fixture(scope="module")
def test(lines: SalesLines) -> BackTest:
    return backtest(lines, shipped_policy(), FIRST, LAST, against=stricter())  # type: ignore[arg-type]


def test_every_month_is_decided_as_it_would_have_been_on_the_day(lines: SalesLines, test: BackTest) -> None:
    month = test.champion.months[4]
    alone = [
        decide(lines.of_shops([number]), shipped_policy(), as_of=month.as_of)
        for number in range(len(lines.shops))
    ]
    granted = [each for each in alone if each.outcome == "approved"]
    assert (month.approved, month.limit_minor) == (len(granted), sum(each.limit_minor for each in granted))


def test_later_lines_change_no_decision(lines: SalesLines, test: BackTest) -> None:
    early = lines.take(lines.paid_day <= date(2024, 3, 1).toordinal())
    months = backtest(early, shipped_policy(), FIRST, date(2024, 3, 1)).champion.months
    for short, whole in zip(months, test.champion.months, strict=False):
        assert (short.approved, short.declined, short.limit_minor) == (
            whole.approved,
            whole.declined,
            whole.limit_minor,
        )
        if short.known:
            assert short == whole


def test_outcomes_are_told_only_where_the_ninety_days_are_over(test: BackTest) -> None:
    for month in test.champion.months:
        assert month.known == (month.as_of + timedelta(days=90) <= test.covered_until)
        assert (month.collapsed_share is None) == (not month.known)
    assert not test.champion.months[-1].known


def test_the_total_is_the_sum_of_the_months(test: BackTest) -> None:
    for result in test.results:
        known = [month for month in result.months if month.known]
        assert result.total.limit_minor == sum(month.limit_minor for month in result.months)
        assert result.total.collapsed_limit_minor == sum(month.collapsed_limit_minor or 0 for month in known)
        assert sum(grade.cases for grade in result.grades) == result.total.judged
        assert sum(grade.collapsed for grade in result.grades) == result.total.collapsed


def test_the_common_rule_lends_the_same_total_to_more_shops_that_collapse(test: BackTest) -> None:
    total = test.champion.total
    assert total.collapsed_share is not None
    assert total.rule_share is not None
    assert total.collapsed_share < total.rule_share
    assert total.auc is not None
    assert total.auc > Decimal("0.65")


def test_a_challenger_of_half_the_limits_grants_half(test: BackTest) -> None:
    assert test.challenger is not None
    assert test.challenger.total.auc == test.champion.total.auc
    assert 0.35 < test.challenger.total.limit_minor / test.champion.total.limit_minor < 0.55


def test_stress_covers_less_and_expects_more(test: BackTest) -> None:
    plain, sales, default, both = test.champion.stress
    assert plain.covered is not None
    assert sales.covered is not None
    assert default.expected is not None
    assert plain.expected is not None
    assert sales.covered < plain.covered
    assert plain.expected < default.expected <= 3 * plain.expected + Decimal("0.0001")
    assert (both.covered, both.expected) == (sales.covered, default.expected)


def test_the_table_has_a_row_for_every_policy_and_month(test: BackTest) -> None:
    rows = test.rows()
    assert len(rows) == 2 * (len(test.champion.months) + 1)
    assert rows[len(test.champion.months)]["month"] == "total"
    assert all(isinstance(value, str) for row in rows for value in row.values())


def test_json_holds_everything_with_amounts_as_text(test: BackTest) -> None:
    values = json.loads(test.to_json())
    assert (
        values["champion"]["total"]["limit"] == f"{Decimal(test.champion.total.limit_minor).scaleb(-2):.2f}"
    )
    assert values["champion"]["months"][-1]["collapsed_limit"] is None
    assert len(values["champion"]["stability"]) == len(shipped_policy().scorecard.characteristics) + 1


def test_changes_without_a_date_are_counted(test: BackTest) -> None:
    assert test.undated == test.changes > 0
    assert test.undated_share == 1


def test_merchants_of_several_shops_are_one() -> None:
    lines = market(2)
    found = backtest(
        lines, shipped_policy(), date(2024, 1, 1), date(2024, 2, 1), merchant_of={"m0": "both", "m1": "both"}
    )
    assert [month.merchants for month in found.champion.months] == [1, 1]


def test_spans_that_make_no_sense_are_refused(lines: SalesLines) -> None:
    with pytest.raises(BadInput, match="before the first day"):
        backtest(lines, shipped_policy(), LAST, FIRST)
    with pytest.raises(BadInput, match="at most 240"):
        decision_days(date(1990, 1, 1), date(2024, 1, 1))
    with pytest.raises(BadInput, match="no sales line"):
        backtest([], shipped_policy(), FIRST, LAST)


def test_progress_is_told() -> None:
    seen: list[tuple[int, int]] = []
    backtest(
        market(2),
        shipped_policy(),
        date(2024, 1, 1),
        date(2024, 3, 1),
        progress=lambda n, of: seen.append((n, of)),
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_stress_of_ones_own_is_put_on_the_outcome(lines: SalesLines) -> None:
    presets = [
        Preset("as it came", Fraction(1), 1),
        stress_preset("sales=-100%"),
        stress_preset("default=99"),
    ]
    found = backtest(
        lines, shipped_policy(), date(2024, 3, 1), date(2024, 3, 1), presets=presets
    ).champion.stress
    assert [each.name for each in found] == ["as it came", "sales −100%", "default × 99"]
    assert (found[1].covered, found[1].collapsed, found[2].expected) == (0, 1, 1)


@pytest.mark.parametrize(
    "text", ["", ",", "sales", "sales=-101%", "sales=30%", "default=0", "default=2,sales=-5%"]
)
def test_a_stress_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="write it as sales=-30%"):
        stress_preset(text)


def test_the_limits_of_a_product_hold_on_every_day_and_a_coverage_of_today_does_not(
    lines: SalesLines,
) -> None:
    span, cap = (date(2024, 3, 1), date(2024, 4, 1)), 100_000
    held = Applicant(product_cap_minor=cap, covered_until=date(2023, 1, 1))
    plain = backtest(lines, shipped_policy(), *span).champion
    capped = backtest(lines, shipped_policy(), *span, applicants=dict.fromkeys(lines.shops, held)).champion
    for before, after in zip(plain.months, capped.months, strict=True):
        assert after.approved == before.approved > 0
        assert 0 < after.limit_minor <= after.approved * cap < before.limit_minor


def test_before_any_sale_nothing_is_known() -> None:
    found = backtest(market(2), shipped_policy(), date(2020, 1, 1), date(2020, 2, 1))
    assert found.champion.total.merchants == 0
    assert found.champion.total.auc is None
    assert "<table>" in backtest_page(found)


# --- measures ---------------------------------------------------------------------------------------------------------


def test_an_outcome_is_collapse_below_half_of_the_mean_ninety_days() -> None:
    def shop(after: int) -> SalesLines:
        before = [{"shop_id": "s", "order_id": f"b{n}", "paid_at": date(2024, 7, 1) - timedelta(days=n), "amount_minor": 100}
                  for n in range(180)]  # fmt: skip
        later = [{"shop_id": "s", "order_id": f"a{n}", "paid_at": date(2024, 7, 2) + timedelta(days=n), "amount_minor": 100}
                 for n in range(after)]  # fmt: skip
        return sales_lines(before + later)

    assert not outcome(shop(45), date(2024, 7, 1)).collapsed[0]
    assert outcome(shop(44), date(2024, 7, 1)).collapsed[0]
    assert not outcome(shop(44), date(2024, 7, 1), least_months=9).judged[0]


def test_ranking_measures_against_counting_every_pair() -> None:
    chance = np.random.default_rng(3)
    risk, bad = chance.integers(0, 9, 60), chance.random(60) < 0.4
    pairs = [(b > g) + (b == g) / 2 for b in risk[bad] for g in risk[~bad]]
    assert auc(risk, bad) == pytest.approx(sum(pairs) / len(pairs))
    gaps = [abs((risk[bad] <= cut).mean() - (risk[~bad] <= cut).mean()) for cut in range(9)]
    assert kolmogorov_smirnov(risk, bad) == pytest.approx(max(gaps))
    assert auc(risk, np.zeros(60, dtype=np.bool_)) is None


def test_the_stability_index_is_that_of_the_textbook() -> None:
    before, after = np.array([1000, 1000]), np.array([500, 1500])
    expected = (0.25 - 0.5) * np.log(0.25 / 0.5) + (0.75 - 0.5) * np.log(0.75 / 0.5)
    assert stability_index(before, after) == pytest.approx(expected, abs=0.002)
    assert part(1, 0) is None


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_is_one_file_that_refers_to_nothing(test: BackTest) -> None:
    page = backtest_page(test)
    references = set(re.findall(r"(?:href|src|url|@import)\s*[=(]?\s*[\"'(]([^\"')]+)", page))
    assert all(each.startswith("#") for each in references)
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "<script" not in page
    assert page.count("<svg") == 4


def test_the_page_says_what_the_values_say(test: BackTest) -> None:
    page = backtest_page(test)
    assert test.champion.total.collapsed_share is not None
    assert f"{test.champion.total.collapsed_share * 100:.1f}% of the limits went to merchants" in page
    assert "halved v2" in page
    assert backtest_page(test) == page


class Texts(HTMLParser):
    """Every text of a page that a reader sees, in order, its pictures' too."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.hidden = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self.hidden = False

    def handle_data(self, data: str) -> None:
        if data.strip() and not self.hidden:
            self.found.append(data.strip())


#: What has no language: numbers, days, names of policies and grades, hashes.
NAMES = re.compile(r"[\d.,:%–…/ -]+|(marketplace|halved)( v\d| [0-9a-f]{16}…)?|[A-D]")


def test_every_text_of_the_chinese_page_is_chinese(test: BackTest) -> None:
    english, chinese = Texts(backtest_page(test)).found, Texts(backtest_page(test, lang="zh")).found
    pairs = [(en, zh) for en, zh in zip(english, chinese, strict=False) if not NAMES.fullmatch(en)]
    assert len(pairs) > 90
    for en, zh in pairs:
        if not re.fullmatch(r"[\d.]+[kM]", en):  # an axis has other steps where thousands are ten thousands
            assert re.search(r"[\u4e00-\u9fff，]", zh), (en, zh)
            assert not re.search(r"[\u4e00-\u9fff]", en)
    left = re.sub(r"marketplace|halved|microloan|AUC|KS|CNY|PSI|v\d|[0-9a-f]{16}", "", " ".join(chinese))
    assert re.findall(r"[A-Za-z]{2,}", left) == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_page_before_any_sale_is_whole_in_both_languages(lang: str) -> None:
    nothing = backtest(market(2), shipped_policy(), date(2020, 1, 1), date(2020, 2, 1))
    assert words(lang)["backtest.unknown"].format(policy="marketplace v1") in backtest_page(
        nothing, lang=lang
    )


def test_every_feature_has_a_name_in_both_languages() -> None:
    assert [name for name in DEFINITIONS if f"feature_name.{name}" not in WORDS] == []


def test_without_the_extra_the_page_says_what_to_install(
    test: BackTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(InvalidSetting, match=r"microloan\[reports\]"):
        backtest_page(test)
