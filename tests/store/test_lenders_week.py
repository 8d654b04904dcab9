"""A lender's week by file: settlements swept, bank receipts matched, payouts answered, promises kept, lists of what waits."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, event, select

from microloan.book.results import Waiting
from microloan.book.sweeps import _offered
from microloan.errors import BadInput, EventRefused, InvalidDate, InvalidFile, NotFound
from microloan.servicing.sweep import swept
from microloan.store.tables_lending import EVENTS
from microloan.terms import SweepTerms
from tests.killing import child, ended, own_book

from .counter import START, Counter

SWEEP = {"share": "0.10", "minimum": {"fraction": "1/18", "every": "60d"}}


def sweep_line(counter: Counter, limit: str = "300000.00", share: str = "0.10") -> Any:
    """A line of the merchant ``m-1``, who has the shop ``jd:s-1``, for loans repaid out of settlements."""
    product = counter.product(
        methods=[{"method": "sweep", "terms": ["1m..18m"]}], sweep=SWEEP | {"share": share},
        default_method="sweep", default_term="12m",
    )  # fmt: skip
    counter.book.merchants.add("m-1", "Chen", shops=["jd:s-1"])
    return counter.line(limit, product=product)


def settlements(folder: Path, *rows: str, name: str = "settlements.csv") -> Path:
    """A settlement file as CONTRACT 4 has it."""
    file = folder / name
    header = "settlement_id,shop_id,platform,settled_on,captures,refunds,chargebacks"
    file.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return file


def receipts(folder: Path, *rows: str) -> Path:
    """A bank's file."""
    file = folder / "bank.csv"
    file.write_text(
        "receipt_id,received_on,amount,reference,payer_account\n" + "\n".join(rows) + "\n", "utf-8"
    )
    return file


# --- settlements -----------------------------------------------------------------------------------------------------


def test_a_settlement_file_sweeps_its_share_once(counter: Counter, tmp_path: Path) -> None:
    loan = counter.loan(sweep_line(counter), "100000", months=12)
    file = settlements(tmp_path, "S-1,s-1,jd,2017-05-01,21000.00,900.00,100.00")
    report = counter.book.sweeps.load(file)
    assert (report.accepted, report.waiting, report.duplicates, report.rejected) == (1, 0, 0, 0)
    # 10% of 21,000 − 900 − 100 = 2,000.00; no night has passed, so all of it is principal
    assert counter.book.loan(loan.id).principal == Decimal("98000.00")
    again = counter.book.sweeps.load(file)
    assert (again.accepted, again.duplicates) == (0, 1)
    assert counter.book.loan(loan.id).principal == Decimal("98000.00")
    counter.must_be_sound()


def test_a_known_settlement_with_other_figures_is_refused_and_the_rest_goes_on(
    counter: Counter, tmp_path: Path
) -> None:
    counter.loan(sweep_line(counter), "100000", months=12)
    counter.book.sweeps.load(settlements(tmp_path, "S-1,s-1,jd,2017-05-01,1000.00,,"))
    report = counter.book.sweeps.load(
        settlements(
            tmp_path,
            "S-1,s-1,jd,2017-05-01,1000.01,,",
            "S-2,s-1,jd,2017-05-01,-5.00,,",
            "S-3,s-1,jd,2017-05-02,5.00,,",  # tomorrow
            "S-4,s-1,jd,2017-05-01,NaN,,",
            "S-5,s-1,jd,2017-05-01,10.00,,",
        )
    )
    assert [(r.line, r.code) for r in report.rejections] == [
        (2, "settlement_changed"), (3, "bad_input"), (4, "invalid_date"), (5, "invalid_amount"),
    ]  # fmt: skip
    assert report.accepted == 1
    assert [s.settlement_id for s in counter.book.sweeps.list()] == ["S-1", "S-5"]


