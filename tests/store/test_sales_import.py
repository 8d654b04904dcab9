"""Importing order lines into a book: what is new, what changed, what was there, and what a crash leaves."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session

from microloan.book import sales as sales_module
from microloan.book.loanbook import LoanBook
from microloan.book.sales import SalesReport, merged
from microloan.errors import BadInput, CurrencyMismatch, IdempotencyConflict, InvalidFile, NotFound
from microloan.intake import spool as intake_spool
from microloan.store import decisions as decision_store
from microloan.store import sales as store
from microloan.store import settings as settings_store
from microloan.store.base import open_engine
from microloan.store.unit import Unit
from tests.killing import child, ended

HEADER = "order_id,shop_id,paid_at,amount,status\n"
OLIST = Path(os.environ.get("MICROLOAN_OLIST", "")) if os.environ.get("MICROLOAN_OLIST") else (
    Path(__file__).parents[3] / "shared" / "data" / "olist" / "order_lines.csv.gz"
)  # fmt: skip


class Noon:
    """A clock that stands at noon of a day."""

    def __init__(self, day: date) -> None:
        self.day = day

    def now_utc(self) -> datetime:
        return datetime(self.day.year, self.day.month, self.day.day, 4, tzinfo=UTC)


def opened(url: str, currency: str = "CNY", day: date = date(2024, 6, 1)) -> LoanBook:
    book = LoanBook.open(url, clock=Noon(day), actor="ann")
    book.init(currency=currency, open_day=day)
    return book


@pytest.fixture
def book(database_url: str) -> Iterator[LoanBook]:
    with opened(database_url) as made:
        yield made


def written(folder: Path, rows: str, name: str = "orders.csv") -> Path:
    file = folder / name
    file.write_text(HEADER + rows)
    return file


def orders(count: int, shops: int = 7, amount: int = 10) -> str:
    return "".join(f"o{n},s{n % shops},2024-05-{1 + n % 28:02d},{amount},paid\n" for n in range(count))


def counts(report: SalesReport) -> tuple[int, int, int, int]:
    return report.accepted, report.updated, report.duplicates, report.rejected


def stored(url: str, table: str = "ml_sales_line") -> int:
    engine = open_engine(url)
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() or 0)


# --- what an import counts -------------------------------------------------------------------------------------------


def test_the_same_file_twice_is_all_duplicates(book: LoanBook, tmp_path: Path) -> None:
    file = written(tmp_path, orders(100))
    assert counts(book.sales.load(file, platform="jd")) == (100, 0, 0, 0)
    assert counts(book.sales.load(file, platform="jd")) == (0, 0, 100, 0)


def test_a_changed_line_is_an_update_and_its_older_version_is_kept(book: LoanBook, tmp_path: Path) -> None:
    book.sales.load(written(tmp_path, "o1,s1,2024-05-01,10,paid\no2,s1,2024-05-02,20,paid\n"), platform="jd")
    changed = written(
        tmp_path, "o1,s1,2024-05-01,10,cancelled\no2,s1,2024-05-02,20,paid\no3,s1,2024-05-03,1,paid\n"
    )
    assert counts(book.sales.load(changed, platform="jd")) == (1, 1, 1, 0)
    assert [(line.order_id, line.status) for line in book.sales.lines("s1")] == [
        ("o1", "cancelled"), ("o2", "paid"), ("o3", "paid"),
    ]  # fmt: skip
    assert [line.status for line in book.sales.versions("s1", "o1")] == ["paid"]
    assert counts(book.sales.load(changed, platform="jd")) == (0, 0, 3, 0)


def test_an_older_export_takes_back_nothing_that_a_newer_one_has_told(book: LoanBook, tmp_path: Path) -> None:
    header = "order_id,shop_id,paid_at,amount,refund_amount,status,refunded_at,status_at"
    sold = "o-1,s-1,2024-04-01,100.00,0,completed,,2024-04-05"
    refunded = "o-1,s-1,2024-04-01,100.00,100.00,refunded,2024-04-20,2024-04-20"
    undated = "o-1,s-1,2024-04-01,100.00,90.00,completed,,"
    told = []
    for number, row in enumerate((sold, refunded, sold, refunded, undated)):
        file = tmp_path / f"{number}.csv"
        file.write_text(f"{header}\n{row}\n", "utf-8")
        report = book.sales.load(file, platform="jd")
        told.append((report.accepted, report.updated, report.duplicates, report.left_out))
    # what is older than the last change known is no news, and what went back comes back by a later day alone
    stands = {"refund_stands": 1}
    assert told == [(1, 0, 0, {}), (0, 1, 0, {}), (0, 0, 0, stands), (0, 0, 1, {}), (0, 0, 0, stands)]
    assert [line.refund for line in book.sales.versions("jd:s-1", "o-1")] == [Decimal("0.00")]


SOLD = "100.00,0,completed,,"
TOOK_BACK = {
    "refund without a day": ("100.00,100.00,refunded,,", SOLD, 0),
    "refund of all, no amount": ("100.00,,refunded,2024-04-20,", SOLD, 0),
    "part of it": ("100.00,40.00,completed,2024-04-20,", "100.00,30.00,completed,2024-04-20,", 0),
    "cancellation": ("100.00,,cancelled,,2024-04-20", SOLD, 0),
    "the same day": ("100.00,,cancelled,,2024-04-20", "100.00,0,completed,,2024-04-20", 0),
    "a day, but none to compare": ("100.00,,cancelled,,", "100.00,0,completed,,2024-05-02", 0),
    "a later day": ("100.00,,cancelled,,2024-04-20", "100.00,0,completed,,2024-04-21", 1),
    "later than the refund": ("100.00,100.00,refunded,2024-04-20,", "100.00,0,completed,,2024-04-21", 1),
    "cancelled after the refund": ("100.00,100.00,refunded,2024-04-20,", "100.00,,cancelled,,", 1),
    "more of it": ("100.00,40.00,completed,2024-04-20,", "100.00,60.00,completed,2024-04-20,", 1),
    "settlement of what is left": ("100.00,40.00,paid,2024-04-20,", "100.00,40.00,completed,2024-04-20,", 1),
    "less sold, less refunded": (
        "100.00,40.00,completed,2024-04-20,",
        "50.00,30.00,completed,2024-04-20,",
        1,
    ),
}


@pytest.mark.parametrize("case", TOOK_BACK)
def test_what_went_back_is_sold_again_by_a_later_day_only(book: LoanBook, tmp_path: Path, case: str) -> None:
    header = "order_id,shop_id,paid_at,amount,refund_amount,status,refunded_at,status_at"
    before, after, updated = TOOK_BACK[case]
    reports = []
    for number, row in enumerate((before, after)):
        file = tmp_path / f"{number}.csv"
        file.write_text(f"{header}\no-1,s-1,2024-04-01,{row}\no-2,s-1,2024-04-01,{SOLD}\n", "utf-8")
        reports.append(book.sales.load(file, platform="jd"))
    again = reports[1]
    assert (again.accepted, again.updated, again.duplicates) == (0, updated, 1)
    assert again.left_out == ({} if updated else {"refund_stands": 1})
    status = before.split(",")[2] if not updated else after.split(",")[2]
    assert book.sales.lines("s-1")[0].status == status
    assert len(book.sales.versions("s-1", "o-1")) == updated


def test_one_order_may_span_shops_lines_and_platforms(book: LoanBook, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(
        "order_id,line_id,shop_id,paid_at,amount,status\n"
        "o1,1,s1,2024-05-01,10,paid\no1,2,s1,2024-05-01,10,paid\no1,1,s2,2024-05-01,10,paid\n"
    )
    assert counts(book.sales.load(file, platform="jd")) == (3, 0, 0, 0)
    assert counts(book.sales.load(file, platform="tmall")) == (3, 0, 0, 0)
    with pytest.raises(BadInput, match="jd:s1 or tmall:s1"):
        book.sales.lines("s1")
    assert len(book.sales.lines("tmall:s1")) == 2


def test_rejected_rows_are_listed_and_the_others_are_in(book: LoanBook, tmp_path: Path) -> None:
    rows = [("o1", 10), ("o2", -1), ("o1", 11), ("o1", 10)]
    file = written(tmp_path, "".join(f"{order},s1,2024-05-01,{amount},paid\n" for order, amount in rows))
    report = book.sales.load(file, platform="jd")
    assert counts(report) == (1, 0, 1, 2)
    assert [(it.line, it.code) for it in report.rejections] == [
        (3, "negative_amount"),
        (4, "conflicting_duplicate"),
    ]


def test_strict_imports_nothing_when_one_row_is_bad(
    book: LoanBook, database_url: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidFile) as caught:
        book.sales.load(
            written(tmp_path, orders(50) + "bad,s1,2024-05-01,NaN,paid\n"), platform="jd", strict=True
        )
    assert (caught.value.code, caught.value.exit_status) == ("rejected_rows", 2)
    assert stored(database_url) == stored(database_url, "ml_import") == stored(database_url, "ml_shop") == 0


@pytest.mark.parametrize("fault", ["encoding", "archive", "column"])
def test_nothing_of_a_bad_file_is_in(book: LoanBook, database_url: str, tmp_path: Path, fault: str) -> None:
    content = (HEADER + orders(20_000)).encode()
    content = {
        "encoding": content + "o,店,2024-05-01,1,paid\n".encode("gb18030"),
        "archive": gzip.compress(content)[:-9],
        "column": content.replace(b",status", b",state", 1),
    }[fault]
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(InvalidFile):
        book.sales.load(tmp_path / "bad.csv", platform="jd")
    assert stored(database_url) == stored(database_url, "ml_import") == stored(database_url, "ml_shop") == 0


def test_another_currency_or_an_impossible_platform_is_refused(book: LoanBook, tmp_path: Path) -> None:
    file = written(tmp_path, orders(1))
    with pytest.raises(CurrencyMismatch):
        book.sales.load(file, platform="jd", currency="USD")
    with pytest.raises(BadInput, match="lower-case letters"):
        book.sales.load(file, platform="a:b")
    with pytest.raises(InvalidFile, match="no column platform"):
        book.sales.load(file)
    with pytest.raises(NotFound):
        book.sales.lines("s1")


def test_a_frame_and_its_file_are_the_same_import(book: LoanBook, tmp_path: Path) -> None:
    book.sales.load(written(tmp_path, orders(30)), platform="jd")
    frame = pd.read_csv(tmp_path / "orders.csv", dtype=str)
    assert counts(book.sales.load(frame, platform="jd")) == (0, 0, 30, 0)


def test_amounts_and_days_come_back_as_they_went_in(book: LoanBook, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(
        "order_id,shop_id,paid_at,amount,status,refund_amount,refunded_at,settled_at,buyer_id\n"
        "o1,店,2024-05-01T23:30:00Z,99999999999.99,refunded,1.50,2024-05-03,2024-05-09T08:00:00,买家\n"
    )
    book.sales.load(file, platform="jd")
    (line,) = book.sales.lines("店")
    assert (line.amount, line.refund) == (Decimal("99999999999.99"), Decimal("1.50"))
    assert (line.paid_on, line.refunded_on, line.settled_on) == (
        date(2024, 5, 2),
        date(2024, 5, 3),
        date(2024, 5, 9),
    )
    assert line.buyer_id == "买家"


def test_the_register_of_imports_names_every_file(book: LoanBook, tmp_path: Path) -> None:
    report = book.sales.load(written(tmp_path, orders(3)), platform="jd")
    (row,) = book.sales.imports()
    assert (row.import_id, row.name, row.sha256, row.status) == (
        report.import_id,
        "orders.csv",
        report.sha256,
        "done",
    )
    assert (row.first_day, row.last_day, row.started_by) == (date(2024, 5, 1), date(2024, 5, 3), "ann")


def test_inside_a_hosts_transaction_a_rollback_takes_everything_back(
    database_url: str, tmp_path: Path
) -> None:
    opened(database_url).close()
    engine = open_engine(database_url)
    with Session(engine) as session:
        report = LoanBook(session, clock=Noon(date(2024, 6, 1))).sales.load(
            written(tmp_path, orders(20)), platform="jd"
        )
        assert report.accepted == 20
        session.rollback()
    assert stored(database_url) == stored(database_url, "ml_shop") == stored(database_url, "ml_import") == 0


# --- coverage --------------------------------------------------------------------------------------------------------


def spans(unit: Unit) -> dict[str, list[store.Span]]:
    """The days covered of every shop."""
    shops = store.shops_after(unit, 0, 9)
    return {shop.shop_id: store.spans_of(unit, shop.bucket, [shop.number])[shop.number] for shop in shops}


def test_an_import_covers_the_shops_in_it_from_its_first_day_to_its_last(
    book: LoanBook, tmp_path: Path
) -> None:
    book.sales.load(written(tmp_path, "o1,s1,2024-05-03,1,paid\no2,s2,2024-05-20,1,paid\n"), platform="jd")
    book.sales.load(written(tmp_path, "o3,s1,2024-05-21,1,paid\no4,s1,2024-05-25,1,paid\n"), platform="jd")
    assert book._desk.read(spans) == {
        "s1": [(date(2024, 5, 3), date(2024, 5, 25))],
        "s2": [(date(2024, 5, 3), date(2024, 5, 20))],
    }


def test_a_day_to_come_is_rejected_and_covers_nothing(book: LoanBook, tmp_path: Path) -> None:
    """A year mistyped once would pass for proof that the shop is known until today, and every day after."""
    file = written(tmp_path, "o1,s1,2024-05-03,1,paid\no2,s1,2099-01-05,1,paid\no3,s1,2024-05-04,1,paid\n")
    report = book.sales.load(file, platform="jd", covers="platform")
    assert counts(report) == (2, 0, 0, 1)
    assert [(row.line, row.code, row.message) for row in report.rejections] == [(
        3, "day_to_come",
        "paid_at '2099-01-05' is after the day of the import, 2024-06-01; correct it, or import the row once that day has come",
    )]  # fmt: skip
    assert book._desk.read(store.feeds) == {"jd": [(date(2024, 5, 3), date(2024, 5, 4))]}
    assert book._desk.read(spans) == {"s1": [(date(2024, 5, 3), date(2024, 5, 4))]}
    assert (report.first_day, report.last_day) == (date(2024, 5, 3), date(2024, 5, 4))


def test_the_day_of_the_import_itself_has_come(book: LoanBook, tmp_path: Path) -> None:
    file = written(tmp_path, "o1,s1,2024-06-01T23:59:59,1,paid\n")
    assert counts(book.sales.load(file, platform="jd")) == (1, 0, 0, 0)


def test_strict_refuses_a_file_with_a_day_to_come(book: LoanBook, database_url: str, tmp_path: Path) -> None:
    file = written(tmp_path, "o1,s1,2024-05-03,1,paid\no2,s1,2024-06-02,1,paid\n")
    with pytest.raises(InvalidFile, match="2024-06-02' is after the day of the import, 2024-06-01") as caught:
        book.sales.load(file, platform="jd", strict=True)
    assert caught.value.code == "rejected_rows"
    assert stored(database_url) == stored(database_url, "ml_import") == 0


class Evening(Noon):
    """A clock that stands at eight in the evening of a day, when the next has begun further east."""

    def now_utc(self) -> datetime:
        return super().now_utc().replace(hour=12)


def test_an_export_from_further_east_covers_no_day_that_the_lender_has_not_seen(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "east.toml").write_text('time_zone = "Pacific/Kiritimati"\n')
    file = written(tmp_path, "o1,s1,2024-06-01,1,paid\no2,s1,2024-06-02,1,paid\no3,s1,2024-06-03,1,paid\n")
    opened(database_url).close()
    with LoanBook.open(database_url, clock=Evening(date(2024, 6, 1)), actor="ann") as book:
        report = book.sales.load(file, platform="jd", mapping=tmp_path / "east.toml")
        assert [(row.line, row.code) for row in report.rejections] == [(4, "day_to_come")]
        assert book._desk.read(spans) == {"s1": [(date(2024, 6, 1), date(2024, 6, 1))]}


def test_spans_that_touch_are_one() -> None:
    day = [date(2024, 1, 1 + n) for n in range(9)]
    assert merged([(day[5], day[6]), (day[0], day[1]), (day[2], day[2])]) == [
        (day[0], day[2]),
        (day[5], day[6]),
    ]


# --- keys ------------------------------------------------------------------------------------------------------------


def test_a_key_used_twice_acts_once_and_answers_the_same(book: LoanBook, tmp_path: Path) -> None:
    file = written(tmp_path, orders(40))
    first = book.sales.load(file, platform="jd", idempotency_key="k1")
    again = book.sales.load(file, platform="jd", idempotency_key="k1")
    assert again.replayed
    assert (counts(again), again.import_id) == (counts(first), first.import_id)
    with pytest.raises(IdempotencyConflict):
        book.sales.load(written(tmp_path, orders(41)), platform="jd", idempotency_key="k1")


@pytest.mark.usefixtures("small_batches")
def test_an_import_gone_on_with_a_day_later_takes_the_rows_it_had_begun_with(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the row that has become good would push a line of the batches that are in past the place that was reached."""
    file = written(tmp_path, "a0,s0,2024-06-02,1,paid\n" + orders(60))
    with opened(database_url) as book:
        put, batches = store.put_lines, [0]

        def torn(*given: Any) -> store.Stored:
            batches[0] += 1
            if batches[0] == 3:
                raise OSError("the cable")
            return put(*given)

        with monkeypatch.context() as broken:
            broken.setattr(store, "put_lines", torn)
            with pytest.raises(OSError, match="the cable"):
                book.sales.load(file, platform="jd", idempotency_key="k1")
    with LoanBook.open(database_url, clock=Noon(date(2024, 6, 2)), actor="ann") as book:
        assert counts(book.sales.load(file, platform="jd", idempotency_key="k1")) == (60, 0, 0, 1)
        assert counts(book.sales.load(file, platform="jd")) == (1, 0, 60, 0)
    assert stored(database_url) == 61


