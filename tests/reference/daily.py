"""A loan recalculated the slow way: one day after the other, one night after the other, in exact fractions.

It reads a scenario (terms, events, dates to look at) and prints the same figures as `simulate --json`. Nothing here
is fast or clever: a day has a morning (instalments fall due, graces end), then its events, then the evening at
which one may look, then a night that bears interest. Whole numbers are fen; fractions are interest not yet rounded.

Lines that begin with `reading:` mark places where the rules leave a choice, and say which was taken.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

ONE_DAY = timedelta(days=1)
ORDER_OF_THE_DAY = [
    "rate_change",
    "pause_interest",
    "extend",
    "fee",
    "waive",
    "repay",
    "settlement",
    "write_off",
    "recover",
    "refund",
]
COMPONENTS = ["fees", "penalty", "interest", "principal"]
NON_PERFORMING_COMPONENTS = ["fees", "principal", "interest", "penalty"]
DIGITS_OF_CURRENCY = {"JPY": 0, "KRW": 0, "VND": 0, "BHD": 3, "KWD": 3}


# ---------------------------------------------------------------------------------------------------------------------
# What is read from a scenario
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Terms:
    """What was agreed at the draw. Money in minor units, rates per day of the day count."""

    method: str
    principal: int
    rate: Fraction
    day_count: str
    start: date
    maturity: date
    due_day: int
    interest_free_days: int
    min_interest_days: int
    grace_days: int
    penalty_multiple: Fraction
    annual_cap: Fraction | None
    penalty_on_interest: bool
    allocation: list[str]
    allocation_non_performing: list[str]
    prepayment: str
    early_days: int
    across: str
    sweep_share: Fraction
    sweep_minimum: int
    sweep_every: str | None


@dataclass(frozen=True)
class Event:
    """One entry of the file. `day` is its value date; a reversal has none."""

    position: int
    id: str
    type: str
    day: date | None
    booked: date
    amount: int | None
    body: dict[str, Any]


def as_date(value: Any) -> date:
    """A date as YAML gives it, or written as text."""
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def as_minor(value: Any, digits: int) -> int:
    """An amount in the currency's major unit, in minor units."""
    minor = Fraction(str(value)) * 10**digits
    if minor.denominator != 1:
        raise ValueError(f"amount has more digits than the currency: {value}")
    return int(minor)


def as_rate(value: Any) -> Fraction:
    """A rate per day: `0.048%/day`, `万4.8`, `14.4%/year/360`, or {value, per, basis}."""
    if isinstance(value, dict):
        return rate_per_day(Fraction(str(value["value"])), str(value.get("per", "day")), value.get("basis"))
    text = str(value).replace(" ", "")
    wan = re.fullmatch(r"万(\d+(?:\.\d+)?)", text)
    if wan:
        return Fraction(wan.group(1)) / 10000
    written = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)/(day|year)(?:/(\d+))?", text)
    if not written:
        raise ValueError(f"not a rate: {value}")
    number, percent, per, basis = written.groups()
    return rate_per_day(Fraction(number) / (100 if percent else 1), per, basis)


def rate_per_day(number: Fraction, per: str, basis: Any) -> Fraction:
    """The exact daily rate; a yearly one needs its basis."""
    if number < 0:
        raise ValueError(f"negative rate: {number}")
    if per == "day":
        return number
    if str(basis) not in ("360", "365"):
        raise ValueError("a yearly rate needs its basis, 360 or 365")
    return number / int(basis)


def read_terms(scenario: dict[str, Any], digits: int) -> Terms:
    """The terms with every default of the scenario format filled in."""
    given = scenario["terms"]
    start = as_date(given["start"])
    due_day = int(given.get("due_day") or start.day)
    penalty = given.get("penalty") or {}
    sweep = given.get("sweep") or {}
    minimum = sweep.get("minimum") or {}
    principal = as_minor(given["principal"], digits)
    cap = penalty.get("annual_cap")
    return Terms(
        method=given["method"],
        principal=principal,
        rate=as_rate(given["rate"]),
        day_count=given.get("day_count", "actual"),
        start=start,
        maturity=first_maturity(given, start, due_day),
        due_day=due_day,
        interest_free_days=int(given.get("interest_free_days", 0)),
        min_interest_days=int(given.get("min_interest_days", 0)),
        grace_days=int(given.get("grace_days", 0)),
        penalty_multiple=Fraction(str(penalty.get("multiple", "1.5"))),
        annual_cap=None if cap is None else Fraction(str(cap)),
        penalty_on_interest=bool(penalty.get("on_interest", False)),
        allocation=list(given.get("allocation") or COMPONENTS),
        allocation_non_performing=list(given.get("allocation_non_performing") or NON_PERFORMING_COMPONENTS),
        prepayment=given.get("prepayment", "reduce_instalment"),
        early_days=int(given.get("early_days", 10)),
        across=given.get("across", "component"),
        sweep_share=Fraction(str(sweep.get("share", "0"))),
        sweep_minimum=half_up(Fraction(str(minimum.get("fraction", "0"))) * principal),
        sweep_every=minimum.get("every"),
    )


