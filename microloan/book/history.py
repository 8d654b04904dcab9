"""The sales of the whole book in memory, for what looks at a policy over its history: back-tests and fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from ..store import sales
from ..store.unit import Unit
from ..underwriting import Applicant, Policy, SalesLines
from ..underwriting.frames import joined
from . import products
from .applicants import Case, cases_of, flow_of, next_merchants, parts_of
from .desk import Desk

Tell = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Every line of the book, whose shops they are, and what is known of the merchants on any day alike.

    What has a date of its own, such as ratings and exposures, is left out: on an earlier day it was not known.
    """

    lines: SalesLines
    merchant_of: dict[str, str]
    applicants: dict[str, Applicant]
    currency: str


@dataclass(frozen=True, slots=True)
class _Frame:
    """What is read: by whose limits, until which day, at which revision."""

    policy: Policy
    product: str
    today: date
    revision: int


def history_of(desk: Desk, policy: Policy, product: str, tell: Tell) -> History:
    """The sales of every merchant as they stand now, some hundreds of merchants a transaction. Raises NotFound."""
    currency = desk.read(lambda unit: unit.book.currency)
    frame = desk.read(lambda unit: _Frame(policy, product, unit.book_day(), sales.revision(unit)))
    total = desk.read(sales.merchant_count)
    found: list[tuple[SalesLines, list[Case]]] = []
    done = last = 0
    while True:
        after = last
        merchants, last = desk.read(lambda unit: next_merchants(unit, after))  # noqa: B023 - read at once
        if last == after:
            break
        found += desk.read(lambda unit: _read(unit, merchants, frame))  # noqa: B023 - read at once
        done += len(merchants)
        tell("reading", done, total)
    cases = [case for _, members in found for case in members]
    return History(
        lines=joined([lines for lines, _ in found]),
        merchant_of={name: case.merchant for case in cases for name in case.names},
        applicants={case.merchant: _alike(case) for case in cases},
        currency=currency,
    )


def _read(unit: Unit, merchants: list[str], frame: _Frame) -> list[tuple[SalesLines, list[Case]]]:
    product = products.active(unit, frame.product)
    cases = cases_of(unit, merchants, frame.policy, product, frame.today)
    return [(flow_of(unit, part, frame.today, frame.revision), part) for part in parts_of(cases)]


def _alike(case: Case) -> Applicant:
    known = case.applicant
    return Applicant(
        platform_is_buyer=known.platform_is_buyer,
        minimum_limit_minor=known.minimum_limit_minor,
        product_cap_minor=known.product_cap_minor,
    )
