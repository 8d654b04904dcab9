"""Files the program writes: nothing overwritten, nothing a spreadsheet would run."""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path
from typing import TextIO

import pytest
from microloan_cli.accounts import csv_lines
from microloan_cli.arguments import write_new, write_new_bytes

from microloan.errors import InvalidFile
from tests.cli.session import say
from tests.cli.test_machine import done, sign


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


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


#: Lines that write a file with personal data or money; ``{}`` is the file.
WRITING = (
    "subject export seafood --output {}",
    "offer show seafood --contract --output {}",
    "journal export --output {}",
    "statement seafood --format html --output {}",
    "report aging --output {}",
    "report portfolio --format html --output {}",
    "report aging --format csv --output {}.csv --plot {}.png",
    "payout export --output {}",
    "sales import bad.csv --platform jd --rejects {}",
)


def test_what_is_written_of_shops_and_money_only_its_owner_can_read(tmp_path: Path) -> None:
    sign(tmp_path)
    done("draw", "seafood", "1000", "--days", "5")
    Path("bad.csv").write_text("order_id,shop_id,paid_at,amount,status\no,s1,yesterday,1.00,paid\n")
    there, before = set(Path().iterdir()), os.umask(0)
    try:
        for n, line in enumerate(WRITING):
            assert say(*line.replace("{}", f"written-{n}").split()).status == 0, line
        done("eod", "--to", "2025-05-31")
        done("month-end", "2025-05", "--output", "may")
    finally:
        os.umask(before)
    written = set(Path().iterdir()) - there
    assert len(written) == len(WRITING) + 2
    papers = Path("may")
    assert mode_of(papers) == 0o700
    assert {mode_of(file) for file in (written - {papers}) | set(papers.iterdir())} == {0o600}


def test_of_a_file_the_disk_has_no_room_for_nothing_stays(tmp_path: Path) -> None:
    file, limits = tmp_path / "out.txt", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(InvalidFile, match="cannot be written"):
            write_new(file, lambda stream: stream.write("x" * 100_000))
        with pytest.raises(InvalidFile, match="cannot be written"):
            write_new_bytes(file, b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_nothing_stays_of_what_was_given_up(tmp_path: Path) -> None:
    def refused(stream: TextIO) -> None:
        stream.write("half")
        raise InvalidFile(file="x", reason="not to be told")

    with pytest.raises(InvalidFile, match="not to be told"):
        write_new(tmp_path / "out.txt", refused)
    assert list(tmp_path.iterdir()) == []
