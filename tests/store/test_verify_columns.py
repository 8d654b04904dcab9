"""Verify names the very column that was changed, and a row that cannot be read stops no other. Source: SEMANTICS 6.

Each case changes one column behind the book's back, with no trigger in the way, and expects that finding and no other:
a draw is priced on these columns, caps and reports read them, other systems are told by them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, insert, select, text
from sqlalchemy.exc import IntegrityError

from microloan.book.loanbook import LoanBook
from microloan.book.results import Finding
from microloan.errors import OfferRefused
from microloan.store import guards, lending
from microloan.store.chain import canonical_json, row_hash, sha256
from microloan.store.tables_lending import EVENTS, OUTBOX

from .counter import Counter, Having


def damage(url: str, *statements: str) -> None:
    """Take every trigger away and change something."""
    with behind(url) as connection:
        for statement in statements:
            assert connection.execute(text(statement)).rowcount > 0, statement


class behind:
    """A connection to a book's database without the triggers of the book; what is done is kept."""

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url)

    def __enter__(self) -> Connection:
        self.begun = self.engine.begin()
        connection = self.begun.__enter__()
        for name, statement in guards.triggers(self.engine.dialect.name):
            table = re.findall(r" ON (ml_\w+)", statement)[0]
            of = "" if self.engine.dialect.name == "sqlite" else f" ON {table}"
            connection.execute(text(f"DROP TRIGGER IF EXISTS {name}{of}"))
        return connection

    def __exit__(self, *failed: Any) -> None:
        self.begun.__exit__(*failed)
        self.engine.dispose()


def found(counter: Counter) -> tuple[Finding, ...]:
    """What a process that has nothing in mind finds."""
    with LoanBook.open(counter.url, clock=counter.clock) as fresh:
        return fresh.verify().findings


def codes(counter: Counter) -> list[str]:
    """The codes of what is found, each once."""
    return sorted({finding.code for finding in found(counter)})


def told(counter: Counter, column: str, where: str) -> str:
    """A column of the one event that is meant."""
    engine = create_engine(counter.url)
    with engine.connect() as connection:
        value = connection.execute(text(f"SELECT {column} FROM ml_event WHERE {where}")).scalar_one()
    engine.dispose()
    return str(value)


def a_week(counter: Counter) -> None:
    """A line with a loan that was paid on by a keyed command, a draw that waits for its payout, and some closed days."""
    line = counter.line()
    loan = counter.loan(line, "300000")
    counter.book.draw(line.id, "1000", days=30)
    counter.close_until(date(2017, 5, 9))
    counter.book.repay(loan.id, "100000", idempotency_key="k-1")
    counter.book.fee(loan.id, "10", "courier", idempotency_key="k-2")
    counter.must_be_sound()


@pytest.fixture
def lender(having: Having) -> Counter:
    return having(a_week)


