"""Orders that a merchant, or one it belongs together with, placed itself: known by the buyer's account, and no sales.

Whose account a buyer's is, is found elsewhere and given here. Source: SEMANTICS 8 (not genuine: self-dealing).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from .flow import SalesLines

#: The flag of such lines.
OWN_BUYER = "own_buyer"


def buyers_of(lines: SalesLines, shops: Collection[str]) -> frozenset[str]:
    """Everybody who has bought at any of these shops.

    >>> from .flow import sales_lines
    >>> row = {"shop_id": "s-1", "paid_at": "2026-01-01", "amount": "5.00", "status": "completed", "buyer_id": "b-1"}
    >>> sorted(buyers_of(sales_lines([row, row | {"buyer_id": "b-2"}]), ["s-1"]))
    ['b-1', 'b-2']
    """
    wanted = [code for code, name in enumerate(lines.shops) if name in shops]
    bought = np.unique(lines.buyer[np.isin(lines.shop, wanted)])
    return frozenset(lines.buyers[code] for code in bought.tolist() if code >= 0)


def without_own_buyers(lines: SalesLines, own: Mapping[str, Collection[str]]) -> SalesLines:
    """The same lines, with those flagged that a buyer of a shop's *own* placed; flagged lines are not counted as sales."""
    codes = {name: code for code, name in enumerate(lines.buyers)}
    flagged = np.zeros(len(lines), dtype=np.bool_)
    for shop, name in enumerate(lines.shops):
        buyers = [codes[buyer] for buyer in own.get(name, ()) if buyer in codes]
        if buyers:
            flagged |= (lines.shop == shop) & np.isin(lines.buyer, buyers)
    if not flagged.any():
        return lines
    return replace(
        lines, flags=(*lines.flags, OWN_BUYER), flag=np.where(flagged & (lines.flag == 0), len(lines.flags), lines.flag)
    )  # fmt: skip
