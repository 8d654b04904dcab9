"""Fees, waivers, changed terms, write-off: each an event, each reversible. Source: SEMANTICS 5 and 9."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from microloan.errors import EventRefused, InvalidDate, InvalidEvent, MicroloanError

from .counter import START, Counter


def test_a_fee_is_refused_where_all_charges_would_pass_the_yearly_cap(counter: Counter) -> None:
    loan = counter.loan(counter.line(), "10000")
    counter.close_until(START + timedelta(days=30))
    room = Decimal("53.26")  # 24% / 365 × 300,000 principal-days less 144.00 of interest, rounded down
    with pytest.raises(EventRefused) as refused:
        counter.book.fee(loan.id, room + Decimal("0.01"), "letter")
    assert refused.value.code == "annual_cap_exceeded"
    assert counter.book.fee(loan.id, room, "letter").payoff == Decimal("10197.26")
    counter.must_be_sound()


def test_no_more_is_waived_than_is_owed(counter: Counter) -> None:
    loan = counter.loan(counter.line(), "1000")
    counter.close_until(START + timedelta(days=10))
    with pytest.raises(EventRefused) as refused:
        counter.book.waive(loan.id, "interest", "4.81")
    assert refused.value.code == "more_than_owed"
    assert counter.book.waive(loan.id, "interest", "4.80").payoff == Decimal("1000.00")
    with pytest.raises(InvalidEvent):
        counter.book.waive(loan.id, "kindness", "1")
    counter.must_be_sound()


def test_a_changed_rate_counts_from_its_night(counter: Counter) -> None:
    loan = counter.loan(counter.line(), "1000")
    counter.close_until(START + timedelta(days=10))
    counter.book.change_rate(loan.id, "0.02%/day", value_date=START + timedelta(days=5))
    assert counter.book.loan(loan.id).interest == Decimal("3.40")  # five nights of 0.48, five of 0.20
    counter.must_be_sound()
    counter.close_until(START + timedelta(days=20))
    assert counter.book.loan(loan.id).interest == Decimal("5.40")
    counter.must_be_sound()


def test_paused_nights_bear_nothing(counter: Counter) -> None:
    loan = counter.loan(counter.line(), "1000")
    counter.book.pause(loan.id, START + timedelta(days=3), START + timedelta(days=8))
    counter.close_until(START + timedelta(days=10))
    assert counter.book.loan(loan.id).interest == Decimal("2.40")
    counter.must_be_sound()
    with pytest.raises(InvalidDate):
        counter.book.pause(loan.id, START, START)


def test_an_extended_loan_is_not_past_due(counter: Counter) -> None:
    loan = counter.loan(counter.line(), "1000", days=10)
    counter.close_until(START + timedelta(days=15))
    extended = counter.book.extend(loan.id, START + timedelta(days=40))
    assert extended.status == "active"
    assert counter.book.loan(loan.id).maturity == START + timedelta(days=40)
    with pytest.raises(InvalidDate):
        counter.book.extend(loan.id, START + timedelta(days=40))
    counter.must_be_sound()
    counter.book.reverse(extended.event_id)
    assert counter.book.loan(loan.id).maturity == START + timedelta(days=10)
    counter.must_be_sound()
    counter.close_until(START + timedelta(days=45))
    counter.must_be_sound()


def test_a_written_off_claim_stays_visible_and_receipts_are_recoveries(counter: Counter) -> None:
    book, line = counter.book, counter.line()
    loan = counter.loan(line, "1000", days=10)
    counter.close_until(START + timedelta(days=20))
    owed = book.write_off(loan.id)
    assert (owed.status, owed.payoff) == ("written_off", owed.amount)
    counter.must_be_sound()
    counter.close_until(START + timedelta(days=30))
    assert book.loan(loan.id).payoff == owed.payoff
    assert book.recover(loan.id, "400").status == "written_off"
    assert book.repay(loan.id, "100").allocations[0].status == "written_off"
    counter.must_be_sound()
    with pytest.raises(EventRefused) as refused:
        book.write_off(loan.id)
    assert refused.value.code == "loan_written_off"
    book.reverse(owed.event_id, "paid elsewhere")
    counter.must_be_sound()


def test_only_what_is_written_off_is_recovered(counter: Counter) -> None:
    loan = counter.loan(counter.line(), "1000")
    with pytest.raises(EventRefused) as refused:
        counter.book.recover(loan.id, "1")
    assert refused.value.code == "not_written_off"


def test_a_facility_event_is_not_reversed(counter: Counter) -> None:
    line = counter.line()
    counter.book.freeze(line.id)
    drawn = counter.book.unfreeze(line.id) and counter.book.draw(line.id, "1000")
    with pytest.raises(MicroloanError) as refused:
        counter.book.reverse(drawn.event_id)
    assert refused.value.code == "not_reversible"
