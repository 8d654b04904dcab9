# ruff: noqa: S608 - the statements built here are made of constants
"""Statements of the sales flow: shops, batches of lines with their older versions, imports, coverage.

Lines go in by the thousand: with the driver's own executemany on SQLite, as arrays on PostgreSQL (a trial gave 126,000 rows a
second against 84,000 through Core, and 64,000 against 34,000). Only a batch that meets lines already there looks closer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, delete, func, insert, select, update

from ..errors import NotFound
from .lending import Row, keyed
from .lists import Listed, listed
from .tables_merchants import SHOPS
from .tables_sales import (
    BATCHES,
    COVERAGE,
    FEEDS,
    IMPORTS,
    LINE_STATUSES,
    LINES,
    OLD_LINES,
    PLATFORMS,
    SALES_CLOCKS,
)
from .unit import Unit
from .upserts import upsert

#: Natural key of a shop: platform, shop_id.
ShopKey = tuple[str, str]
#: Values of one sales line in the order of the table's columns.
LineRow = tuple[Any, ...]

_ASKED_AT_ONCE = 500


class ShopPlace(NamedTuple):
    """Where a shop's lines are kept."""

    number: int
    bucket: int
    merchant: str


class Stored(NamedTuple):
    """What became of a batch: lines new in the book, lines whose older version was replaced, new lines per shop.

    ``refund_stands``: lines left as they are because the batch would have taken back what went back.
    """

    accepted: int
    updated: int
    by_shop: dict[int, int]
    refund_stands: int = 0


# --- counters and shops ----------------------------------------------------------------------------------------------

_NEXT_REVISION = (
    upsert(SALES_CLOCKS)
    .values(tenant=bindparam("tenant"), revision=1, shops=0)
    .on_conflict_do_update(index_elements=["tenant"], set_={"revision": SALES_CLOCKS.c.revision + 1})
    .returning(SALES_CLOCKS.c.revision)
)
_NEXT_SHOPS = (
    upsert(SALES_CLOCKS)
    .values(tenant=bindparam("tenant"), revision=0, shops=bindparam("count"))
    .on_conflict_do_update(
        index_elements=["tenant"], set_={"shops": SALES_CLOCKS.c.shops + bindparam("count")}
    )
    .returning(SALES_CLOCKS.c.shops)
)
_REVISION = select(SALES_CLOCKS.c.revision).where(SALES_CLOCKS.c.tenant == bindparam("tenant"))
_OF_TENANT = SHOPS.c.tenant == bindparam("tenant")
_SHOPS = select(SHOPS).where(_OF_TENANT)
_SHOPS_CALLED = _SHOPS.where(SHOPS.c.shop_id.in_(bindparam("names", expanding=True)))
_SHOPS_OF = _SHOPS.where(SHOPS.c.merchant.in_(bindparam("merchants", expanding=True)))
_SHOPS_FROM = (
    _SHOPS.where(SHOPS.c.number > bindparam("after")).order_by(SHOPS.c.number).limit(bindparam("count"))
)
_MERCHANT_COUNT = select(func.count(func.distinct(SHOPS.c.merchant))).where(_OF_TENANT)
_ADD_SHOPS = insert(SHOPS)
_MORE_LINES = (
    update(SHOPS)
    .where(SHOPS.c.tenant == bindparam("of_tenant"), SHOPS.c.number == bindparam("of_number"))
    .values(lines=SHOPS.c.lines + bindparam("more"))
)


_PLATFORM_BUYS = (
    update(SHOPS)
    .where(
        SHOPS.c.tenant == bindparam("of_tenant"), SHOPS.c.number == bindparam("of_number"), SHOPS.c.lines == 0
    )
    .values(platform_is_buyer=1)
)


def next_revision(unit: Unit) -> int:
    """The revision of the batch this transaction brings in; other batches of the tenant wait until it ends."""
    found: int = unit.execute(_NEXT_REVISION).scalar()
    return found


def lock_flow(unit: Unit) -> None:
    """Let no other batch, new shop or record of coverage of the tenant in until this transaction ends."""
    unit.execute(_NEXT_SHOPS, {"count": 0})


def revision(unit: Unit) -> int:
    """The newest revision there is; 0 before the first batch."""
    found: int | None = unit.execute(_REVISION).scalar()
    return found or 0


