"""What a decision on a merchant has to say of whom it belongs to: the findings about its ring, with evidence fit to be shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from ..risk.findings import Declared, Finding, Standing, ring_flags
from ..risk.links import Link
from ..store import decisions
from ..store.rings import Key
from ..store.unit import Unit
from ..underwriting.relations import Relation, Shared
from .related import Circle

#: Pieces of evidence kept with one relation; the merchant's own come first.
EVIDENCE_KEPT = 10


def relations_of(unit: Unit, circles: Mapping[str, Circle], as_of: date) -> dict[str, tuple[Relation, ...]]:
    """What decisions on these merchants have to say of whom they belong to; a merchant of which there is nothing is left out."""
    standing = _standing(
        unit,
        {each for circle in circles.values() for each in (circle.ring.members if circle.ring else ())},
        as_of,
    )
    told = {merchant: relations_in(circle, standing) for merchant, circle in circles.items()}
    return {merchant: relations for merchant, relations in told.items() if relations}


def relations_in(circle: Circle, standing: Mapping[str, Standing]) -> tuple[Relation, ...]:
    """What a circle means for a decision, its evidence made fit to be shown."""
    others = {
        each: stands for each, stands in standing.items() if each != circle.merchant
    }  # it applies today
    findings = ring_flags(circle.found, circle.ring, others, circle.parties, complete=circle.complete)
    return tuple(_relation(circle, finding) for finding in findings)


def _standing(unit: Unit, merchants: Iterable[str], as_of: date) -> dict[str, Standing]:
    """How merchants stand with the lender, as far as it was known on a day."""
    asked = sorted(merchants)
    if not asked:
        return {}
    dues, lost = decisions.oldest_dues(unit, asked), decisions.written_off(unit, asked, as_of)
    applied = decisions.applications(unit, asked, as_of)
    return {
        each: Standing(
            max((as_of - dues[each]).days, 0) if each in dues else 0, each in lost, applied.get(each)
        )
        for each in asked
    }


def _relation(circle: Circle, finding: Finding) -> Relation:
    links = [link for tie in finding.ties for link in tie.links]
    evidence = [_shared(link, circle.last_four) for link in links]
    if finding.code == "related_parties":
        files = {party.declared for party in circle.parties if party.declared}
        evidence = [
            *(
                Shared(each.one, each.other, "declared", each.reason)
                for each in sorted(files, key=_by_parties)
            ),
            *evidence,
        ]
    evidence += [
        Shared(circle.merchant, "", hub.kind, circle.last_four[hub.kind, hub.identifier], holders=hub.holders)
        for hub in finding.hubs
    ]
    return Relation(
        finding.code, finding.values, finding.merchants, tuple(dict.fromkeys(evidence))[:EVIDENCE_KEPT]
    )


def _shared(link: Link, last_four: Mapping[Key, str]) -> Shared:
    shown = last_four[link.kind, link.identifier]
    return Shared(link.one, link.other, link.kind, shown, link.since, link.until, link.holders)


def _by_parties(link: Declared) -> tuple[str, str]:
    return link.one, link.other
