"""Honest shops whose every customer has a pace, a basket and a lifetime of their own.

Orders follow the Pareto/NBD model of repeat buying: customers arrive, order at a gamma-distributed rate while they stay, and
leave after an exponential time. A few are businesses. Promotions, live sales of one to three days and growth come on top,
several of them in one shop.

Source: Schmittlein, Morrison and Colombo, Counting your customers, Management Science 33 (1987).
"""

from __future__ import annotations

from datetime import date, timedelta
from math import exp
from random import Random

from other_wash import poisson

AS_OF = date(2025, 8, 3)
Row = dict[str, object]
_DAYS = 480
_PEAKS = ((6, 18), (11, 11), (12, 12))


def honest_shop(seed: int) -> list[Row]:
    """16 months of a shop with customers of every kind; none of its orders is anything but a customer's."""
    chance = Random(seed)
    crowd = _crowd(chance)
    arrivals, shape = chance.uniform(0.2, 3), chance.uniform(0.15, 1.2)
    pace, stay = chance.uniform(0.005, 0.04), chance.uniform(40, 300)
    basket, spread = chance.uniform(7, 10), chance.uniform(0.3, 1.2)
    trade = chance.uniform(0, 0.05)
    opened = chance.randrange(200, _DAYS) if chance.random() < 0.3 else _DAYS
    rows: list[Row] = []
    for back in range(opened, 0, -1):
        for _ in range(poisson(chance, arrivals * crowd[back] * (1 - exp(-(opened - back + 30) / 120)))):
            business = chance.random() < trade
            rate = chance.gammavariate(shape, pace / shape) * (2 if business else 1)
            level = chance.gauss(basket + (chance.uniform(1.2, 3) if business else 0), spread / 2)
            leaves = back - chance.expovariate(1 / stay)
            buyer, at = f"c{len(rows)}", float(back)
            while at > max(leaves, 1):
                rows.append(
                    _order(chance, f"h{len(rows)}", int(at), level + chance.gauss(0, spread / 2), buyer)
                )
                busier = crowd[int(at)] if chance.random() < 0.3 else 1
                at -= chance.expovariate(max(rate * busier, 1e-6))
    return rows


def _crowd(chance: Random) -> list[float]:
    """How many customers come so many days back, against an ordinary day."""
    weekend, wave = chance.uniform(0.7, 1.6), chance.uniform(0, 0.4)
    promotes = chance.uniform(3, 15) if chance.random() < 0.6 else 1.0
    found = []
    for back in range(_DAYS + 1):
        day = AS_OF - timedelta(days=back)
        factor = (weekend if day.weekday() >= 5 else 1) * (1 + wave * ((day.month % 6) - 3) / 3)
        near = [abs((day - date(day.year, *peak)).days) for peak in _PEAKS]
        found.append(factor * (1 + (promotes - 1) * exp(-min(near) / 2)))
    if chance.random() < 0.5:
        for _ in range(chance.randrange(1, 9)):
            first, times = chance.randrange(1, _DAYS - 3), chance.uniform(3, 12)
            for back in range(first, first + chance.randrange(1, 4)):
                found[back] *= times
    return found


def _order(chance: Random, number: str, back: int, log_amount: float, buyer: str) -> Row:
    day = AS_OF - timedelta(days=back)
    amount = max(int(exp(log_amount)), 100)
    done = day + timedelta(days=4 + int(chance.gammavariate(2, 2.5)))
    known = done.isoformat() if done <= AS_OF else None
    fate = chance.random()
    goes_back = known is not None and fate < 0.06
    status = "cancelled" if 0.06 < fate < 0.08 else "refunded" if goes_back else "completed"
    return {
        "shop_id": "shop", "order_id": number, "paid_at": day.isoformat(), "amount_minor": amount, "buyer_id": buyer,
        "status": status, "refund_minor": amount if goes_back else 0, "refunded_at": known if goes_back else None,
        "status_at": day.isoformat() if status == "cancelled" else None,
        "settled_at": known if status == "completed" else None,
    }  # fmt: skip
