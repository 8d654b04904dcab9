"""The doctor: a look at the installation, its database, schema and clock. Source: RELIABILITY 5 and 12."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..clock import local_date
from ..store import catalogue, schema, sqlite_file
from ..store.unit import Unit
from .desk import Desk

_LOSES = "set it on: a crash of the server can lose what was committed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing the doctor looked at: ``ok``, ``warning`` or ``bad``, what was found, and what to do."""

    check: str
    status: str
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """Everything the doctor looked at."""

    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Nothing is bad; there may be warnings."""
        return all(check.status != "bad" for check in self.checks)


def doctor(desk: Desk, database: Any) -> DoctorReport:
    """Look at the database, its schema and the clock; changes nothing. *database* is the engine's URL."""
    file = sqlite_file.database_file(database)
    checks = list(_of_file(file)) if file is not None else []
    checks += desk.transactions.read(lambda connection: list(_of_connection(desk, connection)))
    return DoctorReport(tuple(checks))


def _of_file(file: Path) -> Iterator[Check]:
    version, known = sqlite3.sqlite_version, sqlite_file.log_can_tear()
    remedy = sqlite_file.TORN_LOG if known else ""
    yield Check("sqlite_version", "warning" if known else "ok", version, remedy)
    for each in sqlite_file.beside(file):
        if each.exists():
            mode = each.stat().st_mode & 0o777
            open_to_others = bool(mode & sqlite_file.OTHERS)
            remedy = f"chmod 600 {each}" if open_to_others else ""
            yield Check(
                f"mode {each.name}", "bad" if open_to_others else "ok", oct(mode).replace("o", ""), remedy
            )


def _of_connection(desk: Desk, connection: Any) -> Iterator[Check]:
    if connection.dialect.name == "sqlite":
        yield from _pragmas(connection)
    else:
        yield from _durability(connection)
    status = schema.schema_status(connection)
    for difference in status.differences or (status.found,):
        yield Check("schema", "ok" if status.current else "bad", difference, status.remedy)
    if status.found == status.needed:
        yield from _clock(desk, desk.unit(connection))


def _pragmas(connection: Any) -> Iterator[Check]:
    wanted = {"journal_mode": ("wal", "run: microloan init"), "synchronous": ("2", "use synchronous=FULL")}
    for name, (value, remedy) in wanted.items():
        found = str(connection.exec_driver_sql(f"PRAGMA {name}").scalar())
        yield Check(name, "ok" if found == value else "bad", found, "" if found == value else remedy)
    found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    sound = found == "ok"
    yield Check("quick_check", "ok" if sound else "bad", found[:200], "" if sound else "restore a backup")


def _durability(connection: Any) -> Iterator[Check]:
    """Settings of a server that let a crash take what was acknowledged. Source: RELIABILITY 4."""
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        found = str(connection.exec_driver_sql(f"SHOW {name}").scalar())
        weak = found == "off"
        yield Check(name, "warning" if weak else "ok", found, _LOSES if weak else "")


def _clock(desk: Desk, unit: Unit) -> Iterator[Check]:
    """The business day against the clock: a clock set back closes nothing, days left open earn nothing."""
    rows = catalogue.buckets(unit)
    if not rows:
        yield Check("book", "bad", f"tenant {unit.tenant!r} has no book", "run: microloan init")
        return
    today, opened = local_date(desk.clock, unit.book.zone), unit.book_day()
    if opened > today:
        yield Check("clock", "bad", f"it is {today}, the open day is {opened}", "set the clock")
    else:
        late = (today - opened).days
        remedy = "run: microloan eod" if late else ""
        yield Check("clock", "warning" if late else "ok", f"{late} day(s) not closed", remedy)
