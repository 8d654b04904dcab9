"""An anchor kept elsewhere shows a tail that was cut off or written anew. Source: RELIABILITY 5, 47 and 48."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from microloan.errors import InvalidFile

from .counter import Counter
from .test_verification import behind_its_back


def lived(counter: Counter) -> str:
    """A book with some closed days and an open one on which something happened; the loan."""
    loan = counter.loan(counter.line())
    counter.close_until(date(2017, 5, 4))
    counter.book.repay(loan.id, "1000")
    return loan.id


def test_a_clean_book_adds_a_line_and_stands_against_it(counter: Counter, tmp_path: Path) -> None:
    anchor = tmp_path / "anchor"
    loan = lived(counter)
    assert counter.book.verify(anchor=anchor).clean
    counter.book.repay(loan, "1000")
    counter.close_until(date(2017, 5, 9))
    counter.book.anchor(anchor)
    assert counter.book.verify(anchor=anchor).clean
    assert len(anchor.read_text().splitlines()) == 3
    assert anchor.stat().st_mode & 0o077 == 0


TAILS = {
    "the last event": (
        "DELETE FROM ml_event WHERE kind = 'repay'",
        "UPDATE ml_facility SET last_seq = last_seq - 1, head_hash = (SELECT hash FROM ml_event e WHERE "
        "e.facility = ml_facility.id AND e.seq = ml_facility.last_seq - 1)",
    ),
    "the last seal": ("DELETE FROM ml_seal WHERE day = (SELECT MAX(day) FROM ml_seal)",),
}


@pytest.mark.parametrize("tail", TAILS)
def test_a_trimmed_tail_is_caught(counter: Counter, tmp_path: Path, tail: str) -> None:
    lived(counter)
    counter.book.anchor(tmp_path / "anchor")
    for statement in TAILS[tail]:
        behind_its_back(counter.url, statement)
    codes = {finding.code for finding in counter.book.verify(anchor=tmp_path / "anchor").findings}
    assert codes & {"anchor_event", "anchor_seal"}
    assert len((tmp_path / "anchor").read_text().splitlines()) == 1


def test_a_whole_book_put_back_to_yesterday_is_caught_only_by_the_anchor(tmp_path: Path) -> None:
    counter = Counter(f"sqlite:///{tmp_path / 'book.db'}").init()
    loan = lived(counter)
    counter.book.backup(tmp_path / "yesterday.db")
    counter.book.repay(loan, "500")
    counter.book.anchor(tmp_path / "anchor")
    put_back = Counter(f"sqlite:///{tmp_path / 'yesterday.db'}")
    assert put_back.book.verify().clean
    assert {finding.code for finding in put_back.book.verify(anchor=tmp_path / "anchor").findings} == {
        "anchor_event"
    }


def test_a_seal_written_anew_is_caught(counter: Counter, tmp_path: Path) -> None:
    lived(counter)
    counter.book.anchor(tmp_path / "anchor")
    lines = json.loads((tmp_path / "anchor").read_text())
    lines["buckets"][0]["seal"]["hash"] = "0" * 64
    (tmp_path / "anchor").write_text(json.dumps(lines) + "\n")
    findings = counter.book.verify(anchor=tmp_path / "anchor").findings
    assert [finding.code for finding in findings] == ["anchor_seal"]


@pytest.mark.parametrize("content", ["garbage", "{}", "[]", '{"buckets": [1]}', "\x00"])
def test_a_file_that_holds_no_anchors_is_refused_and_left_alone(
    counter: Counter, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(content)
    for act in (lambda: counter.book.verify(anchor=file), lambda: counter.book.anchor(file)):
        with pytest.raises(InvalidFile):
            act()
    assert file.read_text() == content


def test_a_forged_provision_is_found(counter: Counter) -> None:
    lived(counter)
    engine = create_engine(counter.url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE ml_provision SET allowance_minor = allowance_minor + 1"))
    engine.dispose()
    codes = {finding.code for finding in counter.book.verify().findings}
    assert codes == {"provision", "ledger_balance"}
