"""Rows of small files about money: a row that is not what it seems stops the file, an amount is never another amount."""

from __future__ import annotations

import os
import threading
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from microloan.errors import InvalidAmount, InvalidFile
from microloan.intake.rows import RowLayout, read_rows, rows_aside


def bank(folder: Path, text: str) -> Path:
    """A bank's file of an id, an amount and a reference."""
    file = folder / "bank.csv"
    file.write_text("id,amount,reference\n" + text, "utf-8")
    return file


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("B-1,1,000.00,rent\n", "wrong_field_count"),  # 1,000.00 without quotes would be 1.00
        ("B-1,1.00\n", "wrong_field_count"),
        ("B-1,1.00,re\0nt\n", "bad_character"),
    ],
)
def test_a_row_that_cannot_be_right_stops_the_file_with_its_line(tmp_path: Path, row: str, code: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        read_rows(bank(tmp_path, "B-0,5.00,fine\n\n" + row), ("id", "amount"), ("reference",))
    assert refused.value.code == code
    assert "line 4" in refused.value.message


def test_empty_lines_and_absent_optional_columns_are_nothing(tmp_path: Path) -> None:
    rows = read_rows(bank(tmp_path, "\n,,\n B-1 ,5.00,\n"), ("id", "amount"), ("reference", "payer"))
    assert [(row.line, row.cells) for row in rows] == [
        (4, {"id": "B-1", "amount": "5.00", "reference": "", "payer": ""})
    ]


@pytest.mark.parametrize("text", ["12,50", "1,0,0", "1,2000.00", ",100", "1000,000.00", "1,000,00"])
def test_a_mark_that_stands_before_no_thousands_is_no_mark(text: str) -> None:
    with pytest.raises(InvalidAmount):
        RowLayout(thousands=",").minor(text, "CNY", "amount")


@given(minor=st.integers(-(10**15), 10**15), mark=st.sampled_from([",", " ", "'"]))
def test_a_grouped_amount_is_the_amount(minor: int, mark: str) -> None:
    sign, whole, cents = "-" if minor < 0 else "", *divmod(abs(minor), 100)
    text = f"{sign}{whole:,}.{cents:02d}".replace(",", mark)
    assert RowLayout(thousands=mark).minor(text, "CNY", "amount") == minor


@pytest.mark.parametrize("mark", [".", "0", "-", "ab"])
def test_a_point_or_a_digit_is_no_mark_between_thousands(mark: str) -> None:
    with pytest.raises(ValidationError):
        RowLayout(thousands=mark)


def test_rows_put_aside_come_back_as_they_were_read(tmp_path: Path) -> None:
    file = bank(tmp_path, "".join(f"B-{n},{n}.00,\u8fd8\u6b3e {n}\n" for n in range(2500)))
    with rows_aside(file, ("id", "amount"), ("reference", "payer")) as aside:
        assert aside.count == 2500
        assert list(aside) == read_rows(file, ("id", "amount"), ("reference", "payer"))


def test_a_pipe_is_read_too(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("id,amount\nB-1,5.00\n"))
    writer.start()
    with rows_aside(pipe, ("id", "amount")) as aside:
        assert [row.cells["amount"] for row in aside] == ["5.00"]
    writer.join()


def test_a_bad_last_row_is_told_before_the_first_is_given(tmp_path: Path) -> None:
    file = bank(tmp_path, "".join(f"B-{n},{n}.00,\n" for n in range(2500)) + "B-x,1,000.00,\n")
    with pytest.raises(InvalidFile, match="line 2502"), rows_aside(file, ("id", "amount")):
        pytest.fail("nothing of the file may be taken")


def test_a_long_file_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    file = bank(tmp_path, "".join(f"B-{n:06d},{n}.00,{'x' * 200}\n" for n in range(60_000)))
    tracemalloc.start()
    with rows_aside(file, ("id", "amount"), ("reference",)) as aside:
        assert sum(1 for _ in aside) == 60_000
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 6 << 20 < file.stat().st_size
