"""A file or a frame of order lines becomes staged lines, with every row accounted for."""

from __future__ import annotations

import gzip
import io
import itertools
import os
import threading
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from microloan.errors import InvalidFile
from microloan.intake import spool
from microloan.intake.lines import Expected
from microloan.intake.mapping import Mapping
from microloan.intake.sales import Reading, StagedSales, read_sales

HEADER = "order_id,shop_id,paid_at,amount,status\n"
PLAIN = Expected("jd", "CNY", "Asia/Shanghai", Mapping())


def staged(source: Any, expected: Expected = PLAIN, **options: Any) -> StagedSales:
    return read_sales(source, Reading(expected, **options))


def written(folder: Path, text: str | bytes, name: str = "orders.csv") -> Path:
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def lines_of(sales: StagedSales) -> list[dict[str, Any]]:
    return [
        dict(zip(part._fields, row, strict=True))
        for part in sales.batches()
        for row in zip(*part, strict=True)
    ]


def codes(sales: StagedSales) -> list[tuple[int, str]]:
    return [(it.line, it.code) for it in sales.rejections]


def test_a_row_becomes_a_line_of_integers_and_words(tmp_path: Path) -> None:
    file = written(tmp_path, HEADER + "o1,s1,2024-02-29T23:30:00Z,123.45,completed\n")
    assert lines_of(staged(file)) == [
        {
            "line": 2,
            "platform": "jd",
            "shop_id": "s1",
            "order_id": "o1",
            "line_id": "",
            "paid_day": date(2024, 3, 1).toordinal(),
            "amount_minor": 12345,
            "refund_minor": 0,
            "status": "completed",
            "refunded_day": None,
            "status_day": None,
            "settled_day": None,
            "buyer_id": None,
            "product_id": None,
        }
    ]


def test_columns_may_come_in_any_order_and_unknown_ones_are_ignored(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "status,colour,amount_minor,shop_id,paid_at,order_id,settled_at,line_id,refund_minor,buyer_id,platform\n"
        "paid,red,500,s1,2024-01-01,o1,2024-01-09,2,100,b1,TMALL\n",
    )
    sales = staged(file)
    (line,) = lines_of(sales)
    assert (line["amount_minor"], line["refund_minor"], line["line_id"], line["buyer_id"]) == (
        500,
        100,
        "2",
        "b1",
    )
    assert line["platform"] == "tmall"
    assert line["settled_day"] == date(2024, 1, 9).toordinal()
    assert sales.ignored_columns == ("colour",)


def test_a_byte_order_mark_does_not_hide_the_first_column(tmp_path: Path) -> None:
    assert (
        staged(written(tmp_path, b"\xef\xbb\xbf" + HEADER.encode() + b"o1,s1,2024-01-01,1,paid\n")).count == 1
    )


def test_a_chinese_export_is_read_in_the_encoding_that_was_named(tmp_path: Path) -> None:
    file = written(tmp_path, (HEADER + "订单1,联通旗舰店,2024-01-01,1,paid\n").encode("gb18030"))
    assert lines_of(staged(file, encoding="gb18030"))[0]["shop_id"] == "联通旗舰店"
    with pytest.raises(InvalidFile, match="line 2 is not utf-8"):
        staged(file)


def test_compressed_files_are_known_by_their_first_bytes(tmp_path: Path) -> None:
    content = gzip.compress((HEADER + "o1,s1,2024-01-01,1,paid\n").encode())
    assert staged(written(tmp_path, content, "orders.dat")).count == 1


