"""A stranger gets from a clone to a first loan on a file of sales in under five minutes of typing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SESSION = ROOT / "docs" / "first_loan.sh"
CHARACTERS_A_MINUTE = 200


def typed() -> str:
    """The session without what makes it a script."""
    _, _, lines = SESSION.read_text("utf-8").partition("set -euo pipefail\n")
    return lines.strip()


def test_it_is_under_five_minutes_of_typing() -> None:
    assert len(typed()) / CHARACTERS_A_MINUTE < 5


def git(*arguments: str, cwd: Path) -> str:
    """What git says."""
    author = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *author, *arguments], cwd=cwd, capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of the files as they are now, committed or not."""
    copy = tmp_path / "repository"
    for name in git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    git("init", "-q", cwd=copy)
    git("add", "-A", cwd=copy)
    git("commit", "-q", "-m", "as it is", cwd=copy)
    return copy


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_strangers_session_ends_with_a_loan_partly_repaid(repository: Path, tmp_path: Path) -> None:
    """A clone and an environment of its own: what this one has installed or configured is not seen."""
    seen = {
        name: value for name, value in os.environ.items() if not name.startswith(("MICROLOAN_", "PYTHON"))
    }
    done = subprocess.run(
        [SESSION, repository],
        cwd=tmp_path,
        env={**seen, "MICROLOAN_LANG": "en"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    statement = done.stdout[done.stdout.rindex("Statement") :]
    # 5,000.00 × 0.048% × 10 nights = 24.00; 2,000.00 − 24.00 went to principal
    assert "24.00   1,976.00" in statement
    assert "principal at the end    3,024.00" in statement
