"""A small lender's first year for the reports: forty draws of twelve merchants, paid in time, late, never. Seeded."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal

from microloan.errors import Refused
from tests.store.counter import START, Counter

#: Names that must come out of every page and file as text.
ODD_NAMES = ("<script>alert(1)</script>", '=HYPERLINK("http://x","y")', "深圳海鲜 & 水产")
END = date(2018, 6, 20)


def a_year(counter: Counter) -> Counter:
    """Fourteen months of draws and repayments, with loans in every bucket, one written off and one repayment reversed."""
    dice = random.Random(11)
    lines = [
        counter.line(
            f"{80_000 + 20_000 * n}.00", f"m-{n:02d}" if n > 2 else ODD_NAMES[n], product=_product(counter, n)
        )
        for n in range(12)
    ]
    running: list[tuple[str, int]] = []
    day = START
    while day < END:
        if (day - START).days % 9 == 0:
            running += _drawn(counter, dice.choice(lines).id, dice)
        for loan, manner in running:
            _pay(counter, loan, manner, day, dice)
        day += timedelta(days=3)
        counter.close_until(day)
    return counter


def _product(counter: Counter, number: int) -> str:
    if not number:
        counter.product(facility_days=1000, ceilings=[])
    return "special"


def _drawn(counter: Counter, facility: str, dice: random.Random) -> list[tuple[str, int]]:
    wish = dice.choice([{"days": 60}, {"days": 90}, {"months": 6, "method": "equal_instalment"}])
    try:
        drawn = counter.book.draw(facility, str(dice.randrange(50, 300) * 100), confirm=True, **wish)
    except Refused:
        return []
    return [(drawn.loan_id, dice.choice([0, 0, 0, 0, 1, 1, 2, 3]))]


def _pay(counter: Counter, loan: str, manner: int, day: date, dice: random.Random) -> None:
    """In time, late, hardly, or never until it is written off."""
    now = counter.book.loan(loan)
    if now.status in ("closed", "written_off"):
        return
    late = now.days_past_due
    if manner == 0 and (late or dice.random() < 0.08):
        whole = late and now.method == "anytime"
        counter.book.repay(loan, now.payoff if whole else (now.payoff / 4).quantize(Decimal("0.01")) + 1)
    elif manner == 1 and late > 40:
        counter.book.repay(loan, "all")
    elif manner == 2 and late > 20 and dice.random() < 0.1:
        paid = counter.book.repay(loan, "500")
        if dice.random() < 0.4:
            counter.book.reverse(paid.allocations[0].event_id, "bounced")
    elif manner == 3 and late > 150:
        counter.book.write_off(loan)
        counter.book.recover(loan, "300")
