"""What runs by the clock: the close of every business day that is over, and the delivery of events."""

import asyncio
import logging
from collections.abc import Callable

from microloan import LoanBook

from .office import Office

log = logging.getLogger(__name__)


def close_days(office: Office) -> None:
    """Close what is over, in every book. Any number of processes may do this at once: each bucket and day is closed once.

    The book owns its engine here, so that each bucket is a transaction of its own and nobody waits for the whole close.
    """
    for tenant in office.tenants:
        with LoanBook.open(office.engine.url, tenant=tenant, clock=office.clock, actor="scheduler") as book:
            for held in book.close_day().held:
                log.error("%s: loan %s was set aside: %s", tenant, held.loan_id, held.reason)


async def repeat(job: Callable[[], None], every_seconds: float) -> None:
    """Run a job for ever in a thread; a failure is logged, and the next time it goes on where it stopped."""
    while True:
        try:
            await asyncio.to_thread(job)
        except Exception:
            log.exception("%s failed", job)
        await asyncio.sleep(every_seconds)
