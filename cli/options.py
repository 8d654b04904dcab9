"""The options every command takes, before and after its name, and where their values come from.

A command is a function ``(run, arguments …) -> Answer``; :func:`commands` registers it and adds the options. The value
given nearest the end of the line wins, then the environment, then the default.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import typer

from microloan import __version__
from microloan.days import parse_date
from microloan.errors import BadInput

from .arguments import WrongUse
from .help import Command, Group
from .messages import LANGUAGES, Messages
from .run import Answer, Run

PANEL = "Options of every command"
DEFAULT_DB = "sqlite:///microloan.db"

_GLOBALS: dict[str, Any] = {
    "db": Annotated[
        str | None,
        typer.Option(
            "--db",
            metavar="URL",
            help=f"Database. Env MICROLOAN_DB, else {DEFAULT_DB}",
            rich_help_panel=PANEL,
        ),
    ],
    "json": Annotated[
        bool | None,
        typer.Option(
            "--json", help="One JSON document on stdout, errors as JSON on stderr", rich_help_panel=PANEL
        ),
    ],
    "date": Annotated[
        str | None,
        typer.Option(
            "--date", metavar="YYYY-MM-DD", help="Read, or underwrite, as of that day", rich_help_panel=PANEL
        ),
    ],
    "actor": Annotated[
        str | None,
        typer.Option(
            "--actor",
            metavar="NAME",
            help="Who acts. Env MICROLOAN_ACTOR, else the OS user",
            rich_help_panel=PANEL,
        ),
    ],
    "tenant": Annotated[
        str | None,
        typer.Option("--tenant", metavar="T", help="Whose book, else main", rich_help_panel=PANEL),
    ],
    "key": Annotated[
        str | None,
        typer.Option(
            "--key", metavar="K", help="Idempotency key: used twice, acts once", rich_help_panel=PANEL
        ),
    ],
    "lang": Annotated[
        str | None,
        typer.Option(
            "--lang",
            metavar="en|zh",
            help="Language. Env MICROLOAN_LANG, else the locale",
            rich_help_panel=PANEL,
        ),
    ],
}
_PREFIX = "global_"
_VERSION = inspect.Parameter(
    "version",
    inspect.Parameter.KEYWORD_ONLY,
    annotation=Annotated[bool, typer.Option("--version", help="Print the version")],
    default=False,
)
_ABOUT = "Merchant micro-loans: a shop's sales flow sets its credit limit, and every figure is explained."


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one run, resolved."""

    db: str
    json: bool
    date: date | None
    actor: str
    tenant: str
    key: str | None
    lang: str
    db_typed: bool = False


def resolve(given: Mapping[str, Any], environment: Mapping[str, str]) -> Options:
    """The options from what was typed, then the environment, then the defaults."""
    day = given.get("date")
    return Options(
        db=given.get("db") or environment.get("MICROLOAN_DB") or DEFAULT_DB,
        json=bool(given.get("json")),
        date=None if day is None else parse_date(day, "--date"),
        actor=given.get("actor") or environment.get("MICROLOAN_ACTOR") or _os_user(),
        tenant="main" if given.get("tenant") is None else given["tenant"],
        key=given.get("key"),
        lang=language(given.get("lang"), environment),
        db_typed=given.get("db") is not None,
    )


def language(given: str | None, environment: Mapping[str, str]) -> str:
    """``en`` or ``zh``: as typed, from MICROLOAN_LANG, else from the locale."""
    for field, value in (("--lang", given), ("MICROLOAN_LANG", environment.get("MICROLOAN_LANG"))):
        if value and value not in LANGUAGES:
            raise BadInput(field=field, value=value, reason=f"known are {' and '.join(LANGUAGES)}")
        if value:
            return value
    locale = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG") or ""
    return "zh" if locale.lower().startswith("zh") else "en"


def typed(arguments: list[str], option: str) -> str | None:
    """What follows *option* on a line that may not be well formed: for reporting that very fault."""
    value = None
    for place, word in enumerate(arguments):
        if word == option and place + 1 < len(arguments):
            value = arguments[place + 1]
        elif word.startswith(f"{option}="):
            value = word.partition("=")[2]
    return value


