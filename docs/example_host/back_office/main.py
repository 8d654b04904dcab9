"""The application: ``uvicorn --factory back_office.main:from_environment``."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from microloan import MicroloanError

from . import outbox, problems, scheduler
from .database import WRITES, open_engine
from .office import Caller, Office
from .routes import router


def create_app(office: Office, *, jobs: bool = True) -> FastAPI:
    """The back office; without *jobs* nothing runs by the clock."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(open_books, office)
        every = {scheduler.close_days: 600.0, outbox.deliver_all: 1.0} if jobs else {}
        running = [asyncio.create_task(scheduler.repeat(partial(job, office), s)) for job, s in every.items()]
        yield
        for task in running:
            task.cancel()

    app = FastAPI(title="Back office", lifespan=lifespan)
    app.state.office = office
    app.include_router(router)
    app.add_exception_handler(MicroloanError, problems.problem)
    app.add_exception_handler(OperationalError, problems.unavailable)
    return app


def open_books(office: Office) -> None:
    """A book for every tenant, once; the schema is there already, from the host's migration."""
    with Session(office.engine.execution_options(**WRITES)) as session, session.begin():
        for tenant in office.tenants:
            office.book(session, Caller(tenant, "back office")).init("CNY")


def from_environment() -> FastAPI:
    """``BACK_OFFICE_DB`` is the database, ``BACK_OFFICE_TOKENS`` a JSON object: ``{"token": ["tenant", "actor"]}``."""
    tokens = json.loads(os.environ["BACK_OFFICE_TOKENS"])
    callers = {token: Caller(*who) for token, who in tokens.items()}
    return create_app(Office(open_engine(os.environ["BACK_OFFICE_DB"]), callers))
