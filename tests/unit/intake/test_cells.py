"""What a cell of a sales file may hold, and what it may not."""

from __future__ import annotations

import time
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microloan.intake.cells import (
    DayReader,
    FormattedDayReader,
    amount_reader,
    currency_reader,
    identifiers,
    minor_reader,
    platform_reader,
    status_reader,
)
from microloan.intake.rejections import Fault, shown

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("0", 0),
        ("0.01", 1),
        ("12", 1200),
        ("12.3", 1230),
        ("12.34", 1234),
        (" 7.00\t", 700),
        ("-0.00", 0),
        ("007", 700),
    ],
)
def test_an_amount_in_plain_digits_becomes_minor_units(text: str, minor: int) -> None:
    assert amount_reader("amount", 2)[text] == minor


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("-1", "negative_amount"),
        ("-0.01", "negative_amount"),
        ("NaN", "bad_amount"),
        ("sNaN", "bad_amount"),
        ("Infinity", "bad_amount"),
        ("-inf", "bad_amount"),
        ("1e400", "bad_amount"),
        ("1E2", "bad_amount"),
        ("1e1000000", "bad_amount"),
        ("1_000", "bad_amount"),
        ("１２３", "bad_amount"),
        ("٣٤", "bad_amount"),
        ("1,234.5", "bad_amount"),
        ("1 234", "bad_amount"),
        ("¥12", "bad_amount"),
        ("12.", "bad_amount"),
        (".5", "bad_amount"),
        ("+5", "bad_amount"),
        ("0x10", "bad_amount"),
        ("12\x00", "bad_amount"),
        ("12\n", "bad_amount"),
        ("1" * 16, "bad_amount"),
        ("9" * 10_000_000, "bad_amount"),
        ("12.345", "too_many_decimals"),
        ("12.340", "too_many_decimals"),
        ("999999999999.99", "amount_too_large"),
        ("", "missing_value"),
        ("  ", "missing_value"),
    ],
)
def test_an_amount_that_is_no_plain_number_is_a_fault(text: str, code: str) -> None:
    begun = time.perf_counter()
    fault = amount_reader("amount", 2)[text]
    assert isinstance(fault, Fault)
    assert fault.code == code
    assert "amount" in fault.message
    assert len(fault.message) < 200
    assert time.perf_counter() - begun < 0.5


def test_the_currency_decides_how_many_decimals_there_are() -> None:
    assert amount_reader("amount", 0)["1200"] == 1200
    assert amount_reader("amount", 0)["1200.0"].code == "too_many_decimals"
    assert amount_reader("amount", 3)["1.234"] == 1234


@given(st.text(max_size=12))
def test_only_ascii_digits_ever_become_an_amount(text: str) -> None:
    found = amount_reader("amount", 2)[text]
    assert isinstance(found, Fault) or text.strip(" \t").isascii()


@given(st.integers(0, 10**13))
def test_minor_units_and_major_units_say_the_same(minor: int) -> None:
    major = f"{minor // 100}.{minor % 100:02d}"
    assert minor_reader("amount_minor")[str(minor)] == amount_reader("amount", 2)[major] == minor


def test_an_empty_refund_is_no_refund() -> None:
    assert amount_reader("refund_amount", 2, empty=0)[""] == 0
    assert minor_reader("refund_minor", empty=0)[""] == 0


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-02-29", date(2024, 2, 29)),
        ("2024-02-29T23:59:59", date(2024, 2, 29)),
        ("2024-02-29 23:59", date(2024, 2, 29)),
        ("2024-02-29T23:59:59.123456789", date(2024, 2, 29)),
        (" 2024-02-29T10:00:00 ", date(2024, 2, 29)),
        ("2024-02-29T15:59:59Z", date(2024, 2, 29)),
        ("2024-02-29T16:00:00Z", date(2024, 3, 1)),
        ("2024-02-29T23:00:00-05:00", date(2024, 3, 1)),
        ("2024-02-29T00:30:00.5+0900", date(2024, 2, 28)),
    ],
)
def test_a_time_is_a_day_in_the_lenders_zone(text: str, day: date) -> None:
    assert DayReader("paid_at", SHANGHAI).column([text]) == [day.toordinal()]


