"""Whom a merchant belongs to, in the decisions and draws of a book: rings, related parties, one cap for all of them."""

from __future__ import annotations

import json
from collections import Counter as Tally
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import Session

from microloan.book import related
from microloan.book.loanbook import LoanBook
from microloan.book.underwriting import DecisionRecord
from microloan.errors import BadInput, DrawRefused, InvalidDate, InvalidFile, Retryable
from microloan.store.unit import Unit
from tests.killing import child, ended, own_book

from .counter import START, Counter

PHONE, DEVICE = "138 0013 8000", "4f6c-99aa-01"


def sells(counter: Counter, folder: Path, *shops: str) -> None:
    """Each of these shops sells three orders of 300.00 a day for 400 days, to ever other buyers."""
    rows = ["order_id,shop_id,paid_at,amount,status,settled_at,buyer_id\n"]
    for shop in shops:
        for back in range(400):
            day = START - timedelta(days=back)
            settled = day + timedelta(days=7) if back >= 7 else ""
            rows += [
                f"{shop}-{back}-{n},{shop},{day},300.00,completed,{settled},buyer-{(3 * back + n) % 997}\n"
                for n in range(3)
            ]
    file = folder / f"{'-'.join(shops)}.csv"
    file.write_text("".join(rows))
    counter.book.sales.load(file, platform="jd")


def share(counter: Counter, *merchants: str, **span: Any) -> None:
    """These merchants have a phone and a device in common: a ring."""
    for merchant in merchants:
        counter.book.merchants.identify(merchant, "phone", PHONE, **span)
        counter.book.merchants.identify(merchant, "device", DEVICE, **span)


def known(counter: Counter, *merchants: str) -> None:
    for merchant in merchants:
        counter.book.merchants.add(merchant)


def codes(decision: DecisionRecord) -> list[str]:
    return [str(reason["code"]) for reason in decision.reasons]


# --- reasons of a decision -------------------------------------------------------------------------------------------


def test_a_written_off_loan_in_its_ring_declines_a_merchant(counter: Counter, tmp_path: Path) -> None:
    sells(counter, tmp_path, "s-1")
    known(counter, "m-2", "m-3")
    share(counter, "s-1", "m-2", "m-3")
    loan = counter.loan(counter.line(merchant="m-2"), "1000")
    counter.book.write_off(loan.id)
    decision = counter.book.underwrite("s-1")
    assert (decision.outcome, decision.limit, codes(decision)[0]) == ("declined", 0, "ring_written_off")
    assert decision.reasons[0]["values"] == {"count": "1"}
    assert counter.book.underwrite("m-2").outcome == "declined"  # without sales
    assert "ring_written_off" not in codes(counter.book.underwrite("m-2"))  # its own loss is not the ring's


def test_a_reversed_write_off_declines_nobody(counter: Counter, tmp_path: Path) -> None:
    sells(counter, tmp_path, "s-1")
    known(counter, "m-2")
    share(counter, "s-1", "m-2")
    lost = counter.book.write_off(counter.loan(counter.line(merchant="m-2"), "1000").id)
    counter.book.reverse(lost.event_id)
    assert "ring_written_off" not in codes(counter.book.underwrite("s-1"))


def test_a_ring_goes_to_a_person_with_its_evidence(counter: Counter, tmp_path: Path) -> None:
    sells(counter, tmp_path, "s-1")
    known(counter, "m-2")
    share(counter, "s-1", "m-2")
    decision = counter.book.underwrite("s-1")
    assert (decision.outcome, codes(decision)[0]) == ("manual_review", "ring_suspected")
    assert decision.reasons[0]["zh"] == "与其他1个商户疑似同一控制；共用：设备、电话"
    (suspected, _) = counter.book.explain(decision.id).applicant["relations"]
    assert suspected["merchants"] == ["m-2"]
    assert [(each["one"], each["other"], each["kind"], each["shown"]) for each in suspected["evidence"]] == [
        ("m-2", "s-1", "device", "aa01"),
        ("m-2", "s-1", "phone", "8000"),
    ]


