"""Files about money that say something else, or something odd: nothing is lost, nothing is booked that nobody meant."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from microloan.errors import EventRefused

from .counter import START, Counter
from .test_lenders_week import receipts, settlements
from .test_subjects import jump


def answer(folder: Path, *rows: str) -> Path:
    """A bank's answer to payout orders."""
    file = folder / "answer.csv"
    file.write_text("loan_id,status,value_date\n" + "\n".join(rows) + "\n", "utf-8")
    return file


# --- receipts --------------------------------------------------------------------------------------------------------


def test_a_waiting_receipt_that_now_names_another_purpose_is_refused(
    counter: Counter, tmp_path: Path
) -> None:
    loan = counter.loan(counter.line(), "10000")
    counter.book.receipts.load(receipts(tmp_path, "B-1,2017-05-01,5.00,rent,"))
    report = counter.book.receipts.load(receipts(tmp_path, f"B-1,2017-05-01,5.00,{loan.id},"))
    assert [r.code for r in report.rejections] == ["receipt_changed"]
    assert [(r.status, r.reference) for r in counter.book.receipts.list()] == [("waiting", "rent")]
    assert counter.book.loan(loan.id).principal == Decimal("10000.00")


def test_money_of_a_loan_that_never_was_is_kept_with_four_eyes_too(counter: Counter, tmp_path: Path) -> None:
    counter.book.lender.set({"four_eyes": "on"})
    report = counter.book.receipts.load(receipts(tmp_path, "B-1,2017-05-01,1.00,loan-99-zzzz,"))
    assert (report.waiting, report.rejected) == (1, 0)
    assert counter.book.receipts.list()[0].reason == "not_found"


def test_money_from_an_account_nobody_can_register_is_kept(counter: Counter, tmp_path: Path) -> None:
    report = counter.book.receipts.load(receipts(tmp_path, "B-1,2017-05-01,1.00,,-"))
    assert (report.waiting, report.rejected) == (1, 0)
    assert counter.book.receipts.list()[0].payer_last_four == ""


def test_money_for_a_line_with_a_held_loan_waits(counter: Counter, tmp_path: Path) -> None:
    line = counter.line()
    loan, held = counter.loan(line, "10000"), counter.loan(line, "5000")
    engine = create_engine(counter.url)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE ml_loan SET held_through = :day, held_reason = 'why' WHERE id = :id"),
            {"day": (START - timedelta(days=1)).toordinal(), "id": held.id},
        )
    engine.dispose()
    file = receipts(tmp_path, f"B-1,2017-05-01,12000.00,{line.id},", f"B-2,2017-05-01,10.00,{loan.id},")
    assert (counter.book.receipts.load(file).waiting, counter.book.receipts.list("waiting")[0].reason) == (
        1, "loan_held",
    )  # fmt: skip
    assert counter.book.loan(loan.id).principal == Decimal("9990.00")


def test_identifiers_no_database_could_index_are_refused_and_the_rest_goes_on(
    counter: Counter, tmp_path: Path
) -> None:
    long = "B" * 129
    report = counter.book.receipts.load(
        receipts(tmp_path, f"{long},2017-05-01,1.00,,", "B-\t1,2017-05-01,1.00,,", "B-2,2017-05-01,1.00,,")
    )
    assert [(r.line, r.code) for r in report.rejections] == [(2, "bad_input"), (3, "bad_input")]
    assert report.waiting == 1
    report = counter.book.sweeps.load(
        settlements(
            tmp_path,
            f"{long},s-1,jd,2017-05-01,1.00,,",
            f"S-1,{long},jd,2017-05-01,1.00,,",
            "S-2,s-1,j d,2017-05-01,1.00,,",
            "S-3,s-1,,2017-05-01,1.00,,",
            "S-4,s-1,jd,2017-05-01,,,",  # what was captured is not known: not nothing
            "S-5,s-1,jd,2017-05-01,1.00,,",
        )
    )
    assert [(r.line, r.code) for r in report.rejections] == [
        (2, "bad_input"), (3, "bad_input"), (4, "bad_platform"), (5, "bad_input"), (6, "bad_input"),
    ]  # fmt: skip
    assert report.waiting == 1


