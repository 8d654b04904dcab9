"""Loans (借据): what they owe, their plan and ledger, and what may happen to them besides repayments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from microloan.days import parse_date

from .arguments import Amount, AsOf, KnownOn, Limit, LoanId, Method, Reason, ValueDate, as_of, day
from .documents import document, latest, listed
from .names import facility_named, loan_named, merchant_named
from .options import commands, group
from .requests import waiting_answer, waits
from .run import Answer, Run
from .view import View

LOAN = (
    "id facility_id merchant_id product currency method status as_of known_on drawn drawn_on start maturity daily_rate "
    "yearly_rate simple_yearly_cost effective_yearly_cost principal interest penalty fees payoff credit_balance "
    "interest_charged penalty_charged interest_paid days_past_due classification non_accrual next_due held_through held_reason"
)
SUMMARY = "id facility_id status classification drawn principal credit_balance drawn_on maturity oldest_due held_reason"
LEDGER = "id type date booked amount fees penalty interest principal credit principal_after reversed_by"
SCHEDULE = "n due principal interest total balance"
ENTRY = "event_id kind loan_id value_date booked_on currency amount status principal payoff credit_balance"

Component = Literal["fees", "penalty", "interest", "principal"]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    loan = group("Loans: show, plan, ledger, and what may happen to one.")
    app.add_typer(loan, name="loan")
    commands(loan, _VERBS)


def entry_answer(run: Run, entry: Any) -> Answer:
    """What a command did to a loan, and the loan's figures after it."""
    if waits(entry):
        return waiting_answer(run, entry)
    values = document(entry)
    view = View(run.messages)
    blocks = (view.facts("entry", values, ENTRY), view.note("undo", "dim", event_id=values["event_id"]))
    return Answer(values, blocks)


def show(run: Run, loan: LoanId, as_of_: AsOf = None, known_on: KnownOn = None) -> Answer:
    """What a loan owes and costs, today or as of a day, as known today or on a day.

    Example:
      microloan loan show LOAN --as-of 2026-06-30 --known-on 2026-07-01
    """
    asked = (loan_named(run, loan), as_of(run, as_of_), day(known_on, "--known-on"))
    values = {**document(run.book.loan(*asked), "loan"), **_cost(run.book.loan_cost(*asked))}
    return Answer(values, (View(run.messages).facts("loan", values, LOAN),))


def _cost(cost: Any) -> dict[str, Any]:
    """The yearly cost of a loan, all in, simple and compounded; null where there is none."""
    named = ("simple_yearly_cost", "effective_yearly_cost")
    return dict.fromkeys(named) if cost is None else {name: document(cost)[name] for name in named}


def list_(
    run: Run,
    facility: Annotated[
        str | None, typer.Option("--facility", metavar="FACILITY", help="Of one facility")
    ] = None,
    merchant: Annotated[
        str | None, typer.Option("--merchant", metavar="MERCHANT", help="Of one merchant")
    ] = None,
    status: Annotated[
        Literal["pending", "cancelled", "active", "overdue", "closed", "written_off"] | None,
        typer.Option("--status", help="In this status only"),
    ] = None,
    limit: Limit = None,
    as_of_: AsOf = None,
    known_on: KnownOn = None,
) -> Answer:
    """Loans of the book, with the figures of the open day, or as of a day and as known on a day.

    Example:
      microloan loan list --status overdue
      microloan loan list --merchant MERCHANT --as-of 2026-06-30
    """
    at, known = as_of(run, as_of_), day(known_on, "--known-on")
    chosen: dict[str, Any] = {
        "facility": facility and facility_named(run, facility),
        "merchant": merchant_named(run, merchant),
        "status": status,
        "latest": limit,
    }
    then = at is not None or known is not None
    found: Any = run.book.loans_at(at, known, **chosen) if then else run.book.loans(**chosen)
    values = latest(found, "loan", "loans", limit)
    return Answer(values, View(run.messages).listed("loans", values, "loans", SUMMARY))


def ledger(run: Run, loan: LoanId, as_of_: AsOf = None, known_on: KnownOn = None) -> Answer:
    """Every event of a loan and how it was split.

    Example:
      microloan loan ledger LOAN
    """
    loan = loan_named(run, loan)
    rows = run.book.ledger(loan, as_of=as_of(run, as_of_), known_on=day(known_on, "--known-on"))
    values = {"loan_id": loan, **listed(rows, "", "ledger")}
    return Answer(values, (View(run.messages).table("ledger", values["ledger"], LEDGER),))


def schedule(run: Run, loan: LoanId, as_of_: AsOf = None, known_on: KnownOn = None) -> Answer:
    """The plan of a loan: what fell due, and what will.

    Example:
      microloan loan schedule LOAN --json
    """
    loan = loan_named(run, loan)
    rows = run.book.schedule(loan, as_of=as_of(run, as_of_), known_on=day(known_on, "--known-on"))
    values = {"loan_id": loan, **listed(rows, "", "schedule")}
    return Answer(values, (View(run.messages).table("schedule", values["schedule"], SCHEDULE),))


