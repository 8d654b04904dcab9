"""Decisions of a book: stored with their data cut-off, made again to the fen, followed by offers and reviews."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from microloan.book import applicants
from microloan.book import underwriting as underwriting_module
from microloan.book.loanbook import LoanBook
from microloan.book.underwriting import decision_values, underwrite_values
from microloan.errors import (
    EventRefused,
    FourEyesRequired,
    IdempotencyConflict,
    IntegrityBroken,
    InvalidAmount,
    InvalidDate,
    InvalidPolicy,
    NotFound,
    Refused,
)
from microloan.underwriting import Policy, shipped_policy
from tests.killing import child, ended

from .test_verification import behind_its_back

DAY = date(2024, 6, 1)
OLIST = Path(os.environ["MICROLOAN_OLIST"]) if "MICROLOAN_OLIST" in os.environ else (
    Path(__file__).parents[3] / "shared" / "data" / "olist" / "order_lines.csv.gz"
)  # fmt: skip


class Noon:
    """A clock that stands at noon of a day."""

    def __init__(self, day: date = DAY) -> None:
        self.day = day

    def now_utc(self) -> datetime:
        return datetime(self.day.year, self.day.month, self.day.day, 4, tzinfo=UTC)


class Going(Noon):
    """A clock that goes on by a second whenever it is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def now_utc(self) -> datetime:
        self.looks += 1
        return super().now_utc() + timedelta(seconds=self.looks)


@pytest.fixture
def going(database_url: str) -> Iterator[LoanBook]:
    """A book whose later decisions are made at later moments."""
    with LoanBook.open(database_url, clock=Going(), actor="ann") as made:
        made.init(open_day=DAY)
        yield made


@pytest.fixture
def book(database_url: str) -> Iterator[LoanBook]:
    with LoanBook.open(database_url, clock=Noon(), actor="ann") as made:
        made.init(open_day=DAY)
        yield made


def shop_rows(
    shop: str, *, days: int = 420, a_day: int = 3, amount: int = 300, last: date = DAY, seed: int = 1
) -> str:
    """A steady shop: so many orders a day of about so much, by many buyers, all settled a week later."""
    draw, rows = random.Random(f"{shop}{seed}"), []
    for back in range(days):
        day = last - timedelta(days=back)
        for number in range(a_day):
            minor = draw.randrange(50, 150) * amount
            settled = day + timedelta(days=7)
            told = settled if settled <= DAY else ""
            buyer = draw.randrange(5000)
            rows.append(f"{shop}-{day}-{number},{shop},{day},{minor},completed,{told},b{buyer}\n")
    return "".join(rows)


def load(book: LoanBook, folder: Path, *rows: str, platform: str = "jd", **options: Any) -> None:
    file = folder / f"orders-{len(list(folder.iterdir()))}.csv"
    file.write_text("order_id,shop_id,paid_at,amount_minor,status,settled_at,buyer_id\n" + "".join(rows))
    book.sales.load(file, platform=platform, **options)


# --- one decision ----------------------------------------------------------------------------------------------------


def test_a_steady_shop_gets_an_offer_of_the_limit_decided(book: LoanBook, tmp_path: Path) -> None:
    load(book, tmp_path, shop_rows("s1"))
    decision = book.underwrite("s1")
    assert (decision.outcome, decision.action, decision.merchant_id, decision.shop_ids) == (
        "approved",
        "offer",
        "s1",
        ("s1",),
    )
    assert decision.limit > 0
    offer = book.offer(decision.offer_id or "")
    assert (offer.limit, offer.daily_rate, offer.decision_id) == (
        decision.limit,
        decision.daily_rate,
        decision.id,
    )
    assert decision.yearly_rate == (decision.daily_rate or 0) * 365