def test_a_settlement_of_an_unknown_shop_waits_and_the_same_file_tries_it_again(
    counter: Counter, tmp_path: Path
) -> None:
    loan = counter.loan(sweep_line(counter), "100000", months=12)
    file = settlements(tmp_path, "S-1,s-9,jd,2017-05-01,1000.00,,")
    assert counter.book.sweeps.load(file).waiting == 1
    assert counter.book.sweeps.list("waiting")[0].reason == "unknown_shop"
    assert [t.subject for t in counter.book.work("settlements")[0].tasks] == ["jd:S-1"]
    counter.book.merchants.give("jd:s-9", "m-1")
    assert counter.book.sweeps.load(file).accepted == 1
    assert counter.book.loan(loan.id).principal == Decimal("99900.00")
    assert counter.book.sweeps.list("waiting") == ()


def test_a_waiting_settlement_can_be_given_to_a_loan(counter: Counter, tmp_path: Path) -> None:
    loan = counter.loan(sweep_line(counter), "100000", months=12)
    counter.book.sweeps.load(settlements(tmp_path, "S-1,s-9,jd,2017-05-01,1000.00,,"))
    assert counter.book.sweeps.assign("jd", "S-1", loan.id, idempotency_key="k").status == "booked"
    assert counter.book.sweeps.assign("jd", "S-1", loan.id, idempotency_key="k").replayed
    with pytest.raises(EventRefused) as refused:
        counter.book.sweeps.assign("jd", "S-1", loan.id)
    assert refused.value.code == "settlement_done"
    with pytest.raises(NotFound):
        counter.book.sweeps.assign("jd", "S-2", loan.id)
    assert counter.book.loan(loan.id).principal == Decimal("99900.00")


def test_a_negative_settlement_and_one_without_a_sweep_loan_take_nothing(
    counter: Counter, tmp_path: Path
) -> None:
    sweep_line(counter)
    report = counter.book.sweeps.load(
        settlements(tmp_path, "S-1,s-1,jd,2017-05-01,10.00,20.00,", "S-2,s-1,jd,2017-05-01,10.00,,")
    )
    assert report.accepted == 2
    told = [(s.status, s.reason, s.net) for s in counter.book.sweeps.list()]
    assert told == [
        ("nothing_to_sweep", "net_not_above_zero", Decimal("-10.00")),
        ("nothing_to_sweep", "no_sweep_loan", Decimal("10.00")),
    ]


def test_two_loans_share_a_settlement_the_older_first(counter: Counter, tmp_path: Path) -> None:
    line = sweep_line(counter, share="0.6")
    older = counter.loan(line, "10000", months=12)
    counter.close_until(START + timedelta(days=1))
    younger = counter.loan(line, "10000", months=12)
    counter.book.sweeps.load(settlements(tmp_path, "S-1,s-1,jd,2017-05-02,1000.00,,"))
    paid = {
        loan.id: sum(row.interest + row.principal for row in counter.book.ledger(loan.id))
        for loan in (older, younger)
    }
    # 0.6 × 1,000 for the older; 400.00 are left, of which the younger is offered 666.66 × 0.6 = 400.00 (half-up)
    assert paid == {older.id: Decimal("600.00"), younger.id: Decimal("400.00")}
    counter.must_be_sound()


@given(share=st.integers(1, 999), net=st.integers(1, 10**12), left=st.integers(0, 10**12))
def test_no_loan_is_asked_for_more_than_is_left(share: int, net: int, left: int) -> None:
    terms = SweepTerms(share=f"0.{share:03d}")
    offered, asked = _offered(terms, net, min(left, net))
    assert 0 <= asked == swept(terms, offered) <= min(left, net)
    assert offered <= net


