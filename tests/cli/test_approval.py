"""Who may approve a policy or a product: what the help and the files say is what the program does, in both languages."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from tests.cli.session import say

POLICY = resources.files("microloan").joinpath("underwriting/marketplace.toml").read_text("utf-8")


@pytest.mark.parametrize(("four_eyes", "status"), [("off", 0), ("on", 3)])
def test_one_person_alone_approves_only_where_four_eyes_is_off(
    tmp_path: Path, four_eyes: str, status: int
) -> None:
    book = ("--db", f"sqlite:///{tmp_path / 'book.db'}", "--actor", "ann")
    assert say("init", "--open-day", "2025-05-12", "--four-eyes", four_eyes, *book).status == 0
    file = tmp_path / "mine.toml"
    file.write_text(POLICY.replace('name = "marketplace"', 'name = "mine"', 1), encoding="utf-8")
    assert say("policy", "propose", str(file), *book).status == 0
    alone = say("policy", "approve", "mine", "1", *book)
    assert alone.status == status, alone.err
    if status:
        assert say("policy", "approve", "mine", "1", *book[:2], "--actor", "bob").status == 0


@pytest.mark.parametrize(("lang", "words"), [("en", "four eyes on"), ("zh", "开启双人复核时")])
@pytest.mark.parametrize("command", ["policy", "product", "policy approve", "product approve"])
def test_the_help_says_when_a_second_person_is_needed(command: str, lang: str, words: str) -> None:
    told = say(*command.split(), "--help", "--lang", lang).out
    assert words in told.replace("\n", " ")


def test_the_shipped_policy_says_it_too() -> None:
    head = POLICY.partition("\nname")[0].replace("\n# ", " ")
    assert "in a book with four eyes on, a second person approves" in head


@pytest.mark.parametrize(("lang", "words"), [("en", "must be above 0"), ("zh", "须大于 0")])
def test_every_fault_of_a_policy_file_is_told_with_its_line(tmp_path: Path, lang: str, words: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(
        POLICY.replace("tenure_days = 90", 'tenure_days = "90"').replace("k = 1.5", "k = 0"), "utf-8"
    )
    said = say("policy", "check", str(file), "--lang", lang)
    lines = said.err.splitlines()
    assert (said.status, len(lines)) == (2, 2)
    assert "eligibility.tenure_days" in lines[0]
    assert "grades.1.k" in lines[1]
    assert words in lines[1]
    assert all(", line " in line for line in lines)
