"""Risk: rings of merchants over the whole book, and what the book teaches about them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from .documents import document
from .options import commands, group
from .requests import waiting_answer, waits
from .run import Answer, Run
from .view import View

RINGS = (
    "ring_id size exposure overdue days_past_due written_off kinds identifiers strength shared_until members"
)
BOOK = "as_of currency rings_found placed chosen rings_shown"
WAYS = "kind taken_up_by within_days at_one_place tenures_found tenures_expected beyond_chance binds"
LESSONS = "as_of known_in_rings ways_that_bind on_file"
#: The classes of holders as people write them.
HOLDERS = {2: "2", 3: "3-4", 5: "5+"}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    risk = group("Risk: merchants that belong together.")
    app.add_typer(risk, name="risk")
    commands(risk, {"rings": rings, "learn": learn})


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


def learn(
    run: Run,
    approver: Annotated[
        str,
        typer.Option("--approver", metavar="NAME", help="The second person, where the book wants four eyes"),
    ] = "",
) -> Answer:
    """Read from the book how telling it is that merchants took up one phone or device together; that counts from now on.

    Without it the shipped weights stand alone. Repeat it as the book grows, say each quarter. With --date in the past nothing
    is put on file: what the book would have taught then.

    Example:
      microloan risk learn
      microloan risk learn --date 2026-05-01
    """
    book, on = run.book.acting(run.options.actor, approver), run.options.date
    if on is not None and on != book.settings().open_day:
        return _taught(run, book.risk.lessons(on))
    found = book.risk.learn(idempotency_key=run.options.key)
    return waiting_answer(run, found) if waits(found) else _taught(run, found)


def _taught(run: Run, lessons: Any) -> Answer:
    values, view = document(lessons), View(run.messages)
    rows = [_way(view, way) for way in values["ways"]]
    facts = {**values, "known_in_rings": values["known"], "ways_that_bind": sum(row["binds"] for row in rows)}
    table = view.table("ring_lessons", rows, WAYS, "nothing_learned")
    return Answer(values, (table, view.facts("", facts, LESSONS)))


def _way(view: View, way: dict[str, Any]) -> dict[str, Any]:
    kind, holders = view.word("identifier", way["kind"]), HOLDERS[way["holders"]]
    figures = {
        "tenures_found": way["found"],
        "tenures_expected": way["expected"],
        "beyond_chance": way["telling"],
    }
    return {**way, **figures, "kind": kind, "taken_up_by": holders}


def _shown(view: View, values: dict[str, Any]) -> tuple[Any, ...]:
    rows = [_ring(view, ring) for ring in values["rings"]]
    facts = view.facts("", {**values, "rings_found": values["found"], "rings_shown": len(rows)}, BOOK)
    return view.table("book_rings", rows, RINGS, "no_rings"), facts


def _ring(view: View, ring: dict[str, Any]) -> dict[str, Any]:
    kinds = [view.word("identifier", kind) for kind in ring["kinds"]]
    return {**ring, "kinds": kinds, "shared_until": ring["last_day"]}
