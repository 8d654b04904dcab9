"""Who calls, and the one transaction in which a request reads and writes the host's rows and the loan book's."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Header, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Engine
from sqlmodel import Session

from microloan import Clock, LoanBook, SystemClock

from .database import WRITES

#: Sent by the client; the same key with the same request acts once.
Key = Annotated[str, Header(alias="Idempotency-Key", min_length=8)]


@dataclass(frozen=True)
class Caller:
    """What authentication knows: whose book it is, and who acts in it."""

    tenant: str
    actor: str


@dataclass(frozen=True)
class Office:
    """What the application is made of."""

    engine: Engine
    callers: Mapping[str, Caller]
    clock: Clock = field(default_factory=SystemClock)

    @property
    def tenants(self) -> list[str]:
        """Every lender with a book here."""
        return sorted({caller.tenant for caller in self.callers.values()})

    def book(self, session: Session, caller: Caller) -> LoanBook:
        """The caller's book inside the session's transaction."""
        return LoanBook(session, tenant=caller.tenant, clock=self.clock, actor=caller.actor)


@dataclass(frozen=True)
class Desk:
    """The office as one caller sees it."""

    office: Office
    caller: Caller

    @contextmanager
    def reading(self) -> Iterator[LoanBook]:
        """A transaction that takes no write lock."""
        with Session(self.office.engine) as session:
            yield self.office.book(session, self.caller)

    @contextmanager
    def writing(self) -> Iterator[tuple[Session, LoanBook]]:
        """One transaction: committed at the end of the block, rolled back as a whole by any exception in it."""
        with Session(self.office.engine.execution_options(**WRITES)) as session, session.begin():
            yield session, self.office.book(session, self.caller)


def _desk(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]
) -> Desk:
    office: Office = request.app.state.office
    caller = office.callers.get(credentials.credentials)
    if caller is None:
        raise HTTPException(401, "unknown token")
    return Desk(office, caller)


At = Annotated[Desk, Depends(_desk)]
