"""The main job end to end on bundled sales data, told as a story. Every figure comes out of the book it is told from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from microloan.days import parse_date

from .documents import document
from .loans import LEDGER
from .options import commands
from .render import Block, Note
from .run import Answer, Run
from .underwriting import DECISIONS, reasons_shown, waterfall
from .view import View, grouped

if TYPE_CHECKING:
    from microloan import LoanBook

OUTCOME = "outcome grade score limit seasonal_limit seasonal_until daily_rate yearly_rate"
BANK_RATE = "6%/year"
#: What the second, smaller draw of the story is for, when it is drawn, and on which odd days it is repaid.
BOXES, DRAWN_AFTER, PART_AFTER, REST_AFTER = "10000", 5, 22, 36
PART = "4000"
SHOWN_FEATURES = (
    "sales_30d",
    "sales_90d",
    "sales_365d",
    "typical_month",
    "volatility",
    "refund_rate",
    "buyers",
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    commands(app, {"demo": demo})


def demo(
    run: Run,
    principal: Annotated[
        str, typer.Option("--principal", metavar="AMOUNT", help="What the shop draws")
    ] = "300000",
    days: Annotated[int, typer.Option("--days", metavar="N", help="For how long")] = 90,
    sales: Annotated[
        Path | None,
        typer.Option("--sales", metavar="FILE", help="Another shop's order lines instead of the bundled"),
    ] = None,
    apply_on: Annotated[
        str | None,
        typer.Option("--day", metavar="YYYY-MM-DD", help="The day the shop applies, after its last sale"),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="FOLDER", help="Keep the book there, to look around in it"),
    ] = None,
) -> Answer:
    """The main job end to end on bundled sales data, in a fresh SQLite file: sales, limit, loan, interest, ledger.

    A fresh-seafood shop stocks up for 6.18. With --db the book is made there; else in a folder that is removed
    afterwards, unless --keep names one.

    Example:
      microloan demo
      microloan demo --principal 200000 --days 60 --keep demo-book
    """
    generate: Any = import_module(".fixtures.generate", __package__)
    plan = Plan(
        principal=principal,
        days=days,
        sales=sales or sample(f"sales/{generate.STORY_SHOP}.csv.gz"),
        others=None if sales else sample("sales/marketplace.csv.gz"),
        day=generate.DEMO_DAY if apply_on is None else parse_date(apply_on, "--day"),
    )
    with _place(run, keep) as url, _opened(run, url, plan) as book:
        story = Story(run, book, plan, url, kept=keep is not None or run.options.db_typed)
        for chapter in CHAPTERS:
            if not chapter(story):
                break
    return Answer(story.told)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the story is about: how much for how long, whose sales, from which day on."""

    principal: str
    days: int
    sales: Path
    others: Path | None
    day: date

    @property
    def maturity(self) -> date:
        """The day the money comes back."""
        return self.day + timedelta(days=self.days)


def sample(name: str) -> Path:
    """A bundled file."""
    from importlib.resources import files

    return Path(str(files("microloan_cli.fixtures").joinpath(name)))


@dataclass(frozen=True, slots=True)
class StoryClock:
    """Noon of one day: the story's days are over, so that all of them can be closed."""

    day: date

    def now_utc(self) -> datetime:
        """That noon."""
        return datetime.combine(self.day, time(4), UTC)


@contextmanager
def _place(run: Run, keep: Path | None) -> Iterator[str]:
    """Where the book lies: --db, a new folder that is kept, or one that vanishes."""
    import tempfile

    with ExitStack() as stack:
        if run.options.db_typed:
            yield run.options.db
        elif keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            yield f"sqlite:///{keep / 'demo.db'}"
        else:
            yield f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory(prefix='microloan-'))}/demo.db"


@contextmanager
def _opened(run: Run, url: str, plan: Plan) -> Iterator[LoanBook]:
    """A new book on the day the shop applies. Raises Refused where there is one already."""
    from microloan import LoanBook
    from microloan.errors import Refused

    clock = StoryClock(plan.maturity + timedelta(days=1))
    with LoanBook.open(url, tenant=run.options.tenant, clock=clock, actor=run.options.actor) as book:
        if not book.init(open_day=plan.day).created:
            raise Refused(
                code="book_exists",
                reason=f"there is a book at {_public(url)} already; the demo wants a fresh one",
            )
        yield book


def _public(url: str) -> str:
    """A database URL without its password."""
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", url)


