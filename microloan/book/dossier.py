"""A facility under its lock: what a command knows of it, and what it adds. The one posting rule lives here.

Every command does the same: lock, read, refuse or append events, post the difference of two positions dated the open
day, refresh the caches, tell other systems. Source: SEMANTICS 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ..accounting.position import Balances, moved
from ..errors import EventRefused
from ..servicing.accrual import INT64, AccrualRow
from ..servicing.events import Event, Reversed, event_payload
from ..servicing.replay import Standing
from ..servicing.state import LoanState
from ..store import lending
from ..store.chain import canonical_json, row_hash
from ..store.unit import Unit, bucket_in
from .lives import LoanLife, read_life, stored

#: Statuses of a loan whose money is out and not all back.
RUNNING = ("active", "overdue", "written_off")

DAY_COUNTS = {"actual": 0, "30E/360": 1}


@dataclass
class LoanFile:
    """A loan of the dossier: its row (columns by name), its life, and where it stands today."""

    row: dict[str, Any]
    life: LoanLife
    today: date
    _state: LoanState | None = None
    new: bool = False  # drawn by this command: no row is stored yet

    @property
    def id(self) -> str:
        """The loan's id."""
        return str(self.row["id"])

    @property
    def state(self) -> LoanState:
        """The state on the open day, as the events tell it now, without ``next_due``."""
        if self._state is None:
            self._state = self.life.evening(self.today)
        return self._state

    def evening(self, day: date) -> LoanState:
        """As :attr:`state`, at the end of any value date."""
        return self.state if day == self.today else self.life.evening(day)


