"""What ``--help`` prints: plain blocks, as wide as the terminal.

Typer would print it through rich, which takes as long to load as the program and all its commands.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from typing import Any

from typer.core import TyperCommand, TyperGroup

from .render import PROSE, Block, Facts, Note, as_text

#: Titles of the parts; a command that speaks another language has its own.
TITLES = {"Usage": "Usage", "Arguments": "Arguments", "Options": "Options", "Commands": "Commands"}


class Command(TyperCommand):
    """A command that tells about itself in plain blocks."""

    titles = TITLES

    def get_help(self, ctx: Any) -> str:
        """The whole help text."""
        return _told(self, ctx)


class Group(TyperGroup):
    """A noun with verbs that tells about itself in plain blocks."""

    titles = TITLES

    def get_help(self, ctx: Any) -> str:
        """The whole help text, with the first paragraph of every command's."""
        return _told(self, ctx)


def _told(command: Any, ctx: Any) -> str:
    width = min(shutil.get_terminal_size().columns, PROSE) if sys.stdout.isatty() else PROSE
    return as_text(_blocks(command, ctx), max(width, 20)).rstrip("\n")


def _blocks(command: Any, ctx: Any) -> Iterator[Block]:
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    yield Note(f"{command.titles['Usage']}: {usage}", prose=True)
    for paragraph in filter(None, (command.help or "").split("\n\n")):
        example = paragraph.startswith("\b\n")
        yield Note(paragraph[2:] if example else " ".join(paragraph.split("\n")), prose=not example)
    for title, rows in _panels(command, ctx).items():
        yield Facts(title, tuple(rows))
    names = command.list_commands(ctx) if isinstance(command, Group) else []
    if names:
        yield Facts(
            command.titles["Commands"], tuple((f"  {name}", _short(command.commands[name])) for name in names)
        )


def _panels(command: Any, ctx: Any) -> dict[str, list[tuple[str, str]]]:
    """Arguments and options with what they are, under the title of each kind."""
    panels: dict[str, list[tuple[str, str]]] = {}
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if record:
            kind = command.titles["Arguments" if param.param_type_name == "argument" else "Options"]
            name = record[0].removesuffix(" <list[str]>")  # the dots say so already
            panels.setdefault(param.rich_help_panel or kind, []).append((f"  {name}", record[1]))
    return dict(sorted(panels.items(), key=lambda panel: panel[0] not in command.titles.values()))


def _short(command: Any) -> str:
    return " ".join((command.help or "").split("\n\n")[0].split("\n"))
