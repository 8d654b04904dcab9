"""The lender's own dated figures: net assets, LPR, ceilings, caps, holidays, accounts, four eyes."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .arguments import File
from .documents import document
from .options import commands, group
from .render import Facts
from .requests import waiting_answer, waits
from .run import Answer, Run
from .view import View, percent

IN_FORCE = "as_of currency four_eyes net_assets lpr rate_ceiling"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    lender = group("The lender's dated figures: net assets, LPR, ceilings, holidays.")
    app.add_typer(lender, name="lender")
    commands(lender, {"set": set_, "show": show})


def set_(
    run: Run,
    file: File,
    approver: Annotated[
        str,
        typer.Option("--approver", metavar="NAME", help="The second person, where the book wants four eyes"),
    ] = "",
) -> Answer:
    """Set what a TOML file says; every entry counts from its day until the next one.

    Entries: four_eyes, net_assets, lpr, ceilings, caps, holidays, accounts, back_dating, provisions, retention.
    Their keys, and a whole file to copy: docs/lender.md.

    Example:
      microloan lender set lender.toml
    """
    book = run.book.acting(run.options.actor, approver)
    return _shown(run, book.lender.set(file, idempotency_key=run.options.key))


def show(run: Run) -> Answer:
    """What is in force on a day, and every dated entry; what has no input says so.

    Example:
      microloan lender show --date 2026-06-30
    """
    return _shown(run, run.book.lender.show(run.options.date))


def _shown(run: Run, settings: Any) -> Answer:
    if waits(settings):
        return waiting_answer(run, settings)
    values = document(settings)
    view = View(run.messages)
    entries = [
        {**entry, "name": run.messages.label(entry["name"]), "entry": _one_line(run, entry["value"])}
        for entry in values["settings"]
    ]
    return Answer(
        values,
        (
            _in_force(run, values),
            view.table("settings", entries, "name first_day entry set_by"),
        ),
    )


def _in_force(run: Run, values: dict[str, Any]) -> Facts:
    """What is in force; what has no input says so, it never silently passes as met."""
    view, missing = View(run.messages), run.messages.text("not_set")
    cells = ((name, view.cell(name, values[name]) or missing) for name in IN_FORCE.split())
    return Facts(view.title("lender"), tuple((run.messages.label(name), cell) for name, cell in cells))


def _one_line(run: Run, value: dict[str, Any]) -> str:
    """An entry's own fields but its day: ``rate 3.1%``."""
    view = View(run.messages)
    shown = {
        name: percent(part) if name == "rate" and isinstance(part, str) else view.cell(name, part)
        for name, part in value.items()
    }
    return ", ".join(f"{run.messages.label(name)} {part}" for name, part in shown.items() if name != "from")
