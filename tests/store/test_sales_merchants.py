"""Merchants, shops, related parties, ratings, and the lender's dated settings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from sqlalchemy import text

from microloan.book.lender import exposure_caps, holidays, lpr_on, rate_ceilings
from microloan.book.loanbook import LoanBook
from microloan.book.results import Waiting
from microloan.errors import (
    BadInput,
    EventRefused,
    FourEyesRequired,
    IdempotencyConflict,
    InvalidFile,
    InvalidSetting,
    NotFound,
)
from microloan.store.base import open_engine

DAY = date(2024, 6, 1)


class Noon:
    """A clock that stands."""

    def now_utc(self) -> datetime:
        return datetime(2024, 6, 1, 4, tzinfo=UTC)


@pytest.fixture
def book(database_url: str) -> Iterator[LoanBook]:
    with LoanBook.open(database_url, clock=Noon(), actor="ann") as made:
        made.init(open_day=DAY)
        yield made


def imported(book: LoanBook, folder: Path, *shops: tuple[str, str]) -> None:
    """One order for each platform and shop."""
    file = folder / "orders.csv"
    rows = "".join(f"o1,{shop},{platform},2024-05-01,10,paid\n" for platform, shop in shops)
    file.write_text(f"order_id,shop_id,platform,paid_at,amount,status\n{rows}")
    book.sales.load(file)


def test_a_shop_nobody_registered_is_its_own_merchant(book: LoanBook, tmp_path: Path) -> None:
    imported(book, tmp_path, ("jd", "s1"))
    merchant = book.merchants.show("s1")
    assert (merchant.id, merchant.registered, merchant.shops[0].platform) == ("s1", False, "jd")


def test_a_second_platforms_shop_of_the_same_id_is_another_merchant(book: LoanBook, tmp_path: Path) -> None:
    imported(book, tmp_path, ("jd", "s1"), ("tmall", "s1"))
    assert [merchant.id for merchant in book.merchants.list()] == ["s1", "tmall:s1"]
    assert book.merchants.show("tmall:s1").shops[0].platform == "tmall"
    assert book.merchants.show("jd:s1").id == "s1"
    with pytest.raises(BadInput) as caught:
        book.merchants.show("s1")
    assert caught.value.code == "ambiguous_shop"


def test_a_merchant_may_be_registered_with_shops_before_and_after_their_sales(
    book: LoanBook, tmp_path: Path
) -> None:
    book.merchants.add("m1", "Harbour Seafood", shops=["jd:s1"])
    imported(book, tmp_path, ("jd", "s1"), ("tmall", "s9"))
    book.merchants.give("tmall:s9", "m1")
    shown = book.merchants.show("s9")
    assert (shown.id, shown.name, [shop.shop_id for shop in shown.shops]) == (
        "m1",
        "Harbour Seafood",
        ["s1", "s9"],
    )
    assert len(book.sales.lines("s9")) == 1


@pytest.mark.parametrize("name", ["", "a b", "店", "x" * 65, "-x", "a\x00"])
def test_a_merchants_id_is_plain(book: LoanBook, name: str) -> None:
    with pytest.raises(BadInput, match=r"ASCII|NUL"):
        book.merchants.add(name)


def test_a_merchant_is_registered_once(book: LoanBook) -> None:
    book.merchants.add("m1")
    with pytest.raises(EventRefused) as caught:
        book.merchants.add("m1")
    assert caught.value.code == "already_registered"
    with pytest.raises(NotFound):
        book.merchants.show("m2")
    with pytest.raises(NotFound):
        book.merchants.give("jd:s1", "m9")


def test_a_key_used_twice_registers_once(book: LoanBook) -> None:
    assert not book.merchants.add("m1", idempotency_key="k").replayed
    assert book.merchants.add("m1", idempotency_key="k").replayed
    with pytest.raises(IdempotencyConflict):
        book.merchants.add("m2", idempotency_key="k")


def test_related_parties_are_known_from_both_sides(book: LoanBook) -> None:
    for name in ("m1", "m2", "m3"):
        book.merchants.add(name)
    book.merchants.link("m2", "m1", "same owner")
    book.merchants.link("m1", "m2", "same owner")
    assert [party.merchant_id for party in book.merchants.show("m1").related] == ["m2"]
    assert [party.reason for party in book.merchants.show("m2").related] == ["same owner"]
    with pytest.raises(BadInput, match="not its own"):
        book.merchants.link("m1", "m1")


def test_identifiers_are_matched_but_never_kept(book: LoanBook, database_url: str) -> None:
    for name in ("m1", "m2"):
        book.merchants.add(name)
    book.merchants.identify("m1", "phone", "138-0013-8000")
    shown = book.merchants.identify("m2", "phone", "13800138000")
    assert [(each.kind, each.last_four, each.also_of) for each in shown.identifiers] == [
        ("phone", "8000", ("m1",))
    ]
    engine = open_engine(database_url)
    with engine.connect() as connection:
        for table in ("ml_identifier", "ml_command", "ml_setting"):
            content = str(connection.execute(text(f"SELECT * FROM {table}")).all())
            assert "13800138000" not in content
            assert "138-0013-8000" not in content


def test_shops_come_from_a_file_with_their_ratings(book: LoanBook, tmp_path: Path) -> None:
    file = tmp_path / "shops.csv"
    file.write_text(
        "shop_id,platform,merchant_id,rating,violations,rated_on\n"
        "s1,jd,m1,4.8,2,2024-05-20\ns2,jd,,,,\ns3,j d,,,,\ns4,jd,m1,nan,,\n"
    )
    report = book.merchants.import_shops(file)
    assert (report.accepted, report.updated, report.duplicates, report.rejected) == (2, 0, 0, 2)
    assert [it.line for it in report.rejections] == [4, 5]
    shop = book.merchants.show("s1").shops[0]
    assert (shop.merchant_id, shop.rating, shop.violations, shop.rated_on) == (
        "m1",
        Decimal("4.8"),
        2,
        date(2024, 5, 20),
    )
    again = book.merchants.import_shops(file)
    assert (again.accepted, again.updated, again.duplicates) == (0, 0, 2)


def test_merchants_come_from_a_file(book: LoanBook, tmp_path: Path) -> None:
    file = tmp_path / "merchants.csv"
    file.write_text("merchant_id,name\nm1,One\nm 2,Two\nm1,One\n")
    report = book.merchants.import_merchants(file)
    assert (report.accepted, report.duplicates, report.rejected) == (1, 1, 1)
    file.write_text("id\nm1\n")
    with pytest.raises(InvalidFile, match="no column merchant_id"):
        book.merchants.import_merchants(file)


def test_a_rating_is_known_from_its_day(book: LoanBook, tmp_path: Path) -> None:
    imported(book, tmp_path, ("jd", "s1"))
    assert book.merchants.rate("s1", rating="4.9").rated_on == DAY
    with pytest.raises(BadInput):
        book.merchants.rate("s1", violations=-1)


# --- the lender's settings -------------------------------------------------------------------------------------------

SETTINGS = """
[[net_assets]]
from = 2023-01-01
amount = "1000000"
[[net_assets]]
from = 2025-01-01
amount = "2000000"
[[lpr]]
from = 2024-01-20
rate = "3.45%"
[[ceilings]]
from = 2024-01-01
lpr_multiple = 4
[[caps]]
from = 2024-01-01
merchant_share = "10%"
group_amount = "50000"
[[holidays]]
from = 2024-01-01
days = [2024-02-10, 2024-10-01]
"""


def test_settings_count_from_their_day(book: LoanBook, tmp_path: Path) -> None:
    file = tmp_path / "lender.toml"
    file.write_text(SETTINGS)
    shown = book.lender.set(file)
    assert (shown.net_assets, shown.lpr, shown.rate_ceiling) == (Decimal("1000000.00"), "0.0345", "0.138")
    assert book.lender.show(date(2025, 1, 1)).net_assets == Decimal("2000000.00")
    assert book.lender.show(date(2022, 1, 1)).net_assets is None
    assert book.lender.set(file).settings == shown.settings
    assert book._desk.read(lambda unit: lpr_on(unit, date(2024, 1, 19))) is None
    assert book._desk.read(holidays) == {date(2024, 2, 10), date(2024, 10, 1)}
    ceilings = book._desk.read(rate_ceilings)
    assert ceilings is not None
    assert ceilings[0].limit(Fraction(3, 100)) == Fraction(12, 100)


def test_a_cap_without_its_input_is_not_set_and_never_met(book: LoanBook) -> None:
    book.merchants.add("m1")
    book.lender.set({"caps": [{"from": "2024-01-01", "merchant_share": "10%", "group_amount": "50000"}]})
    caps = book._desk.read(lambda unit: exposure_caps(unit, "m1", {"m1"}))
    assert [(cap.name, cap.most, cap.used) for cap in caps] == [
        ("net_assets_merchant", None, 0), ("related_group", 5_000_000, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"lpr": [{"from": "2024-01-01", "rate": 0.03}]}, "lpr.0.rate"),
        ({"lpr": [{"from": "soon", "rate": "3%"}]}, "lpr.0.from"),
        ({"assets": 1}, "assets"),
        ({"ceilings": [{"from": "2024-01-01"}]}, "ceilings.0"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(book: LoanBook, given: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        book.lender.set(given)
    assert caught.value.details["field"] == field


def test_with_four_eyes_settings_need_a_second_person(book: LoanBook) -> None:
    book.lender.set({"four_eyes": "on"})
    waiting = book.lender.set({"four_eyes": "off"})
    assert isinstance(waiting, Waiting)
    assert book.settings().four_eyes == "on"
    with pytest.raises(FourEyesRequired):
        book.requests.approve(waiting.request_id)
    with pytest.raises(FourEyesRequired):
        book.acting("ann", "Ann ")
    assert book.acting("ann", "bob").lender.set({"four_eyes": "off"}).four_eyes == "off"
