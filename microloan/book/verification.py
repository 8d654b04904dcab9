"""Verify: recompute everything from the events and compare it with what is stored. Reads only; repairs nothing.

Chains and seals; the journal's entries and its sums against the sum of positions; every column of facilities and loans;
the accrual rows against replay; notices and stored answers; the second person where one was needed; products, open
offers and the book itself. A row that cannot be read is named, and the look goes on. Source: SEMANTICS 6 (invariants).
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ..accounting.position import balances
from ..accounting.provisions import provision, provision_postings
from ..days import DayCount, day_number
from ..errors import IntegrityBroken
from ..servicing.accrual import AccrualRow, booked
from ..servicing.state import LoanState
from ..store import catalogue, closing, lending, reading, verifying
from ..store.base import microseconds
from ..store.chain import GENESIS, row_hash
from ..store.damaged import FAULTS, UNREADABLE
from ..store.kept_lines import EVENT, NOTICE, Kept
from ..store.unit import Unit
from . import answers, four_eyes, on_file, seals
from .attendance import Attendance, decided_by
from .dossier import DAY_COUNTS, accrual_columns, as_columns, cached_figures, running_totals
from .lender import four_eyes_on_file, provision_rates
from .lives import LoanLife, fault_told, read_life
from .offers import content_line
from .results import Finding, VerifyReport
from .told import line_told, loan_told, signed_told

Progress = Callable[[int, int], None]

_Ledger = dict[tuple[str, str, str, str], int]  # currency, product, account, class


@dataclass(frozen=True, slots=True)
class _Decided:
    """A limit that nobody set by hand: which event, whose line."""

    event: str
    merchant: str


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
    journal_lines: int = 0
    attendance: Attendance = field(default_factory=lambda: Attendance((), ()))
    decided: dict[str, list[_Decided]] = field(default_factory=dict)  # by decision
    contents: dict[tuple[str, int], str] = field(default_factory=dict)  # SHA-256 of the products on file
    # Products that are not those the contracts name, and what is on file of them.
    foreign: dict[str, str] = field(default_factory=dict)

    def differs(self, code: str, subject: str, stored: object, recomputed: object) -> None:
        """Note a difference."""
        self.findings.append(Finding(code, subject, str(stored), str(recomputed)))

    def compare(self, code: str, subject: str, stored: object, recomputed: object) -> None:
        """Note a difference where there is one."""
        if stored != recomputed:
            self.differs(code, subject, stored, recomputed)

    def columns(self, prefix: str, subject: str, row: Any, told: Mapping[str, Any]) -> None:
        """Note the columns of a row that hold something else than is told of them."""
        for name, value in told.items():
            if (stored := getattr(row, name)) != value:
                self.differs(f"{prefix}_{name}", subject, stored, value)

    def apart(self, subject: str, look: Callable[..., None], *given: Any) -> None:
        """One look for itself: what cannot be read there stops none of the others."""
        try:
            look(*given)
        except FAULTS as fault:
            self.differs("unreadable", subject, fault_told(fault), "what can be read")


def verify(
    unit: Unit, progress: Progress | None = None, since: Mapping[int, seals.Seal] | None = None
) -> VerifyReport:
    """Recompute the whole book from its events; every difference is a finding.

    With *since*, a seal of every bucket: only what came after these seals, which are trusted with all they cover.
    Raises IntegrityBroken where what is stored cannot even be read.
    """
    try:
        return _recomputed(unit, progress, since)
    except UNREADABLE as fault:
        raise IntegrityBroken(subject=unit.tenant, reason=f"cannot be read: {type(fault).__name__}") from None


def _recomputed(
    unit: Unit, progress: Progress | None, since: Mapping[int, seals.Seal] | None
) -> VerifyReport:
    contents = {(row.name, row.version): row.sha256 for row in catalogue.products(unit)}
    book = _Book(attendance=Attendance.read(unit), contents=contents)
    total = reading.count(unit, "ml_facility")
    for bucket in catalogue.buckets(unit):
        seal = None if since is None else since[bucket.bucket]
        for kept in verifying.facilities_in(unit, bucket.bucket, seal and seal.day):
            book.apart(f"ml_facility {kept.id}", _facility, book, kept, bucket.open_day)
            book.facilities += 1
            if progress is not None:
                progress(book.facilities, total)
        book.apart(f"bucket {bucket.bucket} seals", _seals, unit, book, bucket, seal)
        if since is None:
            _accruals_counted(unit, book, bucket.bucket)
        book.accruals = 0
        book.apart(
            f"bucket {bucket.bucket}",
            _beside_the_lines,
            unit,
            book,
            bucket.bucket,
            seal.day if seal else date.min,
        )
    book.apart("ml_book", lambda: book.findings.extend(on_file.of_the_book(unit)))
    for content, stored in sorted(book.foreign.items()):
        book.differs("product_content", content, stored, "that of the contracts signed on it")
    earliest = None if since is None else min(seal.day for seal in since.values())
    if since is None:
        _journal(unit, book)
        _counts(unit, book)
    _strays(unit, book, earliest)
    book.compare(
        "four_eyes", unit.tenant, "on" if four_eyes.insists(unit) else "off", four_eyes_on_file(unit)
    )
    return VerifyReport(
        book.facilities, book.loans, book.events, book.journal_lines, tuple(book.findings), earliest
    )


# --- one facility ----------------------------------------------------------------------------------------------------


def _facility(book: _Book, kept: Kept, today: date) -> None:
    book.findings += map(on_file.cannot_be_read, kept.damaged)
    row, gone = kept.facility, [lost.key for lost in kept.damaged if lost.table == "ml_loan"]
    book.events += len(kept.events)
    book.loans += len(kept.loans) + len(gone)
    stored = [kept.accruals.get(loan, []) for loan in (*(loan.id for loan in kept.loans), *gone)]
    book.accruals += sum(map(len, stored)) + sum(lost.table == "ml_accrual" for lost in kept.damaged)
    of_loan: dict[str, list[Any]] = {}
    for event in kept.events:
        of_loan.setdefault(event.loan, []).append(event)
    line = _line(book, kept, of_loan.pop("", []))
    _attended(book, kept, line)
    if line is not None:
        book.findings += answers.differences(kept.events, kept.answers, line["currency"])
    if line is None or any(lost.table == "ml_event" for lost in kept.damaged):
        return  # no chain and no life without all of its events
    outstanding, pending = 0, 0
    for loan in kept.loans:
        principal, waiting = _loan(book, kept, line, loan, of_loan.pop(loan.id, []), today)
        outstanding, pending = outstanding + principal, pending + waiting
    for loan_id in gone:
        principal, waiting = _unread_loan(book, line, of_loan.pop(loan_id, []), today)
        outstanding, pending = outstanding + principal, pending + waiting
    for loan_id in of_loan:
        book.differs("loan_missing", loan_id, "no row", "has events")
    head = _chain(book, kept.events)
    if row is not None:
        book.compare("chain_head", row.id, (row.last_seq, row.head_hash), head)
        book.compare("facility_outstanding", row.id, row.outstanding_minor, outstanding)
        book.compare("facility_pending", row.id, row.pending_minor, pending)


def _chain(book: _Book, events: Sequence[Any]) -> tuple[int, str]:
    """Compare the links, and each event's notice; the last place and the head the events come to."""
    previous = GENESIS
    for place, event in enumerate(events, 1):
        columns = dict(zip(EVENT, event, strict=False))
        hashed = row_hash(columns)
        if (event.seq, event.prev_hash, event.hash) != (place, previous, hashed):
            book.compare("event_gap", event.id, event.seq, place)
            book.compare("event_chain", event.id, event.prev_hash, previous)
            book.compare("event_hash", event.id, event.hash, hashed)
        previous = event.hash
        _notice(book, event, columns)
    return len(events), previous


