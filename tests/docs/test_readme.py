"""Every example of the READMEs runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OLIST = Path(os.environ.get("MICROLOAN_OLIST") or ROOT / "../shared/data/olist/order_lines.csv.gz").resolve()


def blocks(kind: str, *, olist: bool = False, slow: Path | None = None) -> list[object]:
    """The blocks of a kind, each a parameter named by file and place; what both files have is run once.

    A book's whole story that stands only in the file *slow* is run with the slow tests.
    """
    found = {
        text: (
            f"{readme.stem}-{place}",
            pytest.mark.slow if readme == slow and "microloan init" in text else (),
        )
        for readme in reversed(READMES)
        for place, (language, text) in enumerate(BLOCK.findall(readme.read_text("utf-8")), 1)
        if language == kind and ("MICROLOAN_OLIST" in text) == olist
    }
    return [pytest.param(text, id=name, marks=marks) for text, (name, marks) in found.items()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which the examples' relative paths lead somewhere."""
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    return tmp_path


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A shell script, stopped by its first failure, with the program and interpreter of this environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "MICROLOAN_OLIST": str(OLIST), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def typed(block: str) -> str:
    """The lines after the prompt."""
    return "\n".join(line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ "))


# Every day the English session is run as it stands, and the Chinese one types the same commands, see below.
@pytest.mark.parametrize("block", blocks("console", slow=READMES[1]))
def test_a_session_runs(block: str, folder: Path) -> None:
    run(typed(block), folder)


@pytest.mark.parametrize("block", blocks("python"))
def test_python_runs(block: str, folder: Path) -> None:
    (folder / "example.py").write_text(block, "utf-8")
    said = run("python example.py", folder).stdout
    assert [line for line in said.splitlines() if f"# {line}" not in block] == []


@pytest.mark.skipif(
    not OLIST.exists(), reason=f"no Olist order lines at {OLIST}: name them in MICROLOAN_OLIST"
)
@pytest.mark.parametrize("block", blocks("console", olist=True))
def test_the_marketplace_runs(block: str, folder: Path) -> None:
    said = run(typed(block), folder).stdout
    assert re.search(r"'approved': [1-9]", said)


def test_what_make_is_asked_for_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    asked = {
        word
        for readme in READMES
        for word in re.findall(r"^make (\w+)", readme.read_text("utf-8"), re.MULTILINE)
    }
    assert asked == {"demo", "test"}
    assert asked <= targets


def test_both_languages_have_the_same_examples_and_lead_to_the_same_pages() -> None:
    english, chinese = (readme.read_text("utf-8") for readme in READMES)
    assert [kind for kind, _ in BLOCK.findall(english)] == [kind for kind, _ in BLOCK.findall(chinese)]
    pages = [set(re.findall(r"\]\((docs/[^)#:]+\.(?:md|rst|py|sh))\)", text)) for text in (english, chinese)]
    assert pages[0] == pages[1]


def test_both_languages_type_the_same_commands() -> None:
    def commands(readme: Path) -> list[list[str]]:
        """The words of each line but for what is said: names, rates and the language."""
        sessions = [text for kind, text in BLOCK.findall(readme.read_text("utf-8")) if kind == "console"]
        lines = "\n".join(typed(text) for text in sessions).replace(" --lang zh", "").splitlines()
        return [
            re.findall(r"(?<= )(?:--)?[a-z][a-z0-9-]*(?= |$)", line)
            for line in lines
            if line != "export MICROLOAN_LANG=zh"
        ]

    english, chinese = map(commands, READMES)
    assert ["sales", "import"] in [line[:2] for line in english]
    assert chinese == english


def test_every_linked_file_exists() -> None:
    for readme in READMES:
        for target in re.findall(r"\]\(([^)#:]+)\)", readme.read_text("utf-8")):
            assert (ROOT / target).exists(), target
