"""Offers and facilities (授信额度): what was offered, what was signed, what can still be drawn."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from .arguments import Amount, FacilityId, Limit, OfferId, Output, Reason, write_new
from .documents import document, latest
from .names import facility_named, merchant_named, offer_named
from .options import commands, group
from .render import Note
from .requests import waiting_answer, waits
from .run import Answer, Run
from .view import View

OFFER = (
    "id merchant_id decision_id product product_version currency limit seasonal_limit seasonal_until daily_rate "
    "yearly_rate offered_on expires_on status contract_sha256 facility_id"
)
OFFERS = "id merchant_id limit seasonal_limit seasonal_until daily_rate yearly_rate expires_on status"
FACILITY = (
    "id merchant_id offer_id product product_version currency status frozen_reason limit seasonal_limit seasonal_until "
    "limit_in_force outstanding pending available daily_rate yearly_rate signed_on valid_until contract_sha256"
)
FACILITIES = (
    "id merchant_id status limit limit_in_force outstanding pending available yearly_rate valid_until"
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    offer = group("Offers: credit lines that wait for a signature.")
    app.add_typer(offer, name="offer")
    commands(offer, {"list": offer_list, "show": offer_show})
    facility = group("Facilities (授信额度): sign, look, freeze, change, close.")
    app.add_typer(facility, name="facility")
    commands(facility, {"sign": sign, "show": show, "list": list_, "limit": limit})
    commands(facility, {"freeze": freeze, "unfreeze": unfreeze, "close": close})


def offer_list(
    run: Run,
    status: Annotated[
        Literal["offered", "signed", "expired", "superseded"] | None,
        typer.Option("--status", help="In this status only"),
    ] = None,
    merchant: Annotated[
        str | None, typer.Option("--merchant", metavar="MERCHANT", help="Of one merchant")
    ] = None,
    limit: Limit = None,
) -> Answer:
    """Offers, newest last.

    Example:
      microloan offer list --status offered
    """
    found = run.book.offers(status, merchant_named(run, merchant), latest=limit)
    values = latest(found, "offer", "offers", limit)
    return Answer(values, View(run.messages).listed("offers", values, "offers", OFFERS))


def offer_show(
    run: Run,
    offer: OfferId,
    contract: Annotated[
        bool,
        typer.Option("--contract", help="The exact contract text and its SHA-256, which a signature names"),
    ] = False,
    output: Output = None,
) -> Answer:
    """An offer, or the exact text its signature would accept.

    Example:
      microloan offer show OFFER --contract
    """
    if not contract:
        values = document(run.book.offer(offer_named(run, offer)), "offer")
        return Answer(values, (View(run.messages).facts("offer", values, OFFER),))
    agreed = run.book.contract(offer_named(run, offer))
    values = document(agreed)
    if output is not None:
        write_new(output, lambda stream: stream.write(agreed.text))
        values["file"] = str(output)
    view = View(run.messages)
    text = () if output is not None else (Note(agreed.text),)
    sign_it = view.note("next.sign", "dim", offer_id=agreed.offer_id, sha256=agreed.sha256)
    return Answer(values, (*text, view.facts("", values, "offer_id file sha256"), sign_it))


def sign(
    run: Run,
    offer: OfferId,
    signer: Annotated[str, typer.Option("--signer", metavar="NAME", help="Who signs for the merchant")],
    sha256: Annotated[
        str, typer.Option("--sha256", metavar="HEX", help="SHA-256 of the contract text agreed to")
    ],
) -> Answer:
    """Accept an offer: the merchant signs the exact contract text, and the credit line is active.

    Example:
      microloan facility sign OFFER --signer "Li Wei" --sha256 "$(microloan offer show OFFER --contract --json | jq -r .sha256)"
    """
    done = run.book.sign(
        offer_named(run, offer), signer=signer, contract_sha256=sha256, idempotency_key=run.options.key
    )
    return facility_answer(run, done)


def show(run: Run, facility: FacilityId) -> Answer:
    """A credit line and what can still be drawn on it.

    Example:
      microloan facility show FACILITY
    """
    return facility_answer(run, run.book.facility(facility_named(run, facility)))


def list_(
    run: Run,
    merchant: Annotated[
        str | None, typer.Option("--merchant", metavar="MERCHANT", help="Of one merchant")
    ] = None,
    status: Annotated[
        Literal["active", "frozen", "closed", "expired"] | None,
        typer.Option("--status", help="In this status only"),
    ] = None,
    limit: Limit = None,
) -> Answer:
    """Credit lines of the book.

    Example:
      microloan facility list --status active
    """
    found = run.book.facilities(merchant_named(run, merchant), status, latest=limit)
    values = latest(found, "facility", "facilities", limit)
    view = View(run.messages)
    shown = {**values, "facilities": [_worded(view, row) for row in values["facilities"]]}
    return Answer(values, view.listed("facilities", shown, "facilities", FACILITIES))


def freeze(run: Run, facility: FacilityId, reason: Reason = "") -> Answer:
    """No further draws; running loans go on.

    Example:
      microloan facility freeze FACILITY --reason "address unknown"
    """
    done = run.book.freeze(facility_named(run, facility), reason=reason, idempotency_key=run.options.key)
    return facility_answer(run, done, "undo.freeze")


def unfreeze(run: Run, facility: FacilityId, reason: Reason = "") -> Answer:
    """Draws are possible again.

    Example:
      microloan facility unfreeze FACILITY
    """
    done = run.book.unfreeze(facility_named(run, facility), reason=reason, idempotency_key=run.options.key)
    return facility_answer(run, done, "undo.unfreeze")


def close(run: Run, facility: FacilityId, reason: Reason = "") -> Answer:
    """End a credit line.

    Example:
      microloan facility close FACILITY
    """
    return facility_answer(
        run,
        run.book.close_facility(
            facility_named(run, facility), reason=reason, idempotency_key=run.options.key
        ),
    )


def limit(run: Run, facility: FacilityId, amount: Amount, reason: Reason = "") -> Answer:
    """Set the limit by hand; lowering it never touches running loans.

    Example:
      microloan facility limit FACILITY 50000 --reason "review of March"
    """
    before = run.book.facility(facility_named(run, facility))
    done = run.book.set_limit(before.id, amount, reason=reason, idempotency_key=run.options.key)
    return facility_answer(run, done, "undo.limit", before.limit)


def _worded(view: View, facility: dict[str, Any]) -> dict[str, Any]:
    """``closed`` means another thing for a credit line than for a loan; a decision as a reason is called so."""
    decision = _freezing(facility)
    reason = view.note("frozen_by", decision=decision).text if decision else facility["frozen_reason"]
    return {
        **facility,
        "status": view.word("line_of_credit", facility["status"]),
        "frozen_reason": reason,
    }


def _freezing(facility: dict[str, Any]) -> str:
    """The decision whose review of the limit froze a credit line, if one did."""
    from microloan.book.facilities import BY_DECISION

    reason = str(facility["frozen_reason"])
    return reason.removeprefix(BY_DECISION) if reason.startswith(BY_DECISION) else ""


def facility_answer(run: Run, facility: Any, undo: str = "", limit: object = None) -> Answer:
    """A facility, shown, with how to take back what was done to it."""
    if waits(facility):
        return waiting_answer(run, facility)
    values = document(facility, "facility")
    view = View(run.messages)
    blocks: tuple[Any, ...] = (view.facts("facility", _worded(view, values), FACILITY),)
    if decision := _freezing(values):
        blocks += (view.note("next.frozen", "dim", decision=decision, id=values["id"]),)
    if undo and not values["replayed"]:
        blocks += (view.note(undo, "dim", id=values["id"], limit=limit),)
    return Answer(values, blocks)