ROWS = {
    "facility_merchant": "UPDATE ml_facility SET merchant = 'm-9'",
    "facility_offer": "UPDATE ml_facility SET offer = 'off-00-9'",
    "facility_product": "UPDATE ml_facility SET product = 'other'",
    "facility_product_version": "UPDATE ml_facility SET product_version = 2",
    "facility_currency": "UPDATE ml_facility SET currency = 'USD'",
    "facility_rate": "UPDATE ml_facility SET rate = replace(rate, '0.00048', '0.00001')",
    "facility_valid_until": "UPDATE ml_facility SET valid_until = valid_until + 3650",
    "facility_contract_sha256": "UPDATE ml_facility SET contract_sha256 = 'x'",
    "facility_signed_on": "UPDATE ml_facility SET signed_on = signed_on - 1",
    "facility_signed_at": "UPDATE ml_facility SET signed_at = signed_at - 1",
    "facility_status": "UPDATE ml_facility SET status = 'frozen'",
    "offer_contract": "UPDATE ml_offer SET contract = replace(contract, '500000.00', '900000.00')",
    "offer_limit_minor": "UPDATE ml_offer SET limit_minor = limit_minor + 1",
    "offer_contract_sha256": "UPDATE ml_offer SET contract_sha256 = 'x'",
    "loan_merchant": "UPDATE ml_loan SET merchant = 'm-9' WHERE status = 'active'",
    "loan_product": "UPDATE ml_loan SET product = 'other' WHERE status = 'active'",
    "loan_product_version": "UPDATE ml_loan SET product_version = 2",
    "loan_currency": "UPDATE ml_loan SET currency = 'USD'",
    "loan_terms": "UPDATE ml_loan SET terms = replace(terms, '0.00048', '0.00001')",
    "loan_drawn_minor": "UPDATE ml_loan SET drawn_minor = 1",
    "loan_drawn_on": "UPDATE ml_loan SET drawn_on = drawn_on - 900",
    "loan_drawn_at": "UPDATE ml_loan SET drawn_at = drawn_at - 1",
    "loan_start": "UPDATE ml_loan SET start = start + 1 WHERE status = 'active'",
    "loan_maturity": "UPDATE ml_loan SET maturity = maturity + 400 WHERE status = 'active'",
    "loan_class": "UPDATE ml_loan SET class = 'loss' WHERE status = 'active'",
    "product_sha256": "UPDATE ml_product SET body = replace(body, '\"multiple\":\"1.5\"', '\"multiple\":\"9.5\"')",
    "product_currency": "UPDATE ml_product SET currency = 'USD'",
    "accrual_next_action": "UPDATE ml_accrual SET next_action = next_action + 5000",
    "accrual_formula": "UPDATE ml_accrual SET rem = rem + 1",
    "accrual_total": "UPDATE ml_accrual SET q = q + 1",
    "notice_type": "UPDATE ml_outbox SET type = 'microloan.refund.v1' WHERE type LIKE '%repay%'",
    "notice_subject": "UPDATE ml_outbox SET subject = 'loan-00-9' WHERE type LIKE '%repay%'",
    "notice_facility": "UPDATE ml_outbox SET facility = 'fac-00-9' WHERE type LIKE '%repay%'",
    "notice_seq": "UPDATE ml_outbox SET seq = seq + 50 WHERE type LIKE '%repay%'",
    "notice_time": "UPDATE ml_outbox SET time = time + 1 WHERE type LIKE '%repay%'",
    "notice_data": "UPDATE ml_outbox SET data = replace(data, '10000000', '99900000') WHERE type LIKE '%repay%'",
    "book_currency": "UPDATE ml_book SET currency = 'USD'",
    "book_zone": "UPDATE ml_book SET zone = 'America/New_York'",
    "book_buckets": "UPDATE ml_book SET buckets = 7",
    "answer_amount": "UPDATE ml_command SET result = replace(result, '100000.00', '999000.00') WHERE key = 'k-1'",
    "answer_loan_id": "UPDATE ml_command SET result = replace(result, 'loan-', 'loam-') WHERE key = 'k-2'",
    "answer_event_id": "UPDATE ml_command SET result = replace(result, 'ev-', 'ew-') WHERE key = 'k-2'",
    "answer_unreadable": "UPDATE ml_command SET result = '[' WHERE key = 'k-1'",
}  # fmt: skip


@pytest.mark.parametrize("code", ROWS)
def test_a_changed_column_is_named_and_nothing_else(lender: Counter, code: str) -> None:
    damage(lender.url, ROWS[code])
    assert codes(lender) == [code]


@pytest.mark.parametrize("column", ["penalty_whole", "penalty_q", "penalty_rem", "penalty_m"])
def test_a_part_of_a_running_total_is_named_though_it_earns_nothing(sqlite_url: str, column: str) -> None:
    """Only a bit that turned in the file gets past the check."""
    counter = Counter(sqlite_url).init()
    counter.loan(counter.line(), "300000")
    engine = create_engine(counter.url)
    with engine.begin() as connection:
        connection.execute(text("PRAGMA ignore_check_constraints = ON"))
        connection.execute(text(f"UPDATE ml_accrual SET {column} = 0"))
    engine.dispose()
    assert codes(counter) == ["accrual_rows"]
    counter.book.close()


