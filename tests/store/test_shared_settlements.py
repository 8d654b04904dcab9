"""A settlement shared by several sweep loans: each takes its part, the parts are never more than came in, and nothing is lost.

Source: SEMANTICS 3 and 9.14; where several loans share: house rule.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from microloan.book import sweeps
from microloan.errors import EventRefused, LoanDamaged

from .counter import START, Counter
from .test_lenders_week import settlements, sweep_line


def swept(counter: Counter, *loans: Any) -> list[Decimal]:
    """What settlements have taken of each loan, as its ledger tells it."""
    return [
        sum(
            (row.fees + row.penalty + row.interest + row.principal for row in counter.book.ledger(loan.id)),
            Decimal(0),
        )
        for loan in loans
    ]


def what_waits(counter: Counter) -> tuple[Decimal, Decimal, dict[str, Decimal]]:
    """Of the one settlement that waits: its net, what was taken of it, and the share kept for each loan; the work list agrees."""
    (waiting,) = counter.book.sweeps.list("waiting")
    (task,) = counter.book.work("settlements")[0].tasks
    assert (task.amount, task.kept_for) == (waiting.net, waiting.kept_for)
    return waiting.net, waiting.taken, {share.loan_id: share.amount for share in waiting.kept_for}


def hold(counter: Counter, loan: Any, *, held: bool = True) -> None:
    """Set a loan aside as a close does that fails on it, or let it go on."""
    through, why = ((START - timedelta(days=1)).toordinal(), "why") if held else (None, None)
    engine = create_engine(counter.url)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE ml_loan SET held_through = :through, held_reason = :why WHERE id = :id"),
            {"through": through, "why": why, "id": loan.id},
        )
    engine.dispose()


def test_the_share_of_a_loan_that_refuses_waits_and_the_others_take_theirs(
    counter: Counter, tmp_path: Path
) -> None:
    line = sweep_line(counter, share="0.4")
    refusing, other = counter.loan(line, "10000", months=12), counter.loan(line, "10000", months=12)
    hold(counter, refusing)
    file = settlements(tmp_path, "S-1,s-1,jd,2017-05-01,1000.00,,")
    report = counter.book.sweeps.load(file)
    assert (report.waiting, report.rejected) == (1, 0)
    assert [(s.status, s.reason) for s in counter.book.sweeps.list()] == [("waiting", "loan_held")]
    assert swept(counter, other) == [400]
    assert what_waits(counter) == (1000, 400, {refusing.id: Decimal(400)})
    (day,) = counter.book.sweeps.reconcile()
    assert (day.net, day.asked, day.taken, day.waiting_net) == (1000, 400, 400, 600)
    assert counter.book.sweeps.load(file).waiting == 1  # still held: nobody takes twice
    hold(counter, refusing, held=False)
    assert counter.book.sweeps.load(file).accepted == 1
    assert swept(counter, refusing, other) == [400, 400]
    assert counter.book.sweeps.load(file).duplicates == 1
    (booked,) = counter.book.sweeps.list()
    assert (booked.status, booked.taken, booked.kept_for) == ("booked", 800, ())
    assert counter.book.work("settlements")[0].count == 0
    counter.must_be_sound()


def test_the_share_of_a_loan_that_refuses_is_not_given_to_a_younger_one(
    counter: Counter, tmp_path: Path
) -> None:
    line = sweep_line(counter, share="0.8")
    refusing = counter.loan(line, "10000", months=12)
    counter.close_until(START + timedelta(days=1))
    younger = counter.loan(line, "10000", months=12)
    hold(counter, refusing)
    file = settlements(tmp_path, "S-1,s-1,jd,2017-05-02,1000.00,,")
    counter.book.sweeps.load(file)
    assert swept(counter, younger) == [200]
    assert what_waits(counter) == (1000, 200, {refusing.id: Decimal(800)})
    hold(counter, refusing, held=False)
    counter.book.sweeps.load(file)
    assert swept(counter, refusing, younger) == [800, 200]


def test_a_person_gives_what_is_left_of_a_waiting_settlement_to_a_loan(
    counter: Counter, tmp_path: Path
) -> None:
    line = sweep_line(counter, share="0.4")
    refusing, other = counter.loan(line, "10000", months=12), counter.loan(line, "10000", months=12)
    hold(counter, refusing)
    counter.book.sweeps.load(settlements(tmp_path, "S-1,s-1,jd,2017-05-01,1000.00,,"))
    with pytest.raises(EventRefused) as refused:
        counter.book.sweeps.assign("jd", "S-1", other.id)
    assert refused.value.code == "share_taken"
    with pytest.raises(EventRefused) as refused:
        counter.book.sweeps.assign("jd", "S-1", refusing.id)
    assert refused.value.code == "loan_held"
    hold(counter, refusing, held=False)
    assert counter.book.sweeps.assign("jd", "S-1", refusing.id).status == "booked"
    assert swept(counter, refusing, other) == [400, 400]


def test_what_an_older_loan_does_not_need_is_there_for_the_younger(counter: Counter, tmp_path: Path) -> None:
    line = sweep_line(counter, share="0.6")
    older = counter.loan(line, "100", months=12)
    counter.close_until(START + timedelta(days=1))
    younger = counter.loan(line, "10000", months=12)
    owed = counter.book.payoff(older.id).amount
    counter.book.sweeps.load(settlements(tmp_path, "S-1,s-1,jd,2017-05-02,1000.00,,"))
    # 600.00 are asked of the older, who owes 100.05; 899.95 are left, so the younger takes its whole share
    assert swept(counter, older, younger) == [owed, Decimal("600.00")]
    (day,) = counter.book.sweeps.reconcile()
    assert (day.asked, day.taken, day.difference) == (1200, 600 + owed, 600 - owed)
    counter.must_be_sound()


def test_loans_of_two_lines_of_a_merchant_share_a_settlement(counter: Counter, tmp_path: Path) -> None:
    line = sweep_line(counter, share="0.4")
    first = counter.loan(line, "10000", months=12)
    counter.book.close_facility(line.id)
    second = counter.loan(counter.line(product="special"), "10000", months=12)
    report = counter.book.sweeps.load(settlements(tmp_path, "S-1,s-1,jd,2017-05-01,1000.00,,"))
    assert (report.accepted, report.rejected) == (1, 0)
    assert swept(counter, first, second) == [400, 400]
    counter.must_be_sound()


@contextmanager
def new_counter() -> Iterator[tuple[Counter, Path]]:
    """A counter on a SQLite file of its own."""
    with tempfile.TemporaryDirectory() as folder:
        counter = Counter(f"sqlite:///{folder}/book.db")
        counter.init(buckets=1)
        yield counter, Path(folder)
        counter.book.close()


@settings(max_examples=12)
@given(
    share=st.integers(1, 9),
    drawn=st.lists(st.tuples(st.integers(10, 90), st.booleans()), min_size=1, max_size=4),
    nets=st.lists(st.integers(1, 200_000), min_size=1, max_size=3),
)
def test_the_parts_of_a_settlement_sum_to_it(
    share: int, drawn: list[tuple[int, bool]], nets: list[int]
) -> None:
    """Taken and what is left are the net, before those who refuse are let go on and afterwards."""
    with new_counter() as (counter, folder):
        line = sweep_line(counter, share=f"0.{share}")
        loans = [counter.loan(line, f"{amount * 10}.00", months=12) for amount, _ in drawn]
        for loan, (_, refuses) in zip(loans, drawn, strict=True):
            hold(counter, loan, held=refuses)
        file = settlements(
            folder, *(f"S-{n},s-1,jd,2017-05-01,{net // 100}.{net % 100:02d},," for n, net in enumerate(nets))
        )
        for held in (True, False):
            counter.book.sweeps.load(file)
            (day,) = counter.book.sweeps.reconcile()
            running = [
                loan for loan, (_, refuses) in zip(loans, drawn, strict=True) if not (held and refuses)
            ]
            assert day.taken == sum(swept(counter, *running))
            assert day.taken <= day.net == Decimal(sum(nets)) / 100
            nets_waiting = sum(s.net for s in counter.book.sweeps.list("waiting"))
            assert nets_waiting - day.taken <= day.waiting_net <= nets_waiting
            for loan in loans:
                hold(counter, loan, held=False)
        assert counter.book.sweeps.list("waiting") == ()
        counter.must_be_sound()


def test_where_several_refuse_each_share_is_kept_oldest_first_and_never_more_than_is_left(
    counter: Counter, tmp_path: Path
) -> None:
    """0.6 of 1,000.00 for the older, the 400.00 left for the younger; an unknown shop's settlement is kept for nobody."""
    line = sweep_line(counter, share="0.6")
    older, younger = counter.loan(line, "10000", months=12), counter.loan(line, "10000", months=12)
    hold(counter, older)
    hold(counter, younger)
    counter.book.sweeps.load(settlements(tmp_path, "S-1,s-1,jd,2017-05-01,1000.00,,"))
    assert what_waits(counter) == (1000, 0, {older.id: Decimal(600), younger.id: Decimal(400)})
    counter.book.sweeps.load(settlements(tmp_path, "S-2,nobody,jd,2017-05-01,5.00,,"))
    unknown = counter.book.sweeps.list("waiting")[1]
    assert (unknown.reason, unknown.taken, unknown.kept_for) == ("unknown_shop", 0, ())


