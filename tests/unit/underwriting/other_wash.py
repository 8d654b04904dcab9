"""Held-out shops and adversaries: built differently from those of :mod:`wash`, and never used to settle a threshold.

Customers are reinforced: who has bought often comes again more likely, so regulars come in all gradations, a few of them far
above the rest. Days follow a yearly wave, baskets are gamma, settlement takes a log-normal number of days. The adversaries
keep no calendar: every account has its own pace, and its baskets are copied from the shop's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from math import pi, sin
from random import Random

AS_OF = date(2025, 4, 9)
Row = dict[str, object]


def _order(number: str, day: date, amount: int, buyer: str, settled: date | None) -> Row:
    known = settled if settled is not None and settled <= AS_OF else None
    return {
        "shop_id": "shop", "order_id": number, "paid_at": day.isoformat(), "amount_minor": amount, "buyer_id": buyer,
        "status": "completed", "settled_at": known and known.isoformat(),
    }  # fmt: skip


def honest_shop(seed: int) -> list[Row]:
    """15 months of a shop whose customers come back the likelier the more often they have come."""
    chance = Random(seed)
    rate, wave, phase = chance.uniform(0.4, 5), chance.uniform(0, 0.5), chance.uniform(0, 2 * pi)
    newcomers, scale = chance.uniform(0.3, 0.95), chance.uniform(800, 12_000)
    bought: list[str] = []  # a buyer stands in it once per order
    rows: list[Row] = []
    for back in range(460, 0, -1):
        day = AS_OF - timedelta(days=back)
        mean = rate * (1 + wave * sin(2 * pi * back / 365 + phase))
        for _ in range(poisson(chance, mean)):
            fresh = not bought or chance.random() < newcomers
            bought.append(f"c{len(rows)}" if fresh else chance.choice(bought))
            amount = max(int(chance.gammavariate(2, scale)), 100)
            settled = day + timedelta(days=int(chance.lognormvariate(1.9, 0.4)))
            rows.append(_order(f"h{len(rows)}", day, amount, bought[-1], settled))
    return rows


def poisson(chance: Random, mean: float) -> int:
    """How many of something that comes with this mean."""
    number, waited = 0, chance.expovariate(1)
    while waited < mean:
        number, waited = number + 1, waited + chance.expovariate(1)
    return number


def _basket(chance: Random, rows: list[Row]) -> int:
    return int(int(str(chance.choice(rows)["amount_minor"])) * chance.uniform(0.9, 2.5))


def regulars(chance: Random, rows: list[Row]) -> list[Row]:
    """Accounts that order on, each at a pace of its own."""
    found: list[Row] = []
    for account in range(chance.randrange(6, 22)):
        pace, back = chance.uniform(12, 32), chance.uniform(330, 360)
        while (back := back - chance.expovariate(1 / pace)) > 10:
            day = AS_OF - timedelta(days=int(back))
            settled = day + timedelta(days=7)
            found.append(_order(f"w{len(found)}", day, _basket(chance, rows), f"x{account}", settled))
    return found


def passers_by(chance: Random, rows: list[Row]) -> list[Row]:
    """One order an account, over most of a year."""
    days = [AS_OF - timedelta(days=chance.randrange(10, 300)) for _ in range(chance.randrange(60, 220))]
    return [
        _order(f"w{n}", day, _basket(chance, rows), f"x{n}", day + timedelta(days=7))
        for n, day in enumerate(days)
    ]


def crowded_days(chance: Random, rows: list[Row]) -> list[Row]:
    """New accounts, crowded into a few days of one month."""
    first, number = chance.randrange(30, 300), chance.randrange(30, 140)
    days = [AS_OF - timedelta(days=first + chance.choice((0, 1, 3, 9))) for _ in range(number)]
    return [
        _order(f"w{n}", day, _basket(chance, rows), f"x{n}", day + timedelta(days=7))
        for n, day in enumerate(days)
    ]


def friends(chance: Random, rows: list[Row]) -> list[Row]:
    """A circle of accounts that orders whenever it is asked to, a few staying away each time."""
    days = sorted(chance.randrange(12, 330) for _ in range(chance.randrange(4, 9)))
    return [
        _order(f"w{account}-{back}", AS_OF - timedelta(days=back), _basket(chance, rows), f"x{account}",
               AS_OF - timedelta(days=back - 7))
        for account in range(chance.randrange(5, 14))
        for back in days
        if chance.random() < 0.93
    ]  # fmt: skip


def unsettled(chance: Random, rows: list[Row]) -> list[Row]:
    """Orders of new accounts that nobody will ever settle, all young."""
    days = [AS_OF - timedelta(days=chance.randrange(1, 44)) for _ in range(chance.randrange(20, 120))]
    return [_order(f"w{n}", day, _basket(chance, rows), f"x{n}", None) for n, day in enumerate(days)]


ATTACKS: dict[str, Callable[[Random, list[Row]], list[Row]]] = {
    each.__name__: each for each in (regulars, passers_by, crowded_days, friends, unsettled)
}
