"""The book of a lender: one object, one method per use case, each one transaction.

book = LoanBook.open("sqlite:///book.db")        # owns its engine, commits, queues for a busy database
book = LoanBook(session, tenant="acme")          # lives in a host's transaction: never commits, never rolls back
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from ..clock import DEFAULT_ZONE, Clock, SystemClock
from ..errors import BadInput
from ..rates import Rate
from ..store.base import open_engine
from ..store.lists import Listed
from ..store.schema import SchemaStatus, require_current, schema_status, upgrade
from ..store.transactions import HostSession, OwnEngine
from ..store.unit import Ids, Unit, random_id
from . import (
    ceilings,
    corrections,
    draws,
    enquiries,
    facilities,
    guarded,
    offers,
    payments,
    setup,
)
from .desk import Desk, amount_key
from .notices import Events
from .products import Products
from .requests import Requests, command
from .results import (
    AuditLine,
    Book,
    ChargeBack,
    CloseReport,
    Contract,
    Drawdown,
    Entry,
    Facility,
    Held,
    JournalLine,
    LedgerLine,
    Loan,
    LoanCost,
    LoanSummary,
    Offer,
    Payoff,
    Payout,
    RateCeilingReport,
    Receipt,
    ScheduleLine,
    Statement,
    TrialBalance,
    VerifyReport,
    Waiting,
)

if TYPE_CHECKING:
    from ..reports.result import Report
    from ..reports.statement_page import StatementPaper
    from ..underwriting.policy import Policy
    from . import closing, reporting, verification
    from .backup import Backup
    from .cash_files import CashReport, Layout
    from .integrity import DoctorReport
    from .lender import Lender
    from .merchants import Merchants
    from .promises import Promises
    from .receipts import Receipts
    from .rings import Risk
    from .sales import Sales
    from .subjects import Subjects
    from .sweeps import Sweeps
    from .underwriting import DecisionRecord, Explanation, Underwriting
    from .worklists import WorkList


class LoanBook:
    """A lender's book. Amounts are Decimals (or ints, or text) in major units; results are frozen values.

    Inside a host's *session* every use case runs in the host's transaction under a savepoint: nothing is committed,
    rolled back or tried again. *tenant* separates books in one database; *actor* is who acts (a claim, not a proof).

    Every command takes an ``idempotency_key``: the same key with the same request acts once and answers the same
    (``replayed`` is True the second time); with another request it raises IdempotencyConflict. A refused command leaves
    nothing behind, its key included.
    """

    def __init__(
        self,
        session: Session,
        *,
        tenant: str = "main",
        clock: Clock | None = None,
        actor: str = "",
        ids: Ids | None = None,
    ) -> None:
        if not hasattr(session, "get_bind"):
            raise TypeError(
                f"LoanBook takes a session of SQLAlchemy, not {type(session).__name__}: give Session(bind=connection) for a "
                "connection, use LoanBook.open(url) for a URL"
            )
        self._own: OwnEngine | None = None
        self._desk = Desk(HostSession(session), tenant, clock or SystemClock(), ids or random_id, actor)

    @classmethod
    def open(
        cls,
        url: str | URL,
        *,
        tenant: str = "main",
        clock: Clock | None = None,
        actor: str = "",
        ids: Ids | None = None,
    ) -> LoanBook:
        """A book that owns its engine: ``sqlite:///file.db`` or ``postgresql+psycopg://…``; a context manager.

        Nothing is opened until it is needed. Raises StorageFailed for a URL that cannot be used.
        """
        book = cls.__new__(cls)
        book._own = OwnEngine(open_engine(url))
        book._desk = Desk(book._own, tenant, clock or SystemClock(), ids or random_id, actor)
        return book

    def __enter__(self) -> LoanBook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the connections of a book that owns its engine."""
        if self._own is not None:
            self._own.engine.dispose()

    def acting(self, actor: str, approver: str = "") -> LoanBook:
        """The same book for another actor, and for what a second person approved."""
        book = type(self).__new__(type(self))
        book._own, book._desk = self._own, self._desk.acting(actor, approver)
        return book

    @property
    def tenant(self) -> str:
        """The tenant this book object works for."""
        return self._desk.tenant

    # --- the rooms beside lending ------------------------------------------------------------------------------------

    @cached_property
    def products(self) -> Products:
        """Products and their versions."""
        return Products(self._desk)

    @cached_property
    def sales(self) -> Sales:
        """Sales data of shops."""
        from .sales import Sales

        return Sales(self._desk)

    @cached_property
    def merchants(self) -> Merchants:
        """Merchants and their shops."""
        from .merchants import Merchants

        return Merchants(self._desk)

    @cached_property
    def lender(self) -> Lender:
        """The lender's dated figures and settings."""
        from .lender import Lender

        return Lender(self._desk)

    @cached_property
    def risk(self) -> Risk:
        """Rings over the whole book."""
        from .rings import Risk

        return Risk(self._desk)

    @cached_property
    def underwriting(self) -> Underwriting:
        """Policies and decisions."""
        from .underwriting import Underwriting

        return Underwriting(self._desk)

    @cached_property
    def requests(self) -> Requests:
        """What waits for a second person."""
        return Requests(self._desk)

    @cached_property
    def events(self) -> Events:
        """The notices other systems read."""
        return Events(self._desk)

    @cached_property
    def subjects(self) -> Subjects:
        """What is kept of a person, to be handed out or erased."""
        from .subjects import Subjects

        return Subjects(self._desk)

    @cached_property
    def sweeps(self) -> Sweeps:
        """Settlements of platforms, and what sweep loans take of them."""
        from .sweeps import Sweeps

        return Sweeps(self._desk)

    @cached_property
    def receipts(self) -> Receipts:
        """Money that reached the lender's bank account."""
        from .receipts import Receipts

        return Receipts(self._desk)

    @cached_property
    def promises(self) -> Promises:
        """What merchants promised to pay, and whether they did."""
        from .promises import Promises

        return Promises(self._desk)

    def work(self, only: str | None = None) -> tuple[WorkList, ...]:
        """What waits for somebody today, list by list; with *only*, one list. Raises BadInput for an unknown one."""
        from .worklists import work

        return work(self._desk, only)

    def underwrite(
        self,
        shop_or_merchant: str,
        policy: Policy | str | None = None,
        as_of: date | str | None = None,
        *,
        asked: object = None,
        idempotency_key: str | None = None,
    ) -> DecisionRecord:
        """Decide on one merchant. Raises NotFound, Refused, InvalidDate; see :meth:`.Underwriting.run`."""
        return self.underwriting.run(
            shop_or_merchant, policy, as_of, asked=asked, idempotency_key=idempotency_key
        )

    def explain(self, decision_id: str) -> Explanation:
        """A decision with its waterfall, score points and reasons. Raises NotFound."""
        return self.underwriting.explain(decision_id)

    # --- setting up --------------------------------------------------------------------------------------------------

    def init(
        self,
        currency: str | None = None,
        open_day: date | None = None,
        *,
        zone: str = DEFAULT_ZONE,
        buckets: int | None = None,
        four_eyes: str | None = None,
    ) -> Book:
        """Create or upgrade the schema, and open the tenant's book unless it is open.

        A new book has base *currency* CNY, the open day of today in *zone*, one bucket on SQLite and 16 on PostgreSQL, and
        the shipped product and policy, active; *four_eyes* is off unless said. Raises InvalidDate for an open day still to
        come, CurrencyMismatch for an open book in another currency, EventRefused for one with another four-eyes setting.
        """
        if self._own is not None:
            self._own.prepare()
        self._desk.transactions.define(upgrade)
        return setup.init(self._desk, currency, open_day, zone, buckets, four_eyes)

    def schema_status(self) -> SchemaStatus:
        """Is the schema the one this version works with? and what to do if not."""
        return self._desk.transactions.read(schema_status)

    def require_current_schema(self) -> None:
        """Raise SchemaMismatch, with what to do, unless schema and code agree."""
        self._desk.transactions.read(require_current)

    def settings(self) -> Book:
        """Currency, zone, buckets, four-eyes setting and open day."""
        return self._desk.read(setup.settings)

    # --- the line of credit ------------------------------------------------------------------------------------------

    def offers(
        self, status: str | None = None, merchant: str | None = None, *, latest: int | None = None
    ) -> Listed[Offer]:
        """Offers, oldest first; by status ``offered``, ``signed``, ``expired`` or ``superseded``, and by merchant.

        *latest*: the latest so many only; ``.earlier`` tells how many that leaves out.
        """
        return self._desk.read(lambda unit: offers.listed(unit, status, merchant, latest))

    def offer(self, offer_id: str) -> Offer:
        """One offer. Raises NotFound."""
        return self._desk.read(lambda unit: offers.shown(unit, offer_id))

    def contract(self, offer_id: str) -> Contract:
        """The exact text a signature of this offer accepts, with its SHA-256. Raises NotFound."""
        return self._desk.read(lambda unit: offers.contract(unit, offer_id))

    def sign(
        self, offer_id: str, *, signer: str, contract_sha256: str, idempotency_key: str | None = None
    ) -> Facility:
        """Accept an offer: who signs, and the hash of the text they saw. Raises OfferRefused."""
        request = {"offer": offer_id, "signer": signer, "sha256": contract_sha256.lower()}
        return self._desk.command(
            "sign", request, lambda unit: offers.sign(unit, offer_id, signer, contract_sha256), Facility,
            key=idempotency_key,
        )  # fmt: skip

    def facility(self, facility_id: str) -> Facility:
        """A facility as it stands. Raises NotFound."""
        return self._desk.read(lambda unit: enquiries.facility(unit, facility_id))

    def facilities(
        self, merchant: str | None = None, status: str | None = None, *, latest: int | None = None
    ) -> Listed[Facility]:
        """Facilities, oldest first; all or the *latest* so many."""
        return self._desk.read(
            lambda unit: enquiries.facilities(unit, latest, merchant=merchant, status=status)
        )

    def freeze(self, facility_id: str, reason: str = "", *, idempotency_key: str | None = None) -> Facility:
        """Stop draws on a facility until unfrozen. Raises EventRefused unless it is active."""
        return self._turn("freeze", facilities.freeze, facility_id, reason, idempotency_key)

    def unfreeze(self, facility_id: str, reason: str = "", *, idempotency_key: str | None = None) -> Facility:
        """Allow draws again. Raises EventRefused unless it is frozen."""
        return self._turn("unfreeze", facilities.unfreeze, facility_id, reason, idempotency_key)

    def close_facility(
        self, facility_id: str, reason: str = "", *, idempotency_key: str | None = None
    ) -> Facility:
        """End a credit line; its loans run on. Raises EventRefused while a payout is pending."""
        return self._turn("close_facility", facilities.close, facility_id, reason, idempotency_key)

    def _turn(
        self,
        operation: str,
        act: Callable[[Unit, str, str], Facility],
        facility_id: str,
        reason: str,
        key: str | None,
    ) -> Facility:
        request = {"facility": facility_id, "reason": reason}
        return self._desk.command(
            operation, request, lambda unit: act(unit, facility_id, reason), Facility, key=key
        )

    def set_limit(
        self, facility_id: str, limit: object, reason: str = "", *, idempotency_key: str | None = None
    ) -> Facility | Waiting:
        """Set a facility's standing limit by hand; running loans are not touched. Raises EventRefused unless live.

        With the four-eyes setting on it waits for a second person.
        """
        request = {"facility": facility_id, "limit": amount_key(limit, "limit"), "reason": reason}
        return command(self._desk, guarded.SET_LIMIT, request, Facility, key=idempotency_key)

    # --- drawing -----------------------------------------------------------------------------------------------------

    def draw(
        self,
        facility_id: str,
        amount: object,
        *,
        days: int | None = None,
        months: int | None = None,
        method: str | None = None,
        confirm: bool = False,
        idempotency_key: str | None = None,
    ) -> Drawdown:
        """Draw on a facility: reserves the limit and orders a payout; *confirm* where the payout is instant.

        Length and method are the product's defaults unless given. Raises DrawRefused with every reason at once.

        ``book.draw(facility.id, Decimal("300000"), days=90).status == "pending"``
        """
        request = {
            "facility": facility_id, "amount": amount_key(amount), "days": days, "months": months, "method": method,
            "confirm": confirm,
        }  # fmt: skip
        term = draws.length_of(days, months)
        return self._desk.command(
            "draw", request, lambda unit: draws.draw(unit, facility_id, amount, term, method, confirm), Drawdown,
            key=idempotency_key,
        )  # fmt: skip

    def payouts(self) -> tuple[Payout, ...]:
        """Payout orders that wait to be confirmed or failed, oldest first."""
        return self._desk.read(draws.payouts)

    def confirm_payout(
        self, loan_id: str, value_date: date | None = None, *, idempotency_key: str | None = None
    ) -> Loan | Waiting:
        """The money arrived: the loan starts on *value_date* (by default the open day). Raises EventRefused unless pending.

        Four eyes: one dated back beyond the lender's days waits for a second person.
        """
        request = {"loan": loan_id, "value_date": value_date}
        return command(self._desk, guarded.CONFIRM_PAYOUT, request, Loan, key=idempotency_key)

    def fail_payout(self, loan_id: str, reason: str = "", *, idempotency_key: str | None = None) -> Loan:
        """The money did not arrive: the draw is cancelled and its reserve released. Raises EventRefused unless pending."""
        request = {"loan": loan_id, "reason": reason}
        return self._desk.command(
            "fail_payout",
            request,
            lambda unit: draws.fail_payout(unit, loan_id, reason),
            Loan,
            key=idempotency_key,
        )

    def load_payouts(self, file: Path | str, *, layout: Layout = None) -> CashReport:
        """Take in the bank's answer to payouts: rows of loan_id, status (paid or failed), value_date, reason.

        Every row acts once. Raises InvalidFile for a file that cannot be read; a refused row is in the report.
        """
        from .payout_files import load

        return load(self._desk, file, layout)

    # --- money in ----------------------------------------------------------------------------------------------------

    @overload
    def repay(
        self,
        subject: str,
        amount: object,
        *,
        value_date: None = None,
        loan: str | None = None,
        apply: str | None = None,
        idempotency_key: str | None = None,
    ) -> Receipt: ...

    @overload
    def repay(
        self,
        subject: str,
        amount: object,
        *,
        value_date: date | None,
        loan: str | None = None,
        apply: str | None = None,
        idempotency_key: str | None = None,
    ) -> Receipt | Waiting: ...

    def repay(
        self,
        subject: str,
        amount: object,
        *,
        value_date: date | None = None,
        loan: str | None = None,
        apply: str | None = None,
        idempotency_key: str | None = None,
    ) -> Receipt | Waiting:
        """Book a repayment to a loan or, split by the rule, to a facility; *amount* may be ``payments.ALL``.

        *loan* is the one the payer names (facility only). A value date before the open day is a back-dated entry: the
        difference is posted today. What exceeds the debt stays as a credit balance. Raises EventRefused, InvalidDate.
        Four eyes: one dated back beyond the lender's days waits for a second person.
        """
        shown = amount if amount == payments.ALL else amount_key(amount)
        request = {
            "subject": subject,
            "amount": shown,
            "value_date": value_date,
            "loan": loan,
            "apply": apply,
        }
        return command(self._desk, guarded.REPAY, request, Receipt, key=idempotency_key)

    def payoff(self, loan_id: str, as_of: date | None = None) -> Payoff:
        """What closes a loan on a day (结清金额), by default the open day; reads only. Raises NotFound.

        300,000.00 at 0.048% a day after 30 nights: 304,320.00. *Source:* SEMANTICS 1 (interest).
        """
        return self._desk.read(lambda unit: enquiries.payoff(unit, loan_id, as_of))

    def settlement(
        self,
        loan_id: str,
        amount: object,
        *,
        value_date: date | None = None,
        idempotency_key: str | None = None,
    ) -> Entry | Waiting:
        """A net settlement of the shop reached a sweep loan; a negative one takes nothing. Raises EventRefused."""
        request = {"loan": loan_id, "amount": amount_key(amount), "value_date": value_date}
        return command(self._desk, guarded.SETTLEMENT, request, Entry, key=idempotency_key)

    def recover(
        self,
        loan_id: str,
        amount: object,
        *,
        value_date: date | None = None,
        idempotency_key: str | None = None,
    ) -> Entry | Waiting:
        """Money came in after the write-off. Raises EventRefused unless written off."""
        request = {"loan": loan_id, "amount": amount_key(amount), "value_date": value_date}
        return command(self._desk, guarded.RECOVER, request, Entry, key=idempotency_key)

    def refund(self, loan_id: str, amount: object, *, idempotency_key: str | None = None) -> Entry:
        """Pay out a credit balance (溢缴款), or ``payments.ALL`` of it. Raises EventRefused for more than there is."""
        shown = amount if amount == payments.ALL else amount_key(amount)
        request = {"loan": loan_id, "amount": shown}
        return self._entry(
            "refund", request, lambda unit: payments.refund(unit, loan_id, amount), idempotency_key
        )

    def apply_credit(
        self, from_loan: str, to_loan: str, amount: object, *, idempotency_key: str | None = None
    ) -> Receipt:
        """Use a loan's credit balance for another loan of its facility. Raises EventRefused for more than there is."""
        shown = amount if amount == payments.ALL else amount_key(amount)
        request = {"from": from_loan, "to": to_loan, "amount": shown}
        return self._desk.command(
            "apply_credit", request, lambda unit: payments.apply_credit(unit, from_loan, to_loan, amount), Receipt,
            key=idempotency_key, subject=from_loan,
        )  # fmt: skip

    # --- corrections -------------------------------------------------------------------------------------------------

    def _entry(
        self, operation: str, request: dict[str, Any], act: Callable[[Unit], Entry], key: str | None
    ) -> Entry:
        subject = str(request.get("loan") or request.get("event"))
        return self._desk.command(operation, request, act, Entry, key=key, subject=subject)

    def reverse(
        self, event_id: str, reason: str = "", *, idempotency_key: str | None = None
    ) -> Entry | Waiting:
        """An earlier event never counted; the difference is posted today. Raises EventRefused when it cannot be reversed.

        With the four-eyes setting on it waits for a second person.
        """
        request = {"event": event_id, "reason": reason}
        return command(self._desk, guarded.REVERSE, request, Entry, key=idempotency_key)

    def charge_back(
        self, event_id: str, reason: str = "", *, fee: object = None, idempotency_key: str | None = None
    ) -> ChargeBack | Waiting:
        """A payment bounced: all its parts are reversed, and where given a *fee* is charged to the event's loan.

        Raises EventRefused for what is no payment, was reversed already, or a fee that passes the yearly cap. With the
        four-eyes setting on it waits for a second person.
        """
        request = {
            "event": event_id,
            "reason": reason,
            "fee": None if fee is None else amount_key(fee, "fee"),
        }
        return command(self._desk, guarded.CHARGE_BACK, request, ChargeBack, key=idempotency_key)

    def fee(self, loan_id: str, amount: object, name: str, *, idempotency_key: str | None = None) -> Entry:
        """Charge a fee. Raises EventRefused where all charges together would pass the yearly cap."""
        request = {"loan": loan_id, "amount": amount_key(amount), "name": name}
        return self._entry(
            "fee", request, lambda unit: corrections.fee(unit, loan_id, amount, name), idempotency_key
        )

    def waive(
        self, loan_id: str, component: str, amount: object, *, idempotency_key: str | None = None
    ) -> Entry:
        """Give up part of fees, penalty, interest or principal (减免). Raises EventRefused for more than is owed."""
        request = {"loan": loan_id, "component": component, "amount": amount_key(amount)}
        return self._entry(
            "waive",
            request,
            lambda unit: corrections.waive(unit, loan_id, component, amount),
            idempotency_key,
        )

    def change_rate(
        self,
        loan_id: str,
        rate: object,
        *,
        value_date: date | None = None,
        idempotency_key: str | None = None,
    ) -> Entry | Waiting:
        """Another contract rate from the night of the value date, such as ``0.04%/day``. Raises InvalidRate."""
        parsed = Rate.parse(rate)
        request = {"loan": loan_id, "rate": parsed.canonical(), "value_date": value_date}
        return command(self._desk, guarded.CHANGE_RATE, request, Entry, key=idempotency_key)

    def pause(
        self,
        loan_id: str,
        first: date,
        until: date,
        *,
        value_date: date | None = None,
        idempotency_key: str | None = None,
    ) -> Entry | Waiting:
        """No interest and no penalty in the nights from *first* to, not including, *until*. Raises InvalidDate."""
        request = {"loan": loan_id, "first": first, "until": until, "value_date": value_date}
        return command(self._desk, guarded.PAUSE, request, Entry, key=idempotency_key)

    def extend(self, loan_id: str, maturity: date, *, idempotency_key: str | None = None) -> Entry:
        """Give a loan a later maturity (展期). Raises InvalidDate unless it is later."""
        request = {"loan": loan_id, "maturity": maturity}
        return self._entry(
            "extend", request, lambda unit: corrections.extend(unit, loan_id, maturity), idempotency_key
        )

    def restructure(
        self,
        loan_id: str,
        maturity: date,
        method: str | None = None,
        due_day: int | None = None,
        rate: object = None,
        *,
        idempotency_key: str | None = None,
    ) -> Entry:
        """New terms from what is outstanding (重组): another maturity, and where given another method, due day or rate.

        What is past due moves to the next due date, penalty earned stays. Raises InvalidDate, InvalidEvent, InvalidRate;
        EventRefused (``rate_above_ceiling``) where the new terms cost more than the ceiling in force.

        ``book.restructure(loan.id, date(2025, 6, 30), "equal_instalment", rate="0.04%/day")``
        """
        new = None if rate is None else Rate.parse(rate)
        request = {
            "loan": loan_id, "maturity": maturity, "method": method, "due_day": due_day,
            "rate": new and new.canonical(),
        }  # fmt: skip
        return self._entry(
            "restructure",
            request,
            lambda unit: corrections.restructure(unit, loan_id, maturity, method, due_day, new),
            idempotency_key,
        )

    def write_off(
        self, loan_id: str, reason: str = "", *, idempotency_key: str | None = None
    ) -> Entry | Waiting:
        """Take a claim off the balance sheet (核销). Raises EventRefused when nothing is owed.

        With the four-eyes setting on it waits for a second person, who reads the *reason*.
        """
        request = {"loan": loan_id, "reason": reason}
        return command(self._desk, guarded.WRITE_OFF, request, Entry, key=idempotency_key)

    # --- the day -----------------------------------------------------------------------------------------------------

    def close_day(
        self,
        to: date | None = None,
        *,
        progress: closing.Progress | None = None,
        anchor: Path | None = None,
    ) -> CloseReport:
        """Close the open day and every missed one up to *to*; by default all that have ended in the lender's zone.

        Closing twice changes nothing. Raises EventRefused (``day_not_ended``). A loan that fails is held and reported.
        With *anchor* the closed book is anchored in a file kept elsewhere, see :meth:`anchor`; a file that cannot take a
        line, or whose last line the book no longer keeps, is refused before anything is closed. In a host's transaction
        the line would be written before the commit: anchor after it.
        """
        from . import closing

        if anchor is None:
            return closing.close_day(self._desk, to, progress)
        from . import anchors

        anchors.require_room(anchor)
        before = anchors.read(anchor)
        self._desk.read(lambda unit: anchors.require_kept(unit, anchor, before))
        report = closing.close_day(self._desk, to, progress)
        self.anchor(anchor)
        return report

    def held(self) -> tuple[Held, ...]:
        """Loans the close has set aside, with the reason."""
        from . import closing

        return self._desk.read(closing.held)

    def release(self, loan_id: str, *, idempotency_key: str | None = None) -> Loan:
        """Let a held loan go on; what passed meanwhile is posted today. Raises EventRefused unless held."""
        from . import closing

        return self._desk.command(
            "release",
            {"loan": loan_id},
            lambda unit: closing.release(unit, loan_id),
            Loan,
            key=idempotency_key,
        )

    # --- reading -----------------------------------------------------------------------------------------------------

    def loan(self, loan_id: str, as_of: date | None = None, known_on: date | None = None) -> Loan:
        """A loan at the end of value date *as_of* (by default the open day), as known at the end of *known_on*.

        Raises NotFound.
        """
        return self._desk.read(lambda unit: enquiries.loan(unit, loan_id, as_of, known_on))

    def loan_cost(
        self, loan_id: str, as_of: date | None = None, known_on: date | None = None
    ) -> LoanCost | None:
        """What a loan costs its merchant a year, nominal, all in, and compounded; None before it has started."""
        return self._desk.read(lambda unit: enquiries.loan_cost(unit, loan_id, as_of, known_on))

    def loans(
        self,
        *,
        facility: str | None = None,
        merchant: str | None = None,
        status: str | None = None,
        latest: int | None = None,
    ) -> Listed[LoanSummary]:
        """Loans in the order they were drawn, as they stand; all or the *latest* so many.

        ``book.loans(status="overdue", latest=20)``: its ``.earlier`` tells how many more there are. Raises BadInput below 1.
        """
        whose = {"facility": facility, "merchant": merchant, "status": status}
        return self._desk.read(lambda unit: enquiries.loans(unit, latest, **whose))

    def loans_at(
        self,
        as_of: date | None = None,
        known_on: date | None = None,
        *,
        facility: str | None = None,
        merchant: str | None = None,
        status: str | None = None,
        latest: int | None = None,
    ) -> Listed[Loan]:
        """Loans drawn by a day in that order, each replayed as :meth:`loan` does; *status* is what they were in then.

        With *status* and *latest* together ``.earlier`` is None once so many are found: nobody replayed the rest.
        """
        whose = {"facility": facility, "merchant": merchant}
        return self._desk.read(
            lambda unit: enquiries.loans_at(unit, as_of, known_on, status, latest, **whose)
        )

    def ledger(
        self, loan_id: str, as_of: date | None = None, known_on: date | None = None
    ) -> tuple[LedgerLine, ...]:
        """A loan's events and what each did. Raises NotFound."""
        return self._desk.read(lambda unit: enquiries.ledger(unit, loan_id, as_of, known_on))

    def schedule(
        self, loan_id: str, as_of: date | None = None, known_on: date | None = None
    ) -> tuple[ScheduleLine, ...]:
        """A loan's plan: what fell due, then what is to come. Raises NotFound."""
        return self._desk.read(lambda unit: enquiries.schedule(unit, loan_id, as_of, known_on))

    def statement(self, subject: str, first: date | None = None, last: date | None = None) -> Statement:
        """Movements of a loan or facility from *first* (by default its beginning) to *last* (the open day).

        Raises NotFound, and InvalidDate where *last* lies before *first*.
        """
        return self._desk.read(lambda unit: enquiries.statement(unit, subject, first, last))

    def statement_paper(
        self, subject: str, first: date | None = None, last: date | None = None
    ) -> StatementPaper:
        """A statement with the parties, the yearly cost of each loan and how its interest came about.

        ``microloan.reports.statement_page.statement_page(paper, "zh")`` makes the page a merchant is sent.
        """
        from . import statements

        return self._desk.read(lambda unit: statements.paper(unit, subject, first, last))

    @contextmanager
    def journal(self, first: date | None = None, last: date | None = None) -> Iterator[Iterator[JournalLine]]:
        """The journal's lines from *first* to *last*, streamed: ``with book.journal() as lines: …``.

        Whatever is raised inside the ``with`` by its caller passes unchanged.
        """
        with self._desk.stream(lambda unit: enquiries.journal(unit, first, last)) as lines:
            yield lines

    def trial_balance(self, as_of: date | None = None) -> TrialBalance:
        """The balances of all accounts up to a day."""
        return self._desk.read(lambda unit: enquiries.trial_balance(unit, as_of))

    def report(
        self,
        name: str,
        as_of: date | None = None,
        *,
        first: date | None = None,
        last: date | None = None,
        by: str = "month",
        progress: verification.Progress | None = None,
    ) -> Report:
        """A report on the whole book at the end of *as_of* (by default the open day), as the ledger then had it.

        *name* is ``portfolio``, ``aging``, ``vintage``, ``roll-rate``, ``expected-cash``, ``provisions`` or
        ``rate-ceiling``; *first* and *last* limit the days it covers (by default the last twelve months, of expected cash
        all days to come); *by* is the ``day``, ``week`` or ``month`` of expected cash; *progress* is told how many loans of
        how many have been read. The result is a frozen value of :mod:`microloan.reports` with
        ``to_json()`` and ``to_frame()``; ``left_out`` names the damaged loans it lacks. Raises BadInput for another name,
        InvalidDate for a day still to come, SnapshotNeeded as :meth:`verify` does.

        ``book.report("aging").to_frame()``
        """
        from . import reporting

        return self._desk.snapshot(
            lambda unit: reporting.report(unit, name, as_of, first, last, by, progress)
        )

    def portfolio_pack(
        self,
        as_of: date | None = None,
        *,
        first: date | None = None,
        progress: verification.Progress | None = None,
    ) -> reporting.PortfolioPack:
        """All that the portfolio page shows, read in one pass. Raises InvalidDate for a day still to come, SnapshotNeeded."""
        from . import reporting

        return self._desk.snapshot(lambda unit: reporting.pack(unit, as_of, first, progress))

    def rate_ceiling_report(self, first: date | None = None, last: date | None = None) -> RateCeilingReport:
        """The share of new loans above 4 × LPR, by month; by default of the twelve months to the open day."""
        return self._desk.read(lambda unit: ceilings.rate_ceiling_report(unit, first, last))

    def verify(
        self,
        *,
        progress: verification.Progress | None = None,
        anchor: Path | None = None,
        incremental: bool = False,
    ) -> VerifyReport:
        """Recompute the whole book from its events and compare; every difference is a finding.

        With *anchor*, a file kept elsewhere: what any earlier line of it names must still be there, and a clean book adds
        a line of its own. With *incremental* too, only what came after the last line that a verification wrote: seals and
        journal from that seal on, facilities with an event since, and those whose loans were posted one by one since. What
        nothing has touched, and the balances of accounts against the loans, are not looked at; ``since`` of the report
        says so. Raises InvalidFile for a file that is none of ours, BadInput for *incremental* without *anchor*, and
        SnapshotNeeded in a host's transaction on PostgreSQL below REPEATABLE READ.

        ``book.verify(anchor=Path("/mnt/elsewhere/anchor"), incremental=True).clean``
        """
        from . import anchors, verification

        if anchor is None:
            if incremental:
                raise BadInput(
                    field="incremental", value=True, reason="give the file of anchors to go on from"
                )
            return self._desk.snapshot(lambda unit: verification.verify(unit, progress))
        before = anchors.read(anchor)
        report, line = self._desk.snapshot(
            lambda unit: anchors.verify(unit, before, progress, incremental=incremental)
        )
        if report.clean:
            anchors.append(anchor, line)
        return report

    def anchor(self, file: Path) -> None:
        """Add the newest seals and heads to an anchor file: after each close.

        What its last line names must still be there, nothing else is looked at. Raises InvalidFile, and IntegrityBroken
        with nothing added.
        """
        from . import anchors

        before = anchors.read(file)

        def look(unit: Unit) -> str:
            anchors.require_kept(unit, file, before)
            return anchors.line(unit, verified=False)

        anchors.append(file, self._desk.read(look))

    def backup(self, file: Path) -> Backup:
        """Copy a SQLite book in use to a new file. Raises StorageFailed, on PostgreSQL always: it has its own tools."""
        from .backup import backup

        return backup(self._database, file)

    def doctor(self) -> DoctorReport:
        """Look at the database, its schema and the clock; changes nothing."""
        from .integrity import doctor

        return doctor(self._desk, self._database)

    @property
    def _database(self) -> URL:
        if self._own is not None:
            return self._own.engine.url
        assert isinstance(self._desk.transactions, HostSession)
        return self._desk.transactions.session.connection().engine.url

    def audit(
        self, first: datetime | None = None, last: datetime | None = None, *, latest: int | None = None
    ) -> Listed[AuditLine]:
        """Who did what, when, oldest first; all or the *latest* so many."""
        return self._desk.read(lambda unit: enquiries.audit(unit, first, last, latest))
