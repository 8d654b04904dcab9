"""The seals recomputed: what each closed day booked is what its close sealed, and the open day holds nothing but commands.

A seal covers the heads of the chains that grew and every line of the journal; seals are chained. The one of a day says
that nothing was added to it, moved into it or out of it, or taken away since. Source: RELIABILITY 47, SEMANTICS 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from ..store import closing, verifying
from ..store.base import FAR
from ..store.chain import GENESIS, Digest
from ..store.unit import Unit
from .closing import seal_hash
from .results import Finding

_BEFORE_ALL = -(1 << 62)  # a damaged line may stand under a day that no calendar has


class Seal(NamedTuple):
    """The seal of a closed day, from which a look at what came after it goes on."""

    day: date
    hash: str


def differences(
    unit: Unit, bucket: int, opened: date, since: Seal | None = None
) -> tuple[int, list[Finding]]:
    """How many lines of a bucket's journal were looked at, and what seals and journal contradict.

    All of it, or what came after the seal *since*; *opened* is the bucket's open day.
    """
    first = since.day + timedelta(days=1) if since else date.min
    seals = closing.seals(unit, bucket, first)
    look = _Look(unit, bucket, opened.toordinal(), {seal.day.toordinal() for seal in seals})
    ordinal = first.toordinal() if since else _BEFORE_ALL
    booked = closing.journal_digests(
        look.passing(closing.journal_by_seal(unit, bucket, ordinal, FAR.toordinal()))
    )
    previous = since.hash if since else GENESIS
    for seal in seals:
        look.found += _seal(unit, seal, previous, booked.get(seal.day.toordinal(), Digest()))
        previous = seal.hash
    return sum(digest.count for digest in booked.values()), look.found


@dataclass
class _Look:
    """A bucket's journal on its way past, line by line: what is wrong with its entries."""

    unit: Unit
    bucket: int
    opened: int
    sealed: set[int]
    found: list[Finding] = field(default_factory=list)

    def passing(self, journal: Iterable[Any]) -> Iterator[Any]:
        """The same lines, each entry looked at once it has passed."""
        for day, of_day in groupby(journal, key=attrgetter("day")):
            commands: set[str] = set()
            for entry, lines in groupby(of_day, key=attrgetter("entry")):
                totals: dict[str, int] = {}
                sources: set[str] = set()
                for line in lines:
                    totals[line.currency] = totals.get(line.currency, 0) + line.amount_minor
                    sources.add(line.source)
                    yield line
                if "command" in sources:
                    commands.add(entry)
                self.found += [
                    Finding("entry_unbalanced", entry, str(total), "0") for total in totals.values() if total
                ]
                if not all(self._expected(day, source) for source in sources):
                    self.found.append(Finding("entry_without_seal", entry, "is there", "no close booked it"))
            self._without_event(day, commands)

    def _expected(self, day: int, source: str) -> bool:
        """Under no seal there are only the lines of the open day's commands."""
        return closing.sealed_with(day, source) in self.sealed or (day, source) == (self.opened, "command")

    def _without_event(self, day: int, commands: set[str]) -> None:
        """An entry of a command belongs to an event the command booked that day.

        But that of a release: what passed while the loan was held is posted, nothing happens to it.
        """
        booked = verifying.commands_with_events(self.unit, self.bucket, day) if commands else set()
        for entry in sorted(commands - booked):
            if not verifying.released(self.unit, entry):
                told = "its command booked nothing that day"
                self.found.append(Finding("entry_without_event", entry, "is there", told))


def _seal(unit: Unit, seal: Any, previous: str, journal: Digest) -> Iterator[Finding]:
    subject = f"{seal.day} bucket {seal.bucket}"
    row = {name: value for name, value in seal._mapping.items() if name != "hash"}
    if seal.prev_hash != previous:
        yield Finding("seal_chain", subject, seal.prev_hash, previous)
    found = seal_hash(row, closing.heads_of(unit, seal.bucket, seal.day))
    if seal.hash != found:
        yield Finding("seal_hash", subject, seal.hash, found)
    if (seal.lines, seal.journal) != (journal.count, journal.hash):
        told = (
            f"{count} lines {digest}"
            for count, digest in ((seal.lines, seal.journal), (journal.count, journal.hash))
        )
        yield Finding("seal_journal", subject, *told)
