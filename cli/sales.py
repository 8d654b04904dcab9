"""The sales flow: importing files, what was imported, a shop's lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .arguments import File, First, Last, day
from .documents import document, listed
from .options import commands, group
from .run import Answer, Run
from .view import View

REPORT = "import_id name platform accepted updated duplicates rejected first_day last_day ignored_columns"
IMPORTS = "import_id name platform status accepted updated duplicates rejected first_day last_day started_by"
LINES = "platform order_id line_id paid_on amount refund status refunded_on settled_on buyer_id revision"
SHOWN = 20

Shop = Annotated[str, typer.Argument(metavar="SHOP", help="A shop, or platform:shop", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    sales = group("Sales flow: import files, look at what is known.")
    app.add_typer(sales, name="sales")
    commands(sales, {"import": import_, "imports": imports, "lines": lines, "versions": versions})


def import_(
    run: Run,
    file: File,
    platform: Annotated[
        str, typer.Option("--platform", metavar="P", help="Platform of rows that name none, such as jd")
    ] = "",
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", metavar="FILE", help="TOML: how this platform calls its columns"),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option("--encoding", metavar="NAME", help="utf-8 if not given; gb18030 for Chinese exports"),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="One bad row and nothing is imported")] = False,
    covers: Annotated[
        Literal["shops", "platform"],
        typer.Option("--covers", help="Whose days the file tells: its shops', or all shops' of the platform"),
    ] = "shops",
    rejects: Annotated[
        Path | None,
        typer.Option("--rejects", metavar="FILE", help="Write every rejected row to this new CSV"),
    ] = None,
) -> Answer:
    """Import order lines from CSV, CSV.gz or Parquet; the same file again changes nothing.

    Bad rows are listed and left out, the rest goes in. A bad file imports nothing: exit status 2.

    Example:
      microloan sales import orders.csv.gz --platform jd --rejects bad-rows.csv
    """
    with run.progress() as advance:
        report = run.book.sales.load(
            file,
            platform=platform,
            mapping=mapping,
            encoding=encoding,
            strict=strict,
            covers=covers,
            rejects=rejects,
            progress=advance,
            idempotency_key=run.options.key,
        )
    values = document(report)
    return Answer(
        values, (View(run.messages).facts("import", values, REPORT),), complaints=_rejections(run, values)
    )


def _rejections(run: Run, values: dict[str, Any]) -> tuple[str, ...]:
    """The first rejected rows, one line each; with --json they are in the document."""
    if run.options.json:
        return ()
    told = [run.messages.text("rejected", **row) for row in values["rejections"][:SHOWN]]
    more = values["rejected"] - len(told)
    return (*told, run.messages.text("rejected.more", count=more)) if more else tuple(told)


def imports(run: Run) -> Answer:
    """Every file that was imported.

    Example:
      microloan sales imports
    """
    values = listed(run.book.sales.imports(), "", "imports")
    return Answer(values, (View(run.messages).table("imports", values["imports"], IMPORTS),))


def lines(run: Run, shop: Shop, first: First = None, last: Last = None) -> Answer:
    """A shop's order lines, as the book has them now.

    Example:
      microloan sales lines jd:shop-1 --from 2026-06-01 --to 2026-06-18
    """
    values = listed(run.book.sales.lines(shop, day(first, "--from"), day(last, "--to")), "", "lines")
    return Answer(values, (View(run.messages).table("lines", values["lines"], LINES),))


def versions(
    run: Run,
    shop: Shop,
    order: Annotated[str, typer.Argument(metavar="ORDER", help="An order of it", show_default=False)],
) -> Answer:
    """What the lines of an order said before they were updated, oldest first.

    Example:
      microloan sales versions jd:shop-1 o-1001
    """
    values = listed(run.book.sales.versions(shop, order), "", "versions")
    return Answer(values, (View(run.messages).table("versions", values["versions"], LINES),))
