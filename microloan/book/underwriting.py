"""Deciding on merchants: from the sales in the book to stored decisions, offers and reviews of limits.

A decision is made on the flow as it stood at a revision and by an approved version of a policy; both are kept with it, so that it
can be made again to the fen. What follows from a decision made for the open business day:

=============  ===========================  ==========================================================
outcome        without a live facility      with a live facility (a review of its limit)
=============  ===========================  ==========================================================
approved       ``offer``: one open offer    ``raise``, ``lower`` or ``keep``: limits set as decided
declined       ``none``                     ``freeze``: no new draws; running loans go on
manual_review  ``review``: a person looks   ``review``: the limit stays until the person has looked
=============  ===========================  ==========================================================

A frozen facility stays frozen whatever is decided. A decision for a past day is a ``what_if``: it is stored, nothing follows.

Source: SEMANTICS 8.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ..days import parse_date
from ..errors import (
    BadInput,
    EventRefused,
    IdempotencyConflict,
    IntegrityBroken,
    InvalidDate,
)
from ..intake.sales import silent
from ..money import amount_text, positive_minor, to_major
from ..products import Product
from ..servicing.facility import limit_on
from ..store import decisions as store
from ..store import sales
from ..store.chain import canonical_json, sha256
from ..store.lending import Row
from ..store.unit import Unit
from ..underwriting import Decision, Policy, decide, decide_many, from_json, to_values
from ..underwriting import rerun as decide_again
from ..underwriting.own_buyers import without_own_buyers
from . import facilities, four_eyes, offers, products
from .applicants import (
    MERCHANTS_AT_ONCE,
    Case,
    cases_of,
    flow_of,
    know_own_buyers,
    next_merchants,
    parts_of,
)
from .desk import Desk, amount_key
from .history import history_of
from .merchants import find_shop, merchant_of
from .policies import PRODUCT, SHIPPED, Policies, policy_in_force, register_shipped_policy, stored_policy

if TYPE_CHECKING:
    from ..underwriting.backtest import BackTest, Preset
    from ..underwriting.fitting import FittedUntil

__all__ = [
    "DecisionRecord",
    "Explanation",
    "Rerun",
    "Review",
    "RunReport",
    "Underwriting",
    "register_shipped_policy",
]


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A stored decision and what followed from it. Amounts in major units; rates None where there is no grade.

    ``reasons`` are mappings ``{code, en, zh, values}``; ``revision`` is the data cut-off; ``shop_id`` is the merchant's only
    shop, or the merchant where it has several.
    """

    id: str
    run_id: str
    shop_id: str
    merchant_id: str
    shop_ids: tuple[str, ...]
    as_of: date
    cut_off: date
    outcome: str
    score: int | None
    probability: Decimal | None
    grade: str | None
    limit: Decimal
    currency: str
    daily_rate: Decimal | None
    yearly_rate: Decimal | None
    seasonal_limit: Decimal
    seasonal_until: date | None
    reasons: tuple[Mapping[str, Any], ...]
    policy: str
    policy_version: int
    policy_sha256: str
    action: str
    offer_id: str | None
    facility_id: str | None
    revision: int
    decided_by: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why: the decision with its waterfall, score points, feature snapshot and findings, as plain JSON values."""

    decision: DecisionRecord
    waterfall: tuple[Mapping[str, Any], ...]
    points: tuple[Mapping[str, Any], ...]
    features: Mapping[str, Any]
    findings: tuple[Mapping[str, Any], ...]
    applicant: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run over many merchants: how many decisions have which outcome. The decisions: ``underwriting.decisions(run_id)``."""

    run_id: str
    as_of: date
    policy: str
    policy_version: int
    counts: Mapping[str, int]
    decided: int
    replayed: bool = False

    @property
    def id(self) -> str:
        """The run's id."""
        return self.run_id


@dataclass(frozen=True, slots=True)
class Rerun:
    """A stored decision made again: whether the snapshot, and the sales lines of its revision, give the same."""

    decision_id: str
    from_snapshot: bool
    from_lines: bool
    limit: Decimal
    limit_again: Decimal

    @property
    def same(self) -> bool:
        """Both gave the very decision that is stored."""
        return self.from_snapshot and self.from_lines


