"""Turns to ask about with task lists of any length: labelled ones, their lists filled up with tasks of other origins."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mojo_toolbox.contract import chat_request
from mojo_toolbox.data import Conversation, Message, Task, measuring_points
from mojo_toolbox.data.resemblance import plain_name
from mojo_toolbox.data.starter import starter_material
from mojo_toolbox.data.task_pool import read_tasks
from mojo_toolbox.evaluation import Question
from mojo_toolbox.evaluation.routers.question import Record
from mojo_toolbox.purposes.routing import routing_prompt

# A task is wanted that was not in charge before: where the length of the list matters most.
POINTS = ("start", "switch")
_GREETING = (Message(role="user", content="Hello."),)


@dataclass(frozen=True)
class Turn:
    """A user turn, the last of `messages`, to decide among `tasks`; the earlier ones bear the labelled decisions.

    `before` are the messages at the decision before it, those of another conversation where it is the first.
    """

    messages: tuple[Message, ...]
    tasks: tuple[Task, ...]
    previous: str | None
    gold: str
    point: str
    before: tuple[Message, ...] = _GREETING

    def body(self) -> bytes:
        """Return the request as a caller of an endpoint sends it."""
        asked = routing_prompt(self.messages, self.tasks)
        return json.dumps(chat_request(asked.messages, choices=asked.choices)).encode()

    def question(self) -> Question:
        """Return it as routers that are no endpoint are asked."""
        last = Message(role="user", content=self.messages[-1].content)
        messages = [_record(message) for message in (*self.messages[:-1], last)]
        return Question(messages, [_record(task) for task in self.tasks], self.previous)

    def earlier(self) -> Turn:
        """Return the decision before it, with the same list."""
        return replace(self, messages=self.before)


def turns(conversations: Iterable[Conversation], *, most: int, seed: int) -> list[Turn]:
    """Return at most `most` turns at which a task starts or another takes over, drawn from all of them."""
    found = [turn for conversation in conversations for turn in _turns(conversation)]
    return random.Random(f"turns {seed}").sample(found, min(most, len(found)))


def task_pool(files: Iterable[Path]) -> list[Task]:
    """Return the tasks to fill lists with: the library's starter tasks and those of the files, each name once."""
    starters = [starter.task for starter in starter_material().tasks]
    listed = (task for file in files for task in read_tasks(file))
    found: dict[str, Task] = {}
    for task in [*starters, *listed]:
        found.setdefault(plain_name(task.name), task)
    return list(found.values())


def filled(turn: Turn, pool: Sequence[Task], length: int, *, seed: str) -> Turn:
    """Return the turn with a list of `length` tasks, fewer where the pool ends; a list that is as long stays as it is.

    The same seed gives lists of which a shorter one is the longer one without some tasks, in the same order.
    """
    own = {plain_name(task.name) for task in turn.tasks}
    others = [task for task in pool if plain_name(task.name) not in own]
    rng = random.Random(f"list {seed}")
    rng.shuffle(others)
    added = others[: max(0, length - len(turn.tasks))]
    if not added:
        return turn
    placed = [(rng.random(), task) for task in [*turn.tasks, *others]]
    kept = {task.name for task in (*turn.tasks, *added)}
    in_order = sorted(placed, key=lambda pair: pair[0])
    return replace(turn, tasks=tuple(task for _, task in in_order if task.name in kept))


def _turns(conversation: Conversation) -> Iterable[Turn]:
    before = _GREETING
    for point in measuring_points(conversation):
        messages = conversation.messages[: point.turn + 1]
        if point.point in POINTS and point.gold is not None:
            yield Turn(messages, conversation.tasks, point.previous, point.gold, point.point, before)
        before = messages


def _record(of: Message | Task) -> Record:
    found: dict[str, Any] = of.model_dump(exclude_unset=True)
    return Record(found)
