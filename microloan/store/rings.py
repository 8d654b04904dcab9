"""The surroundings of a merchant or a ring: who shares its identifiers, who shares theirs, hop by hop. Two statements a hop.

An identifier with too many holders is a hub: it is counted only until that is known, and never followed. So one look costs
what the merchant's own neighbourhood is, however large the book.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, func, literal, select

from ..errors import InvalidSetting
from ..risk.links import DEFAULT_RULES, Holding, Hub, LinkRules, in_order
from ..risk.rings import MOST_HOPS
from .lending import Row
from .tables_merchants import IDENTIFIERS
from .unit import Unit

T = TypeVar("T")
#: An identifier: its kind and its digest.
Key = tuple[str, str]

#: Hops looked at around a merchant, and around everybody of its ring, unless told otherwise.
HOPS: Final = 2
#: Merchants looked at from one merchant outwards, those of its ring included; beyond it the freshest were, and the answer says
#: that it is not complete.
MOST_MERCHANTS: Final = 500
#: Identifiers of one hop that are followed, the freshest first.
MOST_IDENTIFIERS: Final = 5000
#: Merchants around many for whom is read ahead; who is further out is read when somebody gets there.
MOST_READ_AHEAD: Final = 20_000
#: Rows of the whole book held at a time while it is read.
_STREAMED: Final = 20_000
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
_COLUMNS = tuple(
    IDENTIFIERS.c[name] for name in ("merchant", "kind", "digest", "last_four", "first_day", "last_day")
)
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


_OF_KIND = (
    select(IDENTIFIERS.c.merchant, IDENTIFIERS.c.digest, IDENTIFIERS.c.first_day)
    .where(*_KNOWN, IDENTIFIERS.c.bucket.in_(bindparam("buckets", expanding=True)))
    .where(
        IDENTIFIERS.c.merchant.in_(bindparam("merchants", expanding=True)),
        IDENTIFIERS.c.kind == bindparam("kind"),
    )
)
_EVERY = (
    select(*(IDENTIFIERS.c[name] for name in ("merchant", "kind", "digest", "first_day", "last_day")))
    .where(*_KNOWN, IDENTIFIERS.c.kind.in_(bindparam("kinds", expanding=True)))
    .order_by(IDENTIFIERS.c.kind, IDENTIFIERS.c.digest)
)


_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the book knows around a merchant: all holders of every identifier that was followed, and the hubs that were not.

    ``complete`` is False where there was more than is looked at.
    """

    holdings: tuple[Holding, ...]
    hubs: tuple[Hub, ...]
    complete: bool


class Register:
    """The identifiers known at the end of a day, in the lender's zone; what was read once is not read again.

    ``last_four``: the last characters of each identifier read, by kind and digest: all of it that may be shown.
    """

    def __init__(self, unit: Unit, as_of: date, rules: LinkRules = DEFAULT_RULES) -> None:
        self.as_of, self.rules, self._unit = as_of, rules, unit
        self._until = {"until": _end_of(unit, as_of)}
        self.last_four: dict[Key, str] = {}
        self._of_merchant: dict[str, list[Row]] = {}
        self._of_identifier: dict[Key, list[Row]] = {}

    def identifiers_of(self, merchants: Sequence[str]) -> list[Row]:
        """What these merchants have, each row with the number of its holders, as far as they were counted."""
        missing = [each for each in merchants if each not in self._of_merchant]
        self._of_merchant.update({each: [] for each in missing})
        for some in _batches(missing):
            buckets = sorted({self._unit.bucket_of(each) for each in some})
            values = {"merchants": some, "buckets": buckets, "counted": self.rules.most_holders + 1}
            for row in self._unit.execute(_IDENTIFIERS_OF, self._until | values):
                if row.kind in self.rules.kinds and row.first_day <= self.as_of:
                    self._of_merchant[row.merchant].append(row)
                    self.last_four[row.kind, row.digest] = row.last_four
        return [row for each in merchants for row in self._of_merchant[each]]

    def holders_of(self, identifiers: Sequence[Key]) -> list[Row]:
        """Who has these identifiers."""
        missing = [each for each in identifiers if each not in self._of_identifier]
        self._of_identifier.update({each: [] for each in missing})
        for some in _batches(missing):
            wanted, kinds = set(some), sorted({kind for kind, _ in some})
            values = {"kinds": kinds, "digests": [digest for _, digest in some]}
            for row in self._unit.execute(_HOLDERS_OF, self._until | values):
                if (row.kind, row.digest) in wanted and row.first_day <= self.as_of:
                    self._of_identifier[row.kind, row.digest].append(row)
        return [row for each in identifiers for row in self._of_identifier[each]]

    def is_hub(self, row: Row) -> bool:
        """Whether more merchants have the identifier of this row than its kind allows."""
        hub: bool = row.holders > self.rules.kinds[row.kind].hub_holders
        return hub

    def read_ahead(self, merchants: Sequence[str], hops: int = HOPS) -> None:
        """Read for many looks at once what each would read for itself: two statements a hop, however many they are."""
        met, edge = set(merchants), list(merchants)
        for _ in range(hops):
            if len(met) > MOST_READ_AHEAD:
                return
            shared = [row for row in self.identifiers_of(edge) if row.holders >= 2 and not self.is_hub(row)]
            holders = self.holders_of(list(dict.fromkeys((row.kind, row.digest) for row in shared)))
            edge = sorted({row.merchant for row in holders} - met)
            met.update(edge)


