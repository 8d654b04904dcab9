"""docs/underwriting.md: every example is run, its output compared, every line of arithmetic evaluated."""

from __future__ import annotations

import ast
import contextlib
import io
import operator
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from microloan.underwriting.policy import Detectors

PAGE = (Path(__file__).parents[2] / "docs" / "underwriting.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.S)
FIGURES = [line for kind, text in BLOCKS if kind == "figures" for line in text.splitlines()]
OPERATORS: dict[type[ast.AST], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def value_of(node: ast.AST, text: str) -> Decimal:
    """The exact value of plain arithmetic; numbers are read from their text, never as floats."""
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](value_of(node.left, text), value_of(node.right, text))
    return Decimal(str(ast.get_source_segment(text, node)))


@pytest.mark.parametrize("line", FIGURES)
def test_the_arithmetic_is_right(line: str) -> None:
    left, _, right = line.partition("=")
    claimed = Decimal(right.split()[0])
    exact = value_of(ast.parse(left.strip(), mode="eval").body, left.strip())
    assert exact.quantize(claimed, ROUND_HALF_UP) == claimed


def test_every_example_prints_what_the_page_says() -> None:
    names: dict[str, Any] = {}
    for (kind, text), (after, printed) in pairwise(BLOCKS):
        if kind != "python":
            continue
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(text, "docs/underwriting.md", "exec"), names)
        assert after == "text", f"what does this print?\n{text}"
        assert out.getvalue() == printed


def test_every_detector_is_on_the_page() -> None:
    for name in Detectors.model_fields:
        assert f"`{name}`" in PAGE
