"""docs/embedding.md: every example is run on both databases, and what is quoted from the example host stands there."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?:<!-- from (\S+) -->\n)?```(\w+)\n(.*?)```", PAGE, re.S)
QUOTED = [(file, text) for file, _, text in BLOCKS if file]
SYNC, ASYNC = '"sqlite:///back_office.db"', '"sqlite+aiosqlite:///back_office.db"'
DRIVERS = [
    pytest.param("sqlite", "sqlite+aiosqlite"),
    pytest.param("postgres", "postgresql+asyncpg", marks=pytest.mark.postgres),
    pytest.param("postgres", "postgresql+psycopg", marks=pytest.mark.postgres),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder in which the examples' relative paths lead somewhere."""
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    monkeypatch.chdir(tmp_path)
    return


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("database", "driver"), DRIVERS)
def test_every_example_prints_what_the_page_says(
    request: pytest.FixtureRequest, database: str, driver: str
) -> None:
    url = make_url(request.getfixturevalue(f"{database}_url"))
    awaited = url.set(drivername=driver)
    ours = [(kind, text) for file, kind, text in BLOCKS if not file]
    names: dict[str, Any] = {}
    ran = 0
    for (kind, text), (after, printed) in pairwise(ours):
        if kind != "python":
            continue
        program = text.replace(SYNC, repr(str(url))).replace(ASYNC, repr(str(awaited)))
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(program, "docs/embedding.md", "exec"), names)
        assert after == "text", f"what does this print?\n{text}"
        assert out.getvalue() == printed
        ran += 1
    names["engine"].dispose()
    assert ran == 5


@pytest.mark.parametrize(("file", "text"), QUOTED)
def test_what_is_quoted_stands_in_the_example_host(file: str, text: str) -> None:
    assert text in (ROOT / "docs" / file).read_text(encoding="utf-8")


def test_a_draw_takes_at_most_ten_lines() -> None:
    first = next(text for _, kind, text in BLOCKS if kind == "python")
    inside = first.partition("with Session")[2].splitlines()
    assert len([line for line in inside if line.strip()]) <= 10


def test_every_error_of_the_table_exists_and_has_that_status() -> None:
    from back_office.problems import STATUS

    from microloan import errors

    rows = re.findall(r"^\| (`.*?) \| (\d+)", PAGE, re.M)
    assert len(rows) == 6
    for named, status in rows:
        for name in re.findall(r"`(\w+)`", named):
            kind = getattr(errors, name)
            assert next((n for each, n in STATUS if issubclass(kind, each)), 500) == int(status), name


def test_every_linked_file_exists() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