def shops_by_key(unit: Unit, keys: Sequence[ShopKey]) -> dict[ShopKey, Row]:
    """The shops among *keys* that the book knows."""
    wanted = set(keys)
    called = shops_called(unit, sorted({shop for _, shop in wanted}))
    return {(row.platform, row.shop_id): row for row in called if (row.platform, row.shop_id) in wanted}


def shops_called(unit: Unit, names: Sequence[str]) -> list[Row]:
    """Shops of any platform with one of these ids, by number."""
    return _by_number(unit, _SHOPS_CALLED, "names", names)


def shops_of(unit: Unit, merchants: Sequence[str]) -> list[Row]:
    """The shops of these merchants, by number."""
    return _by_number(unit, _SHOPS_OF, "merchants", merchants)


def _by_number(unit: Unit, statement: Select[Any], asked: str, values: Sequence[str]) -> list[Row]:
    """Sorted here: asked to sort, SQLite reads all shops in the order of their numbers instead of the few by their index."""
    found: list[Row] = []
    for at in range(0, len(values), _ASKED_AT_ONCE):
        found.extend(unit.execute(statement, {asked: list(values[at : at + _ASKED_AT_ONCE])}))
    return sorted(found, key=lambda row: int(row.number))


def shops_after(unit: Unit, number: int, count: int) -> list[Row]:
    """The next *count* shops by number."""
    return list(unit.execute(_SHOPS_FROM, {"after": number, "count": count}))


def merchant_count(unit: Unit) -> int:
    """How many merchants have a shop."""
    return int(unit.execute(_MERCHANT_COUNT).scalar() or 0)


def add_shops(unit: Unit, shops: Sequence[dict[str, Any]]) -> dict[ShopKey, ShopPlace]:
    """Give new shops their numbers and write them; each is a row without tenant, number and lines."""
    if not shops:
        return {}
    last = unit.execute(_NEXT_SHOPS, {"count": len(shops)}).scalar()
    numbered = list(zip(range(last - len(shops) + 1, last + 1), shops, strict=True))
    blank = {
        "tenant": unit.tenant,
        "rating": None,
        "violations": None,
        "rated_on": None,
        "platform_is_buyer": 0,
        "lines": 0,
    }
    unit.connection.execute(_ADD_SHOPS, [{**blank, **shop, "number": number} for number, shop in numbered])
    return {
        (shop["platform"], shop["shop_id"]): ShopPlace(number, shop["bucket"], shop["merchant"])
        for number, shop in numbered
    }


def count_lines(unit: Unit, more: dict[int, int]) -> None:
    """Add to the shops' counts of lines."""
    rows = [
        {"of_tenant": unit.tenant, "of_number": number, "more": count}
        for number, count in sorted(more.items())
        if count
    ]
    if rows:
        unit.connection.execute(_MORE_LINES, rows)


def note_platform_buys(unit: Unit, numbers: Sequence[int]) -> None:
    """Note of new shops that the platform is their only buyer; one that has order lines has buyers of its own."""
    rows = [{"of_tenant": unit.tenant, "of_number": number} for number in sorted(numbers)]
    if rows:
        unit.connection.execute(_PLATFORM_BUYS, rows)


# --- lines -----------------------------------------------------------------------------------------------------------

_KEY = ("tenant", "bucket", "shop", "order_id", "line_id")
_CONTENT = (
    "paid_day", "amount_minor", "refund_minor", "status", "refunded_day", "status_day", "settled_day", "buyer_id",
    "product_id",
)  # fmt: skip
_COLUMNS = (*_KEY, *_CONTENT, "revision")
_TEXT = frozenset({"tenant", "order_id", "line_id", "buyer_id", "product_id"})


class _Dialect(NamedTuple):
    """How a database takes a batch of rows as one parameter or many, and says that two values differ."""

    mark: str
    differs: str
    batch: str
    add: str


def _sqlite() -> _Dialect:
    cells = ", ".join(f"json_extract(value, '$[{place}]') AS {name}" for place, name in enumerate(_COLUMNS))
    batch = f"WITH batch AS MATERIALIZED (SELECT {cells} FROM json_each(?)) "
    add = f"VALUES ({', '.join('?' * len(_COLUMNS))})"
    return _Dialect("?", "IS NOT", batch, add)


