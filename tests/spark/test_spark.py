"""Spark frames: features and decisions computed on two workers are those of lines in memory, figure by figure."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

pytest.importorskip("pyspark", reason="no pyspark: install the extra spark")

from microloan_cli.fixtures import generate

from microloan.errors import BadInput, InvalidAmount, InvalidDate
from microloan.underwriting import Applicant, Decision, decide_many, features, sales_lines, shipped_policy

pytestmark = pytest.mark.spark
POLICY = shipped_policy()
SHOPS = tuple(shop.shop_id for shop in generate.SHOPS if shop.shop_id != "seafood")


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable  # the workers need what we need
    # A Java that lives for seconds spends half of its processor time on compiling and collecting for a long life.
    os.environ["PYSPARK_SUBMIT_ARGS"] = (
        '--driver-java-options "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC" pyspark-shell'
    )
    builder = SparkSession.builder.master("local[2]").appName("microloan")
    for key, value in {
        "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "4", "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1", "spark.sql.session.timeZone": "Asia/Shanghai",
    }.items():  # fmt: skip
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [dict(row) for shop in SHOPS for row in generate.rows(generate.shop(shop))]


@pytest.fixture(scope="module")
def frame(spark: Any, rows: list[dict[str, Any]]) -> Any:
    schema = ", ".join(f"{name} string" for name in rows[0])
    values = [tuple(row.values()) for row in rows]
    return spark.createDataFrame(values, schema).repartition(5)


@pytest.mark.parametrize("as_of", [generate.DEMO_DAY, date(2024, 12, 20)])
def test_features_are_those_of_lines_in_memory(frame: Any, rows: list[dict[str, Any]], as_of: date) -> None:
    ours, memory = features(frame, as_of=as_of), features(rows, as_of=as_of)
    assert sorted(ours.shops) == sorted(memory.shops)
    for shop in memory.shops:
        assert ours.row(shop) == memory.row(shop)


def by_merchant(decisions: Iterator[Decision]) -> dict[str, Decision]:
    return {each.merchant_id: each for each in decisions}


def test_decisions_are_those_of_lines_in_memory(frame: Any, rows: list[dict[str, Any]]) -> None:
    merchants = {"steady": "two shops", "small": "two shops"}
    applicants = {"growing": Applicant(own_exposure_minor=10**6, covered_until=generate.EXPORT_DAY)}
    given: dict[str, Any] = {"as_of": generate.DEMO_DAY, "merchant_of": merchants, "applicants": applicants}
    ours = by_merchant(decide_many(frame, POLICY, **given))
    assert ours == by_merchant(decide_many(sales_lines(rows), POLICY, **given))
    assert ours["two shops"].shop_ids == ("small", "steady")


def test_times_and_decimals_of_spark_are_read_as_they_are(spark: Any) -> None:
    from pyspark.sql import functions

    text = spark.createDataFrame([("s", "1", "2025-05-01 23:30:00", "12.30")],
                                 "shop_id string, order_id string, paid_at string, amount string")  # fmt: skip
    typed = text.withColumn("paid_at", functions.col("paid_at").cast("timestamp")).withColumn(
        "amount", functions.col("amount").cast("decimal(12,2)")
    )
    local = text.withColumn("paid_at", functions.col("paid_at").cast("timestamp_ntz"))
    for each in (text, typed, local):
        found = features(each, as_of="2025-05-01").row("s")
        assert (found["sales_7d"], found["days_since_last_sale"]) == (1230, 0)


def test_a_frame_without_a_needed_column_is_refused(spark: Any) -> None:
    frame = spark.createDataFrame([("s", "2025-05-01")], "shop_id string, paid_at string")
    with pytest.raises(BadInput, match="column missing"):
        features(frame, as_of="2025-05-01")


@pytest.mark.parametrize(
    ("column", "value", "kind"), [("amount", "12,30", InvalidAmount), ("paid_at", "yesterday", InvalidDate)]
)
def test_a_value_that_cannot_be_read_is_refused_as_in_memory(
    spark: Any, column: str, value: str, kind: type[BadInput]
) -> None:
    good = {"shop_id": "s", "order_id": "1", "paid_at": "2025-05-01", "amount": "12.30"}
    rows = [good, good | {"shop_id": "t", column: value}]
    frame = spark.createDataFrame(
        [tuple(row.values()) for row in rows], ", ".join(f"{name} string" for name in good)
    )
    with pytest.raises(kind) as memory:
        features(rows, as_of="2025-05-01")
    with pytest.raises(kind) as ours:
        features(frame, as_of="2025-05-01")
    assert (ours.value.code, ours.value.message) == (memory.value.code, memory.value.message)
    with pytest.raises(kind):
        list(decide_many(frame, POLICY, as_of="2025-05-01"))


def test_an_empty_frame_has_no_shops(spark: Any) -> None:
    frame = spark.createDataFrame([], "shop_id string, order_id string, paid_at string, amount string")
    assert features(frame, as_of="2025-05-01").shops == ()
    assert list(decide_many(frame, POLICY, as_of="2025-05-01")) == []
