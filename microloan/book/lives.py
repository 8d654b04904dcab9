"""From stored events to a loan's life: its terms, the events replay reads, and whether its payout stands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any

from pydantic_core import from_json

from ..errors import LoanDamaged, MicroloanError
from ..rates import Rate
from ..servicing.accrual import AccrualRow
from ..servicing.events import Event, Extended, Restructured, event_from_payload, rate_of
from ..servicing.replay import Life, Standing, accrual_rows, effective, evenings, life, replay, standing
from ..servicing.state import LoanState
from ..store.damaged import FAULTS
from ..terms import LoanTerms, Method

#: Events of a loan that replay does not read: the draw and its payout.
DRAWN, CONFIRMED, FAILED = "drawn", "payout_confirmed", "payout_failed"


@dataclass(frozen=True)
class LoanLife:
    """A loan as its events tell it."""

    agreed: LoanTerms | None = None  # as confirmed with the payout
    events: tuple[Event, ...] = ()
    payout_family: tuple[str, ...] = ()  # ids of the confirmation, its reversal, the reversal of that …
    payout_reversed: bool = False
    failed: bool = False

    def state(self, as_of: date, known_on: date | None = None) -> LoanState:
        """The loan's state at the end of a value date."""
        if self.terms is None:
            return LoanState(as_of=as_of, status="cancelled" if self.cancelled else "pending")
        return replay(self.terms, self.events, as_of, known_on=known_on)

    def evening(self, as_of: date) -> LoanState:
        """As :meth:`state` without ``next_due``, which is dear to find and which nothing posted depends on."""
        return self.state(as_of) if self.terms is None else evenings(self.terms, self.events, [as_of])[0]

    def dawn(self, day: date) -> LoanState:
        """The loan's state after the night before *day* and before its morning."""
        if self.terms is None:
            return self.state(day)
        return replay(self.terms, self.events, day, before_morning=True)

    def life(self, days: Sequence[date], known_on: date | None = None) -> Life:
        """States, ledger and plan in one walk."""
        if self.terms is None:
            return Life(tuple(self.state(day) for day in days), (), ())
        return life(self.terms, self.events, days, known_on=known_on)

    def standing(self, as_of: date) -> Standing:
        """What a command posts and caches of the loan at the end of a value date, in one walk."""
        if self.terms is None:
            return Standing(self.state(as_of), (), ())
        return standing(self.terms, self.events, as_of)

    def accruals(self, as_of: date) -> tuple[AccrualRow, ...]:
        """The loan's running totals as formulas; none while it is pending, cancelled or closed."""
        if self.terms is None:
            return ()
        return accrual_rows(self.terms, self.events, as_of)

    def plus(self, *events: Event) -> LoanLife:
        """The same life with more events of it."""
        return replace(self, events=(*self.events, *events))

    def payout_turned(self, reversal_id: str) -> LoanLife:
        """The same life after a reversal in the payout's family: each one turns the payout off, or on again."""
        family = (*self.payout_family, reversal_id)
        return replace(self, payout_reversed=not self.payout_reversed, payout_family=family)

    @property
    def terms(self) -> LoanTerms | None:
        """The terms replay walks; None until a payout is confirmed, and again once it is reversed."""
        return None if self.payout_reversed else self.agreed

    @property
    def cancelled(self) -> bool:
        """The payout failed or was reversed."""
        return self.failed or self.payout_reversed

    @property
    def maturity(self) -> date | None:
        """The last day of the plan, with the extensions that stand."""
        if self.terms is None:
            return None
        if not any(isinstance(event, Extended) for event in self.events):
            return self.terms.last_day
        counting, _ = effective(self.terms, self.events)
        extended = [e for e in counting if isinstance(e, Extended)]
        return _last_day(extended[-1]) if extended else self.terms.last_day

    def rate(self, as_of: date) -> Rate | None:
        """The contract rate in force on a day; None while there are no terms."""
        if self.terms is None:
            return None
        if not any(rate_of(event) for event in self.events):
            return self.terms.rate
        counting, _ = effective(self.terms, self.events)
        rates = [rate for e in counting if e.value_date <= as_of and (rate := rate_of(e)) is not None]
        return rates[-1] if rates else self.terms.rate

    @property
    def method(self) -> Method | None:
        """The repayment method, with the restructurings that stand; None while there are no terms."""
        if self.terms is None:
            return None
        if not any(isinstance(event, Restructured) for event in self.events):
            return self.terms.method
        counting, _ = effective(self.terms, self.events)
        agreed = [e.method for e in counting if isinstance(e, Restructured) and e.method is not None]
        return agreed[-1] if agreed else self.terms.method


def _last_day(event: Extended) -> date:
    return event.due_dates[-1] if event.due_dates else event.maturity


def read_life(rows: Iterable[Any]) -> LoanLife:
    """The life of one loan from its event rows in the order of their sequence."""
    agreed: LoanTerms | None = None
    family: tuple[str, ...] = ()
    events: list[Event] = []
    reversed_, failed = False, False
    for row in rows:
        if row.kind == DRAWN:
            continue
        if row.kind == FAILED:
            failed = True
        elif row.kind == CONFIRMED:
            agreed, family = _agreed_terms(row.payload), (row.id,)
        elif row.reverses in family:
            family, reversed_ = (*family, row.id), not reversed_
        else:
            events.append(read_event(row))
    return LoanLife(agreed, tuple(events), family, reversed_, failed)


@contextmanager
def stored(loan_id: str) -> Iterator[None]:
    """Inside it a loan is read from its rows alone: whatever fails there is that loan's damage. Raises LoanDamaged."""
    try:
        yield
    except LoanDamaged:
        raise
    except FAULTS as fault:
        raise LoanDamaged(loan_id=loan_id, reason=fault_told(fault)) from fault


def fault_told(fault: Exception) -> str:
    """A fault in a few words: the sentence of one of our errors, else its kind and what it says.

    >>> fault_told(ValueError("ordinal must be >= 1"))
    'ValueError: ordinal must be >= 1'
    """
    told = str(fault) if isinstance(fault, MicroloanError) else f"{type(fault).__name__}: {fault}"
    return told[:300]


def read_event(row: Any) -> Event:
    """The event of a stored row."""
    return event_from_payload(
        row.kind,
        from_json(row.payload),
        id=row.id,
        value_date=row.value_date,
        booked_on=row.booked_on,
        sequence=row.seq,
    )


@lru_cache(maxsize=4096)
def _agreed_terms(payload: str) -> LoanTerms:
    """The terms inside the payload of a payout's confirmation, which holds nothing else."""
    return LoanTerms.from_text(payload.removeprefix('{"terms":').removesuffix("}"))


@lru_cache(maxsize=1024)
def parse_rate(text: str) -> Rate:
    """A rate from its stored text: a book has few of them."""
    return Rate.parse(json.loads(text))


@lru_cache(maxsize=4096)
def parse_terms(text: str) -> LoanTerms:
    """Terms from their stored text; equal texts give the same frozen object."""
    return LoanTerms.from_text(text)


__all__ = [
    "CONFIRMED", "DRAWN", "FAILED", "LoanLife", "fault_told", "parse_rate", "parse_terms", "read_event", "read_life",
    "stored",
]  # fmt: skip
