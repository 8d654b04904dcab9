"""Loans: the book's schema as this version of microloan needs it, and the table of what merchants are told.

The next version of microloan that changes its schema gets a migration with the same one line.
"""

import sqlalchemy as sa
from alembic import op

from microloan.alembic import upgrade as upgrade_loan_book

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    upgrade_loan_book(op.get_bind())
    op.create_table(
        "notice",
        sa.Column("tenant", sa.String(), primary_key=True),
        sa.Column("event_id", sa.String(), primary_key=True),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
    )


def downgrade() -> None:
    """The book stays: what was lent is not forgotten because a program was."""
    op.drop_table("notice")