def test_no_identifier_is_ever_in_what_is_stored_or_told(counter: Counter, tmp_path: Path) -> None:
    sells(counter, tmp_path, "s-1")
    known(counter, "m-2")
    share(counter, "s-1", "m-2")
    told = json.dumps(counter.book.explain(counter.book.underwrite("s-1").id).applicant)
    assert "13800138000" not in told
    assert "138 0013 8000" not in told
    digest = counter.book._desk.read(lambda unit: related.circle_of(unit, "s-1", START)).ring
    assert digest is not None
    assert digest.strongest[0].links[0].identifier not in told


def test_arrears_in_its_ring_are_a_reason_with_their_days(counter: Counter, tmp_path: Path) -> None:
    sells(counter, tmp_path, "s-1")
    known(counter, "m-2")
    share(counter, "s-1", "m-2")
    counter.loan(counter.line(merchant="m-2"), "1000", days=7)
    counter.close_until(START + timedelta(days=12))
    decision = counter.book.underwrite("s-1")
    found = {str(each["code"]): each["values"] for each in decision.reasons}
    assert found["ring_overdue"] == {"count": "1", "days": "5"}


def test_who_of_the_ring_applied_of_late_is_a_reason(counter: Counter, tmp_path: Path) -> None:
    sells(counter, tmp_path, "s-1", "s-2")
    share(counter, "s-1", "s-2")
    assert "ring_applications" not in codes(counter.book.underwrite("s-1"))
    assert "ring_applications" in codes(counter.book.underwrite("s-2"))
    counter.close_until(START + timedelta(days=31))
    assert "ring_applications" not in codes(counter.book.underwrite("s-1"))  # 31 days ago


def test_deciding_on_everybody_is_nobodys_application(counter: Counter, tmp_path: Path) -> None:
    sells(counter, tmp_path, "s-1", "s-2")
    share(counter, "s-1", "s-2")
    counter.book.underwriting.run_all()
    run = counter.book.underwriting.run_all()
    assert not any("ring_applications" in codes(each) for each in counter.book.underwriting.decisions(run.id))


def test_an_identifier_of_many_is_a_remark_and_binds_nobody(counter: Counter, tmp_path: Path) -> None:
    sells(counter, tmp_path, "s-1")
    known(counter, *(f"m-{n}" for n in range(16)))
    for merchant in ("s-1", *(f"m-{n}" for n in range(16))):
        counter.book.merchants.identify(merchant, "device", DEVICE)
    decision = counter.book.underwrite("s-1")
    assert decision.outcome == "approved"
    assert codes(decision) == ["identifier_of_many"]
    (relation,) = counter.book.explain(decision.id).applicant["relations"]
    assert (relation["evidence"][0]["shown"], relation["evidence"][0]["holders"]) == ("aa01", 17)


def test_one_shared_phone_is_no_ring(counter: Counter, tmp_path: Path) -> None:
    sells(counter, tmp_path, "s-1")
    known(counter, "m-2")
    for merchant in ("s-1", "m-2"):
        counter.book.merchants.identify(merchant, "phone", PHONE)
    decision = counter.book.underwrite("s-1")
    assert (decision.outcome, counter.book.explain(decision.id).applicant["relations"]) == ("approved", [])


# --- buyers who are the ring itself ----------------------------------------------------------------------------------


def test_what_the_merchant_or_its_ring_bought_is_not_sold(counter: Counter, tmp_path: Path) -> None:
    sells(counter, tmp_path, "s-1")
    known(counter, "m-2")
    before = counter.book.explain(counter.book.underwrite("s-1").id)
    share(counter, "s-1", "m-2")
    counter.book.merchants.identify("m-2", "buyer", "buyer-7")
    counter.book.merchants.identify("s-1", "buyer", "BUYER-8")  # written otherwise than in the sales file
    decision = counter.book.underwrite("s-1")
    told = counter.book.explain(decision.id)
    assert told.applicant["own_buyers"] == ["buyer-7", "buyer-8"]
    assert [(each["detector"], each["buyer_id"], each["orders"]) for each in told.findings] == [
        ("reported", "buyer-7", 2),
        ("reported", "buyer-8", 2),
    ]
    lost = Decimal(before.features["sales_365d"]) - Decimal(told.features["sales_365d"])
    assert lost == Decimal("1200.00")  # each of the two bought for 300.00 twice
    counter.book.merchants.identify("m-2", "buyer", "buyer-9")
    assert counter.book.underwriting.rerun(decision.id).same


