"""What waits for somebody today."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, Any, Literal

import typer

from .arguments import First, Last, day
from .documents import document, listed
from .options import commands
from .reports import lacking, reported
from .run import Answer, Run
from .view import View

LISTS = "list count oldest total"
TASKS = "day subject merchant_id amount note"
#: Of a list whose amounts are partly taken already.
SETTLEMENTS = "day subject merchant_id amount kept_for note"
#: As the library names them; spelled here so that ``--help`` needs no book.
Name = Literal[
    "reviews",
    "requests",
    "offers",
    "payouts",
    "due_today",
    "overdue",
    "promises",
    "receipts",
    "settlements",
    "held",
    "frozen",
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    commands(app, {"work": work, "calendar": calendar})


def work(
    run: Run,
    only: Annotated[
        Name | None, typer.Argument(metavar="[LIST]", help="One list, with what is on it", show_default=False)
    ] = None,
) -> Answer:
    """What waits for somebody: reviews, requests, offers, payouts, due today, overdue, promises, receipts and more.

    Example:
      microloan work
      microloan work overdue
    """
    values = listed(run.book.work(only), "", "lists")
    view = View(run.messages)
    if only is None:
        return Answer(
            values, (view.table("work", [_named(view, found) for found in values["lists"]], LISTS),)
        )
    tasks = [_worded(view, task) for task in values["lists"][0]["tasks"]]
    table = view.table("", tasks, TASKS)
    if only == "settlements":
        table = view.table("", tasks, SETTLEMENTS)
    table = replace(table, title=view.title(f"work_{only}"))
    return Answer(values, (table, view.note(f"work.{only}", "dim")) if tasks else (table,))


def _named(view: View, found: dict[str, Any]) -> dict[str, Any]:
    """A list by its name; one with nothing on it has no total."""
    total = found["total"] if found["count"] else ""
    return {**found, "list": view.word("worklist", found["list"]), "total": total}


def _worded(view: View, task: dict[str, Any]) -> dict[str, Any]:
    """A reason code at the beginning of a note in words."""
    code, colon, rest = task["note"].partition(": ")
    return {**task, "note": view.word("waiting", code) + colon + rest}


CALENDAR = "day weekday loans principal interest fees total"
#: Days shown unless --to says otherwise.
AHEAD = timedelta(days=30)


def calendar(run: Run, first: First = None, last: Last = None) -> Answer:
    """Money expected day by day, as the contracts have it; the next thirty days unless told otherwise.

    Example:
      microloan calendar
      microloan calendar --from 2026-07-01 --to 2026-07-31
    """
    begin = day(first, "--from") or run.options.date or run.book.settings().open_day
    found = reported(run, "expected-cash", first=begin, last=day(last, "--to") or begin + AHEAD, by="day")
    values, view = document(found), View(run.messages)
    lines = [
        {**line, "day": line["first"], "weekday": _weekday(view, line["first"])} for line in values["lines"]
    ]
    blocks = (
        view.table("calendar", lines, CALENDAR),
        view.facts("", values, "as_of currency loans total"),
    )
    return lacking(run, Answer(values, blocks), found)


def _weekday(view: View, shown: str | None) -> str:
    """The name of a day's weekday; what is past due already has no day."""
    return view.word("weekday", "overdue" if shown is None else f"{date.fromisoformat(shown):%w}")