def _notice(book: _Book, event: Any, columns: Mapping[str, Any]) -> None:
    """What other systems are told of an event; one without a notice is a stray."""
    stored = event[len(EVENT) :]
    told = lending.notice_of(columns)
    told["time"] = microseconds(told["time"])
    wanted = tuple([told[name] for name in NOTICE])
    if stored == wanted or stored[0] is None:
        return
    for name, kept, value in zip(NOTICE, stored, wanted, strict=True):
        book.compare(f"notice_{name}", event.id, kept, value)


def _line(book: _Book, kept: Kept, events: Sequence[Any]) -> dict[str, Any] | None:
    """Compare the line, and the offer it came from, with its own events; what these say of it, as columns by name.

    Where they cannot be read, what is stored; None where that cannot be read either.
    """
    row = kept.facility
    try:
        told, (signed, offered) = line_told(events), signed_told(events[0])
    except UNREADABLE as fault:
        if not kept.damaged:
            book.differs("line_unreadable", kept.id, row.status if row else "", type(fault).__name__)
        return None if row is None else as_columns(row)
    if row is not None:
        until = told.get("seasonal_until")
        told["seasonal_until"] = until and date.fromisoformat(until)
        book.columns("facility", row.id, row, {"status": None} | signed | told)
        if row.offer == signed["offer"]:
            _offer(book, kept, row.offer, offered)
    return signed


