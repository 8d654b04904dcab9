"""The rest of servicing on both databases: restructuring, bounced payments, business days, ceilings, two time axes.

Source: SEMANTICS 2 to 6 and 9.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from microloan.book.results import Loan
from microloan.errors import (
    DrawRefused,
    EventRefused,
    IdempotencyConflict,
    InvalidDate,
    InvalidEvent,
    InvalidRate,
    InvalidSetting,
)

from .counter import START, Counter


def code_of(refused: pytest.ExceptionInfo[EventRefused]) -> str:
    return refused.value.code


# --- restructuring ---------------------------------------------------------------------------------------------------


def test_an_overdue_loan_is_restructured_into_instalments_at_another_rate(counter: Counter) -> None:
    """12,000.00 at 0.048% a day, ten nights late; then three equal parts at 0.04%: 4,000.00 due a month on, all of it carried."""
    book, loan = counter.book, counter.loan(counter.line(), "12000")
    counter.close_until(START + timedelta(days=100))  # 9 August, due on 30 July
    before = book.loan(loan.id)
    assert (before.status, before.interest) == ("overdue", Decimal("518.40"))
    done = book.restructure(loan.id, date(2017, 11, 1), "equal_principal", rate="0.04%/day")
    after = book.loan(loan.id)
    assert (done.kind, after.status, after.days_past_due, after.method) == (
        "restructure",
        "active",
        0,
        "equal_principal",
    )
    assert (after.maturity, after.daily_rate) == (date(2017, 11, 1), Decimal("0.0004"))
    assert (after.principal, after.interest, after.penalty) == (
        before.principal,
        before.interest,
        before.penalty,
    )
    plan = [row for row in book.schedule(loan.id) if row.due > date(2017, 8, 9)]
    assert [row.due.isoformat() for row in plan] == ["2017-09-01", "2017-10-01", "2017-11-01"]
    assert [row.principal for row in plan] == [Decimal("4000.00")] * 3
    assert plan[0].interest == Decimal("518.40") + 23 * Decimal("4.80")
    counter.must_be_sound()
    counter.close_until(date(2017, 9, 20))
    assert book.loan(loan.id).days_past_due == 19
    counter.must_be_sound()


def test_a_reversed_restructuring_brings_the_old_terms_back(counter: Counter) -> None:
    book, loan = counter.book, counter.loan(counter.line(), "12000", days=30)
    counter.close_until(START + timedelta(days=20))
    before = book.loan(loan.id)
    done = book.restructure(loan.id, date(2017, 9, 1), "equal_instalment", due_day=15, rate="0.03%/day")
    assert [row.due.day for row in book.schedule(loan.id)][:3] == [15, 15, 15]
    book.reverse(done.event_id, "signed by nobody")
    assert book.loan(loan.id) == before
    counter.must_be_sound()


def test_a_restructuring_may_also_shorten_a_loan(counter: Counter) -> None:
    loan = counter.loan(counter.line(), "1000")
    counter.book.restructure(loan.id, START + timedelta(days=10))
    assert counter.book.loan(loan.id).maturity == START + timedelta(days=10)
    counter.close_until(START + timedelta(days=12))
    assert counter.book.loan(loan.id).days_past_due == 2
    counter.must_be_sound()


def test_what_cannot_be_restructured_is_refused(counter: Counter) -> None:
    book, loan = counter.book, counter.loan(counter.line(), "1000")
    with pytest.raises(InvalidDate):
        book.restructure(loan.id, START)
    with pytest.raises(InvalidEvent):
        book.restructure(loan.id, date(2017, 9, 1), "balloon")
    with pytest.raises(InvalidEvent):
        book.restructure(loan.id, date(2017, 9, 1), due_day=32)
    with pytest.raises(InvalidRate):
        book.restructure(loan.id, date(2017, 9, 1), rate="0.0000001%/day")
    with pytest.raises(EventRefused) as refused:
        book.restructure(loan.id, date(2017, 9, 1), "sweep")
    assert code_of(refused) == "sweep_terms"
    book.repay(loan.id, "all")
    with pytest.raises(EventRefused) as refused:
        book.restructure(loan.id, date(2017, 9, 1))
    assert code_of(refused) == "loan_closed"


def test_new_terms_keep_below_the_ceiling_in_force(counter: Counter) -> None:
    book, loan = counter.book, counter.loan(counter.line(), "1000")
    for act in (
        lambda: book.restructure(loan.id, date(2017, 9, 1), rate="0.07%/day"),
        lambda: book.change_rate(loan.id, "0.07%/day"),
    ):
        with pytest.raises(EventRefused) as refused:
            act()
        assert code_of(refused) == "rate_above_ceiling"
    assert book.restructure(loan.id, date(2017, 9, 1), rate="0.065%/day").status == "active"


# --- bounced payments ------------------------------------------------------------------------------------------------


def test_a_bounced_payment_is_taken_back_with_a_fee_in_one_command(counter: Counter) -> None:
    book, loan = counter.book, counter.loan(counter.line(), "10000")
    counter.close_until(START + timedelta(days=30))
    paid = book.repay(loan.id, "4000").allocations[0].event_id
    counter.close_until(START + timedelta(days=32))
    bounced = book.charge_back(paid, "no funds", fee="20", idempotency_key="b-1")
    assert (bounced.amount, len(bounced.reversals)) == (Decimal("4000.00"), 1)
    assert bounced.fee is not None
    assert bounced.fee.amount == Decimal("20.00")
    shown = book.loan(loan.id)
    assert (shown.principal, shown.interest, shown.fees) == (
        Decimal("10000.00"),
        Decimal("153.60"),
        Decimal("20.00"),
    )
    assert book.charge_back(paid, "no funds", fee="20", idempotency_key="b-1").replayed
    with pytest.raises(IdempotencyConflict):
        book.charge_back(paid, "no funds", fee="21", idempotency_key="b-1")
    with pytest.raises(EventRefused) as refused:
        book.charge_back(paid)
    assert code_of(refused) == "already_reversed"
    counter.must_be_sound()


def test_a_bounced_payment_to_a_facility_comes_back_from_all_its_loans(counter: Counter) -> None:
    book, line = counter.book, counter.line()
    first, second = counter.loan(line, "1000", days=5), counter.loan(line, "2000", days=5)
    counter.close_until(START + timedelta(days=10))
    paid = book.repay(line.id, "1500")
    assert len(paid.allocations) == 2
    bounced = book.charge_back(paid.allocations[1].event_id, "no funds")
    assert bounced.amount == Decimal("1500.00")
    assert {entry.loan_id for entry in bounced.reversals} == {first.id, second.id}
    assert [book.loan(loan.id).principal for loan in (first, second)] == [1000, 2000]
    counter.must_be_sound()


def test_nothing_bounces_back_to_a_loan_whose_payout_came_back(counter: Counter) -> None:
    """Found by the simulator (seed final-S1, world 45), which cut 36 operations down to eight."""
    book, line = counter.book, counter.line()
    one, other = counter.loan(line, "1200"), counter.loan(line, "5000")
    parts = {part.loan_id: part.event_id for part in book.repay(line.id, "2000").allocations}
    assert set(parts) == {one.id, other.id}
    book.reverse(parts[other.id])
    book.reverse(next(line.event_id for line in book.statement(other.id).lines if line.type == "draw"))
    for back in (lambda: book.charge_back(parts[one.id]), lambda: book.reverse(parts[other.id])):
        with pytest.raises(EventRefused) as refused:
            back()
        assert code_of(refused) == "loan_cancelled"
    assert book.reverse(parts[one.id]).principal == Decimal("1200.00")
    counter.must_be_sound()


def test_a_charge_back_entered_by_mistake_is_undone_whole_and_its_fee_by_itself(counter: Counter) -> None:
    book, line = counter.book, counter.line()
    loans = [counter.loan(line, amount, days=5) for amount in ("1000", "2000")]
    counter.close_until(START + timedelta(days=10))
    paid = book.repay(line.id, "1500")
    before = [book.loan(loan.id).principal for loan in loans]
    bounced = book.charge_back(paid.allocations[0].event_id, fee="0.10")
    assert bounced.fee is not None
    book.reverse(bounced.fee.event_id)
    assert [book.loan(loan.id).principal for loan in loans] == [1000, 2000]
    book.reverse(bounced.event_id)
    assert [book.loan(loan.id).principal for loan in loans] == before
    counter.must_be_sound()


def test_a_fee_above_the_yearly_cap_stops_the_whole_charge_back(counter: Counter) -> None:
    book, loan = counter.book, counter.loan(counter.line(), "1000")
    counter.close_until(START + timedelta(days=5))
    paid = book.repay(loan.id, "100").allocations[0].event_id
    with pytest.raises(EventRefused) as refused:
        book.charge_back(paid, fee="50")
    assert code_of(refused) == "annual_cap_exceeded"
    assert book.ledger(loan.id)[0].reversed_by is None


def test_only_a_payment_can_bounce(counter: Counter) -> None:
    book, line = counter.book, counter.line()
    first, second = counter.loan(line, "1000"), counter.loan(line, "1000")
    counter.close_until(START + timedelta(days=40))
    fee = book.fee(first.id, "1", "letter")
    book.repay(first.id, "1100")
    applied = book.apply_credit(first.id, second.id, "10").allocations[0].event_id
    for event in (fee.event_id, applied):
        with pytest.raises(EventRefused) as refused:
            book.charge_back(event)
        assert code_of(refused) == "not_a_payment"


# --- business days ---------------------------------------------------------------------------------------------------


def rolling(counter: Counter, **setting: str) -> Loan:
    product = counter.product(
        business_days=setting, methods=[
            {"method": "anytime", "terms": ["1d..365d"]},
            {"method": "equal_principal", "terms": ["1m..12m"]},
        ],
    )  # fmt: skip
    return counter.loan(counter.line(product=product), "3000", months=3, method="equal_principal")


def due_dates(counter: Counter, loan: Loan) -> list[str]:
    return [row.due.isoformat() for row in counter.book.schedule(loan.id)]


def test_due_dates_roll_to_business_days_at_the_payout(counter: Counter) -> None:
    """1 June, 1 July (a Saturday), 1 August 2017; the lender's own holiday on 1 June counts too."""
    counter.book.lender.set({"holidays": [{"from": "2017-01-01", "days": ["2017-06-01"]}]})
    loan = rolling(counter, calendar="weekends")
    assert due_dates(counter, loan) == ["2017-06-02", "2017-07-03", "2017-08-01"]
    counter.close_until(date(2017, 7, 3))
    assert counter.book.loan(loan.id).days_past_due == 31
    counter.must_be_sound()