def test_who_asks_for_more_than_can_be_granted_gets_a_counter_offer(book: LoanBook, tmp_path: Path) -> None:
    load(book, tmp_path, shop_rows("s1"), shop_rows("s2", days=200, last=DAY - timedelta(days=60)))
    limit = book.underwrite("s1").limit
    asked = book.underwrite("s1", asked=limit + 1)
    told = next(reason for reason in asked.reasons if reason["code"] == "counter_offer")
    assert (asked.outcome, asked.limit, book.offer(asked.offer_id or "").limit) == ("approved", limit, limit)
    assert told["values"] == {"asked": f"{limit + 1:.2f}", "limit": f"{limit:.2f}"}
    assert told["en"] != told["zh"]
    assert book.underwriting.rerun(asked.id).same

    def codes(decision: Any) -> set[str]:
        return {reason["code"] for reason in decision.reasons}

    assert "counter_offer" not in codes(book.underwrite("s1", asked=limit))
    declined = book.underwrite("s2", asked=1)
    assert (declined.outcome, "counter_offer" in codes(declined)) == ("declined", False)
    with pytest.raises(InvalidAmount):
        book.underwrite("s1", asked=0)


def test_a_decision_is_explained_from_raw_sales_to_the_limit(book: LoanBook, tmp_path: Path) -> None:
    load(book, tmp_path, shop_rows("s1"))
    decision = book.underwrite("s1")
    told = book.explain(decision.id)
    assert told.decision == decision
    steps = {step["step"]: step["value"] for step in told.waterfall}
    assert steps["limit"] == f"{decision.limit:f}"
    assert Decimal(steps["sales_received"]) > decision.limit
    assert told.features["tenure"] == 419
    assert book.underwriting.history("s1") == (decision,)


def test_a_shop_without_sales_is_declined_not_lost(book: LoanBook) -> None:
    book.merchants.add("m1", shops=["jd:s1"])
    decision = book.underwrite("m1")
    assert (decision.outcome, decision.limit, decision.action, decision.shop_ids) == (
        "declined",
        0,
        "none",
        ("s1",),
    )
    with pytest.raises(NotFound):
        book.underwrite("nobody")


def test_shops_of_one_merchant_are_added_up(book: LoanBook, tmp_path: Path) -> None:
    book.merchants.add("m1", shops=["jd:a", "tmall:b"])
    load(book, tmp_path, shop_rows("a"))
    load(book, tmp_path, shop_rows("b"), platform="tmall")
    together = book.underwrite("m1")
    assert together.shop_ids == ("a", "b")
    sales = book.explain(together.id).features["sales_30d"]
    parts = [
        Decimal(str(sum(line.amount for line in book.sales.lines(s, DAY - timedelta(days=29), DAY))))
        for s in ("a", "b")
    ]
    assert Decimal(sales) == sum(parts)


def test_a_policy_nobody_approved_decides_nothing(book: LoanBook, tmp_path: Path) -> None:
    load(book, tmp_path, shop_rows("s1"))
    other = Policy.from_canonical(shipped_policy().canonical.replace('"version":1', '"version":2', 1))
    with pytest.raises(Refused) as caught:
        book.underwrite("s1", policy=other)
    assert caught.value.code == "policy_not_approved"
    book.underwriting.policies.propose(other)
    with pytest.raises(Refused):
        book.underwrite("s1", policy=other)
    book.underwriting.policies.approve("marketplace", 2)
    assert book.underwrite("s1", policy=other).policy_version == 2
    assert book.underwrite("s1").policy_version == 2


def test_a_day_to_come_is_refused_and_for_a_past_one_nothing_follows(book: LoanBook, tmp_path: Path) -> None:
    load(book, tmp_path, shop_rows("s1"))
    with pytest.raises(InvalidDate):
        book.underwrite("s1", as_of=DAY + timedelta(days=1))
    past = book.underwrite("s1", as_of="2024-03-01")
    assert (past.action, past.offer_id, past.outcome) == ("what_if", None, "approved")
    assert book.offers() == ()


def test_a_stale_flow_goes_to_a_person_and_a_live_feed_does_not(book: LoanBook, tmp_path: Path) -> None:
    ended = DAY - timedelta(days=12)
    load(book, tmp_path, shop_rows("quiet", last=ended), shop_rows("other", last=ended))
    decision = book.underwrite("quiet")
    assert (decision.outcome, decision.action) == ("manual_review", "review")
    assert decision.reasons[0]["code"] == "data_stale"
    load(book, tmp_path, shop_rows("other", days=12), covers="platform")
    assert book.underwrite("quiet").outcome == "approved"


