"""What a reviewer does with an item: decide, go back, settle. Each is one transaction, each leaves an event."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, insert, select, update

from mojo_toolbox.data.conversations import read_label
from mojo_toolbox.errors import ReviewConflictError, ReviewError
from mojo_toolbox.errors.sentences import sentence
from mojo_toolbox.review.counts import add_decided
from mojo_toolbox.review.events import log, with_key
from mojo_toolbox.review.items import conversation_row, labels_of, load_item, read_labels, write_labels
from mojo_toolbox.review.queue import (
    ReviewerTransaction,
    begin,
    first_place,
    give_back,
    held,
    lock_conversation,
    seats_of,
    take,
)
from mojo_toolbox.review.records import ACTIONS, LONGEST_NOTE, LONGEST_REASON, Item, Labels, ReviewDecision
from mojo_toolbox.review.schema import DECIDED, HELD, OPEN, SETTLING, seats


def decide(turn: ReviewerTransaction, item_id: int, decision: ReviewDecision) -> None:
    """Store a decision, unless its key says that it is stored already. See `ReviewStore.decide`."""
    decision = _checked(decision)
    begin(turn)
    earlier = with_key(turn.connection, turn.reviewer.id, decision.key)
    if earlier is not None:
        if earlier.conversation_id == item_id and earlier.action == decision.action:
            return
        raise ReviewError("This key was used for another action already: make a new one for each.")
    lock_conversation(turn.connection, item_id)
    seat = _seat_to_decide(turn, item_id, decision)
    if seat is None:
        return
    item = load_item(turn.connection, seat)
    _store(turn, seat, item, decision)


def back(turn: ReviewerTransaction, key: str) -> Item | None:
    """Undo the last decision that stands. See `ReviewStore.back`."""
    begin(turn)
    earlier = with_key(turn.connection, turn.reviewer.id, key)
    if earlier is not None:
        return _still_open(turn, earlier)
    last = (
        select(seats)
        .where(seats.c.reviewer_id == turn.reviewer.id, seats.c.state == DECIDED, seats.c.active)
        .order_by(seats.c.event_id.desc())
        .limit(1)
    )
    seat = turn.connection.execute(last).one_or_none()
    if seat is None:
        return None
    lock_conversation(turn.connection, seat.conversation_id)
    # The decision itself stays in the row, to be shown, until the next one.
    _change(turn, seat, state=HELD, locked_until=turn.until, place=first_place(turn))
    add_decided(turn.connection, seat, turn.reviewer.id, -1)
    where = {"reviewer_id": turn.reviewer.id, "conversation_id": seat.conversation_id, "seat": seat.seat}
    log(turn.connection, "back", at=turn.now, key=key, **where, undoes=seat.event_id)
    return load_item(turn.connection, _again(turn, seat))


def settle(turn: ReviewerTransaction, item_id: int) -> Item:
    """Give a decided conversation to an admin. See `ReviewStore.settle`."""
    if not turn.reviewer.admin:
        raise ReviewError("Only an admin can settle a conversation.")
    begin(turn)
    conversation_row(turn.connection, item_id)
    lock_conversation(turn.connection, item_id)
    found = seats_of(turn.connection, item_id)
    settling = next((seat for seat in found if seat.seat == SETTLING), None)
    if settling is None:
        row = {"conversation_id": item_id, "seat": SETTLING, "state": OPEN, "active": found[0].active}
        turn.connection.execute(insert(seats).values(**row, priority=0.0, version=0))
    elif settling.state == HELD and settling.reviewer_id != turn.reviewer.id:
        if (settling.locked_until or 0) >= turn.now:
            raise ReviewConflictError("Another admin is settling this conversation now.")
    elif settling.state == HELD:
        return load_item(turn.connection, settling)
    where = (seats.c.conversation_id == item_id, seats.c.seat == SETTLING)
    seat = turn.connection.execute(select(seats).where(*where)).one()
    return load_item(turn.connection, take(turn, seat, place=first_place(turn)))


def leave(turn: ReviewerTransaction, item_id: int, key: str) -> None:
    """End settling without a decision. See `ReviewStore.leave`."""
    begin(turn)
    earlier = with_key(turn.connection, turn.reviewer.id, key)
    if earlier is not None:
        return
    lock_conversation(turn.connection, item_id)
    settling = next((seat for seat in seats_of(turn.connection, item_id) if seat.seat == SETTLING), None)
    if settling is None or settling.state != HELD or settling.reviewer_id != turn.reviewer.id:
        raise ReviewError(
            f"You are not settling conversation number {item_id}, so there is nothing to leave undecided."
        )
    where = {"reviewer_id": turn.reviewer.id, "conversation_id": item_id, "seat": SETTLING}
    log(turn.connection, "left", at=turn.now, key=key, **where)
    give_back(turn.connection, settling, now=turn.now)


def get(turn: ReviewerTransaction, item_id: int) -> Item:
    """Return what the reviewer holds or decided, or what an admin wants to see. See `ReviewStore.get`."""
    conversation_row(turn.connection, item_id)
    found = seats_of(turn.connection, item_id)
    mine = [seat for seat in found if seat.reviewer_id == turn.reviewer.id]
    if not mine and not turn.reviewer.admin:
        raise ReviewError(f"Conversation number {item_id} is not given to you.")
    return load_item(turn.connection, (mine or found)[0])


def _checked(decision: ReviewDecision) -> ReviewDecision:
    """Return the decision with its labels as the task lists spell them."""
    if decision.action not in ACTIONS:
        raise ReviewError(f"There is no action {decision.action!r:.40}: {', '.join(ACTIONS)}.")
    if len(decision.note) > LONGEST_NOTE:
        raise ReviewError(f"A note has at most {LONGEST_NOTE:,} characters, not {len(decision.note):,}.")
    if decision.reason and decision.action != "wrong":
        raise ReviewError(f"A reason belongs to throwing a conversation out, not to {decision.action!r}: use the note.")
    if len(decision.reason) > LONGEST_REASON:
        raise ReviewError(f"A reason has at most {LONGEST_REASON} characters, not {len(decision.reason):,}.")
    try:
        return replace(decision, labels={turn: read_label(label) for turn, label in decision.labels.items()})
    except ValueError as error:
        raise ReviewError(f"A label of this decision cannot be used: {sentence(error)}") from error


def _seat_to_decide(turn: ReviewerTransaction, item_id: int, decision: ReviewDecision) -> Row[Any] | None:
    """Return the seat that the decision is for; None where the very same one was made already.

    A seat that went back to the queue, and that nobody took since, is taken again: the reviewer was slow, not wrong.
    """
    conversation_row(turn.connection, item_id)
    found = seats_of(turn.connection, item_id)
    mine = [seat for seat in found if seat.reviewer_id == turn.reviewer.id]
    for seat in mine:
        if seat.state == HELD:
            _require_version(seat, decision)
            return seat
    if mine:
        if _same(mine[0], decision):
            return None
        raise ReviewConflictError(
            "You decided on this conversation already, perhaps in another tab. BACK takes it back."
        )
    was_given = [seat for seat in found if seat.state == OPEN and seat.version > 0]
    for seat in was_given:
        if decision.version in {None, seat.version}:
            return take(turn, seat, place=first_place(turn))
    raise ReviewConflictError(
        "This conversation is not yours now: it was open for too long and has been given to somebody else."
    )


def _require_version(seat: Row[Any], decision: ReviewDecision) -> None:
    if decision.version not in {None, seat.version}:
        raise ReviewConflictError(
            "This conversation has changed since it was shown, perhaps in another tab. Look again."
        )


def _same(seat: Row[Any], decision: ReviewDecision) -> bool:
    after = read_labels(seat.labels_after)
    same_labels = all(turn in after and after[turn] == label for turn, label in decision.labels.items())
    same_words = (seat.note, seat.reason or "") == (_storable(decision.note), _storable(decision.reason))
    return bool(seat.action == decision.action and same_labels and same_words)


def _store(turn: ReviewerTransaction, seat: Row[Any], item: Item, decision: ReviewDecision) -> None:
    start = item.labels
    _check_labels(item, decision)
    after = {**start, **decision.labels}
    words = {"note": _storable(decision.note), "reason": _storable(decision.reason)}
    before = labels_of(item.conversation)
    event = log(
        turn.connection,
        decision.action,
        at=turn.now,
        reviewer_id=turn.reviewer.id,
        conversation_id=item.id,
        seat=seat.seat,
        key=decision.key,
        labels=json.loads(write_labels(after)),
        changes=_changes(before, after),
        **words,
    )
    _change(
        turn,
        seat,
        state=DECIDED,
        locked_until=None,
        place=None,
        action=decision.action,
        labels_before=write_labels(before),
        labels_after=write_labels(after),
        **words,
        decided_at=turn.now,
        event_id=event,
    )
    add_decided(turn.connection, seat, turn.reviewer.id, 1)


def _check_labels(item: Item, decision: ReviewDecision) -> None:
    names = {task.name for task in item.conversation.tasks}
    messages = item.conversation.messages
    for index, label in decision.labels.items():
        if not 0 <= index < len(messages) or messages[index].role != "user":
            raise ReviewError(f"Message {index} (from 0) of this conversation is no user turn: it has no label.")
        if label is not None and label not in names:
            raise ReviewError(
                f"{label!r:.80} is not on this conversation's task list ({', '.join(sorted(names)):.500})."
            )


def _changes(before: Labels, after: Labels) -> list[dict[str, Any]]:
    return [
        {"message": turn, **({"from": before[turn]} if turn in before else {}), "to": label}
        for turn, label in sorted(after.items())
        if turn not in before or before[turn] != label
    ]


def _change(turn: ReviewerTransaction, seat: Row[Any], **values: object) -> None:
    where = (seats.c.conversation_id == seat.conversation_id, seats.c.seat == seat.seat)
    turn.connection.execute(update(seats).where(*where).values(version=seat.version + 1, **values))


def _again(turn: ReviewerTransaction, seat: Row[Any]) -> Row[Any]:
    where = (seats.c.conversation_id == seat.conversation_id, seats.c.seat == seat.seat)
    return turn.connection.execute(select(seats).where(*where)).one()


def _still_open(turn: ReviewerTransaction, earlier: Row[Any]) -> Item | None:
    """Return the item that a key undid before, if it is still open; else what is at hand, without undoing more."""
    mine = held(turn)
    same = [seat for seat in mine if (seat.conversation_id, seat.seat) == (earlier.conversation_id, earlier.seat)]
    seat = next(iter(same or mine), None)
    return None if seat is None else load_item(turn.connection, seat)


def _storable(note: str) -> str:
    """Return a note as any database can hold it: without NUL, and with "?" for halves of surrogate pairs."""
    return note.replace("\0", "").encode(errors="replace").decode().strip()