def test_public_holidays_with_moved_workdays_need_no_list(counter: Counter) -> None:
    """In China 28 to 30 May 2017 were the Dragon Boat holidays and Saturday, 27 May a working day."""
    counter.close_until(date(2017, 4, 30))
    product = counter.product(business_days={"calendar": "CN", "roll": "following"})
    line = counter.line(product=product)
    loans = [counter.loan(line, "1000", days=days) for days in (26, 27, 28, 29)]  # due 27, 28, 29 and 30 May
    assert [loan.maturity and loan.maturity.day for loan in loans] == [27, 31, 31, 31]


def test_preceding_rolls_back_to_the_business_day_before(counter: Counter) -> None:
    loan = rolling(counter, calendar="weekends", roll="preceding")
    assert due_dates(counter, loan) == ["2017-06-01", "2017-06-30", "2017-08-01"]


def test_an_extension_carries_rolled_due_dates(counter: Counter) -> None:
    """Extended on 15 May to 2 September 2017, a Saturday."""
    loan = rolling(counter, calendar="weekends")
    counter.close_until(date(2017, 5, 15))
    done = counter.book.extend(loan.id, date(2017, 9, 2))
    assert due_dates(counter, loan) == ["2017-06-01", "2017-07-03", "2017-08-01", "2017-09-01", "2017-09-04"]
    assert counter.book.loan(loan.id).maturity == date(2017, 9, 4)
    counter.must_be_sound()
    counter.book.reverse(done.event_id)
    assert due_dates(counter, loan)[-1] == "2017-08-01"
    counter.book.restructure(loan.id, date(2017, 10, 1), "anytime")
    assert due_dates(counter, loan) == ["2017-10-02"]
    counter.close_until(date(2017, 10, 4))
    assert counter.book.loan(loan.id).days_past_due == 2
    counter.must_be_sound()