def _postgresql() -> _Dialect:
    arrays = ", ".join(f"%s::{'text' if name in _TEXT else 'bigint'}[]" for name in _COLUMNS)
    batch = f"WITH batch({', '.join(_COLUMNS)}) AS (SELECT * FROM unnest({arrays})) "
    add = f"SELECT * FROM unnest({arrays})"
    return _Dialect("%s", "IS DISTINCT FROM", batch, add)


class _Statements(NamedTuple):
    add: str
    count_new: str
    count_standing: str
    keep_old: str
    replace: str


def _statements(dialect: _Dialect) -> _Statements:
    same_line = " AND ".join(f"l.{name} = b.{name}" for name in _KEY)
    differs = " OR ".join(f"l.{name} {dialect.differs} b.{name}" for name in _CONTENT)
    older = "b.status_day < l.status_day"  # an older export, brought in late, takes back no refund that a newer one told
    takes_back = _takes_back()
    changed = f"({differs}) AND coalesce(NOT {older}, TRUE) AND NOT ({takes_back})"
    old = (*_KEY, "revision", *_CONTENT)
    return _Statements(
        add=f"INSERT INTO ml_sales_line ({', '.join(_COLUMNS)}) {dialect.add} ON CONFLICT ({', '.join(_KEY)}) DO NOTHING",
        count_new=(
            f"{dialect.batch} SELECT l.shop, count(*) FROM batch b CROSS JOIN ml_sales_line l "
            f"WHERE {same_line} AND l.revision = b.revision GROUP BY l.shop"
        ),
        count_standing=(
            f"{dialect.batch} SELECT count(*) FROM batch b CROSS JOIN ml_sales_line l WHERE {same_line} AND {takes_back}"
        ),
        keep_old=(  # the driver counts the rows of a statement that begins with INSERT, not of one that begins with WITH
            f"INSERT INTO ml_sales_line_old ({', '.join(old)}, replaced_by) {dialect.batch} "
            f"SELECT {', '.join(f'l.{name}' for name in old)}, b.revision "
            f"FROM batch b CROSS JOIN ml_sales_line l WHERE {same_line} AND {changed}"
        ),
        replace=(
            f"{dialect.batch} UPDATE ml_sales_line AS l "
            f"SET {', '.join(f'{name} = b.{name}' for name in (*_CONTENT, 'revision'))} "
            f"FROM batch b WHERE {same_line} AND {changed}"
        ),
    )  # fmt: skip


def _takes_back() -> str:
    """Less of a line would have gone back and more of it be sold, and no later day of change says so."""
    before, now = _gone("l"), _gone("b")
    later = "coalesce(b.status_day > coalesce(l.status_day, l.refunded_day), FALSE)"
    return f"{now} < {before} AND b.amount_minor - {now} > l.amount_minor - {before} AND NOT {later}"


def _gone(line: str) -> str:
    """What of a line's amount went back: all of it when cancelled, or refunded without an amount."""
    refunded, cancelled = LINE_STATUSES.index("refunded"), LINE_STATUSES.index("cancelled")
    whole = f"{line}.status = {cancelled} OR ({line}.status = {refunded} AND {line}.refund_minor = 0)"
    return f"CASE WHEN {whole} THEN {line}.amount_minor ELSE {line}.refund_minor END"


_BY_DIALECT = {"sqlite": _statements(_sqlite()), "postgresql": _statements(_postgresql())}


def put_lines(unit: Unit, rows: Sequence[LineRow]) -> Stored:
    """Bring in a batch: new lines are added, changed ones replaced with their older version kept, equal ones left alone.

    So are those whose last change (``status_day``) lies before the one known: they come from an older export. And what was
    refunded or cancelled stays so, unless a row says otherwise with a later ``status_day``.
    A key may be in the batch several times, then with the same content each time.
    """
    statements = _BY_DIALECT[unit.dialect]
    unique = {row[:5]: row for row in rows}
    batch = list(unique.values())
    if not batch:
        return Stored(0, 0, {})
    added = unit.connection.exec_driver_sql(statements.add, _added(unit, batch)).rowcount
    if added == len(batch):
        return Stored(added, 0, _per_shop(batch))
    given = _given(unit, batch)
    by_shop = {row[0]: row[1] for row in unit.connection.exec_driver_sql(statements.count_new, given)}
    updated = unit.connection.exec_driver_sql(statements.keep_old, given).rowcount
    stands = unit.connection.exec_driver_sql(statements.count_standing, given).scalar() or 0
    if updated:
        unit.connection.exec_driver_sql(statements.replace, given)
    return Stored(added, updated, by_shop, stands)


