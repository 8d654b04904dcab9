"""The schema: made by migrations, the same as the metadata says, kept apart from a host's.

Source: RELIABILITY 10 to 15, 46, 47.
"""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from microloan.book.loanbook import LoanBook
from microloan.errors import MicroloanError, NoBook, NoDatabase, NotFound, SchemaMismatch, StorageFailed
from microloan.store import schema
from microloan.store.base import open_engine
from microloan.store.tables import metadata
from microloan.store.transactions import OwnEngine

from .counter import Counter


def definitions(connection: Connection) -> dict[str, object]:
    """Every table, column, key, index, check and trigger, as the database tells them."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%version%' AND sql IS NOT NULL")
        )
        return {name: " ".join(sql.split()) for name, sql in rows}
    looked: dict[str, object] = {}
    inspector = inspect(connection)
    for table in inspector.get_table_names():
        if "version" not in table:
            looked[table] = [
                [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)],
                inspector.get_pk_constraint(table),
                sorted(map(str, inspector.get_indexes(table))),
                sorted(map(str, inspector.get_check_constraints(table))),
                sorted(map(str, inspector.get_unique_constraints(table))),
            ]
    triggers = text("SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal")
    room = text(
        "SELECT 'room of ' || relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL AND relkind = 'r'"
    )
    return looked | dict(connection.execute(triggers).all()) | dict(connection.execute(room).all())


def empty_engine(url: str) -> Engine:
    OwnEngine(engine := open_engine(url)).prepare()
    return engine


def test_migrations_make_what_the_metadata_says(empty_url: str, tmp_path: Path) -> None:
    migrated = empty_engine(empty_url)
    with migrated.begin() as connection:
        schema.upgrade(connection)
        made = definitions(connection)
        context = MigrationContext.configure(connection, opts={"version_table": schema.VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
        metadata.drop_all(connection)
        metadata.create_all(connection)
        assert definitions(connection) == made
    migrated.dispose()


def test_the_newest_revision_is_the_one_the_code_works_with() -> None:
    tree = ScriptDirectory.from_config(schema._alembic({}))
    assert tree.get_current_head() == schema.REVISIONS[-1]
    assert [step.revision for step in tree.walk_revisions()] == list(reversed(schema.REVISIONS))


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_the_schema_can_be_had_as_sql(dialect: str) -> None:
    statements = schema.offline_sql(dialect)
    for part in (
        "CREATE TABLE ml_loan",
        "CREATE TABLE ml_alembic_version",
        "INSERT INTO ml_alembic_version",
        "ml_event_no_",
    ):
        assert part in statements
    assert ("STRICT" in statements) == (dialect == "sqlite")


def test_the_printed_sql_makes_a_book_that_works(empty_url: str) -> None:
    """Run as any client runs it: statement after statement, nothing put in the place of anything."""
    run_sql(empty_url, schema.offline_sql("sqlite" if empty_url.startswith("sqlite") else "postgresql"))
    counter = Counter(empty_url)
    assert counter.book.schema_status().current
    counter.init()
    assert counter.loan(counter.line(), "1000.00").principal == 1000
    counter.must_be_sound()


def run_sql(url: str, statements: str) -> None:
    if url.startswith("sqlite"):
        raw = sqlite3.connect(url.removeprefix("sqlite:///"))
        raw.executescript(statements)
        raw.close()
        return
    import psycopg

    name = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(name) as connection:
        connection.execute(statements.encode())


def test_init_twice_finds_the_book_open(counter: Counter) -> None:
    assert counter.book.settings().created is False
    assert counter.book.init().created is False
    assert counter.book.schema_status().current


def test_a_new_book_has_one_bucket_on_sqlite_and_sixteen_on_postgresql(empty_url: str) -> None:
    made = Counter(empty_url).init()
    assert made.book.settings().buckets == (1 if empty_url.startswith("sqlite") else 16)


def test_a_book_in_another_currency_is_refused(counter: Counter) -> None:
    with pytest.raises(MicroloanError) as refused:
        counter.book.init("BRL")
    assert refused.value.code == "currency_mismatch"


def test_a_schema_newer_than_the_code_is_refused_with_advice(counter: Counter) -> None:
    engine = create_engine(counter.url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE ml_alembic_version SET version_num = '9999'"))
    engine.dispose()
    status = counter.book.schema_status()
    assert (status.current, "upgrade the package" in status.remedy) == (False, True)
    with LoanBook.open(counter.url) as another, pytest.raises(SchemaMismatch):
        another.facilities()
    with pytest.raises(SchemaMismatch) as refused:
        counter.book.init()
    assert "9999" in refused.value.message


def test_a_database_without_a_book_says_what_to_do(empty_url: str) -> None:
    engine = empty_engine(empty_url)
    engine.dispose()
    book = LoanBook.open(empty_url)
    assert book.schema_status().found == "none"
    with pytest.raises(NoDatabase) as refused:
        book.facilities()
    assert "microloan init" in refused.value.message
    book.init()
    other = LoanBook.open(empty_url, tenant="nobody")
    with pytest.raises(NoBook) as missing:
        other.close_day()
    assert (
        missing.value.message == "no book for tenant 'nobody'; open one with: microloan init --tenant nobody"
    )


def test_a_mistyped_file_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "typo.db"
    with pytest.raises(NoDatabase):
        LoanBook.open(f"sqlite:///{path}").facilities()
    assert not path.exists()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_bytes(b"Dear sir, " * 100)
    with pytest.raises(StorageFailed):
        LoanBook.open(f"sqlite:///{path}").init()
    assert path.read_bytes() == b"Dear sir, " * 100


def test_only_the_owner_reads_a_sqlite_book(empty_sqlite_url: str) -> None:
    counter = Counter(empty_sqlite_url).init()
    counter.line()
    path = Path(empty_sqlite_url.removeprefix("sqlite:///"))
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_our_sqlite_connections_are_durable_and_ours(empty_sqlite_url: str) -> None:
    counter = Counter(empty_sqlite_url).init()
    assert counter.book._own is not None
    with counter.book._own.engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "application_id")
        }
    assert found == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0, "application_id": 0x6D6C6F6E,
    }  # fmt: skip


def test_reading_takes_no_write_lock(sqlite_url: str) -> None:
    counter = Counter(sqlite_url).init()
    line = counter.line()
    engine = open_engine(sqlite_url)
    with engine.connect() as writer:
        writer.execution_options(microloan_writes=True).begin()
        writer.exec_driver_sql("UPDATE ml_bucket SET open_day = open_day")
        assert counter.book.facility(line.id).available == 500_000
    engine.dispose()


@pytest.mark.parametrize("table", ["ml_event", "ml_journal", "ml_seal", "ml_setting"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET bucket = bucket", "DELETE FROM {}"])
def test_the_database_refuses_to_change_history(counter: Counter, table: str, statement: str) -> None:
    from datetime import date

    counter.loan(counter.line())
    counter.book.lender.set({"net_assets": [{"from": "2017-01-01", "amount": "500000000"}]})
    counter.close_until(date(2017, 5, 3))
    engine = create_engine(counter.url)
    with engine.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.execute(
            text(statement.format(table).replace("bucket", "value" if "setting" in table else "bucket"))
        )
    engine.dispose()


def test_nothing_of_ours_lands_in_the_host_s_metadata() -> None:
    assert not [name for name in SQLModel.metadata.tables if name.startswith("ml_")]
    assert all(name.startswith("ml_") for name in metadata.tables)


def test_a_host_s_alembic_leaves_our_tables_alone(counter: Counter) -> None:
    from sqlalchemy import MetaData

    engine = create_engine(counter.url)
    with engine.connect() as connection:
        unfiltered = MigrationContext.configure(connection)
        assert len(compare_metadata(unfiltered, MetaData())) > 10
        filtered = MigrationContext.configure(connection, opts={"include_name": schema.include_name})
        assert compare_metadata(filtered, MetaData()) == []
    engine.dispose()


def test_a_host_s_alembic_keeps_watching_a_table_of_the_host_s_that_begins_like_ours(
    counter: Counter,
) -> None:
    from sqlalchemy import MetaData

    engine = create_engine(counter.url)
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE ml_customer (id INTEGER)"))
        filtered = MigrationContext.configure(connection, opts={"include_name": schema.include_name})
        ((kind, table),) = compare_metadata(filtered, MetaData())
        assert (kind, table.name) == ("remove_table", "ml_customer")
    engine.dispose()


def test_every_key_begins_with_the_tenant_and_then_the_bucket() -> None:
    without_bucket = {"ml_book", "ml_product", "ml_command"}
    for name in ("ml_bucket", "ml_offer", "ml_facility", "ml_loan", "ml_event", "ml_accrual", "ml_journal", "ml_seal",
                 "ml_outbox", *without_bucket):  # fmt: skip
        key = [column.name for column in metadata.tables[name].primary_key]
        expected = ["tenant"] if name in without_bucket else ["tenant", "bucket"]
        assert key[: len(expected)] == expected, name


def test_the_bucket_stands_in_every_identifier_and_follows_the_merchant(counter: Counter) -> None:
    from microloan.store.unit import bucket_of

    buckets = counter.book.settings().buckets
    line = counter.line(merchant="鲜-17")
    assert int(line.id.split("-")[1]) == bucket_of("鲜-17", buckets)
    with pytest.raises(NotFound):
        counter.book.facility(line.id.replace("fac", "loan-x"))


def test_importing_the_book_has_no_side_effects() -> None:
    code = "import sys, microloan; assert 'sqlalchemy' not in sys.modules; assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