def test_a_calendar_nobody_knows_is_refused_when_it_is_proposed(counter: Counter) -> None:
    with pytest.raises(InvalidSetting):
        counter.product(business_days={"calendar": "XX"})


# --- ceilings --------------------------------------------------------------------------------------------------------


CEILINGS = {
    "lpr": [{"from": "2017-01-01", "rate": "4.3%"}, {"from": "2017-06-01", "rate": "4.5%"}],
    "ceilings": [{"from": "2017-01-01", "yearly": "24%"}, {"from": "2017-06-01", "lpr_multiple": "3"}],
}


def test_each_draw_meets_the_ceiling_of_its_day(counter: Counter) -> None:
    """17.52% a year: below 24%, and from June above 3 × 4.5% = 13.5%; a running loan is not touched."""
    counter.book.lender.set(CEILINGS)
    line = counter.line()
    loan = counter.loan(line, "1000")
    counter.close_until(date(2017, 6, 1))
    with pytest.raises(DrawRefused) as refused:
        counter.book.draw(line.id, "1000", days=90)
    assert refused.value.code == "rate_above_ceiling"
    assert refused.value.details["reasons"][0]["ceiling"] == "0.135"
    assert counter.book.loan(loan.id).yearly_rate == Decimal("0.1752")


def test_a_product_meets_the_ceiling_when_it_is_approved(counter: Counter) -> None:
    """The policy in force prices at up to 0.06% a day, 21.9% a year."""
    changed = counter.product()
    assert changed == "special"
    counter.book.lender.set({"ceilings": [{"from": "2017-01-01", "yearly": "21%"}]})
    from microloan.products import Product

    newer = Product.parse(Product.shipped("CNY").canonical() | {"name": "special", "version": 2})
    counter.book.products.propose(newer)
    with pytest.raises(EventRefused) as refused:
        counter.book.products.approve("special", 2)
    assert code_of(refused) == "rate_above_ceiling"


