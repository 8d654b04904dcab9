"""Runs worlds: opens their books, writes their scripts, and shortens the script of a world that broke a rule."""

from __future__ import annotations

import itertools
import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from tests.databases import SERVER, new_postgres

from .acts import Op
from .desks import Desk, MemoryDesk, file_desk
from .script import CRASH_SHARE, Author
from .world import Broken, World

LENGTH = 300
#: Of so many worlds one is played on SQLite and PostgreSQL in step, and two in a file with SIGKILLs.
TURN = 100


@dataclass(frozen=True)
class Script:
    """A world that can be played again: its seed, its kind of books, its operations."""

    seed: str
    kind: str
    operations: tuple[Op, ...]

    def written(self) -> str:
        """As a file, an operation a line."""
        lines = ",\n  ".join(json.dumps(op, ensure_ascii=False) for op in self.operations)
        return f'{{"seed": "{self.seed}", "kind": "{self.kind}", "operations": [\n  {lines}\n]}}\n'

    @classmethod
    def read(cls, path: Path) -> Script:
        """A script from its file."""
        given = json.loads(path.read_text())
        return cls(given["seed"], given["kind"], tuple(given["operations"]))


class Failure(Exception):
    """A world broke a rule, with the script up to there."""

    def __init__(self, script: Script, fault: BaseException) -> None:
        super().__init__(f"{type(fault).__name__}: {fault}")
        self.script, self.fault = script, fault

    @property
    def rule(self) -> str:
        """What was broken: the rule's name, or the class of an error nobody should see."""
        return str(self.fault).split(":")[0] if isinstance(self.fault, Broken) else type(self.fault).__name__


@dataclass
class Books:
    """Where worlds get their books: the engines are kept from world to world, the books are new each time."""

    _open: ExitStack = field(default_factory=ExitStack)
    _memory: MemoryDesk = field(default_factory=MemoryDesk)
    _twin: MemoryDesk = field(default_factory=lambda: MemoryDesk(buckets=3))
    _template: str = ""

    def __enter__(self) -> Books:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def kind(self, number: int) -> str:
        """The kind of the n-th world of a run."""
        turn = number % TURN
        return "file" if turn in (3, 53) else "both" if turn == 5 and SERVER else "memory"

    @contextmanager
    def of(self, kind: str) -> Iterator[Sequence[Desk]]:
        """New books of a kind."""
        if kind == "memory":
            yield [self._memory.fresh()]
        elif kind == "file":
            with tempfile.TemporaryDirectory() as folder:
                desk = file_desk(Path(folder) / "book.db")
                yield [desk]
                desk.book.close()
        else:
            with new_postgres(self._opened_book()) as url:
                other = Desk(url, buckets=3).fresh()
                yield [self._twin.fresh(), other]
                other.book.close()

    def _opened_book(self) -> str:
        """The name of a database with a book without merchants, to be copied."""
        if not self._template:
            url = self._open.enter_context(new_postgres())
            Desk(url, buckets=3).init().book.close()
            self._template = make_url(url).database or ""
        return self._template


def write(
    books: Books, seed: str, kind: str, length: int = LENGTH, crashes: float = CRASH_SHARE
) -> Counter[str]:
    """Make up a world from a seed and play it; what was done. Raises Failure."""
    operations: list[Op] = []

    def play(world: World) -> None:
        author = Author(world, random.Random(seed), crashes)
        for number in range(1, length + 1):
            operations.append(author.next(number))
            world.play(operations[-1])

    return _play(books, kind, seed, operations, play)


def replay(books: Books, script: Script) -> Counter[str]:
    """Play a script again; what was done. Raises Failure."""

    def play(world: World) -> None:
        for op in script.operations:
            world.play(op)

    return _play(books, script.kind, script.seed, script.operations, play)


def _play(
    books: Books, kind: str, seed: str, operations: Sequence[Op], play: Callable[[World], Any]
) -> Counter[str]:
    with books.of(kind) as desks:
        world = World(desks, seed)
        try:
            play(world)
            world.finish()
        except Exception as fault:
            raise Failure(Script(seed, kind, tuple(operations)), fault) from fault
        return world.tally


def shrink(books: Books, failure: Failure, tell: Callable[[int], None] = lambda _: None) -> Failure:
    """A shortest script, as far as leaving out operations, crashes and keys goes, that breaks the same rule."""
    part = max(1, len(failure.script.operations) // 2)
    while True:
        shorter = _without_some(books, failure, part)
        tell(len(shorter.script.operations))
        if shorter is failure and part == 1:
            return _plainer(books, failure)
        failure, part = shorter, max(1, part // 2) if shorter is failure else part


def _without_some(books: Books, failure: Failure, part: int) -> Failure:
    """Leave out each run of *part* operations that is not needed, latest first."""
    for end in range(len(failure.script.operations), 0, -part):
        kept = failure.script.operations
        failure = _still(books, failure, kept[: max(0, end - part)] + kept[end:]) or failure
    return failure


def _plainer(books: Books, failure: Failure) -> Failure:
    """Leave out crashes and keys that are not needed."""
    for place, name in itertools.product(range(len(failure.script.operations)), ("crash", "key")):
        kept = list(failure.script.operations)
        if name in kept[place]:
            kept[place] = {field: value for field, value in kept[place].items() if field != name}
            failure = _still(books, failure, tuple(kept)) or failure
    return failure


def _still(books: Books, failure: Failure, operations: tuple[Op, ...]) -> Failure | None:
    """The failure of a shorter script, if it breaks the same rule."""
    try:
        replay(books, Script(failure.script.seed, failure.script.kind, operations))
    except Failure as found:
        return found if found.rule == failure.rule else None
    return None
