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
    "allowance amount amount_above asked available average_principal balance bank_interest charges "
    "closing_principal credit credit_balance debit difference drawn exposure fees gross group_exposure "
    "income interest interest_charged interest_paid ledger_principal limit limit_again limit_in_force limits net "
    "net_assets net_loss net_sales opening_principal outstanding paid paid_out past_30 past_90 past_due "
    "payoff penalty penalty_charged pending principal principal_after received refund refunds required "
    "saved seasonal_limit taken to_post total waiting_net written_off_claim"
)
RATES = _names(
    "annual_yield bank_rate daily_rate effective_yearly_cost lpr lpr_rate probability provision_rate "
    "rate_ceiling rate_share share share_30 share_90 share_above share_lost share_past_90 share_past_due "
    "simple_yearly_cost utilisation yearly_rate"
)
INSTANTS = _names("at proposed_at approved_at opened_at created_at decided_at")
COUNTS = _names(
    "accepted approved auc bad best bins cases collapsed collapsed_share count covered_share days "
    "days_past_due declined duplicates expected holders hops identifiers information judged ks largest "
    "line loans loans_above manual_review merchants n observed orders overdue points predicted rejected "
    "rule_share score settlements size strength updated value version waiting weight written_off "
    "beyond_chance taken_up_by tenures_expected tenures_found within_days"
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
    "from_bucket": "bucket",
    "to_bucket": "bucket",
    "months_of_sales": "multiple",
    "holds": "holds",
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

    def text(self, key: str) -> str:
        """A phrase of the catalogue."""
        return self._messages.text(key)

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

    def listed(self, title: str, values: Mapping[str, Any], plural: str, fields: str) -> tuple[Block, ...]:
        """A list's table, and how many earlier ones its limit leaves out."""
        table = self.table(title, values[plural], fields)
        left = values.get("earlier", 0)
        if left == 0:
            return (table,)
        told = (
            self._messages.text("earlier_unknown")
            if left is None
            else self._messages.text("earlier", count=left)
        )
        return (table, Note(told, "dim", prose=True))

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
