"""The tables, as the newest version of the database has them; migrations/ holds the steps to it.

A *seat* is one decision that a conversation needs: most have one, overlapping ones two, by different people. Seat 0 is made
when an admin settles a conversation, and stands above the others. Times are seconds since 1970, UTC.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

OPEN, HELD, DECIDED = "open", "held", "decided"
SETTLING = 0

metadata = MetaData()

reviewers = Table(
    "reviewers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    # SHA-256: a token has 256 random bits, which no dictionary finds.
    Column("token_hash", String(64), unique=True),
    Column("admin", Boolean, nullable=False),
    Column("local", Boolean, nullable=False),
    Column("invited_at", Float, nullable=False),
    Column("revoked_at", Float),
    # Decisions that stand, as counts.py keeps them.
    Column("decided", Integer, nullable=False, server_default="0"),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    # Of the text and the task list: the same conversation under another id, or with other labels, has the same one.
    Column("identity", String(64), nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("name", Text, nullable=False),
    # The record in the project's format, one JSON object.
    Column("body", Text, nullable=False),
    Column("marks", Text, nullable=False),
    Column("router", Text, nullable=False),
    Column("import_number", Integer, nullable=False),
    Column("imported_at", Float, nullable=False),
    # Another text came under its name: it has left the queue.
    Column("replaced_by", Integer),
    Index("conversations_by_name", "source", "name"),
)

seats = Table(
    "seats",
    metadata,
    Column("conversation_id", Integer, ForeignKey("conversations.id"), primary_key=True, autoincrement=False),
    Column("seat", Integer, primary_key=True, autoincrement=False),
    Column("state", String(10), nullable=False),
    # False for those of a replaced conversation.
    Column("active", Boolean, nullable=False),
    Column("priority", Float, nullable=False),
    # Who holds it or decided it, and who has the other seat: nobody judges a conversation twice.
    Column("reviewer_id", Integer, ForeignKey("reviewers.id")),
    Column("other_id", Integer),
    Column("version", Integer, nullable=False),
    Column("locked_until", Float),
    # In which order the reviewer's own come: undone ones before the present one.
    Column("place", Integer),
    Column("action", String(10)),
    Column("labels_before", Text),
    Column("labels_after", Text),
    Column("note", Text),
    Column("decided_at", Float),
    # The event that decided it: BACK undoes the highest.
    Column("event_id", Integer),
    # Why the conversation was thrown out.
    Column("reason", Text),
)
# The queue is read off this index alone.
Index(
    "seats_queue",
    seats.c.active,
    seats.c.state,
    seats.c.priority.desc(),
    seats.c.conversation_id,
    seats.c.seat,
    seats.c.other_id,
)
Index("seats_by_reviewer", seats.c.reviewer_id, seats.c.state, seats.c.event_id)
Index("seats_by_lock", seats.c.state, seats.c.locked_until)
Index("seats_by_time", seats.c.decided_at, seats.c.reviewer_id)

# Everything that anybody did, in order; rows are added and never changed.
events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("reviewer_id", Integer, ForeignKey("reviewers.id")),
    Column("conversation_id", Integer, ForeignKey("conversations.id")),
    Column("seat", Integer),
    Column("action", String(20), nullable=False),
    # Made by the page for each press of a key, so that one sent twice counts once.
    Column("key", String(100)),
    Column("details", Text, nullable=False),
    UniqueConstraint("reviewer_id", "key", name="events_key"),
    Index("events_by_conversation", "conversation_id"),
    sqlite_autoincrement=True,
)

# One row: who writes it first has the right to add conversations.
imports = Table(
    "imports",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("last_import", Integer, nullable=False),
    Column("last_conversation", Integer, nullable=False),
    # Decisions that are needed, as counts.py keeps them.
    Column("seats", Integer, nullable=False, server_default="0"),
    # Drawn when the database was made: a page keeps its work apart from that for another one at the same address.
    Column("database", String(32), nullable=False, server_default=""),
)