def test_the_platforms_word_on_a_shop_counts_from_its_day(book: LoanBook, tmp_path: Path) -> None:
    load(book, tmp_path, shop_rows("s1"))
    book.merchants.rate("s1", violations=50, rated_on="2024-05-20")
    assert book.underwrite("s1", as_of="2024-05-19").outcome == "approved"
    assert book.underwrite("s1").outcome == "declined"


def test_a_key_used_twice_decides_once(book: LoanBook, tmp_path: Path) -> None:
    load(book, tmp_path, shop_rows("s1"))
    first = book.underwrite("s1", idempotency_key="k")
    again = book.underwrite("s1", idempotency_key="k")
    assert again.replayed
    assert (again.id, again.limit, again.reasons) == (first.id, first.limit, first.reasons)
    with pytest.raises(IdempotencyConflict):
        book.underwrite("s1", as_of="2024-05-01", idempotency_key="k")


def test_whether_a_platform_reports_settlement_does_not_depend_on_who_is_read_together(
    book: LoanBook, tmp_path: Path
) -> None:
    """A shop that never settles is worth nothing on a platform that does, decided alone or with others."""
    never = "".join(
        row.rsplit(",", 2)[0] + ",," + row.rsplit(",", 1)[1] for row in shop_rows("never").splitlines(True)
    )
    load(book, tmp_path, shop_rows("s1"), never)
    alone = book.underwrite("never")
    run = book.underwriting.run_all()
    together = {each.merchant_id: each for each in book.underwriting.decisions(run.run_id)}["never"]
    assert alone.outcome == together.outcome == "declined"
    assert book.explain(alone.id).features == book.explain(together.id).features
    assert all("\0" not in each.merchant_id for each in book.underwriting.decisions(run.run_id))


# --- again -----------------------------------------------------------------------------------------------------------


def test_a_stored_decision_made_again_is_the_same_whatever_was_imported_since(
    book: LoanBook, tmp_path: Path
) -> None:
    load(book, tmp_path, shop_rows("s1"))
    decision = book.underwrite("s1")
    load(book, tmp_path, shop_rows("s1", seed=2, amount=100), shop_rows("s1", last=date(2023, 1, 1), days=30))
    load(book, tmp_path, shop_rows("s1"), platform="tmall")
    again = book.underwriting.rerun(decision.id)
    assert (again.same, again.limit_again) == (True, decision.limit)
    assert book.underwrite("jd:s1").limit != decision.limit


def test_a_stored_decision_that_was_altered_is_found(
    book: LoanBook, tmp_path: Path, database_url: str
) -> None:
    load(book, tmp_path, shop_rows("s1", days=200))
    decision = book.underwrite("s1")
    behind_its_back(database_url, "UPDATE ml_decision SET body = replace(body, 'completed', 'x') || ' '")
    with pytest.raises(IntegrityBroken):
        book.underwriting.rerun(decision.id)


# --- all of them -----------------------------------------------------------------------------------------------------


def test_a_run_decides_on_every_merchant_like_one_by_one(
    book: LoanBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applicants, "LINES_AT_ONCE", 1500)
    monkeypatch.setattr(applicants, "MERCHANTS_AT_ONCE", 2)
    monkeypatch.setattr(underwriting_module, "MERCHANTS_AT_ONCE", 2)
    load(book, tmp_path, *(shop_rows(f"s{n}", days=60 * n, amount=100 * n) for n in range(1, 7)))
    book.merchants.add("m1", shops=["jd:s2", "jd:s5"])
    seen: list[tuple[str, int, int]] = []
    run = book.underwriting.run_all(progress=lambda *step: seen.append(step))
    decisions = {each.merchant_id: each for each in book.underwriting.decisions(run.run_id)}
    assert sorted(decisions) == ["m1", "s1", "s3", "s4", "s6"]
    assert sum(run.counts.values()) == run.decided == 5
    assert seen[-1] == ("underwriting", 5, 5)
    for merchant, decision in decisions.items():
        alone = book.underwrite(merchant)
        assert (alone.limit, alone.outcome, alone.score) == (decision.limit, decision.outcome, decision.score)
        assert book.underwriting.rerun(decision.id).same
    assert len(book.offers(status="offered")) == run.counts["approved"]