def first_maturity(given: dict[str, Any], start: date, due_day: int) -> date:
    """The maturity agreed at the draw: a date, so many days, or the N-th due day."""
    if given.get("maturity") is not None:
        maturity = as_date(given["maturity"])
    else:
        number, unit = int(str(given["term"])[:-1]), str(given["term"])[-1]
        # reading: due_day is for interest_only and the instalment methods; neither anytime nor sweep has one
        day = start.day if given["method"] in ("anytime", "sweep") else due_day
        maturity = start + timedelta(days=number) if unit == "d" else day_of_month_after(start, number, day)
    if maturity <= start:
        raise ValueError(f"maturity {maturity} is not after the start {start}")
    return maturity


def read_events(scenario: dict[str, Any], digits: int, start: date) -> list[Event]:
    """All events known by `known_on`, each with its place in the file."""
    events = []
    for position, given in enumerate(scenario.get("events") or []):
        day = as_date(given["date"]) if given.get("date") is not None else None
        if given["type"] == "reverse":
            day = None
        elif day is None or day < start:
            raise ValueError(f"event {given.get('id')} is valued before the start")
        booked = as_date(given.get("booked") or day)
        amount = as_minor(given["amount"], digits) if given.get("amount") is not None else None
        event_id = str(given.get("id", f"event-{position + 1}"))
        events.append(Event(position, event_id, given["type"], day, booked, amount, given))
    refuse_unknown_targets(events)
    known_on = scenario.get("known_on")
    return [event for event in events if known_on is None or event.booked <= as_date(known_on)]


def refuse_unknown_targets(events: list[Event]) -> None:
    """Every id is used once, and every reversal names one of them."""
    ids = [event.id for event in events]
    if len(ids) != len(set(ids)):
        raise ValueError("an event id is used twice")
    for event in events:
        if event.type == "reverse" and event.body["of"] not in ids:
            raise ValueError(f"{event.id} reverses an unknown event {event.body['of']}")


def reversed_by(event: Event, events: list[Event]) -> str | None:
    """The reversal that counts against the event, if any: one that is not itself reversed."""
    for other in events:
        if other.type == "reverse" and other.body["of"] == event.id and reversed_by(other, events) is None:
            return other.id
    return None


# ---------------------------------------------------------------------------------------------------------------------
# Rounding and the calendar
# ---------------------------------------------------------------------------------------------------------------------


def half_up(exact: Fraction | int) -> int:
    """Rounded to the minor unit: the floor of x + 1/2, below zero too."""
    return (Fraction(exact) + Fraction(1, 2)).__floor__()


def day_of_month_after(start: date, months: int, day: int) -> date:
    """The given day, cut to the month's length, of the month that lies so many months after the start's month."""
    count = start.year * 12 + (start.month - 1) + months
    year, month = count // 12, count % 12 + 1
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def weight_of_night(terms: Terms, day: date) -> int:
    """How many days of interest the night from this day to the next one counts: 1, or 0 to 3 with 30E/360."""
    if terms.day_count == "actual":
        return 1
    return day_number_30e(day + ONE_DAY) - day_number_30e(day)


def day_number_30e(day: date) -> int:
    """The day's number in years of twelve months of thirty days."""
    return 360 * day.year + 30 * day.month + min(day.day, 30)


def is_free(terms: Terms, day: date) -> bool:
    """Whether the night that follows the day is one of the interest-free ones."""
    return (day - terms.start).days < terms.interest_free_days


def due_dates(terms: Terms, after: date, maturity: date) -> list[date]:
    """The due dates after a day: monthly due days, or the ends of sweep periods, before the maturity; then it."""
    dates = []
    for k in range(1, 100000):
        due = regular_date(terms, k)
        if due is None or due >= maturity:
            break
        if due > after:
            dates.append(due)
    return [*dates, maturity]


def regular_date(terms: Terms, k: int) -> date | None:
    """The k-th regular due date of the method; an anytime loan has none."""
    if terms.method == "anytime" or (terms.method == "sweep" and not terms.sweep_every):
        return None
    if terms.method != "sweep":
        return day_of_month_after(terms.start, k, terms.due_day)
    # reading: a sweep period of 60 days from the start has its last day on start + 60, like a term of 60 days
    number, unit = int(str(terms.sweep_every)[:-1]), str(terms.sweep_every)[-1]
    if unit == "m":
        return day_of_month_after(terms.start, k * number, terms.start.day)
    return terms.start + timedelta(days=k * number)


# ---------------------------------------------------------------------------------------------------------------------
# The loan
# ---------------------------------------------------------------------------------------------------------------------


@dataclass
class Instalment:
    """A date still to come and the principal planned for it."""

    due: date
    principal: int


@dataclass
class Due:
    """What fell due on a date and is still unpaid."""

    due: date
    principal: int
    interest: int
    grace_ends: date  # the first morning after the grace
    top_up: bool  # whether the end of its grace charges penalty back to the due date
    bears_penalty: bool


@dataclass
class PlanRow:
    """A line of the schedule."""

    due: date
    principal: int
    interest: int
    balance: int


@dataclass
class Night:
    """What one night cost: its days of interest and the two rates that were in force."""

    weight: int
    contract_rate: Fraction
    penalty_rate: Fraction


