"""History cannot be changed, not even by REPLACE; and the doctor sees when what guards it is gone.

Source: RELIABILITY 12 and 47.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing as closed
from datetime import date

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import IntegrityError

from microloan.book.results import Waiting
from microloan.store import guards, schema
from microloan.store.tables import metadata

from .counter import START, Counter

APPEND_ONLY = (
    "ml_decision", "ml_erasure", "ml_event", "ml_journal", "ml_request", "ml_seal", "ml_setting", "ml_swept",
)  # fmt: skip
#: Of these a row stays and its state goes on; test_audit_guards.py tries them.
STAYING = ("ml_command", "ml_offer", "ml_policy", "ml_product", "ml_receipt", "ml_settlement")


@pytest.fixture
def raw(sqlite_url: str) -> Iterator[sqlite3.Connection]:
    """A bare driver on a book with something in every table that only grows."""
    counter = Counter(sqlite_url).init(four_eyes="on")
    counter.loan(counter.line())
    assert isinstance(counter.book.write_off(counter.book.loans()[0].id), Waiting)
    counter.close_until(date(2017, 5, 4))
    counter.book.close()
    path = sqlite_url.removeprefix("sqlite:///")
    with closed(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        for table in ("ml_decision", "ml_erasure", "ml_swept"):
            columns = metadata.tables[table].columns
            values = {c.name: "x" if str(c.type) == "TEXT" else 1 for c in columns}
            fitting = {"ml_decision": {"outcome": "approved"}, "ml_erasure": {"approver": ""}}
            values |= fitting.get(table, {})
            put(connection, table, values)
        yield connection


def put(connection: sqlite3.Connection, table: str, row: dict[str, object], verb: str = "INSERT") -> None:
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    connection.execute(f"{verb} INTO {table} ({names}) VALUES ({marks})", list(row.values()))


def everything(connection: sqlite3.Connection, table: str) -> list[dict[str, object]]:
    return [dict(row) for row in connection.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid")]


def test_these_tables_and_no_others_are_guarded_so() -> None:
    names = {name for name, _ in guards.triggers("sqlite")}
    for guard in ("_no_replace", "_no_delete"):
        guarded = {name.removesuffix(guard) for name in names if name.endswith(guard)}
        assert guarded == {*APPEND_ONLY, *STAYING}


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_replace_rewrites_no_history(raw: sqlite3.Connection, table: str) -> None:
    """SQLite deletes what stands in the way of a REPLACE without asking the triggers on DELETE."""
    before = everything(raw, table)
    same = {name: value for name, value in before[0].items() if name != "rowid"}
    changed = same | {
        next(
            name for name in ("actor", "heads", "value", "account", "reason", "body", "loan") if name in same
        ): 7
    }
    with pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only"):
        put(raw, table, changed, "INSERT OR REPLACE")
    with pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only"):
        put(raw, table, changed, "REPLACE")
    as_text = {name: str(value) if isinstance(value, int) else value for name, value in same.items()}
    with pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only"):
        put(raw, table, as_text, "REPLACE")
    assert everything(raw, table) == before


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_a_new_row_takes_no_old_row_s_number(raw: sqlite3.Connection, table: str) -> None:
    before = everything(raw, table)
    elsewhere = before[0] | {"tenant": "other"}
    with pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only"):
        put(raw, table, elsewhere, "INSERT OR REPLACE")
    assert everything(raw, table) == before


def test_a_second_key_is_guarded_too(raw: sqlite3.Connection) -> None:
    """An event under a new number with an old identifier would take the old one's place."""
    [first, *_] = before = everything(raw, "ml_event")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        put(raw, "ml_event", {**first, "rowid": None, "seq": 999}, "INSERT OR REPLACE")
    assert everything(raw, "ml_event") == before


def test_a_request_that_waits_is_not_put_under_another_name(raw: sqlite3.Connection) -> None:
    """Bob as the one who asked, and the teller might approve what the teller asked for."""
    [waits] = before = everything(raw, "ml_request")
    put(
        raw,
        "ml_request",
        {**waits, "rowid": None, "id": "req-00-x", "created_by": "bob"},
        "INSERT OR REPLACE",
    )
    assert everything(raw, "ml_request") == before


