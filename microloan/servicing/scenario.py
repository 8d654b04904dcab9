"""A loan's life as data: read a scenario file's mapping, replay it, compare it with what the file expects.

Source: CONTRACT 2 (the format).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from ..days import parse_date
from ..errors import BadInput, InvalidEvent
from ..money import amount_text, currency_digits, positive_minor, to_minor
from ..rates import Rate
from ..terms import COMPONENTS, METHODS, Component, LoanTerms
from .events import (
    Event,
    Extended,
    FeeCharged,
    InterestPaused,
    RateChanged,
    Recovered,
    Refunded,
    Repaid,
    Restructured,
    Reversed,
    Settled,
    Waived,
    WrittenOff,
)
from .replay import Life, life
from .state import LedgerRow, LoanState, ScheduleRow

_KEYS = {"name", "currency", "terms", "events", "as_of", "known_on", "expect"}


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario file, understood."""

    name: str
    currency: str
    terms: LoanTerms
    events: tuple[Event, ...]
    as_of: tuple[date, ...]
    known_on: date | None
    expect: tuple[Mapping[str, Any], ...]


def simulate(given: Mapping[str, Any]) -> dict[str, Any]:
    """Run a scenario: ``{"name", "schedule", "ledger", "states"}`` as ``microloan simulate --json`` prints it.

    Amounts are strings with the currency's digits. Raises BadInput (or one of its kinds) naming the field. With an
    ``expect`` list that is not met the result also has ``failures``: ``{"where", "field", "expected", "got"}``.

    *Source:* CONTRACT 2.

    >>> simulate({"name": "a day", "terms": {"method": "anytime", "principal": "300000", "rate": "0.048%/day",
    ...           "start": "2017-05-01", "term": "90d"}, "as_of": ["2017-05-02"]})["states"][0]["interest"]
    '144.00'
    """
    scenario = read_scenario(given)
    shown = shown_life(
        scenario, life(scenario.terms, scenario.events, scenario.as_of, known_on=scenario.known_on)
    )
    failures = expectation_failures(scenario.expect, shown)
    return {**shown, "failures": failures} if failures else shown


def read_scenario(given: Mapping[str, Any]) -> Scenario:
    """The scenario of a mapping; one typed error for the first fault.

    >>> terms = {"method": "anytime", "principal": "300000", "rate": "0.048%/day", "start": "2017-05-01", "term": "90d"}
    >>> paid = {"id": "r1", "type": "repay", "date": "2017-05-31", "amount": "100000"}
    >>> read = read_scenario({"terms": terms, "events": [paid]})
    >>> read.currency, read.as_of, read.events[0].amount_minor
    ('CNY', (datetime.date(2017, 5, 1),), 10000000)
    """
    if not isinstance(given, Mapping):
        raise BadInput(field="scenario", value=type(given).__name__, reason="a scenario is a mapping")
    unknown = sorted(set(map(str, given)) - _KEYS)
    if unknown:
        raise BadInput(
            field="scenario", value=unknown[0], reason=f"known keys are {', '.join(sorted(_KEYS))}"
        )
    currency = given.get("currency") or "CNY"
    currency_digits(currency)
    if not isinstance(given.get("terms"), Mapping):
        raise BadInput(
            field="terms", value=given.get("terms"), reason="a scenario needs the terms of its loan"
        )
    terms = LoanTerms.parse(given["terms"], currency)
    as_of = tuple(parse_date(day, "as_of") for day in _listed(given, "as_of"))
    known_on = given.get("known_on")
    return Scenario(
        name=str(given.get("name", "")),
        currency=currency,
        terms=terms,
        events=_events(_listed(given, "events"), terms),
        as_of=as_of or (terms.start,),
        known_on=None if known_on is None else parse_date(known_on, "known_on"),
        expect=tuple(_listed(given, "expect")),
    )


