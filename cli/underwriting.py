"""Underwriting: a shop's features, decisions, their explanation, and reviews by a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import typer

from .arguments import WrongUse, one_of
from .documents import document, listed
from .names import review_named
from .options import commands, group
from .render import Block, Note
from .run import Answer, Run
from .sales import Shop
from .view import View, grouped

DECISIONS = "shop_id outcome grade score limit seasonal_limit yearly_rate reasons"
DECISION = (
    "decision_id merchant_id shop_ids as_of cut_off policy policy_version outcome grade score probability currency limit "
    "seasonal_limit seasonal_until daily_rate yearly_rate action offer_id facility_id decided_by"
)
HISTORY = "decision_id as_of outcome grade limit seasonal_limit action policy_version decided_by"
FEATURES = "name value unit meaning"
POINTS = "feature value points best"
FINDINGS = "detector shop buyer_id first_day last_day orders"
EVIDENCE = "one other kind shown since shared_until holders"
REVIEWS = "decision_id merchant_id status opened_at limit reasons answered_by note offer_id"

DecisionId = Annotated[
    str,
    typer.Argument(
        metavar="DECISION", help="A decision, or the merchant whose open review it is", show_default=False
    ),
]
NoteText = Annotated[str, typer.Option("--note", metavar="TEXT", help="Kept with the answer")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    commands(
        app, {"features": features, "underwrite": underwrite, "explain": explain, "decisions": decisions}
    )
    review = group("Reviews: decisions that wait for a person.")
    app.add_typer(review, name="review")
    commands(review, {"list": review_list, "approve": review_approve, "decline": review_decline})


def features(run: Run, shop: Shop) -> Answer:
    """What a shop's sales say: every feature with its unit, as of a day.

    Example:
      microloan features jd:shop-1 --date 2026-06-01
    """
    from microloan.underwriting import DEFINITIONS

    found = run.book.underwriting.features(shop, run.options.date)
    currency = run.book.settings().currency
    rows = [feature(run, DEFINITIONS[name], value, currency) for name, value in found.items()]
    values = {"shop_id": shop, "currency": currency, "features": rows}
    shown = [{**row, "name": row["feature"], "value": feature_cell(row)} for row in rows]
    return Answer(values, (View(run.messages).table("features", shown, FEATURES),))


def feature(run: Run, definition: Any, value: Any, currency: str) -> dict[str, Any]:
    """A feature with its value as text, its unit and its meaning."""
    from microloan.underwriting.decision import feature_text

    meaning = run.messages.word("feature", definition.name)
    return {
        "feature": definition.name,
        "value": None if value is None else feature_text(definition.name, value, currency),
        "unit": definition.unit,
        "window": definition.window,
        "meaning": definition.meaning if meaning == definition.name else meaning,
    }


def feature_cell(row: Mapping[str, Any]) -> str:
    """A feature's value as people write it."""
    value = row["value"]
    if value is None:
        return ""
    return grouped(value) if row["unit"] == "amount" else str(value)


