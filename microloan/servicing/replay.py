"""``replay(terms, events, as_of) → LoanState``: the only place a loan's state comes from.

The life of a loan is walked from one day on which something happens to the next. Each such day: in the morning dues fall
due and graces end, then the day's events in their order, then the night. The rooms beside this one: fold (nights,
mornings, what is owed), receipts and changes (what events do), outlook and statement (what is shown).
Source: SEMANTICS 1, 3 to 6 and 9.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from ..errors import InvalidEvent
from ..terms import LoanTerms
from .accrual import AccrualRow
from .allocation import Shares
from .changes import change_rate, charge_fee, extend, pause, refund, restructure, write_off
from .events import (
    Event,
    Extended,
    FeeCharged,
    InterestPaused,
    RateChanged,
    Recovered,
    Refunded,
    Repaid,
    Restructured,
    Reversed,
    Settled,
    Waived,
    WrittenOff,
    rate_of,
)
from .fold import Fold
from .outlook import plan_rows, running_totals
from .receipts import recover, repay, settle, waive
from .state import LedgerRow, LoanState, ScheduleRow
from .statement import ledger_row, shown_from, state_of, uncounted_row

_DAY = timedelta(days=1)
_value_date = attrgetter("value_date")

#: What each kind of event does to a loan; comes back: how its amount was divided.
_DO: dict[type[Event], Callable[[Fold, Any], Shares]] = {
    RateChanged: change_rate,
    InterestPaused: pause,
    Extended: extend,
    Restructured: restructure,
    FeeCharged: charge_fee,
    Waived: waive,
    Repaid: repay,
    Settled: settle,
    WrittenOff: write_off,
    Recovered: recover,
    Refunded: refund,
}


@dataclass(frozen=True, slots=True)
class Life:
    """A loan's life up to the last date asked for: a state per date, the ledger, and the plan as it then stands."""

    states: tuple[LoanState, ...]
    ledger: tuple[LedgerRow, ...]
    schedule: tuple[ScheduleRow, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """A loan at the end of a value date, all that is posted and cached of it: where it stands, how each event that counts
    was divided, and its running totals from then on.

    The state leaves out ``next_due``, which nobody posts. A loan that is closed, or has not begun, has no totals.
    """

    state: LoanState
    ledger: tuple[LedgerRow, ...]
    rows: tuple[AccrualRow, ...]


class Passage(NamedTuple):
    """A loan over the close of ``day``: what the night earned, how it stood after it and after the morning, and from then on.

    Interest and penalty in minor units. The states leave out ``next_due``, which nobody posts.
    """

    day: date
    interest: int
    penalty: int
    dawn: LoanState
    morning: LoanState
    rows: tuple[AccrualRow, ...]


def replay(
    terms: LoanTerms,
    events: Sequence[Event],
    as_of: date,
    *,
    known_on: date | None = None,
    before_morning: bool = False,
) -> LoanState:
    """The state of a loan at the end of value date *as_of*, before that day's close; amounts in minor units.

    ``known_on`` leaves out what was booked later. ``before_morning`` stops after the night before *as_of*: its dues,
    grace ends and events have not happened. Raises InvalidEvent for an event valued before the loan's start.

    *Source:* SEMANTICS 6 (house rule).

    >>> terms = LoanTerms.parse({"method": "anytime", "principal": "300000", "rate": "0.048%/day",
    ...                          "start": "2017-05-01", "term": "90d"})
    >>> replay(terms, [], date(2017, 7, 30)).interest
    1296000
    """
    counting, _ = effective(terms, events, known_on)
    loan = _opened(terms, counting)
    if before_morning:
        _walk(loan, counting, as_of - _DAY)
        loan.pass_to_dawn(as_of.toordinal())
    else:
        _walk(loan, counting, as_of)
    return state_of(loan, as_of)


def life(
    terms: LoanTerms, events: Sequence[Event], as_of: Sequence[date], *, known_on: date | None = None
) -> Life:
    """States on several dates in one walk, with the ledger and the plan as of the last; the same rules as :func:`replay`.

    >>> terms = LoanTerms.parse({"method": "anytime", "principal": "300000", "rate": "0.048%/day",
    ...                          "start": "2017-05-01", "term": "90d"})
    >>> [row.interest for row in life(terms, [], [date(2017, 5, 1)]).schedule]
    [1296000]
    """
    known = _known(events, known_on)
    counting, reversed_by = effective(terms, known)
    loan = _opened(terms, counting)
    states: dict[date, LoanState] = {}
    ledger: list[LedgerRow] = []
    for day in sorted(set(as_of)):
        _walk(loan, counting[len(ledger) :], day, ledger)
        states[day] = state_of(loan, day)
    if len(counting) < len(known):
        ledger = _with_uncounted(ledger, known, reversed_by, max(as_of))
    return Life(tuple(states[day] for day in as_of), tuple(ledger), plan_rows(loan))


def _with_uncounted(
    ledger: Sequence[LedgerRow], known: Sequence[Event], reversed_by: Mapping[str, str], last: date
) -> list[LedgerRow]:
    """Reversed events and reversals stand in the ledger at their place in replay order."""
    counted = {row.id: row for row in ledger}
    shown = sorted((event for event in known if shown_from(event) <= last), key=Event.order)
    return [counted.get(event.id) or uncounted_row(event, reversed_by.get(event.id)) for event in shown]


def evenings(
    terms: LoanTerms, events: Sequence[Event], days: Sequence[date], *, after_night: bool = False
) -> tuple[LoanState, ...]:
    """States at the end of several value dates in one walk, without what is to come (``next_due`` stays None).

    With *after_night* each is taken after the night that follows the day and before the next morning: what a ledger says
    of a closed day. The same rules as :func:`replay`; pending before the start. Raises InvalidEvent. *Source:* SEMANTICS 1.

    >>> terms = LoanTerms.parse({"method": "anytime", "principal": "300000", "rate": "0.048%/day",
    ...                          "start": "2017-05-01", "term": "90d"})
    >>> day = date(2017, 5, 31)
    >>> [evenings(terms, [], [day], after_night=night)[0].interest for night in (False, True)]
    [432000, 446400]
    """
    counting, _ = effective(terms, events)
    loan, passed = _opened(terms, counting), 0
    states: dict[date, LoanState] = {}
    for day in sorted(set(days)):
        if day < terms.start:
            states[day] = LoanState(as_of=day, status="pending")
            continue
        _walk(loan, counting[passed:], day)
        passed = bisect_right(counting, day, key=_value_date)
        if after_night:
            loan.pass_to_dawn(day.toordinal() + 1)
        states[day] = state_of(loan, day, outlook=False)
        if after_night:
            loan.wake()
    return tuple(states[day] for day in days)


def accrual_rows(terms: LoanTerms, events: Sequence[Event], as_of: date) -> tuple[AccrualRow, ...]:
    """The loan's running totals as formulas from the end of value date *as_of* on: contract interest, and penalty if any.

    The close of a day T before ``next_action`` posts f(T+1) - f(T) instead of replaying the loan. Days that need more
    than 64 bits are never reached: ``next_action`` comes first. *Source:* SEMANTICS 6 (b), ARCHITECTURE.

    >>> terms = LoanTerms.parse({"method": "anytime", "principal": "300000", "rate": "0.048%/day",
    ...                          "start": "2017-05-01", "term": "90d"})
    >>> row, = accrual_rows(terms, [], date(2017, 5, 1))
    >>> row.q, row.next_action.isoformat()
    (14400, '2017-07-30')
    """
    counting, _ = effective(terms, events)
    if as_of < terms.start:
        return ()
    loan = _opened(terms, counting)
    _walk(loan, counting, as_of)
    return running_totals(loan)


def standing(terms: LoanTerms, events: Sequence[Event], as_of: date) -> Standing:
    """State, divided amounts and running totals of a loan in one walk; those of :func:`evenings`, :func:`life`
    and :func:`accrual_rows`. Raises InvalidEvent. *Source:* SEMANTICS 6.

    >>> terms = LoanTerms.parse({"method": "anytime", "principal": "300000", "rate": "0.048%/day",
    ...                          "start": "2017-05-01", "term": "90d"})
    >>> there = standing(terms, [], date(2017, 5, 31))
    >>> there.state.interest, there.rows[0].q
    (432000, 14400)
    """
    counting, _ = effective(terms, events)
    loan = _opened(terms, counting)
    ledger: list[LedgerRow] = []
    _walk(loan, counting, as_of, ledger)
    state = state_of(loan, as_of, outlook=False)
    running = state.status not in ("closed", "pending")
    return Standing(state, tuple(ledger), running_totals(loan) if running else ())


def passages(terms: LoanTerms, events: Sequence[Event], first: date, last: date) -> Iterator[Passage]:
    """The closes from that of *first*, included, to that of *last* in which more happens than a night's interest.

    One walk; the states are those of :func:`replay`. No event may be valued after *first*: those days are not over.
    *Source:* SEMANTICS 6 (b).

    >>> terms = LoanTerms.parse({"method": "anytime", "principal": "300000", "rate": "0.048%/day",
    ...                          "start": "2017-05-01", "term": "90d"})
    >>> [str(close.day) for close in passages(terms, [], date(2017, 7, 29), date(2017, 8, 31))]
    ['2017-07-29', '2017-07-30']
    """
    counting, _ = effective(terms, events)
    loan = _opened(terms, counting)
    _walk(loan, counting, first)
    day = first
    while day <= last:
        loan.advance(day.toordinal())
        following = day + _DAY
        interest, penalty = loan.interest_charged(), loan.penalty()
        loan.pass_to_dawn(following.toordinal())
        dawn = state_of(loan, following, outlook=False)
        loan.wake()
        morning = state_of(loan, following, outlook=False)
        rows = running_totals(loan)
        yield Passage(day, dawn.interest_charged - interest, dawn.penalty - penalty, dawn, morning, rows)
        day = min([row.next_action for row in rows]) - _DAY


# -- the walk ----------------------------------------------------------------------------------------------------------


def _opened(terms: LoanTerms, counting: Sequence[Event]) -> Fold:
    """The loan on its first morning, ready for every rate that is to come."""
    brought = {rate.per_day for event in counting if (rate := rate_of(event)) is not None}
    return Fold(terms, tuple(sorted(brought)))


def _walk(loan: Fold, counting: Sequence[Event], to: date, ledger: list[LedgerRow] | None = None) -> None:
    """Let the events up to *to* happen, each on its day and in their order; a *ledger* gets a row for each."""
    for event in counting[: bisect_right(counting, to, key=_value_date)]:
        loan.advance(event.value_date.toordinal())
        loan.note_non_accrual()
        shares = _DO[type(event)](loan, event)
        loan.settle_accounts()
        if ledger is not None:
            ledger.append(ledger_row(event, shares, loan.principal()))
    loan.advance(to.toordinal())


# -- which events count ------------------------------------------------------------------------------------------------


def effective(
    terms: LoanTerms, events: Sequence[Event], known_on: date | None = None
) -> tuple[list[Event], dict[str, str]]:
    """The events that count, in replay order, and for each reversed event the reversal that took it away.

    A reversed reversal does not count, so the first event does again; of two reversals that stand the first is named.
    Raises InvalidEvent for an unknown target and for a value date before the start. *Source:* SEMANTICS 6 and 9.12.
    """
    known = _known(events, known_on)
    reversals = [event for event in known if isinstance(event, Reversed)]
    reversed_by = _resolve(known, reversals) if reversals else {}
    facts = [event for event in known if not isinstance(event, Reversed)] if reversals else known
    for event in facts:
        if event.value_date < terms.start:
            reason = f"lies before the start {terms.start}"
            raise InvalidEvent(id=event.id, field="date", value=str(event.value_date), reason=reason)
    if reversed_by:
        facts = [event for event in facts if event.id not in reversed_by]
    return sorted(facts, key=Event.order), reversed_by


def _known(events: Sequence[Event], known_on: date | None) -> Sequence[Event]:
    return events if known_on is None else [event for event in events if event.booked_on <= known_on]


def _resolve(known: Sequence[Event], reversals: Sequence[Reversed]) -> dict[str, str]:
    ids = {event.id for event in known}
    claims: dict[str, list[str]] = {}
    for reversal in reversals:
        if reversal.of not in ids or reversal.of == reversal.id:
            raise InvalidEvent(
                id=reversal.id, field="of", value=reversal.of, reason="no such event to reverse"
            )
        claims.setdefault(reversal.of, []).append(reversal.id)
    standing: dict[str, str | None] = {}

    def taken_by(event_id: str, path: tuple[str, ...] = ()) -> str | None:
        if event_id in path:
            raise InvalidEvent(
                id=event_id, field="of", value=event_id, reason="reversals that reverse each other"
            )
        if event_id not in standing:
            live = [claim for claim in claims.get(event_id, ()) if taken_by(claim, (*path, event_id)) is None]
            standing[event_id] = live[0] if live else None
        return standing[event_id]

    return {event_id: by for event_id in claims if (by := taken_by(event_id)) is not None}