def surroundings(
    unit: Unit,
    merchant_id: str,
    as_of: date,
    *,
    hops: int = HOPS,
    rules: LinkRules = DEFAULT_RULES,
    most_merchants: int = MOST_MERCHANTS,
) -> Surroundings:
    """What is known at the end of a day, in the lender's zone, within so many hops of a merchant.

    For :func:`microloan.risk.rings.around`. What the outermost merchants share among themselves only is not read.
    """
    return surroundings_in(Register(unit, as_of, rules), (merchant_id,), hops, most_merchants)


def surroundings_in(
    register: Register, merchants: Sequence[str], hops: int = HOPS, most_merchants: int = MOST_MERCHANTS
) -> Surroundings:
    """The same around any of these merchants, from a register which several looks may share."""
    if not 1 <= hops <= MOST_HOPS:
        raise InvalidSetting(field="hops", value=hops, reason=f"from 1 to {MOST_HOPS}")
    walk = _Walk(register, most_merchants)
    edge = list(merchants)
    for _ in range(hops):
        edge = walk.hop(edge)
    return Surroundings(tuple(sorted(walk.holdings, key=_by_id)), in_order(walk.hubs), walk.complete)


def digests_by_merchant(unit: Unit, merchants: Sequence[str], kind: str, as_of: date) -> dict[str, set[str]]:
    """The digests of one kind that were known of these merchants at the end of a day, also of what they had given up."""
    found: dict[str, set[str]] = {}
    for some in _batches(merchants):
        buckets = sorted({unit.bucket_of(each) for each in some})
        values = {"until": _end_of(unit, as_of), "buckets": buckets, "merchants": list(some), "kind": kind}
        for row in unit.execute(_OF_KIND, values):
            if row.first_day <= as_of:
                found.setdefault(row.merchant, set()).add(row.digest)
    return found


def every_holding(unit: Unit, as_of: date, kinds: Sequence[str]) -> Iterator[Row]:
    """All identifiers of these kinds known at the end of a day, streamed: one identifier after the other."""
    end = _end_of(unit, as_of)
    values = {"tenant": unit.tenant, "until": end, "kinds": list(kinds)}
    # Of the statement, not of the connection: on PostgreSQL what is written after it would be streamed too.
    yield from unit.connection.execute(_EVERY, values, execution_options={"yield_per": _STREAMED})


class _Walk:
    """One look around: what has been read, and whom it has met."""

    def __init__(self, register: Register, most_merchants: int) -> None:
        self.register, self.most_merchants = register, most_merchants
        self.holdings: set[Holding] = set()
        self.hubs: set[Hub] = set()
        self.complete = True
        self.met: set[str] = set()
        self._followed: set[Key] = set()

    def hop(self, edge: Sequence[str]) -> list[str]:
        """Read all that these merchants share; who was met for the first time, the freshest first."""
        self.met.update(edge)
        rows = self.register.holders_of(self._to_follow(edge))
        self.holdings.update(_holding(row) for row in rows)
        new = dict.fromkeys(
            row.merchant for row in sorted(rows, key=_freshness) if row.merchant not in self.met
        )
        room = max(0, self.most_merchants - len(self.met))
        self.complete = self.complete and len(new) <= room
        return list(new)[:room]

    def _to_follow(self, edge: Sequence[str]) -> list[Key]:
        """The identifiers of these merchants that somebody shares, hubs and those followed before left out."""
        fresh: dict[Key, None] = {}
        for row in sorted(self.register.identifiers_of(edge), key=_freshness):
            key = (row.kind, row.digest)
            if self.register.is_hub(row):
                self.hubs.add(Hub(*key, row.holders))
            elif row.holders >= 2 and key not in self._followed:
                fresh[key] = None
        self.complete = self.complete and len(fresh) <= MOST_IDENTIFIERS
        follow = list(fresh)[:MOST_IDENTIFIERS]
        self._followed.update(follow)
        return follow


def _end_of(unit: Unit, day: date) -> datetime:
    """The end of a day in the lender's zone; a business day ends with its close, so the open one has no end yet."""
    if day >= unit.book_day():
        return _NEVER
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=ZoneInfo(unit.book.zone))


def _batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[begin : begin + _BATCH] for begin in range(0, len(values), _BATCH))


def _holding(row: Row) -> Holding:
    return Holding(row.merchant, row.kind, row.digest, row.first_day, row.last_day)


def _by_id(holding: Holding) -> tuple[str, str, str]:
    return holding.merchant, holding.kind, holding.identifier


def _freshness(row: Row) -> tuple[int, int, str, str, str]:
    """Last seen last, then begun last, first."""
    last = date.max if row.last_day is None else row.last_day
    return -last.toordinal(), -row.first_day.toordinal(), row.merchant, row.kind, row.digest
