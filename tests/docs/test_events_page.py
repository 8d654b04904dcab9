"""docs/events.md lists every type of event with its fields, as the code writes them. ``UPDATE_GOLDEN=1`` writes the list."""

from __future__ import annotations

import os
import re
from pathlib import Path

from microloan.book.notices import COMMON, TYPES
from microloan.servicing.events import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "events.md"
LIST = re.compile(r"(?<=<!-- types -->\n).*(?=<!-- end of types -->)", re.S)


def table() -> str:
    """The types as a table."""
    lines = ["| type | says | data, beside the common fields |", "|---|---|---|"]
    for name, told in TYPES.items():
        fields = ", ".join(f"`{field}`" for field in told.fields.split())
        lines.append(f"| `microloan.{name}.v1` | {told.meaning} | {fields} |")
    return "\n".join(lines) + "\n"


def test_the_page_lists_every_type() -> None:
    page = PAGE.read_text("utf-8")
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(LIST.sub(lambda _: table(), page), "utf-8")
        return
    assert LIST.search(page) is not None
    assert LIST.search(page)[0] == table()  # type: ignore[index]


def test_the_page_names_every_common_field() -> None:
    page = PAGE.read_text("utf-8")
    assert [field for field in COMMON if f"`{field}`" not in page] == []


def test_every_event_of_a_loan_has_a_type() -> None:
    assert set(KINDS) - set(TYPES) == set()
