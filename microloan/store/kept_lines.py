"""All that is kept of credit lines, some hundred read together: what verify compares, and what cannot even be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BindParameter, Column, Select, bindparam, select, type_coerce

from .base import BigInt
from .damaged import Damaged, readable
from .lending import Row, columns, keyed
from .tables_lending import ACCRUALS, COMMANDS, EVENTS, FACILITIES, LOANS, OFFERS, OUTBOX
from .unit import Unit

#: Rows read together.
BATCH = 500

#: Columns of the notice that stands beside an event, there named ``notice_…``; None where it has none.
NOTICE = ("facility", "seq", "type", "subject", "time", "data")

#: Columns of an event, which come first in such a row.
EVENT = tuple(EVENTS.c.keys())

_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_FACILITIES_OF = select(*columns(FACILITIES)).where(*keyed(FACILITIES), FACILITIES.c.id.in_(_IDS))
# What other systems were told of an event is read beside it, its instant as it is stored.
_NOTICE = tuple(
    (type_coerce(OUTBOX.c[name], BigInt) if name == "time" else OUTBOX.c[name]).label(f"notice_{name}")
    for name in NOTICE
)
_EVENTS_OF = (
    select(EVENTS, *_NOTICE)
    .outerjoin_from(
        EVENTS, OUTBOX,
        (EVENTS.c.tenant == OUTBOX.c.tenant) & (EVENTS.c.bucket == OUTBOX.c.bucket) & (EVENTS.c.id == OUTBOX.c.id),
    )
    .where(*keyed(EVENTS), EVENTS.c.facility.in_(_IDS))
    .order_by(EVENTS.c.facility, EVENTS.c.seq)
)  # fmt: skip
_LOANS_OF = select(*columns(LOANS)).where(*keyed(LOANS), LOANS.c.facility.in_(_IDS))
_ACCRUALS_OF = select(*columns(ACCRUALS)).where(
    *keyed(ACCRUALS, "product", "class", "memo"), ACCRUALS.c.loan.in_(_IDS)
)
_ACCRUALS_ANYWHERE = select(*columns(ACCRUALS)).where(*keyed(ACCRUALS), ACCRUALS.c.loan.in_(_IDS))
_OFFERS_OF = select(OFFERS).where(*keyed(OFFERS), OFFERS.c.id.in_(_IDS))
_ANSWERS = select(COMMANDS.c.id, COMMANDS.c.result).where(
    COMMANDS.c.tenant == bindparam("tenant"), COMMANDS.c.id.in_(_IDS), COMMANDS.c.result.is_not(None)
)


@dataclass(frozen=True, slots=True)
class Kept:
    """All that is kept of one facility; what cannot be read is ``damaged``, and missing from the rest.

    Events by sequence with their notices, loans by id; and of all facilities read together the accrual rows of each loan,
    the stored answer of each command, and the offers that were signed.
    """

    id: str
    facility: Row | None
    events: list[Row]
    loans: list[Row]
    accruals: Mapping[str, list[Row]]
    answers: Mapping[str, str]
    offers: Mapping[str, Row]
    damaged: list[Damaged]


def kept_lines(unit: Unit, bucket: int, ids: Sequence[str]) -> Iterator[Kept]:
    """Facilities of a bucket, each with all that belongs to it, in the order of their ids."""
    return _Reading(unit, bucket).lines(ids)


@dataclass
class _Reading:
    """Facilities that are read together, and by facility the rows that cannot be read."""

    unit: Unit
    bucket: int
    damaged: dict[str, list[Damaged]] = field(default_factory=dict)

    def lines(self, ids: Sequence[str]) -> Iterator[Kept]:
        """Each facility with all that belongs to it."""
        rows = {row.id: row for row in self._rows(_FACILITIES_OF, ids, FACILITIES.c.id, FACILITIES.c.id)}
        events = self._rows(_EVENTS_OF, ids, EVENTS.c.id, EVENTS.c.facility)
        loans = self._rows(_LOANS_OF, ids, LOANS.c.id, LOANS.c.facility)
        loans.sort(key=lambda row: str(row.id))
        accruals, offers, answers = self._accruals(loans), self._offers(rows), self._answers(events)
        events_of, loans_of = _grouped(events, "facility"), _grouped(loans, "facility")
        for each in ids:
            yield Kept(
                each, rows.get(each), events_of.get(each, []), loans_of.get(each, []), accruals, answers, offers,
                self.damaged.get(each, []),
            )  # fmt: skip

    def _accruals(self, loans: Sequence[Row]) -> dict[str, list[Row]]:
        """The accrual rows of loans, under the class their rows name; those of a loan without any wherever they are."""
        named: dict[tuple[str, str, int], list[str]] = {}
        for loan in loans:
            named.setdefault((loan.product, loan.class_, loan.memo), []).append(loan.id)
        gone = {
            row.key: row.place for rows in self.damaged.values() for row in rows if row.table == LOANS.name
        }
        owner = {loan.id: loan.facility for loan in loans} | gone
        found: list[Row] = []
        for (product, class_, memo), ids in named.items():
            key = {"product": product, "class": class_, "memo": memo}
            for part in batches(ids):
                found += self._rows(_ACCRUALS_OF, part, ACCRUALS.c.loan, ACCRUALS.c.loan, owner, **key)
        seen = {row.loan for row in found} | {row.key for rows in self.damaged.values() for row in rows}
        astray = [*gone, *(loan.id for loan in loans if loan.id not in seen and _accrues(loan))]
        if astray:
            found += self._rows(_ACCRUALS_ANYWHERE, astray, ACCRUALS.c.loan, ACCRUALS.c.loan, owner)
        return _grouped(found, "loan")

    def _offers(self, facilities: Mapping[str, Row]) -> dict[str, Row]:
        owner = {row.offer: row.id for row in facilities.values()}
        rows = self._rows(_OFFERS_OF, list(owner), OFFERS.c.id, OFFERS.c.id, owner)
        return {row.id: row for row in rows}

    def _answers(self, events: Sequence[Row]) -> dict[str, str]:
        ids = sorted({event.command for event in events})
        return {
            row.id: row.result for part in batches(ids) for row in self.unit.execute(_ANSWERS, {"ids": part})
        }

    def _rows(
        self,
        query: Select[Any],
        ids: Sequence[str],
        key: Column[Any],
        place: Column[Any],
        owner: Mapping[str, str] | None = None,
        **values: Any,
    ) -> list[Row]:
        """The rows of a query that can be read; the facility of one that cannot is its *place*, or the *owner* of it."""
        given = {"bucket": self.bucket, "ids": list(ids), **values}
        found, lost = readable(self.unit, query, given, key, place)
        for row in lost:
            self.damaged.setdefault(row.place if owner is None else owner[row.place], []).append(row)
        return found


def _accrues(loan: Row) -> bool:
    return loan.held_through is None and loan.status not in ("pending", "cancelled", "closed")


def batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Identifiers some hundred at a time."""
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))


def _grouped(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(getattr(row, column), []).append(row)
    return groups
