"""Databases of a test's own: new ones on the server the tests were given, and copies of one that was made once."""

from __future__ import annotations

import os
import shutil
import uuid
from collections import UserDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url

from microloan.store import base
from microloan.store.base import open_engine
from microloan.store.schema import upgrade
from microloan.store.transactions import OwnEngine

SERVER = os.environ.get("MICROLOAN_TEST_POSTGRES", "")


class Statements(UserDict[Any, Any]):
    """Compiled statements as an engine keeps them, but for every engine that speaks to the same kind of server.

    Half of what a small test costs is making SQL of statements that the test before it made too, with an engine of its own.
    """

    def __getitem__(self, key: Any) -> Any:
        return self.data[self._for_any_engine(key)]

    def __setitem__(self, key: Any, compiled: Any) -> None:
        self.data[self._for_any_engine(key)] = compiled

    def get(self, key: Any, default: Any = None) -> Any:
        """What the statement was compiled to by whichever engine met it first."""
        return self.data.get(self._for_any_engine(key), default)

    @staticmethod
    def _for_any_engine(key: Any) -> Any:
        dialect, *statement = key
        return dialect.name, dialect.driver, dialect.server_version_info, *statement


def share_statements() -> None:
    """Engines that the library opens in this process from now on compile a statement once for all of them."""
    shared = partial(create_engine, execution_options={"compiled_cache": Statements()})
    setattr(base, create_engine.__name__, shared)


#: Makes something of the empty database at a URL, leaves no connection open, and returns what its copies need to know.
Make = Callable[[str], object]


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
    made: dict[tuple[str, Make], tuple[str, Any]] = field(default_factory=dict)

    @contextmanager
    def copy(self, kind: str, make: Make, folder: Path) -> Iterator[str]:
        """The URL of a copy of what *make* makes of an empty database, ``sqlite`` (in *folder*) or ``postgres``."""
        if (kind, make) not in self.made:
            self.made[kind, make] = self._make(kind, make)
        original = self.made[kind, make][0]
        if kind == "postgres":
            with new_postgres(template=make_url(original).database or "") as url:
                yield url
        else:
            yield f"sqlite:///{shutil.copy(original.removeprefix('sqlite:///'), folder / 'book.db')}"

    def told(self, kind: str, make: Make) -> Any:
        """What *make* returned when it made the original."""
        return self.made[kind, make][1]

    def _make(self, kind: str, make: Make) -> tuple[str, Any]:
        if kind == "postgres":
            url = self.open.enter_context(new_postgres())
        else:
            url = f"sqlite:///{self.folder / f'{len(self.made)}.db'}"
        return url, make(url)


def histories(seeds: Sequence[int], on_both: int) -> pytest.MarkDecorator:
    """Seeds of random histories, all on SQLite, the first *on_both* on PostgreSQL too: the rules are the same, and these show
    that the SQL is.
    """
    sqlite = [pytest.param("sqlite", seed) for seed in seeds]
    postgres = [pytest.param("postgres", seed, marks=pytest.mark.postgres) for seed in seeds[:on_both]]
    return pytest.mark.parametrize(("database_kind", "seed"), sqlite + postgres, indirect=["database_kind"])
