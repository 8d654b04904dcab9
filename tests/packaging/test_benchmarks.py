"""Every benchmark still runs, at its smallest: what it measures may have changed under it. No figure is judged here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALLEST = {
    "bench_close": ["--loans", "400", "--passes", "1"],
    "bench_commands": ["--operations", "5", "--each", "4"],
    "bench_decision": ["--lines", "300"],
    "bench_features": ["--lines", "3000", "--shops", "30"],
    "bench_import": ["--lines", "3000", "--shops", "30"],
    "bench_replay": ["--loans", "10"],
    "bench_reports": ["--loans", "100"],
    "bench_rings": ["--edges", "3000"],
    "bench_startup": ["--passes", "1"],
    "bench_verify": ["--loans", "100"],
}
ON_A_SERVER = ("bench_close", "bench_commands")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "benchmarks").exists(), reason="not a checkout"),
]


def test_each_benchmark_has_a_smallest_size() -> None:
    assert {path.stem for path in (ROOT / "benchmarks").glob("bench_*.py")} == set(SMALLEST)


@pytest.mark.parametrize("name", SMALLEST)
def test_a_benchmark_runs(name: str) -> None:
    ran(name)


@pytest.mark.postgres
@pytest.mark.parametrize("name", ON_A_SERVER)
def test_a_benchmark_runs_on_postgresql(name: str, empty_postgres_url: str) -> None:
    ran(name, "--postgres", empty_postgres_url)


def ran(name: str, *more: str) -> None:
    """It ends well, and prints a figure."""
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / f"{name}.py", *SMALLEST[name], *more],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.search(r"\d\.\d", done.stdout), done.stdout
