"""A policy over history, and a policy fitted on it: from a file of sales without a database, or from the book."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO

import typer

from microloan.errors import BadInput

from .arguments import day, write_new
from .options import commands
from .render import Block, Note, as_text
from .run import Answer, Run
from .view import View

if TYPE_CHECKING:
    from microloan import Policy
    from microloan.intake.flow import FileFlow
    from microloan.underwriting import Applicant
    from microloan.underwriting.backtest import BackTest

DECIDED = "decided_on merchants approved manual_review declined limit"
CAME = "decided_on covered_share judged collapsed collapsed_share rule_share auc ks"
GRADES = "grade cases collapsed predicted observed"
SHARES = [
    "covered_share",
    "collapsed_share",
    "rule_share",
    "undated_share",
    "predicted",
    "observed",
    "expected",
]
STRESS = "stress covered_share collapsed_share expected"
SHIFTS = "feature largest"
ABOUT = "first last currency covered_until changes undated undated_share rejected"
FITTED = (
    "policy template until covered_until cases bad shops first last auc_validated auc_fitted test_first test_last test_cases "
    "test_bad auc_later auc_template rejected file"
)
CHARACTERISTICS = "feature information weight bins points_range"
#: Above this stability index a month's population is another one than that of the first.
MOVED = "0.25"

PolicyName = Annotated[
    str,
    typer.Option(
        "--policy", metavar="POLICY", help="A file, NAME, or NAME@2 for a version on file", show_default=False
    ),
]
SalesFile = Annotated[
    Path | None,
    typer.Option("--sales", metavar="FILE", help="Order lines; without it, the sales of the book"),
]
Platform = Annotated[
    str, typer.Option("--platform", metavar="P", help="Platform of rows that name none, such as jd")
]
MappingName = Annotated[
    str | None,
    typer.Option("--mapping", metavar="FILE", help="Layout: a TOML file or a name of: sales platforms"),
]
ShopName = Annotated[
    str, typer.Option("--shop", metavar="SHOP", help="Whose export it is, where no column says so")
]
Currency = Annotated[str, typer.Option("--currency", metavar="CUR", help="Of the amounts in the sales file")]
FirstDay = Annotated[
    str, typer.Option("--from", metavar="YYYY-MM-DD", help="First decision day", show_default=False)
]
LastDay = Annotated[
    str, typer.Option("--to", metavar="YYYY-MM-DD", help="No decision after it", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module; ``policy fit`` joins the group ``policy``."""
    commands(app, {"backtest": backtest})


@dataclass(frozen=True, slots=True)
class SalesOptions:
    """Which file, and how it is read."""

    file: Path | None
    platform: str
    shop: str
    mapping: str | None
    currency: str

    def read(self, tell: Any, now: datetime) -> FileFlow | None:
        """The flow of the file, if one was named. Raises InvalidFile, and BadInput for a platform or currency."""
        if self.file is None:
            return None
        from microloan.intake.flow import read_flow

        return read_flow(
            self.file, platform=self.platform, shop=self.shop, currency=self.currency, mapping=self.mapping,
            now=now, progress=tell,
        )  # fmt: skip


def backtest(
    run: Run,
    policy: PolicyName,
    first: FirstDay,
    last: LastDay,
    against: Annotated[
        str | None, typer.Option("--against", metavar="POLICY", help="A second policy on the same months")
    ] = None,
    product: Annotated[
        str | None,
        typer.Option("--product", metavar="P", help="Whose limits hold: of the book a name, else a file"),
    ] = None,
    sales: SalesFile = None,
    platform: Platform = "",
    shop: ShopName = "",
    mapping: MappingName = None,
    currency: Currency = "CNY",
    stress: Annotated[
        list[str] | None,
        typer.Option("--stress", metavar="S", help="Also: sales=-30%, default=2, or both with a comma"),
    ] = None,
    format_: Annotated[
        Literal["text", "html", "json", "csv"], typer.Option("--format", help="How it is written")
    ] = "text",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write there; an existing file is kept")
    ] = None,
) -> Answer:
    """What a policy would have granted, month by month with the knowledge of each day, and what came then.

    With --sales no database is needed; marketplace is then the policy that comes with the program.

    Example:
      microloan backtest --policy marketplace --from 2025-01-01 --to 2025-06-01
      microloan backtest --policy mine.toml --against marketplace --from 2025-01-01 --to 2025-06-01
        --sales orders.csv.gz --platform jd --format html --out report.html
    """
    from microloan.underwriting.backtest import PRESETS, stress_preset
    from microloan.underwriting.outcome import decision_days

    if out is not None and out.exists():
        raise BadInput(field="--out", value=str(out), reason="exists already; remove it or name another file")
    span = day(first, "--from") or date.min, day(last, "--to") or date.max
    decision_days(*span)  # refused before a large file is read
    presets = (*PRESETS, *map(stress_preset, stress or ()))
    policies = [named(run, each, beside=sales) for each in (policy, against) if each is not None]
    with run.progress() as tell:
        flow = SalesOptions(sales, platform, shop, mapping, currency).read(tell, run.clock.now_utc())
        found = _tested(run, flow, policies, span, product, presets, tell)
    return _answer(run, found, flow, format_, out)