def a_late_loan(counter: Counter) -> None:
    """A loan that fell due unpaid and earns penalty."""
    counter.loan(counter.line(), "300000", days=3)
    counter.close_until(date(2017, 5, 20))
    counter.must_be_sound()


NONE_AT_ALL = "penalty_whole = NULL, penalty_q = NULL, penalty_rem = NULL, penalty_m = NULL"
PENALTY = {
    "penalty_q = penalty_q + 1": "accrual_total",
    "penalty_whole = penalty_whole + 1": "accrual_total",
    "penalty_rem = penalty_rem + 1": "accrual_formula",
    "penalty_m = penalty_m + 1": "accrual_formula",
    NONE_AT_ALL: "accrual_rows",
}


@pytest.mark.parametrize("change", PENALTY)
def test_a_changed_running_total_of_penalty_is_named_and_nothing_else(having: Having, change: str) -> None:
    late = having(a_late_loan)
    damage(late.url, f"UPDATE ml_accrual SET {change}")
    assert codes(late) == [PENALTY[change]]


@pytest.mark.parametrize("column", ["penalty_whole", "penalty_q", "penalty_rem", "penalty_m"])
@pytest.mark.parametrize(("life", "value"), [(a_late_loan, "NULL"), (a_week, "0")])
def test_a_running_total_of_penalty_is_whole_or_not_there(
    having: Having, life: Callable[[Counter], None], column: str, value: str
) -> None:
    counter = having(life)
    with pytest.raises(IntegrityError, match="ck_ml_accrual_penalty"):
        damage(counter.url, f"UPDATE ml_accrual SET {column} = {value}")
    assert found(counter) == ()


ALSO = {
    "a zone nobody knows": ("UPDATE ml_book SET zone = 'Mars/Olympus'", "book_zone"),
    "an action that comes too early": (
        "UPDATE ml_accrual SET next_action = next_action - 1",
        "accrual_next_action",
    ),
    "a fraction added every day": ("UPDATE ml_accrual SET m = m + 1", "accrual_formula"),
    "penalty of a loan that owes none": (
        "UPDATE ml_accrual SET penalty_whole = 0, penalty_q = 0, penalty_rem = 0, penalty_m = 0",
        "accrual_rows",
    ),
    "a fee answered higher": (
        "UPDATE ml_command SET result = replace(result, '\"10.00\"', '\"99.00\"') WHERE key = 'k-2'",
        "answer_amount",
    ),
    "a closed day told wrongly": (
        "UPDATE ml_outbox SET data = replace(data, '2017-05-09', '2017-06-09') WHERE facility = ''",
        "notice_data",
    ),
}


@pytest.mark.parametrize("case", ALSO)
def test_and_so_is(lender: Counter, case: str) -> None:
    statement, code = ALSO[case]
    damage(lender.url, statement)
    assert codes(lender) == [code]


def test_a_product_whose_content_and_hash_were_changed_together_is_named(lender: Counter) -> None:
    """Contracts name their product by its content, and a signed one is hashed."""
    with behind(lender.url) as connection:
        body = str(connection.execute(text("SELECT body FROM ml_product")).scalar())
        body = body.replace('"multiple":"1.5"', '"multiple":"9.5"')
        new = {"body": body, "sha256": sha256(body)}
        connection.execute(text("UPDATE ml_product SET body = :body, sha256 = :sha256"), new)
    assert codes(lender) == ["product_content"]


# --- what changes lawfully -------------------------------------------------------------------------------------------


def test_limits_set_later_extensions_and_a_payout_that_came_back_are_no_differences(counter: Counter) -> None:
    line = counter.line()
    loan = counter.loan(line, "20000", days=30)
    counter.book.set_limit(line.id, "600000", "grown")
    counter.book.freeze(line.id, "asked")
    counter.book.unfreeze(line.id, "asked")
    counter.book.extend(loan.id, date(2017, 9, 1))
    counter.must_be_sound()
    back = counter.loan(line, "500")
    counter.book.reverse(
        told(counter, "id", f"kind = 'payout_confirmed' AND loan = '{back.id}'"), "came back"
    )
    counter.close_until(date(2017, 6, 3))
    counter.must_be_sound()


