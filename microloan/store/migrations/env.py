"""How Alembic reaches the database: through the connection `schema.upgrade` hands over, or as text only."""

from alembic import context

from microloan.store.schema import VERSION_TABLE, include_name
from microloan.store.tables import metadata


def _include(name: str | None, kind: str, parents: object) -> bool:
    return not include_name(name, kind, parents)  # ours is what a host leaves out


if context.is_offline_mode():
    context.configure(
        dialect_name=context.config.attributes["dialect"],
        version_table=VERSION_TABLE,
        literal_binds=True,
        output_buffer=context.config.attributes["output"],
    )
else:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        include_name=_include,
    )

with context.begin_transaction():
    context.run_migrations()
