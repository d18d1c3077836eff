"""The router's prompt: a conversation and its tasks become one chat in which the decisions are the assistant's turns.

    system     what to do, then the tasks of this conversation, one a line, and "none"
    user       User: I need a bus to Fresno.
    assistant  buses_find_bus
    user       Assistant: Leaving when?
               User: Before that, is it going to rain there?
    assistant  …                                        the decision that is asked for

The task list comes first and does not change within a conversation, so a server that caches prefixes reads only the new
turn. The agent's replies, and user turns whose decision is unknown or no longer listed, are folded into the next message.
This module is the only place that knows all this. Training data, callers and evaluation share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from mojo_toolbox.data.conversations import NONE_ANSWER, Message, Task, describe, read_label, require_distinct
from mojo_toolbox.errors import DataError
from mojo_toolbox.errors.sentences import sentence
from mojo_toolbox.spelling import is_blank

# Goes into every manifest: a model asked with another prompt than it was trained on is wrong without a sign of it.
PROMPT_VERSION = "routing-2"

_INSTRUCTION = (
    "You watch a conversation between a user and an assistant. After each user turn, answer with the name of the task that "
    "the assistant should work on now, or none. Tasks:"
)
_NONE_LINE = f"Nothing in this list is wanted, or the task is finished or dropped: {NONE_ANSWER}"

# Of a chat history as other programs keep it, a router reads the spoken words.
_FOREIGN_ROLES = ("system", "developer", "tool", "function")
_FILTER = (
    "A router reads user and assistant messages with text. Keep those: [m for m in messages if m['role'] in ('user', "
    "'assistant') and isinstance(m.get('content'), str)]"
)
_Read = TypeVar("_Read", Message, Task)


@dataclass(frozen=True)
class RoutingPrompt:
    """Chat messages (`role`, `content`) to send, and the choices the answer is one of."""

    messages: list[dict[str, str]]
    choices: list[str]
    decisions: Mapping[str, str | None] = field(default_factory=dict)
    """The meaning of each choice: the task's name as the caller spells it, or None for no task."""


class Unknown:
    """The type of `UNKNOWN`: not given, which differs from None, "no task"."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


def routing_prompt(
    messages: Sequence[Message | Mapping[str, Any]],
    tasks: Sequence[Task | Mapping[str, Any]],
    *,
    previous: str | Unknown | None = UNKNOWN,
) -> RoutingPrompt:
    """Render the question: which task is in charge after the last of `messages`?

    `previous` is the decision at the last user turn before it. None means "no task", and UNKNOWN means that nobody knows. A
    label on the last message itself is ignored.

    Raises:
        DataError: no messages, a last message that is not the user's, no tasks, or a task that cannot be listed.
    """
    # An iterator is read once.
    tasks = list(tasks) if isinstance(tasks, Iterator) else tasks
    turns, listed = _checked(messages, tasks)
    if turns[-1].role != "user":
        raise DataError("the last message must be the user's: the router decides after a user turn.")
    require_text(turns[-1].content)
    if not isinstance(previous, str | Unknown | None):
        raise DataError(f"previous must be a task's name or None, not {type(previous).__name__}.")
    if not isinstance(previous, Unknown):
        turns = _with_previous(turns, _read_previous(previous))
    chat = decision_chat([*turns[:-1], Message(role="user", content=turns[-1].content)], listed)
    possible = choices(listed)
    return RoutingPrompt(chat, possible, dict(zip(possible, [*_spelt(tasks), None], strict=True)))


def read_tasks(tasks: Sequence[Task | Mapping[str, Any]]) -> tuple[Task, ...]:
    """Return the tasks of a list that a router can choose from.

    Raises:
        DataError: no tasks, or one that cannot be listed.
    """
    if isinstance(tasks, str | Mapping) or not isinstance(tasks, Iterable) or not tasks:
        raise DataError('tasks must be a list such as [{"name": "…", "description": "…"}], with at least one task.')
    for task in tasks:
        if not isinstance(task, Task | Mapping):
            raise DataError(f'each task is {{"name": "…", "description": "…"}}, not {task!r:.80}.')
    listed = tuple(_read(Task, task, "task", number) for number, task in enumerate(tasks, start=1))
    try:
        require_distinct(listed)
    except ValueError as error:
        raise DataError(f"tasks cannot be used: {sentence(error)}") from error
    return listed


def require_text(content: str) -> None:
    """Refuse a last message that says nothing: any decision or reply to it would be made up.

    Raises:
        DataError: it is empty, or nothing in it can be seen.
    """
    if is_blank(content):
        raise DataError(
            f"the last message is {'blank' if content else 'empty'}: there is nothing to answer. Send the user's text."
        )


def choices(tasks: Sequence[Task]) -> list[str]:
    """Return the router's choices: the tasks' names in the list's order, then none."""
    return [*(task.name for task in tasks), NONE_ANSWER]


