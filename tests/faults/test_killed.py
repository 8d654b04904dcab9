"""SIGKILL at every statement of every command: all or nothing, and with its key exactly once.

Source: RELIABILITY 1, 2, 15 and 32. The moments are counted, not listed: before and after each statement, at the commit,
and after it, when the answer is on its way; the loop ends when a child lives through all of them.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from microloan.book.loanbook import LoanBook
from tests.killing import child, die_at, ended, killed, own_book
from tests.store.counter import START, Counter


@dataclass(frozen=True)
class Scene:
    """What commands need: a line, a running loan with a repayment, a pending one, a sweep loan, an offer."""

    counter: Counter
    line: str
    loan: str
    pending: str
    sweep: str
    offer: str
    contract: str
    event: str


@pytest.fixture
def scene(database_url: str) -> Scene:
    """A book on its third day."""
    counter = Counter(database_url)
    counter.init(buckets=1 if database_url.startswith("sqlite") else 3)
    sweeping = counter.product(
        methods=[{"method": "sweep", "terms": ["90d"]}], default_method="sweep", sweep={"share": "0.2"}
    )
    line, other = counter.line(), counter.line(merchant="m-2", product=sweeping)
    loan, sweep = counter.loan(line, "1000"), counter.loan(other, "1000")
    receipt = counter.book.repay(loan.id, "10")
    pending = counter.book.draw(line.id, "500")
    counter.close_until(START + timedelta(days=2))
    offer = counter.offer(merchant="m-3")
    return Scene(
        counter, line.id, loan.id, pending.id, sweep.id, offer.id, counter.book.contract(offer.id).sha256,
        receipt.allocations[0].event_id,
    )  # fmt: skip


COMMANDS: dict[str, Callable[[LoanBook, Scene], Any]] = {
    "sign": lambda book, at: book.sign(
        at.offer, signer="Li", contract_sha256=at.contract, idempotency_key="k"
    ),
    "draw": lambda book, at: book.draw(at.line, "100", confirm=True, idempotency_key="k"),
    "confirm": lambda book, at: book.confirm_payout(at.pending, idempotency_key="k"),
    "fail": lambda book, at: book.fail_payout(at.pending, idempotency_key="k"),
    "repay": lambda book, at: book.repay(at.loan, "100", value_date=START, idempotency_key="k"),
    "repay facility": lambda book, at: book.repay(at.line, "100", idempotency_key="k"),
    "settlement": lambda book, at: book.settlement(at.sweep, "400", idempotency_key="k"),
    "reverse": lambda book, at: book.reverse(at.event, idempotency_key="k"),
    "charge back": lambda book, at: book.charge_back(at.event, idempotency_key="k"),
    "extend": lambda book, at: book.extend(at.loan, START + timedelta(days=200), idempotency_key="k"),
    "write off": lambda book, at: book.write_off(at.loan, idempotency_key="k"),
    "set limit": lambda book, at: book.set_limit(at.line, "2000", idempotency_key="k"),
}
LONG = [pytest.mark.slow, pytest.mark.timeout(1200)]
EVERYDAY = ("sign", "draw", "confirm", "repay", "reverse", "write off")


@pytest.mark.parametrize(
    "command", [pytest.param(name, marks=[] if name in EVERYDAY else LONG) for name in COMMANDS]
)
def test_a_command_killed_anywhere_happens_whole_or_not_and_once(scene: Scene, command: str) -> None:
    act, counter = COMMANDS[command], scene.counter
    before, moment, done = len(counter.journal()), 0, False
    while not done and killed(counter, lambda book: act(book, scene), moment):
        done = any(line.key == "k" for line in counter.book.audit())
        assert done or len(counter.journal()) == before
        counter.must_be_sound()
        moment += 1
    print(f"faults injected: {moment}")
    assert moment > 10
    assert done, "the last moment is after the commit: the answer was lost, the effect was not"
    after = counter.journal()
    assert act(counter.book, scene).replayed
    assert counter.journal() == after
    assert sum(line.key == "k" for line in counter.book.audit()) == 1
    counter.must_be_sound()


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=LONG)])
def test_a_close_killed_anywhere_is_finished_by_the_next_with_the_journal_of_an_undisturbed_one(
    scene: Scene, step: int
) -> None:
    counter, moment = scene.counter, 0
    counter.clock.set_day(START + timedelta(days=5))
    while killed(counter, LoanBook.close_day, moment):
        counter.must_be_sound()
        moment += step
        if counter.book.settings().open_day == START + timedelta(days=5):
            break
    print(f"faults injected: {moment}")
    assert moment > 40
    assert counter.book.close_day().open_day == START + timedelta(days=5)
    nights = [line for line in counter.journal() if line.source in ("night", "morning")]
    keys = [(line.entry, line.line, line.day, line.account, line.amount) for line in nights]
    buckets = counter.book.settings().buckets
    assert all(keys.count(key) <= buckets for key in keys)
    counter.must_be_sound()


# --- files about money ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=LONG)])
def test_a_money_file_killed_anywhere_is_finished_by_the_same_file_again(
    scene: Scene, tmp_path: Path, step: int
) -> None:
    counter, moment = scene.counter, 0
    counter.book.merchants.add("m-2", "Chen", shops=["jd:s-1"])
    before = {loan: counter.book.loan(loan).principal for loan in (scene.loan, scene.sweep)}
    bank, shops, answer = (tmp_path / name for name in ("bank.csv", "shops.csv", "answer.csv"))
    bank.write_text(
        "receipt_id,received_on,amount,reference\n"
        + "".join(f"B-{n},2017-05-01,1.00,{scene.loan if n % 2 else 'rent'}\n" for n in range(6))
    )
    shops.write_text(
        "settlement_id,shop_id,platform,settled_on,captures\n"
        + "".join(f"S-{n},{'s-1' if n % 2 else 's-9'},jd,2017-05-01,10.00\n" for n in range(6))
    )
    answer.write_text(f"loan_id,status\n{scene.pending},paid\n")

    def load(book: LoanBook) -> None:
        book.receipts.load(bank)
        book.sweeps.load(shops)
        book.load_payouts(answer)

    while killed(counter, load, moment):
        counter.must_be_sound()
        moment += step
    print(f"faults injected: {moment // step}")
    assert moment > 100
    assert [row.status for row in counter.book.receipts.list()] == ["waiting", "booked"] * 3
    assert [row.status for row in counter.book.sweeps.list()] == ["waiting", "booked"] * 3
    assert counter.book.loan(scene.pending).status == "active"
    paid = [before[loan] - counter.book.loan(loan).principal for loan in before]
    assert paid == [3, 6]  # three rows of 1.00; a fifth of three rows of 10.00
    counter.must_be_sound()


# --- opening a book --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [37, pytest.param(5, marks=pytest.mark.slow)])
def test_an_init_killed_anywhere_is_finished_by_the_next(empty_url: str, step: int) -> None:
    counter, moment = Counter(empty_url), 0

    def init() -> None:
        book = own_book(counter)
        die_at(book, moment)
        book.init("CNY", START, buckets=2)

    deaths = 0
    while (status := ended(child(init))) == -signal.SIGKILL:
        deaths, moment = deaths + 1, moment + step
    print(f"faults injected: {deaths}")
    assert status == 0
    assert deaths > 2
    assert not counter.book.init("CNY", START).created
    counter.loan(counter.line(), "1000")
    counter.must_be_sound()


def test_two_who_open_one_book_at_once_open_it_once(empty_url: str) -> None:
    counter = Counter(empty_url)
    openers = [child(lambda: own_book(counter).init("CNY", START, buckets=2) and None) for _ in range(4)]
    assert [ended(pid) for pid in openers] == [0, 0, 0, 0]
    assert [line.operation for line in counter.book.audit()].count("init") >= 1
    counter.loan(counter.line(), "1000")
    counter.must_be_sound()
