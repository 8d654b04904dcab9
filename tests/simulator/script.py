"""Makes up what happens next: an author who knows the clerk's notes and may look things up in the book."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from tests.reference import histories

from .acts import Op
from .notes import Loan
from .products import COUNT
from .world import World

WEIGHTS = {
    "line": 1.5, "draw": 10, "confirm": 5, "fail": 0.7, "payout_back": 0.7, "repay": 28, "settlement": 5, "recover": 1.5,
    "refund": 3, "credit": 2, "reverse": 7, "charge_back": 2, "fee": 4, "waive": 5, "rate": 3, "pause": 3, "extend": 3,
    "restructure": 0.4, "write_off": 1, "limit": 1, "freeze": 0.5, "unfreeze": 1.5, "close_line": 0.15, "clock": 10,
    "close": 9, "clock_back": 0.8, "again": 5, "conflict": 2,
}  # fmt: skip

CRASH_SHARE = 0.06
#: A draw has about forty moments: before and after each statement, and at its commit.
CRASH_MOMENTS = 45
_NEVER_CRASHED = ("line", "clock", "again", "conflict", "payout_back")
_KEYED = 0.5


@dataclass
class Author:
    """The next operation of a world, drawn from a seed."""

    world: World
    rng: random.Random
    crashes: float = CRASH_SHARE

    def next(self, number: int) -> Op:
        """An operation that a lender may well order, or should be refused."""
        while True:
            wish = "line" if len(self.world.notes.lines) < 2 else self._wish()
            op = getattr(self, f"_{wish}")()
            if op is not None:
                return self._finished(number, {"n": number, "do": wish} | op)

    def _wish(self) -> str:
        return self.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]

    def _finished(self, number: int, op: Op) -> Op:
        crashing = op["do"] not in _NEVER_CRASHED and self.rng.random() < self.crashes
        if op["do"] not in ("clock", "close", "again", "conflict") and (
            crashing or self.rng.random() < _KEYED
        ):
            op["key"] = f"k{number}"
        if crashing:
            op["crash"] = self.rng.randrange(CRASH_MOMENTS)
        return op

    # --- choices -----------------------------------------------------------------------------------------------------

    def _one(self, loans: list[Loan]) -> Loan | None:
        """One of some loans, a recent one rather than an old one."""
        return self.rng.choice(loans[-6:] if self.rng.random() < 0.7 else loans) if loans else None

    def _running(self) -> Loan | None:
        """A loan whose money is out, seldom a closed one."""
        loans = [loan for loan in self.world.notes.loans.values() if loan.running]
        return self._one([loan for loan in loans if not loan.closed] if self.rng.random() < 0.9 else loans)

    def _a_loan(self) -> Loan | None:
        loans = list(self.world.notes.loans.values())
        return self._running() if self.rng.random() < 0.95 else self._one(loans)

    def _a_line(self) -> str:
        return self.rng.choice(list(self.world.notes.lines))

    def _back(self) -> dict[str, str]:
        """Mostly the open day, sometimes an earlier one, seldom a later one."""
        kind = self.rng.random()
        if kind < 0.7:
            return {}
        back = self.rng.choice([1, 2, 5, 20, 60]) if kind < 0.98 else -1
        return {"value_date": _iso(self.world.notes.open_day - timedelta(days=back))}

    def _owed(self, loan: Loan) -> Any:
        return self.world.desks[0].book.loan(self.world._names[0][loan.name])

    def _amount(self, loan: Loan) -> str:
        """What is owed, part of it, what is due next, the interest, or anything."""
        state = self._owed(loan)
        parts = [
            state.payoff / 3,
            state.payoff / 10,
            state.payoff / 20,
            state.drawn / self.rng.randrange(1, 40),
        ]
        choices = [state.interest, state.penalty + state.interest, *parts, *parts]
        choices += [state.next_due.amount] * 4 if state.next_due else []
        chosen = self.rng.choice([*choices, state.payoff if self.rng.random() < 0.5 else state.payoff + 1])
        return f"{max(float(chosen), 0.01):.2f}"

    # --- lines and draws ---------------------------------------------------------------------------------------------

    def _line(self) -> Op:
        product = self.rng.randrange(COUNT)
        limit = self.rng.choice([1_000_000, 5_000_000, 9_000_000, self.rng.randrange(100, 3_000_000)])
        merchant = f"m-{self.rng.randrange(40)}"
        return {"merchant": merchant, "product": f"p{product}", "limit_minor": limit, "rate": _rate(self.rng)}

    def _draw(self) -> Op:
        length = {"days": self.rng.choice([5, 7, 30, 45, 90, 180])} if self.rng.random() < 0.45 else {
            "months": self.rng.choice([1, 2, 3, 3, 6, 6, 12])}  # fmt: skip
        amount = self.rng.choice(
            ["100.00", "1000.00", "1234.56", "5000.00", f"{self.rng.randrange(10, 15_000)}.0"]
        )
        method = self.rng.choice(histories.METHODS)
        return {
            "line": self._a_line(),
            "amount": amount,
            "method": method,
            "confirm": self.rng.random() < 0.7,
        } | length

    def _confirm(self) -> Op | None:
        loan = self._one([loan for loan in self.world.notes.loans.values() if loan.pending])
        if loan is None:
            return None
        days = (self.world.notes.open_day - loan.drawn_on).days
        later = {"value_date": _iso(loan.drawn_on + timedelta(days=self.rng.randrange(days + 1)))}
        return {"loan": loan.name} | (later if self.rng.random() < 0.3 else {})

    def _fail(self) -> Op | None:
        loan = self._one([loan for loan in self.world.notes.loans.values() if loan.pending])
        return loan and {"loan": loan.name}

    def _payout_back(self) -> Op | None:
        loan = self._running()
        return loan and {"loan": loan.name}

    def _limit(self) -> Op:
        return {
            "line": self._a_line(),
            "limit": self.rng.choice(["0", "500.00", "60000.00", "90000.00", "90000.00"]),
        }

    def _freeze(self) -> Op:
        return {"line": self._a_line()}

    _unfreeze = _close_line = _freeze

    # --- money -------------------------------------------------------------------------------------------------------

    def _repay(self) -> Op | None:
        loan = self._a_loan()
        if loan is None:
            return None
        op: Op = {"subject": loan.name, "amount": self._amount(loan)} | self._back()
        if self.rng.random() < 0.06:
            op["amount"] = "all"
        if self.rng.random() < 0.1:
            op["apply"] = "principal"
        if self.rng.random() < 0.25:
            op["subject"] = loan.line
            op |= {"named": loan.name} if self.rng.random() < 0.4 else {}
        return op

    def _settlement(self) -> Op | None:
        loans = [
            loan
            for loan in self.world.notes.loans.values()
            if loan.running and loan.terms["method"] == "sweep"
        ]
        loan = self._one(loans)
        amount = f"{self.rng.randrange(-50_000, 400_000) / 100:.2f}"
        return loan and {"loan": loan.name, "amount": amount} | self._back()

    def _recover(self) -> Op | None:
        written_off = [
            loan
            for loan in self.world.notes.loans.values()
            if any(e["type"] == "write_off" for e in loan.events)
        ]
        loan = self._one(written_off)
        return loan and {"loan": loan.name, "amount": self._amount(loan)} | self._back()

    def _in_credit(self) -> Loan | None:
        loan = self._running()
        return loan if loan and (self._owed(loan).credit_balance or self.rng.random() < 0.05) else None

    def _refund(self) -> Op | None:
        loan = self._in_credit()
        return loan and {"loan": loan.name, "amount": self.rng.choice(["all", "all", "0.50", "12.34"])}

    def _credit(self) -> Op | None:
        loan = self._in_credit()
        others = [other for other in self.world.notes.loans.values() if loan and other.line == loan.line]
        target = self._one(others)
        return (
            loan
            and target
            and {"loan": loan.name, "to": target.name, "amount": self.rng.choice(["all", "1.00"])}
        )

    # --- corrections -------------------------------------------------------------------------------------------------

    def _event(self, kinds: tuple[str, ...] = ()) -> str | None:
        loan = self._running()
        events = [event["id"] for event in loan.events if not kinds or event["type"] in kinds] if loan else []
        return self.rng.choice(events[-5:]) if events else None

    def _reverse(self) -> Op | None:
        event = self._event()
        return event and {"event": event}

    def _charge_back(self) -> Op | None:
        event = self._event(("repay", "recover"))
        return event and {"event": event} | ({"fee": "0.50"} if self.rng.random() < 0.4 else {})

    def _fee(self) -> Op | None:
        loan = self._a_loan()
        return loan and {
            "loan": loan.name,
            "amount": self.rng.choice(["0.01", "1.50", "20.00"]),
            "name": "letter",
        }

    def _waive(self) -> Op | None:
        loan = self._a_loan()
        if loan is None:
            return None
        component = self.rng.choice(["fees", "penalty", "interest", "principal"])
        owed = getattr(self._owed(loan), component)
        part = self.rng.choice([owed, owed, owed / 2, owed + 1])
        return {"loan": loan.name, "component": component, "amount": f"{max(float(part), 0.01):.2f}"}

    def _rate(self) -> Op | None:
        loan = self._a_loan()
        return loan and {"loan": loan.name, "rate": _rate(self.rng)} | self._back()

    def _pause(self) -> Op | None:
        loan = self._a_loan()
        first = self.world.notes.open_day + timedelta(days=self.rng.randrange(-10, 10))
        until = first + timedelta(days=self.rng.randrange(1, 30))
        return loan and {"loan": loan.name, "first": _iso(first), "until": _iso(until)} | self._back()

    def _extend(self) -> Op | None:
        loan = self._a_loan()
        later = self.world.notes.open_day + timedelta(days=self.rng.choice([5, 30, 60, 120, 200]))
        return loan and {"loan": loan.name, "maturity": _iso(later)}

    def _restructure(self) -> Op | None:
        op = self._extend()
        return op and op | {"method": self.rng.choice(histories.METHODS[:4])}

    def _write_off(self) -> Op | None:
        loan = self._running()
        return loan and {"loan": loan.name}

    # --- the day, and keys -------------------------------------------------------------------------------------------

    def _clock(self) -> Op:
        ahead = self.rng.choice([0, 1, 1, 1, 2, 3, 5, 8, 15, 31, 65])
        today = max(self.world.notes.today, self.world.notes.open_day)
        return {"day": _iso(today + timedelta(days=ahead))}

    def _clock_back(self) -> Op:
        return {
            "do": "clock",
            "day": _iso(self.world.notes.open_day - timedelta(days=self.rng.choice([1, 2, 30]))),
        }

    def _close(self) -> Op:
        last = self.world.notes.open_day + timedelta(days=self.rng.choice([-1, 0, 0, 1, 3]))
        return {"last": _iso(last)} if self.rng.random() < 0.4 else {}

    def _again(self) -> Op | None:
        numbers = [
            number for number, (op, _) in self.world.done.items() if op["do"] not in ("line", "payout_back")
        ]
        return {"of": self.rng.choice(numbers[-30:])} if numbers else None

    def _conflict(self) -> Op | None:
        numbers = [
            number for number, (op, _) in self.world.done.items() if op["do"] in ("repay", "draw", "fee")
        ]
        return {"of": self.rng.choice(numbers[-30:])} if numbers else None


def _rate(rng: random.Random) -> str:
    """A rate in the forms that both readers of text take."""
    while True:
        rate = histories.random_rate(rng)
        if isinstance(rate, str):
            return rate


def _iso(day: date) -> str:
    return day.isoformat()
