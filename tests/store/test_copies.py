"""Tests that copy one original see nothing of each other."""

from __future__ import annotations

from pathlib import Path

from microloan.book.loanbook import LoanBook
from tests.databases import Originals, make_tables


def test_what_is_done_in_one_copy_is_in_no_other(
    originals: Originals, database_kind: str, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        with (
            originals.copy(database_kind, make_tables, tmp_path / name) as url,
            LoanBook.open(url, actor="ann") as book,
        ):
            assert book.init().created
            assert book.merchants.list() == ()
            book.merchants.add("tea", "West Lake Tea")
