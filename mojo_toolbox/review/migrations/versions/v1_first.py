"""The first version: people, conversations, seats, events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    _people()
    _conversations()
    _seats()
    _events()
    imports = op.create_table(
        "imports",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last_import", sa.Integer(), nullable=False),
        sa.Column("last_conversation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.bulk_insert(imports, [{"id": 1, "last_import": 0, "last_conversation": 0}])


def _people() -> None:
    op.create_table(
        "reviewers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("token_hash", sa.String(length=64)),
        sa.Column("admin", sa.Boolean(), nullable=False),
        sa.Column("local", sa.Boolean(), nullable=False),
        sa.Column("invited_at", sa.Float(), nullable=False),
        sa.Column("revoked_at", sa.Float()),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("token_hash"),
    )


def _conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("router", sa.Text(), nullable=False),
        sa.Column("import_number", sa.Integer(), nullable=False),
        sa.Column("imported_at", sa.Float(), nullable=False),
        sa.Column("replaced_by", sa.Integer()),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("identity"),
    )
    op.create_index("conversations_by_name", "conversations", ["source", "name"])


def _seats() -> None:
    op.create_table(
        "seats",
        sa.Column("conversation_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seat", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Float(), nullable=False),
        sa.Column("reviewer_id", sa.Integer()),
        sa.Column("other_id", sa.Integer()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.Float()),
        sa.Column("place", sa.Integer()),
        sa.Column("action", sa.String(length=10)),
        sa.Column("labels_before", sa.Text()),
        sa.Column("labels_after", sa.Text()),
        sa.Column("note", sa.Text()),
        sa.Column("decided_at", sa.Float()),
        sa.Column("event_id", sa.Integer()),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"]),
        sa.ForeignKeyConstraint(["reviewer_id"], ["reviewers.id"]),
        sa.PrimaryKeyConstraint("conversation_id", "seat"),
    )
    order: list[str | sa.TextClause] = [
        "active",
        "state",
        sa.text("priority DESC"),
        "conversation_id",
        "seat",
        "other_id",
    ]
    op.create_index("seats_queue", "seats", order)
    op.create_index("seats_by_reviewer", "seats", ["reviewer_id", "state", "event_id"])
    op.create_index("seats_by_lock", "seats", ["state", "locked_until"])
    op.create_index("seats_by_time", "seats", ["decided_at"])


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("reviewer_id", sa.Integer()),
        sa.Column("conversation_id", sa.Integer()),
        sa.Column("seat", sa.Integer()),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=100)),
        sa.Column("details", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"]),
        sa.ForeignKeyConstraint(["reviewer_id"], ["reviewers.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("reviewer_id", "key", name="events_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("events_by_conversation", "events", ["conversation_id"])
