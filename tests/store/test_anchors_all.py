"""Every line of an anchor file counts, an anchor is compared before it is added to, and a look may go on from the last.

Source: RELIABILITY 47 and 48 (a daily head, kept elsewhere; incremental from the last anchor).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from microloan.book.results import VerifyReport
from microloan.errors import BadInput, EventRefused, IntegrityBroken, InvalidFile

from .counter import START, Counter
from .test_verification import behind_its_back

THIRD = START + timedelta(days=3)


@pytest.fixture
def anchor(tmp_path: Path) -> Path:
    return tmp_path / "anchor"


def lines_of(anchor: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in anchor.read_text().splitlines()]


def codes(report: VerifyReport) -> set[str]:
    return {finding.code for finding in report.findings}


def trim_the_last_event(counter: Counter) -> None:
    """Cut the newest event of the one line of credit off, as if it had never been booked."""
    behind_its_back(counter.url, "DELETE FROM ml_event WHERE seq = (SELECT MAX(seq) FROM ml_event)")
    behind_its_back(
        counter.url,
        "UPDATE ml_facility SET last_seq = last_seq - 1, head_hash = (SELECT hash FROM ml_event e WHERE "
        "e.facility = ml_facility.id AND e.seq = ml_facility.last_seq - 1)",
    )


# --- every line counts -----------------------------------------------------------------------------------------------


def test_an_event_anchored_at_noon_and_gone_in_the_evening_is_missed_for_ever(
    counter: Counter, anchor: Path
) -> None:
    """The line of the evening does not know it any more; the line of noon does."""
    loan = counter.loan(counter.line())
    counter.close_until(THIRD)
    counter.book.repay(loan.id, "1000")
    assert counter.book.verify(anchor=anchor).clean
    noon = anchor.read_text()
    trim_the_last_event(counter)
    anchor.write_text("")
    counter.close_until(THIRD + timedelta(days=1))
    counter.book.anchor(anchor)  # the evening, by somebody who had not the line of noon
    evening = anchor.read_text()
    for order in (noon + evening, evening + noon):
        anchor.write_text(order)
        assert "anchor_event" in codes(counter.book.verify(anchor=anchor))
    anchor.write_text(evening)
    assert "anchor_event" not in codes(counter.book.verify(anchor=anchor))


def test_heads_of_many_lines_are_each_compared_once(counter: Counter, anchor: Path) -> None:
    lines = [counter.line(merchant=f"m-{number}") for number in range(4)]
    for day in range(1, 4):
        counter.book.anchor(anchor)
        for line in lines:
            counter.book.draw(line.id, "1000", days=30, confirm=True)
        counter.book.anchor(anchor)
        counter.book.anchor(anchor)
        counter.close_until(START + timedelta(days=day))
    assert counter.book.verify(anchor=anchor).clean
    named = {
        (head[0], head[1])
        for line in lines_of(anchor)
        for bucket in line["buckets"]
        for head in bucket["heads"]
    }  # type: ignore[attr-defined]
    behind_its_back(counter.url, "UPDATE ml_event SET hash = 'x' WHERE seq > 1")
    lost = [
        finding.subject
        for finding in counter.book.verify(anchor=anchor).findings
        if finding.code == "anchor_event"
    ]
    assert sorted(lost) == sorted(f"{facility} event {seq}" for facility, seq in named if seq > 1)
    assert len(lost) == 12


def test_lines_of_another_book_are_left_alone(counter: Counter, anchor: Path) -> None:
    lines = "".join(
        json.dumps(
            {"tenant": tenant, "buckets": [{"bucket": 0, "seal": None, "heads": [["fac-00-x", 1, "no"]]}]}
        )
        + "\n"
        for tenant in ("other", "main")
    )
    anchor.write_text(lines)
    findings = counter.book.verify(anchor=anchor).findings
    assert [(each.code, each.subject) for each in findings] == [("anchor_event", "fac-00-x event 1")]
    assert anchor.read_text() == lines


@pytest.mark.parametrize(
    "damage",
    [
        {"bucket": "0"}, {"bucket": 2**70}, {"bucket": -1}, {"seal": {"day": "May", "hash": "x"}},
        {"seal": {"day": "2017-05-01"}},
        {"heads": [["fac-00-x", 1]]}, {"heads": [["fac-00-x", 2**63, "x"]]}, {"heads": [["fac\u0000", 1, "x"]]},
        {"heads": [["\ud800", 1, "x"]]}, {"heads": [[["fac"], 1, "x"]]}, {"heads": None}, {"heads": [["fac-00-x", 1.5, "x"]]},
    ],
)  # fmt: skip
def test_a_damaged_line_is_no_anchor(counter: Counter, anchor: Path, damage: dict[str, object]) -> None:
    counter.book.anchor(anchor)
    line = lines_of(anchor)[0]
    line["buckets"] = [{"bucket": 0, "seal": None, "heads": []} | damage]
    anchor.write_text(json.dumps(line) + "\n")
    for act in uses_of(counter, anchor):
        with pytest.raises(InvalidFile):
            act()


def uses_of(counter: Counter, anchor: Path) -> tuple[Callable[[], object], ...]:
    """All that reads an anchor file."""
    book = counter.book
    return (
        lambda: book.verify(anchor=anchor),
        lambda: book.verify(anchor=anchor, incremental=True),
        lambda: book.anchor(anchor),
        lambda: book.close_day(anchor=anchor),
    )


# --- compared before it is added to ----------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", ["an event", "a seal"])
def test_an_anchor_is_not_added_to_over_a_lost_tail_and_nothing_is_closed(
    counter: Counter, anchor: Path, tail: str
) -> None:
    loan = counter.loan(counter.line())
    counter.close_until(THIRD)
    counter.book.repay(loan.id, "1000")
    counter.book.anchor(anchor)
    kept = anchor.read_text()
    if tail == "an event":
        trim_the_last_event(counter)
    else:
        behind_its_back(
            counter.url, "UPDATE ml_seal SET hash = 'x' WHERE day = (SELECT MAX(day) FROM ml_seal)"
        )
    counter.clock.set_day(THIRD + timedelta(days=1))
    for act in (lambda: counter.book.anchor(anchor), lambda: counter.book.close_day(anchor=anchor)):
        with pytest.raises(IntegrityBroken) as refused:
            act()
        assert refused.value.exit_status == 5
        assert ("anchor_event" if tail == "an event" else "anchor_seal") in str(refused.value)
    assert anchor.read_text() == kept
    assert counter.book.settings().open_day == THIRD


def test_a_close_anchors_what_it_closed(counter: Counter, anchor: Path) -> None:
    counter.loan(counter.line())
    counter.clock.set_day(THIRD)
    counter.book.close_day(anchor=anchor)
    (line,) = lines_of(anchor)
    assert {bucket["seal"]["day"] for bucket in line["buckets"]} == {"2017-05-03"}  # type: ignore[attr-defined]
    assert counter.book.verify(anchor=anchor).clean


BAD_FILES = {
    "a folder": lambda folder: folder,
    "in no folder": lambda folder: folder / "nowhere" / "anchor",
    "garbage": lambda folder: write(folder / "notes", b"garbage"),
    "no text": lambda folder: write(folder / "notes", b"\xff\xfe"),
    "a folder that is a file": lambda folder: write(folder / "notes", b"") / "anchor",
}


def write(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_file_that_cannot_take_a_line_is_refused_before_the_day_is_closed(
    counter: Counter, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    file = BAD_FILES[kind](folder)
    before = {each: each.read_bytes() for each in folder.iterdir()}
    counter.clock.set_day(THIRD)
    with pytest.raises(InvalidFile):
        counter.book.close_day(anchor=file)
    assert counter.book.settings().open_day == START
    assert {each: each.read_bytes() for each in folder.iterdir()} == before


def test_a_close_that_is_refused_leaves_no_anchor_behind(counter: Counter, anchor: Path) -> None:
    with pytest.raises(EventRefused):
        counter.book.close_day(THIRD, anchor=anchor)
    assert not anchor.exists()


# --- going on from the last ------------------------------------------------------------------------------------------


@pytest.fixture
def grown(counter: Counter, anchor: Path) -> tuple[Counter, list[str]]:
    """Six lines with a loan each, ten days verified and anchored; five days later two of the loans have been paid on."""
    loans = [counter.loan(counter.line(merchant=f"m-{number}"), days=90).id for number in range(6)]
    counter.close_until(START + timedelta(days=10))
    assert counter.book.verify(anchor=anchor).since is None
    counter.close_until(START + timedelta(days=12))
    counter.book.repay(loans[0], "1000")
    counter.close_until(START + timedelta(days=15))
    counter.book.repay(loans[1], "1000")
    return counter, loans


def look_on(counter: Counter, anchor: Path) -> VerifyReport:
    return counter.book.verify(anchor=anchor, incremental=True)


def test_only_what_came_after_the_last_verified_line_is_looked_at(
    grown: tuple[Counter, list[str]], anchor: Path
) -> None:
    counter, _ = grown
    whole = counter.book.verify()
    report = look_on(counter, anchor)
    assert report.clean
    assert report.since == START + timedelta(days=9)
    assert (report.facilities, report.loans) == (2, 2)
    assert 0 < report.journal_lines < whole.journal_lines
    again = look_on(counter, anchor)
    assert again.since == START + timedelta(days=14)
    assert (again.clean, again.facilities) == (True, 1)  # what was paid today is after the seal of yesterday


def test_a_line_nobody_verified_is_nothing_to_go_on_from(
    grown: tuple[Counter, list[str]], anchor: Path
) -> None:
    """A close anchors without a look at the book: what it closed is still to be verified."""
    counter, _ = grown
    counter.book.anchor(anchor)
    assert [line["verified"] for line in lines_of(anchor)] == [True, False]
    assert look_on(counter, anchor).since == START + timedelta(days=9)


def test_without_a_verified_line_everything_is_looked_at(
    grown: tuple[Counter, list[str]], tmp_path: Path
) -> None:
    counter, _ = grown
    for name in ("fresh", "of a close"):
        if name == "of a close":
            counter.book.anchor(tmp_path / name)
        report = look_on(counter, tmp_path / name)
        assert (report.since, report.facilities, report.clean) == (None, 6, True)


def test_a_loan_the_close_has_walked_since_is_looked_at_without_an_event(
    counter: Counter, anchor: Path
) -> None:
    """Overdue by itself: no command was given, the caches changed."""
    due, idle = (
        counter.loan(counter.line(merchant=f"m-{n}"), days=days).id for n, days in enumerate((12, 90))
    )
    counter.close_until(START + timedelta(days=10))
    counter.book.verify(anchor=anchor)
    counter.close_until(START + timedelta(days=20))
    behind_its_back(
        counter.url,
        f"UPDATE ml_loan SET principal_minor = principal_minor - 1 WHERE id IN ('{due}', '{idle}')",
    )
    findings = look_on(counter, anchor).findings
    assert {each.subject for each in findings if each.code == "loan_principal_minor"} == {due}


DAMAGE = {
    "a cache of a loan paid since": ("UPDATE ml_loan SET principal_minor = 1 WHERE id = '{paid}'", "loan_principal_minor"),
    "an event since": ("UPDATE ml_event SET actor = 'nobody' WHERE seq = (SELECT MAX(seq) FROM ml_event)", "event_hash"),
    "its journal": ("UPDATE ml_journal SET loan = 'loan-00-x' WHERE day = {since} + 3 AND source = 'command'", "seal_journal"),
    "a night since": ("UPDATE ml_journal SET amount_minor = 2 * amount_minor WHERE day = {since} + 2", "seal_journal"),
    "a night moved": ("UPDATE ml_journal SET day = day + 1 WHERE day = {since} + 1 AND source = 'night'", "seal_journal"),
    "a seal since": ("UPDATE ml_seal SET prev_hash = 'x' WHERE day = {since} + 1", "seal_chain"),
    "a notice since": ("DELETE FROM ml_outbox WHERE type LIKE '%repay%'", "event_without_notice"),
    "a command since": ("DELETE FROM ml_command WHERE operation = 'repay'", "event_without_command"),
    "the anchored seal": ("UPDATE ml_seal SET hash = 'x' WHERE day = {since}", "anchor_seal"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_since_is_found(grown: tuple[Counter, list[str]], anchor: Path, case: str) -> None:
    counter, loans = grown
    statement, code = DAMAGE[case]
    kept = anchor.read_text()
    behind_its_back(
        counter.url, statement.format(paid=loans[0], since=(START + timedelta(days=9)).toordinal())
    )
    report = look_on(counter, anchor)
    assert code in codes(report)
    assert report.since == START + timedelta(days=9)
    assert anchor.read_text() == kept


def test_what_is_not_looked_at_is_what_the_report_says(
    grown: tuple[Counter, list[str]], anchor: Path
) -> None:
    """A loan untouched since, and a day closed before: the whole look finds them, the short one says it did not look."""
    counter, loans = grown
    behind_its_back(
        counter.url, f"UPDATE ml_loan SET principal_minor = principal_minor - 1 WHERE id = '{loans[5]}'"
    )
    behind_its_back(
        counter.url, f"UPDATE ml_journal SET loan = 'loan-00-x' WHERE day = {date(2017, 5, 1).toordinal()}"
    )
    report = look_on(counter, anchor)
    assert (report.clean, report.since) == (True, START + timedelta(days=9))
    assert {"loan_principal_minor", "seal_journal"} <= codes(counter.book.verify(anchor=anchor))


def test_a_short_look_needs_a_file_to_go_on_from(counter: Counter) -> None:
    with pytest.raises(BadInput):
        counter.book.verify(incremental=True)
