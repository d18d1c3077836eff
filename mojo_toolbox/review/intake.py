"""Rows into the database, a few hundred at a time, so that reviewers at work hardly wait.

A conversation is known by its identity. One that is known keeps its decisions; undecided, it takes the new labels.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, exists, func, insert, select, update

from mojo_toolbox.review import counts
from mojo_toolbox.review.prepared import Prepared, labels_of_record
from mojo_toolbox.review.schema import DECIDED, OPEN, SETTLING, conversations, imports, seats


@dataclass
class RunningImport:
    """One import: what it is called, and what became of its rows so far."""

    source: str
    number: int
    at: float
    overlap: float = 0.0
    reorder: bool = False
    """Whether known ones take their new place in the queue, since a router was asked."""
    counted: Counter[str] = field(default_factory=Counter)

    def store(self, connection: Connection, batch: Sequence[Prepared]) -> None:
        """Store a batch."""
        last = connection.execute(select(imports.c.last_conversation).with_for_update()).scalar_one()
        identities = [row.identity for row in batch]
        some_return = _any_replaced(connection, identities)
        if some_return:
            counts.lock(connection)
        there = self._known(connection, identities)
        fresh: dict[str, Prepared] = {}
        known: dict[str, Prepared] = {}
        for row in batch:
            self._count(row)
            if row.identity in fresh or row.identity in known:
                self.counted["repeated"] += 1
            elif row.identity not in there:
                fresh[row.identity] = row
            elif there[row.identity].import_number == self.number:
                self.counted["repeated"] += 1
            else:
                known[row.identity] = row
        self._add(connection, list(fresh.values()), first=last + 1)
        self._meet_again(connection, [(there[identity], row) for identity, row in known.items()])
        if some_return:
            counts.recount(connection)
        self.counted["new"] += len(fresh)
        self.counted["known"] += len(known)

    def retire_replaced(self, connection: Connection) -> None:
        """Take out of the queue what came under the same name from the same source, with other text."""
        counts.lock(connection)
        newer = conversations.alias()
        successor = and_(
            newer.c.source == self.source,
            newer.c.name == conversations.c.name,
            newer.c.import_number == self.number,
        )
        stale = and_(
            conversations.c.source == self.source,
            conversations.c.import_number < self.number,
            conversations.c.replaced_by.is_(None),
            conversations.c.name != "",
        )
        chosen = select(func.max(newer.c.id)).where(successor).correlate(conversations).scalar_subquery()
        gone = (
            update(conversations)
            .where(stale, exists().where(successor).correlate(conversations))
            .values(replaced_by=chosen)
            .returning(conversations.c.id)
        )
        ids = [row.id for row in connection.execute(gone)]
        if ids:
            connection.execute(
                update(seats).where(seats.c.conversation_id == bindparam("gone")).values(active=False),
                [{"gone": number} for number in sorted(ids)],
            )
            counts.recount(connection)
        self.counted["replaced"] = len(ids)

    def _known(self, connection: Connection, identities: list[str]) -> dict[str, Row[Any]]:
        """Return the rows that are there, locked in one order."""
        found = (
            select(conversations)
            .where(conversations.c.identity.in_(identities))
            .order_by(conversations.c.id)
            .with_for_update()
        )
        return {row.identity: row for row in connection.execute(found)}

    def _add(self, connection: Connection, rows: Sequence[Prepared], *, first: int) -> None:
        if not rows:
            return
        numbered = list(enumerate(rows, start=first))
        connection.execute(
            insert(conversations),
            [
                {
                    "id": number,
                    "identity": row.identity,
                    "source": self.source,
                    "name": row.name,
                    "body": row.body,
                    "marks": row.marks,
                    "router": row.router,
                    "import_number": self.number,
                    "imported_at": self.at,
                }
                for number, row in numbered
            ],
        )
        wanted = [
            _new_seat(number, seat, row.priority)
            for number, row in numbered
            for seat in range(1, self._seats_of(row.identity) + 1)
        ]
        connection.execute(insert(seats), wanted)
        counts.add_needed(connection, len(wanted))
        connection.execute(update(imports).values(last_conversation=first + len(rows) - 1))

    def _meet_again(self, connection: Connection, pairs: Sequence[tuple[Row[Any], Prepared]]) -> None:
        if not pairs:
            return
        ids = [there.id for there, _ in pairs]
        connection.execute(
            update(conversations).where(conversations.c.id.in_(ids)).values(import_number=self.number, replaced_by=None)
        )
        back = [there.id for there, _ in pairs if there.replaced_by is not None]
        if back:
            connection.execute(update(seats).where(seats.c.conversation_id.in_(back)).values(active=True))
        found = _states(connection, ids)
        for there, row in pairs:
            decided = any(state == DECIDED for state in found[there.id].values())
            self._take_labels(connection, there, row, decided=decided)
            if not decided and self.reorder:
                _reorder(connection, there.id, row)
            if self._seats_of(row.identity) > max(found[there.id]):
                self._second_seat(connection, there.id, row.priority if self.reorder else None)

    def _take_labels(self, connection: Connection, there: Row[Any], row: Prepared, *, decided: bool) -> None:
        if there.body == row.body:
            return
        other_labels = labels_of_record(json.loads(there.body)) != labels_of_record(json.loads(row.body))
        if decided:
            self.counted["kept"] += other_labels
            return
        self.counted["updated"] += other_labels
        values = {"body": row.body, "marks": row.marks}
        connection.execute(update(conversations).where(conversations.c.id == there.id).values(**values))
        # A page that has it open shows what is no more.
        bumped = update(seats).where(seats.c.conversation_id == there.id)
        connection.execute(bumped.values(version=seats.c.version + 1))

    def _second_seat(self, connection: Connection, number: int, priority: float | None) -> None:
        """Let a known conversation be judged twice: the share of overlap has grown."""
        first = connection.execute(select(seats).where(seats.c.conversation_id == number, seats.c.seat == 1)).one()
        wanted = _new_seat(number, 2, first.priority if priority is None else priority)
        connection.execute(insert(seats).values(**wanted | {"other_id": first.reviewer_id}))
        counts.add_needed(connection, 1)

    def _seats_of(self, identity: str) -> int:
        # The hash decides: the same conversations overlap in each import.
        return 2 if int(identity[:13], 16) / 16**13 < self.overlap else 1

    def _count(self, row: Prepared) -> None:
        self.counted["read"] += 1
        self.counted["unlisted_labels"] += row.unlisted
        self.counted["disagreements"] += row.disagreement


def begin_import(connection: Connection) -> int:
    """Return the number of a new import."""
    connection.execute(update(imports).values(last_import=imports.c.last_import + 1))
    return int(connection.execute(select(imports.c.last_import)).scalar_one())


def database_identity(connection: Connection) -> str:
    """Return the name that was drawn when the database was made."""
    return str(connection.execute(select(imports.c.database)).scalar_one())


def number_of(connection: Connection, identity: str) -> int:
    """Return the number of the conversation with this identity."""
    return int(connection.execute(select(conversations.c.id).where(conversations.c.identity == identity)).scalar_one())


def _any_replaced(connection: Connection, identities: list[str]) -> bool:
    replaced = select(conversations.c.id).where(
        conversations.c.identity.in_(identities), conversations.c.replaced_by.is_not(None)
    )
    return connection.execute(replaced.limit(1)).one_or_none() is not None


def _new_seat(number: int, seat: int, priority: float) -> dict[str, Any]:
    place = {"conversation_id": number, "seat": seat, "priority": priority}
    return place | {"state": OPEN, "active": True, "version": 0}


def _states(connection: Connection, ids: Iterable[int]) -> dict[int, dict[int, str]]:
    found: dict[int, dict[int, str]] = {}
    every = select(seats.c.conversation_id, seats.c.seat, seats.c.state).where(seats.c.conversation_id.in_(ids))
    for row in connection.execute(every):
        found.setdefault(row.conversation_id, {})[row.seat] = row.state
    return found


def _reorder(connection: Connection, number: int, row: Prepared) -> None:
    where = (seats.c.conversation_id == number, seats.c.seat != SETTLING)
    connection.execute(update(seats).where(*where).values(priority=row.priority))
    connection.execute(update(conversations).where(conversations.c.id == number).values(router=row.router))
