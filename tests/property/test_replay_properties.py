"""What holds of every life of a loan, whatever happens in it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from microloan.accounting.position import moved, position
from microloan.days import day_number
from microloan.servicing.accrual import booked
from microloan.servicing.events import Event, Repaid, Reversed, event_from_payload, event_payload
from microloan.servicing.replay import accrual_rows, effective, evenings, life, replay, standing
from microloan.servicing.scenario import Scenario, read_scenario
from microloan.servicing.state import LoanState
from microloan.terms import LoanTerms
from tests.reference import histories

DAY = timedelta(days=1)


def drawn_life(seed: int, events: int = 14) -> Scenario:
    return read_scenario(histories.random_scenario(random.Random(seed), max_events=events))


lives = st.builds(drawn_life, st.integers(0, 2**32), st.integers(0, 14))


def days_of(scenario: Scenario) -> list[date]:
    """Every day of interest: around each event, each date asked for, and the ends of the loan."""
    marks = {scenario.terms.start, scenario.terms.last_day, *scenario.as_of}
    marks |= {event.value_date for event in scenario.events}
    return sorted({mark + shift for mark in marks for shift in (-DAY, timedelta(), DAY)})


@settings(deadline=None)
@given(lives)
def test_no_component_is_ever_negative_and_the_totals_add_up(scenario: Scenario) -> None:
    for state in life(scenario.terms, scenario.events, days_of(scenario)).states:
        owed = (
            state.principal,
            state.interest,
            state.penalty,
            state.fees,
            state.credit_balance,
            state.payoff,
        )
        assert min(owed) >= 0
        charged = state.interest_charged + state.penalty_charged + state.fees_charged
        waived = state.interest_waived + state.penalty_waived + state.fees_waived + state.principal_waived
        left = sum(owed[:4]) - state.credit_balance
        assert left == state.drawn + charged - state.received + state.refunded - waived
        assert state.interest == state.interest_charged - state.interest_paid - state.interest_waived
        assert state.penalty == state.penalty_charged - state.penalty_paid - state.penalty_waived


@settings(deadline=None)
@given(lives)
def test_the_parts_of_every_receipt_sum_to_it(scenario: Scenario) -> None:
    last = days_of(scenario)[-1]
    for row in life(scenario.terms, scenario.events, [last]).ledger:
        if row.kind in ("repay", "recover") and row.reversed_by is None:
            split = row.split
            assert row.amount == split.fees + split.penalty + split.interest + split.principal + split.credit


@settings(deadline=None)
@given(lives)
def test_looking_at_many_days_changes_nothing(scenario: Scenario) -> None:
    days = days_of(scenario)
    for state in life(scenario.terms, scenario.events, days).states:
        assert replay(scenario.terms, scenario.events, state.as_of) == state


@settings(deadline=None)
@given(lives, st.randoms(use_true_random=False))
def test_the_order_of_entry_does_not_matter(scenario: Scenario, rng: random.Random) -> None:
    shuffled = list(scenario.events)
    rng.shuffle(shuffled)
    last = days_of(scenario)[-1]
    assert replay(scenario.terms, shuffled, last) == replay(scenario.terms, scenario.events, last)


@settings(deadline=None)
@given(lives, st.integers(0, 10**6))
def test_an_event_and_its_reversal_restore_the_state(scenario: Scenario, pick: int) -> None:
    standing, _ = effective(scenario.terms, scenario.events)
    assume(standing)
    event = standing[pick % len(standing)]
    gone = chain_of(scenario.events, event.id)
    without = [other for other in scenario.events if other.id not in gone]
    taken_back = Reversed(
        id="undo", value_date=event.booked_on, booked_on=event.booked_on, sequence=999, of=event.id
    )
    with_both = [*without, event, taken_back]
    for day in days_of(scenario):
        assert replay(scenario.terms, with_both, day) == replay(scenario.terms, without, day)


def chain_of(events: Sequence[Event], first: str) -> set[str]:
    """An event, its reversals, their reversals …"""
    chain = {first}
    for _ in events:
        chain |= {event.id for event in events if isinstance(event, Reversed) and event.of in chain}
    return chain


@settings(deadline=None)
@given(lives)
def test_known_on_in_the_past_is_what_was_shown_then(scenario: Scenario) -> None:
    for booked_on in sorted({event.booked_on for event in scenario.events}):
        known = [event for event in scenario.events if event.booked_on <= booked_on]
        for day in (booked_on, booked_on + 40 * DAY):
            assert replay(scenario.terms, scenario.events, day, known_on=booked_on) == replay(
                scenario.terms, known, day
            )


@settings(deadline=None)
@given(lives)
def test_the_plan_of_an_untouched_loan_repays_it_exactly(scenario: Scenario) -> None:
    rows = life(scenario.terms, [], [scenario.terms.start]).schedule
    assert sum(row.principal for row in rows) == scenario.terms.principal_minor
    assert all(row.principal >= 0 and row.interest >= 0 for row in rows)
    assert rows[-1].balance == 0


@settings(deadline=None)
@given(lives)
def test_the_payoff_closes_the_loan(scenario: Scenario) -> None:
    for day in days_of(scenario):
        known = [event for event in scenario.events if event.value_date <= day]
        state = replay(scenario.terms, known, day)
        if state.payoff == 0 or state.written_off or day < scenario.terms.start:
            continue
        paid = Repaid(id="payoff", value_date=day, booked_on=day, sequence=999, amount_minor=state.payoff)
        undated_later = [event for event in known if event.order() <= paid.order()]
        if len(undated_later) != len(effective_ids(scenario.terms, known, day)):
            continue
        after = replay(scenario.terms, [*known, paid], day)
        assert (after.status, after.payoff, after.principal) == ("closed", 0, 0)


def effective_ids(terms: LoanTerms, events: list[Event], day: date) -> list[str]:
    return [event.id for event in effective(terms, events)[0] if event.value_date <= day]


@settings(deadline=None)
@given(lives)
def test_the_accrual_row_is_the_replay_until_its_next_action(scenario: Scenario) -> None:
    for day in days_of(scenario):
        if day < scenario.terms.start:
            assert accrual_rows(scenario.terms, scenario.events, day) == ()
            continue
        known = [event for event in scenario.events if event.value_date <= day]
        for row in accrual_rows(scenario.terms, known, day):
            assert row.next_action > day
            probes = {day, day + DAY, row.next_action - DAY, day + (row.next_action - day) // 2}
            for probe in probes:
                if not day <= probe < row.next_action or probe > day + 4000 * DAY:
                    continue
                state = replay(scenario.terms, known, probe)
                total = state.interest_charged if row.component == "interest" else state.penalty_charged
                assert booked(row, day_number(probe, scenario.terms.day_count)) == total
                assert (row.class_, bool(row.memo)) == (state.classification, state.non_accrual)


@settings(deadline=None)
@given(lives)
def test_where_a_loan_stands_is_what_three_walks_tell(scenario: Scenario) -> None:
    for day in days_of(scenario):
        there = standing(scenario.terms, scenario.events, day)
        (state,) = evenings(scenario.terms, scenario.events, [day])
        assert there.state == state
        ledger = {row.id: row for row in life(scenario.terms, scenario.events, [day]).ledger}
        assert all(ledger[row.id] == row for row in there.ledger)
        assert len(there.ledger) == len(effective_ids(scenario.terms, scenario.events, day))
        owing = state.status not in ("closed", "pending")
        assert there.rows == (accrual_rows(scenario.terms, scenario.events, day) if owing else ())


@settings(deadline=None)
@given(lives)
def test_the_position_sums_to_zero_and_moves_by_what_was_earned(scenario: Scenario) -> None:
    before = LoanState(as_of=scenario.terms.start, status="pending")
    for day in days_of(scenario):
        now = replay(scenario.terms, scenario.events, day)
        assert sum(position(now).values()) == 0
        assert sum(moved(before, now).values()) == 0
        dawn = position(replay(scenario.terms, scenario.events, day, before_morning=True))
        assert sum(dawn.values()) == 0
        before = now


@settings(deadline=None)
@given(lives)
def test_terms_and_events_come_back_from_storage_as_they_were(scenario: Scenario) -> None:
    assert LoanTerms.parse(scenario.terms.canonical()) == scenario.terms
    for event in scenario.events:
        again = event_from_payload(
            event.kind,
            event_payload(event),
            id=event.id,
            value_date=event.value_date,
            booked_on=event.booked_on,
            sequence=event.sequence,
        )
        assert again == event