def command_of(line: Sequence[str]) -> str | None:
    """The first word of a line that is neither an option of every command nor its value; None where help is asked for first."""
    words = iter(line)
    for word in words:
        if not word.startswith("-"):
            return word
        if word.removeprefix("--") not in _GLOBALS:
            return None
        if word != "--json":
            next(words, None)
    return None


def root() -> typer.Typer:
    """The program before it has any command."""
    app = typer.Typer(name="microloan", cls=Group, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback(help=_ABOUT, invoke_without_command=True)(_signed(_top, [_VERSION]))
    return app


def group(help: str) -> typer.Typer:
    """A noun with its verbs; takes the common options between the two."""
    app = typer.Typer(cls=Group, rich_markup_mode=None)
    app.callback(help=help, invoke_without_command=True)(_top)
    return app


def _top(ctx: typer.Context, *, version: bool = False, **given: Any) -> None:
    if version:
        print(f"microloan {__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is not None:
        return
    if typed_globals(ctx).get("json"):
        raise WrongUse(field="COMMAND", reason=f"name a command, see: {ctx.command_path} --help")
    print(ctx.get_help() if ctx.parent else _start(ctx))
    raise typer.Exit(2)


def _start(ctx: typer.Context) -> str:
    """Three lines for whoever types the program's name alone."""
    return Messages(language(typed_globals(ctx).get("lang"), os.environ)).text("start")


def commands(app: typer.Typer, verbs: Mapping[str, Callable[..., Answer]]) -> None:
    """Register functions as commands of *app*; their docstrings are the help, examples included."""
    for name, function in verbs.items():
        app.command(name, cls=Command, help=_help(function))(function)


def equip(app: typer.Typer, words: Collection[str] | None) -> None:
    """Give the commands below *app* their options, those named in *words* or, with None, all; the rest are only listed.

    Reading the signatures of all commands takes as long as everything else a short command does.
    """
    for command in app.registered_commands:
        named = words is None or command.name in words
        assert command.callback is not None, "registered with a function"
        command.callback = _runner(command.callback) if named else _listed
    for below in app.registered_groups:
        named = words is None or below.name in words
        assert below.typer_instance is not None, "registered with its commands"
        assert below.typer_instance.registered_callback is not None, "made by group()"
        below.typer_instance.registered_callback.callback = _signed(_top, []) if named else _listed
        equip(below.typer_instance, words)


def _listed() -> None:
    """Stands for a command that this line does not name."""


def _help(function: Callable[..., Answer]) -> str:
    """The docstring; the lines of an example keep their breaks."""
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join(f"\b\n{p}" if p.startswith("Example") else p for p in paragraphs)


def _runner(function: Callable[..., Answer]) -> Callable[..., int]:
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]

    def runner(ctx: typer.Context, **given: Any) -> int:
        arguments = {name: value for name, value in given.items() if not name.startswith(_PREFIX)}
        with Run(resolve(typed_globals(ctx), os.environ)) as run:
            return run.finish(function(run, **arguments))

    return _signed(runner, own)


def _signed(function: Callable[..., Any], own: list[inspect.Parameter]) -> Callable[..., Any]:
    """*function* with the signature Typer reads: the context, its own parameters, the common options."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)]
    parameters += [p.replace(kind=keyword) for p in own]
    parameters += [
        inspect.Parameter(_PREFIX + name, keyword, annotation=annotation, default=None)
        for name, annotation in _GLOBALS.items()
    ]

    def signed(*arguments: Any, **given: Any) -> Any:
        return function(*arguments, **given)

    signed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    signed.__annotations__ = {p.name: p.annotation for p in parameters}
    return signed


def typed_globals(ctx: typer.Context) -> dict[str, Any]:
    """The common options as typed; what stands nearest the end of the line wins."""
    found: dict[str, Any] = {}
    level: Any = ctx
    while level is not None:
        for name in _GLOBALS:
            value = level.params.get(_PREFIX + name)
            if value is not None:
                found.setdefault(name, value)
        level = level.parent
    return found


def _os_user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may have no name
        return f"uid-{os.getuid()}"
