"""The desk: runs one use case in one transaction, under one key, by one actor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from sqlalchemy import Connection

from ..clock import Clock
from ..free_text import guard_name, guard_texts
from ..money import plain_decimal
from ..store import idempotency
from ..store.chain import canonical_json, sha256
from ..store.schema import require_current
from ..store.transactions import Transactions
from ..store.unit import Ids, Known, Unit
from .four_eyes import require_another
from .results import from_json_values, to_json_values

T = TypeVar("T")

_encoded = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class Desk:
    """Where use cases get their transactions, clock, identifiers and actor from; shared by all rooms of a book."""

    transactions: Transactions
    tenant: str
    clock: Clock
    ids: Ids
    actor: str
    approver: str = ""
    known: Known = field(default_factory=Known)

    def __post_init__(self) -> None:
        for field_, name in (("tenant", self.tenant), ("actor", self.actor), ("approver", self.approver)):
            guard_name(field_, name)

    def acting(self, actor: str, approver: str = "") -> Desk:
        """The same desk for another actor. Raises FourEyesRequired for an approver who is no second person."""
        if approver:
            require_another(actor, approver, "approval")
        return replace(self, actor=actor, approver=approver)

    def command(
        self,
        operation: str,
        request: Mapping[str, Any],
        act: Callable[[Unit], T],
        kind: type[T],
        *,
        key: str | None = None,
        subject: str = "",
    ) -> T:
        """Run *act* once: claim the key, act, record who did it and what was answered; all of it or nothing.

        *request* holds canonical plain values: two requests are the same when these are. Raises BadInput for text in it
        or a key that cannot be kept, IdempotencyConflict for a key used for another request, Retryable when the database
        stayed busy, and whatever *act* raises.
        """
        guard_texts({**request, "key": key}.items())
        request_hash = hash_of(operation, request)

        def once(connection: Connection) -> T:
            unit = self._commanding(connection)
            stored = None if key is None else idempotency.claim(unit, operation, key, request_hash)
            if stored is not None:
                return from_json_values(kind, json.loads(stored), replayed=True)
            result = act(unit)
            about = subject or str(getattr(result, "id", ""))
            if key is None:
                idempotency.record(unit, operation, request_hash, about)
            else:
                idempotency.answer(unit, about, _encoded(to_json_values(result)))
            return result

        return self.transactions.write(once)

    def row(
        self,
        connection: Connection,
        operation: str,
        request: Mapping[str, Any],
        act: Callable[[Unit], T],
        subject: str,
    ) -> T:
        """One row of a file as a command without key, all of it or nothing, inside the transaction of some rows."""
        guard_texts(request.items())
        with connection.begin_nested():
            unit = self._commanding(connection)
            result = act(unit)
            idempotency.record(unit, operation, hash_of(operation, request), subject)
            return result

    def _commanding(self, connection: Connection) -> Unit:
        unit = self.unit(connection)
        unit.command_id = unit.new_id("cmd", 0)
        return unit

    def write(self, act: Callable[[Unit], T]) -> T:
        """A writing transaction without key or record, for a step of a longer command."""
        return self.transactions.write(lambda connection: act(self.unit(connection)))

    def read(self, look: Callable[[Unit], T]) -> T:
        """A reading transaction, no write lock: one snapshot, inside a host's session whatever its transaction shows."""
        return self.transactions.read(lambda connection: look(self.unit(connection)))

    def snapshot(self, look: Callable[[Unit], T]) -> T:
        """As :meth:`read`, for figures that are compared: inside a host's transaction too all are of one moment.

        Raises SnapshotNeeded where that transaction cannot show one.
        """
        return self.transactions.snapshot(lambda connection: look(self.unit(connection)))

    @contextmanager
    def stream(self, look: Callable[[Unit], Iterator[T]]) -> Iterator[Iterator[T]]:
        """What *look* reads, as it is needed, from one snapshot; what the caller raises meanwhile passes unchanged."""
        with self.transactions.reading() as connection:
            with self.transactions.telling():
                found = look(self.unit(connection))
            yield self._told(found)

    def _told(self, rows: Iterator[T]) -> Iterator[T]:
        with self.transactions.telling():
            yield from rows

    def unit(self, connection: Connection) -> Unit:
        """The unit of work of an open transaction. Raises SchemaMismatch, once looked at, unless schema and code agree."""
        hosted = self.transactions.hosted
        if not self.known.schema_is_current:
            require_current(connection)
            self.known.schema_is_current = True
        known = Known() if hosted else self.known  # a host may roll back what was read
        now = self.clock.now_utc()
        return Unit(connection, self.tenant, now, self.ids, self.actor, self.approver, hosted, known=known)


def hash_of(operation: str, request: Mapping[str, Any]) -> str:
    """The hash under which a command keeps what it was asked for; *request* holds canonical plain values."""
    return sha256(canonical_json({"operation": operation, **request}))


def amount_key(amount: object, field: str = "amount") -> str:
    """An amount as it goes into a request: 100, 100.0 and 100.00 are the same request.

    >>> amount_key("100.00") == amount_key(100)
    True
    """
    text = f"{plain_decimal(amount, field):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
