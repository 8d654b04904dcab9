"""The picture of the READMEs says what the program says, and refers to nothing outside itself."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PICTURES = ("picture.svg", "picture.zh.svg")
LIGHT = 60_000  # bytes


def said(picture: Path) -> list[str]:
    """The words and figures in a picture, whatever version of the drawing library placed them."""
    return [unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", picture.read_text("utf-8"))]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures drawn again, in a process of its own: a drawing library loaded while time is frozen knows no real days."""
    folder = tmp_path_factory.mktemp("pictures")
    subprocess.run([sys.executable, DOCS / "picture.py", folder], check=True)
    return folder


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_says_what_the_book_says(name: str, drawn: Path) -> None:
    assert said(DOCS / name) == said(drawn / name)


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_light_and_stands_alone(name: str) -> None:
    text = (DOCS / name).read_text("utf-8")
    assert len(text.encode()) < LIGHT
    assert re.findall(r'(?:href|src)="(?!#)[^"]*"', text) == []


def test_the_interest_in_the_picture_by_hand() -> None:
    """300,000.00 for 39 nights; 200,000.00 less that interest goes to principal; the rest for 31 nights more."""
    first = 300_000_00 * 48 * 39 // 100_000
    rest = 300_000_00 - (200_000_00 - first)
    second = (rest * 48 * 31 + 50_000) // 100_000
    assert (first, second) == (5_616_00, 1_571_57)
    shown = " ".join(said(DOCS / "picture.svg"))
    assert f"{(first + second) / 100:,.2f} interest in all" in shown
