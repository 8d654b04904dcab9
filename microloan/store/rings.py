"""The surroundings of one merchant: who shares its identifiers, who shares theirs, hop by hop. Two statements a hop.

An identifier with too many holders is a hub: it is counted only until that is known, and never followed. So one look costs
what the merchant's own neighbourhood is, however large the book.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, func, literal, select

from ..errors import InvalidSetting
from ..risk.links import DEFAULT_RULES, Holding, Hub, LinkRules, in_order
from ..risk.rings import MOST_HOPS
from .lending import Row
from .tables_sales import IDENTIFIERS
from .unit import Unit

T = TypeVar("T")

#: Merchants looked at from one merchant outwards; beyond it the freshest were, and the answer says that it is not complete.
MOST_MERCHANTS: Final = 500
#: Identifiers of one hop that are followed, the freshest first.
MOST_IDENTIFIERS: Final = 5000
#: Values in one statement; SQLite takes 32,766, PostgreSQL 65,535.
_BATCH: Final = 1000

_THEIRS = IDENTIFIERS.alias("theirs")
_KNOWN = (IDENTIFIERS.c.tenant == bindparam("tenant"), IDENTIFIERS.c.added_at < bindparam("until"))
_COUNTED = (
    select(literal(1).label("one"))
    .where(_THEIRS.c.tenant == IDENTIFIERS.c.tenant, _THEIRS.c.kind == IDENTIFIERS.c.kind)
    .where(_THEIRS.c.digest == IDENTIFIERS.c.digest, _THEIRS.c.added_at < bindparam("until"))
    .limit(bindparam("counted"))
    .correlate(IDENTIFIERS)
    .subquery()
)
_HOLDERS = select(func.count()).select_from(_COUNTED).scalar_subquery().label("holders")
_COLUMNS = (IDENTIFIERS.c.merchant, IDENTIFIERS.c.kind, IDENTIFIERS.c.digest, IDENTIFIERS.c.added_at)
# Two lists, not one of pairs: SQLite finds rows by one column only of a list of pairs. And no word on kinds beside the
# merchants: without statistics it would read all of a kind instead of what these merchants have.
_IDENTIFIERS_OF = (
    select(*_COLUMNS, _HOLDERS)
    .where(*_KNOWN, IDENTIFIERS.c.bucket.in_(bindparam("buckets", expanding=True)))
    .where(IDENTIFIERS.c.merchant.in_(bindparam("merchants", expanding=True)))
)
_HOLDERS_OF = (
    select(*_COLUMNS)
    .where(*_KNOWN, IDENTIFIERS.c.kind.in_(bindparam("kinds", expanding=True)))
    .where(IDENTIFIERS.c.digest.in_(bindparam("digests", expanding=True)))
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the book knows around a merchant: all holders of every identifier that was followed, and the hubs that were not.

    ``complete`` is False where there was more than is looked at.
    """

    holdings: tuple[Holding, ...]
    hubs: tuple[Hub, ...]
    complete: bool


def surroundings(
    unit: Unit,
    merchant_id: str,
    as_of: date,
    *,
    hops: int = 2,
    rules: LinkRules = DEFAULT_RULES,
    most_merchants: int = MOST_MERCHANTS,
) -> Surroundings:
    """What is known at the end of a day, in the lender's zone, within so many hops of a merchant.

    For :func:`microloan.risk.rings.around`. What the outermost merchants share among themselves only is not read.
    """
    if not 1 <= hops <= MOST_HOPS:
        raise InvalidSetting(field="hops", value=hops, reason=f"from 1 to {MOST_HOPS}")
    walk = _Walk(unit, as_of, rules, most_merchants)
    edge = [merchant_id]
    for _ in range(hops):
        edge = walk.hop(edge)
    return Surroundings(tuple(sorted(walk.holdings)), in_order(walk.hubs), walk.complete)


class _Walk:
    """One look around: what has been read, and whom it has met."""

    def __init__(self, unit: Unit, as_of: date, rules: LinkRules, most_merchants: int) -> None:
        self.unit, self.rules, self.most_merchants = unit, rules, most_merchants
        self.zone = ZoneInfo(unit.book.zone)
        self.until = datetime.combine(as_of + timedelta(days=1), time(), tzinfo=self.zone)
        self.holdings: set[Holding] = set()
        self.hubs: set[Hub] = set()
        self.complete = True
        self.met: set[str] = set()
        self._followed: set[tuple[str, str]] = set()

    def hop(self, edge: Sequence[str]) -> list[str]:
        """Read all that these merchants share; who was met for the first time, the freshest first."""
        self.met.update(edge)
        found = [self._holding(row) for row in self._holders_of(self._to_follow(edge))]
        self.holdings.update(found)
        new = dict.fromkeys(each.merchant for each in _freshest_first(found) if each.merchant not in self.met)
        room = max(0, self.most_merchants - len(self.met))
        self.complete = self.complete and len(new) <= room
        return list(new)[:room]

    def _to_follow(self, edge: Sequence[str]) -> list[tuple[str, str]]:
        """The identifiers of these merchants that somebody shares, hubs and those followed before left out."""
        fresh: dict[tuple[str, str], None] = {}
        for row in sorted(self._identifiers_of(edge), key=_freshness):
            key = (row.kind, row.digest)
            if row.holders > self.rules.kinds[row.kind].hub_holders:
                self.hubs.add(Hub(row.kind, row.digest, row.holders))
            elif row.holders >= 2 and key not in self._followed:
                fresh[key] = None
        self.complete = self.complete and len(fresh) <= MOST_IDENTIFIERS
        follow = list(fresh)[:MOST_IDENTIFIERS]
        self._followed.update(follow)
        return follow

    def _identifiers_of(self, edge: Sequence[str]) -> Iterator[Row]:
        for some in _batches(edge):
            values = {
                "merchants": some, "buckets": sorted({self.unit.bucket_of(each) for each in some}),
                "counted": self.rules.most_holders + 1, "until": self.until,
            }  # fmt: skip
            rows = self.unit.execute(_IDENTIFIERS_OF, values)
            yield from (row for row in rows if row.kind in self.rules.kinds)

    def _holders_of(self, identifiers: Sequence[tuple[str, str]]) -> Iterator[Row]:
        for some in _batches(identifiers):
            wanted, kinds = set(some), sorted({kind for kind, _ in some})
            values = {"kinds": kinds, "digests": [digest for _, digest in some], "until": self.until}
            rows = self.unit.execute(_HOLDERS_OF, values)
            yield from (row for row in rows if (row.kind, row.digest) in wanted)

    def _holding(self, row: Row) -> Holding:
        first_day = row.added_at.astimezone(self.zone).date()
        return Holding(row.merchant, row.kind, row.digest, first_day)


def _batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[begin : begin + _BATCH] for begin in range(0, len(values), _BATCH))


def _freshness(row: Row) -> tuple[float, str, str]:
    return -row.added_at.timestamp(), row.kind, row.digest


def _freshest_first(found: Iterable[Holding]) -> list[Holding]:
    return sorted(found, key=lambda each: (-each.first_day.toordinal(), each.merchant, each.kind))
