"""Related parties for the cap, and reasons for a decision."""

from __future__ import annotations

from datetime import date

import pytest

from microloan.risk.findings import (
    CODES,
    Declared,
    Standing,
    group_exposure_minor,
    related_parties,
    ring_buyers,
    ring_flags,
)
from microloan.risk.links import Holding
from microloan.risk.rings import Neighbourhood, around, ring_around

DAY = date(2026, 6, 30)
SPRING = date(2026, 3, 1)
RING = [Holding(who, kind, "c0ffee", SPRING) for who in ("m-1", "m-2", "m-3") for kind in ("device", "phone")]
CHANCE = [Holding(who, "phone", "f00d", SPRING) for who in ("m-1", "m-9")]


@pytest.fixture
def found() -> Neighbourhood:
    return around("m-1", RING + CHANCE, DAY)


def codes(found: Neighbourhood, **standing: Standing) -> list[str]:
    given = {name.replace("_", "-"): each for name, each in standing.items()}
    return [finding.code for finding in ring_flags(found, ring_around(found), given)]


def test_the_ring_and_declared_parties_count_together(found: Neighbourhood) -> None:
    found = around("m-1", RING, DAY)
    parties = related_parties("m-1", found, [Declared("m-3", "m-7", "one owner")])
    assert [(party.merchant, party.through) for party in parties] == [
        ("m-2", "m-1"),
        ("m-3", "m-1"),
        ("m-7", "m-3"),
    ]
    assert parties[-1].declared is not None
    assert parties[0].tie is not None


def test_what_is_on_file_is_named_before_what_was_found() -> None:
    (first, _) = related_parties("m-1", around("m-1", RING, DAY), [Declared("m-1", "m-2", "spouses")])
    assert first.declared == Declared("m-1", "m-2", "spouses")


def test_one_shared_phone_makes_no_related_party() -> None:
    assert related_parties("m-1", around("m-1", CHANCE, DAY)) == ()


def test_exposure_of_a_group_counts_everybody_once() -> None:
    parties = related_parties("m-1", around("m-1", RING, DAY), [Declared("m-1", "m-2", "spouses")])
    owed = {"m-1": 100_00, "m-2": 200_00, "m-3": 300_00, "m-8": 900_00}
    assert group_exposure_minor("m-1", parties, owed) == 600_00


def test_a_ring_is_a_reason_with_its_evidence(found: Neighbourhood) -> None:
    (finding,) = ring_flags(found, ring_around(found), {})
    assert finding.code == "ring_suspected"
    assert dict(finding.values) == {"count": "3", "kinds": "device, phone"}
    assert {tie.one for tie in finding.ties[:2]} == {"m-1"}


def test_how_the_others_stand_is_a_reason(found: Neighbourhood) -> None:
    given = {"m-2": Standing(days_past_due=40), "m-3": Standing(written_off=True)}
    findings = ring_flags(found, ring_around(found), given)
    assert [finding.code for finding in findings] == ["ring_written_off", "ring_overdue", "ring_suspected"]
    assert dict(findings[1].values) == {"count": "1", "days": "40"}
    assert findings[1].merchants == ("m-2",)


def test_own_arrears_are_not_the_rings(found: Neighbourhood) -> None:
    assert codes(found, m_1=Standing(days_past_due=40, written_off=True)) == ["ring_suspected"]


@pytest.mark.parametrize(
    ("applied_on", "expected"),
    [(date(2026, 6, 10), True), (date(2026, 7, 20), True), (date(2026, 4, 1), False)],
)
def test_applications_close_together_are_a_reason(
    found: Neighbourhood, applied_on: date, expected: bool
) -> None:
    given = codes(found, m_1=Standing(applied_on=DAY), m_2=Standing(applied_on=applied_on))
    assert ("ring_applications" in given) is expected


def test_no_ring_no_reason_but_a_hub_is_told() -> None:
    agent = [Holding(f"m-{n}", "device", "d1", SPRING) for n in range(30)]
    (finding,) = ring_flags(around("m-1", agent, DAY), None, {})
    assert (finding.code, finding.values) == ("identifier_of_many", (("kinds", "device"),))


def test_reasons_come_in_the_documented_order(found: Neighbourhood) -> None:
    everything = Standing(days_past_due=1, written_off=True, applied_on=DAY)
    parties = related_parties("m-1", found)
    given = ring_flags(found, ring_around(found), {"m-2": everything}, parties, complete=False)
    assert [finding.code for finding in given] == list(CODES[:-1])


def test_buyers_who_are_the_ring_are_found() -> None:
    buyers = {"b-1": [("phone", "c0ffee")], "b-2": [("phone", "0ther")], "b-3": [("device", "c0ffee")]}
    assert ring_buyers(["m-1", "m-2"], RING, buyers) == {"b-1": ("m-1", "m-2"), "b-3": ("m-1", "m-2")}
