"""What is installed is what stands in the folders, and nothing of the machine it was written on."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP_LEVEL = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "README.zh-CN.md",
    "benchmarks",
    "cli",
    "constraints.txt",
    "docs",
    "fixtures",
    "microloan",
    "pyproject.toml",
    "tests",
}
FOLDERS = {"microloan": "microloan", "microloan_cli": "cli", "microloan_cli.fixtures": "fixtures"}
# Letters in brackets keep this line from finding itself.
NOT_OURS = re.compile(
    r"//[a-z0-9.-]*(py[p]i|python[h]osted|np[m]js|debi[a]n)\.|/(work|farm|tmp)/[a-z_.]+/", re.IGNORECASE
)

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")


def git_files(*options: str) -> list[Path]:
    """Paths in the checkout, relative to its top: tracked ones, or as the options say."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *options], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return [Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()]


def source_files() -> list[Path]:
    """What is tracked, and what would be."""
    return git_files("--cached", "--others", "--exclude-standard")


def packages_in_folders() -> set[str]:
    """Every folder that is a package, by the name it is installed under."""
    found = set()
    for name, folder in FOLDERS.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            inside = init.parent.relative_to(ROOT / folder).parts
            found.add(".".join((name, *inside)))
    return found


def test_listed_packages_are_the_folders_that_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    listed = project["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(packages_in_folders())


def test_every_folder_with_code_is_a_package() -> None:
    code = [p for p in source_files() if p.suffix == ".py" and p.parts[0] in {"microloan", "cli"}]
    assert code
    assert [str(p) for p in code if not (ROOT / p.parent / "__init__.py").exists()] == []


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The file names in a wheel built from a copy of the sources."""
    tree = tmp_path_factory.mktemp("tree")
    for path in source_files():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tree / path)
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tree / "dist", tree],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (tree / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_every_module_and_the_data_it_reads(wheel_names: set[str]) -> None:
    suffixes = {".py", ".typed", ".toml", ".json", ".mako", ".ini", ".csv", ".gz", ".yaml", ".md"}
    expected = {
        "/".join((*name.split("."), *path.parts[1:]))
        for name, folder in FOLDERS.items()
        for path in source_files()
        if path.parts[0] == folder and path.suffix in suffixes
    }
    assert "microloan/py.typed" in expected
    assert sorted(expected - wheel_names) == []


def test_wheel_installs_two_packages_and_none_called_cli(wheel_names: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel_names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"microloan", "microloan_cli"}


def test_importing_the_library_loads_nothing_heavy(tmp_path: Path) -> None:
    heavy = ["alembic", "numpy", "pandas", "rich", "sqlalchemy", "sqlmodel", "typer"]
    program = f"import sys, microloan; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "[]"


def test_the_clock_is_read_in_one_place_and_cli_is_never_imported() -> None:
    forbidden = re.compile(r"\b(datetime\.now|date\.today|utcnow|time\.time)\(|^\s*(from|import) cli\b")
    found = [
        f"{path}:{n}"
        for folder in ("microloan", "cli")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != ROOT / "microloan" / "clock.py"
        for n, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if forbidden.search(line)
    ]
    assert found == []


def test_no_registry_host_and_no_path_of_a_machine_is_in_the_sources() -> None:
    found = []
    for path in source_files():
        if path.suffix == ".svg":
            continue
        try:
            text = (ROOT / path).read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path}:{n}" for n, line in enumerate(text.splitlines(), 1) if NOT_OURS.search(line)]
    assert found == []


def test_constraints_are_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.+!]*", line)] == []


def test_top_level_holds_only_the_agreed_names() -> None:
    assert {path.parts[0] for path in git_files()} - TOP_LEVEL == set()
