"""A counter with an open book, on either database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .counter import Counter


@pytest.fixture
def counter(database_url: str) -> Iterator[Counter]:
    """An open book on 1 May 2017."""
    made = Counter(database_url)
    made.init(buckets=1 if database_url.startswith("sqlite") else 3)  # the default 16 only cost time here
    yield made
    made.book.close()
