"""Alembic's entry: it runs inside the transaction that `upgrade` began."""

from __future__ import annotations

from alembic import context

from text2art.studio.db.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by making it anew
    transactional_ddl=True,
)
context.run_migrations()
