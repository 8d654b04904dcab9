"""The tenures of a whole book as arrays; what a tenure is, says :mod:`microloan.risk.tenures`. Needs numpy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .links import LinkRules
from .tenures import HANDED_ON_DAYS, SIZES, WINDOWS

if TYPE_CHECKING:
    from .wholebook import Holdings, Links, Ties

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class BookTenures:
    """Every tenure of a book: kind by its number, holders, days within which all took it up. ``of_row``: −1 for no tenure."""

    kinds: tuple[str, ...]
    of_row: npt.NDArray[np.int32]
    kind: npt.NDArray[np.uint8]
    size: Ints
    spread: Ints

    @classmethod
    def of(cls, holdings: Holdings, rows: Ints, as_of: date) -> BookTenures:
        """The tenures of the identifiers in these rows, which come one identifier after the other."""
        rows = rows[np.lexsort((holdings.first_day[rows], holdings.identifier[rows]))]
        first = holdings.first_day[rows].astype(np.int64)
        last = np.minimum(holdings.last_day[rows], as_of.toordinal()).astype(np.int64)
        another = np.diff(holdings.identifier[rows], prepend=-1) != 0
        far = np.cumsum(another) * np.int64(date.max.toordinal())  # no identifier reaches into the next
        until = np.maximum.accumulate(last + far) - far
        begins = another.copy()
        begins[1:] |= first[1:] - until[:-1] > HANDED_ON_DAYS
        starts = np.flatnonzero(begins)
        ends = np.append(starts, len(rows))[1:]
        of_row = np.full(len(holdings), -1, dtype=np.int32)
        of_row[rows] = np.cumsum(begins) - 1
        spread = first[ends - 1] - first[starts]
        return cls(holdings.kinds, of_row, holdings.kind[rows[starts]], ends - starts, spread)

    def __len__(self) -> int:
        return len(self.size)

    @property
    def size_class(self) -> Ints:
        """The place of its holders among the classes; −1 where one alone had it."""
        return np.searchsorted(SIZES, self.size, side="right") - 1

    @property
    def window(self) -> Ints:
        """The place of the window in which all took it up; as many as there are windows where not together."""
        return np.searchsorted(WINDOWS, self.spread, side="left")

    def of_links(self, links: Links) -> npt.NDArray[np.int32]:
        """The tenure of each link; −1 between two tenures."""
        at = self.of_row[links.row_one]
        return np.where(at == self.of_row[links.row_other], at, np.int32(-1))

    def of_kinds(self, kinds: frozenset[str]) -> Bools:
        """Whether a tenure is of one of these kinds."""
        return np.array([kind in kinds for kind in self.kinds] or [False])[self.kind]

    def any_of(self, at: npt.NDArray[np.int32], links: Bools) -> Bools:
        """The tenures that have any of these links."""
        found = np.zeros(len(self), dtype=np.bool_)
        found[at[links & (at >= 0)]] = True
        return found

    def sharing(self, ties: Ties, at: npt.NDArray[np.int32], kinds: frozenset[str], least: int = 1) -> Bools:
        """The links between merchants that share, within tenures, so many of these kinds at least."""
        tie = np.repeat(np.arange(len(ties), dtype=np.int32), np.diff(ties.starts))
        count = np.zeros(len(ties), dtype=np.int32)
        for kind in sorted(kinds & set(self.kinds)):
            of_kind = self.of_kinds(frozenset({kind}))
            shared = np.zeros(len(ties), dtype=np.bool_)
            shared[tie[(at >= 0) & of_kind[at]]] = True
            count += shared
        enough: Bools = (count >= least)[tie]
        return enough

    def at_one_place(self, ties: Ties, at: npt.NDArray[np.int32], rules: LinkRules) -> Bools:
        """The tenures in which two holders share a place besides."""
        places = frozenset(kind for kind, rule in rules.kinds.items() if rule.place)
        return self.any_of(at, self.sharing(ties, at, places))

    def shares(self, rules: LinkRules, at_one_place: Bools) -> Floats:
        """For every tenure, how telling the way is in which it took its identifier up; 0 where the book has not shown it."""
        share = np.zeros(len(self))
        size, window, movable = self.size_class, self.window, self.of_kinds(rules.movable)
        for way, value in rules.telling.items():
            of_kind = self.of_kinds(frozenset({way.kind})) & movable & (at_one_place == way.at_one_place)
            like = (size == SIZES.index(way.holders)) & (window == WINDOWS.index(way.within_days))
            share[of_kind & like] = value
        return share
