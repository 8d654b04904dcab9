"""The book itself: setting it up, closing its day, checking it, and who did what in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer

from microloan.clock import DEFAULT_ZONE
from microloan.errors import IntegrityBroken, PartlyDone

from .arguments import File, First, Last, Limit, WrongUse, day
from .documents import document, latest
from .options import commands
from .run import Answer, Run
from .view import View

BOOK = "tenant currency zone buckets four_eyes open_day created"
AUDIT = "at actor approver operation subject key command_id"
CLOSE = "closed_days open_day loans_replayed expired"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    commands(
        app, {"init": init, "eod": eod, "verify": verify, "backup": backup, "doctor": doctor, "audit": audit}
    )


def init(
    run: Run,
    currency: Annotated[
        str | None, typer.Option("--currency", metavar="CUR", help="The book's one currency, else CNY")
    ] = None,
    open_day: Annotated[
        str | None, typer.Option("--open-day", metavar="YYYY-MM-DD", help="First business day, else today")
    ] = None,
    zone: Annotated[
        str, typer.Option("--zone", metavar="NAME", help="The lender's time zone, in which its days end")
    ] = DEFAULT_ZONE,
    buckets: Annotated[
        int | None,
        typer.Option("--buckets", metavar="N", help="Units of the close; fixed for good", hidden=True),
    ] = None,
    four_eyes: Annotated[
        Literal["off", "on"] | None,
        typer.Option("--four-eyes", help="Whether what matters needs a second person; off unless said"),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only say whether the schema is current")] = False,
    sql: Annotated[
        bool,
        typer.Option(
            "--sql", help="Only print the SQL that makes the schema in the kind of database of --db"
        ),
    ] = False,
) -> Answer:
    """Create a book, or bring an old one's schema up to date. Done twice it changes nothing.

    Example:
      microloan init --currency CNY --open-day 2026-01-01
    """
    if sql:
        return _offline(run)
    if check:
        return _schema(run, run.any_book.schema_status())
    book = run.any_book
    values = document(
        book.init(currency, day(open_day, "--open-day"), zone=zone, buckets=buckets, four_eyes=four_eyes)
    )
    view = View(run.messages)
    facts = view.facts("book", values, BOOK)
    schema = _schema(run, book.schema_status())
    if schema.complaints:  # of a book that was there
        return replace(schema, document=values, blocks=(facts, *schema.blocks))
    return Answer(values, (facts, view.note("next.init", "dim")))


def _offline(run: Run) -> Answer:
    """The schema as SQL, for those who let nobody but themselves change a database; ``init`` afterwards opens the book."""
    from microloan.alembic import offline_sql

    dialect = "postgresql" if run.options.db.startswith("postgresql") else "sqlite"
    text = offline_sql(dialect)
    return Answer({"dialect": dialect, "sql": text}, write=lambda out: out.write(text))


def _schema(run: Run, status: Any) -> Answer:
    values = {**document(status), "current": status.current}
    said = {**values, "remedy": run.messages.reason(status.remedy)}
    facts = View(run.messages).facts("schema", said, "found needed current remedy")
    complaints = tuple(run.messages.reason(difference) for difference in status.differences)
    return Answer(values, (facts,), status=0 if status.current else 5, complaints=complaints)


def eod(
    run: Run,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="YYYY-MM-DD", help="Close up to that day, included; else all that have ended"
        ),
    ] = None,
    anchor: Annotated[
        Path | None,
        typer.Option(
            "--anchor",
            metavar="FILE",
            help="Add the newest seals to a file kept elsewhere; compared with its last line before the close",
        ),
    ] = None,
) -> Answer:
    """Close of day (日终): interest of the night, then what falls due; catches up on days missed.

    A loan that cannot be closed is set aside and named, every day until it is released; the exit status is then 7.

    Example:
      microloan eod --to 2026-06-30
    """
    into: dict[str, Any] = {} if anchor is None else {"anchor": anchor}
    with run.progress() as advance:
        report = run.book.close_day(
            to=day(to, "--to"),
            progress=lambda closing, done, total: advance(closing.isoformat(), done, total),
            **into,
        )
    values = document(report)
    view = View(run.messages)
    shown = {**values, "closed_days": _span(values["closed"])}
    blocks: tuple[Any, ...] = (view.facts("close", shown, CLOSE),)
    if not values["closed"]:
        blocks = (view.note("eod.nothing", open_day=values["open_day"]),)
    told = [("held", loan) for loan in values["held"]] + [("resting", loan) for loan in values["resting"]]
    if not told:
        return Answer(values, blocks)
    complaints = tuple(run.messages.text(key, **loan) for key, loan in told)
    aside = PartlyDone(count=len(told), reason=", ".join(loan["loan_id"] for _, loan in told))
    return Answer(values, blocks, status=aside.exit_status, complaints=complaints, error=aside)


def _span(days: list[str]) -> str:
    return "" if not days else days[0] if len(days) == 1 else f"{days[0]} … {days[-1]} ({len(days)})"


def verify(
    run: Run,
    anchor: Annotated[
        Path | None,
        typer.Option("--anchor", metavar="FILE", help="Compare with a file kept elsewhere, then add to it"),
    ] = None,
    incremental: Annotated[
        bool,
        typer.Option(
            "--incremental", help="Only what came after the last verification in the file of --anchor"
        ),
    ] = False,
) -> Answer:
    """Recompute everything from the events and compare; what differs is named, and the exit status is 5.

    Example:
      microloan verify --anchor /mnt/elsewhere/anchor
      microloan verify --anchor /mnt/elsewhere/anchor --incremental
    """
    against: dict[str, Any] = {} if anchor is None else {"anchor": anchor}
    if incremental:
        if anchor is None:
            raise WrongUse(field="--incremental", reason="needs --anchor FILE, the file to go on from")
        against["incremental"] = True
    with run.progress() as advance:
        report = run.book.verify(progress=lambda done, total: advance("recomputing", done, total), **against)
    values = {**document(report), "clean": report.clean}
    view = View(run.messages)
    facts = view.facts("verify", values, "facilities loans events journal_lines clean")
    differences = tuple(run.messages.finding(finding) for finding in values["findings"])
    blocks: tuple[Any, ...] = (facts,)
    if report.since is not None:
        blocks = (facts, view.note("verify.since", since=values["since"]))
    if report.clean:
        return Answer(values, blocks)
    error = broken(run, report)
    return Answer(values, blocks, status=error.exit_status, complaints=differences, error=error)


def broken(run: Run, report: Any) -> IntegrityBroken:
    """The failure of a book that contradicts itself."""
    return IntegrityBroken(
        subject=run.options.tenant, reason=f"{len(report.findings)} difference(s), see findings"
    )


def backup(run: Run, file: File) -> Answer:
    """Copy a SQLite book to a new file, while it is in use. PostgreSQL has its own tools: pg_dump.

    Example:
      microloan backup /mnt/elsewhere/book.db
    """
    values = document(run.book.backup(file))
    return Answer(values, (View(run.messages).facts("backup", values, "file bytes"),))


def doctor(run: Run) -> Answer:
    """Look at the database, its schema and the clock; what is bad is exit status 5.

    Example:
      microloan doctor
    """
    report = run.any_book.doctor()
    values = {**document(report), "healthy": report.healthy}
    rows = [
        {
            **check,
            "found": run.messages.reason(check["found"]),
            "remedy": run.messages.reason(check["remedy"]),
        }
        for check in values["checks"]
    ]
    table = View(run.messages).table("doctor", rows, "check status found remedy")
    return Answer(values, (table,), status=0 if report.healthy else 5)


def audit(run: Run, first: First = None, last: Last = None, limit: Limit = None) -> Answer:
    """Who did what, and when.

    Example:
      microloan audit --from 2026-06-01 --to 2026-06-30
    """
    zone = ZoneInfo(run.book.settings().zone)
    lines = run.book.audit(
        _moment(day(first, "--from"), time.min, zone),
        _moment(day(last, "--to"), time.max, zone),
        latest=limit,
    )
    values = latest(lines, "", "audit", limit)
    return Answer(values, View(run.messages).listed("audit", values, "audit", AUDIT))


def _moment(given: date | None, at: time, zone: ZoneInfo) -> datetime | None:
    return None if given is None else datetime.combine(given, at, zone)
