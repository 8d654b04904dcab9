"""A PostgreSQL database of one's own on the server the tests were given."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

SERVER = os.environ.get("MICROLOAN_TEST_POSTGRES", "")


@contextmanager
def new_postgres(template: str = "template1") -> Iterator[str]:
    """The URL of a new database, a copy of *template*, dropped afterwards. Needs MICROLOAN_TEST_POSTGRES."""
    import psycopg
    from sqlalchemy import make_url

    server = make_url(SERVER)
    name = f"microloan_test_{uuid.uuid4().hex}"
    admin = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
