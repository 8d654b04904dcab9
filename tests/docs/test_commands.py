"""docs/commands.md lists every command with its help, as the program itself gives it."""

from __future__ import annotations

import inspect
import os
import re
from pathlib import Path
from typing import Any

import typer
from microloan_cli import main as program

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
HEAD = """\
# All commands

Written by the program from its own help (`UPDATE_GOLDEN=1 pytest tests/docs/test_commands.py` renews it). Every command also
takes, before or after its name:

"""


def page() -> str:
    """The page as it should be."""
    root: Any = typer.main.get_command(program.build())
    common = [param for param in root.params if param.name.startswith("global_")]
    parts = [HEAD + "".join(f"- {option(param)}\n" for param in common)]
    parts += [section(path, command) for path, command in leaves("microloan", root)]
    return "\n".join(parts)


def leaves(path: str, command: Any) -> list[tuple[str, Any]]:
    """Every command below this one, with its full name."""
    below = getattr(command, "commands", None)
    if below is None:
        return [(path, command)]
    return [leaf for name, part in below.items() for leaf in leaves(f"{path} {name}", part)]


def section(path: str, command: Any) -> str:
    """A command: what it does, an example, its arguments and options."""
    text = inspect.cleandoc(command.help).replace("\b\n", "")
    said, _, example = text.partition("Example:\n")
    own = [
        p for p in command.params if not p.name.startswith("global_") and p.name != "help" and not p.hidden
    ]
    lines = [f"## {path}", "", said.strip(), "", "```text", inspect.cleandoc(example), "```", ""]
    lines += [f"- {option(param)}" for param in own] + ([""] if own else [])
    return "\n".join(lines)


def option(param: Any) -> str:
    """One argument or option."""
    names = ", ".join(param.opts) if param.param_type_name == "option" else ""
    shown = f"{names} {param.metavar or ''}".strip()
    choices = "|".join(str(choice) for choice in param.type_descriptor.choices or ())
    return re.sub(r" +", " ", f"`{shown}` {param.help or ''}" + (f" ({choices})" if choices else ""))


def test_the_page_of_commands_is_what_the_program_says() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(page(), "utf-8")
    assert PAGE.read_text("utf-8") == page()
