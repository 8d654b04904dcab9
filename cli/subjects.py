"""Personal data of a merchant: hand out everything that is kept, or erase it."""

from __future__ import annotations

from typing import Annotated

import typer

from .arguments import Output, write_new
from .documents import document, json_text
from .options import commands, group
from .requests import waiting_answer, waits
from .run import Answer, Run
from .view import View

ERASURE = "merchant_id erased_on reason rows actor approver"

Merchant = Annotated[
    str, typer.Argument(metavar="MERCHANT", help="A merchant, or a shop of it", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    subject = group("Personal data of a merchant: export, erase.")
    app.add_typer(subject, name="subject")
    commands(subject, {"export": export, "erase": erase})


def export(run: Run, merchant: Merchant, output: Output = None) -> Answer:
    """Everything the book holds on a merchant and whoever signed for it, as one JSON document.

    Example:
      microloan subject export MERCHANT --output merchant.json
    """
    values = document(run.book.subjects.export(merchant))
    if output is None:
        return Answer(values, write=lambda out: out.write(json_text(values)))
    write_new(output, lambda out: out.write(json_text(values)))
    note = View(run.messages).note("written", file=str(output))
    return Answer({"file": str(output)}, (note,))


def erase(
    run: Run,
    merchant: Merchant,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; kept for good, so name no person")
    ],
) -> Answer:
    """Erase names, signers and identifiers for good; figures and events stay, under the merchant's id.

    Refused while a contract runs, and for ten years (lender setting retention) after the last one ended.

    Example:
      microloan subject erase MERCHANT --reason "asked by letter of 3 May"
    """
    done = run.book.subjects.erase(merchant, reason, idempotency_key=run.options.key)
    if waits(done):
        return waiting_answer(run, done)
    values = document(done)
    return Answer(values, (View(run.messages).facts("erasure", values, ERASURE),))
