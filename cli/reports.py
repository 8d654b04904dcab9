"""Reports on the whole book."""

from __future__ import annotations

import typer

from .arguments import First, Last, day
from .documents import document
from .options import commands, group
from .run import Answer, Run
from .view import View, percent

CEILINGS = "month lpr_rate ceiling loans amount loans_above amount_above share_above"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    report = group("Reports on the whole book.")
    app.add_typer(report, name="report")
    commands(report, {"rate-ceiling": rate_ceiling})


def rate_ceiling(run: Run, first: First = None, last: Last = None) -> Answer:
    """New loans whose all-in yearly cost is above 4 x LPR of their first day; else of the last twelve months.

    Example:
      microloan report rate-ceiling --from 2026-01-01 --to 2026-06-30
    """
    last_day = day(last, "--to") or run.options.date
    values = document(run.book.rate_ceiling_report(day(first, "--from"), last_day))
    view = View(run.messages)
    shown = [{**line, "ceiling": _ceiling(run, line["ceiling_rate"])} for line in values["lines"]]
    table = view.table("rate_ceiling", shown, CEILINGS, "no_new_loans")
    return Answer(values, (table, view.facts("", values, "first last currency")))


def _ceiling(run: Run, rate: str | None) -> str:
    """A cap without its input says so; it never silently passes as met."""
    return run.messages.text("not_set") if rate is None else percent(rate)
