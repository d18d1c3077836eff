"""Records that plainly are conversations, told in microseconds: what a file of a hundred thousand mostly holds.

Everything else, odd but right or wrong, is for `parse_conversation` to judge; a test holds the two together.
"""

from __future__ import annotations

from typing import Any

from mojo_toolbox.data.conversations import means_none
from mojo_toolbox.spelling import canonical, misspelling

# What stands beside these may be misspelt: that is for `parse_conversation` to say.
_KEYS = frozenset({"id", "tasks", "messages", "meta"})
_TASK_KEYS = frozenset({"name", "description"})
_MESSAGE_KEYS = frozenset({"role", "content", "task"})


def plain_record(record: dict[str, Any]) -> dict[str, Any] | None:
    """Return what `Conversation.as_record()` returns for a record that plainly is one; None for all others."""
    if not record.keys() <= _KEYS:
        return None
    identity, meta = record.get("id", ""), record.get("meta", {})
    tasks, messages = _tasks(record.get("tasks")), record.get("messages")
    if type(identity) is not str or type(meta) is not dict or tasks is None or type(messages) is not list:
        return None
    names = {task["name"] for task in tasks}
    turns = [_message(message, names) for message in messages]
    if len(names) != len(tasks) or not turns or None in turns:
        return None
    plain: dict[str, Any] = {"id": identity} if identity else {}
    plain |= {"tasks": tasks, "messages": turns}
    return plain | ({"meta": meta} if meta else {})


def _tasks(given: object) -> list[dict[str, str]] | None:
    if type(given) is not list or not given:
        return None
    tasks = []
    for task in given:
        if type(task) is not dict or not task.keys() <= _TASK_KEYS:
            return None
        name, description = task.get("name"), task.get("description", "")
        if type(name) is not str or type(description) is not str or not _usable(name):
            return None
        tasks.append({"name": name, "description": " ".join(description.split())})
    return tasks


def _usable(name: str) -> bool:
    return misspelling(name) is None and canonical(name) == name and not means_none(name)


def _message(given: Any, names: set[str]) -> dict[str, Any] | None:
    if type(given) is not dict or not given.keys() <= _MESSAGE_KEYS:
        return None
    role, content = given.get("role"), given.get("content")
    if type(content) is not str or type(role) is not str or role not in {"user", "assistant"}:
        return None
    if "task" not in given:
        return {"role": role, "content": content}
    task = given["task"]
    if role != "user" or not (task is None or (type(task) is str and task in names)):
        return None
    return {"role": role, "content": content, "task": task}