@dataclass
class Dossier:
    """A locked facility, the open day of its bucket, and everything this command will write."""

    unit: Unit
    row: dict[str, Any]
    today: date
    events: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    opened: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    dropped: list[dict[str, Any]] = field(default_factory=list)
    accruals: list[dict[str, Any]] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The facility's id."""
        return str(self.row["id"])

    # --- what is there -----------------------------------------------------------------------------------------------

    def loan(self, loan_id: str) -> LoanFile:
        """One of the facility's loans with its life. Raises NotFound, EventRefused for a held one or another facility's."""
        found = lending.loan(self.unit, loan_id)
        refuse_unless(found.facility == self.id, "other_facility", loan_id, f"is not a loan of {self.id}")
        return self._file(found, lending.events_of_loan(self.unit, found.bucket, loan_id))

    def loans(self) -> list[LoanFile]:
        """The facility's loans that were paid out and are not closed, cancelled or held, as they were drawn."""
        rows = lending.loans_of(self.unit, self.row["bucket"], self.id)
        running = [row.id for row in rows if row.status in RUNNING and row.held_through is None]
        found = lending.loans_with_events(self.unit, self.row["bucket"], running)
        found.sort(
            key=lambda pair: int(pair[1][0].seq)
        )  # by the chain: a clock may have been set back between two draws
        return [self._file(row, events) for row, events in found]

    def refuse_held(self) -> None:
        """For who was after any loan of the facility: one that is held may be the one meant. Raises EventRefused."""
        for row in lending.loans_of(self.unit, self.row["bucket"], self.id):
            _refuse_if_held(row)

    def _file(self, row: Any, events: Iterable[Any]) -> LoanFile:
        _refuse_if_held(row)
        with stored(row.id):
            return LoanFile(as_columns(row), read_life(events), self.today)

    # --- what is added -----------------------------------------------------------------------------------------------

    def open(self, row: dict[str, Any]) -> LoanFile:
        """A loan drawn on the facility; its row is stored as it stands when the command is written."""
        self.opened.append(row)
        return LoanFile(row, LoanLife(), self.today, new=True)

    def book(
        self,
        kind: str,
        payload: dict[str, Any] | str,
        *,
        loan: str = "",
        value_date: date | None = None,
        reverses: str = "",
        event_id: str | None = None,
        booked_on: date | None = None,
    ) -> dict[str, Any]:
        """Append one event to the facility's chain; dated today unless told otherwise. *payload*: values, or canonical JSON."""
        booked = booked_on or self.today
        row = {
            "tenant": self.unit.tenant,
            "bucket": self.row["bucket"],
            "facility": self.id,
            "seq": self.row["last_seq"] + 1,
            "id": event_id or self.unit.new_id("ev", self.row["bucket"]),
            "command": self.unit.command_id,
            "loan": loan,
            "kind": kind,
            "value_date": value_date or booked,
            "booked_on": booked,
            "recorded_at": self.unit.now,
            "reverses": reverses,
            "payload": payload if isinstance(payload, str) else canonical_json(payload),
            "actor": self.unit.actor,
            "approver": self.unit.approver,
            "four_eyes": int(self.unit.four_eyes),
            "prev_hash": self.row["head_hash"],
        }
        row["hash"] = row_hash(row)
        self.row["last_seq"], self.row["head_hash"] = row["seq"], row["hash"]
        self.events.append(row)
        return row

    def add(
        self, loan: LoanFile, make: Callable[..., Event], value_date: date | None = None, **fields: Any
    ) -> Event:
        """Append an event of a loan's life: *make* is its class, *fields* what is particular to it."""
        event_id = self.unit.new_id("ev", self.row["bucket"])
        event = make(
            id=event_id,
            value_date=value_date or self.today,
            booked_on=self.today,
            sequence=self.row["last_seq"] + 1,
            **fields,
        )
        reverses = event.of if isinstance(event, Reversed) else ""
        self.book(
            event.kind, event_payload(event), loan=loan.id, value_date=event.value_date, reverses=reverses,
            event_id=event_id,
        )  # fmt: skip
        return event

    def settle(self, loan: LoanFile, life: LoanLife) -> Standing:
        """Post what the loan's new life changes on the open day, and refresh its caches. The one posting rule.

        before = position(old events, today), after = position(new events, today), posted: after − before, dated today.
        """
        after = life.standing(self.today)
        self.post(loan, moved(loan.state, after.state))
        self.refresh(loan, life, after)
        return after

    def post(self, loan: LoanFile, change: Balances) -> None:
        """Lines of this command's entry, dated today; they sum to zero."""
        assert not sum(change.values()), "an entry that does not balance"
        for (account, class_), amount in change.items():
            line = {
                "entry": self.unit.command_id, "line": next(self.unit.lines), "day": self.today, "source": "command",
                "loan": loan.id, "class": class_, "account": account, "amount_minor": amount,
            }  # fmt: skip
            named = ("tenant", "bucket", "product", "currency")
            self.lines.append(line | {name: loan.row[name] for name in named})

    def refresh(self, loan: LoanFile, life: LoanLife, after: Standing) -> None:
        """The caches of a loan and of its facility after a change, and the loan's accrual rows."""
        old = dict(loan.row)
        if old["status"] not in ("pending", "cancelled", "closed"):
            self.dropped.append(old)
        refresh_loan(loan.row, life, after.state)
        self.row["outstanding_minor"] += loan.row["principal_minor"] - old["principal_minor"]
        others = [
            row for row in self.accruals if row["loan"] != loan.id
        ]  # one command may settle a loan twice
        self.accruals = others + ([accrual_columns(loan.row, life, after.rows)] if after.rows else [])
        if not loan.new:
            self.changed.append(loan.row)
        loan.life, loan._state = life, after.state

    def release(self, row: dict[str, Any], life: LoanLife, held: LoanState) -> LoanFile:
        """Post what passed while a loan was held, and let it go on."""
        loan = LoanFile(row, life, self.today, held)
        row |= {"held_through": None, "held_reason": None}
        self.settle(loan, life)
        return loan

    def write(self) -> None:
        """Write what was added: new loans, events with their notices, journal, caches."""
        lending.add_loans(self.unit, self.opened)
        lending.add_events(self.unit, self.events)
        lending.add_journal(self.unit, self.lines)
        lending.drop_accruals(self.unit, self.dropped)
        lending.add_accruals(self.unit, self.accruals)
        lending.set_loans(self.unit, self.changed)
        lending.set_facility(self.unit, self.row)


