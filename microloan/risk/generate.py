"""A made-up book with rings hidden in it, to measure how many are found and whom else the search accuses.

Honest merchants share identifiers too: families and office blocks an address, malls one address for hundreds, agents one device
for all they sign up, bookkeepers a phone, payment services an account; numbers and machines change hands. A few families share
a phone besides, and some agents work inside one block: two kinds shared, honestly. Where a plan says so, families, neighbours and
an agent's customers also begin in the same weeks, as rings do. Everything comes from a seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np

from .links import DEFAULT_RULES, LinkRules
from .wholebook import BookRings, Bools, Holdings, Ints

KINDS: Final = ("owner", "account", "device", "phone", "address")
_CODE: Final = {kind: code for code, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class BookPlan:
    """What a made-up book is like. Shares are parts of all merchants; pairs of sizes are least and most.

    ``shared``: how likely a member of a ring takes an identifier of a kind from the ring's own few instead of one for itself.
    ``pool``: members per such identifier. ``at_mall``: rings whose common address is that of a mall. ``ring_begins_within``: days
    in which all members of a ring begin. ``together``: families, blocks, malls and agents whose merchants all begin within
    ``together_days``, honestly. ``sleeping``: merchants, in rings too, last seen half a year to two years ago.
    """

    merchants: int = 20_000
    rings: float = 0.03
    ring_size: tuple[int, int] = (3, 12)
    shared: Mapping[str, float] = field(
        default_factory=lambda: {"owner": 0.1, "account": 0.45, "device": 0.75, "phone": 0.65, "address": 0.6}
    )
    pool: int = 6
    at_mall: float = 0.2
    ring_days: int = 400
    ring_begins_within: int = 30
    together: float = 0.0
    together_days: int = 14
    sleeping: float = 0.1
    families: float = 0.10
    family_phone: float = 0.01
    blocks: float = 0.10
    block_size: tuple[int, int] = (3, 15)
    malls: float = 0.15
    mall_size: tuple[int, int] = (40, 800)
    agents: float = 0.10
    agent_size: tuple[int, int] = (2, 12)
    large_agents: float = 0.15
    large_agent_size: tuple[int, int] = (25, 500)
    local_agents: float = 0.005
    bookkeepers: float = 0.05
    bookkeeper_size: tuple[int, int] = (3, 40)
    payment_services: float = 0.05
    payment_service_size: tuple[int, int] = (50, 1000)
    recycled: float = 0.05
    idle_days: tuple[int, int] = (60, 400)


@dataclass(frozen=True, slots=True, eq=False)
class MadeUpBook:
    """The holdings, and the truth: the hidden ring of every merchant by its number, −1 for an honest one."""

    holdings: Holdings
    as_of: date
    truth: Ints


@dataclass(frozen=True, slots=True)
class Score:
    """How well rings were found.

    ``recall``: hidden members placed in a ring together with another member of their own hidden ring, of all hidden members.
    ``false_share``: honest merchants placed in any ring, of all merchants placed in one.
    """

    hidden: int
    found: int
    placed: int
    honest_placed: int

    @property
    def recall(self) -> float:
        """Hidden members that were found.

        >>> Score(hidden=10, found=9, placed=10, honest_placed=1).recall
        0.9
        """
        return self.found / self.hidden if self.hidden else 1.0

    @property
    def false_share(self) -> float:
        """Honest merchants among those placed.

        >>> Score(hidden=10, found=9, placed=10, honest_placed=1).false_share
        0.1
        """
        return self.honest_placed / self.placed if self.placed else 0.0


def made_up_book(seed: int, as_of: date, plan: BookPlan | None = None) -> MadeUpBook:
    """A book of so many merchants with its hidden rings; the same for the same seed and plan.

    >>> book = made_up_book(1, date(2026, 6, 30), BookPlan(merchants=1000))
    >>> len(book.holdings) >= 5000, int((book.truth >= 0).sum())
    (True, 30)
    """
    return _Maker(seed, as_of, plan or BookPlan()).book()


def score(book: MadeUpBook, rings: BookRings) -> Score:
    """What was found of what was hidden."""
    label, hidden = rings.label(), book.truth >= 0
    placed = label >= 0
    found = np.flatnonzero(placed & hidden)
    pair = book.truth[found] * np.int64(len(rings) + 1) + label[found]
    _, where, together = np.unique(pair, return_inverse=True, return_counts=True)
    with_own = int((together[where] >= 2).sum())
    return Score(int(hidden.sum()), with_own, int(placed.sum()), int((placed & ~hidden).sum()))


def findable(book: MadeUpBook, rules: LinkRules = DEFAULT_RULES) -> int:
    """Hidden members who share anything, hubs aside, with another of their ring: nobody can find more than these.

    >>> findable(made_up_book(1, date(2026, 6, 30), BookPlan(merchants=1000)))
    30
    """
    held = book.holdings
    most = np.array([rules.kinds[kind].hub_holders for kind in held.kinds])
    ring = book.truth[held.merchant]
    looked_at = (ring >= 0) & (np.bincount(held.identifier)[held.identifier] <= most[held.kind])
    identifier, ring, member = held.identifier[looked_at], ring[looked_at], held.merchant[looked_at]
    _, where, together = np.unique(
        np.column_stack([identifier, ring]), axis=0, return_inverse=True, return_counts=True
    )
    return len(np.unique(member[together[where.ravel()] >= 2]))


class _Maker:
    """One book in the making: for every kind and merchant the identifier it has and from when to when."""

    def __init__(self, seed: int, as_of: date, plan: BookPlan) -> None:
        self.plan, self.as_of, self.today = plan, as_of, as_of.toordinal()
        self.random = np.random.default_rng(seed)
        count = plan.merchants
        self.identifier = np.arange(len(KINDS) * count, dtype=np.int64).reshape(len(KINDS), count)
        self.next_identifier = self.identifier.size
        self.truth = np.full(count, -1, dtype=np.int64)
        self.joined = self.today - self.random.integers(30, 1500, count)
        self.left = np.maximum(self.joined, self.today - self.random.exponential(20, count).astype(np.int64))
        asleep = self.random.random(count) < plan.sleeping
        seen = self.today - self.random.integers(180, 730, count)
        self.left = np.where(asleep, np.maximum(self.joined, seen), self.left)

    def book(self) -> MadeUpBook:
        """Everybody shares as honest merchants do; members of rings then take what is their ring's; some is handed on."""
        plan, everybody = self.plan, self.random.permutation(self.plan.merchants)
        malls = self._share("address", everybody, plan.malls, plan.mall_size)
        elsewhere = np.setdiff1d(everybody, malls)
        families = self._share("address", elsewhere, plan.families, (2, 4))
        self._families_on_one_phone(families)
        blocks = self._share("address", np.setdiff1d(elsewhere, families), plan.blocks, plan.block_size)
        self._share("device", everybody, plan.large_agents, plan.large_agent_size)
        self._share("device", everybody, plan.agents, plan.agent_size)
        self._local_agents(blocks)
        self._share("phone", np.setdiff1d(everybody, families), plan.bookkeepers, plan.bookkeeper_size)
        self._share("account", everybody, plan.payment_services, plan.payment_service_size)
        addresses = self.identifier[_CODE["address"], malls]
        self._rings(everybody[: int(plan.merchants * plan.rings)], addresses)
        return MadeUpBook(self._holdings(everybody), self.as_of, self.truth)

    def _share(self, kind: str, among: Ints, share: float, size: tuple[int, int]) -> Ints:
        """Let a share of all merchants have an identifier in common, in groups of so many; who they are."""
        count = min(len(among), int(self.plan.merchants * share))
        chosen = self.random.permutation(among)[:count]
        group = self._groups(count, size)
        self.identifier[_CODE[kind], chosen] = self._new(group)
        if self.plan.together and kind in ("address", "device"):
            self._begin_together(chosen, group)
        return chosen

    def _begin_together(self, merchants: Ints, group: Ints) -> None:
        """Let the merchants of some of these groups begin within a few days: a mall opens, an agent has a good week."""
        plan, groups = self.plan, int(group.max(initial=-1)) + 1
        chosen = (self.random.random(groups) < plan.together)[group]
        opened = (self.today - self.random.integers(30 + plan.together_days, 1500, groups))[group]
        begun = opened + self.random.integers(0, plan.together_days, len(merchants))
        self.joined[merchants] = np.where(chosen, begun, self.joined[merchants])
        self.left[merchants] = np.maximum(self.joined[merchants], self.left[merchants])

    def _rings(self, hidden: Ints, mall_addresses: Ints) -> None:
        """Rings: recent, close in time, each with a few identifiers of its own."""
        plan, ring = self.plan, self._groups(len(hidden), self.plan.ring_size)
        self.truth[hidden] = ring
        count = int(ring.max()) + 1 if len(ring) else 0
        begun = self.today - self.random.integers(60, plan.ring_days, count)
        self.joined[hidden] = begun[ring] + self.random.integers(0, plan.ring_begins_within, len(hidden))
        self.left[hidden] = np.maximum(self.joined[hidden], self.left[hidden])
        pools = np.maximum(1, np.bincount(ring, minlength=count) // plan.pool)
        for kind, likely in plan.shared.items():
            own = self._new(ring * 1000 + self.random.integers(0, pools[ring]))
            takes = self.random.random(len(hidden)) < likely
            self.identifier[_CODE[kind], hidden[takes]] = own[takes]
        if len(mall_addresses):
            hides = (self.random.random(count) < plan.at_mall)[ring]
            at = self.random.choice(mall_addresses, count)[ring]
            self.identifier[_CODE["address"], hidden[hides]] = at[hides]

    def _families_on_one_phone(self, families: Ints) -> None:
        address = self.identifier[_CODE["address"], families]
        chosen = self._of_some(address, self.plan.family_phone)
        self.identifier[_CODE["phone"], families[chosen]] = self._new(address[chosen])

    def _local_agents(self, blocks: Ints) -> None:
        """Agents who sign up merchants of one block: the block's address and the agent's device in common."""
        address = self.identifier[_CODE["address"], blocks]
        chosen = self._of_some(address, self.plan.local_agents) & (self.random.random(len(blocks)) < 0.5)
        self.identifier[_CODE["device"], blocks[chosen]] = self._new(address[chosen])

    def _of_some(self, group: Ints, share: float) -> Bools:
        """The members of a share of the groups."""
        names, member_of = np.unique(group, return_inverse=True)
        chosen: Bools = (self.random.random(len(names)) < share)[member_of]
        return chosen

    def _groups(self, count: int, size: tuple[int, int]) -> Ints:
        """So many members cut into groups of sizes between the two, as numbers of groups; what is left joins the last."""
        sizes = self.random.integers(size[0], size[1] + 1, count // size[0] + 1)
        ends = np.cumsum(sizes)
        full = max(1, int(np.searchsorted(ends, count, side="right")))
        return np.minimum(np.searchsorted(ends, np.arange(count), side="right"), full - 1).astype(np.int64)

    def _new(self, group: Ints) -> Ints:
        """A new identifier for each group."""
        names, member_of = np.unique(group, return_inverse=True)
        first, self.next_identifier = self.next_identifier, self.next_identifier + len(names)
        return (first + member_of).astype(np.int64)

    def _holdings(self, everybody: Ints) -> Holdings:
        count, kinds = self.plan.merchants, len(KINDS)
        merchant = np.tile(np.arange(count, dtype=np.int64), kinds)
        kind = np.repeat(np.arange(kinds, dtype=np.uint8), count)
        first, last = np.tile(self.joined, kinds), np.tile(self.left, kinds)
        handed = self._handed_on(everybody)
        return Holdings(
            KINDS, count,
            merchant=np.concatenate([merchant, handed[0]]),
            identifier=np.concatenate([self.identifier.ravel(), handed[1]]),
            kind=np.concatenate([kind, handed[2].astype(np.uint8)]),
            first_day=np.concatenate([first, handed[3]]).astype(np.int32),
            last_day=np.concatenate([last, handed[4]]).astype(np.int32),
            merchant_id=_merchant_id, identifier_of=_identifier,
        )  # fmt: skip

    def _handed_on(self, everybody: Ints) -> tuple[Ints, Ints, Ints, Ints, Ints]:
        """Phones and machines that another merchant had before: who, which, its kind, from when, to when."""
        count = int(self.plan.merchants * self.plan.recycled)
        after, before = self.random.permutation(everybody)[:count], self.random.permutation(everybody)[:count]
        after, before = after[after != before], before[after != before]
        kind = self.random.choice([_CODE["phone"], _CODE["device"]], len(after))
        ended = self.joined[after] - self.random.integers(*self.plan.idle_days, len(after))
        begun = ended - self.random.integers(30, 1000, len(after))
        new = (
            self.identifier[kind, before] != self.identifier[kind, after]
        )  # not where both have it from one agent
        handed = self.identifier[kind, after]
        return before[new], handed[new], kind.astype(np.int64)[new], begun[new], ended[new]


def _merchant_id(number: int) -> str:
    return f"m-{number:08d}"


def _identifier(number: int) -> str:
    return f"{number:016x}"
