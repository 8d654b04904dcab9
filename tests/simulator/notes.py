"""The clerk's notes: what was agreed and done, loan by loan, without SQL, journal or replay.

From them the day-by-day calculator of ``tests.reference`` tells what every loan must look like on any day, and as known on
any day. Amounts in the notes are those entered, or, where the lender was told to take all, those it said it took.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from tests.reference import daily, histories

from .acts import Op, entries
from .desks import START
from .products import options, terms_of

OPTIONS = options()
RUNNING = ("active", "overdue", "written_off")


@dataclass
class Loan:
    """A loan as the clerk knows it: its terms as the scenario format writes them, its events in the order of booking."""

    name: str
    line: str
    terms: dict[str, Any]
    drawn_on: date
    start: date | None = None
    confirmed_on: date | None = None
    cancelled: bool = False
    restructured: bool = False
    closed: bool = False  # as the book said last; only the author of scripts goes by it
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def pending(self) -> bool:
        """Its payout is neither confirmed nor failed."""
        return self.start is None and not self.cancelled

    @property
    def running(self) -> bool:
        """Its money is out."""
        return self.start is not None and not self.cancelled

    @property
    def principal_minor(self) -> int:
        """What was drawn."""
        return daily.as_minor(self.terms["principal"], 2)

    def scenario(self, *days: date, known_on: date | None = None) -> dict[str, Any]:
        """The loan's life in the scenario format, to be looked at on some days."""
        assert self.start is not None
        found: dict[str, Any] = {
            "terms": self.terms | {"start": self.start.isoformat()},
            "events": self.events,
            "as_of": [day.isoformat() for day in sorted(set(days))],
        }
        return found if known_on is None else found | {"known_on": known_on.isoformat()}

    def on(self, day: date) -> daily.Loan:
        """The calculator's loan in the evening of a day."""
        return daily.loan_on(self.scenario(day), day)

    def root(self, event: dict[str, Any]) -> dict[str, Any]:
        """What a chain of reversals began with."""
        while event["type"] == "reverse":
            event = next(each for each in self.events if each["id"] == event["of"])
        return event

    @property
    def comparable(self) -> bool:
        """False where the calculator has no rule, or documented readings of its own (docs/DECISIONS.md).

        A restructuring; a sweep that was extended; an extension that a reversal left before a shorter one; a write-off
        reversed after other events had followed it.
        """
        kinds = {event["type"] for event in self.events}
        if self.restructured or (self.terms["method"] == "sweep" and "extend" in kinds):
            return False
        if "extend" in kinds and not histories.extensions_rise(self.events):
            return False
        return all(
            self.root(event)["type"] != "write_off" for event in self.events if event["type"] == "reverse"
        )


@dataclass
class Line:
    """A credit line as the clerk knows it."""

    name: str
    product: int
    rate: str
    limit_minor: int


