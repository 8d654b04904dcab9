"""A lender's counter for tests: a clock one sets, a book, and a merchant with a signed credit line."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from microloan.book import offers
from microloan.book.loanbook import LoanBook
from microloan.book.results import CloseReport, Facility, JournalLine, Loan
from microloan.products import Product
from microloan.rates import Rate

START = date(2017, 5, 1)


@dataclass
class FakeClock:
    """Noon in Shanghai of the day it is set to."""

    now: datetime = datetime(2017, 5, 1, 4, tzinfo=UTC)

    def now_utc(self) -> datetime:
        """The instant set, a microsecond later each time, so that the order of commands shows."""
        self.now += timedelta(microseconds=1)
        return self.now

    def set_day(self, day: date) -> None:
        """Noon of a day in Shanghai."""
        self.now = datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


def counting_ids() -> Callable[[str, int], str]:
    """Identifiers in the order they are made."""
    numbers = itertools.count(1)
    return lambda kind, bucket: f"{kind}-{bucket:02d}-{next(numbers):08d}"


@dataclass
class Counter:
    """A book on a database, and short ways to what most tests need."""

    url: str
    clock: FakeClock = field(default_factory=FakeClock)
    ids: Callable[[str, int], str] = field(default_factory=counting_ids)

    def __post_init__(self) -> None:
        self.book = LoanBook.open(self.url, clock=self.clock, actor="teller", ids=self.ids)

    def init(self, **options: Any) -> Counter:
        """Open the book on 1 May 2017."""
        self.book.init("CNY", START, **options)
        return self

    def product(self, **changes: Any) -> str:
        """A product of its own: the shipped one with changes."""
        given = Product.shipped("CNY").canonical() | {"name": "special"} | changes
        self.book.products.propose(Product.parse(given))
        self.book.products.approve("special", 1)
        return "special"

    def line(self, limit: str = "500000.00", merchant: str = "m-1", **options: Any) -> Facility:
        """A signed credit line of a merchant at 0.048% a day."""
        offer = self.offer(limit, merchant, **options)
        contract = self.book.contract(offer.id)
        return self.book.sign(offer.id, signer="Li", contract_sha256=contract.sha256)

    def offer(self, limit: str = "500000.00", merchant: str = "m-1", **options: Any) -> Any:
        """An offer, as underwriting makes one."""
        terms: dict[str, Any] = {"rate": Rate.parse("0.048%/day"), "product": "marketplace"} | options
        minor = int(limit.replace(".", ""))
        return self.book._desk.write(
            lambda unit: offers.make_offer(
                unit, merchant_id=merchant, decision_id="dec-1", limit_minor=minor, **terms
            )
        )

    def loan(self, facility: Facility, amount: str = "300000.00", **options: Any) -> Loan:
        """A loan that is paid out at once."""
        days = {} if "months" in options else {"days": 90}
        drawn = self.book.draw(facility.id, amount, confirm=True, **(days | options))
        return self.book.loan(drawn.id)

    def close_until(self, day: date) -> CloseReport:
        """Close every day before *day*, which becomes the open day."""
        self.clock.set_day(day)
        return self.book.close_day()

    def journal(self) -> list[JournalLine]:
        """The whole journal."""
        with self.book.journal() as lines:
            return list(lines)

    def must_be_sound(self) -> None:
        """Verify finds nothing, and the books balance."""
        report = self.book.verify()
        assert report.clean, report.findings
        assert self.book.trial_balance().total == 0
