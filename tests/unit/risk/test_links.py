"""What a shared identifier is worth."""

from __future__ import annotations

from collections import Counter as Tally
from dataclasses import replace
from datetime import date, timedelta

import pytest

from microloan.errors import InvalidSetting
from microloan.risk.links import (
    DEFAULT_KINDS,
    DEFAULT_RULES,
    Holding,
    KindRule,
    LinkRules,
    joining_weight,
    links_among,
)
from microloan.risk.rings import groups, ties_of
from microloan.risk.tenures import TakenUp

DAY = date(2026, 6, 30)
SPRING = date(2026, 3, 1)


def holding(merchant: str, kind: str = "phone", identifier: str = "c0ffee", **days: date) -> Holding:
    return Holding(merchant, kind, identifier, **{"first_day": SPRING, **days})


def strength(*holdings: Holding) -> float:
    (tie,) = ties_of(links_among(holdings, DAY).links)
    return tie.strength


def shared(*kinds: str) -> float:
    return strength(*(holding(merchant, kind) for merchant in ("m-1", "m-2") for kind in kinds))


@pytest.mark.parametrize("kind", ["owner", "licence", "account"])
def test_what_documents_show_binds_alone(kind: str) -> None:
    assert DEFAULT_RULES.binds(shared(kind))


@pytest.mark.parametrize("kinds", [("phone",), ("device",), ("address",), ("phone", "address")])
def test_what_a_household_shares_does_not_bind(kinds: tuple[str, ...]) -> None:
    assert not DEFAULT_RULES.binds(shared(*kinds))


@pytest.mark.parametrize("kinds", [("device", "phone"), ("device", "address")])
def test_a_device_and_another_kind_bind(kinds: tuple[str, ...]) -> None:
    assert DEFAULT_RULES.binds(shared(*kinds))


def test_an_old_link_is_worth_less() -> None:
    day = DAY - timedelta(days=1095)
    old = strength(*(holding(each, first_day=day, last_day=day) for each in ("m-1", "m-2")))
    assert old == pytest.approx(shared("phone") / 2)


def test_a_number_given_to_a_new_customer_is_worth_little() -> None:
    before = holding("m-1", first_day=date(2024, 1, 1), last_day=date(2026, 1, 1))
    (link,) = links_among([before, holding("m-2", first_day=date(2026, 4, 1))], DAY).links
    assert link.changed_hands
    assert link.weight < 0.1


def test_an_identifier_nobody_gave_up_still_holds() -> None:
    (link,) = links_among([holding("m-1"), holding("m-2")], DAY).links
    assert (link.since, link.until) == (SPRING, DAY)


def test_a_hub_makes_no_links_and_is_kept_as_evidence() -> None:
    most = DEFAULT_KINDS["address"].hub_holders
    mall = [holding(f"m-{n:02}", "address") for n in range(most + 1)]
    found = links_among(mall, DAY)
    assert found.links == ()
    assert [(hub.kind, hub.holders) for hub in found.hubs] == [("address", most + 1)]
    assert len(links_among(mall[:-1], DAY).links) == most * (most - 1) // 2


def test_the_more_holders_the_less_a_tie_of_two_is_worth() -> None:
    two = links_among([holding(f"m-{n}", "address") for n in range(2)], DAY).links[0]
    five = links_among([holding(f"m-{n}", "address") for n in range(5)], DAY).links[0]
    assert five.counted == pytest.approx(two.counted / 2)


def test_what_began_later_is_not_known_and_not_counted() -> None:
    later = [holding("m-3", first_day=date(2026, 7, 1))]
    now = [holding("m-1"), holding("m-2", last_day=date(2026, 12, 31))]
    assert links_among(now + later, DAY) == links_among(now, DAY)


def test_links_are_listed_freshest_first_in_one_order() -> None:
    ended = [holding(each, "device", last_day=date(2026, 5, 1)) for each in ("m-1", "m-2")]
    fresh = [holding(each, "phone") for each in ("m-2", "m-3")]
    found = links_among(ended + fresh, DAY)
    assert [link.kind for link in found.links] == ["phone", "device"]
    assert links_among(reversed(ended + fresh), DAY) == found


def test_of_two_links_that_still_hold_the_later_begun_is_the_fresher() -> None:
    """A device of years ago and a phone of this spring, both still shared: the news is the phone."""
    old = [holding(each, "device", first_day=date(2023, 1, 1)) for each in ("m-1", "m-2")]
    new = [holding(each, "phone") for each in ("m-1", "m-2")]
    assert [link.kind for link in links_among(old + new, DAY).links] == ["phone", "device"]


def test_a_kind_without_a_rule_links_nobody() -> None:
    assert links_among([holding("m-1", "star_sign"), holding("m-2", "star_sign")], DAY).links == ()


@pytest.mark.parametrize(
    ("days", "weight"), [(0, 0.6981), (31, 0.6981), (32, 0.55), (183, 0.55), (184, 0.2130)]
)
def test_a_newcomer_counts_the_more_the_closer_it_began(days: int, weight: float) -> None:
    """A phone says 0.55; taken up in one month 1 - 0.45^1.5, over half a year apart 1 - 0.45^0.3."""
    begun = [holding("m-1"), holding("m-2", first_day=SPRING - timedelta(days=days))]
    (link,) = links_among(begun, DAY).links
    assert link.weight == pytest.approx(weight, abs=5e-5)
    assert link.counted == pytest.approx(0.55)  # between two alone it makes no difference


