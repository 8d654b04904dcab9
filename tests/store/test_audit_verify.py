"""What verify passed over: a product, a contract or a policy that is gone or another one, and a draw that is not there.

Source: SEMANTICS 6 (invariants), RELIABILITY 47.
"""

from __future__ import annotations

import pytest

from microloan.book.loanbook import LoanBook

from .counter import START, Counter
from .test_verify_columns import codes, damage

GONE = {
    "product_content": "DELETE FROM ml_product WHERE name = 'special'",
    "offer_missing": "DELETE FROM ml_offer WHERE status = 'signed'",
    "policy_sha256": "UPDATE ml_policy SET body = body || ' '",
    "notice_id": "UPDATE ml_outbox SET id = id || 'x' WHERE type = 'microloan.day_closed.v1'",
}


@pytest.fixture
def lender(counter: Counter) -> Counter:
    """Two loans of one line on a product of its own, and a day that is closed."""
    line = counter.line(product=counter.product())
    for amount in ("1000", "2000"):
        counter.loan(line, amount)
    counter.close_until(START.replace(day=3))
    counter.must_be_sound()
    return counter


@pytest.mark.parametrize("code", GONE)
def test_what_is_gone_or_another_is_named(lender: Counter, code: str) -> None:
    damage(lender.url, GONE[code])
    assert codes(lender) == [code]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ml_event WHERE kind = 'drawn' AND loan = '{0}'",
        "UPDATE ml_event SET loan = '{1}' WHERE kind = 'drawn' AND loan = '{0}'",
        "UPDATE ml_loan SET id = 'loan-00-9' WHERE id = '{0}'",
    ],
)
def test_a_loan_nobody_drew_is_named_and_the_look_goes_on(lender: Counter, statement: str) -> None:
    first, second = (loan.id for loan in lender.book.loans())
    damage(
        lender.url, statement.format(first, second), "UPDATE ml_facility SET limit_minor = limit_minor + 1"
    )
    with LoanBook.open(lender.url, clock=lender.clock) as fresh:
        found = {finding.code for finding in fresh.verify().findings}
    assert {"loan_unreadable", "facility_limit_minor"} <= found
