"""The unit of work: what one use case holds while its transaction is open."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import count
from os import urandom
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, text

from ..errors import NoBook, NotFound
from ..free_text import guard_text
from ..products import Product
from .tables_lending import BOOKS, BUCKETS

#: ``ids(kind, bucket)`` makes an identifier: kind-bucket-opaque.
Ids = Callable[[str, int], str]

_ID = re.compile(r"[a-z]{2,8}-([0-9]{2,4})-[0-9a-z]{1,40}", re.ASCII)
# Of every byte five bits count: a letter of an alphabet without i, l, o, u, which are easily misread.
_LETTERS = b"0123456789abcdefghjkmnpqrstvwxyz" * 8
_OF_TENANT = BOOKS.c.tenant == bindparam("tenant")
_SELECT_BOOK = select(BOOKS).where(_OF_TENANT)
_SELECT_DAY = select(BUCKETS.c.open_day).where(
    BUCKETS.c.tenant == bindparam("tenant"), BUCKETS.c.bucket == bindparam("bucket")
)
# Inside a host's REPEATABLE READ the snapshot may be older than our lock: FOR SHARE then fails with 40001.
_SELECT_DAY_CHECKED = _SELECT_DAY.with_for_update(read=True)
_SELECT_BOOK_DAY = select(func.min(BUCKETS.c.open_day)).where(BUCKETS.c.tenant == bindparam("tenant"))
_LOCK_SHARED = text("SELECT pg_advisory_xact_lock_shared(:key)")
_LOCK_ALONE = text("SELECT pg_advisory_xact_lock(:key)")
_TRY_ALONE = text("SELECT pg_try_advisory_xact_lock(:key)")


@dataclass(frozen=True, slots=True)
class BookSettings:
    """What `init` fixed for a tenant."""

    tenant: str
    currency: str
    zone: str
    buckets: int


@dataclass
class Known:
    """What never changes once read, kept from one transaction to the next: fixed settings, approved product versions."""

    schema_is_current: bool = False
    settings: BookSettings | None = None
    products: dict[tuple[str, int], Product] = field(default_factory=dict)


@dataclass
class Unit:
    """An open transaction with its tenant, instant, actor and identifiers.

    ``now`` is one instant for the whole command. Nothing here commits.
    """

    connection: Connection
    tenant: str
    now: datetime
    ids: Ids
    actor: str
    approver: str = ""
    hosted: bool = False
    four_eyes: bool = False  # the book would not have this command without a second person
    command_id: str = ""
    lines: Iterator[int] = field(default_factory=lambda: count(1))  # of the command's entry in the journal
    known: Known = field(default_factory=Known)
    _days: dict[int, date] = field(default_factory=dict)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.connection.dialect.name

    def execute(self, statement: Any, values: Any = None) -> Any:
        """Run a prebuilt statement; a mapping of values gets the tenant added."""
        if isinstance(values, list):
            return self.connection.execute(statement, values)
        return self.connection.execute(statement, {"tenant": self.tenant, **(values or {})})

    @property
    def book(self) -> BookSettings:
        """The book's settings. Raises NoBook when the tenant has none yet."""
        if self.known.settings is None:
            row = self.execute(_SELECT_BOOK).mappings().first()
            if row is None:
                raise NoBook(tenant=self.tenant)
            fields = {name: row[name] for name in BookSettings.__dataclass_fields__}
            self.known.settings = BookSettings(**fields)
        return self.known.settings

    def bucket_of(self, merchant: str) -> int:
        """The bucket of a merchant: a hash that never changes. Raises BadInput for what can be nobody's id."""
        guard_text("merchant", merchant)
        return bucket_of(merchant, self.book.buckets)

    def new_id(self, kind: str, bucket: int) -> str:
        """A new identifier: kind-bucket-opaque."""
        return self.ids(kind, bucket)

    def open_day(self, bucket: int) -> date:
        """The business day the bucket is on; it cannot be closed before this transaction ends."""
        if bucket not in self._days:
            self._days[bucket] = self._locked_day(bucket)
        return self._days[bucket]

    def _locked_day(self, bucket: int) -> date:
        if self.dialect == "postgresql":
            self.connection.execute(_LOCK_SHARED, {"key": advisory_key("bucket", self.tenant, str(bucket))})
        checked = self.hosted and self.dialect == "postgresql"
        return self._day(_SELECT_DAY_CHECKED if checked else _SELECT_DAY, bucket)

    def _day(self, query: Any, bucket: int) -> date:
        found = self.execute(query, {"bucket": bucket}).scalar()
        if found is None:
            raise NotFound(kind="bucket", id=f"{bucket} of {self.book.buckets}")
        day: date = found
        return day

    def day_of(self, bucket: int) -> date:
        """The business day a bucket is on, for reading: it may be closed meanwhile. Raises NoBook."""
        return self._day(_SELECT_DAY, bucket)

    def lock_bucket(self, bucket: int, wait: bool = True) -> bool:
        """Keep every command out of the bucket until the transaction ends; False when it would have to wait."""
        if self.dialect != "postgresql":
            return True
        values = {"key": advisory_key("bucket", self.tenant, str(bucket))}
        if wait:
            self.connection.execute(_LOCK_ALONE, values)
            return True
        return bool(self.connection.execute(_TRY_ALONE, values).scalar())

    def lock_group(self, group: Collection[str]) -> None:
        """Let one command at a time count what a group of related merchants owes; on SQLite there is only one writer.

        Each merchant is locked, in one order: two groups that differ, but overlap, wait for each other too.
        """
        if self.dialect == "postgresql":
            for key in sorted(advisory_key("group", self.tenant, merchant) for merchant in group):
                self.connection.execute(_LOCK_ALONE, {"key": key})

    def book_day(self) -> date:
        """The book's business day: the earliest of its buckets; for reading, it locks nothing."""
        found = self.execute(_SELECT_BOOK_DAY).scalar()
        if found is None:
            raise NoBook(tenant=self.tenant)
        day: date = found
        return day


def bucket_of(merchant: str, buckets: int) -> int:
    """A stable hash of a merchant's id onto the buckets.

    >>> bucket_of("any", 1)
    0
    """
    digest = hashlib.sha256(merchant.encode()).digest()
    return int.from_bytes(digest[:8], "big") % buckets


def bucket_in(identifier: str, kind: str) -> int:
    """The bucket inside an identifier. Raises NotFound for what never was one.

    >>> bucket_in("loan-03-k7", "loan")
    3
    """
    match = _ID.fullmatch(identifier)
    if not match:
        raise NotFound(kind=kind, id=str(identifier)[:80])
    return int(match[1])


def random_id(kind: str, bucket: int) -> str:
    """The identifiers used unless others are injected: 80 random bits, so that nothing is read out of them."""
    return f"{kind}-{bucket:02d}-{urandom(16).translate(_LETTERS).decode()}"


def advisory_key(*parts: str) -> int:
    """The number of an advisory lock of PostgreSQL: signed, 64 bits."""
    digest = hashlib.sha256("\0".join(("microloan", *parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