def test_the_reconciliation_shows_what_was_reversed_since(counter: Counter, tmp_path: Path) -> None:
    loan = counter.loan(sweep_line(counter), "100000", months=12)
    counter.book.sweeps.load(
        settlements(tmp_path, "S-1,s-1,jd,2017-05-01,1000.00,,", "S-2,s-9,jd,2017-05-01,70.00,,")
    )
    (day,) = counter.book.sweeps.reconcile()
    assert (day.settlements, day.net, day.asked, day.taken, day.difference, day.waiting_net) == (
        2, Decimal("1070.00"), Decimal("100.00"), Decimal("100.00"), Decimal("0.00"), Decimal("70.00"),
    )  # fmt: skip
    event = next(row.id for row in counter.book.ledger(loan.id) if row.type == "settlement")
    counter.book.reverse(event)
    (day,) = counter.book.sweeps.reconcile(START, START)
    assert (day.taken, day.difference) == (Decimal("0.00"), Decimal("100.00"))
    assert counter.book.sweeps.reconcile(START + timedelta(days=1)) == ()


def test_two_processes_with_the_same_file_sweep_once(counter: Counter, tmp_path: Path) -> None:
    loan = counter.loan(sweep_line(counter), "100000", months=12)
    file = settlements(tmp_path, *(f"S-{n},s-1,jd,2017-05-01,100.00,," for n in range(20)))

    def load() -> None:
        assert own_book(counter).sweeps.load(file).rejected == 0

    assert [ended(pid) for pid in (child(load), child(load))] == [0, 0]
    assert counter.book.loan(loan.id).principal == Decimal("99800.00")
    assert {found.status for found in counter.book.sweeps.list()} == {"booked"}
    counter.must_be_sound()


# --- bank receipts ---------------------------------------------------------------------------------------------------


def test_a_receipt_that_names_its_loan_is_a_repayment_of_its_day(counter: Counter, tmp_path: Path) -> None:
    loan = counter.loan(counter.line(), "10000")
    counter.close_until(START + timedelta(days=3))
    file = receipts(tmp_path, f"B-1,2017-05-02,1000.00,repay {loan.id} thanks,")
    assert counter.book.receipts.load(file).accepted == 1
    (receipt,) = counter.book.receipts.list()
    assert (receipt.status, receipt.subject, receipt.matched_by) == ("booked", loan.id, "reference")
    row = next(row for row in counter.book.ledger(loan.id) if row.id == receipt.event_ids[0])
    # one night at 0.048%: 4.80 interest, the rest principal
    assert (row.date, row.interest, row.principal) == (date(2017, 5, 2), Decimal("4.80"), Decimal("995.20"))
    assert counter.book.receipts.load(file).duplicates == 1
    assert len([row for row in counter.book.ledger(loan.id) if row.type == "repay"]) == 1
    counter.must_be_sound()


def test_a_payers_registered_account_finds_the_facility(counter: Counter, tmp_path: Path) -> None:
    counter.book.merchants.add("m-1", "Chen")
    counter.book.merchants.identify("m-1", "account", "6222 0000 1111 2222")
    line = counter.line()
    loan = counter.loan(line, "10000")
    counter.book.receipts.load(receipts(tmp_path, "B-1,2017-05-01,500.00,May,6222-0000-1111-2222"))
    (receipt,) = counter.book.receipts.list()
    assert (receipt.subject, receipt.matched_by, receipt.payer_last_four) == (line.id, "account", "2222")
    assert counter.book.loan(loan.id).principal == Decimal("9500.00")


