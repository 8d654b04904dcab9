"""Anchors: what the book was, in a file kept elsewhere, one line of JSON each time.

Chains and seals show what was changed inside the book; that its tail was cut off or written anew shows only against
something kept elsewhere. A line holds, per bucket, the newest seal and the heads of the chains that have grown since.
What any line names must stay in the book for ever. Source: RELIABILITY 5, 47 and 48.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from ..errors import IntegrityBroken, InvalidFile
from ..servicing.accrual import INT64
from ..store import catalogue, closing, verifying
from ..store.chain import canonical_json
from ..store.unit import Unit
from . import verification
from .results import Finding, VerifyReport
from .seals import Seal

_NO_ANCHORS = "not a file of anchors"
_CUT = "its last line was cut short while it was written: take that line away, then run: microloan verify --anchor"

Head = tuple[str, int, str]  # facility, sequence, hash


@dataclass(frozen=True, slots=True)
class Anchored:
    """What a line says of one bucket: its newest seal, None before the first close, and the heads grown since."""

    bucket: int
    seal: Seal | None
    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A line: whose book, its buckets, and whether it was verified clean when the line was written."""

    tenant: str
    verified: bool
    buckets: tuple[Anchored, ...]


# --- the file --------------------------------------------------------------------------------------------------------


def read(file: Path) -> list[Anchor]:
    """The lines of a file, oldest first; none when there is no file yet. Raises InvalidFile."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as fault:
        raise _bad(file, getattr(fault, "strerror", None) or _NO_ANCHORS) from None
    anchors: list[Anchor] = []
    lines = text.splitlines()
    for line in lines:
        try:
            anchors.append(_parsed(json.loads(line)))
        except (ValueError, LookupError, TypeError):
            cut = len(anchors) == len(lines) - 1 > 0 and not text.endswith("\n")
            raise _bad(file, _CUT if cut else _NO_ANCHORS) from None
    return anchors


def _bad(file: Path, reason: str) -> InvalidFile:
    return InvalidFile(file=str(file), code="bad_anchor", reason=reason)


def require_room(file: Path) -> None:
    """A line could be added to the file, which is left as it is. Raises InvalidFile."""
    try:
        if file.exists():
            os.close(os.open(file, os.O_WRONLY | os.O_APPEND))
        elif not os.access(file.parent, os.W_OK | os.X_OK):
            reason = "no such folder" if not file.parent.is_dir() else "its folder cannot be written to"
            raise InvalidFile(file=str(file), code="unwritable_file", reason=reason)
    except OSError as fault:
        raise _unwritable(file, fault) from None


def append(file: Path, line: str) -> None:
    """Add a line to a file, whole and on disk before this returns; only its owner may read a new one. Raises InvalidFile."""
    try:
        number = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            _append(number, line)
            os.fsync(number)
        finally:
            os.close(number)
    except OSError as fault:
        raise _unwritable(file, fault) from None


def _append(number: int, line: str) -> None:
    """All of the line, or nothing: a disk that fills up takes the beginning of it without an error."""
    size = os.fstat(number).st_size
    ended = not size or os.pread(number, 1, size - 1) == b"\n"
    added = f"{'' if ended else chr(10)}{line}\n".encode()
    written = os.write(number, added)
    if written < len(added):
        if os.fstat(number).st_size == size + written:  # nobody else's line came after it
            os.ftruncate(number, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _unwritable(file: Path, fault: OSError) -> InvalidFile:
    return InvalidFile(file=str(file), code="unwritable_file", reason=fault.strerror or "cannot be written")


def _parsed(line: Mapping[str, Any]) -> Anchor:
    buckets = tuple(
        Anchored(_number(each["bucket"]), _seal(each["seal"]), tuple(_head(*head) for head in each["heads"]))
        for each in line["buckets"]
    )
    return Anchor(_word(line["tenant"]), line.get("verified") is True, buckets)


def _seal(given: Mapping[str, Any] | None) -> Seal | None:
    return None if given is None else Seal(date.fromisoformat(given["day"]), _word(given["hash"]))


def _head(facility: object, seq: object, head: object) -> Head:
    return _word(facility), _number(seq), _word(head)


def _word(given: object) -> str:
    if not isinstance(given, str) or not given.isprintable():
        raise TypeError("no text")
    return given


def _number(given: object) -> int:
    if not isinstance(given, int) or not 0 <= given <= INT64:
        raise TypeError("no number")
    return given


# --- the book against it ---------------------------------------------------------------------------------------------


def line(unit: Unit, *, verified: bool) -> str:
    """The book's state as a line."""
    return canonical_json({
        "tenant": unit.tenant,
        "at": unit.now,
        "verified": verified,
        "buckets": [_anchored(unit, row.bucket, row.open_day) for row in catalogue.buckets(unit)],
    })  # fmt: skip