@dataclass
class Story:
    """The book, the plan, and what has been told so far."""

    run: Run
    book: LoanBook
    plan: Plan
    url: str
    kept: bool
    told: dict[str, Any] = field(default_factory=dict)
    chapter: int = 0
    typing: bool = False

    @property
    def view(self) -> View:
        """Blocks in the language of the run."""
        return View(self.run.messages)

    def heading(self, key: str, **fields: Any) -> None:
        """Begin a chapter with its sentence."""
        self.chapter += 1
        title = self.run.messages.text(f"demo.{key}.title", **fields)
        self.say(Note(f"{self.chapter}  {title}", "bold"), self.prose(f"demo.{key}", **fields))

    def prose(self, key: str, **fields: Any) -> Note:
        """A sentence or two."""
        return Note(self.run.messages.text(key, **fields), prose=True)

    def command(self, line: str) -> None:
        """The line that does by hand what is said next; it stands there while the work goes on."""
        self._tell((Note(f"  $ microloan {line}", "cyan"),), end="")
        self.typing = True

    def say(self, *blocks: Block) -> None:
        """Tell it now; with --json the figures are told at the end instead."""
        self._tell(blocks, start="\n" if self.typing else "")
        self.typing = False

    def _tell(self, blocks: tuple[Block, ...], start: str = "", end: str = "\n") -> None:
        if not self.run.options.json:
            self.run.tell(blocks, start, end)

    def close_to(self, last: date) -> None:
        """Close every day up to *last*, with a progress bar."""
        self.command(f"eod --to {last}")
        with self.run.progress() as advance:
            self.book.close_day(
                to=last, progress=lambda day, done, total: advance(day.isoformat(), done, total)
            )


# -- chapters: each tells one thing; False ends the story --------------------------------------------------------------


def its_sales(story: Story) -> bool:
    """The sales file goes into the book, and the features say what is in it."""
    story.heading("sales", day=story.plan.day)
    story.command(f"init --open-day {story.plan.day}")
    story.command(f"sales import {story.plan.sales.name}")
    with story.run.progress() as advance:
        report = story.book.sales.load(story.plan.sales, progress=advance)
    story.told["sales"] = values = document(report)
    story.say(story.view.facts("import", values, "accepted rejected first_day last_day"))
    story.told["shop_id"] = shop = story.book.merchants.list()[0].id
    story.command(f"features {shop}")
    story.say(_features(story, shop))
    return True


def _features(story: Story, shop: str) -> Block:
    from microloan.underwriting import DEFINITIONS

    from .underwriting import feature, feature_cell

    found = story.book.underwriting.features(shop)
    rows = [feature(story.run, DEFINITIONS[name], value, "CNY") for name, value in found.items()]
    story.told["features"] = {row["feature"]: row["value"] for row in rows}
    shown = [{**row, "value": feature_cell(row)} for row in rows if row["feature"] in SHOWN_FEATURES]
    return story.view.table("features", shown, "feature value unit")


def the_decision(story: Story) -> bool:
    """The decision with its waterfall; without a limit the story ends here."""
    story.heading("decision")
    shop = story.told["shop_id"]
    story.command(f"underwrite {shop}")
    decision = story.book.underwrite(shop)
    why = document(story.book.explain(decision.id))
    story.told["decision"] = values = {**document(decision, "decision"), "waterfall": why["waterfall"]}
    story.command(f"explain {decision.id}")
    story.say(waterfall(story.view, values), reasons_shown(story.view, values), _outcome(story, values))
    if decision.offer_id is None:
        story.say(story.prose("demo.no_offer", outcome=story.view.word("outcome", decision.outcome)))
        return False
    total = decision.limit + decision.seasonal_limit
    story.say(story.prose("demo.covers", total=f"{total:,}", principal=grouped(story.plan.principal)))
    return True


def _outcome(story: Story, values: dict[str, Any]) -> Block:
    return story.view.facts("", values, OUTCOME)


def the_signature(story: Story) -> bool:
    """The exact contract text is signed by its hash."""
    offer = story.told["decision"]["offer_id"]
    contract = story.book.contract(offer)
    story.heading("sign", lines=len(contract.text.splitlines()))
    story.command(f"offer show {offer} --contract")
    story.command(f"facility sign {offer} --signer OWNER --sha256 {contract.sha256}")
    facility = story.book.sign(offer, signer="owner", contract_sha256=contract.sha256)
    story.told["facility"] = values = document(facility, "facility")
    story.say(
        story.view.facts(
            "facility", values, "id status limit seasonal_limit seasonal_until available valid_until"
        )
    )
    return True


def the_draw(story: Story) -> bool:
    """The money goes out, and what it will cost beside a bank's loan."""
    plan, facility = story.plan, story.told["facility"]["id"]
    story.heading("draw", principal=grouped(plan.principal), days=plan.days)
    story.command(f"draw {facility} {plan.principal} --days {plan.days}")
    drawn = story.book.draw(facility, plan.principal, days=plan.days)
    story.command(f"payout confirm {drawn.loan_id}")
    story.book.confirm_payout(drawn.loan_id)
    story.told["loan_id"], story.told["draw"] = drawn.loan_id, document(drawn)
    story.told["quote"] = values = _quote(story)
    story.say(
        story.view.facts("drawdown", story.told["draw"], "loan_id principal daily_rate yearly_rate available")
    )
    story.say(story.view.facts("quote", values, "interest total simple_yearly_cost"))
    story.say(story.view.facts("bank", values, "bank_rate bank_interest"))
    return True


