"""Training examples: an augmented conversation as the router's prompt with its decisions, a few of them wrong on purpose.

`data.augmentation` varies the conversation (the list, the labels). This module varies the part that only the prompt can
say: an earlier decision that is wrong and bears no loss, so that a router does not merely copy the decision above.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mojo_toolbox.data.augmentation import Augmentation, augment
from mojo_toolbox.data.conversations import Conversation, Task
from mojo_toolbox.data.task_pool import TaskPool
from mojo_toolbox.purposes.routing.prompt import choices, decision_chat

# Share of earlier decisions that are shown wrong.
WRONG_DECISIONS = 0.05


def validation_example(conversation: Conversation) -> dict[str, Any]:
    """Render a conversation without variations. It asks every labelled decision, and shows the earlier ones as labelled."""
    chat = _up_to_last_decision(decision_chat(conversation.messages, conversation.tasks))
    return {"messages": chat, "choices": choices(conversation.tasks)}


def training_example(
    conversation: Conversation,
    *,
    seed: int = 0,
    copy: int = 0,
    augmentation: Augmentation | None = None,
    pool: TaskPool | None = None,
    wrong_decisions: float = WRONG_DECISIONS,
) -> dict[str, Any]:
    """Render a conversation, augmented, as `{"messages": […], "choices": […]}`. Messages with `"train": false` bear no loss.

    Args:
        conversation: a conversation with a labelled turn.
        seed: as in `augment()`.
        copy: as in `augment()`.
        augmentation: as in `augment()`.
        pool: as in `augment()`.
        wrong_decisions: share, from 0 to 1, of the earlier decisions that are shown wrong, without bearing loss.
    """
    varied = augment(conversation, seed=seed, copy=copy, augmentation=augmentation, pool=pool)
    chat = _up_to_last_decision(decision_chat(varied.messages, varied.tasks))
    rng = random.Random(f"wrong decisions of {varied.id}")
    return {
        "messages": _with_mistakes(chat, varied.tasks, rng, share=wrong_decisions),
        "choices": choices(varied.tasks),
    }


def training_examples(
    conversations: Iterable[Conversation],
    *,
    seed: int = 0,
    copies: int = 1,
    augmentation: Augmentation | None = None,
    pool: TaskPool | None = None,
    wrong_decisions: float = WRONG_DECISIONS,
) -> Iterator[dict[str, Any]]:
    """Yield `copies` differently augmented examples of each conversation that has a labelled turn."""
    for conversation in conversations:
        if any(message.labelled for message in conversation.messages):
            for copy in range(copies):
                yield training_example(
                    conversation,
                    seed=seed,
                    copy=copy,
                    augmentation=augmentation,
                    pool=pool,
                    wrong_decisions=wrong_decisions,
                )


def _up_to_last_decision(chat: list[dict[str, str]]) -> list[dict[str, str]]:
    """Drop the messages after the last decision: nothing is learnt from it, but it would be read."""
    return chat if chat[-1]["role"] == "assistant" else chat[:-1]


def _with_mistakes(
    chat: list[dict[str, str]], tasks: Sequence[Task], rng: random.Random, *, share: float
) -> list[dict[str, Any]]:
    """Replace a share of the decisions that a later decision follows by wrong ones that bear no loss."""
    decisions = [index for index, message in enumerate(chat) if message["role"] == "assistant"]
    result: list[dict[str, Any]] = [dict(message) for message in chat]
    for index in decisions[:-1]:
        if rng.random() < share:
            wrong = [choice for choice in choices(tasks) if choice != chat[index]["content"]]
            result[index] = {"role": "assistant", "content": rng.choice(wrong), "train": False}
    return result