def test_underwrite_in_json_has_the_shape_of_the_contract(book: LoanBook, tmp_path: Path) -> None:
    load(book, tmp_path, shop_rows("s1"), shop_rows("s2", days=30))
    run = book.underwriting.run_all(only=["s1"])
    document = underwrite_values(run, book.underwriting.decisions(run.run_id))
    assert set(document["counts"]) == {"approved", "declined", "manual_review"}
    assert {"as_of", "policy", "counts", "decisions"} <= set(document)
    (entry,) = document["decisions"]
    wanted = {
        "shop_id", "outcome", "score", "probability", "grade", "limit", "daily_rate", "yearly_rate", "reasons", "merchant_id",
        "shop_ids",
    }  # fmt: skip
    assert wanted <= set(entry)
    assert entry["limit"].count(".") == 1
    assert Decimal(entry["yearly_rate"]) == Decimal(entry["daily_rate"]) * 365
    assert decision_values(book.underwrite("s2"))["limit"] == "0.00"


def test_a_run_killed_at_any_statement_is_completed_under_its_key(sqlite_url: str, tmp_path: Path) -> None:
    """Source: RELIABILITY 1; under the same key the run goes on, and every merchant is decided on once."""
    with LoanBook.open(sqlite_url, clock=Noon(), actor="ann") as book:
        book.init(open_day=DAY)
        load(book, tmp_path, *(shop_rows(f"s{n}", days=120, a_day=2) for n in range(5)))
    place, step = 1, 3
    while True:
        status = ended(child(partial(_run_and_die, sqlite_url, f"k{place}", place)))
        with LoanBook.open(sqlite_url, clock=Noon(), actor="ann") as book:
            run = book.underwriting.run_all(idempotency_key=f"k{place}")
            assert run.decided == len(list(book.underwriting.decisions(run.run_id))) == 5
            assert len(book.offers(status="offered")) == run.counts["approved"]
        if status == 0:
            assert run.replayed
            return
        assert status == -signal.SIGKILL
        place += step


def _run_and_die(url: str, key: str, kill_at: int) -> None:
    done = 0

    def count(*_: object) -> None:
        nonlocal done
        done += 1
        if done == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "after_cursor_execute", count)
    event.listen(Engine, "commit", count)
    applicants.MERCHANTS_AT_ONCE = underwriting_module.MERCHANTS_AT_ONCE = 2
    with LoanBook.open(url, clock=Noon(), actor="ann") as book:
        book.underwriting.run_all(idempotency_key=key)


# --- live facilities -------------------------------------------------------------------------------------------------


def signed(book: LoanBook, shop: str) -> str:
    decision = book.underwrite(shop)
    assert decision.offer_id is not None
    contract = book.contract(decision.offer_id)
    return book.sign(decision.offer_id, signer="Li", contract_sha256=contract.sha256).id


def test_with_a_live_facility_a_decision_reviews_its_limit(book: LoanBook, tmp_path: Path) -> None:
    load(book, tmp_path, shop_rows("s1"))
    facility = signed(book, "s1")
    before = book.facility(facility).limit
    kept = book.underwrite("s1")
    assert (kept.action, kept.facility_id, kept.offer_id) == ("keep", facility, None)
    load(book, tmp_path, shop_rows("s1", amount=100))
    lower = book.underwrite("s1")
    assert (lower.action, book.facility(facility).limit) == ("lower", lower.limit)
    assert lower.limit < before
    load(book, tmp_path, shop_rows("s1", amount=400))
    higher = book.underwrite("s1")
    assert (higher.action, book.facility(facility).limit) == ("raise", higher.limit)
    book.merchants.rate("s1", violations=99)
    assert book.underwrite("s1").action == "freeze"
    assert book.facility(facility).status == "frozen"


