"""The pages that show sessions: every command on them is run, in order, and says what the page says it says.

``UPDATE_GOLDEN=1`` writes down what was said. Identifiers stand by kind and order of appearance, ``<loan 1>``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from microloan_cli import main as program

from tests.cli.session import Names, desk, replay
from tests.docs.test_commands import leaves

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SESSION = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODED = ("concepts",)
PAGES = sorted(page for page in DOCS.glob("*.md") if SESSION.search(page.read_text("utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_what_the_program_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    written, names = page.read_text("utf-8"), Names()
    with desk(tmp_path, monkeypatch) as clock:
        told = SESSION.sub(lambda block: replay(block[0], names, clock), written)
    if os.environ.get("UPDATE_GOLDEN"):
        page.write_text(told, "utf-8")
    else:
        assert told == written


@pytest.mark.parametrize("name", CODED)
def test_the_code_of_a_page_runs(name: str) -> None:
    code = "\n".join(PYTHON.findall((DOCS / f"{name}.md").read_text("utf-8")))
    assert "assert" in code
    exec(compile(code, f"{name}.md", "exec"), {"__name__": name})


NAMED = re.compile(r"(?:^\$ |^|`)(microloan [a-z][^`|\n]*)", re.MULTILINE)


@pytest.mark.parametrize("page", [*DOCS.glob("*.md"), *ROOT.glob("README*.md")], ids=lambda page: page.stem)
def test_every_command_and_option_a_page_names_exists(page: Path) -> None:
    known = {path: options(command) for path, command in leaves("microloan", COMMANDS)}
    for line in NAMED.findall(page.read_text("utf-8")):
        words = re.sub(r"[\"'].*?[\"']", "TEXT", re.split(r"\$\(| #", line)[0]).split()
        named = [path for n in range(1, 5) if (path := " ".join(words[:n])) in known]
        group = any(path.startswith(f"{' '.join(words[:2])} ") for path in known)
        assert named or group, f"{page.name}: {line}"
        wrong = {word.split("=")[0] for word in words if word.startswith("--")} - known.get(
            named[-1] if named else "", ANY
        )
        assert not wrong, f"{page.name}: {line}"


def options(command: Any) -> set[str]:
    """The options of a command, those of every command among them."""
    return {
        name for param in (*command.params, *COMMANDS.params) for name in (*param.opts, *param.secondary_opts)
    }


COMMANDS: Any = typer.main.get_command(program.build())
ANY = {"--help"} | options(COMMANDS)


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (DOCS / target).exists(), f"{page.name}: {target}"
