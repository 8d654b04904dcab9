"""The two databases of the benchmarks: books made, copied and dropped, and the processor time both sides of one take."""

from __future__ import annotations

import shutil
import sqlite3
import time
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, make_url, text


class Files:
    """SQLite: a book is a file; its work is done in this process."""

    name = "SQLite, synchronous=FULL"
    buckets = 1

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def empty(self) -> str:
        return f"sqlite:///{self.folder / uuid.uuid4().hex}.db"

    def kept(self, name: str) -> tuple[str, bool]:
        """The book of a name, to be used again; and whether it is there already."""
        path = self.folder / f"{name}.db"
        return f"sqlite:///{path}", path.exists()

    def copy(self, url: str) -> str:
        twin = self.empty()
        with sqlite3.connect(url[10:]) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(url[10:], twin[10:])
        return twin

    def drop(self, url: str) -> None:
        for end in ("", "-wal", "-shm"):
            Path(url[10:] + end).unlink(missing_ok=True)


class Server:
    """PostgreSQL: a book is a database; the server's process of a connection does most of the work."""

    buckets = 16

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.admin = create_engine(self.url, isolation_level="AUTOCOMMIT")

    @property
    def name(self) -> str:
        """What is measured, with what the server promises of a commit."""
        names = ("fsync", "synchronous_commit", "shared_buffers")
        settings = [f"{name}={self._asked(f'SHOW {name}')}" for name in names]
        return f"PostgreSQL {self._asked('SHOW server_version')}, {', '.join(settings)}"

    def empty(self, template: str = "template1") -> str:
        name = f"microloan_bench_{uuid.uuid4().hex}"
        with self.admin.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
        return self.url.set(database=name).render_as_string(hide_password=False)

    def kept(self, name: str) -> tuple[str, bool]:
        """The book of a name, to be used again; and whether it is there already."""
        database = f"microloan_kept_{name.replace('-', '_')}"
        url = self.url.set(database=database).render_as_string(hide_password=False)
        found = bool(self._asked(f"SELECT 1 FROM pg_database WHERE datname = '{database}'"))
        if not found:
            with self.admin.connect() as connection:
                connection.execute(text(f'CREATE DATABASE "{database}"'))
        return url, found

    def copy(self, url: str) -> str:
        twin = self.empty(str(make_url(url).database))
        engine = create_engine(twin, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for table in ("ml_accrual", "ml_loan", "ml_event"):
                connection.execute(text(f"VACUUM ANALYZE {table}"))
            # The processor time of workers beside the connection's process is in no figure.
            connection.execute(
                text(f'ALTER DATABASE "{make_url(twin).database}" SET max_parallel_workers_per_gather = 0')
            )
            connection.execute(text("CHECKPOINT"))
        engine.dispose()
        return twin

    def drop(self, url: str) -> None:
        with self.admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)'))

    def _asked(self, question: str) -> Any:
        with self.admin.connect() as connection:
            return connection.execute(text(question)).scalar()


def side_of(postgres: str, folder: Path) -> Files | Server:
    """The server of a URL, or files where there is none."""
    return Server(postgres) if postgres else Files(folder)


def server_process(engine: Engine) -> int | None:
    """The id of the server's process behind an engine used by one thread; None on SQLite."""
    if engine.dialect.name == "sqlite":
        return None
    with engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar())


def spent(server: int | None) -> float:
    """Processor seconds so far: of this process, and of the server's, which runs on the same machine."""
    own = time.process_time()
    if server is None:
        return own
    return own + int(Path(f"/proc/{server}/schedstat").read_text().split()[0]) / 1e9
