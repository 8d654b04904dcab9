"""Whatever happens in whatever order, the journal is the sum of positions and verify is clean. Seeded; prints its seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest

from microloan.book.loanbook import LoanBook
from microloan.errors import MicroloanError, Refused
from tests.databases import histories

from .counter import Counter
from .test_close_of_day import WISHES, busy_book


class Teller:
    """Does something allowed or not to a random loan of a book; a refusal is a result."""

    def __init__(self, counter: Counter, seed: int) -> None:
        self.counter, self.random = counter, random.Random(seed)
        self.refused = 0

    @property
    def book(self) -> LoanBook:
        """The book of the counter."""
        return self.counter.book

    def step(self) -> None:
        """One random command; refusals are counted, anything else is a bug."""
        acts: list[Callable[[], object]] = [
            self.repay, self.repay, self.repay, self.reverse, self.draw, self.close, self.close, self.close, self.waive,
            self.fee, self.rate, self.pause, self.extend, self.restructure, self.charge_back, self.write_off, self.recover,
            self.refund, self.apply_credit,
        ]  # fmt: skip
        try:
            self.random.choice(acts)()
        except Refused:
            self.refused += 1
        except MicroloanError as wrong:
            if wrong.exit_status not in (2, 3):
                raise
            self.refused += 1

    def loan(self) -> str:
        return self.random.choice(self.book.loans()).id

    def day(self) -> date | None:
        back = self.random.choice([0, 0, 0, 3, 20])
        return self.book.settings().open_day - timedelta(days=back) if back else None

    def amount(self) -> Decimal:
        return Decimal(self.random.choice([1, 50, 777, 12345, 300000, 1100000])) / 100

    def repay(self) -> None:
        subject = self.loan()
        if self.random.random() < 0.3:
            subject = self.book.loan(subject).facility_id
        whole = self.random.random() < 0.2
        self.book.repay(subject, "all" if whole else self.amount(), value_date=self.day())

    def reverse(self) -> None:
        ledger = self.book.ledger(self.loan())
        if ledger:
            self.book.reverse(self.random.choice(ledger).id)

    def draw(self) -> None:
        line = self.random.choice(self.book.facilities())
        drawn = self.book.draw(line.id, "1000", **self.random.choice(WISHES))
        act = self.random.choice([self.book.confirm_payout, self.book.confirm_payout, self.book.fail_payout])
        act(drawn.id)

    def close(self) -> None:
        ahead = self.random.choice([1, 1, 2, 5, 30])
        self.counter.close_until(self.book.settings().open_day + timedelta(days=ahead))

    def waive(self) -> None:
        self.book.waive(
            self.loan(), self.random.choice(["fees", "penalty", "interest", "principal"]), self.amount()
        )

    def fee(self) -> None:
        self.book.fee(self.loan(), "1.50", "letter")

    def rate(self) -> None:
        self.book.change_rate(
            self.loan(), self.random.choice(["0.03%/day", "万5", "14.4%/year/360"]), value_date=self.day()
        )

    def pause(self) -> None:
        first = self.book.settings().open_day + timedelta(days=self.random.randrange(-5, 5))
        self.book.pause(self.loan(), first, first + timedelta(days=self.random.randrange(1, 20)))

    def extend(self) -> None:
        self.book.extend(
            self.loan(), self.book.settings().open_day + timedelta(days=self.random.randrange(1, 120))
        )

    def restructure(self) -> None:
        maturity = self.book.settings().open_day + timedelta(days=self.random.randrange(1, 120))
        method = self.random.choice([None, "anytime", "interest_only", "equal_instalment", "equal_principal"])
        rate = self.random.choice([None, "0.03%/day", "14.4%/year/360"])
        self.book.restructure(self.loan(), maturity, method, self.random.choice([None, 5, 31]), rate)

    def charge_back(self) -> None:
        ledger = [line for line in self.book.ledger(self.loan()) if line.type in ("repay", "recover")]
        if ledger:
            self.book.charge_back(self.random.choice(ledger).id, fee=self.random.choice([None, "0.50"]))

    def write_off(self) -> None:
        if self.random.random() < 0.3:
            self.book.write_off(self.loan())

    def recover(self) -> None:
        self.book.recover(self.loan(), self.amount())

    def refund(self) -> None:
        self.book.refund(self.loan(), self.random.choice(["all", self.amount()]))

    def apply_credit(self) -> None:
        self.book.apply_credit(self.loan(), self.loan(), "all")


@histories(range(6), on_both=2)
def test_any_history_verifies(counter: Counter, seed: int) -> None:
    busy_book(counter)
    teller = Teller(counter, seed)
    for number in range(120):
        teller.step()
        if number % 10 == 9:
            counter.must_be_sound()
    counter.close_until(counter.book.settings().open_day + timedelta(days=100))
    counter.must_be_sound()
    assert counter.book.held() == ()
    assert teller.refused < 100


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 106))
def test_many_histories_verify(sqlite_url: str, seed: int) -> None:
    counter = Counter(sqlite_url).init()
    busy_book(counter)
    teller = Teller(counter, seed)
    for _ in range(400):
        teller.step()
    counter.must_be_sound()