def test_what_documents_show_does_not_depend_on_when_it_began() -> None:
    assert [joining_weight(DEFAULT_KINDS["owner"], 0.9, days) for days in (0.0, 999.0)] == pytest.approx(
        [0.9, 0.9]
    )


TOLD = LinkRules(telling={TakenUp("phone", 2, 31, at_one_place=False): 0.9})


def test_a_phone_taken_up_together_binds_where_the_book_has_shown_it() -> None:
    pair = [holding("m-1"), holding("m-2", first_day=SPRING + timedelta(days=31))]
    (link,) = links_among(pair, DAY, TOLD).links
    assert (link.telling, link.counted) == (True, 0.9)
    assert TOLD.binds(link.counted)


@pytest.mark.parametrize(
    "other",
    [
        [holding("m-2", first_day=SPRING + timedelta(days=32))],
        [holding("m-2"), holding("m-3")],
        [holding("m-2"), holding("m-1", "address"), holding("m-2", "address")],
    ],
    ids=["a day later", "another has it too", "at one address besides"],
)
def test_it_does_not_in_any_other_way(other: list[Holding]) -> None:
    found = links_among([holding("m-1"), *other], DAY, TOLD)
    assert not any(link.telling for link in found.links)


def test_a_former_holder_does_not_count_among_those_who_took_it_up_together() -> None:
    before = holding("m-0", first_day=date(2024, 1, 1), last_day=date(2025, 1, 1))
    links = links_among([before, holding("m-1"), holding("m-2")], DAY, TOLD).links
    assert {(link.one, link.other): link.telling for link in links} == {
        ("m-0", "m-1"): False, ("m-0", "m-2"): False, ("m-1", "m-2"): True,
    }  # fmt: skip


def test_what_a_book_has_shown_fades_as_the_kind_does() -> None:
    day = DAY - timedelta(days=1095)
    (link,) = links_among(
        [holding(each, first_day=day, last_day=day) for each in ("m-1", "m-2")], DAY, TOLD
    ).links
    assert (link.telling, link.counted) == (True, 0.45)


# --- pools that agree in two kinds -----------------------------------------------------------------------------------


def pool(size: int, *kinds: str, days: int = 0, strangers: int = 0) -> list[Holding]:
    """So many merchants with one identifier of each kind, so many *days* one after the other, and others with the first alone."""
    begun = [SPRING - timedelta(days=days * place) for place in range(size)]
    members = [
        holding(f"m-{place:02}", kind, first_day=day) for place, day in enumerate(begun) for kind in kinds
    ]
    return members + [holding(f"x-{place:02}", kinds[0]) for place in range(strangers)]


def bound(holdings: list[Holding]) -> set[str]:
    """The members of the rings among them."""
    group = groups(ties_of(links_among(holdings, DAY).links))
    sizes = Tally(group.values())
    return {merchant for merchant, name in group.items() if sizes[name] > 1}


@pytest.mark.parametrize("size", range(2, 16))
@pytest.mark.parametrize(
    ("kinds", "least"), [(("device", "address"), 2), (("phone", "device"), 2), (("phone", "address"), 5)]
)
def test_who_agrees_in_two_kinds_and_began_together_is_a_ring_however_large(
    kinds: tuple[str, ...], least: int, size: int
) -> None:
    """A ring that grows must not become invisible. A phone and an address are a household's, which is four at most."""
    assert len(bound(pool(size, *kinds))) == (size if size >= least else 0)


@pytest.mark.parametrize(("days", "found"), [(46, 6), (47, 0)])
def test_customers_of_an_agent_in_one_block_came_over_the_years(days: int, found: int) -> None:
    """46 days apart nine of the fifteen pairs are within a season of 93 days; 47 days apart five, fewer than those of four."""
    assert len(bound(pool(6, "address", "device", days=days))) == found


@pytest.mark.parametrize(("strangers", "found"), [(2, 6), (3, 0)])
def test_some_of_many_at_one_address_are_no_pool_of_their_own(strangers: int, found: int) -> None:
    """Six of eight at the address have the agent's device, or six of nine: three in four are asked for."""
    ring = bound(pool(6, "address", "device", strangers=strangers))
    assert len({each for each in ring if each.startswith("m-")}) == found


def test_one_who_came_long_before_hides_no_ring() -> None:
    old = [holding("m-99", kind, first_day=date(2020, 1, 1)) for kind in ("device", "address")]
    assert len(bound(pool(6, "device", "address") + old)) >= 6


def test_digests_are_not_shown() -> None:
    found = links_among([holding("m-1"), holding("m-2")], DAY)
    assert "c0ffee" not in repr(found) + repr(holding("m-1"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("weight", 1.0),
        ("half_life_days", 0),
        ("hub_holders", 1),
        ("crowding", -1.0),
        ("together", 0.5),
        ("apart", 2.0),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(field: str, value: float) -> None:
    rule = KindRule(weight=0.5, half_life_days=365, hub_holders=15, crowding=0.5)
    with pytest.raises(InvalidSetting, match=field):
        replace(rule, **{field: value})


@pytest.mark.parametrize(
    "wrong",
    [
        {"ring_at": 0.0},
        {"join_at": 1.5},
        {"gap_half_life_days": 0},
        {"kinds": {}},
        {"telling": {TakenUp("phone", 2, 31, False): 1.0}},
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidSetting, match=next(iter(wrong))):
        LinkRules(**wrong)  # type: ignore[arg-type]


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="before the first day"):
        links_among([holding("m-1", last_day=date(2026, 1, 1))], DAY)
