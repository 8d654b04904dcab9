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

MerchantId = Annotated[
    str, typer.Argument(metavar="MERCHANT", help="A merchant, or one of its shops", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    merchant = group("Merchants: register, look, link related parties.")
    app.add_typer(merchant, name="merchant")
    commands(merchant, {"add": add, "import": import_, "show": show, "list": list_, "link": link})
    commands(merchant, {"identify": identify})
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
) -> Answer:
    """Note a phone, account or licence of a merchant, to find others that have the same; the value is not kept.

    Example:
      microloan merchant identify m-17 phone 13800000000
    """
    return _shown(run, run.book.merchants.identify(merchant, kind, value, idempotency_key=run.options.key))


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
        blocks.append(view.table("identifiers", values["identifiers"], "kind last_four also_of"))
    return Answer(values, tuple(blocks))


def _imported(run: Run, report: Any) -> Answer:
    values = document(report)
    rejected = tuple(run.messages.text("rejected", **row) for row in values["rejections"])
    facts = View(run.messages).facts("import", values, "accepted updated duplicates rejected")
    return Answer(values, (facts,), complaints=() if run.options.json else rejected)
