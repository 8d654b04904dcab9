"""The journal stands under the seals: what is added to a closed day, moved or taken away is named by `verify`.

The sums of accounts cannot tell: an entry and its opposite on another day leave them as they were, and the trial balance
of every day between is false. Source: RELIABILITY 47; SEMANTICS 6 (closed days are never rewritten).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from microloan.book.closing import seal_days
from microloan.book.results import Finding
from microloan.store import closing
from microloan.store.unit import Unit, bucket_in

from .counter import START, Counter, Having
from .test_verification import behind_its_back

REPAID, OPENED = date(2017, 5, 31), date(2017, 6, 10)
COLUMNS = "tenant, bucket, entry, line, day, source, loan, product, class, account, currency, amount_minor"


@dataclass
class Lived:
    """A book with forty closed days: a loan drawn on the first, partly repaid on REPAID, on the last of them and today."""

    counter: Counter
    bucket: int
    loan: str

    def codes(self) -> list[tuple[str, str]]:
        """What verify finds: code and subject."""
        return sorted((finding.code, finding.subject) for finding in self.findings())

    def findings(self) -> tuple[Finding, ...]:
        return self.counter.book.verify().findings

    def entry(self, day: date) -> str:
        """The entry of the command of a day."""
        (found,) = {
            line.entry for line in self.counter.journal() if (line.day, line.source) == (day, "command")
        }
        return found

    def post(
        self, entry: str, day: date, amount: int, *, source: str = "command", bucket: int | None = None
    ) -> None:
        """An entry of money received and earned, written by somebody else; no trigger forbids to add lines."""
        where = self.bucket if bucket is None else bucket
        lines = ((1, "cash", amount), (2, "interest_income", -amount))
        behind_its_back(self.counter.url, f"INSERT INTO ml_journal ({COLUMNS}) VALUES " + ", ".join(
            f"('main', {where}, '{entry}', {number}, {day.toordinal()}, '{source}', '', 'marketplace', '', '{account}', "
            f"'CNY', {minor})"
            for number, account, minor in lines
        ))  # fmt: skip

    def change(self, statement: str) -> None:
        behind_its_back(self.counter.url, statement)

    def sealed(self, *days: date) -> list[tuple[str, str]]:
        """Findings that the journal of these days is not what was sealed."""
        return [("seal_journal", f"{day} bucket {self.bucket}") for day in days]


def forty_days(counter: Counter) -> None:
    loan = counter.loan(counter.line())
    counter.close_until(REPAID)
    counter.book.repay(loan.id, "100000")
    counter.close_until(OPENED - timedelta(days=1))
    counter.book.repay(loan.id, "2000")
    counter.close_until(OPENED)
    counter.book.repay(loan.id, "1000")
    counter.must_be_sound()


@pytest.fixture
def lived(having: Having) -> Lived:
    counter = having(forty_days)
    (loan,) = counter.book.loans()
    return Lived(counter, bucket_in(loan.id, "loan"), loan.id)


def test_an_entry_and_its_opposite_added_to_closed_days_are_named(lived: Lived) -> None:
    first, second = date(2017, 5, 10), date(2017, 6, 1)
    before = lived.counter.book.trial_balance(first).accounts
    lived.post("cmd-00-forged1", first, 900_000)
    lived.post("cmd-00-forged2", second, -900_000)
    assert lived.counter.book.trial_balance(first).accounts != before
    strays = [("entry_without_event", "cmd-00-forged1"), ("entry_without_event", "cmd-00-forged2")]
    assert lived.codes() == strays + lived.sealed(first, second)


def test_an_entry_moved_to_another_day_is_named_and_both_days(lived: Lived) -> None:
    entry, elsewhere = lived.entry(REPAID), REPAID - timedelta(days=5)
    lived.change(f"UPDATE ml_journal SET day = day - 5 WHERE entry = '{entry}'")
    assert lived.codes() == [("entry_without_event", entry), *lived.sealed(elsewhere, REPAID)]


def test_an_entry_moved_into_a_day_of_another_command_of_the_loan_is_named(lived: Lived) -> None:
    entry = lived.entry(REPAID)
    lived.change(f"UPDATE ml_journal SET day = {START.toordinal()} WHERE entry = '{entry}'")
    assert lived.codes() == [("entry_without_event", entry), *lived.sealed(START, REPAID)]


def test_an_entry_taken_out_of_a_closed_day_names_the_day(lived: Lived) -> None:
    accounts = {line.account for line in lived.counter.journal() if line.entry == lived.entry(REPAID)}
    lived.change(f"DELETE FROM ml_journal WHERE entry = '{lived.entry(REPAID)}'")
    found = lived.codes()
    assert [each for each in found if each[0] == "seal_journal"] == lived.sealed(REPAID)
    assert {code for code, _ in found} == {"seal_journal", "ledger_balance"}
    assert len(found) == len(accounts) + 1


@pytest.mark.parametrize(
    "change",
    [
        "loan = 'loan-00-another'",
        "entry = 'cmd-00-another'",
        "line = line + 7",
        "source = 'night'",
        "class = 'loss'",
    ],
)
def test_no_column_of_a_closed_day_can_be_changed(lived: Lived, change: str) -> None:
    lived.change(f"UPDATE ml_journal SET {change} WHERE entry = '{lived.entry(REPAID)}'")
    assert lived.sealed(REPAID)[0] in lived.codes()


@pytest.mark.parametrize("source", ["night", "morning"])
def test_a_night_moved_to_another_day_names_both(lived: Lived, source: str) -> None:
    day = REPAID + timedelta(days=1)  # its morning provides for what was repaid
    sealed = day if source == "night" else REPAID
    lived.change(
        f"UPDATE ml_journal SET day = day + 2 WHERE source = '{source}' AND day = {day.toordinal()} "
        f"AND bucket = {lived.bucket}"
    )
    assert lived.codes() == lived.sealed(sealed, sealed + timedelta(days=2))


def test_the_morning_of_the_open_day_is_sealed_with_the_night_before_it(lived: Lived) -> None:
    lived.change(
        f"UPDATE ml_journal SET day = day - 1 WHERE source = 'morning' AND day = {OPENED.toordinal()} "
        f"AND bucket = {lived.bucket}"
    )
    yesterday = OPENED - timedelta(days=1)
    assert lived.codes() == lived.sealed(yesterday - timedelta(days=1), yesterday)


@pytest.mark.parametrize("source", ["night", "morning"])
def test_nights_and_mornings_belong_to_closed_days(lived: Lived, source: str) -> None:
    day = OPENED if source == "night" else OPENED + timedelta(days=1)
    for number, amount in enumerate((500, -500)):
        lived.post(f"{source}-{number}", day, amount, source=source)
    assert lived.codes() == [("entry_without_seal", f"{source}-0"), ("entry_without_seal", f"{source}-1")]


def test_a_command_nobody_gave_is_named_on_the_open_day_too(lived: Lived) -> None:
    lived.post("cmd-00-forged1", OPENED, 500)
    lived.post("cmd-00-forged2", OPENED, -500)
    assert lived.codes() == [("entry_without_event", f"cmd-00-forged{number}") for number in (1, 2)]


@pytest.mark.parametrize(
    "day", [START - timedelta(days=1), OPENED + timedelta(days=1), date(1, 1, 1), date.max]
)
def test_no_entry_lies_outside_the_days_of_the_book(lived: Lived, day: date) -> None:
    lived.post("cmd-00-forged1", day, 500)
    lived.post("cmd-00-forged2", OPENED, -500)
    strays = [("entry_without_event", f"cmd-00-forged{number}") for number in (1, 2)]
    assert lived.codes() == [*strays, ("entry_without_seal", "cmd-00-forged1")]


def test_nothing_hides_in_a_bucket_that_is_none(lived: Lived) -> None:
    lived.post("cmd-00-forged1", date(2017, 5, 10), 500, bucket=77)
    lived.post("cmd-00-forged2", date(2017, 6, 1), -500, bucket=77)
    assert lived.codes() == [("row_count", "ml_journal")]


def test_the_entry_of_another_commands_event_is_no_excuse(lived: Lived) -> None:
    """The command exists, and booked an event: on another day."""
    entry = lived.entry(REPAID)
    lived.change(
        f"INSERT INTO ml_journal ({COLUMNS}) SELECT tenant, bucket, entry, line + 50, day + 2, source, loan, product, class, "
        f"account, currency, -amount_minor FROM ml_journal WHERE entry = '{entry}'"
    )
    assert ("entry_without_event", entry) in lived.codes()


def test_seals_written_anew_over_a_false_journal_are_caught_by_the_anchor(
    lived: Lived, tmp_path: Path
) -> None:
    """Whoever can write the journal can also seal it again; what is kept elsewhere says otherwise."""
    book, day = lived.counter.book, date(2017, 6, 1)
    book.anchor(tmp_path / "anchor")
    lived.change(f"UPDATE ml_journal SET loan = 'loan-00-another' WHERE entry = '{lived.entry(REPAID)}'")
    seal_again(lived)
    assert lived.codes() == []
    found = {finding.code for finding in book.verify(anchor=tmp_path / "anchor").findings}
    assert found == {"anchor_seal"}, day


def seal_again(lived: Lived) -> None:
    """What a forger would do: the close's own sealing over the changed journal."""
    lived.change(f"DELETE FROM ml_seal WHERE bucket = {lived.bucket}")
    days = tuple(START + timedelta(days=n) for n in range((OPENED - START).days))
    lived.counter.book._desk.write(lambda unit: seal_days(unit, lived.bucket, days))


