"""A mistake as a chat to read: what came before, the decisive turn, what followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.evaluation.drawing.readable import DASH, percent, short, task_name

# So many messages before the decisive one stand open; the ones before them are folded away, up to a number.
_SHOWN_BEFORE, _MOST_FOLDED = 8, 100
# A longer text scrolls in its own bubble, and takes the keyboard for it.
_LONG, _MANY_LINES = 1000, 12
_ANSWER = 600


@dataclass(frozen=True)
class Bubble:
    """A message; `task` is the label of a user turn, None for one that has none."""

    user: bool
    text: str
    task: str | None
    long: bool


@dataclass(frozen=True)
class ListedTask:
    """A task of the conversation's list; `role` says whether it was the right or the answered one."""

    name: str
    description: str
    role: str


@dataclass(frozen=True)
class Chat:
    """A mistake: in words, and as bubbles around the decisive one."""

    point: str
    place: str
    right: str
    answered: str
    valid: bool
    sureness: str
    before: str
    quote: str
    earlier: int
    """How many messages come before the shown ones; `folded` are the last of them."""
    folded: list[Bubble]
    shown: list[Bubble]
    decisive: Bubble
    later: int
    """How many messages come after the decisive one; `followed` are the first of them."""
    followed: list[Bubble]
    tasks: list[ListedTask]


def chat(mistake: Mapping[str, Any]) -> Chat:
    """Return a mistake as it is shown."""
    turn = mistake["turn"]
    messages = mistake["messages"]
    fold = max(0, turn - _SHOWN_BEFORE)
    # A fold that hides a message or two saves nobody anything.
    fold = fold if fold > 2 else 0  # noqa: PLR2004
    probability = mistake["probability"]
    return Chat(
        point=mistake["point"],
        place=_place(mistake),
        right=task_name(mistake["gold"]),
        answered=_answered(mistake),
        valid=mistake["valid"],
        sureness=DASH if probability is None else percent(probability),
        before=task_name(mistake["previous"]),
        quote=_quote(mistake),
        earlier=fold,
        folded=_bubbles(messages[max(0, fold - _MOST_FOLDED) : fold]),
        shown=_bubbles(messages[fold:turn]),
        decisive=_bubble(messages[turn]),
        later=len(messages) - turn - 1,
        followed=_bubbles(messages[turn + 1 : turn + 1 + _MOST_FOLDED]),
        tasks=_tasks(mistake),
    )


def _bubbles(messages: Sequence[Mapping[str, Any]]) -> list[Bubble]:
    return [_bubble(message) for message in messages]


def _bubble(message: Mapping[str, Any]) -> Bubble:
    text = message["content"]
    task = task_name(message["task"]) if "task" in message else None
    return Bubble(message["role"] == "user", text, task, len(text) > _LONG or text.count("\n") > _MANY_LINES)


def _place(mistake: Mapping[str, Any]) -> str:
    """Return which conversation it is, as people count: from 1."""
    name = f" ({short(mistake['id'], 40)})" if mistake["id"] else ""
    # As the review page counts: user turns, from 1.
    number = sum(message["role"] == "user" for message in mistake["messages"][: mistake["turn"] + 1])
    return f"conversation {mistake['conversation'] + 1}{name}, user turn {number}"


def _answered(mistake: Mapping[str, Any]) -> str:
    if mistake["error"] is not None:
        return "nothing: the call failed"
    return task_name(mistake["task"]) if mistake["valid"] else "no listed task"


def _quote(mistake: Mapping[str, Any]) -> str:
    """Return what the model wrote, or why the call failed."""
    text: str = mistake["error"] if mistake["error"] is not None else mistake["answer"] or ""
    return text if len(text) <= _ANSWER else text[: _ANSWER - 1] + "…"


def _tasks(mistake: Mapping[str, Any]) -> list[ListedTask]:
    answered = mistake["task"] if mistake["valid"] else None
    roles = {answered: "answered", mistake["gold"]: "right"}
    return [
        ListedTask(short(task["name"]), task.get("description") or "", roles.get(task["name"], ""))
        for task in mistake["tasks"]
    ]
