"""Sums beyond 64 bits are exact on both databases, above zero and below. Source: issue of figures at the extremes."""

from __future__ import annotations

from collections import Counter as Tally
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from microloan.rates import Rate
from microloan.servicing.accrual import INT64
from microloan.store import closing, reading
from microloan.store.tables_lending import JOURNAL
from microloan.store.unit import Unit

from .counter import START, Counter

AMOUNTS = st.one_of(
    st.integers(-INT64, INT64), st.sampled_from((INT64, -INT64, 1, -1, 1 << 32, -(1 << 32)))
).filter(bool)
ACCOUNTS = st.sampled_from(("cash", "principal", "interest_income"))


class Undone(Exception):
    """Rolls a transaction back."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(ACCOUNTS, AMOUNTS), min_size=1, max_size=40))
@example([("principal", INT64), ("principal", INT64), ("principal", -3)])
@example([("principal", -INT64)] * 3 + [("cash", INT64)] * 3)
def test_balances_and_a_days_principal_are_exact(counter: Counter, lines: list[tuple[str, int]]) -> None:
    expected: Tally[str] = Tally()
    for account, amount in lines:
        expected[account] += amount

    def compare(unit: Unit) -> None:
        unit.connection.execute(insert(JOURNAL), [
            {"tenant": "main", "bucket": 0, "entry": "cmd-00-x", "line": number, "day": START, "source": "command",
             "loan": "loan-00-x", "product": "special", "class": "", "account": account, "currency": "CNY",
             "amount_minor": amount}
            for number, (account, amount) in enumerate(lines)
        ])  # fmt: skip
        assert {row.account: row.total for row in reading.balances(unit, None)} == expected
        moved = [row.total for row in reading.balances(unit, START) if row.account == "principal"]
        assert [row.total for row in closing.principal_moved(unit, 0, START)] == moved
        raise Undone

    with pytest.raises(Undone):
        counter.book._desk.write(compare)


def test_a_book_whose_income_passes_64_bits_is_verified_and_balances(counter: Counter) -> None:
    """Five loans of ten million millions at 0.99999999 a day: the income of six years is beyond 2^63 fen."""
    methods = [{"method": "anytime", "terms": ["1d..3650d"]}]
    product = counter.product(
        caps={},
        ceilings=[],
        methods=methods,
        facility_days=3660,
        multiple="0.01",
        min_draw="0.01",
        min_limit="0.01",
    )
    most, rate = "10000000000000.00", Rate.parse("0.99999999/day")
    for number in range(5):
        line = counter.line(most, merchant=f"m-{number}", rate=rate, product=product)
        counter.loan(line, most, days=3650)
    counter.close_until(START + timedelta(days=6 * 365))
    report, balance = counter.book.verify(), counter.book.trial_balance()
    assert report.clean, report.findings[:3]
    assert balance.total == 0
    income = {row.account: row.balance for row in balance.accounts if row.account == "interest_income"}
    assert -income["interest_income"] * 100 > INT64
