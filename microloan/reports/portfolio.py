"""The portfolio on a day and over a period: balance, flows, utilisation, concentration, limits against sales, yield."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar

from ..money import half_up_div, to_major
from ..rates import rate_decimal
from .cash import month_end
from .exposure import Exposure
from .result import LeftOut, Report, share

#: How many merchants the concentration names.
TOP = 10

#: Upper ends of the classes of limit over typical month; lines above the last have a class of their own.
MULTIPLES = (Fraction(1, 2), Fraction(1), Fraction(3, 2), Fraction(2))
MULTIPLE_NAMES = ("0-0.5", "0.5-1", "1-1.5", "1.5-2", "2+")
NO_SALES = "unknown"

INCOME = ("interest_income", "penalty_income", "fee_income")


@dataclass(frozen=True, slots=True)
class MonthLine:
    """A month, or the part of it that lies in the period, from ``first`` to ``last``, both included.

    ``principal``, ``limits``, ``utilisation`` and ``allowance`` are those at the end of ``last``; the others sums over the
    days. ``annual_yield`` = income × 365 / Σ of the principal at the end of each closed day.
    """

    month: str
    first: date
    last: date
    principal: Decimal
    paid_out: Decimal
    received: Decimal
    income: Decimal
    net_loss: Decimal
    average_principal: Decimal
    annual_yield: Decimal | None
    limits: Decimal
    utilisation: Decimal | None
    allowance: Decimal


@dataclass(frozen=True, slots=True)
class ShareLine:
    """The unpaid principal of one merchant, product or platform, and its share of all."""

    name: str
    loans: int
    principal: Decimal
    share: Decimal | None


@dataclass(frozen=True, slots=True)
class MultipleLine:
    """Credit lines whose limit is so many typical months of sales: from 0.5 months, not included, to 1, included.

    A line without known sales stands under ``unknown``.
    """

    months_of_sales: str
    credit_lines: int
    limits: Decimal
    share: Decimal | None


@dataclass(frozen=True, slots=True)
class Portfolio(Report):
    """The book at the end of ``as_of`` and what it did from ``first`` to ``as_of``, both included.

    ``principal`` is what loans owe, written-off ones left out; ``difference`` = it − the general ledger's, zero in a sound
    book. ``limits`` are those in force of credit lines that are active or frozen, ``utilisation`` = principal / limits.
    ``past_due`` is the principal of loans at least 1 day past due, ``past_90`` more than 90. ``paid_out`` is cash paid out
    for draws, ``received`` all other cash, less what bounced and what was refunded. ``income`` is interest, penalty and fee
    income, ``net_loss`` principal and fees lost less what was recovered. ``hhi`` is the sum of the squared shares of the
    merchants: 1 is one merchant, 0.01 like a hundred equal ones. ``by_sales`` sets limits against the typical month of the
    merchant's newest decision. *Source:* SEMANTICS 2, 5, 6 and 8; house rules of the lender's report.
    """

    name: ClassVar[str] = "portfolio"
    TABLES: ClassVar[tuple[str, ...]] = ("months", "merchants", "products", "platforms", "by_sales")
    as_of: date
    first: date
    currency: str
    loans: int
    borrowers: int
    principal: Decimal
    ledger_principal: Decimal
    difference: Decimal
    credit_lines: int
    limits: Decimal
    utilisation: Decimal | None
    past_due: Decimal
    share_past_due: Decimal | None
    past_90: Decimal
    share_past_90: Decimal | None
    allowance: Decimal
    paid_out: Decimal
    received: Decimal
    income: Decimal
    net_loss: Decimal
    average_principal: Decimal
    annual_yield: Decimal | None
    hhi: Decimal | None
    months: tuple[MonthLine, ...]
    merchants: tuple[ShareLine, ...]
    products: tuple[ShareLine, ...]
    platforms: tuple[ShareLine, ...]
    by_sales: tuple[MultipleLine, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass
class Ledger:
    """What each day posted, by account, and its cash; minor units, debits above zero."""

    posted: Mapping[date, Mapping[str, int]]
    paid_out: Mapping[date, int]  # cash out for draws, above zero
    received: Mapping[date, int]  # all other cash
    closed_until: date  # the last day whose night is posted

    def balance(self, account: str, day: date) -> int:
        """An account's balance at the end of a day."""
        return sum(amounts.get(account, 0) for posted, amounts in self.posted.items() if posted <= day)

    def moved(self, accounts: Sequence[str], first: date, last: date) -> int:
        """What the days from *first* to *last* posted to some accounts."""
        return sum(
            amounts.get(account, 0)
            for day, amounts in self.posted.items() if first <= day <= last
            for account in accounts
        )  # fmt: skip

    def balance_days(self, account: str, first: date, last: date) -> int:
        """The sum of an account's balance over the ends of the days: a posting counts for each day from its own on."""
        span = max(0, (last - first).days + 1)
        return sum(
            amounts.get(account, 0) * min(span, (last - day).days + 1)
            for day, amounts in self.posted.items() if day <= last
        )  # fmt: skip

    @property
    def first_day(self) -> date | None:
        """The first day with a posting."""
        return min(self.posted, default=None)


