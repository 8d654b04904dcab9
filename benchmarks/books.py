"""Books of any size for the benchmarks: a few hundred loans led by the library itself, then copied under new names.

Every row of a copy is what the book would have written: identifiers replaced, each chain of events hashed anew. Only what
a close had posted per group before (nights, mornings, provisions) is posted for all copies as one opening entry per product.
``verify`` finds nothing in such a book. With ``lean`` only rows that a close reads are copied: all facilities, loans and
accrual rows, and the events of loans to which something happens soon.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Table, insert, select

from microloan.accounting.position import balances
from microloan.accounting.provisions import provision, provision_postings
from microloan.book import notices, offers
from microloan.book.closing import seal_days
from microloan.book.lives import read_life
from microloan.book.loanbook import LoanBook
from microloan.products import Product
from microloan.rates import Rate
from microloan.store import catalogue
from microloan.store import tables_lending as t
from microloan.store.base import writing
from microloan.store.chain import GENESIS, row_hash, sha256
from microloan.store.tables_closing import PROVISIONS
from microloan.store.unit import Unit, bucket_of

#: The day on which every book of the benchmarks is open.
TODAY = date(2020, 6, 30)
YESTERDAY = TODAY - timedelta(days=1)
OWN_TABLES = (t.OFFERS, t.FACILITIES, t.LOANS, t.EVENTS, t.OUTBOX, t.JOURNAL, t.COMMANDS, t.ACCRUALS)
BATCH = 2000


@dataclass
class SetClock:
    """A clock that stands at noon of the day it is set to."""

    now: datetime = field(default_factory=lambda: noon(TODAY))

    def now_utc(self) -> datetime:
        """The instant set, a microsecond later each time."""
        self.now += timedelta(microseconds=1)
        return self.now


def noon(day: date) -> datetime:
    """Noon in Shanghai."""
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


@dataclass
class Prototype:
    """A merchant with a line and one loan: its name in every identifier, its rows, its balances, its next action."""

    token: str
    bucket: int
    rows: dict[str, list[dict[str, Any]]]
    balances: dict[tuple[str, str], int]
    class_: str
    next_action: date


@dataclass(frozen=True)
class Wish:
    """A loan to be drawn so many days before TODAY."""

    days_ago: int
    length: dict[str, Any]
    repays: int = 0


def quiet_wishes(age: int, how_many: int) -> list[Wish]:
    """Loans that earn interest for months to come and do nothing else."""
    return [Wish(age, {"days": 1500 + n}) for n in range(how_many)]


def changing_wishes(how_many: int) -> list[Wish]:
    """Loans to which something happens in the close of TODAY, a quarter each: an instalment passes unpaid, interest falls
    due, a maturity passes unpaid, a maturity falls due."""
    kinds = [
        Wish(30, {"months": 12, "method": "equal_instalment"}),
        Wish(29, {"months": 12, "method": "interest_only"}),
        Wish(60, {"days": 60}, repays=2),
        Wish(59, {"days": 60}, repays=2),
    ]
    return [kinds[n % len(kinds)] for n in range(how_many)]


def led_by_the_library(folder: Path, wishes: list[Wish], buckets: int) -> list[Prototype]:
    """Lead one loan per wish and bucket up to TODAY; what came of each."""
    clock, names = SetClock(), Names()
    book = LoanBook.open(f"sqlite:///{folder / 'prototypes.db'}", clock=clock, actor="teller", ids=names.make)
    orders = [(wish, bucket) for bucket in range(buckets) for wish in wishes]
    first = TODAY - timedelta(days=max(wish.days_ago for wish in wishes))
    clock.now = noon(first)
    book.init("CNY", first, buckets=buckets)
    propose(book)
    tokens: list[tuple[str, int]] = []
    day = first
    while True:
        clock.now = noon(day)
        book.close_day()
        ago = (TODAY - day).days
        for wish, bucket in orders:
            if wish.days_ago == ago:
                tokens.append((lead(book, names, wish, bucket, buckets), bucket))
        if day == TODAY:
            break
        day = min(TODAY, *(TODAY - timedelta(days=w.days_ago) for w in wishes if w.days_ago < ago), TODAY)
    with book._desk.transactions.reading() as connection:
        found = [rows_of(connection, token, bucket) for token, bucket in tokens]
    book.close()
    return found


def propose(book: LoanBook) -> None:
    """The product of all these loans."""
    given = Product.shipped("CNY").canonical() | {"name": "special", "ceilings": [], "caps": {}}
    given["facility_days"] = 3650
    given["methods"] = [
        {"method": method, "terms": ["1d..3000d", "1m..36m"]}
        for method in ("anytime", "interest_only", "equal_instalment", "equal_principal")
    ]
    book.products.propose(Product.parse(given))
    book.products.approve("special", 1)


@dataclass
class Names:
    """Identifiers of a prototype carry its token."""

    token: str = "x"
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def make(self, kind: str, bucket: int) -> str:
        """kind-bucket-token-number."""
        return f"{kind}-{bucket:02d}-{self.token}{next(self.numbers)}"


def lead(book: LoanBook, names: Names, wish: Wish, bucket: int, buckets: int) -> str:
    """A merchant of a bucket draws; its token."""
    number = next(names.numbers)
    while bucket_of(f"m-p{number:08d}q", buckets) != bucket:
        number = next(names.numbers)
    names.token = f"p{number:08d}q"
    offer = book._desk.command("offer", {}, lambda unit: offers.make_offer(
        unit, merchant_id=f"m-{names.token}", decision_id=f"dec-{bucket:02d}-{names.token}",
        limit_minor=500_000_00, rate=Rate.parse("0.048%/day"), product="special"), object)  # fmt: skip
    contract = book.contract(offer.id)  # type: ignore[attr-defined]
    line = book.sign(offer.id, signer="Li", contract_sha256=contract.sha256)  # type: ignore[attr-defined]
    drawn = book.draw(line.id, 1000 + number % 290 * 1000, confirm=True, **wish.length)
    for n in range(wish.repays):
        book.repay(drawn.id, 10 + n)
    token, names.token = names.token, "x"
    return token


def rows_of(connection: Any, token: str, bucket: int) -> Prototype:
    """Everything the book has written for a prototype."""
    rows = {
        table.name: [
            dict(row._mapping) for row in connection.execute(select(table).where(named(table, token)))
        ]
        for table in OWN_TABLES
    }
    rows["ml_event"].sort(key=lambda row: row["seq"])
    events = connection.execute(
        select(t.EVENTS).where(t.EVENTS.c.loan.contains(token)).order_by(t.EVENTS.c.seq)
    ).all()
    state = read_life(events).state(TODAY)
    actions = [row["next_action"] for row in rows["ml_accrual"]]
    return Prototype(token, bucket, rows, balances(state), state.classification, min(actions))


def named(table: Table, token: str) -> Any:
    """The condition under which a row of a table is a prototype's own."""
    column = {"ml_journal": "entry", "ml_accrual": "loan", "ml_event": "id", "ml_outbox": "id"}.get(
        table.name, "id"
    )
    return table.c[column].contains(token)


