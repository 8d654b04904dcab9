"""A file of sales straight to the flow of underwriting: the same figures as by way of a book, duplicates once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from microloan.errors import BadInput, InvalidFile
from microloan.intake import flow as intake_flow
from microloan.intake.flow import read_flow
from microloan.underwriting import features, sales_lines

HEAD = "order_id,line_id,shop_id,platform,paid_at,amount,status,buyer_id\n"


def written(folder: Path, *rows: str) -> Path:
    file = folder / "orders.csv"
    file.write_text(HEAD + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return file


def test_the_flow_of_a_file_has_the_features_of_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {"order_id": f"{shop}-{n}", "line_id": "1", "shop_id": f"s{shop}", "platform": "jd",
         "paid_at": f"2025-0{1 + n % 4}-1{n % 10}",
         "amount": f"{n + shop}.50", "status": "completed", "buyer_id": f"b{n % 7}"}
        for n in range(40) for shop in range(5)
    ]  # fmt: skip
    file = written(tmp_path, *(",".join(row.values()) for row in rows))
    monkeypatch.setattr(intake_flow, "LINES_AT_ONCE", 60)  # several parts
    read, plain = read_flow(file).lines, sales_lines(rows)
    assert sorted(read.shops) == sorted(plain.shops)
    for shop in plain.shops:
        assert features(read, as_of="2025-05-01").row(shop) == features(plain, as_of="2025-05-01").row(shop)


def test_a_line_that_is_there_twice_counts_once_and_a_bad_row_is_counted(tmp_path: Path) -> None:
    row = "o1,1,s,jd,2025-01-02,10.00,completed,b"
    found = read_flow(written(tmp_path, row, row, "o2,1,s,jd,2025-01-02,ten,completed,b"))
    assert (len(found.lines), found.rejected, found.rejected_by_code) == (1, 1, {"bad_amount": 1})


def test_a_shop_on_two_platforms_is_named_with_them(tmp_path: Path) -> None:
    found = read_flow(written(
        tmp_path, "o1,1,s,jd,2025-01-02,10,completed,b", "o1,1,s,tmall,2025-01-02,10,completed,b",
        "o1,1,t,jd,2025-01-02,10,completed,b",
    ))  # fmt: skip
    assert sorted(found.lines.shops) == ["jd:s", "t", "tmall:s"]


def test_an_empty_file_has_no_lines_and_a_missing_one_is_refused(tmp_path: Path) -> None:
    assert len(read_flow(written(tmp_path)).lines) == 0
    with pytest.raises(InvalidFile, match="No such file"):
        read_flow(tmp_path / "nowhere.csv")
    with pytest.raises(BadInput, match="lower-case letters"):
        read_flow(written(tmp_path), platform="J D")


def test_a_row_of_a_day_to_come_is_rejected_as_in_an_import(tmp_path: Path) -> None:
    """It would make the days between the last true sale and its own pass for days without a sale."""
    rows = [f"o{day},1,s,jd,{day},10.00,completed,b" for day in ("2025-01-02", "2099-01-05")]
    found = read_flow(written(tmp_path, *rows), now=datetime(2025, 1, 2, 12, tzinfo=UTC))
    assert (len(found.lines), found.rejected_by_code) == (1, {"day_to_come": 1})
