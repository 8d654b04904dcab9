"""Four eyes: what matters waits for another person, and the database itself refuses one person in both roles.

Source: RELIABILITY 49; SEMANTICS 9; issue "integrity".
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from microloan.book.guarded import operation_named, operations
from microloan.book.loanbook import LoanBook
from microloan.book.results import Entry, Facility, Receipt, Waiting
from microloan.errors import EventRefused, FourEyesRequired, IdempotencyConflict, MicroloanError, NotFound
from microloan.store import guards
from tests.killing import child, ended, own_book

from .counter import START, Counter


@pytest.fixture
def strict(database_url: str) -> Counter:
    """A book that insists on a second person; the teller asks, bob is the second."""
    made = Counter(database_url)
    made.init(buckets=1 if database_url.startswith("sqlite") else 3, four_eyes="on")
    return made


def bob(counter: Counter) -> LoanBook:
    """The same book in the hands of another person."""
    return counter.book.acting("bob")


def waiting(answer: object) -> Waiting:
    """The answer of a command that was put on file."""
    assert isinstance(answer, Waiting), answer
    return answer


def events(counter: Counter) -> list[tuple[str, str, str, int]]:
    """Kind, actor, approver and four-eyes flag of every event, in order."""
    engine = create_engine(counter.url)
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT kind, actor, approver, four_eyes FROM ml_event ORDER BY facility, seq")
        )
        found = [tuple(row) for row in rows]
    engine.dispose()
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("asked", ["off", "on"])
def test_opening_an_open_book_changes_no_four_eyes_setting_silently(database_url: str, asked: str) -> None:
    counter, other = Counter(database_url), {"off": "on", "on": "off"}[asked]
    counter.init(buckets=1, four_eyes=asked)
    with pytest.raises(EventRefused, match=f"is {asked} in this book") as refused:
        counter.init(buckets=1, four_eyes=other)
    assert (refused.value.code, refused.value.exit_status) == ("four_eyes_differ", 3)
    for same in (asked, None):
        assert counter.book.init(four_eyes=same).four_eyes == asked


# --- what waits ------------------------------------------------------------------------------------------------------


def test_a_limit_set_by_hand_waits_and_another_person_lets_it_through(strict: Counter) -> None:
    line = strict.line("500000.00")
    asked = waiting(strict.book.set_limit(line.id, "900000", "review of March"))
    assert (asked.operation, asked.subject, asked.created_by, asked.status) == (
        "set_limit",
        line.id,
        "teller",
        "waiting",
    )
    assert strict.book.facility(line.id).limit == 500_000
    [kept] = strict.book.requests.list()
    assert (kept.payload["limit"], kept.reason, kept.created_on) == ("900000", "review of March", START)
    with pytest.raises(FourEyesRequired):
        strict.book.requests.approve(asked.request_id)
    answer = bob(strict).requests.approve(asked.request_id, "seen the figures")
    assert answer.result is not None
    assert (answer.status, answer.result["limit"]) == ("approved", "900000.00")
    assert strict.book.facility(line.id).limit == 900_000
    assert events(strict) == [("signed", "teller", "", 0), ("limit_set", "teller", "bob", 1)]
    assert strict.book.requests.list() == ()
    [told] = strict.book.requests.list(decided=True)
    assert (told.status, told.decided_by, told.note, told.command_id) == (
        "approved",
        "bob",
        "seen the figures",
        answer.command_id,
    )
    strict.must_be_sound()


def test_a_write_off_waits_and_is_dated_the_day_it_is_approved(strict: Counter) -> None:
    loan = strict.loan(strict.line())
    asked = waiting(strict.book.write_off(loan.id, "gone"))
    strict.close_until(START + timedelta(days=3))
    answer = bob(strict).requests.approve(asked.request_id)
    assert answer.result is not None
    assert answer.result["booked_on"] == str(START + timedelta(days=3))
    assert answer.result["amount"] == "300432.00"  # 300,000 and three nights at 0.048%
    assert strict.book.loan(loan.id).status == "written_off"
    strict.must_be_sound()


def test_a_reversal_and_a_bounced_payment_wait(strict: Counter) -> None:
    loan = strict.loan(strict.line())
    paid = strict.book.repay(loan.id, "1000").allocations[0].event_id
    reversal = waiting(strict.book.reverse(paid, "entered twice"))
    bounced = waiting(strict.book.charge_back(paid, "no money"))
    assert bob(strict).requests.approve(bounced.request_id).status == "approved"
    with pytest.raises(EventRefused, match="was reversed by"):
        bob(strict).requests.approve(reversal.request_id)  # it no longer holds, so it still waits
    assert [each.id for each in strict.book.requests.list()] == [reversal.request_id]
    assert bob(strict).requests.reject(reversal.request_id).status == "rejected"
    strict.must_be_sound()


def backdated(counter: Counter, loan: Any, day: date) -> dict[str, Callable[[], object]]:
    """Every command that may be dated back, dated *day*."""
    book = counter.book
    return {
        "repay": lambda: book.repay(loan.id, "10", value_date=day),
        "change_rate": lambda: book.change_rate(loan.id, "0.04%/day", value_date=day),
        "pause": lambda: book.pause(loan.id, day, day + timedelta(days=2), value_date=day),
    }


@pytest.mark.parametrize("verb", ["repay", "change_rate", "pause"])
def test_one_person_dates_back_seven_days_and_no_more(strict: Counter, verb: str) -> None:
    loan = strict.loan(strict.line())
    today = START + timedelta(days=20)
    strict.close_until(today)
    assert not isinstance(backdated(strict, loan, today - timedelta(days=7))[verb](), Waiting)
    asked = waiting(backdated(strict, loan, today - timedelta(days=8))[verb]())
    bob(strict).requests.approve(asked.request_id)
    assert events(strict)[-1][1:] == ("teller", "bob", 1)
    strict.must_be_sound()


def test_a_late_payout_date_waits_too_and_so_does_an_old_recovery(strict: Counter) -> None:
    line = strict.line()
    drawn = strict.book.draw(line.id, "1000", days=90)
    today = START + timedelta(days=20)
    strict.close_until(today)
    asked = waiting(strict.book.confirm_payout(drawn.id, START))
    bob(strict).requests.approve(asked.request_id)
    assert strict.book.loan(drawn.id).start == START
    off = waiting(strict.book.write_off(drawn.id))
    bob(strict).requests.approve(off.request_id)
    strict.close_until(today + timedelta(days=20))
    assert isinstance(strict.book.recover(drawn.id, "5", value_date=today), Waiting)
    assert isinstance(strict.book.recover(drawn.id, "5"), Entry)


def test_the_days_one_person_may_date_back_are_a_dated_setting(strict: Counter) -> None:
    asked = waiting(strict.book.lender.set({"back_dating": [{"from": "2017-05-01", "days": 2}]}))
    bob(strict).requests.approve(asked.request_id)
    loan = strict.loan(strict.line())
    today = START + timedelta(days=10)
    strict.close_until(today)
    assert isinstance(strict.book.repay(loan.id, "10", value_date=today - timedelta(days=2)), Receipt)
    assert isinstance(strict.book.repay(loan.id, "10", value_date=today - timedelta(days=3)), Waiting)


def test_a_book_without_four_eyes_acts_at_once_and_records_who_approved(counter: Counter) -> None:
    line = counter.line()
    assert isinstance(counter.book.set_limit(line.id, "1000"), Facility)
    assert isinstance(counter.book.acting("ann", "bob").set_limit(line.id, "2000"), Facility)
    assert [each[1:] for each in events(counter)] == [("teller", "", 0), ("teller", "", 0), ("ann", "bob", 0)]


def test_two_people_at_one_desk_act_at_once(strict: Counter) -> None:
    line = strict.line()
    assert isinstance(strict.book.acting("ann", "bob").set_limit(line.id, "2000"), Facility)
    assert events(strict)[-1] == ("limit_set", "ann", "bob", 1)
    with pytest.raises(FourEyesRequired):
        strict.book.acting("ann", " ANN")
    with pytest.raises(FourEyesRequired):
        strict.book.acting("").set_limit(line.id, "3000")


# --- what is on file -------------------------------------------------------------------------------------------------


def test_what_cannot_be_done_is_refused_at_once_and_not_kept(strict: Counter) -> None:
    loan = strict.loan(strict.line())
    refused: tuple[Callable[[], object], ...] = (
        lambda: strict.book.reverse(
            strict.book.ledger(loan.id)[0].id if strict.book.ledger(loan.id) else "ev-00-1"
        ),
        lambda: strict.book.set_limit("fac-00-1", "1"),
        lambda: strict.book.set_limit(loan.facility_id, "-1"),
        lambda: strict.book.repay(loan.id, "5", value_date=START - timedelta(days=30)),
    )
    for ask in refused:
        with pytest.raises(MicroloanError):
            ask()
    assert strict.book.requests.list(decided=True) == ()


def test_trying_a_command_before_it_is_kept_leaves_nothing_behind(strict: Counter) -> None:
    loan = strict.loan(strict.line())
    before = events(strict), strict.journal(), strict.book.loan(loan.id)
    waiting(strict.book.write_off(loan.id))
    assert (events(strict), strict.journal(), strict.book.loan(loan.id)) == before
    strict.must_be_sound()


def test_the_same_asked_twice_waits_once_and_a_key_answers_the_same(strict: Counter) -> None:
    line = strict.line()
    first = waiting(strict.book.set_limit(line.id, "1000", "x", idempotency_key="k"))
    assert waiting(strict.book.set_limit(line.id, "1000", "x", idempotency_key="k")).replayed
    assert waiting(strict.book.set_limit(line.id, "1000", "x")).request_id == first.request_id
    with pytest.raises(IdempotencyConflict):
        strict.book.set_limit(line.id, "2000", "x", idempotency_key="k")
    assert len(strict.book.requests.list()) == 1


@pytest.mark.postgres
def test_the_same_asked_for_before_the_first_is_committed_waits_for_it(postgres_url: str) -> None:
    """Of two desks that ask at the same instant the second waits, and is told the request of the first."""
    strict = Counter(postgres_url)
    strict.init(buckets=1, four_eyes="on")
    line, engine, told = strict.line(), create_engine(strict.url), []
    second = threading.Thread(target=lambda: told.append(waiting(own.set_limit(line.id, "1000", "x"))))
    with Session(engine) as session, LoanBook.open(strict.url, clock=strict.clock, actor="eve") as own:
        first = waiting(LoanBook(session, clock=strict.clock, actor="teller").set_limit(line.id, "1000", "x"))
        second.start()
        second.join(0.5)
        assert not told, "who asks second has to wait for what the first does"
        session.commit()
        second.join()
    engine.dispose()
    assert [(each.request_id, each.created_by) for each in told] == [(first.request_id, "teller")]
    assert len(strict.book.requests.list()) == 1
    bob(strict).requests.approve(first.request_id)
    assert (
        waiting(strict.book.set_limit(line.id, "1000", "x")).request_id != first.request_id
    )  # it may be asked again
    strict.book.close()


def test_what_two_desks_ask_for_at_the_same_instant_waits_once(strict: Counter) -> None:
    line = strict.line()

    def ask() -> None:
        book = own_book(strict)
        for n in range(10):
            waiting(book.set_limit(line.id, str(1000 + n), "x"))
        book.close()

    assert [ended(pid) for pid in [child(ask) for _ in range(3)]] == [0, 0, 0]
    asked = [each.payload["limit"] for each in strict.book.requests.list()]
    assert sorted(asked) == [str(1000 + n) for n in range(10)]


def test_approving_acts_once(strict: Counter) -> None:
    line = strict.line()
    asked = waiting(strict.book.set_limit(line.id, "1000"))
    first = bob(strict).requests.approve(asked.request_id, idempotency_key="yes")
    again = bob(strict).requests.approve(asked.request_id, idempotency_key="yes")
    assert (again.replayed, again.command_id, again.result) == (True, first.command_id, first.result)
    with pytest.raises(EventRefused, match="was approved by bob already"):
        bob(strict).requests.approve(asked.request_id)
    assert [kind for kind, *_ in events(strict)] == ["signed", "limit_set"]


def test_two_people_approving_at_once_act_once(strict: Counter) -> None:
    line = strict.line()
    asked = waiting(strict.book.set_limit(line.id, "1000"))
    start, answers = threading.Barrier(2), []

    def approve(name: str) -> None:
        with LoanBook.open(strict.url, clock=strict.clock, actor=name) as book:
            start.wait()
            try:
                answers.append(book.requests.approve(asked.request_id).decided_by)
            except EventRefused as refused:
                answers.append(refused.code)

    threads = [threading.Thread(target=approve, args=(name,)) for name in ("bob", "eve")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers)[-1] == "request_approved"
    assert [kind for kind, *_ in events(strict)] == ["signed", "limit_set"]


def test_whoever_asked_may_take_it_back(strict: Counter) -> None:
    asked = waiting(strict.book.set_limit(strict.line().id, "1000"))
    assert strict.book.requests.reject(asked.request_id, "a mistake").decided_by == "teller"
    assert strict.book.requests.show(asked.request_id).status == "rejected"
    with pytest.raises(NotFound):
        strict.book.requests.show("req-00-none")


def test_every_kept_command_is_known_by_its_name(strict: Counter) -> None:
    assert [operation_named(each.name) for each in operations()] == list(operations())
    with pytest.raises(NotFound):
        operation_named("transfer")


def test_inside_a_host_a_request_is_the_host_s_to_commit(strict: Counter) -> None:
    line = strict.line()
    engine = create_engine(strict.url)
    with Session(engine) as session:
        book = LoanBook(session, clock=strict.clock, actor="teller")
        waiting(book.set_limit(line.id, "1000"))
        session.rollback()
    assert strict.book.requests.list() == ()
    with Session(engine) as session:
        asked = waiting(LoanBook(session, clock=strict.clock, actor="teller").set_limit(line.id, "1000"))
        session.commit()
    with Session(engine) as session:
        LoanBook(session, clock=strict.clock, actor="bob").requests.approve(asked.request_id)
        session.commit()
    engine.dispose()
    assert strict.book.facility(line.id).limit == Decimal("1000.00")


# --- the setting itself ----------------------------------------------------------------------------------------------


def test_switching_four_eyes_off_needs_two_and_stays_on_file(strict: Counter) -> None:
    asked = waiting(strict.book.lender.set({"four_eyes": "off"}))
    bob(strict).requests.approve(asked.request_id)
    assert strict.book.settings().four_eyes == "off"
    entries = [each.value for each in strict.book.lender.show().settings if each.name == "four_eyes"]
    assert entries == [{"four_eyes": "off"}]
    told = [(line.operation, line.actor, line.subject) for line in strict.book.audit()]
    assert ("request.approve", "bob", asked.request_id) in told
    strict.must_be_sound()


SWITCHED_BY_HAND = [
    "UPDATE ml_book SET four_eyes = 'off'",
    "INSERT INTO ml_book SELECT 'other', currency, zone, buckets, 'on', created_at FROM ml_book",
    "UPDATE ml_book SET tenant = 'other'",
    "INSERT OR REPLACE INTO ml_book SELECT tenant, currency, zone, buckets, 'off', created_at FROM ml_book",
]


@pytest.mark.parametrize("change", SWITCHED_BY_HAND)
def test_the_database_refuses_a_switch_that_is_not_on_file(strict: Counter, change: str) -> None:
    engine = create_engine(strict.url)
    if "OR REPLACE" in change and engine.dialect.name != "sqlite":
        return  # no such statement there
    with engine.begin() as connection, pytest.raises(IntegrityError, match="only with a setting on file"):
        connection.execute(text(change))
    engine.dispose()
    assert strict.book.settings().four_eyes == "on"
    strict.must_be_sound()


def test_a_setting_switched_off_behind_the_library_s_back_is_found(strict: Counter) -> None:
    engine = create_engine(strict.url)
    with engine.begin() as connection:
        for name, _ in guards.triggers(engine.dialect.name):
            if name.startswith("ml_book_"):
                of = "" if engine.dialect.name == "sqlite" else " ON ml_book"
                connection.execute(text(f"DROP TRIGGER {name}{of}"))
        connection.execute(text("UPDATE ml_book SET four_eyes = 'off'"))
    engine.dispose()
    [finding] = strict.book.verify().findings
    assert (finding.code, finding.stored, finding.recomputed) == ("four_eyes", "off", "on")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ml_request SET status = 'approved', decided_by = created_by, decided_at = created_at",
        "UPDATE ml_request SET status = 'approved', decided_by = '', decided_at = created_at",
        "UPDATE ml_request SET status = 'approved'",
        "INSERT INTO ml_event SELECT tenant, bucket, facility, seq + 1, id || 'x', command, loan, 'limit_set', value_date, "
        "booked_on, recorded_at, reverses, payload, 'teller', 'teller', 1, prev_hash, hash FROM ml_event",
        "INSERT INTO ml_event SELECT tenant, bucket, facility, seq + 1, id || 'x', command, loan, 'limit_set', value_date, "
        "booked_on, recorded_at, reverses, payload, 'teller', '', 1, prev_hash, hash FROM ml_event",
        "UPDATE ml_command SET approver = actor",
    ],
)
def test_the_database_refuses_one_person_in_both_roles(strict: Counter, change: str) -> None:
    waiting(strict.book.set_limit(strict.line().id, "1000"))
    engine = create_engine(strict.url)
    with engine.begin() as connection, pytest.raises(IntegrityError):
        connection.execute(text(change))
    engine.dispose()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ml_request SET payload = replace(payload, '1', '9')",
        "UPDATE ml_request SET subject = 'loan-00-zz', created_by = 'bob'",
        "UPDATE ml_request SET operation = 'write_off', reason = 'why not'",
        "DELETE FROM ml_request",
    ],
)
@pytest.mark.parametrize("answered", [False, True])
def test_nobody_changes_what_was_asked_for_nor_takes_it_away(
    strict: Counter, change: str, answered: bool
) -> None:
    asked = waiting(strict.book.set_limit(strict.line().id, "1000", "good payer"))
    if answered:
        bob(strict).requests.reject(asked.request_id)
    before = strict.book.requests.show(asked.request_id)
    engine = create_engine(strict.url)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(change))
    if answered:
        with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
            connection.execute(
                text("UPDATE ml_request SET status='waiting', decided_by=NULL, decided_at=NULL")
            )
    engine.dispose()
    assert strict.book.requests.show(asked.request_id) == before
