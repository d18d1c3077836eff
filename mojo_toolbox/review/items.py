"""From rows to items: what a reviewer is shown of a conversation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from mojo_toolbox.data import Conversation
from mojo_toolbox.data.conversations import read_label
from mojo_toolbox.errors import ReviewError
from mojo_toolbox.review.records import Item, Labels, PastDecision, ReviewMark, RouterDecision
from mojo_toolbox.review.schema import DECIDED, HELD, SETTLING, conversations, reviewers, seats


def load_item(connection: Connection, seat: Row[Any]) -> Item:
    """Return the item of a seat, as its reviewer sees it."""
    row = conversation_row(connection, seat.conversation_id)
    conversation = Conversation.model_validate_json(row.body)
    settling = seat.seat == SETTLING
    others = decisions_of(connection, row.id) if settling else ()
    imported = labels_of(conversation)
    return Item(
        id=row.id,
        conversation=conversation,
        labels=_labels_now(seat, imported, others),
        version=seat.version,
        marks=tuple(ReviewMark(**mark) for mark in json.loads(row.marks)),
        router=read_router(row.router),
        source=row.source,
        due=seat.locked_until or 0.0,
        undone=_undone(connection, seat),
        others=others,
        settling=settling,
    )


def conversation_row(connection: Connection, conversation_id: int) -> Row[Any]:
    """Return a conversation's row.

    Raises:
        ReviewError: there is none.
    """
    row = connection.execute(select(conversations).where(conversations.c.id == conversation_id)).one_or_none()
    if row is None:
        raise ReviewError(f"There is no conversation number {conversation_id}.")
    return row


def decisions_of(connection: Connection, conversation_id: int) -> tuple[PastDecision, ...]:
    """Return the reviewers' decisions on a conversation, without that of an admin who settled it."""
    found = connection.execute(
        select(seats, reviewers.c.name)
        .join(reviewers, reviewers.c.id == seats.c.reviewer_id)
        .where(seats.c.conversation_id == conversation_id, seats.c.seat != SETTLING, seats.c.state == DECIDED)
        .order_by(seats.c.seat)
    )
    return tuple(past_decision(row, row.name) for row in found)


def past_decision(row: Any, by: str) -> PastDecision:
    """Return the decision that a seat's row holds."""
    before, after = read_labels(row.labels_before), read_labels(row.labels_after)
    return PastDecision(
        by=by,
        at=row.decided_at,
        action=row.action,
        labels=after,
        changes={turn: label for turn, label in after.items() if turn not in before or before[turn] != label},
        note=row.note or "",
        reason=row.reason or "",
    )


def labels_of(conversation: Conversation) -> Labels:
    """Return the labels of a conversation's user turns, without those that nobody knows."""
    return {index: m.task for index, m in enumerate(conversation.messages) if m.role == "user" and m.labelled}


def read_labels(text: str) -> Labels:
    """Read labels back from the database."""
    return {int(turn): read_label(label) for turn, label in json.loads(text).items()}


def write_labels(labels: Labels) -> str:
    """Write labels for the database, in the order of the turns."""
    return json.dumps({str(turn): labels[turn] for turn in sorted(labels)}, ensure_ascii=False)


def read_router(text: str) -> dict[int, RouterDecision]:
    """Read a router's decisions back from the database."""
    found = json.loads(text).items()
    return {int(turn): RouterDecision(read_label(task), probability) for turn, (task, probability) in found}


def write_router(decisions: Mapping[int, RouterDecision]) -> str:
    """Write a router's decisions for the database."""
    rows = {str(turn): [given.task, given.probability] for turn, given in decisions.items()}
    return json.dumps(rows, ensure_ascii=False)


def write_marks(marks: Iterable[ReviewMark]) -> str:
    """Write marks for the database."""
    return json.dumps([{"message": mark.message, "reason": mark.reason} for mark in marks], ensure_ascii=False)


def _labels_now(seat: Row[Any], imported: Labels, others: tuple[PastDecision, ...]) -> Labels:
    if seat.state == DECIDED:
        return read_labels(seat.labels_after)
    agreed = dict(imported)
    for turn in {turn for decision in others for turn in decision.labels}:
        given = {decision.labels.get(turn, "") for decision in others}
        if len(given) == 1:
            agreed[turn] = others[0].labels.get(turn)
    return agreed


def _undone(connection: Connection, seat: Row[Any]) -> PastDecision | None:
    """Return the decision that BACK took back: a seat that is held keeps it until the next one."""
    if seat.state != HELD or seat.action is None:
        return None
    name = connection.execute(select(reviewers.c.name).where(reviewers.c.id == seat.reviewer_id)).scalar_one()
    return past_decision(seat, name)
