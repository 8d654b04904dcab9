"""The commands that may need a second person, each carried out from its canonical payload."""

from __future__ import annotations

from datetime import date

from ..days import parse_date
from ..errors import NotFound
from ..money import positive_minor, to_minor
from ..rates import Rate
from ..store.unit import Unit
from . import corrections, draws, facilities, payments
from .requests import Operation, Payload
from .results import ChargeBack, Entry, Facility, Loan, Receipt


def _set_limit(unit: Unit, given: Payload) -> Facility:
    minor = to_minor(given["limit"], unit.book.currency, "limit")
    if minor:  # zero is a limit, less is not
        minor = positive_minor(given["limit"], unit.book.currency, "limit")
    return facilities.set_limit(unit, given["facility"], minor, given["reason"])


def _confirm_payout(unit: Unit, given: Payload) -> Loan:
    return draws.confirm_payout(unit, given["loan"], day_of(given, "value_date"))


def _repay(unit: Unit, given: Payload) -> Receipt:
    named = given["subject"], given["amount"], day_of(given, "value_date"), given["loan"], given["apply"]
    return payments.repay(unit, *named)


def _settlement(unit: Unit, given: Payload) -> Entry:
    return payments.settlement(unit, given["loan"], given["amount"], day_of(given, "value_date"))


def _recover(unit: Unit, given: Payload) -> Entry:
    return payments.recover(unit, given["loan"], given["amount"], day_of(given, "value_date"))


def _reverse(unit: Unit, given: Payload) -> Entry:
    return corrections.reverse(unit, given["event"], given["reason"])


def _charge_back(unit: Unit, given: Payload) -> ChargeBack:
    return corrections.charge_back(unit, given["event"], given["reason"], given["fee"])


def _change_rate(unit: Unit, given: Payload) -> Entry:
    rate = Rate.parse(given["rate"])
    return corrections.change_rate(unit, given["loan"], rate, day_of(given, "value_date"))


def _pause(unit: Unit, given: Payload) -> Entry:
    first, until = parse_date(given["first"], "first"), parse_date(given["until"], "until")
    return corrections.pause(unit, given["loan"], first, until, day_of(given, "value_date"))


def _write_off(unit: Unit, given: Payload) -> Entry:
    return corrections.write_off(unit, given["loan"])


def day_of(given: Payload, field: str) -> date | None:
    """A day of a payload, as given or as it was kept."""
    return None if given[field] is None else parse_date(given[field], field)


SET_LIMIT = Operation("set_limit", _set_limit, "facility")
WRITE_OFF = Operation("write_off", _write_off)
REVERSE = Operation("reverse", _reverse, "event")
CHARGE_BACK = Operation("charge_back", _charge_back, "event")
CONFIRM_PAYOUT = Operation("confirm_payout", _confirm_payout, always=False)
REPAY = Operation("repay", _repay, "subject", always=False)
SETTLEMENT = Operation("settlement", _settlement, always=False)
RECOVER = Operation("recover", _recover, always=False)
CHANGE_RATE = Operation("change_rate", _change_rate, always=False)
PAUSE = Operation("pause", _pause, always=False)

_OF_LENDING = (
    SET_LIMIT, WRITE_OFF, REVERSE, CHARGE_BACK, CONFIRM_PAYOUT, REPAY, SETTLEMENT, RECOVER, CHANGE_RATE, PAUSE,
)  # fmt: skip


def operations() -> tuple[Operation, ...]:
    """Every command that may have to wait for a second person."""
    from .lender import SET_SETTINGS
    from .receipts import ASSIGN_RECEIPT
    from .ring_lessons import LEARN
    from .subjects import ERASE
    from .sweeps import ASSIGN_SETTLEMENT

    return (*_OF_LENDING, ASSIGN_RECEIPT, ASSIGN_SETTLEMENT, SET_SETTINGS, ERASE, LEARN)


def operation_named(name: str) -> Operation:
    """The command of a request on file. Raises NotFound for one this version does not know."""
    found = {operation.name: operation for operation in operations()}.get(name)
    if found is None:
        raise NotFound(kind="operation", id=name)
    return found
