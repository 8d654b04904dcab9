"""Databases of a test's own: new ones on the server the tests were given, and copies of one that was made once."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import make_url

from microloan.store.base import open_engine
from microloan.store.schema import upgrade
from microloan.store.transactions import OwnEngine

SERVER = os.environ.get("MICROLOAN_TEST_POSTGRES", "")

#: Makes something of the empty database at a URL, and leaves no connection open.
Make = Callable[[str], None]


@contextmanager
def new_postgres(template: str = "template1") -> Iterator[str]:
    """The URL of a new database, a copy of *template*, dropped afterwards. Needs MICROLOAN_TEST_POSTGRES."""
    import psycopg

    server = make_url(SERVER)
    name = f"microloan_test_{uuid.uuid4().hex}"
    admin = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(admin, autocommit=True) as connection:
        # PostgreSQL 15 can do it page by page too, which takes four times as long.
        way = "STRATEGY file_copy" if connection.info.server_version >= 15_00_00 else ""
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {way}')
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def make_tables(url: str) -> None:
    """Our tables, and no book yet, in an empty database."""
    own = OwnEngine(open_engine(url))
    own.prepare()
    own.define(upgrade)
    own.engine.dispose()


@dataclass
class Originals:
    """Databases made once in a process, each by its maker, and copied for every test that wants one."""

    folder: Path
    open: ExitStack
    made: dict[tuple[str, Make], str] = field(default_factory=dict)

    @contextmanager
    def copy(self, kind: str, make: Make, folder: Path) -> Iterator[str]:
        """The URL of a copy of what *make* makes of an empty database, ``sqlite`` (in *folder*) or ``postgres``."""
        original = self.made.get((kind, make)) or self._make(kind, make)
        if kind == "postgres":
            with new_postgres(template=make_url(original).database or "") as url:
                yield url
        else:
            yield f"sqlite:///{shutil.copy(original.removeprefix('sqlite:///'), folder / 'book.db')}"

    def _make(self, kind: str, make: Make) -> str:
        if kind == "postgres":
            url = self.open.enter_context(new_postgres())
        else:
            url = f"sqlite:///{self.folder / f'{len(self.made)}.db'}"
        make(url)
        self.made[kind, make] = url
        return url


def histories(seeds: Sequence[int], on_both: int) -> pytest.MarkDecorator:
    """Seeds of random histories, all on SQLite, the first *on_both* on PostgreSQL too: the rules are the same, and these show
    that the SQL is.
    """
    sqlite = [pytest.param("sqlite", seed) for seed in seeds]
    postgres = [pytest.param("postgres", seed, marks=pytest.mark.postgres) for seed in seeds[:on_both]]
    return pytest.mark.parametrize(("database_kind", "seed"), sqlite + postgres, indirect=["database_kind"])
