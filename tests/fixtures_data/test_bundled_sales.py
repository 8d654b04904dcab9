"""The bundled sample sales: made by their generator, small, complete, and what the story needs."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import date
from pathlib import Path

import pytest
from microloan_cli import fixtures
from microloan_cli.fixtures import generate

from microloan.underwriting import Applicant, decide, load_policy, shipped_policy

FOLDER = Path(fixtures.__file__).parent
BUNDLED = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.csv*"))


def content(name: str) -> str:
    raw = (FOLDER / name).read_bytes()
    return (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """Every file as the generator makes it now."""
    return generate.files()


def test_what_is_bundled_is_what_is_made(made: dict[str, str]) -> None:
    assert sorted(made) == BUNDLED


@pytest.mark.parametrize("name", BUNDLED)
def test_the_same_seed_gives_the_bundled_text(made: dict[str, str], name: str) -> None:
    assert made[name] == content(name)


def test_another_seed_gives_other_sales_of_the_same_shops() -> None:
    shop = generate.shop("small")
    assert generate.rows(shop, seed=1) != generate.rows(shop)
    assert generate.rows(shop, seed=1) == generate.rows(shop, seed=1)


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = {path.name: path.read_bytes() for path in generate.write(tmp_path / "a")}
    assert first == {path.name: path.read_bytes() for path in generate.write(tmp_path / "b")}


def test_the_samples_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 3_000_000


def test_the_files_have_every_column_of_a_sales_file_and_no_news_from_after_the_export() -> None:
    for name in ("sales/seafood.csv.gz", "sales/marketplace.csv.gz"):
        rows = list(csv.DictReader(io.StringIO(content(name))))
        assert tuple(rows[0]) == generate.COLUMNS
        keys = {(row["shop_id"], row["order_id"], row["line_id"]) for row in rows}
        assert len(keys) == len(rows)
        for column in ("paid_at", "refunded_at", "status_at", "settled_at"):
            assert max(row[column][:10] for row in rows) <= generate.EXPORT_DAY.isoformat()


def test_the_wash_shops_honest_orders_are_the_same_without_its_wash_orders() -> None:
    shop = generate.shop("wash")
    honest = generate.rows(generate.without_wash(shop))
    washed = [
        row for row in generate.rows(shop) if "-w" not in row["buyer_id"] and "-x" not in row["buyer_id"]
    ]
    assert [{**row, "order_id": ""} for row in honest] == [{**row, "order_id": ""} for row in washed]


@pytest.mark.parametrize("day", [date(2025, 5, number) for number in range(1, 13)])
def test_the_storys_shop_is_granted_the_300000_it_needs_before_618(day: date) -> None:
    """The demo: 300,000.00 for 90 days at 0.048% a day, from the limit and the seasonal limit together."""
    covered = Applicant(covered_until=min(day, generate.EXPORT_DAY))
    found = decide(generate.rows(generate.shop("seafood")), shipped_policy(), as_of=day, applicant=covered)
    assert found.outcome == "approved"
    assert str(found.daily_rate) == "0.00048"
    assert found.seasonal is not None
    assert found.limit_minor + found.seasonal.limit_minor >= 30_000_000
    assert found.seasonal.draw_days >= 90


@pytest.mark.parametrize(
    ("shop", "outcome", "reason"),
    [
        ("seafood", "approved", "strong_sales"),
        ("steady", "approved", "strong_sales"),
        ("seasonal", "approved", "falling_sales"),
        ("growing", "approved", "strong_sales"),
        ("collapsing", "declined", "score_too_low"),
        ("refunds", "approved", "refunds"),
        ("wash", "manual_review", "accounts_apart"),
        ("onecustomer", "manual_review", "few_accounts"),
        ("young", "declined", "tenure_too_short"),
        ("newborn", "declined", "tenure_too_short"),
        ("small", "approved", "strong_sales"),
    ],
)
def test_each_shop_plays_its_part(shop: str, outcome: str, reason: str) -> None:
    found = decide(
        generate.rows(generate.shop(shop)), shipped_policy(), as_of=generate.DEMO_DAY,
        applicant=Applicant(covered_until=generate.EXPORT_DAY),
    )  # fmt: skip
    assert (found.outcome, found.reasons[0].code) == (outcome, reason)


def test_a_collapsing_shop_had_a_limit_before_and_is_lent_nothing_now() -> None:
    rows = generate.rows(generate.shop("collapsing"))
    then, now = (decide(rows, shipped_policy(), as_of=day) for day in (date(2025, 1, 5), generate.DEMO_DAY))
    assert then.outcome == "approved"
    assert now.limit_minor == 0


def test_the_careful_policy_lends_less_to_everybody() -> None:
    careful = load_policy(FOLDER / "policies" / "careful.toml")
    for shop in generate.SHOPS:
        rows = generate.rows(shop)
        usual = decide(rows, shipped_policy(), as_of=generate.DEMO_DAY)
        assert decide(rows, careful, as_of=generate.DEMO_DAY).limit_minor <= usual.limit_minor
