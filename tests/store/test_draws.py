"""Drawing on a line: two steps, the limit, every reason at once. Source: SEMANTICS 2."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from microloan.errors import DrawRefused, EventRefused, InvalidAmount, InvalidDate, NotFound
from microloan.store.unit import random_id

from .counter import START, Counter


def test_a_pending_draw_reserves_the_limit_and_a_failed_payout_releases_it(counter: Counter) -> None:
    book, line = counter.book, counter.line("1000.00")
    drawn = book.draw(line.id, "600")
    assert book.facility(line.id).available == Decimal("400.00")
    assert [payout.loan_id for payout in book.payouts()] == [drawn.id]
    assert book.fail_payout(drawn.id, "account closed").status == "cancelled"
    assert book.facility(line.id).available == Decimal("1000.00")
    assert book.payouts() == ()
    counter.must_be_sound()


def test_repaid_principal_is_available_again_at_once(counter: Counter) -> None:
    book, line = counter.book, counter.line("1000.00")
    loan = counter.loan(line, "1000")
    assert book.facility(line.id).available == 0
    book.repay(loan.id, "400")
    assert book.facility(line.id).available == Decimal("400.00")


def test_a_draw_names_every_reason_in_the_documented_order(counter: Counter) -> None:
    line = counter.line("1000.00")
    counter.book.freeze(line.id, "under review")
    with pytest.raises(DrawRefused) as refused:
        counter.book.draw(line.id, "2005", days=400, method="anytime")
    assert [reason["code"] for reason in refused.value.details["reasons"]] == [  # type: ignore[attr-defined]
        "facility_not_active", "limit_exceeded", "not_multiple", "term_not_offered",
    ]  # fmt: skip
    assert refused.value.code == "facility_not_active"
    counter.must_be_sound()


def test_no_draw_while_another_loan_of_the_merchant_is_overdue(counter: Counter) -> None:
    line = counter.line()
    counter.loan(line, "1000", days=5)
    counter.close_until(START + timedelta(days=7))
    with pytest.raises(DrawRefused) as refused:
        counter.book.draw(line.id, "1000")
    assert refused.value.code == "loan_overdue"


def test_a_cap_per_merchant_counts_everything_the_merchant_owes(counter: Counter) -> None:
    product = counter.product(caps={"merchant": "1500"})
    line = counter.line("2000.00", product=product)
    counter.loan(line, "1000")
    with pytest.raises(DrawRefused) as refused:
        counter.book.draw(line.id, "600")
    assert refused.value.code == "cap_exceeded"


def test_a_seasonal_limit_comes_on_top_until_its_end_and_its_draws_are_short(counter: Counter) -> None:
    line = counter.line("1000.00", seasonal_limit_minor=50_000, seasonal_until=START + timedelta(days=30))
    assert line.available == line.limit_in_force == Decimal("1500.00")
    with pytest.raises(DrawRefused) as refused:
        counter.book.draw(line.id, "1500", days=91)
    assert refused.value.code == "term_not_offered"
    assert counter.book.draw(line.id, "1500", days=90).available == 0
    counter.close_until(START + timedelta(days=31))
    ended = counter.book.facility(line.id)
    assert (ended.available, ended.limit_in_force, ended.seasonal_limit) == (
        0,
        Decimal("1000.00"),
        Decimal("500.00"),
    )
    counter.must_be_sound()


def test_the_loan_starts_on_the_value_date_of_its_payout(counter: Counter) -> None:
    book = counter.book
    drawn = book.draw(counter.line().id, "300000", days=90)
    counter.close_until(date(2017, 5, 11))
    loan = book.confirm_payout(drawn.id, date(2017, 5, 2))
    assert (loan.start, loan.maturity) == (date(2017, 5, 2), date(2017, 7, 31))
    assert loan.interest == Decimal("1296.00")  # nine nights of 144.00
    counter.must_be_sound()


@pytest.mark.parametrize("day", [START - timedelta(days=1), START + timedelta(days=1)])
def test_a_payout_is_valued_between_its_draw_and_the_open_day(counter: Counter, day: date) -> None:
    drawn = counter.book.draw(counter.line().id, "1000")
    with pytest.raises(InvalidDate):
        counter.book.confirm_payout(drawn.id, day)


def test_a_payout_is_confirmed_or_failed_once(counter: Counter) -> None:
    drawn = counter.book.draw(counter.line().id, "1000", confirm=True)
    for again in (counter.book.confirm_payout, counter.book.fail_payout):
        with pytest.raises(EventRefused) as refused:
            again(drawn.id)
        assert refused.value.code == "loan_active"


def test_a_reversed_payout_cancels_the_loan_unless_money_came_in(counter: Counter) -> None:
    book, line = counter.book, counter.line("1000.00")
    loan = counter.loan(line, "1000")
    payout = next(line.event_id for line in book.statement(loan.id).lines)
    counter.close_until(START + timedelta(days=3))
    paid = book.repay(loan.id, "100").allocations[0].event_id
    with pytest.raises(EventRefused) as refused:
        book.reverse(payout)
    assert refused.value.code == "live_repayments"
    book.reverse(paid, "bounced")
    entry = book.reverse(payout, "payout came back")
    assert (entry.status, book.facility(line.id).available) == ("cancelled", Decimal("1000.00"))
    left = {line.account for line in book.trial_balance().accounts if line.balance}
    assert left == {"provision_allowance", "provision_expense"}  # until the next close
    counter.must_be_sound()
    assert book.reverse(entry.event_id, "it did not").status == "active"
    assert book.loan(loan.id).interest == Decimal("1.44")  # three nights of 0.48
    counter.must_be_sound()


def test_lowering_a_limit_leaves_running_loans_alone(counter: Counter) -> None:
    book, line = counter.book, counter.line("1000.00")
    counter.loan(line, "800")
    assert book.set_limit(line.id, "500", "sales fell").available == 0
    assert book.set_limit(line.id, "900").available == Decimal("100.00")
    counter.must_be_sound()


def test_freezing_and_unfreezing_a_line(counter: Counter) -> None:
    book, line = counter.book, counter.line("1000.00")
    assert book.freeze(line.id).status == "frozen"
    with pytest.raises(EventRefused) as refused:
        book.freeze(line.id)
    assert refused.value.code == "facility_frozen"
    assert book.unfreeze(line.id).available == Decimal("1000.00")


def test_a_line_is_not_closed_while_a_payout_is_pending(counter: Counter) -> None:
    book, line = counter.book, counter.line("1000.00")
    drawn = book.draw(line.id, "500")
    with pytest.raises(EventRefused) as refused:
        book.close_facility(line.id)
    assert refused.value.code == "payout_pending"
    book.confirm_payout(drawn.id)
    assert book.close_facility(line.id).status == "closed"
    book.repay(drawn.id, "all")
    counter.must_be_sound()


@pytest.mark.parametrize("amount", [100.0, "NaN", "1e400", "0", "-5", "0.001", None, "１００"])
def test_an_amount_that_is_no_exact_sum_is_refused(counter: Counter, amount: object) -> None:
    with pytest.raises(InvalidAmount):
        counter.book.draw(counter.line().id, amount)


@pytest.mark.parametrize(
    "identifier", ["fac-00-nothing", "nonsense", "fac-99-zz", "'; drop table ml_loan", ""]
)
def test_what_does_not_exist_is_not_found(counter: Counter, identifier: str) -> None:
    with pytest.raises(NotFound):
        counter.book.draw(identifier, "1000")
    with pytest.raises(NotFound):
        counter.book.loan(identifier)


def test_instalments_and_other_methods_are_drawn_by_name(counter: Counter) -> None:
    line = counter.line()
    loan = counter.loan(line, "120000", months=12, method="equal_instalment")
    assert len(counter.book.schedule(loan.id)) == 12
    counter.close_until(date(2017, 7, 2))
    assert counter.book.loan(loan.id).status == "overdue"
    counter.must_be_sound()


def test_loans_of_one_day_are_listed_as_they_were_drawn(database_url: str) -> None:
    """Ids are random, so they tell no order; every list shows the first draw first, each time it is asked for."""
    counter = Counter(database_url, ids=random_id)
    counter.init(buckets=1 if database_url.startswith("sqlite") else 3)
    lines = [counter.line(merchant=f"m-{n}") for n in range(3)]
    drawn = [counter.book.draw(lines[n % 3].id, "100", days=30).id for n in range(12)]
    assert drawn != sorted(drawn)
    assert [payout.loan_id for payout in counter.book.payouts()] == drawn
    assert [loan.id for loan in counter.book.loans()] == drawn
    assert [loan.id for loan in counter.book.loans(facility=lines[0].id)] == drawn[::3]
    counter.book.close()


def test_a_limit_above_what_the_product_lends_to_one_merchant_is_refused(counter: Counter) -> None:
    book = counter.book
    line = counter.line("1000.00", product=counter.product(caps={"merchant": "5000.00"}))
    with pytest.raises(
        EventRefused, match=r"at most 5000\.00 to one merchant; set a limit up to that"
    ) as refused:
        book.set_limit(line.id, "5000.01")
    assert refused.value.code == "limit_above_cap"
    assert book.facility(line.id).limit == 1000
    assert book.set_limit(line.id, "5000").available == 5000
    assert book.draw(line.id, "5000").principal == 5000  # all of a limit that was accepted can be drawn
