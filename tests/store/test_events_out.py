"""Notices for other systems: in the fact's own transaction, in order per facility, at least once, nothing lost between two.

Source: STORAGE (outbox), RELIABILITY 26.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session

from microloan.book.loanbook import LoanBook
from microloan.book.notices import COMMON, TYPES, Notice
from microloan.errors import BadInput, EventRefused, NotFound, Retryable

from .counter import START, Counter


def all_waiting(counter: Counter) -> list[Notice]:
    return list(counter.book.events.tail(limit=10_000))


def kinds(notices: list[Notice]) -> list[str]:
    return [notice.type.removeprefix("microloan.").removesuffix(".v1") for notice in notices]


def busy_book(counter: Counter) -> None:
    """A book in which everything that can be told has happened."""
    line = counter.line("900000.00")
    loan = counter.loan(line, "100000.00")
    paid = counter.book.repay(loan.id, "1000").allocations[0].event_id
    counter.book.reverse(paid)
    counter.book.pause(loan.id, START + timedelta(days=3), START + timedelta(days=4))
    counter.book.change_rate(loan.id, "0.04%/day")
    counter.close_until(START + timedelta(days=10))
    counter.book.waive(loan.id, "interest", "1")
    counter.book.fee(loan.id, "1", "reminder")
    counter.book.extend(loan.id, START + timedelta(days=120))
    counter.book.restructure(loan.id, START + timedelta(days=150))
    counter.book.fail_payout(counter.book.draw(line.id, "1000", days=30).id, "account closed")
    other = counter.loan(line, "500.00")
    counter.book.repay(other.id, "600")
    counter.book.refund(other.id, "5")
    counter.book.write_off(loan.id)
    counter.book.recover(loan.id, "10")
    swept = counter.product(
        methods=[{"method": "sweep", "terms": ["1m..18m"]}], default_method="sweep", default_term="12m",
        sweep={"share": "0.10", "minimum": {"fraction": "1/18", "of": "initial_balance", "every": "60d"}},
    )  # fmt: skip
    sweep = counter.loan(counter.line(merchant="m-2", product=swept), "5000.00", months=12)
    counter.book.settlement(sweep.id, "100")
    counter.book.freeze(line.id, "address unknown")
    counter.book.unfreeze(line.id)
    counter.book.set_limit(line.id, "1")
    counter.book.close_facility(line.id)
    counter.line(merchant="m-3")
    counter.close_until(START + timedelta(days=400))


def test_every_type_is_told_with_exactly_its_fields(sqlite_url: str) -> None:
    counter = Counter(sqlite_url).init()
    try:
        busy_book(counter)
    except EventRefused as refused:
        pytest.fail(str(refused))
    told: dict[str, set[str]] = {}
    for notice, kind in zip(found := all_waiting(counter), kinds(found), strict=True):
        told.setdefault(kind, set()).update(notice.data)
    assert set(told) == set(TYPES)
    for kind, fields in told.items():
        wanted, optional = set(), {"loan", "reverses"} if kind != "day_closed" else set()
        for field in TYPES[kind].fields.split():
            (optional if field.endswith("?") else wanted).add(field.rstrip("?"))
        wanted |= {"currency"} if kind == "day_closed" else set(COMMON) - {"loan", "reverses"}
        assert wanted <= fields <= wanted | optional, kind
    counter.must_be_sound()


def test_an_event_is_a_cloud_event(counter: Counter) -> None:
    line = counter.line()
    [signed] = all_waiting(counter)
    told = json.loads(json.dumps(signed.cloud_event()))
    assert {name: told[name] for name in ("specversion", "type", "source", "subject", "partitionkey", "sequence")} == {
        "specversion": "1.0", "type": "microloan.signed.v1", "source": "/microloan/main", "subject": line.id,
        "partitionkey": line.id, "sequence": "000000000001",
    }  # fmt: skip
    assert told["data"]["limit_minor"] == 50_000_000
    assert told["data"]["currency"] == "CNY"


def test_no_attribute_of_a_cloud_event_is_empty_a_closed_day_has_its_bucket_for_a_key(
    counter: Counter,
) -> None:
    counter.line()
    counter.close_until(START + timedelta(days=2))
    told = [notice.cloud_event() for notice in all_waiting(counter)]
    assert all(value for event in told for value in event.values())
    buckets = counter.book.settings().buckets
    keys = [event["partitionkey"] for event in told if event["type"] == "microloan.day_closed.v1"]
    assert keys == [f"bucket-{bucket:02d}" for bucket in range(buckets) for _ in range(2)]


def test_a_closed_day_is_told_once_per_bucket(counter: Counter) -> None:
    counter.close_until(START + timedelta(days=2))
    counter.close_until(START + timedelta(days=2))
    days = [
        (notice.data["bucket"], notice.data["day"], notice.data["open_day"])
        for notice in all_waiting(counter)
    ]
    buckets = counter.book.settings().buckets
    assert days == [
        (bucket, str(START + timedelta(days=n)), str(START + timedelta(days=n + 1)))
        for bucket in range(buckets) for n in (0, 1)
    ]  # fmt: skip


def test_what_is_rolled_back_was_never_told(counter: Counter) -> None:
    line = counter.line()
    with pytest.raises(EventRefused):
        counter.book.unfreeze(line.id)
    engine = create_engine(counter.url)
    with Session(engine) as session:
        LoanBook(session, clock=counter.clock, actor="host").freeze(line.id)
        session.rollback()
    engine.dispose()
    assert kinds(all_waiting(counter)) == ["signed"]


def test_an_acknowledgement_covers_its_facility_up_to_there(counter: Counter) -> None:
    one, two = counter.line(), counter.line(merchant="m-2")
    for line in (one, two):
        counter.book.freeze(line.id)
        counter.book.unfreeze(line.id)
    of_one = [notice for notice in all_waiting(counter) if notice.facility == one.id]
    assert [notice.sequence for notice in of_one] == [1, 2, 3]
    assert counter.book.events.ack(of_one[1].id) == 2
    assert counter.book.events.ack(of_one[1].id) == 0
    left = [(notice.facility, notice.sequence) for notice in all_waiting(counter)]
    assert sorted(left) == sorted([(one.id, 3), (two.id, 1), (two.id, 2), (two.id, 3)])
    with pytest.raises(NotFound):
        counter.book.events.ack("ev-00-none")


def test_reading_page_by_page_gives_everything_once(counter: Counter) -> None:
    for merchant in ("m-1", "m-2", "m-3"):
        counter.book.freeze(counter.line(merchant=merchant).id)
    whole, pages, place = all_waiting(counter), [], None
    while page := counter.book.events.tail(after=place, limit=4):
        pages += page
        place = page[-1].id
    assert pages == whole
    with pytest.raises(BadInput):
        counter.book.events.tail(limit=0)


def test_a_send_that_fails_is_delivered_again(counter: Counter) -> None:
    counter.book.freeze(counter.line().id)
    sent: list[str] = []

    def send(notice: Notice) -> None:
        sent.append(notice.id)
        if len(sent) == 2:
            raise ConnectionError("the queue is gone")

    with pytest.raises(ConnectionError):
        counter.book.events.deliver(send)
    assert counter.book.events.deliver(send) == 2
    assert sent[:2] == sent[2:]
    assert counter.book.events.deliver(send) == 0


@pytest.mark.parametrize(
    "error", [sqlite3.IntegrityError("theirs"), Retryable(reason="another book is busy")]
)
def test_an_error_of_the_consumers_own_database_stays_theirs(counter: Counter, error: Exception) -> None:
    counter.book.freeze(counter.line().id)
    tried: list[str] = []

    def send(notice: Notice) -> None:
        tried.append(notice.id)
        raise error

    with pytest.raises(type(error)) as raised:
        counter.book.events.deliver(send)
    assert (raised.value, len(tried)) == (error, 1)


def test_a_consumer_killed_before_it_acknowledges_is_told_again(counter: Counter) -> None:
    counter.book.freeze(counter.line().id)
    counter.book.close()
    pid = os.fork()
    if not pid:
        LoanBook.open(counter.url, clock=counter.clock).events.deliver(
            lambda _: os.kill(os.getpid(), signal.SIGKILL)
        )
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert kinds(all_waiting(counter)) == ["signed", "frozen"]


def test_two_consumers_lose_nothing_and_keep_the_order_of_each_facility(
    counter: Counter, tmp_path: Path
) -> None:
    lines = [counter.line(merchant=f"m-{n}") for n in range(6)]
    counter.book.close()
    pids = []
    for name in ("one", "two"):
        pid = os.fork()
        if not pid:
            consume(counter, tmp_path / name, len(lines) * 11)
            os._exit(0)
        pids.append(pid)
    for _ in range(5):
        for line in lines:
            counter.book.freeze(line.id)
            counter.book.unfreeze(line.id)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0]
    told = [
        tuple(row.split()) for name in ("one", "two") for row in (tmp_path / name).read_text().splitlines()
    ]
    assert len(told) == len(set(told)) == len(lines) * 11
    by_time = sorted(told, key=lambda row: int(row[0]))
    for line in lines:
        sequences = [int(sequence) for _, facility, sequence in by_time if facility == line.id]
        assert sequences == list(range(1, 12))
    assert all_waiting(counter) == []


def consume(counter: Counter, file: Path, total: int) -> None:
    """Deliver into a file, a few at a time, until between them the consumers have told everything."""
    book, deadline = LoanBook.open(counter.url, clock=counter.clock), time.monotonic() + 60
    other = file.with_name("two" if file.name == "one" else "one")
    with file.open("w") as out:

        def send(notice: Notice) -> None:
            out.write(f"{time.monotonic_ns()} {notice.facility} {notice.sequence}\n")
            out.flush()

        while time.monotonic() < deadline:
            book.events.deliver(send, limit=3)
            told = sum(len(each.read_text().splitlines()) for each in (file, other) if each.exists())
            if told >= total:
                return
            time.sleep(0.005)


@pytest.mark.postgres
def test_while_one_delivers_a_facility_another_passes_it_over(postgres_url: str) -> None:
    counter = Counter(postgres_url).init(buckets=2)
    one, two = counter.line(), counter.line(merchant="m-2")
    counter.book.freeze(one.id)
    counter.book.freeze(two.id)
    inside, go_on, seen = threading.Event(), threading.Event(), []
    told_to_go_on: list[bool] = []

    def slow(notice: Notice) -> None:
        seen.append(notice.facility)
        inside.set()
        told_to_go_on.append(go_on.wait(10))

    def work() -> None:
        with LoanBook.open(counter.url, clock=counter.clock) as book:
            book.events.deliver(slow, limit=1)

    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(20)
    meanwhile: list[str] = []
    counter.book.events.deliver(lambda notice: meanwhile.append(notice.facility))
    go_on.set()
    thread.join()
    assert told_to_go_on == [True], "the other consumer waited for it"
    assert seen[0] not in meanwhile
    assert len(meanwhile) == 2
    rest: list[int] = []
    counter.book.events.deliver(lambda notice: rest.append(notice.sequence))
    assert rest == [2]


def test_reading_what_waits_uses_the_index_of_what_waits(sqlite_url: str) -> None:
    counter = Counter(sqlite_url).init()
    counter.line()
    asked: list[tuple[str, object]] = []
    assert counter.book._own is not None
    event.listen(
        counter.book._own.engine, "before_cursor_execute",
        lambda _c, _cur, statement, values, *_: asked.append((statement, values)),
    )  # fmt: skip
    all_waiting(counter)
    counter.book.events.deliver(lambda _: None)
    with counter.book._own.engine.connect() as connection:
        for statement, values in asked:
            if "ml_outbox" in statement and statement.startswith("SELECT"):
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
                assert "ix_ml_outbox_waiting" in str(plan), (statement, plan)
