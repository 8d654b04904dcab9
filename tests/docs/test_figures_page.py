"""docs/figures.md: every line of arithmetic is evaluated, every scenario is run."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from microloan import simulate

PAGE = (Path(__file__).parents[2] / "docs" / "figures.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.S)
LINES = [line for kind, text in BLOCKS if kind == "figures" for line in text.splitlines()]
SCENARIOS = [yaml.safe_load(text) for kind, text in BLOCKS if kind == "yaml"]
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
    if isinstance(node, ast.Constant):
        return Decimal(str(ast.get_source_segment(text, node)))
    raise ValueError(f"not plain arithmetic: {text}")


@pytest.mark.parametrize("line", LINES)
def test_the_arithmetic_is_right(line: str) -> None:
    left, _, right = line.partition("=")
    text, claimed = left.strip(), Decimal(right.split()[0])
    exact = value_of(ast.parse(text, mode="eval").body, text)
    assert exact.quantize(claimed, ROUND_HALF_UP) == claimed


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
def test_the_scenario_comes_out_as_told(scenario: dict[str, Any]) -> None:
    assert scenario["expect"]
    assert simulate(scenario).get("failures", []) == []


def test_the_page_tells_a_whole_year() -> None:
    assert len(LINES) > 40
    assert len(SCENARIOS) == 4
