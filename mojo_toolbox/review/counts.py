"""How many decisions are needed and made: kept where they change, so that nobody counts seats at each action.

What is needed stands in the row of `imports`, what somebody has made in their row of `reviewers`. Both are locked before
conversations are, the row of `imports` first; so no two transactions wait for each other.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from mojo_toolbox.review.schema import DECIDED, SETTLING, imports, reviewers, seats

_NEEDED = (seats.c.active, seats.c.seat != SETTLING)


def kept(connection: Connection, reviewer_id: int) -> tuple[int, int, int]:
    """Return how many decisions are made, are needed, and are this reviewer's; those that settle are not counted."""
    every = select(func.coalesce(func.sum(reviewers.c.decided), 0)).scalar_subquery()
    mine = select(reviewers.c.decided).where(reviewers.c.id == reviewer_id).scalar_subquery()
    row = connection.execute(select(every, imports.c.seats, func.coalesce(mine, 0))).one()
    return int(row[0]), int(row[1]), int(row[2])


def counted(connection: Connection) -> tuple[int, int]:
    """Return how many decisions are made, and how many are needed, from the seats themselves."""
    found = {
        row[0]: row[1]
        for row in connection.execute(select(seats.c.state, func.count()).where(*_NEEDED).group_by(seats.c.state))
    }
    return found.get(DECIDED, 0), sum(found.values())


def add_needed(connection: Connection, count: int) -> None:
    """Note that so many seats were added."""
    connection.execute(update(imports).values(seats=imports.c.seats + count))


def add_decided(connection: Connection, seat: Row[Any], reviewer_id: int, count: int) -> None:
    """Note that a reviewer has decided on a seat (1), or has taken that back (-1)."""
    if seat.active and seat.seat != SETTLING:
        mine = update(reviewers).where(reviewers.c.id == reviewer_id)
        connection.execute(mine.values(decided=reviewers.c.decided + count))


def lock(connection: Connection) -> None:
    """Let nobody decide until `recount()`: conversations are about to leave the queue, or to come back."""
    connection.execute(select(imports.c.id).with_for_update())
    connection.execute(select(reviewers.c.id).order_by(reviewers.c.id).with_for_update(key_share=True))


def recount(connection: Connection) -> None:
    """Count anew; `lock()` comes before what makes that necessary."""
    needed = select(func.count()).select_from(seats).where(*_NEEDED).scalar_subquery()
    made = (
        select(func.count())
        .select_from(seats)
        .where(*_NEEDED, seats.c.state == DECIDED, seats.c.reviewer_id == reviewers.c.id)
        .correlate(reviewers)
        .scalar_subquery()
    )
    connection.execute(update(imports).values(seats=needed))
    connection.execute(update(reviewers).values(decided=made))
