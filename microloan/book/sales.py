"""The sales flow of the book: importing files and frames, looking at lines.

An import reads its file to the end before the first line goes in (a bad file changes nothing and locks nothing), then brings the
lines in by batches of some thousands, each a transaction of its own, so that a large file holds nobody up. What a crash leaves is
whole batches; the same file again finishes the work: under the same key it goes on where it stopped and reports the whole,
without a key what is in already counts as duplicates.

Source: SEMANTICS 8 (sales flow), RELIABILITY 38 to 41.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import repeat
from pathlib import Path
from typing import Any, Literal

from ..clock import local_date
from ..days import FIRST_DAY, LAST_DAY
from ..errors import CurrencyMismatch, IdempotencyConflict
from ..intake.cells import platform_code, shop_id
from ..intake.entries import LineKey, Sold
from ..intake.lines import Expected, Lines
from ..intake.mapping import Mapping, mapping_of
from ..intake.rejections import Rejection
from ..intake.sales import Progress, Reading, StagedSales, read_sales, silent
from ..money import to_major
from ..store import sales as store
from ..store.chain import canonical_json, sha256
from ..store.lists import Listed
from ..store.sales import ShopKey, ShopPlace, Span
from ..store.tables_sales import LINE_STATUSES
from ..store.unit import BookSettings, Unit
from .desk import Desk
from .merchants import find_shop, known_shops

Covers = Literal["shops", "platform"]
_STATUS_CODE = {status: code for code, status in enumerate(LINE_STATUSES)}


@dataclass(frozen=True, slots=True)
class SalesReport:
    """What came of an import. ``accepted + updated + duplicates + rejected + left_out`` is every row there was.

    ``rejections`` lists the first ones, ``rejected_by_code`` counts all; ``adjusted`` counts rows taken with a date moved to
    the day of payment; ``left_out`` those that a platform's layout knows to be no sale: ``unpaid`` orders,
    ``continuation`` rows with one more article, ``other_entry`` such as fees (entries that are summed to one line count
    as one); and ``refund_stands``: rows that would take back a refund or a cancellation without a later day of change.
    ``mapping`` names the layout. ``first_day`` and ``last_day`` are the days paid that the lines span.
    """

    import_id: str
    name: str
    sha256: str
    platform: str
    accepted: int
    updated: int
    duplicates: int
    rejected: int
    rejections: tuple[Rejection, ...]
    rejected_by_code: dict[str, int]
    adjusted: dict[str, int]
    ignored_columns: tuple[str, ...]
    first_day: date | None
    last_day: date | None
    left_out: dict[str, int] = field(default_factory=dict)
    mapping: str = "contract"
    replayed: bool = False

    @property
    def id(self) -> str:
        """The import's id."""
        return self.import_id


@dataclass(frozen=True, slots=True)
class SalesLine:
    """A line of an order as the book has it; amounts in major units, days in the lender's zone."""

    platform: str
    shop_id: str
    order_id: str
    line_id: str
    paid_on: date
    amount: Decimal
    refund: Decimal
    status: str
    refunded_on: date | None
    status_on: date | None
    settled_on: date | None
    buyer_id: str | None
    product_id: str | None
    revision: int


@dataclass(frozen=True, slots=True)
class Import:
    """A file in the register of imports."""

    import_id: str
    name: str
    sha256: str
    platform: str
    status: str
    accepted: int
    updated: int
    duplicates: int
    rejected: int
    first_day: date | None
    last_day: date | None
    started_by: str


