"""The bank's answer to payout orders: a file that says which were paid and which failed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from ..errors import BadInput
from ..intake.rows import RowLayout
from ..intake.sales import Progress, silent
from ..store import lending
from ..store.unit import Unit
from . import draws, guarded
from .cash_files import CashReport, Cells, Layout, MoneyFile, layout_of, take_file
from .desk import Desk
from .dossier import RUNNING, open_dossier, refuse_unless
from .requests import require_attended

REQUIRED = ("loan_id", "status")
OPTIONAL = ("value_date", "reason")
_FILE = MoneyFile("payout.answer", REQUIRED, OPTIONAL, recorded=(*REQUIRED, *OPTIONAL))
PAID, FAILED = "paid", "failed"


def load(desk: Desk, file: Path | str, layout: Layout = None, progress: Progress = silent) -> CashReport:
    """Confirm or fail payouts row by row; a row that says again what the book knows is a duplicate. Raises InvalidFile."""
    how = layout_of(layout)
    return take_file(desk, _FILE, file, how, lambda unit, cells: _take(unit, cells, how), progress)


def _take(unit: Unit, cells: Cells, how: RowLayout) -> str:
    loan_id, word = cells["loan_id"], cells["status"].lower()
    if word not in (PAID, FAILED):
        raise BadInput(field="status", value=cells["status"], reason=f"one of {PAID}, {FAILED}")
    day = how.day(cells["value_date"], "value_date") if cells["value_date"] else None
    if _known(unit, loan_id, word, day):
        return "duplicates"
    if word == FAILED:
        draws.fail_payout(unit, loan_id, cells["reason"])
    else:
        payload = {"loan": loan_id, "value_date": None if day is None else str(day)}
        draws.confirm_payout(require_attended(unit, guarded.CONFIRM_PAYOUT, payload), loan_id, day)
    return "accepted"


def _known(unit: Unit, loan_id: str, word: str, day: date | None) -> bool:
    """Whether the book, under the facility's lock, knows this answer. Raises EventRefused for a payout of another day."""
    open_dossier(unit, lending.facility_of_loan(unit, loan_id))
    loan = lending.loan(unit, loan_id)
    if word == FAILED:
        return bool(loan.status == "cancelled")
    if loan.status not in (*RUNNING, "closed"):
        return False
    refuse_unless(day in (None, loan.start), "payout_changed", loan_id, f"was paid out on {loan.start}")
    return True
