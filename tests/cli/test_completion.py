"""A shell completes ids out of the book, through its own protocol, and is never disturbed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from microloan_cli.completion import KINDS as BY_METAVAR
from microloan_cli.completion import NAMED

from microloan.store import completing
from microloan.store.tables import metadata
from tests.cli.session import say

PROGRAM = "import sys; from microloan_cli.main import run; sys.argv[0] = 'microloan'; run()"


def offered(line: str, **environment: str) -> list[str]:
    """What bash is told for *line*, the cursor at its end."""
    words = line.split()
    place = len(words) if line.endswith(" ") else len(words) - 1
    protocol = {"_MICROLOAN_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(place)}
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        env={**os.environ, **protocol, **environment},
        check=False,
    )
    assert told.stderr == ""
    return told.stdout.split()


@pytest.fixture
def book() -> None:
    say("init", "--open-day", "2025-05-12")
    for merchant in ("tea", "tins", "a_b"):
        say("merchant", "add", merchant)
    say("merchant", "add", "m-9", "--shop", "jd:teapots")


def test_merchants_and_shops_are_offered_where_one_is_wanted(book: None) -> None:
    assert offered("microloan merchant show te") == ["tea", "teapots"]
    assert offered("microloan facility show ti") == ["tins"]
    assert offered("microloan loan list --merchant t") == ["tea", "tins", "teapots"]


def test_products_and_policies_are_offered_by_name(book: None) -> None:
    assert offered("microloan product show ") == offered("microloan policy show m") == ["marketplace"]


def test_the_book_is_that_of_the_line_else_of_the_environment(book: None) -> None:
    Path("microloan.db").rename("other.db")
    assert offered("microloan merchant show te") == []
    assert offered("microloan merchant show --db sqlite:///other.db te") == ["tea", "teapots"]
    assert offered("microloan merchant show te", MICROLOAN_DB="sqlite:///other.db") == ["tea", "teapots"]
    assert offered("microloan merchant show --db sqlite:///other.db --tenant acme te") == []


@pytest.mark.parametrize("url", ["sqlite:///nowhere.db", "postgresql+psycopg://127.0.0.1:1/none", "nonsense"])
def test_where_there_is_no_book_the_shell_hears_nothing_and_no_file_appears(url: str) -> None:
    assert offered(f"microloan loan show --db {url} loan-") == []
    assert list(Path().iterdir()) == []


def test_a_file_that_is_no_book_is_silent_and_untouched() -> None:
    Path("book.db").write_text("nothing of the kind", "utf-8")
    assert offered("microloan loan show --db sqlite:///book.db ") == []
    assert Path("book.db").read_text("utf-8") == "nothing of the kind"


def test_reading_leaves_no_file_beside_the_book(book: None) -> None:
    before = sorted(Path().iterdir())
    offered("microloan merchant show ")
    assert sorted(Path().iterdir()) == before


def test_signs_with_a_meaning_in_sql_are_letters_here(book: None) -> None:
    assert completing.beginning_with("%", ["merchant"], "sqlite:///microloan.db", "main") == []
    assert completing.beginning_with("a_", ["merchant"], "sqlite:///microloan.db", "main") == ["a_b"]
    assert completing.beginning_with("'", ["merchant"], "sqlite:///microloan.db", "main") == []


def test_at_most_fifty_are_offered(book: None) -> None:
    for number in range(60):
        say("merchant", "add", f"n-{number:02}")
    assert len(offered("microloan merchant show n-")) == completing.AT_MOST


def test_every_kind_names_a_table_and_a_column_of_the_schema() -> None:
    for table, column in completing.KINDS.values():
        columns = set(metadata.tables[table].columns.keys())
        assert "tenant" in columns
        assert set(column.replace("|| ':' ||", "").split()) <= columns
    assert {kind for kinds in (*BY_METAVAR.values(), *NAMED.values()) for kind in kinds} <= set(
        completing.KINDS
    )
