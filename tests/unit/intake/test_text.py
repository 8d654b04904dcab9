"""From bytes to rows: encodings, lines, quotes, and the physical line of every row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microloan.errors import InvalidFile
from microloan.intake import text as text_module
from microloan.intake.rejections import Rejections
from microloan.intake.text import MAX_LINE_CHARACTERS, decoded, physical_lines, records


def rows_of(text: str, good: bool = True) -> tuple[list[tuple[int, list[str]]], Rejections]:
    rejections = Rejections()
    lines: Iterator[str] = physical_lines(iter([text]))
    found = [
        pair
        for part in records(lines, 1, ",", lambda row: good and len(row) == 2, rejections)
        for pair in zip(*part, strict=True)
    ]
    return found, rejections


def test_every_row_knows_its_physical_line() -> None:
    assert rows_of("a,1\r\nb,2\n\nc,3")[0] == [(1, ["a", "1"]), (2, ["b", "2"]), (4, ["c", "3"])]


def test_a_lone_carriage_return_ends_a_line_too() -> None:
    assert rows_of("a,1\rb,2\r")[0] == [(1, ["a", "1"]), (2, ["b", "2"])]


def test_a_record_may_span_lines_inside_quotes() -> None:
    assert rows_of('a,"1\n2"\nb,3\n')[0] == [(1, ["a", "1\n2"]), (3, ["b", "3"])]


def test_a_stray_quote_costs_its_own_line_and_no_other() -> None:
    found, rejections = rows_of('a,1\nb,"2\nc,3\nd,"4\ne,5\n')
    assert [row for _, row in found] == [["a", "1"], ["c", "3"], ["e", "5"]]
    assert [(it.line, it.code) for it in rejections.listed] == [(2, "bad_quoting"), (4, "bad_quoting")]


def test_two_stray_quotes_do_not_swallow_the_rows_between_them() -> None:
    found, rejections = rows_of('a,"1\nb,2\nc,3"\nd,4\n', good=False)
    assert [row for _, row in found] == [["b", "2"], ["c", '3"'], ["d", "4"]]
    assert [it.line for it in rejections.listed] == [1]


def test_a_line_far_too_long_is_rejected_and_the_next_one_read() -> None:
    found, rejections = rows_of("a,1\nb," + "9" * (5 * MAX_LINE_CHARACTERS) + "\nc,3\n")
    assert [number for number, _ in found] == [1, 3]
    assert [(it.line, it.code) for it in rejections.listed] == [(2, "line_too_long")]


def test_a_long_line_is_never_held_whole() -> None:
    blocks = ("x" * 1000 for _ in range(2000))
    assert sum(map(len, physical_lines(blocks))) == MAX_LINE_CHARACTERS + 1


def test_a_record_may_span_the_batches_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "BATCH_ROWS", 3)
    assert rows_of('a,1\nb,2\nc,"3\n4\n5"\nd,6\ne,7\n')[0] == [
        (1, ["a", "1"]),
        (2, ["b", "2"]),
        (3, ["c", "3\n4\n5"]),
        (6, ["d", "6"]),
        (7, ["e", "7"]),
    ]


def test_a_byte_that_is_not_of_the_encoding_is_named_with_its_line() -> None:
    file = io.BytesIO(b"order_id\n" + b"ok\n" * 40_000 + "京东".encode("gb18030") + b"\n")
    with pytest.raises(InvalidFile) as caught:
        list(decoded(file, "utf-8", "x.csv"))
    assert caught.value.code == "bad_encoding"
    assert caught.value.details["line"] == 40_002


def test_a_character_cut_in_two_by_the_end_of_the_file_is_bad_encoding() -> None:
    with pytest.raises(InvalidFile, match="not utf-8"):
        list(decoded(io.BytesIO("京".encode()[:2]), "utf-8", "x.csv"))


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=2, max_size=2),
        max_size=30,
    ),
    st.integers(1, 64),
)
def test_whatever_csv_writes_is_read_back(rows: list[list[str]], size: int) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(rows)
    whole = out.getvalue()
    blocks = iter([whole[at : at + size] for at in range(0, len(whole), size)])
    rejections = Rejections()
    found = [
        row
        for part in records(physical_lines(blocks), 1, ",", lambda row: True, rejections)
        for row in part.rows
    ]
    if not whole.startswith("\ufeff"):
        assert found == rows
    assert not rejections.count