def _listed(given: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = given.get(key) or ()
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        if key == "as_of":
            return (value,)
        raise BadInput(field=key, value=str(value)[:80], reason="must be a list")
    return value


# -- events ------------------------------------------------------------------------------------------------------------


def _events(given: Sequence[Any], terms: LoanTerms) -> tuple[Event, ...]:
    events = tuple(_event(entry, place, terms) for place, entry in enumerate(given, 1))
    seen: set[str] = set()
    for event in events:
        if event.id in seen:
            raise InvalidEvent(id=event.id, field="id", value=event.id, reason="two events have this id")
        seen.add(event.id)
    return events


def _event(entry: Any, place: int, terms: LoanTerms) -> Event:
    if not isinstance(entry, Mapping):
        raise InvalidEvent(
            id=f"#{place}", field="event", value=str(entry)[:80], reason="an event is a mapping"
        )
    fields = dict(entry)
    event_id = str(fields.pop("id", f"e{place}"))
    kind = fields.pop("type", None)
    if not isinstance(kind, str) or kind not in _READERS:
        raise InvalidEvent(
            id=event_id, field="type", value=kind, reason=f"known are {', '.join(sorted(_READERS))}"
        )
    if kind == "settlement" and terms.method != "sweep":
        raise InvalidEvent(
            id=event_id, field="type", value=kind, reason="only a sweep loan takes settlements"
        )
    common = {"id": event_id, "sequence": place, **_dates(event_id, kind, fields)}
    try:
        event = _READERS[kind](fields, common, terms.currency)
    except KeyError as missing:
        raise InvalidEvent(id=event_id, field=str(missing.args[0]), value=None, reason="is missing") from None
    if fields:
        raise InvalidEvent(
            id=event_id, field=sorted(fields)[0], value=kind, reason="is no field of this type of event"
        )
    return event


def _dates(event_id: str, kind: str, fields: dict[str, Any]) -> dict[str, date]:
    day, booked = fields.pop("date", None), fields.pop("booked", None)
    if kind == "reverse":
        day = day if booked is None else booked
        booked = day
    if day is None:
        raise InvalidEvent(
            id=event_id, field="booked" if kind == "reverse" else "date", value=None, reason="is missing"
        )
    value_date = parse_date(day, f"{event_id}.date")
    return {
        "value_date": value_date,
        "booked_on": value_date if booked is None else parse_date(booked, f"{event_id}.booked"),
    }


def _repaid(fields: dict[str, Any], common: dict[str, Any], currency: str) -> Event:
    apply = fields.pop("apply", None)
    if apply not in (None, "principal"):
        raise InvalidEvent(id=common["id"], field="apply", value=apply, reason="only principal can be named")
    return Repaid(**common, amount_minor=_amount(fields, common, currency), to_principal=apply == "principal")


def _waived(fields: dict[str, Any], common: dict[str, Any], currency: str) -> Event:
    part = fields.pop("component")
    if part not in COMPONENTS:
        raise InvalidEvent(
            id=common["id"], field="component", value=part, reason=f"one of {', '.join(COMPONENTS)}"
        )
    return Waived(**common, component=cast(Component, part), amount_minor=_amount(fields, common, currency))


def _paused(fields: dict[str, Any], common: dict[str, Any], currency: str) -> Event:
    first, until = parse_date(fields.pop("from"), "from"), parse_date(fields.pop("to"), "to")
    if until <= first:
        raise InvalidEvent(id=common["id"], field="to", value=str(until), reason="must lie after from")
    return InterestPaused(**common, first=first, until=until)


def _extended(fields: dict[str, Any], common: dict[str, Any], currency: str) -> Event:
    return Extended(**common, maturity=parse_date(fields.pop("maturity"), "maturity"))


def _restructured(fields: dict[str, Any], common: dict[str, Any], currency: str) -> Event:
    maturity, due_day = parse_date(fields.pop("maturity"), "maturity"), fields.pop("due_day", None)
    method, rate = fields.pop("method", None), fields.pop("rate", None)
    if method not in (None, *METHODS):
        raise InvalidEvent(
            id=common["id"], field="method", value=method, reason=f"one of {', '.join(METHODS)}"
        )
    if due_day is not None and due_day not in range(1, 32):
        raise InvalidEvent(
            id=common["id"], field="due_day", value=due_day, reason="a day of the month, 1 to 31"
        )
    new_rate = None if rate is None else Rate.parse(rate, f"{common['id']}.rate")
    return Restructured(**common, maturity=maturity, method=method, due_day=due_day, rate=new_rate)


def _settled(fields: dict[str, Any], common: dict[str, Any], currency: str) -> Event:
    return Settled(**common, amount_minor=to_minor(fields.pop("amount"), currency, f"{common['id']}.amount"))


def _amount(fields: dict[str, Any], common: dict[str, Any], currency: str) -> int:
    return positive_minor(fields.pop("amount"), currency, f"{common['id']}.amount")


_READERS: dict[str, Callable[[dict[str, Any], dict[str, Any], str], Event]] = {
    "repay": _repaid,
    "waive": _waived,
    "pause_interest": _paused,
    "extend": _extended,
    "restructure": _restructured,
    "settlement": _settled,
    "fee": lambda f, c, cur: FeeCharged(**c, amount_minor=_amount(f, c, cur), name=str(f.pop("name", ""))),
    "rate_change": lambda f, c, cur: RateChanged(**c, rate=Rate.parse(f.pop("rate"), f"{c['id']}.rate")),
    "write_off": lambda f, c, cur: WrittenOff(**c),
    "recover": lambda f, c, cur: Recovered(**c, amount_minor=_amount(f, c, cur)),
    "refund": lambda f, c, cur: Refunded(**c, amount_minor=_amount(f, c, cur)),
    "reverse": lambda f, c, cur: Reversed(**c, of=str(f.pop("of")), reason=str(f.pop("reason", ""))),
}


# -- what is shown -----------------------------------------------------------------------------------------------------


def shown_life(scenario: Scenario, told: Life) -> dict[str, Any]:
    """The JSON shape of a life: amounts as text, dates as ISO text.

    >>> terms = {"method": "anytime", "principal": "300000", "rate": "0.048%/day", "start": "2017-05-01", "term": "90d"}
    >>> scenario = read_scenario({"name": "ninety days", "terms": terms})
    >>> shown_life(scenario, life(scenario.terms, (), scenario.as_of))["schedule"][0]["total"]
    '312960.00'
    """
    currency = scenario.currency
    return {
        "name": scenario.name,
        "schedule": [shown_row(row, currency) for row in told.schedule],
        "ledger": [shown_event(row, currency) for row in told.ledger],
        "states": [shown_state(state, currency) for state in told.states],
    }


def shown_row(row: ScheduleRow, currency: str) -> dict[str, Any]:
    """One line of the plan.

    >>> shown_row(ScheduleRow(1, date(2017, 7, 30), 30000000, 1296000, 0), "CNY")["total"]
    '312960.00'
    """
    return {
        "n": row.n,
        "due": row.due.isoformat(),
        "principal": amount_text(row.principal, currency),
        "interest": amount_text(row.interest, currency),
        "total": amount_text(row.total, currency),
        "balance": amount_text(row.balance, currency),
    }


def shown_event(row: LedgerRow, currency: str) -> dict[str, Any]:
    """One line of the ledger; ``principal_after`` is absent where it says nothing.

    >>> from .state import Split
    >>> day = date(2017, 5, 31)
    >>> row = LedgerRow("r1", "repay", day, day, 10000000, Split(interest=432000, principal=9568000), 20432000, None)
    >>> shown_event(row, "CNY")["principal_after"]
    '204320.00'
    """
    shown: dict[str, Any] = {
        "id": row.id,
        "type": row.kind,
        "date": None if row.value_date is None else row.value_date.isoformat(),
        "booked": row.booked_on.isoformat(),
        "amount": None if row.amount is None else amount_text(row.amount, currency),
    }
    for part in ("fees", "penalty", "interest", "principal", "credit"):
        shown[part] = amount_text(getattr(row.split, part), currency)
    if row.principal_after is not None:
        shown["principal_after"] = amount_text(row.principal_after, currency)
    shown["reversed_by"] = row.reversed_by
    return shown


def shown_state(state: LoanState, currency: str) -> dict[str, Any]:
    """What the loan owes on a date.

    >>> shown_state(LoanState(as_of=date(2017, 5, 31), status="active", principal=30000000), "CNY")["principal"]
    '300000.00'
    """
    amounts = {
        name: amount_text(getattr(state, name), currency)
        for name in (
            "principal", "interest", "penalty", "fees", "payoff", "interest_charged", "penalty_charged", "interest_paid",
        )
    }  # fmt: skip
    due = state.next_due
    return {
        "as_of": state.as_of.isoformat(),
        "status": state.status,
        **amounts,
        "days_past_due": state.days_past_due,
        "classification": state.classification,
        "credit_balance": amount_text(state.credit_balance, currency),
        "next_due": None
        if due is None
        else {"date": due.date.isoformat(), "amount": amount_text(due.amount, currency)},
    }


# -- expectations ------------------------------------------------------------------------------------------------------


def expectation_failures(
    expect: Sequence[Mapping[str, Any]], shown: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Every named field that came out differently; an entry that matches nothing is a failure too.

    >>> shown = {"states": [{"as_of": "2017-05-31", "interest": "4320.00"}], "ledger": [], "schedule": []}
    >>> expectation_failures([{"as_of": "2017-05-31", "interest": "4320.01"}], shown)
    [{'where': 'as_of 2017-05-31', 'field': 'interest', 'expected': '4320.01', 'got': '4320.00'}]
    """
    failures: list[dict[str, Any]] = []
    for entry in expect:
        key, rows = _target(entry)
        wanted = _plain(entry[key]) if key else None
        found = next((row for row in shown[rows] if key and row[key] == wanted), None)
        where = f"{key} {wanted}" if key else "expect"
        if found is None:
            failures.append({"where": where, "field": key, "expected": wanted, "got": None})
            continue
        failures += [
            {"where": where, "field": name, "expected": _plain(value), "got": found.get(name)}
            for name, value in entry.items()
            if name != key and found.get(name) != _plain(value)
        ]
    return failures


def _target(entry: Mapping[str, Any]) -> tuple[str, str]:
    if not isinstance(entry, Mapping):
        raise BadInput(field="expect", value=str(entry)[:80], reason="an expectation is a mapping")
    for key, rows in (("as_of", "states"), ("id", "ledger"), ("n", "schedule")):
        if key in entry:
            return key, rows
    raise BadInput(field="expect", value=str(dict(entry))[:80], reason="name as_of, n or id")


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return value