# --- what the doctor sees --------------------------------------------------------------------------------------------


def change(counter: Counter, statement: str) -> None:
    engine = create_engine(counter.url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def told(counter: Counter) -> list[str]:
    """What the doctor finds bad about the schema; ``init --check`` says the same."""
    bad = [c for c in counter.book.doctor().checks if c.check == "schema" and c.status == "bad"]
    status = counter.book.schema_status()
    assert (status.current, status.found) == (not bad, "0001")
    assert [c.found for c in bad] == list(status.differences)
    assert all("microloan verify" in c.remedy for c in bad)
    return [c.found for c in bad]


def test_a_sound_schema_has_no_differences(counter: Counter) -> None:
    assert told(counter) == []


def test_every_trigger_that_is_gone_is_named(counter: Counter) -> None:
    dialect = "sqlite" if counter.url.startswith("sqlite") else "postgresql"
    expected = []
    for name, statement in guards.triggers(dialect):
        table = statement.split(" ON ")[1].split()[0]
        change(counter, f"DROP TRIGGER {name}" + ("" if dialect == "sqlite" else f" ON {table}"))
        expected.append(f"trigger {name} is missing")
    assert told(counter) == expected
    assert len(expected) > 15


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DROP INDEX ix_ml_loan_held", "index ix_ml_loan_held is missing"),
        ("ALTER TABLE ml_promise RENAME TO host_promise", "table ml_promise is missing"),
        ("ALTER TABLE ml_promise DROP COLUMN note", "column ml_promise.note is missing"),
    ],
)
def test_what_else_is_gone_is_named(counter: Counter, statement: str, found: str) -> None:
    change(counter, statement)
    assert found in told(counter)


def test_a_check_taken_out_of_a_sqlite_table_is_named(sqlite_url: str) -> None:
    counter = Counter(sqlite_url).init()
    with closed(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as raw:
        raw.execute("PRAGMA writable_schema=ON")
        raw.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'CONSTRAINT ck_ml_event_four_eyes ', '') WHERE name = 'ml_event'"
        )
        raw.commit()
    assert told(counter) == ["constraint ck_ml_event_four_eyes is missing"]


def test_a_trigger_made_to_do_nothing_is_named(counter: Counter) -> None:
    if counter.url.startswith("sqlite"):
        change(counter, "DROP TRIGGER ml_event_no_delete")
        change(counter, "CREATE TRIGGER ml_event_no_delete BEFORE DELETE ON ml_event BEGIN SELECT 1; END")
        assert told(counter) == ["trigger ml_event_no_delete is not as it was made"]
        return
    change(counter, "ALTER TABLE ml_event DISABLE TRIGGER ml_event_no_change")
    assert told(counter) == ["trigger ml_event_no_change is switched off"]
    change(counter, "ALTER TABLE ml_event ENABLE TRIGGER ml_event_no_change")
    change(counter, "ALTER TABLE ml_event DROP CONSTRAINT ck_ml_event_four_eyes")
    assert told(counter) == ["constraint ck_ml_event_four_eyes is missing"]
    change(
        counter,
        "CREATE OR REPLACE FUNCTION ml_append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    )
    assert "function ml_append_only is not as it was made" in told(counter)


def test_the_database_says_the_same_error_on_either_kind(counter: Counter) -> None:
    counter.loan(counter.line())
    counter.close_until(START.replace(day=3))
    engine = create_engine(counter.url)
    for statement in ("UPDATE ml_event SET actor = 'mallory'", "DELETE FROM ml_seal"):
        with engine.connect() as connection, pytest.raises(IntegrityError, match="append-only"):
            connection.execute(text(statement))
    engine.dispose()


def test_an_upgrade_leaves_alone_what_was_made_in_part(counter: Counter) -> None:
    change(counter, f"DELETE FROM {schema.VERSION_TABLE}")

    def look(connection: Connection) -> None:
        with pytest.raises(schema.SchemaMismatch, match="without their version: restore a backup"):
            schema.upgrade(connection)

    counter.book._desk.transactions.read(look)
    with pytest.raises(schema.SchemaMismatch, match="run: microloan init"):
        Counter(counter.url).book.loans()