def test_minimum_interest_days_above_the_ceiling_are_noticed_at_approval(counter: Counter) -> None:
    with pytest.raises(EventRefused) as refused:
        counter.product(min_interest_days=7)
    assert code_of(refused) == "rate_above_ceiling"


def test_the_report_counts_new_loans_above_four_times_the_lpr(counter: Counter) -> None:
    book, line = counter.book, counter.line()
    counter.loan(line, "1000")
    book.lender.set(
        {"lpr": [{"from": "2017-05-02", "rate": "4.35%"}, {"from": "2017-06-01", "rate": "4.5%"}]}
    )
    counter.close_until(date(2017, 5, 2))
    counter.loan(line, "3000")
    failed = book.draw(line.id, "9000", days=90)
    book.fail_payout(failed.id)
    counter.close_until(date(2017, 6, 1))
    counter.loan(line, "2000")
    report = book.rate_ceiling_report()
    assert (report.first, report.last) == (date(2016, 6, 2), date(2017, 6, 1))
    told = [astuple(line) for line in report.lines]
    thousand, nothing = Decimal("1000.00"), Decimal("0.00")
    assert told == [
        ("2017-05", None, None, 1, thousand, None, None, None),
        ("2017-05", Decimal("0.0435"), Decimal("0.174"), 1, 3 * thousand, 1, 3 * thousand, 1),
        ("2017-06", Decimal("0.045"), Decimal("0.18"), 1, 2 * thousand, 0, nothing, 0),
    ]
    with pytest.raises(InvalidDate):
        book.rate_ceiling_report(date(2017, 6, 2), date(2017, 6, 1))


