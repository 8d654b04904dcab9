"""A loan as the ledger had it at the end of a day, and the buckets into which reports sort loans by days past due."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from ..servicing.state import LoanState

#: Last day of each bucket but the last. *Source:* the delinquency buckets of the card and small-loan trade (M1, M2, M3 …).
BUCKET_ENDS = (0, 30, 60, 90, 120, 180)
BUCKETS = ("current", "1-30", "31-60", "61-90", "91-120", "121-180", "181+")

#: Where a loan may be besides in a bucket.
NOT_OWED = ("paid", "written_off")


@dataclass(frozen=True, slots=True)
class Exposure:
    """A loan that was paid out, and its state; minor units."""

    loan: str
    facility: str
    merchant: str
    product: str
    state: LoanState

    @property
    def owed(self) -> bool:
        """It stands in the balance sheet: something is owed, and it is not written off."""
        return not self.state.written_off and self.state.status in ("active", "overdue")


def bucket_of(days_past_due: int) -> str:
    """The bucket of a loan so many days past due.

    >>> [bucket_of(days) for days in (0, 1, 30, 31, 180, 181)]
    ['current', '1-30', '1-30', '31-60', '121-180', '181+']
    """
    return BUCKETS[bisect_left(BUCKET_ENDS, days_past_due)]


def place_of(state: LoanState) -> str:
    """Where a loan stands at the end of a day: a bucket, ``written_off``, or ``paid`` when nothing is owed any more."""
    if state.written_off:
        return "written_off"
    return bucket_of(state.days_past_due) if state.status in ("active", "overdue") else "paid"
