"""From one merchant outwards: whom it reaches, over what, and the ring it is in."""

from __future__ import annotations

import random
from datetime import date

import pytest

from microloan.errors import InvalidSetting
from microloan.risk.links import DEFAULT_KINDS, Holding
from microloan.risk.rings import around, ring_around, told

DAY = date(2026, 6, 30)
SPRING = date(2026, 3, 1)


def shared(
    identifier: str, *merchants: str, kind: str = "device", last_day: date | None = None
) -> list[Holding]:
    return [Holding(merchant, kind, identifier, SPRING, last_day) for merchant in merchants]


CHAIN = [*shared("d1", "m-1", "m-2"), *shared("d2", "m-2", "m-3"), *shared("d3", "m-3", "m-4")]
OPERATORS = [*shared("d1", "m-1", "m-2", "m-3"), *shared("p1", "m-1", "m-2", "m-3", kind="phone")]


def test_nobody_is_reached_without_a_shared_identifier() -> None:
    found = around("m-1", shared("d1", "m-1"), DAY)
    assert (found.reached, found.ties, ring_around(found)) == ((), (), None)


@pytest.mark.parametrize(("hops", "reached"), [(1, ["m-2"]), (2, ["m-2", "m-3"]), (3, ["m-2", "m-3", "m-4"])])
def test_so_many_hops_and_no_further(hops: int, reached: list[str]) -> None:
    assert [each.merchant for each in around("m-1", CHAIN, DAY, hops=hops).reached] == reached


def test_a_path_lists_every_step_with_its_evidence() -> None:
    last = around("m-1", CHAIN, DAY, hops=3).reached[-1]
    assert told(last.path, "m-1") == (
        "m-1 – device 2026-03-01..2026-06-30 – m-2 – device 2026-03-01..2026-06-30 – m-3"
        " – device 2026-03-01..2026-06-30 – m-4"
    )
    assert last.strength == pytest.approx(DEFAULT_KINDS["device"].weight ** 3)


def test_the_freshest_come_first_within_a_hop() -> None:
    old = shared("d1", "m-1", "m-2", last_day=date(2026, 4, 1))
    new = shared("d2", "m-1", "m-9")
    assert [each.merchant for each in around("m-1", old + new, DAY).reached] == ["m-9", "m-2"]


def test_of_two_ways_of_one_length_the_fresher_is_shown() -> None:
    stale = [*shared("d1", "m-1", "m-2", last_day=date(2026, 4, 1)), *shared("d2", "m-2", "m-4")]
    fresh = [*shared("d3", "m-1", "m-3"), *shared("d4", "m-3", "m-4")]
    (far,) = [each for each in around("m-1", stale + fresh, DAY).reached if each.merchant == "m-4"]
    assert [tie.across("m-3") for tie in far.path] == ["m-1", "m-4"]


def test_a_path_is_as_old_as_its_oldest_tie() -> None:
    old = [*shared("d1", "m-1", "m-2", last_day=date(2026, 4, 1)), *shared("d2", "m-2", "m-3")]
    assert [each.last_day for each in around("m-1", old, DAY).reached] == [date(2026, 4, 1)] * 2


def test_the_answer_does_not_depend_on_the_order_of_what_is_given() -> None:
    given = CHAIN + OPERATORS
    once = around("m-1", given, DAY, hops=3)
    random.Random(7).shuffle(given)
    assert around("m-1", given, DAY, hops=3) == once


def test_a_hub_is_named_and_not_followed() -> None:
    mall = shared("a1", *(f"m-{n:02}" for n in range(40)), kind="address")
    found = around("m-01", mall, DAY)
    assert found.reached == ()
    assert [(hub.kind, hub.holders) for hub in found.hubs] == [("address", 40)]


def test_a_ring_is_who_shares_two_kinds() -> None:
    ring = ring_around(around("m-2", OPERATORS, DAY))
    assert ring is not None
    assert (ring.id, ring.members, ring.evidence, ring.ties) == ("ring:m-1", ("m-1", "m-2", "m-3"), 2, 3)
    assert ring.strongest[0].kinds == ("device", "phone")


def test_a_chain_of_single_devices_is_no_ring() -> None:
    assert ring_around(around("m-1", CHAIN, DAY, hops=3)) is None


def test_one_device_shared_with_a_ring_alone_is_enough_to_count_to_it() -> None:
    given = [*OPERATORS, *shared("d9", "m-3", "m-8")]
    ring = ring_around(around("m-8", given, DAY))
    assert ring is not None
    assert ring.members == ("m-1", "m-2", "m-3", "m-8")


def test_one_of_many_customers_of_an_agent_does_not_count_to_the_ring_of_another() -> None:
    given = [*OPERATORS, *shared("d9", "m-3", *(f"x-{n}" for n in range(9)))]
    ring = ring_around(around("m-1", given, DAY))
    assert ring is not None
    assert ring.members == ("m-1", "m-2", "m-3")


@pytest.mark.parametrize("hops", [0, 21])
def test_hops_that_make_no_sense_are_refused(hops: int) -> None:
    with pytest.raises(InvalidSetting, match="hops"):
        around("m-1", CHAIN, DAY, hops=hops)
