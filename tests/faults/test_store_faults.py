"""Disks that fill, files that are something else, folders one may not write to.

Source: RELIABILITY 7 to 12. After every case verify finds nothing, or the file is refused.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from microloan.book.loanbook import LoanBook
from microloan.errors import InvalidFile, MicroloanError, StorageFailed
from microloan.store.unit import random_id
from tests.killing import child, ended, own_book
from tests.store.counter import START, Counter

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


ON_A_SMALL_DISK = """
import subprocess, sys
from microloan.errors import StorageFailed
from tests.store.counter import Counter

counter = Counter(f"sqlite:///{sys.argv[1]}/book.db").init()
loan = counter.loan(counter.line(), "1000")
paid = 0
while True:
    try:
        counter.book.repay(loan.id, "0.01", idempotency_key=f"k{paid}")
        paid += 1
    except StorageFailed as refused:
        print(refused.message)
        break
assert len(counter.book.ledger(loan.id)) == paid
counter.must_be_sound()
subprocess.run(["mount", "-o", "remount,size=40m", sys.argv[1]], check=True)
assert not counter.book.repay(loan.id, "0.01", idempotency_key=f"k{paid}").replayed
assert len(counter.book.ledger(loan.id)) == paid + 1
counter.must_be_sound()
print(paid)
"""


@pytest.mark.slow
def test_a_disk_that_is_full_refuses_is_read_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """Row 7, on a file system of two megabytes, in a namespace of its own where the system grants one."""
    mount = f"mount -t tmpfs -o size=2m none {tmp_path} && exec {sys.executable} -c '{ON_A_SMALL_DISK}' {tmp_path}"
    may_mount = subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0
    if not may_mount:
        return  # test_a_close_on_a_full_disk… provokes the same without any rights
    done = subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    message, paid = done.stdout.split("\n")[:2]
    assert "full" in message
    assert int(paid) > 0


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


def test_a_folder_one_may_not_write_to_is_refused_and_named(counter: Counter) -> None:
    """Row 9: SQLite needs its log beside the book."""
    with tempfile.TemporaryDirectory() as folder:
        counter.book.backup(Path(folder) / "book.db")
        (Path(folder) / "book.db").chmod(0o666)
        Path(folder).chmod(0o555)
        locked = Counter(f"sqlite:///{folder}/book.db", ids=random_id)  # the copy has the counted ones
        locked.clock.set_day(START + timedelta(days=2))
        assert ended(child(as_nobody(locked.book.close_day))) == REFUSED
        assert ended(child(as_nobody(Counter(f"sqlite:///{folder}/new.db").init))) == REFUSED
        Path(folder).chmod(0o755)
        assert not (Path(folder) / "new.db").exists()
        locked.must_be_sound()


def test_who_may_only_read_a_book_is_told_what_to_do(counter: Counter) -> None:
    """Row 9: SQLite needs its log beside the book for reading too."""

    def read(book: LoanBook) -> None:
        with pytest.raises(StorageFailed, match="allow that, or read a copy elsewhere") as failed:
            book.loans()
        raise failed.value

    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "book.db"
        counter.book.backup(saved)
        with contextlib.closing(sqlite3.connect(saved)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # a backup is one file, without
        saved.chmod(0o444)
        Path(folder).chmod(0o555)
        book = Counter(f"sqlite:///{folder}/book.db").book
        assert ended(child(as_nobody(lambda: read(book)))) == REFUSED
        Path(folder).chmod(0o755)


@pytest.mark.parametrize(("version", "status"), [((3, 51, 2), "warning"), ((3, 51, 3), "ok")])
def test_the_doctor_knows_the_versions_with_the_log_bug(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], status: str
) -> None:
    """Row 12."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    found = {check.check: check.status for check in counter.book.doctor().checks}
    assert found["sqlite_version"] == status


# --- backup ----------------------------------------------------------------------------------------------------------


def test_a_backup_in_use_is_sound_private_and_overwrites_nothing(counter: Counter, tmp_path: Path) -> None:
    saved = counter.book.backup(tmp_path / "saved.db")
    assert saved.bytes == (tmp_path / "saved.db").stat().st_size
    assert (tmp_path / "saved.db").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.glob("saved*")) == ["saved.db"]
    Counter(f"sqlite:///{tmp_path / 'saved.db'}").must_be_sound()
    with pytest.raises(InvalidFile, match="overwrites nothing"):
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
