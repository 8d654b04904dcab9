"""From a result's document to blocks: which fields, under which label, written how.

Every document holds money as text with the currency's digits, rates as plain decimals and dates as ISO text; here they
become what a person reads. One field name means one thing everywhere, so its kind is said once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from .messages import Messages
from .render import Block, Column, Facts, Note, Table


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


MONEY = _names(
    "amount available balance bank_interest credit credit_balance fees interest interest_charged interest_paid limit "
    "outstanding payoff penalty penalty_charged principal principal_after saved total pending seasonal_limit debit "
    "net_sales gross refunds drawn net_assets opening_principal closing_principal refund limit_again charges amount_above"
)
RATES = _names(
    "bank_rate daily_rate effective_yearly_cost rate_share simple_yearly_cost yearly_rate probability lpr_rate "
    "share_above"
)
INSTANTS = _names("at proposed_at approved_at opened_at")
COUNTS = _names(
    "n days days_past_due count accepted duplicates rejected updated line loans loans_above score version points best "
    "orders value"
)
WORDS = {
    "status": "status",
    "classification": "class",
    "method": "method",
    "outcome": "outcome",
    "type": "event",
    "kind": "event",
    "account": "account",
    "action": "action",
    "unit": "unit",
}


class View:
    """Blocks in one language."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    @property
    def lang(self) -> str:
        """The language, ``en`` or ``zh``."""
        return self._messages.lang

    def word(self, group: str, value: str) -> str:
        """A trade word."""
        return self._messages.word(group, value)

    def title(self, key: str) -> str:
        """A title."""
        return self._messages.word("title", key) if key else ""

    def note(self, key: str, style: str = "", **fields: Any) -> Note:
        """A sentence of the catalogue."""
        return Note(self._messages.text(key, **fields), style)

    def facts(self, title: str, document: Mapping[str, Any], fields: str) -> Facts:
        """The named fields one below the other; what is absent is left out."""
        rows = [(self._messages.label(f), self.cell(f, document[f])) for f in fields.split() if f in document]
        return Facts(self.title(title), tuple((label, cell) for label, cell in rows if cell))

    def table(
        self, title: str, rows: Iterable[Mapping[str, Any]], fields: str, empty: str = "empty"
    ) -> Table:
        """The named fields side by side."""
        names = fields.split()
        return Table(
            self.title(title),
            tuple(Column(self._messages.label(f), right=f in MONEY | RATES | COUNTS) for f in names),
            tuple(tuple(self.cell(f, row.get(f)) for f in names) for row in rows),
            self._messages.text(empty),
            self._messages.text("more_rows"),
        )

    def cell(self, field: str, value: Any) -> str:
        """One value as people write it: 300,000.00 · 0.048% · a trade word."""
        if value is None or value == "":
            return ""
        if isinstance(value, Mapping):
            return " ".join(self.cell(name, part) for name, part in value.items())
        if isinstance(value, bool):
            return self._messages.text("yes" if value else "no")
        if isinstance(value, (list, tuple)):
            return ", ".join(self.cell(field, part) for part in value)
        if field in MONEY:
            return grouped(str(value))
        if field in RATES:
            return percent(str(value))
        if field in INSTANTS:
            return instant(str(value))
        return self._messages.word(WORDS.get(field, field), str(value))


def grouped(amount: str) -> str:
    """``300000.00`` as ``300,000.00``."""
    return f"{Decimal(amount):,f}"


def instant(moment: str) -> str:
    """``2026-11-22T18:40:43.975862+00:00`` as ``2026-11-22 18:40:43 UTC``."""
    return f"{moment[:10]} {moment[11:19]} UTC"


def percent(rate: str) -> str:
    """``0.1752`` as ``17.52%``: the point moved, nothing rounded."""
    text = f"{Decimal(rate).scaleb(2):f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}%"


__all__ = ["Block", "View", "grouped", "percent"]