@dataclass(frozen=True, slots=True)
class CreditLine:
    """A line of credit that is active or frozen on a day: the limit in force, and the merchant's typical month; minor."""

    merchant: str
    limit: int
    typical_month: int | None


@dataclass
class PortfolioCount:
    """Loans counted one by one."""

    loans: int = 0
    principal: int = 0
    past_due: int = 0
    past_90: int = 0
    merchants: dict[str, list[int]] = field(default_factory=dict)
    products: dict[str, list[int]] = field(default_factory=dict)

    def add(self, one: Exposure) -> None:
        """A loan at the end of the day."""
        if not one.owed:
            return
        principal, late = one.state.principal, one.state.days_past_due
        self.loans += 1
        self.principal += principal
        self.past_due += principal if late > 0 else 0
        self.past_90 += principal if late > 90 else 0
        for sums, name in ((self.merchants, one.merchant), (self.products, one.product)):
            entry = sums.setdefault(name, [0, 0])
            entry[0] += 1
            entry[1] += principal


@dataclass(frozen=True, slots=True)
class Period:
    """What a portfolio is made of besides its loans."""

    first: date
    as_of: date
    currency: str
    ledger: Ledger
    credit_lines: Sequence[CreditLine]
    limits_at: Mapping[date, int]  # at the end of each month of the period
    platforms: Mapping[str, tuple[str, ...]]


