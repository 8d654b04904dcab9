"""The three-repayment example of the rules of money, through the real book. Source: SEMANTICS 1, worked figures."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from .counter import Counter


def test_three_repayments_give_the_worked_figures_to_the_fen(counter: Counter) -> None:
    book = counter.book
    drawn = book.draw(counter.line().id, Decimal("300000"), days=90)
    assert (drawn.status, drawn.available) == ("pending", Decimal("200000.00"))
    loan = book.confirm_payout(drawn.id)
    counter.close_until(date(2017, 5, 31))
    first = book.repay(loan.id, Decimal("100000"))
    assert (first.interest, first.principal) == (Decimal("4320.00"), Decimal("95680.00"))
    assert first.allocations[0].principal_after == Decimal("204320.00")
    counter.close_until(date(2017, 6, 15))
    second = book.repay(loan.id, "50000")
    assert (second.interest, second.principal) == (Decimal("1471.10"), Decimal("48528.90"))
    counter.close_until(date(2017, 7, 30))
    assert book.payoff(loan.id).amount == Decimal("159156.19")
    last = book.repay(loan.id, "all")
    assert (last.interest, last.principal) == (Decimal("3365.09"), Decimal("155791.10"))
    assert last.allocations[0].status == "closed"
    counter.must_be_sound()


def test_the_journal_of_the_worked_example_holds_the_interest_as_income(counter: Counter) -> None:
    loan = counter.loan(counter.line())
    for day, amount in (
        (date(2017, 5, 31), "100000"),
        (date(2017, 6, 15), "50000"),
        (date(2017, 7, 30), "all"),
    ):
        counter.close_until(day)
        counter.book.repay(loan.id, amount)
    balances = {line.account: line.balance for line in counter.book.trial_balance().accounts}
    provided = balances.pop("provision_expense")
    assert provided == -balances.pop("provision_allowance") > 0  # released when the next day is closed
    assert balances == {"cash": Decimal("9156.19"), "interest_income": Decimal("-9156.19")}
    counter.close_until(date(2017, 7, 31))
    assert {line.account for line in counter.book.trial_balance().accounts} == {"cash", "interest_income"}


def test_ninety_days_cost_12960(counter: Counter) -> None:
    loan = counter.loan(counter.line())
    counter.close_until(date(2017, 7, 30))
    assert counter.book.payoff(loan.id).interest == Decimal("12960.00")
    counter.must_be_sound()


def test_drawn_and_repaid_on_one_day_costs_nothing(counter: Counter) -> None:
    loan = counter.loan(counter.line())
    assert counter.book.repay(loan.id, "all").interest == 0
    counter.must_be_sound()


def test_the_past_can_be_asked_as_of_and_as_known_on(counter: Counter) -> None:
    book, loan = counter.book, counter.loan(counter.line())
    counter.close_until(date(2017, 6, 20))
    book.repay(loan.id, "100000", value_date=date(2017, 5, 31))
    assert book.loan(loan.id, as_of=date(2017, 6, 1)).principal == Decimal("204320.00")
    assert book.loan(loan.id, as_of=date(2017, 6, 1), known_on=date(2017, 6, 19)).principal == Decimal(
        "300000.00"
    )
    assert book.loan(loan.id, as_of=date(2017, 5, 30)).principal == Decimal("300000.00")
