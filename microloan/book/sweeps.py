"""Settlements of platforms (结算) and what sweep loans take of them.

A settlement of a shop is net = captures − refunds − chargebacks. Every running sweep loan of the shop's merchant takes its
share of the net, oldest loan first; where the shares together exceed the net, the youngest take what is left. Nothing is
taken of a net that is not above zero. A settlement of an unknown shop waits, and so does the share of a loan that refuses it,
such as a held one: the other loans take theirs, and the share is kept for it. The same file again tries again what waits.

Source: SEMANTICS 3 (sweep) and 9.14; CONTRACT 4 (settlements); where several loans share a settlement: house rule.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from ..errors import BadInput, EventRefused, InvalidDate, LoanDamaged, NotFound
from ..intake.cells import platform_code
from ..intake.sales import Progress, silent
from ..money import to_major
from ..servicing.events import Settled
from ..servicing.sweep import swept
from ..store import cash, lending
from ..store.unit import Unit, bucket_in
from ..terms import SweepTerms
from . import guarded
from .cash_files import CashReport, Cells, Layout, MoneyFile, layout_of, named, take_file, tried
from .desk import Desk
from .dossier import RUNNING, open_dossier, open_loan, refuse_unless
from .enquiries import loan_file
from .lives import parse_terms, stored
from .merchants import find_shop
from .payments import guard_running, value_day
from .requests import Operation, Payload, attended, command
from .results import Waiting
from .views import major

REQUIRED = ("settlement_id", "shop_id", "platform", "settled_on", "captures")
OPTIONAL = ("refunds", "chargebacks")
_FILE = MoneyFile("sweep.settlement", REQUIRED, OPTIONAL, recorded=(*REQUIRED, *OPTIONAL))
_CONTENT = ("shop", "settled_on", "captures_minor", "refunds_minor", "chargebacks_minor")


@dataclass(frozen=True, slots=True)
class KeptShare:
    """What is kept of a settlement for a loan that has not taken its share yet: a ``loan_id`` and an ``amount``."""

    loan_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Settlement:
    """A platform's settlement with a shop. ``status`` is ``waiting``, ``booked`` or ``nothing_to_sweep``, with the reason.

    ``taken`` is what loans have taken of ``net``, as their ledgers tell it today. Of one that waits, ``kept_for`` names the
    loans whose share is still to come, oldest first, and how much each is asked for.
    """

    platform: str
    settlement_id: str
    shop_id: str
    settled_on: date
    net: Decimal
    merchant_id: str
    status: str
    reason: str
    taken: Decimal
    kept_for: tuple[KeptShare, ...] = ()
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class SweepDay:
    """A platform's settlements of a day: ``asked`` is the loans' share of them, ``taken`` what stands in the ledgers.

    ``difference`` = asked − taken: a loan closed by less than its share, or a sweep that was reversed since. ``waiting_net`` is
    what is left of the net of settlements that wait.
    """

    settled_on: date
    platform: str
    settlements: int
    net: Decimal
    asked: Decimal
    taken: Decimal
    difference: Decimal
    waiting_net: Decimal


class Sweeps:
    """The book's settlements."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def load(self, file: Path | str, *, layout: Layout = None, progress: Progress = silent) -> CashReport:
        """Take in a settlement file (CONTRACT 4), each row once. Raises InvalidFile."""
        how = layout_of(layout)

        def take(unit: Unit, cells: Cells) -> str:
            return _take(unit, _row(unit, cells, how))

        return take_file(self._desk, _FILE, file, how, take, progress)

    def list(
        self, status: str | None = None, first: date | None = None, last: date | None = None
    ) -> tuple[Settlement, ...]:
        """Settlements by day."""

        return self._desk.read(
            lambda unit: settlement_views(unit, cash.settlements(unit, first, last, status))
        )

    def assign(
        self, platform: str, settlement_id: str, loan_id: str, *, idempotency_key: str | None = None
    ) -> Settlement | Waiting:
        """Sweep a waiting settlement for a loan a person names. Raises NotFound, EventRefused.

        Four eyes: one settled longer ago than the lender's days for back-dating waits for a second person.
        """
        settled_on = self._desk.read(lambda unit: _known(unit, platform, settlement_id).settled_on)
        payload = {
            "platform": platform,
            "settlement": settlement_id,
            "loan": loan_id,
            "value_date": str(settled_on),
        }
        return command(self._desk, ASSIGN_SETTLEMENT, payload, Settlement, key=idempotency_key)

    def reconcile(self, first: date | None = None, last: date | None = None) -> tuple[SweepDay, ...]:
        """What platforms settled, what was asked of loans, and what their ledgers hold, by day and platform."""
        return self._desk.read(lambda unit: _reconciled(unit, first, last))