class Sales:
    """The book's sales flow. ``book.sales.load("orders.csv.gz", platform="jd")``"""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def load(
        self,
        source: Any,
        *,
        platform: str = "",
        shop: str = "",
        mapping: Mapping | Path | str | None = None,
        encoding: str | None = None,
        strict: bool = False,
        currency: str | None = None,
        covers: Covers = "shops",
        rejects: Path | str | None = None,
        progress: Progress | None = None,
        idempotency_key: str | None = None,
    ) -> SalesReport:
        """Import a file (CSV, CSV.gz, Parquet) a frame (pandas, polars, pyarrow) or a list of mappings.

        *platform* is that of rows which name none, *shop* the shop of a file that has no column for it. *mapping* is the layout,
        a file or the name of a shipped one; without it the header says whether the file is laid out like the contract
        (order lines, daily totals, settlement documents) or else is the platform's own export. *encoding* defaults to the
        mapping's, then UTF-8. *strict*: one bad row and nothing is imported. *covers* says for whom
        the days of the file are then known: the shops in it, or (``platform``) all shops of its platforms, those without
        sales having sold nothing. *rejects* is a CSV to be written with every rejected row.
        *idempotency_key* names the run. A row paid after the day of the import is rejected, and no day after it is covered.

        Raises InvalidFile for a bad file, CurrencyMismatch for another currency than the book's, BadInput for a platform
        that cannot be one, IdempotencyConflict for a key used for another file.

        *Source:* CONTRACT 4; SEMANTICS 8.
        """
        settings, now = self._desk.read(lambda unit: (unit.book, _first_tried(unit, idempotency_key)))
        if currency is not None and currency != settings.currency:
            raise CurrencyMismatch(field="currency", value=currency, currency=settings.currency)
        layout = mapping_of(mapping) if mapping else None
        expected = Expected(
            platform_code(platform), settings.currency, settings.zone, layout, shop_id(shop), now
        )
        told = progress or silent
        reading = Reading(
            expected,
            encoding,
            strict,
            Path(rejects) if rejects else None,
            progress=told,
            sold_before=self._sold_before,
        )
        with read_sales(source, reading) as staged:
            request = _request(staged, reading, covers)
            return _Import(self._desk, settings, staged, request, told, idempotency_key).run()

    def _sold_before(self, keys: Sequence[LineKey]) -> dict[LineKey, Sold]:
        """What the book has of these lines."""
        wanted = set(keys)

        def look(unit: Unit) -> dict[LineKey, Sold]:
            found: dict[LineKey, Sold] = {}
            shops = store.shops_by_key(unit, sorted({key[:2] for key in keys}))
            for (platform, shop), row in shops.items():
                orders = sorted({key[2] for key in keys if key[:2] == (platform, shop)})
                for line in store.lines_of_orders(unit, row, orders):
                    key = (platform, shop, line.order_id, line.line_id)
                    if key in wanted:
                        found[key] = Sold(
                            line.paid_day,
                            line.amount_minor,
                            line.refund_minor,
                            line.refunded_day,
                            line.status_day,
                        )
            return found

        return self._desk.read(look)

    def lines(
        self, shop: str, first: date | None = None, last: date | None = None, *, latest: int | None = None
    ) -> Listed[SalesLine]:
        """A shop's lines paid from *first* to *last*, both counted; all or the *latest* so many. Raises NotFound."""

        def look(unit: Unit) -> Listed[SalesLine]:
            found = find_shop(unit, shop)
            rows = store.shown_lines(unit, found, first or FIRST_DAY, last or LAST_DAY, latest)
            return rows.viewed(lambda row: _line(found, row, unit.book.currency))

        return self._desk.read(look)

    def versions(self, shop: str, order_id: str) -> tuple[SalesLine, ...]:
        """What the lines of an order said before they were updated, oldest first. Raises NotFound."""

        def look(unit: Unit) -> tuple[SalesLine, ...]:
            found = find_shop(unit, shop)
            return tuple(
                _line(found, row, unit.book.currency) for row in store.older_versions(unit, found, order_id)
            )

        return self._desk.read(look)

    def imports(self, *, latest: int | None = None) -> Listed[Import]:
        """Files that were imported, oldest first, all or the *latest* so many; ``running``: one that did not come to its end."""
        named = tuple(Import.__dataclass_fields__)[1:]

        def view(row: Any) -> Import:
            return Import(row.id, *(getattr(row, name) for name in named))

        return self._desk.read(lambda unit: store.imports(unit, latest).viewed(view))


def _line(shop: Any, row: Any, currency: str) -> SalesLine:
    return SalesLine(
        shop.platform, shop.shop_id, row.order_id, row.line_id, date.fromordinal(row.paid_day),
        to_major(row.amount_minor, currency), to_major(row.refund_minor, currency), LINE_STATUSES[row.status],
        _day(row.refunded_day), _day(row.status_day), _day(row.settled_day), row.buyer_id, row.product_id, row.revision,
    )  # fmt: skip


def _day(ordinal: int | None) -> date | None:
    return None if ordinal is None else date.fromordinal(ordinal)


def _first_tried(unit: Unit, key: str | None) -> datetime:
    """The instant of an import: of the run that is gone on with under its key, so that the same rows are good again."""
    earlier = store.import_keyed(unit, key) if key is not None else None
    return unit.now if earlier is None else earlier.started_at


# --- one import ------------------------------------------------------------------------------------------------------


