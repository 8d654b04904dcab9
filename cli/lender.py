"""The lender's own dated figures: net assets, LPR, ceilings, caps, holidays, accounts, four eyes."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .arguments import File
from .documents import document
from .options import commands, group
from .run import Answer, Run
from .view import View

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
    values = document(settings)
    view = View(run.messages)
    missing = run.messages.text("not_set")
    in_force = {name: missing if value is None else value for name, value in values.items()}
    entries = [{**entry, "entry": _one_line(entry["value"])} for entry in values["settings"]]
    return Answer(
        values,
        (
            view.facts("lender", in_force, IN_FORCE),
            view.table("settings", entries, "name first_day entry set_by"),
        ),
    )


def _one_line(value: dict[str, Any]) -> str:
    return ", ".join(f"{name} {part}" for name, part in value.items() if name != "from")
