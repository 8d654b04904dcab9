"""What leaves the book on paper: statements, the journal, the trial balance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO

import typer

from .arguments import AsOf, First, Last, Output, Subject, as_of, day, write_new
from .documents import document, json_text
from .names import subject_named
from .options import commands, group
from .render import as_text
from .run import Answer, Run
from .view import MONEY, View

if TYPE_CHECKING:
    from microloan.accounting.chart import Chart

STATEMENT = "subject merchant_id currency first last opening_principal closing_principal interest_charged penalty_charged"
LINE = "loan_id event_id type date booked amount fees penalty interest principal credit balance reversed_by"
LOANS = "id status daily_rate yearly_rate principal interest penalty fees payoff"
BALANCE = "account classification product currency balance"
CHARTED = "code name classification product currency balance"

ChartName = Annotated[
    str | None,
    typer.Option("--chart", metavar="en|zh|FILE", help="Chart of accounts: a shipped one, or a TOML file"),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    commands(app, {"statement": statement, "trial-balance": trial_balance})
    journal = group("The general journal: export.")
    app.add_typer(journal, name="journal")
    commands(journal, {"export": export})


def statement(
    run: Run,
    subject: Subject,
    first: First = None,
    last: Last = None,
    format_: Annotated[
        Literal["text", "html", "json", "csv"], typer.Option("--format", help="How it is written")
    ] = "text",
    output: Output = None,
) -> Answer:
    """Every movement of a loan or facility between two days, with its yearly rate and what is owed.

    As html it is the page a merchant is sent, to be read or printed on A4, in the language of --lang.

    Example:
      microloan statement LOAN --from 2026-06-01 --to 2026-06-30 --format csv --output june.csv
      microloan statement FACILITY --format html --lang zh --output june.html
    """
    asked = (subject_named(run, subject), day(first, "--from"), day(last, "--to"))
    if format_ == "html":
        return _statement_page(run, *asked, output)
    values = document(run.book.statement(*asked))
    view = View(run.messages)
    blocks = (
        view.facts("statement", values, STATEMENT),
        view.table("movements", values["lines"], LINE),
        view.table("loans", values["loans"], LOANS),
    )
    if format_ == "text":
        return written(run, Answer(values, blocks), lambda out: out.write(as_text(blocks)), output)
    if format_ == "json":
        return written(run, Answer(values), lambda out: out.write(json_text(values)), output)
    return written(run, Answer(values), lambda out: out.writelines(csv_lines(values["lines"], LINE)), output)


def _statement_page(
    run: Run, subject: str, first: date | None, last: date | None, output: Path | None
) -> Answer:
    from microloan.reports.statement_page import statement_page

    paper = run.book.statement_paper(subject, first, last)
    page = statement_page(paper, run.options.lang)
    return written(run, Answer(document(paper.statement)), lambda out: out.write(page), output)


def export(
    run: Run,
    format_: Annotated[
        Literal["csv", "beancount"],
        typer.Option("--format", help="How it is written; accounts named as --chart says"),
    ] = "csv",
    chart: ChartName = None,
    first: First = None,
    last: Last = None,
    output: Output = None,
) -> Answer:
    """The general journal, line by line: CSV with debit and credit, or beancount text that bean-check accepts.

    Example:
      microloan journal export --format csv --output journal.csv
      microloan journal export --format beancount --chart zh
    """
    from microloan.exchange.journal import write_beancount, write_csv

    lines = run.held_open(run.book.journal(day(first, "--from"), day(last, "--to")))
    if run.options.json and output is None:
        return Answer({"journal": [document(line) for line in lines]})
    books = chart_named(chart or run.options.lang)
    write = write_csv if format_ == "csv" else write_beancount
    return written(run, Answer({}), lambda out: write(lines, out, books), output)


def trial_balance(run: Run, as_of_: AsOf = None, chart: ChartName = None) -> Answer:
    """Every account's balance, and their sum, which is zero in a sound book.

    Example:
      microloan trial-balance --as-of 2026-06-30
      microloan trial-balance --chart zh
    """
    values = document(run.book.trial_balance(as_of=as_of(run, as_of_)))
    view = View(run.messages)
    total = view.facts("", values, "as_of total")
    if chart is None:
        return Answer(values, (view.table("trial_balance", values["accounts"], BALANCE), total))
    books = chart_named(chart).accounts
    values["accounts"] = [
        {"code": books[line["account"]].code, "name": books[line["account"]].name, **line}
        for line in values["accounts"]
    ]
    return Answer(values, (view.table("trial_balance", values["accounts"], CHARTED), total))


def chart_named(given: str) -> Chart:
    """The shipped chart ``en`` or ``zh``, or the one in a TOML file. Raises InvalidSetting, InvalidFile."""
    from microloan.accounting.chart import Chart

    return Chart.preset(given) if given in ("en", "zh") else Chart.load(given)


def written(run: Run, answer: Answer, write: Callable[[TextIO], object], output: Path | None) -> Answer:
    """The text on stdout (blocks are drawn there), or in a new file."""
    if output is None:
        return answer if answer.blocks else replace(answer, write=write)
    write_new(output, write)
    note = View(run.messages).note("written", file=str(output))
    return Answer({**answer.document, "file": str(output)}, (note,))


def csv_lines(rows: Iterable[Mapping[str, Any]], fields: str) -> Iterator[str]:
    """Rows as CSV (RFC 4180), a line at a time; a text cell a spreadsheet would run as a formula gets an apostrophe.

    >>> list(csv_lines([{"account": "=1+1", "amount": "-5.00"}], "account amount"))
    ['"account","amount"\\r\\n', '"\'=1+1","-5.00"\\r\\n']
    """
    names = fields.split()
    yield _csv_line(names)
    for row in rows:
        yield _csv_line(_csv_cell(name, row.get(name)) for name in names)


def _csv_line(cells: Iterable[str]) -> str:
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\r\n"


def _csv_cell(name: str, value: Any) -> str:
    from microloan.exchange.journal import safe_cell

    text = "" if value is None else str(value)
    return text if name in MONEY else safe_cell(text)