@dataclass
class Loan:
    """Where a loan stands, at some moment of some day."""

    terms: Terms
    rate: Fraction
    maturity: date
    not_due: int  # principal that has not fallen due
    plan: list[Instalment] = field(default_factory=list)
    level: int = 0  # the instalment of the last solution
    part: int = 0  # the principal part of the last division
    dues: list[Due] = field(default_factory=list)
    fallen: list[PlanRow] = field(default_factory=list)
    last_date_gone: date = date.min  # the last date that fell due or was settled early
    interest_exact: Fraction = Fraction(0)  # since the last bill
    interest_gone: int = 0  # of it: paid, waived or fallen due
    interest_billed: int = 0  # charged by all bills before
    interest_moved: int = 0  # due interest that an extension moved to the next due date
    principal_moved: int = 0  # the same of principal; kept apart for sweep only
    interest_paid: int = 0
    interest_waived: int = 0
    penalty_exact: Fraction = Fraction(0)  # in the whole life
    penalty_gone: int = 0  # of it: paid or waived
    fees: int = 0
    credit: int = 0
    received_in_period: int = 0  # sweep: what counts towards the minimum
    pauses: list[tuple[date, date]] = field(default_factory=list)
    nights: dict[date, Night] = field(default_factory=dict)
    written_off: bool = False

    def copy(self) -> Loan:
        """A second loan that can go its own way."""
        return replace(
            self,
            plan=[replace(row) for row in self.plan],
            dues=[replace(row) for row in self.dues],
            fallen=list(self.fallen),
            pauses=list(self.pauses),
            nights=dict(self.nights),
        )

    def principal(self) -> int:
        return self.not_due + sum(row.principal for row in self.dues)

    def due_interest(self) -> int:
        return sum(row.interest for row in self.dues)

    def counted_interest(self) -> int:
        """Booked since the last bill and neither paid, waived nor due."""
        return half_up(self.interest_exact) - self.interest_gone

    def accrued_interest(self) -> int:
        """Contract interest that is owed but not due."""
        return self.interest_moved + self.counted_interest()

    def interest(self) -> int:
        return self.due_interest() + self.accrued_interest()

    def interest_charged(self) -> int:
        return self.interest_billed + half_up(self.interest_exact)

    def penalty_charged(self) -> int:
        return half_up(self.penalty_exact)

    def penalty(self) -> int:
        return self.penalty_charged() - self.penalty_gone

    def owed(self) -> int:
        return self.principal() + self.interest() + self.penalty() + self.fees

    def payoff(self, day: date) -> int:
        """What closes the loan on the day, the minimum interest with it."""
        return self.owed() + (minimum_interest_lacking(self, day) if self.principal() > 0 else 0)

    def is_paused(self, day: date) -> bool:
        return any(first <= day < until for first, until in self.pauses)

    def penalty_rate(self) -> Fraction:
        """A multiple of the contract rate, cut to the yearly cap on 365 where there is one."""
        rate = self.rate * self.terms.penalty_multiple
        return rate if self.terms.annual_cap is None else min(rate, self.terms.annual_cap / 365)

    def days_past_due(self, day: date) -> int:
        unpaid = [row.due for row in self.dues if row.principal + row.interest > 0]
        return (day - min(unpaid)).days if unpaid else 0


def new_loan(terms: Terms) -> Loan:
    """The loan on the day the money goes out."""
    loan = Loan(terms, terms.rate, terms.maturity, terms.principal)
    build_plan(loan, terms.start, due_dates(terms, terms.start, terms.maturity), same_instalment=False)
    return loan


# ---------------------------------------------------------------------------------------------------------------------
# The plan
# ---------------------------------------------------------------------------------------------------------------------


def build_plan(loan: Loan, day: date, dates: list[date], same_instalment: bool, on_top: int = 0) -> None:
    """Spread the principal that is not due over the dates; `on_top` of it falls on the first one, whole."""
    spread = loan.not_due - on_top
    if loan.not_due == 0:
        keep_first_date(loan, dates)
    elif loan.terms.method == "equal_principal":
        loan.plan = equal_parts(loan, dates, spread, same_instalment)
    elif loan.terms.method == "equal_instalment":
        loan.plan = level_parts(loan, day, dates, spread, same_instalment)
    else:
        loan.plan = [Instalment(due, 0) for due in dates]
        loan.plan[-1].principal = spread
    if on_top:
        loan.plan[0].principal += on_top


def keep_first_date(loan: Loan, dates: list[date]) -> None:
    """Without principal only the next date matters: interest still owed falls due there."""
    kept = dates if loan.terms.method == "sweep" else dates[:1]
    loan.plan = [Instalment(due, 0) for due in kept]
    loan.principal_moved = 0


def equal_parts(loan: Loan, dates: list[date], spread: int, same_instalment: bool) -> list[Instalment]:
    """Equal parts of principal; the last takes the rest."""
    if not same_instalment:
        loan.part = half_up(Fraction(spread, len(dates)))
    plan, left = [], spread
    for due in dates:
        # reading: a part rounded up never takes more than what is left
        principal = left if due == dates[-1] else min(loan.part, left)
        plan.append(Instalment(due, principal))
        left -= principal
        if same_instalment and left == 0:
            break
    return plan


def level_parts(
    loan: Loan, day: date, dates: list[date], spread: int, same_instalment: bool
) -> list[Instalment]:
    """The principal parts of equal instalments; interest is what the bills will show if all goes to plan."""
    days = [bearing_days(loan, first, until) for first, until in zip([day, *dates[:-1]], dates, strict=True)]
    if not same_instalment:
        loan.level = solve_level(loan, spread, days)
    plan, left = [], spread
    for k, due in enumerate(dates):
        interest = half_up(left * loan.rate * days[k] + (loan.interest_exact if k == 0 else 0))
        interest -= loan.interest_gone if k == 0 else 0
        # reading: where the interest of a long first period exceeds the instalment its principal part is nil
        principal = left if due == dates[-1] else min(max(loan.level - interest, 0), left)
        plan.append(Instalment(due, principal))
        left -= principal
        if same_instalment and left == 0:
            break
    return plan