@dataclass
class Made:
    """What was written of a book."""

    loans: int = 0
    changing: int = 0


def fill(
    url: str, loans: int, changing_share: float, prototypes: list[Prototype], buckets: int, lean: bool
) -> Made:
    """Write a book of so many loans, open on TODAY; the given share of them changes state when TODAY is closed."""
    tomorrow = TODAY + timedelta(days=1)
    clock = SetClock(noon(TODAY))
    book = LoanBook.open(url, clock=clock, actor="teller")
    first = min(line["day"] for one in prototypes for line in one.rows["ml_journal"])
    book.init("CNY", first, buckets=buckets)
    propose(book)
    quiet: dict[int, list[Prototype]] = {n: [] for n in range(buckets)}
    busy: dict[int, list[Prototype]] = {n: [] for n in range(buckets)}
    for one in prototypes:
        (busy if one.next_action == tomorrow else quiet)[one.bucket].append(one)
    every = round(1 / changing_share) if changing_share else loans + 1
    made, sums, principal = Made(), {}, {}  # type: ignore[var-annotated]
    pending: dict[str, list[dict[str, Any]]] = {table.name: [] for table in OWN_TABLES}
    assert book._own is not None
    with writing(book._own.engine.connect()) as connection:
        for number in range(loans):
            token = f"c{number:08d}q"
            bucket = bucket_of(f"m-{token}", buckets)
            change = number % every == every - 1
            among = busy[bucket] if change else quiet[bucket]
            one = among[(number // every if change else number) % len(among)]
            for name, rows in copied(one, token, lean and not change):
                pending[name] += rows
            for key, amount in one.balances.items():
                sums[bucket, key] = sums.get((bucket, key), 0) + amount
            for line in one.rows["ml_journal"]:
                key = (line["account"], line["class"])
                sums[bucket, key] = sums.get((bucket, key), 0) - line["amount_minor"]
            owed = one.balances.get(("principal", one.class_), 0)
            principal[bucket, one.class_] = principal.get((bucket, one.class_), 0) + owed
            made.loans, made.changing = made.loans + 1, made.changing + change
            if number % BATCH == BATCH - 1:
                flush(connection, pending)
        flush(connection, pending)
        opening(connection, sums, principal)
        connection.commit()
    for bucket in range(buckets):
        book._desk.write(lambda unit, bucket=bucket: closed(unit, bucket, first))
    book.close()
    return made


def copied(one: Prototype, token: str, bare: bool) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A prototype's rows under another name; only its caches when *bare*."""
    tables = ("ml_facility", "ml_loan", "ml_accrual") if bare else tuple(one.rows)
    rows = {name: [renamed(row, one.token, token) for row in one.rows[name]] for name in tables}
    if not bare:
        (offer,) = rows["ml_offer"]
        old, new = offer["contract_sha256"], sha256(offer["contract"])
        rows = {name: [renamed(row, old, new) for row in rows[name]] for name in tables}
        previous = GENESIS
        for event in rows["ml_event"]:
            event["prev_hash"] = previous
            event["hash"] = previous = row_hash(event)
        rows["ml_facility"][0]["head_hash"] = previous
    yield from rows.items()


def renamed(row: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {name: value.replace(old, new) if type(value) is str else value for name, value in row.items()}


def flush(connection: Any, pending: dict[str, list[dict[str, Any]]]) -> None:
    """Write what waits."""
    for table in OWN_TABLES:
        if pending[table.name]:
            connection.execute(insert(table), pending[table.name])
            pending[table.name].clear()


def opening(connection: Any, sums: dict[Any, int], principal: dict[Any, int]) -> None:
    """What earlier closes had posted per group, as one balanced entry per bucket; and the provisions they left."""
    for (bucket, class_), owed in principal.items():
        allowance = provision(owed, class_)
        for account, amount in provision_postings(0, allowance).items():
            key = (bucket, (account, class_ if account == "provision_allowance" else ""))
            sums[key] = sums.get(key, 0) + amount
        row = {"tenant": "main", "bucket": bucket, "product": "special", "class": class_, "currency": "CNY",
               "principal_minor": owed, "allowance_minor": allowance}  # fmt: skip
        connection.execute(insert(PROVISIONS), row)
    lines = [
        {"tenant": "main", "bucket": bucket, "entry": "night-opening", "line": n, "day": YESTERDAY, "source": "night",
         "loan": "", "product": "special", "class": class_, "account": account, "currency": "CNY",
         "amount_minor": amount}
        for n, ((bucket, (account, class_)), amount) in enumerate(sorted(sums.items()), 1) if amount
    ]  # fmt: skip
    if lines:
        connection.execute(insert(t.JOURNAL), lines)


def closed(unit: Unit, bucket: int, first: date) -> None:
    """What the closes since the *first* day told and sealed; TODAY is open."""
    days = [first + timedelta(days=n) for n in range((TODAY - first).days)]
    notices.days_closed(unit, bucket, days)
    seal_days(unit, bucket, days)
    assert catalogue.move_day(unit, bucket, first, TODAY)


__all__ = ["TODAY", "Made", "Prototype", "SetClock", "fill", "led_by_the_library", "noon"]
