"""Arguments and options that several commands share, each with its one help text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

import typer

from microloan.days import parse_date
from microloan.errors import BadInput, InvalidFile
from microloan.new_file import new_binary_file, new_text_file

from .run import Run

LoanId = Annotated[
    str, typer.Argument(metavar="LOAN", help="A loan, or the merchant whose it is", show_default=False)
]
FacilityId = Annotated[
    str,
    typer.Argument(metavar="FACILITY", help="A facility, or the merchant whose it is", show_default=False),
]
OfferId = Annotated[
    str, typer.Argument(metavar="OFFER", help="An offer, or the merchant whose it is", show_default=False)
]
Subject = Annotated[
    str,
    typer.Argument(
        metavar="LOAN_OR_FACILITY",
        help="A loan, a facility, or a merchant for its facility",
        show_default=False,
    ),
]
Amount = Annotated[
    str, typer.Argument(metavar="AMOUNT", help="In major units, such as 1200.50", show_default=False)
]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A file", show_default=False)]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with the record")]
ValueDate = Annotated[
    str | None,
    typer.Option("--value-date", metavar="YYYY-MM-DD", help="Back-date: the day from which it counts"),
]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="YYYY-MM-DD", help="At the end of that day")]
KnownOn = Annotated[
    str | None, typer.Option("--known-on", metavar="YYYY-MM-DD", help="With what was booked by that day only")
]
First = Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First day, included")]
Last = Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last day, included")]
Limit = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=1, help="The latest so many, else all")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask at a terminal whether money may go out")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there; an existing file is kept")
]
Method = Literal["anytime", "interest_only", "equal_instalment", "equal_principal", "sweep"]


def day(given: str | None, option: str) -> date | None:
    """A date typed after *option*, if one was."""
    return None if given is None else parse_date(given, option)


def as_of(run: Run, given: str | None) -> date | None:
    """``--as-of``, else ``--date``."""
    return run.options.date if given is None else parse_date(given, "--as-of")


class WrongUse(BadInput):
    """A line that can be parsed but does not say one thing."""

    code = "usage"
    template = "{field}: {reason}"


def one_of(**given: Any) -> None:
    """Exactly one must be given; a name in capitals is an argument, another an option."""
    if sum(bool(value) for value in given.values()) != 1:
        names = [name if name.isupper() else f"--{name.replace('_', '-')}" for name in given]
        raise WrongUse(field=" / ".join(names), reason="give exactly one of them")


def write_new(file: Path, write: Callable[[TextIO], object]) -> None:
    """Write a file that does not exist yet, readable by its owner alone; nothing is overwritten, nothing half stays."""
    with _new(file), new_text_file(file) as stream:
        write(stream)


def write_new_bytes(file: Path, content: bytes) -> None:
    """As :func:`write_new`, for a file that is no text."""
    with _new(file), new_binary_file(file) as stream:
        stream.write(content)


@contextmanager
def _new(file: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise InvalidFile(file=str(file), reason="exists already; remove it or name another file") from None
    except OSError as fault:
        raise InvalidFile(file=str(file), reason=f"cannot be written: {fault.strerror}") from None
