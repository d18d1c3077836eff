"""The tools that a chat record lists, as tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.data.conversations import Task
from mojo_toolbox.data.importers.call_objects import json_or_none
from mojo_toolbox.data.importers.task_lists import describe_name

_WRAPPED = ("function", "custom", "toolSpec")
_SEVERAL = ("functionDeclarations", "function_declarations", "tools")

WITHOUT_NAME = "has no name, as tools that are built into a service"
NO_TASK = "cannot be a task"


@dataclass(frozen=True)
class Tools:
    """The tools of a record: tasks with distinct names, and (number from 1, reason) of those that are none."""

    tasks: tuple[Task, ...]
    unusable: tuple[tuple[int, str], ...]


def tools_of(record: Mapping[str, Any]) -> Tools:
    """Return the tools that a record lists; one that cannot be a task takes nothing from the others."""
    tasks: dict[str, Task] = {}
    unusable = []
    for number, tool in enumerate(_entries(_given(record)), start=1):
        name = tool.get("name")
        if not isinstance(name, str) or not name.strip():
            unusable.append((number, WITHOUT_NAME))
            continue
        try:
            task = Task(name=name, description=str(tool.get("description") or ""))
        except ValueError:
            unusable.append((number, NO_TASK))
        else:
            tasks.setdefault(task.name, task)
    return Tools(tuple(tasks.values()), tuple(unusable))


def calls_forbidden(record: Mapping[str, Any]) -> bool:
    """Whether a record says that its assistant may call nothing, in the words of OpenAI, Anthropic or Gemini."""
    config = _config(record)
    mode = config.get("functionCallingConfig", config.get("function_calling_config"))
    choices = [record.get("tool_choice"), record.get("function_call"), record.get("toolChoice"), config, mode]
    said = [value for choice in choices for value in (_words(choice) if isinstance(choice, Mapping) else (choice,))]
    return any(isinstance(word, str) and word.strip().lower() == "none" for word in said)


def _words(choice: Mapping[str, Any]) -> tuple[Any, ...]:
    return choice.get("type"), choice.get("mode"), choice.get("toolChoice")


def _given(record: Mapping[str, Any]) -> Any:
    """Return a record's tools as they stand in it; Bedrock has them in `toolConfig`."""
    return record.get("tools") or record.get("functions") or _config(record).get("tools")


def _config(record: Mapping[str, Any]) -> Mapping[str, Any]:
    configs = (record.get(key) for key in ("toolConfig", "tool_config"))
    return next((config for config in configs if isinstance(config, Mapping)), {})


def _entries(tools: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the tools of a list, or of one written as text, without what is wrapped around them."""
    tools = json_or_none(tools) if isinstance(tools, str) else tools
    for entry in [tools] if isinstance(tools, Mapping) else tools if isinstance(tools, list) else []:
        if isinstance(entry, str):
            yield {"name": entry, "description": describe_name(entry)}
            continue
        several = next((entry[key] for key in _SEVERAL if key in entry), None) if isinstance(entry, Mapping) else None
        if isinstance(several, list):
            yield from _entries(several)
            continue
        wrapped = (entry.get(key) for key in _WRAPPED) if isinstance(entry, Mapping) else ()
        inner = next((part for part in wrapped if isinstance(part, Mapping)), entry)
        yield inner if isinstance(inner, Mapping) else {}
