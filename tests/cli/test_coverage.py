"""Every command is shown at work in the sessions, in both languages: done, with nothing to show, refused, misused."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from microloan_cli import main as program
from microloan_cli.messages import texts_of

GOLDEN = Path(__file__).parent / "golden"
STATUS = re.compile(r"\[([0-9]+)\]")
REFUSALS = (3, 4, 5, 6, 7)

#: Commands that show what there is, and so can find nothing.
LISTS = frozenset(
    f"microloan {name}"
    for name in (
        "work",
        "trial-balance",
        "decisions",
        "sales imports",
        "sales lines",
        "sales versions",
        "merchant list",
        "merchant rings",
        "review list",
        "offer list",
        "facility list",
        "payout list",
        "sweep list",
        "sweep reconcile",
        "receipt list",
        "promise list",
        "loan list",
        "loan held",
        "loan ledger",
        "risk rings",
        "report portfolio",
        "report vintage",
        "report roll-rate",
        "report provisions",
        "report rate-ceiling",
        "request list",
        "credit show",
    )
)
#: How an answer says that there is nothing.
NOTHING = ("empty", "none_waiting", "nothing_shared", "no_rings", "no_new_loans")
#: What a command cannot do, or not in a session that reads the same everywhere, and why.
NOT_POSSIBLE = {
    ("microloan quote", "refused"): "a calculation without a book has no rule to break",
    ("microloan sales platforms", "refused"): "reads what is shipped, not a book",
    ("microloan policy check", "refused"): "reads a file, not a book",
    ("microloan product check", "refused"): "reads a file, not a book",
    ("microloan demo", "refused"): "makes a book of its own",
    ("microloan demo", "done"): "its figures are held in test_demo",
    ("microloan doctor", "done"): "tells of the machine, see test_machine",
    ("microloan backup", "done"): "the size is the database's, see test_machine",
    ("microloan loan held", "done"): "only a damaged loan is held, see test_machine",
    ("microloan loan release", "done"): "only a damaged loan is held, see test_machine",
    ("microloan month-end", "done"): "the papers are read in test_month_end",
    ("microloan policy fit", "done"): "wants a thousand shops, see tests/underwriting/test_fitting",
}


def commands() -> Iterator[str]:
    """Every command with its full name."""

    def below(path: str, command: Any) -> Iterator[str]:
        parts = getattr(command, "commands", None)
        if parts is None:
            yield path
        for name, part in (parts or {}).items():
            yield from below(f"{path} {name}", part)

    return below("microloan", typer.main.get_command(program.build()))


def named(line: str, known: list[str]) -> str | None:
    """The command that a line runs; options of every command may stand before its name."""
    words = shlex.split(line)
    for start in range(len(words) - 1):
        for command in known:
            wanted = command.split()[1:]
            if words[start + 1 : start + 1 + len(wanted)] == wanted:
                return command
    return None


def outcome(command: str, answer: list[str], lang: str) -> str:
    """Of what kind the answer of a command is."""
    status = next((int(found[1]) for row in answer if (found := STATUS.fullmatch(row))), 0)
    if status == 0:
        nothing = {texts_of(lang)[key] for key in NOTHING}
        return "empty" if command in LISTS and nothing & set(answer) else "done"
    return "misused" if status == 2 else "refused" if status in REFUSALS else f"status {status}"


def shown(folder: Path, lang: str) -> dict[str, set[str]]:
    """The kinds of answers each command gives to people in the sessions of *folder*."""
    known, kinds = list(commands()), defaultdict(set)
    for session in sorted(folder.glob("*.txt")):
        for part in session.read_text("utf-8").split("\n\n"):
            rows = part.splitlines()
            place = next((place for place, row in enumerate(rows) if row.startswith("$ ")), None)
            if place is None or "--json" in rows[place]:
                continue
            command = named(rows[place][2:], known)
            if command is not None:
                kinds[command].add(outcome(command, rows[place + 1 :], lang))
    return dict(kinds)


def wanted() -> set[tuple[str, str]]:
    """What has to be shown: every command done, refused and misused, every list also empty."""
    every = {(command, kind) for command in commands() for kind in ("done", "refused", "misused")}
    return (every | {(command, "empty") for command in LISTS}) - set(NOT_POSSIBLE)


def test_every_command_is_shown_done_empty_refused_and_misused_in_both_languages() -> None:
    for lang, folder in (("en", GOLDEN), ("zh", GOLDEN / "zh")):
        there = {(command, kind) for command, kinds in shown(folder, lang).items() for kind in kinds}
        assert sorted(wanted() - there) == [], lang


def test_the_lists_and_the_exemptions_name_commands_that_are_there() -> None:
    assert (LISTS | {command for command, _ in NOT_POSSIBLE}) - set(commands()) == set()


def documents(folder: Path) -> dict[tuple[str, int], list[str]]:
    """What each line with --json answers, but for the sentence of an error, which is for people."""
    found = {}
    for session in sorted(folder.glob("*.txt")):
        for place, part in enumerate(session.read_text("utf-8").split("\n\n")):
            if "--json" in part:
                found[session.name, place] = [row for row in part.splitlines() if '"message": ' not in row]
    return found


def test_a_program_reads_the_same_whatever_the_language() -> None:
    english = documents(GOLDEN)
    assert len(english) > 30
    assert documents(GOLDEN / "zh") == english


def test_both_languages_tell_the_same_sessions() -> None:
    def typed(folder: Path) -> dict[str, list[str]]:
        return {
            file.name: [
                row for row in file.read_text("utf-8").splitlines() if row.startswith(("$ ", "> ", "| "))
            ]
            for file in folder.glob("*.txt")
        }

    assert typed(GOLDEN / "zh") == typed(GOLDEN)
