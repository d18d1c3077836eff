"""The second version: counts that are kept, and a name by which pages know the database again."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Add them, and count what is there."""
    op.add_column("reviewers", sa.Column("decided", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("imports", sa.Column("seats", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("imports", sa.Column("database", sa.String(length=32), nullable=False, server_default=""))
    op.execute(
        "UPDATE reviewers SET decided = (SELECT count(*) FROM seats WHERE active AND seat <> 0 "
        "AND state = 'decided' AND reviewer_id = reviewers.id)"
    )
    op.execute("UPDATE imports SET seats = (SELECT count(*) FROM seats WHERE active AND seat <> 0)")
    op.execute(sa.table("imports", sa.column("database")).update().values(database=secrets.token_hex(8)))
    op.drop_index("seats_by_time", "seats")
    op.create_index("seats_by_time", "seats", ["decided_at", "reviewer_id"])
