"""What people type is judged once, alike on both databases: its length, its encoding, no NUL. Source: RELIABILITY 43, 44."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from microloan.book.loanbook import LoanBook
from microloan.errors import BadInput
from microloan.free_text import NAME_AT_MOST, TEXT_AT_MOST

from .counter import Counter

BAD = {"a NUL": "be\0fore", "half a surrogate": "\udcffcaf\udcff", "a novel": "n" * (TEXT_AT_MOST + 1)}

#: Commands with something typed: a reason, a note, a name, an id, a key.
TYPING: dict[str, Callable[[LoanBook, str, str, str], object]] = {
    "reason of a freeze": lambda book, line, loan, text: book.freeze(line, reason=text),
    "reason of a write-off": lambda book, line, loan, text: book.write_off(loan, reason=text),
    "reason of an erasure": lambda book, line, loan, text: book.subjects.erase("m-1", text),
    "name of a fee": lambda book, line, loan, text: book.fee(loan, "1", text),
    "name of a merchant": lambda book, line, loan, text: book.merchants.add("m-9", text),
    "id of a merchant": lambda book, line, loan, text: book.merchants.add(text),
    "shop of a merchant": lambda book, line, loan, text: book.merchants.add("m-9", shops=[f"jd:{text}"]),
    "reason of a link": lambda book, line, loan, text: book.merchants.link("m-1", "m-2", text),
    "note of a promise": lambda book, line, loan, text: book.promises.add(loan, "1", book.loan(loan).maturity, text),
    "signer": lambda book, line, loan, text: book.sign("off-00-1", signer=text, contract_sha256=""),
    "key": lambda book, line, loan, text: book.repay(loan, "1", idempotency_key=text),
    "actor": lambda book, line, loan, text: book.acting(text).repay(loan, "1"),
    "approver": lambda book, line, loan, text: book.acting("teller", text).repay(loan, "1"),
    "merchant of a list": lambda book, line, loan, text: book.loans(merchant=text),
}  # fmt: skip


def kept(counter: Counter) -> tuple[Any, ...]:
    """All that a command would leave behind."""
    return (
        tuple(counter.book.audit()),
        counter.journal(),
        counter.book.facilities(),
        counter.book.merchants.list(),
    )


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
@pytest.mark.parametrize("type_it", TYPING.values(), ids=TYPING)
def test_what_cannot_be_kept_is_refused_and_leaves_nothing(
    counter: Counter, type_it: Callable[[LoanBook, str, str, str], object], text: str
) -> None:
    line = counter.line()
    loan = counter.loan(line, "1000").id
    counter.line(merchant="m-2")
    counter.book.merchants.add("m-1", "Wang")
    before = kept(counter)
    with pytest.raises(BadInput) as refused:
        type_it(counter.book, line.id, loan, text)
    assert refused.value.exit_status == 2
    assert "\0" not in refused.value.message
    str(refused.value.details).encode()  # whoever asked over HTTP can be answered
    refused.value.message.encode()
    assert kept(counter) == before


@pytest.mark.parametrize("where", ["tenant", "actor"])
@pytest.mark.parametrize("text", [*BAD.values(), "two\nlines", "n" * (NAME_AT_MOST + 1)])
def test_whoever_opens_a_book_has_a_name_of_one_line(where: str, text: str) -> None:
    with pytest.raises(BadInput, match=where):
        LoanBook.open("sqlite://", **{where: text})  # type: ignore[arg-type]


def test_text_of_several_lines_and_all_scripts_is_kept_as_typed(counter: Counter) -> None:
    said = "电话申请，五月三日\nconfirmé\t👍" + "长" * (TEXT_AT_MOST - 30)
    line = counter.line()
    assert counter.book.freeze(line.id, reason=said).status == "frozen"
    (frozen,) = [each for each in counter.book.events.tail() if each.type == "microloan.frozen.v1"]
    assert frozen.data["reason"] == said


def test_a_filter_that_is_no_text_is_bad_input_too(counter: Counter) -> None:
    with pytest.raises(BadInput, match="UTF-8"):
        counter.book.loans(status="\udcff")