def solve_level(loan: Loan, spread: int, days: list[int]) -> int:
    """The instalment whose present value is the principal, rounded; interest so far lies in the first, bearing none."""
    # reading: interest so far is the exact count since the last bill less what was paid of it, not the rounded figure
    so_far = loan.interest_exact - loan.interest_gone
    present_value_of_one = Fraction(0)
    for number in reversed(days):
        present_value_of_one = (1 + present_value_of_one) / (1 + loan.rate * number)
    return half_up((spread + so_far / (1 + loan.rate * days[0])) / present_value_of_one)


def bearing_days(loan: Loan, first: date, until: date) -> int:
    """The days of interest of the nights from one date to another, without free and paused ones."""
    # reading: nights of a pause already known count as nil in the equation, like free ones
    total, day = 0, first
    while day < until:
        if not is_free(loan.terms, day) and not loan.is_paused(day):
            total += weight_of_night(loan.terms, day)
        day += ONE_DAY
    return total


def rebuild(loan: Loan, day: date, dates: list[date]) -> None:
    """The plan after a prepayment, by the product's mode."""
    build_plan(loan, day, dates, same_instalment=loan.terms.prepayment == "shorten_term")


def dates_to_come(loan: Loan) -> list[date]:
    return [row.due for row in loan.plan]


# ---------------------------------------------------------------------------------------------------------------------
# Morning and night
# ---------------------------------------------------------------------------------------------------------------------


def morning(loan: Loan, day: date) -> None:
    """Instalments fall due and graces end."""
    if loan.written_off:
        return
    while loan.plan and loan.plan[0].due == day:
        fall_due(loan, day)
    # reading: a due that is paid has no grace any more that could end
    unpaid = [row for row in loan.dues if row.principal + row.interest]
    ending = [row for row in unpaid if row.grace_ends == day and not row.bears_penalty]
    for row in ending:
        end_grace(loan, row, day)
    if ending and not loan.plan:
        # reading: with several graces running after the maturity all accrued interest falls due at the end of each
        add_due(loan, day, 0, take_accrued(loan), grace_ends=day)


def fall_due(loan: Loan, day: date) -> None:
    """The coming instalment falls due: a bill, or at the end of a sweep period what it lacks of its minimum."""
    coming = loan.plan.pop(0)
    before = loan.not_due
    period_end = loan.terms.method == "sweep" and bool(loan.plan)
    if period_end:
        principal, interest = sweep_shortfall(loan)
    else:
        principal = loan.not_due if loan.terms.method == "sweep" else coming.principal
        interest = take_bill(loan)
        loan.principal_moved = 0
    loan.not_due -= principal
    loan.received_in_period = 0
    loan.last_date_gone = day
    add_due(loan, day, principal, interest)
    # reading: a plan date of 0.00 has a row while principal is to come; a sweep period lacking nothing has none
    if principal + interest > 0 or (before > 0 and not period_end):
        loan.fallen.append(PlanRow(day, principal, interest, loan.not_due))


def take_bill(loan: Loan) -> int:
    """The interest of a bill: the rounded count stands, and the count starts anew from zero."""
    interest = loan.accrued_interest()
    loan.interest_billed += half_up(loan.interest_exact)
    loan.interest_exact = Fraction(0)
    loan.interest_gone = 0
    loan.interest_moved = 0
    return interest


def take_accrued(loan: Loan) -> int:
    """All interest that is owed but not due, taken out without a bill: the exact count runs on."""
    interest = loan.accrued_interest()
    loan.interest_gone = half_up(loan.interest_exact)
    loan.interest_moved = 0
    return interest


def sweep_shortfall(loan: Loan) -> tuple[int, int]:
    """What the period lacks of its minimum, interest first; what an extension moved here comes on top."""
    lacking = max(0, loan.terms.sweep_minimum - loan.received_in_period)
    interest = min(lacking, loan.counted_interest())
    principal = min(lacking - interest, loan.not_due - loan.principal_moved)
    due_interest, due_principal = interest + loan.interest_moved, principal + loan.principal_moved
    loan.interest_gone += interest
    loan.interest_moved = 0
    loan.principal_moved = 0
    return due_principal, due_interest


def add_due(loan: Loan, day: date, principal: int, interest: int, grace_ends: date | None = None) -> None:
    """A new due. One whose grace end is given gets no grace of its own and is not topped up."""
    if principal + interest == 0:
        return
    own_grace = grace_ends is None
    ends = day + timedelta(days=loan.terms.grace_days + 1) if grace_ends is None else grace_ends
    bears = loan.terms.grace_days == 0 or ends <= day
    loan.dues.append(Due(day, principal, interest, ends, own_grace, bears))


def end_grace(loan: Loan, row: Due, day: date) -> None:
    """What is still unpaid is topped up for the nights since the due date, and bears the penalty rate from now on."""
    row.bears_penalty = True
    night = row.due
    while row.top_up and night < day:
        cost = loan.nights[night]
        # reading: in a free night no contract interest was charged, so the whole penalty rate is the top-up
        extra = max(Fraction(0), cost.penalty_rate - cost.contract_rate)
        loan.penalty_exact += row.principal * extra * cost.weight
        if loan.terms.penalty_on_interest:
            loan.penalty_exact += row.interest * cost.penalty_rate * cost.weight
        night += ONE_DAY


