"""What the faults of a server happen to; files on SQLite make a book of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.store.counter import Counter


@pytest.fixture
def counter(postgres_url: str) -> Iterator[Counter]:
    """A book on PostgreSQL, open on 1 May 2017."""
    made = Counter(postgres_url).init(buckets=3)
    yield made
    made.book.close()