# --- crashes ---------------------------------------------------------------------------------------------------------


def importing(url: str, file: Path, key: str | None, kill_at: int = 0) -> None:
    """An import in the process it is called in, which dies after so many statements and commits."""
    done = 0

    def count(*_: object) -> None:
        nonlocal done
        done += 1
        if done == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "after_cursor_execute", count)
    event.listen(Engine, "commit", count)
    with LoanBook.open(url, clock=Noon(date(2024, 6, 1))) as book:
        book.sales.load(file, platform="jd", idempotency_key=key)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_spool, "BATCH_ROWS", 20)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("key", ["run-1", None])
def test_killed_at_any_statement_the_same_import_completes_with_exact_counts(
    sqlite_url: str, tmp_path: Path, key: str | None
) -> None:
    """Source: RELIABILITY 1; every statement and commit of an import of three batches is a place to die."""
    file, unused = written(tmp_path, orders(50)), tmp_path / "unused.db"
    opened(f"sqlite:///{unused}").close()
    for place in range(1, 500):
        url = f"sqlite:///{shutil.copy(unused, tmp_path / f'{place}.db')}"
        status = ended(child(partial(importing, url, file, key, place)))
        before = stored(url)
        with LoanBook.open(url, clock=Noon(date(2024, 6, 1))) as book:
            report = book.sales.load(file, platform="jd", idempotency_key=key)
            assert before in (0, 20, 40, 50)
            assert stored(url) == 50
            assert counts(report) == ((50, 0, 0, 0) if key else (50 - before, 0, before, 0))
            assert counts(book.sales.load(file, platform="jd")) == (0, 0, 50, 0)
            assert sum(len(book.sales.lines(f"s{n}")) for n in range(7)) == 50
        if status == 0:
            assert place > 30
            return
        assert status == -signal.SIGKILL
    pytest.fail("the import never came to its end")


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("key", ["run-1", None])
def test_two_processes_import_one_file_at_once_and_every_line_is_in_once(
    database_url: str, tmp_path: Path, key: str | None
) -> None:
    opened(database_url).close()
    file = written(tmp_path, orders(2_000, shops=300))
    children = [child(partial(importing, database_url, file, key)) for _ in range(2)]
    assert [ended(pid) for pid in children] == [0, 0]
    assert stored(database_url) == 2_000
    with LoanBook.open(database_url) as book:
        rows = book.sales.imports()
        assert {row.status for row in rows} == {"done"}
        assert sum(row.accepted for row in rows) == 2_000
        assert sum(row.duplicates for row in rows) == (0 if key else 2_000)
        assert sum(shop.lines for merchant in book.merchants.list() for shop in merchant.shops) == 2_000


