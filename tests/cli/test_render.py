"""Blocks in a pipe, on narrow and wide terminals, with Chinese in them."""

from __future__ import annotations

import io

import pytest
from microloan_cli.messages import Messages
from microloan_cli.render import Column, Facts, Note, Table, as_text, cell_width, print_blocks
from microloan_cli.view import View

TABLE = Table(
    "Loans",
    (Column("id"), Column("amount", right=True), Column("状态")),
    (("one", "1.00", "正常"), ("twenty", "20,000.00", "逾期")),
    "none",
)


class Terminal(io.StringIO):
    """A terminal of so many columns."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> object:
    def show(width: int, *blocks: object, **environment: str) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm-256color")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        stream = Terminal()
        print_blocks(blocks, stream)  # type: ignore[arg-type]
        return stream.getvalue()

    return show


def test_a_pipe_gets_plain_aligned_text_without_a_limit() -> None:
    assert as_text([TABLE, Facts("", (("a", "x" * 300), ("长标签", "2")))]) == (
        "Loans\n"
        "id         amount  状态\n"
        "one          1.00  正常\n"
        "twenty  20,000.00  逾期\n"
        "\n"
        f"a       {'x' * 300}\n"
        "长标签  2\n"
    )


def test_an_empty_table_says_so() -> None:
    assert as_text([Table("Loans", (Column("id"),), (), "none")]) == "Loans\nnone\n"


def test_a_table_too_wide_for_the_terminal_becomes_records(shown) -> None:  # type: ignore[no-untyped-def]
    text = shown(20, TABLE, NO_COLOR="1")
    assert "id      one\namount  1.00\n状态    正常\n" in text
    assert all(cell_width(line) <= 20 for line in text.splitlines())


def test_a_wide_terminal_keeps_the_table(shown) -> None:  # type: ignore[no-untyped-def]
    assert "twenty  20,000.00  逾期\n" in shown(200, TABLE, NO_COLOR="1")


def test_no_color_means_none(shown) -> None:  # type: ignore[no-untyped-def]
    assert "\x1b[2m" in shown(80, TABLE)
    assert "\x1b[3" not in shown(80, Note("x", "red"), NO_COLOR="1")


@pytest.mark.parametrize("width", [24, 40, 60])
def test_long_text_is_broken_between_words_and_between_chinese_characters(shown, width: int) -> None:  # type: ignore[no-untyped-def]
    text = shown(
        width,
        Note(
            "  a sentence of several words, 商户的销售流水决定其授信额度，每一个数字都有解释。 end",
            prose=True,
        ),
        NO_COLOR="1",
    )
    assert all(cell_width(line) <= width for line in text.splitlines())
    assert all(line.startswith("  ") for line in text.splitlines())
    assert "several" in text


def test_the_share_that_is_kept_for_a_loan_stands_beside_the_net() -> None:
    """Of 1,000.00 that waits as a whole, one loan still gets 800.00."""
    waiting = {"amount": "1000.00", "kept_for": [{"loan_id": "loan-00-a", "amount": "800.00"}]}
    table = View(Messages("en")).table("", [waiting], "amount kept_for")
    assert table.rows == (("1,000.00", "loan-00-a 800.00"),)
