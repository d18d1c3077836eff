"""What a file of conversations may hold and seldom should: warnings, of single conversations and of the whole."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator

from mojo_toolbox.data.conversations import Conversation
from mojo_toolbox.data.decision_kinds import POINTS

# Kind -> what it means, as the report says it.
DOUBTS = {
    "unlabelled": "conversations without a labelled turn, neither trained on nor scored",
    "empty-message": "conversations with empty messages",
    "no-description": "conversations with tasks that have no description",
    "same-description": "conversations with two tasks of the same description: nobody can tell them apart",
    "one-task": "conversations with a list of one task",
    "last-message": "conversations that end with the assistant's message: nothing is decided after it",
    "same-id": "conversations whose id occurred before",
    "relabelled": "conversations whose messages occurred before, under other labels",
    "one-label": "every labelled turn has the same label",
    "constant-labels": "labels that never change within a conversation",
    "missing-point": "kinds of decisions that never occur: a router learns what it is shown",
    "position": "the right task stands at one place too often: lists that are not shuffled",
}
# Positions in the list that are looked at, from its beginning and from its end.
_POSITIONS = 10
# A position is suspect when it has the right task that much more often than shuffled lists would, and not by chance.
_EXCESS, _STANDARD_DEVIATIONS = 0.15, 5


def conversation_doubts(conversation: Conversation) -> Iterator[tuple[str, str]]:
    """Yield (kind, message) of what is doubtful in a conversation."""
    tasks, messages = conversation.tasks, conversation.messages
    if not any(message.labelled for message in messages):
        yield "unlabelled", "no turn is labelled"
    empty = [str(number) for number, message in enumerate(messages, start=1) if not message.content.strip()]
    if empty:
        yield "empty-message", f"empty: message {', '.join(empty)}"
    if unexplained := [task.name for task in tasks if not task.description]:
        yield "no-description", f"no description: {', '.join(unexplained)}"
    by_description: dict[str, list[str]] = {}
    for task in tasks:
        by_description.setdefault(task.description.casefold(), []).append(task.name)
    for description, names in by_description.items():
        if description and len(names) > 1:
            yield "same-description", f"the same description: {', '.join(names)}"
    if len(tasks) == 1:
        yield "one-task", f"the list has one task, {tasks[0].name!r}"
    if messages[-1].role != "user":
        yield "last-message", "the last message is the assistant's"


class FileDoubts:
    """What is doubtful about conversations taken together."""

    def __init__(self) -> None:
        self._labels: set[str | None] = set()
        self._labelled_twice = 0
        self._changes = 0
        self._lists = 0
        self._right: Counter[int] = Counter()
        self._expected: defaultdict[int, float] = defaultdict(float)

    def add(self, conversation: Conversation) -> None:
        """Take the next conversation."""
        labels = [message.task for message in conversation.messages if message.labelled]
        distinct = set(labels)
        if len(self._labels) < 2:  # noqa: PLR2004 - more than one is all that is asked
            self._labels |= distinct
        self._labelled_twice += len(labels) > 1
        self._changes += len(distinct) > 1
        self._count_positions([task.name in distinct for task in conversation.tasks])

    def _count_positions(self, right: list[bool]) -> None:
        """Count at which places of a list its right tasks stand; from the end, -1 is the last."""
        length, share = len(right), sum(right) / len(right)
        if length == 1 or not share:
            return
        self._lists += 1
        for place in (*range(min(length, _POSITIONS)), *range(-min(length, _POSITIONS), 0)):
            self._right[place] += right[place]
            self._expected[place] += share

    def doubts(self, points: dict[str, int]) -> Iterator[tuple[str, str]]:
        """Yield (kind, message) of what is doubtful; `points` are the file's measuring points, counted."""
        if len(self._labels) == 1:
            yield "one-label", f"every labelled turn has the label {next(iter(self._labels))!r}: nothing is decided"
        elif self._labelled_twice and not self._changes:
            yield (
                "constant-labels",
                "no label changes within a conversation. Are they labels of conversations, and not of turns?",
            )
        missing = [point for point in POINTS if not points.get(point)]
        if missing and len(missing) < len(POINTS):
            yield "missing-point", f"no turn is a measuring point of these kinds: {', '.join(missing)}"
        yield from self._skewed()

    def _skewed(self) -> Iterator[tuple[str, str]]:
        suspects = []
        for place, expected in self._expected.items():
            excess = self._right[place] - expected
            if excess > _EXCESS * self._lists and excess > _STANDARD_DEVIATIONS * math.sqrt(expected):
                suspects.append((excess, place, expected))
        if suspects:
            _, place, expected = max(suspects)
            where = f"at place {place + 1}" if place >= 0 else f"at place {-place} from the end"
            seen, usual = self._right[place] / self._lists, expected / self._lists
            yield (
                "position",
                f"a right task stands {where} in {seen:.0%} of the lists, not in {usual:.0%}: shuffle them",
            )
