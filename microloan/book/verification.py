"""Verify: recompute everything from the events and compare it with what is stored. Reads only; repairs nothing.

Chains and seals; the journal's entries and its sums against the sum of positions; the caches of facilities and loans;
the accrual rows against replay; keys of commands. Source: SEMANTICS 6 (invariants).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from json import loads
from typing import Any

from ..accounting.provisions import provision, provision_postings
from ..days import DayCount, day_number
from ..errors import IntegrityBroken, MicroloanError
from ..servicing.accrual import AccrualRow, booked
from ..servicing.state import LoanState
from ..store import catalogue, closing, reading, verifying
from ..store.chain import GENESIS, row_hash
from ..store.unit import Unit
from . import four_eyes
from .closing import seal_hash
from .dossier import accrual_columns, as_columns
from .lender import four_eyes_on_file, provision_rates
from .lives import Balances, balances, read_life
from .results import Finding, VerifyReport

Progress = Callable[[int, int], None]

#: What reading a damaged row may raise: text that is no JSON, a day that is none, a word nobody knows.
_UNREADABLE = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
_Ledger = dict[tuple[str, str, str, str], int]  # currency, product, account, class


@dataclass
class _Book:
    """What was recomputed so far."""

    findings: list[Finding] = field(default_factory=list)
    positions: _Ledger = field(default_factory=dict)
    principal: dict[tuple[int, str, str, str], int] = field(
        default_factory=dict
    )  # bucket, product, currency, class
    facilities: int = 0
    loans: int = 0
    events: int = 0
    accruals: int = 0

    def differs(self, code: str, subject: str, stored: object, recomputed: object) -> None:
        """Note a difference."""
        self.findings.append(Finding(code, subject, str(stored), str(recomputed)))

    def compare(self, code: str, subject: str, stored: object, recomputed: object) -> None:
        """Note a difference where there is one."""
        if stored != recomputed:
            self.differs(code, subject, stored, recomputed)


def verify(unit: Unit, progress: Progress | None = None) -> VerifyReport:
    """Recompute the whole book from its events; every difference is a finding.

    Raises IntegrityBroken where what is stored cannot even be read.
    """
    try:
        return _recomputed(unit, progress)
    except _UNREADABLE as fault:
        raise IntegrityBroken(subject=unit.tenant, reason=f"cannot be read: {type(fault).__name__}") from None


def _recomputed(unit: Unit, progress: Progress | None) -> VerifyReport:
    book = _Book()
    total = reading.count(unit, "ml_facility")
    for bucket in catalogue.buckets(unit):
        for kept in verifying.facilities_in(unit, bucket.bucket):
            _facility(book, kept, bucket.open_day)
            book.facilities += 1
            if progress is not None:
                progress(book.facilities, total)
        _seals(unit, book, bucket.bucket)
        book.compare(
            "accrual_count",
            f"bucket {bucket.bucket}",
            verifying.accruals_in(unit, bucket.bucket),
            book.accruals,
        )
        book.accruals = 0
    _journal(unit, book)
    _strays(unit, book)
    book.compare(
        "four_eyes", unit.tenant, "on" if four_eyes.insists(unit) else "off", four_eyes_on_file(unit)
    )
    return VerifyReport(
        book.facilities, book.loans, book.events, reading.count(unit, "ml_journal"), tuple(book.findings)
    )


# --- one facility ----------------------------------------------------------------------------------------------------


def _facility(book: _Book, kept: verifying.Kept, today: date) -> None:
    row, events = kept.facility, kept.events
    book.events += len(events)
    _chain(book, row, events)
    outstanding, pending = 0, 0
    of_loan = {
        loan_id: list(group) for loan_id, group in groupby(sorted(events, key=_by_loan), key=lambda e: e.loan)
    }
    for loan in kept.loans:
        book.loans += 1
        told = of_loan.pop(loan.id, [])
        principal, waiting = _loan(book, loan, told, kept.accruals.get(loan.id, []), today)
        outstanding, pending = outstanding + principal, pending + waiting
    of_loan.pop("", None)
    for loan_id in of_loan:
        book.differs("loan_missing", loan_id, "no row", "has events")
    book.compare("facility_outstanding", row.id, row.outstanding_minor, outstanding)
    book.compare("facility_pending", row.id, row.pending_minor, pending)
    _line(book, row, [event for event in events if not event.loan])


def _by_loan(event: Any) -> tuple[str, int]:
    return (event.loan, event.seq)


def _chain(book: _Book, row: Any, events: Sequence[Any]) -> None:
    previous = GENESIS
    for place, event in enumerate(events, 1):
        book.compare("event_gap", event.id, event.seq, place)
        book.compare("event_chain", event.id, event.prev_hash, previous)
        book.compare("event_hash", event.id, event.hash, row_hash(event._mapping))
        previous = event.hash
    book.compare("chain_head", row.id, (row.last_seq, row.head_hash), (len(events), previous))


def _line(book: _Book, row: Any, events: Sequence[Any]) -> None:
    """The line's status and limits, told again from its own events."""
    try:
        told = line_told(events)
    except _UNREADABLE as fault:
        book.differs("line_unreadable", row.id, row.status, type(fault).__name__)
        return
    for name in ("status", "limit_minor", "seasonal_limit_minor"):
        book.compare(f"facility_{name}", row.id, getattr(row, name), told.get(name))
    until = row.seasonal_until and row.seasonal_until.isoformat()
    book.compare("facility_seasonal_until", row.id, until, told.get("seasonal_until"))


