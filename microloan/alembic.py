"""For a host's Alembic: our schema inside its migration, and a filter that keeps its autogenerate off our tables.

    from microloan.alembic import include_name, upgrade

    context.configure(connection=connection, target_metadata=…, include_name=include_name)   # the host's env.py
    upgrade(op.get_bind())                                                       # a migration of the host's

*Source:* STORAGE (embedding), RELIABILITY 13 to 15.
"""

from .store.schema import SchemaStatus, include_name, offline_sql, schema_status, upgrade

__all__ = ["SchemaStatus", "include_name", "offline_sql", "schema_status", "upgrade"]
