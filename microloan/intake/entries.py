"""Signed entries of a settlement report → one line an order, or an article of it: what was sold, what was given back.

A report tells of a sale in some entries — goods, carriage, promotions below zero — and of a refund in others, often in a later
report than the sale. So the entries of a file are summed first, and what the book has of these orders is asked for:

* Entries of refunds later than the last one known are added to it; the same report again adds nothing.
* A refund of an order that is sold in no report is rejected: nobody can say what is left of it.
* A line keeps the day of its first refund, and as ``status_at`` that of its last.

An order costs about half a kilobyte of memory until the end of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import CurrencyMismatch
from .lines import Expected, Layout, Lines, Rows
from .mapping import Mapping as PlatformMapping
from .rejections import Fault, Rejections, shown

#: platform, shop, order, line.
LineKey = tuple[str, str, str, str]


class Sold(NamedTuple):
    """What the book has of a line: days are ordinals, amounts minor units; ``last_change`` is the day of its last refund."""

    paid_day: int
    amount_minor: int
    refund_minor: int
    refunded_day: int | None
    last_change: int | None


#: What the book has of these lines, those it does not know left out.
SoldBefore = Callable[[Sequence[LineKey]], Mapping[LineKey, Sold]]


def nothing_sold(keys: Sequence[LineKey]) -> dict[LineKey, Sold]:
    """A book without sales."""
    return {}


@dataclass(slots=True)
class _Account:
    """The entries of one line so far: where it was first met, the sale and its day, refunds by day."""

    line: int
    sale_minor: int = 0
    sold_day: int | None = None
    refunds: dict[int, int] | None = None

    def add(self, minor: int, day: int, *, refund: bool) -> None:
        if refund:
            self.refunds = self.refunds or {}
            self.refunds[day] = self.refunds.get(day, 0) - minor
            return
        self.sale_minor += minor
        self.sold_day = day if self.sold_day is None else min(day, self.sold_day)


class EntryLayout(Layout):
    """The layout of a file of entries: its rows become lines at the end of the file, see :meth:`rest`."""

    def __init__(
        self, header: Sequence[str], expected: Expected, mapping: PlatformMapping, sold: SoldBefore, file: str
    ) -> None:
        super().__init__(header, expected, mapping, file)
        rules = mapping.entries
        assert rules is not None
        self._file, self._sold, self._rules = file, sold, rules
        self._kind = self._place_of(rules.kind, header, file) or 0
        self._only = [
            (self._place_of(name, header, file) or 0, frozenset(words)) for name, words in rules.only.items()
        ]
        self._accounts: dict[LineKey, _Account] = {}

    def lines(self, numbers: Sequence[int], rows: Rows, rejections: Rejections) -> Lines:
        """Takes the entries in; no line is ready before the end of the file."""
        numbers, rows = self._of_full_width(numbers, rows, rejections)
        self._check_currency(rows, numbers)
        counted = [(number, row) for number, row in zip(numbers, rows, strict=True) if self._counts(row)]
        self.left_out["other_entry"] += len(rows) - len(counted)
        if counted:
            self._take([number for number, _ in counted], [row for _, row in counted], rejections)
        return super().rest(rejections)

    def _counts(self, row: Sequence[str]) -> bool:
        words = (*self._rules.sale, *self._rules.refund)
        return row[self._kind].strip() in words and all(row[at].strip() in held for at, held in self._only)

    def _check_currency(self, rows: Rows, numbers: Sequence[int]) -> None:
        """A report is of one currency, often named on its first row only; the whole file is refused for another."""
        place = self._place.get("currency")
        if place is None:
            return
        for number, row in zip(numbers, rows, strict=True):
            code = row[place].strip().upper()
            if code not in ("", self.expected.currency):
                raise CurrencyMismatch(
                    field=f"{self._file}, line {number}",
                    value=shown(code).strip("'"),
                    currency=self.expected.currency,
                )

    def _take(self, numbers: list[int], rows: Rows, rejections: Rejections) -> None:
        columns = list(zip(*rows, strict=True))
        faulty: dict[int, Fault] = {}
        named = ("order_id", "shop_id", "paid_at", "amount", "line_id", "platform")
        read: dict[str, list[Any]] = {ours: self._column(ours, columns, len(rows), faulty) for ours in named}
        for index, number in enumerate(numbers):
            if index in faulty:
                rejections.add(number, faulty[index])
                continue
            order, shop, day, minor, line, platform = (read[ours][index] for ours in named)
            account = self._accounts.setdefault((platform, shop, order, line or ""), _Account(number))
            account.add(minor, day, refund=rows[index][self._kind].strip() in self._rules.refund)

    def rest(self, rejections: Rejections) -> Lines:
        """The lines of all entries of the file, each with what the book has of it."""
        sold = self._sold(list(self._accounts))
        lines = super().rest(rejections)
        for key, account in self._accounts.items():
            before = sold.get(key)
            fault = _fault(key, account, before)
            if fault:
                rejections.add(account.line, fault)
            else:
                self._append(lines, key, account, before)
        return lines

    def _append(self, lines: Lines, key: LineKey, account: _Account, before: Sold | None) -> None:
        platform, shop, order, line = key
        news = _news(account, before)
        amount, paid_day = (
            (account.sale_minor, account.sold_day) if account.sold_day is not None else (None, None)
        )
        if amount is None or paid_day is None:
            assert before is not None
            amount, paid_day = before.amount_minor, before.paid_day
        refund = sum(news.values()) + (before.refund_minor if before else 0)
        if refund > amount:
            refund = amount
            self.adjusted["refund_above_sale"] += 1
        known = [before.refunded_day, before.last_change] if before else []
        days = [day for day in (*news, *known) if day is not None]
        made = Lines(
            [account.line], [platform], [shop], [order], [line], [paid_day], [amount], [max(refund, 0)],
            ["refunded" if amount and refund == amount else "completed"],
            [min(days, default=None)], [max(days, default=None)], [None], [None], [None],
        )  # fmt: skip
        for column, cells in zip(lines, made, strict=True):
            column.extend(cells)  # type: ignore[attr-defined]


def _news(account: _Account, before: Sold | None) -> dict[int, int]:
    """Refunds by day that the book does not have yet: those after the last one it has."""
    since = before.last_change if before and before.last_change is not None else 0
    return {day: minor for day, minor in (account.refunds or {}).items() if day > since}


def _fault(key: LineKey, account: _Account, before: Sold | None) -> Fault | None:
    if account.sold_day is None and before is None:
        message = f"order {shown(key[2])} is refunded here and sold in no file so far; import the earlier report first"
        return Fault("refund_without_sale", message)
    if account.sold_day is not None and account.sale_minor < 0:
        message = f"the entries of order {shown(key[2])} add up to a sale below zero ({account.sale_minor} minor units)"
        return Fault("negative_amount", message)
    return None
