"""Rings: one merchant outwards and the whole book agree; nothing that comes later, and no order of rows, changes an answer."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from itertools import chain, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microloan.risk.findings import related_parties
from microloan.risk.learning import learned, lessons
from microloan.risk.links import DEFAULT_KINDS, DEFAULT_RULES, Holding, LinkRules, links_among
from microloan.risk.rings import MOST_HOPS, Ring, around, ring_around
from microloan.risk.tenures import SIZES, WINDOWS, TakenUp
from microloan.risk.wholebook import Holdings, book_rings

DAY = date(2026, 6, 30)
KINDS = sorted(DEFAULT_KINDS)
WAYS = [TakenUp(*way) for way in product(sorted(DEFAULT_RULES.movable), SIZES, WINDOWS, (False, True))]


@st.composite
def rules(draw: st.DrawFn) -> LinkRules:
    """As shipped, with whatever a book might have shown."""
    return LinkRules(telling=draw(st.dictionaries(st.sampled_from(WAYS), st.sampled_from([0.4, 0.7, 0.95]))))


@st.composite
def spans(draw: st.DrawFn) -> tuple[date, date | None]:
    first = DAY - timedelta(days=draw(st.integers(0, 40) | st.integers(0, 900)))
    length = draw(st.none() | st.integers(0, 1000))
    return first, None if length is None else first + timedelta(days=length)


@st.composite
def books(draw: st.DrawFn) -> list[Holding]:
    """Few merchants and few identifiers, so that much is shared."""
    merchants, identifiers = draw(st.integers(2, 12)), draw(st.integers(1, 10))
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(1, merchants), st.sampled_from(KINDS), st.integers(1, identifiers), spans()
            ),
            max_size=40,
        )
    )
    return [Holding(f"m-{who:02}", kind, f"{what:04x}", *span) for who, kind, what, span in rows]


@st.composite
def pools(draw: st.DrawFn) -> list[Holding]:
    """A crowd of which some agree in two or three kinds, begun more or less together, among others as in any book."""
    rows = draw(books())
    for kinds in draw(st.lists(st.permutations(["address", "device", "phone"]), min_size=1, max_size=2)):
        size, spread = draw(st.integers(3, 9)), draw(st.sampled_from([0, 60, 93, 94, 140, 400]))
        lacking = draw(st.sets(st.integers(1, 9), max_size=3))
        for who in range(1, size + 1):
            first = DAY - timedelta(days=30 + draw(st.integers(0, spread)))
            taken = kinds[:1] if who in lacking else kinds[: draw(st.integers(2, 3))]
            rows += [Holding(f"m-{who:02}", kind, f"{kinds[0]}-pool", first) for kind in taken]
    return rows


def shape(ring: Ring) -> tuple[object, ...]:
    strongest = tuple((tie.one, tie.other, round(tie.strength, 9), tie.kinds) for tie in ring.strongest)
    return ring.id, ring.members, ring.evidence, ring.ties, strongest[:1]


@given(books() | pools(), rules())
def test_one_merchant_outwards_and_the_whole_book_find_the_same_rings(
    holdings: list[Holding], rules: LinkRules
) -> None:
    of_book = {shape(ring) for ring in book_rings(Holdings.of(holdings, DAY), DAY, rules)}
    merchants = {holding.merchant for holding in holdings}
    around_each = [
        ring_around(around(each, holdings, DAY, hops=MOST_HOPS, rules=rules)) for each in merchants
    ]
    assert {shape(ring)[:4] for ring in around_each if ring} == {ring[:4] for ring in of_book}


@given(books() | pools(), rules())
def test_every_link_is_the_same_from_one_merchant_and_over_the_book(
    holdings: list[Holding], rules: LinkRules
) -> None:
    of_book = {
        (tie.one, tie.other): [
            (each.kind, each.identifier, each.telling, round(each.weight, 9), round(each.counted, 9))
            for each in tie.links
        ]
        for ring in book_rings(Holdings.of(holdings, DAY), DAY, rules)
        for tie in ring.strongest
    }
    known = links_among(holdings, DAY, rules).links
    for (one, other), links in of_book.items():
        mine = [each for each in known if (each.one, each.other) == (one, other)]
        assert sorted(links) == sorted(
            (each.kind, each.identifier, each.telling, round(each.weight, 9), round(each.counted, 9))
            for each in mine
        )


@given(books(), books())
def test_what_comes_later_teaches_nothing(holdings: list[Holding], more: list[Holding]) -> None:
    later = [replace(each, first_day=DAY + timedelta(days=1), last_day=None) for each in more]
    now, then = (lessons(Holdings.of(rows, DAY), DAY) for rows in (holdings, holdings + later))
    assert now == then


@given(books())
def test_a_book_only_ever_adds_to_what_is_shipped(holdings: list[Holding]) -> None:
    book = Holdings.of(holdings, DAY)
    shipped, taught = (book_rings(book, DAY, rules).label() for rules in (DEFAULT_RULES, learned(book, DAY)))
    assert all(len(set(taught[shipped == ring])) == 1 for ring in set(shipped[shipped >= 0]))
    assert (taught[shipped >= 0] >= 0).all()


@given(books(), books())
def test_later_rows_change_nothing(holdings: list[Holding], more: list[Holding]) -> None:
    later = [
        Holding(each.merchant, each.kind, each.identifier, DAY + (DAY - each.first_day) + timedelta(days=1))
        for each in more
    ]
    assert links_among(holdings + later, DAY) == links_among(holdings, DAY)
    now, then = (list(book_rings(Holdings.of(rows, DAY), DAY)) for rows in (holdings, holdings + later))
    assert [ring.members for ring in now] == [ring.members for ring in then]


def test_a_span_that_ended_is_not_lengthened_by_what_comes_later() -> None:
    ended = [Holding(each, "account", "acc", date(2020, 1, 1), date(2020, 2, 1)) for each in ("m-1", "m-2")]
    later = [Holding(each, "account", "acc", DAY + timedelta(days=1)) for each in ("m-1", "m-2")]
    assert len(book_rings(Holdings.of(ended + later, DAY), DAY)) == 0


@given(books(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(holdings: list[Holding], shuffler: random.Random) -> None:
    once = around("m-01", holdings, DAY, hops=3), list(book_rings(Holdings.of(holdings, DAY), DAY))
    shuffler.shuffle(holdings)
    assert around("m-01", holdings, DAY, hops=3) == once[0]
    assert [shape(ring) for ring in book_rings(Holdings.of(holdings, DAY), DAY)] == [
        shape(ring) for ring in once[1]
    ]


@given(books())
def test_weights_and_strengths_lie_between_nothing_and_certainty(holdings: list[Holding]) -> None:
    found = around("m-01", holdings, DAY, hops=MOST_HOPS)
    links = list(chain.from_iterable(tie.links for tie in found.ties))
    assert all(0 <= link.counted < 1 and 0 <= link.weight < 1 for link in links)
    assert all(max(link.counted for link in tie.links) <= tie.strength + 1e-12 < 1 for tie in found.ties)


@given(books())
def test_every_path_leads_from_the_merchant_to_the_one_reached(holdings: list[Holding]) -> None:
    for each in around("m-01", holdings, DAY, hops=4).reached:
        here = "m-01"
        for tie in each.path:
            here = tie.across(here)
        assert here == each.merchant
        assert each.last_day == min(tie.last_day for tie in each.path)


@given(books())
def test_a_book_read_in_a_stream_has_the_same_rings(holdings: list[Holding]) -> None:
    once = {(each.kind, each.identifier, each.merchant): each for each in holdings}
    rows = [
        (each.merchant, each.kind, each.identifier, each.first_day, each.last_day)
        for _, each in sorted(once.items())
    ]
    streamed = book_rings(Holdings.streamed(rows), DAY)
    assert {shape(ring) for ring in streamed} == {
        shape(ring) for ring in book_rings(Holdings.of(once.values(), DAY), DAY)
    }


@given(books(), st.integers(2, 5))
def test_taking_rings_apart_never_mixes_two_rings(holdings: list[Holding], most_members: int) -> None:
    whole, apart = (
        book_rings(Holdings.of(holdings, DAY), DAY, most_members=most) for most in (None, most_members)
    )
    before = whole.label()
    pieces = np.split(apart.members, apart.starts[1:-1])
    for number, ring in enumerate(apart):
        assert len(set(before[pieces[number]])) == 1
        assert len(ring.members) <= most_members or ring.oversized


@given(books())
def test_related_parties_are_the_ring(holdings: list[Holding]) -> None:
    found = around("m-01", holdings, DAY, hops=MOST_HOPS)
    ring = ring_around(found)
    parties = [party.merchant for party in related_parties("m-01", found)]
    assert ["m-01", *parties] == list(ring.members if ring else ["m-01"])


@pytest.mark.parametrize(("idle", "telling"), [(31, True), (32, False)])
def test_both_routes_agree_on_the_day_from_which_a_number_was_handed_on(idle: int, telling: bool) -> None:
    ended = DAY - timedelta(days=40)
    former = Holding("m-1", "phone", "c0ffee", ended, ended)
    rows = [former, Holding("m-2", "phone", "c0ffee", ended + timedelta(days=idle))]
    rules = LinkRules(telling={TakenUp("phone", 2, days, at_one_place=False): 0.95 for days in WINDOWS})
    (link,) = links_among(rows, DAY, rules).links
    assert link.telling == telling
    assert len(book_rings(Holdings.of(rows, DAY), DAY, rules)) == telling


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_and_single_links_weigh_alike(kind: str) -> None:
    rows = [Holding(f"m-{n}", kind, "c0ffee", date(2025, 1, 1), date(2026, 1, 1 + n)) for n in range(3)]
    rows += [Holding(f"m-{n}", "owner", "0wner", date(2025, 1, 1)) for n in range(3)]
    (ring,) = book_rings(Holdings.of(rows, DAY), DAY)
    of_book = sorted(ring.strongest, key=lambda tie: (tie.one, tie.other))
    for alone, among in zip(around("m-0", rows, DAY).ties, of_book, strict=True):
        assert [replace(link, weight=0, counted=0) for link in alone.links] == [
            replace(link, weight=0, counted=0) for link in among.links
        ]
        assert [link.weight for link in alone.links] == pytest.approx([link.weight for link in among.links])
        assert [link.counted for link in alone.links] == pytest.approx([link.counted for link in among.links])
        assert alone.strength == pytest.approx(among.strength)
