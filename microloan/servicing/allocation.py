"""How money is split over what is due. Source: SEMANTICS 4, 9.2 and 9.19."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..terms import Component

#: Amounts in minor units had by fees, penalty, interest, principal and credit: the fields of a Split.
Shares = tuple[int, int, int, int, int]
NOTHING: Shares = (0, 0, 0, 0, 0)


@dataclass(slots=True)
class Bucket:
    """What fell due on one day and is still unpaid; ``penal`` once its grace is over (``grace_end`` is that morning).

    ``topped_up`` is whether the end of the grace charges its nights too; interest of the grace itself is spared that.
    """

    due: int
    principal: int
    interest: int
    grace_end: int
    penal: bool
    topped_up: bool = True

    @property
    def unpaid(self) -> bool:
        """Whether anything of it is left.

        >>> Bucket(1, principal=0, interest=5, grace_end=1, penal=False).unpaid
        True
        """
        return self.principal > 0 or self.interest > 0

    def twin(self) -> Bucket:
        """The same once more, to be changed by itself."""
        return Bucket(self.due, self.principal, self.interest, self.grace_end, self.penal, self.topped_up)


def payment_steps(
    order: Sequence[Component], across: str, buckets: Sequence[Bucket]
) -> Iterator[tuple[Component, Bucket | None]]:
    """The debts in the order in which money clears them: fees and penalty as one total, the rest per due date.

    ``across: instalment`` clears interest and principal of the oldest due date together, at the place of the first.

    >>> a, b = Bucket(1, 10, 1, 1, True), Bucket(2, 10, 1, 2, True)
    >>> [c for c, _ in payment_steps(("fees", "penalty", "interest", "principal"), "instalment", [a, b])]
    ['fees', 'penalty', 'interest', 'principal', 'interest', 'principal']
    """
    dated = [component for component in order if component in ("interest", "principal")]
    for component in order:
        if component not in dated:
            yield component, None
        elif across == "component":
            for bucket in buckets:
                yield component, bucket
        elif component == dated[0]:
            for bucket in buckets:
                yield from ((part, bucket) for part in dated)