def test_formulas_anchored_on_other_days_by_30e_360_are_the_same(counter: Counter) -> None:
    """Set on 31 May, looked at up to 31 July: by 30E/360 the 30th and the 31st are one number."""
    line = counter.line(product=counter.product(day_count="30E/360"))
    counter.close_until(date(2017, 5, 31))
    counter.loan(line, "123450", months=6)
    for day in (date(2017, 5, 31), date(2017, 6, 30), date(2017, 7, 31)):
        counter.close_until(day)
        counter.must_be_sound()


# --- signing ---------------------------------------------------------------------------------------------------------

SIGNED_OTHERWISE = {
    "a limit": "UPDATE ml_offer SET limit_minor = 100000000",
    "a rate": "UPDATE ml_offer SET rate = replace(rate, '0.00048', '0.00001')",
    "a product": 'UPDATE ml_product SET body = replace(body, \'"multiple":"1.5"\', \'"multiple":"9.5"\')',
    "the contract": "UPDATE ml_offer SET contract = replace(contract, '5000.00', '9000.00')",
}


@pytest.mark.parametrize("case", SIGNED_OTHERWISE)
def test_an_offer_that_is_no_longer_its_contract_is_not_signed(counter: Counter, case: str) -> None:
    offer = counter.offer("5000.00")
    shown = counter.book.contract(offer.id)
    damage(counter.url, SIGNED_OTHERWISE[case])
    with (
        LoanBook.open(counter.url, clock=counter.clock) as fresh,
        pytest.raises(OfferRefused, match="make the merchant a new offer") as refused,
    ):
        fresh.sign(offer.id, signer="Li", contract_sha256=shown.sha256)
    assert refused.value.code == "offer_changed"
    expected = {"a product": ["offer_figures", "product_sha256"], "the contract": ["offer_contract"]}
    assert codes(counter) == expected.get(case, ["offer_figures"])


# --- what cannot be read ---------------------------------------------------------------------------------------------

UNREADABLE = {
    "ml_loan": "UPDATE ml_loan SET oldest_due = 0 WHERE facility = :line AND status = 'active'",
    "ml_facility": "UPDATE ml_facility SET valid_until = 0 WHERE id = :line",
    "ml_accrual": "UPDATE ml_accrual SET next_action = -1 WHERE loan IN (SELECT id FROM ml_loan WHERE facility = :line)",
    "ml_offer": "UPDATE ml_offer SET offered_on = 9000000 WHERE facility = :line",
}


@pytest.mark.parametrize("table", UNREADABLE)
def test_a_row_that_cannot_be_read_is_named_and_the_others_are_looked_at(lender: Counter, table: str) -> None:
    line = lender.book.facilities()[0]
    other = lender.loan(lender.line(merchant="m-2"), "700")
    lender.must_be_sound()
    with behind(lender.url) as connection:
        assert connection.execute(text(UNREADABLE[table]), {"line": line.id}).rowcount == 1
    (finding,) = found(lender)
    assert (finding.code, finding.subject.split()[0]) == ("unreadable", table)
    damage(lender.url, f"UPDATE ml_loan SET drawn_minor = 1 WHERE id = '{other.id}'")
    named = {(each.code, each.subject) for each in found(lender)}
    assert named == {("unreadable", finding.subject), ("loan_drawn_minor", other.id)}


def test_an_event_that_cannot_be_read_is_named_with_what_cannot_be_accounted_for(lender: Counter) -> None:
    other = lender.loan(lender.line(merchant="m-2"), "700")
    damage(
        lender.url,
        "UPDATE ml_event SET value_date = 0 WHERE kind = 'repay'",
        f"UPDATE ml_loan SET drawn_minor = 1 WHERE id = '{other.id}'",
    )
    differences = found(lender)
    (lost,) = (each for each in differences if each.code == "unreadable")
    assert lost.subject.startswith("ml_event ev-")
    assert lost.stored == "value_date 0"
    assert ("loan_drawn_minor", other.id) in {(each.code, each.subject) for each in differences}
    assert {each.code for each in differences} == {
        "unreadable", "loan_drawn_minor", "ledger_balance", "provision",
    }  # fmt: skip


