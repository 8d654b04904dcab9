"""Reports on the whole book: on the screen, as JSON, CSV or a page, and as a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from microloan.errors import InvalidFile, PartlyDone

from .accounts import csv_lines, written
from .arguments import First, Last, Output, day, write_new_bytes
from .documents import document, json_text
from .options import commands, group
from .render import Block, Note, as_text
from .run import Answer, Run
from .view import View, percent

if TYPE_CHECKING:
    from microloan.reports.result import Report

CEILINGS = "month lpr_rate ceiling loans amount loans_above amount_above share_above"
CEILING_COLUMNS = CEILINGS.replace(" ceiling ", " ceiling_rate ")
SUMS = (
    "as_of currency loans borrowers principal ledger_principal difference credit_lines limits utilisation past_due "
    "share_past_due past_90 share_past_90 allowance"
)
FLOWS = "first paid_out received income net_loss average_principal annual_yield hhi"
MONTHS = "month principal paid_out received income net_loss annual_yield utilisation allowance"
SHARES = "name loans principal share"
BY_SALES = "months_of_sales credit_lines limits share"
AGING = "bucket loans principal share interest penalty fees"
CLASSES = "classification loans principal share"
AGING_SUMS = "as_of currency loans principal ledger_principal difference written_off_loans written_off_claim"
VINTAGE = "cohort months_on_book loans paid_out past_30 share_30 past_90 share_90 net_loss share_lost"
ROLLS = "from_bucket to_bucket loans principal share"
CASH = "first last loans principal interest fees total"
PROVISIONS = "product classification provision_rate principal allowance required to_post"
PROVISION_SUMS = "as_of currency principal allowance required to_post"

Format = Annotated[
    Literal["text", "json", "csv", "html"], typer.Option("--format", help="How it is written; csv is its main table")
]  # fmt: skip
Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw it too: a new .png or .svg file")
]
By = Annotated[Literal["day", "week", "month"], typer.Option("--by", help="The spans it is added up in")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    report = group("Reports on the whole book.")
    app.add_typer(report, name="report")
    commands(
        report,
        {
            "portfolio": portfolio,
            "aging": aging,
            "vintage": vintage,
            "roll-rate": roll_rate,
            "expected-cash": expected_cash,
            "provisions": provisions,
            "rate-ceiling": rate_ceiling,
        },
    )


def reported(run: Run, name: str, **asked: Any) -> Report:
    """A report on --date, its reading shown on a terminal."""
    with run.progress() as advance:
        return run.book.report(
            name, run.options.date, progress=lambda done, of: advance("loans", done, of), **asked
        )


def portfolio(
    run: Run, first: First = None, format_: Format = "text", plot: Plot = None, output: Output = None
) -> Answer:
    """The book on a day: balance, flows, utilisation, concentration, limits against sales, yield; html has pictures of all.

    Flows are those of the twelve months to the day, or from --from on. With --date as of a day past, as the ledger had it.

    Example:
      microloan report portfolio
      microloan report portfolio --date 2026-06-30 --format html --output june.html
    """
    begin = day(first, "--from")
    if format_ == "html":
        return _portfolio_page(run, begin, plot, output)
    found = reported(run, "portfolio", first=begin)
    values, view = document(found), View(run.messages)
    platforms = [{**line, "name": view.word("platform", line["name"])} for line in values["platforms"]]
    blocks = (
        view.facts("portfolio", values, SUMS),
        view.facts("", values, FLOWS),
        view.table("months", values["months"], MONTHS),
        view.table("top_merchants", values["merchants"], SHARES),
        view.table("by_product", values["products"], SHARES),
        view.table("by_platform", platforms, SHARES),
        view.table("by_sales", values["by_sales"], BY_SALES),
    )
    return _answer(run, found, values, blocks, MONTHS, format_, plot, output)


def _portfolio_page(run: Run, first: Any, plot: Path | None, output: Path | None) -> Answer:
    with run.progress() as advance:
        pack = run.book.portfolio_pack(
            run.options.date, first=first, progress=lambda done, of: advance("loans", done, of)
        )
    page = page_of_portfolio(run, pack)
    drawn = _drawn(run, pack.portfolio, plot)
    answer = written(run, Answer(document(pack.portfolio)), lambda out: out.write(page), output)
    return lacking(run, _with_plot(run, answer, drawn), pack.portfolio)


def page_of_portfolio(run: Run, pack: Any) -> str:
    """The portfolio page in the language of the run."""
    from microloan.reports.report_page import portfolio_page

    return portfolio_page(
        pack.portfolio, pack.aging, pack.rolls, pack.vintages, pack.cash, pack.provisions,
        lang=run.options.lang, lender=run.options.tenant,
    )  # fmt: skip


def aging(run: Run, format_: Format = "text", plot: Plot = None, output: Output = None) -> Answer:
    """What is owed by days past due and by class of risk, on the open day or as it was on --date.

    Example:
      microloan report aging
      microloan report aging --date 2026-06-30 --format csv --output aging.csv --plot aging.png
    """
    found = reported(run, "aging")
    values, view = document(found), View(run.messages)
    blocks = (
        view.table("aging", values["lines"], AGING),
        view.table("classes", values["classes"], CLASSES),
        view.facts("", values, AGING_SUMS),
    )
    return _answer(run, found, values, blocks, AGING, format_, plot, output)


def vintage(run: Run, format_: Format = "text", plot: Plot = None, output: Output = None) -> Answer:
    """By month of payout: the share ever more than 30 and 90 days past due, and written off, by months on book.

    Example:
      microloan report vintage --plot vintage.svg
    """
    found = reported(run, "vintage")
    values, view = document(found), View(run.messages)
    blocks = (
        view.table("vintage", values["lines"], VINTAGE),
        view.facts("", values, "as_of currency loans paid_out"),
    )
    return _answer(run, found, values, blocks, VINTAGE, format_, plot, output)


def roll_rate(
    run: Run,
    first: First = None,
    last: Last = None,
    format_: Format = "text",
    plot: Plot = None,
    output: Output = None,
) -> Answer:
    """From which bucket at a month end to which at the next, by principal and loans; of the last twelve months.

    The table shows all months together; csv and json have every pair of month ends.

    Example:
      microloan report roll-rate --from 2026-01-01 --to 2026-06-30
    """
    found = reported(run, "roll-rate", first=day(first, "--from"), last=day(last, "--to"))
    values, view = document(found), View(run.messages)
    blocks = (
        view.table("roll-rate", values["total"], ROLLS),
        view.facts("", values, "first last as_of currency"),
    )
    return _answer(run, found, values, blocks, f"month next_month {ROLLS}", format_, plot, output)


def expected_cash(
    run: Run,
    first: First = None,
    last: Last = None,
    by: By = "month",
    format_: Format = "text",
    plot: Plot = None,
    output: Output = None,
) -> Answer:
    """What falls due by contract, by day, week or month; the line without days is what is past due already.

    Example:
      microloan report expected-cash --by week --to 2026-09-30
    """
    found = reported(run, "expected-cash", first=day(first, "--from"), last=day(last, "--to"), by=by)
    values, view = document(found), View(run.messages)
    lines = [{**line, "first": line["first"] or view.word("span", "overdue")} for line in values["lines"]]
    blocks = (
        view.table("expected-cash", lines, CASH),
        view.facts("", values, "as_of currency by loans principal interest fees total"),
    )
    return _answer(run, found, values, blocks, CASH, format_, plot, output)


def provisions(run: Run, format_: Format = "text", plot: Plot = None, output: Output = None) -> Answer:
    """What is set aside per product and class, as the ledger has it, and what the next close will post.

    Example:
      microloan report provisions --date 2026-06-30
    """
    found = reported(run, "provisions")
    values, view = document(found), View(run.messages)
    blocks = (
        view.table("provisions", values["lines"], PROVISIONS),
        view.facts("", values, PROVISION_SUMS),
    )
    return _answer(run, found, values, blocks, PROVISIONS, format_, plot, output)


# --- how a report is written -----------------------------------------------------------------------------------------


def _answer(
    run: Run,
    report: Report,
    values: dict[str, Any],
    blocks: tuple[Block, ...],
    fields: str,
    format_: str,
    plot: Path | None,
    output: Path | None,
) -> Answer:
    """The report as asked for, and its picture; nothing is written unless all can be."""
    drawn = _drawn(run, report, plot)
    if format_ == "html":
        from microloan.reports.report_page import report_page

        page = report_page(report, lang=run.options.lang, lender=run.options.tenant)
        answer = written(run, Answer(values), lambda out: out.write(page), output)
    elif format_ == "json":
        answer = written(run, Answer(values), lambda out: out.write(json_text(values)), output)
    elif format_ == "csv":
        rows = values[report.TABLES[0]]
        answer = written(run, Answer(values), lambda out: out.writelines(csv_lines(rows, fields)), output)
    else:
        whole = (*blocks, *(Note(line, prose=True) for line in _left_out(run, report)))
        answer = written(run, Answer(values, blocks), lambda out: out.write(as_text(whole)), output)
    return lacking(run, _with_plot(run, answer, drawn), report)


def lacking(run: Run, answer: Answer, report: Report) -> Answer:
    """The answer and, a line each, the damaged loans that no figure of it contains: done, but some set aside."""
    if not report.left_out:
        return answer
    aside = PartlyDone(count=len(report.left_out), reason=", ".join(loan.loan_id for loan in report.left_out))
    complaints = (*answer.complaints, *_left_out(run, report))
    return replace(answer, status=aside.exit_status, complaints=complaints, error=aside)


def _left_out(run: Run, report: Report) -> tuple[str, ...]:
    return tuple(
        run.messages.text("left_out", loan_id=loan.loan_id, reason=run.messages.sentence(loan.reason))
        for loan in report.left_out
    )


def _drawn(run: Run, report: Report, plot: Path | None) -> tuple[Path, bytes] | None:
    """The picture as bytes, before anything is written."""
    if plot is None:
        return None
    if plot.exists():
        raise InvalidFile(file=str(plot), reason="exists already; remove it or name another file")
    from microloan.reports.page import picture
    from microloan.reports.plots import picture_of, words_for

    return plot, picture(picture_of(report, words_for(plot.suffix, run.options.lang)), plot.suffix)


def _with_plot(run: Run, answer: Answer, drawn: tuple[Path, bytes] | None) -> Answer:
    if drawn is None:
        return answer
    file, content = drawn
    write_new_bytes(file, content)
    note = View(run.messages).note("written", file=str(file))
    kept = {**answer.document, "plot": str(file)}
    if answer.write is not None:
        return Answer(kept, answer.blocks, write=answer.write, complaints=(note.text,))
    return Answer(kept, (*answer.blocks, note))


# --- price ceilings --------------------------------------------------------------------------------------------------


def rate_ceiling(
    run: Run,
    first: First = None,
    last: Last = None,
    format_: Format = "text",
    plot: Plot = None,
    output: Output = None,
) -> Answer:
    """New loans whose all-in yearly cost is above 4 x LPR of their first day; else of the last twelve months.

    Example:
      microloan report rate-ceiling --from 2026-01-01 --to 2026-06-30
      microloan report rate-ceiling --format csv --output ceiling.csv
    """
    last_day = day(last, "--to") or run.options.date
    found = run.book.rate_ceiling_report(day(first, "--from"), last_day)
    values, view = document(found), View(run.messages)
    shown = [{**line, "ceiling": _ceiling(run, line["ceiling_rate"])} for line in values["lines"]]
    table = view.table("rate_ceiling", shown, CEILINGS, "no_new_loans")
    blocks = (table, view.facts("", values, "first last currency"))
    return _answer(run, found, values, blocks, CEILING_COLUMNS, format_, plot, output)


def _ceiling(run: Run, rate: str | None) -> str:
    """A cap without its input says so; it never silently passes as met."""
    return run.messages.text("not_set") if rate is None else percent(rate)