def _tested(
    run: Run,
    flow: FileFlow | None,
    policies: list[Policy],
    span: tuple[date, date],
    product: str | None,
    presets: Any,
    tell: Any,
) -> BackTest:
    from microloan.underwriting.backtest import backtest as test

    champion, challenger = policies[0], policies[1] if len(policies) > 1 else None
    if flow is None:
        return run.book.underwriting.backtest(
            champion, *span, against=challenger, product=product or "marketplace", presets=presets, progress=tell
        )  # fmt: skip
    return test(
        flow.lines, champion, *span, against=challenger, currency=flow.currency, presets=presets,
        applicants=_held_to(product, flow, champion),
        progress=lambda done, months: tell("backtesting", done, months),
    )  # fmt: skip


def _held_to(product: str | None, flow: FileFlow, policy: Policy) -> dict[str, Applicant]:
    """Every shop of the file is held to the smallest and largest limit of the product file, if one is named."""
    if product is None:
        return {}
    from microloan import Product
    from microloan.book.applicants import amounts_of
    from microloan.underwriting import Applicant

    found = Product.load(Path(product))
    if found.currency != flow.currency:
        raise BadInput(field="--product", value=found.currency, reason=f"the sales are in {flow.currency}")
    smallest, largest = amounts_of(policy, found)
    held = Applicant(minimum_limit_minor=smallest, product_cap_minor=largest)
    return dict.fromkeys(flow.lines.shops, held)


def named(run: Run, given: str, *, beside: Path | None) -> Policy:
    """A policy file, or a version on file in the book; beside a sales file ``marketplace`` is the shipped one."""
    from microloan.underwriting import load_policy, shipped_policy

    if given.endswith(".toml") or Path(given).is_file():
        return load_policy(given)
    if beside is not None and given == "marketplace":
        return shipped_policy()
    return run.book.underwriting.policies.named(given)


# --- how it is told ---------------------------------------------------------------------------------------------------


def _answer(run: Run, found: BackTest, flow: FileFlow | None, format_: str, out: Path | None) -> Answer:
    import json

    values: dict[str, Any] = json.loads(found.to_json())
    if flow is not None:
        values["rejected"] = flow.rejected
    blocks = _blocks(run, found, values)
    if out is None:
        write = None if format_ == "text" else _writer(run, format_, found, values, blocks)
        return Answer(values, blocks, write=write)
    write_new(out, _writer(run, format_, found, values, blocks))
    view = View(run.messages)
    said = (*_verdicts(run, found), view.note("written", file=str(out)))
    return Answer({**values, "file": str(out)}, said)


def _writer(
    run: Run, format_: str, found: BackTest, values: dict[str, Any], blocks: tuple[Block, ...]
) -> Any:
    """What writes the answer in a format; a page that cannot be made says so before anything is written."""
    if format_ == "html":
        from microloan.reports.backtest_page import backtest_page

        page = backtest_page(found, lang=run.options.lang)
        return lambda stream: stream.write(page)
    if format_ == "csv":
        return lambda stream: _write_table(found, stream)
    if format_ == "json":
        from .documents import json_text

        return lambda stream: stream.write(json_text(values))
    return lambda stream: stream.write(as_text(blocks))


def _write_table(found: BackTest, stream: TextIO) -> None:
    rows = found.rows()
    table = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)


def _blocks(run: Run, found: BackTest, values: dict[str, Any]) -> tuple[Block, ...]:
    view = View(run.messages)
    blocks: list[Block] = []
    results = [values["champion"], *([values["challenger"]] if values["challenger"] else [])]
    for result in results:
        blocks += _result_blocks(view, result)
    about = {**_with_percents(values), "first": values["from"], "last": values["to"]}
    return (*blocks, *_verdicts(run, found), view.facts("about_backtest", about, ABOUT))


def _result_blocks(view: View, result: dict[str, Any]) -> list[Block]:
    name = f"{result['policy']} v{result['version']}"
    months = [{**_with_percents(month), "decided_on": month["as_of"]} for month in result["months"]]
    months.append({**_with_percents(result["total"]), "decided_on": view.word("backtest", "total")})
    grades = [
        {**_with_percents(grade), "grade": grade["grade"] or view.word("backtest", "below")}
        for grade in result["grades"]
    ]
    stress = [_stressed(view, each) for each in result["stress"]]
    moved = [each for each in result["stability"] if each["largest"] > MOVED]
    blocks = [
        _titled(view.table("backtest", months, DECIDED), name),
        view.table("came", months, CAME),
        view.table("calibration", grades, GRADES),
        view.table("stress", stress, STRESS),
    ]
    words = [{**each, "feature": view.word("feature_name", each["feature"])} for each in moved]
    return [*blocks, view.table("moved", words, SHIFTS)] if moved else blocks


def _stressed(view: View, preset: dict[str, Any]) -> dict[str, Any]:
    name = preset["name"]
    for words in ("as it came", "sales", "default"):
        name = name.replace(words, view.word("stress", words))
    shares = {"covered_share": preset["covered"], "collapsed_share": preset["collapsed"]}
    return _with_percents({"stress": name, "expected": preset["expected"], **shares})


