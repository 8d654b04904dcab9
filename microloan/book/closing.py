"""Close of day (日终): the night of D, then the morning of D+1, bucket by bucket.

Loans to which nothing happens are posted by one grouped sum over the accrual rows. Loans with something happening are
replayed: what the night earned, dated D; their position on D+1 less the one before the morning, dated D+1. A loan that
fails is held and reported; it does not stop the others. Missed days are caught up several in one transaction of a
bucket. Source: SEMANTICS 6 (b) and 7.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from ..accounting.position import Balances, moved
from ..clock import local_date
from ..days import DayCount, day_number
from ..errors import EventRefused, IntegrityBroken, PartlyClosed, Retryable
from ..servicing.accrual import AccrualRow, booked
from ..servicing.replay import passages
from ..servicing.state import LoanState
from ..store import catalogue, closing, idempotency, lending, reading
from ..store.chain import GENESIS, Digest, canonical_json, sha256
from ..store.unit import Unit
from . import notices
from .desk import Desk
from .dossier import Dossier, accrual_columns, as_columns, cached_figures, running_totals
from .lender import provision_rates_on
from .lives import read_life, stored
from .provided import Provided
from .results import CloseReport, Held, Loan
from .views import loan_view

#: Loans replayed and written together.
BATCH = 1000

#: Missed days closed together, in one transaction of a bucket.
SPAN = 31

#: Debit and credit of a night's interest. Source: the positions of accounting, by component and memo.
ACCRUAL_ACCOUNTS = {
    ("interest", 0): ("interest_receivable", "interest_income"),
    ("penalty", 0): ("penalty_receivable", "penalty_income"),
    ("interest", 1): ("memo_interest", "memo_contra"),
    ("penalty", 1): ("memo_penalty", "memo_contra"),
}

Progress = Callable[[date, int, int], None]
_Totals = dict[tuple[str, str], Balances]  # per product and currency
_Night = tuple[date, str, str, str, str, int]  # the day before it; product, currency, component, class, memo

_DAY = timedelta(days=1)
_NO_ROW = "its row is not there"


@dataclass
class _Done:
    """What closing some days of one bucket did."""

    days: tuple[date, ...] = ()
    replayed: int = 0
    expired: int = 0
    held: list[Held] = field(default_factory=list)


@dataclass
class _Span:
    """Consecutive days of one bucket while they are closed in one transaction, and what each will post."""

    unit: Unit
    bucket: int
    days: tuple[date, ...]
    earned: dict[_Night, int] = field(default_factory=dict)
    nights: dict[date, _Totals] = field(default_factory=dict)  # by the day the night follows
    mornings: dict[date, _Totals] = field(default_factory=dict)  # by the day before the morning
    done: _Done = field(default_factory=_Done)
    end: date = field(init=False)  # the day that will be open afterwards

    def __post_init__(self) -> None:
        self.end = self.days[-1] + _DAY

    def waking(self, due: closing.DueLines) -> date:
        """The day whose close is the first in which something happens to loans with these lines."""
        first = self.days[0]
        return max(first, date.fromordinal(due.action) - _DAY) if due.action > first.toordinal() else first

    def add(self, part: _Span) -> None:
        """Take over what a part of the loans will post, and what it did."""
        for night, amount in part.earned.items():
            self.earned[night] = self.earned.get(night, 0) + amount
        for own, other in ((self.nights, part.nights), (self.mornings, part.mornings)):
            for day, totals in other.items():
                for group, change in totals.items():
                    _add(own.setdefault(day, {}), group, change)
        self.done.replayed += part.done.replayed
        self.done.held += part.done.held

    def earn(self, day: date, loan: Mapping[str, Any], component: str, amount: int) -> None:
        """Add what the night after *day* earns on a loan, or on all loans of one product, class and memo."""
        if not amount:
            return
        night = (day, loan["product"], loan["currency"], component, loan["class"], loan["memo"])
        self.earned[night] = self.earned.get(night, 0) + amount

    def night(self, day: date, group: tuple[str, str], change: Balances) -> None:
        """Add to what the night after *day* posts."""
        _add(self.nights.setdefault(day, {}), group, change)

    def morning(self, day: date, group: tuple[str, str], change: Balances) -> None:
        """Add to what the morning after *day* posts."""
        _add(self.mornings.setdefault(day, {}), group, change)


def close_day(desk: Desk, to: date | None, progress: Progress | None = None) -> CloseReport:
    """Close every ended day up to *to* (by default: all that have ended in the lender's zone), oldest first.

    Closing twice changes nothing. Any number of processes may close one book: on PostgreSQL each takes the buckets that
    are free and waits only for those left at the end. Raises EventRefused (``day_not_ended``) for a day that has not ended,
    PartlyClosed where the database stays busy after some buckets are closed, Retryable where it is before.
    """
    last, opened = desk.read(
        lambda unit: (_last_day(desk, unit, to), [row.open_day for row in catalogue.buckets(unit)])
    )
    buckets = len(opened)
    runs = _Runs(desk, last, sum(max(0, (last - day).days + 1) for day in opened), progress)
    busy = [bucket for bucket in range(buckets) if not runs.close(bucket, wait=False)]
    for bucket in busy:
        runs.close(bucket, wait=True)
    return runs.report()


def _last_day(desk: Desk, unit: Unit, to: date | None) -> date:
    ended = local_date(desk.clock, unit.book.zone) - _DAY
    if to is not None and to > ended:
        reason = f"{to} has not ended in {unit.book.zone}; the last day that has is {ended}"
        raise EventRefused(code="day_not_ended", subject="close of day", reason=reason)
    return to or ended


@dataclass
class _Runs:
    """The buckets of a book on their way to the day after *last*."""

    desk: Desk
    last: date
    total: int  # days of buckets to close, by whomever
    progress: Progress | None
    dones: list[_Done] = field(default_factory=list)

    def close(self, bucket: int, *, wait: bool) -> bool:
        """Close a bucket up to the last day, some days a transaction; False when another process is at it."""
        while True:
            try:
                done = self.desk.write(lambda unit: close_bucket(unit, bucket, self.last, wait=wait))
            except Retryable as fault:
                if not self.closed or self.desk.transactions.hosted:
                    raise
                reason = fault.details["reason"]
                raise PartlyClosed(reason=reason, closed=self.closed, total=self.total) from None
            if done is None:
                return False
            self.dones.append(done)
            if self.progress is not None and done.days:
                self.progress(done.days[-1], self.closed, self.total)
            self.desk.transactions.give_way()
            if not done.days or done.days[-1] == self.last:
                return True

    @property
    def closed(self) -> int:
        """Days of buckets closed so far."""
        return sum(len(done.days) for done in self.dones)

    def report(self) -> CloseReport:
        """What was closed, what was set aside, and what rests since an earlier close."""
        aside = tuple(found for done in self.dones for found in done.held)
        named = {found.loan_id for found in aside}
        return CloseReport(
            closed=tuple(sorted({day for done in self.dones for day in done.days})),
            open_day=self.desk.read(Unit.book_day),
            loans_replayed=sum(done.replayed for done in self.dones),
            expired=sum(done.expired for done in self.dones),
            held=aside,
            resting=tuple(loan for loan in self.desk.read(held) if loan.loan_id not in named),
        )


# --- one bucket ------------------------------------------------------------------------------------------------------


def close_bucket(unit: Unit, bucket: int, last: date, *, wait: bool = True) -> _Done | None:
    """Close a bucket's open day and those after it up to *last*, at most SPAN of them; None when another process is at it.

    All of it is one transaction. Loans to which nothing happens in any of these days are summed in one scan for all days;
    the others are read, walked through their days and written once. The journal is that of single closes.
    """
    if not unit.lock_bucket(bucket, wait):
        return None
    first = unit.day_of(bucket)
    count = min((last - first).days + 1, SPAN)
    if count < 1:
        return _Done()
    span = _Span(unit, bucket, tuple(first + timedelta(days=n) for n in range(count)))
    _sum_quiet_loans(span)
    for due in closing.due_lines(unit, bucket, span.end, BATCH):
        _walk_busy_loans(span, due)
    _post_days(span)
    moved_on = catalogue.move_day(unit, bucket, first, span.end)
    assert moved_on, "the bucket's lock was held"
    span.done.days = span.days
    return span.done


def _sum_quiet_loans(span: _Span) -> None:
    for group in closing.night_totals(span.unit, span.bucket, span.days):
        if (group.component, group.memo) not in ACCRUAL_ACCOUNTS:
            reason = (
                f"memo {group.memo} stands where 0 or 1 belongs; run: microloan verify, then restore a backup"
            )
            raise IntegrityBroken(subject=f"accrual rows of bucket {span.bucket}", reason=reason)
        loans = {
            "product": group.product,
            "currency": group.currency,
            "class": group.class_,
            "memo": group.memo,
        }
        for day, total in zip(span.days, group.totals, strict=True):
            span.earn(day, loans, group.component, total)


def _add(totals: _Totals, group: tuple[str, str], change: Balances) -> None:
    sums = totals.setdefault(group, {})
    for key, amount in change.items():
        sums[key] = sums.get(key, 0) + amount


# --- loans with something happening ----------------------------------------------------------------------------------


@dataclass
class _Busy:
    """A loan on its walk through the days of a span."""

    row: dict[str, Any]  # as it is to be written, once a close has changed it
    line: Any  # its accrual row as it was found
    since: date  # the day whose night is the first that is still to be posted
    next_close: date  # the day whose close is the next in which something happens
    rows: Sequence[AccrualRow] = ()  # the formulas that hold now, where they are no longer those of the line
    changed: bool = False

    @classmethod
    def of(cls, span: _Span, line: Any, next_close: date) -> _Busy:
        """A loan as its accrual row has it."""
        row = {
            "tenant": span.unit.tenant, "bucket": span.bucket, "id": line.loan, "product": line.product,
            "currency": line.currency, "class": line.class_, "memo": line.memo,
        }  # fmt: skip
        return cls(row, line, span.days[0], next_close)


def _walk_busy_loans(span: _Span, due: closing.DueLines) -> None:
    """All of them or, where a row cannot be read or written, all but the damaged ones: halved until each stands alone."""
    trial = _Span(span.unit, span.bucket, span.days)
    try:
        with _collector_at_rest(), span.unit.connection.begin_nested():
            _walk_together(trial, due)
    except closing.DAMAGED as fault:
        if len(due.lines) == 1:
            _hold_unread(span, due, fault)
            return
        for half in due.halves():
            _walk_busy_loans(span, half)
    else:
        span.add(trial)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """A batch makes objects by the ten thousand and no cycles: each round of the collector would walk all that is loaded."""
    working = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if working:
            gc.enable()


def _walk_together(span: _Span, due: closing.DueLines) -> None:
    changed, accruals = [], []
    next_close, events = span.waking(due), closing.due_events(span.unit, span.bucket, due)
    for loan_id, lines in due.lines.items():
        if len(lines) > 1:
            raise LookupError(f"it has {len(lines)} accrual rows instead of one")
        loan = _Busy.of(span, lines[0], next_close)
        try:
            accruals += _walk(span, loan, events[loan_id])
        except closing.DAMAGED as fault:
            _hold(span, loan, fault)
        if loan.changed:
            changed.append(loan.row)
    closing.drop_accruals(span.unit, span.bucket, due)
    lending.add_accruals(span.unit, accruals)
    closing.set_loans(span.unit, changed)


def _walk(span: _Span, loan: _Busy, events: Sequence[Any]) -> list[dict[str, Any]]:
    """Post every close of the span in which something happens to a loan, and its quiet nights; its new accrual rows."""
    life = read_life(events)
    terms = life.terms
    assert terms is not None, "a loan without terms accrues nothing"
    columns: list[dict[str, Any]] = []
    for close in passages(terms, life.events, loan.next_close, span.days[-1]):
        assert close.morning.principal == close.dawn.principal, "a morning does not change principal"
        found = {} if loan.changed else _as_found(loan.row, close.dawn)
        row = loan.row | found | cached_figures(close.morning)
        gone = close.morning.status == "closed"
        columns = [] if gone else [accrual_columns(row, life, close.rows)]
        change = moved(close.dawn, close.morning)
        # From here on nothing fails: a loan posts all of a close or nothing of it.
        _quiet_nights(span, loan, close.day)
        span.earn(close.day, loan.row, "interest", close.interest)
        span.earn(close.day, loan.row, "penalty", close.penalty)
        span.morning(close.day, (row["product"], row["currency"]), change)
        span.done.replayed += 1
        loan.row, loan.rows, loan.since, loan.changed = row, close.rows, close.day + _DAY, True
        if gone:
            return []
        loan.next_close = max(loan.since, close.rows[0].next_action - _DAY)
    _quiet_nights(span, loan, span.end)
    return columns


def _as_found(told: Mapping[str, Any], dawn: LoanState) -> dict[str, Any]:
    """What a loan's row must hold before the first close that changes it, as its accrual row and its events tell."""
    return {
        "had_class": told["class"], "had_memo": told["memo"], "had_status": dawn.status,
        "had_credit_minor": dawn.credit_balance, "had_oldest_due": dawn.oldest_due,
    }  # fmt: skip


def _quiet_nights(span: _Span, loan: _Busy, until: date) -> None:
    """Post the nights after the days from ``since`` to, not including, *until*."""
    if until <= loan.since:
        return
    count: DayCount = "30E/360" if loan.line.day_count else "actual"
    days = span.days[(loan.since - span.days[0]).days : (until - span.days[0]).days]
    ends = [day_number(day, count) for day in (*days, until)]
    formulas = loan.rows or running_totals(as_columns(loan.line), until)
    booked_at = {formula.component: [booked(formula, end) for end in ends] for formula in formulas}
    for component, totals in booked_at.items():
        for day, (before, after) in zip(days, pairwise(totals), strict=True):
            span.earn(day, loan.row, component, after - before)
    loan.since = until


def _hold(span: _Span, loan: _Busy, fault: Exception) -> None:
    """Set a loan aside: what it earned before the close that failed stays posted, from then on it rests."""
    day, reason = loan.next_close, _told(fault)
    _quiet_nights(span, loan, day)
    span.done.held.append(Held(loan.row["id"], day, reason))
    if not closing.hold(span.unit, span.bucket, loan.row["id"], day, reason):
        raise LookupError(_NO_ROW)


def _hold_unread(span: _Span, due: closing.DueLines, fault: Exception) -> None:
    """As :func:`_hold` by its accrual rows alone, for a loan whose own row or events cannot be read, or not be written.

    Where even that is refused, the rows stay: it earns nothing by them, and every close names it again.
    """
    ((loan_id, lines),) = due.lines.items()
    day = span.waking(due)
    try:
        with span.unit.connection.begin_nested():
            if closing.hold(span.unit, span.bucket, loan_id, day, _told(fault)):
                closing.drop_accruals(span.unit, span.bucket, due)
            else:
                fault = LookupError(_NO_ROW)
            for line in lines:
                _quiet_nights(span, _Busy.of(span, line, day), day)
    except closing.DAMAGED:
        pass
    span.done.held.append(Held(loan_id, day, _told(fault)))


def _told(fault: Exception) -> str:
    words = str(getattr(fault, "orig", fault)).strip().splitlines()
    return f"{type(fault).__name__}: {words[0] if words else ''}"[:300]


# --- the end of each day ---------------------------------------------------------------------------------------------


def _post_days(span: _Span) -> None:
    """Day by day: what expires, the night, the morning with its provisions, the record; read and written for all together."""
    unit, bucket, days = span.unit, span.bucket, span.days
    _post_earned(span)
    provided, rates = Provided.read(unit, bucket), provision_rates_on(unit, days)
    commanded = closing.principal_moved_in(unit, bucket, days[0], days[-1])
    ended = _ended(span)
    lines: list[dict[str, Any]] = []
    records: list[dict[str, object]] = []
    for day in days:
        unit.command_id = unit.new_id("cmd", bucket)
        night, morning = span.nights.get(day, {}), span.mornings.get(day, {})
        _expire(unit, ended.get(day, ()), day + _DAY)
        provided.note(commanded.get(day, ()), night, morning)
        for group, change in provided.postings(rates[day]):
            _add(morning, group, change)
        lines += _entries(unit, bucket, day, "night", night)
        lines += _entries(unit, bucket, day + _DAY, "morning", morning)
        subject = f"{day} bucket {bucket}"
        records.append(idempotency.record_of(unit, "close_day", sha256(subject), subject))
    idempotency.add_records(unit, records)
    notices.days_closed(unit, bucket, days)
    lending.add_journal(unit, lines)
    seal_days(unit, bucket, days)
    provided.write(unit, bucket)


def _post_earned(span: _Span) -> None:
    """A night's interest or penalty of loans of one class, in income or in memo: debit and credit."""
    for (day, product, currency, component, class_, memo), amount in span.earned.items():
        debit, credit = ACCRUAL_ACCOUNTS[component, memo]
        span.night(day, (product, currency), {(debit, class_): amount, (credit, ""): -amount})


def _ended(span: _Span) -> dict[date, list[Any]]:
    """Offers whose last day has passed expire; facilities, by the day whose close ends them."""
    ended: dict[date, list[Any]] = {}
    rows, damaged = closing.ended_facilities(span.unit, span.bucket, span.end)
    for row in rows:
        ended.setdefault(max(row.valid_until, span.days[0]), []).append(row)
    span.done.held += [Held(facility_id, span.days[0], reason) for facility_id, reason in damaged]
    offers = catalogue.expire_offers(span.unit, span.bucket, span.end)
    span.done.expired += offers + sum(map(len, ended.values()))
    return ended


def _expire(unit: Unit, facilities: Sequence[Any], day: date) -> None:
    """Facilities whose last day has passed by the morning of *day*."""
    for row in facilities:
        dossier = Dossier(unit, as_columns(row), day)
        dossier.book("facility_expired", {"valid_until": row.valid_until})
        dossier.row["status"] = "expired"
        dossier.write()


def _entries(unit: Unit, bucket: int, day: date, source: str, totals: _Totals) -> list[dict[str, Any]]:
    """The journal lines of a night or a morning: an entry per product."""
    lines: list[dict[str, Any]] = []
    for (product, currency), sums in sorted(totals.items()):
        assert not sum(sums.values()), "an entry that does not balance"
        for (account, class_), amount in sorted(sums.items()):
            if amount:
                lines.append({
                    "tenant": unit.tenant, "bucket": bucket, "entry": f"{source}-{day}-{product}", "line": len(lines) + 1,
                    "day": day, "source": source, "loan": "", "product": product, "class": class_, "account": account,
                    "currency": currency, "amount_minor": closing.fitting(amount, account, product),
                })  # fmt: skip
    return lines


def seal_days(unit: Unit, bucket: int, days: Sequence[date]) -> None:
    """Seal what each of consecutive days booked, heads of chains and journal, chained to the seal before."""
    seals = []
    newest = closing.newest_seal(unit, bucket)
    previous = newest.hash if newest else GENESIS
    first, last = days[0], days[-1]
    grown = closing.heads_in(unit, bucket, first, last)
    booked = closing.journal_digests(
        closing.journal_by_seal(unit, bucket, first.toordinal(), last.toordinal())
    )
    for day in days:
        heads, journal = grown.get(day, []), booked.get(day.toordinal(), Digest())
        row = {
            "tenant": unit.tenant,
            "bucket": bucket,
            "day": day,
            "heads": len(heads),
            "lines": journal.count,
            "journal": journal.hash,
            "prev_hash": previous,
        }
        previous = seal_hash(row, heads)
        seals.append(row | {"hash": previous})
    closing.add_seals(unit, seals)


def seal_hash(row: dict[str, Any], heads: list[tuple[str, int, str]]) -> str:
    """The hash of a seal: over its columns, the journal's digest among them, and the heads it seals."""
    return sha256(canonical_json({**row, "sealed": heads}))


def release(unit: Unit, loan_id: str) -> Loan:
    """Let a held loan go on: post position(today) − position(held through), dated today. Raises EventRefused unless held."""
    row = lending.loan(unit, loan_id)
    if row.held_through is None:
        raise EventRefused(code="not_held", subject=loan_id, reason="is not held")
    today = unit.open_day(row.bucket)
    facility = lending.facility(unit, row.facility, lock=True)
    dossier = Dossier(unit, as_columns(facility), today)
    with stored(loan_id):
        life = read_life(lending.events_of_loan(unit, row.bucket, loan_id))
        resting = life.state(row.held_through)
    loan = dossier.release(as_columns(row), life, resting)
    dossier.write()
    return loan_view(loan, loan.life.state(today))


def held(unit: Unit) -> tuple[Held, ...]:
    """Loans the close has set aside."""
    return tuple(Held(row.id, row.held_through, row.held_reason) for row in reading.held_loans(unit))
