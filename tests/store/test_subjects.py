"""Personal data: handed out, kept as long as required, erased without breaking a hash; and never where it does not belong.

Source: RELIABILITY 45.
"""

from __future__ import annotations

import json
import logging
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text

from microloan.book.loanbook import LoanBook
from microloan.book.results import Waiting
from microloan.book.subjects import Erasure
from microloan.errors import EventRefused, MicroloanError, NotFound
from microloan.plain import to_json_values

from .counter import START, Counter

#: What must never show: planted in names, signatures and identifiers.
NAME, SIGNER = "Canary Ouyang", "Canary Zhuge"
NUMBERS = {"phone": "13900001111", "id_card": "110101199003074514", "account": "6222021234567890123"}


def merchant(counter: Counter, name: str = "m-1") -> str:
    """A registered merchant with identifiers, every command under a key so that its answer is kept."""
    book = counter.book
    book.merchants.add(name, NAME, idempotency_key=f"add-{name}")
    for kind, value in NUMBERS.items():
        book.merchants.identify(name, kind, value, idempotency_key=f"{kind}-{name}")
    book.merchants.add("m-9", "a neighbour")
    book.merchants.link(name, "m-9", f"cousin of {NAME}", idempotency_key="link")
    return name


def signed(counter: Counter) -> Any:
    """The merchant's credit line, signed by a person."""
    offer = counter.offer()
    sha256 = counter.book.contract(offer.id).sha256
    return counter.book.sign(offer.id, signer=SIGNER, contract_sha256=sha256, idempotency_key="sign")


def ended(counter: Counter) -> date:
    """A loan drawn, repaid in full, the line closed; the day of the last event."""
    line = signed(counter)
    loan = counter.loan(line, "1000.00")
    counter.book.repay(loan.id, "all")
    counter.book.close_facility(line.id)
    return START


def jump(counter: Counter, day: date) -> None:
    """Years later: the days between are closed a few at a time."""
    counter.close_until(day)


def dump(counter: Counter) -> str:
    """Every column of every row of the database."""
    engine = create_engine(counter.url)
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        rows = [
            str(tuple(row)) for table in tables for row in connection.execute(text(f"SELECT * FROM {table}"))
        ]
    engine.dispose()
    return "\n".join(rows)


def secrets_in(told: str) -> list[str]:
    return [secret for secret in (NAME, SIGNER, *NUMBERS.values()) if secret in told]


def test_everything_held_on_a_merchant_is_handed_out(counter: Counter) -> None:
    merchant(counter)
    line = signed(counter)
    loan = counter.loan(line, "1000.00")
    counter.book.repay(loan.id, "10")
    held = to_json_values(counter.book.subjects.export("m-1"))
    assert (held["merchant"]["name"], held["signatures"][0]["signer"]) == (NAME, SIGNER)
    assert {each["last_four"] for each in held["merchant"]["identifiers"]} == {"1111", "4514", "0123"}
    assert held["merchant"]["related"] == [{"merchant_id": "m-9", "reason": f"cousin of {NAME}"}]
    assert [each["id"] for each in held["loans"]] == [loan.id]
    assert [each["type"] for each in held["ledgers"][loan.id]] == ["repay"]
    assert list(held["contracts"]) == [line.offer_id]
    assert (held["running"], held["erasable_from"]) == ([line.id, loan.id], None)
    with pytest.raises(NotFound):
        counter.book.subjects.export("nobody")


def test_nothing_is_erased_while_a_contract_runs(counter: Counter) -> None:
    merchant(counter)
    signed(counter)
    with pytest.raises(EventRefused) as refused:
        counter.book.subjects.erase("m-1", "asked by letter")
    assert refused.value.code == "contract_running"
    assert secrets_in(dump(counter))


def test_nor_for_ten_years_after_the_last_one_ended(counter: Counter) -> None:
    merchant(counter)
    ended(counter)
    with pytest.raises(EventRefused) as refused:
        counter.book.subjects.erase("m-1", "asked by letter")
    assert (refused.value.code, refused.value.details["erasable_from"]) == (
        "retention_hold",
        date(2027, 5, 1),
    )
    assert "may be erased from 2027-05-01" in refused.value.message
    assert counter.book.subjects.export("m-1").erasable_from == date(2027, 5, 1)


def test_the_years_of_keeping_are_a_setting_and_end_on_the_very_day(counter: Counter) -> None:
    counter.book.lender.set({"retention": [{"from": "2017-05-01", "years": 1}]})
    merchant(counter)
    ended(counter)
    jump(counter, date(2018, 4, 30))
    with pytest.raises(EventRefused, match="2018-05-01"):
        counter.book.subjects.erase("m-1", "asked by letter")
    jump(counter, date(2018, 5, 1))
    assert isinstance(counter.book.subjects.erase("m-1", "asked by letter"), Erasure)


def erased(counter: Counter) -> Erasure:
    counter.book.lender.set({"retention": [{"from": "2017-05-01", "years": 0}]})
    merchant(counter)
    ended(counter)
    done = counter.book.subjects.erase("m-1", "asked by letter", idempotency_key="erase")
    assert isinstance(done, Erasure)
    return done


