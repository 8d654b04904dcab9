"""docs/example_host: the back office runs as it stands, on both databases, and what must hold for a host holds in it."""

from __future__ import annotations

import csv
import gzip
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from back_office import outbox, scheduler
from back_office.database import WRITES, open_engine
from back_office.main import create_app, from_environment
from back_office.models import Notice, PayoutInstruction, Shop
from back_office.office import Caller, Office
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import Engine, MetaData, create_engine, event, inspect, text
from sqlmodel import Session, SQLModel, delete, select

from microloan import LoanBook
from microloan.alembic import include_name, schema_status
from microloan.book import offers
from microloan.book.notices import Notice as Event
from microloan.rates import Rate
from tests.databases import Originals
from tests.store.counter import FakeClock

ROOT = Path(__file__).parents[2]
HOST = ROOT / "docs" / "example_host"
DAY = date(2025, 5, 12)
ZHANG = Caller("acme", "zhang")
CALLERS = {"clerk": ZHANG, "payments": Caller("acme", "payments"), "other": Caller("globex", "smith")}
OURS = ("ml_event", "ml_outbox", "ml_command", "ml_journal", "ml_loan")


def alembic(url: str) -> Config:
    """The host's Alembic, as its developer runs it."""
    config = Config(HOST / "alembic.ini")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


class Client:
    """A clerk at a screen: every request has a key of its own unless one is given."""

    def __init__(self, http: TestClient, office: Office) -> None:
        self.http, self.office, self.sent = http, office, 0

    def post(self, path: str, body: Any = None, *, token: str = "clerk", key: str = "") -> Response:
        self.sent += 1
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key or f"request-{self.sent}"}
        return self.http.post(path, json=body, headers=headers)

    def get(self, path: str, token: str = "clerk") -> Response:
        return self.http.get(path, headers={"Authorization": f"Bearer {token}"})

    def done(self, path: str, body: Any = None, **options: str) -> Any:
        """The answer of a request that must succeed."""
        answer = self.post(path, body, **options)
        assert answer.is_success, answer.text
        return answer.json()

    def draw(self, facility: str, amount: str, **options: str) -> Response:
        return self.post(f"/facilities/{facility}/draws", {"amount": amount, "days": 90}, **options)

    def sign(self, offer: str) -> Any:
        """Sign the very text that was shown."""
        sha256 = self.get(f"/offers/{offer}/contract").json()["sha256"]
        return self.done(f"/offers/{offer}/signature", {"signer": "Li", "contract_sha256": sha256})

    def line(self, shop: str = "tea") -> str:
        """A signed credit line of 500,000.00."""
        self.done("/shops", {"id": shop, "name": shop.title(), "bank_account": "6222-01"})
        terms: dict[str, Any] = {"rate": Rate.parse("0.048%/day"), "product": "marketplace"}
        with Session(self.office.engine) as session, session.begin():
            offer = self.office.book(session, ZHANG)._desk.write(
                lambda unit: offers.make_offer(
                    unit, merchant_id=shop, decision_id="dec-1", limit_minor=50_000_000, **terms
                )
            )
        return str(self.sign(offer.id)["id"])

    def rows(self, *tables: str) -> dict[str, int]:
        """How many rows the tables have."""
        with self.office.engine.connect() as connection:
            return {
                table: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() or 0
                for table in tables
            }

    def instructions(self) -> list[PayoutInstruction]:
        with Session(self.office.engine) as session:
            return list(session.exec(select(PayoutInstruction)))

    def book(self) -> LoanBook:
        """The book from outside the host, as its auditor has it."""
        return LoanBook.open(self.office.engine.url, tenant="acme", clock=self.office.clock, actor="auditor")

    def must_be_sound(self) -> None:
        with self.book() as book:
            assert book.verify().findings == ()
            assert book.trial_balance().total == 0


def make_host(url: str) -> None:
    """The host's tables and ours, by the host's own migrations."""
    command.upgrade(alembic(url), "head")


@pytest.fixture
def host_url(originals: Originals, database_kind: str, tmp_path: Path) -> Iterator[str]:
    """The database of a host that nobody has worked with yet."""
    with originals.copy(database_kind, make_host, tmp_path) as url:
        yield url


