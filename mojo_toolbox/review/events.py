"""The log of everything that anybody did, and what a key that comes twice stands for."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from mojo_toolbox.errors import ReviewError
from mojo_toolbox.review.schema import events

_LONGEST_KEY = 100


def log(
    connection: Connection,
    action: str,
    *,
    at: float,
    reviewer_id: int | None = None,
    conversation_id: int | None = None,
    seat: int | None = None,
    key: str = "",
    **details: object,
) -> int:
    """Add an event and return its number."""
    row = {
        "at": at,
        "reviewer_id": reviewer_id,
        "conversation_id": conversation_id,
        "seat": seat,
        "action": action,
        "key": key or None,
        "details": json.dumps(details, ensure_ascii=False),
    }
    done = connection.execute(insert(events).values(row))
    assert done.inserted_primary_key is not None
    return int(done.inserted_primary_key[0])


def with_key(connection: Connection, reviewer_id: int, key: str) -> Row[Any] | None:
    """Return the event that this key of this reviewer stands for; None for a new one and for none.

    Raises:
        ReviewError: it is too long.
    """
    if len(key) > _LONGEST_KEY:
        raise ReviewError(f"A key has at most {_LONGEST_KEY} characters, not {len(key)}.")
    if not key:
        return None
    found = select(events).where(events.c.reviewer_id == reviewer_id, events.c.key == key)
    return connection.execute(found).one_or_none()
