"""Alembic environment; `perdure.db.migrate` passes the connection and the name of the app role."""

from alembic import context

from perdure.db.models import Row

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Row.metadata, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
