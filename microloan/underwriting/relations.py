"""Whom a merchant belongs to, as far as a decision looks at it: what was found, and on which evidence.

Found elsewhere, before the decision, and kept with it: deciding again asks nobody. Identifiers are shown by their kind and last
four characters only. Source: SEMANTICS 8 (related parties).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from .reasons import Reason


@dataclass(frozen=True, slots=True)
class Shared:
    """An identifier that two merchants have: both from ``since`` to ``until``, or one after the other where since is later.

    ``holders``: merchants that have it. For a related party on file there is no identifier: ``kind`` is ``declared``, the
    reason on file stands in ``shown``, and there are no days.
    """

    one: str
    other: str
    kind: str
    shown: str
    since: date | None = None
    until: date | None = None
    holders: int = 2


@dataclass(frozen=True, slots=True)
class Relation:
    """One thing to be said of whom a merchant belongs to: a reason code, its values, the merchants meant, the evidence."""

    code: str
    values: tuple[tuple[str, str], ...] = ()
    merchants: tuple[str, ...] = ()
    evidence: tuple[Shared, ...] = ()

    @property
    def reason(self) -> Reason:
        """The same as a reason of a decision.

        >>> Relation("ring_written_off", (("count", "2"),)).reason.weight
        'decline'
        """
        return Reason(self.code, self.values)


def relation_values(relation: Relation) -> dict[str, Any]:
    """A relation as plain JSON values.

    >>> relation_values(Relation("ring_written_off", (("count", "2"),), ("m-2",)))
    {'code': 'ring_written_off', 'values': {'count': '2'}, 'merchants': ['m-2'], 'evidence': []}
    """
    return {
        "code": relation.code,
        "values": dict(relation.values),
        "merchants": list(relation.merchants),
        "evidence": [
            {name: str(value) if isinstance(value, date) else value for name, value in asdict(each).items()}
            for each in relation.evidence
        ],
    }


def relation_from(values: Mapping[str, Any]) -> Relation:
    """The inverse of :func:`relation_values`.

    >>> told = Relation("ring_suspected", (), ("m-2",), (Shared("m-1", "m-2", "phone", "8000", date(2026, 1, 1)),))
    >>> relation_from(relation_values(told)) == told
    True
    """
    evidence = [
        Shared(
            **{**each, **{name: each[name] and date.fromisoformat(each[name]) for name in ("since", "until")}}
        )
        for each in values["evidence"]
    ]
    return Relation(
        values["code"], tuple(values["values"].items()), tuple(values["merchants"]), tuple(evidence)
    )
