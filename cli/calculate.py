"""What needs no database: a quote, and a loan's life from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .loans import LEDGER, SCHEDULE
from .options import commands
from .render import Block
from .run import Answer, Run
from .view import View

QUOTE = (
    "currency method principal start maturity days rate yearly_rate interest fees total simple_yearly_cost "
    "effective_yearly_cost"
)
STATES = (
    "as_of status principal interest penalty fees payoff credit_balance days_past_due classification next_due"
)

Method = Literal["anytime", "interest_only", "equal_instalment", "equal_principal"]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    commands(app, {"quote": quote, "simulate": simulate})


def quote(
    run: Run,
    principal: Annotated[str, typer.Option("--principal", metavar="AMOUNT", help="The amount borrowed")],
    rate: Annotated[str, typer.Option("--rate", metavar="RATE", help="0.048%/day, 万4.8 or 14.4%/year/360")],
    days: Annotated[int | None, typer.Option("--days", metavar="N", help="Term in calendar days")] = None,
    months: Annotated[int | None, typer.Option("--months", metavar="N", help="Term in months")] = None,
    method: Annotated[Method, typer.Option("--method", help="How it is repaid")] = "anytime",
    currency: Annotated[str, typer.Option("--currency", metavar="CUR", help="ISO 4217 code")] = "CNY",
    start: Annotated[
        str | None, typer.Option("--start", metavar="YYYY-MM-DD", help="Day the money goes out, else today")
    ] = None,
    compare_bank_rate: Annotated[
        str | None,
        typer.Option(
            "--compare-bank-rate", metavar="RATE", help="6%/year: a bank loan that must run a full year"
        ),
    ] = None,
) -> Answer:
    """What a loan would cost, with its yearly cost, beside a bank loan that must run a year. No database.

    Example:
      microloan quote --principal 300000 --rate 0.048%/day --days 90 --compare-bank-rate 6%/year
    """
    from microloan import quote as quoted
    from microloan.days import parse_date

    document = quoted(
        principal,
        rate,
        days=days,
        months=months,
        method=method,
        currency=currency,
        start=run.today if start is None else parse_date(start, "--start"),
        compare_bank_rate=compare_bank_rate,
    ).as_json()
    return Answer(document, _quote_blocks(View(run.messages), document))


def _quote_blocks(view: View, document: dict[str, Any]) -> tuple[Block, ...]:
    blocks: list[Block] = [view.facts("quote", document, QUOTE)]
    if "bank_interest" in document:
        blocks.append(view.facts("bank", document, "bank_rate bank_interest saved"))
    if len(document["schedule"]) > 1:
        blocks.append(view.table("schedule", document["schedule"], SCHEDULE))
    return tuple(blocks)


def simulate(
    run: Run,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A scenario, YAML or JSON", show_default=False)
    ],
) -> Answer:
    """Run a scenario file: the plan, the ledger and the state of a loan on the days it asks for. No database.

    Figures the file expects are compared exactly; what differs is said on stderr, and the exit status is 6.

    Example:
      microloan simulate fixtures/scenarios/three-repayments.yaml
    """
    from microloan import simulate as simulated

    from .scenario_file import read_scenario_file

    document = simulated(read_scenario_file(file))
    failures = document.get("failures", [])
    return Answer(
        document,
        _life_blocks(View(run.messages), document),
        status=6 if failures else 0,
        complaints=tuple(run.messages.text("expectation", **failure) for failure in failures),
    )


def _life_blocks(view: View, document: dict[str, Any]) -> tuple[Block, ...]:
    return (
        view.table("schedule", document["schedule"], SCHEDULE),
        view.table("ledger", document["ledger"], LEDGER),
        view.table("states", document["states"], STATES),
    )
