"""The back office's Alembic: one transaction for everything, the loan book's tables left alone."""

import os

import back_office.models  # noqa: F401 - fills the metadata
from alembic import context
from back_office.database import WRITES, open_engine
from sqlmodel import SQLModel

from microloan.alembic import include_name

engine = open_engine(context.config.get_main_option("sqlalchemy.url") or os.environ["BACK_OFFICE_DB"])
with engine.execution_options(**WRITES).connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        include_name=include_name,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