def test_an_import_that_fails_half_way_is_running_until_it_is_done_again(
    book: LoanBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_spool, "BATCH_ROWS", 20)
    file = written(tmp_path, orders(50))

    def failing(*arguments: Any) -> Any:
        raise RuntimeError("the machine stopped")

    with monkeypatch.context() as patch:
        patch.setattr(sales_module._Import, "_finish", failing)
        with pytest.raises(RuntimeError):
            book.sales.load(file, platform="jd", idempotency_key="k")
    assert [row.status for row in book.sales.imports()] == ["running"]
    assert counts(book.sales.load(file, platform="jd", idempotency_key="k")) == (50, 0, 0, 0)
    assert [row.status for row in book.sales.imports()] == ["done"]


# --- plans and real data ---------------------------------------------------------------------------------------------


def test_known_lines_are_looked_up_by_their_whole_key(sqlite_url: str, tmp_path: Path) -> None:
    """Source: STORAGE: SQLite without statistics may prefer the (tenant, bucket) prefix."""
    with opened(sqlite_url) as book:
        book.sales.load(written(tmp_path, orders(10)), platform="jd")
    engine = create_engine(sqlite_url)
    with engine.connect() as connection:
        for statement in (store._BY_DIALECT["sqlite"].keep_old, store._BY_DIALECT["sqlite"].replace):
            plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, ("[]",)).all()
            told = " ".join(row.detail for row in plan)
            assert (
                "SEARCH l USING PRIMARY KEY (tenant=? AND bucket=? AND shop=? AND order_id=? AND line_id=?)"
                in told
            )


