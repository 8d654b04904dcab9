"""What the program costs before it does anything: processor time of whole processes, beside the import of what it stands on.

    python benchmarks/bench_startup.py [--passes N]

``microloan --help`` beside ``import typer``; one loan read, and one draw, from a SQLite book through the program, beside
``import sqlmodel``. Each is a process of its own, all take turns, medians. Ours is compiled first, as an installation is.
"""

from __future__ import annotations

import argparse
import compileall
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

import microloan_cli
from bench_commands import signed
from sides import Files

import microloan
from microloan.book.loanbook import LoanBook

PROGRAM = [sys.executable, "-m", "microloan_cli.main"]


def spent(line: list[str]) -> float:
    """Processor seconds of a process, children and all; it must end well."""
    child = os.fork()
    if not child:
        silent = os.open(os.devnull, os.O_RDWR)
        os.dup2(silent, 1)
        os.execv(line[0], line)
    _, status, used = os.wait4(child, 0)
    assert status == 0, line
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--passes", type=int, default=9)
    passes = parser.parse_args().passes
    for package in (microloan, microloan_cli):
        compileall.compile_dir(Path(package.__file__).parent, quiet=1)
    with tempfile.TemporaryDirectory() as folder:
        url = Files(Path(folder)).empty()
        with LoanBook.open(url, actor="teller") as book:
            book.init("CNY")
            facility, loan = signed(book, "m-1")
        lines = {
            "python": [sys.executable, "-c", "pass"],
            "import typer": [sys.executable, "-c", "import typer"],
            "microloan --help": [*PROGRAM, "--help"],
            "import sqlmodel": [sys.executable, "-c", "import sqlmodel"],
            "microloan loan show": [*PROGRAM, "--db", url, "loan", "show", loan],
            "microloan draw": [*PROGRAM, "--db", url, "draw", facility, "1000", "--days", "30"],
        }
        taken: dict[str, list[float]] = {name: [] for name in lines}
        for _ in range(passes):
            for name, line in lines.items():
                taken[name].append(spent(line))
    middle = {name: median(each) for name, each in taken.items()}
    floors = {"microloan --help": "import typer"} | dict.fromkeys(
        ("microloan loan show", "microloan draw"), "import sqlmodel"
    )
    for name, seconds in middle.items():
        floor = floors.get(name)
        ratio = f"{seconds / middle[floor]:.2f} x {floor}" if floor else ""
        print(f"{name:<22}{seconds * 1e3:>6.0f} ms  {ratio}".rstrip())


if __name__ == "__main__":
    main()