# --- the second person -----------------------------------------------------------------------------------------------


@pytest.fixture
def strict(database_url: str) -> Iterator[Counter]:
    """A book that insists on a second person, with a loan."""
    made = Counter(database_url)
    made.init(buckets=1, four_eyes="on")
    made.loan(made.line(), "1000")
    yield made
    made.book.close()


def switch(counter: Counter, setting: str) -> None:
    """The setting as its column has it, without an entry on file."""
    damage(counter.url, f"UPDATE ml_book SET four_eyes = '{setting}'")
    counter.book.close()
    counter.book = LoanBook.open(counter.url, clock=counter.clock, actor="teller", ids=counter.ids)


def test_what_one_person_did_while_the_setting_was_off_by_hand_is_named(strict: Counter) -> None:
    line, loan = strict.book.facilities()[0], strict.book.loans()[0]
    strict.close_until(date(2017, 5, 20))
    switch(strict, "off")
    strict.book.set_limit(line.id, "900000", "trust me")
    strict.book.repay(loan.id, "100", value_date=date(2017, 5, 10))
    strict.book.repay(loan.id, "100", value_date=date(2017, 5, 13))  # within the lender's seven days
    strict.book.reverse(strict.book.ledger(loan.id)[-1].id, "a slip")
    strict.book.write_off(loan.id)
    switch(strict, "on")
    missing = found(strict)
    assert {finding.code for finding in missing} == {"four_eyes_missing"}
    kinds = [told(strict, "kind", f"id = '{finding.subject}'") for finding in missing]
    assert kinds == ["limit_set", "repay", "reverse", "write_off"]


@pytest.mark.parametrize("why", [{"reason": "x"}, {"decision": "dec-1"}])
def test_an_event_put_in_by_one_person_is_named(strict: Counter, why: dict[str, str]) -> None:
    limits = {"limit_minor": 190000000, "seasonal_limit_minor": 0, "seasonal_until": None}
    with behind(strict.url) as connection:
        last = connection.execute(select(EVENTS).order_by(EVENTS.c.seq.desc())).first()
        assert last is not None
        forged = dict(last._mapping) | {
            "seq": last.seq + 1, "id": "ev-00-forged", "kind": "limit_set", "loan": "", "reverses": "",
            "payload": canonical_json(limits | why), "prev_hash": last.hash,
        }  # fmt: skip
        forged["hash"] = row_hash(forged)
        connection.execute(insert(EVENTS), forged)
        connection.execute(insert(OUTBOX), lending.notice_of(forged))
        connection.execute(
            text("UPDATE ml_facility SET limit_minor = 190000000, last_seq = :seq, head_hash = :hash"),
            {"seq": forged["seq"], "hash": forged["hash"]},
        )
    (finding,) = found(strict)
    assert (finding.code, finding.subject) == ("four_eyes_missing", "ev-00-forged")


def test_what_was_booked_before_and_after_the_setting_was_on_is_no_difference(counter: Counter) -> None:
    line = counter.line()
    counter.book.set_limit(line.id, "600000", "before")
    counter.book.lender.set({"four_eyes": "on"})
    waiting: Any = counter.book.set_limit(line.id, "700000", "asked for")
    counter.book.acting("bob").requests.approve(waiting.request_id)
    off: Any = counter.book.lender.set({"four_eyes": "off"})
    counter.book.acting("bob").requests.approve(off.request_id)
    counter.book.set_limit(line.id, "800000", "the same day")
    counter.close_until(date(2017, 5, 5))
    counter.book.set_limit(line.id, "900000", "later")
    counter.clock.now -= timedelta(days=400)  # a clock set back does not accuse anybody
    counter.book.set_limit(line.id, "950000", "by a wrong clock")
    counter.must_be_sound()