def system_message(tasks: Sequence[Task]) -> str:
    """Return the instruction with the task list.

    Each name comes after its description. A causal model reads from left to right: only in this order has the name taken
    up the task's meaning when the model copies it as the answer. docs/lab-notebook.md has the figures.
    """
    lines = [f"{task.description}: {task.name}" if task.description else task.name for task in tasks]
    return "\n".join([_INSTRUCTION, *lines, _NONE_LINE])


def answer_for(task: str | None) -> str:
    """Return how the decision `task` is written in the chat."""
    return NONE_ANSWER if task is None else task


def decision_chat(turns: Sequence[Message], tasks: Sequence[Task]) -> list[dict[str, str]]:
    """Render turns as one chat. Each labelled user turn is followed by its decision as an assistant message."""
    names = {task.name for task in tasks}
    chat = [{"role": "system", "content": system_message(tasks)}]
    folded: list[str] = []
    for turn in turns:
        folded.append(f"{turn.role.capitalize()}: {turn.content}")
        if turn.role == "user" and turn.labelled and (turn.task is None or turn.task in names):
            chat.append({"role": "user", "content": "\n".join(folded)})
            chat.append({"role": "assistant", "content": answer_for(turn.task)})
            folded = []
    if folded:
        chat.append({"role": "user", "content": "\n".join(folded)})
    return chat


def _checked(
    messages: Sequence[Message | Mapping[str, Any]], tasks: Sequence[Task | Mapping[str, Any]]
) -> tuple[list[Message], tuple[Task, ...]]:
    if isinstance(messages, str | Mapping) or not isinstance(messages, Iterable) or not messages:
        raise DataError(
            'messages must be a list such as [{"role": "user", "content": "…"}], with at least one message.'
        )
    listed = read_tasks(tasks)
    return [_read(Message, message, "message", number) for number, message in enumerate(messages, start=1)], listed


def _read(kind: type[_Read], given: object, called: str, number: int) -> _Read:
    try:
        return given if isinstance(given, kind) else kind.model_validate(given)
    except ValidationError as error:
        hint = f" {_FILTER}" if kind is Message and _is_foreign(given) else ""
        raise DataError(f"{called}s cannot be used: {called} {number}: {sentence(describe(error))}{hint}") from error


def _is_foreign(message: object) -> bool:
    """Whether a message belongs to a chat with more than two sides, or says something else than text."""
    if not isinstance(message, Mapping):
        return False
    return message.get("role") in _FOREIGN_ROLES or not isinstance(message.get("content", ""), str)


def _spelt(tasks: Sequence[Task | Mapping[str, Any]]) -> list[str]:
    return [task.name if isinstance(task, Task) else task["name"] for task in tasks]


def _read_previous(previous: str | None) -> str | None:
    try:
        return read_label(previous)
    except ValueError as error:
        raise DataError(f"previous={previous!r} cannot be used: {sentence(error)}") from error


def _with_previous(turns: list[Message], previous: str | None) -> list[Message]:
    earlier = [index for index, turn in enumerate(turns[:-1]) if turn.role == "user"]
    if not earlier:
        # Nothing was decided before the first user turn. There is no turn that could carry it.
        return turns
    last = earlier[-1]
    labelled = Message(role="user", content=turns[last].content, task=previous)
    return [*turns[:last], labelled, *turns[last + 1 :]]
