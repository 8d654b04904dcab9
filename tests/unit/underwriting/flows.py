"""Small sales flows for the tests: regular sellers, and where the public sample lies."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

AS_OF = date(2025, 5, 12)
OLIST = Path(
    os.environ.get(
        "MICROLOAN_OLIST", Path(__file__).parents[4] / "shared" / "data" / "olist" / "order_lines.csv.gz"
    )
)


def line(number: int, day: date, amount: str = "100.00", **more: object) -> dict[str, object]:
    """A completed order of one line by a buyer of its own."""
    return {
        "order_id": f"o{number}", "line_id": "1", "shop_id": "shop", "paid_at": day.isoformat(), "amount": amount,
        "status": "completed", "buyer_id": f"b{number}", **more,
    }  # fmt: skip


def regular(days: int, amount: str = "100.00", every: int = 1, **more: object) -> list[dict[str, object]]:
    """One order every so many days, the last on the day before AS_OF, over *days* days."""
    return [
        line(back, AS_OF - timedelta(days=back), amount, **more)
        for back in range(days, 0, -1)
        if back % every == 0 or back == 1
    ]
