"""A merchant's exports, one after the other, into a book: updates, late refunds, totals, documents, several platforms."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from microloan.book.loanbook import LoanBook
from microloan.book.sales import SalesReport
from microloan.errors import BadInput, CurrencyMismatch, IdempotencyConflict, InvalidFile
from microloan.underwriting import decide, sales_lines, shipped_policy

EXPORTS = Path(__file__).parents[1] / "cli" / "files" / "platforms"


class Noon:
    """A clock that stands at noon of a day."""

    def __init__(self, day: date) -> None:
        self.day = day

    def now_utc(self) -> datetime:
        return datetime(self.day.year, self.day.month, self.day.day, 4, tzinfo=UTC)


def opened(url: str, day: date = date(2025, 6, 30), currency: str = "CNY") -> LoanBook:
    book = LoanBook.open(url, clock=Noon(day), actor="ann")
    book.init(currency=currency, open_day=day)
    return book


@pytest.fixture
def book(database_url: str) -> Iterator[LoanBook]:
    with opened(database_url) as made:
        yield made


def counts(report: SalesReport) -> tuple[int, int, int, int]:
    return report.accepted, report.updated, report.duplicates, report.rejected


def features(book: LoanBook, shop: str, as_of: str, *names: str) -> tuple[Any, ...]:
    found = book.underwriting.features(shop, as_of=date.fromisoformat(as_of))
    return tuple(found[name] for name in names)


# --- a later export of the same orders -------------------------------------------------------------------------------


def test_a_later_export_changes_what_is_known_from_its_day_on_and_nothing_before(book: LoanBook) -> None:
    may, june = EXPORTS / "jd-may.csv", EXPORTS / "jd-june.csv"
    assert counts(book.sales.load(may, platform="jd", shop="tea")) == (2, 0, 1, 0)
    known_in_may = features(book, "tea", "2025-05-31", "sales_90d", "orders_90d", "cancelled_365d")
    assert known_in_may == (93245 + 67800, 2, 0)

    assert counts(book.sales.load(june, platform="jd", shop="tea")) == (1, 1, 2, 0)
    assert features(book, "tea", "2025-05-31", "sales_90d", "orders_90d", "cancelled_365d") == known_in_may
    after = features(book, "tea", "2025-06-30", "sales_90d", "orders_90d", "cancelled_365d")
    assert after == (67800 + 33900, 2, 93245)
    (older,) = book.sales.versions("tea", "11729384072")
    assert (older.status, older.amount) == ("paid", Decimal("932.45"))


def test_a_refund_in_a_later_amazon_report_is_an_update_that_counts_from_its_day(book: LoanBook) -> None:
    may, june = EXPORTS / "amazon-may.txt", EXPORTS / "amazon-june.txt"
    book.sales.load(may, platform="amazon", shop="tea")
    assert features(book, "tea", "2025-05-31", "sales_90d") == (2999,)
    report = book.sales.load(june, platform="amazon", shop="tea")
    assert counts(report) == (0, 1, 0, 1)
    assert report.rejected_by_code == {"refund_without_sale": 1}
    assert features(book, "tea", "2025-05-31", "sales_90d") == (2999,)
    assert features(book, "tea", "2025-06-30", "sales_90d") == (1999,)
    for again in (june, may, june):
        assert book.sales.load(again, platform="amazon", shop="tea").updated == 0
    assert features(book, "tea", "2025-06-30", "sales_90d") == (1999,)


# --- several shops and platforms -------------------------------------------------------------------------------------


def test_the_shops_of_a_merchant_on_several_platforms_are_added_up(book: LoanBook) -> None:
    book.sales.load(EXPORTS / "jd-may.csv", platform="jd", shop="tea-jd")
    book.sales.load(EXPORTS / "pinduoduo.csv", platform="pinduoduo", shop="tea-pdd")
    book.sales.load(EXPORTS / "amazon-may.txt", platform="amazon", shop="tea-az")
    book.merchants.add("m-1", shops=("jd:tea-jd", "pinduoduo:tea-pdd", "amazon:tea-az"))
    decision = book.underwrite("m-1", as_of=date(2025, 6, 30))
    assert set(decision.shop_ids) == {"tea-jd", "tea-pdd", "tea-az"}
    known = [
        line
        for shop in decision.shop_ids
        for line in book.sales.lines(shop)
        if line.paid_on <= date(2025, 5, 2)  # as far as the flow of the shop known least
    ]
    assert {line.platform for line in known} == {"jd", "pinduoduo"}
    assert Decimal(book.explain(decision.id).features["received_365d"]) == sum(line.amount for line in known)


def test_an_export_in_another_currency_changes_nothing(database_url: str) -> None:
    with opened(database_url, currency="USD") as book:
        for name, platform in (("jd-may.csv", "jd"), ("amazon-may.txt", "amazon")):
            with pytest.raises(CurrencyMismatch):
                book.sales.load(EXPORTS / name, platform=platform, shop="tea")
        assert book.sales.imports() == ()
        report = book.sales.load(EXPORTS / "shopify.csv", platform="shopify", shop="tea")
        assert report.rejected_by_code == {"other_currency": 3}, "Shopify names the currency order by order"


def test_a_shop_that_cannot_be_one_is_refused(book: LoanBook) -> None:
    with pytest.raises(BadInput):
        book.sales.load(EXPORTS / "jd-may.csv", platform="jd", shop="tea\x00")


def test_a_key_used_with_another_shop_is_a_conflict_and_imports_nothing(book: LoanBook) -> None:
    book.sales.load(EXPORTS / "jd-may.csv", platform="jd", shop="tea", idempotency_key="k")
    assert book.sales.load(EXPORTS / "jd-may.csv", platform="jd", shop="tea", idempotency_key="k").replayed
    with pytest.raises(IdempotencyConflict):
        book.sales.load(EXPORTS / "jd-may.csv", platform="jd", shop="pot", idempotency_key="k")


# --- daily totals ----------------------------------------------------------------------------------------------------


def totals(
    folder: Path, days: int = 300, amount: str = "1000.00", shop: str = "stall", name: str = "d.csv"
) -> Path:
    rows = [f"{date(2025, 6, 30) - timedelta(days=n)},{shop},{amount}\n" for n in range(days)]
    file = folder / name
    file.write_text("date,shop_id,amount\n" + "".join(rows))
    return file


def orders(folder: Path, first: str = "2025-06-01", days: int = 10, shop: str = "stall") -> Path:
    start = date.fromisoformat(first)
    rows = [f"o{n},{shop},{start + timedelta(days=n)},1.00,completed,b{n}\n" for n in range(days)]
    file = folder / "orders.csv"
    file.write_text("order_id,shop_id,paid_at,amount,status,buyer_id\n" + "".join(rows))
    return file


def test_daily_totals_go_to_a_person_and_know_neither_orders_nor_buyers(
    book: LoanBook, tmp_path: Path
) -> None:
    book.sales.load(totals(tmp_path), platform="jd")
    decision = book.underwrite("stall", as_of=date(2025, 6, 30))
    assert decision.outcome == "manual_review"
    assert "daily_totals_only" in [reason["code"] for reason in decision.reasons]
    names = (
        "sales_90d",
        "active_days",
        "orders_90d",
        "average_order",
        "cancel_rate",
        "buyers",
        "top_buyer_share",
    )
    sold, active, *unknown = features(book, "stall", "2025-06-30", *names)
    assert sold == 90 * 100_000
    assert active is not None
    assert unknown == [None] * 5
    assert book.underwriting.rerun(decision.id).same


def test_a_day_counts_by_its_orders_or_by_its_total_never_by_both(book: LoanBook, tmp_path: Path) -> None:
    book.sales.load(totals(tmp_path), platform="jd")
    book.sales.load(orders(tmp_path), platform="jd")
    assert features(book, "stall", "2025-06-30", "sales_90d") == (80 * 100_000 + 10 * 100,)
    decision = book.underwrite("stall", as_of=date(2025, 6, 30))
    assert "daily_totals_only" not in [reason["code"] for reason in decision.reasons]


def test_a_corrected_total_is_an_update_and_the_same_file_again_changes_nothing(
    book: LoanBook, tmp_path: Path
) -> None:
    assert counts(book.sales.load(totals(tmp_path), platform="jd")) == (300, 0, 0, 0)
    assert counts(book.sales.load(totals(tmp_path), platform="jd")) == (0, 0, 300, 0)
    changed = totals(tmp_path, days=1, amount="2.00", name="e.csv")
    assert counts(book.sales.load(changed, platform="jd")) == (0, 1, 0, 0)


def test_totals_need_no_settlement_where_the_platform_reports_it(book: LoanBook, tmp_path: Path) -> None:
    settled = tmp_path / "settled.csv"
    settled.write_text(
        "order_id,shop_id,paid_at,amount,status,settled_at\n"
        "o1,other,2025-01-01,10.00,completed,2025-01-08\no2,other,2025-01-02,10.00,completed,\n"
        "o3,other,2025-06-30,10.00,completed,\n"
    )
    book.sales.load(settled, platform="jd")
    book.sales.load(totals(tmp_path), platform="jd")
    assert features(book, "stall", "2025-06-30", "sales_180d") == (180 * 100_000,)
    assert features(book, "other", "2025-06-30", "sales_365d") == (2000,), "nobody settled o2 in 45 days"


# --- settlement documents --------------------------------------------------------------------------------------------


def documents(folder: Path, months: int = 12, amount: str = "100000.00") -> Path:
    rows = [
        f"JS{n:04d},sup,{date(2025, 6, 28) - timedelta(days=10 * n)},{amount}\n" for n in range(3 * months)
    ]
    file = folder / "documents.csv"
    file.write_text("document_id,shop_id,settled_on,payable\n" + "".join(rows))
    return file


def test_a_suppliers_documents_are_its_sales_and_no_haircut_is_taken_for_its_only_buyer(
    book: LoanBook, tmp_path: Path
) -> None:
    book.sales.load(documents(tmp_path), platform="jd")
    (shop,) = book.merchants.show("sup").shops
    assert shop.platform_is_buyer
    decision = book.underwrite("sup", as_of=date(2025, 6, 30))
    assert features(book, "sup", "2025-06-30", "top_buyer_share") == (Decimal("1.0000"),)
    (haircut,) = [step for step in book.explain(decision.id).waterfall if step["step"] == "concentration"]
    assert Decimal(haircut["value"]) == 1


def test_documents_do_not_make_the_platform_one_that_settles_every_order(
    book: LoanBook, tmp_path: Path
) -> None:
    book.sales.load(documents(tmp_path), platform="jd")
    book.sales.load(orders(tmp_path, first="2025-03-01"), platform="jd")
    assert features(book, "stall", "2025-06-30", "sales_180d") == (1000,)


def test_a_shop_with_orders_of_its_own_keeps_its_buyers(book: LoanBook, tmp_path: Path) -> None:
    book.sales.load(orders(tmp_path, shop="sup"), platform="jd")
    book.sales.load(documents(tmp_path), platform="jd")
    assert not book.merchants.show("sup").shops[0].platform_is_buyer


def test_a_document_below_zero_is_rejected_with_its_line(book: LoanBook, tmp_path: Path) -> None:
    report = book.sales.load(documents(tmp_path, amount="-5.00"), platform="jd")
    assert report.rejected_by_code == {"negative_amount": 36}


# --- the same without a book -----------------------------------------------------------------------------------------


def test_whether_a_platform_settles_can_be_said_to_the_pure_decision() -> None:
    days = [date(2025, 6, 30) - timedelta(days=n) for n in range(300)]
    rows = [
        {
            "shop_id": "s",
            "order_id": str(n),
            "paid_at": day,
            "amount": "1000.00",
            "platform": "jd",
            "buyer_id": f"b{n}",
        }
        for n, day in enumerate(days)
    ]
    said = sales_lines(rows, settling_since={"jd": date(2025, 1, 1)})
    assert decide(rows, shipped_policy(), as_of="2025-06-30").snapshot.row["sales_180d"] == 180 * 100_000
    assert decide(said, shipped_policy(), as_of="2025-06-30").snapshot.row["sales_180d"] == 45 * 100_000
    unknown = sales_lines(rows, settling_since={"tmall": date(2025, 1, 1)})
    assert decide(unknown, shipped_policy(), as_of="2025-06-30").snapshot.row["sales_180d"] == 180 * 100_000


def test_strict_rejects_the_whole_report_for_a_refund_without_a_sale(book: LoanBook) -> None:
    with pytest.raises(InvalidFile):
        book.sales.load(EXPORTS / "amazon-june.txt", platform="amazon", shop="tea", strict=True)
    assert book.sales.imports() == ()
