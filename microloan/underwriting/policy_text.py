"""A policy written as a file people read: the inverse of reading one, with room for comments.

Reading the text gives an equal policy, with the same SHA-256. Source: SEMANTICS 8 (policies).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

from ..rates import Rate
from .policy import Bin, Characteristic, Policy, _Setting

_SECTIONS = ("eligibility", "lags", "detectors", "peaks", "scorecard", "grades", "haircuts", "repayment", "caps",
             "seasonal", "currencies")  # fmt: skip


def policy_text(policy: Policy, notes: Mapping[str, Iterable[str]] | None = None) -> str:
    """The policy as TOML. *notes* are comment lines: under ``""`` at the top, under a feature's name above its bins.

    >>> from .policy import shipped_policy
    >>> Policy.from_toml(policy_text(shipped_policy())) == shipped_policy()
    True
    """
    notes = notes or {}
    lines = [*_comments(notes.get("", ())), f"name = {_value(policy.name)}", f"version = {policy.version}"]
    if policy.description:
        lines.append(f"description = {_value(policy.description)}")
    for section in _SECTIONS:
        lines += _scorecard(policy, notes) if section == "scorecard" else _section(policy, section)
    return "\n".join(lines) + "\n"


def _comments(notes: Iterable[str]) -> list[str]:
    return [f"# {note}".rstrip() for note in notes]


def _section(policy: Policy, name: str) -> Iterator[str]:
    content = getattr(policy, name)
    if isinstance(content, tuple):
        for each in content:
            yield from _table(f"[[{name}]]", each, name)
    elif isinstance(content, dict):
        for key, each in content.items():
            yield from _table(f"[{name}.{_key(key)}]", each, name)
    else:
        yield from _table(f"[{name}]", content, name)


def _table(header: str, setting: _Setting, path: str) -> Iterator[str]:
    plain: dict[str, object] = {}
    inner: dict[str, _Setting] = {}
    for key in type(setting).model_fields:
        value = getattr(setting, key)
        if isinstance(value, _Setting):
            inner[key] = value
        else:
            plain[key] = value
    if plain:
        yield ""
        yield header
        yield from (f"{key} = {_value(value)}" for key, value in plain.items() if value is not None)
    for key, value in inner.items():
        yield from _table(f"[{path}.{key}]", value, f"{path}.{key}")


def _scorecard(policy: Policy, notes: Mapping[str, Iterable[str]]) -> Iterator[str]:
    card = policy.scorecard
    yield from ("", "[scorecard]", f"base = {card.base}", f"reasons_told = {card.reasons_told}")
    if card.odds:
        yield from _table("[scorecard.odds]", card.odds, "scorecard.odds")
    for each in card.characteristics:
        yield ""
        yield from _comments(notes.get(each.feature, ()))
        yield from _characteristic(each)


def _characteristic(each: Characteristic) -> Iterator[str]:
    yield "[[scorecard.characteristics]]"
    yield f"feature = {_value(each.feature)}"
    yield f"reason = {_value(each.reason)}"
    yield f"missing = {each.missing}"
    yield "bins = ["
    yield from (f"  {_bin(one)}," for one in each.bins)
    yield "]"


def _bin(each: Bin) -> str:
    edge = "" if each.below is None else f"below = {_value(each.below)}, "
    return f"{{ {edge}points = {each.points} }}"


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Rate):
        return json.dumps(str(value))
    if isinstance(value, Fraction):
        return _share(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value) if isinstance(value, int) else json.dumps(value, ensure_ascii=False)


def _share(value: Fraction) -> str:
    for places in range(9):
        if 10**places % value.denominator == 0:
            return format(Decimal(int(value * 10**places)).scaleb(-places), "f")
    return json.dumps(str(value))