def test_the_buyers_of_strangers_stay_buyers(counter: Counter, tmp_path: Path) -> None:
    sells(counter, tmp_path, "s-1")
    known(counter, "m-2")
    counter.book.merchants.identify("m-2", "buyer", "buyer-7")
    decision = counter.book.underwrite("s-1")
    assert (decision.outcome, counter.book.explain(decision.id).applicant["own_buyers"]) == ("approved", [])


# --- the same again --------------------------------------------------------------------------------------------------


def test_a_stored_decision_is_made_again_the_same_after_later_links(counter: Counter, tmp_path: Path) -> None:
    sells(counter, tmp_path, "s-1", "s-2")
    known(counter, "m-2", "m-3")
    share(counter, "s-1", "m-2")
    counter.loan(counter.line(merchant="m-2"), "100000")
    decisions = [counter.book.underwrite(each).id for each in ("s-1", "s-2")]
    share(counter, "s-2", "m-3")
    counter.book.merchants.link("s-1", "s-2", "one owner")
    counter.book.write_off(counter.book.loans()[0].id)
    assert [counter.book.underwriting.rerun(each).same for each in decisions] == [True, True]


def test_a_link_added_after_the_day_changes_nothing_of_what_would_have_been_decided(
    counter: Counter, tmp_path: Path
) -> None:
    sells(counter, tmp_path, "s-1")
    known(counter, "m-2")
    counter.close_until(START + timedelta(days=5))
    before = counter.book.underwrite("s-1", as_of=START)
    share(counter, "s-1", "m-2", since=START - timedelta(days=300))
    after, today = counter.book.underwrite("s-1", as_of=START), counter.book.underwrite("s-1")
    assert (after.outcome, after.limit, after.reasons) == (before.outcome, before.limit, before.reasons)
    assert "ring_suspected" in codes(today)


def test_a_number_given_up_before_another_had_it_makes_no_ring(counter: Counter, tmp_path: Path) -> None:
    sells(counter, tmp_path, "s-1")
    known(counter, "m-2")
    ended = START - timedelta(days=120)
    share(counter, "m-2", since=START - timedelta(days=900), until=ended)
    share(counter, "s-1", since=ended + timedelta(days=90))
    assert "ring_suspected" not in codes(counter.book.underwrite("s-1"))
    share(counter, "m-2")  # it has them still, after all
    assert "ring_suspected" in codes(counter.book.underwrite("s-1"))


def test_all_together_and_one_by_one_say_the_same(counter: Counter, tmp_path: Path) -> None:
    shops = [f"s-{n}" for n in range(6)]
    sells(counter, tmp_path, *shops)
    known(counter, "m-9")
    share(counter, "s-0", "s-1", "m-9")
    counter.book.merchants.link("s-1", "s-2", "spouses")
    counter.loan(counter.line(merchant="m-9"), "1000")
    run = counter.book.underwriting.run_all(as_of=START)
    together = {each.merchant_id: each for each in counter.book.underwriting.decisions(run.id)}
    told = {each: counter.book.explain(together[each].id).applicant for each in shops}
    alone = {each: counter.book.explain(counter.book.underwrite(each).id).applicant for each in shops[2:]}
    assert told["s-1"]["related_exposure_minor"] == 100_000
    assert {each: told[each] for each in shops[2:]} == alone
    assert told["s-2"]["related_exposure_minor"] == 100_000  # through s-1, its spouse, who is in the ring


# --- one cap for all -------------------------------------------------------------------------------------------------


def capped(counter: Counter, assets: str = "1000000.00") -> None:
    """A group of related parties may owe 15% of the lender's net assets."""
    counter.book.lender.set(
        {
            "net_assets": [{"from": "2017-01-01", "amount": assets}],
            "caps": [{"from": "2017-01-01", "group_share": "15%"}],
        }
    )


