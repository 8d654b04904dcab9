"""Disks that fill, logs that are cut, files that are something else, processes that die in a close.

Source: RELIABILITY 1, 3, 7 to 11 and 32. After every case verify finds nothing, or the file is refused.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from microloan.errors import MicroloanError, StorageFailed
from tests.store.counter import START, Counter
from tests.store.test_many_at_once import child, die_at, ended, own_book

REFUSED = 9


@pytest.fixture
def counter(tmp_path: Path) -> Counter:
    """An open book in a file, with a loan in it."""
    made = Counter(f"sqlite:///{tmp_path / 'book.db'}").init()
    made.loan(made.line(), "1000", days=3)
    return made


def file_of(counter: Counter) -> Path:
    return Path(counter.url.removeprefix("sqlite:///"))


def refused(act: Callable[[], object]) -> Callable[[], None]:
    """For a child: ends with REFUSED where *act* is refused with a typed error of the storage."""

    def attempt() -> None:
        try:
            act()
        except StorageFailed:
            os._exit(REFUSED)

    return attempt


# --- disk full -------------------------------------------------------------------------------------------------------


def close_on_a_full_disk(counter: Counter, room: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    own_book(counter).close_day()


@pytest.mark.parametrize("room", [0, 4_096, 40_000, 60_000])
def test_a_close_on_a_full_disk_leaves_nothing_and_succeeds_when_there_is_room(
    counter: Counter, room: int
) -> None:
    counter.clock.set_day(START + timedelta(days=9))
    counter.book.close()
    assert ended(child(refused(lambda: close_on_a_full_disk(counter, room)))) == REFUSED
    counter.must_be_sound()
    assert counter.book.settings().open_day == START
    assert len(counter.book.close_day().closed) == 9
    counter.must_be_sound()


# --- a log that is cut -----------------------------------------------------------------------------------------------


def states_of_a_cut_log(counter: Counter, folder: Path, cuts: int) -> tuple[list[int], int]:
    """Repay ten times with the log kept, cut copies of it; how many repayments each copy still has."""
    source = file_of(counter)
    keeper = sqlite3.connect(source)  # while it is open nobody empties the log
    keeper.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    loan = counter.book.loans()[0].id
    for _ in range(10):
        counter.book.repay(loan, "1")
    log = Path(f"{source}-wal")
    size, kept = log.stat().st_size, []
    for number in range(cuts + 1):
        copy = folder / f"cut-{number}.db"
        shutil.copyfile(source, copy)
        Path(f"{copy}-wal").write_bytes(log.read_bytes()[: size * number // cuts])
        recovered = Counter(f"sqlite:///{copy}")
        recovered.must_be_sound()
        kept.append(sum(line.type == "repay" for line in recovered.book.ledger(loan)))
        recovered.book.close()
        for each in folder.glob(f"cut-{number}.db*"):
            each.unlink()
    keeper.close()
    return kept, size


@pytest.mark.parametrize("cuts", [24, pytest.param(600, marks=pytest.mark.slow)])
def test_a_log_cut_anywhere_recovers_to_a_prefix(counter: Counter, tmp_path: Path, cuts: int) -> None:
    kept, size = states_of_a_cut_log(counter, tmp_path, cuts)
    assert size > 10 * 4096
    assert (kept[0], kept[-1]) == (0, 10)
    assert kept == sorted(kept)  # the longer the log, the more of the same history


# --- files that are something else -----------------------------------------------------------------------------------

FILES = {
    "garbage": b"\x8f" * 8192,
    "text": b"order_id,shop_id\n" * 600,
    "a header and nothing more": b"SQLite format 3\x00",
    "a header and garbage": b"SQLite format 3\x00" + b"\xff" * 8176,
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_a_file_that_is_no_book_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "book.db"
    file.write_bytes(content)
    found = Counter(f"sqlite:///{file}")
    for act in (found.init, found.book.settings, found.book.close_day, found.book.verify):
        with pytest.raises(MicroloanError) as refused:
            act()
        assert refused.value.exit_status == 5
    assert file.read_bytes() == content


def test_a_book_cut_in_the_middle_is_refused_or_found_out(counter: Counter, tmp_path: Path) -> None:
    counter.book.backup(tmp_path / "whole.db")
    whole = (tmp_path / "whole.db").read_bytes()
    for share in range(1, 8):
        cut = tmp_path / "cut.db"
        cut.write_bytes(whole[: len(whole) * share // 8])
        with pytest.raises(MicroloanError) as refused:
            Counter(f"sqlite:///{cut}").must_be_sound()
        assert refused.value.exit_status == 5


def as_nobody(act: Callable[[], object]) -> Callable[[], None]:
    """Root may write to what is read-only; nobody may not."""

    def attempt() -> None:
        if os.geteuid() == 0:
            os.setuid(65534)
        refused(act)()

    return attempt


def test_a_read_only_file_is_refused_with_a_reason(counter: Counter) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        counter.book.backup(Path(folder) / "book.db")
        (Path(folder) / "book.db").chmod(0o444)
        read_only = Counter(f"sqlite:///{folder}/book.db")
        read_only.clock.set_day(START + timedelta(days=2))
        assert ended(child(as_nobody(read_only.book.close_day))) == REFUSED
        read_only.must_be_sound()


# --- processes that die ----------------------------------------------------------------------------------------------


def killed_close(counter: Counter, point: int) -> None:
    book = own_book(counter)
    die_at(book, point)
    book.close_day()


@pytest.mark.slow
def test_a_close_killed_at_every_statement_is_all_or_nothing_and_finished_by_the_next(
    counter: Counter,
) -> None:
    counter.clock.set_day(START + timedelta(days=5))
    for point in range(500):
        counter.book.close()
        status = ended(child(lambda point=point: killed_close(counter, point)))  # type: ignore[misc]
        assert status in (0, -signal.SIGKILL)
        counter.must_be_sound()
        assert counter.book.settings().open_day in (START, START + timedelta(days=5))
        if status == 0:
            break
    assert point > 40
    assert counter.book.close_day().open_day == START + timedelta(days=5)


# --- backup ----------------------------------------------------------------------------------------------------------


def test_a_backup_in_use_is_sound_private_and_overwrites_nothing(counter: Counter, tmp_path: Path) -> None:
    saved = counter.book.backup(tmp_path / "saved.db")
    assert saved.bytes == (tmp_path / "saved.db").stat().st_size
    assert (tmp_path / "saved.db").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.glob("saved*")) == ["saved.db"]
    Counter(f"sqlite:///{tmp_path / 'saved.db'}").must_be_sound()
    with pytest.raises(StorageFailed):
        counter.book.backup(tmp_path / "saved.db")


def test_a_copy_of_the_main_file_alone_lacks_what_the_log_holds(counter: Counter, tmp_path: Path) -> None:
    shutil.copyfile(file_of(counter), tmp_path / "copied.db")
    copied = Counter(f"sqlite:///{tmp_path / 'copied.db'}")
    try:
        loans = copied.book.loans()
    except MicroloanError:
        loans = ()
    assert loans != counter.book.loans()


def test_the_doctor_names_what_is_wrong(counter: Counter) -> None:
    checks = {check.check: check.status for check in counter.book.doctor().checks}
    assert counter.book.doctor().healthy
    assert {checks[name] for name in ("schema", "journal_mode", "synchronous", "quick_check", "clock")} == {
        "ok"
    }
    file_of(counter).chmod(0o644)
    counter.clock.set_day(START - timedelta(days=3))
    bad = {check.check for check in counter.book.doctor().checks if check.status == "bad"}
    assert bad == {"mode book.db", "clock"}
