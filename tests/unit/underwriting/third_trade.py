"""Honest shops of another kind: a price list, households with a cycle of their own, offices, gifts.

Written before the rule on regulars and wholesale buyers was settled on the other generators, and used for none of it; that
bursts are measured by a shop's own busy days was learnt here. Households come back after log-normal pauses; offices order
monthly and in quantity; gift buyers come around named peaks; a broadcast now and then sells to strangers; the shop may be
young and growing.
"""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from other_wash import poisson

AS_OF = date(2025, 5, 20)
Row = dict[str, object]
_PEAKS = ((6, 18), (11, 11), (12, 12))


def honest_shop(seed: int) -> list[Row]:
    """Up to 14 months of a shop, every order a customer's."""
    chance = Random(seed)
    days = chance.randrange(220, 430) if chance.random() < 0.35 else 430
    prices = [
        int(chance.lognormvariate(8.5, chance.uniform(0.5, 1.1))) for _ in range(chance.randrange(3, 80))
    ]
    popular = [1 / (rank + 1) for rank in range(len(prices))]
    strangers, households = chance.uniform(0.3, 5), chance.uniform(0.02, 0.5)
    cycle, loyalty, gifts = chance.uniform(18, 70), chance.uniform(0.3, 0.9), chance.uniform(0, 6)
    offices = chance.choice((0, 0, 1, 2, 4))
    broadcasts = {
        chance.randrange(1, days): chance.uniform(8, 60) for _ in range(chance.choice((0, 0, 2, 5)))
    }
    visits: list[tuple[int, str, int]] = []  # days back, buyer, how many pieces at most
    for back in range(days, 0, -1):
        opened = min((days - back + 20) / 90, 1.0) if days < 430 else 1.0
        once = strangers * opened + gifts * opened * _near_peak(back) + broadcasts.get(back, 0)
        visits += [(back, f"s{back}-{n}", 3) for n in range(poisson(chance, once))]
        for n in range(poisson(chance, households * opened)):
            visits += _returns(
                chance, f"h{back}-{n}", back, cycle * chance.lognormvariate(0, 0.3), loyalty, 4
            )
    for office in range(offices):
        since = chance.randrange(90, days)
        visits += _returns(chance, f"o{office}", since, chance.uniform(14, 45), 0.97, chance.randrange(8, 40))
    rows = []
    for number, (back, buyer, pieces) in enumerate(visits):
        (price,) = chance.choices(prices, popular)
        rows.append(
            _order(chance, f"{number}", back, price * chance.randint(max(pieces // 4, 1), pieces), buyer)
        )
    return rows


def _near_peak(back: int) -> float:
    day = AS_OF - timedelta(days=back)
    near = min((date(day.year, *peak) - day).days % 365 for peak in _PEAKS)
    return 1 / (1 + near) ** 0.5 if near < 15 else 0


def _returns(
    chance: Random, buyer: str, back: int, cycle: float, loyalty: float, pieces: int
) -> list[tuple[int, str, int]]:
    found, at = [(back, buyer, pieces)], float(back)
    while chance.random() < loyalty and (at := at - cycle * chance.lognormvariate(0, 0.35)) >= 1:
        found.append((int(at), buyer, pieces))
    return found


def _order(chance: Random, number: str, back: int, amount: int, buyer: str) -> Row:
    day = AS_OF - timedelta(days=back)
    done = day + timedelta(days=chance.randrange(3, 13))
    known = done.isoformat() if done <= AS_OF else None
    goes_back = known is not None and chance.random() < 0.04
    return {
        "shop_id": "shop", "order_id": number, "paid_at": day.isoformat(), "amount_minor": max(amount, 100),
        "buyer_id": buyer, "status": "refunded" if goes_back else "completed",
        "refund_minor": max(amount, 100) if goes_back else 0, "refunded_at": known if goes_back else None,
        "settled_at": None if goes_back else known,
    }  # fmt: skip