def _per_shop(batch: Iterable[LineRow]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for row in batch:
        counts[row[2]] = counts.get(row[2], 0) + 1
    return counts


def _added(unit: Unit, batch: list[LineRow]) -> Any:
    return batch if unit.dialect == "sqlite" else _arrays(batch)


def _given(unit: Unit, batch: list[LineRow]) -> Any:
    return (json.dumps(batch),) if unit.dialect == "sqlite" else _arrays(batch)


def _arrays(batch: list[LineRow]) -> tuple[list[Any], ...]:
    return tuple(map(list, zip(*batch, strict=True)))


#: Columns of a line as they are read for underwriting, the shop's number first.
READ_COLUMNS = ("shop", "order_id", *_CONTENT)
_LINES_OF = (
    select(*(LINES.c[name] for name in READ_COLUMNS))
    .where(*keyed(LINES), LINES.c.shop.in_(bindparam("shops", expanding=True)))
    .where(LINES.c.paid_day <= bindparam("until"))
)
_OLD_LINES_OF = (
    select(*(OLD_LINES.c[name] for name in READ_COLUMNS))
    .where(*keyed(OLD_LINES), OLD_LINES.c.shop.in_(bindparam("shops", expanding=True)))
    .where(OLD_LINES.c.paid_day <= bindparam("until"))
    .where(OLD_LINES.c.revision <= bindparam("at"), OLD_LINES.c.replaced_by > bindparam("at"))
)
_LINES_AT = _LINES_OF.where(LINES.c.revision <= bindparam("at"))
_SHOWN = (
    select(LINES)
    .where(*keyed(LINES), LINES.c.shop == bindparam("shop"))
    .where(LINES.c.paid_day >= bindparam("first"), LINES.c.paid_day <= bindparam("last"))
)
_AS_PAID = (LINES.c.paid_day, LINES.c.order_id, LINES.c.line_id)
_OF_ORDERS = select(LINES).where(
    *keyed(LINES),
    LINES.c.shop == bindparam("shop"),
    LINES.c.order_id.in_(bindparam("orders", expanding=True)),
)
_OLDER = (
    select(OLD_LINES)
    .where(
        *keyed(OLD_LINES), OLD_LINES.c.shop == bindparam("shop"), OLD_LINES.c.order_id == bindparam("order")
    )
    .order_by(OLD_LINES.c.line_id, OLD_LINES.c.revision)
)


def lines_of(unit: Unit, bucket: int, shops: Sequence[int], until: date, at: int | None = None) -> list[Row]:
    """Lines of shops of one bucket paid by *until*; with *at* as they stood at that revision."""
    values: dict[str, Any] = {"bucket": bucket, "shops": list(shops), "until": until.toordinal()}
    if at is None:
        return list(unit.execute(_LINES_OF, values).all())
    values["at"] = at
    return [*unit.execute(_LINES_AT, values).all(), *unit.execute(_OLD_LINES_OF, values).all()]


def shown_lines(unit: Unit, shop: Row, first: date, last: date, latest: int | None = None) -> Listed[Row]:
    """A shop's lines paid from *first* to *last*, both counted, by day; all or the *latest* so many."""
    values = {
        "bucket": shop.bucket,
        "shop": shop.number,
        "first": first.toordinal(),
        "last": last.toordinal(),
    }
    return listed(unit, _SHOWN, _AS_PAID, latest, values)


def lines_of_orders(unit: Unit, shop: Row, orders: Sequence[str]) -> Iterator[Row]:
    """A shop's lines of these orders."""
    for at in range(0, len(orders), _ASKED_AT_ONCE):
        part = list(orders[at : at + _ASKED_AT_ONCE])
        yield from unit.execute(_OF_ORDERS, {"bucket": shop.bucket, "shop": shop.number, "orders": part})


def older_versions(unit: Unit, shop: Row, order_id: str) -> list[Row]:
    """What the lines of an order said before they were updated, oldest first."""
    return list(unit.execute(_OLDER, {"bucket": shop.bucket, "shop": shop.number, "order": order_id}))


# --- imports ---------------------------------------------------------------------------------------------------------

_IMPORT_TABLE = (IMPORTS.c.tenant == bindparam("tenant"),)
_START = upsert(IMPORTS).on_conflict_do_nothing(index_elements=["tenant", "key"]).returning(IMPORTS.c.id)
_IMPORT = select(IMPORTS).where(*_IMPORT_TABLE, IMPORTS.c.id == bindparam("id"))
_IMPORT_LOCKED = _IMPORT.with_for_update()
_IMPORT_KEYED = select(IMPORTS).where(*_IMPORT_TABLE, IMPORTS.c.key == bindparam("key"))
_IMPORTS = select(IMPORTS).where(*_IMPORT_TABLE)
_AS_STARTED = (IMPORTS.c.started_at, IMPORTS.c.id)
_ADVANCE = (
    update(IMPORTS)
    .where(IMPORTS.c.tenant == bindparam("of_tenant"), IMPORTS.c.id == bindparam("of_id"))
    .values(
        lines_done=bindparam("done"),
        accepted=IMPORTS.c.accepted + bindparam("more_accepted"),
        updated=IMPORTS.c.updated + bindparam("more_updated"),
        duplicates=IMPORTS.c.duplicates + bindparam("more_duplicates"),
    )
)
_FINISH = (
    update(IMPORTS)
    .where(IMPORTS.c.tenant == bindparam("of_tenant"), IMPORTS.c.id == bindparam("of_id"))
    .values(
        status="done", first_day=bindparam("first"), last_day=bindparam("last"), finished_at=bindparam("instant"),
        rejected=bindparam("rejected_rows"), rejected_by_code=bindparam("by_code"),
    )
)  # fmt: skip
_ADD_BATCH = insert(BATCHES)
_IMPORT_OF = select(BATCHES.c.import_id).where(
    BATCHES.c.tenant == bindparam("tenant"), BATCHES.c.revision == bindparam("at")
)


def start_import(unit: Unit, row: dict[str, Any]) -> Row:
    """The import's row: a new one, or the one that was started under the same key."""
    if unit.connection.execute(_START, row).first() is not None:
        return import_row(unit, row["id"])
    return unit.execute(_IMPORT_KEYED, {"key": row["key"]}).one()


def import_keyed(unit: Unit, key: str) -> Row | None:
    """The import that was started under a key."""
    return unit.execute(_IMPORT_KEYED, {"key": key}).first()


def import_row(unit: Unit, import_id: str, *, lock: bool = False) -> Row:
    """An import. Raises NotFound."""
    row = unit.execute(_IMPORT_LOCKED if lock else _IMPORT, {"id": import_id}).first()
    if row is None:
        raise NotFound(kind="import", id=import_id)
    return row


def imports(unit: Unit, latest: int | None = None) -> Listed[Row]:
    """Imports, oldest first; all or the *latest* so many."""
    return listed(unit, _IMPORTS, _AS_STARTED, latest)


def advance_import(unit: Unit, import_id: str, at: int, done: int, stored: Stored, duplicates: int) -> None:
    """Note that the import's first *done* lines are in, the last of them as revision *at*."""
    of = {"of_tenant": unit.tenant, "of_id": import_id, "done": done}
    more = {"more_accepted": stored.accepted, "more_updated": stored.updated, "more_duplicates": duplicates}
    unit.connection.execute(_ADVANCE, of | more)
    unit.connection.execute(_ADD_BATCH, {"tenant": unit.tenant, "revision": at, "import_id": import_id})


def finish_import(
    unit: Unit, import_id: str, span: tuple[date, date] | None, rejected: int, rejected_by_code: str
) -> None:
    """Mark an import as done."""
    first, last = span or (None, None)
    of = {"of_tenant": unit.tenant, "of_id": import_id, "first": first, "last": last, "instant": unit.now}
    unit.connection.execute(_FINISH, of | {"rejected_rows": rejected, "by_code": rejected_by_code})


def import_of(unit: Unit, at: int) -> str:
    """The import that brought in revision *at*."""
    return str(unit.execute(_IMPORT_OF, {"at": at}).scalar())


# --- coverage --------------------------------------------------------------------------------------------------------

Span = tuple[date, date]
_COVERED = select(COVERAGE.c.shop, COVERAGE.c.first_day, COVERAGE.c.last_day).where(
    *keyed(COVERAGE), COVERAGE.c.shop.in_(bindparam("shops", expanding=True))
)
_UNCOVER = delete(COVERAGE).where(
    COVERAGE.c.tenant == bindparam("of_tenant"), COVERAGE.c.bucket == bindparam("of_bucket"),
    COVERAGE.c.shop == bindparam("of_shop"),
)  # fmt: skip
_COVER = insert(COVERAGE)
_FEED = select(FEEDS.c.platform, FEEDS.c.first_day, FEEDS.c.last_day).where(
    FEEDS.c.tenant == bindparam("tenant")
)
_END_FEED = delete(FEEDS).where(
    FEEDS.c.tenant == bindparam("of_tenant"), FEEDS.c.platform == bindparam("of_platform")
)
_ADD_FEED = insert(FEEDS)


def spans_of(unit: Unit, bucket: int, shops: Sequence[int]) -> dict[int, list[Span]]:
    """The covered spans of shops of one bucket."""
    found: dict[int, list[Span]] = {}
    for at in range(0, len(shops), _ASKED_AT_ONCE):
        rows = unit.execute(_COVERED, {"bucket": bucket, "shops": shops[at : at + _ASKED_AT_ONCE]})
        for row in rows:
            found.setdefault(row.shop, []).append((row.first_day, row.last_day))
    return found


def cover(unit: Unit, bucket: int, spans: dict[int, list[Span]]) -> None:
    """Replace the covered spans of shops of one bucket."""
    if not spans:
        return
    of = [{"of_tenant": unit.tenant, "of_bucket": bucket, "of_shop": shop} for shop in spans]
    unit.connection.execute(_UNCOVER, of)
    rows = [
        {"tenant": unit.tenant, "bucket": bucket, "shop": shop, "first_day": first, "last_day": last}
        for shop, covered in spans.items()
        for first, last in covered
    ]
    unit.connection.execute(_COVER, rows)


def feeds(unit: Unit) -> dict[str, list[Span]]:
    """The spans covered for whole platforms."""
    found: dict[str, list[Span]] = {}
    for row in unit.execute(_FEED):
        found.setdefault(row.platform, []).append((row.first_day, row.last_day))
    return found


def put_feed(unit: Unit, platform: str, spans: Sequence[Span]) -> None:
    """Replace the spans covered for a whole platform."""
    unit.connection.execute(_END_FEED, {"of_tenant": unit.tenant, "of_platform": platform})
    rows = [
        {"tenant": unit.tenant, "platform": platform, "first_day": first, "last_day": last}
        for first, last in spans
    ]
    unit.connection.execute(_ADD_FEED, rows)


_FIRST_SETTLED = (
    select(PLATFORMS.c.platform, func.min(PLATFORMS.c.first_settled_day))
    .where(PLATFORMS.c.tenant == bindparam("tenant"), PLATFORMS.c.revision <= bindparam("at"))
    .group_by(PLATFORMS.c.platform)
)
_REPORTS = insert(PLATFORMS)


def first_settled(unit: Unit, at: int) -> dict[str, date]:
    """Platforms that report settlement, and the first day of it known at a revision."""
    return {row[0]: row[1] for row in unit.execute(_FIRST_SETTLED, {"at": at})}


def put_first_settled(unit: Unit, at: int, days: dict[str, int]) -> None:
    """Note earlier first days of settlement (ordinals), as of revision *at*."""
    known = first_settled(unit, at)
    rows = [
        {
            "tenant": unit.tenant,
            "platform": platform,
            "revision": at,
            "first_settled_day": date.fromordinal(day),
        }
        for platform, day in sorted(days.items())
        if platform not in known or day < known[platform].toordinal()
    ]
    if rows:
        unit.connection.execute(_REPORTS, rows)


_COUNTED = select(func.count()).select_from(LINES).where(LINES.c.tenant == bindparam("tenant"))


def line_count(unit: Unit) -> int:
    """How many sales lines the tenant has."""
    return int(unit.execute(_COUNTED).scalar() or 0)
