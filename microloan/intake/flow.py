"""A file of order lines straight to the flow that underwriting reads, without a book: for back-tests and fits.

The same reading, the same rules and the same rejections as an import; what an import would count as a duplicate counts once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ..clock import DEFAULT_ZONE
from ..money import currency_digits
from ..underwriting import SalesLines, sales_lines
from ..underwriting.frames import joined
from .cells import platform_code, shop_id
from .lines import Expected, Lines
from .mapping import Mapping, mapping_of
from .sales import Progress, Reading, StagedSales, read_sales, silent

#: Lines turned into arrays at once; a single shop with more is read whole.
LINES_AT_ONCE: Final = 200_000
_BETWEEN: Final = ":"  # platform:shop


@dataclass(frozen=True)
class FileFlow:
    """The flow of a file: its lines, amounts in minor units of ``currency``, and how many rows were rejected and why."""

    name: str
    lines: SalesLines
    rejected: int
    rejected_by_code: dict[str, int]
    currency: str


def read_flow(
    source: Any,
    *,
    platform: str = "",
    shop: str = "",
    currency: str = "CNY",
    zone: str = DEFAULT_ZONE,
    mapping: Mapping | Path | str | None = None,
    now: datetime | None = None,
    progress: Progress = silent,
) -> FileFlow:
    """Read a file or frame of order lines to its end, as an import would, and keep the good ones in memory.

    A shop is named by its id, or ``platform:shop`` where several platforms of the file have that id. About 150 bytes a
    line and a name for every buyer are held. *now*: the instant of the reading; rows paid after its day are
    rejected. Raises InvalidFile as :func:`.sales.read_sales` does, BadInput for a platform
    or currency that cannot be one.
    """
    currency_digits(currency)
    layout = mapping_of(mapping) if mapping else None
    reading = Reading(
        Expected(platform_code(platform), currency, zone, layout, shop_id(shop), now), progress=progress
    )
    with read_sales(source, reading) as staged:
        parts = [_flow(part) for part in _whole_shops(_watched(staged, reading))]
        lines = joined(parts)
        lines = replace(lines, shops=_shortest(lines.shops))
        return FileFlow(staged.name, lines, staged.rejected, staged.rejected_by_code, currency)


def _watched(staged: StagedSales, reading: Reading) -> Iterator[Lines]:
    done = 0
    for lines in staged.batches():
        yield lines
        done += len(lines.line)
        reading.progress("storing", done, staged.count)


def _whole_shops(batches: Iterator[Lines]) -> Iterator[Lines]:
    """Lines that come shop by shop, in parts that end where a shop does."""
    waiting: list[Lines] = []
    held = 0
    for lines in batches:
        if held >= LINES_AT_ONCE:
            end = _first_of_next_shop(waiting[-1], lines)
            if end is not None:
                yield _joined([*waiting, _cut(lines, 0, end)])
                waiting, held, lines = [], 0, _cut(lines, end, len(lines.line))
        waiting.append(lines)
        held += len(lines.line)
    if held:
        yield _joined(waiting)


def _first_of_next_shop(before: Lines, lines: Lines) -> int | None:
    """Where the shop that *before* ended with is over; None where it goes on to the end of *lines*."""
    last = before.platform[-1], before.shop_id[-1]
    shops = zip(lines.platform, lines.shop_id, strict=True)
    return next((place for place, shop in enumerate(shops) if shop != last), None)


def _joined(parts: Sequence[Lines]) -> Lines:
    columns = zip(*parts, strict=True)
    return Lines(*([cell for column in several for cell in column] for several in columns))


def _cut(lines: Lines, start: int, end: int) -> Lines:
    return Lines(*(column[start:end] for column in lines))  # type: ignore[arg-type]


def _flow(lines: Lines) -> SalesLines:
    keys = list(zip(lines.platform, lines.shop_id, lines.order_id, lines.line_id, strict=True))
    latest = dict(zip(keys, range(len(keys)), strict=True))  # the same line twice has the same content
    kept = lines.keep([latest[key] == place for place, key in enumerate(keys)])
    shops = [platform + _BETWEEN + shop for platform, shop in zip(kept.platform, kept.shop_id, strict=True)]
    return sales_lines({
        "shop_id": shops, "platform": kept.platform, "order_id": kept.order_id, "paid_at": kept.paid_day,
        "amount_minor": kept.amount_minor, "refund_minor": kept.refund_minor, "status": kept.status,
        "refunded_at": kept.refunded_day, "status_at": kept.status_day, "settled_at": kept.settled_day,
        "buyer_id": kept.buyer_id, "product_id": kept.product_id,
    })  # fmt: skip


def _shortest(shops: Sequence[str]) -> tuple[str, ...]:
    """Shops without their platform, where that leaves no doubt."""
    ids = [shop.partition(_BETWEEN)[2] for shop in shops]
    known = Counter(ids)
    return tuple(name if known[name] == 1 else shop for shop, name in zip(shops, ids, strict=True))
