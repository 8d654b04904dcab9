"""docs/json.md says what ``--json`` prints: made of the answers in the golden sessions and of the results they are made from.

No list of fields stands here. The sessions give each command's documents; an object that has all fields of a result is that
result, whose docstring and types say what it means. ``UPDATE_GOLDEN=1`` writes the page.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from microloan_cli.messages import Messages
from microloan_cli.run import Answer, Run
from microloan_cli.view import INSTANTS, MONEY, RATES

from microloan.plain import names_in
from tests.cli import session, test_golden
from tests.docs.test_commands import leaves, program, typer

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "json.md"
HEAD = """\
# What `--json` prints

One document on stdout, of one command each, nothing else. **Money** is text with the currency's digits (`"12960.00"`), a **rate**
or **share** is a plain decimal fraction as text (`"0.00048"` is 0.048%), a **day** is `2025-05-12`, an **instant** is ISO 8601
with its offset. A field of a result that has no value is `null`. New fields may come with a new version; a field that is here
keeps its meaning.

An error is a document on stderr; its `code` is stable, its `details` hold the values. The exit status says of which kind it is:
0 done, 1 a bug of ours, 2 bad input, 3 refused by a rule, 4 not found, 5 integrity broken, 6 a scenario's figures differ,
7 done with some set aside.

```json
{
  "error": {
    "code": "not_found",
    "message": "loan 'loan-9' does not exist in this book",
    "details": {"kind": "loan", "id": "loan-9"}
  }
}
```

