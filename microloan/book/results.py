"""What the book answers: frozen values, amounts in major units, rates with their yearly rate beside them.

Every result can be written as plain JSON values (:func:`.to_json_values`) and read back, which is how the answer of a
command is kept under its idempotency key.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date as Day
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

from ..plain import to_json_values as to_json_values
from ..reports.result import LeftOut, Report

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Book:
    """A lender's book: base currency, time zone, buckets, four-eyes setting, and the open business day."""

    tenant: str
    currency: str
    zone: str
    buckets: int
    four_eyes: str
    open_day: Day
    created: bool = False
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class ProductVersion:
    """A version of a product and who proposed and approved it; ``product`` is its canonical content."""

    name: str
    version: int
    currency: str
    status: str
    sha256: str
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    product: Mapping[str, Any]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """A credit line offered; to be signed by ``expires_on``, that day included."""

    id: str
    merchant_id: str
    decision_id: str
    product: str
    product_version: int
    currency: str
    limit: Decimal
    seasonal_limit: Decimal
    seasonal_until: Day | None
    daily_rate: Decimal
    yearly_rate: Decimal
    rate: str
    offered_on: Day
    expires_on: Day
    status: str
    contract_sha256: str
    facility_id: str | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """The exact text a signature accepts, and its SHA-256 over UTF-8."""

    offer_id: str
    text: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Facility:
    """A merchant's credit line; ``available`` = limit in force − outstanding principal − pending draws, not below zero.

    ``limit_in_force``: the standing limit, and the seasonal one while it lasts. ``frozen_reason``: of a frozen line, what was
    given as the reason; ``decision ID`` where a review of the limit froze it.
    """

    id: str
    merchant_id: str
    offer_id: str
    product: str
    product_version: int
    currency: str
    status: str
    limit: Decimal
    seasonal_limit: Decimal
    seasonal_until: Day | None
    limit_in_force: Decimal
    outstanding: Decimal
    pending: Decimal
    available: Decimal
    daily_rate: Decimal
    yearly_rate: Decimal
    rate: str
    signed_on: Day
    valid_until: Day
    contract_sha256: str
    frozen_reason: str = ""
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A draw: ``pending`` until its payout is confirmed. ``available`` is what can still be drawn after it."""

    loan_id: str
    facility_id: str
    status: str
    principal: Decimal
    available: Decimal
    currency: str
    method: str
    term: str
    daily_rate: Decimal
    yearly_rate: Decimal
    event_id: str
    start: Day | None = None
    maturity: Day | None = None
    replayed: bool = False

    @property
    def id(self) -> str:
        """The loan's id."""
        return self.loan_id


@dataclass(frozen=True, slots=True)
class Payout:
    """A payout order: money to be sent to the merchant for a pending draw."""

    loan_id: str
    facility_id: str
    merchant_id: str
    amount: Decimal
    currency: str
    drawn_on: Day


@dataclass(frozen=True, slots=True)
class NextDue:
    """A due date and what will be unpaid on it if nothing else happens."""

    date: Day
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Loan:
    """A loan (借据) at the end of ``as_of``, before that day's close; components are what is booked and unpaid."""

    id: str
    facility_id: str
    merchant_id: str
    product: str
    currency: str
    method: str
    status: str
    as_of: Day
    drawn: Decimal
    drawn_on: Day
    start: Day | None
    maturity: Day | None
    daily_rate: Decimal
    yearly_rate: Decimal
    principal: Decimal
    interest: Decimal
    penalty: Decimal
    fees: Decimal
    payoff: Decimal
    credit_balance: Decimal
    interest_charged: Decimal
    penalty_charged: Decimal
    interest_paid: Decimal
    days_past_due: int
    classification: str
    non_accrual: bool
    next_due: NextDue | None
    known_on: Day | None = None
    held_through: Day | None = None
    held_reason: str | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class LoanSummary:
    """A loan in a list: the figures that change only when something happens to it, as of the open day."""

    id: str
    facility_id: str
    merchant_id: str
    product: str
    currency: str
    status: str
    drawn: Decimal
    principal: Decimal
    credit_balance: Decimal
    classification: str
    drawn_on: Day
    start: Day | None
    maturity: Day | None
    oldest_due: Day | None
    held_reason: str | None


