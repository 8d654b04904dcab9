"""What a shell offers where an id belongs: those in the book of --db, else of MICROLOAN_DB. Silent where there is none."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

#: Whoever has something is named by its own id or by one of its shops.
PARTIES = ("merchant", "shop")
#: By the word that stands for a value in the help: of what kinds it may be, see microloan.store.completing.
KINDS = {
    "DECISION": ("review", "decision", *PARTIES),
    "EVENT": ("event",),
    "EVENT...": ("event",),
    "FACILITY": ("facility", *PARTIES),
    "FROM_LOAN": ("loan",),
    "LOAN": ("loan", *PARTIES),
    "LOAN_OR_FACILITY": ("loan", "facility", *PARTIES),
    "MERCHANT": PARTIES,
    "OFFER": ("offer", *PARTIES),
    "OTHER": ("merchant",),
    "POLICY": ("policy",),
    "RECEIPT": ("receipt",),
    "REQUEST": ("request",),
    "SETTLEMENT": ("settlement",),
    "SHOP": PARTIES,
    "[SHOP]...": PARTIES,
    "TO_LOAN": ("loan",),
}
#: The same for a plain NAME, by the command's noun.
NAMED = {"policy": ("policy",), "product": ("product",), "underwrite": ("policy",)}


@dataclass(frozen=True, slots=True)
class Offered:
    """An id, as the shells' scripts want it."""

    value: str
    type: str = "plain"
    help: str | None = None


def complete_ids(program: Any) -> None:
    """Let every argument and option of *program* that takes an id offer those of the book."""
    for noun, param in _params(program, ""):
        kinds = NAMED.get(noun, ()) if param.metavar == "NAME" else KINDS.get(param.metavar, ())
        if kinds:
            param.shell_complete = _completer(kinds)


def _params(command: Any, noun: str) -> Iterator[tuple[str, Any]]:
    yield from ((noun, param) for param in command.params)
    for name, below in getattr(command, "commands", {}).items():
        yield from _params(below, noun or name)


def _completer(kinds: tuple[str, ...]) -> Callable[[Any, str], list[Offered]]:
    def complete(ctx: Any, incomplete: str) -> list[Offered]:
        try:
            return [Offered(found) for found in _known(ctx, incomplete, kinds)]
        except Exception:  # whatever is wrong, a shell that completes must not be disturbed
            return []

    return complete


def _known(ctx: Any, incomplete: str, kinds: tuple[str, ...]) -> list[str]:
    from microloan.store.completing import beginning_with

    from .options import resolve, typed_globals

    options = resolve(typed_globals(ctx), os.environ)
    return beginning_with(incomplete, kinds, options.db, options.tenant)