@pytest.fixture
def client(host_url: str) -> Iterator[Client]:
    clock = FakeClock()
    clock.set_day(DAY)
    office = Office(open_engine(host_url), CALLERS, clock)
    with TestClient(create_app(office, jobs=False), raise_server_exceptions=False) as http:
        yield Client(http, office)
    office.engine.dispose()


def seafood() -> list[dict[str, str]]:
    """The bundled shop's order lines, as the marketplace sends them."""
    with gzip.open(ROOT / "fixtures" / "sales" / "seafood.csv.gz", "rt", encoding="utf-8") as file:
        kept = ("order_id", "line_id", "paid_at", "amount", "status", "buyer_id", "refund_amount", "refunded_at",
                "status_at", "settled_at")  # fmt: skip
        return [{name: row[name] for name in kept if row.get(name)} for row in csv.DictReader(file)]


def close_until(client: Client, day: date) -> None:
    assert isinstance(client.office.clock, FakeClock)
    client.office.clock.set_day(day)
    scheduler.close_days(client.office)


# --- a life ----------------------------------------------------------------------------------------------------------


def test_from_sales_to_the_statement(client: Client) -> None:
    client.done("/shops", {"id": "seafood", "name": "鲜生", "bank_account": "6222-01"})
    assert client.done("/shops/seafood/sales", seafood())["accepted"] == 4945
    decision = client.done("/shops/seafood/underwriting")
    assert (decision["outcome"], decision["daily_rate"]) == ("approved", "0.00048")
    facility = client.sign(decision["offer_id"])
    loan = client.draw(facility["id"], "300000.00").json()
    assert (loan["status"], client.instructions()[0].amount_minor) == ("pending", 30_000_000)
    paid = {"payment_id": "payment-0001", "loan_id": loan["loan_id"], "outcome": "paid"}
    assert client.done("/payments", paid, token="payments")["status"] == "active"
    close_until(client, date(2025, 6, 11))
    receipt = client.done(f"/loans/{loan['loan_id']}/repayments", {"amount": "100000.00"})
    # 30 nights of 300,000.00 at 0.048% a day are 4,320.00.
    assert (receipt["interest"], receipt["principal"]) == ("4320.00", "95680.00")
    statement = client.get(f"/loans/{loan['loan_id']}/statement").json()
    assert [line["type"] for line in statement["lines"]] == ["draw", "repay"]
    assert statement["closing_principal"] == "204320.00"
    client.must_be_sound()


def test_the_callback_may_come_twice_and_the_actor_is_who_authenticated(client: Client) -> None:
    loan = client.draw(client.line(), "1000.00").json()["loan_id"]
    body = {"payment_id": "payment-0001", "loan_id": loan, "outcome": "paid"}
    answers = [client.done("/payments", body, token="payments") for _ in range(2)]
    assert [answer["replayed"] for answer in answers] == [False, True]
    with client.book() as book:
        confirmed = [line.actor for line in book.audit() if line.operation == "confirm_payout"]
    assert confirmed == ["payments"]
    assert client.instructions()[0].status == "paid"


def test_a_payout_that_failed_gives_the_limit_back(client: Client) -> None:
    line = client.line()
    loan = client.draw(line, "500000.00").json()["loan_id"]
    client.done("/payments", {"payment_id": "payment-0001", "loan_id": loan, "outcome": "failed"})
    assert client.draw(line, "500000.00").status_code == 201
    assert Tally(found.status for found in client.instructions()) == {"failed": 1, "ordered": 1}