@dataclass(frozen=True, slots=True)
class Allocation:
    """What one payment settled on one loan; ``principal_after`` is what is left of its principal."""

    loan_id: str
    event_id: str
    amount: Decimal
    fees: Decimal
    penalty: Decimal
    interest: Decimal
    principal: Decimal
    credit: Decimal
    principal_after: Decimal
    status: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """A repayment: its parts in total, and per loan in the order in which they were paid."""

    subject: str
    amount: Decimal
    currency: str
    value_date: Day
    booked_on: Day
    fees: Decimal
    penalty: Decimal
    interest: Decimal
    principal: Decimal
    credit: Decimal
    allocations: tuple[Allocation, ...]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """What a command did to a loan: the event it appended and the loan's figures after it."""

    event_id: str
    kind: str
    loan_id: str
    facility_id: str
    value_date: Day
    booked_on: Day
    currency: str
    amount: Decimal
    status: str
    principal: Decimal
    payoff: Decimal
    credit_balance: Decimal
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class ChargeBack:
    """A bounced payment taken back: an entry per loan it had been split over, and the fee for it, if any."""

    event_id: str
    amount: Decimal
    currency: str
    booked_on: Day
    reversals: tuple[Entry, ...]
    fee: Entry | None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class LoanCost:
    """What a loan costs its merchant, from what was paid so far and what is still to be paid; yearly fractions.

    ``yearly_rate`` is the contract rate × 365, ``simple_yearly_cost`` all charges over the principal outstanding × 365,
    ``effective_yearly_cost`` the compound rate (IRR of the dated payments). ``charges`` = interest, penalty and fees, less
    what was waived. The costs are None of a loan that was never outstanding over a night.
    """

    loan_id: str
    as_of: Day
    currency: str
    yearly_rate: Decimal
    charges: Decimal
    simple_yearly_cost: Decimal | None
    effective_yearly_cost: Decimal | None
    known_on: Day | None = None


@dataclass(frozen=True, slots=True)
class CeilingLine:
    """The new loans of a month under one LPR, and those above 4 × LPR; None where no LPR is set. Share by amount."""

    month: str
    lpr_rate: Decimal | None
    ceiling_rate: Decimal | None
    loans: int
    amount: Decimal
    loans_above: int | None
    amount_above: Decimal | None
    share_above: Decimal | None