def test_a_pipe_is_read_once_and_that_is_enough(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = HEADER + "".join(f"o{n},s1,2024-01-01,1,paid\n" for n in range(50_000))
    writer = threading.Thread(target=pipe.write_text, args=(text,))
    writer.start()
    sales = staged(pipe)
    writer.join()
    assert sales.count == 50_000


def test_the_file_is_known_by_its_sha256(tmp_path: Path) -> None:
    import hashlib

    content = (HEADER + "o1,s1,2024-01-01,1,paid\n").encode()
    assert staged(written(tmp_path, content)).sha256 == hashlib.sha256(content).hexdigest()


def test_every_row_that_cannot_be_used_is_listed_with_line_code_and_reason(tmp_path: Path) -> None:
    sales = staged(
        written(
            tmp_path,
            HEADER + "o1,s1,2024-01-01,10,paid\n"
            "o2,s1,2024-01-01,-10,paid\n"
            ",s1,2024-01-01,10,paid\n"
            "o4,s1,yesterday,10,paid\n"
            "o5,s1,2024-01-01,10,lost\n"
            "o6,s1,2024-01-01,10\n"
            "\n"
            "o8,s1,2024-01-01,10,paid,extra\n"
            "o9,s1,2024-01-01,10,paid\n",
        )
    )
    assert [line["order_id"] for line in lines_of(sales)] == ["o1", "o9"]
    assert codes(sales) == [
        (3, "negative_amount"),
        (4, "missing_value"),
        (5, "bad_time"),
        (6, "unknown_status"),
        (7, "wrong_field_count"),
        (9, "wrong_field_count"),
    ]
    assert sales.rejected == 6
    assert sales.rejected_by_code["wrong_field_count"] == 2
    assert "'yesterday'" in sales.rejections[2].message


def test_a_row_with_several_faults_is_rejected_once_for_the_first(tmp_path: Path) -> None:
    assert codes(staged(written(tmp_path, HEADER + "o1,s1,never,NaN,lost\n"))) == [(2, "bad_time")]


def test_strict_reading_refuses_a_file_with_one_bad_row(tmp_path: Path) -> None:
    file = written(tmp_path, HEADER + "o1,s1,2024-01-01,1,paid\no2,s1,2024-01-01,NaN,paid\n")
    with pytest.raises(InvalidFile, match="first on line 3") as caught:
        staged(file, strict=True)
    assert caught.value.code == "rejected_rows"
    assert caught.value.details["rejected"] == 1


def test_more_rejections_than_are_listed_are_still_counted_and_written(tmp_path: Path) -> None:
    file = written(tmp_path, HEADER + "".join(f"o{n},s1,2024-01-01,NaN,paid\n" for n in range(300)))
    rejects = tmp_path / "rejects.csv"
    sales = staged(file, rejects=rejects, listed_at_most=10)
    assert (sales.rejected, len(sales.rejections)) == (300, 10)
    assert len(rejects.read_text().splitlines()) == 301
    with pytest.raises(InvalidFile, match="exists already"):
        staged(file, rejects=rejects)


def test_the_same_order_line_twice_is_a_duplicate_only_with_the_same_content(tmp_path: Path) -> None:
    sales = staged(
        written(
            tmp_path,
            HEADER
            + "o1,s1,2024-01-01,10,paid\no1,s2,2024-01-01,10,paid\no1,s1,2024-01-01,10,paid\no1,s1,2024-01-01,11,paid\n"
            "o1,s1,2024-01-01,10,paid\n",
        )
    )
    assert codes(sales) == [(5, "conflicting_duplicate")]
    assert "line 2" in sales.rejections[0].message
    assert (sales.count, len(lines_of(sales))) == (4, 4)


def test_conflicts_are_found_in_files_larger_than_what_is_compared_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_COMPARED", 1000)
    rows = [f"o{n % 9000},s1,2024-01-01,{1 + (n == 9500)},paid\n" for n in range(10_000)]
    sales = staged(written(tmp_path, HEADER + "".join(rows)))
    assert codes(sales) == [(9502, "conflicting_duplicate")]
    assert sum(len(part.line) for part in sales.batches()) == sales.count == 9_999


def test_lines_come_out_shop_by_shop_and_every_time_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_HELD", 500)
    monkeypatch.setattr(spool, "BATCH_ROWS", 300)
    sales = staged(
        written(tmp_path, HEADER + "".join(f"o{n},s{n * 7 % 90},2024-01-01,10,paid\n" for n in range(5_000)))
    )
    batches = list(sales.batches())
    assert {len(part.line) for part in batches[:-1]} == {300}
    shops = [shop for part in batches for shop in part.shop_id]
    assert len(shops) == sales.count == 5_000
    assert sum(one != other for one, other in itertools.pairwise(shops)) == 89
    assert sorted(line for part in batches for line in part.line) == list(range(2, 5_002))
    assert list(sales.batches()) == batches


def test_a_line_refunded_without_a_figure_counts_as_refunded_whole(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "order_id,shop_id,paid_at,amount,status,refund_amount\n"
        "o1,s1,2024-01-01,10,refunded,\no2,s1,2024-01-01,10,refunded,4\no3,s1,2024-01-01,10,paid,11\n",
    )
    sales = staged(file)
    assert [line["refund_minor"] for line in lines_of(sales)] == [1000, 400]
    assert codes(sales) == [(4, "refund_above_amount")]


def test_a_settlement_before_the_payment_is_taken_as_of_the_day_of_payment(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "order_id,shop_id,paid_at,amount,status,settled_at\n"
        "o1,s1,2024-01-05,10,completed,2024-01-03\no2,s1,2024-01-05,10,completed,\n",
    )
    sales = staged(file)
    assert [line["settled_day"] for line in lines_of(sales)] == [date(2024, 1, 5).toordinal(), None]
    assert sales.adjusted == {"settled_before_paid": 1}


def test_progress_ends_at_the_size_of_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, HEADER + "o1,s1,2024-01-01,1,paid\n" * 100)
    seen: list[tuple[str, int, int | None]] = []
    staged(file, progress=lambda *step: seen.append(step))
    assert seen[-1] == ("reading", file.stat().st_size, file.stat().st_size)


# Mappings


TAOBAO = """
name = "taobao"
encoding = "gb18030"
date_format = "%Y/%m/%d %H:%M"
[columns]
order_id = "订单编号"
paid_at = "付款时间"
amount = "实付金额"
status = "订单状态"
[status]
"交易成功" = "completed"
[fixed]
shop_id = "s1"
"""


