"""Alembic's tree of the book's schema, with a version table of its own beside a host's."""
