"""Processes of a test's own, and processes that die at a moment of the test's choosing.

Children are forked, so that killing one at every statement stays affordable.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from microloan.book.loanbook import LoanBook
from tests.store.counter import Counter


def child(act: Callable[[], object]) -> int:
    """Fork a process that does *act* and ends; its id."""
    pid = os.fork()
    if pid:
        return pid
    gc.disable()  # a collection would copy every page that is shared with the parent
    try:
        act()
        os._exit(0)
    except BaseException:  # a forked test must never return into pytest
        os._exit(1)


def ended(pid: int) -> int:
    """Wait for a child: its exit status, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def own_book(counter: Counter) -> LoanBook:
    """The same book with connections of its own, as another process has."""
    return LoanBook.open(counter.url, clock=counter.clock, actor="child")


def die_at(book: LoanBook, moment: int) -> None:
    """End this process by SIGKILL at its n-th moment: before and after each statement, at each commit, and after it."""
    left = moment

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    assert book._own is not None
    for place in ("before_cursor_execute", "after_cursor_execute", "commit"):
        event.listen(book._own.engine, place, count)
    event.listen(book._own.engine.pool, "checkin", count)  # committed, and nobody knows yet


def killed(counter: Counter, act: Callable[[LoanBook], Any], moment: int) -> bool:
    """Run *act* in a child that dies at a moment; False when it lived."""

    def live() -> None:
        book = own_book(counter)
        die_at(book, moment)
        act(book)

    counter.book.close()
    status = ended(child(live))
    assert status in (0, -signal.SIGKILL)
    return status != 0
