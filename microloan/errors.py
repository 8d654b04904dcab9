"""Every refusal and failure of the library, as a tree.

    MicroloanError
    ├── BadInput            what was given cannot be used            exit 2
    │   ├── InvalidAmount · InvalidRate · InvalidDate · InvalidTerms · InvalidEvent
    │   ├── InvalidFile · InvalidPolicy · InvalidProduct · InvalidSetting
    │   └── CurrencyMismatch
    ├── Refused             a rule of the lender says no             exit 3
    │   ├── DrawRefused     every reason at once, code of the first
    │   ├── EventRefused · OfferRefused · FourEyesRequired · IdempotencyConflict
    │   ├── Retryable       the database asked to try again
    │   │   └── PartlyClosed    a close stopped on its way
    │   └── SnapshotNeeded  the host's transaction shows several moments
    ├── NotFound            no such thing in this book               exit 4
    │   └── NoBook · NoDatabase
    ├── IntegrityBroken     the book contradicts itself              exit 5
    │   └── SchemaMismatch · StorageFailed · LoanDamaged
    ├── ExpectationNotMet   a scenario came out differently          exit 6
    └── PartlyDone          done, but some was set aside             exit 7

An error carries fields, not prose: ``code`` is stable, ``details`` holds the values, ``message`` is the English
sentence made of them. Wording in other languages belongs to the command line.
"""

from __future__ import annotations

from typing import ClassVar


class MicroloanError(Exception):
    """Root of everything the library raises on purpose."""

    code: str = "error"
    exit_status: ClassVar[int] = 1
    template: ClassVar[str] = "{reason}"

    def __init__(self, *, code: str | None = None, **details: object) -> None:
        if code is not None:
            self.code = code
        self.details: dict[str, object] = details
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The English sentence: what is wrong, with the value, and what to do.

        >>> NotFound(kind="loan", id="loan-00-k7").message
        "loan 'loan-00-k7' does not exist in this book"
        """
        return self.template.format_map(_Fields(self.details))

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.code, self.details))


class _Fields(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


def _rebuild(kind: type[MicroloanError], code: str, details: dict[str, object]) -> MicroloanError:
    return kind(code=code, **details)


class BadInput(MicroloanError):
    """What was given cannot be used; nothing was done."""

    code = "bad_input"
    exit_status = 2
    template = "{field}: {value!r} cannot be used: {reason}"


class InvalidAmount(BadInput):
    """An amount that is no exact number of minor units of its currency."""

    code = "invalid_amount"
    template = "{field}: {value!r} is not a usable amount: {reason}"


class InvalidRate(BadInput):
    """A rate that is not exact, negative, or has no basis."""

    code = "invalid_rate"
    template = "{field}: {value!r} is not a usable rate: {reason}"


class InvalidDate(BadInput):
    """A date, term or range of dates that cannot be used."""

    code = "invalid_date"
    template = "{field}: {value!r} is not a usable date: {reason}"


class InvalidTerms(BadInput):
    """Loan terms that contradict each other or are incomplete."""

    code = "invalid_terms"
    template = "terms.{field}: {value!r} cannot be used: {reason}"


class InvalidEvent(BadInput):
    """An event that cannot belong to the life of this loan."""

    code = "invalid_event"
    template = "event {id!r}, {field}: {value!r} cannot be used: {reason}"


class InvalidFile(BadInput):
    """A file that cannot be read as what it should be; nothing of it was taken."""

    code = "invalid_file"
    template = "{file}: {reason}"


class InvalidPolicy(BadInput):
    """A policy file that does not say what a policy must say."""

    code = "invalid_policy"
    template = "{file}: {field}: {reason}"


class InvalidProduct(BadInput):
    """A product file that does not say what a product must say."""

    code = "invalid_product"
    template = "{file}: {field}: {reason}"


class InvalidSetting(BadInput):
    """A lender's setting that cannot be used."""

    code = "invalid_setting"
    template = "{field}: {value!r} cannot be used: {reason}"


class CurrencyMismatch(BadInput):
    """Two currencies where the book knows one."""

    code = "currency_mismatch"
    template = "{field}: {value!r}, but this is a {currency} book; amounts are never converted"


class Refused(MicroloanError):
    """A rule of the lender says no; nothing was done."""

    code = "refused"
    exit_status = 3
    template = "refused: {reason}"


