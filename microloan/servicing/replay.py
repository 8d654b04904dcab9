"""``replay(terms, events, as_of) → LoanState``: the only place a loan's state comes from.

The life of a loan is walked from one day on which something happens to the next. Each such day: in the morning dues fall
due and graces end, then the day's events in their order, then the night. Between those days interest is one product of
integers over a common denominator, so nothing is rounded before it is booked. Source: SEMANTICS 1, 3 to 6 and 9.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from ..days import LAST_DAY
from ..errors import InvalidEvent
from ..money import half_up_div
from ..rates import Rate
from ..terms import Component, LoanTerms
from .accrual import AccrualRow, formula, merged, nights_that_fit, number_of, rate_numerators
from .allocation import Bucket, payment_steps
from .delinquency import classification, days_past_due
from .events import (
    Event,
    Extended,
    FeeCharged,
    InterestPaused,
    RateChanged,
    Recovered,
    Refunded,
    Repaid,
    Reversed,
    Settled,
    Waived,
    WrittenOff,
)
from .schedule import due_days, equal_parts, level_instalment, level_parts, monthly_before, shortened
from .state import Due, LedgerRow, LoanState, ScheduleRow, Split

_FAR = 4_000_000  # an ordinal after every date there is


@dataclass(frozen=True, slots=True)
class Life:
    """A loan's life up to the last date asked for: a state per date, the ledger, and the plan as it then stands."""

    states: tuple[LoanState, ...]
    ledger: tuple[LedgerRow, ...]
    schedule: tuple[ScheduleRow, ...]


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
    loan = _Fold(terms)
    for _ in loan.run(effective(terms, events, known_on)[0], (as_of,), before_morning):
        pass
    return loan.state(as_of)


def life(
    terms: LoanTerms, events: Sequence[Event], as_of: Sequence[date], *, known_on: date | None = None
) -> Life:
    """States on several dates in one walk, with the ledger and the plan as of the last; the same rules as :func:`replay`.

    >>> terms = LoanTerms.parse({"method": "anytime", "principal": "300000", "rate": "0.048%/day",
    ...                          "start": "2017-05-01", "term": "90d"})
    >>> [row.interest for row in life(terms, [], [date(2017, 5, 1)]).schedule]
    [1296000]
    """
    days = sorted(set(as_of))
    counting, reversed_by = effective(terms, events, known_on)
    loan = _Fold(terms)
    loan.rows = []
    states = {day: loan.state(day) for day in loan.run(counting, days)}
    rows = {row.id: row for row in loan.rows}
    for event in events:
        if known_on is None or event.booked_on <= known_on:
            _add_uncounted(rows, event, days[-1], reversed_by)
    order = {event.id: place for place, event in enumerate(sorted(events, key=Event.order))}
    ledger = sorted(rows.values(), key=lambda row: order[row.id])
    return Life(tuple(states[day] for day in as_of), tuple(ledger), loan.plan_rows())


def _add_uncounted(rows: dict[str, LedgerRow], event: Event, last: date, reversed_by: dict[str, str]) -> None:
    """Reversed events keep their amount and show who reversed them; reversals have a row of their own."""
    if event.id in rows:
        return
    if isinstance(event, Reversed):
        if event.booked_on > last:
            return
        row = LedgerRow(
            event.id, event.kind, None, event.booked_on, 0, Split(), None, reversed_by.get(event.id)
        )
    elif event.value_date <= last and event.id in reversed_by:
        amount = getattr(event, "amount_minor", None)
        row = LedgerRow(
            event.id,
            event.kind,
            event.value_date,
            event.booked_on,
            amount,
            Split(),
            None,
            reversed_by[event.id],
        )
    else:
        return
    rows[event.id] = row


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
    loan = _Fold(terms)
    for _ in loan.run(effective(terms, events)[0], (as_of,)):
        pass
    return loan.accrual_rows() if loan.start <= as_of.toordinal() else ()