def night(loan: Loan, day: date) -> None:
    """The night that follows the day earns its interest."""
    weight = 0 if loan.written_off or loan.is_paused(day) else weight_of_night(loan.terms, day)
    # reading: free nights bear no contract interest; penalty on what is overdue in them runs at its full rate
    contract_rate = Fraction(0) if is_free(loan.terms, day) else loan.rate
    cost = Night(weight, contract_rate, loan.penalty_rate())
    loan.nights[day] = cost
    if weight == 0:
        return
    in_grace = sum(row.principal for row in loan.dues if not row.bears_penalty)
    loan.interest_exact += (loan.not_due + in_grace) * cost.contract_rate * weight
    base = sum(row.principal for row in loan.dues if row.bears_penalty)
    if loan.terms.penalty_on_interest:
        base += sum(row.interest for row in loan.dues if row.bears_penalty)
    if base:
        loan.penalty_exact += base * cost.penalty_rate * weight


# ---------------------------------------------------------------------------------------------------------------------
# Money that comes in
# ---------------------------------------------------------------------------------------------------------------------


@dataclass
class Receipt:
    """Money being split: what is left of it and what went where."""

    left: int
    parts: dict[str, int] = field(default_factory=lambda: dict.fromkeys([*COMPONENTS, "credit"], 0))

    def take(self, component: str, owed: int) -> int:
        """Pay as much of what is owed as the money allows."""
        taken = min(self.left, owed)
        self.left -= taken
        self.parts[component] += taken
        return taken


def receive(loan: Loan, day: date, money: int, principal_only: bool = False) -> dict[str, int]:
    """Split a receipt: what is due, by the order; interest to the day; future principal; the rest is credit."""
    receipt = Receipt(money)
    had_principal = loan.principal() > 0
    non_performing = loan.written_off or loan.days_past_due(day) > 90
    order = loan.terms.allocation_non_performing if non_performing else loan.terms.allocation
    pay_what_is_due(loan, order, receipt)
    pay_accrued(loan, receipt)
    pay_future_principal(loan, day, receipt, principal_only)
    after_principal(loan, day, had_principal, receipt)
    loan.interest_paid += receipt.parts["interest"]
    receipt.parts["credit"] = receipt.left
    loan.credit += receipt.left
    return receipt.parts


def pay_what_is_due(loan: Loan, order: list[str], receipt: Receipt) -> None:
    """Component by component; with `across: instalment` interest and principal of each due together, oldest first."""
    together = [name for name in order if name in ("interest", "principal")]
    for component in order:
        if component == "fees":
            loan.fees -= receipt.take("fees", loan.fees)
        elif component == "penalty":
            loan.penalty_gone += receipt.take("penalty", loan.penalty())
        elif loan.terms.across != "instalment":
            pay_dues(loan, [component], receipt)
        elif component == together[0]:
            pay_dues(loan, together, receipt)


def pay_dues(loan: Loan, components: list[str], receipt: Receipt) -> None:
    """The dues from the oldest on, of each the named components in turn."""
    for row in sorted(loan.dues, key=lambda due: due.due):
        for component in components:
            if component == "interest":
                row.interest -= receipt.take("interest", row.interest)
            else:
                row.principal -= receipt.take("principal", row.principal)


def pay_accrued(loan: Loan, receipt: Receipt) -> None:
    """Interest to the day that is not due; interest moved by an extension is the older part of it."""
    # reading: interest moved by an extension is paid like the day's interest, before any future principal
    loan.interest_moved -= receipt.take("interest", loan.interest_moved)
    counted = receipt.take("interest", loan.counted_interest())
    loan.interest_gone += counted
    # reading: what pays earlier shortfalls, fees or penalty does not count towards the running period's minimum
    loan.received_in_period += counted


def pay_future_principal(loan: Loan, day: date, receipt: Receipt, principal_only: bool) -> None:
    """The coming instalment inside its window, or a prepayment that rebuilds the plan."""
    if loan.not_due == 0 or not everything_to_the_day_is_paid(loan):
        return
    inside_window = (loan.plan[0].due - day).days <= loan.terms.early_days
    pays_all = receipt.left >= loan.not_due
    if inside_window and not pays_all and not principal_only and loan.terms.method != "sweep":
        pay_coming(loan, day, receipt)
    else:
        prepay(loan, day, receipt)


def everything_to_the_day_is_paid(loan: Loan) -> bool:
    due_principal = loan.principal() - loan.not_due
    return due_principal + loan.interest() + loan.penalty() + loan.fees == 0


def prepay(loan: Loan, day: date, receipt: Receipt) -> None:
    """Future principal is paid and all dates still to come are rebuilt."""
    taken = receipt.take("principal", loan.not_due)
    if taken:
        reduce_future_principal(loan, day, taken, counts=True)


def reduce_future_principal(loan: Loan, day: date, amount: int, counts: bool) -> None:
    """Less principal to come, by payment or waiver: rebuild."""
    # reading: on a sweep loan what an extension moved goes first, and does not count towards the period's minimum
    moved = min(amount, loan.principal_moved)
    loan.principal_moved -= moved
    loan.received_in_period += amount - moved if counts else 0
    loan.not_due -= amount
    # reading: a rebuild spreads principal moved by an extension with all the rest
    rebuild(loan, day, dates_to_come(loan))


