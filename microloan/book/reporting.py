"""Reports on the whole book as of a day, past days included: each loan as the ledger had it at the end of that day.

For a day that is closed that is the state after its night and before the next morning, with what was booked by then; for
the open day the state now. So every total of principal equals the general ledger's. Loans are read in one pass and handed
to the counts that want them; none is kept. Source: SEMANTICS 6 (two time axes, one posting rule) and 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from itertools import groupby
from json import loads
from typing import Any, TypeVar

from ..days import add_months, parse_date
from ..errors import BadInput, InvalidDate
from ..money import to_minor
from ..reports.aging import Aging, aging
from ..reports.cash import CashCount, ExpectedCash, month_end
from ..reports.exposure import Exposure
from ..reports.portfolio import (
    CreditLine,
    Ledger,
    Period,
    Portfolio,
    PortfolioCount,
    months_of,
    portfolio,
)
from ..reports.provisioning import Provisions, provisions
from ..reports.result import LeftOut, Report
from ..reports.rolling import RollCount, RollRates
from ..reports.vintage import MARKS, LoanPast, Vintages, first_day_past, vintages
from ..servicing.events import WrittenOff
from ..servicing.facility import Line, limit_on
from ..servicing.replay import effective, evenings
from ..servicing.state import LoanState, ScheduleRow
from ..store import catalogue, reading, reporting
from ..store.damaged import FAULTS
from ..store.unit import Unit
from .ceilings import rate_ceiling_report
from .lender import provision_rates
from .lives import LoanLife, fault_told, read_life
from .results import RateCeilingReport
from .told import line_told
from .verification import Progress

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PortfolioPack:
    """Everything the portfolio page shows, made in one pass over the book."""

    portfolio: Portfolio
    aging: Aging
    rolls: RollRates
    vintages: Vintages
    cash: ExpectedCash
    provisions: Provisions


def report(
    unit: Unit,
    name: str,
    as_of: date | None,
    first: date | None,
    last: date | None,
    by: str,
    progress: Progress | None = None,
) -> Report:
    """The report of a name; see :meth:`LoanBook.report`."""
    make = REPORTS.get(name)
    if make is None:
        raise BadInput(field="report", value=name, reason=f"known are {', '.join(REPORTS)}")
    asked = _Asked.of(unit, as_of, first, last, by, progress)
    made = make(asked)
    return made.without(asked.left_out) if asked.left_out else made


def pack(
    unit: Unit, as_of: date | None, first: date | None, progress: Progress | None = None
) -> PortfolioPack:
    """All reports that the portfolio page shows."""
    asked = _Asked.of(unit, as_of, first, None, "month", progress)
    exposures: list[Exposure] = []
    count, rolls, cash = PortfolioCount(), _roll_count(asked), CashCount(asked.as_of, "month")
    pasts: list[LoanPast] = []
    for states, shown in _each(asked, lambda loan: (loan.states_at(rolls.ends), _shown(loan))):
        rolls.add(states)
        if shown is not None:
            exposure, owed, past = shown
            exposures.append(exposure)
            count.add(exposure)
            _expect(cash, owed)
            pasts.append(past)
    held, lacking = _ledger_principal(asked), asked.left_out
    return PortfolioPack(
        portfolio(count, _period(asked)).without(lacking),
        aging(exposures, asked.as_of, asked.currency, held).without(lacking),
        rolls.report(asked.as_of, asked.currency).without(lacking),
        vintages(pasts, asked.as_of, asked.currency).without(lacking),
        cash.report(asked.currency).without(lacking), _provisions(asked),
    )  # fmt: skip


def _shown(loan: _KnownLoan) -> tuple[Exposure, _Owed | None, LoanPast] | None:
    """What the page shows of a loan; None while its payout does not stand."""
    return None if loan.life.terms is None else (loan.exposure, _owed(loan), _past(loan))


# --- what is asked ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    """A report as of a day over a period; ``last`` is None where nothing was said of it."""

    unit: Unit
    as_of: date
    first: date | None
    last: date | None
    by: str
    progress: Progress | None = None
    left_out: list[LeftOut] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        unit: Unit,
        as_of: date | None,
        first: date | None,
        last: date | None,
        by: str,
        progress: Progress | None = None,
    ) -> _Asked:
        """As asked, with the open day where no day was said. Raises InvalidDate for a day that is still to come."""
        today = unit.book_day()
        day = today if as_of is None else parse_date(as_of, "date")
        if day > today:
            raise InvalidDate(field="date", value=str(day), reason=f"lies after the open day {today}")
        if first is not None and last is not None and last < first:
            raise InvalidDate(field="to", value=str(last), reason=f"lies before {first}")
        return cls(unit, day, first, last, by, progress)

    @property
    def currency(self) -> str:
        return self.unit.book.currency

    def leave_out(self, loan_id: str, fault: Exception) -> None:
        """Note a loan that no figure will contain, and why."""
        self.left_out.append(LeftOut(loan_id, fault_told(fault)))

    def past_period(self) -> tuple[date, date]:
        """From and to, by default the twelve months that end with the day. Raises InvalidDate for what is still to come."""
        last = self.last or self.as_of
        if last > self.as_of:
            raise InvalidDate(field="to", value=str(last), reason=f"lies after {self.as_of}")
        first = self.first or add_months(last, -12) + _DAY
        if first > last:
            raise InvalidDate(field="from", value=str(first), reason=f"lies after {last}")
        return first, last


# --- loans as the ledger had them ------------------------------------------------------------------------------------


@dataclass
class _KnownLoan:
    """A loan with its events as they were known at the end of a day."""

    row: Any
    events: Sequence[Any]
    day: date
    open_day: date  # of its bucket: days before it are closed

    @cached_property
    def life(self) -> LoanLife:
        return read_life(self.events)

    @cached_property
    def state(self) -> LoanState:
        """The state that the ledger shows at the end of the day."""
        return self._states(self.life, [self.day])[0]

    @property
    def exposure(self) -> Exposure:
        row = self.row
        return Exposure(row.loan, row.facility, row.merchant, row.product, self.state)

    @property
    def plan(self) -> tuple[ScheduleRow, ...]:
        """The plan as it stands on the day."""
        return self.life.life([self.day]).schedule

    def states_at(self, days: Sequence[date]) -> dict[date, LoanState]:
        """The states that the ledger showed at the end of earlier days, each with what was booked by then.

        One walk serves all days between which nothing was booked late: no back-dated entry, no reversal.
        """
        states: dict[date, LoanState] = {}
        for run in self._runs([day for day in days if day >= self.events[0].booked_on]):
            life = read_life([event for event in self.events if event.booked_on <= run[-1]])
            if life.terms is not None:
                states |= zip(run, self._states(life, run), strict=True)
        return states

    def _runs(self, days: Sequence[date]) -> Iterator[list[date]]:
        late = sorted({e.booked_on for e in self.events if e.reverses or e.value_date < e.booked_on})
        for _, run in groupby(days, key=lambda day: sum(booked <= day for booked in late)):
            yield list(run)

    def _states(self, life: LoanLife, days: Sequence[date]) -> tuple[LoanState, ...]:
        """A held loan rests on the day through which it is held; a closed day has its night."""
        assert life.terms is not None, "only loans that were paid out have a state in the ledger"
        held = self.row.held_through
        ended = [day for day in days if day < self.open_day and (held is None or day < held)]
        states = evenings(life.terms, life.events, ended, after_night=True)
        rest = [day if held is None else min(day, held) for day in days[len(ended) :]]
        return states + evenings(life.terms, life.events, rest)


_Seen = TypeVar("_Seen")

#: Loans between two words on how far a report is.
_TOLD_EVERY = 200


def _loans(asked: _Asked, *, open_only: bool = False) -> Iterator[_KnownLoan]:
    total = reading.count(asked.unit, "ml_loan") if asked.progress else 0
    done = 0
    for bucket in catalogue.buckets(asked.unit):
        for loan_id, events in reporting.lives(asked.unit, bucket.bucket, asked.as_of, open_only=open_only):
            if isinstance(events, Exception):
                asked.leave_out(loan_id, events)
            else:
                yield _KnownLoan(events[0], events, asked.as_of, bucket.open_day)
            done += 1
            if asked.progress and done % _TOLD_EVERY == 0:
                asked.progress(done, total)


def _each(asked: _Asked, look: Callable[[_KnownLoan], _Seen], *, open_only: bool = False) -> Iterator[_Seen]:
    """What *look* finds of each loan; one that cannot be read is left out as a whole, and named."""
    for loan in _loans(asked, open_only=open_only):
        try:
            seen = look(loan)
        except FAULTS as fault:
            asked.leave_out(loan.row.loan, fault)
        else:
            yield seen


def _paid_out(
    asked: _Asked, look: Callable[[_KnownLoan], _Seen], *, open_only: bool = False
) -> Iterator[_Seen]:
    """As :func:`_each`, of the loans whose payout stands on the day."""

    def if_paid_out(loan: _KnownLoan) -> _Seen | None:
        return None if loan.life.terms is None else look(loan)

    return (seen for seen in _each(asked, if_paid_out, open_only=open_only) if seen is not None)


def _ledger_principal(asked: _Asked) -> int:
    rows = reading.balances(asked.unit, asked.as_of)
    return sum(int(row.total) for row in rows if row.account == "principal")


# --- the reports -----------------------------------------------------------------------------------------------------


def _rate_ceiling(asked: _Asked) -> RateCeilingReport:
    return rate_ceiling_report(asked.unit, asked.first, asked.last or asked.as_of)


def _exposure(loan: _KnownLoan) -> Exposure:
    return loan.exposure


def _aging(asked: _Asked) -> Aging:
    exposures = _paid_out(asked, _exposure, open_only=True)
    return aging(exposures, asked.as_of, asked.currency, _ledger_principal(asked))


def _rolls(asked: _Asked) -> RollRates:
    count = _roll_count(asked)
    for states in _each(asked, lambda loan: loan.states_at(count.ends)):
        count.add(states)
    return count.report(asked.as_of, asked.currency)


def _roll_count(asked: _Asked) -> RollCount:
    """The ends of the months of the period, and the one before them to roll from."""
    first, last = asked.past_period()
    ends = [end for _, end in months_of(first.replace(day=1) - _DAY, last) if end == month_end(end)]
    return RollCount(ends)


def _vintages(asked: _Asked) -> Vintages:
    return vintages(list(_paid_out(asked, _past)), asked.as_of, asked.currency)


def _past(loan: _KnownLoan) -> LoanPast:
    """How late a loan ever was, from its states on the eves of its events, and what was lost of it."""
    life, terms = loan.life, loan.life.terms
    assert terms is not None, "only loans that were paid out have a past"
    counting, _ = effective(terms, life.events)
    eves = {event.value_date - _DAY for event in counting if event.value_date > terms.start}
    written = next((event.value_date for event in counting if isinstance(event, WrittenOff)), None)
    days = {event.value_date for event in counting if written and event.value_date >= written}
    asked = sorted(eves | days | {loan.day})
    states = dict(zip(asked, evenings(terms, life.events, asked), strict=True))
    late = [states[day] for day in sorted(eves | {loan.day}) if not states[day].written_off]
    losses = tuple((day, states[day].principal if states[day].written_off else 0) for day in sorted(days))
    past = tuple(first_day_past(late, mark) for mark in MARKS)
    return LoanPast(terms.start, terms.principal_minor, past, losses)


def _cash(asked: _Asked) -> ExpectedCash:
    count = CashCount(asked.as_of, asked.by, since=asked.first, until=asked.last)
    for owed in _paid_out(asked, _owed, open_only=True):
        _expect(count, owed)
    return count.report(asked.currency)


#: A loan that owes something: its id, its state, its plan.
_Owed = tuple[str, LoanState, tuple[ScheduleRow, ...]]


def _owed(loan: _KnownLoan) -> _Owed | None:
    return (loan.row.loan, loan.state, loan.plan) if loan.exposure.owed else None


def _expect(count: CashCount, owed: _Owed | None) -> None:
    if owed is not None:
        count.add(*owed)


def _provisions(asked: _Asked) -> Provisions:
    balances = reporting.allowances(asked.unit, asked.as_of)
    return provisions(balances, asked.as_of, asked.currency, provision_rates(asked.unit, asked.as_of))


def _portfolio(asked: _Asked) -> Portfolio:
    count = PortfolioCount()
    for exposure in _paid_out(asked, _exposure, open_only=True):
        count.add(exposure)
    return portfolio(count, _period(asked))


# --- what the portfolio knows besides loans --------------------------------------------------------------------------


def _period(asked: _Asked) -> Period:
    first, last = asked.past_period()
    if last != asked.as_of:
        raise InvalidDate(field="to", value=str(last), reason=f"a portfolio ends on its day, {asked.as_of}")
    ledger = _ledger(asked)
    first = max(first, ledger.first_day) if ledger.first_day else last
    ends = [end for _, end in months_of(first, last)]
    lines, limits_at = _credit_lines(asked, ends)
    return Period(first, last, asked.currency, ledger, lines, limits_at, reporting.platforms(asked.unit))


def _ledger(asked: _Asked) -> Ledger:
    posted: dict[date, dict[str, int]] = {}
    for row in reporting.posted_by_day(asked.unit, asked.as_of):
        posted.setdefault(row.day, {})[row.account] = int(row.total)
    cash = reporting.cash_by_day(asked.unit, asked.as_of)
    paid_out = {row.day: -int(row.paid_out) for row in cash}
    received = {row.day: int(row.total) - int(row.paid_out) for row in cash}
    closed = min(bucket.open_day for bucket in catalogue.buckets(asked.unit)) - _DAY
    return Ledger(posted, paid_out, received, closed)


def _credit_lines(asked: _Asked, ends: Sequence[date]) -> tuple[list[CreditLine], dict[date, int]]:
    """Credit lines that live at the end of the day, and the sum of the limits in force at the end of some days."""
    typical = _typical_months(asked)
    lines: list[CreditLine] = []
    limits_at = dict.fromkeys(ends, 0)
    for bucket in catalogue.buckets(asked.unit):
        for events in reporting.lines_of_credit(asked.unit, bucket.bucket, asked.as_of):
            *past, limit = _limits_on(events, [*ends, asked.as_of])
            for end, then in zip(ends, past, strict=True):
                limits_at[end] += then or 0
            if limit is not None:
                merchant = events[0].merchant
                lines.append(CreditLine(merchant, limit, typical.get(merchant)))
    return lines, limits_at


def _limits_on(events: Sequence[Any], days: Iterable[date]) -> list[int | None]:
    """The limit in force of a line at the end of each day, in minor units; None where it is neither active nor frozen."""
    told: dict[int, Line | None] = {}
    limits = []
    for day in days:
        known = [event for event in events if event.booked_on <= day]
        if len(known) not in told:
            told[len(known)] = _line(known)
        line = told[len(known)]
        limits.append(None if line is None else limit_on(line, day))
    return limits


def _line(known: Sequence[Any]) -> Line | None:
    told = line_told(known)
    if told["status"] not in ("active", "frozen"):
        return None
    until = told.get("seasonal_until")
    return Line(
        told["status"], known[0].valid_until, told["limit_minor"], seasonal_limit=told.get("seasonal_limit_minor") or 0,
        seasonal_until=date.fromisoformat(until) if until else None,
    )  # fmt: skip


def _typical_months(asked: _Asked) -> dict[str, int]:
    """The typical month of sales of each merchant, in minor units, as its newest decision by the day saw it."""
    found: dict[str, int] = {}
    for row in reporting.newest_decisions(asked.unit, asked.as_of):
        typical = loads(row.body)["snapshot"]["features"].get("typical_month")
        if typical is not None:
            found[row.merchant] = to_minor(typical, row.currency)
    return found


REPORTS: dict[str, Callable[[_Asked], Report]] = {
    "portfolio": _portfolio,
    "aging": _aging,
    "vintage": _vintages,
    "roll-rate": _rolls,
    "expected-cash": _cash,
    "provisions": _provisions,
    "rate-ceiling": _rate_ceiling,
}
