"""Adversaries for the detectors: shops unlike those the detectors were tuned on, and wash orders laid over them.

The detectors were tuned on the bundled shops and on a public sample; these shops come from another generator: compound
arrivals with weekly rhythm, log-normal baskets, loyal and passing buyers, some with settlements and refunds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random

AS_OF = date(2025, 3, 14)
Row = dict[str, object]


def order(number: str, day: date, amount: int, buyer: str, *, settled: bool) -> Row:
    return {
        "shop_id": "shop", "order_id": number, "paid_at": day.isoformat(), "amount_minor": amount, "buyer_id": buyer,
        "status": "completed", "settled_at": (day + timedelta(days=6)).isoformat() if settled else None,
    }  # fmt: skip


def honest_shop(seed: int) -> list[Row]:
    """14 months of an honest shop of a size, rhythm, trend and loyalty of its own; no named peak helps it."""
    chance = Random(seed)
    rate = 0.4 * 2 ** (chance.random() * 4)
    trend, rhythm, loyal = chance.uniform(-0.002, 0.002), chance.random(), chance.uniform(0, 0.5)
    basket, settled = chance.uniform(7.5, 10.5), chance.random() < 0.7
    known: list[str] = []
    rows: list[Row] = []
    for back in range(430, 0, -1):
        day = AS_OF - timedelta(days=back)
        today = (
            rate
            * (1 + rhythm * (day.weekday() >= 5))
            * (1 + trend * (215 - back))
            * chance.gammavariate(3, 1 / 3)
        )
        for _ in range(min(int(today) + (chance.random() < today % 1), 60)):
            if not known or chance.random() > loyal:
                known.append(f"b{len(known)}")
            buyer = known[-1] if chance.random() > loyal else chance.choice(known)
            amount = max(int(chance.lognormvariate(basket, 0.6)), 100)
            rows.append(order(f"h{len(rows)}", day, amount, buyer, settled=settled and back > 6))
    return rows


def _spread(chance: Random, number: int, first: int, days: int) -> list[date]:
    return [AS_OF - timedelta(days=first - chance.randrange(days)) for _ in range(number)]


def throwaway_burst(chance: Random, typical: int) -> list[Row]:
    """One-time accounts, all within a few days."""
    span, first = chance.randrange(1, 6), chance.randrange(20, 330)
    days = _spread(chance, chance.randrange(20, 150), first, span)
    return [
        order(f"w{n}", day, typical * chance.randrange(1, 6), f"x{n}", settled=True)
        for n, day in enumerate(days)
    ]


def throwaway_trickle(chance: Random, typical: int) -> list[Row]:
    """One-time accounts, one or two a day over months."""
    days = _spread(chance, chance.randrange(60, 200), 300, 290)
    return [
        order(f"w{n}", day, typical * chance.randrange(1, 4), f"x{n}", settled=True)
        for n, day in enumerate(days)
    ]


def loud_accounts(chance: Random, typical: int) -> list[Row]:
    """A few accounts that order again and again within weeks."""
    accounts, each = chance.randrange(1, 6), chance.randrange(6, 25)
    first = chance.randrange(40, 300)
    return [
        order(f"w{a}-{n}", day, typical * chance.randrange(1, 6), f"x{a}", settled=True)
        for a in range(accounts)
        for n, day in enumerate(_spread(chance, each, first, 30))
    ]


def slow_accounts(chance: Random, typical: int) -> list[Row]:
    """A dozen accounts that order every few weeks over a year, each on days of its own."""
    accounts, pause = chance.randrange(5, 20), chance.randrange(12, 35)
    return [
        order(
            f"w{a}-{n}",
            AS_OF - timedelta(days=back + a % pause),
            typical * chance.randrange(1, 4),
            f"x{a}",
            settled=True,
        )
        for a in range(accounts)
        for n, back in enumerate(range(20, 340, pause))
    ]


def ring(chance: Random, typical: int) -> list[Row]:
    """Accounts that order together on the same days."""
    days = _spread(chance, chance.randrange(3, 9), 320, 300)
    return [
        order(f"w{a}-{n}", day, typical * chance.randrange(1, 6), f"x{a}", settled=True)
        for a in range(chance.randrange(3, 12))
        for n, day in enumerate(sorted(set(days)))
    ]


def large_orders(chance: Random, typical: int) -> list[Row]:
    """Few orders of a few accounts, each worth many."""
    return [
        order(f"w{a}-{n}", day, typical * chance.randrange(10, 40), f"x{a}", settled=True)
        for a in range(chance.randrange(1, 5))
        for n, day in enumerate(_spread(chance, chance.randrange(3, 7), 330, 310))
    ]


def never_settled(chance: Random, typical: int) -> list[Row]:
    """One-time accounts whose orders are never settled, all young."""
    days = _spread(chance, chance.randrange(20, 120), 44, 43)
    return [
        order(f"w{n}", day, typical * chance.randrange(1, 5), f"x{n}", settled=False)
        for n, day in enumerate(days)
    ]


ATTACKS: dict[str, Callable[[Random, int], list[Row]]] = {
    each.__name__: each
    for each in (throwaway_burst, throwaway_trickle, loud_accounts, slow_accounts, ring, large_orders, never_settled)
}  # fmt: skip
