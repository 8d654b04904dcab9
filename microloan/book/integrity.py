"""What guards the book from outside: an anchor kept elsewhere, and a look at the installation.

Chains and seals show what was changed inside the book; that its tail was cut off or written anew shows only against
something kept elsewhere. An anchor is one line of JSON: per bucket the newest seal, and the heads of the chains that have
grown since. Source: RELIABILITY 5, 12, 47 and 48.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ..clock import local_date
from ..errors import InvalidFile
from ..store import catalogue, closing, schema, verifying
from ..store.base import database_file
from ..store.chain import canonical_json
from ..store.unit import Unit
from .desk import Desk
from .results import Finding

#: The first SQLite release in which two writers on a write-ahead log cannot corrupt it. https://sqlite.org/wal.html
SOUND_WAL = (3, 51, 3)

# --- anchors ---------------------------------------------------------------------------------------------------------


def anchor_line(unit: Unit) -> str:
    """The book's state in one line: by bucket the newest seal and every head that has grown since."""
    return canonical_json({
        "tenant": unit.tenant,
        "at": unit.now,
        "buckets": [_anchored(unit, row.bucket, row.open_day) for row in catalogue.buckets(unit)],
    })  # fmt: skip


def _anchored(unit: Unit, bucket: int, open_day: date) -> dict[str, Any]:
    seals = closing.seals(unit, bucket)
    newest = {"day": seals[-1].day, "hash": seals[-1].hash} if seals else None
    heads = closing.heads_of(unit, bucket, open_day)
    return {"bucket": bucket, "open_day": open_day, "seals": len(seals), "seal": newest, "heads": heads}


def append_anchor(file: Path, line: str) -> None:
    """Add a line to an anchor file, on disk before this returns; only its owner may read a new one. Raises InvalidFile."""
    try:
        number = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(number, (line + "\n").encode())
            os.fsync(number)
        finally:
            os.close(number)
    except OSError as fault:
        raise InvalidFile(
            file=str(file), code="unwritable_file", reason=fault.strerror or "cannot be written"
        ) from None


def read_anchors(file: Path) -> list[dict[str, Any]]:
    """The lines of an anchor file, oldest first; none when there is no file yet. Raises InvalidFile."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return [_checked(json.loads(line)) for line in lines]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as fault:
        reason = getattr(fault, "strerror", None) or "not a file of anchors"
        raise InvalidFile(file=str(file), code="bad_anchor", reason=reason) from None


def _checked(line: dict[str, Any]) -> dict[str, Any]:
    for bucket in line["buckets"]:
        _ = (line["tenant"], bucket["bucket"], bucket["seals"], bucket["open_day"], [*bucket["heads"]])
    return line


def against_anchors(unit: Unit, anchors: list[dict[str, Any]]) -> Iterator[Finding]:
    """What the book no longer holds of what was anchored: seals of any line, and the heads of the last."""
    own = [line for line in anchors if line["tenant"] == unit.tenant]
    seals = {
        row.bucket: {seal.day.isoformat(): seal.hash for seal in closing.seals(unit, row.bucket)}
        for row in catalogue.buckets(unit)
    }
    for line in own:
        for bucket in line["buckets"]:
            yield from _lost_seal(seals.get(bucket["bucket"], {}), bucket)
    for bucket in own[-1]["buckets"] if own else ():
        for facility, seq, head in bucket["heads"]:
            found = verifying.event_hash(unit, bucket["bucket"], facility, seq)
            if found != head:
                yield Finding("anchor_event", f"{facility} event {seq}", found or "none", head)


def _lost_seal(seals: dict[str, str], anchored: dict[str, Any]) -> Iterator[Finding]:
    sealed = anchored["seal"]
    if sealed is not None and seals.get(sealed["day"]) != sealed["hash"]:
        subject = f"{sealed['day']} bucket {anchored['bucket']}"
        yield Finding("anchor_seal", subject, seals.get(sealed["day"], "none"), sealed["hash"])


# --- doctor ----------------------------------------------------------------------------------------------------------


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
    file = database_file(database)
    checks = list(_of_file(file)) if file is not None else []
    checks += desk.transactions.read(lambda connection: list(_of_connection(desk, connection)))
    return DoctorReport(tuple(checks))


def _of_file(file: Path) -> Iterator[Check]:
    version = sqlite3.sqlite_version
    known = sqlite3.sqlite_version_info < SOUND_WAL
    yield Check(
        "sqlite_version", "warning" if known else "ok", version,
        "several processes writing at once can corrupt the write-ahead log: upgrade SQLite to 3.51.3, or let one "
        "process write at a time" if known else "",
    )  # fmt: skip
    for each in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
        if each.exists():
            mode = each.stat().st_mode & 0o777
            open_to_others = bool(mode & 0o077)
            remedy = f"chmod 600 {each}" if open_to_others else ""
            yield Check(
                f"mode {each.name}", "bad" if open_to_others else "ok", oct(mode).replace("o", ""), remedy
            )


def _of_connection(desk: Desk, connection: Any) -> Iterator[Check]:
    if connection.dialect.name == "sqlite":
        yield from _pragmas(connection)
    status = schema.schema_status(connection)
    yield Check("schema", "ok" if status.current else "bad", status.found, status.remedy)
    if status.current:
        yield from _clock(desk, desk.unit(connection))


def _pragmas(connection: Any) -> Iterator[Check]:
    wanted = {"journal_mode": ("wal", "run: microloan init"), "synchronous": ("2", "use synchronous=FULL")}
    for name, (value, remedy) in wanted.items():
        found = str(connection.exec_driver_sql(f"PRAGMA {name}").scalar())
        yield Check(name, "ok" if found == value else "bad", found, "" if found == value else remedy)
    found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    sound = found == "ok"
    yield Check("quick_check", "ok" if sound else "bad", found[:200], "" if sound else "restore a backup")


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
