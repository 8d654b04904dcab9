"""The policy file: what it refuses, where, and what it is in canonical form."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from microloan_cli import fixtures

from microloan.errors import InvalidPolicy
from microloan.underwriting import Policy, load_policy, shipped_policy, shipped_policy_text
from microloan.underwriting.features import DEFINITIONS
from microloan.underwriting.policy_text import policy_text
from microloan.underwriting.reasons import REASONS


def changed(old: str, new: str) -> str:
    text = shipped_policy_text()
    assert old in text
    return text.replace(old, new, 1)


def line_with(text: str, part: str) -> int:
    return next(number for number, each in enumerate(text.splitlines(), 1) if part in each)


def test_the_shipped_policy_has_the_published_numbers() -> None:
    """SEMANTICS 8: k A 2, B 1.5, C 1, D 0.5; tenure 90, last sale 30, 3 blocks; refunds 5% and 2; concentration 30%."""
    policy = shipped_policy()
    assert [(grade.name, grade.k) for grade in policy.grades] == [
        ("A", 2), ("B", Fraction(3, 2)), ("C", 1), ("D", Fraction(1, 2)),
    ]  # fmt: skip
    rules = policy.eligibility
    assert (rules.tenure_days, rules.last_sale_days, rules.blocks, rules.blocks_without_review) == (
        90,
        30,
        3,
        6,
    )
    haircuts = policy.haircuts
    assert (haircuts.refunds.free, haircuts.refunds.slope) == (Fraction(1, 20), 2)
    assert (haircuts.top_buyer_share, haircuts.floor) == (Fraction(3, 10), Fraction(1, 4))
    assert (policy.lags.unsettled, policy.lags.stale, policy.repayment.margin) == (45, 7, Fraction(4, 5))
    assert (policy.seasonal.days_before, policy.seasonal.draw_days) == (60, 90)
    assert [peak.name for peak in policy.peaks] == ["6.18", "11.11", "12.12"]


def test_every_feature_and_reason_of_the_shipped_scorecard_exists() -> None:
    for each in shipped_policy().scorecard.characteristics:
        assert each.feature in DEFINITIONS
        assert each.reason in REASONS


def test_the_canonical_form_reads_back_with_the_same_hash() -> None:
    policy = shipped_policy()
    again = Policy.from_canonical(policy.canonical)
    assert again == policy
    assert again.sha256 == policy.sha256
    assert len(policy.sha256) == 64


def test_comments_and_spelling_do_not_change_the_hash_and_a_number_does() -> None:
    policy = shipped_policy()
    assert Policy.from_toml(changed('free = "5%"', "free = 0.05 # one in twenty")).sha256 == policy.sha256
    assert Policy.from_toml(changed('free = "5%"', 'free = "6%"')).sha256 != policy.sha256


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("tenure_days = 90", 'tenure_days = "90"', "eligibility.tenure_days"),
        ("tenure_days = 90", "tenure_days = -1", "eligibility.tenure_days"),
        ("k = 1.5", "k = nan", "grades.1.k"),
        ("k = 1.5", 'k = "a lot"', "grades.1.k"),
        ('rate = "0.052%/day"', 'rate = "18%/year"', "grades.1.rate"),
        ('rate = "0.052%/day"', "rate = 0.00052", "grades.1.rate"),
        ('day = "06-18"', 'day = "06-31"', "peaks.0"),
        ('first = "05-22"', 'first = "05-21"', "peaks.0"),
        ("tenure_days = 90", "tenure_dayz = 90", "eligibility.tenure_dayz"),
        ("double = 40", "double = 0", "scorecard.odds.double"),
        ('feature = "silence"', 'feature = "siilence"', "scorecard.characteristics.2"),
        ("{ below = 0.25, points = -28 }", "{ below = 0.05, points = -28 }", "scorecard.characteristics.0"),
    ],
)
def test_a_fault_is_named_with_its_line_and_field(old: str, new: str, field: str) -> None:
    text = changed(old, new)
    with pytest.raises(InvalidPolicy) as refused:
        Policy.from_toml(text, file="mine.toml")
    assert str(refused.value.details["field"]).startswith(field)
    assert str(refused.value.details["file"]).startswith("mine.toml, line ")
    line = refused.value.details["line"]
    assert isinstance(line, int)
    assert 0 <= line_with(text, new) - line <= 6  # the key, or the head of the table it stands in


def test_all_faults_are_listed() -> None:
    text = changed("tenure_days = 90", "tenure_days = -1").replace("double = 40", "double = 0")
    with pytest.raises(InvalidPolicy) as refused:
        Policy.from_toml(text)
    faults = refused.value.details["faults"]
    assert isinstance(faults, list)
    assert len(faults) == 2


def test_broken_toml_is_refused_with_its_line() -> None:
    with pytest.raises(InvalidPolicy) as refused:
        Policy.from_toml("name = 'x'\nversion = \n", file="mine.toml")
    assert refused.value.details["line"] == 2


def test_grades_must_fall() -> None:
    with pytest.raises(InvalidPolicy, match="best grade first"):
        Policy.from_toml(changed("score = 580", "score = 400"))


def test_a_currency_without_amounts_is_refused_with_the_advice_to_add_it() -> None:
    with pytest.raises(InvalidPolicy, match="THB"):
        shipped_policy().minimum_limit_minor("THB")
    assert shipped_policy().minimum_limit_minor("BRL") == 5000
    assert shipped_policy().product_cap_minor("JPY") == 40_000_000


def test_the_minimum_must_not_pass_the_cap() -> None:
    with pytest.raises(InvalidPolicy, match="minimum"):
        Policy.from_toml(changed("minimum_limit = 500", "minimum_limit = 3000000"))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidPolicy):
        load_policy(path)
    with pytest.raises(InvalidPolicy):
        load_policy(tmp_path / "nowhere.toml")


def test_the_sample_policy_is_valid() -> None:
    folder = Path(fixtures.__file__).parent / "policies"
    names = [load_policy(path).name for path in sorted(folder.glob("*.toml"))]
    assert names == ["careful"]


def test_prices_are_exact() -> None:
    assert [grade.rate.yearly for grade in shipped_policy().grades] == [
        Decimal("0.1752"), Decimal("0.1898"), Decimal("0.2044"), Decimal("0.219"),
    ]  # fmt: skip


def test_a_policy_written_as_text_reads_back_the_same() -> None:
    folder = Path(fixtures.__file__).parent
    for policy in (shipped_policy(), load_policy(folder / "policies" / "careful.toml")):
        assert Policy.from_toml(policy_text(policy)).sha256 == policy.sha256


def test_shares_that_are_no_decimals_and_names_in_quotes_are_written_so_that_they_read_back() -> None:
    policy = Policy.from_toml(changed('sweep_share = "25%"', 'sweep_share = "1/18"'))
    named = policy.model_copy(update={"description": 'a "quoted" word\nand a second line, 中文'})
    assert Policy.from_toml(policy_text(named)) == named


def test_notes_become_comments_above_what_they_are_about() -> None:
    text = policy_text(shipped_policy(), {"": ["made by hand"], "silence": ["a table", ""]})
    assert text.startswith("# made by hand\n")
    assert '# a table\n#\n[[scorecard.characteristics]]\nfeature = "silence"' in text


@pytest.mark.parametrize(
    ("old", "new", "field", "reason"),
    [
        ("k = 2\n", "k = -2\n", "grades.0.k", "-2 is not between 0 and 100"),
        ("k = 2\n", "k = 0\n", "grades.0.k", "must be above 0"),
        ("floor = 0.25", "floor = 2.5", "haircuts.floor", "5/2 is not between 0 and 1"),
        ("margin = 0.8", "margin = 8", "repayment.margin", "8 is not above 0 and at most 1"),
        ("good_to_bad = 2", "good_to_bad = 0", "scorecard.odds.good_to_bad", "must be above 0"),
        ('name = "B"', 'name = "A"', "grades.1.name", "there is a grade A already"),
        ("score = 565", "score = 590", "grades.1.score", "list the best grade first"),
        ('rate = "0.052%/day"', 'rate = "0.04%/day"', "grades.1.rate", "may not cost less than grade A"),
        ('feature = "momentum_sales"', 'feature = "momentum_orders"', "scorecard.characteristics.1.feature", "scored already"),
        ('flagged_share_decline = "30%"', 'flagged_share_decline = "5%"', "eligibility.flagged_share_decline", "lies below"),
    ],
)  # fmt: skip
def test_what_no_lender_can_mean_is_refused_on_its_line(old: str, new: str, field: str, reason: str) -> None:
    text = changed(old, new)
    with pytest.raises(InvalidPolicy) as refused:
        Policy.from_toml(text)
    fault = refused.value.details["faults"][0]
    assert fault["field"] == field
    assert reason in fault["reason"]
    assert new.split("\n")[0] in text.splitlines()[fault["line"] - 1]


def test_every_contradiction_is_told_at_once() -> None:
    text = changed('name = "B"', 'name = "A"').replace("score = 565", "score = 590")
    with pytest.raises(InvalidPolicy) as refused:
        Policy.from_toml(text)
    assert [fault["field"] for fault in refused.value.details["faults"]] == [
        "grades.1.name",
        "grades.1.score",
    ]
