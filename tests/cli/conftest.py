"""Every test of the program runs in an empty folder, with a known user, on a known morning."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory

from microloan import LoanBook, Policy, quote, simulate

#: pydantic cannot make its schemas while time is frozen, so these are loaded before.
LOADED = (LoanBook, Policy, quote, simulate)
MORNING = "2026-02-02 01:00:00"  # 09:00 in Shanghai


@pytest.fixture(autouse=True)
def at_the_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FrozenDateTimeFactory]:
    """An empty folder, the actor ``teller``, English, 2 February 2026."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MICROLOAN_ACTOR", "teller")
    for name in ("MICROLOAN_LANG", "MICROLOAN_DB", "LC_ALL", "LC_MESSAGES", "LANG", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    with freeze_time(MORNING) as clock:
        yield clock
