"""Each shipped layout reads an export as the platform writes it, and says of every row what became of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microloan.errors import CurrencyMismatch, InvalidFile
from microloan.intake.cells import amount_reader, plain_amount, unprotected
from microloan.intake.entries import LineKey, Sold, nothing_sold
from microloan.intake.lines import Expected
from microloan.intake.mapping import Mapping, mapping_of, shipped, shipped_names, shipped_text
from microloan.intake.sales import Reading, StagedSales, read_sales

EXPORTS = Path(__file__).parents[2] / "cli" / "files" / "platforms"


def staged(
    file: object,
    platform: str = "",
    shop: str = "tea",
    currency: str = "CNY",
    mapping: Any = None,
    now: datetime | None = None,
    **options: Any,
) -> StagedSales:
    layout = None if mapping is None else mapping_of(mapping)
    return read_sales(
        file, Reading(Expected(platform, currency, "Asia/Shanghai", layout, shop, now), **options)
    )


def export(name: str, platform: str, shop: str = "tea", **options: Any) -> StagedSales:
    return staged(EXPORTS / name, platform, shop, **options)


def told(sales: StagedSales, *names: str) -> list[tuple[Any, ...]]:
    """The named cells of every line, days as ISO text, by order."""
    lines = [
        dict(zip(part._fields, row, strict=True))
        for part in sales.batches()
        for row in zip(*part, strict=True)
    ]
    return sorted(tuple(_plain(name, line[name]) for name in names) for line in lines)


def _plain(name: str, cell: Any) -> Any:
    return date.fromordinal(cell).isoformat() if name.endswith("_day") and cell is not None else cell


def codes(sales: StagedSales) -> list[tuple[int, str]]:
    return [(it.line, it.code) for it in sales.rejections]


# --- the shipped layouts ---------------------------------------------------------------------------------------------


def test_taobao_ids_protected_against_excel_signs_and_a_masked_buyer_are_read() -> None:
    sales = export("taobao.csv", "taobao")
    assert told(
        sales, "order_id", "paid_day", "amount_minor", "refund_minor", "status", "settled_day", "buyer_id"
    ) == [
        ("1930679858170647", "2025-05-01", 59800, 0, "completed", "2025-05-08", "tb茶客01"),
        ("1930679858170648", "2025-05-02", 109800, 9800, "shipped", None, None),
        ("1930679858170651", "2025-05-04", 9800, 9800, "cancelled", None, "茶友4"),
    ]
    assert sales.left_out == {"unpaid": 2}, "an order waiting for its money, and one closed without any"
    assert codes(sales) == [(7, "unknown_status")]


def test_tmall_writes_like_taobao() -> None:
    assert export("taobao.csv", "tmall").mapping == shipped("taobao")


def test_an_order_of_several_articles_counts_once_in_jds_export() -> None:
    sales = export("jd-may.csv", "jd")
    assert set(told(sales, "order_id", "paid_day", "amount_minor", "status", "buyer_id")) == {
        ("11729384072", "2025-05-01", 93245, "paid", "jd_a1"),
        ("11729384073", "2025-05-02", 67800, "completed", "jd_b2"),
    }
    assert (sales.count, sales.left_out, sales.rejected) == (3, {"unpaid": 1}, 0)


def test_pinduoduo_counts_what_the_merchant_gets_and_an_order_given_back_as_refunded_whole() -> None:
    sales = export("pinduoduo.csv", "pdd")
    assert told(sales, "order_id", "amount_minor", "refund_minor", "status", "product_id") == [
        ("250501-400000294410900", 2900, 0, "completed", "401"),
        ("250502-400000294410901", 16899, 0, "shipped", "402"),
        ("250503-400000294410902", 16899, 16899, "refunded", "402"),
    ]
    assert sales.left_out == {"unpaid": 1}


def test_shopify_totals_stand_in_the_first_row_of_an_order() -> None:
    sales = export("shopify.csv", "shopify")
    assert told(sales, "order_id", "paid_day", "amount_minor", "refund_minor", "status") == [
        (
            "#1050",
            "2025-05-02",
            10090,
            0,
            "completed",
        ),  # paid 23:30 UTC on the first: the next day in Shanghai
        ("#1051", "2025-05-02", 5000, 2000, "completed"),
    ]
    assert sales.left_out == {"continuation": 1, "unpaid": 1}
    assert codes(sales) == [(7, "other_currency")]


def test_a_row_that_continues_no_order_is_no_continuation(tmp_path: Path) -> None:
    text = (EXPORTS / "shopify.csv").read_text().replace("#1050,ann@example.com,,", "#9,ann@example.com,,")
    (tmp_path / "orders.csv").write_text(text)
    assert codes(staged(tmp_path / "orders.csv", "shopify")) == [(3, "missing_value"), (7, "other_currency")]


def test_amazon_entries_are_summed_to_sale_and_refund_without_fees_and_tax() -> None:
    sales = export("amazon-may.txt", "amazon")
    assert told(
        sales, "order_id", "line_id", "paid_day", "amount_minor", "refund_minor", "status", "refunded_day"
    ) == [
        ("111-1", "77", "2025-05-03", 2999, 0, "completed", None),  # 29.99 + 3.99 − 3.99, posted 17:23 UTC
        ("111-2", "78", "2025-05-04", 4999, 4999, "refunded", "2025-05-10"),
    ]
    assert sales.left_out == {"other_entry": 5}


def known(**of: Sold) -> Callable[[Any], dict[LineKey, Sold]]:
    """A book that has sold these orders of the shop, article 77."""
    return lambda keys: {
        ("amazon", "tea", order.replace("_", "-")[1:], "77"): sold for order, sold in of.items()
    }


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def test_a_refund_in_a_later_report_is_added_to_the_sale_that_the_book_has() -> None:
    before = Sold(day("2025-05-03"), 2999, 500, day("2025-05-20"), day("2025-05-20"))
    sales = export("amazon-june.txt", "amazon", sold_before=known(o111_1=before))
    assert told(
        sales, "order_id", "paid_day", "amount_minor", "refund_minor", "refunded_day", "status_day"
    ) == [("111-1", "2025-05-03", 2999, 1500, "2025-05-20", "2025-06-03")]
    assert codes(sales) == [(4, "refund_without_sale")]


def test_the_same_refund_again_adds_nothing() -> None:
    after = Sold(day("2025-05-03"), 2999, 1500, day("2025-05-20"), day("2025-06-03"))
    sales = export("amazon-june.txt", "amazon", sold_before=known(o111_1=after))
    assert told(sales, "amount_minor", "refund_minor", "refunded_day") == [(2999, 1500, "2025-05-20")]


def test_an_earlier_report_again_takes_no_later_refund_back() -> None:
    after = Sold(day("2025-05-03"), 2999, 1000, day("2025-06-03"), day("2025-06-03"))
    sales = export("amazon-may.txt", "amazon", sold_before=known(o111_1=after))
    assert ("111-1", 2999, 1000) in told(sales, "order_id", "amount_minor", "refund_minor")


def test_no_more_is_given_back_than_was_sold() -> None:
    before = Sold(day("2025-05-03"), 2999, 2500, day("2025-05-20"), day("2025-05-20"))
    sales = export("amazon-june.txt", "amazon", sold_before=known(o111_1=before))
    assert told(sales, "refund_minor", "status") == [(2999, "refunded")]
    assert sales.adjusted == {"refund_above_sale": 1}


def test_a_report_in_another_currency_is_refused_whole() -> None:
    with pytest.raises(CurrencyMismatch) as refused:
        export("amazon-may.txt", "amazon", currency="USD")
    assert refused.value.details["value"] == "CNY"
    assert "line 2" in refused.value.details["field"]


def test_an_export_of_a_platform_with_one_currency_is_refused_by_a_book_in_another() -> None:
    with pytest.raises(CurrencyMismatch):
        export("jd-may.csv", "jd", currency="USD")


def test_daily_totals_have_no_order_and_their_day_as_line() -> None:
    sales = export("daily.csv", "jd", shop="")
    assert told(sales, "order_id", "line_id", "shop_id", "amount_minor", "refund_minor", "status") == [
        ("", "2025-05-01", "stall", 12000, 0, "completed"),
        ("", "2025-05-02", "stall", 8050, 1050, "completed"),
    ]
    assert sales.mapping.name == "daily"


def test_a_settlement_document_is_an_order_of_the_platform_settled_on_its_day() -> None:
    sales = export("documents.csv", "jd", shop="")
    assert told(sales, "order_id", "shop_id", "paid_day", "settled_day", "amount_minor", "buyer_id") == [
        ("JS20250510001", "sup-1", "2025-05-10", "2025-05-10", 1200000, "jd"),
        ("JS20250520001", "sup-1", "2025-05-20", "2025-05-20", 800000, "jd"),
    ]
    assert sales.ignored_columns == ("结算周期", "扣款金额")


@pytest.mark.parametrize(
    ("name", "platform", "shop", "today", "late"),
    [
        ("daily.csv", "jd", "", "2025-05-01", [3]),
        ("documents.csv", "jd", "", "2025-05-19", [3]),
        ("jd-may.csv", "jd", "tea", "2025-05-01", [4]),
        ("amazon-may.txt", "amazon", "tea", "2025-05-01", [3, 4, 5, 8, 9]),
    ],
)
def test_what_was_paid_after_the_day_of_the_import_is_rejected_in_every_layout(
    name: str, platform: str, shop: str, today: str, late: list[int]
) -> None:
    now = datetime.fromisoformat(f"{today}T12:00:00+08:00")
    assert codes(export(name, platform, shop, now=now)) == [(line, "day_to_come") for line in late]
    assert codes(export(name, platform, shop, now=now + timedelta(days=60))) == []


# --- which layout ----------------------------------------------------------------------------------------------------


def test_a_file_in_the_contracts_layout_is_that_whatever_the_platform(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("order_id,shop_id,paid_at,amount,status\no1,s1,2024-05-01,1,paid\n")
    assert staged(tmp_path / "orders.csv", "taobao", "").mapping == Mapping()


def test_a_frame_finds_its_layout_by_its_columns_too() -> None:
    frame = pd.read_csv(EXPORTS / "jd-may.csv", encoding="gb18030", dtype=str)
    sales = staged(frame, "jd")
    assert (sales.mapping.name, sales.count) == ("jd", 3)


def test_a_byte_order_mark_says_utf_8_against_the_layouts_encoding(tmp_path: Path) -> None:
    text = (EXPORTS / "taobao.csv").read_bytes().decode("gb18030").removeprefix("\ufeff")
    (tmp_path / "orders.csv").write_text(text, encoding="utf-8-sig")
    assert staged(tmp_path / "orders.csv", "taobao").count == 3
    with pytest.raises(InvalidFile):
        staged(tmp_path / "orders.csv", "taobao", encoding="gb18030")


def test_an_export_without_a_shop_says_that_one_has_to_be_named() -> None:
    with pytest.raises(InvalidFile) as refused:
        export("jd-may.csv", "jd", shop="")
    assert refused.value.code == "missing_column"
    assert "name the shop of the whole file" in refused.value.details["reason"]


def test_a_file_that_names_no_platform_is_told_how_to_name_one(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("order_id,shop_id,paid_at,amount,status\n1,s,2025-05-01,10,paid\n", encoding="utf-8")
    with pytest.raises(
        InvalidFile, match="name the platform of the whole file \\(--platform NAME\\); its columns are"
    ) as refused:
        staged(file, "", shop="")
    assert refused.value.details["columns"] == ["platform"]
    assert staged(file, "own", shop="").count == 1


def test_a_shop_for_the_whole_file_and_a_column_for_it_contradict_each_other() -> None:
    with pytest.raises(InvalidFile) as refused:
        export("daily.csv", "jd", shop="tea")
    assert refused.value.code == "ambiguous_column"


def test_the_wrong_platforms_export_is_refused_with_the_columns_it_has() -> None:
    with pytest.raises(InvalidFile) as refused:
        export("jd-may.csv", "taobao")
    assert refused.value.details["columns"] == ["order_id", "paid_at", "amount"]
    assert "'付款确认时间'" in refused.value.details["reason"]


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_layout_says_what_to_export_and_where_it_is_documented(name: str) -> None:
    layout = shipped(name)
    assert layout is not None
    assert layout.name == name
    assert layout.title
    assert layout.export
    assert layout.source == "unverified" or layout.source.startswith(("https://", "docs/"))
    assert not [status for status in layout.status.values() if status not in shipped_text(name)]


# --- mappings of one's own -------------------------------------------------------------------------------------------


def test_semicolons_decimal_commas_and_a_zone_of_ones_own() -> None:
    sales = export("mine.csv", "ebay", shop="", mapping=EXPORTS / "mine.toml")
    assert told(sales, "order_id", "shop_id", "paid_day", "amount_minor") == [
        ("A-1", "laden", "2025-06-01", 123450)
    ]
    assert sales.left_out == {"unpaid": 1}


BAD_MAPPINGS = {
    "an unknown column": ('[columns]\npaid_on = "Tag"', "line 2: columns.paid_on: is not one of our columns"),
    "an unknown setting": ('name = "x"\ncolour = "red"', "line 2: colour: is not a setting of a mapping"),
    "an unknown status": ('[status]\n"fertig" = "finished"', "line 2: status.fertig: Input should be"),
    "an unknown encoding": ('encoding = "klingon"', "line 1: encoding: there is no text encoding 'klingon'"),
    "an unknown time zone": (
        'time_zone = "Mars/Base"',
        "line 1: time_zone: there is no time zone 'Mars/Base'",
    ),
    "a path for a time zone": ('time_zone = "../../etc/passwd"', "line 1: time_zone: there is no time zone"),
    "one mark for two things": (
        '[money]\ndecimal = ","\nthousands = ","',
        "line 1: money: thousands and decimal are",
    ),
    "an order fixed for all": ('[fixed]\norder_id = "1"', "line 1: fixed: order_id differs from row to row"),
    "two ways to take rows": (
        '[rows]\ncontinuation = "x"\n[entries]\nkind = "x"\nsale = "y"',
        "a file of entries has no continuation rows",
    ),
    "no TOML": ('name = "x', "is no TOML file"),
}


@pytest.mark.parametrize("what", BAD_MAPPINGS)
def test_a_mapping_with_a_fault_is_refused_with_its_line(what: str, tmp_path: Path) -> None:
    text, said = BAD_MAPPINGS[what]
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(InvalidFile) as refused:
        Mapping.read(tmp_path / "mine.toml")
    assert refused.value.code == "invalid_mapping"
    assert refused.value.details["reason"].startswith(said)


def test_a_column_the_rules_need_is_asked_for_like_any_other() -> None:
    layout = Mapping.of_text(
        shipped_text("shopify").replace('"Financial Status"\n\n[cells]', '"Grp"\n\n[cells]'), "x"
    )
    with pytest.raises(InvalidFile) as refused:
        export("shopify.csv", "shopify", mapping=layout)
    assert refused.value.details["reason"].startswith(
        "has no column Grp of the layout shopify; its columns are 'Name'"
    )


# --- cells -----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**12), st.sampled_from(["", "¥", "元"]), st.sampled_from([",", ".", " ", "'"]))
def test_an_amount_is_read_as_it_is_written(minor: int, sign: str, thousands: str) -> None:
    decimal = "," if thousands == "." else "."
    written = f"{minor // 100:,}".replace(",", thousands) + f"{decimal}{minor % 100:02d}"
    read = amount_reader("amount", 2, plain=plain_amount(("¥", "元"), thousands, decimal))
    assert read[sign + written] == minor
    assert read[written + sign] == minor


@pytest.mark.parametrize(
    "cell", ["1,23.00", "12,34", "1,2345.00", ",100.00", "1,,000.00", "1,000,00", "$1.00", "¥", "¥¥-5"]
)
def test_what_is_not_grouped_by_thousands_is_no_amount(cell: str) -> None:
    assert not isinstance(amount_reader("amount", 2, plain=plain_amount(("¥",), ",", "."))[cell], int)


@given(st.text(st.characters(codec="utf-8", exclude_characters='"'), max_size=20).map(str.strip))
def test_what_excel_protects_comes_back(text: str) -> None:
    bare = text.removeprefix("'")
    if bare and not bare.startswith("=") and bare == bare.strip(" \t"):
        assert unprotected(f'="{bare}"') == unprotected(f"{bare}\t") == unprotected(f"\t'{bare}") == bare


def test_a_book_without_sales_has_sold_nothing() -> None:
    assert nothing_sold([("amazon", "tea", "1", "")]) == {}