@pytest.mark.parametrize("asked", [1, 20, 500])
def test_some_hundred_merchants_are_never_looked_for_by_reading_all(sqlite_url: str, asked: int) -> None:
    names, numbers = [f"m{n}" for n in range(asked)], list(range(asked))
    lines = {"bucket": 0, "shops": numbers, "until": 9, "at": 9}
    merchants = {"buckets": [0], "merchants": names}
    statements: list[tuple[Any, dict[str, Any], str]] = [
        (store._SHOPS_OF, {"merchants": names}, "tenant=? AND merchant=?"),
        (store._SHOPS_CALLED, {"names": names}, "tenant=? AND shop_id=?"),
        (store._COVERED, {"bucket": 0, "shops": numbers}, "tenant=? AND bucket=? AND shop=?"),
        (store._LINES_AT, lines, "tenant=? AND bucket=? AND shop=?"),
        (store._OLD_LINES_OF, lines, "tenant=? AND bucket=? AND shop=?"),
        (decision_store._OF_MERCHANTS, merchants, "tenant=? AND bucket=? AND merchant=?"),
        (decision_store._LATE, merchants, "tenant=? AND bucket=? AND merchant=?"),
        (decision_store._DECIDED, {"run": "r", "merchants": names}, "tenant=? AND run=? AND merchant=?"),
        (settings_store._EXPOSURES, merchants, "tenant=? AND bucket=? AND merchant=?"),
    ]
    opened(sqlite_url).close()
    engine = open_engine(sqlite_url)
    with engine.connect() as connection:
        for statement, values, key in statements:
            bound = statement.params(tenant="main", **values)
            plain = bound.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {plain}").all()
            assert f"({key})" in plan[0].detail, plan


def test_the_whole_olist_half_is_imported(database_url: str) -> None:
    if not OLIST.exists():
        pytest.skip(f"no real order lines: {OLIST} is absent, set MICROLOAN_OLIST")
    with opened(database_url, "BRL", date(2018, 10, 31)) as book:
        report = book.sales.load(OLIST, platform="olist")
        assert report.accepted > 40_000
        assert (report.updated, report.duplicates, report.rejected) == (0, 0, 0)
        assert 0 < report.adjusted["settled_before_paid"] <= 63
        assert counts(book.sales.load(OLIST, platform="olist")) == (0, 0, report.accepted, 0)
