"""A world: one script played on one or two books, every answer compared, and at the end everything recomputed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from microloan.book.results import to_json_values
from microloan.errors import MicroloanError
from tests.reference import daily

from .acts import Names, Op, named, perform, resolved
from .desks import Desk
from .notes import Loan, Notes

CHECK_EVERY = 160

_FIGURES = ("principal", "interest", "penalty", "fees", "payoff", "interest_charged", "penalty_charged", "interest_paid",
            "credit_balance")  # fmt: skip


class Broken(AssertionError):
    """What a world found; its first word names the rule, so that a shortened script is known to break the same."""


def must(kept: bool, rule: str, *what: object) -> None:
    """Raise Broken unless the rule was kept."""
    if not kept:
        raise Broken(f"{rule}: " + " | ".join(map(str, what)))


Outcome = tuple[str, Any]


@dataclass
class World:
    """Books in step, the clerk's notes, and what has happened so far."""

    desks: Sequence[Desk]
    seed: str = ""
    notes: Notes = field(default_factory=Notes)
    done: dict[int, tuple[Op, Any]] = field(
        default_factory=dict
    )  # what was accepted under a key, and its answer
    tally: Counter[str] = field(default_factory=Counter)
    _names: list[Names] = field(init=False)

    def __post_init__(self) -> None:
        self._names = [{} for _ in self.desks]

    # --- one operation -----------------------------------------------------------------------------------------------

    def play(self, op: Op) -> None:
        """Do one operation on every book and note it. Raises Broken, or whatever no lender should ever see."""
        told = {"again": self._again, "conflict": self._conflict}.get(op["do"], self._once)
        told(op)
        self.tally["operations"] += 1
        if self.tally["operations"] % CHECK_EVERY == 0:
            self.check(loans=min(3, len(self.notes.loans)))

    def _once(self, op: Op) -> None:
        try:
            wishes = [resolved(names, op) for names in self._names]
        except KeyError:
            return
        told = [self._outcome(desk, op, wish) for desk, wish in zip(self.desks, wishes, strict=True)]
        must(all(_same(op, told[0], other) for other in told), "databases_differ", op, *told)
        kind, answer = told[0]
        if kind == "refused":
            self.tally["commands refused"] += 1
            return
        self._note(op, [one for _, one in told])
        if op.get("key"):
            self.done[op["n"]] = (op, to_json_values(answer))

    def _note(self, op: Op, answers: Sequence[Any]) -> None:
        for names, answer in zip(self._names, answers, strict=True):
            if answer is not None:
                names |= named(op, answer, {id: name for name, id in names.items() if name[0] == "L"})
        by_id = {id: name for name, id in self._names[0].items()}
        try:
            self.notes.take(op, answers[0], by_id)
        except AssertionError as fault:
            raise Broken(f"answer: {op} | {fault}") from fault

    def _outcome(self, desk: Desk, op: Op, wish: Op) -> Outcome:
        """What one book says, and after a crash, what it says to the same command again."""
        desk.ids.attempt(op["n"], 0)
        if "crash" in op:
            way = desk.crash(lambda: perform(desk, wish), op["crash"])
            self.tally[f"crashes by {way}"] += bool(way)
        desk.ids.attempt(op["n"], 1 if "crash" in op and op["do"] == "close" else 0)
        try:
            return "done", perform(desk, wish)
        except MicroloanError as refused:
            must(refused.exit_status in (2, 3, 4), "wrong_error", op, repr(refused))
            return "refused", f"{refused.code}: {refused.message}"

    def _again(self, op: Op) -> None:
        """The same key and the same request: the same answer, and nothing happens."""
        if op["of"] not in self.done:
            return
        first, answer = self.done[op["of"]]
        for desk, names in zip(self.desks, self._names, strict=True):
            desk.ids.attempt(op["n"], 0)
            told = to_json_values(perform(desk, resolved(names, first)))
            must(told == answer | {"replayed": True}, "replayed_answer", first, answer, told)
        self.tally["keys used again"] += 1

    def _conflict(self, op: Op) -> None:
        """The same key and another request: refused, and nothing happens."""
        if op["of"] not in self.done:
            return
        other = self.done[op["of"]][0] | {"amount": "77.07"}
        for desk, names in zip(self.desks, self._names, strict=True):
            desk.ids.attempt(op["n"], 0)
            code = "accepted"
            try:
                perform(desk, resolved(names, other))
            except MicroloanError as refused:
                code = refused.code
            must(code == "idempotency_conflict", "conflict", other, code)
        self.tally["keys in conflict"] += 1

    # --- everything recomputed ---------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Recompute all of it."""
        self.check(loans=len(self.notes.loans))
        for desk, names in zip(self.desks, self._names, strict=True):
            self._check_lines(desk, names)
            self._check_keys(desk)
        journals = [sorted(map(repr, _journal(desk))) for desk in self.desks]
        must(all(journal == journals[0] for journal in journals), "journals_differ", len(journals[0]))

    def check(self, loans: int) -> None:
        """Verify every book from its events, and recompute some loans from the notes."""
        for desk in self.desks:
            report = desk.book.verify()
            must(report.clean, "verify", *report.findings[:5])
            must(desk.book.trial_balance().total == 0, "trial_balance")
        chosen = random.Random(f"{self.seed} {self.notes.open_day}").sample(list(self.notes.loans), loans)
        for name in chosen:
            # of its own, so that a shortened script looks at the same days
            self._check_loan(random.Random(f"{self.seed} {name}"), self.notes.loans[name])

    def _check_loan(self, rng: random.Random, loan: Loan) -> None:
        today = self.notes.open_day
        if not loan.running:
            for desk, names in zip(self.desks, self._names, strict=True):
                shown = desk.book.loan(names[loan.name])
                status = "pending" if loan.pending else "cancelled"
                must(
                    (shown.status, shown.principal, shown.payoff) == (status, 0, 0),
                    "not_running",
                    loan.name,
                    shown,
                )
            return
        if not loan.comparable:
            self.tally["loans only verified"] += 1
            return
        assert loan.start is not None
        assert loan.confirmed_on is not None
        past = [_between(rng, loan.start, today) for _ in range(2)]
        known_on = _between(rng, loan.confirmed_on, today) if rng.random() < 0.2 else None
        expected = daily.simulate(loan.scenario(*past, today, known_on=known_on))
        self.tally["loans recomputed"] += 1
        for desk, names in zip(self.desks, self._names, strict=True):
            _compare(desk, names[loan.name], loan, expected, known_on)

    def _check_lines(self, desk: Desk, names: Names) -> None:
        for line in self.notes.lines.values():
            shown = desk.book.facility(names[line.name])
            loans = [loan for loan in self.notes.loans.values() if loan.line == line.name]
            pending = sum(loan.principal_minor for loan in loans if loan.pending)
            must(_minor(shown.pending) == pending, "pending", line, shown)
            if all(loan.comparable for loan in loans):
                owed = sum(loan.on(self.notes.open_day).principal() for loan in loans if loan.running)
                must(_minor(shown.outstanding) == owed, "outstanding", line, shown, owed)
                room = (
                    max(0, line.limit_minor - owed - pending)
                    if shown.status == "active"
                    else _minor(shown.available)
                )
                must(_minor(shown.available) in (room, 0 if shown.valid_until < self.notes.open_day else room), "available",
                     line, shown, room)  # fmt: skip

    def _check_keys(self, desk: Desk) -> None:
        """Every key that was accepted is in the record once, and no other."""
        kept = Counter(line.key for line in desk.book.audit() if line.key)
        must(kept == Counter(op["key"] for op, _ in self.done.values()), "keys", kept)