def test_an_erasure_leaves_nothing_of_the_person_and_every_hash_as_it_was(counter: Counter) -> None:
    assert secrets_in(dump(counter)) == []
    done = erased(counter)
    assert (done.merchant_id, done.actor, done.reason) == ("m-1", "teller", "asked by letter")
    assert secrets_in(dump(counter)) == []
    shown = counter.book.merchants.show("m-1")
    assert (shown.name, shown.identifiers, shown.registered) == ("", (), True)
    assert [each.rows for each in counter.book.subjects.export("m-1").erasures] == [done.rows]
    counter.must_be_sound()
    jump(counter, START + timedelta(days=2))
    counter.must_be_sound()


def test_an_erasure_says_once_what_it_did(counter: Counter) -> None:
    done = erased(counter)
    again = counter.book.subjects.erase("m-1", "asked by letter", idempotency_key="erase")
    assert isinstance(again, Erasure)
    assert (again.replayed, again.rows) == (True, done.rows)
    with pytest.raises(EventRefused) as refused:
        counter.book.subjects.erase("m-1", "once more")
    assert refused.value.code == "nothing_to_erase"


def test_a_neighbour_s_data_stay(counter: Counter) -> None:
    erased(counter)
    assert counter.book.merchants.show("m-9").name == "a neighbour"


def test_with_four_eyes_an_erasure_waits(database_url: str) -> None:
    counter = Counter(database_url).init(buckets=1, four_eyes="on")
    counter.book.merchants.add("m-1", NAME)
    asked = counter.book.subjects.erase("m-1", "asked by letter")
    assert isinstance(asked, Waiting)
    assert counter.book.merchants.show("m-1").name == NAME
    counter.book.acting("bob").requests.approve(asked.request_id)
    [record] = counter.book.subjects.export("m-1").erasures
    assert (record.actor, record.approver) == ("teller", "bob")


# --- where a person never shows --------------------------------------------------------------------------------------


def test_identifier_numbers_are_stored_nowhere(counter: Counter) -> None:
    merchant(counter)
    signed(counter)
    stored = dump(counter)
    assert [number for number in NUMBERS.values() if number in stored] == []


def test_names_stand_in_no_event_no_notice_no_decision_and_no_answer_but_the_merchant_s_own(
    counter: Counter,
) -> None:
    merchant(counter)
    ended(counter)
    told = str([notice.cloud_event() for notice in counter.book.events.tail(limit=10_000)])
    told += str(counter.book.audit()) + counter.book.contract(counter.book.offers()[0].id).text
    engine = create_engine(counter.url)
    with engine.connect() as connection:
        for table in (
            "ml_event",
            "ml_outbox",
            "ml_decision",
            "ml_journal",
            "ml_seal",
            "ml_request",
            "ml_erasure",
        ):
            told += "".join(str(tuple(row)) for row in connection.execute(text(f"SELECT * FROM {table}")))
        told += str(
            connection.execute(
                text("SELECT result FROM ml_command WHERE operation NOT LIKE 'merchant.%'")
            ).all()
        )
    engine.dispose()
    assert secrets_in(told) == []


def test_logs_exceptions_and_reprs_never_show_a_person(
    counter: Counter, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("sqlalchemy.engine").setLevel(logging.DEBUG)
    try:
        told = said_by_every_command(counter, tmp_path)
    finally:
        logging.getLogger("sqlalchemy.engine").setLevel(logging.NOTSET)
    assert "ml_merchant" in caplog.text  # the statements were logged
    assert secrets_in(caplog.text) == []
    assert secrets_in(told) == []


def said_by_every_command(counter: Counter, folder: Path) -> str:
    """What commands, refused ones too, leave in reprs and errors."""
    book, said = counter.book, []

    def note(act: Any) -> None:
        try:
            said.append(repr(act()))
        except MicroloanError as error:
            said.extend((repr(error), str(error), json.dumps(to_json_values(error.details), default=str)))

    merchant(counter)
    line = signed(counter)
    note(lambda: book.merchants.show("m-1"))
    note(lambda: book.merchants.add("m-1", NAME))
    note(lambda: book.merchants.add("m-4", NAME + "\x07"))
    note(lambda: book.merchants.identify("m-1", "phone", NUMBERS["phone"] * 30))
    note(lambda: book.merchants.identify("m-1", "Phone!", NUMBERS["phone"]))
    note(lambda: book.merchants.identify("nobody", "phone", NUMBERS["phone"]))
    note(lambda: book.merchants.identify("m-1", "account", NUMBERS["account"], idempotency_key="phone-m-1"))
    note(lambda: book.sign(line.offer_id, signer=SIGNER, contract_sha256="00"))
    note(lambda: book.sign("off-00-none", signer=SIGNER, contract_sha256="00"))
    note(lambda: book.merchants.list())
    note(lambda: book.facility(line.id))
    note(lambda: book.audit())
    note(lambda: book.events.tail())
    note(lambda: book.requests.list(decided=True))
    note(
        lambda: LoanBook.open(counter.url, tenant="nobody").merchants.identify(
            "m-1", "phone", NUMBERS["phone"]
        )
    )
    return "\n".join(said)


def test_a_database_error_shows_no_values(counter: Counter) -> None:
    merchant(counter)
    engine = create_engine(counter.url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE ml_identifier"))
        connection.execute(text("CREATE TABLE ml_identifier (tenant text)"))
    engine.dispose()
    with pytest.raises(MicroloanError) as broken:
        counter.book.merchants.identify("m-1", "phone", NUMBERS["phone"])
    assert (
        secrets_in(f"{broken.value!r} {broken.value} {broken.value.__cause__} {broken.value.__context__}")
        == []
    )
