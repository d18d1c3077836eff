"""A pool of tasks for augmentation: distractors that do not fit, and other wordings."""

from __future__ import annotations

import hashlib
import heapq
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from mojo_toolbox.data.conversations import Conversation, Task, describe, parse_conversation, parse_listed_task
from mojo_toolbox.data.jsonl import read_records
from mojo_toolbox.data.resemblance import Vocabulary, Words, plain_name, words, words_of
from mojo_toolbox.data.wordings import Alternatives, read_alternatives
from mojo_toolbox.errors import DataError
from mojo_toolbox.errors.sentences import sentence

# How many distinct tasks of a file are kept, some 2 KB each.
POOL_LIMIT = 5_000
# Of a distractor's name or description, weighed by rarity, so much may stand in what the user says, and so much of a
# listed task. Both refuse rather too much (docs/augment-data.md has the figures): a pool has others.
_MOST_SAID = 0.15
_MOST_SHARED = 0.2
# How many distractors are looked at for one that is added, before the list stays shorter.
_TRIES = 10


@dataclass(frozen=True)
class _Known:
    """A task that a conversation lists, in all its wordings: their names, their words, and what those weigh."""

    names: set[str]
    words: Words
    weight: float


class TaskPool:
    """Distractors, and other wordings of tasks."""

    def __init__(self, distractors: Iterable[Task] = (), *, alternatives: Alternatives | None = None) -> None:
        # Sorted: what is drawn must not depend on the order in which a file has them.
        self.distractors = tuple(sorted(set(distractors), key=lambda task: (task.name, task.description)))
        self.alternatives: Alternatives = dict(alternatives or {})
        self._vocabulary = Vocabulary(self.distractors)

    def wordings(self, task: Task) -> list[Task]:
        """Return the task in its other wordings. The list is empty without alternatives for its name."""
        return [wording.of(task) for wording in self.alternatives.get(task.name, ())]

    def misfits(self, conversation: Conversation, *, rng: random.Random, most: int) -> Iterator[Task]:
        """Yield at most `most` distractors that nobody asks for in the conversation, in random order.

        A task that fits is left out. It fits if any of its wordings has the name of a listed task or of one yielded before,
        resembles one, or uses words that the user says. This compares words only, so a synonym goes unnoticed.
        """
        asked = words("\n".join(turn.content for turn in conversation.messages if turn.role == "user"))
        listed = [self._known(task) for task in conversation.tasks]
        looked_at = min(len(self.distractors), _TRIES * most)
        for index in rng.sample(range(len(self.distractors)), looked_at):
            if most == 0:
                return
            task = self.distractors[index]
            if not self._fits(task, listed, asked):
                listed.append(self._known(task))
                most -= 1
                yield task

    def _known(self, task: Task) -> _Known:
        wordings = [task, *self.wordings(task)]
        used = frozenset().union(*(part for wording in wordings for part in words_of(wording)))
        return _Known({plain_name(wording.name) for wording in wordings}, used, self._vocabulary.weight(used))

    def _fits(self, distractor: Task, listed: list[_Known], asked: Words) -> bool:
        vocabulary = self._vocabulary
        for task in (distractor, *self.wordings(distractor)):
            name, description = words_of(task)
            own = name | description
            # Of a task without a word nothing can be told.
            if not own or max(vocabulary.coverage(part, asked) for part in (name, description)) > _MOST_SAID:
                return True
            weight = vocabulary.weight(own)
            for other in listed:
                shared = vocabulary.weight(own & other.words)
                if plain_name(task.name) in other.names or shared > _MOST_SHARED * min(weight, other.weight):
                    return True
        return False


def read_pool(
    path: Path | str | None = None, *, alternatives: Path | str | None = None, limit: int = POOL_LIMIT
) -> TaskPool:
    """Return the pool of the tasks in a file, at most `limit` distinct ones, and of the alternatives in another.

    Raises:
        DataError: a file cannot be read. See `read_tasks()` and `read_alternatives()` for their formats.
    """
    tasks = [] if path is None else sample_tasks(read_tasks(path), limit=limit)
    return TaskPool(tasks, alternatives=None if alternatives is None else read_alternatives(alternatives))


def read_tasks(path: Path | str) -> Iterator[Task]:
    """Yield the tasks of a JSON Lines file: the listed tasks of conversations, or one `{"name", "description"}` a line.

    Raises:
        DataError: a line is neither of these. The error names file and line.
    """
    for line, record in read_records(path):
        if "name" in record and "messages" not in record:
            try:
                yield parse_listed_task(record)
            except ValidationError as error:
                raise DataError(f"not a task: {sentence(describe(error))}", path=path, line=line) from error
        else:
            yield from parse_conversation(record, path=path, line=line).tasks


def sample_tasks(tasks: Iterable[Task], *, limit: int = POOL_LIMIT) -> list[Task]:
    """Return the distinct tasks, or a sample of `limit` tasks. The sample does not depend on their order and number."""
    # The lowest hashes are a random sample of what is distinct, and need no memory of what was passed over.
    kept: dict[int, Task] = {}
    highest: list[int] = []
    for task in tasks:
        rank = int.from_bytes(hashlib.sha256(f"{task.name}\0{task.description}".encode()).digest()[:8])
        if rank in kept or (len(kept) == limit and rank > -highest[0]):
            continue
        kept[rank] = task
        heapq.heappush(highest, -rank)
        if len(kept) > limit:
            del kept[-heapq.heappop(highest)]
    return list(kept.values())