def _between(rng: random.Random, first: date, last: date) -> date:
    return first + timedelta(days=rng.randrange((last - first).days + 1))


def _same(op: Op, one: Outcome, other: Outcome) -> bool:
    if one[0] != other[0] or one[0] == "refused":
        return one == other
    if op["do"] == "close":
        return bool((one[1].open_day, one[1].held) == (other[1].open_day, other[1].held))
    return one[1] is other[1] or _plain(one[1]) == _plain(other[1])


def _plain(answer: Any) -> Any:
    return None if answer is None else to_json_values(answer) | {"replayed": False}


def _journal(desk: Desk) -> list[Any]:
    with desk.book.journal() as lines:
        return list(lines)


def _compare(desk: Desk, loan_id: str, loan: Loan, expected: dict[str, Any], known_on: date | None) -> None:
    """A loan's states, ledger and plan against the calculator's."""
    for state in expected["states"]:
        shown = desk.book.loan(loan_id, as_of=date.fromisoformat(state["as_of"]), known_on=known_on)
        for name, wanted in state.items():
            got = _shown(shown, name)
            skipped = name == "next_due" and _matured(loan, state["as_of"])  # docs/DECISIONS.md, reading 4
            must(
                skipped or got == wanted,
                "state",
                loan.name,
                state["as_of"],
                known_on,
                name,
                got,
                wanted,
                loan.scenario(),
            )
    last = date.fromisoformat(expected["states"][-1]["as_of"])
    ledger = [
        line for line in desk.book.ledger(loan_id, as_of=last, known_on=known_on) if line.type != "reverse"
    ]
    wanted_rows = [row for row in expected["ledger"] if row["type"] != "reverse"]
    must(len(ledger) == len(wanted_rows), "ledger_length", loan.name, ledger, wanted_rows, loan.scenario())
    for line, row in zip(ledger, wanted_rows, strict=True):
        for name in (
            "type",
            "date",
            "booked",
            "fees",
            "penalty",
            "interest",
            "principal",
            "credit",
            "principal_after",
        ):
            got, wanted = _text(getattr(line, name)), row[name]
            must(got == wanted, "ledger", loan.name, row["id"], name, got, wanted, loan.scenario())
        must((line.reversed_by is None) == (row["reversed_by"] is None), "reversed_by", loan.name, row["id"])
    plan = [_plan_row(line) for line in desk.book.schedule(loan_id, as_of=last, known_on=known_on)]
    must(
        plan == expected["schedule"], "schedule", loan.name, last, plan, expected["schedule"], loan.scenario()
    )


def _plan_row(line: Any) -> dict[str, Any]:
    names = ("n", "due", "principal", "interest", "total", "balance")
    return {name: getattr(line, name) if name == "n" else _text(getattr(line, name)) for name in names}


def _shown(loan: Any, name: str) -> Any:
    value = getattr(loan, name)
    if name == "next_due":
        return value and {"date": value.date.isoformat(), "amount": str(value.amount)}
    return value if name == "days_past_due" else _text(value)


def _text(value: Any) -> Any:
    return None if value is None else str(value)


def _matured(loan: Loan, as_of: str) -> bool:
    given = loan.scenario()
    return date.fromisoformat(as_of) >= daily.read_terms(given, 2).maturity


def _minor(amount: Any) -> int:
    return int(Fraction(amount) * 100)
