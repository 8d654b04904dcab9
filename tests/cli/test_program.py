"""How the program behaves as a program: light to start, clean when stopped, and never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from microloan_cli import calculate, main
from microloan_cli.options import command_of, root

from tests.cli.session import say

QUOTE = ["quote", "--principal", "300000", "--rate", "0.048%/day", "--days", "90"]


def microloan(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own."""
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    line = [sys.executable, "-m", "microloan_cli.main", *arguments]
    return subprocess.run(line, capture_output=True, text=True, env=environment, check=False, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("line", [["--help"], ["loan", "--help"], QUOTE])
def test_starting_loads_nothing_heavy(line: list[str]) -> None:
    heavy = ["alembic", "numpy", "pandas", "sqlalchemy", "sqlmodel"]
    program = (
        "import sys; from microloan_cli.main import main; "
        f"main({line!r}); print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stderr.strip() == "[]"


def test_reading_a_loan_loads_only_what_it_needs(tmp_path: Path) -> None:
    """Every import below costs a line of the terminal more than the statement it is there for."""
    unneeded = [
        "alembic", "pandas", "sqlalchemy.dialects.postgresql", "microloan.book.reporting", "microloan.risk",
        "microloan.store.tables_sales", "microloan.store.tables_underwriting", "microloan_cli.backtest",
    ]  # fmt: skip
    db = f"sqlite:///{tmp_path / 'book.db'}"
    assert say("--db", db, "init").status == 0
    program = (
        "import sys; from microloan_cli.main import main; "
        f"main(['--db', {db!r}, 'loan', 'list']); "
        f"print([name for name in {unneeded} if name in sys.modules], file=sys.stderr)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stderr.strip() == "[]"


def test_rooms_are_loaded_in_frozen_time_too(tmp_path: Path) -> None:
    """A host's tests freeze time around a book whose rooms nobody has entered yet."""
    program = f"""
import sys
from freezegun import freeze_time
from microloan import LoanBook
with freeze_time("2026-02-02 01:00:00"), LoanBook.open("sqlite:///{tmp_path / "book.db"}", actor="a") as book:
    book.init()
    book.lender.set({{"net_assets": [{{"from": "2026-01-01", "amount": "500000000"}}]}})
    print(book.settings().open_day, book.lender.show().net_assets, len(book.work()), book.verify().clean)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert told.stdout.startswith("2026-02-02 500000000.00 "), told.stderr
    assert told.stdout.endswith(" True\n")


@pytest.mark.parametrize("module", main.MODULES)
def test_a_line_finds_the_module_of_its_command(module: str) -> None:
    app = root()
    import_module(f"microloan_cli.{module}").register(app)
    brought = [command.name for command in app.registered_commands]
    assert {*brought, *(group.name for group in app.registered_groups)} == set(main.MODULES[module])


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (["draw", "FAC", "100"], "draw"),
        (["--db", "sales", "--json", "draw"], "draw"),
        (["--actor=sales", "draw"], None),
        (["--help", "draw"], None),
        (["--version"], None),
        (["--db"], None),
        ([], None),
    ],
)
def test_the_command_of_a_line_is_no_value_of_an_option(line: list[str], command: str | None) -> None:
    assert command_of(line) == command


def test_help_before_a_command_tells_of_all_commands() -> None:
    assert say("--help", "draw").out == say("--help").out


def test_every_command_has_help_with_an_example() -> None:
    import typer

    program = typer.main.get_command(main.build())
    for path, command in leaves("microloan", program):
        assert f"  {path} " in command.help or f"  {path}\n" in f"{command.help}\n", path


def leaves(path: str, command: object) -> list[tuple[str, object]]:
    """Every command below this one, with its full name."""
    below = getattr(command, "commands", None)
    if below is None:
        return [(path, command)]
    return [leaf for name, part in below.items() for leaf in leaves(f"{path} {name}", part)]


def test_common_options_are_taken_before_between_and_after_the_command() -> None:
    after = say(*QUOTE, "--json", "--lang", "en")
    assert json.loads(after.out)["interest"] == "12960.00"
    assert say("--json", "--lang", "en", *QUOTE) == after
    assert say("--lang", "zh", *QUOTE, "--json", "--lang", "en") == after
    assert (
        say("loan", "--lang", "zh", "show").err
        == "microloan: 缺少参数 LOAN（帮助：microloan loan show --help）\n"
    )


@pytest.mark.parametrize(
    ("environment", "lang"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "MICROLOAN_LANG": "en"}, "en"),
        ({"MICROLOAN_LANG": "zh"}, "zh"),
        ({}, "en"),
    ],
)
def test_language_comes_from_the_environment(
    environment: dict[str, str], lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert say(*QUOTE).out.startswith({"zh": "试算", "en": "Quote"}[lang])


def test_a_bug_is_one_line_and_exit_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calculate, "_quote_blocks", lambda *given: 1 / 0)
    answer = say(*QUOTE)
    assert (answer.status, answer.out) == (1, "")
    assert answer.err == (
        "microloan: this is a bug of ours: ZeroDivisionError: division by zero. "
        "Please report it; MICROLOAN_DEBUG=1 shows where it happened\n"
    )
    assert json.loads(say(*QUOTE, "--json").err)["error"]["code"] == "bug"
    monkeypatch.setenv("MICROLOAN_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        say(*QUOTE)


def test_interrupted_says_so_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(calculate, "_quote_blocks", interrupt)
    answer = say(*QUOTE)
    assert (answer.status, answer.out) == (130, "")
    assert answer.err.startswith("microloan: stopped")


def test_a_reader_who_leaves_early_gets_no_complaint(tmp_path: Path) -> None:
    program = f"{sys.executable} -m microloan_cli.main"
    long_life = Path(__file__).parents[2] / "fixtures" / "scenarios" / "worked-level-360-months.yaml"
    line = f"{program} simulate {long_life} | head -1; exit ${{PIPESTATUS[0]}}"
    told = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert told.stdout == "Schedule\n"
    assert told.stderr == ""
    assert told.returncode in (0, 141)  # 0: all was written before head left


def test_a_pipe_closed_from_the_start_is_exit_status_141() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    line = [sys.executable, "-m", "microloan_cli.main", *QUOTE]
    told = subprocess.run(line, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (told.returncode, told.stderr) == (141, "")


def test_the_name_alone_says_in_three_lines_where_to_begin() -> None:
    answer = microloan()
    assert answer.returncode == 2
    assert [line.count("microloan") for line in answer.stdout.splitlines()] == [1, 1, 2]
    assert "看演示：microloan demo" in say("--lang", "zh").out
    assert "simulate" in say("--help").out
