"""Files as they come: which are refused whole, and what is said of them."""

from __future__ import annotations

import csv
import gzip
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from microloan.errors import CurrencyMismatch, InvalidFile
from microloan.intake.lines import Expected
from microloan.intake.mapping import Mapping
from microloan.intake.sales import Reading, read_sales

HEADER = b"order_id,shop_id,paid_at,amount,status\n"
GOOD = b"o%d,s1,2024-01-01T10:00:00,10.00,paid\n"
BODY = b"".join(GOOD % n for n in range(30_000))
EXPECTED = Expected("jd", "CNY", "Asia/Shanghai", Mapping())
ZIPPED = gzip.compress(HEADER + BODY)

BAD_FILES = {
    "nothing at all": (b"", "empty_file"),
    "only blank lines": (b"\n \n\r\n", "empty_file"),
    "only a byte order mark": (b"\xef\xbb\xbf", "empty_file"),
    "a column is missing": (HEADER.replace(b",amount", b"") + BODY, "missing_column"),
    "a column is misspelt": (HEADER.replace(b"paid_at", b"paid at") + BODY, "missing_column"),
    "there is no header": (BODY, "missing_column"),
    "a column twice": (b"amount," + HEADER + BODY, "duplicate_column"),
    "the amount in two units": (b"amount_minor," + HEADER + BODY, "ambiguous_column"),
    "another encoding in the last line": (
        HEADER + BODY + "o,京东,2024-01-01,1,paid".encode("gb18030"),
        "bad_encoding",
    ),
    "UTF-16": ("\ufeff".encode("utf-16-le") + HEADER.decode().encode("utf-16-le"), "bad_encoding"),
    "random bytes": (bytes(range(256)) * 20, "bad_encoding"),
    "a gzip archive cut short": (ZIPPED[:-200], "broken_archive"),
    "a gzip archive without its last byte": (ZIPPED[:-1], "broken_archive"),
    "a gzip archive with a flipped bit": (
        ZIPPED[:5000] + bytes([ZIPPED[5000] ^ 64]) + ZIPPED[5001:],
        "broken_archive",
    ),
    "a gzip archive with rubbish behind it": (ZIPPED + b"rubbish", "broken_archive"),
    "a gzip header and nothing more": (ZIPPED[:6], "broken_archive"),
    "an Excel workbook": (b"PK\x03\x04" + b"\x00" * 100, "unknown_format"),
    "an old Excel workbook": (b"\xd0\xcf\x11\xe0" + b"\x00" * 100, "unknown_format"),
    "a broken Parquet file": (b"PAR1" + b"\x00" * 100, "broken_archive"),
    "a quote open in the header": (b'"' + HEADER + BODY, "bad_header"),
}