def line_told(events: Iterable[Any]) -> dict[str, Any]:
    """A line's status and limits (minor units; dates as ISO text), as its own events tell them in their order."""
    told: dict[str, Any] = {"status": None}
    for event in events:
        told |= {name: value for name, value in loads(event.payload).items() if name in _LIMITS}
        told["status"] = _STATUS.get(event.kind, told["status"])
    return told


_LIMITS = ("limit_minor", "seasonal_limit_minor", "seasonal_until")
_STATUS = {
    "signed": "active", "frozen": "frozen", "unfrozen": "active", "facility_closed": "closed",
    "facility_expired": "expired",
}  # fmt: skip


# --- one loan --------------------------------------------------------------------------------------------------------


def _loan(book: _Book, loan: Any, told: list[Any], formulas: Sequence[Any], today: date) -> tuple[int, int]:
    """Compare a loan's caches; its principal, and what its payout reserves."""
    day = loan.held_through or today
    try:
        life = read_life(told)
        there = life.standing(day)
    except (MicroloanError, *_UNREADABLE) as fault:
        book.differs(
            "loan_unreadable", loan.id, loan.held_reason or "", f"{type(fault).__name__}: {fault}"[:200]
        )
        return loan.principal_minor, 0
    state, rows = there.state, () if loan.held_through else there.rows
    position = balances(state)
    _add(book.positions, loan, position)
    owed = position.get(("principal", state.classification), 0)
    group = (loan.bucket, loan.product, loan.currency, state.classification)
    book.principal[group] = book.principal.get(group, 0) + owed
    stored = as_columns(loan)
    for name, recomputed in _caches(state).items():
        book.compare(f"loan_{name}", loan.id, stored[name], recomputed)
    expected = [accrual_columns(stored | _caches(state), life, row) for row in rows]
    _accruals(book, loan, formulas, expected, day)
    return state.principal, loan.drawn_minor if state.status == "pending" else 0


def _caches(state: LoanState) -> dict[str, Any]:
    return {
        "status": state.status,
        "principal_minor": state.principal,
        "credit_minor": state.credit_balance,
        "class": state.classification,
        "memo": int(state.non_accrual),
        "oldest_due": state.oldest_due,
    }


def _accruals(
    book: _Book, loan: Any, formulas: Sequence[Any], expected: Iterable[dict[str, Any]], day: date
) -> None:
    """The stored formulas give today's and tomorrow's totals as replay does; anchors may differ."""
    wanted = {row["component"]: row for row in expected}
    stored = {row.component: as_columns(row) for row in formulas}
    book.accruals += len(stored)
    if loan.held_through is not None:
        return
    book.compare("accrual_rows", loan.id, sorted(stored), sorted(wanted))
    for component in stored.keys() & wanted.keys():
        mine, theirs = stored[component], wanted[component]
        for name in ("product", "class", "memo", "currency", "day_count"):
            book.compare(f"accrual_{name}", f"{loan.id} {component}", mine[name], theirs[name])
        for n in _numbers(mine["day_count"], day):
            book.compare(
                "accrual_total",
                f"{loan.id} {component}",
                booked(_formula(mine), n),
                booked(_formula(theirs), n),
            )