def test_what_cannot_be_matched_or_booked_waits_with_its_reason(counter: Counter, tmp_path: Path) -> None:
    line = counter.line()
    loan, other = counter.loan(line, "10000"), counter.loan(line, "10000")
    counter.book.repay(loan.id, "10000")
    report = counter.book.receipts.load(
        receipts(
            tmp_path,
            "B-1,2017-05-01,1.00,rent,",
            f"B-2,2017-05-01,1.00,{loan.id} and {other.id},",
            "B-3,2017-05-01,1.00,loan-00-zzzzzzzz,",
            f"B-4,2017-04-30,1.00,{other.id},",
            "B-5,2017-05-01,0.00,nothing,",
            "B-6,2017-05-02,1.00,tomorrow,",
            ",2017-05-01,1.00,no id,",
        )
    )
    assert (report.accepted, report.waiting) == (0, 4)
    assert [(r.line, r.code) for r in report.rejections] == [
        (6, "bad_input"), (7, "invalid_date"), (8, "bad_input"),
    ]  # fmt: skip
    assert [r.reason for r in counter.book.receipts.list("waiting")] == [
        "invalid_date", "nothing_named", "several_named", "not_found",
    ]  # fmt: skip
    assert counter.book.work("receipts")[0].total == Decimal("4.00")
    counter.must_be_sound()


def test_a_person_assigns_or_sets_aside_what_waits(counter: Counter, tmp_path: Path) -> None:
    book, loan = counter.book, counter.loan(counter.line(), "10000")
    book.receipts.load(receipts(tmp_path, "B-1,2017-05-01,100.00,,", "B-2,2017-05-01,7.00,rent,"))
    booked = book.receipts.assign("B-1", loan.id, idempotency_key="k")
    assert (booked.status, booked.matched_by) == ("booked", "person")
    assert book.receipts.assign("B-1", loan.id, idempotency_key="k").replayed
    with pytest.raises(EventRefused) as refused:
        book.receipts.assign("B-1", loan.id)
    assert refused.value.code == "receipt_booked"
    with pytest.raises(BadInput):
        book.receipts.set_aside("B-2", "  ")
    assert book.receipts.set_aside("B-2", "rent").status == "set_aside"
    assert book.receipts.assign("B-2", loan.id).status == "booked"
    with pytest.raises(NotFound):
        book.receipts.assign("B-3", loan.id)
    assert book.loan(loan.id).principal == Decimal("9893.00")


def test_a_banks_own_layout_is_read_with_a_mapping(counter: Counter, tmp_path: Path) -> None:
    loan = counter.loan(counter.line(), "10000")
    layout = tmp_path / "bank.toml"
    layout.write_text(
        'encoding = "gb18030"\ndate_format = "%Y%m%d"\nthousands = ","\n'
        '[columns]\nreceipt_id = "交易流水号"\nreceived_on = "交易日期"\namount = "贷方金额"\nreference = "附言"\n',
        "utf-8",
    )
    file = tmp_path / "流水.csv"
    file.write_text(f'交易流水号,交易日期,贷方金额,附言\nL1,20170501,"1,000.00",还 {loan.id}\n', "gb18030")
    assert counter.book.receipts.load(file, layout=layout).accepted == 1
    assert counter.book.loan(loan.id).principal == Decimal("9000.00")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("receipt_id,received_on\n1,2017-05-01\n", "missing_column"),
        ("receipt_id,received_on,amount,amount\n1,2017-05-01,1,2\n", "duplicate_column"),
        ('receipt_id,received_on,amount\n"1,2017-05-01,1\n', "bad_quoting"),
        ("", "missing_column"),
    ],
)
def test_a_bad_file_books_nothing(counter: Counter, tmp_path: Path, text: str, code: str) -> None:
    file = tmp_path / "bank.csv"
    file.write_text(text, "utf-8")
    with pytest.raises(InvalidFile) as refused:
        counter.book.receipts.load(file)
    assert refused.value.code == code
    assert counter.book.receipts.list() == ()


@pytest.mark.parametrize(
    "layout", ["colums = {}\n", '[columns]\nnumber = "x"\n', "= ", 'encoding = "nope"\n']
)
def test_a_bad_mapping_says_what_is_wrong(counter: Counter, tmp_path: Path, layout: str) -> None:
    file, mapping = receipts(tmp_path, "B-1,2017-05-01,1.00,,"), tmp_path / "m.toml"
    mapping.write_text(layout, "utf-8")
    with pytest.raises(InvalidFile) as refused:
        counter.book.receipts.load(file, layout=mapping)
    assert refused.value.code == "invalid_mapping"