def _request(staged: StagedSales, reading: Reading, covers: Covers) -> dict[str, Any]:
    mapping, expected = staged.mapping, reading.expected
    return {
        "sha256": staged.sha256, "platform": expected.platform, "shop": expected.shop,
        "mapping": mapping.model_dump(mode="json"), "encoding": reading.encoding or mapping.encoding,
        "strict": reading.strict, "covers": covers,
    }  # fmt: skip


@dataclass
class _Import:
    """One run: the staged file, and what has been seen of it on the way in."""

    desk: Desk
    settings: BookSettings
    staged: StagedSales
    request: dict[str, Any]
    progress: Progress
    key: str | None
    places: dict[ShopKey, ShopPlace] = field(default_factory=dict)
    new_lines: dict[int, int] = field(default_factory=dict)
    seen: dict[str, set[str]] = field(default_factory=dict)
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)
    refund_stands: int = 0

    def run(self) -> SalesReport:
        """Bring everything in, from where an earlier run under the same key stopped."""
        row = self.desk.write(self._start)
        if row.status == "done":
            return replace(self._report(row), replayed=True)
        done = 0
        for lines in self.staged.batches():
            self._note(lines)
            self._put(row.id, lines, done)
            done += len(lines.line)
            self.progress("storing", done, self.staged.count)
        self.desk.write(lambda unit: store.count_lines(unit, self.new_lines))
        report = self.desk.command(
            "sales.import", self.request, lambda unit: self._finish(unit, row.id), SalesReport, key=self.key
        )
        return replace(report, rejections=self.staged.rejections)

    def _start(self, unit: Unit) -> Any:
        request_hash = sha256(canonical_json(self.request))
        row = store.start_import(unit, {
            "tenant": unit.tenant, "id": unit.new_id("imp", 0), "key": self.key, "request_hash": request_hash,
            "name": Path(self.staged.name).name, "sha256": self.staged.sha256, "platform": self.request["platform"],
            "covers": self.request["covers"], "status": "running", "lines_done": 0, "accepted": 0, "updated": 0,
            "duplicates": 0, "rejected": 0, "rejected_by_code": "{}", "first_day": None, "last_day": None,
            "started_by": unit.actor, "started_at": unit.now, "finished_at": None,
        })  # fmt: skip
        if row.request_hash != request_hash:
            raise IdempotencyConflict(key=self.key, operation="sales.import")
        return row

    def _note(self, lines: Lines) -> None:
        """Which shops and days the file has, for the record of what is covered."""
        for platform, shop in set(zip(lines.platform, lines.shop_id, strict=True)):
            self.seen.setdefault(platform, set()).add(shop)
        if len(set(lines.platform)) == 1:
            self._widen(lines.platform[0], min(lines.paid_day), max(lines.paid_day))
            return
        for platform, day in set(zip(lines.platform, lines.paid_day, strict=True)):
            self._widen(platform, day, day)

    def _widen(self, platform: str, first: int, last: int) -> None:
        known = self.spans.get(platform, (first, last))
        self.spans[platform] = (min(known[0], first), max(known[1], last))

    def _put(self, import_id: str, lines: Lines, before: int) -> None:
        """One batch, in a transaction of its own; lines an earlier or parallel run has brought in are passed over."""

        def act(unit: Unit) -> tuple[dict[ShopKey, ShopPlace], dict[int, int], int]:
            row = store.import_row(unit, import_id, lock=True)
            todo = Lines(*(column[max(row.lines_done - before, 0) :] for column in lines))  # type: ignore[arg-type]
            if not todo.line:
                return {}, {}, 0
            revision = store.next_revision(unit)
            places = known_shops(unit, set(zip(todo.platform, todo.shop_id, strict=True)), self.places)
            if self.staged.mapping.holds == "settlement_documents":
                store.note_platform_buys(unit, [place.number for place in places.values()])
            stored = store.put_lines(unit, _rows(unit.tenant, todo, {**self.places, **places}, revision))
            store.put_first_settled(unit, revision, self._earlier_settlements(todo))
            duplicates = len(todo.line) - stored.accepted - stored.updated
            store.advance_import(unit, import_id, revision, before + len(lines.line), stored, duplicates)
            return places, stored.by_shop, stored.refund_stands

        places, by_shop, stands = self.desk.write(act)
        self.refund_stands += stands
        self.places |= places
        self.settled |= self._earlier_settlements(lines)
        for shop, count in by_shop.items():
            self.new_lines[shop] = self.new_lines.get(shop, 0) + count

    def _earlier_settlements(self, lines: Lines) -> dict[str, int]:
        """The first settlement of order lines per platform, where it is earlier than any this run has seen."""
        found: dict[str, int] = {}
        if self.staged.mapping.holds != "orders":
            return found
        for platform, day in set(zip(lines.platform, lines.settled_day, strict=True)):
            if day is not None and day < min(
                found.get(platform, day + 1), self.settled.get(platform, day + 1)
            ):
                found[platform] = day
        return found

    def _finish(self, unit: Unit, import_id: str) -> SalesReport:
        row = store.import_row(unit, import_id, lock=True)
        if row.status != "done":
            store.lock_flow(unit)
            self._cover(unit)
            span = self._span()
            codes = canonical_json(self.staged.rejected_by_code)
            store.finish_import(unit, import_id, span, self.staged.rejected, codes)
        return replace(self._report(store.import_row(unit, import_id)), rejections=())

    def _span(self) -> Span | None:
        if not self.spans:
            return None
        firsts, lasts = zip(*self.spans.values(), strict=True)
        return date.fromordinal(min(firsts)), date.fromordinal(max(lasts))

    def _cover(self, unit: Unit) -> None:
        """Record the days covered; days that have not been yet are not, whatever a row says."""
        today = local_date(self.desk.clock, self.settings.zone)
        for platform, (first, last) in sorted(self.spans.items()):
            span = date.fromordinal(first), min(date.fromordinal(last), today)
            if span[0] > span[1]:
                continue
            if self.request["covers"] == "platform":
                store.put_feed(unit, platform, merged([*store.feeds(unit).get(platform, ()), span]))
            self._cover_shops(unit, platform, span)

    def _cover_shops(self, unit: Unit, platform: str, span: Span) -> None:
        keys = {(platform, shop) for shop in self.seen[platform]}
        places = {**self.places, **known_shops(unit, keys, self.places)}
        by_bucket: dict[int, list[int]] = {}
        for key in sorted(keys):
            by_bucket.setdefault(places[key].bucket, []).append(places[key].number)
        for bucket, shops in sorted(by_bucket.items()):
            known = store.spans_of(unit, bucket, shops)
            wider = {shop: merged([*known.get(shop, ()), span]) for shop in shops}
            store.cover(
                unit, bucket, {shop: spans for shop, spans in wider.items() if spans != known.get(shop)}
            )

    def _report(self, row: Any) -> SalesReport:
        copied = (
            "name",
            "sha256",
            "platform",
            "accepted",
            "updated",
            "duplicates",
            "rejected",
            "first_day",
            "last_day",
        )
        report = SalesReport(
            import_id=row.id,
            rejections=self.staged.rejections,
            rejected_by_code=json.loads(row.rejected_by_code),
            adjusted=self.staged.adjusted,
            ignored_columns=self.staged.ignored_columns,
            left_out=self.staged.left_out,
            mapping=self.staged.mapping.name,
            **{name: getattr(row, name) for name in copied},
        )
        return self._told_apart(report) if self.refund_stands else report

    def _told_apart(self, report: SalesReport) -> SalesReport:
        """The register counts every row that changed nothing as a duplicate; what was refused is told."""
        stands = self.refund_stands
        left_out = report.left_out | {"refund_stands": stands}
        return replace(report, duplicates=report.duplicates - stands, left_out=left_out)