def _anchored(unit: Unit, bucket: int, open_day: date) -> dict[str, Any]:
    newest = closing.newest_seal(unit, bucket)
    seal = newest and {"day": newest.day, "hash": newest.hash}
    return {"bucket": bucket, "seal": seal, "heads": closing.heads_of(unit, bucket, open_day)}


def require_kept(unit: Unit, file: Path, anchors: Sequence[Anchor]) -> None:
    """What the last line of this book names is still there. Raises IntegrityBroken."""
    differences = lost(unit, _own(unit, anchors)[-1:])
    if differences:
        first = differences[0]
        raise IntegrityBroken(
            subject=str(file),
            reason=f"{first.code} {first.subject}: anchored {first.recomputed}, found {first.stored} "
            f"(differences: {len(differences)}); nothing was added. Run: microloan verify --anchor",
        )


def verify(
    unit: Unit, anchors: Sequence[Anchor], progress: verification.Progress | None, *, incremental: bool
) -> tuple[VerifyReport, str]:
    """The book verified, and against every line of its own; and the line it would add.

    *incremental*: what came after the last line a clean verification wrote; everything where there is none yet.
    """
    own = _own(unit, anchors)
    report = verification.verify(unit, progress, _last_verified(unit, own) if incremental else None)
    report = replace(report, findings=(*report.findings, *lost(unit, own)))
    return report, line(unit, verified=True)


def lost(unit: Unit, anchors: Sequence[Anchor]) -> list[Finding]:
    """The seals and events that lines name and the book no longer holds, or holds otherwise; each once."""
    seals: dict[int, set[Seal]] = {}
    heads: dict[int, set[Head]] = {}
    for anchor in anchors:
        for each in anchor.buckets:
            seals.setdefault(each.bucket, set()).update(() if each.seal is None else (each.seal,))
            heads.setdefault(each.bucket, set()).update(each.heads)
    return [
        finding
        for bucket in sorted(seals)
        for finding in (*_lost_seals(unit, bucket, seals[bucket]), *_lost_heads(unit, bucket, heads[bucket]))
    ]


def _lost_seals(unit: Unit, bucket: int, anchored: set[Seal]) -> Iterator[Finding]:
    if not anchored:
        return
    stored = {row.day: row.hash for row in closing.seals(unit, bucket, min(anchored).day)}
    for day, wanted in sorted(anchored):
        if stored.get(day) != wanted:
            yield Finding("anchor_seal", f"{day} bucket {bucket}", stored.get(day, "none"), wanted)


def _lost_heads(unit: Unit, bucket: int, anchored: set[Head]) -> Iterator[Finding]:
    stored = verifying.event_hashes(unit, bucket, {head[:2] for head in anchored})
    for facility, seq, wanted in sorted(anchored):
        found = stored.get((facility, seq))
        if found != wanted:
            yield Finding("anchor_event", f"{facility} event {seq}", found or "none", wanted)


def _own(unit: Unit, anchors: Sequence[Anchor]) -> list[Anchor]:
    return [anchor for anchor in anchors if anchor.tenant == unit.tenant]


def _last_verified(unit: Unit, own: Sequence[Anchor]) -> dict[int, Seal] | None:
    """The seal of every bucket in the last verified line; None where there is no such line, or a bucket had no seal."""
    last = next((anchor for anchor in reversed(own) if anchor.verified), None)
    seals = {each.bucket: each.seal for each in last.buckets if each.seal} if last else {}
    return seals if seals.keys() >= {row.bucket for row in catalogue.buckets(unit)} else None