def _numbers(day_count: int, day: date) -> tuple[int, int]:
    tomorrow = date.fromordinal(day.toordinal() + 1)
    convention: DayCount = "30E/360" if day_count else "actual"
    return day_number(day, convention), day_number(tomorrow, convention)


def _formula(row: dict[str, Any]) -> AccrualRow:
    named = ("component", "class", "memo", "anchor_n", "whole", "q", "rem", "m", "den", "next_action")
    return AccrualRow(*(row[name] for name in named))


def _add(ledger: _Ledger, loan: Any, position: Balances) -> None:
    for (account, class_), amount in position.items():
        key = (loan.currency, loan.product, account, class_)
        ledger[key] = ledger.get(key, 0) + amount


# --- the whole book --------------------------------------------------------------------------------------------------


def _journal(unit: Unit, book: _Book) -> None:
    """The general ledger equals the sum of positions, and every entry balances."""
    for entry in reading.unbalanced_entries(unit):
        book.differs("entry_unbalanced", entry.entry, int(entry.total), 0)
    stored = {
        (row.currency, row.product, row.account, row.class_): int(row.total)
        for row in reading.balances(unit, None)
    }
    expected = dict(book.positions)
    for bucket in catalogue.buckets(unit):
        _provisions(unit, book, bucket.bucket, bucket.open_day, expected)
    for key in sorted(stored.keys() | expected.keys()):
        book.compare("ledger_balance", " ".join(filter(None, key)), stored.get(key, 0), expected.get(key, 0))


def _provisions(unit: Unit, book: _Book, bucket: int, today: date, ledger: _Ledger) -> None:
    """Allowances are the rates' share of principal at the last close: today's, less what commands have moved since."""
    principal = {group[1:]: amount for group, amount in book.principal.items() if group[0] == bucket}
    for row in closing.principal_moved(unit, bucket, today):
        key = (row.product, row.currency, row.class_)
        principal[key] = principal.get(key, 0) - int(row.total)
    stored = {(row.product, row.currency, row.class_): row for row in closing.provisions(unit, bucket)}
    rates = provision_rates(unit, date.fromordinal(today.toordinal() - 1))  # of the day closed last
    for key in sorted(stored.keys() | {key for key, amount in principal.items() if amount}):
        figures = (stored[key].principal_minor, stored[key].allowance_minor) if key in stored else (0, 0)
        owed = principal.get(key, 0)
        subject = f"bucket {bucket} {' '.join(key)}"
        book.compare("provision", subject, figures, (owed, provision(owed, key[2], rates) if owed > 0 else 0))
        for account, amount in provision_postings(0, figures[1]).items():
            line = (key[1], key[0], account, key[2] if account == "provision_allowance" else "")
            ledger[line] = ledger.get(line, 0) + amount


def _seals(unit: Unit, book: _Book, bucket: int) -> None:
    previous = GENESIS
    for seal in closing.seals(unit, bucket):
        row = {name: value for name, value in seal._mapping.items() if name != "hash"}
        book.compare("seal_chain", f"{seal.day} bucket {bucket}", seal.prev_hash, previous)
        heads = closing.heads_of(unit, bucket, seal.day)
        book.compare("seal_hash", f"{seal.day} bucket {bucket}", seal.hash, seal_hash(row, heads))
        previous = seal.hash


def _strays(unit: Unit, book: _Book) -> None:
    """What belongs to nothing: events without facility, notices without event, keys without an answer."""
    for code, subject in verifying.strays(unit):
        book.differs(code, subject, "is there", "belongs to nothing")


def problems(report: VerifyReport) -> Iterator[str]:
    """The findings as lines of text."""
    for finding in report.findings:
        yield f"{finding.code} {finding.subject}: stored {finding.stored}, recomputed {finding.recomputed}"
