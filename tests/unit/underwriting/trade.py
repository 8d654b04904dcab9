"""Honest shops as a credit team meets them: heavy-tailed values, named peaks, trade customers, flash sales, growth.

Rules on regulars, wholesale buyers and busy days were settled on these, on :mod:`other_trade` and on :mod:`other_wash`. Each shop
has one habit strongly: ``seed % 5`` says which.
"""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from other_wash import poisson

AS_OF = date(2025, 6, 30)
Row = dict[str, object]
HABITS = ("heavy", "seasonal", "wholesale", "flash", "growing")
_PEAKS = ((6, 18), (11, 11), (12, 12))


def honest_shop(seed: int) -> list[Row]:
    """Up to 15 months of a shop whose every order is a customer's."""
    chance = Random(seed)
    habit = HABITS[seed % len(HABITS)]
    days = chance.randrange(200, 460) if habit == "growing" else 460
    rate, newcomers, scale = chance.uniform(0.5, 6), chance.uniform(0.4, 0.95), chance.uniform(1500, 12_000)
    tail = chance.uniform(1.4, 2.2) if habit == "heavy" else chance.uniform(2.5, 5)
    flash_days = (
        {chance.randrange(1, days) for _ in range(chance.randrange(2, 7))} if habit == "flash" else set()
    )
    bought: list[str] = []
    rows: list[Row] = []
    for back in range(days, 0, -1):
        day = AS_OF - timedelta(days=back)
        grown = 0.08 ** (back / days) if habit == "growing" else 1
        crowd = _peak_factor(chance, day) if habit == "seasonal" else 1
        crowd *= chance.uniform(5, 15) if back in flash_days else 1
        for _ in range(poisson(chance, rate * grown * crowd)):
            fresh = not bought or chance.random() < (0.9 if crowd > 3 else newcomers)
            bought.append(f"c{len(rows)}" if fresh else chance.choice(bought[-200:]))
            amount = scale * chance.paretovariate(tail) * (0.7 if back in flash_days else 1)
            rows.append(order(chance, f"h{len(rows)}", day, int(amount), bought[-1]))
    if habit == "wholesale":
        rows += _trade_orders(chance, scale)
    return rows


def _peak_factor(chance: Random, day: date) -> float:
    near = min(abs((day - date(day.year, *peak)).days) for peak in _PEAKS)
    if near == 0:
        return chance.uniform(5, 20)
    return 2 if near <= 10 else 1


def _trade_orders(chance: Random, scale: float) -> list[Row]:
    rows: list[Row] = []
    for customer in range(chance.randrange(1, 6)):
        pause, size, back = chance.uniform(10, 40), scale * chance.uniform(4, 15), chance.uniform(60, 455)
        while back > 1:
            day = AS_OF - timedelta(days=int(back))
            rows.append(
                order(chance, f"t{len(rows)}", day, int(size * chance.lognormvariate(0, 0.4)), f"t{customer}")
            )
            back -= pause * chance.uniform(0.6, 1.4)
    return rows


def order(chance: Random, number: str, day: date, amount: int, buyer: str) -> Row:
    """A customer's order: one in twenty goes back, the others are settled within days."""
    goes_back, later = chance.random() < 0.05, day + timedelta(days=int(chance.lognormvariate(1.8, 0.4)))
    known = later.isoformat() if later <= AS_OF else None
    returned = goes_back and known is not None
    return {
        "shop_id": "shop", "order_id": number, "paid_at": day.isoformat(), "amount_minor": max(amount, 100),
        "buyer_id": buyer, "status": "refunded" if returned else "completed",
        "refund_minor": max(amount, 100) if returned else 0, "refunded_at": known if returned else None,
        "settled_at": None if returned else known,
    }  # fmt: skip