def _row(unit: Unit, cells: Cells, how: Any) -> dict[str, Any]:
    currency = unit.book.currency
    if not cells["captures"]:
        raise BadInput(field="captures", value="", reason="is missing")
    amounts = {
        f"{name}_minor": how.minor(cells[name] or "0", currency, name)
        for name in ("captures", "refunds", "chargebacks")
    }
    below = next((name for name, minor in amounts.items() if minor < 0), None)
    if below is not None:
        name = below.removesuffix("_minor")
        raise BadInput(field=name, value=cells[name], reason="cannot be below zero")
    return {
        "tenant": unit.tenant,
        "platform": platform_code(named(cells, "platform")),
        "id": named(cells, "settlement_id"),
        "shop": named(cells, "shop_id"),
        "settled_on": how.day(cells["settled_on"], "settled_on"),
        **amounts,
        "merchant": "",
        "status": "waiting",
        "reason": "",
        "recorded_at": unit.now,
    }


def _take(unit: Unit, row: dict[str, Any]) -> str:
    """Claim a settlement, then sweep it; one that waits is tried again."""
    if not cash.claim_settlement(unit, row):
        known = cash.settlement(unit, row["platform"], row["id"])
        assert known is not None, "a settlement that could not be claimed is there"
        changed = [name for name in _CONTENT if getattr(known, name) != row[name]]
        refuse_unless(
            not changed,
            "settlement_changed",
            row["id"],
            f"is on file with another {', '.join(name.removesuffix('_minor') for name in changed)}",
        )
        if known.status != "waiting":
            return "duplicates"
    merchant, status, reason = _swept(unit, row)
    cash.set_settlement(unit, (row["platform"], row["id"]), merchant=merchant, status=status, reason=reason)
    return "waiting" if status == "waiting" else "accepted"


