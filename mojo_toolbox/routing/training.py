"""Training examples from conversations: the router's prompt with its decisions, varied so that a router becomes robust.

What is varied, and against which failure: the list's order (preferring what stands first), withheld tasks (never saying
"none"), hidden earlier decisions (callers who know only the conversation), wrong earlier decisions (copying what stands
above). Everything follows from the seed and the conversation.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.data.conversations import Conversation, Message, Task
from mojo_toolbox.routing.prompt import choices, decision_chat


@dataclass(frozen=True)
class Variation:
    """How often an example is varied; each share is a probability between 0 and 1."""

    withheld_task: float = 0.1
    """Share of examples in which a task that occurs is taken off the list: its turns become none."""
    hidden_decisions: float = 0.3
    """Share of examples in which the first decisions, up to a random turn, are unknown."""
    wrong_decisions: float = 0.05
    """Share of earlier decisions that are shown wrong, without bearing loss."""


def validation_example(conversation: Conversation) -> dict[str, Any]:
    """Render a conversation as it stands: every labelled decision is asked, the earlier ones are as labelled."""
    return {"messages": _up_to_last_decision(decision_chat(conversation.messages, conversation.tasks))}


def training_example(conversation: Conversation, *, seed: int, variation: Variation | None = None) -> dict[str, Any]:
    """Render a conversation, varied by `seed`, as `{"messages": […]}`; `"train": false` marks what bears no loss."""
    variation = variation or Variation()
    rng = random.Random(f"{seed}:{conversation.id}:{conversation.messages[0].content}")
    tasks, turns = list(conversation.tasks), list(conversation.messages)
    if rng.random() < variation.withheld_task:
        tasks, turns = _withhold(tasks, turns, rng)
    rng.shuffle(tasks)
    if rng.random() < variation.hidden_decisions:
        turns = _hide(turns, rng)
    chat = _up_to_last_decision(decision_chat(turns, tasks))
    return {"messages": _with_mistakes(chat, tasks, rng, share=variation.wrong_decisions)}


def training_examples(
    conversations: Iterable[Conversation], *, seed: int = 0, copies: int = 1, variation: Variation | None = None
) -> Iterator[dict[str, Any]]:
    """Yield `copies` differently varied examples of each conversation that has a labelled turn."""
    for conversation in conversations:
        if any(message.labelled for message in conversation.messages):
            for copy in range(copies):
                yield training_example(conversation, seed=seed + copy, variation=variation)


def _up_to_last_decision(chat: list[dict[str, str]]) -> list[dict[str, str]]:
    """Drop what follows the last decision: nothing is learnt from it, but it would be read."""
    return chat if chat[-1]["role"] == "assistant" else chat[:-1]


def _withhold(tasks: list[Task], turns: list[Message], rng: random.Random) -> tuple[list[Task], list[Message]]:
    occurring = sorted({turn.task for turn in turns if turn.task is not None})
    if not occurring or len(tasks) < 2:  # noqa: PLR2004 - a list must keep a task
        return tasks, turns
    withheld = rng.choice(occurring)
    relabelled = [Message(role="user", content=t.content, task=None) if t.task == withheld else t for t in turns]
    return [task for task in tasks if task.name != withheld], relabelled


def _hide(turns: list[Message], rng: random.Random) -> list[Message]:
    labelled = [index for index, turn in enumerate(turns) if turn.labelled]
    first_known = rng.choice(labelled)
    return [Message(role=t.role, content=t.content) if i < first_known else t for i, t in enumerate(turns)]


def _with_mistakes(
    chat: list[dict[str, str]], tasks: list[Task], rng: random.Random, *, share: float
) -> list[dict[str, Any]]:
    """Replace a share of the decisions that a later decision follows by wrong ones that bear no loss."""
    decisions = [index for index, message in enumerate(chat) if message["role"] == "assistant"]
    result: list[dict[str, Any]] = [dict(message) for message in chat]
    for index in decisions[:-1]:
        if rng.random() < share:
            wrong = [choice for choice in choices(tasks) if choice != chat[index]["content"]]
            result[index] = {"role": "assistant", "content": rng.choice(wrong), "train": False}
    return result
