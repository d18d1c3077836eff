"""Records that went through a `datasets.Dataset`, as they were before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def without_filled_in(record: Mapping[str, Any]) -> dict[str, Any]:
    """Undo what `datasets.Dataset` does to records: it gives every message every key, None where there was none.

    A user message's `task` of None therefore stays "no task": in a Dataset, unlabelled turns cannot be told from it.
    """
    cleaned = {name: value for name, value in record.items() if value is not None}
    tasks = cleaned.get("tasks")
    if isinstance(tasks, list):
        cleaned["tasks"] = [
            {k: v for k, v in task.items() if v is not None} if isinstance(task, Mapping) else task for task in tasks
        ]
    messages = cleaned.get("messages")
    if isinstance(messages, list):
        cleaned["messages"] = [
            {k: v for k, v in m.items() if not (v is None and (k != "task" or m.get("role") != "user"))}
            if isinstance(m, Mapping)
            else m
            for m in messages
        ]
    return cleaned
