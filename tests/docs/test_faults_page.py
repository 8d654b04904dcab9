"""Every test that docs/faults.md names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`([a-z_/]+\.py)::(\w+)`", PAGE)


def test_every_test_the_page_names_exists() -> None:
    missing = [
        f"{file}::{name}"
        for file, name in NAMED
        if not (ROOT / "tests" / file).is_file()
        or f"\ndef {name}(" not in (ROOT / "tests" / file).read_text(encoding="utf-8")
    ]
    assert missing == []
    assert len(NAMED) > 60


def test_every_case_names_its_test() -> None:
    cases = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| case")]
    assert len(cases) >= 48
    assert [case for case in cases if "::" not in case] == []