def test_it_starts_as_its_readme_says(
    empty_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    readme = (HOST / "README.md").read_text("utf-8")
    exports = re.findall(r"^\$ export (\w+)=('.*'|\S+)", readme, re.M)
    assert [name for name, _ in exports] == ["BACK_OFFICE_DB", "BACK_OFFICE_TOKENS"]
    monkeypatch.setenv("BACK_OFFICE_DB", empty_url)
    monkeypatch.setenv("BACK_OFFICE_TOKENS", exports[1][1].strip("'"))
    assert "$ alembic upgrade head" in readme
    subprocess.run([sys.executable, "-m", "alembic", "upgrade", "head"], cwd=HOST, check=True)
    assert "back_office.main:from_environment" in readme
    with TestClient(from_environment()) as http:
        shop = {"id": "tea", "name": "Tea", "bank_account": "6222-01"}
        headers = {"Authorization": "Bearer change-me", "Idempotency-Key": "request-1"}
        assert http.post("/shops", json=shop, headers=headers).status_code == 201
        time.sleep(0.2)  # the jobs of the clock have begun
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


# --- one transaction -------------------------------------------------------------------------------------------------


def test_a_host_that_fails_after_our_draw_leaves_nothing(client: Client) -> None:
    line = client.line()
    with Session(client.office.engine) as session:
        session.exec(delete(Shop))
        session.commit()
    before = client.rows(*OURS)
    assert client.draw(line, "1000.00", key="one-same-key").status_code == 500
    assert client.rows(*OURS, "payout_instruction") == {**before, "payout_instruction": 0}
    with Session(client.office.engine) as session:
        session.add(Shop(tenant="acme", id="tea", name="Tea", bank_account="6222-01"))
        session.commit()
    assert client.draw(line, "1000.00", key="one-same-key").json()["replayed"] is False
    client.must_be_sound()


def test_a_savepoint_takes_our_draw_back_and_keeps_the_host_s_rows(client: Client) -> None:
    line = client.line()
    before = client.rows(*OURS)
    with Session(client.office.engine.execution_options(**WRITES)) as session, session.begin():
        session.add(Shop(tenant="acme", id="coffee", name="Coffee", bank_account="6222-02"))
        inner = session.begin_nested()
        client.office.book(session, ZHANG).draw(line, "1000.00")
        inner.rollback()
    assert client.rows(*OURS, "shop") == {**before, "shop": 2}
    client.must_be_sound()


def test_a_retried_request_acts_once_and_answers_the_same(client: Client) -> None:
    line = client.line()
    first, again = (client.draw(line, "1000.00", key="one-same-key").json() for _ in range(2))
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert {**again, "replayed": False} == first
    assert len(client.instructions()) == 1
    refused = client.draw(line, "2000.00", key="one-same-key")
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_conflict")
    client.must_be_sound()


def at_once(client: Client, line: str, amount: str, keys: list[str]) -> list[Response]:
    with ThreadPoolExecutor(len(keys)) as clerks:
        return list(clerks.map(lambda key: client.draw(line, amount, key=key), keys))


def test_requests_at_once_never_draw_more_than_the_limit(client: Client) -> None:
    line = client.line()
    answers = at_once(client, line, "150000.00", [f"clerk-{n:04d}" for n in range(6)])
    assert Tally(answer.status_code for answer in answers) == {201: 3, 409: 3}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"limit_exceeded"}
    assert sum(found.amount_minor for found in client.instructions()) == 45_000_000
    client.must_be_sound()


def test_one_key_sent_by_many_at_once_draws_once(client: Client) -> None:
    line = client.line()
    answers = [answer.json() for answer in at_once(client, line, "1000.00", ["one-same-key"] * 5)]
    assert Tally(answer["replayed"] for answer in answers) == {False: 1, True: 4}
    assert len({answer["loan_id"] for answer in answers}) == len(client.instructions()) == 1
    client.must_be_sound()


def test_one_callback_that_comes_many_times_at_once_confirms_once(client: Client) -> None:
    """It reads the host's rows first: on SQLite the transaction must have begun IMMEDIATE."""
    loan = client.draw(client.line(), "1000.00").json()["loan_id"]
    body = {"payment_id": "payment-0001", "loan_id": loan, "outcome": "paid"}
    with ThreadPoolExecutor(5) as calls:
        answers = list(calls.map(lambda _: client.post("/payments", body, token="payments"), range(5)))
    assert [answer.status_code for answer in answers] == [200] * 5
    assert Tally(answer.json()["replayed"] for answer in answers) == {False: 1, True: 4}
    client.must_be_sound()


# --- errors, tenants, the clock --------------------------------------------------------------------------------------


