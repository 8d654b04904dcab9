"""Long answers at a terminal go through a pager; pipes, files and --json never do."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from typing import TextIO


def paged(text: str, stream: TextIO) -> bool:
    """Show *text* in the pager of PAGER, else in less; False where it fits the screen or nobody sits at one."""
    if stream is not sys.stdout or not sys.stdin.isatty():
        return False
    if text.count("\n") < shutil.get_terminal_size().lines:
        return False
    command = _command()
    if not command:
        return False
    environment = {"LESS": "FRX", "LESSCHARSET": "utf-8", **os.environ}
    try:
        subprocess.run(  # noqa: S603 - the pager is the reader's own choice
            command, input=text, encoding="utf-8", env=environment, check=False
        )
    except OSError:  # no such pager: rather too long than not at all
        return False
    return True


def _command() -> list[str]:
    """The pager's words; none where it is switched off with ``PAGER=`` or ``PAGER=cat``, or where there is none."""
    wanted = os.environ.get("PAGER")
    if wanted is None:
        return ["less"] if shutil.which("less") else []
    return [] if wanted.strip() in ("", "cat") else shlex.split(wanted)
