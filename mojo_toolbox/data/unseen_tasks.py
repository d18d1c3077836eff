"""Choosing the tasks that only a test part has: so that their conversations are about its share of all."""

from __future__ import annotations

import random
from collections.abc import Mapping

from mojo_toolbox.errors import DataError

LabelSet = frozenset[str]

# So many choices are made at random, and the best is taken.
_TRIALS = 32
# Of so many tasks the one is taken next whose conversations are the most test conversations already.
_CANDIDATES = 8
# Unseen tasks at the least, where as many are left to train on: with a single one there is nothing to choose between.
_LEAST = 2
# A conversation in which tasks of both parts are in charge loses the turns of one: half as bad as one too many.
_MIXED_COST = 0.5


def choose_unseen_tasks(weights: Mapping[LabelSet, int], *, share: float, seed: int) -> frozenset[str]:
    """Return the tasks whose conversations become the test part.

    Args:
        weights: the number of conversations for each set of tasks in charge. Conversations without one are passed over.
        share: the wanted share of conversations.
        seed: another seed gives another choice.

    Raises:
        DataError: no choice leaves conversations for both parts.
    """
    choice = _Choice({labels: weight for labels, weight in weights.items() if labels}, share)
    found = [choice.make(random.Random(f"{seed}/{trial}")) for trial in range(_TRIALS)]
    possible = [unseen for unseen in found if choice.size(unseen) < choice.total]
    if not possible:
        raise DataError(
            f"{choice.total} conversations with {len(choice.tasks)} tasks in charge cannot be divided by task: each choice of "
            "unseen tasks leaves nothing to train on. Give more conversations, or divide by conversation."
        )
    best: set[str] = min(possible, key=choice.cost)
    return frozenset(best)


class _Choice:
    def __init__(self, weights: dict[LabelSet, int], share: float) -> None:
        self._weights = weights
        self.total = sum(weights.values())
        self._wanted = share * self.total
        self.tasks = sorted(set().union(*weights))
        self._least = _LEAST if len(self.tasks) >= 2 * _LEAST else 1
        self._having: dict[str, list[LabelSet]] = {task: [] for task in self.tasks}
        for labels in weights:
            for task in labels:
                self._having[task].append(labels)

    def make(self, rng: random.Random) -> set[str]:
        """Add tasks that share conversations with those chosen, until the share is reached."""
        left = rng.sample(self.tasks, len(self.tasks))
        unseen: set[str] = set()
        taken: set[LabelSet] = set()
        size = 0
        while left and (size < self._wanted or len(unseen) < self._least):
            task = max(left[:_CANDIDATES], key=lambda task: sum(labels in taken for labels in self._having[task]))
            left.remove(task)
            more = [labels for labels in self._having[task] if labels not in taken]
            larger = size + sum(self._weights[labels] for labels in more)
            # One too many is as bad as one too few.
            if len(unseen) < self._least or larger - self._wanted <= self._wanted - size:
                unseen.add(task)
                taken.update(more)
                size = larger
        return unseen

    def size(self, unseen: set[str]) -> int:
        """Return how many conversations have an unseen task in charge."""
        return sum(weight for labels, weight in self._weights.items() if labels & unseen)

    def cost(self, unseen: set[str]) -> float:
        """Return how far a choice is from what is wanted, in conversations."""
        mixed = sum(weight for labels, weight in self._weights.items() if labels & unseen and labels - unseen)
        return abs(self.size(unseen) - self._wanted) + _MIXED_COST * mixed