def test_errors_are_problems_with_stable_codes(client: Client) -> None:
    line = client.line()
    problems = {
        client.draw(line, "500000.01"): (409, "limit_exceeded"),
        client.draw(line, "-5"): (422, "invalid_amount"),
        client.draw("fac-00-0000000000000000", "5"): (404, "not_found"),
        client.get("/offers/nonsense/contract"): (404, "not_found"),
    }
    for answer, expected in problems.items():
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status_code, answer.json()["code"]) == expected
        assert answer.json()["title"]
    assert client.get("/offers/any/contract", token="nobody").status_code == 401


WAITS = {"sqlite": "PRAGMA busy_timeout = 100", "postgresql": "SET lock_timeout = 100"}


@pytest.mark.parametrize("path", ["/facilities/{line}/draws", "/payments"])
def test_a_busy_database_asks_to_come_again(client: Client, path: str) -> None:
    line = client.line()
    loan = client.draw(line, "1000.00").json()["loan_id"]
    body = {"amount": "1000.00", "days": 90, "payment_id": "payment-0001", "loan_id": loan, "outcome": "paid"}
    engine = client.office.engine
    with engine.execution_options(**WRITES).connect() as other, other.begin():
        other.exec_driver_sql("UPDATE ml_facility SET status = status")
        engine.pool.dispose()
        event.listen(engine, "connect", lambda raw, _: raw.execute(WAITS[engine.dialect.name]))
        answer = client.post(path.format(line=line), body, key="one-same-key")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1"), answer.text
    assert client.done(path.format(line=line), body, key="one-same-key")["replayed"] is False
    client.must_be_sound()


def test_no_tenant_sees_another_s_book(client: Client) -> None:
    line = client.line()
    assert client.draw(line, "1000.00", token="other").status_code == 404
    loan = client.draw(line, "1000.00").json()["loan_id"]
    paid = {"payment_id": "payment-0001", "loan_id": loan, "outcome": "paid"}
    assert client.post("/payments", paid, token="other").status_code == 404
    assert client.get(f"/loans/{loan}/statement", token="other").status_code == 404
    assert client.instructions()[0].status == "ordered"


def test_closers_at_once_close_each_day_once(client: Client) -> None:
    loan = client.draw(client.line(), "300000.00").json()["loan_id"]
    client.done("/payments", {"payment_id": "payment-0001", "loan_id": loan, "outcome": "paid"})
    assert isinstance(client.office.clock, FakeClock)
    client.office.clock.set_day(date(2025, 6, 11))
    with ThreadPoolExecutor(3) as workers:
        list(workers.map(scheduler.close_days, [client.office] * 3))
    with client.book() as book:
        assert (book.settings().open_day, book.loan(loan).interest) == (date(2025, 6, 11), Decimal("4320.00"))
        closes = [line.subject for line in book.audit() if line.operation == "close_day"]
        assert len(closes) == len(set(closes)) == 30 * book.settings().buckets
    client.must_be_sound()


# --- events ----------------------------------------------------------------------------------------------------------


def notices(engine: Engine) -> list[str]:
    """The types of what was told, by event."""
    with Session(engine) as session:
        return list(session.exec(select(Notice.type).order_by(Notice.event_id)))


def test_what_happens_to_a_loan_is_told_once(client: Client) -> None:
    loan = client.draw(client.line(), "1000.00").json()["loan_id"]
    client.done("/payments", {"payment_id": "payment-0001", "loan_id": loan, "outcome": "paid"})
    for _ in range(2):
        outbox.deliver_all(client.office)
    with Session(client.office.engine) as session:
        told = session.exec(select(Notice).where(Notice.subject == loan)).all()
    assert sorted(notice.type for notice in told) == ["microloan.drawn.v1", "microloan.payout_confirmed.v1"]
    close_until(client, date(2025, 6, 11))  # a notice for each night of each bucket, more than go at once
    outbox.deliver_all(client.office)
    with client.book() as book:
        assert book.events.tail() == ()
    assert len(notices(client.office.engine)) == client.rows("ml_outbox")["ml_outbox"]