@dataclass
class Notes:
    """The clerk's notes of a whole book."""

    lines: dict[str, Line] = field(default_factory=dict)
    loans: dict[str, Loan] = field(default_factory=dict)
    commands: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # events undone only together
    today: date = START  # by the clock
    open_day: date = START

    def take(self, op: Op, answer: Any, names: dict[str, str]) -> None:
        """Note what was done. *names* are the names by identifier."""
        getattr(self, f"_{op['do']}", self._event)(op, answer, names)
        for entry in entries(answer):
            self.loans[names[entry.loan_id]].closed = entry.status == "closed"

    # --- lines, draws, days ------------------------------------------------------------------------------------------

    def _line(self, op: Op, _answer: Any, _names: dict[str, str]) -> None:
        name = f"F{op['n']}"
        self.lines[name] = Line(name, int(op["product"][1:]), op["rate"], op["limit_minor"])

    def _limit(self, op: Op, _answer: Any, _names: dict[str, str]) -> None:
        self.lines[op["line"]].limit_minor = daily.as_minor(op["limit"], 2)

    def _freeze(self, _op: Op, _answer: Any, _names: dict[str, str]) -> None:
        """Nothing the calculator needs."""

    _unfreeze = _close_line = _freeze

    def _clock(self, op: Op, _answer: Any, _names: dict[str, str]) -> None:
        self.today = date.fromisoformat(op["day"])

    def _close(self, op: Op, answer: Any, _names: dict[str, str]) -> None:
        last = date.fromisoformat(op["last"]) if op.get("last") else self.today - timedelta(days=1)
        assert last < self.today, f"closed {last}, which has not ended on {self.today}"
        self.open_day = max(self.open_day, last + timedelta(days=1))
        assert answer.open_day == self.open_day, (answer.open_day, self.open_day)
        assert not answer.held, answer.held

    def _draw(self, op: Op, answer: Any, _names: dict[str, str]) -> None:
        name, line = f"L{op['n']}", self.lines[op["line"]]
        term = f"{op['days']}d" if op.get("days") else f"{op['months']}m"
        agreed = {"method": op["method"], "principal": op["amount"], "rate": line.rate, "term": term}
        self.loans[name] = Loan(
            name, line.name, agreed | terms_of(OPTIONS[line.product], op["method"]), self.open_day
        )
        assert answer.status == ("active" if op.get("confirm") else "pending"), answer.status
        if op.get("confirm"):
            self.loans[name].start = self.loans[name].confirmed_on = self.open_day

    def _confirm(self, op: Op, answer: Any, _names: dict[str, str]) -> None:
        day = date.fromisoformat(op["value_date"]) if op.get("value_date") else self.open_day
        self.loans[op["loan"]].start, self.loans[op["loan"]].confirmed_on = day, self.open_day
        assert answer.start == day, answer

    def _fail(self, op: Op, _answer: Any, _names: dict[str, str]) -> None:
        self.loans[op["loan"]].cancelled = True

    def _payout_back(self, op: Op, _answer: Any, _names: dict[str, str]) -> None:
        self.loans[op["loan"]].cancelled = True
        self.commands[
            f"E{op['n']}.{op['loan']}"
        ] = []  # the payout's own reversal: reversed, the loan runs again

    # --- events of loans ---------------------------------------------------------------------------------------------

    def _event(self, op: Op, _answer: Any, _names: dict[str, str]) -> None:
        """An event of one loan, in the words of the scenario format."""
        self._add(op["loan"], op, _TYPES.get(op["do"], op["do"]), _body(op))

    def _refund(self, op: Op, answer: Any, _names: dict[str, str]) -> None:
        self._add(op["loan"], op, "refund", {"amount": str(answer.amount)})

    def _restructure(self, op: Op, _answer: Any, _names: dict[str, str]) -> None:
        self.loans[op["loan"]].restructured = True

    def _repay(self, op: Op, answer: Any, names: dict[str, str]) -> None:
        assert sum(one.amount for one in answer.allocations) == answer.amount
        assert op["amount"] == "all" or answer.amount == Fraction(op["amount"])
        shares = {names[one.loan_id]: one.amount for one in answer.allocations}
        if op["subject"][0] == "F" and op["n"] % 4 == 0:
            self._check_split(op, shares)
        for loan, amount in shares.items():
            self._add_payment(loan, op, str(amount))

    def _credit(self, op: Op, answer: Any, _names: dict[str, str]) -> None:
        amount = str(answer.amount)
        self._add(op["loan"], op, "refund", {"amount": amount})
        self._add_payment(op["to"], op, amount)
        self._together(op, [op["loan"], op["to"]])

    def _add_payment(self, loan: str, op: Op, amount: str) -> None:
        """A repayment, which after a write-off is a recovery."""
        off = any(event["type"] == "write_off" for event in self.loans[loan].events)
        recovered = off and self.loans[loan].on(self._day(op)).written_off
        chosen = {"apply": "principal"} if op.get("apply") and not recovered else {}
        self._add(loan, op, "recover" if recovered else "repay", {"amount": amount} | chosen)

    def _charge_back(self, op: Op, answer: Any, names: dict[str, str]) -> None:
        origin = op["event"].split(".")[0]
        loans = [names[entry.loan_id] for entry in entries(answer)]
        for loan in loans:
            self._add(loan, op, "reverse", {"of": f"{origin}.{loan}"})
        if len(loans) > 1:
            self._together(op, loans)
        if op.get("fee"):
            loan = op["event"].split(".")[1]
            self._add(loan, op | {"n": f"{op['n']}fee"}, "fee", {"amount": op["fee"], "name": "bounced"})

    def _reverse(self, op: Op, _answer: Any, _names: dict[str, str]) -> None:
        event = op["event"]
        loan = self.loans[event.split(".")[1]]
        if all(known["id"] != event for known in loan.events):  # the payout's reversal
            loan.cancelled = not loan.cancelled
            return
        pair = self.commands.get(event) or [(loan.name, event)]
        for each, target in pair:
            self._add(each, op, "reverse", {"of": target})
        if len(pair) > 1:
            self._together(op, [each for each, _ in pair])

    def _together(self, op: Op, loans: list[str]) -> None:
        made = [(loan, f"E{op['n']}.{loan}") for loan in loans]
        self.commands |= {event: made for _, event in made}

    def _add(self, loan: str, op: Op, kind: str, body: dict[str, Any]) -> None:
        event = {"id": f"E{op['n']}.{loan}", "type": kind, "booked": self.open_day.isoformat()} | body
        if kind != "reverse":
            event["date"] = self._day(op).isoformat()
        self.loans[loan].events.append(event)

    def _day(self, op: Op) -> date:
        return date.fromisoformat(op["value_date"]) if op.get("value_date") else self.open_day

    # --- the split of a payment over a line's loans ------------------------------------------------------------------

    def _check_split(self, op: Op, shares: dict[str, Any]) -> None:
        """Overdue loans first, oldest due first; then the loan the payer names, else the highest rate; the rest stays there."""
        loans = [loan for loan in self.loans.values() if loan.line == op["subject"] and loan.running]
        day, minor = self._day(op), sum(daily.as_minor(share, 2) for share in shares.values())
        if not all(loan.comparable for loan in loans):
            return
        open_ones = [
            loan for loan in loans if daily.status_of(loan.on(self.open_day), self.open_day) in RUNNING
        ]
        payable = {
            loan.name: loan.on(day) for loan in open_ones if loan.start is not None and loan.start <= day
        }
        expected: dict[str, int] = {}
        for name, most in _queue(payable, op.get("named"), day):
            share = min(minor, most - expected.get(name, 0))
            expected[name], minor, last = expected.get(name, 0) + share, minor - share, name
        expected[op.get("named") or last] += minor
        told = {name: daily.as_minor(share, 2) for name, share in shares.items()}
        assert told == {name: share for name, share in expected.items() if share}, (told, expected)


def _queue(loans: dict[str, daily.Loan], named: str | None, day: date) -> Iterator[tuple[str, int]]:
    overdue = [name for name, loan in loans.items() if loan.days_past_due(day) > 0]
    for name in sorted(overdue, key=lambda name: (-loans[name].days_past_due(day), int(name[1:]))):
        loan = loans[name]
        yield name, loan.owed() - loan.not_due - loan.accrued_interest()
    for name in sorted(loans, key=lambda name: (name != named, -loans[name].rate, int(name[1:]))):
        yield name, loans[name].payoff(day)


_TYPES = {"rate": "rate_change", "pause": "pause_interest"}


def _body(op: Op) -> dict[str, Any]:
    body = {field: op[field] for field in ("amount", "component", "rate", "maturity", "name") if field in op}
    return body | {"from": op["first"], "to": op["until"]} if op["do"] == "pause" else body
