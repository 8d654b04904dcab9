"""A loan whose stored rows cannot be read: named wherever it is met, left out of what concerns all, never passed over.

The damage is done past the library, and all of it passes the table's own checks. Source: CONTRACT 1 (exit 5, exit 7),
SEMANTICS 7.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from microloan import LoanBook
from microloan.errors import EventRefused, IntegrityBroken, LoanDamaged, NotFound

from .counter import START, Counter
from .test_close_of_day import unguard

NO_METHOD = (
    "UPDATE ml_event SET payload = replace(payload, '\"anytime\"', '\"anytyme\"') "
    "WHERE loan = :loan AND kind = 'payout_confirmed'"
)
DAMAGE = {
    "terms that are none": NO_METHOD,
    "an event on no day": "UPDATE ml_event SET value_date = 0 WHERE loan = :loan AND kind = 'payout_confirmed'",
    "a day of its row that is no day": "UPDATE ml_loan SET held_through = -5, held_reason = '' WHERE id = :loan",
    "a repayment of nothing": (
        "UPDATE ml_event SET payload = replace(payload, 'amount_minor', 'amount') "
        "WHERE loan = :loan AND kind = 'repay'"
    ),
}
#: The reports that count loans; provisions are the ledger's alone.
OF_LOANS = ("portfolio", "aging", "vintage", "roll-rate", "expected-cash")

READING: dict[str, Callable[[LoanBook, str], object]] = {
    "loan": LoanBook.loan,
    "loan_cost": LoanBook.loan_cost,
    "ledger": LoanBook.ledger,
    "schedule": LoanBook.schedule,
    "payoff": LoanBook.payoff,
    "statement": LoanBook.statement,
    "statement_paper": LoanBook.statement_paper,
}


def spoil(counter: Counter, damage: str, loan: str) -> None:
    """Do it with every guard of the tables out of the way."""
    engine = create_engine(counter.url)
    with engine.begin() as connection:
        for statement in unguard(connection.dialect.name):
            connection.execute(text(statement))
        assert connection.execute(text(damage), {"loan": loan}).rowcount == 1, "nothing was damaged"
    engine.dispose()


def three_loans(counter: Counter) -> list[str]:
    """Of 1,000.00, 2,000.00 and 3,000.00; something of each was paid."""
    loans = [counter.loan(counter.line(merchant=f"m-{n}"), f"{n}000.00", days=20 * n).id for n in range(1, 4)]
    for loan in loans:
        counter.book.repay(loan, "100.00")
    return loans


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("which", [0, 1, 2])
def test_reports_on_the_whole_book_leave_it_out_and_say_so(counter: Counter, damage: str, which: int) -> None:
    loans = three_loans(counter)
    counter.close_until(date(2017, 6, 2))  # a month end has passed, so that rolls are counted
    spoil(counter, damage, loans[which])
    for name in OF_LOANS:
        (left_out,) = counter.book.report(name).left_out  # type: ignore[attr-defined]
        assert (left_out.loan_id, bool(left_out.reason)) == (loans[which], True), name
    aging: Any = counter.book.report("aging")
    lacking = Decimal(f"{which + 1}000.00") - 100
    assert (aging.loans, aging.principal) == (2, Decimal("5700.00") - lacking)
    assert aging.difference == -lacking, "what is left out shows against the ledger"
    pack = counter.book.portfolio_pack()
    for report in (pack.portfolio, pack.aging, pack.rolls, pack.vintages, pack.cash):
        assert [loan.loan_id for loan in report.left_out] == [loans[which]]
    assert pack.aging == aging


def test_a_report_on_a_sound_book_leaves_nothing_out(counter: Counter) -> None:
    three_loans(counter)
    for name in (*OF_LOANS, "provisions", "rate-ceiling"):
        assert counter.book.report(name).left_out == ()  # type: ignore[attr-defined]


def test_many_damaged_loans_are_all_named(counter: Counter) -> None:
    line = counter.line()
    loans = [counter.loan(line, "1000.00").id for _ in range(12)]
    for loan in loans[::3]:
        spoil(counter, DAMAGE["an event on no day"], loan)
    aging: Any = counter.book.report("aging")
    assert (aging.loans, [each.loan_id for each in aging.left_out]) == (8, loans[::3])


def test_a_price_report_names_the_loan_whose_terms_are_damaged(counter: Counter) -> None:
    loans = three_loans(counter)
    counter.book.lender.set({"lpr": [{"from": date(2017, 1, 1), "rate": "0.0435"}]})
    spoil(
        counter,
        "UPDATE ml_loan SET terms = replace(terms, '\"anytime\"', '\"anytyme\"') WHERE id = :loan",
        loans[1],
    )
    report = counter.book.rate_ceiling_report()
    assert sum(line.loans for line in report.lines) == 2
    assert [each.loan_id for each in report.left_out] == [loans[1]]


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("ask", READING.values(), ids=READING)
def test_whoever_asks_for_it_is_told_which_loan_is_damaged_and_what_to_do(
    counter: Counter, ask: Callable[[LoanBook, str], object], damage: str
) -> None:
    loans = three_loans(counter)
    spoil(counter, damage, loans[1])
    with pytest.raises(LoanDamaged) as refused:
        ask(counter.book, loans[1])
    error = refused.value
    assert (error.code, error.exit_status, error.details["loan_id"]) == ("loan_damaged", 5, loans[1])
    assert f"microloan loan release {loans[1]}" in error.message
    for other in (loans[0], loans[2]):
        ask(counter.book, other)
    with pytest.raises(NotFound):
        ask(counter.book, "loan-00-nobody")


def test_the_statement_of_a_line_names_the_loan_it_cannot_show(counter: Counter) -> None:
    line = counter.line()
    loans = [counter.loan(line, "1000.00").id for _ in range(3)]
    spoil(counter, NO_METHOD, loans[1])
    with pytest.raises(LoanDamaged, match=loans[1]):
        counter.book.statement(line.id)


def test_a_damaged_loan_that_is_due_stays_on_the_list_of_the_day_without_an_amount(counter: Counter) -> None:
    loans = [counter.loan(counter.line(merchant=f"m-{n}"), "1000", days=5).id for n in range(3)]
    counter.close_until(START + timedelta(days=7))
    spoil(counter, NO_METHOD, loans[1])
    (overdue,) = counter.book.work("overdue")
    assert [(task.subject, task.amount is None) for task in overdue.tasks] == [
        (loan, loan == loans[1]) for loan in loans
    ]
    assert "anytyme" in overdue.tasks[1].note


def test_nothing_is_booked_on_a_damaged_loan_and_the_refusal_names_it(counter: Counter) -> None:
    loans = three_loans(counter)
    spoil(counter, NO_METHOD, loans[1])
    before = counter.journal()
    for command in (counter.book.fee, counter.book.recover, counter.book.repay):
        extra = ("10.00", "stamp") if command == counter.book.fee else ("10.00",)
        with pytest.raises(LoanDamaged, match=loans[1]):
            command(loans[1], *extra)
    assert counter.journal() == before


def test_every_close_names_the_loans_that_rest_until_they_are_released(counter: Counter) -> None:
    loans = three_loans(counter)
    spoil(counter, NO_METHOD, loans[0])
    first = counter.close_until(START + timedelta(days=25))
    assert ([each.loan_id for each in first.held], first.resting) == ([loans[0]], ())
    again = counter.close_until(START + timedelta(days=25))
    later = counter.close_until(START + timedelta(days=27))
    assert (again.held, again.resting, again.closed) == ((), first.held, ())
    assert (later.held, later.resting) == ((), first.held)
    with pytest.raises(LoanDamaged, match=loans[0]):
        counter.book.release(loans[0])
    mended = NO_METHOD.replace("anytime", "anyhow").replace("anytyme", "anytime").replace("anyhow", "anytyme")
    spoil(counter, mended, loans[0])
    counter.book.release(loans[0])
    assert counter.close_until(START + timedelta(days=28)) == replace(
        later, closed=(START + timedelta(days=27),), open_day=START + timedelta(days=28), resting=(),
        loans_replayed=0,
    )  # fmt: skip


def test_money_for_a_line_whose_only_loan_is_held_is_refused_for_that_reason(counter: Counter) -> None:
    line = counter.line()
    loan = counter.loan(line, "1000.00", days=5).id
    spoil(counter, NO_METHOD, loan)
    counter.close_until(START + timedelta(days=9))
    for subject in (line.id, loan):
        with pytest.raises(EventRefused, match=loan) as refused:
            counter.book.repay(subject, "10.00")
        assert refused.value.code == "loan_held"


def test_a_held_loan_with_other_damage_in_its_row_is_still_listed(counter: Counter) -> None:
    loans = three_loans(counter)
    spoil(counter, "UPDATE ml_loan SET oldest_due = 0 WHERE id = :loan", loans[0])
    first = counter.close_until(START + timedelta(days=25))
    assert [each.loan_id for each in first.held] == [loans[0]]
    assert counter.close_until(START + timedelta(days=26)).resting == first.held == counter.book.held()


def test_an_accrual_row_in_no_ledger_stops_the_close_and_names_the_way(counter: Counter) -> None:
    """Bits that turned in the file get past a check that looked when the row was written: no account is guessed."""
    loan = counter.loan(counter.line())
    engine = create_engine(counter.url)
    with engine.begin() as connection:
        if counter.url.startswith("sqlite"):
            connection.execute(text("PRAGMA ignore_check_constraints = ON"))
        else:
            connection.execute(text("ALTER TABLE ml_accrual DROP CONSTRAINT ck_ml_accrual_memo"))
        connection.execute(text("UPDATE ml_accrual SET memo = 5"))
    engine.dispose()
    counter.clock.set_day(START + timedelta(days=1))
    with pytest.raises(IntegrityBroken, match=r"memo 5 stands where .* run: microloan verify"):
        counter.book.close_day()
    assert counter.book.settings().open_day == START
    assert loan.id in {finding.subject for finding in counter.book.verify().findings}
