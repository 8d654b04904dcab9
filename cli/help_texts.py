"""The texts of ``--help`` in another language: commands by name, the rest by their English text."""

from __future__ import annotations

from typing import Any

from .catalogues import entries_of

#: The program itself, among the commands.
ROOT = "microloan"


def translate_help(program: Any, lang: str) -> None:
    """Give a command, and all below it, their help in *lang*; examples stay."""
    commands, options, panels, titles = (
        entries_of(lang, "help", kind) for kind in ("command", "option", "panel", "title")
    )

    def translate(command: Any, path: str) -> None:
        command.titles = titles
        text = command.help or ""
        example = text[text.index("\b") :] if "\b" in text else ""
        if path in commands:
            command.help = f"{commands[path]}\n\n{example.replace('Example:', titles['Example:'])}"
        for param in command.params:
            param.help = options.get(param.help, param.help)
            param.rich_help_panel = panels.get(param.rich_help_panel, param.rich_help_panel)
        for name, below in getattr(command, "commands", {}).items():
            translate(below, name if path == ROOT else f"{path} {name}")

    translate(program, ROOT)
