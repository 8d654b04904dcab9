"""The sales flow: importing files, what was imported, a shop's lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from microloan.errors import BadInput

from .arguments import File, First, Last, Limit, day
from .documents import document, latest, listed
from .options import commands, group
from .render import Facts, Note
from .run import Answer, Run
from .view import View

REPORT = (
    "import_id name platform mapping accepted updated duplicates rejected adjusted left_out first_day last_day "
    "ignored_columns"
)
PLATFORMS = "name title export holds encoding source"
IMPORTS = "import_id name platform status accepted updated duplicates rejected first_day last_day started_by"
LINES = "platform order_id line_id paid_on amount refund status refunded_on settled_on buyer_id revision"
SHOWN = 20

Shop = Annotated[str, typer.Argument(metavar="SHOP", help="A shop, or platform:shop", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    sales = group("Sales flow: import files, look at what is known.")
    app.add_typer(sales, name="sales")
    verbs: dict[str, Callable[..., Answer]] = {
        "import": import_,
        "platforms": platforms,
        "imports": imports,
        "lines": lines,
        "versions": versions,
    }
    commands(sales, verbs)


def import_(
    run: Run,
    file: File,
    platform: Annotated[
        str, typer.Option("--platform", metavar="P", help="Platform of rows that name none, such as jd")
    ] = "",
    shop: Annotated[
        str, typer.Option("--shop", metavar="SHOP", help="Whose export it is, where no column says so")
    ] = "",
    mapping: Annotated[
        str | None,
        typer.Option("--mapping", metavar="FILE", help="Layout: a TOML file or a name of: sales platforms"),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option("--encoding", metavar="NAME", help="The layout's if not given, such as gb18030"),
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
    """Import a platform's export or order lines, from CSV, CSV.gz or Parquet; the same file again changes nothing.

    Bad rows are listed and left out, the rest goes in. A bad file imports nothing: exit status 2.
    Daily totals and settlement documents are known by their header. See also: microloan sales platforms

    Example:
      microloan sales import orders.csv.gz --platform jd --rejects bad-rows.csv
      microloan sales import ExportOrderList.csv --platform taobao --shop tea
    """
    with run.progress() as advance:
        report = run.book.sales.load(
            file,
            platform=platform,
            shop=shop,
            mapping=mapping,
            encoding=encoding,
            strict=strict,
            covers=covers,
            rejects=rejects,
            progress=advance,
            idempotency_key=run.options.key,
        )
    values = document(report)
    return Answer(values, (_told(run, values),), complaints=_rejections(run, values))


def _told(run: Run, values: dict[str, Any]) -> Facts:
    """The report with what was adjusted and left out in words; of a platform's own export nobody wants all columns."""
    view = View(run.messages)
    shown = dict(values)
    del shown["mapping" if values["mapping"] == "contract" else "ignored_columns"]
    for counts in ("adjusted", "left_out"):
        shown[counts] = ", ".join(
            f"{count} {view.word(counts, what)}" for what, count in values[counts].items()
        )
    return view.facts("import", shown, REPORT)


def _rejections(run: Run, values: dict[str, Any]) -> tuple[str, ...]:
    """The first rejected rows, one line each; with --json they are in the document."""
    if run.options.json:
        return ()
    told = [run.messages.rejected(row) for row in values["rejections"][:SHOWN]]
    more = values["rejected"] - len(told)
    return (*told, run.messages.text("rejected.more", count=more)) if more else tuple(told)


def platforms(
    run: Run,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One of them", show_default=False)
    ] = None,
) -> Answer:
    """The layouts that are shipped; with NAME its mapping, to be copied and changed.

    What to export where, and how to write a mapping of your own: docs/platforms.md.

    Example:
      microloan sales platforms jd > my-jd.toml
    """
    from microloan.intake.mapping import shipped, shipped_names, shipped_text

    if name is None:
        values = {"platforms": [_described(each) for each in shipped_names()]}
        return Answer(values, (View(run.messages).table("platforms", values["platforms"], PLATFORMS),))
    if shipped(name) is None:
        raise BadInput(field="NAME", value=name, reason=f"shipped are {', '.join(shipped_names())}")
    text = shipped_text(name)
    return Answer({"name": name, "mapping": text}, (Note(text.rstrip()),))


def _described(name: str) -> dict[str, Any]:
    from microloan.intake.mapping import shipped

    layout = shipped(name)
    return {field: getattr(layout, field) for field in PLATFORMS.split()}


def imports(run: Run, limit: Limit = None) -> Answer:
    """Every file that was imported.

    Example:
      microloan sales imports
    """
    values = latest(run.book.sales.imports(latest=limit), "", "imports", limit)
    return Answer(values, View(run.messages).listed("imports", values, "imports", IMPORTS))


def lines(run: Run, shop: Shop, first: First = None, last: Last = None, limit: Limit = None) -> Answer:
    """A shop's order lines, as the book has them now.

    Example:
      microloan sales lines jd:shop-1 --from 2026-06-01 --to 2026-06-18
    """
    found = run.book.sales.lines(shop, day(first, "--from"), day(last, "--to"), latest=limit)
    values = latest(found, "", "lines", limit)
    return Answer(values, View(run.messages).listed("lines", values, "lines", LINES))


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