def test_the_cap_on_a_group_cuts_the_limit_to_the_fen(counter: Counter, tmp_path: Path) -> None:
    capped(counter)
    sells(counter, tmp_path, "s-1")
    known(counter, "m-2")
    free = counter.book.underwrite("s-1")
    assert (free.outcome, free.limit) == ("approved", Decimal("54000.00"))
    share(counter, "s-1", "m-2")
    loan = counter.loan(counter.line(merchant="m-2"), "140000.00")
    counter.book.repay(loan.id, "123.46")
    decision = counter.book.underwrite("s-1")
    # 15% of 1,000,000.00 = 150,000.00, less the 139,876.54 that m-2 owes = 10,123.46, rounded down to 10,100.00
    steps = {
        step["inputs"].get("name", step["step"]): step["value"]
        for step in counter.book.explain(decision.id).waterfall
    }
    assert (steps["net_assets_group"], steps["lowest"], decision.limit) == (
        "10123.46",
        "10123.46",
        Decimal("10100.00"),
    )
    assert {"regulatory_cap", "related_parties"} <= set(codes(decision))


def test_a_draw_counts_what_the_ring_owes(counter: Counter) -> None:
    capped(counter)
    known(counter, "m-1", "m-2")
    lines = [counter.line(merchant=each) for each in ("m-1", "m-2")]
    counter.loan(lines[0], "100000")
    counter.loan(lines[1], "40000")
    share(counter, "m-1", "m-2")
    with pytest.raises(DrawRefused) as caught:
        counter.book.draw(lines[1].id, "10100", days=90)
    assert caught.value.code == "cap_exceeded"
    counter.book.draw(lines[1].id, "10000", days=90)


def chained(counter: Counter, *merchants: str) -> None:
    """Each has an account in common with the next, and nothing with anybody else: a ring as long as the chain."""
    for number, pair in enumerate(pairwise(merchants)):
        for merchant in pair:
            counter.book.merchants.identify(merchant, "account", f"622202000000{number:04d}")


def test_the_cap_counts_a_ring_to_its_end(counter: Counter) -> None:
    """The fifth of a chain is four hops from the first: what one of them owes is owed by the ring, whoever asks."""
    capped(counter, "200000.00")  # 15%: 30,000.00 for the group
    chain = [f"m-{n}" for n in range(1, 6)]
    known(counter, *chain)
    lines = [counter.line(merchant=each) for each in chain]
    chained(counter, *chain)
    counter.loan(lines[0], "20000")
    for line in lines[1:]:
        with pytest.raises(DrawRefused) as caught:
            counter.book.draw(line.id, "10100", days=90)
        assert caught.value.code == "cap_exceeded"
    counter.book.draw(lines[4].id, "10000", days=90)
    with pytest.raises(DrawRefused):
        counter.book.draw(lines[0].id, "100", days=90)


def test_a_decision_knows_the_whole_ring(counter: Counter, tmp_path: Path) -> None:
    capped(counter, "200000.00")
    sells(counter, tmp_path, "s-1")
    chain = ["s-1", *(f"m-{n}" for n in range(2, 6))]
    known(counter, *chain[1:])
    chained(counter, *chain)
    counter.loan(counter.line(merchant="m-5"), "25000")
    decision = counter.book.underwrite("s-1")
    told = {reason["code"]: reason["values"] for reason in decision.reasons}
    assert told["related_parties"] == {"count": "4"}
    assert decision.limit == Decimal("5000.00")  # 30,000.00 less the 25,000.00 of the fifth


def test_the_ring_of_a_merchant_is_that_of_the_book_however_long(counter: Counter) -> None:
    chain = [f"m-{n:02d}" for n in range(30)]
    known(counter, *chain)
    chained(counter, *chain)
    (of_book,) = counter.book.risk.rings().rings
    assert of_book.members == tuple(chain)
    for merchant, hops in (("m-00", 2), ("m-17", 2), ("m-29", 1), ("m-03", 5)):
        seen = counter.book.merchants.rings(merchant, hops=hops)
        assert (seen.ring, seen.complete) == (of_book.members, True)
        assert {party.merchant_id for party in seen.parties} == {*chain} - {merchant}
        assert len(seen.evidence) == 29


