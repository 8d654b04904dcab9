"""A key acts once. Source: RELIABILITY 17 to 21."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from freezegun import freeze_time

from microloan.book import results
from microloan.book.loanbook import LoanBook
from microloan.errors import BadInput, DrawRefused, IdempotencyConflict

from .counter import START, Counter


def test_the_same_key_and_request_act_once_and_answer_the_same(counter: Counter) -> None:
    book, line = counter.book, counter.line()
    first = book.draw(line.id, Decimal("1000"), days=30, idempotency_key="k-1")
    again = book.draw(line.id, "1000.00", days=30, idempotency_key="k-1")
    assert (first.replayed, again.replayed) == (False, True)
    assert (again.id, again.available) == (first.id, first.available)
    assert len(book.loans()) == 1


def test_every_kind_of_answer_survives_its_key(counter: Counter) -> None:
    book, loan = counter.book, counter.loan(counter.line())
    counter.close_until(START + timedelta(days=5))
    for act in (
        lambda: book.waive(loan.id, "interest", "1", idempotency_key="b"),
        lambda: book.repay(loan.id, "1000", idempotency_key="a"),
        lambda: book.freeze(loan.facility_id, idempotency_key="c"),
    ):
        first, again = act(), act()
        assert (first.replayed, again.replayed) == (False, True)
        assert {**vars_of(first), "replayed": True} == vars_of(again)


def test_an_answer_first_read_in_frozen_time_is_read_right_in_it_and_after_it(counter: Counter) -> None:
    """A host's tests freeze time, and annotations looked at meanwhile name the freezer's classes."""
    results._hints.cache_clear()
    book, loan = counter.book, counter.loan(counter.line())
    with freeze_time("2017-05-01 04:00"):
        first = book.waive(loan.id, "principal", "1", idempotency_key="k")
        frozen = book.waive(loan.id, "principal", "1", idempotency_key="k")
    again = book.waive(loan.id, "principal", "1", idempotency_key="k")
    assert first.value_date == frozen.value_date == again.value_date == START


def vars_of(result: object) -> dict[str, object]:
    return {name: getattr(result, name) for name in result.__dataclass_fields__}  # type: ignore[attr-defined]


def test_the_same_key_for_another_request_conflicts_and_writes_nothing(counter: Counter) -> None:
    book, line = counter.book, counter.line()
    book.draw(line.id, "1000", idempotency_key="k-1")
    for change in ({"amount": "1010"}, {"days": 31}, {"confirm": True}):
        given = {"amount": "1000"} | change
        with pytest.raises(IdempotencyConflict):
            book.draw(line.id, given.pop("amount"), idempotency_key="k-1", **given)  # type: ignore[arg-type]
    assert len(book.loans()) == 1


def test_a_key_belongs_to_one_operation_and_one_tenant(counter: Counter) -> None:
    line = counter.line()
    drawn = counter.book.draw(line.id, "1000", idempotency_key="k-1")
    assert not counter.book.confirm_payout(drawn.id, idempotency_key="k-1").replayed
    other = Counter(counter.url)
    other.book = LoanBook.open(counter.url, tenant="other", clock=counter.clock)
    other.init()
    assert not other.book.draw(other.line().id, "1000", idempotency_key="k-1").replayed
    counter.must_be_sound()
    other.must_be_sound()


def test_a_refusal_is_not_stored_so_the_same_key_may_be_tried_again(counter: Counter) -> None:
    book, line = counter.book, counter.line("1000.00")
    with pytest.raises(DrawRefused):
        book.draw(line.id, "2000", idempotency_key="k-1")
    book.set_limit(line.id, "2000")
    assert not book.draw(line.id, "2000", idempotency_key="k-1").replayed


def test_two_at_once_with_one_key_act_once(counter: Counter) -> None:
    line = counter.line()
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: counter.book.draw(line.id, "1000", idempotency_key="k-1"), range(16))
        )
    assert len({answer.id for answer in answers}) == 1
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 15
    counter.must_be_sound()


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "钥"])
def test_a_key_is_printable_ascii_without_spaces(counter: Counter, key: str) -> None:
    with pytest.raises(BadInput):
        counter.book.draw(counter.line().id, "1000", idempotency_key=key)


def test_the_audit_log_tells_who_did_what(counter: Counter) -> None:
    line = counter.line()
    counter.book.acting("ann", "bob").draw(line.id, "1000", idempotency_key="k-1")
    last = counter.book.audit()[-1]
    assert (last.actor, last.approver, last.operation, last.key) == ("ann", "bob", "draw", "k-1")


def test_days_caught_up_together_stand_in_the_audit_log_in_their_order(counter: Counter) -> None:
    book = LoanBook.open(counter.url, clock=counter.clock)  # its identifiers are drawn at random
    counter.clock.set_day(START + timedelta(days=25))
    days = [str(day) for day in book.close_day().closed]
    closes = [line.subject for line in book.audit() if line.operation == "close_day"]
    for bucket in range(book.settings().buckets):
        own = [subject[:10] for subject in closes if subject.endswith(f" bucket {bucket}")]
        assert own == days
    assert [line.subject for line in book.audit(latest=3)] == closes[-3:]
    book.close()
