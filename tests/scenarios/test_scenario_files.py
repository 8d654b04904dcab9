"""Every golden life of a loan comes out to the cent, through the library and through the program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from microloan_cli.main import main

from microloan import simulate

FILES = sorted((Path(__file__).resolve().parents[2] / "fixtures" / "scenarios").glob("*.yaml"))

pytestmark = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def test_the_library_gives_the_figures_of_the_file(file: Path) -> None:
    assert simulate(yaml.safe_load(file.read_text("utf-8"))).get("failures", []) == []


def test_the_program_gives_what_the_library_gives(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == simulate(yaml.safe_load(file.read_text("utf-8")))


def test_the_file_says_where_its_figures_come_from_and_expects_some(file: Path) -> None:
    text = file.read_text("utf-8")
    assert text.startswith("# Source: ")
    assert yaml.safe_load(text)["expect"]