def test_a_ring_larger_than_is_looked_at_is_told_and_goes_to_a_person(
    counter: Counter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sells(counter, tmp_path, "s-1")
    chain = ["s-1", *(f"m-{n}" for n in range(2, 9))]
    known(counter, *chain[1:])
    chained(counter, *chain)
    assert "ring_not_closed" not in codes(counter.book.underwrite("s-1"))
    monkeypatch.setattr(related, "MOST_MERCHANTS", 5)
    seen = counter.book.merchants.rings("s-1")
    assert not seen.complete
    assert 5 <= len(seen.ring) < 8
    decision = counter.book.underwrite("s-1")
    told = {reason["code"]: reason["values"] for reason in decision.reasons}
    assert decision.outcome == "manual_review"
    assert told["ring_not_closed"] == {"counted": str(len(seen.ring) - 1)}


def test_whom_nobody_shares_anything_with_costs_a_draw_one_statement(counter: Counter) -> None:
    """Its own identifiers are read and nothing else; closing a ring is paid for by those who are in one."""
    capped(counter)
    known(counter, "m-1", "m-2", "m-3")
    for merchant in ("m-1", "m-2"):
        counter.book.merchants.identify(merchant, "phone", PHONE)  # shared, and no ring
    counter.book.merchants.identify("m-3", "phone", "139 0013 9000")
    sent = {merchant: identifiers_read(counter, merchant) for merchant in ("m-1", "m-3")}
    assert sent == {"m-1": 3, "m-3": 1}  # m-1: its own, their holders, what those have


def identifiers_read(counter: Counter, merchant: str) -> int:
    """Statements on identifiers that looking around a merchant sends."""
    sent: list[str] = []

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        sent.append(statement)

    def look(unit: Unit) -> None:
        event.listen(unit.connection.engine, "before_cursor_execute", note)
        try:
            related.circle_of(unit, merchant, START)
        finally:
            event.remove(unit.connection.engine, "before_cursor_execute", note)

    counter.book._desk.read(look)
    return sum("ml_identifier" in statement for statement in sent)


def draw_in_turn(counter: Counter, facility: str, report: Path) -> None:
    book, answers = own_book(counter), []
    for _ in range(20):
        try:
            book.draw(facility, "1000", days=90)
            answers.append("granted")
        except DrawRefused as refused:
            answers.append(refused.code)
    report.write_text(json.dumps(answers))


@pytest.mark.parametrize("bound", ["ring", "chain", "on file"])
def test_merchants_of_a_group_drawing_at_once_stay_under_its_cap(
    counter: Counter, tmp_path: Path, bound: str
) -> None:
    capped(counter, "100000.00")
    merchants = [f"m-{n}" for n in range(4)]
    known(counter, *merchants)
    lines = [counter.line(merchant=each) for each in merchants]
    if bound == "ring":
        share(counter, *merchants)
    elif bound == "chain":
        chained(counter, *merchants)
    else:
        for one, other in pairwise(merchants):
            counter.book.merchants.link(one, other, "one owner")
    counter.book.close()
    reports = [tmp_path / f"{merchant}.json" for merchant in merchants]
    children = [
        child(lambda line=line, report=report: draw_in_turn(counter, line.id, report))  # type: ignore[misc]
        for line, report in zip(lines, reports, strict=True)
    ]
    assert [ended(pid) for pid in children] == [0] * 4
    answers = Tally(answer for report in reports for answer in json.loads(report.read_text()))
    assert answers == {"granted": 15, "cap_exceeded": 65}  # 15% of 100,000.00, by 1,000.00 each


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "READ COMMITTED"])
def test_a_host_with_an_old_snapshot_never_draws_past_the_cap_of_a_group(
    postgres_url: str, isolation: str
) -> None:
    counter = Counter(postgres_url).init(buckets=3)
    capped(counter, "100000.00")
    known(counter, "m-1", "m-2")
    lines = [counter.line(merchant=each) for each in ("m-1", "m-2")]
    share(counter, "m-1", "m-2")
    engine = create_engine(postgres_url)
    with (
        engine.connect().execution_options(isolation_level=isolation) as connection,
        Session(connection) as session,
    ):
        session.execute(text("SELECT count(*) FROM ml_loan")).all()
        counter.book.draw(lines[0].id, "15000", days=90)  # all there is under the cap, in another transaction
        with pytest.raises(Retryable if isolation == "REPEATABLE READ" else DrawRefused):
            LoanBook(session, clock=counter.clock).draw(lines[1].id, "1000", days=90)
        session.rollback()
        with pytest.raises(DrawRefused):  # tried again as a whole
            LoanBook(session, clock=counter.clock).draw(lines[1].id, "1000", days=90)
    engine.dispose()
    counter.book.close()