def _offer(book: _Book, kept: Kept, offer_id: str, offered: Mapping[str, Any]) -> None:
    """The offer a line came from, with its contract, is the one that was signed."""
    offer = kept.offers.get(offer_id)
    if offer is not None:
        book.columns("offer", offer.id, offer, offered)
        book.findings += on_file.unlike_its_contract(offer, offered["contract_sha256"])
        _content(book, offer)
    elif not any(lost.table == "ml_offer" for lost in kept.damaged):
        book.differs("offer_missing", offer_id, "no row", f"the contract of {kept.id}")


def _content(book: _Book, offer: Any) -> None:
    """The product on file is the one that the signed contract names by its content."""
    name, version = offer.product, offer.product_version
    content = book.contents.get((name, version))
    if content is None:
        book.foreign[f"{name}@{version}"] = "none"
    elif content_line(name, version, content) not in offer.contract:
        book.foreign[f"{name}@{version}"] = "another content"


def _attended(book: _Book, kept: Kept, line: Mapping[str, Any] | None) -> None:
    """A second person stood behind every event that needed one, or a decision on file."""
    for event in kept.events if book.attendance.switched else ():
        if book.attendance.lacking(event):
            decision = decided_by(event)
            if decision is None:
                _unattended(book, event.id)
            else:
                merchant = str(line["merchant"]) if line else ""
                book.decided.setdefault(decision, []).append(_Decided(event.id, merchant))


def _unattended(book: _Book, event_id: str) -> None:
    book.differs("four_eyes_missing", event_id, "one person", "two people, or a decision on file")


# --- one loan --------------------------------------------------------------------------------------------------------


def _loan(
    book: _Book, kept: Kept, line: Mapping[str, Any], loan: Any, events: list[Any], today: date
) -> tuple[int, int]:
    """Compare a loan's row and its formulas; its principal, and what its payout reserves."""
    day = loan.held_through or today
    try:
        life = read_life(events)
        there = life.standing(day)
        told = loan_told(line, events, life)
    except FAULTS as fault:
        book.differs("loan_unreadable", loan.id, loan.held_reason or "", fault_told(fault)[:200])
        return loan.principal_minor, 0
    caches = cached_figures(there.state)
    _owed(book, line, there.state)
    stored = as_columns(loan)
    for name, recomputed in (told | caches).items():
        if stored[name] != recomputed:
            book.differs(f"loan_{name}", loan.id, stored[name], recomputed)
    earns = there.rows and loan.held_through is None
    expected = [accrual_columns(stored | told | caches, life, there.rows)] if earns else []
    _accruals(book, kept, loan.id, life, expected, day)
    return there.state.principal, told["drawn_minor"] if there.state.status == "pending" else 0


def _unread_loan(book: _Book, line: Mapping[str, Any], events: list[Any], today: date) -> tuple[int, int]:
    """As :func:`_loan` by its events alone, for a loan whose own row cannot be read."""
    life = read_life(events)
    state = life.standing(today).state
    _owed(book, line, state)
    drawn: int = loan_told(line, events, life)["drawn_minor"]
    return state.principal, drawn if state.status == "pending" else 0


def _owed(book: _Book, line: Mapping[str, Any], state: LoanState) -> None:
    """Add a loan's position to those of its product."""
    product, currency, position = line["product"], line["currency"], balances(state)
    for (account, class_), amount in position.items():
        key = (currency, product, account, class_)
        book.positions[key] = book.positions.get(key, 0) + amount
    group = (line["bucket"], product, currency, state.classification)
    owed = position.get(("principal", state.classification), 0)
    book.principal[group] = book.principal.get(group, 0) + owed


def _accruals(
    book: _Book,
    kept: Kept,
    loan: str,
    life: LoanLife,
    expected: list[dict[str, Any]],
    day: date,
) -> None:
    """The stored formulas are those of replay, whatever day they are anchored on, and hold until the same day."""
    stored = [as_columns(row) for row in kept.accruals.get(loan, [])]
    if not any(lost.table == "ml_accrual" and lost.key == loan for lost in kept.damaged):
        there, due = ("; ".join(map(_filled, rows)) or "none" for rows in (stored, expected))
        book.compare("accrual_rows", loan, there, due)
    for mine, theirs in itertools.product(stored, expected):
        for name in ("product", "class", "memo", "currency", "day_count"):
            book.compare(f"accrual_{name}", loan, mine[name], theirs[name])
        found, told, convention = _formulas(mine), _formulas(theirs), _convention(mine["day_count"])
        for component in found.keys() & told.keys():
            _formula(book, f"{loan} {component}", found[component], told[component], day, convention)
        if mine["next_action"] != theirs["next_action"] and not _as_written(life, mine):
            book.differs("accrual_next_action", loan, mine["next_action"], theirs["next_action"])


