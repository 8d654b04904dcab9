"""A statement (对账单) on paper: what a merchant is sent of a loan or a line of credit. Needs the extra ``reports``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from .page import render
from .words import words


@dataclass(frozen=True, slots=True)
class InterestSpan:
    """Days of a loan over which nothing changed: from ``first``, counted, to ``until``, not counted.

    ``interest`` and ``penalty`` are what was booked for these nights; over all spans of a period they add up to the
    statement's interest and penalty.
    """

    loan_id: str
    first: date
    until: date
    nights: int
    principal: Decimal
    daily_rate: Decimal
    yearly_rate: Decimal
    interest: Decimal
    penalty: Decimal


class Cost(Protocol):
    """What a loan costs a year; see ``microloan.book.results.LoanCost``."""

    @property
    def simple_yearly_cost(self) -> Decimal | None: ...
    @property
    def effective_yearly_cost(self) -> Decimal | None: ...


@dataclass(frozen=True, slots=True)
class StatementPaper:
    """A statement with what stands around it: the two parties, the price of each loan, and how interest came about.

    ``statement`` is a ``microloan.book.results.Statement``; ``costs`` has an entry for each of its loans that has started.
    """

    lender: str
    merchant: str
    statement: Any
    costs: Mapping[str, Cost | None]
    spans: tuple[InterestSpan, ...]


def statement_page(paper: StatementPaper, lang: str = "en") -> str:
    """The statement as one HTML page in a language, ``en`` or ``zh``; A4 when printed. Raises InvalidSetting."""
    said, statement = words(lang), paper.statement
    return render(
        "statement.html", {"rate": rate, "yearly": yearly},
        lang=lang, title=f"{said['statement.title']} {statement.subject}",
        say=lambda key: said[f"statement.{key}"],
        word=lambda group, name: said.get(f"{group}.{name}", name),
        paper=paper, statement=statement, several=len(statement.loans) > 1, sums=_sums(statement.lines),
        loans=[loan for loan in statement.loans if loan.start is not None],
        owed=[loan for loan in statement.loans if loan.payoff or loan.credit_balance],
        spans=[span for span in paper.spans if span.nights],
    )  # fmt: skip


def _sums(lines: Sequence[Any]) -> dict[str, Decimal]:
    """What counted movements settled, component by component; draws are no payment."""
    paid = [line for line in lines if line.type != "draw" and not line.reversed_by]
    names = ("fees", "penalty", "interest", "principal", "credit")
    return {name: sum((getattr(line, name) for line in paid), Decimal("0.00")) for name in names}


def rate(share: Decimal | None) -> str:
    """A rate in per cent, nothing rounded away.

    >>> rate(Decimal("0.00048")), rate(None)
    ('0.048%', '–')
    """
    return "–" if share is None else f"{(share * 100).normalize():f}%"


def yearly(share: Decimal | None) -> str:
    """A yearly cost in per cent with two digits.

    >>> yearly(Decimal("0.175231"))
    '17.52%'
    """
    return "–" if share is None else f"{share * 100:.2f}%"


__all__ = ["Cost", "InterestSpan", "StatementPaper", "statement_page"]
