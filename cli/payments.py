"""Money out and money in: draws, payouts, repayments, reversals, credit balances."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .arguments import (
    Amount,
    AsOf,
    FacilityId,
    File,
    LoanId,
    Method,
    Output,
    Reason,
    Subject,
    ValueDate,
    WrongUse,
    Yes,
    as_of,
    day,
    one_of,
    write_new,
)
from .cash import Mapping, file_answer
from .documents import document, listed
from .loans import LOAN, entry_answer
from .names import facility_named, loan_named, subject_named
from .options import commands, group
from .requests import waiting_answer, waits
from .run import Answer, Run
from .view import View, grouped

DRAWDOWN = "loan_id facility_id status principal currency method term start maturity daily_rate yearly_rate available event_id"
RECEIPT = "subject currency amount value_date booked_on fees penalty interest principal credit"
ALLOCATION = "loan_id event_id amount fees penalty interest principal credit principal_after status"
CHARGED_BACK = "event_id kind loan_id amount status principal payoff credit_balance"
PAYOUT = "loan_id facility_id merchant_id amount currency drawn_on"
PAYOFF = "loan_id as_of currency principal interest penalty fees credit_balance amount"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    commands(app, {"draw": draw, "repay": repay, "payoff": payoff, "reverse": reverse})
    payout = group("Payouts (放款): money to send for draws that wait.")
    app.add_typer(payout, name="payout")
    commands(
        payout,
        {
            "list": payout_list,
            "confirm": payout_confirm,
            "fail": payout_fail,
            "export": payout_export,
            "import": payout_import,
        },
    )
    credit = group("Credit balances (溢缴款): what was paid too much.")
    app.add_typer(credit, name="credit")
    commands(credit, {"show": credit_show, "apply": credit_apply, "refund": credit_refund})


def draw(
    run: Run,
    facility: FacilityId,
    amount: Amount,
    days: Annotated[int | None, typer.Option("--days", metavar="N", help="Term in calendar days")] = None,
    months: Annotated[int | None, typer.Option("--months", metavar="N", help="Term in months")] = None,
    method: Annotated[Method | None, typer.Option("--method", help="Else the product's default")] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="The payout is instant: start the loan at once")
    ] = False,
    yes: Yes = False,
) -> Answer:
    """Draw on a facility (支用): reserves the limit and orders the payout; the loan starts when it is confirmed.

    Example:
      microloan draw FACILITY 300000 --days 90 --key draw-0001
    """
    line = facility_named(run, facility)
    if confirm:
        _ask(run, yes, "ask.payout", amount, run.book.facility(line))
    done = run.book.draw(
        line,
        amount,
        days=days,
        months=months,
        method=method,
        confirm=confirm,
        idempotency_key=run.options.key,
    )
    values = document(done)
    view = View(run.messages)
    blocks: tuple[Any, ...] = (view.facts("drawdown", values, DRAWDOWN),)
    if values["status"] == "pending":
        blocks += (view.note("next.confirm", "dim", loan_id=values["loan_id"]),)
    return Answer(values, blocks)


def payout_list(run: Run) -> Answer:
    """Payouts to be made.

    Example:
      microloan payout list
    """
    values = listed(run.book.payouts(), "", "payouts")
    return Answer(values, (View(run.messages).table("payouts", values["payouts"], PAYOUT),))


def payout_confirm(run: Run, loan: LoanId, value_date: ValueDate = None, yes: Yes = False) -> Answer:
    """The money has gone out: the loan starts on the value date of the payout.

    Example:
      microloan payout confirm LOAN
    """
    loan = loan_named(run, loan)
    drawn = run.book.loan(loan)
    _ask(run, yes, "ask.payout", drawn.drawn, drawn)
    done = run.book.confirm_payout(
        loan, value_date=day(value_date, "--value-date"), idempotency_key=run.options.key
    )
    return loan_answer(run, done)


def payout_fail(run: Run, loan: LoanId, reason: Reason = "") -> Answer:
    """The payout did not happen: the draw is cancelled and its reserve released.

    Example:
      microloan payout fail LOAN --reason "account closed"
    """
    return loan_answer(
        run, run.book.fail_payout(loan_named(run, loan), reason=reason, idempotency_key=run.options.key)
    )


def payout_export(run: Run, output: Output = None) -> Answer:
    """Payouts to be made as a CSV file for the payment run: ids and exact amounts.

    Example:
      microloan payout export -o payouts.csv
    """
    from microloan.exchange.payouts import write_payouts

    orders = run.book.payouts()
    values = {**listed(orders, "", "payouts"), "count": len(orders)}
    if output is None:
        return Answer(values, write=lambda out: write_payouts(orders, out))
    write_new(output, lambda out: write_payouts(orders, out))
    values["file"] = str(output)
    return Answer(values, (View(run.messages).facts("payouts", values, "count file"),))


def payout_import(run: Run, file: File, mapping: Mapping = None) -> Answer:
    """Take in the bank's answer to payouts: each is confirmed or failed as its row says. Twice changes nothing.

    Columns: loan_id, status (paid or failed), and where there are any value_date, reason.

    Example:
      microloan payout import answer.csv
    """
    return file_answer(run, run.book.load_payouts(file, layout=mapping))


def loan_answer(run: Run, loan: Any) -> Answer:
    """A loan after a command."""
    if waits(loan):
        return waiting_answer(run, loan)
    values = document(loan, "loan")
    return Answer(values, (View(run.messages).facts("loan", values, LOAN),))


def repay(
    run: Run,
    subject: Subject,
    amount: Annotated[
        str | None, typer.Argument(metavar="AMOUNT", help="Else --all", show_default=False)
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Everything owed on the value date")] = False,
    value_date: ValueDate = None,
    loan: Annotated[
        str | None,
        typer.Option("--loan", metavar="LOAN", help="The loan a payment to a facility is meant for"),
    ] = None,
    to_principal: Annotated[
        bool,
        typer.Option(
            "--to-principal", help="After the day's interest all to principal, if the product allows it"
        ),
    ] = False,
) -> Answer:
    """Book a repayment on a loan or a facility, on any day, of any amount.

    Example:
      microloan repay LOAN 100000 --key bank-ref-771
      microloan repay LOAN --all
    """
    from microloan.book.payments import ALL

    one_of(AMOUNT=amount, all=all_)
    done = run.book.repay(
        subject_named(run, subject),
        ALL if all_ else amount,
        value_date=day(value_date, "--value-date"),
        loan=loan,
        apply="principal" if to_principal else None,
        idempotency_key=run.options.key,
    )
    if waits(done):
        return waiting_answer(run, done)
    return _receipt_answer(run, done)


def _receipt_answer(run: Run, receipt: Any) -> Answer:
    """Money taken in, how it was split, and how to take it back."""
    values = document(receipt)
    view = View(run.messages)
    split = view.table("allocations", values["allocations"], ALLOCATION)
    undo = (view.note("undo", "dim", event_id=part["event_id"]) for part in values["allocations"])
    return Answer(values, (view.facts("receipt", values, RECEIPT), split, *undo))


def payoff(run: Run, loan: LoanId, as_of_: AsOf = None) -> Answer:
    """What closes a loan on a day (结清金额); only reads.

    Example:
      microloan payoff LOAN --as-of 2026-07-30
    """
    values = document(run.book.payoff(loan_named(run, loan), as_of=as_of(run, as_of_)))
    return Answer(values, (View(run.messages).facts("payoff", values, PAYOFF),))


def reverse(
    run: Run,
    event: Annotated[
        str, typer.Argument(metavar="EVENT", help="Event id, see: loan ledger", show_default=False)
    ],
    reason: Reason = "",
    bounced: Annotated[
        bool, typer.Option("--charge-back", help="A payment bounced: all loans it was split over")
    ] = False,
    fee: Annotated[
        str | None, typer.Option("--fee", metavar="AMOUNT", help="With --charge-back: a fee for it")
    ] = None,
) -> Answer:
    """Take an event back, as if it had never been: a bounced repayment, a mistake, even a reversal.

    Example:
      microloan reverse EVENT --reason "entered twice"
      microloan reverse EVENT --charge-back --fee 20.00
    """
    if bounced:
        done = run.book.charge_back(event, reason, fee=fee, idempotency_key=run.options.key)
        return _charged_back(run, done)
    if fee is not None:
        raise WrongUse(field="--fee", reason="goes with --charge-back")
    return entry_answer(run, run.book.reverse(event, reason=reason, idempotency_key=run.options.key))


def _charged_back(run: Run, done: Any) -> Answer:
    if waits(done):
        return waiting_answer(run, done)
    values = document(done)
    entries = [*values["reversals"], *([values["fee"]] if values["fee"] else [])]
    view = View(run.messages)
    return Answer(
        values,
        (
            view.facts("charge_back", values, "amount currency booked_on"),
            view.table("entries", entries, CHARGED_BACK),
        ),
    )


def credit_show(run: Run, subject: Subject) -> Answer:
    """Credit balances of a loan, or of a facility's loans.

    Example:
      microloan credit show FACILITY
    """
    named = subject_named(run, subject)
    alone = named.startswith("loan-")
    loans = (run.book.loan(named),) if alone else run.book.loans(facility=run.book.facility(named).id)
    credits = [document(loan, "loan") for loan in loans if loan.credit_balance]
    table = View(run.messages).table("credits", credits, "loan_id currency credit_balance")
    return Answer({"subject": subject, "credits": credits}, (table,))


def credit_apply(
    run: Run,
    source: Annotated[
        str, typer.Argument(metavar="FROM_LOAN", help="The loan with the credit", show_default=False)
    ],
    target: Annotated[
        str, typer.Argument(metavar="TO_LOAN", help="The loan to be repaid", show_default=False)
    ],
    amount: Amount,
) -> Answer:
    """Use the credit balance of one loan to repay another.

    Example:
      microloan credit apply FROM_LOAN TO_LOAN 30.00
    """
    done = run.book.apply_credit(source, target, amount, idempotency_key=run.options.key)
    return _receipt_answer(run, done)


def credit_refund(run: Run, loan: LoanId, amount: Amount, yes: Yes = False) -> Answer:
    """Pay a credit balance back to the merchant.

    Example:
      microloan credit refund LOAN 10.00
    """
    loan = loan_named(run, loan)
    _ask(run, yes, "ask.refund", amount, run.book.loan(loan))
    return entry_answer(run, run.book.refund(loan, amount, idempotency_key=run.options.key))


def _ask(run: Run, yes: bool, question: str, amount: object, payee: Any) -> None:
    """Show a person at a terminal how much goes to whom. Raises Refused."""
    merchant = run.book.merchants.show(payee.merchant_id)
    name = f"{merchant.name} ({merchant.id})" if merchant.name else merchant.id
    run.ask(yes, question, amount=grouped(str(amount)), currency=payee.currency, merchant=name)
