"""Due dates that fall on closed days."""

from __future__ import annotations

from datetime import date

import pytest

from microloan.errors import InvalidSetting
from microloan.servicing.calendars import listed, public_holidays, rolled, rolled_due_dates, weekends
from microloan.servicing.replay import life
from microloan.terms import LoanTerms

TERMS = {
    "method": "interest_only",
    "principal": "1000.00",
    "rate": "0.1%/day",
    "start": "2024-05-01",
    "term": "3m",
}


def test_interest_runs_to_the_rolled_date_and_the_next_period_starts_there() -> None:
    rolled_days = rolled_due_dates(LoanTerms.parse(TERMS), weekends)
    terms = LoanTerms.parse({**TERMS, "due_dates": [day.isoformat() for day in rolled_days]})
    rows = life(terms, [], [terms.start]).schedule
    assert [(row.due, row.interest) for row in rows] == [
        (date(2024, 6, 3), 3300),
        (date(2024, 7, 1), 2800),
        (date(2024, 8, 1), 3100),
    ]


def test_chinese_holidays_move_and_their_working_weekends_do_not() -> None:
    closed = public_holidays("CN")
    assert rolled(date(2024, 10, 1), closed) == date(2024, 10, 8)
    assert not closed(date(2024, 9, 29))  # a Sunday worked for National Day


def test_a_lender_may_list_its_own_days() -> None:
    closed = listed({date(2024, 6, 3)})
    assert rolled(date(2024, 6, 1), closed) == date(2024, 6, 4)


def test_preceding_never_reaches_the_start() -> None:
    terms = LoanTerms.parse({**TERMS, "start": "2024-05-31", "due_day": 1, "term": "1m"})
    assert rolled_due_dates(terms, weekends, "preceding") == (date(2024, 6, 3),)


def test_an_unknown_country_is_refused_with_its_code() -> None:
    with pytest.raises(InvalidSetting, match="XX"):
        public_holidays("XX")
