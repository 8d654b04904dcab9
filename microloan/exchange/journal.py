"""The journal as files other programs read: CSV with one row a line, and beancount text that ``bean-check`` accepts.

Amounts keep the currency's digits; debits are above zero. Source: SEMANTICS 6 (double entry); the beancount language.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Protocol, TextIO

from ..accounting.chart import Account, Chart
from ..money import currency_digits

CSV_COLUMNS = (
    "day", "entry", "line", "source", "code", "name", "account", "class", "product", "loan", "currency", "debit", "credit",
)  # fmt: skip

#: The first characters with which a spreadsheet takes a text for a formula. Source: OWASP ASVS 1.2.10.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"-[0-9]+(?:\.[0-9]+)?", re.ASCII)


class Line(Protocol):
    """A journal line as the book gives it; amounts in major units."""

    @property
    def day(self) -> date: ...
    @property
    def entry(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def classification(self) -> str: ...
    @property
    def product(self) -> str: ...
    @property
    def loan_id(self) -> str: ...
    @property
    def currency(self) -> str: ...
    @property
    def amount(self) -> Decimal: ...


def safe_cell(text: str) -> str:
    """A text cell that no spreadsheet takes for a formula; a plain number is none, also below zero.

    >>> safe_cell("=HYPERLINK()"), safe_cell("-1+1"), safe_cell("-0.1505")
    ("'=HYPERLINK()", "'-1+1", '-0.1505')
    """
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


def write_csv(lines: Iterable[Line], out: TextIO, chart: Chart) -> int:
    """Write the journal as CSV; returns the number of lines. Debit and credit stand in columns of their own.

    Text cells are guarded against being taken for formulas; amounts are plain numbers.
    """
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    written = 0
    for line in lines:
        writer.writerow(_cells(line, chart.accounts[line.account]))
        written += 1
    return written


def _cells(line: Line, account: Account) -> list[object]:
    texts = (
        line.source,
        account.code,
        account.name,
        line.account,
        line.classification,
        line.product,
        line.loan_id,
    )
    debit, credit = (line.amount, "") if line.amount > 0 else ("", -line.amount)
    return [
        line.day.isoformat(), safe_cell(line.entry), line.line, *map(safe_cell, texts), line.currency, debit, credit,
    ]  # fmt: skip


def write_beancount(lines: Iterable[Line], out: TextIO, chart: Chart, title: str = "microloan") -> int:
    """Write the journal as beancount text, one transaction per entry; returns the number of transactions.

    Accounts are opened on the day they are first used; *lines* come in the order of the journal.
    """
    opened: set[str] = set()
    out.write(f'option "title" "{_quoted(title)}"\n')
    count = 0
    for (day, entry), group in groupby(lines, key=lambda line: (line.day, line.entry)):
        rows = list(group)
        if not count:
            out.write(f'option "operating_currency" "{rows[0].currency}"\n\n')
        for row in rows:
            out.writelines(_opening(day, row, chart, opened))
        out.writelines(_transaction(day, entry, rows, chart))
        count += 1
    return count


def _opening(day: date, line: Line, chart: Chart, opened: set[str]) -> Iterator[str]:
    name = beancount_account(line, chart)
    if name not in opened:
        opened.add(name)
        yield f"{day.isoformat()} open {name} {line.currency}\n"
        yield f'  name: "{_quoted(chart.accounts[line.account].name)}"\n'


def _transaction(day: date, entry: str, rows: list[Line], chart: Chart) -> Iterator[str]:
    yield f'{day.isoformat()} * "{_quoted(rows[0].source)}" "{_quoted(entry)}"\n'
    for row in rows:
        places = currency_digits(row.currency)
        yield f"  {beancount_account(row, chart)}  {row.amount:.{places}f} {row.currency}\n"
        if row.loan_id:
            yield f'    loan: "{_quoted(row.loan_id)}"\n'
    yield "\n"


def beancount_account(line: Line, chart: Chart) -> str:
    """``Assets:1303:Normal``: the kind, the code, and the class where the account is kept by class."""
    account = chart.accounts[line.account]
    parts = [account.kind, *account.code.replace(".", "-").split(":")]
    if line.product:
        parts.append(_component(line.product))
    if line.classification:
        parts.append(_component(line.classification))
    return ":".join(parts)


def _component(text: str) -> str:
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text)
    return kept[:1].upper() + kept[1:] if kept[:1].isalnum() else f"X{kept}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
