"""Risk: rings of merchants over the whole book."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from .documents import document
from .options import commands, group
from .run import Answer, Run
from .view import View

RINGS = (
    "ring_id size exposure overdue days_past_due written_off kinds identifiers strength shared_until members"
)
BOOK = "as_of currency rings_found placed chosen rings_shown"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    risk = group("Risk: merchants that belong together.")
    app.add_typer(risk, name="risk")
    commands(risk, {"rings": rings})


def rings(
    run: Run,
    by: Annotated[
        Literal["size", "exposure", "overdue"], typer.Option("--by", help="The greatest first")
    ] = "size",
    least_members: Annotated[
        int, typer.Option("--min-members", metavar="N", help="Rings with so many members at least")
    ] = 2,
    least_exposure: Annotated[
        str | None, typer.Option("--min-exposure", metavar="AMOUNT", help="Rings that owe so much at least")
    ] = None,
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Rings with a member past due or written off only")
    ] = False,
    most: Annotated[int, typer.Option("--most", metavar="N", help="No more than so many rings")] = 50,
) -> Answer:
    """Rings over the whole book: merchants that share identifiers, what they owe together and who is late.

    Needs the extra risk. The evidence of one of them: microloan merchant rings MEMBER.

    Example:
      microloan risk rings --by exposure --min-members 3
      microloan risk rings --overdue --json
    """
    found = run.book.risk.rings(
        run.options.date,
        by=by,
        least_members=least_members,
        least_exposure=least_exposure,
        overdue_only=overdue,
        most=most,
    )
    values = document(found)
    values["rings"] = [{"ring_id": ring.pop("id"), **ring} for ring in values["rings"]]
    return Answer(values, _shown(View(run.messages), values))


def _shown(view: View, values: dict[str, Any]) -> tuple[Any, ...]:
    rows = [_ring(view, ring) for ring in values["rings"]]
    facts = view.facts("", {**values, "rings_found": values["found"], "rings_shown": len(rows)}, BOOK)
    return view.table("book_rings", rows, RINGS, "no_rings"), facts


def _ring(view: View, ring: dict[str, Any]) -> dict[str, Any]:
    kinds = [view.word("identifier", kind) for kind in ring["kinds"]]
    return {**ring, "kinds": kinds, "shared_until": ring["last_day"]}
