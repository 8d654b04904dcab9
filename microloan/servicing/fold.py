"""A loan while its life is walked through: what it is made of, how nights and mornings change it, what it owes.

Days are proleptic ordinals, amounts integers of minor units. Exact totals are numerators over one denominator ``den``, so
that nothing is rounded before it is booked. Events act on it from outside: see receipts and changes.
Source: SEMANTICS 1, 3, 5, 6 and 9.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from fractions import Fraction
from typing import NamedTuple

from ..money import half_up_div
from ..terms import COMPONENTS, Component, LoanTerms
from . import sweep
from .accrual import Ratio, number_of, rate_numerators
from .allocation import Bucket
from .delinquency import days_past_due
from .schedule import due_days, equal_parts, level_instalment, level_parts, shorten

FAR = 4_000_000  # an ordinal after every date there is
_NOTHING: dict[Component, int] = dict.fromkeys(COMPONENTS, 0)


class Fallen(NamedTuple):
    """What fell due one morning and the principal not yet due after it; grace interest is no row of the plan."""

    due: int
    principal: int
    interest: int
    left: int
    planned: bool


@dataclass(slots=True, eq=False)
class Fold:
    """A loan at one moment of its life; new, it stands on the morning of its start.

    *rates* are the contract rates per day that later events bring: the common denominator has room for them all.
    Lists are changed in place, everything else is replaced.

    >>> loan = Fold(LoanTerms.parse({"method": "anytime", "principal": "300000", "rate": "0.048%/day",
    ...                              "start": "2017-05-01", "term": "90d"}))
    >>> loan.advance(loan.start + 30)
    >>> loan.accrued()
    432000
    """

    terms: LoanTerms
    rates: InitVar[tuple[Fraction, ...]] = ()

    # the day, and what the terms say
    at_will: bool = field(init=False)  # no instalments to settle
    calendar: bool = field(init=False)  # nights count one each
    start: int = field(init=False)
    day: int = field(init=False)
    dawn: bool = False  # the night is over, the morning not yet come
    maturity: int = field(init=False)
    free_until: int = field(init=False)
    pauses: tuple[tuple[int, int], ...] = ()
    period_end: int = field(init=False)  # of a sweep loan
    period_paid: int = 0
    written_off: bool = False
    non_accrual: bool = False
    minimum_charged: bool = False

    # rates a night, numerators over den
    den: int = field(init=False)
    numerators: Mapping[Ratio, tuple[int, int]] = field(init=False)
    rate: int = field(init=False)
    penalty_rate: int = field(init=False)
    rate_log: tuple[tuple[int, int, int], ...] = field(init=False)

    # the plan
    drawn: int = field(init=False)
    future: int = field(init=False)  # principal not yet due: always the sum of the parts
    due_days: list[int] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)  # the principal that falls due on each due day to come
    instalment: int = 0
    settled_until: int = field(init=False)
    buckets: list[Bucket] = field(default_factory=list)
    fallen: list[Fallen] = field(default_factory=list)

    # debts
    carry: int = 0  # exact contract interest since the last bill
    taken: int = 0  # what was paid, waived or fell due out of it
    carried: int = 0  # booked interest that waits: of an extension, or of the minimum days
    moved: int = 0  # of a sweep loan: principal that an extension moved to the next period end
    moved_interest: int = 0
    billed: int = 0
    late: int = 0  # exact penalty since the start
    late_taken: int = 0
    fees: int = 0
    credit: int = 0

    # totals since the start
    fees_charged: int = 0
    received: int = 0
    refunded: int = 0
    fees_paid: int = 0
    penalty_paid: int = 0
    interest_paid: int = 0
    principal_paid: int = 0
    waived: dict[Component, int] = field(default_factory=_NOTHING.copy)
    recovered: dict[Component, int] = field(default_factory=_NOTHING.copy)

    def __post_init__(self, rates: tuple[Fraction, ...]) -> None:
        terms = self.terms
        self.at_will = terms.method in ("anytime", "sweep")
        self.calendar = terms.day_count == "actual"
        self.start = self.day = self.settled_until = terms.start.toordinal()
        self.maturity = terms.last_day.toordinal()
        self.free_until = self.start + terms.interest_free_days
        self.period_end = sweep.first_period_end(terms) or FAR
        self.drawn = self.future = terms.principal_minor
        self._agree_on_rates(rates)
        self.rebuild([day.toordinal() for day in due_days(terms)], solve=True)

    def _agree_on_rates(self, rates: tuple[Fraction, ...]) -> None:
        penalty, contract = self.terms.penalty, self.terms.rate.per_day
        self.den, self.numerators = rate_numerators((contract, *rates), penalty.multiple, penalty.annual_cap)
        self.rate, self.penalty_rate = self.numerators[contract.as_integer_ratio()]
        self.rate_log = ((self.start, self.rate, self.penalty_rate),)

    def twin(self) -> Fold:
        """The same loan once more, to be walked on by itself."""
        twin = object.__new__(Fold)
        for name in Fold.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.buckets = [bucket.twin() for bucket in self.buckets]
        twin.due_days, twin.parts, twin.fallen = self.due_days[:], self.parts[:], self.fallen[:]
        return twin

    # -- nights and mornings ----------------------------------------------------------------------------------------

    def advance(self, to: int) -> None:
        """Pass nights and mornings up to and including the morning of *to*."""
        while self.day < to:
            stop = self.next_morning()
            if stop > to:
                self.pass_nights(to)
                return
            self.pass_nights(stop)
            self.morning(stop)

    def pass_to_dawn(self, day: int) -> None:
        """Pass the nights before *day*, whose morning has not come; on the first day there is none before it."""
        if day > self.start:
            self.pass_nights(day)
            self.dawn = True

    def wake(self) -> None:
        """After :meth:`pass_to_dawn`: the morning of that day comes."""
        self.dawn = False
        if self.next_morning() == self.day:
            self.morning(self.day)

    def next_morning(self) -> int:
        """The next day on which something happens by itself; FAR when nothing does."""
        if self.written_off:
            return FAR
        stop = self.period_end
        if self.due_days and self.due_days[0] < stop:
            stop = self.due_days[0]
        for bucket in self.buckets:
            if not bucket.penal and bucket.grace_end < stop:
                stop = bucket.grace_end
        return stop

    def pass_nights(self, to: int) -> None:
        """Earn the nights from the present day to *to*."""
        if not self.written_off:
            base, late_base = self.bases()
            if base:
                self.carry += base * self.rate * self.chargeable(self.day, to)
            if late_base:
                self.late += late_base * self.penalty_rate * self.nights(self.day, to)
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
        total = end - start if self.calendar else self._numbered(start, end)
        for first, until in self.pauses:
            low, high = max(first, start), min(until, end)
            if low < high:
                total -= self._numbered(low, high)
        return total

    def _numbered(self, start: int, end: int) -> int:
        count = self.terms.day_count
        return number_of(end, count) - number_of(start, count)

    def chargeable(self, start: int, end: int) -> int:
        """Day count from *start* to *end* without paused and interest-free nights."""
        if start < self.free_until:
            start = min(self.free_until, end)
        return self.nights(start, end)

    def morning(self, day: int) -> None:
        """What happens by itself: a sweep period ends, a due date comes, a grace ends. Source: SEMANTICS 9.3."""
        after_maturity = not self.due_days
        if self.period_end == day:
            sweep.end_period(self, day)
        while self.due_days and self.due_days[0] == day:
            self._fall_due(day)
        ended = [bucket for bucket in self.buckets if not bucket.penal and bucket.grace_end == day]
        for bucket in ended:
            self._end_grace(bucket, day)
        if ended and after_maturity and self.accrued():
            self.interest_falls_due()

    # -- what falls due, and its grace ------------------------------------------------------------------------------

    def _fall_due(self, day: int) -> None:
        """A due date is a bill: its rounded interest stands and the count starts anew from exact zero."""
        del self.due_days[0]
        principal, interest = self.parts.pop(0), self.bill()
        self.future -= principal
        self.moved = 0
        self.owe(day, principal, interest, planned=True)

    def bill(self) -> int:
        """Close the count of interest since the last bill; comes back: what of it is unpaid."""
        unpaid = self.accrued()
        self.billed += half_up_div(self.carry, self.den) + self.carried
        self.carry = self.taken = self.carried = self.moved_interest = 0
        return unpaid

    def owe(
        self, day: int, principal: int, interest: int, *, planned: bool = False, grace: bool = True
    ) -> None:
        """Let something fall due; only what the plan names has a row in it."""
        if principal or interest or self.future:
            self.fallen.append(Fallen(day, principal, interest, self.future, planned))
        if principal or interest:
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
        ends = (*(since for since, _, _ in self.rate_log[1:]), FAR)
        for (since, rate, penalty), until in zip(self.rate_log, ends, strict=True):
            low, high = max(since, start), min(until, end)
            if low < high:
                yield low, high, rate, penalty

    def interest_falls_due(self) -> None:
        """After the maturity interest falls due without a bill: the plan names no such date, the count runs on."""
        interest = self.accrued()
        self.take_accrued(interest)
        self.owe(self.day, 0, interest, grace=False)

    def note_non_accrual(self) -> None:
        """Before an event: a loan too long past due stops being income until nothing is past due any more."""
        if self.buckets and self.late_days() > self.terms.non_accrual_after:
            self.non_accrual = True

    def settle_accounts(self) -> None:
        """After an event: what is paid is gone; a loan with nothing left owes the interest of its grace at once."""
        if self.buckets:
            self.buckets = [bucket for bucket in self.buckets if bucket.unpaid]
        if not (self.due_days or self.buckets or self.written_off) and self.accrued():
            self.interest_falls_due()
            self._spare_until_grace_ends(self.buckets[-1])
        if self.non_accrual and not self.late_days():
            self.non_accrual = False

    def _spare_until_grace_ends(self, bucket: Bucket) -> None:
        """Interest of the grace that falls due inside it bears penalty only from the first morning after the grace."""
        bucket.grace_end = self.maturity + self.terms.grace_days + 1
        bucket.penal = bucket.grace_end <= self.day
        bucket.topped_up = False

    # -- the plan ---------------------------------------------------------------------------------------------------

    def rebuild(self, days: Sequence[int], *, solve: bool) -> None:
        """Spread the principal not yet due over *days*; unpaid exact interest since the last bill lies inside the first.

        ``solve`` finds a new instalment; without it ``shorten_term`` keeps the one there is and takes fewer dates.
        """
        if not days:
            return
        keep = not solve and self.terms.prepayment == "shorten_term" and self.instalment > 0
        self.due_days, self.parts = list(days), self._spread(days, keep)
        if keep:
            shorten(self.due_days, self.parts)

    def _spread(self, days: Sequence[int], keep: bool) -> list[int]:
        method = self.terms.method
        if method == "equal_instalment":
            return self._level_parts(days, keep)
        if method == "equal_principal":
            if not keep:
                self.instalment = half_up_div(self.future, len(days))
            return equal_parts(self.future, len(days), self.instalment)
        return [0] * (len(days) - 1) + [self.future]

    def _level_parts(self, days: Sequence[int], keep: bool) -> list[int]:
        nights = [self.chargeable(a, b) for a, b in zip((self.day, *days), days, strict=False)]
        unpaid = self.carry - self.taken * self.den
        if not keep:
            self.instalment = level_instalment(self.future, self.rate, self.den, nights, unpaid)
        return level_parts(self.future, self.instalment, self.rate, self.den, nights, unpaid)

    # -- what is owed -----------------------------------------------------------------------------------------------

    def accrued(self) -> int:
        """Booked interest that is unpaid and not yet due."""
        return self.carried + (2 * self.carry + self.den) // (2 * self.den) - self.taken

    def take_accrued(self, amount: int) -> None:
        """Count so much of the accrued interest as paid, waived or fallen due; what waits goes first."""
        if self.carried:
            from_carried = min(amount, self.carried)
            self.moved_interest -= min(amount, self.moved_interest)
            self.carried -= from_carried
            self.billed += from_carried
            amount -= from_carried
        self.taken += amount

    def take_future(self, amount: int) -> None:
        """Count so much of the principal not yet due as paid or waived; the plan is still to follow."""
        self.future -= amount
        if self.moved:
            self.moved -= min(amount, self.moved)

    def principal(self) -> int:
        """Unpaid principal, due or not."""
        return self.future + self.principal_due()

    def principal_due(self) -> int:
        """Unpaid principal that has fallen due."""
        return sum([bucket.principal for bucket in self.buckets])

    def interest(self) -> int:
        """Booked and unpaid contract interest, due or not."""
        return self.accrued() + self.interest_due()

    def interest_due(self) -> int:
        """Contract interest that has fallen due and is unpaid."""
        return sum([bucket.interest for bucket in self.buckets])

    def penalty(self) -> int:
        """Booked and unpaid penalty."""
        return half_up_div(self.late, self.den) - self.late_taken

    def owed(self, part: Component) -> int:
        """What is booked and unpaid of a component."""
        if part == "fees":
            return self.fees
        if part == "penalty":
            return self.penalty()
        return self.interest() if part == "interest" else self.principal()

    def payoff(self) -> int:
        """What closes the loan today."""
        return self.payoff_of(self.principal(), self.interest(), self.penalty())

    def payoff_of(self, principal: int, interest: int, penalty: int) -> int:
        """As :meth:`payoff`, where these three are known already."""
        extra = self.minimum_missing() if principal else 0
        return principal + interest + penalty + self.fees + extra

    def interest_charged(self) -> int:
        """Contract interest booked since the start."""
        return self.billed + self.carried + half_up_div(self.carry, self.den)

    def minimum_missing(self) -> int:
        """What an end of the loan today would add for the minimum interest days. Source: SEMANTICS 9.7."""
        terms = self.terms
        last = self.start + terms.min_interest_days
        if self.minimum_charged or self.day >= last or self.written_off:
            return 0
        cost = terms.rate.per_day * self.drawn * self._numbered(self.start, last)
        return max(0, half_up_div(cost.numerator, cost.denominator) - self.interest_charged())

    def oldest_due(self) -> int | None:
        """The oldest due date with something unpaid."""
        for bucket in self.buckets:  # in the order in which they fell due
            if bucket.unpaid:
                return bucket.due
        return None

    def late_days(self) -> int:
        """Days past due today; at dawn still yesterday's."""
        return days_past_due(self.day - self.dawn, self.oldest_due()) if self.buckets else 0