Below, *a [Loan](#loan)* stands for all fields of that result, which are at the end of the page. Written from the commands' own
answers and the docstrings of the results (`UPDATE_GOLDEN=1 pytest tests/docs/test_json_page.py` renews it).

"""


@dataclass
class Shape:
    """What was seen in one place of a command's documents."""

    kinds: set[str] = field(default_factory=set)
    fields: dict[str, Shape] = field(default_factory=dict)
    items: Shape | None = None
    results: set[str] = field(default_factory=set)

    def see(self, value: Any, name: str = "") -> None:
        """Take one more value into account."""
        if isinstance(value, Mapping):
            self._see_object(value)
        elif isinstance(value, list | tuple):
            self.items = self.items or Shape()
            for part in value:
                self.items.see(part, name)
        else:
            self.kinds.add(kind_of(value, name))

    def _see_object(self, value: Mapping[str, Any]) -> None:
        result = result_of(frozenset(value))
        if result is not None:
            self.results.add(result.__name__)
        for name, part in value.items():
            below = self.fields.setdefault(name, Shape())
            if name in FREE and isinstance(part, Mapping):
                below.kinds.add("object")
            else:
                below.see(part, name)


def kind_of(value: Any, name: str) -> str:
    """The kind of a plain value, as its name tells it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if name in MONEY and isinstance(value, str):
        return "money"
    if name in RATES and isinstance(value, str):
        return "rate"
    if name in INSTANTS:
        return "instant"
    if isinstance(value, int):
        return "number"
    return "day" if re.fullmatch(r"\d{4}-\d\d-\d\d", str(value)) else "text"


# --- results ----------------------------------------------------------------------------------------------------------


def is_result(kind: Any) -> bool:
    """A class of frozen values: a dataclass or a named tuple."""
    return isinstance(kind, type) and (dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"))


def _results() -> Iterator[type]:
    """Every public result of the library, the book's first."""
    packages = ("book", "reports", "servicing", "underwriting", "intake", "risk", "store")
    for package in packages:
        root = import_module(f"microloan.{package}")
        for found in walk_packages(root.__path__, f"{root.__name__}."):
            if ".migrations" in found.name:
                continue
            for member in vars(import_module(found.name)).values():
                if (
                    is_result(member)
                    and member.__module__ == found.name
                    and not member.__name__.startswith("_")
                ):
                    yield member


RESULTS = tuple(_results())
FIELDS = {result: frozenset(names_in(result) or ()) for result in RESULTS}


def result_of(names: frozenset[str]) -> type | None:
    """The result whose fields are all there: no others, or three at least that make up most of what is there."""
    fitting = [
        own
        for own, fields in FIELDS.items()
        if fields == names or (len(fields) > 2 and fields < names and len(names) < 2 * len(fields))
    ]
    return max(fitting, key=lambda result: len(FIELDS[result]), default=None)


def hints(result: type) -> dict[str, Any]:
    """The types of a result's fields."""
    return get_type_hints(result, {**vars(import_module(result.__module__)), "Any": Any, **_TYPING})


_TYPING = {"date": date, "datetime": datetime, "Decimal": Decimal, "Mapping": Mapping}
#: Fields that hold whatever somebody put into them: a product's content, a step's inputs.
FREE = {name for result in RESULTS for name, hint in hints(result).items() if get_origin(hint) is Mapping}


#: What golden sessions leave out because it differs from run to run.
BESIDE = """\
$ microloan init --open-day 2025-05-12
$ microloan doctor
$ microloan backup copy.db
$ microloan eod --to 2025-05-31
$ microloan month-end 2025-05 --output may
$ microloan demo
"""
#: Answers only a damaged book gives, or one with many more shops.
UNSEEN = {"microloan loan release", "microloan policy fit"}


# --- the sessions -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shape]:
    """What every command answers in the golden sessions, refusals apart."""
    seen: dict[str, Shape] = {}
    line: list[str] = []
    paths = dict(leaves("microloan", typer.main.get_command(program.build())))
    finish, main = Run.finish, session.main

    def played(arguments: list[str]) -> int:
        line[:] = arguments
        return main(arguments)

    def finished(run: Run, answer: Answer) -> int:
        if answer.document:
            seen.setdefault(command_of(line, paths), Shape()).see(answer.document)
        return finish(run, answer)

    for script in (*(file.read_text("utf-8") for file in test_golden.GOLDEN), BESIDE):
        with pytest.MonkeyPatch.context() as patch:
            folder = tmp_path_factory.mktemp("session")
            patch.setattr(Run, "finish", finished)
            patch.setattr(session, "main", played)
            with session.desk(folder, patch) as clock:
                inspect.unwrap(test_golden.files_at_hand)(folder)
                session.replay(script, session.Names(), clock)
    return seen


def command_of(line: list[str], paths: Mapping[str, Any]) -> str:
    """The command a line names, whatever options stand before it."""
    for start in range(len(line)):
        for words in (3, 2, 1):
            named = " ".join(("microloan", *line[start : start + words]))
            if named in paths:
                return named
    raise AssertionError(line)


# --- the page ---------------------------------------------------------------------------------------------------------


def page(shapes: Mapping[str, Shape]) -> str:
    """The page as it should be."""
    order = [path for path, _ in leaves("microloan", typer.main.get_command(program.build()))]
    named: set[str] = set()
    parts = [HEAD, "## By command\n"]
    for path in (path for path in order if path in shapes):
        parts.append(f"### {path}\n\n" + "\n".join(rows(shapes[path], named)) + "\n")
    parts.append("## Results\n")
    parts += [described(result) for result in below(named)]
    return "\n".join(parts)


def rows(
    shape: Shape, named: set[str], depth: int = 0, told: dict[frozenset[str], str] | None = None
) -> Iterator[str]:
    """An object: the result it is, and each field beside it; what stood in the same command before is named only."""
    indent, told = "  " * depth, {} if told is None else told
    own: set[str] = set()
    for name in sorted(shape.results):
        own |= FIELDS[by_name(name)]
        named.add(name)
        yield f"{indent}- {'an' if name[0] in 'AEIOU' else 'a'} [{name}](#{name.lower()})"
    for name, part in shape.fields.items():
        if name in own:
            continue
        inner = part.items or part
        yield f"{indent}- `{name}`: {in_words(part)}{said(name)}"
        before = told.setdefault(frozenset(inner.fields), name) if len(inner.fields) >= MANY else name
        if before != name:
            yield f"{indent}  - as in `{before}`"
        else:
            yield from rows(inner, named, depth + 1, told)


#: From so many fields on, an object that is there a second time is not written out again.
MANY = 4


def by_name(name: str) -> type:
    """The result of that name."""
    return next(result for result in RESULTS if result.__name__ == name)


def in_words(shape: Shape) -> str:
    """The kinds of values seen in a place."""
    inner = shape.items or shape
    kinds = sorted((inner.kinds | shape.kinds | ({"object"} if inner.fields else set())) - {"null"})
    kinds += ["null"] if "null" in inner.kinds | shape.kinds else []
    return f"{'list of ' if shape.items else ''}{' or '.join(kinds) or 'whatever there is'}"


def said(name: str) -> str:
    """What a field is called where people read it, if that says more than its name."""
    english, chinese = Messages("en").label(name), Messages("zh").label(name)
    plain = name.replace("_", " ")
    told = ", ".join([word for word in (english, chinese) if word != plain])
    return f" — {told}" if told else ""


def below(named: set[str]) -> list[type]:
    """The results named, and those that stand in their fields, in the order of the alphabet."""
    wanted = [result for result in RESULTS if result.__name__ in named]
    for result in wanted:
        for hint in hints(result).values():
            wanted += [part for part in parts_of(hint) if part not in wanted]
    return sorted(wanted, key=lambda result: result.__name__)


def parts_of(hint: Any) -> list[type]:
    """The results inside a type."""
    if is_result(hint):
        return [hint]
    return [part for inner in get_args(hint) for part in parts_of(inner)]


def described(result: type) -> str:
    """A result: its docstring, and its fields with their kinds."""
    meaning = re.sub(r":\w+:`[~.]?(?:\w+\.)*(\w+)`", r"`\1`", inspect.getdoc(result) or "").replace("``", "`")
    lines = [f"### {result.__name__}", "", meaning, "", "| field | what it holds | 中文 |", "|---|---|---|"]
    chinese = Messages("zh")
    for name, hint in hints(result).items():
        if name in FIELDS[result]:
            label = chinese.label(name)
            lines.append(
                f"| `{name}` | {held(hint, name)} | {'' if label == name.replace('_', ' ') else label} |"
            )
    return "\n".join(lines) + "\n"


PLAIN = {str: "text", bool: "true or false", int: "number", date: "day", datetime: "instant", float: "number"}


def held(hint: Any, name: str) -> str:
    """A type in words."""
    if get_origin(hint) in (types.UnionType, Union):
        return " or ".join("null" if part is type(None) else held(part, name) for part in get_args(hint))
    if get_origin(hint) in (tuple, list):
        inner = [part for part in get_args(hint) if part is not Ellipsis]
        return f"list of {', '.join(dict.fromkeys(held(part, name) for part in inner))}"
    if is_result(hint):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    if hint is Decimal:
        return "money" if name in MONEY else "rate" if name in RATES else "decimal as text"
    return PLAIN.get(hint, "object" if "Mapping" in str(hint) else "text")


@pytest.mark.slow
def test_the_page_says_what_the_commands_answer(shapes: dict[str, Shape]) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(page(shapes), "utf-8")
    assert PAGE.read_text("utf-8") == page(shapes)


@pytest.mark.slow
def test_every_command_that_answers_is_on_the_page(shapes: dict[str, Shape]) -> None:
    commands = {path for path, _ in leaves("microloan", typer.main.get_command(program.build()))}
    assert commands - set(shapes) == UNSEEN
