"""A lender's counter for tests: a clock one sets, a book, and a merchant with a signed credit line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from microloan.book import offers
from microloan.book.loanbook import LoanBook
from microloan.book.results import CloseReport, Facility, JournalLine, Loan
from microloan.products import Product
from microloan.rates import Rate
from tests.databases import Originals

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


@dataclass
class CountedIds:
    """Identifiers in the order they are made."""

    last: int = 0

    def __call__(self, kind: str, bucket: int) -> str:
        """The next one."""
        self.last += 1
        return f"{kind}-{bucket:02d}-{self.last:08d}"


@dataclass
class Counter:
    """A book on a database, and short ways to what most tests need."""

    url: str
    clock: FakeClock = field(default_factory=FakeClock)
    ids: Callable[[str, int], str] = field(default_factory=CountedIds)

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


@dataclass(frozen=True)
class Life:
    """What a counter with an open book did before the tests of a file begin. It is lived once in a process, on each kind of
    database, and every test has a copy.
    """

    live: Callable[[Counter], object]

    def __call__(self, url: str) -> tuple[FakeClock, CountedIds]:
        """Live in an empty database; the clock and the identifiers then."""
        clock, ids = FakeClock(), CountedIds()
        counter = Counter(url, clock, ids)
        counter.init(buckets=1 if url.startswith("sqlite") else 3)  # the default 16 only cost time here
        self.live(counter)
        counter.book.close()
        return clock, ids


#: Gives a test a counter that has done what the function says.
Having = Callable[[Callable[[Counter], object]], Counter]


@contextmanager
def after(life: Life, originals: Originals, kind: str, folder: Path) -> Iterator[Counter]:
    """A counter of a test's own that has lived *life*."""
    with originals.copy(kind, life, folder) as url:
        clock, ids = originals.told(kind, life)
        counter = Counter(url, replace(clock), replace(ids))
        yield counter
        counter.book.close()
