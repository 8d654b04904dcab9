"""A counter with an open book, as the store's tests have it."""

from __future__ import annotations

from tests.store.conftest import counter, having

__all__ = ["counter", "having"]
