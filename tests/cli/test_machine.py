"""Commands whose answer depends on the machine or on damage, so that no session can hold them word for word."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from tests.cli.session import Said, say
from tests.store.test_close_of_day import unguard


def done(*line: str) -> Said:
    """Run a line that must succeed."""
    said = say(*line)
    assert said.status == 0, said
    return said


def test_backup_is_a_book_that_opens_and_is_never_written_over() -> None:
    done("init", "--open-day", "2025-05-12")
    done("merchant", "add", "tea")
    assert "copy.db" in done("backup", "copy.db").out
    assert "tea" in done("merchant", "list", "--db", "sqlite:///copy.db").out
    refused = say("backup", "copy.db", "--lang", "zh")
    assert (refused.status, refused.err) == (2, "microloan: copy.db：已存在；备份不覆盖任何文件\n")


@pytest.mark.parametrize(("lang", "title"), [("en", "Doctor"), ("zh", "体检")])
def test_doctor_names_every_check_and_the_days_that_wait_for_their_close(lang: str, title: str) -> None:
    done("init", "--open-day", "2026-01-31")
    said = done("doctor", "--lang", lang)
    assert said.out.startswith(title)
    assert "microloan eod" in said.out
    assert {"journal_mode", "schema", "clock"} <= set(re.findall(r"^[a-z_]+", said.out, re.MULTILINE))


def test_what_guards_history_and_is_gone_is_named_with_the_remedy() -> None:
    done("init", "--open-day", "2025-05-12")
    assert done("init", "--check").err == ""
    with sqlite3.connect("microloan.db") as connection:
        connection.execute("DROP TRIGGER ml_event_no_update")
    how_it_was_made = "microloan init --sql"
    for line, remedy in (
        (("doctor",), "microloan verify"), (("init", "--check"), how_it_was_made), (("init",), how_it_was_made),
    ):  # fmt: skip
        said = say(*line)
        assert said.status == 5, said
        assert "trigger ml_event_no_update is missing" in said.out + said.err
        assert remedy in said.out
        assert "缺少触发器 ml_event_no_update" in (
            say(*line, "--lang", "zh").out + say(*line, "--lang", "zh").err
        )


@pytest.mark.parametrize(("lang", "advice"), [("en", "restore a backup over it"), ("zh", "请用备份恢复")])
def test_a_book_cut_to_nothing_is_not_made_anew(lang: str, advice: str) -> None:
    Path("microloan.db").touch()
    refused = say("init", "--lang", lang)
    assert (refused.status, Path("microloan.db").stat().st_size) == (5, 0)
    assert advice in refused.err


def spoil(old: str, new: str) -> None:
    """Write other terms into the stored draws, past the triggers that forbid it."""
    with sqlite3.connect("microloan.db") as connection:
        for statement in unguard("sqlite"):
            connection.execute(statement)
        connection.execute("UPDATE ml_event SET payload = replace(payload, ?, ?)", (old, new))


def sign(tmp_path: Path) -> None:
    """A book from 12 May 2025 with the line of one merchant, seafood."""
    sales = str(tmp_path / "sales.csv.gz")
    Path(sales).symlink_to(Path(__file__).resolve().parents[2] / "fixtures" / "sales" / "seafood.csv.gz")
    done("init", "--open-day", "2025-05-12")
    done("sales", "import", sales)
    done("underwrite", "seafood")
    sha = re.search(r"[0-9a-f]{64}", done("offer", "show", "seafood").out)
    assert sha
    done("facility", "sign", "seafood", "--signer", "Li", "--sha256", sha[0])


def test_a_damaged_loan_is_held_and_once_mended_goes_on(tmp_path: Path) -> None:
    sign(tmp_path)
    done("draw", "seafood", "1000", "--days", "5", "--confirm")
    spoil('"method":"anytime"', '"method":"no such"')
    held = say("eod", "--to", "2025-05-20")
    assert held.status == 7, held
    assert "loan-" in done("loan", "held").out
    assert "原因" in done("loan", "held", "--lang", "zh").out
    spoil('"method":"no such"', '"method":"anytime"')
    assert "overdue" in done("loan", "release", "seafood").out
    assert "none" in done("loan", "held").out
