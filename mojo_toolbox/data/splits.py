"""Dividing conversations into a training and a test part that holds tasks never seen in training."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from mojo_toolbox.data.conversations import Conversation
from mojo_toolbox.errors import DataError


def labels_of(conversation: Conversation) -> set[str]:
    """Return the tasks that are in charge somewhere in the conversation."""
    return {message.task for message in conversation.messages if message.task is not None}


def split_with_unseen_tasks(
    conversations: Sequence[Conversation], *, unseen: int = 2, test_share: float = 0.25, seed: int = 0
) -> tuple[list[Conversation], list[Conversation]]:
    """Return (train, test): no conversation in both, and `unseen` tasks of the test part nowhere in the training part.

    The unseen tasks are taken off the lists of training conversations; a conversation in which one of them is in charge is
    a test conversation.

    Raises:
        DataError: too few conversations or tasks to divide.
    """
    rng = random.Random(seed)
    shuffled = list(conversations)
    rng.shuffle(shuffled)
    frequency = Counter(name for conversation in shuffled for name in labels_of(conversation))
    # The rarer half: withholding what everybody asks for would leave nothing to learn from.
    candidates = [name for name, _ in sorted(frequency.items(), key=lambda item: (item[1], item[0]))]
    candidates = candidates[: max(unseen, len(candidates) // 2)]
    withheld = set(rng.sample(candidates, min(unseen, len(candidates))))
    test = [c for c in shuffled if labels_of(c) & withheld]
    others = [c for c in shuffled if not labels_of(c) & withheld]
    wanted = round(len(shuffled) * test_share)
    extra = max(0, wanted - len(test))
    test += others[:extra]
    train = [c for c in (_without(c, withheld) for c in others[extra:]) if c is not None]
    if len(withheld) < unseen or not train or not test:
        raise DataError(
            f"{len(shuffled)} conversations with {len(frequency)} tasks in charge cannot be divided into a training part and "
            f"a test part with {unseen} unseen tasks. Give more conversations."
        )
    return train, test


def _without(conversation: Conversation, withheld: set[str]) -> Conversation | None:
    tasks = tuple(task for task in conversation.tasks if task.name not in withheld)
    return conversation.model_copy(update={"tasks": tasks}) if tasks else None
