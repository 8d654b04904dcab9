"""Rings as the book shows them: around one merchant with all evidence, and over the whole book with what each ring owes.

Identifiers are shown by their kind and last four characters only. Nothing is written; a ring is what the identifiers on file say
on a day. The rules are in :mod:`microloan.risk`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

from ..days import parse_date
from ..errors import BadInput, InvalidDate
from ..money import positive_minor, to_major
from ..risk.links import DEFAULT_KINDS, Link, freshest_first
from ..risk.rings import Reached
from ..store import decisions, settings
from ..store.rings import every_holding
from ..store.unit import Unit
from .desk import Desk
from .merchants import merchant_of
from .related import Circle, circle_of
from .requests import command
from .results import Waiting
from .ring_lessons import LEARN, RingLessons, rules_on, shown_by

if TYPE_CHECKING:
    from ..risk.wholebook import BookRings

#: How rings can be ordered, and the figure of a ring each goes by; the greatest first.
Order = Literal["size", "exposure", "overdue"]
MOST_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class SharedIdentifier:
    """An identifier that two merchants have, and from when to when both had it.

    ``until`` before ``since`` is a change of hands: the one had stopped before the other began. ``holders``: merchants that have
    it. ``weight``: what it says of the two, from 0 to 1. ``telling``: they took it up together in a way that, in this book,
    neither chance nor custom explains.
    """

    one: str
    other: str
    kind: str
    last_four: str
    since: date
    until: date
    holders: int
    weight: Decimal
    telling: bool


@dataclass(frozen=True, slots=True)
class SharedByMany:
    """An identifier of the merchant, or of somebody near it, that too many have for it to mean anything."""

    kind: str
    last_four: str
    holders: int


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A merchant within reach: over how many hops, how strongly (0 to 1), by a path last confirmed on which day.

    ``in_ring``: it is of the merchant's ring. ``path``: the merchants on the way, both ends included.
    """

    merchant_id: str
    hops: int
    strength: Decimal
    last_day: date
    in_ring: bool
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Party:
    """A related party, whose loans count towards the same caps: by way of whom, and what for.

    ``reason`` as it stands on file, or the ``kinds`` of identifiers shared; ``exposure``: outstanding and reserved.
    """

    merchant_id: str
    via: str
    reason: str
    kinds: tuple[str, ...]
    exposure: Decimal


@dataclass(frozen=True, slots=True)
class MerchantRings:
    """What is found around a merchant at the end of a day. ``evidence``: freshest first.

    ``ring``: the members of its ring, itself included; empty where it is in none. ``exposure``: what it owes itself;
    ``group_exposure``: that with all its related parties. ``complete`` is False where there was more than is looked at.
    """

    merchant_id: str
    as_of: date
    hops: int
    complete: bool
    ring: tuple[str, ...]
    currency: str
    exposure: Decimal
    group_exposure: Decimal
    parties: tuple[Party, ...]
    neighbours: tuple[Neighbour, ...]
    evidence: tuple[SharedIdentifier, ...]
    shared_by_many: tuple[SharedByMany, ...]


@dataclass(frozen=True, slots=True)
class BookRing:
    """A ring of the book with what its members owe. Named by its smallest member.

    ``exposure``: outstanding and reserved; ``overdue``: members past due, the worst by ``days_past_due``; ``written_off``:
    members with a loan written off. ``identifiers``: how many two or more of them share, of these ``kinds``; ``strength``: of
    its strongest tie, from 0 to 1; ``last_day``: when something was last shared.
    """

    id: str
    members: tuple[str, ...]
    size: int
    exposure: Decimal
    overdue: int
    days_past_due: int
    written_off: int
    kinds: tuple[str, ...]
    identifiers: int
    strength: Decimal
    last_day: date


@dataclass(frozen=True, slots=True)
class RingReport:
    """Rings of the book at the end of a day: those asked for, and how many there are in all."""

    as_of: date
    currency: str
    found: int
    placed: int
    chosen: int
    rings: tuple[BookRing, ...]


