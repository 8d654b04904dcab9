"""Provisions of a bucket from close to close: principal per product and class, and what is set aside for it.

Principal is carried forward by what the journal says of it, so that a close costs what happened that day, not what the
book holds. Source: SEMANTICS 5 and 6: on principal per bucket, product and class, rounded once; the difference is posted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from ..accounting.position import Balances
from ..accounting.provisions import provision, provision_postings
from ..store import closing
from ..store.unit import Unit

_Group = tuple[str, str]  # product and currency


@dataclass
class _Figure:
    """One group: principal at the close, and the allowance posted for it; minor units."""

    principal: int = 0
    allowance: int = 0


@dataclass
class Provided:
    """The provisions of a bucket, by product, currency and class."""

    figures: dict[tuple[str, str, str], _Figure]
    stored: dict[tuple[str, str, str], _Figure] = field(default_factory=dict)

    @classmethod
    def read(cls, unit: Unit, bucket: int) -> Provided:
        """As the last close left them."""
        stored = {
            (row.product, row.currency, row.class_): _Figure(row.principal_minor, row.allowance_minor)
            for row in closing.provisions(unit, bucket)
        }
        return cls({group: replace(figure) for group, figure in stored.items()}, stored)

    def note(self, moved_by_commands: Sequence[Any], *posted: dict[_Group, Balances]) -> None:
        """Carry principal over a day: what commands moved, and what the close's own entries move."""
        for row in moved_by_commands:
            self._figure(row.product, row.currency, row.class_).principal += int(row.total)
        for totals in posted:
            for (product, currency), change in totals.items():
                for (account, class_), amount in change.items():
                    if account == "principal":
                        self._figure(product, currency, class_).principal += amount

    def postings(self, rates: Mapping[str, Fraction]) -> Iterator[tuple[_Group, Balances]]:
        """What brings each group's allowance to its share of principal, by class; from now on it has that figure."""
        for (product, currency, class_), figure in sorted(self.figures.items()):
            due = provision(figure.principal, class_, rates)
            lines = provision_postings(figure.allowance, due)
            figure.allowance = due
            if lines:
                yield (
                    (product, currency),
                    {
                        (account, class_ if account == "provision_allowance" else ""): amount
                        for account, amount in lines.items()
                    },
                )

    def write(self, unit: Unit, bucket: int) -> None:
        """Store the figures that changed for the next close."""
        closing.put_provisions(unit, [
            {"tenant": unit.tenant, "bucket": bucket, "product": product, "class": class_, "currency": currency,
             "principal_minor": closing.fitting(figure.principal, "principal", product), "allowance_minor": figure.allowance}
            for (product, currency, class_), figure in sorted(self.figures.items())
            if self.stored.get((product, currency, class_)) != figure
        ])  # fmt: skip

    def _figure(self, product: str, currency: str, class_: str) -> _Figure:
        return self.figures.setdefault((product, currency, class_), _Figure())


__all__ = ["Provided"]