# --- sound books stay sound ------------------------------------------------------------------------------------------


def test_every_line_but_those_of_the_open_days_commands_is_under_one_seal(lived: Lived) -> None:
    sealed = [lines for _, lines, _ in seals_of(lived.counter)]
    journal = [line for line in lived.counter.journal() if line.entry != lived.entry(OPENED)]
    assert sum(sealed) == len(journal)


def test_missed_days_are_sealed_as_days_closed_one_by_one(database_url: str, tmp_path: Path) -> None:
    together, single = (
        Counter(database_url).init(buckets=1),
        Counter(f"sqlite:///{tmp_path / 'single.db'}").init(buckets=1),
    )
    for counter in (together, single):
        counter.loan(counter.line())
    for number in range(1, 41):
        single.close_until(START + timedelta(days=number))
    together.close_until(START + timedelta(days=40))
    told = [seals_of(counter) for counter in (together, single)]
    assert told[0][1:] == told[1][1:]  # the first day has the draw, under an identifier of its own
    for counter in (together, single):
        counter.must_be_sound()
        counter.book.close()


def test_a_held_loan_let_go_posts_without_an_event_and_the_book_is_sound(counter: Counter) -> None:
    loan = counter.loan(counter.line())
    counter.close_until(START + timedelta(days=3))
    change = "UPDATE ml_loan SET held_through = {}, held_reason = {} WHERE id = '{}'"
    through = (START + timedelta(days=3)).toordinal()
    behind_its_back(counter.url, change.format(through, "'set aside by hand'", loan.id))
    behind_its_back(counter.url, f"DELETE FROM ml_accrual WHERE loan = '{loan.id}'")
    counter.close_until(START + timedelta(days=6))
    counter.book.release(loan.id)
    assert {line.source for line in counter.journal() if line.day == START + timedelta(days=6)} == {"command"}
    counter.must_be_sound()


def seals_of(counter: Counter) -> list[tuple[date, int, str]]:
    """Day, lines and digest of every seal, by bucket and day."""

    def look(unit: Unit) -> list[tuple[date, int, str]]:
        buckets = range(unit.book.buckets)
        return [
            (row.day, row.lines, row.journal) for bucket in buckets for row in closing.seals(unit, bucket)
        ]

    return counter.book._desk.read(look)