def portfolio(count: PortfolioCount, period: Period) -> Portfolio:
    """The portfolio of the loans counted."""

    def money(minor: int) -> Decimal:
        return to_major(minor, period.currency)

    ledger, first, last = period.ledger, period.first, period.as_of
    limits = sum(line.limit for line in period.credit_lines)
    gl = ledger.balance("principal", last)
    flows = _Flows(ledger, first, last)
    return Portfolio(
        as_of=last, first=first, currency=period.currency, loans=count.loans, borrowers=len(count.merchants),
        principal=money(count.principal), ledger_principal=money(gl), difference=money(count.principal - gl),
        credit_lines=len(period.credit_lines), limits=money(limits), utilisation=share(count.principal, limits),
        past_due=money(count.past_due), share_past_due=share(count.past_due, count.principal),
        past_90=money(count.past_90), share_past_90=share(count.past_90, count.principal),
        allowance=money(-ledger.balance("provision_allowance", last)),
        paid_out=money(flows.paid_out), received=money(flows.received), income=money(flows.income),
        net_loss=money(flows.net_loss), average_principal=money(flows.average), annual_yield=flows.annual_yield,
        hhi=_hhi(count), months=tuple(_month(period, *span) for span in months_of(first, last)),
        merchants=_shares(count.merchants, count.principal, money_of=period.currency)[:TOP],
        products=_shares(count.products, count.principal, money_of=period.currency),
        platforms=_shares(_by_platform(count, period.platforms), count.principal, money_of=period.currency),
        by_sales=_by_sales(period.credit_lines, period.currency),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Flows:
    """What happened from a day to a day, both included; minor units."""

    ledger: Ledger
    first: date
    last: date

    @property
    def paid_out(self) -> int:
        return self._cash(self.ledger.paid_out)

    @property
    def received(self) -> int:
        return self._cash(self.ledger.received)

    def _cash(self, by_day: Mapping[date, int]) -> int:
        return sum(amount for day, amount in by_day.items() if self.first <= day <= self.last)

    @property
    def income(self) -> int:
        return -self.ledger.moved(INCOME, self.first, self.last)

    @property
    def net_loss(self) -> int:
        return self.ledger.moved(("write_off_expense", "recovery_income"), self.first, self.last)

    @property
    def average(self) -> int:
        days = (self.last - self.first).days + 1
        return half_up_div(self.ledger.balance_days("principal", self.first, self.last), days)

    @property
    def annual_yield(self) -> Decimal | None:
        nights = self.ledger.balance_days("principal", self.first, min(self.last, self.ledger.closed_until))
        if nights <= 0:
            return None
        size = rate_decimal(Fraction(abs(self.income) * 365, nights), 4)
        return (
            size if self.income >= 0 else -size
        )  # interest taken back out of income may outweigh what came in


def months_of(first: date, last: date) -> list[tuple[date, date]]:
    """The calendar months from *first* to *last*, cut to it: first and last day of each.

    >>> [end.isoformat() for _, end in months_of(date(2024, 1, 20), date(2024, 3, 5))]
    ['2024-01-31', '2024-02-29', '2024-03-05']
    """
    spans = []
    while first <= last:
        end = min(month_end(first), last)
        spans.append((first, end))
        first = end + timedelta(days=1)
    return spans


def _month(period: Period, first: date, last: date) -> MonthLine:
    ledger, flows = period.ledger, _Flows(period.ledger, first, last)
    principal, limits = ledger.balance("principal", last), period.limits_at.get(last, 0)

    def money(minor: int) -> Decimal:
        return to_major(minor, period.currency)

    return MonthLine(
        month=f"{first:%Y-%m}", first=first, last=last, principal=money(principal), paid_out=money(flows.paid_out),
        received=money(flows.received), income=money(flows.income), net_loss=money(flows.net_loss),
        average_principal=money(flows.average), annual_yield=flows.annual_yield, limits=money(limits),
        utilisation=share(principal, limits), allowance=money(-ledger.balance("provision_allowance", last)),
    )  # fmt: skip


def _hhi(count: PortfolioCount) -> Decimal | None:
    if count.principal <= 0:
        return None
    squares = sum(principal * principal for _, principal in count.merchants.values())
    return rate_decimal(Fraction(squares, count.principal**2), 4)


def _shares(sums: Mapping[str, Sequence[int]], whole: int, money_of: str) -> tuple[ShareLine, ...]:
    """The largest first."""
    ordered = sorted(sums.items(), key=lambda item: (-item[1][1], item[0]))
    return tuple(
        ShareLine(name, n, to_major(minor, money_of), share(minor, whole)) for name, (n, minor) in ordered
    )


def _by_platform(count: PortfolioCount, platforms: Mapping[str, tuple[str, ...]]) -> dict[str, list[int]]:
    """A merchant with shops on several platforms stands under all their names together."""
    sums: dict[str, list[int]] = {}
    for merchant, (loans, principal) in count.merchants.items():
        entry = sums.setdefault(" + ".join(platforms.get(merchant, ())) or NO_SALES, [0, 0])
        entry[0] += loans
        entry[1] += principal
    return sums


def _by_sales(lines: Iterable[CreditLine], currency: str) -> tuple[MultipleLine, ...]:
    sums = {name: [0, 0] for name in (*MULTIPLE_NAMES, NO_SALES)}
    for line in lines:
        entry = sums[_multiple(line)]
        entry[0] += 1
        entry[1] += line.limit
    whole = sum(minor for _, minor in sums.values())
    return tuple(
        MultipleLine(name, n, to_major(minor, currency), share(minor, whole))
        for name, (n, minor) in sums.items()
    )


def _multiple(line: CreditLine) -> str:
    if not line.typical_month:
        return NO_SALES
    return MULTIPLE_NAMES[bisect_left(MULTIPLES, Fraction(line.limit, line.typical_month))]