def _with_percents(values: dict[str, Any]) -> dict[str, Any]:
    """The shares among the values as per cent with one digit."""
    from microloan.reports.page import percent

    return values | {name: percent(Decimal(values[name])) for name in SHARES if values.get(name) is not None}


def _titled(table: Any, name: str) -> Any:
    return replace(table, title=f"{table.title}: {name}")


def _verdicts(run: Run, found: BackTest) -> list[Block]:
    """What a reader should take away, as the page says it."""
    from microloan.reports.backtest_page import verdict

    return [Note(verdict(result, run.options.lang), prose=True) for result in found.results]


# --- fitting ----------------------------------------------------------------------------------------------------------


def policy_fit(
    run: Run,
    until: Annotated[
        str,
        typer.Option(
            "--until",
            metavar="YYYY-MM-DD",
            help="Fit with what was known by that day; test on the days from it",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", help="The new policy file", show_default=False),
    ],
    template: Annotated[
        str,
        typer.Option("--template", metavar="POLICY", help="Rules, limits and prices are taken from it"),
    ] = "marketplace",
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Else the file's name")] = None,
    version: Annotated[int, typer.Option("--version", metavar="N", help="Its version", min=1)] = 1,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="YYYY-MM-DD", help="First case; else half a year into the sales"),
    ] = None,
    sales: SalesFile = None,
    platform: Platform = "",
    shop: ShopName = "",
    mapping: MappingName = None,
    currency: Currency = "CNY",
) -> Answer:
    """Fit bins and points on what became of the shops, and write a policy file that people can read.

    A case is a shop on a day; it is bad if the net sales of the 90 days after it fell below half of what half a year
    before promised. Shops are ranked again on the days after --until, which the fit did not see. Propose the file when
    it is good.

    Example:
      microloan policy fit --sales orders.csv.gz --platform jd --until 2025-06-01 --out ours.toml
    """
    if out.exists():
        raise BadInput(field="--out", value=str(out), reason="exists already; remove it or name another file")
    end, start = day(until, "--until") or date.max, day(first, "--from")
    called = name or out.stem
    base = named(run, template, beside=sales)
    with run.progress() as tell:
        flow = SalesOptions(sales, platform, shop, mapping, currency).read(tell, run.clock.now_utc())
        tell("fitting", 0, None)
        if flow is None:
            done = run.book.underwriting.fit(
                end, name=called, version=version, template=base, first=start, progress=tell
            )
        else:
            from microloan.underwriting.fitting import fit_until

            done = fit_until(
                flow.lines, base, end, name=called, version=version, currency=flow.currency, first=start
            )
    write_new(out, lambda stream: stream.write(done.fitted.text))
    values = _fitted_values(done, base, out)
    if flow is not None:
        values["rejected"] = flow.rejected
    return Answer(values, _fitted_blocks(View(run.messages), values))


def _fitted_values(done: Any, template: Policy, out: Path) -> dict[str, Any]:
    fitted, later = done.fitted, done.out_of_time
    values: dict[str, Any] = {
        "policy": f"{fitted.policy.name} v{fitted.policy.version}", "sha256": fitted.policy.sha256, "file": str(out),
        "template": f"{template.name} v{template.version}", "until": str(done.until),
        "covered_until": str(done.covered_until), "cases": fitted.cases,
        "bad": fitted.bad, "shops": fitted.shops, "first": str(fitted.days[0]), "last": str(fitted.days[-1]),
        "auc_validated": _auc(fitted.auc_validated), "auc_fitted": _auc(fitted.auc_fitted),
        "test_first": None, "test_last": None, "test_cases": None, "test_bad": None, "auc_later": None,
        "auc_template": None,
        "characteristics": [_characteristic(table) for table in fitted.tables],
        "dropped": [{"feature": feature, "reason": reason} for feature, reason in fitted.dropped],
    }  # fmt: skip
    if later is not None:
        values |= {
            "test_first": str(later.days[0]), "test_last": str(later.days[-1]), "test_cases": later.cases,
            "test_bad": later.bad, "auc_later": _auc(later.auc), "auc_template": _auc(later.auc_template),
        }  # fmt: skip
    return values


def _characteristic(table: Any) -> dict[str, Any]:
    points = [each.points for each in table.bins]
    return {
        "feature": table.feature, "information": f"{table.information:.4f}", "weight": f"{table.weight:.2f}",
        "bins": len(points), "points_range": f"{min(points)} … {max(points)}",
    }  # fmt: skip


def _auc(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"


def _fitted_blocks(view: View, values: dict[str, Any]) -> tuple[Block, ...]:
    rows = [
        {**each, "feature": view.word("feature_name", each["feature"])} for each in values["characteristics"]
    ]
    blocks: tuple[Block, ...] = (
        view.facts("fitted", values, FITTED),
        view.table("characteristics", rows, CHARACTERISTICS),
    )
    if values["auc_later"] is None:
        blocks = (*blocks, view.note("fit.untested"))
    return (*blocks, view.note("next.propose", "dim", file=values["file"]))
