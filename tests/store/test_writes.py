"""Rows written by the text Core compiled are the rows Core itself would write. Source: DECISIONS, statements that write rows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import Insert, Table, insert, select
from sqlalchemy.exc import IntegrityError

from microloan.store import closing, idempotency, lending
from microloan.store.tables_lending import ACCRUALS, COMMANDS, EVENTS, FACILITIES, JOURNAL, LOANS, OUTBOX
from microloan.store.unit import Unit
from microloan.store.writes import Writes

from .counter import Counter

ALL = [
    made
    for room in (closing, idempotency, lending)
    for made in vars(room).values()
    if isinstance(made, Writes)
]
INSERTS = [made for made in ALL if isinstance(made.statement, Insert)]


def business(counter: Counter) -> str:
    """A drawn loan, a repayment and a closed day: a row of every table there is a statement for."""
    line = counter.line()
    loan = counter.book.draw(line.id, "10000", days=90, confirm=True, idempotency_key="d-1")
    counter.close_until(date(2017, 5, 2))
    counter.book.repay(loan.id, "100")
    return loan.id


def as_stored(unit: Unit, table: Table) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in unit.connection.execute(select(table))), key=repr)


def test_every_table_of_the_lending_rooms_is_written_this_way() -> None:
    """Whoever adds a table to a room's commands finds the fast way, and the tests below."""
    written = {made.statement.table.name for made in INSERTS}  # type: ignore[union-attr]
    assert written == {
        table.name for table in (FACILITIES, LOANS, EVENTS, OUTBOX, JOURNAL, ACCRUALS, COMMANDS)
    } | {"ml_seal"}


@pytest.mark.parametrize("writes", INSERTS, ids=lambda made: str(made.statement.table.name))
def test_rows_are_those_core_writes(counter: Counter, writes: Writes) -> None:
    """The same rows under another tenant, once by Core, once by us: every column, absent days and instants too."""
    business(counter)
    table = writes.statement.table
    assert isinstance(table, Table)

    def both(unit: Unit) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        known = [dict(row) for row in unit.connection.execute(select(table)).mappings()]
        assert known
        keys = {column.name: column.key for column in table.c}
        found = []
        for straight in (True, False):
            rows = [{keys[name]: value for name, value in row.items()} | {"tenant": "copy"} for row in known]
            with unit.connection.begin_nested() as trial:
                if straight:
                    unit.connection.execute(writes.statement, rows)
                else:
                    writes.run(unit.connection, rows)
                found.append(as_stored(unit, table))
                trial.rollback()
        return found[0], found[1]

    by_core, ours = counter.book._desk.write(both)
    assert ours == by_core
    assert [row for row in ours if "copy" in row]


def test_values_are_put_where_the_text_wants_them(counter: Counter) -> None:
    """The order of a row's names does not matter, names nobody asked for are left alone, one that lacks is an error."""
    business(counter)
    row = {
        "tenant": "main", "id": "cmd-00-x", "operation": "test", "key": None, "request_hash": "0" * 64, "subject": "s",
        "actor": "a", "approver": "", "recorded_at": datetime(2017, 5, 1, tzinfo=UTC), "result": None,
    }  # fmt: skip
    backwards = dict(reversed([*row.items(), ("unasked", object())]))
    writes = Writes(insert(COMMANDS))

    def put(unit: Unit) -> Any:
        writes.run(unit.connection, [backwards])
        return unit.connection.execute(select(COMMANDS).where(COMMANDS.c.id == "cmd-00-x")).one()

    assert counter.book._desk.write(put)._asdict() == row
    del backwards["actor"]
    with pytest.raises(KeyError, match="actor"):
        counter.book._desk.write(put)


def test_no_rows_send_no_statement_and_a_refused_row_is_refused_as_by_core(counter: Counter) -> None:
    """A second row of one key raises what Core raises, and the transaction keeps nothing."""
    loan_id = business(counter)
    Writes(insert(LOANS)).run(None, [])  # type: ignore[arg-type]

    def twice(unit: Unit) -> None:
        row = unit.connection.execute(select(LOANS).where(LOANS.c.id == loan_id)).mappings().one()
        with pytest.raises(IntegrityError):
            lending.add_loans(unit, [dict(row) | {"class": row["class"]}])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        counter.book._desk.write(twice)
    assert counter.book.verify().findings == ()