def pay_coming(loan: Loan, day: date, receipt: Receipt) -> None:
    """Inside the window: settle the coming instalment, with any excess a prepayment of the rest; or pay part of it."""
    coming = loan.plan[0]
    settled = receipt.left >= coming.principal
    taken = receipt.take("principal", coming.principal)
    coming.principal -= taken
    loan.not_due -= taken
    if not settled:
        return
    loan.plan.pop(0)
    loan.last_date_gone = coming.due
    prepay(loan, day, receipt)


def minimum_interest_lacking(loan: Loan, day: date) -> int:
    """What the interest of the minimum days exceeds the interest charged by, if the principal ends before their end."""
    terms = loan.terms
    end = terms.start + timedelta(days=terms.min_interest_days)
    if day >= end or loan.written_off:
        return 0
    nights = [terms.start + timedelta(days=k) for k in range(terms.min_interest_days)]
    minimum = half_up(terms.principal * terms.rate * sum(weight_of_night(terms, each) for each in nights))
    # reading: interest already above the minimum (after a higher rate) is not taken back
    return max(0, minimum - loan.interest_charged())


def after_principal(loan: Loan, day: date, had_principal: bool, receipt: Receipt | None) -> None:
    """When the principal has just reached zero too early: the minimum interest, paid by the rest of the money."""
    if loan.principal() > 0 or loan.written_off:
        return
    lacking = minimum_interest_lacking(loan, day) if had_principal else 0
    loan.interest_exact += lacking
    if receipt is not None:
        loan.interest_gone += receipt.take("interest", min(lacking, loan.counted_interest()))
    if lacking and not loan.plan:
        # reading: minimum interest owed after the maturity is a due of its own day, with the usual grace
        add_due(loan, day, 0, take_accrued(loan))


def nothing_else_is_left(loan: Loan, day: date) -> None:
    """Interest of a grace after the maturity falls due at once when no principal and no due interest is left."""
    if loan.plan or loan.principal() + loan.due_interest() > 0:
        return
    # reading: it is due that day; with on_interest it bears penalty only from the first morning after the grace
    graces = [row.grace_ends for row in loan.dues]
    add_due(loan, day, 0, take_accrued(loan), grace_ends=max([day, *graces]))


# ---------------------------------------------------------------------------------------------------------------------
# The events of a day
# ---------------------------------------------------------------------------------------------------------------------


def nothing_split() -> dict[str, int]:
    return dict.fromkeys([*COMPONENTS, "credit"], 0)


def apply_event(loan: Loan, event: Event, day: date) -> dict[str, int]:
    """Let an event happen; the answer is its split."""
    actions: dict[str, Callable[[Loan, Event, date], dict[str, int]]] = {
        "rate_change": change_rate,
        "pause_interest": pause_interest,
        "extend": extend,
        "fee": charge_fee,
        "waive": waive,
        "repay": repay,
        "settlement": settle,
        "write_off": write_off,
        "recover": recover,
        "refund": refund,
    }
    parts = actions[event.type](loan, event, day)
    nothing_else_is_left(loan, day)
    return parts


def amount_of(event: Event) -> int:
    if event.amount is None:
        raise ValueError(f"event {event.id} has no amount")
    return event.amount


def change_rate(loan: Loan, event: Event, day: date) -> dict[str, int]:
    """The new rate holds from the night of the day; level instalments are solved anew."""
    loan.rate = as_rate(event.body["rate"])
    # reading: equal_principal keeps its parts, also after a part-paid coming instalment
    if loan.terms.method == "equal_instalment" and loan.not_due > 0:
        build_plan(loan, day, dates_to_come(loan), same_instalment=False)
    return nothing_split()


def pause_interest(loan: Loan, event: Event, day: date) -> dict[str, int]:
    """Nights of the range bear nothing; the principal parts stay."""
    loan.pauses.append((max(day, as_date(event.body["from"])), as_date(event.body["to"])))
    return nothing_split()


def extend(loan: Loan, event: Event, day: date) -> dict[str, int]:
    """Everything due moves to the next due date, and the rest is spread over the dates up to the new maturity."""
    maturity = as_date(event.body["maturity"])
    if maturity <= day:
        raise ValueError(f"event {event.id} extends to a day that is not after it")
    # reading: an extension of a loan that is written off, or without principal and interest, changes nothing
    if loan.written_off or loan.principal() + loan.interest() == 0:
        return nothing_split()
    due_principal = loan.principal() - loan.not_due
    on_top = due_principal if loan.not_due > 0 else 0
    loan.interest_moved += loan.due_interest()
    loan.dues = []
    loan.not_due += due_principal
    loan.maturity = maturity
    dates = due_dates(loan.terms, max(day, loan.last_date_gone), maturity)
    if loan.terms.method == "sweep":
        loan.principal_moved += on_top
        on_top = 0
    build_plan(loan, day, dates, same_instalment=False, on_top=on_top)
    return nothing_split()


def charge_fee(loan: Loan, event: Event, _day: date) -> dict[str, int]:
    loan.fees += amount_of(event)
    return nothing_split() | {"fees": amount_of(event)}


def waive(loan: Loan, event: Event, day: date) -> dict[str, int]:
    """At most what is owed of the component, oldest due first, then interest to the day or future principal."""
    component = event.body["component"]
    receipt = Receipt(amount_of(event))
    if component == "fees":
        loan.fees -= receipt.take("fees", loan.fees)
    elif component == "penalty":
        loan.penalty_gone += receipt.take("penalty", loan.penalty())
    elif component == "interest":
        waive_interest(loan, receipt)
    elif component == "principal":
        waive_principal(loan, day, receipt)
    else:
        raise ValueError(f"event {event.id} waives an unknown component {component}")
    return receipt.parts


