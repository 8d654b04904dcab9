"""Money by file and by word: settlements swept, bank receipts matched, promises to pay."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from microloan.errors import PartlyDone

from .arguments import Amount, File, First, Last, LoanId, WrongUse, day
from .documents import document, listed
from .names import loan_named, subject_named
from .options import commands, group
from .requests import waiting_answer, waits
from .run import Answer, Run
from .view import View

SETTLEMENTS = "platform settlement_id shop_id settled_on net taken kept_for merchant_id status reason"
SWEEP_DAYS = "settled_on platform settlements net asked taken difference waiting_net"
RECEIPTS = "receipt_id received_on amount status subject matched_by reason reference payer_last_four"
RECEIPT = f"{RECEIPTS} event_ids"
PROMISES = "by_day loan_id merchant_id amount paid currency status made_on note"
FILE_REPORT = "accepted waiting duplicates rejected"

OF_STATUS = typer.Option("--status", help="In this status only")
Mapping = Annotated[
    Path | None, typer.Option("--mapping", metavar="FILE", help="TOML: how this file calls its columns")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    sweep = group("Settlements of platforms (结算), and what sweep loans take of them.")
    app.add_typer(sweep, name="sweep")
    commands(
        sweep,
        {"import": sweep_import, "list": sweep_list, "assign": sweep_assign, "reconcile": sweep_reconcile},
    )
    receipt = group("Bank receipts (到账): matched to loans, or kept until somebody knows.")
    app.add_typer(receipt, name="receipt")
    commands(
        receipt,
        {
            "import": receipt_import,
            "list": receipt_list,
            "assign": receipt_assign,
            "set-aside": receipt_set_aside,
        },
    )
    promise = group("Promises to pay (还款承诺): noted, kept or broken.")
    app.add_typer(promise, name="promise")
    commands(promise, {"add": promise_add, "list": promise_list})


def sweep_import(run: Run, file: File, mapping: Mapping = None) -> Answer:
    """Take in a platform's settlements: every running sweep loan takes its share. The same file again changes nothing.

    Columns: settlement_id, shop_id, platform, settled_on, captures, and where there are any refunds, chargebacks. Rows of
    unknown shops wait; bad rows are listed, exit status 7.

    Example:
      microloan sweep import settlements.csv
    """
    with run.progress() as advance:
        report = run.book.sweeps.load(file, layout=mapping, progress=advance)
    return file_answer(run, report)


def file_answer(run: Run, report: Any) -> Answer:
    """What came of a file; refused rows one line each, exit status 7."""
    values = document(report)
    view = View(run.messages)
    facts = view.facts("cash_file", values, FILE_REPORT)
    blocks: tuple[Any, ...] = (facts,)
    if values["waiting"]:
        blocks += (view.note("next.work", "dim"),)
    if not values["rejected"]:
        return Answer(values, blocks)
    told = tuple(run.messages.rejected(row) for row in values["rejections"])
    aside = PartlyDone(count=values["rejected"], reason=values["rejections"][0]["message"])
    return Answer(values, blocks, status=aside.exit_status, complaints=told, error=aside)


def sweep_list(
    run: Run,
    status: Annotated[Literal["waiting", "booked", "nothing_to_sweep"] | None, OF_STATUS] = None,
    first: First = None,
    last: Last = None,
) -> Answer:
    """Settlements, and what became of each.

    Example:
      microloan sweep list --status waiting
    """
    values = listed(run.book.sweeps.list(status, *_span(first, last)), "", "settlements")
    view = View(run.messages)
    shown = _explained(view, values["settlements"])
    return Answer(values, (view.table("settlements", shown, SETTLEMENTS),))


def _explained(view: View, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Why each row waits, in words."""
    return [{**row, "reason": view.word("waiting", row["reason"])} for row in rows]


def _span(first: str | None, last: str | None) -> tuple[date | None, date | None]:
    return day(first, "--from"), day(last, "--to")


def sweep_assign(
    run: Run,
    settlement: Annotated[
        str, typer.Argument(metavar="SETTLEMENT", help="platform:id, see: sweep list", show_default=False)
    ],
    loan: LoanId,
) -> Answer:
    """Sweep a settlement that waits for a loan you name.

    Example:
      microloan sweep assign jd:S-20260618-01 LOAN
    """
    platform, colon, name = settlement.partition(":")
    if not colon:
        raise WrongUse(field="SETTLEMENT", reason="write platform:id, see: microloan sweep list")
    done = run.book.sweeps.assign(platform, name, loan_named(run, loan), idempotency_key=run.options.key)
    if waits(done):
        return waiting_answer(run, done)
    values = document(done)
    return Answer(values, (View(run.messages).facts("settlement", values, SETTLEMENTS),))