def _swept(unit: Unit, row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Merchant, status and reason after the attempt."""
    if row["settled_on"] > unit.book_day():
        raise InvalidDate(field="settled_on", value=str(row["settled_on"]), reason="lies after the open day")
    try:
        merchant = str(find_shop(unit, f"{row['platform']}:{row['shop']}").merchant)
    except NotFound:
        return "", "waiting", "unknown_shop"
    if _net(row) <= 0:
        return merchant, "nothing_to_sweep", "net_not_above_zero"
    for facility in cash.facilities_of(unit, merchant):
        open_dossier(unit, facility)  # locks it
    loans, taken = _sweep_loans(unit, merchant, row["settled_on"]), _taken_of(unit, row)
    if not loans and not taken:
        return merchant, "nothing_to_sweep", "no_sweep_loan"
    attending = unit
    if loans:
        payload = {"loan": loans[0].id, "value_date": str(row["settled_on"])}
        found = attended(unit, guarded.SETTLEMENT, payload)
        if found is None:
            return merchant, "waiting", "needs_second_person"
        attending = found
    reason = _sweep(attending, row, loans, taken)
    return merchant, "waiting" if reason else "booked", reason


def _net(row: Mapping[str, Any]) -> int:
    return int(row["captures_minor"] - row["refunds_minor"] - row["chargebacks_minor"])


def _sweep_loans(unit: Unit, merchant: str, day: date) -> list[lending.Row]:
    """The sweep loans of a merchant that run on a day, oldest first."""
    return sorted(
        (
            loan
            for facility in cash.facilities_of(unit, merchant)
            for loan in lending.loans_of(unit, bucket_in(facility, "facility"), facility)
            if loan.status in RUNNING and loan.start <= day and parse_terms(loan.terms).method == "sweep"
        ),
        key=lambda loan: (loan.start, loan.drawn_at, loan.id),
    )


def _taken_of(unit: Unit, row: Mapping[str, Any]) -> dict[str, int]:
    """What each loan that was asked before has taken of a settlement."""
    asked = cash.swept_of(unit, row["platform"], row["id"])
    taken = _taken(unit, sorted({one.loan for one in asked}))
    return _by_settlement(asked, taken)[row["platform"], row["id"]]


def _by_settlement(
    asked: Sequence[lending.Row], taken: Mapping[str, int]
) -> dict[tuple[str, str], dict[str, int]]:
    """By settlement (platform and id), what each loan that was asked has taken of it; nothing where nobody was."""
    by: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for one in asked:
        by[one.platform, one.settlement][one.loan] = taken.get(one.event, 0)
    return by


def _sweep(unit: Unit, row: Mapping[str, Any], loans: Sequence[lending.Row], taken: Mapping[str, int]) -> str:
    """Ask every loan for its share, oldest first; where shares exceed the net, the last get what is left.

    What a loan takes is no longer there for the next, and the share of one that refuses is kept for it. The first refusal's
    code, or nothing.
    """
    refusals = []

    def take(loan_id: str, offered: int, asked: int) -> int:
        took, refusal = tried(unit, partial(_book, unit, loan_id, row, offered, asked))
        refusals.append(refusal)
        return asked if took is None else took

    _ask(row, loans, taken, take)
    return next(filter(None, refusals), "")


def _kept(row: Mapping[str, Any], loans: Sequence[lending.Row], taken: Mapping[str, int]) -> dict[str, int]:
    """What is kept for each loan that has not taken its share yet, oldest first."""
    kept: dict[str, int] = {}

    def keep(loan_id: str, _offered: int, asked: int) -> int:
        kept[loan_id] = asked
        return asked

    _ask(row, loans, taken, keep)
    return kept


def _ask(
    row: Mapping[str, Any],
    loans: Sequence[lending.Row],
    taken: Mapping[str, int],
    take: Callable[[str, int, int], int],
) -> None:
    """Put its share to every loan that has not taken one; *take* is given loan, part of the net and share, and says what goes."""
    net = _net(row)
    left = net - sum(taken.values())
    for loan in loans:
        terms = parse_terms(loan.terms).sweep
        assert terms is not None, "a sweep loan has sweep terms"
        offered, asked = _offered(terms, net, left)
        if asked and loan.id not in taken:
            left -= take(loan.id, offered, asked)


def _offered(terms: SweepTerms, net: int, left: int) -> tuple[int, int]:
    """The part of the net a loan is asked for its share of, and that share, which is at most what is left.

    >>> half = SweepTerms(share="0.6")
    >>> _offered(half, 1000, 1000), _offered(half, 1000, 400)
    ((1000, 600), (666, 400))
    """
    if swept(terms, net) <= left:
        return net, swept(terms, net)
    part = left * terms.share.denominator // terms.share.numerator
    return part, swept(terms, part)


def _book(unit: Unit, loan_id: str, row: Mapping[str, Any], offered: int, asked: int) -> int:
    """Sweep one loan; what it took, which is less than its share where that closes it."""
    dossier, loan = open_loan(unit, loan_id)
    event = dossier.add(loan, Settled, value_day(dossier, row["settled_on"]), amount_minor=offered)
    after = dossier.settle(loan, loan.life.plus(event))
    dossier.write()
    cash.add_swept(unit, {
        "tenant": unit.tenant, "bucket": dossier.row["bucket"], "event": event.id, "loan": loan_id,
        "platform": row["platform"], "settlement": row["id"], "asked_minor": asked,
    })  # fmt: skip
    return next(line.split.total for line in after.ledger if line.id == event.id)


def _known(unit: Unit, platform: str, settlement_id: str, *, lock: bool = False) -> Any:
    known = cash.settlement(unit, platform.lower(), settlement_id, lock=lock)
    if known is None:
        raise NotFound(kind="settlement", id=f"{platform}:{settlement_id}"[:80])
    return known


def _assigned(unit: Unit, given: Payload) -> Settlement:
    settlement_id, loan_id = given["settlement"], given["loan"]
    known = _known(unit, given["platform"], settlement_id, lock=True)
    refuse_unless(known.status == "waiting", "settlement_done", settlement_id, f"is {known.status}")
    _, loan = open_loan(unit, loan_id)
    guard_running(loan, known.settled_on)
    terms = loan.life.terms
    if terms is None or terms.sweep is None:
        reason = "only a sweep loan takes settlements"
        raise EventRefused(code="not_a_sweep_loan", subject=loan_id, reason=reason)
    row, net = known._mapping, _net(known._mapping)
    refuse_unless(net > 0, "nothing_to_sweep", settlement_id, "its net is not above zero")
    taken = _taken_of(unit, row)
    refuse_unless(loan_id not in taken, "share_taken", settlement_id, f"{loan_id} has taken its share")
    offered, asked = _offered(terms.sweep, net, net - sum(taken.values()))
    if asked:
        _book(unit, loan_id, row, offered, asked)
    done = {"merchant": str(loan.row["merchant"]), "status": "booked", "reason": ""}
    cash.set_settlement(unit, (known.platform, known.id), **done)
    again = cash.settlement(unit, known.platform, known.id)
    (view,) = settlement_views(unit, [again])
    return view


ASSIGN_SETTLEMENT = Operation("sweep.assign", _assigned, always=False)


_loan_of = attrgetter("loan")


def settlement_views(unit: Unit, rows: Sequence[lending.Row]) -> tuple[Settlement, ...]:
    """Settlements as they are shown; each loan that was asked is replayed once.

    Of a damaged loan what it was asked for stands for what it took: one loan does not keep the others off the list.
    """
    asked = [one for row in rows for one in cash.swept_of(unit, row.platform, row.id)]
    events: dict[str, int] = {}
    for loan_id, of_loan in groupby(sorted(asked, key=_loan_of), key=_loan_of):
        try:
            events |= _taken(unit, [loan_id])
        except LoanDamaged:
            events |= {one.event: one.asked_minor for one in of_loan}
    taken = _by_settlement(asked, events)
    return tuple(_settlement_view(unit, row, taken[row.platform, row.id]) for row in rows)


def _settlement_view(unit: Unit, row: lending.Row, taken: Mapping[str, int]) -> Settlement:
    """A settlement with what loans have *taken* of it and what is kept for others."""
    fields, money = row._mapping, major(unit.book.currency)
    kept: dict[str, int] = {}
    if row.status == "waiting" and row.merchant and _net(fields) > 0:
        kept = _kept(fields, _sweep_loans(unit, row.merchant, row.settled_on), taken)
    return Settlement(
        platform=row.platform,
        settlement_id=row.id,
        shop_id=row.shop,
        settled_on=row.settled_on,
        net=money(_net(fields)),
        merchant_id=row.merchant,
        status=row.status,
        reason=row.reason,
        taken=money(sum(taken.values())),
        kept_for=tuple(KeptShare(loan_id, money(minor)) for loan_id, minor in kept.items()),
    )


# --- reconciliation --------------------------------------------------------------------------------------------------


def _reconciled(unit: Unit, first: date | None, last: date | None) -> tuple[SweepDay, ...]:
    totals: dict[tuple[date, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    waiting: set[tuple[str, str]] = set()
    for row in cash.settlements(unit, first, last):
        day = totals[row.settled_on, row.platform]
        net = _net(row._mapping)
        day["settlements"] += 1
        day["net"] += net
        if row.status == "waiting":
            day["waiting"] += net
            waiting.add((row.platform, row.id))
    asked = cash.swept(unit, first, last)
    taken = _taken(unit, sorted({row.loan for row in asked}))
    for row in asked:
        day = totals[row.settled_on, row.platform]
        day["asked"] += row.asked_minor
        day["taken"] += taken.get(row.event, 0)
        if (row.platform, row.settlement) in waiting:
            day["waiting"] -= taken.get(row.event, 0)
    return tuple(_sweep_day(unit, key, totals[key]) for key in sorted(totals))


def _taken(unit: Unit, loans: Sequence[str]) -> dict[str, int]:
    """What each settlement event took, as the loans' ledgers tell it today; a reversed one took nothing."""
    found: dict[str, int] = {}
    for loan_id in loans:
        file = loan_file(unit, loan_id)
        with stored(loan_id):
            ledger = file.life.life([unit.day_of(bucket_in(loan_id, "loan"))]).ledger
        for row in ledger:
            if row.kind == Settled.kind and row.reversed_by is None:
                found[row.id] = row.split.total
    return found


def _sweep_day(unit: Unit, key: tuple[date, str], of: Mapping[str, int]) -> SweepDay:
    def money(name: str) -> Decimal:
        return to_major(of.get(name, 0), unit.book.currency)

    difference = to_major(of.get("asked", 0) - of.get("taken", 0), unit.book.currency)
    return SweepDay(
        *key, of["settlements"], money("net"), money("asked"), money("taken"), difference, money("waiting")
    )