def _rows(tenant: str, lines: Lines, places: dict[ShopKey, ShopPlace], revision: int) -> list[store.LineRow]:
    found = [places[key] for key in zip(lines.platform, lines.shop_id, strict=True)]
    return list(zip(
        repeat(tenant), [place.bucket for place in found], [place.number for place in found], lines.order_id, lines.line_id,
        lines.paid_day, lines.amount_minor, lines.refund_minor, [_STATUS_CODE[status] for status in lines.status],
        lines.refunded_day, lines.status_day, lines.settled_day, lines.buyer_id, lines.product_id, repeat(revision),
        strict=False,
    ))  # fmt: skip


def merged(spans: Iterable[Span]) -> list[Span]:
    """Spans of days (both ends counted) put together where they overlap or touch, by their first day.

    >>> from datetime import date as day
    >>> merged([(day(2024, 1, 6), day(2024, 1, 9)), (day(2024, 1, 1), day(2024, 1, 5))])
    [(datetime.date(2024, 1, 1), datetime.date(2024, 1, 9))]
    """
    return list(_merged(sorted(spans)))


def _merged(spans: list[Span]) -> Iterator[Span]:
    first, last = spans[0]
    for start, end in spans[1:]:
        if start.toordinal() > last.toordinal() + 1:
            yield first, last
            first, last = start, end
        last = max(last, end)
    yield first, last
