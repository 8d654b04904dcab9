"""A counter with an open book, on either database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.databases import Originals

from .counter import Counter, Having, Life, after


@pytest.fixture
def having(originals: Originals, database_kind: str, tmp_path: Path) -> Iterator[Having]:
    """Makes a counter of this test's own that has done what a function says, which is done once in a process."""
    with ExitStack() as opened:
        yield lambda live: opened.enter_context(after(Life(live), originals, database_kind, tmp_path))


def opening(counter: Counter) -> None:
    """Nothing but to open the book on 1 May 2017."""


@pytest.fixture
def counter(having: Having) -> Counter:
    """An open book on 1 May 2017."""
    return having(opening)