@dataclass(frozen=True, slots=True)
class RateCeilingReport(Report):
    """New loans from ``first`` to ``last``, both included, against 4 × the LPR of their first day."""

    name: ClassVar[str] = "rate-ceiling"

    first: Day
    last: Day
    currency: str
    lines: tuple[CeilingLine, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def as_of(self) -> Day:
        """The last day it covers."""
        return self.last


@dataclass(frozen=True, slots=True)
class Payoff:
    """What closes a loan on a day (结清金额)."""

    loan_id: str
    as_of: Day
    currency: str
    principal: Decimal
    interest: Decimal
    penalty: Decimal
    fees: Decimal
    credit_balance: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """An event in a loan's ledger; a reversed one keeps its amount, its parts are zero."""

    id: str
    type: str
    date: Day | None
    booked: Day
    amount: Decimal | None
    fees: Decimal
    penalty: Decimal
    interest: Decimal
    principal: Decimal
    credit: Decimal
    principal_after: Decimal | None
    reversed_by: str | None


@dataclass(frozen=True, slots=True)
class ScheduleLine:
    """A line of the repayment plan."""

    n: int
    due: Day
    principal: Decimal
    interest: Decimal
    total: Decimal
    balance: Decimal


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line of a statement; ``balance`` is the principal after it, None where the line was reversed and moved none."""

    loan_id: str
    event_id: str
    type: str
    date: Day
    booked: Day
    amount: Decimal | None
    fees: Decimal
    penalty: Decimal
    interest: Decimal
    principal: Decimal
    credit: Decimal
    balance: Decimal | None
    reversed_by: str | None


@dataclass(frozen=True, slots=True)
class Statement:
    """A loan's or facility's movements from ``first`` to ``last``, both included, with the states around them."""

    subject: str
    merchant_id: str
    currency: str
    first: Day
    last: Day
    opening_principal: Decimal
    closing_principal: Decimal
    interest_charged: Decimal
    penalty_charged: Decimal
    lines: tuple[StatementLine, ...]
    loans: tuple[Loan, ...]


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line of the general journal; debits above zero."""

    day: Day
    entry: str
    line: int
    source: str
    account: str
    classification: str
    product: str
    loan_id: str
    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """An account's balance; debits above zero."""

    account: str
    classification: str
    product: str
    currency: str
    balance: Decimal


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """All balances of the journal up to ``as_of``, that day included; ``total`` is zero in a sound book."""

    as_of: Day
    accounts: tuple[AccountBalance, ...]
    total: Decimal


@dataclass(frozen=True, slots=True)
class Held:
    """A loan the close set aside, and why; it is held through ``through``."""

    loan_id: str
    through: Day
    reason: str


@dataclass(frozen=True, slots=True)
class CloseReport:
    """What a close of day did: the days closed, the open day now, loans replayed, and what was set aside.

    ``held`` are the loans this close set aside, ``resting`` those that rest since an earlier one: neither earns anything
    nor falls due until it is released.
    """

    closed: tuple[Day, ...]
    open_day: Day
    loans_replayed: int
    expired: int
    held: tuple[Held, ...]
    resting: tuple[Held, ...] = ()
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """Something `verify` found: what differs, where, what is stored and what the events say."""

    code: str
    subject: str
    stored: str
    recomputed: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was recomputed and compared, and every difference.

    ``since`` is None where everything was looked at; otherwise the day up to and including which a seal was trusted.
    """

    facilities: int
    loans: int
    events: int
    journal_lines: int
    findings: tuple[Finding, ...]
    since: Day | None = None

    @property
    def clean(self) -> bool:
        """Nothing differs."""
        return not self.findings


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing was done yet: the command is on file and waits for a second person. ``status`` is ``waiting``."""

    request_id: str
    operation: str
    subject: str
    created_by: str
    status: str = "waiting"
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A command that waits for a second person, or waited: ``payload`` is exactly what was asked for.

    ``status`` is ``waiting``, ``approved`` or ``rejected``; ``command_id`` the command that carried it out.
    """

    id: str
    operation: str
    subject: str
    payload: Mapping[str, Any]
    reason: str
    status: str
    created_by: str
    created_on: Day
    created_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    note: str
    command_id: str


@dataclass(frozen=True, slots=True)
class RequestAnswer:
    """What a second person said; ``result`` is what the command then answered, None where it was rejected."""

    request_id: str
    operation: str
    subject: str
    status: str
    created_by: str
    decided_by: str
    command_id: str
    result: Mapping[str, Any] | None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Who did what, when."""

    at: datetime
    actor: str
    approver: str
    operation: str
    subject: str
    command_id: str
    key: str | None


def from_json_values(kind: type[R], values: Any, *, replayed: bool = False) -> R:
    """The result that :func:`.to_json_values` wrote; with *replayed* its field of that name is set, where it has one."""
    result: R = _revived(kind, values)
    if replayed and "replayed" in _hints(type(result)):  # type: ignore[arg-type]
        return dataclasses.replace(result, replayed=True)  # type: ignore[type-var]
    return result


@lru_cache(maxsize=256)
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind) if dataclasses.is_dataclass(kind) else {}


def _revived(kind: Any, value: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return None if value is None else _revived(_meant(get_args(kind), value), value)
    if origin is tuple:
        return _revived_tuple(get_args(kind), value)
    if dataclasses.is_dataclass(kind):
        hints = _hints(kind)  # type: ignore[arg-type]
        return kind(**{name: _revived(hints[name], part) for name, part in value.items()})  # type: ignore[operator]
    return _read(kind, value) if isinstance(kind, type) and isinstance(value, str) else value


def _meant(kinds: tuple[Any, ...], value: Any) -> Any:
    """The first of several kinds that can be meant: of dataclasses the one that has these fields."""
    possible = [kind for kind in kinds if kind is not type(None)]
    fitting = (kind for kind in possible if not _hints(kind) or set(_hints(kind)) == set(value))
    return next(fitting, Any)


def _revived_tuple(kinds: tuple[Any, ...], values: Any) -> tuple[Any, ...]:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_revived(kinds[0], value) for value in values)
    return tuple(_revived(kind, value) for kind, value in zip(kinds, values, strict=True))


def _read(kind: type[Any], text: str) -> Any:
    """A value from its text. By subclass: a host's frozen time puts classes of its own in the place of dates."""
    if issubclass(kind, datetime):
        return datetime.fromisoformat(text)
    if issubclass(kind, Day):
        return Day.fromisoformat(text)
    return Decimal(text) if issubclass(kind, Decimal) else text
