"""What happened to loans, told to merchants: the consumer of the loan book's events.

Events come at least once and in order for each facility. Here they are read and written down in one transaction, so none
comes twice; a consumer with a database of its own gets an event again after a crash between its commit and ours, and
knows it by its id.
"""

from functools import partial

from sqlmodel import Session

from microloan.book.notices import Notice as Event

from .database import WRITES
from .models import Notice
from .office import Caller, Office


def deliver_all(office: Office) -> None:
    """Take what waits, tenant by tenant. Processes that do this at once share the work."""
    for tenant in office.tenants:
        while deliver_some(office, tenant):
            pass


def deliver_some(office: Office, tenant: str) -> int:
    """A hundred at most, in one transaction; how many."""
    with Session(office.engine.execution_options(**WRITES)) as session, session.begin():
        events = office.book(session, Caller(tenant, "outbox")).events
        return events.deliver(partial(receive, session, tenant))


def receive(session: Session, tenant: str, event: Event) -> None:
    """Write down what to tell, once for each event."""
    if session.get(Notice, (tenant, event.id)) is None:
        session.add(Notice(tenant=tenant, event_id=event.id, type=event.type, subject=event.subject))
        session.flush()
