"""INSERT … ON CONFLICT for both databases.

PostgreSQL's compiles on SQLite too, not the reverse. Importing it loads all of that dialect, which a command on SQLite pays
for only when it needs it.
"""

from sqlalchemy.dialects.postgresql import insert as upsert

__all__ = ["upsert"]
