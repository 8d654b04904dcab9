"""Rows written by the text Core compiled are the rows Core itself would write. Source: DECISIONS, statements that write rows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import Insert, Table, insert, select
from sqlalchemy.exc import IntegrityError

from microloan.store import closing, idempotency, lending, writes
from microloan.store.tables_lending import ACCRUALS, COMMANDS, EVENTS, FACILITIES, JOURNAL, LOANS, OUTBOX
from microloan.store.unit import Unit
from microloan.store.writes import Writes

from .counter import Counter


@pytest.fixture(params=[1, writes.MANY], ids=["together", "by-row"])
def many(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL gets many rows as one text: few are enough to see what becomes of them."""
    monkeypatch.setattr(writes, "MANY", request.param)


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


@pytest.mark.usefixtures("many")
def test_rows_are_those_core_writes(counter: Counter) -> None:
    """The same rows under another tenant, once by Core, once by us: every table and column, absent days and instants too."""
    business(counter)
    for adding in INSERTS:
        by_core, ours = counter.book._desk.write(lambda unit, adding=adding: both_ways(unit, adding))  # type: ignore[misc]
        assert ours == by_core
        assert [row for row in ours if "copy" in row]


def both_ways(unit: Unit, adding: Writes) -> list[list[tuple[Any, ...]]]:
    table = adding.statement.table
    assert isinstance(table, Table)
    known = [dict(row) for row in unit.connection.execute(select(table)).mappings()]
    rows = [row | {"tenant": "copy"} for row in known]
    found = []
    for straight in (True, False):
        with unit.connection.begin_nested() as trial:
            if straight:
                unit.connection.execute(adding.statement, rows)
            else:
                adding.run(unit.connection, rows)
            found.append(as_stored(unit, table))
            trial.rollback()
    return found


def test_values_are_put_where_the_text_wants_them(counter: Counter) -> None:
    """The order of a row's names does not matter, names nobody asked for are left alone, one that lacks is an error."""
    business(counter)
    row = {
        "tenant": "main", "id": "cmd-00-x", "operation": "test", "key": None, "request_hash": "0" * 64, "subject": "s",
        "actor": "a", "approver": "", "recorded_at": datetime(2017, 5, 1, tzinfo=UTC), "result": None,
    }  # fmt: skip
    backwards = dict(reversed([*row.items(), ("unasked", object())]))
    adding = Writes(insert(COMMANDS))

    def put(unit: Unit) -> Any:
        adding.run(unit.connection, [backwards])
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


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("room", [lending, closing], ids=["command", "close"])
def test_changed_rows_are_those_core_changes(counter: Counter, room: Any) -> None:
    """Each row gets its own values, absent ones too, and no other row is touched."""
    loans = [business(counter), *(counter.loan(counter.line(merchant=f"m-{n}")).id for n in (2, 3))]
    change: Writes = room._SET_LOANS

    def changed(unit: Unit, straight: bool) -> list[tuple[Any, ...]]:
        known = [dict(row) for row in unit.connection.execute(select(LOANS)).mappings()]
        rows = [
            row
            | {f"had_{name}": row[name] for name in closing.FIGURES}
            | {
                "credit_minor": number + 7,
                "memo": number % 2,
                "oldest_due": None if number else date(2017, 5, 1),
            }
            | {"held_reason": None if number else "why", "held_through": None if number else date(2017, 5, 1)}
            for number, row in enumerate(known)
            if row["id"] != loans[1]
        ]
        with unit.connection.begin_nested() as trial:
            if straight:
                for row in rows:
                    given = row | {f"{of}_{name}": row[name] for name in row for of in ("of", "new")}
                    values = {name: given[name] for name in change.statement.compile().params}
                    unit.connection.execute(change.statement, values)
            else:
                assert change.run(unit.connection, rows) == len(rows)
            found = as_stored(unit, LOANS)
            trial.rollback()
        return found

    by_core = counter.book._desk.write(lambda unit: changed(unit, True))
    assert counter.book._desk.write(lambda unit: changed(unit, False)) == by_core
    assert by_core != counter.book._desk.read(lambda unit: as_stored(unit, LOANS))


@pytest.mark.usefixtures("many")
def test_dropped_rows_are_those_named(counter: Counter) -> None:
    """The accrual rows of one loan go, those of its neighbour stay."""
    gone = business(counter)
    counter.loan(counter.line(merchant="m-2"))

    def drop(unit: Unit) -> tuple[int, set[str]]:
        row = dict(unit.connection.execute(select(LOANS).where(LOANS.c.id == gone)).mappings().one())
        before = len(as_stored(unit, ACCRUALS))
        lending.drop_accruals(unit, [row])
        left = set(unit.connection.execute(select(ACCRUALS.c.loan)).scalars())
        lending.add_accruals(unit, [])
        raise Dropped(before, left)

    with pytest.raises(Dropped) as found:
        counter.book._desk.write(drop)
    before, left = found.value.args
    assert before >= 2
    assert left == {row.id for row in counter.book.loans()} - {gone}


class Dropped(Exception):
    """What a trial found, which is not kept."""