# --- cost ------------------------------------------------------------------------------------------------------------


def test_a_loan_on_plan_costs_what_was_quoted_and_a_fee_makes_it_dearer(counter: Counter) -> None:
    book, loan = counter.book, counter.loan(counter.line())
    quoted = book.loan_cost(loan.id)
    assert quoted is not None
    assert (quoted.yearly_rate, quoted.charges) == (Decimal("0.1752"), Decimal("12960.00"))
    assert (quoted.simple_yearly_cost, quoted.effective_yearly_cost) == (
        Decimal("0.1752"),
        Decimal("0.187109"),
    )
    counter.close_until(START + timedelta(days=45))
    book.fee(loan.id, "1000", "letter")
    dearer = book.loan_cost(loan.id)
    assert dearer is not None
    assert dearer.charges == Decimal("13960.00")
    assert dearer.simple_yearly_cost == Decimal("0.188719")  # 13,960 × 365 / (300,000 × 90)
    assert book.loan_cost(loan.id, known_on=START + timedelta(days=44)) != dearer


def test_a_closed_loan_shows_what_it_cost(counter: Counter) -> None:
    book, loan = counter.book, counter.loan(counter.line(), "100000")
    counter.close_until(START + timedelta(days=73))
    book.repay(loan.id, "all")
    cost = book.loan_cost(loan.id)
    assert cost is not None
    assert (cost.charges, cost.simple_yearly_cost) == (Decimal("3504.00"), Decimal("0.1752"))
    assert cost.effective_yearly_cost == Decimal("0.187916")  # 1.03504 ^ 5 - 1


def test_what_never_started_or_lasted_no_night_has_no_cost(counter: Counter) -> None:
    book, line = counter.book, counter.line()
    drawn = book.draw(line.id, "1000", days=90)
    assert book.loan_cost(drawn.id) is None
    loan = counter.loan(line, "1000")
    book.repay(loan.id, "all")
    cost = book.loan_cost(loan.id)
    assert cost is not None
    assert (cost.charges, cost.simple_yearly_cost, cost.effective_yearly_cost) == (0, None, None)


# --- two time axes ---------------------------------------------------------------------------------------------------


def eventful(counter: Counter) -> Iterator[tuple[date, Any]]:
    """A loan to which something happens every few days; what it showed at the end of each of these days."""
    book, line = counter.book, counter.line()
    loan = counter.loan(line, "10000")
    acts = [
        lambda: book.repay(loan.id, "1000", value_date=START + timedelta(days=2)),
        lambda: book.change_rate(loan.id, "0.04%/day", value_date=START + timedelta(days=4)),
        lambda: book.fee(loan.id, "3", "letter"),
        lambda: book.reverse(book.ledger(loan.id)[0].id),
        lambda: book.pause(loan.id, START, START + timedelta(days=40), value_date=START + timedelta(days=8)),
        lambda: book.restructure(loan.id, START + timedelta(days=200), "equal_principal"),
        lambda: book.repay(loan.id, "2000", value_date=START + timedelta(days=1)),
        lambda: book.waive(loan.id, "principal", "100"),
    ]
    for number, act in enumerate(acts):
        day = START + timedelta(days=5 * number + 5)
        counter.close_until(day)
        act()
        yield day, (loan.id, *shown(counter, loan.id, day))


def shown(counter: Counter, loan_id: str, day: date, known_on: date | None = None) -> tuple[Any, ...]:
    book = counter.book
    loan = book.loan(loan_id, day, known_on)
    figures = {name: getattr(loan, name) for name in loan.__dataclass_fields__ if name != "known_on"}
    return (
        figures,
        book.ledger(loan_id, day, known_on),
        book.schedule(loan_id, day, known_on),
    )


def test_what_was_known_on_a_past_day_is_what_was_shown_then(counter: Counter) -> None:
    then = list(eventful(counter))
    for day, (loan_id, *figures) in then:
        assert shown(counter, loan_id, day, known_on=day) == tuple(figures), day
    counter.must_be_sound()
