"""The third version: why a conversation was thrown out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Add the column; decisions of earlier versions gave no reason."""
    op.add_column("seats", sa.Column("reason", sa.Text()))