def test_a_mapping_names_their_columns_words_times_and_encoding(tmp_path: Path) -> None:
    mapping = Mapping.read(written(tmp_path, TAOBAO, "taobao.toml"))
    file = written(
        tmp_path, "订单编号,付款时间,实付金额,订单状态\n1,2024/2/29 8:05,12.30,交易成功\n".encode("gb18030")
    )
    (line,) = lines_of(staged(file, PLAIN._replace(platform="taobao", mapping=mapping)))
    assert (line["order_id"], line["shop_id"], line["amount_minor"], line["status"]) == (
        "1",
        "s1",
        1230,
        "completed",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colums = 1", "colums"),
        ("[columns]\nprice = 'x'", "columns.price"),
        ("[status]\nok = 'fine'", "status.ok"),
        ("[fixed]\namount = '1'", "differs from row to row"),
        ("encoding = 'rot13'", "no text encoding"),
        ("= broken", "is no TOML file"),
    ],
)
def test_a_mapping_that_says_something_unknown_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidFile, match=said):
        Mapping.read(written(tmp_path, text, "m.toml"))


# Frames


def frame_rows() -> dict[str, list[Any]]:
    return {
        "order_id": ["o1", "o2"],
        "shop_id": ["s1", "s1"],
        "paid_at": [
            pd.Timestamp("2024-01-01T10:00").to_pydatetime(),
            pd.Timestamp("2024-01-02T23:59").to_pydatetime(),
        ],
        "amount_minor": [1230, 500],
        "status": ["completed", "paid"],
        "settled_at": [None, pd.Timestamp("2024-01-08").to_pydatetime()],
    }


def in_pandas() -> Any:
    return pd.DataFrame(frame_rows())


def in_polars() -> Any:
    return pytest.importorskip("polars").DataFrame(frame_rows())


def in_pyarrow() -> Any:
    return pytest.importorskip("pyarrow").table(frame_rows())


def in_mappings() -> Any:
    """As a program has them that was sent JSON: what a row does not say is not known."""
    columns = frame_rows()
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return [{name: cell for name, cell in row.items() if cell is not None} for row in rows]


@pytest.mark.parametrize("frame", [in_pandas, in_polars, in_pyarrow, in_mappings])
def test_frames_of_every_make_say_the_same(frame: Any) -> None:
    sales = staged(frame())
    found = [
        (line["line"], line["order_id"], line["paid_day"], line["amount_minor"], line["settled_day"])
        for line in lines_of(sales)
    ]
    first = date(2024, 1, 1).toordinal()
    assert found == [(1, "o1", first, 1230, None), (2, "o2", first + 1, 500, first + 7)]
    assert len(sales.sha256) == 64


def test_a_parquet_file_is_read_like_its_frame(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(in_pyarrow(), tmp_path / "x.parquet")
    sales = staged(tmp_path / "x.parquet")
    assert [line["amount_minor"] for line in lines_of(sales)] == [1230, 500]
    assert len(sales.sha256) == 64


def test_decimals_and_whole_numbers_in_a_frame_are_exact() -> None:
    frame = pd.DataFrame({**frame_rows(), "amount": [Decimal("12.30"), 5]}).drop(columns="amount_minor")
    assert [line["amount_minor"] for line in lines_of(staged(frame))] == [1230, 500]


@pytest.mark.parametrize(
    "bad",
    [
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("1e1000000"),
        Decimal("1e400"),
        True,
        "１",
    ],
)
def test_odd_objects_in_a_money_column_are_rejected(bad: object) -> None:
    frame = pd.DataFrame({**frame_rows(), "amount": ["1", bad]}).drop(columns="amount_minor")
    assert codes(staged(frame))[0][0] == 2


@pytest.mark.parametrize("amounts", [[12.3, 5.0], ["12.30", 5.0]])
def test_floats_in_a_frame_are_refused_with_advice(amounts: list[Any]) -> None:
    frame = pd.DataFrame({**frame_rows(), "amount": amounts}).drop(columns="amount_minor")
    with pytest.raises(InvalidFile, match="not exact; read the file with dtype") as caught:
        staged(frame)
    assert caught.value.code == "float_column"


def test_a_column_of_missing_values_is_missing_whatever_its_type() -> None:
    frame = pd.DataFrame(
        {**frame_rows(), "buyer_id": [float("nan"), float("nan")], "product_id": [pd.NA, None]}
    )
    assert [(line["buyer_id"], line["product_id"]) for line in lines_of(staged(frame))] == [(None, None)] * 2


def test_times_with_a_zone_in_a_frame_are_converted() -> None:
    frame = pd.DataFrame(
        {
            **frame_rows(),
            "paid_at": pd.to_datetime(["2024-01-01T16:00", "2024-01-01T15:59"]).tz_localize("UTC"),
        }
    )
    assert [line["paid_day"] - date(2024, 1, 1).toordinal() for line in lines_of(staged(frame))] == [1, 0]


def test_what_is_neither_a_path_nor_a_frame_is_refused() -> None:
    with pytest.raises(InvalidFile, match="give a path"):
        staged([("o1", "s1")])
    with pytest.raises(InvalidFile, match="give a path"):
        staged(io.StringIO(HEADER))
