"""The same lines from every engine give the same features and the same decisions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from microloan_cli.fixtures import generate

from microloan.underwriting import decide_many, features, frames, sales_lines, shipped_policy

AS_OF = generate.DEMO_DAY


@cache
def texts() -> list[dict[str, Any]]:
    """The lines as a file has them."""
    return [dict(row) for shop in generate.SHOPS if shop.shop_id != "seafood" for row in generate.rows(shop)]


@cache
def typed() -> list[dict[str, Any]]:
    """The lines as a database has them: the amount in minor units, the day as a date."""
    return [
        {
            **{name: cell for name, cell in row.items() if name != "amount"},
            "amount_minor": int(row["amount"].replace(".", "")),
            "paid_at": date.fromisoformat(row["paid_at"][:10]),
        }
        for row in texts()
    ]


def duck(rows: list[dict[str, Any]]) -> Any:
    table = pa.Table.from_pylist(rows)
    return duckdb.connect().from_arrow(table).order("order_id desc")


ENGINES: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "pandas": lambda rows: pd.DataFrame(rows).sample(frac=1, random_state=1),
    "polars": pl.DataFrame,
    "pyarrow": pa.Table.from_pylist,
    "duckdb": duck,
    "columns": lambda rows: {name: [row[name] for row in rows] for name in rows[0]},
}


@pytest.fixture(scope="module")
def expected() -> dict[str, dict[str, Any]]:
    return dict(features(texts(), as_of=AS_OF).rows())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rows", [texts, typed], ids=["text", "typed"])
def test_features_are_the_same_from_every_engine(
    engine: str, rows: Callable[[], list[dict[str, Any]]], expected: dict[str, dict[str, Any]]
) -> None:
    assert dict(features(ENGINES[engine](rows()), as_of=AS_OF).rows()) == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_decisions_are_the_same_from_every_engine(engine: str) -> None:
    def decided(frame: Any) -> dict[str, Any]:
        return {each.merchant_id: each for each in decide_many(frame, shipped_policy(), as_of=AS_OF)}

    assert decided(ENGINES[engine](texts())) == decided(texts())


def test_a_relation_is_read_in_parts_of_whole_shops() -> None:
    parts = list(frames.parts_of(duck(texts()), currency="CNY", zone="Asia/Shanghai", lines_at_once=700))
    assert len(parts) > 2
    assert [shop for part in parts for shop in part.shops] == sorted({row["shop_id"] for row in texts()})
    assert sum(len(part) for part in parts) == len(texts())


def test_lines_in_memory_in_parts_are_the_whole() -> None:
    first = texts()[0]
    lines = sales_lines([*texts(), {**first, "order_id": "own", "buyer_id": first["shop_id"]}])
    parts = list(lines.parts(1000))
    assert len(parts) > 2
    assert tuple(shop for part in parts for shop in part.shops) == lines.shops
    for part in parts:
        for shop in part.shops:
            assert features(part, as_of=AS_OF).row(shop) == features(lines, as_of=AS_OF).row(shop)


def test_an_empty_relation_has_no_shops() -> None:
    relation = duckdb.connect().sql(
        "select '' as shop_id, '' as order_id, '' as paid_at, '1' as amount where 1 = 0"
    )
    assert features(relation, as_of=AS_OF).shops == ()