def rings_around(unit: Unit, merchant: str, as_of: date | str | None, hops: int) -> MerchantRings:
    """What is found around a merchant. Raises NotFound, InvalidDate for a day to come, InvalidSetting for hops below 1."""
    name, day = merchant_of(unit, merchant), _day(unit, as_of)
    circle = circle_of(unit, name, day, hops=hops)
    owed = settings.exposures(unit, sorted(circle.group))
    money = _money(unit)
    ring = circle.ring.members if circle.ring else ()
    links = freshest_first(link for tie in circle.found.ties for link in tie.links)
    return MerchantRings(
        merchant_id=name, as_of=day, hops=hops, complete=circle.complete, ring=ring,
        currency=unit.book.currency, exposure=money(owed.get(name, 0)), group_exposure=money(sum(owed.values())),
        parties=tuple(
            Party(each.merchant, each.through, each.declared.reason if each.declared else "",
                  each.tie.kinds if each.tie else (), money(owed.get(each.merchant, 0)))
            for each in circle.parties
        ),
        neighbours=tuple(_neighbour(name, each, ring) for each in circle.found.reached),
        evidence=tuple(_shared(link, circle) for link in links),
        shared_by_many=tuple(
            SharedByMany(hub.kind, circle.last_four[hub.kind, hub.identifier], hub.holders) for hub in circle.found.hubs
        ),
    )  # fmt: skip


class Risk:
    """Rings over the whole book, and what it teaches about them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rings(
        self,
        as_of: date | str | None = None,
        *,
        by: Order = "size",
        least_members: int = 2,
        least_exposure: object = None,
        overdue_only: bool = False,
        most: int | None = MOST_SHOWN,
    ) -> RingReport:
        """The rings of the book at the end of a day, by default the open business day; the greatest first.

        *by*: members, exposure or members past due and written off. *least_members*, *least_exposure* (major units),
        *overdue_only*: only rings with so many members, so much exposure, somebody past due or written off.
        *most*: no more than so many rings, None: all. Raises InvalidSetting (extra_missing) without scipy, InvalidDate,
        BadInput.
        """
        wanted = _Wanted(by, least_members, overdue_only, most)
        return self._desk.read(lambda unit: _book_rings(unit, _day(unit, as_of), wanted, least_exposure))

    def learn(self, *, idempotency_key: str | None = None) -> RingLessons | Waiting:
        """Read the book for what identifiers taken up together say in it, and put that on file from the open day on.

        From then on they count in decisions, draws and reports: :mod:`microloan.risk.learning`. The same again changes nothing;
        with the four-eyes setting on it waits for a second person. Raises FourEyesRequired where that needs an actor.
        """
        return command(self._desk, LEARN, {}, RingLessons, key=idempotency_key)

    def lessons(self, as_of: date | str | None = None) -> RingLessons:
        """What :meth:`learn` would have read at the end of a day, by default the open business day; nothing is put on file.

        Only identifiers the book knew by then count. What a past day looked like stays as it was decided on that day. Raises
        InvalidDate for a day to come.
        """
        return self._desk.read(lambda unit: shown_by(unit, _day(unit, as_of)))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which rings are asked for."""

    by: Order
    least_members: int
    overdue_only: bool
    most: int | None
    least_exposure_minor: int = 0

    def __post_init__(self) -> None:
        for field, value, least in (("least_members", self.least_members, 2), ("most", self.most, 1)):
            if value is not None and value < least:
                raise BadInput(field=field, value=value, reason=f"at least {least}")

    def admits(self, owes: _Owes) -> bool:
        """Whether a ring is among them."""
        return (
            owes.members >= self.least_members
            and owes.exposure_minor >= self.least_exposure_minor
            and (not self.overdue_only or owes.overdue + owes.written_off > 0)
        )

    def rank(self, owes: _Owes) -> tuple[int, ...]:
        """Where a ring stands: the greatest first."""
        troubled = (owes.overdue + owes.written_off, owes.days_past_due)
        figures: dict[str, tuple[int, ...]] = {
            "size": (owes.members, owes.exposure_minor),
            "exposure": (owes.exposure_minor, owes.members),
            "overdue": (*troubled, owes.exposure_minor),
        }
        return tuple(-figure for figure in figures[self.by])


