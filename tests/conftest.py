"""What every test may ask for: a database of either kind, and the number of generated examples."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.databases import SERVER, Originals, make_tables, new_postgres, share_statements

IN_CI = bool(os.environ.get("MICROLOAN_CI"))

# A developer's own settings must not reach the program under test.
for name in [n for n in os.environ if n.startswith("MICROLOAN_")]:
    if name not in {"MICROLOAN_CI", "MICROLOAN_OLIST", "MICROLOAN_TEST_POSTGRES"}:
        del os.environ[name]

share_statements()

# Everyday runs give the same examples each time; `make test-all` draws new ones, and many more.
settings.register_profile(
    "everyday",
    derandomize=True,
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough",
    derandomize=False,
    max_examples=500,  # drawn anew each time, so that the runs add up
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("everyday")


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Originals]:
    """What is made once and copied, so that migrations and imports do not run again for each test."""
    with ExitStack() as opened:
        yield Originals(tmp_path_factory.mktemp("originals"), opened)


def need_server() -> None:
    """Skip the test where no PostgreSQL was given."""
    if not SERVER:
        pytest.skip("no PostgreSQL: export MICROLOAN_TEST_POSTGRES=$(.ci/postgres start)")


@pytest.fixture
def sqlite_url(originals: Originals, tmp_path: Path) -> Iterator[str]:
    """A SQLite file of this test's own, with our tables and no book."""
    with originals.copy("sqlite", make_tables, tmp_path) as url:
        yield url


@pytest.fixture
def postgres_url(originals: Originals, tmp_path: Path) -> Iterator[str]:
    """A PostgreSQL database of this test's own, with our tables and no book, dropped afterwards."""
    need_server()
    with originals.copy("postgres", make_tables, tmp_path) as url:
        yield url


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'empty.db'}"


@pytest.fixture
def empty_postgres_url() -> Iterator[str]:
    """An empty PostgreSQL database of this test's own, dropped afterwards."""
    need_server()
    with new_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_kind(request: pytest.FixtureRequest) -> str:
    """The test runs once on SQLite and once on PostgreSQL."""
    if request.param == "postgres":
        need_server()
    return str(request.param)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_kind: str) -> str:
    """A database with our tables and no book: once on SQLite, once on PostgreSQL."""
    return str(request.getfixturevalue(f"{database_kind}_url"))


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, database_kind: str) -> str:
    """An empty database: once on SQLite, once on PostgreSQL."""
    return str(request.getfixturevalue(f"empty_{database_kind}_url"))


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test was skipped, as its author put it."""
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")


def refuse_skip_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    """In CI a test that did not run is a test that failed."""
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.longrepr = f"Skipped, and in CI nothing may be skipped: {skip_reason(report)}"
        report.outcome = "failed"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    refuse_skip_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    refuse_skip_in_ci(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say last and loudly what was not tested, and why."""
    reasons = Counter(skip_reason(report) for report in terminalreporter.stats.get("skipped", []))
    if not reasons:
        return
    terminalreporter.section("NOT TESTED", yellow=True, bold=True)
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count:5} skipped: {reason}", yellow=True)
