"""docs/platforms.md: its example runs as printed, and its table names every layout that is shipped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from microloan.intake.mapping import Mapping, shipped_names
from tests.cli.session import Names, say

PAGE = (Path(__file__).parents[2] / "docs" / "platforms.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```\w+ file=(\S+)\n(.*?)```", PAGE, re.DOTALL))
SESSION = re.search(r"```\n\$ microloan (?P<line>.+)\n(?P<said>[\s\S]+?)```", PAGE)


def test_the_mapping_of_ones_own_does_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert SESSION is not None
    assert say("init", "--open-day", "2025-06-30", "--lang", "en").status == 0
    said = say(*SESSION["line"].split(), "--lang", "en")
    assert (said.status, said.err) == (0, "")
    assert Names().hide(said.out) == SESSION["said"]


def test_every_shipped_layout_is_on_the_page() -> None:
    ours = {"daily": "date, shop_id, amount", "documents": "document_id, shop_id, settled_on, payable"}
    assert [
        name for name in shipped_names() if f"`{name}`" not in PAGE and ours.get(name, name) not in PAGE
    ] == []


def test_every_setting_of_a_mapping_is_on_the_page() -> None:
    described = set(Mapping.model_fields) - {"name", "title", "export", "source"}
    assert [name for name in sorted(described) if f"`{name}`" not in PAGE and f"`[{name}]`" not in PAGE] == []
