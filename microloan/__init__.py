"""microloan: merchant micro-loans whose limit comes from a shop's sales and whose every figure is explained.

The public names; heavy ones are loaded when first used. Importing this package has no side effects.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .clock import Clock, SystemClock
from .errors import MicroloanError
from .money import to_major, to_minor
from .rates import Rate

if TYPE_CHECKING:
    from .book.loanbook import LoanBook
    from .book.results import Waiting
    from .products import Product
    from .servicing.cost import Quote, quote
    from .servicing.replay import Life, life, replay
    from .servicing.scenario import simulate
    from .servicing.state import LoanState
    from .terms import LoanTerms
    from .underwriting.decision import Decision, decide
    from .underwriting.features import features
    from .underwriting.policy import Policy

__version__ = "0.1.0"

_HOMES = {
    "Decision": "underwriting.decision",
    "Life": "servicing.replay",
    "LoanBook": "book.loanbook",
    "LoanState": "servicing.state",
    "LoanTerms": "terms",
    "Policy": "underwriting.policy",
    "Product": "products",
    "Quote": "servicing.cost",
    "Waiting": "book.results",
    "decide": "underwriting.decision",
    "features": "underwriting.features",
    "life": "servicing.replay",
    "quote": "servicing.cost",
    "replay": "servicing.replay",
    "simulate": "servicing.scenario",
}

__all__ = [
    "Clock",
    "Decision",
    "Life",
    "LoanBook",
    "LoanState",
    "LoanTerms",
    "MicroloanError",
    "Policy",
    "Product",
    "Quote",
    "Rate",
    "SystemClock",
    "Waiting",
    "__version__",
    "decide",
    "features",
    "life",
    "quote",
    "replay",
    "simulate",
    "to_major",
    "to_minor",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'microloan' has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
