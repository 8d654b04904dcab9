"""The surroundings of one merchant, read from either database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Connection, event, insert, update

from microloan.book.loanbook import LoanBook
from microloan.book.related import Circles
from microloan.errors import InvalidSetting
from microloan.risk.generate import BookPlan, made_up_book
from microloan.risk.links import DEFAULT_KINDS, Holding, links_among
from microloan.risk.rings import MOST_HOPS, around, ring_around
from microloan.risk.wholebook import book_rings
from microloan.store.base import open_engine
from microloan.store.rings import Register, Surroundings, surroundings, surroundings_in
from microloan.store.tables_lending import BUCKETS as OPEN_DAYS
from microloan.store.tables_merchants import IDENTIFIERS
from microloan.store.unit import Unit, bucket_of, random_id

DAY = date(2026, 6, 30)
NOON = datetime(2026, 6, 30, 4, tzinfo=UTC)
BUCKETS = 3


class Clock:
    """A clock that is set."""

    now = NOON

    def now_utc(self) -> datetime:
        return self.now


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """An open book and a connection to it."""
    with LoanBook.open(database_url, clock=Clock(), actor="ann") as book:
        book.init(open_day=DAY, buckets=BUCKETS)
    engine = open_engine(database_url)
    with engine.connect() as made:
        yield made
    engine.dispose()


def unit_of(connection: Connection) -> Unit:
    return Unit(connection, tenant="main", now=NOON, ids=random_id, actor="ann")


def note(
    connection: Connection,
    *rows: tuple[str, str, str],
    on: datetime = NOON,
    tenant: str = "main",
    first: date | None = None,
    last: date | None = None,
) -> None:
    """Merchants with kind and digest of an identifier, noted at an instant; theirs from that day unless told otherwise."""
    made = [
        {
            "tenant": tenant, "bucket": bucket_of(merchant, BUCKETS), "merchant": merchant, "kind": kind,
            "digest": digest, "last_four": digest[-4:], "added_at": on, "first_day": first or on.date(), "last_day": last,
        }
        for merchant, kind, digest in rows
    ]  # fmt: skip
    connection.execute(insert(IDENTIFIERS), made)


def chain(length: int) -> list[tuple[str, str, str]]:
    """m-0 shares a device with m-1, m-1 one with m-2, and so on."""
    ends = [((f"m-{n}", "device", f"d{n}"), (f"m-{n + 1}", "device", f"d{n}")) for n in range(length)]
    return [row for pair in ends for row in pair]


def merchants(found: Surroundings) -> set[str]:
    return {holding.merchant for holding in found.holdings}


def test_a_merchant_nobody_knows_has_no_surroundings(connection: Connection) -> None:
    assert surroundings(unit_of(connection), "m-1", DAY) == Surroundings((), (), True)


@pytest.mark.parametrize("hops", [1, 2, 4])
def test_so_many_hops_are_read(connection: Connection, hops: int) -> None:
    note(connection, *chain(6))
    found = surroundings(unit_of(connection), "m-0", DAY, hops=hops)
    assert merchants(found) == {f"m-{n}" for n in range(hops + 1)}
    assert found.complete


def test_what_is_read_is_what_the_same_holdings_say_in_memory(connection: Connection) -> None:
    rows = [
        *chain(5),
        *(("m-0", "phone", "p"), ("m-1", "phone", "p"), ("m-9", "account", "a"), ("m-2", "account", "a")),
    ]
    note(connection, *rows)
    found = surroundings(unit_of(connection), "m-0", DAY, hops=MOST_HOPS)
    every = [Holding(*row, DAY) for row in rows]
    stored = around("m-0", found.holdings, DAY, hops=MOST_HOPS, hubs=found.hubs)
    assert stored == around("m-0", every, DAY, hops=MOST_HOPS)
    assert ring_around(stored) == ring_around(around("m-0", every, DAY, hops=MOST_HOPS))
    assert len(links_among(every, DAY).links) == 7


def test_a_hub_is_counted_and_not_followed(connection: Connection) -> None:
    most = DEFAULT_KINDS["device"].hub_holders
    note(
        connection,
        *((f"m-{n}", "device", "agent") for n in range(most + 1)),
        ("m-0", "phone", "p"),
        ("x-1", "phone", "p"),
    )
    found = surroundings(unit_of(connection), "m-0", DAY)
    assert merchants(found) == {"m-0", "x-1"}
    assert [(hub.kind, hub.holders) for hub in found.hubs] == [("device", most + 1)]


def test_a_large_hub_is_counted_only_until_it_is_known_to_be_one(connection: Connection) -> None:
    note(connection, *((f"m-{n}", "device", "agent") for n in range(900)))
    (hub,) = surroundings(unit_of(connection), "m-0", DAY).hubs
    assert hub.holders == max(rule.hub_holders for rule in DEFAULT_KINDS.values()) + 1


def test_as_many_holders_as_allowed_are_no_hub(connection: Connection) -> None:
    most = DEFAULT_KINDS["device"].hub_holders
    note(connection, *((f"m-{n}", "device", "agent") for n in range(most)))
    found = surroundings(unit_of(connection), "m-0", DAY)
    assert (len(merchants(found)), found.hubs) == (most, ())


def closed_to(connection: Connection, day: date) -> None:
    """The days up to this one are closed."""
    connection.execute(update(OPEN_DAYS).values(open_day=day + timedelta(days=1)))


def test_what_was_noted_later_is_not_known_yet(connection: Connection) -> None:
    closed_to(connection, DAY)
    note(connection, ("m-0", "device", "d"), ("m-1", "device", "d"))
    note(connection, *((f"x-{n}", "device", "d") for n in range(40)), on=NOON + timedelta(days=1))
    assert merchants(surroundings(unit_of(connection), "m-0", DAY)) == {"m-0", "m-1"}
    tomorrow = surroundings(unit_of(connection), "m-0", DAY + timedelta(days=1))
    assert (merchants(tomorrow), len(tomorrow.hubs)) == (set(), 1)


def test_the_day_is_that_of_the_lenders_zone(connection: Connection) -> None:
    late = datetime(2026, 6, 30, 16, 30, tzinfo=UTC)  # 00:30 of 1 July in Shanghai
    closed_to(connection, DAY)
    note(connection, ("m-0", "device", "d"), ("m-1", "device", "d"), on=late)
    assert merchants(surroundings(unit_of(connection), "m-0", DAY)) == set()
    assert merchants(surroundings(unit_of(connection), "m-0", DAY + timedelta(days=1))) == {"m-0", "m-1"}


def test_what_was_noted_later_of_earlier_days_is_not_known_yet(connection: Connection) -> None:
    closed_to(connection, DAY)
    rows = (("m-0", "device", "d"), ("m-1", "device", "d"))
    note(connection, *rows, on=NOON + timedelta(days=1), first=DAY - timedelta(days=400))
    assert surroundings(unit_of(connection), "m-0", DAY) == Surroundings((), (), True)


def test_what_is_noted_after_midnight_counts_for_the_day_that_is_still_open(connection: Connection) -> None:
    rows = (("m-0", "device", "d"), ("m-1", "device", "d"))
    note(connection, *rows, on=NOON + timedelta(days=200), first=DAY)
    assert merchants(surroundings(unit_of(connection), "m-0", DAY)) == {"m-0", "m-1"}
    closed_to(connection, DAY)
    assert merchants(surroundings(unit_of(connection), "m-0", DAY)) == set()


def test_from_when_to_when_it_was_whose_is_read(connection: Connection) -> None:
    note(connection, ("m-0", "phone", "p"), first=date(2025, 1, 1), last=date(2025, 3, 31))
    note(connection, ("m-1", "phone", "p"), first=date(2025, 6, 29))
    found = surroundings(unit_of(connection), "m-0", DAY)
    assert [(each.merchant, each.first_day, each.last_day) for each in found.holdings] == [
        ("m-0", date(2025, 1, 1), date(2025, 3, 31)),
        ("m-1", date(2025, 6, 29), None),
    ]
    (tie,) = around("m-0", found.holdings, DAY).ties
    assert tie.links[0].changed_hands
    # 90 days in between: three halvings; 456 days since both had it: less than half of a half-life
    assert tie.strength == pytest.approx(0.55 * 0.5 ** (90 / 30 + 456 / 1095))


def test_of_an_identifier_only_the_last_four_characters_can_be_shown(connection: Connection) -> None:
    note(connection, ("m-0", "phone", "0123456789"), ("m-1", "phone", "0123456789"))
    register = Register(unit_of(connection), DAY)
    found = surroundings_in(register, ("m-0",))
    assert register.last_four == {("phone", "0123456789"): "6789"}
    assert "0123456789" not in repr(found.holdings)


def test_many_looks_at_once_see_what_each_would_see_alone(connection: Connection) -> None:
    most = DEFAULT_KINDS["device"].hub_holders
    rows = [
        *chain(6),
        *((f"m-{n}", "phone", "p") for n in (1, 5, 9)),
        *((f"y-{n}", "device", "h") for n in range(most + 1)),
    ]
    note(connection, *rows, ("m-3", "device", "h"))
    unit, asked = unit_of(connection), [*(f"m-{n}" for n in range(10)), "y-1", "nobody"]
    register = Register(unit, DAY)
    register.read_ahead(asked)
    together = {each: surroundings_in(register, (each,)) for each in asked}
    assert together == {each: surroundings(unit, each, DAY) for each in asked}
    assert any(found.hubs for found in together.values())


def test_reading_ahead_costs_two_statements_a_hop_however_many_look(connection: Connection) -> None:
    note(connection, *chain(40))
    sent: list[str] = []
    event.listen(
        connection.engine, "before_cursor_execute", lambda _c, _k, statement, *_: sent.append(statement)
    )
    register = Register(unit_of(connection), DAY)
    sent.clear()
    register.read_ahead([f"m-{n}" for n in range(40)])
    for merchant in range(2, 39):
        surroundings_in(register, (f"m-{merchant}",))
    assert len(sent) <= 4


def test_when_there_is_too_much_the_freshest_are_followed_and_it_is_said(connection: Connection) -> None:
    note(connection, ("m-0", "device", "old"), ("m-1", "device", "old"), ("m-1", "phone", "p1"), ("x-1", "phone", "p1"),
         on=NOON - timedelta(days=90))  # fmt: skip
    note(
        connection,
        ("m-0", "device", "new"),
        ("m-2", "device", "new"),
        ("m-2", "phone", "p2"),
        ("x-2", "phone", "p2"),
    )
    found = surroundings(unit_of(connection), "m-0", DAY, most_merchants=2)
    assert merchants(found) == {"m-0", "m-1", "m-2", "x-2"}
    assert not found.complete


def test_one_tenant_never_sees_the_identifiers_of_another(connection: Connection) -> None:
    note(connection, ("m-0", "device", "d"))
    note(connection, ("m-1", "device", "d"), tenant="other")
    assert surroundings(unit_of(connection), "m-0", DAY).holdings == ()


def test_kinds_without_a_rule_are_not_read(connection: Connection) -> None:
    note(connection, ("m-0", "star_sign", "leo"), ("m-1", "star_sign", "leo"))
    assert surroundings(unit_of(connection), "m-0", DAY).holdings == ()


def test_more_merchants_than_fit_one_statement(connection: Connection) -> None:
    centre = [("m-0", "device", f"d{n}") for n in range(2500)]
    note(connection, *centre, *((f"m-{n + 1}", "device", f"d{n}") for n in range(2500)))
    found = surroundings(unit_of(connection), "m-0", DAY, most_merchants=5000)
    assert (len(merchants(found)), found.complete) == (2501, True)


def test_identifiers_noted_through_the_book_are_found(database_url: str) -> None:
    with LoanBook.open(database_url, clock=Clock(), actor="ann") as book:
        book.init(open_day=DAY)
        for merchant in ("m-1", "m-2"):
            book.merchants.add(merchant)
            book.merchants.identify(merchant, "account", "6222 0200 0000 1234")
        with open_engine(database_url).connect() as connection:
            found = surroundings(unit_of(connection), "m-1", DAY)
    ring = ring_around(around("m-1", found.holdings, DAY))
    assert ring is not None
    assert ring.members == ("m-1", "m-2")


def test_hops_that_make_no_sense_are_refused(connection: Connection) -> None:
    with pytest.raises(InvalidSetting, match="hops"):
        surroundings(unit_of(connection), "m-0", DAY, hops=0)


def test_two_statements_a_hop_each_by_an_index(sqlite_url: str) -> None:
    with LoanBook.open(sqlite_url, clock=Clock(), actor="ann") as book:
        book.init(open_day=DAY, buckets=BUCKETS)
    engine = open_engine(sqlite_url)
    sent: list[tuple[str, object]] = []
    event.listen(
        engine,
        "before_cursor_execute",
        lambda _c, _k, statement, values, *_: sent.append((statement, values)),
    )
    with engine.connect() as connection:
        note(connection, *chain(4))
        unit = unit_of(connection)
        assert unit.book.buckets == BUCKETS
        sent.clear()
        surroundings(unit, "m-0", DAY, hops=2)
        assert "ml_bucket" in sent[0][0]  # which day is open
        assert len(sent) == 1 + 4
        for statement, values in sent[1:]:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
            reads = [step for step in plan if "ml_identifier" in step or "theirs" in step]
            assert reads, plan
            assert all(
                re.match(r"SEARCH .*USING .*INDEX .*\(tenant=\? AND \w+=\? AND \w+=\?", step)
                for step in reads
            ), plan
    engine.dispose()


def test_the_ring_of_every_merchant_is_that_of_the_whole_book(connection: Connection) -> None:
    """Rings hidden among honest sharing, each read from one of its members outwards until it closes."""
    made = made_up_book(7, DAY, BookPlan(merchants=3000, ring_size=(3, 15), pool=4)).holdings
    columns = (made.merchant, made.identifier, made.kind, made.first_day, made.last_day)
    for merchant, identifier, kind, first, last in zip(*(each.tolist() for each in columns), strict=True):
        known = (made.merchant_id(merchant), made.kinds[kind], made.identifier_of(identifier))
        note(connection, known, first=date.fromordinal(first), last=date.fromordinal(last))
    of_book = {member: ring.members for ring in book_rings(made, DAY) for member in ring.members}
    assert max(map(len, of_book.values())) >= 10
    unit, asked = unit_of(connection), [*of_book, *map(made.merchant_id, range(0, 3000, 20))]
    circles = Circles(unit, DAY, lambda _: ())
    for merchant in asked:
        circle = circles.of(merchant)
        assert (circle.ring.members if circle.ring else None) == of_book.get(merchant)
        assert circle.complete
