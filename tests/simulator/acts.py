"""What an operation of a script does to a book, and the names under which the script speaks of what came out.

An operation is a plain mapping, so that a script can be printed, shortened and played again: ``do`` says what, names such
as ``F3`` (line), ``L7`` (loan) and ``E9.L7`` (the event that operation 9 made on that loan) say on what.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from microloan.book import offers
from microloan.book.results import ChargeBack, Entry, Facility, Receipt
from microloan.rates import Rate

from .desks import Desk

Op = dict[str, Any]
Names = dict[str, str]


def perform(desk: Desk, op: Op) -> Any:
    """Do one operation, resolved for this desk. Raises what LoanBook raises."""
    return _ACTS[op["do"]](desk, op)


def resolved(names: Names, op: Op) -> Op:
    """The operation with identifiers in place of names, and dates in place of their text.

    Raises KeyError for a name that only an operation that was refused or left out would have given.
    """
    named = {field: names[op[field]] for field in _NAMED if op.get(field)}
    dates = {field: date.fromisoformat(op[field]) for field in _DATES if op.get(field)}
    return op | named | dates


_NAMED = ("line", "subject", "loan", "named", "to", "event")
_DATES = ("day", "value_date", "first", "until", "maturity", "last")


def named(op: Op, answer: Any, loans: dict[str, str]) -> Names:
    """The names an answer gives: to a line, a loan, an event of each loan. *loans* are the loans' names by id."""
    number = op["n"]
    if op["do"] == "line":
        return {f"F{number}": answer.id}
    if op["do"] == "draw":
        return {f"L{number}": answer.loan_id}
    return {f"E{number}.{loans[entry.loan_id]}": entry.event_id for entry in entries(answer)}


def entries(answer: Any) -> list[Any]:
    """What an answer says of single loans, each with its event."""
    if isinstance(answer, Entry):
        return [answer]
    if isinstance(answer, Receipt):
        return list(answer.allocations)
    return list(answer.reversals) if isinstance(answer, ChargeBack) else []


def _line(desk: Desk, op: Op) -> Facility:
    book = desk.book
    offer = book._desk.write(
        lambda unit: offers.make_offer(
            unit, merchant_id=op["merchant"], decision_id="simulated", limit_minor=op["limit_minor"],
            rate=Rate.parse(op["rate"]), product=op["product"],
        )
    )  # fmt: skip
    contract = book.contract(offer.id)
    return book.sign(offer.id, signer="Li", contract_sha256=contract.sha256, idempotency_key=op.get("key"))


def _clock(desk: Desk, op: Op) -> None:
    desk.clock.set_day(op["day"])


def _payout_back(desk: Desk, op: Op) -> Entry:
    """The money came back: reverse the newest event in the payout's family that stands."""
    payout = next(line for line in desk.book.statement(op["loan"]).lines if line.type == "draw")
    return desk.book.reverse(payout.event_id, idempotency_key=op.get("key"))


def _method(name: str, *given: str) -> Callable[[Desk, Op], Any]:
    """A use case of the book that takes these fields of the operation, those left out not at all, and the key."""

    def act(desk: Desk, op: Op) -> Any:
        fields = {field: op[field] for field in given if op.get(field) is not None}
        places = _PLACES.get(name, {})
        arguments = {places.get(field, field): value for field, value in fields.items()}
        return getattr(desk.book, name)(**arguments, idempotency_key=op.get("key"))

    return act


# What a use case calls the subject of an operation.
_PLACES = {
    "draw": {"line": "facility_id"},
    "repay": {"named": "loan"},
    "reverse": {"event": "event_id"},
    "charge_back": {"event": "event_id"},
    "apply_credit": {"loan": "from_loan", "to": "to_loan"},
    "freeze": {"line": "facility_id"},
    "unfreeze": {"line": "facility_id"},
    "close_facility": {"line": "facility_id"},
    "set_limit": {"line": "facility_id"},
} | {
    name: {"loan": "loan_id"}
    for name in (
        "confirm_payout", "fail_payout", "settlement", "recover", "refund", "fee", "waive", "change_rate", "pause",
        "extend", "restructure", "write_off",
    )
}  # fmt: skip

_ACTS: dict[str, Callable[[Desk, Op], Any]] = {
    "line": _line,
    "clock": _clock,
    "close": lambda desk, op: desk.book.close_day(op.get("last")),
    "payout_back": _payout_back,
    "draw": _method("draw", "line", "amount", "days", "months", "method", "confirm"),
    "confirm": _method("confirm_payout", "loan", "value_date"),
    "fail": _method("fail_payout", "loan"),
    "repay": _method("repay", "subject", "amount", "value_date", "named", "apply"),
    "settlement": _method("settlement", "loan", "amount", "value_date"),
    "recover": _method("recover", "loan", "amount", "value_date"),
    "refund": _method("refund", "loan", "amount"),
    "credit": _method("apply_credit", "loan", "to", "amount"),
    "reverse": _method("reverse", "event"),
    "charge_back": _method("charge_back", "event", "fee"),
    "fee": _method("fee", "loan", "amount", "name"),
    "waive": _method("waive", "loan", "component", "amount"),
    "rate": _method("change_rate", "loan", "rate", "value_date"),
    "pause": _method("pause", "loan", "first", "until", "value_date"),
    "extend": _method("extend", "loan", "maturity"),
    "restructure": _method("restructure", "loan", "maturity", "method"),
    "write_off": _method("write_off", "loan"),
    "limit": _method("set_limit", "line", "limit"),
    "freeze": _method("freeze", "line"),
    "unfreeze": _method("unfreeze", "line"),
    "close_line": _method("close_facility", "line"),
}
DOINGS = tuple(_ACTS)
