"""Who gets what: seats are given out in order, locked while they are held, and given back after a time-out.

Locks are taken in one order, the reviewer's row before the conversation's, and conversations that somebody else is changing
are skipped rather than waited for; so no two transactions wait for each other. SQLite has one writer anyway.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, or_, select, update

from mojo_toolbox.errors import ReviewError
from mojo_toolbox.review.events import log
from mojo_toolbox.review.records import Reviewer
from mojo_toolbox.review.schema import DECIDED, HELD, OPEN, SETTLING, conversations, events, reviewers, seats

# The share of the time-out that is left when it is begun anew: not at each look, since that waits for the disk.
_RENEW_BELOW = 0.75
# What a returned seat forgets.
FORGOTTEN: dict[str, Any] = dict.fromkeys(
    (
        "reviewer_id",
        "locked_until",
        "place",
        "action",
        "labels_before",
        "labels_after",
        "note",
        "decided_at",
        "event_id",
        "reason",
    )
)


@dataclass(frozen=True)
class ReviewerTransaction:
    """One reviewer's transaction: who, when, and until when what they hold stays theirs."""

    connection: Connection
    reviewer: Reviewer
    now: float
    until: float


def begin(turn: ReviewerTransaction) -> None:
    """Make the reviewer's actions wait for each other, such as those of two tabs.

    Raises:
        ReviewError: they were revoked.
    """
    # Weaker than FOR UPDATE: events that somebody else writes about this reviewer need not wait.
    mine = select(reviewers.c.revoked_at).where(reviewers.c.id == turn.reviewer.id).with_for_update(key_share=True)
    row = turn.connection.execute(mine).one_or_none()
    if row is None or row.revoked_at is not None:
        raise ReviewError(f"{turn.reviewer.name} is no reviewer here any more: ask for a new link.")


def held(turn: ReviewerTransaction) -> list[Row[Any]]:
    """Return the seats that the reviewer holds, the present one first."""
    mine = select(seats).where(seats.c.reviewer_id == turn.reviewer.id, seats.c.state == HELD, seats.c.active)
    return list(turn.connection.execute(mine.order_by(seats.c.place)))


def still_at_hand(turn: ReviewerTransaction, count: int) -> list[Row[Any]]:
    """Return the first `count` seats that the reviewer holds for most of the time-out yet; nothing is written."""
    enough = turn.now + (turn.until - turn.now) * _RENEW_BELOW
    return [seat for seat in held(turn)[:count] if seat.locked_until > enough]


def at_hand(turn: ReviewerTransaction, count: int) -> list[Row[Any]]:
    """Return the first `count` seats that the reviewer holds, their time-out begun anew; missing ones are claimed."""
    mine = held(turn)
    if len(mine) < count:
        return_expired(turn)
    while len(mine) < count:
        claimed = _claim(turn, place=mine[-1].place + 1 if mine else 0)
        if claimed is None:
            break
        mine.append(claimed)
    keep(turn)
    return mine[:count]


def keep(turn: ReviewerTransaction) -> None:
    """Begin the time-out of all that the reviewer holds anew."""
    mine = update(seats).where(seats.c.reviewer_id == turn.reviewer.id, seats.c.state == HELD)
    turn.connection.execute(mine.values(locked_until=turn.until))


def return_expired(turn: ReviewerTransaction) -> None:
    """Give back what others have held for too long. One's own is still wanted."""
    expired = (
        select(seats.c.conversation_id, seats.c.seat, seats.c.reviewer_id)
        .join(conversations, conversations.c.id == seats.c.conversation_id)
        .where(seats.c.state == HELD, seats.c.locked_until < turn.now, seats.c.reviewer_id != turn.reviewer.id)
        .with_for_update(skip_locked=True, of=[seats, conversations])
    )
    for row in turn.connection.execute(expired).all():
        give_back(turn.connection, row, now=turn.now)


def give_back(connection: Connection, row: Any, *, now: float) -> None:
    """Return a held seat to the queue; that of an admin who settles ends, what was decided before stands again."""
    where = (seats.c.conversation_id == row.conversation_id, seats.c.seat == row.seat)
    if row.seat == SETTLING:
        _end_settling(connection, connection.execute(select(seats).where(*where)).one())
    else:
        connection.execute(update(seats).where(*where).values(state=OPEN, **FORGOTTEN))
        _tell_the_other_seat(connection, row, None)
    log(connection, "returned", at=now, reviewer_id=row.reviewer_id, conversation_id=row.conversation_id, seat=row.seat)


