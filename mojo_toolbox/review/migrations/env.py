"""What Alembic runs: the steps, on the connection and within the transaction that database.py gives it."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
