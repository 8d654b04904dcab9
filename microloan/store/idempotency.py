"""A command's record: who did what, when, and under which key; the same key never acts twice.

The record of a keyed command is claimed before any other lock is taken: of two that race, the second waits on the
unique key and then reads what the first answered. A refused command is rolled back with its claim, so the same key may
be tried again once the reason is gone; nothing that failed is ever stored. Source: RELIABILITY 17 to 21.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from ..errors import BadInput, IdempotencyConflict, Retryable
from .tables_lending import COMMANDS
from .unit import Unit
from .writes import Writes

_KEY = re.compile(r"[\x21-\x7e]{1,200}", re.ASCII)
_RECORD = Writes(insert(COMMANDS))
_STORED = select(COMMANDS.c.request_hash, COMMANDS.c.result).where(
    COMMANDS.c.tenant == bindparam("tenant"),
    COMMANDS.c.operation == bindparam("operation"),
    COMMANDS.c.key == bindparam("key"),
)
_ANSWER = Writes(
    update(COMMANDS)
    .where(COMMANDS.c.tenant == bindparam("of_tenant"), COMMANDS.c.id == bindparam("of_id"))
    .values(result=bindparam("new_result"), subject=bindparam("new_subject"))
)


def claim(unit: Unit, operation: str, key: str, request_hash: str) -> str | None:
    """Claim the key for this command; or the stored answer (JSON) where the same request was answered before.

    Raises IdempotencyConflict when the key was used for another request.
    """
    if not _KEY.fullmatch(key):
        raise BadInput(
            field="key", value=key[:40], reason="1 to 200 printable ASCII characters without spaces"
        )
    if unit.connection.execute(_claim(), _row(unit, operation, key, request_hash)).first() is not None:
        return None
    stored = unit.execute(_STORED, {"operation": operation, "key": key}).first()
    if stored is None or stored.result is None:  # a host's snapshot that cannot see the other's answer
        raise Retryable(reason="the same key is being used right now")
    if stored.request_hash != request_hash:
        raise IdempotencyConflict(key=key, operation=operation)
    answer: str = stored.result
    return answer


@cache
def _claim() -> Any:
    """The record unless its key is taken; built when first used, as few lines of a terminal bring a key."""
    from .upserts import upsert

    taken = upsert(COMMANDS).on_conflict_do_nothing(index_elements=["tenant", "operation", "key"])
    return taken.returning(COMMANDS.c.id)


def answer(unit: Unit, subject: str, result: str) -> None:
    """Store what a claimed command answered."""
    row = {"tenant": unit.tenant, "id": unit.command_id, "result": result, "subject": subject}
    _ANSWER.run(unit.connection, [row])


def record(unit: Unit, operation: str, request_hash: str, subject: str) -> None:
    """The record of a command without a key."""
    add_records(unit, [record_of(unit, operation, request_hash, subject)])


def record_of(unit: Unit, operation: str, request_hash: str, subject: str) -> dict[str, object]:
    """As :func:`record`, for several to be stored together: the row of the unit's present command."""
    return _row(unit, operation, None, request_hash, subject)


def add_records(unit: Unit, rows: Sequence[dict[str, object]]) -> None:
    """Store such rows."""
    _RECORD.run(unit.connection, rows)


def _row(
    unit: Unit, operation: str, key: str | None, request_hash: str, subject: str = ""
) -> dict[str, object]:
    return {
        "tenant": unit.tenant,
        "id": unit.command_id,
        "operation": operation,
        "key": key,
        "request_hash": request_hash,
        "subject": subject,
        "actor": unit.actor,
        "approver": unit.approver,
        "recorded_at": unit.now,
        "result": None,
    }