class DrawRefused(Refused):
    """A draw is not allowed; ``details["reasons"]`` lists every reason in the documented order.

    ``code`` is the first reason's: facility_not_active, facility_not_valid, limit_exceeded, below_minimum, not_multiple,
    loan_overdue, term_not_offered, method_not_offered, cap_exceeded, rate_above_ceiling.
    """

    code = "draw_refused"
    template = "{facility_id}: a draw of {amount} is refused: {explanation}"


class EventRefused(Refused):
    """The loan's or facility's state does not allow this: waived more than owed, nothing to refund, already reversed …"""

    code = "event_refused"
    template = "{subject}: {reason}"


class OfferRefused(Refused):
    """An offer that cannot be signed: expired, already answered, or another contract text than the one offered."""

    code = "offer_refused"
    template = "{offer_id}: {reason}"


class FourEyesRequired(Refused):
    """The book wants a second person for this, and whoever approves is not one."""

    code = "four_eyes_required"
    template = "{subject}: needs a second person, {actor!r} cannot approve what {actor!r} asked for"


class IdempotencyConflict(Refused):
    """One key, two different requests: nothing was written the second time."""

    code = "idempotency_conflict"
    template = "key {key!r} was used for another {operation}; use a new key for a new request"


class Retryable(Refused):
    """The database asked to try the whole command again (deadlock, serialization failure, busy)."""

    code = "retryable"
    template = "{reason}; nothing was written, run the command again"


class PartlyClosed(Retryable):
    """A close of day had to stop; what it closed before stays closed, and the next one goes on from there."""

    code = "partly_closed"
    template = "{reason}; {closed} of {total} days of buckets are closed, run the command again for the rest"


class SnapshotNeeded(Refused):
    """The host's transaction sees what others commit while it runs; figures compared in it would be of several moments."""

    code = "snapshot_needed"
    template = (
        "a transaction at {level} sees what others commit meanwhile, and this compares many figures: begin a new one with "
        "session.connection(execution_options={{'isolation_level': 'REPEATABLE READ'}}), or use LoanBook.open"
    )


class NotFound(MicroloanError):
    """No such thing in this book and tenant."""

    code = "not_found"
    exit_status = 4
    template = "{kind} {id!r} does not exist in this book"

    def __init__(self, *, code: str | None = None, **details: object) -> None:
        if "id" in details:
            details["id"] = str(details["id"])[:80]  # nobody wants a page of nonsense repeated
        super().__init__(code=code, **details)


class NoBook(NotFound):
    """Nobody has opened a book for this tenant."""

    code = "no_book"
    template = "no book for tenant {tenant!r}; open one with: microloan init --tenant {tenant}"


class NoDatabase(NotFound):
    """There is no book in this database, or no such file."""

    code = "no_database"
    template = "{database}: {reason}; make a book with: microloan init"


class IntegrityBroken(MicroloanError):
    """The book contradicts itself; it must be looked at before it is used further."""

    code = "integrity_broken"
    exit_status = 5
    template = "{subject}: {reason}"


class SchemaMismatch(IntegrityBroken):
    """The database's schema is not the one this version works with."""

    code = "schema_mismatch"
    template = "the database is at schema {found}, this version needs {needed}: {remedy}"


class StorageFailed(IntegrityBroken):
    """The database cannot be opened, read or written."""

    code = "storage_failed"
    template = "{database}: {reason}"


class LoanDamaged(IntegrityBroken):
    """What is stored of one loan cannot be read; the other loans of the book are as they were.

    ``details``: ``loan_id``, and ``reason``: the fault met first.
    """

    code = "loan_damaged"
    template = (
        "{loan_id}: what is stored of it cannot be read ({reason}); find what differs with: microloan verify; "
        "restore it from a backup, and if it is held then run: microloan loan release {loan_id}"
    )


class ExpectationNotMet(MicroloanError):
    """A scenario's figures differ from what the file expects."""

    code = "expectation_not_met"
    exit_status = 6
    template = "{name}: {count} expectation(s) not met"


class PartlyDone(MicroloanError):
    """The work is done, but some of it was set aside and is listed."""

    code = "partly_done"
    exit_status = 7
    template = "done, but {count} set aside: {reason}"


class DatabaseWarning(UserWarning):
    """A host's database is set up so that what was committed can be lost; see :meth:`.LoanBook.doctor`."""
