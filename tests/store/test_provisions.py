"""Provisions follow principal by class, rounded once per group. Source: SEMANTICS 5 and 6."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from microloan.errors import InvalidSetting

from .counter import Counter


def allowances(counter: Counter) -> dict[str, Decimal]:
    """The allowance per class as the books have it, positive."""
    return {
        line.classification: -line.balance
        for line in counter.book.trial_balance().accounts
        if line.account == "provision_allowance" and line.balance
    }


def test_a_close_provides_for_the_principal_of_each_class(counter: Counter) -> None:
    line = counter.line()
    counter.loan(line, "100000", days=3)
    counter.loan(line, "10000", days=300)
    assert allowances(counter) == {}
    counter.close_until(date(2017, 5, 2))
    assert allowances(counter) == {"normal": Decimal("1650.00")}  # 1.5% of 110,000.00
    counter.close_until(date(2017, 5, 10))
    assert allowances(counter) == {"normal": Decimal("150.00"), "special_mention": Decimal("3000.00")}
    counter.close_until(date(2017, 8, 4))
    assert allowances(counter) == {"normal": Decimal("150.00"), "substandard": Decimal("30000.00")}
    counter.must_be_sound()


def test_what_is_repaid_or_written_off_needs_no_provision(counter: Counter) -> None:
    line = counter.line()
    loans = [counter.loan(line, "1000", days=90).id for _ in range(2)]
    counter.close_until(date(2017, 5, 4))
    counter.book.repay(loans[0], "all")
    counter.book.write_off(loans[1])
    counter.must_be_sound()
    counter.close_until(date(2017, 5, 5))
    assert allowances(counter) == {}
    counter.must_be_sound()


def test_the_difference_is_posted_in_the_morning(counter: Counter) -> None:
    counter.loan(counter.line(), "1000")
    counter.close_until(date(2017, 5, 4))
    lines = [line for line in counter.journal() if line.account.startswith("provision_")]
    assert {(line.day, line.source) for line in lines} == {(date(2017, 5, 2), "morning")}
    assert [line.amount for line in lines] == [Decimal("-15.00"), Decimal("15.00")]


def test_the_lender_s_own_rates_hold_from_their_day_and_closed_days_keep_theirs(counter: Counter) -> None:
    counter.loan(counter.line(), "100000.00")
    counter.close_until(date(2017, 5, 3))
    assert allowances(counter) == {"normal": Decimal("1500.00")}  # the shipped 1.5%
    own = dict.fromkeys(("normal", "special_mention", "substandard", "doubtful", "loss"), "100%") | {
        "normal": "2%"
    }
    with pytest.raises(InvalidSetting, match="days before 2017-05-03 are closed"):
        counter.book.lender.set({"provisions": [{"from": "2017-05-02"} | own]})
    counter.book.lender.set({"provisions": [{"from": "2017-05-04"} | own]})
    counter.must_be_sound()
    counter.close_until(date(2017, 5, 4))
    assert allowances(counter) == {"normal": Decimal("1500.00")}
    counter.close_until(date(2017, 5, 5))
    assert allowances(counter) == {"normal": Decimal("2000.00")}
    counter.must_be_sound()
    with pytest.raises(InvalidSetting, match="special_mention"):
        counter.book.lender.set({"provisions": [{"from": "2017-06-01", "normal": "2%"}]})
