"""Close of day (日终): the night of D, then the morning of D+1, bucket by bucket, each in one transaction.

Loans to which nothing happens are posted by one grouped sum over the accrual rows. Loans with something happening are
replayed: their position before the morning less that of D, dated D; that of D+1 less the one before the morning, dated
D+1. A loan that fails is held and reported; it does not stop the others. Source: SEMANTICS 6 (b) and 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from ..clock import local_date
from ..errors import EventRefused, MicroloanError
from ..servicing.state import LoanState
from ..store import catalogue, closing, idempotency, lending, reading
from ..store.chain import GENESIS, canonical_json, sha256
from ..store.unit import Unit
from .desk import Desk
from .dossier import Dossier, accrual_columns, as_columns, refresh_loan
from .lives import Balances, LoanLife, balances, moved, read_life
from .results import CloseReport, Held, Loan
from .views import loan_view

#: Loans replayed and written together.
BATCH = 500

#: Debit and credit of a night's interest. Source: the positions of accounting, by component and memo.
ACCRUAL_ACCOUNTS = {
    ("interest", 0): ("interest_receivable", "interest_income"),
    ("penalty", 0): ("penalty_receivable", "penalty_income"),
    ("interest", 1): ("memo_interest", "memo_contra"),
    ("penalty", 1): ("memo_penalty", "memo_contra"),
}

Progress = Callable[[date, int, int], None]
_Totals = dict[tuple[str, str], Balances]  # per product and currency


@dataclass
class _Done:
    """What the close of one bucket and day did."""

    replayed: int = 0
    expired: int = 0
    held: list[Held] = field(default_factory=list)


def close_day(desk: Desk, to: date | None, progress: Progress | None = None) -> CloseReport:
    """Close every ended day up to *to* (by default: all that have ended in the lender's zone), oldest first.

    Closing twice changes nothing. Raises EventRefused (``day_not_ended``) for a day that has not ended.
    """
    days, buckets = desk.read(lambda unit: _days_to_close(desk, unit, to))
    total, closed = _Done(), []
    for day in days:
        for bucket in range(buckets):
            done = _in_one_transaction(desk, bucket, day)
            if done is not None:
                closed.append(day)
                total.replayed += done.replayed
                total.expired += done.expired
                total.held += done.held
            if progress is not None:
                progress(day, bucket + 1, buckets)
    return CloseReport(
        closed=tuple(sorted(set(closed))),
        open_day=desk.read(Unit.book_day),
        loans_replayed=total.replayed,
        expired=total.expired,
        held=tuple(total.held),
    )


def _days_to_close(desk: Desk, unit: Unit, to: date | None) -> tuple[list[date], int]:
    ended = local_date(desk.clock, unit.book.zone) - timedelta(days=1)
    if to is not None and to > ended:
        reason = f"{to} has not ended in {unit.book.zone}; the last day that has is {ended}"
        raise EventRefused(code="day_not_ended", subject="close of day", reason=reason)
    first, last = unit.book_day(), to or ended
    return [first + timedelta(days=n) for n in range((last - first).days + 1)], unit.book.buckets


def _in_one_transaction(desk: Desk, bucket: int, day: date) -> _Done | None:
    return desk.write(lambda unit: _close_bucket(unit, bucket, day))


def _close_bucket(unit: Unit, bucket: int, day: date) -> _Done | None:
    unit.lock_bucket(bucket)
    if unit.day_of(bucket) != day:
        return None
    unit.command_id = unit.new_id("cmd", bucket)
    done, night, morning = _Done(), _night(unit, bucket, day), _Totals()
    for batch in _batches(unit, bucket, day):
        _replay_batch(unit, batch, day, night, morning, done)
    done.expired = _expire(unit, bucket, day + timedelta(days=1))
    _post(unit, bucket, day, "night", night)
    _post(unit, bucket, day + timedelta(days=1), "morning", morning)
    _seal(unit, bucket, day)
    catalogue.move_day(unit, bucket, day, day + timedelta(days=1))
    subject = f"{day} bucket {bucket}"
    idempotency.record(unit, "close_day", sha256(subject), subject)
    return done


def _night(unit: Unit, bucket: int, day: date) -> _Totals:
    totals: _Totals = {}
    for row in closing.night_totals(unit, bucket, day):
        debit, credit = ACCRUAL_ACCOUNTS[(row.component, row.memo)]
        amount = int(row.total)
        _add(totals, (row.product, row.currency), {(debit, row.class_): amount, (credit, ""): -amount})
    return totals


def _add(totals: _Totals, group: tuple[str, str], change: Balances) -> None:
    sums = totals.setdefault(group, {})
    for key, amount in change.items():
        sums[key] = sums.get(key, 0) + amount


def _batches(unit: Unit, bucket: int, day: date) -> Iterator[list[tuple[Any, list[Any]]]]:
    after = ""
    while ids := closing.due_loans(unit, bucket, day + timedelta(days=1), after, BATCH):
        after = ids[-1]
        yield lending.loans_with_events(unit, bucket, ids)


@dataclass(frozen=True)
class _Turn:
    """A loan's passage from the end of D to the end of D+1."""

    row: dict[str, Any]
    life: LoanLife
    evening: LoanState
    dawn: LoanState
    next_day: LoanState
    accruals: list[dict[str, Any]]


def _replay_batch(
    unit: Unit,
    batch: list[tuple[Any, list[Any]]],
    day: date,
    night: _Totals,
    morning: _Totals,
    done: _Done,
) -> None:
    turns, dropped, held = [], [], []
    for found, events in batch:
        dropped.append(as_columns(found))
        try:
            turns.append(_turn(found, events, day))
        except (MicroloanError, ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as fault:
            held.append(_hold(as_columns(found), day, fault, done))
    for turn in turns:
        group = (turn.row["product"], turn.row["currency"])
        evening, dawn, after = (balances(state) for state in (turn.evening, turn.dawn, turn.next_day))
        _add(night, group, moved(evening, dawn))
        _add(morning, group, moved(dawn, after))
    lending.drop_accruals(unit, dropped)
    lending.add_accruals(unit, [row for turn in turns for row in turn.accruals])
    lending.set_loans(unit, [*(turn.row for turn in turns), *held])
    done.replayed += len(turns)


def _turn(found: Any, events: list[Any], day: date) -> _Turn:
    following = day + timedelta(days=1)
    life, row = read_life(events), as_columns(found)
    evening, dawn, next_day = life.state(day), life.dawn(following), life.state(following)
    principal = row["principal_minor"]
    refresh_loan(row, life, next_day)
    assert row["principal_minor"] == principal, "a night does not change principal"
    rows = () if next_day.status == "closed" else life.accruals(following)
    return _Turn(
        row, life, evening, dawn, next_day, [accrual_columns(row, life, accrual) for accrual in rows]
    )


def _hold(row: dict[str, Any], day: date, fault: Exception, done: _Done) -> dict[str, Any]:
    reason = f"{type(fault).__name__}: {fault}"[:300]
    done.held.append(Held(row["id"], day, reason))
    return row | {"held_through": day, "held_reason": reason}


def _expire(unit: Unit, bucket: int, day: date) -> int:
    """Offers and facilities whose last day has passed by the morning of *day*."""
    expired = catalogue.expire_offers(unit, bucket, day)
    for row in closing.ended_facilities(unit, bucket, day):
        dossier = Dossier(unit, as_columns(row), day)
        dossier.book("facility_expired", {"valid_until": row.valid_until})
        dossier.row["status"] = "expired"
        dossier.write()
        expired += 1
    return expired


def _post(unit: Unit, bucket: int, day: date, source: str, totals: _Totals) -> None:
    lines: list[dict[str, Any]] = []
    for (product, currency), sums in sorted(totals.items()):
        assert not sum(sums.values()), "an entry that does not balance"
        for (account, class_), amount in sorted(sums.items()):
            if amount:
                lines.append({
                    "tenant": unit.tenant, "bucket": bucket, "entry": f"{source}-{day}-{product}", "line": len(lines) + 1,
                    "day": day, "source": source, "loan": "", "product": product, "class": class_, "account": account,
                    "currency": currency, "amount_minor": amount,
                })  # fmt: skip
    lending.add_journal(unit, lines)


def _seal(unit: Unit, bucket: int, day: date) -> None:
    """Seal the heads of the chains that grew on the day closed, chained to the seal before."""
    heads = closing.heads_of(unit, bucket, day)
    previous = closing.last_seal(unit, bucket) or GENESIS
    row = {"tenant": unit.tenant, "bucket": bucket, "day": day, "heads": len(heads), "prev_hash": previous}
    closing.add_seal(unit, row | {"hash": seal_hash(row, heads)})


def seal_hash(row: dict[str, Any], heads: list[tuple[str, int, str]]) -> str:
    """The hash of a seal: over its columns and the heads it seals."""
    return sha256(canonical_json({**row, "sealed": heads}))


def release(unit: Unit, loan_id: str) -> Loan:
    """Let a held loan go on: post position(today) − position(held through), dated today. Raises EventRefused unless held."""
    row = lending.loan(unit, loan_id)
    if row.held_through is None:
        raise EventRefused(code="not_held", subject=loan_id, reason="is not held")
    today = unit.open_day(row.bucket)
    facility = lending.facility(unit, row.facility, lock=True)
    dossier = Dossier(unit, as_columns(facility), today)
    life = read_life(lending.events_of_loan(unit, row.bucket, loan_id))
    loan = dossier.release(as_columns(row), life, life.state(row.held_through))
    dossier.write()
    return loan_view(loan, loan.state)


def held(unit: Unit) -> tuple[Held, ...]:
    """Loans the close has set aside."""
    return tuple(Held(row.id, row.held_through, row.held_reason) for row in reading.held_loans(unit))
