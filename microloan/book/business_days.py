"""Due dates on business days: a product's calendar with the lender's listed holidays, and the dates after the roll.

The rolled dates are written into the terms at the payout and into the event of an extension: what was agreed does not move
when a calendar does. Source: SEMANTICS 3 (business-day roll) and 6 (pure means pure).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from ..products import BusinessDays, Product
from ..servicing.calendars import Closed, public_holidays, rolled_after, rolled_due_dates, weekends
from ..servicing.events import Extended
from ..store import catalogue
from ..store.unit import Unit
from ..terms import LoanTerms
from . import lender
from .dossier import LoanFile


def calendar_of(setting: BusinessDays) -> Closed:
    """The calendar a product names. Raises InvalidSetting for an unknown country, or without the extra it needs."""
    return weekends if setting.calendar == "weekends" else public_holidays(setting.calendar)


def with_rolled_dates(unit: Unit, product: Product, terms: LoanTerms) -> LoanTerms:
    """Terms with the due dates they have after the roll; as they are where the product rolls nothing."""
    setting = product.business_days
    if setting is None:
        return terms
    days = rolled_due_dates(terms, _closed(unit, setting), setting.roll)
    return LoanTerms.parse(terms.canonical() | {"due_dates": days})


def rolled_plan(unit: Unit, loan: LoanFile, event: Extended) -> tuple[date, ...] | None:
    """The due dates to come that an extension of today brings, after the roll; None where the product rolls nothing."""
    product = catalogue.product(unit, loan.row["product"], loan.row["product_version"])
    setting = product.business_days
    if setting is None:
        return None
    return rolled_after(loan.today, _planned(loan, event), _closed(unit, setting), setting.roll)


def _closed(unit: Unit, setting: BusinessDays) -> Closed:
    known, listed = calendar_of(setting), lender.holidays(unit)
    return lambda day: day in listed or known(day)


def _planned(loan: LoanFile, event: Extended) -> Sequence[date]:
    """The due dates to come that replay gives the extension before any roll, the maturity last."""
    life = loan.life.plus(event)
    if life.method in ("anytime", "sweep"):
        return [event.maturity]
    plan = life.life([loan.today]).schedule
    return [*(row.due for row in plan if loan.today < row.due < event.maturity), event.maturity]
