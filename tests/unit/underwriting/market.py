"""A small marketplace made from a seed, unlike the bundled shops: steady ones, and ones whose sales then collapse."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from microloan.underwriting import SalesLines, sales_lines

FIRST = date(2023, 1, 1)
Row = dict[str, object]


def shop_rows(number: int, chance: Random, days: int = 700) -> list[Row]:
    """Two years of one shop; every third loses most of its buyers over two months, at a time of its own."""
    rate, fall = 0.15 + chance.random(), chance.randrange(250, days) if number % 3 == 0 else days + 100
    found: list[Row] = []
    for day in range(chance.randrange(0, 120), days):
        fading = min(max((day - fall) / 60, 0), 1)
        for _ in range(2):
            if chance.random() < rate * (1 - 0.95 * fading) / 2:
                found.append({
                    "shop_id": f"m{number}", "order_id": f"{number}-{len(found)}",
                    "paid_at": (FIRST + timedelta(days=day)).isoformat(),
                    "amount_minor": chance.randrange(2_000, 40_000), "buyer_id": f"b{number}-{chance.randrange(900)}",
                    "status": "cancelled" if chance.random() < 0.02 else "completed",
                })  # fmt: skip
    return found


def market(shops: int = 60, seed: int = 5) -> SalesLines:
    """The flow of so many shops."""
    return sales_lines(market_rows(shops, seed))


def market_rows(shops: int = 60, seed: int = 5) -> list[Row]:
    """The rows of so many shops."""
    chance = Random(seed)
    return [row for number in range(shops) for row in shop_rows(number, chance)]