def test_deliverers_at_once_tell_everything_once(client: Client) -> None:
    lines = [client.line(f"shop-{n}") for n in range(6)]
    for line in lines:
        client.draw(line, "1000.00")
    with ThreadPoolExecutor(3) as workers:
        list(workers.map(outbox.deliver_all, [client.office] * 3))
    outbox.deliver_all(client.office)
    assert len(notices(client.office.engine)) == client.rows("ml_outbox")["ml_outbox"]
    assert Tally(notices(client.office.engine))["microloan.drawn.v1"] == 6


@pytest.mark.parametrize("dies_after", [1, 2, 3])
def test_a_consumer_killed_between_its_commit_and_ours_tells_nothing_twice_and_loses_nothing(
    client: Client, tmp_path: Path, dies_after: int
) -> None:
    for n in range(3):
        client.draw(client.line(f"shop-{n}"), "1000.00")
    theirs = open_engine(f"sqlite:///{tmp_path / 'theirs.db'}")
    SQLModel.metadata.create_all(theirs)
    came: list[str] = []

    def elsewhere(event: Event) -> None:
        came.append(event.id)
        with Session(theirs.execution_options(**WRITES)) as session, session.begin():
            outbox.receive(session, "acme", event)

    def deliver(send: Callable[[Event], None]) -> None:
        with client.book() as book:
            book.events.deliver(send)

    client.office.engine.dispose()
    theirs.dispose()
    child = os.fork()
    if child == 0:
        left = iter(range(dies_after))

        def until_killed(event: Event) -> None:
            elsewhere(event)
            if next(left) == dies_after - 1:
                os.kill(os.getpid(), signal.SIGKILL)

        deliver(until_killed)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    before = len(notices(theirs))
    assert before == dies_after
    deliver(elsewhere)
    assert len(came) == client.rows("ml_outbox")["ml_outbox"]  # all of it came again
    assert len(notices(theirs)) == len(set(came)) == len(came)
    theirs.dispose()


# --- migrations ------------------------------------------------------------------------------------------------------


def test_autogenerate_wants_nothing_of_ours(client: Client, host_url: str) -> None:
    command.check(alembic(host_url))
    with client.office.engine.connect() as connection:
        unfiltered = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
        filtered = MigrationContext.configure(connection, opts={"include_name": include_name})
        assert len([change for change in unfiltered if change[0] == "remove_table"]) > 20
        assert compare_metadata(filtered, SQLModel.metadata) == []


def test_the_host_s_downgrade_keeps_the_book(client: Client, host_url: str) -> None:
    line = client.line()
    client.draw(line, "1000.00")
    command.downgrade(alembic(host_url), "0001")
    assert not inspect(client.office.engine).has_table("notice")
    command.upgrade(alembic(host_url), "head")
    assert client.draw(line, "499000.00").status_code == 201
    client.must_be_sound()


FAILS = """
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    op.execute("CREATE TABLE half_done (x INTEGER)")
    op.execute("SELECT no_such_column FROM shop")
"""


def test_a_migration_that_fails_takes_our_schema_with_it(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "v0003_fails.py").write_text(FAILS, "utf-8")
    config = alembic(empty_url)
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", f"{HOST / 'migrations' / 'versions'}:{tmp_path}")
    with pytest.raises(Exception, match="no_such_column"):
        command.upgrade(config, "head")
    engine = create_engine(empty_url)
    assert inspect(engine).get_table_names() == []
    command.upgrade(alembic(empty_url), "head")
    with engine.connect() as connection:
        assert schema_status(connection).current
    engine.dispose()


@pytest.mark.postgres
def test_the_book_in_a_postgresql_schema_of_its_own(empty_postgres_url: str) -> None:
    engine = create_engine(empty_postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA lending")
    engine.dispose()
    url = f"{empty_postgres_url}?options=-csearch_path%3Dlending,public"
    with LoanBook.open(url, clock=FakeClock()) as book:
        book.init()
        book.merchants.add("tea")
        assert book.verify().findings == ()
    engine = create_engine(empty_postgres_url)
    assert inspect(engine).get_table_names() == []
    assert "ml_loan" in inspect(engine).get_table_names(schema="lending")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), MetaData()) == []
    engine.dispose()
