"""The month-end pack: everything an accountant and an auditor ask for about a closed month, in one new folder."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from microloan.errors import BadInput, EventRefused, InvalidFile
from microloan.new_file import new_text_file

from .accounts import BALANCE, chart_named, csv_lines
from .cash import SWEEP_DAYS
from .documents import document, json_text, listed
from .options import commands
from .reports import AGING, CASH, CEILING_COLUMNS, PROVISIONS, ROLLS, VINTAGE
from .run import Answer, Run
from .view import View

FILES = "file bytes sha256"
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    commands(app, {"month-end": month_end})


def month_end(
    run: Run,
    month: Annotated[str, typer.Argument(metavar="MONTH", help="Such as 2026-06", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="A folder that does not exist yet")
    ],
) -> Answer:
    """The papers of a closed month, in one new folder: balances, journal, reports, the portfolio page, and their hashes.

    The whole book is verified first; one that contradicts itself gets no papers, exit status 5.

    Example:
      microloan month-end 2026-06 --output june
    """
    first, last = days_of(month)
    open_day = run.book.settings().open_day
    if open_day <= last:
        raise EventRefused(
            code="month_open",
            subject=month,
            reason=f"is not closed, the open day is {open_day}; run: microloan eod",
        )
    papers = _papers(run, first, last)
    with _new_folder(output) as folder, run.progress() as advance:
        for done, (name, write) in enumerate(papers.items()):
            advance(name, done, len(papers))
            with new_text_file(folder / name) as out:
                write(out)
        files = [_file(path) for path in sorted(folder.iterdir())]
        made = {"month": month, "tenant": run.options.tenant, "open_day": str(open_day), "files": files}
        with new_text_file(folder / "manifest.json") as out:
            out.write(json_text(made))
    view = View(run.messages)
    values = {**made, "folder": str(output)}
    return Answer(values, (view.table("month_end", files, FILES), view.note("written", file=str(output))))


def days_of(month: str) -> tuple[date, date]:
    """The first and the last day of a month. Raises BadInput.

    >>> days_of("2024-02")
    (datetime.date(2024, 2, 1), datetime.date(2024, 2, 29))
    """
    found = _MONTH.fullmatch(month)
    if not found or found[1] == "0000":
        raise BadInput(field="MONTH", value=month[:20], reason="write it as 2026-06")
    first = date(int(found[1]), int(found[2]), 1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _papers(run: Run, first: date, last: date) -> dict[str, Callable[[TextIO], object]]:
    """Every paper by its name, and how it is written; the check of the book comes first."""
    book = run.book
    return {
        "verify.json": lambda out: out.write(json_text(_verified(run))),
        "trial-balance.csv": _csv(lambda: listed(book.trial_balance(last).accounts, "", "rows"), BALANCE),
        "journal.csv": lambda out: _journal(run, first, last, out, "csv"),
        "journal.beancount": lambda out: _journal(run, first, last, out, "beancount"),
        "aging.csv": _csv(lambda: _rows(book.report("aging", last)), AGING),
        "vintage.csv": _csv(lambda: _rows(book.report("vintage", last)), VINTAGE),
        "roll-rate.csv": _csv(lambda: _rows(book.report("roll-rate", last)), f"month next_month {ROLLS}"),
        "expected-cash.csv": _csv(lambda: _rows(book.report("expected-cash", last)), CASH),
        "provisions.csv": _csv(lambda: _rows(book.report("provisions", last)), PROVISIONS),
        "rate-ceiling.csv": _csv(
            lambda: listed(book.rate_ceiling_report(None, last).lines, "", "rows"),
            CEILING_COLUMNS,
        ),
        "settlements.csv": _csv(lambda: listed(book.sweeps.reconcile(first, last), "", "rows"), SWEEP_DAYS),
        "portfolio.html": lambda out: out.write(_page(run, last)),
    }


def _csv(rows: Callable[[], dict[str, Any]], fields: str) -> Callable[[TextIO], object]:
    return lambda out: out.writelines(csv_lines(rows()["rows"], fields))


def _rows(report: Any) -> dict[str, Any]:
    return {"rows": document(report)[report.TABLES[0]]}


def _verified(run: Run) -> dict[str, Any]:
    from .day import broken

    report = run.book.verify()
    if not report.clean:
        raise broken(run, report)
    return document(report)


def _journal(run: Run, first: date, last: date, out: TextIO, how: str) -> None:
    from microloan.exchange.journal import write_beancount, write_csv

    with run.book.journal(first, last) as lines:
        (write_csv if how == "csv" else write_beancount)(lines, out, chart_named(run.options.lang))


def _page(run: Run, last: date) -> str:
    from .reports import page_of_portfolio

    return page_of_portfolio(run, run.book.portfolio_pack(last))


def _file(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"file": path.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@contextmanager
def _new_folder(wanted: Path) -> Iterator[Path]:
    """A folder that gets its name when all is in it; nothing stays of one that was not finished."""
    if wanted.exists():
        raise InvalidFile(file=str(wanted), reason="exists already; remove it or name another file")
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{wanted.name}-", dir=wanted.parent))
    except OSError as fault:
        raise InvalidFile(file=str(wanted), reason=f"cannot be written: {fault.strerror}") from None
    try:
        yield folder
        folder.chmod(0o700)
        folder.rename(wanted)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
