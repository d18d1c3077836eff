"""Prompts that ask for a conversation, or for the next message of one side: files that users copy and change.

---
# A comment.
writes: conversation
max_tokens: 4000
---

## system

You write conversations ...

## user

$tasks
$turns
...
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from mojo_toolbox.data import Message, Task
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.evaluation.routers.prompt_format import PromptFile, Sections, filled, read_prompt_file
from mojo_toolbox.generation.plan import Plan
from mojo_toolbox.generation.scenarios import DEFAULT_SHARES
from mojo_toolbox.generation.task_file import Example

Writes = Literal["conversation", "user", "agent"]

TEMPLATES = (*DEFAULT_SHARES, "user", "agent")
"""The templates that come along, by name: one for each scenario, and one for each side alone."""

_FOLDER = Path(__file__).parent / "templates"
_HEADER = ("writes", "max_tokens")
_VOICE = ("persona", "tone", "language", "habits", "manner")
_PLACEHOLDERS: Mapping[Writes, tuple[str, ...]] = {
    "conversation": ("about", "tasks", "target", "examples", "turns", "count", *_VOICE),
    "user": ("about", "tasks", "conversation", "intent", "task", *_VOICE),
    # The agent must not know the plan, and so not who it is dealing with either.
    "agent": ("about", "tasks", "conversation", "language", "manner"),
}
# Without these the text cannot fit its labels.
_NEEDED: Mapping[Writes, tuple[str, ...]] = {
    "conversation": ("turns",),
    "user": ("intent", "conversation"),
    "agent": ("tasks", "conversation"),
}
_ANYBODYS = "an assistant that does the tasks below for its users"
_NOTHING_YET = "(Nothing has been said yet.)"


@dataclass(frozen=True)
class PromptTemplate:
    """A prompt with placeholders."""

    name: str
    """The file's name without its ending."""
    path: Path
    sha256: str
    """The hash of the file. A changed template is another one."""
    writes: Writes
    """A whole conversation, or the next message of one side."""
    max_tokens: int
    """The most tokens of one reply."""
    sections: Sections

    def filled(self, values: Mapping[str, str]) -> list[dict[str, str]]:
        """Return the chat. Dollars and braces in `values` are not changed."""
        return filled(self.sections, values)


def load_template(name_or_path: str | Path) -> PromptTemplate:
    """Return a template by its name in `TEMPLATES`, or by the path of a file of your own.

    Raises:
        ConfigurationError: there is no such template, or its file cannot be used. The error names file and line.
    """
    path = _FOLDER / f"{name_or_path}.md" if str(name_or_path) in TEMPLATES else Path(name_or_path)
    otherwise = f"name one of {', '.join(TEMPLATES)}, or the path of a template file."
    file = read_prompt_file(path, kind="template", fields=_HEADER, otherwise=otherwise)
    writes = _writes(file)
    return PromptTemplate(
        name=path.stem,
        path=path,
        sha256=file.sha256,
        writes=writes,
        max_tokens=file.whole_number("max_tokens", default=4000),
        sections=file.sections(_PLACEHOLDERS[writes], needed=[[name] for name in _NEEDED[writes]]),
    )


def _writes(file: PromptFile) -> Writes:
    number, value = file.header.get("writes", (1, ""))
    if value not in get_args(Writes):
        known = ", ".join(get_args(Writes))
        raise file.wrong(number, f"the header must say what is written, writes: {known}; not {value!r:.80}.")
    return cast("Writes", value)


_shipped = functools.cache(load_template)


def template_for(plan: Plan) -> PromptTemplate:
    """Return the template of the plan's scenario that comes along."""
    return _shipped(plan.scenario)


def messages_for(plan: Plan, template: PromptTemplate | None = None) -> list[dict[str, str]]:
    """Return the chat that asks for the whole conversation of `plan`.

    Args:
        plan: what is to be written.
        template: by default that of the plan's scenario.

    Raises:
        ConfigurationError: the template is for one side alone.
    """
    wanted = next((turn.task for turn in plan.turns if turn.task is not None), None)
    target = plan.task(wanted) or plan.tasks[0]
    values = {
        "tasks": _task_list(plan),
        "target": _headed(target),
        "examples": "\n\n".join(map(_example, plan.examples)),
        "turns": "\n".join(
            f"{number}. [{turn.task or 'none'}] The user {turn.intent}."
            for number, turn in enumerate(plan.turns, start=1)
        ),
        "count": str(len(plan.turns)),
    }
    return _of_kind("conversation", template or template_for(plan)).filled(values | _common(plan))


def user_messages(
    plan: Plan, turn_number: int, so_far: Sequence[Message], template: PromptTemplate | None = None
) -> list[dict[str, str]]:
    """Return the chat that asks for one message of the user, who knows its own next intent and nothing else of the plan.

    Args:
        plan: whose voice and intent it is.
        turn_number: of the user's turns, from 0.
        so_far: the messages before it.
        template: by default the one named "user".

    Raises:
        ConfigurationError: the template is for something else.
    """
    turn = plan.turns[turn_number]
    task = plan.task(turn.task)
    values = {
        "tasks": _task_list(plan),
        "conversation": _transcript(so_far),
        "intent": f"{turn.intent}.",
        "task": "nothing that the assistant offers" if task is None else _line(task),
    }
    return _of_kind("user", template or _shipped("user")).filled(values | _common(plan))


def agent_messages(
    plan: Plan, so_far: Sequence[Message], template: PromptTemplate | None = None
) -> list[dict[str, str]]:
    """Return the chat that asks for the agent's next message; it knows the tasks and what was said, not the plan.

    Args:
        plan: whose tasks and manner these are.
        so_far: the messages before it.
        template: by default the one named "agent".

    Raises:
        ConfigurationError: the template is for something else.
    """
    values = {"tasks": _task_list(plan), "conversation": _transcript(so_far)}
    return _of_kind("agent", template or _shipped("agent")).filled(values | _common(plan))


def _of_kind(writes: Writes, template: PromptTemplate) -> PromptTemplate:
    if template.writes != writes:
        raise ConfigurationError(
            f"{template.path} writes: {template.writes}, and here it takes a template that writes: {writes}."
        )
    return template


def _common(plan: Plan) -> dict[str, str]:
    return {"about": plan.about or _ANYBODYS, **vars(plan.voice)}


def _task_list(plan: Plan) -> str:
    return "\n".join(f"- {_line(task)}" for task in plan.tasks)


def _line(task: Task) -> str:
    return f"{task.name}: {task.description}" if task.description else task.name


def _headed(task: Task) -> str:
    return f"Task: {task.name}" + (f"\nDescription: {task.description}" if task.description else "")


def _example(example: Example) -> str:
    turns = "\n".join(f"### {message.role.capitalize()}: {message.content}" for message in example.messages)
    return f"{_headed(example.task)}\nConversation:\n{turns}"


def _transcript(messages: Sequence[Message]) -> str:
    # Further lines are indented: what one side wrote cannot pass for a message of the other.
    lines = (f"{message.role.capitalize()}: {message.content}".replace("\n", "\n  ") for message in messages)
    return "\n".join(lines) or _NOTHING_YET
