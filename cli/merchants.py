"""Merchants and their shops, related parties, what identifies them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .arguments import File, Reason
from .documents import document, listed
from .options import commands, group
from .render import Block
from .run import Answer, Run
from .sales import Shop
from .view import View

SHOPS = "platform shop_id merchant_id rating violations rated_on platform_is_buyer lines"
MERCHANTS = "id name registered shops"
RINGS = "merchant_id as_of hops complete ring currency exposure group_exposure"
PARTIES = "merchant_id via reason exposure"
NEIGHBOURS = "merchant_id hops in_ring strength shared_until path"
EVIDENCE = "one other kind last_four since shared_until holders weight"

MerchantId = Annotated[
    str, typer.Argument(metavar="MERCHANT", help="A merchant, or one of its shops", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    merchant = group("Merchants: register, look, link related parties.")
    app.add_typer(merchant, name="merchant")
    commands(merchant, {"add": add, "import": import_, "show": show, "list": list_, "link": link})
    commands(merchant, {"identify": identify, "identifiers": identifiers, "rings": rings})
    shop = group("Shops: whose they are, what the platform says of them.")
    app.add_typer(shop, name="shop")
    commands(shop, {"import": shop_import, "rate": shop_rate, "give": shop_give})


def add(
    run: Run,
    merchant: Annotated[str, typer.Argument(metavar="ID", help="Its id, plain ASCII", show_default=False)],
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="Its name")] = "",
    shop: Annotated[
        list[str] | None,
        typer.Option("--shop", metavar="PLATFORM:SHOP", help="A shop of it; may be given again"),
    ] = None,
) -> Answer:
    """Register a merchant with its shops.

    Example:
      microloan merchant add m-17 --name "Zhoushan Seafood" --shop jd:shop-1 --shop tmall:shop-9
    """
    return _shown(
        run, run.book.merchants.add(merchant, name, shops=shop or (), idempotency_key=run.options.key)
    )


def import_(run: Run, file: File) -> Answer:
    """Register merchants from a CSV with the columns merchant_id and name.

    Example:
      microloan merchant import merchants.csv
    """
    return _imported(run, run.book.merchants.import_merchants(file, idempotency_key=run.options.key))


def show(run: Run, merchant: MerchantId) -> Answer:
    """A merchant with its shops, related parties and identifiers (their last four characters).

    Example:
      microloan merchant show m-17
    """
    return _shown(run, run.book.merchants.show(merchant))


def list_(run: Run) -> Answer:
    """Every merchant; a shop nobody registered is its own merchant.

    Example:
      microloan merchant list
    """
    values = listed(run.book.merchants.list(), "merchant", "merchants")
    rows = [
        {**m, "shops": [f"{s['platform']}:{s['shop_id']}" for s in m["shops"]]} for m in values["merchants"]
    ]
    return Answer(values, (View(run.messages).table("merchants", rows, MERCHANTS),))


def link(
    run: Run,
    merchant: MerchantId,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Its related party", show_default=False)],
    reason: Reason = "",
) -> Answer:
    """Note that two merchants are related parties; caps count them together.

    Example:
      microloan merchant link m-17 m-23 --reason "same owner"
    """
    return _shown(run, run.book.merchants.link(merchant, other, reason, idempotency_key=run.options.key))


def identify(
    run: Run,
    merchant: MerchantId,
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="phone, account, licence …", show_default=False)
    ],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Kept as a digest only", show_default=False)],
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="YYYY-MM-DD", help="The merchant's from that day, else the open day"),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="YYYY-MM-DD", help="Given up after that day, else it has it still"),
    ] = None,
) -> Answer:
    """Note a phone, account or licence of a merchant, to find others that have the same; the value is not kept.

    Kinds that make rings: owner, licence, account, device, phone, address. A buyer's account that is the merchant's own,
    as it stands in the sales files, is of kind buyer: its orders are no sales.

    Example:
      microloan merchant identify m-17 phone 13800000000
      microloan merchant identify m-17 phone 13800000000 --until 2026-05-31
    """
    done = run.book.merchants.identify(
        merchant, kind, value, since=since, until=until, idempotency_key=run.options.key
    )
    return _shown(run, done)


def identifiers(run: Run, file: File) -> Answer:
    """Note what identifies merchants from a CSV: merchant_id, kind and value, then first_day and last_day if known.

    Example:
      microloan merchant identifiers identifiers.csv
    """
    return _imported(run, run.book.merchants.import_identifiers(file, idempotency_key=run.options.key))


def rings(
    run: Run,
    merchant: MerchantId,
    hops: Annotated[int, typer.Option("--hops", metavar="N", help="How far to look, 1 to 20")] = 2,
) -> Answer:
    """Who shares identifiers with a merchant: its ring, its related parties, and the evidence, freshest first.

    Example:
      microloan merchant rings m-17
      microloan merchant rings m-17 --hops 3 --date 2026-05-01
    """
    values = document(run.book.merchants.rings(merchant, run.options.date, hops=hops))
    return Answer(values, _rings(View(run.messages), values))


def _rings(view: View, values: dict[str, Any]) -> tuple[Block, ...]:
    blocks: list[Block] = [view.facts("rings_around", values, RINGS)]
    if values["parties"]:
        blocks.append(view.table("related", [_party(view, row) for row in values["parties"]], PARTIES))
    if values["neighbours"]:
        rows = [{**row, "shared_until": row["last_day"]} for row in values["neighbours"]]
        blocks.append(view.table("neighbours", rows, NEIGHBOURS))
    rows = [{**row, "shared_until": row["until"]} for row in _kinds_in_words(view, values["evidence"])]
    if any(row["telling"] for row in rows):
        blocks.append(view.table("evidence", rows, EVIDENCE + " telling"))
    else:
        blocks.append(view.table("evidence", rows, EVIDENCE, "nothing_shared"))
    if values["shared_by_many"]:
        rows = _kinds_in_words(view, values["shared_by_many"])
        blocks.append(view.table("shared_by_many", rows, "kind last_four holders"))
    return tuple(blocks)


def _party(view: View, row: dict[str, Any]) -> dict[str, Any]:
    """A related party with the reason on file, else what it shares, in words."""
    return {**row, "reason": row["reason"] or [view.word("identifier", kind) for kind in row["kinds"]]}


def _kinds_in_words(view: View, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "kind": view.word("identifier", row["kind"])} for row in rows]


def shop_import(run: Run, file: File) -> Answer:
    """Shops from a CSV: shop_id and platform, then merchant_id, rating, violations, rated_on, platform_is_buyer if known.

    Example:
      microloan shop import shops.csv
    """
    return _imported(run, run.book.merchants.import_shops(file, idempotency_key=run.options.key))


def shop_rate(
    run: Run,
    shop: Shop,
    rating: Annotated[
        str | None, typer.Option("--rating", metavar="N", help="As the platform gives it, 4.6")
    ] = None,
    violations: Annotated[
        int | None, typer.Option("--violations", metavar="N", help="Of the platform's rules")
    ] = None,
    rated_on: Annotated[
        str | None,
        typer.Option("--rated-on", metavar="YYYY-MM-DD", help="Known from that day, else the open day"),
    ] = None,
    platform_is_buyer: Annotated[
        bool,
        typer.Option("--platform-is-buyer", help="A self-operated supplier: its only buyer is the platform"),
    ] = False,
) -> Answer:
    """Note what a platform says of a shop.

    Example:
      microloan shop rate jd:shop-1 --rating 4.6 --violations 0
    """
    done = run.book.merchants.rate(
        shop,
        rating=rating,
        violations=violations,
        rated_on=rated_on,
        platform_is_buyer=platform_is_buyer,
        idempotency_key=run.options.key,
    )
    values = document(done)
    return Answer(values, (View(run.messages).facts("shop", values, SHOPS),))


def shop_give(
    run: Run,
    shop: Shop,
    merchant: Annotated[str, typer.Argument(metavar="MERCHANT", help="Its new owner", show_default=False)],
) -> Answer:
    """Say whose a shop is.

    Example:
      microloan shop give jd:shop-1 m-17
    """
    return _shown(run, run.book.merchants.give(shop, merchant, idempotency_key=run.options.key))


def _shown(run: Run, merchant: Any) -> Answer:
    values = document(merchant, "merchant")
    view = View(run.messages)
    blocks: list[Block] = [
        view.facts("merchant", values, "id name registered"),
        view.table("shops", values["shops"], SHOPS),
    ]
    if values["related"]:
        blocks.append(view.table("related", values["related"], "merchant_id reason"))
    if values["identifiers"]:
        rows = _kinds_in_words(view, values["identifiers"])
        blocks.append(view.table("identifiers", rows, "kind last_four first_day last_day also_of"))
    return Answer(values, tuple(blocks))


def _imported(run: Run, report: Any) -> Answer:
    values = document(report)
    rejected = tuple(run.messages.rejected(row) for row in values["rejections"])
    facts = View(run.messages).facts("import", values, "accepted updated duplicates rejected")
    return Answer(values, (facts,), complaints=() if run.options.json else rejected)