def _quote(story: Story) -> dict[str, Any]:
    from microloan import quote

    plan, rate = story.plan, story.book.offer(story.told["decision"]["offer_id"]).rate
    return quote(plan.principal, rate, days=plan.days, start=plan.day, compare_bank_rate=BANK_RATE).as_json()


def odd_days(story: Story) -> bool:
    """A smaller draw comes back on odd days, in two parts, with interest to the day."""
    plan, room = story.plan, story.book.facility(story.told["facility"]["id"]).available
    if room < int(BOXES) or plan.days <= REST_AFTER:
        return True
    story.heading("odd", amount=grouped(BOXES), after=DRAWN_AFTER)
    story.close_to(plan.day + timedelta(days=DRAWN_AFTER - 1))
    small = story.book.draw(story.told["facility"]["id"], BOXES, days=60, confirm=True)
    story.command(f"draw {small.facility_id} {BOXES} --days 60 --confirm")
    receipts = []
    for after, amount in ((PART_AFTER, PART), (REST_AFTER, "all")):
        story.close_to(plan.day + timedelta(days=after - 1))
        story.command(f"repay {small.loan_id} {'--all' if amount == 'all' else amount}")
        receipts.append(document(story.book.repay(small.loan_id, amount)))
    story.told["odd_days"] = receipts
    story.say(story.view.table("receipts", receipts, "value_date amount interest principal"))
    return True


def the_maturity(story: Story) -> bool:
    """The nights pass, the loan is paid off, and the interest is what was quoted."""
    plan, loan = story.plan, story.told["loan_id"]
    story.heading("maturity", days=plan.days, maturity=plan.maturity)
    story.close_to(plan.maturity - timedelta(days=1))
    story.told["payoff"] = document(story.book.payoff(loan))
    story.command(f"repay {loan} --all")
    story.told["receipt"] = values = document(story.book.repay(loan, "all"))
    story.told["ledger"] = [document(line) for line in story.book.ledger(loan)]
    story.say(story.view.facts("receipt", values, "amount interest principal"))
    story.say(story.view.table("ledger", story.told["ledger"], LEDGER))
    story.told |= {"interest": values["interest"], "bank_interest": story.told["quote"]["bank_interest"]}
    story.say(story.prose("demo.compare", **_comparison(story)))
    return True


def _comparison(story: Story) -> dict[str, str]:
    rate = story.view.cell("yearly_rate", story.told["quote"]["yearly_rate"])
    return {
        "interest": grouped(story.told["interest"]),
        "rate": rate,
        "bank": grouped(story.told["bank_interest"]),
        "bank_rate": story.view.cell("bank_rate", story.told["quote"]["bank_rate"]),
    }


def the_books(story: Story) -> bool:
    """The trial balance, and everything recomputed from the events."""
    story.heading("books")
    story.command("trial-balance")
    balance, report = story.book.trial_balance(), story.book.verify()
    story.told["trial_balance"] = document(balance)
    story.told["verify"] = {**document(report), "clean": report.clean}
    story.say(
        story.view.table(
            "trial_balance", story.told["trial_balance"]["accounts"], "account classification balance"
        )
    )
    story.command("verify")
    story.say(story.view.facts("verify", story.told["verify"], "facilities loans events journal_lines clean"))
    return True


def the_batch(story: Story) -> bool:
    """All bundled shops in one run, as of the day of the files."""
    from microloan.book.underwriting import underwrite_values

    if story.plan.others is None:
        return True
    story.book.sales.load(story.plan.others)
    story.heading("batch", day=story.plan.day, count=len(story.book.merchants.list()))
    story.command(f"sales import {story.plan.others.name}")
    story.command(f"underwrite --all --date {story.plan.day}")
    with story.run.progress() as advance:
        report = story.book.underwriting.run_all(as_of=story.plan.day, progress=advance)
    story.told["batch"] = values = underwrite_values(report, story.book.underwriting.decisions(report.run_id))
    story.say(decisions_table(story.view, values))
    return True


def decisions_table(view: View, values: dict[str, Any]) -> Block:
    """One line a shop."""
    from .underwriting import short_reasons

    rows = [{**row, "reasons": short_reasons(view, row["reasons"])} for row in values["decisions"]]
    return view.table("decisions", rows, DECISIONS)


def where_next(story: Story) -> bool:
    """What to type now, with one's own file."""
    story.heading("next")
    story.told["db"] = _public(story.url) if story.kept else None
    for line in (
        "init",
        "sales import orders.csv --platform mine",
        "underwrite --all",
        "offer list",
        "explain SHOP",
    ):
        story.command(f"{line} --db sqlite:///mine.db")
    story.say(story.prose("demo.columns"))
    if story.kept:
        story.say(story.view.note("demo.kept", db=_public(story.url)))
    else:
        story.say(story.prose("demo.gone"))
    return True


CHAPTERS = (
    its_sales,
    the_decision,
    the_signature,
    the_draw,
    odd_days,
    the_maturity,
    the_books,
    the_batch,
    where_next,
)