def open_dossier(unit: Unit, facility_id: str) -> Dossier:
    """Lock a facility for a command. Raises NotFound."""
    bucket = bucket_in(facility_id, "facility")
    today = unit.open_day(bucket)
    return Dossier(unit, as_columns(lending.facility(unit, facility_id, lock=True)), today)


def open_loan(unit: Unit, loan_id: str) -> tuple[Dossier, LoanFile]:
    """Lock the facility of a loan for a command on that loan. Raises NotFound, EventRefused for a held loan."""
    dossier = open_dossier(unit, lending.facility_of_loan(unit, loan_id))
    return dossier, dossier.loan(loan_id)


def as_columns(row: Any) -> dict[str, Any]:
    """A row as a mapping from column names to values."""
    values = dict(zip(row._fields, row, strict=True))
    if "class_" in values:
        values["class"] = values.pop("class_")
    return values


def refresh_loan(row: dict[str, Any], life: LoanLife, state: LoanState) -> None:
    """A loan row's cached figures from its state; ``start`` and ``terms`` stay what they were when a payout is reversed."""
    row |= cached_figures(state)
    row["maturity"] = life.maturity or row["maturity"]


def cached_figures(state: LoanState) -> dict[str, Any]:
    """What a loan's row keeps of its state, and passing time may change."""
    return {
        "status": state.status,
        "principal_minor": state.principal,
        "credit_minor": state.credit_balance,
        "class": state.classification,
        "memo": int(state.non_accrual),
        "oldest_due": state.oldest_due,
    }


def accrual_columns(loan: dict[str, Any], life: LoanLife, rows: Sequence[AccrualRow]) -> dict[str, Any]:
    """A loan's running totals, of interest and where there is any of penalty, as its one accrual row stores them."""
    terms = life.terms
    assert terms is not None, "a loan without terms accrues nothing"
    row, penalty = rows[0], rows[1] if len(rows) > 1 else None
    assert (row.class_, row.memo) == (loan["class"], loan["memo"]), "accrual row and state differ in class"
    assert penalty is None or penalty.den == row.den, "interest and penalty over two denominators"
    for each in rows:
        if each.whole > INT64:
            reason = f"owes {each.component} of {each.whole} minor units, more than the book can hold"
            raise EventRefused(code="sum_too_large", subject=loan["id"], reason=reason)
    return {
        "tenant": loan["tenant"], "bucket": loan["bucket"], "product": loan["product"], "class": row.class_,
        "memo": row.memo, "loan": loan["id"], "currency": loan["currency"],
        "day_count": DAY_COUNTS[terms.day_count], "anchor_n": row.anchor_n, "whole": row.whole, "q": row.q,
        "rem": row.rem, "m": row.m, "den": row.den,
        "penalty_whole": penalty and penalty.whole, "penalty_q": penalty and penalty.q,
        "penalty_rem": penalty and penalty.rem, "penalty_m": penalty and penalty.m, "next_action": row.next_action,
    }  # fmt: skip


def running_totals(line: Mapping[str, Any], until: date) -> tuple[AccrualRow, ...]:
    """The running totals of a stored accrual row, good *until* a day; the inverse of :func:`accrual_columns`.

    A part of one, which only damage leaves, counts for nothing.
    """
    class_, memo, anchor_n, den = line["class"], line["memo"], line["anchor_n"], line["den"]
    return tuple(
        AccrualRow._make((component, class_, memo, anchor_n, *figures, den, until))
        for component, names in lending.RUNNING.items()
        if None not in (figures := [line[name] for name in names])
    )


def _refuse_if_held(row: Any) -> None:
    if row.held_through is not None:
        raise EventRefused(code="loan_held", subject=row.id, reason=f"held: {row.held_reason}")


def refuse_unless(allowed: bool, code: str, subject: str, reason: str) -> None:
    """One guard a line: raise EventRefused with a stable code."""
    if not allowed:
        raise EventRefused(code=code, subject=subject, reason=reason)