@pytest.mark.parametrize(("content", "code"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused_whole(tmp_path: Path, content: bytes, code: str) -> None:
    file = tmp_path / "orders.csv"
    file.write_bytes(content)
    with pytest.raises(InvalidFile) as caught:
        read_sales(file, Reading(EXPECTED))
    assert caught.value.code == code
    assert caught.value.message.startswith(str(file))
    assert caught.value.exit_status == 2
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize("place", ["nowhere.csv", ".", "nul\0in the name"])
def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        read_sales(f"{tmp_path}/{place}", Reading(EXPECTED))
    assert caught.value.code == "unreadable_file"


def test_a_header_alone_is_a_file_without_sales(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_bytes(HEADER)
    assert read_sales(file, Reading(EXPECTED)).count == 0


def test_no_encoding_is_guessed(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_bytes(HEADER + "o1,联通,2024-01-01,1,paid\n".encode("gb18030"))
    for encoding in ("utf-8", "ascii", "klingon", "zlib_codec", ""):
        if not encoding:
            continue
        with pytest.raises(InvalidFile):
            read_sales(file, Reading(EXPECTED, encoding=encoding))


ROWS = {
    "nul byte": (b"o\x00,s1,2024-01-01,1,paid\n", "bad_id"),
    "negative": (b"o,s1,2024-01-01,-1,paid\n", "negative_amount"),
    "NaN": (b"o,s1,2024-01-01,NaN,paid\n", "bad_amount"),
    "1e400": (b"o,s1,2024-01-01,1e400,paid\n", "bad_amount"),
    "full-width digits": ("o,s1,2024-01-01,１２３,paid\n".encode(), "bad_amount"),
    "grouped digits": (b'o,s1,2024-01-01,"1,234.5",paid\n', "bad_amount"),
    "a field of half a megabyte": (b"o,s1,2024-01-01," + b"9" * 500_000 + b",paid\n", "line_too_long"),
    "a quote that never closes": (b'o,"s1,2024-01-01,1,paid\n', "bad_quoting"),
    "text behind a quote": (b'o,"s1"x,2024-01-01,1,paid\n', "bad_quoting"),
    "a column too few": (b"o,s1,2024-01-01,paid\n", "wrong_field_count"),
    "the header again": (HEADER, "bad_time"),
}


@pytest.mark.parametrize(("row", "code"), ROWS.values(), ids=ROWS)
def test_a_bad_row_costs_itself_and_no_other(tmp_path: Path, row: bytes, code: str) -> None:
    file = tmp_path / "orders.csv"
    file.write_bytes(HEADER + GOOD % 1 + GOOD % 2 + row + GOOD % 3 + GOOD % 4)
    with read_sales(file, Reading(EXPECTED)) as sales:
        assert [(it.line, it.code) for it in sales.rejections] == [(4, code)]
        assert [order for part in sales.batches() for order in part.order_id] == ["o1", "o2", "o3", "o4"]


def test_a_file_of_nothing_but_faults_is_read_in_reasonable_time(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_bytes(
        HEADER + b'o,"s1,2024-01-01,1,paid\n' * 20_001 + b"o,s1,2024-01-01,1e1000000,paid\n" * 20_000
    )
    begun = time.perf_counter()
    sales = read_sales(file, Reading(EXPECTED, listed_at_most=100))
    assert sales.rejected == 40_001
    assert time.perf_counter() - begun < 20


GENERATOR = """
import sys
write = sys.stdout.buffer.write
write(b"order_id,shop_id,paid_at,amount,status,buyer_id\\n")
for n in range(0, {lines}, 1000):
    write(b"".join(b"order-%016d,shop-%05d,2024-01-%02dT10:%02d:00,%d.%02d,paid,buyer-%012d\\n"
                   % (i, i % 99991, 1 + i % 28, i % 60, i % 9999, i % 100, i * 7919 % 10**11) for i in range(n, n + 1000)))
"""

#: VmHWM is this program's alone; ru_maxrss would begin at what the process that started it had.
READER = """
import re, sys
from microloan.intake.lines import Expected
from microloan.intake.mapping import Mapping
from microloan.intake.sales import Reading, read_sales
with read_sales(sys.argv[1], Reading(Expected("jd", "CNY", "Asia/Shanghai", Mapping()))) as sales:
    assert sum(len(part.line) for part in sales.batches()) == sales.count
print(sales.count, sales.rejected, re.search(r"VmHWM:\\s+([0-9]+)", open("/proc/self/status").read())[1])
"""


def peak_kilobytes(folder: Path, lines: int) -> int:
    """Reads a generated stream through a pipe, in a process of its own; the memory it took at most."""
    pipe = folder / f"pipe-{lines}"
    os.mkfifo(pipe)
    with subprocess.Popen(
        f"exec {sys.executable} -c '{GENERATOR.format(lines=lines)}' > {pipe}", shell=True
    ) as writer:
        done = subprocess.run(
            [sys.executable, "-c", READER, pipe], capture_output=True, text=True, check=True
        )
        assert writer.wait() == 0
    count, rejected, peak = map(int, done.stdout.split())
    assert (count, rejected) == (lines, 0)
    return peak


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Source: RELIABILITY 41 and issue 2: ten million lines under 500 MB; here two, with the trend."""
    small, large = peak_kilobytes(tmp_path, 1_000_000), peak_kilobytes(tmp_path, 4_000_000)
    assert large < 300_000
    assert large - small < 120_000


# --- the exports of platforms, damaged -------------------------------------------------------------------------------

EXPORTS = Path(__file__).parents[1] / "cli" / "files" / "platforms"
GIVEN = {
    "taobao.csv": "taobao", "jd-may.csv": "jd", "pinduoduo.csv": "pinduoduo", "shopify.csv": "shopify",
    "amazon-may.txt": "amazon",
}  # fmt: skip
HOSTILE = [
    "",
    "=1+1",
    '="',
    "'",
    "NaN",
    "1e400",
    "１２３",
    "\x00",
    "-",
    "9" * 40,
    "2025-13-45 99:99:99",
    "¥",
    "…" * 200,
    "*",
]


@pytest.mark.parametrize("name", GIVEN)
def test_every_row_of_a_damaged_export_is_accounted_for(name: str, tmp_path: Path) -> None:
    """Whatever stands in whichever cell: the row is a line, left out or rejected, or the file is refused with a reason."""
    encoding = "gb18030" if GIVEN[name] in ("taobao", "jd") else "utf-8"
    text = (EXPORTS / name).read_bytes().decode(encoding)
    delimiter = "\t" if name.endswith(".txt") else ","
    header, *rows = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    draw = random.Random(name)
    for _ in range(60):
        damaged = [list(row) for row in rows]
        for _ in range(draw.randrange(1, 6)):
            row = draw.choice(damaged)
            row[draw.randrange(len(row))] = draw.choice(HOSTILE)
        file = tmp_path / name
        with file.open("w", encoding=encoding, newline="") as out:
            csv.writer(out, delimiter=delimiter).writerows([header, *damaged])
        try:
            with read_sales(
                file, Reading(Expected(GIVEN[name], "CNY", "Asia/Shanghai", None, "tea"))
            ) as sales:
                found = sales.count + sales.rejected + sum(sales.left_out.values())
        except (InvalidFile, CurrencyMismatch):
            continue
        if GIVEN[name] == "amazon":
            assert 0 < found <= len(rows), "entries of one article are one line"
        else:
            assert found == len(rows)