def _accruals_counted(unit: Unit, book: _Book, bucket: int) -> None:
    """Where a bucket has other accrual rows than its loans were found to have, those that lie astray are named."""
    there = verifying.accruals_in(unit, bucket)
    if there == book.accruals:
        return
    book.differs("accrual_count", f"bucket {bucket}", there, book.accruals)
    for loan, theirs, own in verifying.accruals_astray(unit, bucket):
        book.differs("accrual_rows", loan, theirs, own)


def _filled(row: Mapping[str, Any]) -> str:
    """The columns of its running totals that an accrual row has."""
    return " ".join(name for names in lending.RUNNING.values() for name in names if row[name] is not None)


def _formulas(row: dict[str, Any]) -> dict[str, AccrualRow]:
    """The running totals of an accrual row by component."""
    return {each.component: each for each in running_totals(row, row["next_action"])}


def _formula(
    book: _Book, subject: str, mine: AccrualRow, theirs: AccrualRow, day: date, convention: DayCount
) -> None:
    """Today's and tomorrow's totals are the same; and so is every later one, since all that makes them is."""
    today = day_number(day, convention)
    stored, told = _anchored_on(mine, today), _anchored_on(theirs, today)
    if stored == told:
        return
    tomorrow = day_number(date.fromordinal(day.toordinal() + 1), convention)
    totals = [[booked(row, n) for n in (today, tomorrow)] for row in (mine, theirs)]
    if totals[0] != totals[1]:
        book.differs("accrual_total", subject, *totals)
    else:
        book.differs("accrual_formula", subject, stored, told)


def _anchored_on(row: AccrualRow, n: int) -> tuple[int, int, int, int, int]:
    """A formula (whole, q, rem, m, den) as it reads when it is anchored on another day number."""
    passed = n - row.anchor_n
    above, rem = divmod(row.rem + row.m * passed, row.den)
    return row.whole + row.q * passed + above, row.q, rem, row.m, row.den


def _as_written(life: LoanLife, row: dict[str, Any]) -> bool:
    """Whether a formula ends when the one of the day it is anchored on does: one near 64 bits ends before its loan acts."""
    convention = _convention(row["day_count"])
    days = range(1, date.max.toordinal() + 1)
    first = bisect_left(days, row["anchor_n"], key=lambda day: day_number(date.fromordinal(day), convention))
    anchored = [
        date.fromordinal(day)
        for day in days[first : first + 2]  # by 30E/360 the 30th and the 31st are one number
        if day_number(date.fromordinal(day), convention) == row["anchor_n"]
    ]
    return any(row["next_action"] == each.next_action for day in anchored for each in life.accruals(day))


def _convention(day_count: int) -> DayCount:
    return "30E/360" if day_count == DAY_COUNTS["30E/360"] else "actual"


# --- the whole book --------------------------------------------------------------------------------------------------


def _beside_the_lines(unit: Unit, book: _Book, bucket: int, first: date) -> None:
    """A bucket's open offers and notices of days; and whether decisions stand behind limits that nobody set by hand."""
    book.findings += on_file.of_open_offers(unit, bucket)
    book.findings += on_file.of_closed_days(unit, bucket, first)
    decided = verifying.merchants_decided(unit, bucket, sorted(book.decided))
    for decision, limits in book.decided.items():
        for limit in limits:
            if decided.get(decision) != limit.merchant:
                _unattended(book, limit.event)
    book.decided.clear()


def _journal(unit: Unit, book: _Book) -> None:
    """The general ledger equals the sum of positions."""
    stored = {
        (row.currency, row.product, row.account, row.class_): row.total
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
        principal[key] = principal.get(key, 0) - row.total
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


def _seals(unit: Unit, book: _Book, bucket: Any, since: seals.Seal | None) -> None:
    """What each closed day booked is what was sealed."""
    lines, differences = seals.differences(unit, bucket.bucket, bucket.open_day, since)
    book.journal_lines += lines
    book.findings += differences


def _counts(unit: Unit, book: _Book) -> None:
    """There is nothing beside what was looked at, bucket by bucket: no bucket more, no loan of no facility."""
    looked_at = {"ml_facility": book.facilities, "ml_loan": book.loans, "ml_journal": book.journal_lines}
    for table, count in looked_at.items():
        book.compare("row_count", table, reading.count(unit, table), count)


def _strays(unit: Unit, book: _Book, since: date | None = None) -> None:
    """What belongs to nothing: events without facility, notices without event, keys without an answer."""
    for code, subject in verifying.strays(unit, since):
        book.differs(code, subject, "is there", "belongs to nothing")


def problems(report: VerifyReport) -> Iterator[str]:
    """The findings as lines of text."""
    for finding in report.findings:
        yield f"{finding.code} {finding.subject}: stored {finding.stored}, recomputed {finding.recomputed}"
