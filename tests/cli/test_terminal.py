"""At a terminal: lines that fit, a pager for long answers, colour where wanted, and a question before money leaves."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import select
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from freezegun.api import FrozenDateTimeFactory
from microloan_cli.main import main
from microloan_cli.render import cell_width

from tests.cli.session import MINUTE, Names, _write, say
from tests.cli.test_coverage import commands

HERE = Path(__file__).parent
FIXTURES = HERE.parents[1] / "fixtures"
PROGRAM = "import sys; from microloan_cli.main import run; sys.argv[0] = 'microloan'; run()"


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.fixture
def files_at_hand(tmp_path: Path) -> None:
    (tmp_path / "sales").symlink_to(FIXTURES / "sales")
    (tmp_path / "files").symlink_to(HERE / "files")


def fits(line: str, width: int) -> bool:
    """A line within the width, a word that cannot be broken, or a command to be copied."""
    return cell_width(line) <= width or len(line.split()) == 1 or "microloan " in line


@pytest.mark.parametrize(("width", "lang"), [(40, "en"), (60, "en"), (80, "en"), (60, "zh")])
def test_no_answer_is_wider_than_the_screen(
    width: int,
    lang: str,
    files_at_hand: None,
    at_the_desk: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("MICROLOAN_LANG", lang)
    names, too_wide, lines = Names(), [], 0
    for line in (HERE / "golden" / "desk.txt").read_text("utf-8").splitlines():
        if line.startswith(("> ", "| ")):
            _write(names, line)
        elif line.startswith("$ "):
            screen = Screen()
            with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(io.StringIO()):
                main(shlex.split(names.reveal(line))[2:])
            names.hide(screen.getvalue())
            at_the_desk.tick(MINUTE)
            said = screen.getvalue().splitlines()
            lines += len(said)
            too_wide += [(line, row) for row in said if not fits(row, width) and "--contract" not in line]
    assert lines > 300
    assert too_wide == []


def test_no_help_is_wider_than_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    too_wide = []
    for command in ("microloan", "microloan loan", *commands()):
        screen = Screen()
        with contextlib.redirect_stdout(screen):
            main([*command.split()[1:], "--help"])
        assert "--help" in screen.getvalue()
        examples = re.compile(r"    --\w+ \S+ --")  # an example's second line
        too_wide += [
            row for row in screen.getvalue().splitlines() if not fits(row, 40) and not examples.match(row)
        ]
    assert too_wide == []


def at_a_terminal(*words: str, typed: str = "", rows: int = 24, **environment: str) -> tuple[int, str]:
    """Status and screen of the program run in a terminal of 80 columns, with what a person typed."""
    ours, theirs = pty.openpty()
    size = {"COLUMNS": "80", "LINES": str(rows), "TERM": "xterm-256color"}
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, **size, **environment},
        close_fds=True,
    )
    os.close(theirs)
    if typed:
        os.write(ours, typed.encode())
    told = _until_silent(ours, program)
    os.close(ours)
    return program.wait(), told.replace("\r\n", "\n")


def _until_silent(terminal: int, program: subprocess.Popen[bytes]) -> str:
    told, give_up = b"", time.monotonic() + 60
    while time.monotonic() < give_up:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # the program has left
                break
            if not part:
                break
            told += part
        elif program.poll() is not None:
            break
    return told.decode()


@pytest.fixture
def line_to_draw(files_at_hand: None) -> None:
    """A book with a signed credit line of the shop seafood."""
    say("init", "--open-day", "2025-05-12")
    say("sales", "import", "sales/seafood.csv.gz")
    say("underwrite", "seafood")
    sha = re.search(r"[0-9a-f]{64}", say("offer", "show", "seafood").out)
    assert sha
    say("facility", "sign", "seafood", "--signer", "Chen", "--sha256", sha[0])


def test_before_money_leaves_a_person_is_asked_with_amount_and_payee(line_to_draw: None) -> None:
    status, told = at_a_terminal("draw", "seafood", "1000", "--days", "30", "--confirm", typed="n\n")
    assert "Pay 1,000 CNY to seafood? [y/N]" in told
    assert "nobody said yes" in told
    assert (status, say("loan", "list").out.count("loan-")) == (3, 0)
    status, told = at_a_terminal(
        "draw", "seafood", "1000", "--days", "30", "--confirm", "--lang", "zh", typed="是\n"
    )
    assert "向 seafood 放款 1,000 CNY？" in told
    assert (status, say("loan", "list").out.count("loan-")) == (0, 1)


def test_yes_on_the_line_json_and_scripts_are_not_asked(line_to_draw: None) -> None:
    draw = ("draw", "seafood", "1000", "--days", "30", "--confirm")
    assert "[y/N]" not in at_a_terminal(*draw, "--yes")[1]
    assert "[y/N]" not in at_a_terminal(*draw, "--json")[1]
    assert say(*draw).status == 0
    assert say("loan", "list").out.count("loan-") == 3


def test_what_is_longer_than_the_screen_goes_through_the_pager(files_at_hand: None, tmp_path: Path) -> None:
    say("init", "--open-day", "2025-05-12")
    for number in range(30):
        say("merchant", "add", f"m-{number:02}")
    pager = tmp_path / "pager"
    pager.write_text('#!/bin/sh\necho "the pager has it"\ncat\n', "utf-8")
    pager.chmod(0o700)
    status, told = at_a_terminal("merchant", "list", PAGER=str(pager))
    assert status == 0
    assert "the pager has it" in told
    assert "m-29" in told
    for line, environment in (
        (("merchant", "list", "--json"), {}),
        (("merchant", "show", "m-01"), {}),
        (("merchant", "list"), {"LINES": "100"}),
    ):
        assert "the pager has it" not in at_a_terminal(*line, **{"PAGER": str(pager), **environment})[1]
    for none in ("", "cat", str(tmp_path / "gone")):
        assert "m-29" in at_a_terminal("merchant", "list", PAGER=none)[1]


def test_colour_is_for_terminals_that_want_it() -> None:
    say("init", "--open-day", "2025-05-12")
    assert "\x1b[" in at_a_terminal("merchant", "list")[1]
    assert "\x1b[" not in at_a_terminal("merchant", "list", NO_COLOR="1")[1]
    assert "\x1b[" not in say("merchant", "list").out


def test_progress_is_shown_while_a_long_command_runs_and_leaves_nothing_behind(files_at_hand: None) -> None:
    say("init", "--open-day", "2025-05-12")
    told = at_a_terminal("sales", "import", "sales/marketplace.csv.gz")[1]
    assert "\x1b[2K" in told  # the bar, taken away again
    assert "\x1b[" not in say("sales", "import", "sales/marketplace.csv.gz").err