@dataclass(frozen=True, slots=True)
class _Owes:
    """What the members of a ring owe together."""

    number: int
    members: int
    exposure_minor: int
    overdue: int
    days_past_due: int
    written_off: int


def _book_rings(unit: Unit, day: date, wanted: _Wanted, least_exposure: object) -> RingReport:
    if least_exposure is not None:
        least = positive_minor(least_exposure, unit.book.currency, "least_exposure")
        wanted = replace(wanted, least_exposure_minor=least)
    from ..risk.wholebook import Holdings, book_rings  # numpy: few commands need it

    holdings = Holdings.streamed(every_holding(unit, day, sorted(DEFAULT_KINDS)))
    found = book_rings(holdings, day, rules_on(unit, day))
    chosen = [owes for owes in _owed(unit, day, found) if wanted.admits(owes)]
    chosen.sort(key=lambda owes: (*wanted.rank(owes), owes.number))
    money = _money(unit)
    rings = tuple(_book_ring(found, owes, money) for owes in chosen[: wanted.most])
    return RingReport(day, unit.book.currency, len(found), found.placed, len(chosen), rings)


def _owed(unit: Unit, day: date, found: BookRings) -> list[_Owes]:
    """What the members of each ring owe."""
    members = [found.member_ids(number) for number in range(len(found))]
    everybody = sorted({merchant for ring in members for merchant in ring})
    exposure, dues = settings.exposures(unit, everybody), decisions.oldest_dues(unit, everybody)
    lost = decisions.written_off(unit, everybody, day)
    return [_owes(number, ring, day, exposure, dues, lost) for number, ring in enumerate(members)]


def _owes(
    number: int,
    members: Sequence[str],
    day: date,
    exposure: Mapping[str, int],
    dues: Mapping[str, date],
    lost: set[str],
) -> _Owes:
    late = [days for each in members if each in dues and (days := (day - dues[each]).days) > 0]
    return _Owes(
        number, len(members), sum(exposure.get(each, 0) for each in members), len(late), max(late, default=0),
        sum(each in lost for each in members),
    )  # fmt: skip


def _book_ring(found: BookRings, owes: _Owes, money: Callable[[int], Decimal]) -> BookRing:
    ring = found.ring(owes.number)
    ties = found.ties_of(owes.number)
    return BookRing(
        id=ring.id, members=ring.members, size=owes.members, exposure=money(owes.exposure_minor), overdue=owes.overdue,
        days_past_due=owes.days_past_due, written_off=owes.written_off,
        kinds=tuple(sorted({kind for tie in ties for kind in tie.kinds})), identifiers=ring.evidence,
        strength=_hundredths(ring.strongest[0].strength), last_day=max(tie.last_day for tie in ties),
    )  # fmt: skip


def _neighbour(merchant: str, reached: Reached, ring: Iterable[str]) -> Neighbour:
    path = [merchant]
    for tie in reached.path:
        path.append(tie.across(path[-1]))
    return Neighbour(
        reached.merchant, reached.hops, _hundredths(reached.strength), reached.last_day, reached.merchant in ring, tuple(path)
    )  # fmt: skip


def _shared(link: Link, circle: Circle) -> SharedIdentifier:
    shown = circle.last_four[link.kind, link.identifier]
    return SharedIdentifier(
        link.one,
        link.other,
        link.kind,
        shown,
        link.since,
        link.until,
        link.holders,
        _hundredths(link.counted),
        link.telling,
    )


def _hundredths(strength: float) -> Decimal:
    """A strength as people read it, to two decimals, down: what is below a threshold is not shown as if it were above."""
    return Decimal(int(strength * 100 + 1e-9)).scaleb(-2)


def _money(unit: Unit) -> Callable[[int], Decimal]:
    currency = unit.book.currency
    return lambda minor: to_major(minor, currency)


def _day(unit: Unit, as_of: date | str | None) -> date:
    today = unit.book_day()
    day = today if as_of is None else parse_date(as_of, "as_of")
    if day > today:
        raise InvalidDate(field="as_of", value=str(day), reason=f"the book's business day is {today}")
    return day
