"""Files that are written for people: new ones only, for their owner's eyes, whole or not at all.

They hold what shops sell, who signed, what is owed. Source: RELIABILITY 43 (no symlink is followed) and 46 (0600).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TextIO


def private(path: str, flags: int) -> int:
    """An ``opener`` for ``open``: what it creates only its owner can read, and no symlink is followed."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)


@contextmanager
def new_text_file(file: Path) -> Iterator[TextIO]:
    """A file to write text into. Raises FileExistsError, OSError; of a file that could not be finished nothing stays."""
    with _finished_or_gone(file, open(file, "x", encoding="utf-8", newline="", opener=private)) as stream:
        yield stream


@contextmanager
def new_binary_file(file: Path) -> Iterator[IO[bytes]]:
    """As :func:`new_text_file`, for what is no text."""
    with _finished_or_gone(file, open(file, "xb", opener=private)) as stream:
        yield stream


@contextmanager
def _finished_or_gone(file: Path, opened: IO[Any]) -> Iterator[Any]:
    try:
        with opened as stream:
            yield stream
    except BaseException:
        file.unlink(missing_ok=True)
        raise
