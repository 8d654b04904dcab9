"""Whatever happened, on every day: the reports' totals are the general ledger's, and a day once reported never changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from microloan.accounting.position import balances
from microloan.book.reporting import _Asked, _paid_out, _past
from microloan.money import to_major
from microloan.reports.vintage import MARKS
from tests.databases import histories
from tests.store.counter import START, Counter
from tests.store.test_any_history import Teller
from tests.store.test_close_of_day import busy_book

#: Accounts that show what stands on a day; income and cash also hold what loans that ended have left behind.
STANDING = {
    "principal", "interest_receivable", "penalty_receivable", "fees_receivable", "memo_interest", "memo_penalty",
    "credit_balance", "written_off_claim",
}  # fmt: skip


def a_history(counter: Counter, seed: int, steps: int) -> None:
    """A book to which all sorts of things happen, one day after the other."""
    busy_book(counter)
    teller = Teller(counter, seed)
    for _ in range(steps):
        teller.step()
    counter.close_until(counter.book.settings().open_day + timedelta(days=40))


def some_days(counter: Counter) -> Iterator[date]:
    """The first days, the open day, and some between."""
    last = counter.book.settings().open_day
    yield from (START, START + timedelta(days=1), last - timedelta(days=1), last)
    step = max(1, (last - START).days // 12)
    yield from (START + timedelta(days=n) for n in range(2, (last - START).days, step))


def ledger_of(counter: Counter, day: date) -> dict[tuple[str, str], Decimal]:
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for line in counter.book.trial_balance(day).accounts:
        if line.account in STANDING:
            sums[line.account, line.classification] += line.balance
    return {key: amount for key, amount in sums.items() if amount}


def loans_add_up_to(counter: Counter, day: date) -> dict[tuple[str, str], Decimal]:
    def look(unit: Any) -> dict[tuple[str, str], Decimal]:
        sums: dict[tuple[str, str], int] = defaultdict(int)
        asked = _Asked.of(unit, day, None, None, "month")
        for state in _paid_out(asked, lambda loan: loan.state, open_only=True):
            for (account, class_), amount in balances(state).items():
                if account in STANDING:
                    sums[account, class_] += amount
        return {key: to_major(amount, "CNY") for key, amount in sums.items() if amount}

    return counter.book._desk.read(look)


@histories(range(5), on_both=2)
def test_on_every_day_the_loans_add_up_to_the_trial_balance(counter: Counter, seed: int) -> None:
    a_history(counter, seed, 100)
    for day in some_days(counter):
        assert loans_add_up_to(counter, day) == ledger_of(counter, day), day


@histories(range(10, 14), on_both=1)
def test_every_report_agrees_with_the_ledger_and_with_the_others(counter: Counter, seed: int) -> None:
    a_history(counter, seed, 80)
    book = counter.book
    for day in some_days(counter):
        ledger = book.trial_balance(day).accounts
        principal = sum((line.balance for line in ledger if line.account == "principal"), Decimal())
        allowance = -sum(
            (line.balance for line in ledger if line.account == "provision_allowance"), Decimal()
        )
        claims = sum((line.balance for line in ledger if line.account == "written_off_claim"), Decimal())
        aging, cash = book.report("aging", day), book.report("expected-cash", day)
        provisions, portfolio = book.report("provisions", day), book.report("portfolio", day)
        assert aging.principal == aging.ledger_principal == principal
        assert (
            sum(line.principal for line in aging.lines)
            == sum(line.principal for line in aging.classes)
            == principal
        )
        assert aging.written_off_claim == claims
        assert cash.principal == provisions.principal == portfolio.principal == principal
        assert provisions.allowance == portfolio.allowance == allowance
        assert (portfolio.loans, portfolio.past_due) == (
            aging.loans, sum(line.principal for line in aging.lines if line.bucket != "current"),
        )  # fmt: skip
        cash_account = sum((line.balance for line in ledger if line.account == "cash"), Decimal())
        whole = book.report("portfolio", day, first=START)
        assert whole.received - whole.paid_out == cash_account
        assert whole.months[-1].principal == principal


@histories(range(20, 23), on_both=1)
def test_every_month_end_of_the_roll_rates_is_the_aging_of_that_day(counter: Counter, seed: int) -> None:
    a_history(counter, seed, 120)
    rolls = counter.book.report("roll-rate")
    assert rolls.months
    for end in {line.month for line in rolls.months}:
        aging = counter.book.report("aging", end)
        stock = [(line.bucket, line.loans, line.principal) for line in rolls.months if line.month == end]
        assert stock == [(line.bucket, line.loans, line.principal) for line in aging.lines]
        moved = sum(line.principal for line in rolls.lines if line.month == end)
        assert moved in (0, aging.principal)  # 0: the last month end has nowhere to roll to yet


def test_a_closed_day_is_reported_the_same_for_ever(counter: Counter) -> None:
    busy_book(counter)
    teller = Teller(counter, 7)
    told: dict[date, list[str]] = {}
    names = ("aging", "portfolio", "provisions", "expected-cash")
    for _ in range(60):
        teller.step()
        day = counter.book.settings().open_day - timedelta(days=1)
        if day >= START:
            told.setdefault(day, [counter.book.report(name, day).to_json() for name in names])
    assert len(told) > 5
    for day, then in told.items():
        assert [counter.book.report(name, day).to_json() for name in names] == then, day


def test_a_held_loan_rests_in_the_reports_as_it_does_in_the_ledger(
    counter: Counter, monkeypatch: Any
) -> None:
    from microloan.book import closing

    busy_book(counter)
    broken = counter.book.loans()[0].id

    def passages(terms: Any, events: Any, first: date, last: date) -> Any:
        if terms.last_day == counter.book.loan(broken).maturity:
            raise ArithmeticError("a fault of this test")
        return kept(terms, events, first, last)

    kept = closing.passages
    monkeypatch.setattr(closing, "passages", passages)
    assert counter.close_until(START + timedelta(days=20)).held
    for day in some_days(counter):
        assert loans_add_up_to(counter, day) == ledger_of(counter, day), day


def test_the_page_shows_what_each_report_says_alone(counter: Counter) -> None:
    a_history(counter, 30, 60)
    book = counter.book
    pack = book.portfolio_pack()
    alone = {
        "portfolio": pack.portfolio, "aging": pack.aging, "roll-rate": pack.rolls, "vintage": pack.vintages,
        "expected-cash": pack.cash, "provisions": pack.provisions,
    }  # fmt: skip
    for name, shown in alone.items():
        assert book.report(name) == shown


@pytest.mark.parametrize("seed", range(40, 44))
def test_the_first_day_past_30_is_the_one_that_single_days_show(sqlite_url: str, seed: int) -> None:
    counter = Counter(sqlite_url).init()
    a_history(counter, seed, 80)
    last = counter.book.settings().open_day

    def look(unit: Any) -> None:
        for loan in _paid_out(_Asked.of(unit, last, None, None, "month"), lambda loan: loan):
            past, day = _past(loan), loan.life.terms.start  # type: ignore[union-attr]
            first: dict[int, date] = {}
            while day <= last:
                state = loan.life.state(day)
                for mark in MARKS:
                    if state.days_past_due > mark and not state.written_off:
                        first.setdefault(mark, day)
                assert past.lost_by(day) == (state.principal if state.written_off else 0)
                day += timedelta(days=1)
            assert past.first_past == tuple(first.get(mark) for mark in MARKS), loan.row.loan

    counter.book._desk.read(look)
