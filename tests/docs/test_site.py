"""The pages and the API reference build as one site, and nothing in them is left unsaid."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest

import microloan
from microloan import LoanBook

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site; a warning of its making is an error."""
    built = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-d",
        f"{built}/trees",
        str(DOCS),
        f"{built}/html",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return built / "html"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_site_builds_without_a_warning_and_holds_every_page(site: Path) -> None:
    made = {page.relative_to(site).with_suffix("") for page in site.rglob("*.html")}
    wanted = {
        page.relative_to(DOCS).with_suffix("") for kind in ("md", "rst") for page in DOCS.rglob(f"*.{kind}")
    }
    assert wanted <= made


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_reference_has_every_public_name(site: Path) -> None:
    pages = "".join(page.read_text("utf-8") for page in (site / "reference").glob("*.html"))
    written = set(re.findall(r'id="(microloan\.[\w.]+)"', unescape(pages)))
    missing = [name for name, thing in public() if f"{thing.__module__}.{thing.__qualname__}" not in written]
    assert missing == []


def test_the_reference_begins_with_what_is_exported() -> None:
    page = (DOCS / "reference" / "index.rst").read_text("utf-8")
    named = re.findall(r":(?:class|func|exc):`~(microloan\.[\w.]+)`", page)
    assert sorted(named) == sorted(f"{thing.__module__}.{thing.__qualname__}" for thing in exported())


def exported() -> Iterator[Any]:
    """What can be imported from the package itself."""
    for name in microloan.__all__:
        if callable(getattr(microloan, name)):
            yield getattr(microloan, name)


def public() -> Iterator[tuple[str, Any]]:
    """What is exported, and every use case of the book and of its rooms."""
    for thing in exported():
        yield thing.__name__, thing
    for room in (LoanBook, *rooms()):
        for name, method in vars(room).items():
            if not name.startswith("_") and inspect.isfunction(method):
                yield f"{room.__name__}.{name}", method


def rooms() -> Iterator[type]:
    """What stands beside lending in a book."""
    with LoanBook.open("sqlite://") as book:
        for name, member in vars(LoanBook).items():
            if hasattr(member, "func"):
                yield type(getattr(book, name))
        yield type(book.underwriting.policies)


PUBLIC = list(public())


@pytest.mark.parametrize("thing", [thing for _, thing in PUBLIC], ids=[name for name, _ in PUBLIC])
def test_a_public_name_says_what_it_is(thing: Any) -> None:
    said = inspect.getdoc(thing) or ""
    assert said[:1].isupper() or said[:1] in "`*"
    assert len(said.split()) > 2
    assert not said.startswith(f"{thing.__name__}(")


def test_a_command_says_what_it_raises() -> None:
    commands = [
        (name, thing) for name, thing in PUBLIC if "idempotency_key" in inspect.signature(thing).parameters
    ]
    assert len(commands) > 40
    assert [name for name, thing in commands if "Raises " not in (inspect.getdoc(thing) or "")] == []


@pytest.mark.parametrize("thing", [thing for _, thing in PUBLIC], ids=[name for name, _ in PUBLIC])
def test_a_public_name_says_what_it_takes_and_gives_back(thing: Any) -> None:
    if inspect.isclass(thing):
        return
    signature = inspect.signature(thing)
    assert signature.return_annotation is not inspect.Signature.empty
    untyped = [p.name for p in signature.parameters.values() if p.name != "self" and p.annotation is p.empty]
    assert untyped == []


RULES = ("accounting", "servicing", "underwriting")


def rules() -> Iterator[Any]:
    """The public functions of the rooms in which money is worked out."""
    for room in RULES:
        root = import_module(f"microloan.{room}")
        for found in walk_packages(root.__path__, f"{root.__name__}."):
            module = import_module(found.name)
            for name, member in vars(module).items():
                if (
                    inspect.isfunction(member)
                    and member.__module__ == found.name
                    and not name.startswith("_")
                ):
                    yield member


def test_a_rule_of_money_says_what_it_is_and_where_it_comes_from() -> None:
    found = list(rules())
    assert len(found) > 100
    silent = [rule.__qualname__ for rule in found if not inspect.getdoc(rule)]
    unsourced = [
        f"{rule.__module__}.{rule.__qualname__}"
        for rule in found
        if "ource:" not in f"{inspect.getdoc(rule)} {import_module(rule.__module__).__doc__}"
    ]
    assert (silent, unsourced) == ([], [])
