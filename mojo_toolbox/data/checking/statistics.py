"""What a person wants to know of a file of conversations before training on it: counts and typical sizes."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from mojo_toolbox.data.conversations import Conversation
from mojo_toolbox.data.decision_kinds import POINTS
from mojo_toolbox.data.points import measuring_points

# Distinct task names that are counted, some 200 bytes each. A file with more has a list per conversation, not tasks.
MOST_TASKS = 200_000


@dataclass(frozen=True)
class Spread:
    """How a size is distributed over conversations."""

    total: int
    least: int
    median: int
    p95: int
    most: int


@dataclass
class TaskCount:
    """How often a task occurs: in so many lists, in charge after so many user turns of so many conversations."""

    lists: int = 0
    turns: int = 0
    conversations: int = 0


@dataclass(frozen=True)
class Statistics:
    """The contents of a file in figures. Lines that cannot be read are not counted.

    `tokens` are those of a conversation's messages and task list, without a chat template and a prompt. `tokenizer` is None if
    they are estimated as UTF-8 bytes / 4. `tasks` is sorted by the turns in charge.
    """

    conversations: int
    user_turns: int
    assistant_turns: int
    labelled_turns: int
    points: dict[str, int]
    tasks: dict[str, TaskCount]
    more_tasks_than_counted: bool
    list_length: Spread
    messages: Spread
    tokens: Spread
    tokenizer: str | None


@dataclass
class StatisticsCollector:
    """Counts conversations one after the other; 12 bytes a conversation, and the distinct tasks."""

    count_tokens: Callable[[list[str]], int]
    tokenizer: str | None
    tasks: dict[str, TaskCount] = field(default_factory=dict)
    points: Counter[str] = field(default_factory=Counter)
    _roles: Counter[str] = field(default_factory=Counter)
    _more_tasks: bool = False
    _list_lengths: array[int] = field(default_factory=lambda: array("I"))
    _messages: array[int] = field(default_factory=lambda: array("I"))
    _tokens: array[int] = field(default_factory=lambda: array("I"))

    def add(self, conversation: Conversation) -> None:
        """Count a conversation."""
        self._roles.update(message.role for message in conversation.messages)
        in_charge: Counter[str] = Counter()
        for point in measuring_points(conversation):
            self.points[point.point] += 1
            if point.gold is not None:
                in_charge[point.gold] += 1
        for task in conversation.tasks:
            self._count(task.name, in_charge[task.name])
        self._list_lengths.append(len(conversation.tasks))
        self._messages.append(len(conversation.messages))
        self._tokens.append(self.count_tokens(_texts(conversation)))

    def _count(self, name: str, turns: int) -> None:
        known = self.tasks.get(name)
        if known is None:
            if len(self.tasks) >= MOST_TASKS:
                self._more_tasks = True
                return
            known = self.tasks[name] = TaskCount()
        known.lists += 1
        known.turns += turns
        known.conversations += turns > 0

    def statistics(self) -> Statistics:
        """Return what was counted."""
        by_use = sorted(self.tasks.items(), key=lambda item: (-item[1].turns, -item[1].lists, item[0]))
        return Statistics(
            conversations=len(self._messages),
            user_turns=self._roles["user"],
            assistant_turns=self._roles["assistant"],
            labelled_turns=self.points.total(),
            points={point: self.points[point] for point in POINTS},
            tasks=dict(by_use),
            more_tasks_than_counted=self._more_tasks,
            list_length=_spread(self._list_lengths),
            messages=_spread(self._messages),
            tokens=_spread(self._tokens),
            tokenizer=self.tokenizer,
        )


def _texts(conversation: Conversation) -> list[str]:
    listed = [f"{task.name}: {task.description}" for task in conversation.tasks]
    return listed + [message.content for message in conversation.messages]


def _spread(sizes: array[int]) -> Spread:
    import numpy as np

    if not len(sizes):
        return Spread(0, 0, 0, 0, 0)
    values = np.frombuffer(sizes, dtype=np.dtype(sizes.typecode))
    least, median, p95, most = np.quantile(values, [0, 0.5, 0.95, 1], method="inverted_cdf").tolist()
    return Spread(int(values.sum()), least, median, p95, most)
