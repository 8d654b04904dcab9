"""Every test of the program runs in an empty folder, with a known user, on a known morning."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from freezegun.api import FrozenDateTimeFactory

from tests.cli.session import desk


@pytest.fixture(autouse=True)
def at_the_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FrozenDateTimeFactory]:
    """An empty folder, the actor ``teller``, English, 2 February 2026."""
    with desk(tmp_path, monkeypatch) as clock:
        yield clock