def test_a_line_frozen_by_a_review_says_so_and_is_told_of_once_its_merchant_is_approved_again(
    going: LoanBook, tmp_path: Path
) -> None:
    load(going, tmp_path, shop_rows("s1"), shop_rows("s2"))
    facility, other = signed(going, "s1"), signed(going, "s2")
    going.freeze(other, "address unknown")
    assert going.underwrite("s2").outcome == "approved"
    going.merchants.rate("s1", violations=99)
    cause = going.underwrite("s1").id
    assert going.facility(facility).frozen_reason == f"decision {cause}"
    assert going.facility(other).frozen_reason == "address unknown"
    assert going.work("frozen")[0].tasks == ()
    going.merchants.rate("s1", violations=0)
    again = going.underwrite("s1")
    assert (again.outcome, going.facility(facility).status) == ("approved", "frozen")  # a person unfreezes
    (task,) = going.work("frozen")[0].tasks
    assert (task.subject, task.merchant_id, task.amount) == (facility, "s1", again.limit)
    assert task.note == f"approved_since: {again.id}"
    going.unfreeze(facility, "seen")
    assert going.work("frozen")[0].tasks == ()
    assert going.facility(facility).frozen_reason == ""


def test_a_person_who_grants_a_reviewed_limit_of_a_frozen_line_has_approved_it_too(
    going: LoanBook, tmp_path: Path
) -> None:
    load(going, tmp_path, shop_rows("s1"))
    facility = signed(going, "s1")
    going.merchants.rate("s1", violations=99)
    going.underwrite("s1")
    going.merchants.rate("s1", rating="2.5", violations=0)
    waiting = going.underwrite("s1")
    assert (waiting.outcome, going.work("frozen")[0].tasks) == ("manual_review", ())
    going.underwriting.approve_review(waiting.id)
    assert [task.subject for task in going.work("frozen")[0].tasks] == [facility]
    going.merchants.rate("s1", rating="2.5", violations=99)
    going.underwrite("s1")  # and declined once more
    assert going.work("frozen")[0].tasks == ()


def test_a_review_leaves_the_facilitys_own_balance_out(book: LoanBook, tmp_path: Path) -> None:
    load(book, tmp_path, shop_rows("s1"))
    facility = signed(book, "s1")
    book.draw(facility, book.facility(facility).limit, days=30, confirm=True)
    assert book.underwrite("s1").action == "keep"


def test_a_shop_whose_sales_carry_a_live_facility_is_not_given_away(book: LoanBook, tmp_path: Path) -> None:
    load(book, tmp_path, shop_rows("s1"))
    signed(book, "s1")
    book.merchants.add("m1")
    with pytest.raises(EventRefused) as caught:
        book.merchants.give("s1", "m1")
    assert caught.value.code == "facility_live"


# --- reviews by a person ---------------------------------------------------------------------------------------------


def stale(book: LoanBook, folder: Path) -> str:
    """A decision that waits for a person."""
    load(book, folder, shop_rows("s1", last=DAY - timedelta(days=12)))
    return book.underwrite("s1").id


def test_a_person_may_grant_what_was_worked_out_or_less(book: LoanBook, tmp_path: Path) -> None:
    waiting = stale(book, tmp_path)
    (review,) = book.underwriting.reviews()
    assert (review.decision_id, review.reasons[0]) == (waiting, "data_stale")
    with pytest.raises(EventRefused, match="grants at most"):
        book.underwriting.approve_review(waiting, limit=review.limit + 100)
    answered = book.underwriting.approve_review(waiting, limit="1000", note="called them")
    assert (answered.status, book.offer(answered.offer_id or "").limit) == ("approved", Decimal("1000.00"))
    with pytest.raises(EventRefused, match="already"):
        book.underwriting.decline_review(waiting)
    assert book.underwriting.reviews() == ()


def test_a_newer_decision_ends_what_waited(book: LoanBook, tmp_path: Path) -> None:
    waiting = stale(book, tmp_path)
    newer = book.underwrite("s1").id
    assert [each.decision_id for each in book.underwriting.reviews()] == [newer]
    with pytest.raises(EventRefused, match="superseded"):
        book.underwriting.approve_review(waiting)
    assert book.underwriting.decline_review(newer, note="no answer").status == "declined"


def test_with_four_eyes_another_person_answers(book: LoanBook, tmp_path: Path) -> None:
    waiting = stale(book, tmp_path)
    book.lender.set({"four_eyes": "on"})
    with pytest.raises(FourEyesRequired):
        book.underwriting.approve_review(waiting)
    assert book.acting("bob").underwriting.approve_review(waiting).answered_by == "bob"


# --- policies --------------------------------------------------------------------------------------------------------