def test_with_four_eyes_what_is_dated_far_back_waits_for_a_second_person(
    counter: Counter, tmp_path: Path
) -> None:
    book, line = counter.book, sweep_line(counter)
    loan, pending = counter.loan(line, "100000", months=12), book.draw(line.id, "1000")
    book.lender.set({"four_eyes": "on"})
    counter.close_until(START + timedelta(days=8))
    file = receipts(tmp_path, f"B-1,2017-05-01,100.00,{loan.id},", f"B-2,2017-05-02,100.00,{loan.id},")
    swept_file = settlements(tmp_path, "S-1,s-1,jd,2017-05-01,1000.00,,")
    answer = tmp_path / "answer.csv"
    answer.write_text(f"loan_id,status,value_date\n{pending.id},paid,2017-05-01\n", "utf-8")

    assert (book.receipts.load(file).accepted, book.receipts.load(file).waiting) == (1, 1)
    assert (book.sweeps.load(swept_file).waiting, book.load_payouts(answer).rejected) == (1, 1)
    assert book.receipts.list("waiting")[0].reason == "needs_second_person"
    waiting = [book.receipts.assign("B-1", loan.id), book.sweeps.assign("jd", "S-1", loan.id)]
    assert [type(answered) for answered in waiting] == [Waiting, Waiting]
    paid = sum(row.principal + row.interest for row in book.ledger(loan.id))
    for request in waiting:
        book.acting("boss").requests.approve(request.request_id)
    assert sum(row.principal + row.interest for row in book.ledger(loan.id)) == paid + 200
    assert (book.receipts.list("waiting"), book.sweeps.list("waiting")) == ((), ())
    counter.must_be_sound()


def test_rows_share_a_commit_and_a_refused_one_spoils_no_other(counter: Counter, tmp_path: Path) -> None:
    loan = counter.loan(counter.line(), "10000")
    rows = [f"B-{n},2017-05-01,1.00,{loan.id}," for n in range(45)]
    rows[7], rows[30] = "B-7,2017-05-01,nothing,,", "B-30,2099-01-01,1.00,,"
    commits: list[object] = []
    assert counter.book._own is not None
    event.listen(counter.book._own.engine, "commit", commits.append)
    report = counter.book.receipts.load(receipts(tmp_path, *rows))
    assert (report.accepted, [(r.line, r.code) for r in report.rejections]) == (
        43, [(9, "invalid_amount"), (32, "invalid_date")],
    )  # fmt: skip
    assert len(commits) == 3  # 20 + 20 + 5 rows
    assert counter.book.loan(loan.id).principal == Decimal("9957.00")
    assert len([line for line in counter.book.audit() if line.operation == "receipt"]) == 43
    counter.must_be_sound()


@pytest.mark.parametrize("insists", [True, False])
def test_two_people_at_one_desk_take_in_rows_dated_far_back(
    counter: Counter, tmp_path: Path, insists: bool
) -> None:
    book, line = counter.book, sweep_line(counter)
    loan, pending = counter.loan(line, "100000", months=12), book.draw(line.id, "1000")
    book.lender.set({"four_eyes": "on" if insists else "off"})
    counter.close_until(START + timedelta(days=8))
    both = book.acting("ann", "bob")
    answer = tmp_path / "answer.csv"
    answer.write_text(f"loan_id,status,value_date\n{pending.id},paid,2017-05-01\n", "utf-8")
    bank = receipts(tmp_path, f"B-1,2017-05-01,100.00,{loan.id},", f"B-2,2017-05-02,100.00,{loan.id},")
    reports = [
        both.sweeps.load(
            settlements(tmp_path, "S-1,s-1,jd,2017-05-01,1000.00,,", "S-2,s-1,jd,2017-05-02,10.00,,")
        ),
        both.receipts.load(bank),
        both.load_payouts(answer),
    ]
    assert [report.accepted for report in reports] == [2, 2, 1]
    assert (
        both.repay(loan.id, "100", value_date=START).amount == 100
    )  # the single command's mark is theirs too
    marks = {(day, mark) for by, day, mark in entries(counter) if by == ("ann", "bob")}
    assert marks == {(START, int(insists)), (START + timedelta(days=1), 0)}
    counter.must_be_sound()