def test_what_is_shown_as_kept_is_what_the_loan_takes_when_it_is_let_go_on(
    counter: Counter, tmp_path: Path
) -> None:
    line = sweep_line(counter, share="0.35")
    loans = [counter.loan(line, "10000", months=12) for _ in range(4)]
    hold(counter, loans[1])
    hold(counter, loans[3])
    file = settlements(tmp_path, "S-1,s-1,jd,2017-05-01,999.99,,")
    counter.book.sweeps.load(file)
    _, taken, kept = what_waits(counter)
    assert taken == sum(swept(counter, *loans))
    hold(counter, loans[1], held=False)
    hold(counter, loans[3], held=False)
    counter.book.sweeps.load(file)
    took = dict(zip((loan.id for loan in loans), swept(counter, *loans), strict=True))
    assert {loan: took[loan] for loan in kept} == kept


def test_a_damaged_loan_keeps_no_settlement_off_the_list(
    counter: Counter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was asked for stands for what it took; what is kept for the other is the same."""
    line = sweep_line(counter, share="0.4")
    refusing, other = counter.loan(line, "10000", months=12), counter.loan(line, "10000", months=12)
    hold(counter, refusing)
    counter.book.sweeps.load(settlements(tmp_path, "S-1,s-1,jd,2017-05-01,1000.00,,"))
    sound = what_waits(counter)

    def damaged(*_: object) -> None:
        raise LoanDamaged(loan_id=other.id, reason="a byte has turned")

    monkeypatch.setattr(sweeps, "loan_file", damaged)
    assert what_waits(counter) == sound
