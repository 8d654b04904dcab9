"""What waits for a second pair of eyes (复核): list, look, approve, reject."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from .documents import document, listed
from .options import commands, group
from .run import Answer, Run
from .view import View

REQUESTS = "id operation subject reason status created_by created_at decided_by decided_at note"
REQUEST = f"{REQUESTS} created_on payload command_id"
ANSWER = "request_id operation subject status created_by decided_by command_id"

RequestId = Annotated[
    str, typer.Argument(metavar="REQUEST", help="Request id, see: request list", show_default=False)
]
RequestNote = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why; kept with the request")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    request = group("Requests (复核): what waits for a second person in a book with four eyes.")
    app.add_typer(request, name="request")
    commands(request, {"list": list_, "show": show, "approve": approve, "reject": reject})


def waits(done: Any) -> bool:
    """Whether a command was put on file for a second person instead of being carried out."""
    from microloan.book.results import Waiting

    return isinstance(done, Waiting)


def waiting_answer(run: Run, waiting: Any) -> Answer:
    """That a command waits for a second person, and how that person approves it."""
    values = document(waiting)
    return Answer(values, (View(run.messages).note("waiting", request_id=values["request_id"]),))


def list_(
    run: Run,
    all_: Annotated[bool, typer.Option("--all", help="Also what was approved or rejected")] = False,
) -> Answer:
    """What waits for a second person, oldest first.

    Example:
      microloan request list
    """
    values = listed(run.book.requests.list(decided=all_), "request", "requests")
    return Answer(
        values, (View(run.messages).table("requests", values["requests"], REQUESTS, "none_waiting"),)
    )


def show(run: Run, request: RequestId) -> Answer:
    """A request with the command exactly as it was asked for.

    Example:
      microloan request show REQUEST
    """
    values = document(run.book.requests.show(request), "request")
    shown = {**values, "payload": json.dumps(values["payload"], ensure_ascii=False)}
    return Answer(values, (View(run.messages).facts("request", shown, REQUEST),))


def approve(run: Run, request: RequestId, note: RequestNote = "") -> Answer:
    """Carry out what was asked for, as of the open day; whoever asked for it cannot approve it.

    Example:
      microloan request approve REQUEST --actor bob
    """
    done = run.book.requests.approve(request, note, idempotency_key=run.options.key)
    return _answered(run, done)


def reject(run: Run, request: RequestId, note: RequestNote = "") -> Answer:
    """Answer no; whoever asked may take it back so.

    Example:
      microloan request reject REQUEST --note "not agreed with the merchant"
    """
    return _answered(run, run.book.requests.reject(request, note, idempotency_key=run.options.key))


def _answered(run: Run, answer: Any) -> Answer:
    values = document(answer)
    return Answer(values, (View(run.messages).facts("request", values, ANSWER),))
