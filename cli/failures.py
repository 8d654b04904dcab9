"""Failures as people and programs read them: one line, or one JSON document, on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from microloan.errors import MicroloanError

from .documents import json_text
from .messages import Messages

#: What Typer says of a value, and how it is said here.
_WORDED = (
    ("Value error, ", ""),
    ("Input should be greater than or equal to", "at least"),
    ("Input should be a valid integer, unable to parse string as an integer", "give a whole number"),
    ("Input should be a valid number, unable to parse string as a number", "give a number such as 0.5"),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong: a stable code, a sentence, its fields, and the exit status; and what else is wrong in one file."""

    code: str
    message: str
    details: Mapping[str, Any]
    status: int
    more: tuple[str, ...] = ()


def of_error(error: MicroloanError, messages: Messages) -> Failure:
    """A refusal or failure of the library."""
    more = tuple(_one_line(messages.error(other)) for other in _others(error))
    return Failure(
        error.code, _one_line(messages.error(error)), plain(error.details), error.exit_status, more
    )


def _others(error: MicroloanError) -> Iterator[MicroloanError]:
    """Every fault of a file after the first, as an error of its own."""
    faults = error.details.get("faults")
    for fault in faults[1:] if isinstance(faults, list) else ():
        file = str(error.details["file"]).rsplit(", line ", 1)[0]
        where = file if fault["line"] is None else f"{file}, line {fault['line']}"
        yield type(error)(**{**fault, "file": where})


def of_usage(error: Exception, messages: Messages) -> Failure:
    """A line that Typer cannot understand."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "microloan"
    told = error.format_message() if hasattr(error, "format_message") else str(error)
    said = _one_line(told)
    for theirs, ours in _WORDED:
        said = said.replace(theirs, ours)
    message = messages.text("usage", problem=messages.reason(said), command=command)
    return Failure("usage", message, {"command": command, "problem": said}, 2)


def of_bug(error: Exception, messages: Messages) -> Failure:
    """What should never have happened."""
    said = _one_line(str(error))[:200]
    message = messages.text("bug", kind=type(error).__name__, said=said)
    return Failure("bug", message, {"type": type(error).__name__, "message": said}, 1)


def report(failure: Failure, *, as_json: bool) -> None:
    """Write the failure to stderr."""
    if as_json:
        error = {"code": failure.code, "message": failure.message, "details": failure.details}
        sys.stderr.write(json_text({"error": error}))
    else:
        for message in (failure.message, *failure.more):
            print(f"microloan: {message}", file=sys.stderr)


def plain(value: Any) -> Any:
    """*value* as JSON can hold it: dates ISO, numbers that are not integers as text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(part) for part in value]
    return value.isoformat() if isinstance(value, date) else str(value)


def _one_line(text: str) -> str:
    return " ".join(text.split())
