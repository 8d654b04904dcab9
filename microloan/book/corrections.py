"""What a lender does to a running loan besides taking money: fees, waivers, changed terms, write-off, reversal.

Each is an event, each reversible. Source: SEMANTICS 5, 9.8 to 9.12.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ..days import days_between
from ..errors import EventRefused, InvalidDate, InvalidEvent, InvalidRate
from ..money import positive_minor, to_major
from ..rates import Rate
from ..servicing.events import (
    Event,
    Extended,
    FeeCharged,
    InterestPaused,
    RateChanged,
    Recovered,
    Repaid,
    Restructured,
    Reversed,
    Settled,
    Waived,
    WrittenOff,
)
from ..servicing.replay import effective
from ..store import catalogue, lending
from ..store.unit import Unit
from ..terms import COMPONENTS, METHODS, Component, LoanTerms
from .business_days import rolled_plan
from .ceilings import guard_price
from .dossier import Dossier, LoanFile, open_dossier, open_loan, refuse_unless
from .offers import RATE_DECIMALS
from .payments import guard_running, value_day
from .results import ChargeBack, Entry
from .views import entry_view

_OFF = "is written off; only recoveries go on"


def fee(unit: Unit, loan_id: str, amount: object, name: str) -> Entry:
    """Charge a fee, collectable from today. Raises EventRefused where all charges together would pass the yearly cap."""
    dossier, loan = _running(unit, loan_id)
    minor = positive_minor(amount, dossier.row["currency"])
    _guard_cap(loan, minor)
    return _done(dossier, loan, dossier.add(loan, FeeCharged, amount_minor=minor, name=name), minor)


def _guard_cap(loan: LoanFile, minor: int) -> None:
    room = charge_room(loan)
    if room is not None and minor > room:
        shown = to_major(max(0, room), loan.row["currency"])
        reason = f"with it the charges pass the yearly cap; at most {shown} may be charged today"
        raise EventRefused(code="annual_cap_exceeded", subject=loan.id, reason=reason)


def charge_room(loan: LoanFile) -> int | None:
    """What may still be charged today before interest, penalty and fees together pass the yearly cap; None without a cap.

    cap / 365 × principal-days so far, less what was charged. Source: SEMANTICS 2 (house rule).
    """
    terms = loan.life.terms
    if terms is None or terms.penalty.annual_cap is None:
        return None
    state = loan.state
    charged = state.interest_charged + state.penalty_charged + state.fees_charged
    return int(terms.penalty.annual_cap * _principal_days(loan) / 365) - charged


def _principal_days(loan: LoanFile) -> Fraction:
    terms = loan.life.terms
    assert terms is not None, "a running loan has terms"
    total, principal, since = 0, terms.principal_minor, terms.start
    for row in loan.life.life([loan.today]).ledger:
        if row.principal_after is None or row.value_date is None:
            continue
        total += principal * days_between(since, row.value_date, terms.day_count)
        principal, since = row.principal_after, row.value_date
    return Fraction(total + principal * days_between(since, loan.today, terms.day_count))


def waive(unit: Unit, loan_id: str, component: str, amount: object) -> Entry:
    """Give up part of what is owed (减免). Raises EventRefused for more than is owed."""
    dossier, loan = _running(unit, loan_id)
    if component not in COMPONENTS:
        raise InvalidEvent(
            id="waive", field="component", value=component, reason=f"one of {', '.join(COMPONENTS)}"
        )
    minor = positive_minor(amount, dossier.row["currency"])
    owed = getattr(loan.state, component)
    shown = to_major(owed, dossier.row["currency"])
    refuse_unless(minor <= owed, "more_than_owed", loan_id, f"only {shown} of {component} is owed")
    named: Component = component
    return _done(dossier, loan, dossier.add(loan, Waived, component=named, amount_minor=minor), minor)


def change_rate(unit: Unit, loan_id: str, rate: Rate, value_date: date | None) -> Entry:
    """Another contract rate from the night of the value date. Raises EventRefused for one above the ceiling in force."""
    dossier, loan = _running(unit, loan_id, value_date)
    _guard_rate(rate)
    last = loan.life.maturity
    if last is not None and dossier.today < last and loan.state.principal:
        _guard_new_price(dossier, loan, {"maturity": last, "rate": rate})
    event = dossier.add(loan, RateChanged, value_day(dossier, value_date), rate=rate)
    return _done(dossier, loan, event, 0)


def pause(unit: Unit, loan_id: str, first: date, until: date, value_date: date | None) -> Entry:
    """No interest in the nights from *first* to, not including, *until*, as far as they follow the value date."""
    dossier, loan = _running(unit, loan_id, value_date)
    if until <= first:
        raise InvalidDate(field="until", value=str(until), reason=f"must lie after {first}")
    event = dossier.add(loan, InterestPaused, value_day(dossier, value_date), first=first, until=until)
    return _done(dossier, loan, event, 0)


def extend(unit: Unit, loan_id: str, maturity: date) -> Entry:
    """A later maturity (展期); what was past due moves to the next due date. Raises InvalidDate unless it is later."""
    dossier, loan = _running(unit, loan_id)
    now = loan.life.maturity
    if maturity <= dossier.today or (now is not None and maturity <= now):
        reason = f"must lie after today, {dossier.today}, and after the maturity {now}"
        raise InvalidDate(field="maturity", value=str(maturity), reason=reason)
    return _done(dossier, loan, _extension(dossier, loan, Extended, maturity=maturity), 0)


def restructure(
    unit: Unit, loan_id: str, maturity: date, method: str | None, due_day: int | None, rate: Rate | None
) -> Entry:
    """New terms from what is outstanding (重组): another maturity, and where given another method, due day, rate.

    Raises InvalidDate unless the maturity lies after today, InvalidEvent for a method or due day there is not, EventRefused
    for a sweep loan and where the new terms cost more than the ceiling in force.
    """
    dossier, loan = _running(unit, loan_id)
    if maturity <= dossier.today:
        raise InvalidDate(field="maturity", value=str(maturity), reason=f"must lie after {dossier.today}")
    _guard_method(loan, method)
    if due_day is not None and due_day not in range(1, 32):
        raise InvalidEvent(
            id="restructure", field="due_day", value=due_day, reason="a day of the month, 1 to 31"
        )
    if rate is not None:
        _guard_rate(rate)
    new: dict[str, Any] = {"maturity": maturity, "method": method, "due_day": due_day, "rate": rate}
    if loan.state.principal:
        _guard_new_price(dossier, loan, new)
    return _done(dossier, loan, _extension(dossier, loan, Restructured, **new), 0)


def _guard_method(loan: LoanFile, method: str | None) -> None:
    if method is not None and method not in METHODS:
        reason = f"one of {', '.join(METHODS)}"
        raise InvalidEvent(id="restructure", field="method", value=method, reason=reason)
    swept = method is not None and "sweep" in (method, loan.life.method)
    refuse_unless(not swept, "sweep_terms", loan.id, "a sweep has terms of its own")


def _guard_rate(rate: Rate) -> None:
    if rate.decimals > RATE_DECIMALS:
        raise InvalidRate(
            field="rate", value=str(rate), reason=f"at most {RATE_DECIMALS} decimals as a fraction"
        )


def _guard_new_price(dossier: Dossier, loan: LoanFile, new: dict[str, Any]) -> None:
    """The ceiling holds for new terms too: a loan of what is outstanding, from today, at the method and rate to come."""
    terms, row = loan.life.terms, loan.row
    assert terms is not None, "a running loan has terms"
    named = {name: value for name, value in new.items() if value is not None}
    product = catalogue.product(dossier.unit, row["product"], row["product_version"])
    kept = {"method": loan.life.method, "rate": loan.life.rate(dossier.today)}
    anew = {"principal": to_major(loan.state.principal, row["currency"]), "start": dossier.today}
    none = {"term": None, "due_dates": None, "min_interest_days": 0, "interest_free_days": 0}
    guard_price(
        dossier.unit, product, LoanTerms.parse(terms.canonical() | kept | anew | none | named), loan.id
    )


def _extension(dossier: Dossier, loan: LoanFile, make: Callable[..., Extended], **fields: Any) -> Event:
    """Append an extension; where the product rolls due dates to business days, it carries those to come."""
    place = {"value_date": dossier.today, "booked_on": dossier.today, "sequence": dossier.row["last_seq"] + 1}
    days = rolled_plan(dossier.unit, loan, make(id="plan", **place, **fields))
    if days is not None:
        fields |= {"maturity": days[-1], "due_dates": days}
    return dossier.add(loan, make, **fields)


def write_off(unit: Unit, loan_id: str) -> Entry:
    """Take the claim off the balance sheet (核销). Raises EventRefused when it is off already or nothing is owed."""
    dossier, loan = _running(unit, loan_id)
    owed = loan.state.payoff
    return _done(dossier, loan, dossier.add(loan, WrittenOff), owed)


def _running(unit: Unit, loan_id: str, value_date: date | None = None) -> tuple[Dossier, LoanFile]:
    dossier, loan = open_loan(unit, loan_id)
    guard_running(loan, value_day(dossier, value_date))
    refuse_unless(not loan.state.written_off, "loan_written_off", loan_id, _OFF)
    refuse_unless(loan.state.status != "closed", "loan_closed", loan_id, "is closed: nothing is owed")
    return dossier, loan


def _done(dossier: Dossier, loan: LoanFile, event: Event, minor: int) -> Entry:
    state = dossier.settle(loan, loan.life.plus(event)).state
    dossier.write()
    return entry_view(loan, dossier.events[-1], minor, state)


# --- reversal --------------------------------------------------------------------------------------------------------


def reverse(unit: Unit, event_id: str, reason: str) -> Entry:
    """An earlier event never counted; reversing a reversal makes it count again. A pair of one credit goes together.

    Raises EventRefused for what cannot be reversed, was reversed already, or a payout with live repayments.
    """
    found = lending.event(unit, event_id)
    refuse_unless(
        bool(found.loan), "not_reversible", event_id, f"a {found.kind} of a facility is not reversed"
    )
    refuse_unless(
        found.kind not in ("drawn", "payout_failed"),
        "not_reversible",
        event_id,
        f"a {found.kind} is not reversed",
    )
    dossier, loan = open_loan(unit, found.loan)
    if event_id in loan.life.payout_family:
        return _reverse_payout(dossier, loan, event_id, reason)
    entry = _reverse_one(dossier, loan, event_id, reason)
    for partner in _partners(dossier, found):
        _reverse_one(dossier, dossier.loan(partner.loan), partner.id, reason)
    dossier.write()
    return entry


def _reverse_one(dossier: Dossier, loan: LoanFile, event_id: str, reason: str) -> Entry:
    terms, status = loan.life.terms, loan.row["status"]
    if terms is None:  # its payout came back, after every payment was reversed
        raise EventRefused(code=f"loan_{status}", subject=loan.id, reason=f"is {status}: no money is out")
    _, reversed_by = effective(terms, loan.life.events)
    by = reversed_by.get(event_id)
    refuse_unless(by is None, "already_reversed", event_id, f"was reversed by {by}")
    event = dossier.add(loan, Reversed, of=event_id, reason=reason)
    state = dossier.settle(loan, loan.life.plus(event)).state
    target = next(known for known in loan.life.events if known.id == event_id)
    return entry_view(loan, dossier.events[-1], getattr(target, "amount_minor", 0), state)


def charge_back(unit: Unit, event_id: str, reason: str, fee_amount: object | None) -> ChargeBack:
    """A payment bounced: all of it is reversed, over however many loans it was split, and a fee may be charged for it.

    The fee goes to the loan of the event named. Raises EventRefused for what is no payment, was reversed already, or a fee
    that passes the yearly cap.
    """
    found = lending.event(unit, event_id)
    refuse_unless(found.kind in _PAYMENTS, "not_a_payment", event_id, "is no payment that can bounce")
    dossier = open_dossier(unit, found.facility)
    parts = _parts_of_payment(dossier, found)
    loans = {part.loan: dossier.loan(part.loan) for part in parts}
    reversals = tuple(_reverse_one(dossier, loans[part.loan], part.id, reason) for part in parts)
    fee_entry = None if fee_amount is None else _bounce_fee(dossier, loans[found.loan], fee_amount, reason)
    dossier.write()
    named = next(entry for entry in reversals if entry.loan_id == found.loan)
    amount = sum((entry.amount for entry in reversals), Decimal(0))
    return ChargeBack(named.event_id, amount, named.currency, named.booked_on, reversals, fee_entry)


_PAYMENTS = ("repay", "recover")


def _parts_of_payment(dossier: Dossier, found: lending.Row) -> list[lending.Row]:
    """The events of one payment: those of its command. A credit applied to a loan is no payment of anybody."""
    events = lending.events_of_facility(dossier.unit, dossier.row["bucket"], dossier.id)
    together = [row for row in events if row.command == found.command]
    moved = any(row.kind not in _PAYMENTS for row in together)
    refuse_unless(not moved, "not_a_payment", found.id, "is credit of another loan; reverse it instead")
    return together


def _bounce_fee(dossier: Dossier, loan: LoanFile, amount: object, name: str) -> Entry:
    minor = positive_minor(amount, dossier.row["currency"], "fee")
    refuse_unless(not loan.state.written_off, "loan_written_off", loan.id, _OFF)
    _guard_cap(loan, minor)
    event = dossier.add(loan, FeeCharged, amount_minor=minor, name=name)
    state = dossier.settle(loan, loan.life.plus(event)).state
    return entry_view(loan, dossier.events[-1], minor, state)


def _partners(dossier: Dossier, found: lending.Row) -> list[lending.Row]:
    """The other half of a credit applied to another loan: same command, and one of the two says where it went.

    So too the other reversals of a payment that bounced; the fee for it stands by itself.
    """
    if found.kind == "fee":
        return []
    events = lending.events_of_facility(dossier.unit, dossier.row["bucket"], dossier.id)
    together = [row for row in events if row.command == found.command and row.kind != "fee"]
    moved = [row for row in together if row.kind == "refund" and '"moved_to":""' not in row.payload]
    reversals = {row.reverses for row in together if row.kind == "reverse"}
    if not moved and len(reversals) < 2:
        return []
    return [row for row in together if row.id != found.id]


def _reverse_payout(dossier: Dossier, loan: LoanFile, event_id: str, reason: str) -> Entry:
    """A payout that came back: the loan is cancelled. Reversing that reversal lets the loan run again."""
    newest, payout = loan.life.payout_family[-1], loan.life.payout_family[0]
    stands = not loan.life.payout_reversed
    refuse_unless(
        event_id == newest or (stands and event_id == payout), "already_reversed", event_id, "was reversed"
    )
    if stands:
        _guard_no_money(loan)
    row = dossier.book("reverse", {"of": event_id, "reason": reason}, loan=loan.id, reverses=event_id)
    state = dossier.settle(loan, loan.life.payout_turned(row["id"])).state
    dossier.write()
    return entry_view(loan, row, loan.row["drawn_minor"], state)


def _guard_no_money(loan: LoanFile) -> None:
    assert loan.life.terms is not None, "guarded by the caller"
    counting, _ = effective(loan.life.terms, loan.life.events)
    live = [event.id for event in counting if isinstance(event, Repaid | Recovered | Settled)]
    refuse_unless(not live, "live_repayments", loan.id, f"reverse its repayments first: {', '.join(live)}")