def test_a_receipt_names_another_tenants_loan_and_waits(counter: Counter, tmp_path: Path) -> None:
    loan = counter.loan(counter.line(), "10000")
    other = Counter(counter.url, counter.clock, counter.ids)
    other.book.close()
    other.book = type(other.book).open(counter.url, tenant="other", clock=counter.clock, ids=counter.ids)
    other.init(buckets=1)
    assert other.book.receipts.load(receipts(tmp_path, f"B-1,2017-05-01,5.00,{loan.id},")).waiting == 1
    assert other.book.receipts.list()[0].reason == "not_found"
    assert counter.book.receipts.list() == ()
    other.book.close()


# --- payouts ---------------------------------------------------------------------------------------------------------


def test_the_banks_answer_again_is_a_duplicate_whatever_became_of_the_loan(
    counter: Counter, tmp_path: Path
) -> None:
    line = counter.line()
    loans = [counter.book.draw(line.id, "1000", days=10).id for _ in range(2)]
    file = answer(tmp_path, *(f"{loan},paid,2017-05-01" for loan in loans))
    assert counter.book.load_payouts(file).accepted == 2
    counter.book.repay(loans[0], "all")
    counter.close_until(START + timedelta(days=20))
    assert [counter.book.loan(loan).status for loan in loans] == ["closed", "overdue"]
    report = counter.book.load_payouts(file)
    assert (report.duplicates, report.rejected) == (2, 0)


def test_the_banks_answer_with_another_day_is_no_duplicate(counter: Counter, tmp_path: Path) -> None:
    loan = counter.book.draw(counter.line().id, "1000").id
    counter.close_until(START + timedelta(days=2))
    counter.book.load_payouts(answer(tmp_path, f"{loan},paid,2017-05-01"))
    report = counter.book.load_payouts(answer(tmp_path, f"{loan},paid,2017-05-02", f"{loan},paid,"))
    assert ([r.code for r in report.rejections], report.duplicates) == (["payout_changed"], 1)
    assert counter.book.loan(loan).start == START


# --- promises --------------------------------------------------------------------------------------------------------


def test_a_promise_on_a_loan_written_off_is_kept_by_what_is_recovered(counter: Counter) -> None:
    book, loan = counter.book, counter.loan(counter.line(), "1000")
    book.write_off(loan.id)
    book.promises.add(loan.id, "10", START)
    book.repay(loan.id, "10")
    assert [promise.status for promise in book.promises.list()] == ["kept"]


def test_a_reversed_payment_keeps_no_promise_and_a_loan_paid_back_waits_for_none(counter: Counter) -> None:
    book, loan = counter.book, counter.loan(counter.line(), "1000")
    book.promises.add(loan.id, "100", START)
    book.reverse(book.repay(loan.id, "100").allocations[0].event_id)
    assert [(p.status, p.paid) for p in book.promises.list()] == [("open", 0)]
    counter.close_until(START + timedelta(days=1))
    assert [task.note for task in book.work("promises")[0].tasks] == ["broken"]
    book.repay(loan.id, "all")
    assert book.work("promises")[0].tasks == ()


# --- people ----------------------------------------------------------------------------------------------------------