def waive_interest(loan: Loan, receipt: Receipt) -> None:
    pay_dues(loan, ["interest"], receipt)
    loan.interest_moved -= receipt.take("interest", loan.interest_moved)
    loan.interest_gone += receipt.take("interest", loan.counted_interest())
    loan.interest_waived += receipt.parts["interest"]


def waive_principal(loan: Loan, day: date, receipt: Receipt) -> None:
    had_principal = loan.principal() > 0
    pay_dues(loan, ["principal"], receipt)
    future = receipt.take("principal", loan.not_due)
    if future:
        # reading: waived future principal is rebuilt by the product's prepayment mode
        reduce_future_principal(loan, day, future, counts=False)
    # reading: minimum interest is also charged when a waiver takes the principal to zero
    after_principal(loan, day, had_principal, None)


def repay(loan: Loan, event: Event, day: date) -> dict[str, int]:
    return receive(loan, day, amount_of(event), principal_only=event.body.get("apply") == "principal")


def settle(loan: Loan, event: Event, day: date) -> dict[str, int]:
    """A share of a settlement of the shop, at most the payoff; a negative settlement sweeps nothing."""
    share = half_up(loan.terms.sweep_share * amount_of(event))
    return receive(loan, day, min(max(share, 0), loan.payoff(day)))


def write_off(loan: Loan, _event: Event, day: date) -> dict[str, int]:
    """The whole claim is due, and nothing accrues any more."""
    if not loan.written_off:
        add_due(loan, day, loan.not_due, take_accrued(loan))
        loan.not_due = 0
        loan.principal_moved = 0
        loan.plan = []
        loan.written_off = True
    return nothing_split()


def recover(loan: Loan, event: Event, day: date) -> dict[str, int]:
    # reading: a recovery on a loan that is not (no longer) written off is split like a repayment
    return receive(loan, day, amount_of(event))


def refund(loan: Loan, event: Event, _day: date) -> dict[str, int]:
    """Credit is paid out; what the credit lacks is owed as the fee `refund_overdrawn`."""
    missing = max(0, amount_of(event) - loan.credit)
    loan.credit -= amount_of(event) - missing
    loan.fees += missing
    # reading: the row shows the whole amount as negative credit, also where part of it became a fee
    return nothing_split() | {"credit": -amount_of(event)}


# ---------------------------------------------------------------------------------------------------------------------
# Looking at the loan in the evening
# ---------------------------------------------------------------------------------------------------------------------


def days_ahead(loan: Loan, day: date) -> Iterator[tuple[date, Loan]]:
    """The mornings to come if nothing else happens, except that what falls due is paid on its day."""
    ahead = loan.copy()
    last = max([day, *dates_to_come(loan), *(row.grace_ends for row in loan.dues)])
    while day < last:
        night(ahead, day)
        day += ONE_DAY
        morning(ahead, day)
        yield day, ahead
        for row in ahead.dues:
            if row.due == day:
                row.principal = row.interest = 0


def next_due(loan: Loan, day: date) -> tuple[date, int] | None:
    """The first due date on or after the day on which something will be unpaid, and what."""
    # reading: the first morning after a grace is such a date for the grace's interest; a write-off is none
    if loan.written_off:
        return None
    if unpaid_of(loan, day) > 0:
        return day, unpaid_of(loan, day)
    for later, ahead in days_ahead(loan, day):
        if unpaid_of(ahead, later) > 0:
            return later, unpaid_of(ahead, later)
    return None


def unpaid_of(loan: Loan, day: date) -> int:
    return sum(row.principal + row.interest for row in loan.dues if row.due == day)


def schedule_rows(loan: Loan, day: date) -> list[PlanRow]:
    """Rows already due as they fell due, then the plan, each row paid on its day."""
    # reading: interest of a grace due after the maturity, and a write-off, are no rows of the plan
    rows = list(loan.fallen)
    for _, ahead in days_ahead(loan, day):
        rows = list(ahead.fallen)
    return rows


def status_of(loan: Loan, day: date) -> str:
    # reading: a loan on which nothing is owed is closed, also after a write-off and with a credit balance
    if loan.owed() == 0:
        return "closed"
    if loan.written_off:
        return "written_off"
    return "overdue" if loan.days_past_due(day) > 0 else "active"


def classification_of(days_past_due: int) -> str:
    # reading: by days past due alone, also after a write-off
    for threshold, name in [(360, "loss"), (270, "doubtful"), (90, "substandard"), (0, "special_mention")]:
        if days_past_due > threshold:
            return name
    return "normal"


def money(minor: int, digits: int) -> str:
    """An amount in the currency's major unit with all its digits."""
    sign = "-" if minor < 0 else ""
    whole, rest = divmod(abs(minor), 10**digits)
    return f"{sign}{whole}.{rest:0{digits}d}" if digits else f"{sign}{whole}"