def fee(
    run: Run,
    loan: LoanId,
    amount: Amount,
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="What it is for")] = "",
) -> Answer:
    """Charge a fee.

    Example:
      microloan loan fee LOAN 20.00 --name reminder
    """
    return entry_answer(
        run, run.book.fee(loan_named(run, loan), amount, name, idempotency_key=run.options.key)
    )


def waive(
    run: Run,
    loan: LoanId,
    component: Annotated[
        Component, typer.Argument(metavar="COMPONENT", help="fees, penalty, interest or principal")
    ],
    amount: Amount,
) -> Answer:
    """Waive part of what is owed (减免); more than is owed is refused.

    Example:
      microloan loan waive LOAN penalty 12.50
    """
    return entry_answer(
        run, run.book.waive(loan_named(run, loan), component, amount, idempotency_key=run.options.key)
    )


def extend(
    run: Run,
    loan: LoanId,
    maturity: Annotated[
        str, typer.Argument(metavar="YYYY-MM-DD", help="The new maturity", show_default=False)
    ],
) -> Answer:
    """Extend a loan to a later maturity (展期).

    Example:
      microloan loan extend LOAN 2026-09-30
    """
    done = run.book.extend(
        loan_named(run, loan), parse_date(maturity, "maturity"), idempotency_key=run.options.key
    )
    return entry_answer(run, done)


def restructure(
    run: Run,
    loan: LoanId,
    maturity: Annotated[
        str, typer.Argument(metavar="YYYY-MM-DD", help="The new maturity", show_default=False)
    ],
    method: Annotated[Method | None, typer.Option("--method", help="Else as it is")] = None,
    due_day: Annotated[
        int | None,
        typer.Option("--due-day", metavar="N", help="Day of the month on which instalments fall due"),
    ] = None,
    new_rate: Annotated[
        str | None, typer.Option("--rate", metavar="RATE", help="0.04%/day or 14.4%/year/360; else as it is")
    ] = None,
) -> Answer:
    """Give a loan new terms from what is outstanding (重组); what is past due moves to the next due date.

    Example:
      microloan loan restructure LOAN 2027-03-31 --method equal_instalment --rate 0.03%/day
    """
    done = run.book.restructure(
        loan_named(run, loan),
        parse_date(maturity, "maturity"),
        method,
        due_day,
        new_rate,
        idempotency_key=run.options.key,
    )
    return entry_answer(run, done)


def rate(
    run: Run,
    loan: LoanId,
    new_rate: Annotated[
        str, typer.Argument(metavar="RATE", help="0.04%/day or 14.4%/year/360", show_default=False)
    ],
    value_date: ValueDate = None,
) -> Answer:
    """Give a loan another contract rate from a day on.

    Example:
      microloan loan rate LOAN 0.04%/day
    """
    done = run.book.change_rate(
        loan_named(run, loan),
        new_rate,
        value_date=day(value_date, "--value-date"),
        idempotency_key=run.options.key,
    )
    return entry_answer(run, done)


def pause(
    run: Run,
    loan: LoanId,
    first: Annotated[str, typer.Option("--from", metavar="YYYY-MM-DD", help="First night without interest")],
    until: Annotated[str, typer.Option("--to", metavar="YYYY-MM-DD", help="First night with interest again")],
) -> Answer:
    """Pause the interest of a loan from a day up to, not including, another.

    Example:
      microloan loan pause LOAN --from 2026-02-01 --to 2026-03-01
    """
    done = run.book.pause(
        loan_named(run, loan),
        parse_date(first, "--from"),
        parse_date(until, "--to"),
        idempotency_key=run.options.key,
    )
    return entry_answer(run, done)


def write_off(run: Run, loan: LoanId, reason: Reason = "") -> Answer:
    """Write a loan off (核销): the claim stays, nothing accrues, receipts are recoveries.

    Example:
      microloan loan write-off LOAN
    """
    done = run.book.write_off(loan_named(run, loan), reason, idempotency_key=run.options.key)
    return entry_answer(run, done)


def recover(run: Run, loan: LoanId, amount: Amount) -> Answer:
    """Book a receipt on a written-off loan.

    Example:
      microloan loan recover LOAN 600.00
    """
    return entry_answer(run, run.book.recover(loan_named(run, loan), amount, idempotency_key=run.options.key))


def held(run: Run) -> Answer:
    """Loans the close of day has set aside, and why.

    Example:
      microloan loan held
    """
    values = listed(run.book.held(), "", "held")
    return Answer(values, (View(run.messages).table("held", values["held"], "loan_id through reason"),))


def release(run: Run, loan: LoanId) -> Answer:
    """Let a loan that was set aside go on; what passed meanwhile is posted today.

    Example:
      microloan loan release LOAN
    """
    values = document(run.book.release(loan_named(run, loan), idempotency_key=run.options.key), "loan")
    return Answer(values, (View(run.messages).facts("loan", values, LOAN),))


_VERBS: dict[str, Callable[..., Answer]] = {
    "show": show,
    "list": list_,
    "ledger": ledger,
    "schedule": schedule,
    "fee": fee,
    "waive": waive,
    "extend": extend,
    "restructure": restructure,
    "rate": rate,
    "pause": pause,
    "write-off": write_off,
    "recover": recover,
    "held": held,
    "release": release,
}
