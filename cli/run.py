"""One run of the program: its options, its clock, its book, and where its answer goes."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from microloan.clock import SystemClock, local_date
from microloan.errors import MicroloanError, Refused, StorageFailed

from .documents import json_text
from .failures import of_error, report
from .messages import Messages
from .render import Block, print_blocks

if TYPE_CHECKING:
    from microloan import LoanBook

    from .options import Options

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command has to say: a document for programs, blocks for people.

    ``complaints`` go to stderr, one line each; with --json ``error`` does instead, where there is one. ``write`` replaces
    the blocks where the answer is itself a file.
    """

    document: Any
    blocks: tuple[Block, ...] = ()
    status: int = 0
    complaints: tuple[str, ...] = ()
    error: MicroloanError | None = None
    write: Callable[[TextIO], object] | None = None


class OutputClosed(Exception):
    """Whoever read our output has stopped reading; there is nobody to tell."""


class OutputFailed(StorageFailed):
    """The command was carried out, but its answer found no room on stdout."""

    code = "output_failed"
    template = "the answer cannot be written: {reason}; the command itself was carried out"


class Run:
    """What a command is handed: options, clock, messages and, when asked for, the book."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clock = SystemClock()
        self.messages = Messages(options.lang)
        self._open = ExitStack()

    @cached_property
    def today(self) -> date:
        """The calendar day in the lender's usual zone."""
        return local_date(self.clock)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @cached_property
    def book(self) -> LoanBook:
        """The book of --db and --tenant, which must be there. Raises NotFound, StorageFailed, SchemaMismatch."""
        book = self.any_book
        book.settings()
        return book

    @cached_property
    def any_book(self) -> LoanBook:
        """The book of --db and --tenant, in the name of --actor, whether or not it has been made yet."""
        options = self.options
        book = _loaded().open(options.db, tenant=options.tenant, clock=self.clock, actor=options.actor)
        return self.held_open(book)

    def held_open(self, resource: AbstractContextManager[T]) -> T:
        """Enter *resource*; it is left when the run is over and its answer printed."""
        return self._open.enter_context(resource)

    def tell(self, blocks: Sequence[Block], start: str = "", end: str = "\n") -> None:
        """Show blocks now, before the command is over."""
        with _written():
            sys.stdout.write(start)
            print_blocks(blocks, sys.stdout, whole=False)
            sys.stdout.write(end)

    def ask(self, yes: bool, question: str, **fields: object) -> None:
        """Before money leaves, let a person at a terminal agree; *yes* was said on the line. Raises Refused."""
        watched = sys.stdin.isatty() and sys.stderr.isatty()
        if yes or self.options.json or not watched:
            return
        sys.stderr.write(self.messages.text(question, **fields))
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes", "是"):
            raise Refused(code="not_confirmed", reason="nobody said yes")

    def finish(self, answer: Answer) -> int:
        """Print the answer; returns the exit status."""
        with _written():
            self._print(answer)
        if not self.options.json and isinstance(answer.document, dict) and answer.document.get("replayed"):
            print(self.messages.text("replayed"), file=sys.stderr)
        if self.options.json and answer.error is not None:
            report(of_error(answer.error, self.messages), as_json=True)
            return answer.status
        for line in answer.complaints:
            print(line, file=sys.stderr)
        return answer.status

    def _print(self, answer: Answer) -> None:
        if self.options.json:
            sys.stdout.write(json_text(answer.document))
        elif answer.write is not None:
            answer.write(sys.stdout)
        else:
            print_blocks(answer.blocks, sys.stdout)

    @contextmanager
    def progress(self) -> Iterator[Callable[[str, int, int | None], None]]:
        """A bar with the time left on a terminal's stderr, nothing elsewhere; told what is done, how far, of how much."""
        if not sys.stderr.isatty():
            yield _unseen
            return
        from .progress import bar

        with bar() as advance:
            yield lambda what, done, total: advance(self.messages.word("progress", what), done, total)


@cache
def _loaded() -> type[LoanBook]:
    """The library's book. The collector rests: it would search, again and again, what a long import builds and keeps."""
    gc.disable()
    try:
        from microloan import LoanBook
    finally:
        gc.freeze()
        gc.enable()
    return LoanBook


def _unseen(what: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""


@contextmanager
def _written() -> Iterator[None]:
    """Turns what may go wrong with stdout into our own: nobody reads it, or there is no room for it."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise OutputClosed from None
    except OSError as fault:
        raise OutputFailed(reason=fault.strerror or str(fault)) from None