@pytest.mark.parametrize(
    "text",
    [
        "2023-02-29",
        "2024-13-01",
        "2024-1-1",
        "20240101",
        "2024-W01-1",
        "01/02/2024",
        "2024/01/02",
        "2024-01-02T24:00:00",
        "2024-01-02T10",
        "2024-01-02T10:00:60",
        "2024-01-02T10:00:00+25:00",
        "2024-01-02X10:00:00",
        "２０２４-01-02",
        "1969-12-31",
        "3000-01-01",
        "now",
        "2024-01-02\x00",
        "0",
    ],
)
def test_a_time_that_is_none_is_a_fault(text: str) -> None:
    reader = DayReader("paid_at", SHANGHAI)
    (fault,) = reader.column([text])
    assert isinstance(fault, Fault)
    assert fault.code == "bad_time"
    assert reader.faults == 1


def test_an_empty_time_is_a_fault_only_where_it_is_required() -> None:
    assert DayReader("paid_at", SHANGHAI).column([""])[0].code == "missing_value"
    assert DayReader("settled_at", SHANGHAI, optional=True).column(["", "2024-01-01"]) == [None, 738886]


def test_a_platforms_own_way_to_write_times_is_followed() -> None:
    reader = FormattedDayReader("paid_at", SHANGHAI, ("%Y/%m/%d %H:%M",))
    assert reader.column(["2024/2/29 8:05"]) == [date(2024, 2, 29).toordinal()]
    assert reader.column(["2024-02-29"]) == [date(2024, 2, 29).toordinal()]
    assert reader.column(["29.02.2024"])[0].code == "bad_time"


def test_a_status_is_one_of_five_or_a_word_the_platform_uses_for_it() -> None:
    reader = status_reader({"交易成功": "completed"})
    assert reader.column(["paid", " shipped", "交易成功"]) == ["paid", "shipped", "completed"]
    assert reader["Paid"].code == "unknown_status"
    assert reader[""].code == "missing_value"


def test_a_platform_code_is_lower_cased_and_checked() -> None:
    reader = platform_reader("jd")
    assert reader.column(["", "TMall", " pdd "]) == ["jd", "tmall", "pdd"]
    assert reader["a:b"].code == "bad_id"
    assert reader["京东"].code == "bad_id"
    assert platform_reader("")[""].code == "missing_value"


def test_amounts_in_another_currency_are_never_converted() -> None:
    reader = currency_reader("CNY")
    assert reader.column(["CNY", "cny", ""]) == ["CNY"] * 3
    assert reader["USD"].code == "other_currency"


def test_identifiers_are_kept_as_they_are_but_for_outer_blanks() -> None:
    assert identifiers("shop_id", ["a'; drop table ml_shop--", "旗舰店", "\t00123 "]) == (
        ["a'; drop table ml_shop--", "旗舰店", "00123"],
        0,
    )
    assert identifiers("buyer_id", ["", "b"], optional=True) == ([None, "b"], 0)


@pytest.mark.parametrize(
    "text", ["", " ", "a\x00b", "a\nb", "zero\u200bwidth", "\u202eright-to-left", "x" * 129]
)
def test_an_identifier_nobody_could_read_or_type_is_a_fault(text: str) -> None:
    found, faults = identifiers("order_id", ["good", text])
    assert found[0] == "good"
    assert faults == 1
    assert isinstance(found[1], Fault)


def test_one_identifier_is_one_however_its_accents_are_encoded() -> None:
    assert identifiers("shop_id", ["cafe\u0301"])[0] == identifiers("shop_id", ["caf\u00e9"])[0]


def test_a_cell_shown_in_a_message_is_short_and_printable() -> None:
    assert shown("x" * 500) == "'" + "x" * 40 + "…'"
    assert shown("a\x00\x1b[31m").isprintable()
    assert shown("京东") == "'京东'"