@dataclass(frozen=True, slots=True)
class Review:
    """A decision that waits, or waited, for a person."""

    decision_id: str
    merchant_id: str
    status: str
    opened_at: datetime
    limit: Decimal
    reasons: tuple[str, ...]
    answered_by: str | None
    note: str
    offer_id: str | None
    replayed: bool = False


class Underwriting:
    """Policies and decisions of a book."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.policies = Policies(desk)

    def run(
        self,
        shop_or_merchant: str,
        policy: Policy | str | None = None,
        as_of: date | str | None = None,
        *,
        asked: object = None,
        idempotency_key: str | None = None,
    ) -> DecisionRecord:
        """Decide on one merchant, named by its id or by a shop (``platform:shop`` where several platforms have the id).

        All its shops are added up. *policy*: a name, or an approved policy; *as_of*: the open business day, or one before it
        (then nothing follows). *asked*: the limit the merchant asked for, in major units: where less can be granted the
        offer says so (``counter_offer``). Raises NotFound, Refused (policy_not_approved), InvalidDate for a day to come,
        InvalidAmount.

        *Source:* SEMANTICS 8.
        """
        request = {"shop": shop_or_merchant, "policy": _policy_key(policy), "as_of": as_of and str(as_of)}
        if asked is not None:
            request["asked"] = amount_key(asked, "asked")

        def act(unit: Unit) -> DecisionRecord:
            frame = _frame(unit, policy, as_of)
            minor = None if asked is None else positive_minor(asked, unit.book.currency, "asked")
            found = _judge(unit, [merchant_of(unit, shop_or_merchant)], frame, minor)
            return _record(unit, frame, found, run="")[0]

        return self._desk.command("underwrite", request, act, DecisionRecord, key=idempotency_key)

    def run_all(
        self,
        policy: Policy | str | None = None,
        as_of: date | str | None = None,
        *,
        only: Iterable[str] | None = None,
        progress: Any = None,
        idempotency_key: str | None = None,
    ) -> RunReport:
        """Decide on every merchant with a shop in the book (or *only* on these shops and merchants), some hundreds at a time.

        Memory stays bounded: decisions are stored as they are made, read them with :meth:`decisions`. Interrupted and
        started again under the same key, the run goes on where it stopped. *progress* is told
        ``("underwriting", merchants done, of how many)``. Raises NotFound, Refused (policy_not_approved), InvalidDate.
        """
        chosen = None if only is None else tuple(only)
        request = {"policy": _policy_key(policy), "as_of": as_of and str(as_of), "only": chosen}
        row = self._desk.write(lambda unit: _start(unit, request, policy, as_of, idempotency_key))
        if row.status == "done":
            return replace(self._desk.read(lambda unit: _report(unit, row)), replayed=True)
        decided = _frozen(row)
        done, total = 0, self._desk.read(lambda unit: _count(unit, chosen))
        for merchants in self._chunks(chosen):
            self._decide(merchants, row, decided)
            done += len(merchants)
            if progress:
                progress("underwriting", done, total)
        return self._desk.command(
            "underwrite.all", request, lambda unit: _finish(unit, row), RunReport, key=idempotency_key
        )

    def _decide(self, merchants: list[str], row: Row, decided: _Wanted) -> None:
        """Read and decide without holding the write lock, then store."""

        def look(unit: Unit) -> tuple[_Frame, list[_Judged]] | None:
            known = store.decided_in(unit, row.id, merchants)
            todo = [merchant for merchant in merchants if merchant not in known]
            frame = _frame(unit, stored_policy(unit, *decided.policy), decided.as_of)
            return (frame, _judge(unit, todo, frame)) if todo else None

        found = self._desk.read(look)
        if found is not None:
            self._desk.write(lambda unit: _record(unit, *found, run=row.id))

    def _chunks(self, chosen: tuple[str, ...] | None) -> Iterator[list[str]]:
        if chosen is not None:
            merchants = self._desk.read(lambda unit: sorted({merchant_of(unit, name) for name in chosen}))
            for at in range(0, len(merchants), MERCHANTS_AT_ONCE):
                yield merchants[at : at + MERCHANTS_AT_ONCE]
            return
        last = 0
        while True:
            after = last
            merchants, last = self._desk.read(lambda unit: next_merchants(unit, after))  # noqa: B023 - read at once
            if last == after:
                return
            yield merchants

    def decisions(self, run_id: str) -> Iterator[DecisionRecord]:
        """The decisions of a run, by merchant, read some hundreds at a time. Raises NotFound."""
        self._desk.read(lambda unit: store.run_row(unit, run_id))
        last = ""
        while True:
            after = last
            rows = self._desk.read(lambda unit: store.run_decisions(unit, run_id, after, 500))  # noqa: B023 - read at once
            if not rows:
                return
            yield from map(_view, rows)
            last = rows[-1].merchant

    def decision(self, decision_id: str) -> DecisionRecord:
        """A stored decision. Raises NotFound."""
        return self._desk.read(lambda unit: _view(store.decision_row(unit, decision_id)))

    def history(self, shop_or_merchant: str) -> tuple[DecisionRecord, ...]:
        """The decisions on a merchant, newest first. Raises NotFound."""
        return self._desk.read(
            lambda unit: tuple(map(_view, store.history(unit, merchant_of(unit, shop_or_merchant))))
        )

    def explain(self, decision_id: str) -> Explanation:
        """A decision with its waterfall, score points, features, findings. Raises NotFound."""
        return self._desk.read(lambda unit: _explanation(store.decision_row(unit, decision_id)))

    def rerun(self, decision_id: str) -> Rerun:
        """Make a stored decision again: from its snapshot, and from the sales lines as they stood at its revision.

        Raises NotFound, IntegrityBroken when what is stored was altered.
        """
        return self._desk.read(lambda unit: _again(unit, store.decision_row(unit, decision_id)))

    def features(self, shop_or_merchant: str, as_of: date | str | None = None) -> Mapping[str, Any]:
        """The features of a merchant as the active policy sees them, by name; see ``microloan.DEFINITIONS`` for units."""

        def look(unit: Unit) -> Mapping[str, Any]:
            frame = _frame(unit, None, as_of)
            judged = _judge(unit, [merchant_of(unit, shop_or_merchant)], frame)[0]
            return dict(judged.decision.snapshot.row)

        return self._desk.read(look)

    # --- policies over the book's history ----------------------------------------------------------------------------

    def backtest(
        self,
        policy: Policy | str,
        first: date,
        last: date,
        *,
        against: Policy | str | None = None,
        product: str = PRODUCT,
        presets: Sequence[Preset] | None = None,
        progress: Any = None,
    ) -> BackTest:
        """Decide every merchant of the book monthly from *first* to *last* with the knowledge of each day, and look what came.

        *policy* and *against*: policies, or names of versions on file (``marketplace``, ``marketplace@2``), approved or not;
        limits are held to the smallest and largest of *product*. The sales of the whole book are held in memory, about 150
        bytes a line. *progress* is told ``(stage, done, of how many)``. Nothing is stored. Raises NotFound, BadInput.

        *Source:* SEMANTICS 8, back-test; :func:`microloan.underwriting.backtest.backtest` says what is measured.
        """
        from ..underwriting.backtest import backtest

        tell = progress or silent
        chosen = self._policy(policy)
        known = history_of(self._desk, chosen, product, tell)
        return backtest(
            known.lines, chosen, first, last, against=None if against is None else self._policy(against),
            currency=known.currency, merchant_of=known.merchant_of, applicants=known.applicants, presets=presets,
            progress=lambda done, months: tell("backtesting", done, months),
        )  # fmt: skip

    def fit(
        self,
        until: date,
        *,
        name: str,
        version: int = 1,
        template: Policy | str = SHIPPED,
        first: date | None = None,
        progress: Any = None,
    ) -> FittedUntil:
        """Fit a scorecard on what became of the book's merchants by *until*, and test it on the days from then on.

        Nothing is stored: write ``fitted.text`` to a file, look at it, and propose it. Needs the extra ``fit``. Raises
        NotFound, and BadInput where the cases are too few.
        """
        from ..underwriting.fitting import fit_until

        chosen = self._policy(template)
        known = history_of(self._desk, chosen, PRODUCT, progress or silent)
        lines = known.lines.grouped(known.merchant_of)
        return fit_until(
            lines, chosen, until, name=name, version=version, currency=known.currency, first=first
        )

    def _policy(self, policy: Policy | str) -> Policy:
        return policy if isinstance(policy, Policy) else self.policies.named(policy)

    # --- reviews by a person -----------------------------------------------------------------------------------------

    def reviews(self, status: str | None = "open") -> tuple[Review, ...]:
        """Decisions that wait for a person (or with another status; None: all), oldest first."""
        return self._desk.read(lambda unit: tuple(_review(unit, row) for row in store.reviews(unit, status)))

    def approve_review(
        self, decision_id: str, *, limit: object = None, note: str = "", idempotency_key: str | None = None
    ) -> Review:
        """Grant what the decision worked out, or a lower *limit* (major units): an offer, or the live facility's limit.

        Raises NotFound, EventRefused when it is answered already or grants more than was worked out, FourEyesRequired.
        """
        request = {"decision": decision_id, "limit": limit and str(limit), "note": note}
        return self._desk.command(
            "review.approve", request, lambda unit: _approve(unit, decision_id, limit, note), Review,
            key=idempotency_key, subject=decision_id,
        )  # fmt: skip

    def decline_review(
        self, decision_id: str, *, note: str = "", idempotency_key: str | None = None
    ) -> Review:
        """Say no. Raises NotFound, EventRefused when it is answered already."""

        def act(unit: Unit) -> Review:
            row = _open_review(unit, decision_id)
            store.answer_review(unit, row, "declined", note, None)
            return _review(unit, store.review_row(unit, decision_id))

        request = {"decision": decision_id, "note": note}
        return self._desk.command(
            "review.decline", request, act, Review, key=idempotency_key, subject=decision_id
        )


# --- judging ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Frame:
    """By what and for when is decided: the policy, the product, the day, the revision, and whether anything follows."""

    policy: Policy
    product: Product
    as_of: date
    today: date
    revision: int

    @property
    def acts(self) -> bool:
        """Whether something follows: only from what is decided for the open business day."""
        return self.as_of == self.today


@dataclass(frozen=True)
class _Judged:
    case: Case
    decision: Decision


@dataclass(frozen=True)
class _Wanted:
    """What a run fixed when it began."""

    policy: tuple[str, int]
    as_of: date


def _policy_key(policy: Policy | str | None) -> str | None:
    return policy.sha256 if isinstance(policy, Policy) else policy


def _frame(unit: Unit, policy: Policy | str | None, as_of: date | str | None) -> _Frame:
    today = unit.book_day()
    day = today if as_of is None else parse_date(as_of, "as_of")
    if day > today:
        raise InvalidDate(field="as_of", value=str(day), reason=f"the book's business day is {today}")
    chosen = policy_in_force(unit, policy, day)
    return _Frame(chosen, products.active(unit, PRODUCT), day, today, sales.revision(unit))


def _judge(
    unit: Unit, merchants: Sequence[str], frame: _Frame, asked_minor: int | None = None
) -> list[_Judged]:
    cases = cases_of(unit, merchants, frame.policy, frame.product, frame.as_of)
    for case in cases:
        case.applicant = replace(case.applicant, asked_minor=asked_minor)
    return _decided(unit, cases, frame)


def _decided(unit: Unit, cases: list[Case], frame: _Frame) -> list[_Judged]:
    """A decision on every case, some at a time so that no more than so many lines are held."""
    return [judged for part in parts_of(cases) for judged in _decided_at_once(unit, part, frame)]


def _decided_at_once(unit: Unit, cases: list[Case], frame: _Frame) -> Iterator[_Judged]:
    lines = flow_of(unit, cases, frame.as_of, frame.revision)
    know_own_buyers(unit, cases, lines)
    applicants = {case.merchant: case.applicant for case in cases}
    merchants = {name: case.merchant for case in cases for name in case.names}
    own_buyers = {name: case.applicant.own_buyers for case in cases for name in case.names}
    found = decide_many(
        without_own_buyers(lines, own_buyers), frame.policy, as_of=frame.as_of, currency=unit.book.currency,
        merchant_of=merchants, applicants=applicants,
    )  # fmt: skip
    decisions = {each.merchant_id: each for each in found}
    for case in cases:
        made = decisions.get(case.merchant) or _without_sales(unit, case, frame)
        yield _Judged(case, replace(made, shop_ids=tuple(sorted(case.names))))


def _without_sales(unit: Unit, case: Case, frame: _Frame) -> Decision:
    return decide(
        [], frame.policy, as_of=frame.as_of, currency=unit.book.currency, merchant_id=case.merchant,
        applicant=case.applicant,
    )  # fmt: skip


# --- what follows ----------------------------------------------------------------------------------------------------


def _record(unit: Unit, frame: _Frame, found: list[_Judged], run: str) -> list[DecisionRecord]:
    """Store decisions and let follow what follows, merchant by merchant in a fixed order."""
    known = store.decided_in(unit, run, [each.case.merchant for each in found]) if run else set()
    fresh = sorted(
        (each for each in found if each.case.merchant not in known), key=lambda each: each.case.merchant
    )
    rows = [_row(unit, frame, judged, run) for judged in fresh]
    live = store.live_facilities(unit, [row["merchant"] for row in rows]) if frame.acts else {}
    for row, judged in zip(rows, fresh, strict=True):
        if frame.acts:
            row |= _consequence(unit, judged.decision, row["id"], live.get(row["merchant"]))
    store.add_decisions(unit, rows)
    if frame.acts:
        _queue(unit, rows)
    return [_view(store.decision_row(unit, row["id"])) for row in rows] if not run else []


def _row(unit: Unit, frame: _Frame, judged: _Judged, run: str) -> dict[str, Any]:
    decision, bucket = judged.decision, unit.bucket_of(judged.case.merchant)
    body = decision.to_json()
    identifier = unit.new_id("dec", bucket)
    return {
        "tenant": unit.tenant, "bucket": bucket, "id": identifier, "run": run or identifier, "merchant": decision.merchant_id,
        "as_of": decision.as_of, "decided_on": frame.today, "revision": frame.revision, "policy": decision.policy_name,
        "policy_version": decision.policy_version, "policy_sha256": decision.policy_sha256, "outcome": decision.outcome,
        "limit_minor": decision.limit_minor, "currency": decision.currency, "action": "what_if", "offer": None,
        "facility": None, "body": body, "body_sha256": sha256(body), "decided_at": unit.now, "decided_by": unit.actor,
    }  # fmt: skip


def _consequence(unit: Unit, decision: Decision, decision_id: str, live: Row | None) -> dict[str, Any]:
    if decision.outcome == "manual_review":
        return {"action": "review", "facility": live.id if live is not None else None}
    if live is not None:
        return {"action": _review_facility(unit, decision, decision_id, live), "facility": live.id}
    if decision.outcome == "declined":
        return {"action": "none"}
    offer = _make_offer(unit, decision, decision_id, decision.limit_minor)
    return {"action": "offer", "offer": offer}


def _make_offer(unit: Unit, decision: Decision, decision_id: str, limit_minor: int) -> str:
    """An offer of the limit; the seasonal one comes with it unless a person granted less than was worked out."""
    seasonal = decision.seasonal if limit_minor == decision.limit_minor else None
    assert decision.rate is not None, "who may borrow has a grade, and a grade its rate"
    made = offers.make_offer(
        unit, merchant_id=decision.merchant_id, decision_id=decision_id, limit_minor=limit_minor, rate=decision.rate,
        product=PRODUCT, seasonal_limit_minor=seasonal.limit_minor if seasonal else 0,
        seasonal_until=seasonal.ends_on if seasonal else None,
    )  # fmt: skip
    return made.id


def _review_facility(unit: Unit, decision: Decision, decision_id: str, live: Row) -> str:
    """Set the limits of a live facility as decided, or freeze it; its running loans are never touched."""
    if decision.outcome == "declined":
        if live.status == "active":
            facilities.freeze(unit, live.id, f"{facilities.BY_DECISION}{decision_id}")
        return "freeze"
    return _set_limits(unit, live, decision.limit_minor, decision, decision_id)


def _set_limits(unit: Unit, live: Row, limit_minor: int, decision: Decision, decision_id: str) -> str:
    """The ordinary limit, and the seasonal one unless a person granted less than was worked out; what it comes to."""
    seasonal = decision.seasonal if limit_minor == decision.limit_minor else None
    extra, until = (seasonal.limit_minor, seasonal.ends_on) if seasonal else (0, None)
    if (limit_minor, extra, until) == (live.limit_minor, live.seasonal_limit_minor, live.seasonal_until):
        return "keep"
    facilities.review_limit(
        unit,
        live.id,
        limit_minor=limit_minor,
        seasonal_limit_minor=extra,
        seasonal_until=until,
        decision_id=decision_id,
    )
    before, after = (
        limit_on(facilities.line_of(live._mapping), unit.open_day(live.bucket)),
        limit_minor + extra,
    )
    return "keep" if before == after else "raise" if after > before else "lower"


def _queue(unit: Unit, rows: list[dict[str, Any]]) -> None:
    """A new decision ends what waited on the merchant; one that needs a person waits itself."""
    waiting = [row for row in rows if row["outcome"] == "manual_review"]
    store.replace_reviews(unit, [(row["bucket"], row["merchant"]) for row in rows], [
        {
            "tenant": unit.tenant, "bucket": row["bucket"], "decision": row["id"], "merchant": row["merchant"],
            "status": "open", "opened_at": unit.now, "answered_by": None, "answered_at": None, "note": "", "offer": None,
        }
        for row in waiting
    ])  # fmt: skip


# --- runs ------------------------------------------------------------------------------------------------------------


def _start(
    unit: Unit,
    request: dict[str, Any],
    policy: Policy | str | None,
    as_of: date | str | None,
    key: str | None,
) -> Row:
    frame = _frame(unit, policy, as_of)
    request_hash = sha256(canonical_json(request))
    row = store.start_run(unit, {
        "tenant": unit.tenant, "id": unit.new_id("run", 0), "key": key, "request_hash": request_hash,
        "policy": frame.policy.name, "policy_version": frame.policy.version, "as_of": frame.as_of, "status": "running",
        "started_by": unit.actor, "started_at": unit.now, "finished_at": None,
    })  # fmt: skip
    if row.request_hash != request_hash:
        raise IdempotencyConflict(key=key, operation="underwrite.all")
    return row


def _frozen(row: Row) -> _Wanted:
    return _Wanted((row.policy, row.policy_version), row.as_of)


def _count(unit: Unit, chosen: tuple[str, ...] | None) -> int:
    return sales.merchant_count(unit) if chosen is None else len(chosen)


def _finish(unit: Unit, row: Row) -> RunReport:
    store.finish_run(unit, row.id)
    return _report(unit, row)


def _report(unit: Unit, row: Row) -> RunReport:
    found = store.run_counts(unit, row.id)
    counts = {outcome: found.get(outcome, 0) for outcome in ("approved", "declined", "manual_review")}
    return RunReport(row.id, row.as_of, row.policy, row.policy_version, counts, sum(counts.values()))


# --- views -----------------------------------------------------------------------------------------------------------


def _view(row: Row) -> DecisionRecord:
    values = json.loads(row.body)
    seasonal = values["seasonal"]
    return DecisionRecord(
        id=row.id, run_id=row.run, shop_id=values["shop_id"], merchant_id=row.merchant, shop_ids=tuple(values["shop_ids"]),
        as_of=row.as_of, cut_off=date.fromisoformat(values["cut_off"]), outcome=row.outcome, score=values["score"],
        probability=_decimal(values["probability"]), grade=values["grade"], limit=to_major(row.limit_minor, row.currency),
        currency=row.currency, daily_rate=_decimal(values["daily_rate"]), yearly_rate=_decimal(values["yearly_rate"]),
        seasonal_limit=Decimal(seasonal["limit"]) if seasonal else to_major(0, row.currency),
        seasonal_until=date.fromisoformat(seasonal["ends_on"]) if seasonal else None, reasons=tuple(values["reasons"]),
        policy=row.policy, policy_version=row.policy_version, policy_sha256=row.policy_sha256, action=row.action,
        offer_id=row.offer, facility_id=row.facility, revision=row.revision, decided_by=row.decided_by,
    )  # fmt: skip


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _explanation(row: Row) -> Explanation:
    values = to_values(from_json(row.body))
    return Explanation(
        _view(row), tuple(values["waterfall"]), tuple(values["points"]), values["snapshot"]["features"],
        tuple(values["findings"]), values["applicant"],
    )  # fmt: skip


def underwrite_values(report: RunReport, decisions: Iterable[DecisionRecord]) -> dict[str, Any]:
    """The JSON document of ``underwrite``. *Source:* CONTRACT 1."""
    return {
        "run_id": report.run_id,
        "as_of": report.as_of.isoformat(),
        "policy": report.policy,
        "policy_version": report.policy_version,
        "counts": dict(report.counts),
        "decisions": [decision_values(each) for each in decisions],
    }


def alone_values(record: DecisionRecord) -> dict[str, Any]:
    """The same document for a decision made alone."""
    counts = {
        outcome: int(record.outcome == outcome) for outcome in ("approved", "declined", "manual_review")
    }
    run = RunReport(
        run_id="",
        as_of=record.as_of,
        policy=record.policy,
        policy_version=record.policy_version,
        counts=counts,
        decided=1,
    )
    return underwrite_values(run, [record])


def decision_values(record: DecisionRecord) -> dict[str, Any]:
    """One decision as plain JSON values. *Source:* CONTRACT 1."""
    plain = {
        name: getattr(record, name)
        for name in DecisionRecord.__dataclass_fields__
        if name not in ("replayed", "id")
    }
    shown = {name: _plain(value, name) for name, value in plain.items()}
    return {"decision_id": record.id, **shown}


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return value.isoformat()
    return [*value] if isinstance(value, tuple) else value


# --- again -----------------------------------------------------------------------------------------------------------


def _again(unit: Unit, row: Row) -> Rerun:
    if sha256(row.body) != row.body_sha256:
        raise IntegrityBroken(subject=row.id, reason="the stored decision is not what was written")
    stored = from_json(row.body)
    policy = stored_policy(unit, row.policy, row.policy_version)
    snapshot = decide_again(stored, policy)
    lines = _from_lines(unit, row, stored, policy)
    return Rerun(
        row.id, snapshot.to_json() == row.body, lines.to_json() == row.body, stored.limit,
        min(snapshot.limit, lines.limit, key=lambda limit: limit == stored.limit),
    )  # fmt: skip


def _from_lines(unit: Unit, row: Row, stored: Decision, policy: Policy) -> Decision:
    """The decision from the sales lines as they stood, of the shops and with the knowledge it was made with."""
    shops = [_shop_at(unit, name, row.revision) for name in stored.shop_ids]
    case = Case(stored.merchant_id, shops, stored.shop_ids, None, stored.applicant)
    frame = _Frame(policy, products.active(unit, PRODUCT), stored.as_of, row.decided_on, row.revision)
    return _decided(unit, [case], frame)[0].decision


def _shop_at(unit: Unit, name: str, revision: int) -> Row:
    """A shop as it was called then; an id that several platforms have today was that of the first of them."""
    try:
        return find_shop(unit, name)
    except BadInput:
        return sales.shops_called(unit, [name])[0]


# --- reviews ---------------------------------------------------------------------------------------------------------


def _open_review(unit: Unit, decision_id: str) -> Row:
    row = store.review_row(unit, decision_id)
    if row.status != "open":
        raise EventRefused(code="review_answered", subject=decision_id, reason=f"is {row.status} already")
    return row


def _approve(unit: Unit, decision_id: str, limit: object, note: str) -> Review:
    row = _open_review(unit, decision_id)
    made = store.decision_row(unit, decision_id)
    decision = from_json(made.body)
    granted = decision.limit_minor if limit is None else positive_minor(limit, decision.currency, "limit")
    _guard_approval(unit, made, decision, granted)
    live = store.live_facilities(unit, [decision.merchant_id]).get(decision.merchant_id)
    offer = None
    if live is None:
        offer = _make_offer(unit, decision, decision_id, granted)
    else:
        _set_limits(unit, live, granted, decision, decision_id)
    store.answer_review(unit, row, "approved", note, offer)
    return _review(unit, store.review_row(unit, decision_id))


def _guard_approval(unit: Unit, made: Row, decision: Decision, granted: int) -> None:
    if four_eyes.insists(unit):
        four_eyes.require_another(made.decided_by, unit.actor, f"review of {made.id}")
    if decision.rate is None or not decision.limit_minor:
        raise EventRefused(
            code="no_limit", subject=made.id, reason="the decision worked out no limit to grant"
        )
    if granted > decision.limit_minor:
        most = amount_text(decision.limit_minor, decision.currency)
        raise EventRefused(code="above_decision", subject=made.id, reason=f"grants at most {most}")


def _review(unit: Unit, row: Row) -> Review:
    made = store.decision_row(unit, row.decision)
    codes = tuple(str(reason["code"]) for reason in json.loads(made.body)["reasons"])
    return Review(
        row.decision, row.merchant, row.status, row.opened_at, to_major(made.limit_minor, made.currency), codes,
        row.answered_by, row.note, row.offer,
    )  # fmt: skip