def underwrite(
    run: Run,
    shops: Annotated[
        list[str] | None, typer.Argument(metavar="[SHOP]...", help="Shops or merchants", show_default=False)
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every merchant with sales")] = False,
    policy: Annotated[str | None, typer.Option("--policy", metavar="NAME", help="Else marketplace")] = None,
    asked: Annotated[
        str | None, typer.Option("--asked", metavar="AMOUNT", help="The limit one merchant asked for")
    ] = None,
) -> Answer:
    """Decide on merchants: an offer, a review of the limit, or the reasons why not. A decline is a result.

    With --date in the past nothing follows from it: what would have been decided then.

    Example:
      microloan underwrite --all
      microloan underwrite jd:shop-1 --date 2026-05-01
      microloan underwrite jd:shop-1 --asked 50000
    """
    from microloan.book.underwriting import alone_values, underwrite_values

    one_of(SHOP=shops, all=all_)
    if asked is not None:
        if not shops or len(shops) > 1:
            raise WrongUse(field="--asked", reason="goes with one SHOP")
        record = run.book.underwriting.run(
            shops[0], policy, run.options.date, asked=asked, idempotency_key=run.options.key
        )
        values = alone_values(record)
        return Answer(values, _run_blocks(View(run.messages), values))
    with run.progress() as advance:
        report = run.book.underwriting.run_all(
            policy, run.options.date, only=shops or None, progress=advance, idempotency_key=run.options.key
        )
        values = underwrite_values(report, run.book.underwriting.decisions(report.run_id))
    return Answer(values, _run_blocks(View(run.messages), values))


def _run_blocks(view: View, values: dict[str, Any]) -> tuple[Block, ...]:
    rows = [{**row, "reasons": short_reasons(view, row["reasons"])} for row in values["decisions"]]
    return (
        view.table("decisions", rows, DECISIONS),
        view.facts("", {**values, **values["counts"]}, "run_id as_of policy approved declined manual_review"),
        view.note("next.explain", "dim"),
    )


def short_reasons(view: View, reasons: list[dict[str, Any]]) -> list[str]:
    """Reasons in a table: codes in English, a phrase in Chinese; `explain` has the sentences."""
    return [str(reason["zh"] if view.lang == "zh" else reason["code"]) for reason in reasons]


def explain(
    run: Run,
    decision: Annotated[
        str,
        typer.Argument(metavar="DECISION", help="A decision; or a shop, for its latest", show_default=False),
    ],
    again: Annotated[
        bool,
        typer.Option("--again", help="Also decide again from what was stored; exit status 5 if it differs"),
    ] = False,
) -> Answer:
    """Why: the waterfall from raw sales to the limit, score points, reasons in words.

    Example:
      microloan explain DECISION
      microloan explain jd:shop-1 --again
    """
    found = run.book.underwriting.explain(_decision_id(run, decision))
    values = {**document(found.decision, "decision"), **document(found)}
    values.pop("decision")
    if not again:
        return Answer(values, _why(View(run.messages), values))
    rerun = run.book.underwriting.rerun(found.decision.id)
    values["again"] = {**document(rerun), "same": rerun.same}
    view = View(run.messages)
    facts = view.facts("again", values["again"], "from_snapshot from_lines limit limit_again same")
    return Answer(values, (*_why(view, values), facts), status=0 if rerun.same else 5)


def _decision_id(run: Run, given: str) -> str:
    """A decision's id; of a shop or merchant, its latest."""
    if given.startswith("dec-"):
        return given
    history = run.book.underwriting.history(given)
    return history[0].id if history else given


def _why(view: View, values: dict[str, Any]) -> tuple[Block, ...]:
    blocks: list[Block] = [
        view.facts("decision", values, DECISION),
        reasons_shown(view, values),
        waterfall(view, values),
    ]
    if values["points"]:
        points = [{**row, "feature": view.word("feature_name", row["feature"])} for row in values["points"]]
        blocks.append(view.table("points", points, POINTS))
    if values["findings"]:
        blocks.append(view.table("findings", values["findings"], FINDINGS))
    evidence = list(relation_evidence(view, values["applicant"]["relations"]))
    if evidence:
        blocks.append(view.table("evidence", evidence, EVIDENCE))
    return tuple(blocks)


def relation_evidence(view: View, relations: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What two merchants share, once each, whatever it was said for."""
    seen = set()
    for each in (piece for relation in relations for piece in relation["evidence"]):
        key = tuple(each.values())
        if key not in seen:
            seen.add(key)
            yield {**each, "kind": view.word("identifier", each["kind"]), "shared_until": each["until"]}


def reasons_shown(view: View, values: Mapping[str, Any]) -> Note:
    """The reasons in words."""
    return Note(
        "\n".join([view.title("reasons"), *(f"  {reason[view.lang]}" for reason in values["reasons"])])
    )


def waterfall(view: View, values: Mapping[str, Any]) -> Block:
    """From raw sales to the limit, step by step."""
    steps = [{"step": step[view.lang], "value": _step(view, step["value"])} for step in values["waterfall"]]
    return view.table("waterfall", steps, "step value")


def _step(view: View, value: str) -> str:
    """An amount of the waterfall with its groups; a factor as it is; ``not set`` in the reader's language."""
    if value == "not set":
        return view.text("not_set")
    cents = value.rpartition(".")[2]
    return grouped(value) if len(cents) == 2 and cents.isdigit() else value


def decisions(run: Run, shop: Shop) -> Answer:
    """The decisions on a merchant, newest first.

    Example:
      microloan decisions jd:shop-1
    """
    values = listed(run.book.underwriting.history(shop), "decision", "decisions")
    return Answer(values, (View(run.messages).table("decisions", values["decisions"], HISTORY),))


def review_list(
    run: Run,
    status: Annotated[
        Literal["open", "approved", "declined", "superseded"], typer.Option("--status", help="In this status")
    ] = "open",
) -> Answer:
    """Decisions that wait for a person.

    Example:
      microloan review list
    """
    values = listed(run.book.underwriting.reviews(status), "", "reviews")
    view = View(run.messages)
    rows = [
        {**row, "reasons": [view.word("code", code) for code in row["reasons"]]} for row in values["reviews"]
    ]
    return Answer(values, (view.table("reviews", rows, REVIEWS),))


def review_approve(
    run: Run,
    decision: DecisionId,
    limit: Annotated[
        str | None, typer.Option("--limit", metavar="AMOUNT", help="Less than the decision worked out")
    ] = None,
    note: NoteText = "",
) -> Answer:
    """Grant what the decision worked out, or less.

    Example:
      microloan review approve DECISION --limit 5000 --note "called the owner"
    """
    done = run.book.underwriting.approve_review(
        review_named(run, decision), limit=limit, note=note, idempotency_key=run.options.key
    )
    return _review_answer(run, done)


def review_decline(run: Run, decision: DecisionId, note: NoteText = "") -> Answer:
    """Say no.

    Example:
      microloan review decline DECISION --note "could not be reached"
    """
    done = run.book.underwriting.decline_review(
        review_named(run, decision), note=note, idempotency_key=run.options.key
    )
    return _review_answer(run, done)


def _review_answer(run: Run, review: Any) -> Answer:
    values = document(review)
    return Answer(values, (View(run.messages).facts("review", values, REVIEWS),))