def effective(
    terms: LoanTerms, events: Sequence[Event], known_on: date | None = None
) -> tuple[list[Event], dict[str, str]]:
    """The events that count, in replay order, and for each reversed event the reversal that took it away.

    A reversed reversal does not count, so the first event does again; of two reversals that stand the first is named.
    Raises InvalidEvent for an unknown target and for a value date before the start. *Source:* SEMANTICS 6 and 9.12.
    """
    known = [event for event in events if known_on is None or event.booked_on <= known_on]
    reversals = [event for event in known if isinstance(event, Reversed)]
    reversed_by = _resolve(known, reversals) if reversals else {}
    counting = []
    for event in known:
        if isinstance(event, Reversed):
            continue
        if event.value_date < terms.start:
            raise InvalidEvent(
                id=event.id,
                field="date",
                value=str(event.value_date),
                reason=f"lies before the start {terms.start}",
            )
        if event.id not in reversed_by:
            counting.append(event)
    counting.sort(key=Event.order)
    return counting, reversed_by


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


class _Fallen(NamedTuple):
    """What fell due one morning and the principal not yet due after it; grace interest is no row of the plan."""

    due: int
    principal: int
    interest: int
    left: int
    planned: bool


class _Fold:
    """The loan while it is walked through. Amounts are minor units, days ordinals, exact totals numerators over ``den``."""

    def __init__(self, terms: LoanTerms) -> None:
        self.terms = terms
        self.start = terms.start.toordinal()
        self.maturity = terms.last_day.toordinal()
        self.day = self.start
        self.drawn = terms.principal_minor
        self.future = self.drawn  # principal not yet due; always the sum of the plan's parts
        self.buckets: list[Bucket] = []
        self.carry = 0  # exact contract interest since the last bill
        self.taken = 0  # what was paid, waived or fell due out of it
        self.carried = 0  # booked interest that waits: of an extension, or of the minimum days
        self.moved = self.moved_interest = (
            0  # of a sweep loan: what an extension moved to the next period end
        )
        self.billed = 0
        self.late = 0  # exact penalty since the start
        self.late_taken = 0
        self.fees = 0
        self.credit = 0
        self.paid = dict.fromkeys(_PARTS, 0)
        self.waived = dict.fromkeys(_PARTS, 0)
        self.recovered = dict.fromkeys(_PARTS, 0)
        self.fees_charged = self.received = self.refunded = 0
        self.written_off = self.non_accrual = self.minimum_charged = False
        self.pauses: list[tuple[int, int]] = []
        self.free_until = self.start + terms.interest_free_days
        self.settled_until = self.start
        self.rows: list[LedgerRow] | None = None
        self.fallen: list[_Fallen] = []
        self.projecting = self.dawn = False  # dawn: the night is over, the morning not yet come
        self.instalment = 0
        self.contract = terms.rate.per_day
        self._set_rates((self.contract,))
        self.rate_log = [(self.start, self.rate, self.penalty)]
        self.period_end, self.period_paid = self._first_period_end(), 0
        self.plan: list[list[int]] = []
        self._rebuild([day.toordinal() for day in due_days(terms)], solve=True)

    # -- the walk ---------------------------------------------------------------------------------------------------

    def run(
        self, events: Sequence[Event], stops: Sequence[date], before_morning: bool = False
    ) -> Iterator[date]:
        """Apply events up to each stop and yield there; *stops* ascend."""
        changes = {event.rate.per_day for event in events if isinstance(event, RateChanged)}
        if changes:
            self._set_rates((self.contract, *sorted(changes)))
            self.rate_log = [(self.start, self.rate, self.penalty)]
        pending = iter(events)
        event = next(pending, None)
        for stop in stops:
            until = stop.toordinal() - before_morning
            while event is not None and (day := event.value_date.toordinal()) <= until:
                self.advance(day)
                self.apply(event)
                event = next(pending, None)
            self.advance(until)
            if before_morning and until >= self.start:
                self._nights(until + 1)
                self.dawn = True
            yield stop

    def advance(self, to: int) -> None:
        """Pass nights and mornings up to and including the morning of *to*."""
        while self.day < to:
            stop = min(to, self._next_morning())
            self._nights(stop)
            self._morning(stop)

    def _next_morning(self) -> int:
        """The next day on which something happens by itself."""
        if self.written_off:
            return _FAR
        stop = self.plan[0][0] if self.plan else _FAR
        for bucket in self.buckets:
            if not bucket.penal and bucket.grace_end < stop:
                stop = bucket.grace_end
        return min(stop, self.period_end)

    def _nights(self, to: int) -> None:
        """Earn the nights from the present day to *to*."""
        if not self.written_off:
            base, late_base = self.bases()
            if base:
                self.carry += base * self.rate * self.chargeable(self.day, to)
            if late_base:
                self.late += late_base * self.penalty * self.nights(self.day, to)
        self.day = to

    def bases(self) -> tuple[int, int]:
        """The amounts that bear contract interest and penalty tonight."""
        base, late_base = self.future, 0
        for bucket in self.buckets:
            if not bucket.penal:
                base += bucket.principal
            else:
                late_base += bucket.principal
                if self.terms.penalty.on_interest:
                    late_base += bucket.interest
        return base, late_base

    def nights(self, start: int, end: int) -> int:
        """Day count from *start* to *end* without paused nights."""
        count = self.terms.day_count
        total = number_of(end, count) - number_of(start, count)
        for first, until in self.pauses:
            low, high = max(first, start), min(until, end)
            if low < high:
                total -= number_of(high, count) - number_of(low, count)
        return total

    def chargeable(self, start: int, end: int) -> int:
        """Day count from *start* to *end* without paused and interest-free nights."""
        return self.nights(max(start, min(self.free_until, end)), end)

    def _morning(self, day: int) -> None:
        if self.written_off:
            return
        after_maturity = not self.plan
        if self.period_end == day:
            self._end_period(day)
        while self.plan and self.plan[0][0] == day:
            self._fall_due(day, self.plan.pop(0)[1])
        ended = [bucket for bucket in self.buckets if not bucket.penal and bucket.grace_end == day]
        for bucket in ended:
            self._end_grace(bucket, day)
        if ended and after_maturity and self.accrued():
            self._grace_interest_due(day)

    def _fall_due(self, day: int, principal: int) -> None:
        """A due date is a bill: its rounded interest stands and the count starts anew from exact zero."""
        interest = self._bill()
        self.future -= principal
        self.moved = 0
        self._due(day, principal, interest, planned=True)

    def _bill(self) -> int:
        interest = self.accrued()
        self.billed += half_up_div(self.carry, self.den) + self.carried
        self.carry = self.taken = self.carried = self.moved_interest = 0
        return interest

    def _due(
        self, day: int, principal: int, interest: int, *, planned: bool = False, grace: bool = True
    ) -> None:
        """Let something fall due; only what the plan names has a row in it."""
        if principal or interest or self.future:
            self.fallen.append(_Fallen(day, principal, interest, self.future, planned))
        if (principal or interest) and not self.projecting:
            last = day + self.terms.grace_days + 1 if grace and self.terms.grace_days else day
            self.buckets.append(Bucket(day, principal, interest, last, last == day))

    def _end_grace(self, bucket: Bucket, day: int) -> None:
        """What is still unpaid is topped up from the due date. Source: SEMANTICS 9.6."""
        bucket.penal = True
        if not bucket.topped_up:
            return
        for start, end, rate, penalty in self._rate_spans(bucket.due, day):
            free_end = min(max(self.free_until, start), end)
            self.late += bucket.principal * penalty * self.nights(start, free_end)
            self.late += bucket.principal * max(0, penalty - rate) * self.nights(free_end, end)
            if self.terms.penalty.on_interest:
                self.late += bucket.interest * penalty * self.nights(start, end)

    def _rate_spans(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        for place, (since, rate, penalty) in enumerate(self.rate_log):
            until = self.rate_log[place + 1][0] if place + 1 < len(self.rate_log) else _FAR
            low, high = max(since, start), min(until, end)
            if low < high:
                yield low, high, rate, penalty

    def _grace_interest_due(self, day: int) -> None:
        """After the maturity interest falls due without a bill: the plan names no such date, the count runs on."""
        interest = self.accrued()
        self._take_accrued(interest)
        self._due(day, 0, interest, grace=False)

    def _spare_until_grace_ends(self, bucket: Bucket) -> None:
        """Interest of the grace that falls due inside it bears penalty only from the first morning after the grace."""
        bucket.grace_end = self.maturity + self.terms.grace_days + 1
        bucket.penal = bucket.grace_end <= self.day
        bucket.topped_up = False

    # -- sweep periods ----------------------------------------------------------------------------------------------

    def _first_period_end(self) -> int:
        sweep = self.terms.sweep
        if sweep is None or sweep.minimum is None:
            return _FAR
        return self._period_after(self.start)

    def _period_after(self, day: int) -> int:
        if self.terms.sweep is None or self.terms.sweep.minimum is None:
            return _FAR
        return day + self.terms.sweep.minimum.every.count

    def _end_period(self, day: int) -> None:
        """What the period lacks of its minimum falls due, interest first. Source: SEMANTICS 9.14 and 9.18."""
        paid, self.period_paid = self.period_paid, 0
        self.period_end = self._period_after(day)
        if (
            self.terms.sweep is None
            or self.terms.sweep.minimum is None
            or not self.plan
            or self.plan[0][0] == day
        ):
            return
        fraction = self.terms.sweep.minimum.fraction
        minimum = half_up_div(fraction.numerator * self.drawn, fraction.denominator)
        lack = max(0, minimum - paid)
        running = min(lack, self.accrued() - self.moved_interest)
        interest = self.moved_interest + running
        principal = self.moved + min(lack - running, self.future - self.moved)
        self._take_accrued(interest)
        self.moved = 0
        self.future -= principal
        self.plan[-1][1] -= principal
        if interest or principal:
            self._due(day, principal, interest, planned=True)

    # -- the plan ---------------------------------------------------------------------------------------------------

    def _rebuild(self, days: Sequence[int], *, solve: bool) -> None:
        """Spread the principal not yet due over *days*; unpaid exact interest since the last bill lies inside the first.

        ``solve`` finds a new instalment; without it ``shorten_term`` keeps the one there is and takes fewer dates.
        """
        if not days:
            return
        keep = not solve and self.terms.prepayment == "shorten_term" and self.instalment > 0
        if self.terms.method == "equal_principal":
            if not keep:
                self.instalment = half_up_div(self.future, len(days))
            parts = equal_parts(self.future, len(days), self.instalment)
        elif self.terms.method == "equal_instalment":
            parts = self._level_parts(days, keep)
        else:
            parts = [0] * (len(days) - 1) + [self.future]
        self.plan = (
            shortened(days, parts) if keep else [[day, part] for day, part in zip(days, parts, strict=True)]
        )

    def _level_parts(self, days: Sequence[int], keep: bool) -> list[int]:
        nights = [self.chargeable(a, b) for a, b in zip((self.day, *days), days, strict=False)]
        unpaid = self.carry - self.taken * self.den
        if not keep:
            self.instalment = level_instalment(self.future, self.rate, self.den, nights, unpaid)
        return level_parts(self.future, self.instalment, self.rate, self.den, nights, unpaid)

    def _days_to_come(self) -> list[int]:
        return [day for day, _ in self.plan]

    # -- what is owed -----------------------------------------------------------------------------------------------

    def accrued(self) -> int:
        """Booked interest that is unpaid and not yet due."""
        return self.carried + half_up_div(self.carry, self.den) - self.taken

    def _take_accrued(self, amount: int) -> None:
        from_carried = min(amount, self.carried)
        self.moved_interest -= min(amount, self.moved_interest)
        self.carried -= from_carried
        self.billed += from_carried
        self.taken += amount - from_carried

    def owed(self, part: Component) -> int:
        """What is booked and unpaid of a component."""
        if part == "fees":
            return self.fees
        if part == "penalty":
            return half_up_div(self.late, self.den) - self.late_taken
        if part == "interest":
            return sum(bucket.interest for bucket in self.buckets) + self.accrued()
        return sum(bucket.principal for bucket in self.buckets) + self.future

    def interest_charged(self) -> int:
        """Contract interest booked since the start."""
        return self.billed + self.carried + half_up_div(self.carry, self.den)

    def minimum_missing(self) -> int:
        """What an end of the loan today would add for the minimum interest days. Source: SEMANTICS 9.7."""
        terms = self.terms
        last = self.start + terms.min_interest_days
        if self.minimum_charged or self.day >= last or self.written_off:
            return 0
        count = terms.day_count
        nights = number_of(last, count) - number_of(self.start, count)
        cost = terms.rate.per_day * self.drawn * nights
        return max(0, half_up_div(cost.numerator, cost.denominator) - self.interest_charged())

    def payoff(self) -> int:
        """What closes the loan today."""
        principal = self.owed("principal")
        extra = self.minimum_missing() if principal else 0
        return principal + self.owed("interest") + self.owed("penalty") + self.fees + extra

    def oldest_due(self) -> int | None:
        """The oldest due date with something unpaid."""
        return min((bucket.due for bucket in self.buckets if bucket.unpaid), default=None)

    def late_days(self) -> int:
        """Days past due today; at dawn still yesterday's."""
        return days_past_due(self.day - self.dawn, self.oldest_due())

    # -- events -----------------------------------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Let one event happen today and write its ledger row."""
        self._note_non_accrual()
        split = _APPLY[type(event)](self, event)
        self.buckets = [bucket for bucket in self.buckets if bucket.unpaid]
        self._after_event()
        if self.rows is not None:
            amount = getattr(event, "amount_minor", None)
            self.rows.append(
                LedgerRow(
                    event.id,
                    event.kind,
                    event.value_date,
                    event.booked_on,
                    amount,
                    split,
                    self.owed("principal"),
                    None,
                )
            )

    def _note_non_accrual(self) -> None:
        if self.late_days() > self.terms.non_accrual_after:
            self.non_accrual = True

    def _after_event(self) -> None:
        nothing_left = not self.plan and not self.written_off and not self.buckets
        if nothing_left and self.accrued():
            self._grace_interest_due(self.day)
            self._spare_until_grace_ends(self.buckets[-1])
        if self.non_accrual and not self.late_days():
            self.non_accrual = False

    def repay(self, amount: int, to_principal: bool = False) -> Split:
        """Split a receipt over the debts; what is left over becomes a credit balance."""
        self.received += amount
        if self.written_off:
            paid = self._pay_due(amount, self.terms.allocation_non_performing)
            for part, share in paid.items():
                self.recovered[part] += share
            return self._booked_split(amount, paid)
        late = self.late_days() > self.terms.non_performing_after
        order = self.terms.allocation_non_performing if late else self.terms.allocation
        paid = self._pay_due(amount, order)
        rest = not_due = amount - sum(paid.values())
        waiting = self.moved_interest + self.moved
        rest -= self._pay_accrued(rest, paid)
        rest -= self._pay_future(rest, to_principal, paid)
        self.period_paid += not_due - rest - (waiting - self.moved_interest - self.moved)
        if not self.owed("principal"):
            self._charge_minimum()
            self._pay_accrued(rest, paid)
            self._pay_buckets(amount - sum(paid.values()), paid)
        return self._booked_split(amount, paid)

    def _booked_split(self, amount: int, paid: dict[Component, int]) -> Split:
        for part, share in paid.items():
            self.paid[part] += share
        surplus = amount - sum(paid.values())
        self.credit += surplus
        return Split(paid["fees"], paid["penalty"], paid["interest"], paid["principal"], surplus)

    def _pay_due(self, amount: int, order: Sequence[Component]) -> dict[Component, int]:
        paid: dict[Component, int] = dict.fromkeys(_PARTS, 0)
        for part, bucket in payment_steps(order, self.terms.across, self.buckets):
            share = min(amount, self._owed_of(part, bucket))
            if share:
                self._reduce(part, bucket, share)
                paid[part] += share
                amount -= share
        return paid

    def _pay_buckets(self, amount: int, paid: dict[Component, int]) -> None:
        for bucket in self.buckets:
            share = min(amount, bucket.interest)
            bucket.interest -= share
            paid["interest"] += share
            amount -= share

    def _owed_of(self, part: Component, bucket: Bucket | None) -> int:
        if bucket is None:
            return self.owed(part)
        return bucket.interest if part == "interest" else bucket.principal

    def _reduce(self, part: Component, bucket: Bucket | None, share: int) -> None:
        if part == "fees":
            self.fees -= share
        elif part == "penalty":
            self.late_taken += share
        elif bucket is not None and part == "interest":
            bucket.interest -= share
        elif bucket is not None:
            bucket.principal -= share

    def _pay_accrued(self, amount: int, paid: dict[Component, int]) -> int:
        share = min(amount, self.accrued())
        self._take_accrued(share)
        paid["interest"] += share
        return share

    def _pay_future(self, amount: int, to_principal: bool, paid: dict[Component, int]) -> int:
        """Future principal: the coming instalment inside the window, else a prepayment. Source: SEMANTICS 9.5, 9.16."""
        if not self.plan or self.method_pays_at_will:
            return self._prepay(amount, paid)
        early = self.plan[0][0] - self.day <= self.terms.early_days and not to_principal
        if not early:
            return self._prepay(amount, paid)
        used = self._pay_coming(amount, paid)
        return used + self._prepay(amount - used, paid)

    @property
    def method_pays_at_will(self) -> bool:
        """Whether the loan has no instalments to settle."""
        return self.terms.method in ("anytime", "sweep")

    def _pay_coming(self, amount: int, paid: dict[Component, int]) -> int:
        share = min(amount, self.plan[0][1])
        self.plan[0][1] -= share
        self.future -= share
        paid["principal"] += share
        goes_on = self.future > amount - share
        covered = (
            goes_on and not self.plan[0][1] and not self.accrued() and not any(b.unpaid for b in self.buckets)
        )
        if covered and not self.fees and not self.owed("penalty") and len(self.plan) > 1:
            self.settled_until = self.plan.pop(0)[0]
        return share

    def _prepay(self, amount: int, paid: dict[Component, int]) -> int:
        share = min(amount, self.future)
        if share:
            self._reduce_future(share)
            paid["principal"] += share
            self._rebuild(self._days_to_come(), solve=False)
        return share

    def _reduce_future(self, share: int) -> None:
        self.future -= share
        self.moved -= min(share, self.moved)

    def _charge_minimum(self) -> None:
        """The principal has reached zero early: the minimum days are charged instead of the days that were."""
        missing = self.minimum_missing()
        if self.day < self.start + self.terms.min_interest_days:
            self.minimum_charged = True
        if not missing:
            return
        if self.plan:
            self.carried += missing
        else:
            self.billed += missing
            self._due(self.day, 0, missing)

    def settle(self, amount: int) -> Split:
        """The share of a net settlement, at most the payoff, nothing of a negative one. Source: SEMANTICS 9.14."""
        if self.terms.sweep is None:
            return Split()
        share = self.terms.sweep.share
        swept = half_up_div(share.numerator * amount, share.denominator)
        return self.repay(max(0, min(swept, self.payoff())))

    def waive(self, part: Component, amount: int) -> Split:
        """Give up at most what is owed of a component; what was charged and paid does not change."""
        given = left = min(amount, self.owed(part))
        self.waived[part] += given
        if part in ("fees", "penalty"):
            self._reduce(part, None, left)
        else:
            for bucket in self.buckets:
                share = min(left, self._owed_of(part, bucket))
                self._reduce(part, bucket, share)
                left -= share
            self._waive_not_due(part, left)
        return Split(**{part: given})

    def _waive_not_due(self, part: Component, amount: int) -> None:
        if part == "interest":
            self._take_accrued(amount)
        elif amount:
            self._reduce_future(amount)
            self._rebuild(self._days_to_come(), solve=False)
        if part == "principal" and not self.owed("principal"):
            self._charge_minimum()

    def charge_fee(self, amount: int) -> Split:
        """A fee is owed from today."""
        self.fees += amount
        self.fees_charged += amount
        return Split(fees=amount)

    def refund(self, amount: int) -> Split:
        """Pay out a credit balance; what is no longer there is owed as a fee. Source: SEMANTICS 9.10."""
        self.refunded += amount
        missing = max(0, amount - self.credit)
        self.credit -= amount - missing
        self.fees += missing
        self.fees_charged += missing
        return Split(credit=-amount)

    def change_rate(self, rate: Rate) -> Split:
        """Another contract rate from tonight; level instalments are solved anew. Source: SEMANTICS 9.8."""
        self.rate, self.penalty = self.numerators[rate.per_day]
        self.rate_log.append((self.day, self.rate, self.penalty))
        if self.terms.method == "equal_instalment" and self.future and not self.written_off:
            self._rebuild(self._days_to_come(), solve=True)
        return Split()

    def pause(self, event: InterestPaused) -> Split:
        """No interest and no penalty in the nights named."""
        span = (max(self.day, event.first.toordinal()), event.until.toordinal())
        self.pauses = merged([*self.pauses, span])
        return Split()

    def extend(self, event: Extended) -> Split:
        """A later maturity; what was past due moves whole to the next due date. Source: SEMANTICS 9.8."""
        if self.written_off:
            return Split()
        days = self._extended_days(event)
        overdue = sum(bucket.principal for bucket in self.buckets)
        waiting = sum(bucket.interest for bucket in self.buckets)
        self.buckets = []
        self.carried += waiting
        self.billed -= waiting
        self.maturity = days[-1]
        if not self.future:
            self.future, overdue = overdue, 0
        self._rebuild(days, solve=True)
        self.plan[0][1] += overdue
        self.future += overdue
        if self.terms.method == "sweep":
            self.moved += overdue
            self.moved_interest += waiting
        return Split()

    def _extended_days(self, event: Extended) -> list[int]:
        last = event.maturity.toordinal()
        if last <= self.day:
            raise InvalidEvent(
                id=event.id,
                field="maturity",
                value=str(event.maturity),
                reason="must lie after the day of the extension",
            )
        if event.due_dates:
            return [day.toordinal() for day in event.due_dates if day.toordinal() > self.day]
        if self.method_pays_at_will:
            return [last]
        after = date.fromordinal(max(self.day, self.settled_until))
        return [*(day.toordinal() for day in monthly_before(self.terms, after, event.maturity)), last]

    def write_off(self) -> Split:
        """All of it is due, nothing accrues any more."""
        if self.written_off:
            return Split()
        self._due(self.day, self.future, self._bill(), grace=False)
        self.future, self.plan, self.written_off = 0, [], True
        return Split()

    # -- the accrual row --------------------------------------------------------------------------------------------

    def accrual_rows(self) -> tuple[AccrualRow, ...]:
        """Both running totals as formulas, good until something happens by itself."""
        asleep = self.written_off or any(first <= self.day < until for first, until in self.pauses)
        base, late_base = (0, 0) if asleep else self.bases()
        slope = 0 if self.day < self.free_until else base * self.rate
        interest = self._row("interest", self.billed + self.carried, self.carry, slope)
        if not self.late and not late_base:
            return (interest,)
        return interest, self._row("penalty", 0, self.late, late_base * self.penalty)

    def _row(self, component: str, whole: int, carry: int, slope: int) -> AccrualRow:
        terms = self.terms
        above, q, rem, m, den = formula(carry, slope, self.den)
        fit = nights_that_fit(whole + above, q, rem, m, den)
        stop = min(self._next_action(), self.day + fit // 3)
        if stop <= self.day:
            stop, above, q, rem, m, den = self.day + 1, half_up_div(carry, self.den), 0, 0, 0, 2
        late = self.late_days()
        return AccrualRow(
            component=component,
            class_=classification(late, terms.class_thresholds),
            memo=int(self.non_accrual or late > terms.non_accrual_after),
            anchor_n=number_of(self.day, terms.day_count),
            whole=whole + above,
            q=q,
            rem=rem,
            m=m,
            den=den,
            next_action=date.fromordinal(min(stop, LAST_DAY.toordinal())),
        )

    def _next_action(self) -> int:
        """The next morning that changes more than the running totals."""
        stop = self._next_morning()
        oldest = self.oldest_due()
        if oldest is not None:
            marks = (*self.terms.class_thresholds, self.terms.non_accrual_after)
            stop = min([stop, *(oldest + mark + 1 for mark in marks if oldest + mark + 1 > self.day)])
        edges = [self.free_until, *(edge for span in self.pauses for edge in span)]
        return min([stop, *(edge for edge in edges if edge > self.day)])

    # -- rates ------------------------------------------------------------------------------------------------------

    def _set_rates(self, rates: tuple[Any, ...]) -> None:
        penalty = self.terms.penalty
        self.den, self.numerators = rate_numerators(rates, penalty.multiple, penalty.annual_cap)
        self.rate, self.penalty = self.numerators[self.contract]

    # -- what is shown ----------------------------------------------------------------------------------------------

    def state(self, as_of: date) -> LoanState:
        """The value that replay returns."""
        if self.start > as_of.toordinal():
            return LoanState(as_of=as_of, status="pending")
        oldest = self.oldest_due()
        late = self.late_days()
        principal, payoff = self.owed("principal"), self.payoff()
        interest, penalty = self.owed("interest"), self.owed("penalty")
        return LoanState(
            as_of=as_of,
            status=self._status(payoff, late),
            principal=principal,
            interest=interest,
            penalty=penalty,
            fees=self.fees,
            payoff=payoff,
            credit_balance=self.credit,
            principal_due=principal - self.future,
            interest_due=interest - self.accrued(),
            days_past_due=late,
            oldest_due=None if oldest is None else date.fromordinal(oldest),
            classification=classification(late, self.terms.class_thresholds),
            non_accrual=self.non_accrual or late > self.terms.non_accrual_after,
            written_off=self.written_off,
            drawn=self.drawn,
            interest_charged=self.interest_charged(),
            penalty_charged=half_up_div(self.late, self.den),
            fees_charged=self.fees_charged,
            interest_paid=self.paid["interest"],
            penalty_paid=self.paid["penalty"],
            fees_paid=self.paid["fees"],
            principal_paid=self.paid["principal"],
            interest_waived=self.waived["interest"],
            penalty_waived=self.waived["penalty"],
            fees_waived=self.waived["fees"],
            principal_waived=self.waived["principal"],
            received=self.received,
            refunded=self.refunded,
            recovered_interest=self.recovered["interest"],
            recovered_penalty=self.recovered["penalty"],
            recovered_fees=self.recovered["fees"],
            recovered_principal=self.recovered["principal"],
            next_due=self._next_due(),
        )

    def _status(self, payoff: int, late: int) -> Any:
        if not payoff:
            return "closed"
        if self.written_off:
            return "written_off"
        return "overdue" if late else "active"

    def _next_due(self) -> Due | None:
        if self.written_off:
            return None
        today = sum(b.principal + b.interest for b in self.buckets if b.due == self.day)
        if today:
            return Due(date.fromordinal(self.day), today)
        for row in self._ahead():
            if row.principal or row.interest:
                return Due(date.fromordinal(row.due), row.principal + row.interest)
        return None

    def _ahead(self) -> Iterator[_Fallen]:
        """What falls due from tomorrow on if nothing else happens and each due is paid when it falls due."""
        ahead = copy.copy(self)
        ahead.buckets = [copy.copy(bucket) for bucket in self.buckets]
        ahead.plan = [list(row) for row in self.plan]
        ahead.fallen, ahead.projecting, ahead.dawn = [], True, False
        if self.dawn:
            ahead._morning(ahead.day)
            yield from ahead.fallen
            ahead.fallen.clear()
        while (day := ahead._next_morning()) < _FAR and (ahead.plan or ahead.buckets):
            ahead.advance(day)
            yield from ahead.fallen
            ahead.fallen.clear()
            if not ahead.plan and all(bucket.penal for bucket in ahead.buckets):
                return

    def plan_rows(self) -> tuple[ScheduleRow, ...]:
        """Rows already due as they fell due, then what is to come."""
        rows = [row for row in (*self.fallen, *self._ahead()) if row.planned]
        return tuple(
            ScheduleRow(n, date.fromordinal(row.due), row.principal, row.interest, row.left)
            for n, row in enumerate(rows, 1)
        )


_PARTS: tuple[Component, ...] = ("fees", "penalty", "interest", "principal")

_APPLY: dict[type[Event], Callable[[_Fold, Any], Split]] = {
    RateChanged: lambda loan, event: loan.change_rate(event.rate),
    InterestPaused: lambda loan, event: loan.pause(event),
    Extended: lambda loan, event: loan.extend(event),
    FeeCharged: lambda loan, event: loan.charge_fee(event.amount_minor),
    Waived: lambda loan, event: loan.waive(event.component, event.amount_minor),
    Repaid: lambda loan, event: loan.repay(event.amount_minor, event.to_principal),
    Settled: lambda loan, event: loan.settle(event.amount_minor),
    WrittenOff: lambda loan, event: loan.write_off(),
    Recovered: lambda loan, event: loan.repay(event.amount_minor),
    Refunded: lambda loan, event: loan.refund(event.amount_minor),
}