def sweep_reconcile(run: Run, first: First = None, last: Last = None) -> Answer:
    """Settlements against ledgers, by day and platform: what was asked of loans, what they took, what differs.

    Example:
      microloan sweep reconcile --from 2026-06-01 --to 2026-06-30
    """
    days = run.book.sweeps.reconcile(*_span(first, last))
    values = listed(days, "", "days")
    return Answer(values, (View(run.messages).table("sweep_days", values["days"], SWEEP_DAYS),))


def receipt_import(run: Run, file: File, mapping: Mapping = None) -> Answer:
    """Take in the bank's file of money received; each row is booked to the loan it names, or waits. Twice changes nothing.

    Columns: receipt_id, received_on, amount, and where there are any reference, payer_account. A reference that names one
    loan or facility decides; else the payer's account, where it is registered (merchant identify) with one merchant.

    Example:
      microloan receipt import bank.csv --mapping bank.toml
    """
    with run.progress() as advance:
        report = run.book.receipts.load(file, layout=mapping, progress=advance)
    return file_answer(run, report)


def receipt_list(
    run: Run,
    status: Annotated[Literal["waiting", "booked", "set_aside"] | None, OF_STATUS] = None,
    first: First = None,
    last: Last = None,
) -> Answer:
    """Money received, and what became of it.

    Example:
      microloan receipt list --status waiting
    """
    values = listed(run.book.receipts.list(status, *_span(first, last)), "", "receipts")
    view = View(run.messages)
    shown = _explained(view, values["receipts"])
    return Answer(values, (view.table("bank_receipts", shown, RECEIPTS),))


Receipt = Annotated[
    str, typer.Argument(metavar="RECEIPT", help="Its id, see: receipt list", show_default=False)
]


def receipt_assign(
    run: Run,
    receipt: Receipt,
    subject: Annotated[
        str,
        typer.Argument(
            metavar="LOAN_OR_FACILITY",
            help="A loan, a facility, or a merchant for its facility",
            show_default=False,
        ),
    ],
) -> Answer:
    """Book a receipt that waits to the loan or facility you name.

    Example:
      microloan receipt assign B-771 LOAN
    """
    done = run.book.receipts.assign(receipt, subject_named(run, subject), idempotency_key=run.options.key)
    return _receipt(run, done)


def receipt_set_aside(
    run: Run,
    receipt: Receipt,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with the record")],
) -> Answer:
    """Say that a receipt is not for a loan, and why; it can be assigned later all the same.

    Example:
      microloan receipt set-aside B-772 --reason "rent, not a repayment"
    """
    return _receipt(run, run.book.receipts.set_aside(receipt, reason, idempotency_key=run.options.key))


def _receipt(run: Run, done: Any) -> Answer:
    if waits(done):
        return waiting_answer(run, done)
    values = document(done)
    return Answer(values, (View(run.messages).facts("bank_receipt", values, RECEIPT),))


def promise_add(
    run: Run,
    loan: LoanId,
    amount: Amount,
    by: Annotated[str, typer.Option("--by", metavar="YYYY-MM-DD", help="The promised day")],
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="What was said")] = "",
) -> Answer:
    """Note what a merchant promised to pay on a loan, and by when.

    Example:
      microloan promise add LOAN 5000 --by 2026-07-05 --note "after the 6.18 settlement"
    """
    by_day = day(by, "--by")
    assert by_day is not None, "a required option"
    done = run.book.promises.add(loan_named(run, loan), amount, by_day, note, idempotency_key=run.options.key)
    values = document(done, "promise")
    view = View(run.messages)
    return Answer(values, (view.facts("promise", _worded(view, values), PROMISES),))


def promise_list(
    run: Run,
    status: Annotated[Literal["open", "kept", "broken"] | None, OF_STATUS] = None,
) -> Answer:
    """Promises to pay: open, kept or broken.

    Example:
      microloan promise list --status broken
    """
    values = listed(run.book.promises.list(status), "promise", "promises")
    view = View(run.messages)
    shown = [_worded(view, promise) for promise in values["promises"]]
    return Answer(values, (view.table("promises", shown, PROMISES),))


def _worded(view: View, promise: dict[str, Any]) -> dict[str, Any]:
    """``open`` means another thing for a promise than for a review."""
    return {**promise, "status": view.word("promise", promise["status"])}
