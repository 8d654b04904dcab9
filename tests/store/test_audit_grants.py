"""PostgreSQL: what docs/embedding.md grants is enough for everything a lender does, and for nothing against history.

Source: RELIABILITY 47; issue item 3 (offline SQL for those who let nobody but themselves change a schema).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from microloan.alembic import offline_sql
from microloan.book.loanbook import LoanBook
from microloan.book.results import Waiting

from .counter import Counter
from .test_lenders_week import receipts, settlements, sweep_line

pytestmark = pytest.mark.postgres

ROOT = Path(__file__).parents[2]
[GRANTS] = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "embedding.md").read_text("utf-8"), re.S)
SALES = ROOT / "fixtures" / "sales" / "seafood.csv.gz"


@pytest.fixture
def names(empty_postgres_url: str) -> Iterator[tuple[str, str]]:
    """A schema made by its owner from the printed SQL; the URLs of a program and of an auditor, who own nothing."""
    url = make_url(empty_postgres_url)
    owner = url.set(drivername="postgresql").render_as_string(hide_password=False)
    program, auditor = f"app_{url.database}"[:60], f"aud_{url.database}"[:60]
    with psycopg.connect(owner, autocommit=True) as admin:
        for role in (program, auditor):
            admin.execute(f'CREATE ROLE "{role}" LOGIN')
        try:
            admin.execute("CREATE SCHEMA lending")
            admin.execute("SET search_path = lending, public")
            admin.execute(offline_sql("postgresql"))
            admin.execute(GRANTS.replace("lending_app", program))
            admin.execute(f'GRANT USAGE ON SCHEMA lending TO "{auditor}"')
            admin.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA lending TO "{auditor}"')
            there = url.update_query_dict({"options": "-csearch_path=lending"})
            yield tuple(
                there.set(username=role).render_as_string(hide_password=False) for role in (program, auditor)
            )
        finally:
            for role in (program, auditor):
                admin.execute(f'DROP OWNED BY "{role}"')
                admin.execute(f'DROP ROLE "{role}"')


def a_lenders_life(counter: Counter, folder: Path) -> None:
    """Everything once: sales, a decision, lines, loans, files about money, a second person, an erasure, a close."""
    book = counter.book
    book.sales.load(SALES, platform="market")
    book.underwrite("seafood")
    loan = counter.loan(sweep_line(counter), "100000", months=12, idempotency_key="k-1")
    book.sweeps.load(settlements(folder, "S-1,s-1,jd,2025-05-12,20000.00,,"))
    book.receipts.load(receipts(folder, f"B-1,2025-05-12,1000.00,{loan.id},", "B-2,2025-05-12,5.00,who,"))
    other = counter.loan(counter.line(merchant="m-2"), "1000", days=7)
    book.merchants.add("m-3", "Wang")
    book.merchants.identify("m-3", "phone", "13800000000")
    book.subjects.erase("m-3", reason="asked for")
    book.lender.set({"four_eyes": "on"})
    waits = book.write_off(other.id, "gone")
    assert isinstance(waits, Waiting)
    counter.close_until(date(2025, 6, 20))
    book.acting("boss").requests.approve(waits.request_id)
    while book.events.deliver(lambda event: None):
        pass
    counter.must_be_sound()


def test_what_the_page_grants_is_enough_and_history_is_out_of_reach(
    names: tuple[str, str], tmp_path: Path
) -> None:
    program, auditor = names
    counter = Counter(program)
    counter.clock.set_day(date(2025, 5, 12))
    counter.book.init("CNY", date(2025, 5, 12), buckets=2)
    a_lenders_life(counter, tmp_path)
    counter.book.close()
    with LoanBook.open(auditor, clock=counter.clock) as looking:
        assert looking.verify(anchor=tmp_path / "anchor").clean
        assert looking.doctor().healthy
        assert looking.trial_balance().total == 0
        assert looking.report("portfolio") is not None
    assert (tmp_path / "anchor").exists()
    own = make_url(program).set(drivername="postgresql").render_as_string(hide_password=False)
    for statement in (
        "UPDATE ml_event SET actor = 'mallory'",
        "DELETE FROM ml_journal",
        "TRUNCATE ml_seal",
        "ALTER TABLE ml_event DISABLE TRIGGER ALL",
        "DROP TRIGGER ml_event_no_change ON ml_event",
        "UPDATE ml_alembic_version SET version_num = '0'",
    ):
        with psycopg.connect(own) as program_itself, pytest.raises(psycopg.errors.InsufficientPrivilege):
            program_itself.execute(statement)
