"""Random lives of a loan: valid terms, valid events, and dates to look at, in the scenario format.

Events are made in the order of their value dates, so that the slow calculator can say at each step what is owed,
what is coming and what lies on credit; many payments are exactly one of these figures. Nothing is made that a lender
would refuse, except that a reversal may later take back money of which a part was refunded.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

from . import daily

METHODS = ["anytime", "interest_only", "equal_instalment", "equal_principal", "sweep"]
EVENT_WEIGHTS = {
    "repay": 45,
    "fee": 8,
    "waive": 9,
    "rate_change": 7,
    "pause_interest": 7,
    "extend": 7,
    "write_off": 3,
    "refund": 14,
    "reverse": 14,
    "settlement": 40,
}
ALLOCATIONS = [
    ["fees", "penalty", "interest", "principal"],
    ["fees", "interest", "penalty", "principal"],
    ["interest", "principal", "penalty", "fees"],
    ["principal", "interest", "fees", "penalty"],
    ["penalty", "principal", "fees", "interest"],
]


def random_scenario(rng: random.Random, *, method: str | None = None, max_events: int = 12) -> dict[str, Any]:
    """A valid scenario. The same generator state gives the same scenario; all values are text or whole numbers."""
    terms = random_terms(rng, method or rng.choice(METHODS))
    scenario: dict[str, Any] = {
        "name": "random life",
        "currency": "CNY",
        "terms": terms,
        "events": [],
        "as_of": [],
    }
    for day in event_days(rng, terms, rng.randint(0, max_events)):
        add_event(rng, scenario, day)
    scenario["as_of"] = dates_to_look_at(rng, scenario)
    if rng.random() < 0.15:
        scenario["known_on"] = day_text(rng.choice([last_booked(scenario), middle_booked(scenario)]))
    if rng.random() < 0.3:
        shuffle_keeping_ties(rng, scenario["events"])
    return scenario


# ---------------------------------------------------------------------------------------------------------------------
# Terms
# ---------------------------------------------------------------------------------------------------------------------


def random_terms(rng: random.Random, method: str) -> dict[str, Any]:
    """Terms of one method; each option is left at its default most of the time."""
    start = date(2023, 1, 1) + timedelta(days=rng.randint(0, 500))
    if rng.random() < 0.2:
        start = rng.choice([date(2024, 1, 31), date(2024, 2, 29), date(2023, 8, 31), date(2023, 12, 30)])
    terms: dict[str, Any] = {
        "method": method,
        "principal": amount_text(random_principal(rng)),
        "rate": random_rate(rng),
        "day_count": "30E/360" if rng.random() < 0.3 else "actual",
        "start": day_text(start),
    }
    terms |= random_length(rng, start)
    terms |= random_options(rng)
    if method == "sweep":
        terms["sweep"] = random_sweep(rng)
    return terms


def random_principal(rng: random.Random) -> int:
    round_ones = [100000, 1000000, 1200000, 6000000, 30000000]
    return rng.choice([*round_ones, rng.randint(1000, 99999), rng.randint(100000, 99999999)])


def random_rate(rng: random.Random) -> Any:
    """A rate in one of the forms people write, up to about 0.1% a day."""
    wan = Fraction(rng.randint(5, 100), 10)
    per_day = decimal_text(wan / 10000)
    yearly = Fraction(rng.randint(20, 360), 10)
    basis = rng.choice([360, 365])
    forms: list[Any] = [
        f"{decimal_text(wan / 100)}%/day",
        f"万{decimal_text(wan)}",
        f"{decimal_text(yearly)}%/year/{basis}",
        {"value": per_day, "per": "day"},
        {"value": decimal_text(yearly / 100), "per": "year", "basis": basis},
    ]
    return {"value": "0", "per": "day"} if rng.random() < 0.03 else rng.choice(forms)


def random_length(rng: random.Random, start: date) -> dict[str, Any]:
    months = rng.choice([1, 2, 3, 3, 4, 6, 6, 9, 12])
    if rng.random() < 0.03:
        months = rng.choice([18, 24, 36])
    kind = rng.random()
    if kind < 0.6:
        return {"term": f"{months}m"}
    if kind < 0.85:
        return {"term": f"{rng.choice([7, 30, 45, 90, 120, 180, rng.randint(5, 200)])}d"}
    return {"maturity": day_text(start + timedelta(days=rng.randint(5, 250)))}


def random_options(rng: random.Random) -> dict[str, Any]:
    """Options of a product, each with its own chance of being set."""
    options: dict[str, Any] = {
        "penalty": {
            "multiple": rng.choice(["1.5", "1.5", "1.3", "1.4", "1.0", "1.25"]),
            "annual_cap": rng.choice([None, None, "0.24", "0.12"]),
            "on_interest": rng.random() < 0.3,
        }
    }
    chances: list[tuple[str, float, Any]] = [
        ("due_day", 0.25, rng.choice([1, 5, 10, 15, 21, 28, 29, 30, 31])),
        ("grace_days", 0.4, rng.randint(1, 10)),
        ("interest_free_days", 0.2, rng.choice([3, 7, 15, 40])),
        ("min_interest_days", 0.2, rng.choice([3, 7, 15, 30, 45])),
        ("early_days", 0.4, rng.choice([0, 1, 5, 15, 20])),
        ("prepayment", 0.4, "shorten_term"),
        ("across", 0.35, "instalment"),
        ("allocation", 0.2, list(rng.choice(ALLOCATIONS))),
        ("allocation_non_performing", 0.15, list(rng.choice(ALLOCATIONS))),
    ]
    for name, chance, value in chances:
        if rng.random() < chance:
            options[name] = value
    return options


def random_sweep(rng: random.Random) -> dict[str, Any]:
    sweep: dict[str, Any] = {"share": rng.choice(["0.10", "0.15", "0.3", "0.055"])}
    sweep["minimum"] = {
        "fraction": rng.choice(["1/18", "0.05", "0.10", "1/3", "0.25"]),
        "of": "initial_balance",
        "every": rng.choice(["60d", "90d", "30d", "45d"]),
    }
    return sweep


# ---------------------------------------------------------------------------------------------------------------------
# Days
# ---------------------------------------------------------------------------------------------------------------------


def event_days(rng: random.Random, terms: dict[str, Any], count: int) -> list[date]:
    """Value dates from the start to some time after the maturity: random ones, due dates and days near them, twins."""
    read = daily.read_terms({"terms": terms}, 2)
    late = rng.choice([0, 15, 60, 150])
    span = (read.maturity - read.start).days + late
    if rng.random() < 0.4:
        span = max(1, span // 2)
    dues = [
        due for due in daily.due_dates(read, read.start, read.maturity) if (due - read.start).days <= span
    ]
    days: list[date] = []
    for _ in range(count):
        kind = rng.random()
        if days and kind < 0.2:
            days.append(rng.choice(days))
        elif dues and kind < 0.6:
            near = rng.choice(dues) + timedelta(
                days=rng.choice([0, 0, 0, 1, -1, 2, 3, 4, 5, 11, -3, -9, -10, -11])
            )
            days.append(max(read.start, near))
        else:
            days.append(read.start + timedelta(days=rng.randint(0, span)))
    return sorted(days)


def dates_to_look_at(rng: random.Random, scenario: dict[str, Any]) -> list[str]:
    """Up to twelve dates, ascending: event days, due dates, days near them; seldom one before the start."""
    read = daily.read_terms(scenario, 2)
    wanted = {
        read.start + timedelta(days=rng.randint(0, (read.maturity - read.start).days + 40)) for _ in range(3)
    }
    for event in scenario["events"]:
        if event["type"] != "reverse":
            wanted.add(daily.as_date(event["date"]) + timedelta(days=rng.choice([0, 0, 0, 1, -1])))
    dues = daily.due_dates(read, read.start, read.maturity)
    wanted |= {
        due + timedelta(days=rng.choice([0, 0, 1, read.grace_days, read.grace_days + 1])) for due in dues
    }
    kept = {max(day, read.start) for day in rng.sample(sorted(wanted), min(len(wanted), rng.randint(1, 11)))}
    if rng.random() < 0.05:
        kept.add(read.start - timedelta(days=1))
    return [day_text(day) for day in sorted(kept)]


def booking_day(rng: random.Random, day: date, earliest: date | None = None) -> date:
    """Mostly the value date itself, sometimes a few days later; never before `earliest`."""
    booked = day + timedelta(days=rng.choice([1, 2, 5, 20])) if rng.random() < 0.15 else day
    return booked if earliest is None else max(booked, earliest)


def booked_on(event: dict[str, Any]) -> date:
    return daily.as_date(event.get("booked") or event["date"])


def last_booked(scenario: dict[str, Any]) -> date:
    booked = [booked_on(event) for event in scenario["events"]]
    return max(booked, default=daily.as_date(scenario["terms"]["start"]))


def middle_booked(scenario: dict[str, Any]) -> date:
    booked = sorted(booked_on(event) for event in scenario["events"])
    return booked[len(booked) // 2] if booked else daily.as_date(scenario["terms"]["start"])


# ---------------------------------------------------------------------------------------------------------------------
# Events
# ---------------------------------------------------------------------------------------------------------------------


def add_event(rng: random.Random, scenario: dict[str, Any], day: date) -> None:
    """One more event, valued on a day that is not before those of all others."""
    loan = daily.loan_on(scenario, day)
    kinds = [kind for kind in EVENT_WEIGHTS if is_applicable(kind, scenario, loan, day)]
    kind = rng.choices(kinds, [EVENT_WEIGHTS[each] for each in kinds])[0]
    if kind == "reverse":
        event = reversal(rng, scenario)
    else:
        event = {"type": kind, "date": day_text(day)} | body_of(rng, kind, loan, day)
        if event["type"] == "repay" and loan.written_off and rng.random() < 0.7:
            event["type"] = "recover"
            event.pop("apply", None)
        needs_the_others = loan.written_off or kind in ("refund", "extend")
        booked = booking_day(rng, day, last_booked(scenario) if needs_the_others else None)
        if booked != day or rng.random() < 0.1:
            event["booked"] = day_text(booked)
    scenario["events"].append({"id": f"e{len(scenario['events']) + 1}"} | event)


def is_applicable(kind: str, scenario: dict[str, Any], loan: daily.Loan, day: date) -> bool:
    """What a lender would take on that day. `loan` knows all events so far."""
    same_day = [event["type"] for event in scenario["events"] if event.get("date") == day_text(day)]
    if kind == "settlement":
        return loan.terms.method == "sweep"
    if kind == "refund":
        return loan.credit > 0
    if kind == "reverse":
        return bool(reversible(scenario))
    if kind == "extend":
        return not loan.written_off and loan.principal() > 0 and "extend" not in same_day
    if kind == "write_off":
        return not loan.written_off and loan.owed() > 0 and "write_off" not in same_day
    if kind in ("rate_change", "pause_interest"):
        return not loan.written_off
    return True


def body_of(rng: random.Random, kind: str, loan: daily.Loan, day: date) -> dict[str, Any]:
    if kind == "repay":
        return repayment(rng, loan, day)
    if kind == "settlement":
        return {"amount": amount_text(settlement_amount(rng, loan, day))}
    if kind == "fee":
        return {"amount": amount_text(rng.choice([1000, 2000, rng.randint(1, 5000)])), "name": "dunning"}
    if kind == "waive":
        return waiver(rng, loan)
    if kind == "rate_change":
        return {"rate": random_rate(rng)}
    if kind == "pause_interest":
        first = day + timedelta(days=rng.choice([0, 0, 5, -5]))
        return {"from": day_text(first), "to": day_text(max(first, day) + timedelta(days=rng.randint(1, 40)))}
    if kind == "extend":
        return {
            "maturity": day_text(max(day, loan.maturity) + timedelta(days=rng.choice([1, 10, 30, 61, 92])))
        }
    if kind == "refund":
        return {"amount": amount_text(rng.choice([loan.credit, rng.randint(1, loan.credit)]))}
    return {}


def repayment(rng: random.Random, loan: daily.Loan, day: date) -> dict[str, Any]:
    """An amount that is exactly something, or part of it, or too much; seldom named as principal."""
    amounts = interesting_amounts(loan, day)
    amount = rng.choice(amounts) if amounts else 0
    change = rng.random()
    if change < 0.12:
        amount += rng.choice([1, -1, 100, rng.randint(1, 100000)])
    elif change < 0.35:
        amount = rng.randint(1, max(1, amount))
    elif change < 0.42:
        amount = loan.payoff(day) + rng.choice([1, 3000, rng.randint(1, 50000)])
    elif change < 0.5:
        amount = rng.choice([100, 10000, 100000, 500000])
    body: dict[str, Any] = {"amount": amount_text(max(1, amount))}
    if rng.random() < 0.12:
        body["apply"] = "principal"
    return body


def interesting_amounts(loan: daily.Loan, day: date) -> list[int]:
    """What is due; with the day's interest; with the coming principal; more than that; the payoff; what comes next."""
    due = loan.owed() - loan.not_due - loan.accrued_interest()
    to_the_day = due + loan.accrued_interest()
    amounts = [due, due, to_the_day, loan.owed(), loan.payoff(day), to_the_day + loan.not_due // 3]
    if loan.plan:
        coming = to_the_day + loan.plan[0].principal
        amounts += [coming, coming, coming - 1, coming + loan.not_due // 4]
    following = daily.next_due(loan, day)
    amounts += [following[1]] if following else []
    oldest = min(loan.dues, key=lambda row: row.due, default=None)
    amounts += [oldest.interest + oldest.principal] if oldest else []
    return [amount for amount in amounts if amount > 0]


def settlement_amount(rng: random.Random, loan: daily.Loan, day: date) -> int:
    """A shop's net settlement: sometimes negative, sometimes so large that the payoff limits the sweep."""
    if rng.random() < 0.08:
        return -rng.randint(1, 100000)
    wanted = rng.choice([loan.terms.sweep_minimum, loan.terms.sweep_minimum // 2, loan.terms.principal // 10])
    if rng.random() < 0.1:
        wanted = 2 * loan.payoff(day)
    return int(max(1, wanted) / loan.terms.sweep_share) + rng.randint(0, 5000)


def waiver(rng: random.Random, loan: daily.Loan) -> dict[str, Any]:
    """All or part of a component, sometimes more than is owed."""
    component = rng.choice(["fees", "penalty", "interest", "interest", "principal"])
    owed = {
        "fees": loan.fees,
        "penalty": loan.penalty(),
        "interest": rng.choice([loan.interest(), loan.due_interest()]),
        "principal": rng.choice([loan.principal(), loan.not_due // 2, loan.not_due // 5]),
    }[component]
    amount = rng.choice([owed, rng.randint(1, max(1, owed)), owed + rng.randint(1, 500)])
    return {"component": component, "amount": amount_text(max(1, amount))}


# ---------------------------------------------------------------------------------------------------------------------
# Reversals
# ---------------------------------------------------------------------------------------------------------------------


def reversible(scenario: dict[str, Any]) -> list[dict[str, Any]]:
    """The events that count now and whose reversal leaves a life that a lender could have entered."""
    given = scenario["events"]
    events = daily.read_events({"events": given}, 2, date.min)
    counting = [event.body for event in events if daily.reversed_by(event, events) is None]
    return [event for event in counting if may_be_reversed(event, scenario)]


def may_be_reversed(event: dict[str, Any], scenario: dict[str, Any]) -> bool:
    """A write-off flips only before anything follows it; extensions that count stay in rising order."""
    given = scenario["events"]
    root = event
    while root["type"] == "reverse":
        root = next(each for each in given if each["id"] == root["of"])
    if root["type"] == "write_off":
        return event is given[-1]
    return root["type"] != "extend" or extensions_rise(
        [*given, {"id": "trial", "type": "reverse", "of": event["id"]}]
    )


def extensions_rise(given: list[dict[str, Any]]) -> bool:
    """Whether each extension that counts goes beyond the one before it."""
    bodies = [body if body["type"] != "reverse" else body | {"booked": "9999-01-01"} for body in given]
    events = daily.read_events({"events": bodies}, 2, date.min)
    counting = [
        event for event in events if event.type == "extend" and daily.reversed_by(event, events) is None
    ]
    maturities = [event.body["maturity"] for event in sorted(counting, key=daily.ledger_order)]
    return all(earlier < later for earlier, later in pairwise(maturities))


def reversal(rng: random.Random, scenario: dict[str, Any]) -> dict[str, Any]:
    """A reversal of an event that counts, often a recent one or a reversal; booked no earlier than all before it."""
    choice = reversible(scenario)
    reversals = [event for event in choice if event["type"] == "reverse"]
    target = rng.choice(reversals) if reversals and rng.random() < 0.4 else rng.choice(choice[-5:])
    booked = last_booked(scenario) + timedelta(days=rng.choice([0, 0, 1, 3]))
    return {"type": "reverse", "of": target["id"], "booked": day_text(booked)}


# ---------------------------------------------------------------------------------------------------------------------
# Writing
# ---------------------------------------------------------------------------------------------------------------------


def shuffle_keeping_ties(rng: random.Random, events: list[dict[str, Any]]) -> None:
    """Another order in the file, in which events of one day and kind keep their turn."""
    keys = [(event["type"], event.get("date")) for event in events]
    order = list(range(len(events)))
    rng.shuffle(order)
    turns = {
        key: iter([event for event, own in zip(events, keys, strict=True) if own == key]) for key in set(keys)
    }
    events[:] = [next(turns[keys[index]]) for index in order]


def day_text(day: date) -> str:
    return day.isoformat()


def amount_text(minor: int) -> str:
    return daily.money(minor, 2)


def decimal_text(value: Fraction) -> str:
    """A fraction that ends, as a plain decimal."""
    scaled = value * 10**8
    if scaled.denominator != 1:
        raise ValueError(f"more than eight decimals: {value}")
    text = f"{int(scaled) // 10**8}.{int(scaled) % 10**8:08d}".rstrip("0")
    return text.rstrip(".")
