"""Whole sessions, word for word: what each command says for success, emptiness, refusal and bad input, in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from freezegun.api import FrozenDateTimeFactory

from tests.cli.session import check

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.txt"))


@pytest.fixture(autouse=True)
def files_at_hand(tmp_path: Path) -> None:
    """The files that sessions name."""
    fixtures = Path(__file__).resolve().parents[2] / "fixtures"
    (tmp_path / "scenarios").symlink_to(fixtures / "scenarios")
    (tmp_path / "sales").symlink_to(fixtures / "sales")
    (tmp_path / "files").symlink_to(Path(__file__).parent / "files")


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_the_session_goes_as_written(file: Path, at_the_desk: FrozenDateTimeFactory) -> None:
    check(file, file, at_the_desk)


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_the_same_session_goes_as_written_in_chinese(
    file: Path, at_the_desk: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MICROLOAN_LANG", "zh")
    check(file, file.parent / "zh" / file.name, at_the_desk)