def test_a_new_book_has_the_shipped_policy_approved(book: LoanBook) -> None:
    shown = book.underwriting.policies.show()
    assert (shown.name, shown.version, shown.status) == ("marketplace", 1, "approved")
    assert shown.sha256 == shipped_policy().sha256
    with pytest.raises(InvalidPolicy, match="a change is a new version"):
        book.underwriting.policies.propose(shipped_policy())
    with pytest.raises(EventRefused):
        book.underwriting.policies.approve("marketplace", 1)


def test_with_four_eyes_a_policy_is_approved_by_another_person(book: LoanBook) -> None:
    book.lender.set({"four_eyes": "on"})
    other = Policy.from_canonical(shipped_policy().canonical.replace('"version":1', '"version":2', 1))
    book.underwriting.policies.propose(other, effective_on=DAY + timedelta(days=30))
    with pytest.raises(FourEyesRequired):
        book.underwriting.policies.approve("marketplace", 2)
    approved = book.acting("bob").underwriting.policies.approve("marketplace", 2)
    assert (approved.proposed_by, approved.approved_by) == ("ann", "bob")
    assert book.underwriting.policies.show().version == 1
    assert [each.version for each in book.underwriting.policies.list()] == [1, 2]


def second_version(book: LoanBook, begins: date) -> None:
    """Version 2 of the shipped policy, half the months of sales lent, approved and in force from a day."""
    halved = (
        shipped_policy().canonical.replace('"version":1', '"version":2', 1).replace('"k":"2"', '"k":"1"', 1)
    )
    book.underwriting.policies.propose(Policy.from_canonical(halved), effective_on=begins)
    book.underwriting.policies.approve("marketplace", 2)


def test_what_would_have_been_decided_then_is_decided_by_the_policy_of_then(
    book: LoanBook, database_url: str, tmp_path: Path
) -> None:
    load(book, tmp_path, shop_rows("s1"))
    second_version(book, DAY + timedelta(days=2))
    then = book.underwrite("s1")
    with LoanBook.open(database_url, clock=Noon(DAY + timedelta(days=3)), actor="ann") as later:
        later.close_day()
        now, again = later.underwrite("s1"), later.underwrite("s1", as_of=DAY)
        assert later.underwrite("s1", policy="marketplace@1").policy_version == 1
        early = later.underwrite("s1", as_of=DAY - timedelta(days=30))
    assert (then.policy_version, now.policy_version, again.policy_version) == (1, 2, 1)
    assert again.limit == then.limit > now.limit
    assert early.policy_version == 1  # before the book had any


def test_a_policy_not_yet_in_force_is_named_with_its_day(book: LoanBook, tmp_path: Path) -> None:
    load(book, tmp_path, shop_rows("s1"))
    mine = Policy.from_canonical(
        shipped_policy().canonical.replace('"name":"marketplace"', '"name":"mine"', 1)
    )
    begins = DAY + timedelta(days=8)
    book.underwriting.policies.propose(mine, effective_on=begins)
    with pytest.raises(NotFound):
        book.underwrite("s1", policy="mine")
    book.underwriting.policies.approve("mine", 1)
    with pytest.raises(Refused, match=f"in force from {begins}") as refused:
        book.underwrite("s1", policy="mine")
    assert refused.value.code == "policy_not_in_force"
    assert book.underwrite("s1", policy="mine@1").policy_version == 1


# --- real data -------------------------------------------------------------------------------------------------------


def test_every_shop_of_the_olist_half_is_decided_on_and_can_be_decided_again(sqlite_url: str) -> None:
    if not OLIST.exists():
        pytest.skip(f"no real order lines: {OLIST} is absent, set MICROLOAN_OLIST")
    day = date(2018, 8, 31)
    with LoanBook.open(sqlite_url, clock=Noon(day), actor="ann") as book:
        book.init(currency="BRL", open_day=day, zone="America/Sao_Paulo")
        book.sales.load(OLIST, platform="olist")
        run = book.underwriting.run_all()
        decisions = list(book.underwriting.decisions(run.run_id))
        assert run.decided == len(decisions) == len(book.merchants.list()) > 1_000
        assert len(book.offers(status="offered")) == run.counts["approved"] > 0
        assert all(book.underwriting.rerun(each.id).same for each in decisions[::20])