# --- over the whole book ---------------------------------------------------------------------------------------------


def test_the_rings_of_the_book_with_what_they_owe(counter: Counter) -> None:
    known(counter, *(f"m-{n}" for n in range(9)))
    share(counter, "m-1", "m-2", "m-3")
    for merchant in ("m-5", "m-6"):
        counter.book.merchants.identify(merchant, "account", "6222020000001234")
    counter.loan(counter.line(merchant="m-2"), "1000", days=7)
    lost = counter.loan(counter.line(merchant="m-6"), "2500")
    counter.close_until(START + timedelta(days=10))
    counter.book.write_off(lost.id)
    found = counter.book.risk.rings()
    assert (found.found, found.placed, found.chosen) == (2, 5, 2)
    large, small = found.rings
    assert (large.id, large.members, large.size) == ("ring:m-1", ("m-1", "m-2", "m-3"), 3)
    assert (large.exposure, large.overdue, large.days_past_due, large.written_off) == (
        Decimal("1000.00"),
        1,
        3,
        0,
    )
    assert (large.kinds, large.identifiers) == (("device", "phone"), 2)
    assert (small.members, small.written_off, small.kinds) == (("m-5", "m-6"), 1, ("account",))


def test_rings_are_chosen_and_ordered_by_what_is_asked(counter: Counter) -> None:
    known(counter, *(f"m-{n}" for n in range(9)))
    share(counter, "m-1", "m-2", "m-3")
    for merchant in ("m-5", "m-6"):
        counter.book.merchants.identify(merchant, "account", "6222020000001234")
    counter.loan(counter.line(merchant="m-6"), "2500")

    def rings(**wanted: Any) -> list[str]:
        return [each.id for each in counter.book.risk.rings(**wanted).rings]

    assert rings() == ["ring:m-1", "ring:m-5"]
    assert rings(by="exposure") == ["ring:m-5", "ring:m-1"]
    assert rings(least_members=3) == ["ring:m-1"]
    assert rings(least_exposure="2500.00") == ["ring:m-5"]
    assert rings(least_exposure="2500.01") == []
    assert rings(overdue_only=True) == []
    assert rings(most=1) == ["ring:m-1"]
    assert counter.book.risk.rings(as_of=START - timedelta(days=1)).found == 0
    for wrong in ({"least_members": 1}, {"most": 0}, {"least_exposure": "-1"}):
        with pytest.raises(BadInput):
            counter.book.risk.rings(**wrong)


def test_the_ring_seen_from_a_member_is_that_of_the_book(counter: Counter) -> None:
    known(counter, "m-1", "m-2", "m-3", "m-4")
    share(counter, "m-1", "m-2")
    counter.book.merchants.identify("m-2", "account", "6222020000001234")
    counter.book.merchants.identify("m-3", "account", "6222020000001234")
    counter.book.merchants.link("m-3", "m-4", "spouses")
    counter.loan(counter.line(merchant="m-4"), "700")
    seen = counter.book.merchants.rings("m-1")
    assert seen.ring == counter.book.risk.rings().rings[0].members == ("m-1", "m-2", "m-3")
    assert [(each.merchant_id, each.via, each.reason, each.kinds) for each in seen.parties] == [
        ("m-2", "m-1", "", ("device", "phone")),
        ("m-3", "m-2", "", ("account",)),
        ("m-4", "m-3", "spouses", ()),
    ]
    assert (seen.exposure, seen.group_exposure) == (Decimal("0.00"), Decimal("700.00"))
    assert [(each.merchant_id, each.hops, each.path) for each in seen.neighbours] == [
        ("m-2", 1, ("m-1", "m-2")),
        ("m-3", 2, ("m-1", "m-2", "m-3")),
    ]
    assert {each.last_four for each in seen.evidence} == {"8000", "aa01", "1234"}


