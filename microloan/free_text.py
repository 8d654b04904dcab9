"""Text that people type and the book keeps: names, reasons, notes. Judged here once, alike for both databases.

PostgreSQL refuses NUL, SQLite keeps it; neither has room for half a surrogate, which is what Python makes of bytes that are
no UTF-8. Source: RELIABILITY 43 and 44.
"""

from __future__ import annotations

from collections.abc import Iterable

from .errors import BadInput

#: Characters of a name, of a key, of who acts.
NAME_AT_MOST = 200

#: Characters of a reason or a note.
TEXT_AT_MOST = 2000

#: Why text with half a surrogate in it is refused.
NO_TEXT = "is no text in UTF-8; type it again in UTF-8"


def guard_text(field: str, given: str, at_most: int = TEXT_AT_MOST) -> None:
    """Refuse text that one of the databases could not keep, or that nobody would read. Raises BadInput.

    >>> guard_text("reason", "asked by telephone\\non 3 May")
    >>> guard_text("reason", "a\\0b")
    Traceback (most recent call last):
    microloan.errors.BadInput: reason: 'a…' cannot be used: holds a NUL; leave it out
    """
    if "\0" in given:
        raise _unusable(field, given, "holds a NUL; leave it out")
    if not _is_unicode(given):
        raise _unusable(field, given, NO_TEXT)
    if len(given) > at_most:
        raise _unusable(field, given, f"use at most {at_most} characters")


def guard_name(field: str, given: str) -> None:
    """As :func:`guard_text` for what stands in one line: printable, at most 200 characters. Raises BadInput."""
    guard_text(field, given, NAME_AT_MOST)
    if not given.isprintable():
        raise _unusable(field, given, f"use at most {NAME_AT_MOST} printable characters")


def guard_texts(given: Iterable[tuple[str, object]]) -> None:
    """Every text among named values, one level deep. Raises BadInput for the first."""
    for field, value in given:
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, str):
                guard_text(field, part)


def _is_unicode(given: str) -> bool:
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unusable(field: str, given: str, reason: str) -> BadInput:
    first = given[:1].encode(errors="replace").decode()  # no more: it may be a person's name
    return BadInput(field=field, value=f"{first}…", reason=reason)