def give_back_all(connection: Connection, reviewer_id: int, *, now: float) -> None:
    """Return everything that a reviewer holds."""
    mine = (
        select(seats.c.conversation_id, seats.c.seat, seats.c.reviewer_id)
        .join(conversations, conversations.c.id == seats.c.conversation_id)
        .where(seats.c.reviewer_id == reviewer_id, seats.c.state == HELD)
        .order_by(seats.c.conversation_id)
        .with_for_update(of=[seats, conversations])
    )
    for row in connection.execute(mine).all():
        give_back(connection, row, now=now)


def lock_conversation(connection: Connection, conversation_id: int) -> None:
    """Wait until nobody else changes this conversation's seats."""
    connection.execute(select(conversations.c.id).where(conversations.c.id == conversation_id).with_for_update())


def seats_of(connection: Connection, conversation_id: int) -> list[Row[Any]]:
    """Return the seats of a conversation, that of an admin who settles first."""
    found = select(seats).where(seats.c.conversation_id == conversation_id).order_by(seats.c.seat)
    return list(connection.execute(found))


def take(turn: ReviewerTransaction, row: Any, *, place: int) -> Row[Any]:
    """Lock an open seat for the reviewer, and return it as it is now."""
    where = (seats.c.conversation_id == row.conversation_id, seats.c.seat == row.seat)
    turn.connection.execute(
        update(seats)
        .where(*where)
        .values(
            state=HELD,
            reviewer_id=turn.reviewer.id,
            version=seats.c.version + 1,
            locked_until=turn.until,
            place=place,
        )
    )
    _tell_the_other_seat(turn.connection, row, turn.reviewer.id)
    log(
        turn.connection,
        "given",
        at=turn.now,
        reviewer_id=turn.reviewer.id,
        conversation_id=row.conversation_id,
        seat=row.seat,
    )
    return turn.connection.execute(select(seats).where(*where)).one()


def first_place(turn: ReviewerTransaction) -> int:
    """Return a place before all that the reviewer holds."""
    mine = select(func.min(seats.c.place)).where(seats.c.reviewer_id == turn.reviewer.id, seats.c.state == HELD)
    lowest = turn.connection.execute(mine).scalar_one()
    return 0 if lowest is None else lowest - 1


def _claim(turn: ReviewerTransaction, *, place: int) -> Row[Any] | None:
    """Take the first seat of the queue whose conversation the reviewer has not judged; None when there is none."""
    first = (
        select(seats.c.conversation_id, seats.c.seat)
        .join(conversations, conversations.c.id == seats.c.conversation_id)
        .where(
            seats.c.active,
            seats.c.state == OPEN,
            or_(seats.c.other_id.is_(None), seats.c.other_id != turn.reviewer.id),
        )
        .order_by(seats.c.priority.desc(), seats.c.conversation_id, seats.c.seat)
        .limit(1)
        .with_for_update(skip_locked=True, of=[seats, conversations])
    )
    row = turn.connection.execute(first).one_or_none()
    return None if row is None else take(turn, row, place=place)


def _end_settling(connection: Connection, seat: Row[Any]) -> None:
    """Bring back an admin's decision that was only opened again; without one the reviewers' decisions stand."""
    where = (seats.c.conversation_id == seat.conversation_id, seats.c.seat == seat.seat)
    decided_by = _standing_decision(connection, seat)
    if decided_by is None:
        connection.execute(delete(seats).where(*where))
        return
    again = {"state": DECIDED, "reviewer_id": decided_by, "locked_until": None, "place": None}
    connection.execute(update(seats).where(*where).values(version=seats.c.version + 1, **again))


def _standing_decision(connection: Connection, seat: Row[Any]) -> int | None:
    """Return who made the decision that a held seat still has; None without one, or where BACK took it back."""
    if seat.event_id is None:
        return None
    its_events = select(events).where(events.c.conversation_id == seat.conversation_id, events.c.id >= seat.event_id)
    found = list(connection.execute(its_events))
    undone = {json.loads(event.details).get("undoes") for event in found if event.action == "back"}
    return None if seat.event_id in undone else next(e.reviewer_id for e in found if e.id == seat.event_id)


def _tell_the_other_seat(connection: Connection, row: Any, reviewer_id: int | None) -> None:
    if row.seat == SETTLING:
        return
    connection.execute(
        update(seats)
        .where(
            seats.c.conversation_id == row.conversation_id,
            seats.c.seat != row.seat,
            seats.c.seat != SETTLING,
        )
        .values(other_id=reviewer_id)
    )
