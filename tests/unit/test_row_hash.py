"""The hash of a row is that of its canonical JSON, however its letters are written. Source: RELIABILITY 47."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microloan.store.chain import canonical_json, row_hash, sha256

VALUES = (
    st.text() | st.integers() | st.none() | st.dates() | st.datetimes(timezones=st.just(UTC)) | st.booleans()
)


@given(st.dictionaries(st.sampled_from(["id", "payload", "value_date", "recorded_at", "hash"]), VALUES))
def test_a_row_hashes_as_its_canonical_json(row: dict[str, object]) -> None:
    kept = {name: value for name, value in row.items() if name != "hash"}
    assert row_hash(row) == sha256(canonical_json(kept))


def test_two_forms_of_one_letter_are_one_row() -> None:
    one, two = ({"actor": name, "on": date(2017, 5, 1), "hash": "x"} for name in ("Jos\u00e9", "Jose\u0301"))
    assert row_hash(one) == row_hash(two)


def test_an_instant_without_a_zone_has_no_hash() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        row_hash({"recorded_at": datetime(2017, 5, 1, 4)})  # noqa: DTZ001