def entries(counter: Counter) -> list[tuple[tuple[str, str], date, int]]:
    """Who entered each event and with whom, its value date, and whether the book would not have had it otherwise."""
    engine = create_engine(counter.url)
    with engine.connect() as connection:
        found = [
            ((row.actor, row.approver), row.value_date, row.four_eyes)
            for row in connection.execute(select(EVENTS))
        ]
    engine.dispose()
    return found


# --- payouts, promises, lists ----------------------------------------------------------------------------------------


def test_the_banks_answer_confirms_and_fails_payouts(counter: Counter, tmp_path: Path) -> None:
    book, line = counter.book, counter.line()
    paid, failed = book.draw(line.id, "1000"), book.draw(line.id, "2000")
    file = tmp_path / "answer.csv"
    file.write_text(
        f"loan_id,status,value_date,reason\n{paid.id},paid,2017-05-01,\n{failed.id},failed,,account closed\n"
        f"{paid.id},lost,,\nloan-00-zzzz,paid,,\n",
        "utf-8",
    )
    report = book.load_payouts(file)
    assert (report.accepted, [(r.line, r.code) for r in report.rejections]) == (
        2, [(4, "bad_input"), (5, "not_found")],
    )  # fmt: skip
    assert (book.loan(paid.id).status, book.loan(failed.id).status) == ("active", "cancelled")
    assert book.load_payouts(file).duplicates == 2
    assert book.payouts() == ()


def test_a_promise_is_open_then_kept_or_broken(counter: Counter) -> None:
    book, loan = counter.book, counter.loan(counter.line(), "10000")
    by = START + timedelta(days=2)
    book.repay(loan.id, "40")  # before the promise, the same day
    kept, broken = book.promises.add(loan.id, "100", by), book.promises.add(loan.id, "101", by, "will try")
    assert {promise.status for promise in book.promises.list()} == {"open"}
    book.repay(loan.id, "100")
    counter.close_until(by + timedelta(days=1))
    book.repay(loan.id, "50", value_date=by + timedelta(days=1))  # a day late
    status = {promise.id: (promise.status, promise.paid) for promise in book.promises.list()}
    assert status == {
        kept.id: ("kept", Decimal("100.00")), broken.id: ("broken", Decimal("100.00")),
    }  # fmt: skip
    assert [task.note for task in book.work("promises")[0].tasks] == ["broken"]
    with pytest.raises(InvalidDate):
        book.promises.add(loan.id, "1", START)


def test_the_work_lists_hold_exactly_what_waits(counter: Counter) -> None:
    book = counter.book
    assert sum(found.count for found in book.work()) == 0
    line = counter.line()
    due = counter.loan(line, "1000", days=30)
    late = counter.loan(line, "2000", days=10)
    book.draw(line.id, "500")
    counter.close_until(START + timedelta(days=30))
    counter.offer("100.00", "m-2")
    lists = {found.list: found for found in book.work()}
    assert {name: found.count for name, found in lists.items() if found.count} == {
        "offers": 1, "payouts": 1, "due_today": 1, "overdue": 1,
    }  # fmt: skip
    assert lists["due_today"].tasks[0].subject == due.id
    # 1,000.00 and thirty nights at 0.048% = 14.40
    assert lists["due_today"].total == Decimal("1014.40")
    (task,) = lists["overdue"].tasks
    state = book.loan(late.id)
    assert (task.subject, task.note, task.amount) == (late.id, "20d", state.payoff)
    with pytest.raises(BadInput):
        book.work("nothing")
