"""Repayments: to a loan, to a facility, back-dated, reversed, too much. Source: SEMANTICS 4, 6 and 9."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from microloan.errors import EventRefused, InvalidDate
from microloan.store.unit import random_id

from .counter import START, Counter


def after(days: int) -> date:
    return START + timedelta(days=days)


def test_a_back_dated_repayment_posts_its_difference_on_the_open_day(counter: Counter) -> None:
    loan = counter.loan(counter.line())
    counter.close_until(after(45))
    before = counter.journal()
    counter.book.repay(loan.id, "100000", value_date=after(30))
    new = counter.journal()[len(before) :]
    assert {line.day for line in new} == {after(45)}
    assert {line.account: line.amount for line in new} == {
        "cash": Decimal("100000.00"),
        "principal": Decimal("-95680.00"),
        "interest_receivable": Decimal(
            "-5008.90"
        ),  # 4,320.00 paid, 688.90 not earned: 15 nights on 95,680.00
        "interest_income": Decimal("688.90"),
    }
    assert counter.book.loan(loan.id).interest == Decimal("1471.10")
    counter.must_be_sound()


def test_a_reversed_repayment_restores_the_loan_and_keeps_closed_days(counter: Counter) -> None:
    book = counter.book
    loan, twin = counter.loan(counter.line()), counter.loan(counter.line(merchant="m-2"))
    counter.close_until(after(30))
    paid = book.repay(loan.id, "100000")
    counter.close_until(after(40))
    closed = counter.journal()
    book.reverse(paid.allocations[0].event_id, "bounced")
    assert counter.journal()[: len(closed)] == closed
    mine, theirs = book.loan(loan.id), book.loan(twin.id)
    assert (mine.principal, mine.interest, mine.status) == (theirs.principal, theirs.interest, "active")
    assert book.facility(mine.facility_id).available == book.facility(theirs.facility_id).available
    counter.must_be_sound()
    counter.close_until(after(95))
    counter.must_be_sound()


def test_an_event_is_reversed_once_and_a_reversed_reversal_counts_again(counter: Counter) -> None:
    book, loan = counter.book, counter.loan(counter.line())
    paid = book.repay(loan.id, "100000").allocations[0].event_id
    reversal = book.reverse(paid)
    with pytest.raises(EventRefused) as refused:
        book.reverse(paid)
    assert refused.value.code == "already_reversed"
    book.reverse(reversal.event_id)
    assert book.loan(loan.id).principal == Decimal("200000.00")
    assert [line.reversed_by is None for line in book.ledger(loan.id)] == [True, False, True]
    counter.must_be_sound()


def test_repaying_more_than_owed_leaves_a_credit_balance_that_can_be_refunded(counter: Counter) -> None:
    book, loan = counter.book, counter.loan(counter.line(), "1000")
    receipt = book.repay(loan.id, "1500")
    assert receipt.credit == Decimal("500.00")
    assert book.loan(loan.id).credit_balance == Decimal("500.00")
    with pytest.raises(EventRefused) as refused:
        book.refund(loan.id, "500.01")
    assert refused.value.code == "credit_too_small"
    assert book.refund(loan.id, "all").credit_balance == 0
    counter.must_be_sound()


def test_a_credit_balance_applied_to_another_loan_is_reversed_on_both(counter: Counter) -> None:
    book, line = counter.book, counter.line()
    paid, other = counter.loan(line, "1000"), counter.loan(line, "2000")
    book.repay(paid.id, "1500")
    cash = {line.account: line.balance for line in book.trial_balance().accounts}["cash"]
    receipt = book.apply_credit(paid.id, other.id, "all")
    assert (receipt.principal, book.loan(paid.id).credit_balance) == (Decimal("500.00"), 0)
    assert {line.account: line.balance for line in book.trial_balance().accounts}["cash"] == cash
    counter.must_be_sound()
    entry = book.reverse(receipt.allocations[0].event_id)
    assert book.loan(paid.id).credit_balance == Decimal("500.00")
    assert book.loan(other.id).principal == Decimal("2000.00")
    counter.must_be_sound()
    book.reverse(entry.event_id)
    assert book.loan(paid.id).credit_balance == 0
    counter.must_be_sound()


def test_a_payment_to_a_facility_goes_to_overdue_loans_then_the_named_then_the_dearest(
    counter: Counter,
) -> None:
    book, line = counter.book, counter.line()
    late, named, dear = (counter.loan(line, "1000", days=days) for days in (5, 60, 90))
    book.change_rate(dear.id, "0.05%/day")
    counter.close_until(after(7))
    owed = book.payoff(late.id).amount
    receipt = book.repay(line.id, owed + 500, loan=named.id)
    assert [part.loan_id for part in receipt.allocations] == [late.id, named.id]
    receipt = book.repay(line.id, "100")
    assert [part.loan_id for part in receipt.allocations] == [dear.id]
    counter.must_be_sound()


def test_what_a_facility_does_not_owe_stays_a_credit_balance_of_the_last_loan_paid(counter: Counter) -> None:
    book, line = counter.book, counter.line()
    loans = [counter.loan(line, "1000"), counter.loan(line, "2000")]
    receipt = book.repay(line.id, "5000")
    assert (receipt.principal, receipt.credit) == (Decimal("3000.00"), Decimal("2000.00"))
    assert sum(book.loan(loan.id).credit_balance for loan in loans) == Decimal("2000.00")
    counter.must_be_sound()


def test_all_of_a_facility_is_what_its_loans_owe(counter: Counter) -> None:
    book, line = counter.book, counter.line()
    loans = [counter.loan(line, "1000"), counter.loan(line, "2000")]
    counter.close_until(after(10))
    receipt = book.repay(line.id, "all")
    assert (receipt.amount, receipt.credit) == (Decimal("3014.40"), 0)
    assert {book.loan(loan.id).status for loan in loans} == {"closed"}
    with pytest.raises(EventRefused) as refused:
        book.repay(line.id, "all")
    assert refused.value.code == "nothing_owed"
    counter.must_be_sound()


def test_value_dates_lie_between_the_start_and_the_open_day(counter: Counter) -> None:
    loan = counter.loan(counter.line())
    for day in (after(-1), after(1)):
        with pytest.raises(InvalidDate):
            counter.book.repay(loan.id, "100", value_date=day)


def test_a_pending_loan_takes_no_money(counter: Counter) -> None:
    drawn = counter.book.draw(counter.line().id, "1000")
    with pytest.raises(EventRefused) as refused:
        counter.book.repay(drawn.id, "100")
    assert refused.value.code == "loan_pending"


def test_a_late_loan_bears_penalty_and_is_cured_by_paying(counter: Counter) -> None:
    book, loan = counter.book, counter.loan(counter.line(), "1000", days=10)
    counter.close_until(after(20))
    late = book.loan(loan.id)
    assert (late.status, late.days_past_due, late.classification) == ("overdue", 10, "special_mention")
    assert late.penalty == Decimal("6.58")  # ten nights of 1,000.00 × 24% / 365
    counter.must_be_sound()
    book.repay(loan.id, "all")
    assert book.loan(loan.id).status == "closed"
    counter.must_be_sound()


def test_past_ninety_days_interest_leaves_income_and_returns_when_paid(counter: Counter) -> None:
    book, loan = counter.book, counter.loan(counter.line(), "1000", days=10)
    counter.close_until(after(102))
    balances = {line.account: line.balance for line in book.trial_balance().accounts}
    assert book.loan(loan.id).non_accrual
    assert (balances.get("interest_income"), balances["memo_interest"]) == (None, Decimal("4.80"))
    counter.must_be_sound()
    book.repay(loan.id, "all")
    balances = {line.account: line.balance for line in book.trial_balance().accounts}
    assert balances["interest_income"] == Decimal("-4.80")
    counter.must_be_sound()


def test_the_payer_may_not_choose_the_principal_unless_the_product_lets_him(counter: Counter) -> None:
    loan = counter.loan(counter.line())
    with pytest.raises(EventRefused) as refused:
        counter.book.repay(loan.id, "100", apply="principal")
    assert refused.value.code == "choice_not_offered"


def test_a_sweep_loan_takes_its_share_of_a_settlement(counter: Counter) -> None:
    sweep = {"share": "0.10", "minimum": {"fraction": "1/18", "every": "60d"}}
    product = counter.product(methods=[{"method": "sweep", "terms": ["1m..18m"]}], sweep=sweep,
                              default_method="sweep", default_term="12m")  # fmt: skip
    loan = counter.loan(counter.line(product=product), "1000", months=12)
    counter.close_until(after(5))
    assert counter.book.settlement(loan.id, "2000").status == "active"
    assert counter.book.ledger(loan.id)[0].interest + counter.book.ledger(loan.id)[0].principal == Decimal(
        "200.00"
    )
    counter.book.settlement(loan.id, "-300")
    counter.must_be_sound()
    counter.close_until(after(70))
    counter.must_be_sound()


def test_a_reversed_line_of_a_statement_has_no_balance_of_its_own(counter: Counter) -> None:
    loan = counter.loan(counter.line(), "1000.00")
    paid = counter.book.repay(loan.id, "400").allocations[0].event_id
    counter.book.reverse(paid)
    lines = counter.book.statement(loan.id).lines
    assert [(line.type, line.balance, line.reversed_by is None) for line in lines] == [
        ("draw", Decimal("1000.00"), True), ("repay", None, False),
    ]  # fmt: skip


def shares_of_a_line(database_url: str) -> tuple[list[int], list[int], list[int]]:
    """Three payments over eight loans that the rule treats alike: the places of the loans paid, counted as they were drawn."""
    counter = Counter(database_url, ids=random_id)
    counter.init(buckets=1 if database_url.startswith("sqlite") else 3)
    line = counter.line()
    drawn = [counter.loan(line, "1000", days=5).id for _ in range(8)]

    def paid(amount: str) -> list[int]:
        return [drawn.index(part.loan_id) for part in counter.book.repay(line.id, amount).allocations]

    running = paid("2500")
    counter.close_until(after(7))
    overdue, surplus = paid("2000"), paid("20000")
    listed = [(line.loan_id, line.date) for line in counter.book.statement(line.id).lines]
    assert listed == sorted(listed, key=lambda row: (row[1], drawn.index(row[0])))
    counter.must_be_sound()
    counter.book.close()
    return running, overdue, surplus


def test_loans_that_the_rule_treats_alike_are_paid_as_they_were_drawn(database_url: str) -> None:
    """Ids are random and tell no order: the same book built again splits a payment the same way."""
    running, overdue, surplus = shares_of_a_line(database_url)
    assert running == [0, 1, 2]
    assert overdue == [2, 3, 4]
    assert surplus == [4, 5, 6, 7]
