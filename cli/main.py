"""The program ``microloan``: parses a line, runs one command, and turns every failure into one line and an exit status.

0 done · 1 a bug of ours · 2 usage or bad input · 3 refused by a rule · 4 not found · 5 integrity broken ·
6 an expectation not met · 7 done, but some set aside.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import NoReturn

import typer

from microloan.errors import BadInput, MicroloanError

from .failures import Failure, of_bug, of_error, of_usage, report
from .messages import Messages
from .options import command_of, equip, language, root, typed
from .run import OutputClosed, OutputFailed

#: Typer's own "this line cannot be understood"; public only as the parent of BadParameter.
UsageError: type[Exception] = typer.BadParameter.__mro__[2]

#: The modules and the commands each brings, in the order in which `--help` lists them.
MODULES = {
    "demo": ("demo",),
    "calculate": ("quote", "simulate"),
    "day": ("init", "eod", "verify", "backup", "doctor", "audit"),
    "work": ("work", "calendar"),
    "sales": ("sales",),
    "merchants": ("merchant", "shop"),
    "underwriting": ("features", "underwrite", "explain", "decisions", "review"),
    "backtest": ("backtest",),
    "facilities": ("offer", "facility"),
    "payments": ("draw", "repay", "payoff", "reverse", "payout", "credit"),
    "cash": ("sweep", "receipt", "promise"),
    "loans": ("loan",),
    "accounts": ("statement", "trial-balance", "journal"),
    "risk": ("risk",),
    "reports": ("report",),
    "month_end": ("month-end",),
    "products": ("product", "policy"),
    "lender": ("lender",),
    "requests": ("request",),
    "subjects": ("subject",),
    "events": ("events",),
}

INTERRUPTED = 130
PIPE_CLOSED = 141


def build(words: Sequence[str] | None = None) -> typer.Typer:
    """The program with all its commands; with *words*, a line, those that the line needs, and only these ready to run."""
    named = None if words is None else command_of(words)
    app = root()
    for module in [name for name, brought in MODULES.items() if named in brought] or MODULES:
        import_module(f".{module}", __package__).register(app)
    equip(app, words)
    return app


def main(arguments: list[str]) -> int:
    """Run one line of arguments; returns the exit status. Never raises."""
    _accept_any_text()
    try:
        return _run(arguments)
    except OutputClosed:
        _silence_stdout()
        return PIPE_CLOSED
    except OutputFailed as error:
        _silence_stdout()
        return _tell(of_error(error, _messages(arguments)), arguments)
    except (KeyboardInterrupt, typer.Abort):
        return _stopped(arguments)
    except MicroloanError as error:
        return _tell(of_error(error, _messages(arguments)), arguments)
    except UsageError as error:
        return _tell(of_usage(error, _messages(arguments)), arguments)
    except Exception as error:
        if os.environ.get("MICROLOAN_DEBUG"):
            raise
        return _tell(of_bug(error, _messages(arguments)), arguments)


def _run(arguments: list[str]) -> int:
    completing = "_MICROLOAN_COMPLETE" in os.environ
    program = typer.main.get_command(build(_line_to_complete() if completing else arguments))
    lang = _messages(arguments).lang
    if lang != "en":
        from .help_texts import translate_help

        translate_help(program, lang)
    if completing:
        from .completion import complete_ids

        complete_ids(program)
    status = program.main(arguments, prog_name="microloan", standalone_mode=False)
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    return status if isinstance(status, int) else 0


def _line_to_complete() -> list[str]:
    """The words typed so far, as bash or as the other shells hand them over."""
    return " ".join(os.environ.get(name, "") for name in ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")).split()


def _stopped(arguments: list[str]) -> int:
    print(f"microloan: {_messages(arguments).text('stopped')}", file=sys.stderr)
    return INTERRUPTED


def _tell(failure: Failure, arguments: list[str]) -> int:
    report(failure, as_json="--json" in arguments)
    return failure.status


def _messages(arguments: list[str]) -> Messages:
    try:
        return Messages(language(typed(arguments, "--lang"), os.environ))
    except BadInput:
        return Messages("en")


def _accept_any_text() -> None:
    """What a terminal's encoding cannot show is written as escapes, rather than not at all."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _silence_stdout() -> None:
    """So that the interpreter's last flush does not complain about the closed pipe either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run() -> NoReturn:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