def test_receipts_and_promises_are_handed_out_and_erased_with_their_merchant(
    counter: Counter, tmp_path: Path
) -> None:
    book = counter.book
    for name in ("m-1", "m-2"):
        book.merchants.add(name, f"Canary {name}")
    book.merchants.identify("m-1", "account", "6222 0000 1111 2222")
    book.lender.set({"retention": [{"from": "2017-01-01", "years": 1}]})
    line, neighbour = counter.line(), counter.line(merchant="m-2")
    loan, other = counter.loan(line, "1000"), counter.loan(neighbour, "1000")
    file = receipts(
        tmp_path,
        f"B-1,2017-05-01,100.00,Canary pays {loan.id},6222000011112222",
        f"B-2,2017-05-01,100.00,{line.id},6222000011119999",
        f"B-3,2017-05-01,100.00,neighbour pays {other.id},6222000011118888",
        f"B-4,2017-05-01,1.00,Canary {loan.id} {other.id},6222000011112222",
    )
    assert book.receipts.load(file).accepted == 3
    book.promises.add(loan.id, "1", START, "Canary's brother will pay")
    data = book.subjects.export("m-1")
    assert [receipt.receipt_id for receipt in data.receipts] == ["B-1", "B-2", "B-4"]
    assert [promise.note for promise in data.promises] == ["Canary's brother will pay"]
    book.repay(loan.id, "all")
    book.close_facility(line.id)
    jump(counter, date(2018, 5, 2))
    book.subjects.erase("m-1", "asked to")
    kept = {receipt.receipt_id: receipt for receipt in book.receipts.list()}
    assert [(kept[f"B-{n}"].reference, kept[f"B-{n}"].payer_last_four) for n in (1, 2, 4)] == [("", "")] * 3
    assert kept["B-3"].reference.startswith("neighbour pays")
    assert [promise.note for promise in book.promises.list()] == [""]
    assert (kept["B-1"].status, kept["B-1"].subject, kept["B-1"].amount) == ("booked", loan.id, 100)
    assert "Canary" not in json.dumps([str(each) for each in book.receipts.list()])
    again = book.receipts.load(file)  # the old file tells nothing new, and brings nothing back
    assert (again.duplicates, [r.code for r in again.rejections]) == (3, ["receipt_changed"])


def test_what_waits_for_a_merchant_is_erased_with_it(counter: Counter, tmp_path: Path) -> None:
    """Money nobody could book names people too; texts about others, and figures, stay."""
    book = counter.book
    book.merchants.add("m-1", "陈晓明")
    book.merchants.add("m-2", "Chen Xiao")
    book.lender.set({"retention": [{"from": "2017-01-01", "years": 1}]})
    line, neighbour = counter.line(), counter.line(merchant="m-2")
    loan, other = counter.loan(line, "1000"), counter.loan(neighbour, "1000")
    file = receipts(
        tmp_path,
        "B-1,2017-05-01,1.00,收陈晓明货款,6222000011110001",
        "B-2,2017-05-01,2.00,M-1 pays,6222000011110002",
        f"B-3,2017-05-01,3.00,{loan.id} or {other.id},6222000011110003",
        f"B-4,2017-05-01,4.00,{other.id} or {neighbour.id} not 陈晓明,6222000011110004",
        "B-5,2017-05-01,5.00,m-10 and Chen Xiao,6222000011110005",
        "B-6,2017-05-01,6.00,m-1: rent,6222000011110006",
    )
    assert book.receipts.load(file).waiting == 6
    book.receipts.set_aside("B-6", "rent of 陈晓明", idempotency_key="aside")
    before = book.receipts.list()
    book.repay(loan.id, "all")
    book.close_facility(line.id)
    with pytest.raises(EventRefused) as refused:
        book.subjects.erase("m-1", "asked to")
    assert refused.value.code == "retention_hold"
    assert book.receipts.list() == before
    jump(counter, date(2018, 5, 2))
    assert [row.receipt_id for row in book.subjects.export("m-1").receipts] == ["B-1", "B-2", "B-3", "B-6"]
    book.subjects.erase("m-1", "asked to")
    after = {row.receipt_id: row for row in book.receipts.list()}
    erased = [name for name, row in after.items() if (row.reference, row.payer_last_four) == ("", "")]
    assert erased == ["B-1", "B-2", "B-3", "B-6"]
    assert [(row.amount, row.status) for row in after.values()] == [
        (row.amount, row.status) for row in before
    ]
    assert "陈晓明" not in str([after[name] for name in erased])
    assert (after["B-4"], after["B-5"]) == (before[3], before[4])
    assert book.verify().clean
