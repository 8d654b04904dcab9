"""A command's record: who did what, when, and under which key; the same key never acts twice.

The record of a keyed command is claimed before any other lock is taken: of two that race, the second waits on the
unique key and then reads what the first answered. A refused command is rolled back with its claim, so the same key may
be tried again once the reason is gone; nothing that failed is ever stored. Source: RELIABILITY 17 to 21.
"""

from __future__ import annotations

import re

from sqlalchemy import bindparam, select, update

from ..errors import BadInput, IdempotencyConflict, Retryable
from .base import insert
from .tables_lending import COMMANDS
from .unit import Unit

_KEY = re.compile(r"[\x21-\x7e]{1,200}", re.ASCII)
_CLAIM = (
    insert(COMMANDS)
    .on_conflict_do_nothing(index_elements=["tenant", "operation", "key"])
    .returning(COMMANDS.c.id)
)
_RECORD = insert(COMMANDS)
_STORED = select(COMMANDS.c.request_hash, COMMANDS.c.result).where(
    COMMANDS.c.tenant == bindparam("tenant"),
    COMMANDS.c.operation == bindparam("operation"),
    COMMANDS.c.key == bindparam("key"),
)
_ANSWER = (
    update(COMMANDS)
    .where(COMMANDS.c.tenant == bindparam("of_tenant"), COMMANDS.c.id == bindparam("of_id"))
    .values(result=bindparam("answer"), subject=bindparam("about"))
)


def claim(unit: Unit, operation: str, key: str, request_hash: str) -> str | None:
    """Claim the key for this command; or the stored answer (JSON) where the same request was answered before.

    Raises IdempotencyConflict when the key was used for another request.
    """
    if not _KEY.fullmatch(key):
        raise BadInput(
            field="key", value=key[:40], reason="1 to 200 printable ASCII characters without spaces"
        )
    if unit.connection.execute(_CLAIM, _row(unit, operation, key, request_hash)).first() is not None:
        return None
    stored = unit.execute(_STORED, {"operation": operation, "key": key}).first()
    if stored is None or stored.result is None:  # a host's snapshot that cannot see the other's answer
        raise Retryable(reason="the same key is being used right now")
    if stored.request_hash != request_hash:
        raise IdempotencyConflict(key=key, operation=operation)
    answer: str = stored.result
    return answer


def answer(unit: Unit, subject: str, result: str) -> None:
    """Store what a claimed command answered."""
    unit.connection.execute(
        _ANSWER, {"of_tenant": unit.tenant, "of_id": unit.command_id, "answer": result, "about": subject}
    )


def record(unit: Unit, operation: str, request_hash: str, subject: str) -> None:
    """The record of a command without a key."""
    unit.connection.execute(_RECORD, _row(unit, operation, None, request_hash, subject))


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
