"""docs/lender.md names every entry and every key a lender's file may have, no other, and its example is such a file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from microloan_cli.lender import set_

from microloan.book.lender import NAMES
from microloan.book.lender_file import LenderFile
from microloan.errors import InvalidSetting

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "lender.md").read_text(encoding="utf-8")
EXAMPLE = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0]
ROWS = {
    entry: set(re.findall(r"`(\w+)`", keys))
    for entry, keys in re.findall(r"^\| `(\w+)` \| (.*?) \|", PAGE, re.MULTILINE)
}


def keys_of(name: str) -> set[str]:
    """The keys of an entry of this kind, ``from`` left out."""
    (kind, _) = get_args(LenderFile.model_fields[name].annotation)
    return set(kind.model_fields) - {"first_day"}


def test_the_page_lists_every_entry_and_no_other() -> None:
    assert set(ROWS) == {*NAMES, "four_eyes"} == set(LenderFile.model_fields)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_lists_every_key_of_an_entry_and_no_other(name: str) -> None:
    assert ROWS[name] == keys_of(name)


def test_the_example_is_a_file_with_an_entry_of_every_kind() -> None:
    file = LenderFile.parse(tomllib.loads(EXAMPLE))
    assert {name for name, _, _ in file.entries()} == set(NAMES)
    assert file.four_eyes == "on"


def test_the_help_of_lender_set_names_every_entry_too() -> None:
    listed = re.search(r"Entries: ([\w, ]+)\.", set_.__doc__ or "")
    assert listed is not None
    assert set(listed[1].split(", ")) == {*NAMES, "four_eyes"}


def test_a_key_that_is_not_listed_is_refused_by_its_name() -> None:
    with pytest.raises(InvalidSetting) as refused:
        LenderFile.parse({"net_asset": []})
    assert refused.value.details["field"] == "net_asset"


def test_shares_are_read_as_the_page_writes_them() -> None:
    for written in ("30%", "0.3", "3/10"):
        file = LenderFile.parse({"caps": [{"from": "2025-01-01", "group_share": written}]})
        assert [value for _, _, value in file.entries()] == ['{"from":"2025-01-01","group_share":"0.3"}']