def state_row(loan: Loan, day: date, digits: int) -> dict[str, Any]:
    """The state at the end of the day, before its close."""
    coming = next_due(loan, day)
    amounts = {
        "principal": loan.principal(),
        "interest": loan.interest(),
        "penalty": loan.penalty(),
        "fees": loan.fees,
        "payoff": loan.payoff(day),
        "interest_charged": loan.interest_charged(),
        "penalty_charged": loan.penalty_charged(),
        "interest_paid": loan.interest_paid,
        "credit_balance": loan.credit,
    }
    return {
        "as_of": day.isoformat(),
        "status": status_of(loan, day),
        **{name: money(amount, digits) for name, amount in amounts.items()},
        "days_past_due": loan.days_past_due(day),
        "classification": classification_of(loan.days_past_due(day)),
        "next_due": None
        if coming is None
        else {"date": coming[0].isoformat(), "amount": money(coming[1], digits)},
    }


def pending_row(day: date, digits: int) -> dict[str, Any]:
    """Before the start: pending, with zeros."""
    names = ["principal", "interest", "penalty", "fees", "payoff", "interest_charged", "penalty_charged"]
    names += ["interest_paid", "credit_balance"]
    return {
        "as_of": day.isoformat(),
        "status": "pending",
        **{name: money(0, digits) for name in names},
        "days_past_due": 0,
        "classification": "normal",
        "next_due": None,
    }


# ---------------------------------------------------------------------------------------------------------------------
# The whole life
# ---------------------------------------------------------------------------------------------------------------------


def ledger_order(event: Event) -> tuple[date, int, int]:
    """By value date, kind and position; a reversal stands at the end of the day it was booked."""
    if event.day is None:
        return event.booked, len(ORDER_OF_THE_DAY), event.position
    return event.day, ORDER_OF_THE_DAY.index(event.type), event.position


def ledger_row(event: Event, reversal: str | None, digits: int) -> dict[str, Any]:
    """The row of an event before it happened, or one that counts for nothing."""
    is_reverse = event.type == "reverse"
    # reading: a reversal has a row with its booking date and no amounts
    parts = dict.fromkeys([*COMPONENTS, "credit"], None if is_reverse else money(0, digits))
    return {
        "id": event.id,
        "type": event.type,
        "date": None if event.day is None else event.day.isoformat(),
        "booked": event.booked.isoformat(),
        # reading: the amount is the one entered, also of a waiver that was cut and of a settlement; null without one
        "amount": None if event.amount is None or is_reverse else money(event.amount, digits),
        **parts,
        "principal_after": None,
        "reversed_by": reversal,
    }


def live_events(events: list[Event], until: date) -> list[Event]:
    """The events that count, in the order in which they happen."""
    counting = [event for event in events if event.day is not None and event.day <= until]
    return sorted([event for event in counting if reversed_by(event, events) is None], key=ledger_order)


def live_through(
    terms: Terms,
    events: list[Event],
    last: date,
    happened: Callable[[Event, dict[str, int], Loan], None],
    evening: Callable[[Loan, date], None],
) -> Loan:
    """The loan's life from its start to the evening of the last day."""
    loan = new_loan(terms)
    to_come = live_events(events, last)
    day = terms.start
    while day <= last:
        morning(loan, day)
        while to_come and to_come[0].day == day:
            event = to_come.pop(0)
            happened(event, apply_event(loan, event, day), loan)
        evening(loan, day)
        if day < last:
            night(loan, day)
        day += ONE_DAY
    return loan


def loan_on(scenario: dict[str, Any], day: date) -> Loan:
    """The loan at the end of a day, with everything known that the scenario says is known."""
    digits = DIGITS_OF_CURRENCY.get(scenario.get("currency", "CNY"), 2)
    terms = read_terms(scenario, digits)
    events = read_events(scenario, digits, terms.start)
    return live_through(terms, events, day, lambda *_: None, lambda *_: None)


def simulate(scenario: dict[str, Any]) -> dict[str, Any]:
    """Name, schedule, ledger and states of a scenario, as `simulate --json` prints them."""
    digits = DIGITS_OF_CURRENCY.get(scenario.get("currency", "CNY"), 2)
    terms = read_terms(scenario, digits)
    events = read_events(scenario, digits, terms.start)
    wanted = [as_date(day) for day in scenario["as_of"]]
    last = max(wanted)
    # reading: the ledger ends with the last date asked for; a reversal booked later has no row but counts
    shown = sorted([event for event in events if (event.day or event.booked) <= last], key=ledger_order)
    ledger = {event.id: ledger_row(event, reversed_by(event, events), digits) for event in shown}
    states = {day: pending_row(day, digits) for day in wanted if day < terms.start}

    def happened(event: Event, parts: dict[str, int], loan: Loan) -> None:
        ledger[event.id] |= {name: money(part, digits) for name, part in parts.items()}
        ledger[event.id]["principal_after"] = money(loan.principal(), digits)

    def evening(loan: Loan, day: date) -> None:
        if day in wanted:
            states[day] = state_row(loan, day, digits)

    loan = live_through(terms, events, last, happened, evening)
    # reading: asked for before the start, the schedule is the plan agreed at the draw
    rows = schedule_rows(loan, max(last, terms.start))
    return {
        "name": scenario.get("name"),
        "schedule": [schedule_line(n, row, digits) for n, row in enumerate(rows, start=1)],
        "ledger": list(ledger.values()),
        "states": [states[day] for day in wanted],
    }


def schedule_line(n: int, row: PlanRow, digits: int) -> dict[str, Any]:
    return {
        "n": n,
        "due": row.due.isoformat(),
        "principal": money(row.principal, digits),
        "interest": money(row.interest, digits),
        "total": money(row.principal + row.interest, digits),
        "balance": money(row.balance, digits),
    }
