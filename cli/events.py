"""Notices for other systems: read those that wait, and say which have been dealt with."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from .options import commands, group
from .run import Answer, Run
from .view import View

if TYPE_CHECKING:
    from microloan.book.notices import Notice

#: Seconds between two looks at the book of somebody who follows it.
PAUSE_SECONDS = 1.0


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    events = group("Events for other systems (CloudEvents): tail, ack.")
    app.add_typer(events, name="events")
    commands(events, {"tail": tail, "ack": ack})


def tail(
    run: Run,
    after: Annotated[
        str | None,
        typer.Option("--after", metavar="EVENT", help="From the place behind that event on"),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="At most so many")] = 100,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with what comes, until interrupted; each event once")
    ] = False,
) -> Answer:
    """Events nobody has acknowledged, one CloudEvents 1.0 document a line; each facility's in their order.

    An event comes again until it is acknowledged, so remember the ids you have seen.

    Example:
      microloan events tail --limit 1000 > events.jsonl
      microloan events tail --follow
    """
    if follow:
        return Answer({}, write=lambda out: _write(_coming(run, after, limit), out, flush=True))
    notices = run.book.events.tail(after, limit)
    if run.options.json:
        return Answer({"events": [notice.cloud_event() for notice in notices]})
    return Answer({}, write=lambda out: _write(notices, out))


def ack(
    run: Run,
    events: Annotated[
        list[str], typer.Argument(metavar="EVENT...", help="Event ids, see: events tail", show_default=False)
    ],
) -> Answer:
    """Say that events have been dealt with, and those of their facilities before them. Said twice it changes nothing.

    Example:
      microloan events ack EVENT
    """
    count = run.book.events.ack(events)
    values = {"acknowledged": count}
    return Answer(values, (View(run.messages).note("acknowledged", count=count),))


def _write(notices: Any, out: TextIO, *, flush: bool = False) -> None:
    for notice in notices:
        out.write(json.dumps(notice.cloud_event(), ensure_ascii=False) + "\n")
        if flush:
            out.flush()


def _coming(run: Run, after: str | None, limit: int) -> Iterator[Notice]:
    """Page after page of what waits, from the first again when there is no more; each event once."""
    seen: set[str] = set()
    place = after
    while True:
        notices = run.book.events.tail(place, limit)
        yield from (notice for notice in notices if notice.id not in seen)
        seen.update(notice.id for notice in notices)
        place = notices[-1].id if notices else after
        if not notices:
            time.sleep(PAUSE_SECONDS)
