"""The second pair of eyes (复核): whether the book insists on one, and who counts as another person.

``off``: who approved is recorded where it is told. ``on``: limits set by hand, write-offs, reversals, entries dated back
beyond the lender's days, changed settings and erasures act only once another person has approved them. Actors are claims;
proving them is the host's business. Source: RELIABILITY 49.
"""

from __future__ import annotations

import unicodedata

from ..errors import FourEyesRequired
from ..store import catalogue
from ..store.unit import Unit


def insists(unit: Unit) -> bool:
    """Whether the book has its four-eyes setting on."""
    book = catalogue.book(unit)
    return book is not None and book.four_eyes == "on"


def another(one: str, other: str) -> bool:
    r"""Whether two names are two people; nobody, or the same name spelled another way, is no second person.

    >>> another("ann", "bob"), another("ann", " Ann"), another("ann lee", "ann  lee\u200b"), another("ann", "")
    (True, False, False, False)
    """
    return "" not in (_name(one), _name(other)) and _name(one) != _name(other)


def require_another(asked_by: str, approved_by: str, subject: str) -> None:
    """Raise FourEyesRequired unless two people stand behind *subject*."""
    if not another(asked_by, approved_by):
        raise FourEyesRequired(subject=subject, actor=approved_by or asked_by)


def require_somebody(actor: str, subject: str) -> None:
    """Raise FourEyesRequired where nobody is named."""
    if not _name(actor):
        raise FourEyesRequired(subject=subject, actor=actor)


def _name(given: str) -> str:
    seen = "".join(letter for letter in given if unicodedata.category(letter) != "Cf")  # no invisible marks
    return " ".join(unicodedata.normalize("NFKC", seen).casefold().split())
