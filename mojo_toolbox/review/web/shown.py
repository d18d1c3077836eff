"""Items and figures as the page's scripts take them: JSON documents."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mojo_toolbox.review.agreement import turns_apart
from mojo_toolbox.review.items import labels_of
from mojo_toolbox.review.records import Item, PastDecision, ReviewProgress
from mojo_toolbox.review.store import Reviewer, ReviewStore


def state(store: ReviewStore, reviewer: Reviewer) -> dict[str, Any]:
    """Return what a page needs to go on: the open conversation, the one after it, and how far reviewing is."""
    return {
        "database": store.identity,
        "reviewer": {"name": reviewer.name, "admin": reviewer.admin},
        "item": item(store.next(reviewer)),
        "upcoming": item(store.upcoming(reviewer)),
        "progress": progress(store.progress(reviewer)),
    }


def item(found: Item | None) -> dict[str, Any] | None:
    """Return a conversation with its labels, doubts and notes; a user turn without a label has no `label` key."""
    if found is None:
        return None
    conversation = found.conversation
    undone = found.undone
    return {
        "id": found.id,
        "version": found.version,
        "title": conversation.id or str(found.id),
        "tasks": [{"name": task.name, "description": task.description} for task in conversation.tasks],
        "turns": [_turn(found, index) for index in range(len(conversation.messages))],
        "marks": [mark.reason for mark in found.marks if mark.message is None],
        "undone": None
        if undone is None
        else {"labels": undone.labels, "note": undone.note, "reason": undone.reason, "action": undone.action},
        "others": [_past(decision) for decision in found.others],
        "settling": found.settling,
    }


def progress(figures: ReviewProgress) -> dict[str, Any]:
    """Return the figures of the progress bar."""
    return dict(figures.__dict__)


def moment(seconds: float) -> str:
    """Return a time as ISO 8601 in UTC, which browsers show in their own zone."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _turn(found: Item, index: int) -> dict[str, Any]:
    message = found.conversation.messages[index]
    turn: dict[str, Any] = {"index": index, "role": message.role, "text": message.content}
    if message.role == "assistant":
        return turn
    decided = found.router.get(index)
    turn["marks"] = [mark.reason for mark in found.marks if mark.message == index]
    turn["router"] = None if decided is None else {"task": decided.task, "probability": decided.probability}
    if found.settling:
        turn |= _judged(found, index)
    return turn | ({"label": found.labels[index]} if index in found.labels else {})


def _judged(found: Item, index: int) -> dict[str, Any]:
    """Return what others said of a turn and how it was imported, where somebody changed it; `disputed` where they differ."""
    judges = [decision for decision in found.others if decision.action != "wrong"]
    disputed = index in turns_apart(judges)
    if not disputed and not any(index in decision.changes for decision in judges):
        return {"disputed": False, "said": []}
    imported = labels_of(found.conversation)
    sources = [("Imported", imported), *((decision.by, decision.labels) for decision in judges)]
    said: list[dict[str, Any]] = [
        {"by": by} | ({"label": labels[index]} if index in labels else {}) for by, labels in sources
    ]
    return {"disputed": disputed, "said": said}


def _past(decision: PastDecision) -> dict[str, Any]:
    return {
        "by": decision.by,
        "at": moment(decision.at),
        "action": decision.action,
        "note": decision.note,
        "reason": decision.reason,
    }
