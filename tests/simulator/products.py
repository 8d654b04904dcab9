"""The products of the simulated lender: every method, with options drawn once from a fixed seed.

Options are kept in the words of the scenario format, which a product file shares, so that the calculator reads what the
library reads and no rule is written twice.
"""

from __future__ import annotations

import random
from typing import Any

from microloan.products import Product
from tests.reference import histories

COUNT = 16

_OFFERED = {
    "anytime": ["1d..366d", "1m..36m"],
    "interest_only": ["5d..366d", "1m..36m"],
    "equal_instalment": ["5d..366d", "1m..36m"],
    "equal_principal": ["5d..366d", "1m..36m"],
    "sweep": ["5d..366d", "1m..36m"],
}
_FIXED = {
    "currency": "CNY", "default_method": "anytime", "default_term": "90d", "min_limit": "1.00", "min_draw": "10.00",
    "multiple": "0.01", "facility_days": 500, "payer_may_choose_principal": True, "ceilings": [],
}  # fmt: skip


def options() -> list[dict[str, Any]]:
    """The options of each product, as the scenario format writes them."""
    rng = random.Random("products of the simulator")
    return [_options(rng, number) for number in range(COUNT)]


def _options(rng: random.Random, number: int) -> dict[str, Any]:
    if not number:
        return {"penalty": {"multiple": "1.5", "annual_cap": "0.24"}, "sweep": histories.random_sweep(rng)}
    found = histories.random_options(rng)
    found["penalty"] = {name: value for name, value in found["penalty"].items() if value is not None}
    thirty = {"day_count": "30E/360"} if rng.random() < 0.3 else {}
    return found | thirty | {"sweep": histories.random_sweep(rng)}


def products() -> list[Product]:
    """The products as the book takes them."""
    offered = [{"method": method, "terms": terms} for method, terms in _OFFERED.items()]
    return [
        Product.parse(_FIXED | {"name": f"p{number}", "methods": offered} | found)
        for number, found in enumerate(options())
    ]


def terms_of(options: dict[str, Any], method: str) -> dict[str, Any]:
    """What a loan of a method takes from its product's options, for the calculator."""
    return {name: value for name, value in options.items() if name != "sweep" or method == "sweep"}