# --- what identifies a merchant --------------------------------------------------------------------------------------


def spans(book: LoanBook, merchant: str) -> list[tuple[str, date, date | None]]:
    return [(each.kind, each.first_day, each.last_day) for each in book.merchants.show(merchant).identifiers]


def test_an_identifier_is_the_merchants_from_its_first_to_its_last_day(counter: Counter) -> None:
    known(counter, "m-1")
    identify = counter.book.merchants.identify
    identify("m-1", "phone", PHONE)
    assert spans(counter.book, "m-1") == [("phone", START, None)]
    identify("m-1", "phone", PHONE, since="2016-01-01")
    assert spans(counter.book, "m-1") == [("phone", date(2016, 1, 1), None)]
    identify("m-1", "phone", PHONE, until="2017-04-01")
    assert spans(counter.book, "m-1") == [("phone", date(2016, 1, 1), date(2017, 4, 1))]
    identify("m-1", "phone", PHONE)  # it has it still
    assert spans(counter.book, "m-1") == [("phone", date(2016, 1, 1), None)]


@pytest.mark.parametrize(
    ("span", "field"),
    [
        ({"since": "2017-05-02"}, "since"),
        ({"until": "2017-05-02"}, "until"),
        ({"until": "2017-04-30"}, "until"),
        ({"since": "soon"}, "since"),
    ],
)
def test_days_to_come_and_days_in_the_wrong_order_are_refused(
    counter: Counter, span: dict[str, str], field: str
) -> None:
    known(counter, "m-1")
    with pytest.raises(InvalidDate) as caught:
        counter.book.merchants.identify("m-1", "phone", PHONE, **span)
    assert caught.value.details["field"] == field
    assert spans(counter.book, "m-1") == []


def test_identifiers_come_from_a_file(counter: Counter, tmp_path: Path) -> None:
    known(counter, "m-1", "m-2")
    file = tmp_path / "identifiers.csv"
    file.write_text(
        "merchant_id,kind,value,first_day,last_day\n"
        "m-1,phone,138-0013-8000,2016-03-01,\n"
        "m-2,phone,13800138000,2016-03-01,2017-01-31\n"
        "m-9,phone,13800138000,,\n"
        "m-1,phone,99,,\n"
        "m-1,phone,13800138001,2017-02-01,2017-01-01\n"
    )
    report = counter.book.merchants.import_identifiers(file)
    assert (report.accepted, report.updated, report.duplicates, report.rejected) == (2, 0, 0, 3)
    assert [(each.line, each.code) for each in report.rejections] == [
        (4, "not_found"),
        (5, "bad_input"),
        (6, "invalid_date"),
    ]
    assert counter.book.merchants.show("m-2").identifiers[0].also_of == ("m-1",)
    file.write_text("merchant_id,kind,value,last_day\nm-1,phone,13800138000,\nm-2,phone,13800138000,\n")
    again = counter.book.merchants.import_identifiers(file)
    assert (again.updated, again.duplicates) == (1, 1)
    assert spans(counter.book, "m-2") == [("phone", date(2016, 3, 1), None)]


def test_a_file_without_its_columns_notes_nothing(counter: Counter, tmp_path: Path) -> None:
    file = tmp_path / "identifiers.csv"
    file.write_text("merchant_id,phone\nm-1,13800138000\n")
    with pytest.raises(InvalidFile, match="kind"):
        counter.book.merchants.import_identifiers(file)


def test_an_identifier_too_short_to_mean_anything_is_refused_without_being_told(counter: Counter) -> None:
    known(counter, "m-1")
    with pytest.raises(BadInput) as caught:
        counter.book.merchants.identify("m-1", "phone", "123")
    assert "123" not in caught.value.message
