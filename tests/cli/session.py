"""Sessions at a terminal as text: ``$ microloan …``, then what it said, stderr marked ``2>``, then ``[status]`` unless 0.

Identifiers are drawn at random, so a session names them by kind and order of appearance, ``<loan 1>``; a later line of
the session may use that name. ``> FILE`` writes the lines after it, marked ``| ``, to a file. ``UPDATE_GOLDEN=1`` writes
down what was said instead of comparing.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory
from microloan_cli.main import main

from microloan import LoanBook, Policy, quote, simulate

IDENTIFIER = re.compile(r"\b(?P<kind>[a-z]{2,8})-(?P<bucket>[0-9]{2,4})-(?P<opaque>[0-9a-z]{6,40})\b")
HASH = re.compile(r"\b[0-9a-f]{64}\b")
MINUTE = timedelta(minutes=1)
NAMED = re.compile(r"<(?P<kind>[a-z0-9]+) (?P<place>[0-9]+)>")


#: pydantic cannot make its schemas while time is frozen, so these are loaded before.
LOADED = (LoanBook, Policy, quote, simulate)
MORNING = "2026-02-02 01:00:00"  # 09:00 in Shanghai
HIDDEN = ("MICROLOAN_LANG", "MICROLOAN_DB", "LC_ALL", "LC_MESSAGES", "LANG", "NO_COLOR", "COLUMNS")


@contextlib.contextmanager
def desk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FrozenDateTimeFactory]:
    """At work in *folder* as ``teller``, in English, on the morning of 2 February 2026."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MICROLOAN_ACTOR", "teller")
    for name in HIDDEN:
        monkeypatch.delenv(name, raising=False)
    with freeze_time(MORNING) as clock:
        yield clock


@dataclass
class Names:
    """Random identifiers by kind and order of appearance."""

    known: dict[str, str] = field(default_factory=dict)
    file: Path = Path()

    def hide(self, text: str) -> str:
        """Identifiers replaced by their names."""
        text = IDENTIFIER.sub(lambda match: self._name(match["kind"], match[0]), text)
        return HASH.sub(lambda match: self._name("sha256", match[0]), text)

    def reveal(self, text: str) -> str:
        """Names replaced by the identifiers they stand for."""
        back = {name: identifier for identifier, name in self.known.items()}
        return NAMED.sub(lambda match: back.get(match[0], match[0]), text)

    def _name(self, kind: str, identifier: str) -> str:
        if identifier not in self.known:
            count = sum(name.startswith(f"<{kind} ") for name in self.known.values())
            self.known[identifier] = f"<{kind} {count + 1}>"
        return self.known[identifier]


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit status."""

    status: int
    out: str
    err: str


def say(*arguments: str) -> Said:
    """Run one line in this process, as if in a pipe."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(list(arguments))
    return Said(status, out.getvalue(), err.getvalue())


def replay(script: str, names: Names, clock: FrozenDateTimeFactory) -> str:
    """The session as it goes now, a minute a command: comments above their command, an empty line between commands."""
    told = [""]
    for line in script.splitlines():
        if line.startswith("# "):
            told.append(f"{told.pop()}{line}\n")
        elif line.startswith(("> ", "| ")):
            told[-1] += f"{line}\n"
            _write(names, line)
        elif line.startswith("$ "):
            told[-1] += f"{line}\n{_answer(names, line[2:])}"
            clock.tick(MINUTE)
            told.append("")
    return "\n".join(part for part in told if part)


def _write(names: Names, line: str) -> None:
    """``> FILE`` begins a file in the working folder, ``| TEXT`` is a line of the one begun last."""
    if line.startswith("> "):
        names.file = Path(line[2:])
        names.file.write_text("", "utf-8")
    else:
        with names.file.open("a", encoding="utf-8") as file:
            file.write(f"{names.reveal(line[2:])}\n")


def _answer(names: Names, line: str) -> str:
    program, *arguments = shlex.split(names.reveal(line))
    assert program == "microloan", line
    said = say(*arguments)
    told = [row.rstrip() for row in said.out.splitlines() if row.strip()]
    told += [f"2> {row}" for row in said.err.splitlines()]
    told += [f"[{said.status}]"] if said.status else []
    return names.hide("".join(f"{row}\n" for row in told))


def check(script: Path, written: Path, clock: FrozenDateTimeFactory) -> None:
    """Play the session of *script* and compare it with what is *written*, which for English is the script itself."""
    told = replay(script.read_text("utf-8"), Names(), clock)
    if os.environ.get("UPDATE_GOLDEN"):
        written.write_text(told, "utf-8")
        return
    before = written.read_text("utf-8").splitlines()
    different = "\n".join(difflib.unified_diff(before, told.splitlines(), "written", "told", lineterm=""))
    assert not different, different
