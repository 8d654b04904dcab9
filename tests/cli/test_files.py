"""Files the program writes: nothing overwritten, nothing a spreadsheet would run."""

from __future__ import annotations

from pathlib import Path

import pytest
from microloan_cli.accounts import csv_lines
from microloan_cli.arguments import write_new

from microloan.errors import InvalidFile


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\0", "＝", "＋", "－", "＠"])
def test_a_text_that_could_be_a_formula_is_defused(start: str) -> None:
    (_, line) = csv_lines([{"subject": f"{start}1+1"}], "subject")
    assert line == f'"\'{start}1+1"\r\n'


def test_numbers_stay_numbers_and_quotes_are_doubled() -> None:
    (head, line) = csv_lines([{"account": 'a "b"', "amount": "-5.00"}], "account amount")
    assert head == '"account","amount"\r\n'
    assert line == '"a ""b""","-5.00"\r\n'


def test_an_existing_file_is_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    write_new(file, lambda stream: stream.write("first"))
    with pytest.raises(InvalidFile, match="exists already"):
        write_new(file, lambda stream: stream.write("second"))
    assert file.read_text() == "first"


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(InvalidFile):
        write_new(tmp_path / "link", lambda stream: stream.write("x"))
    assert not (tmp_path / "target").exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="cannot be written: No such file or directory"):
        write_new(tmp_path / "nowhere" / "out.csv", lambda stream: stream.write("x"))
