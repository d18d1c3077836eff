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

import difflib
import functools
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Literal, cast, get_args

from mojo_toolbox.data import Message, Task
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.generation.plan import Plan
from mojo_toolbox.generation.scenarios import DEFAULT_SHARES
from mojo_toolbox.generation.task_file import Example

Writes = Literal["conversation", "user", "agent"]

TEMPLATES = (*DEFAULT_SHARES, "user", "agent")
"""The templates that come along, by name: one for each scenario, and one for each side alone."""

_FOLDER = Path(__file__).parent / "templates"
_ROLES = ("system", "user", "assistant")
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
_LARGEST_FILE = 1_000_000  # bytes; no model reads a longer prompt


@dataclass(frozen=True)
class PromptTemplate:
    """A prompt with placeholders."""

    name: str
    """The file's name without its ending."""
    path: Path
    sha256: str
    """Of the file: a changed template is another one."""
    writes: Writes
    """A whole conversation, or the next message of one side."""
    max_tokens: int
    """Of one reply."""
    sections: tuple[tuple[str, str], ...]
    """Roles and texts with placeholders."""

    def filled(self, values: Mapping[str, str]) -> list[dict[str, str]]:
        """Return the chat. Dollars and braces in `values` stand in it as they are."""
        return [{"role": role, "content": Template(text).substitute(values)} for role, text in self.sections]


def load_template(name_or_path: str | Path) -> PromptTemplate:
    """Return a template by its name in `TEMPLATES`, or by the path of a file of your own.

    Raises:
        ConfigurationError: there is none, or its file cannot be used; file and line are named.
    """
    path = _FOLDER / f"{name_or_path}.md" if str(name_or_path) in TEMPLATES else Path(name_or_path)
    try:
        if not path.is_file():
            raise ConfigurationError(
                f"There is no template {str(name_or_path)!r:.200}: name one of {', '.join(TEMPLATES)}, "
                "or the path of a template file."
            )
        if path.stat().st_size > _LARGEST_FILE:
            raise ConfigurationError(f"{path} has more than {_LARGEST_FILE / 1e6:g} MB. It is no template.")
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{path}:{line}: this is no UTF-8 ({error.reason}). Save the file as UTF-8."
        ) from error
    except OSError as error:
        raise ConfigurationError(f"The template {str(path)!r:.200} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # a NUL in the path
        raise ConfigurationError(f"The template {str(path)!r:.200} cannot be read: {error}.") from error
    return _TemplateFile(path, text).template(hashlib.sha256(content).hexdigest())


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


@dataclass(frozen=True)
class _TemplateFile:
    path: Path
    text: str

    def template(self, sha256: str) -> PromptTemplate:
        lines = [line.removesuffix("\r") for line in self.text.split("\n")]
        end = next((index for index, line in enumerate(lines[1:], start=1) if line.strip() == "---"), None)
        if lines[0].strip() != "---" or end is None:
            raise self._wrong(1, 'a template begins with a header between two lines "---": writes: conversation')
        header = self._header(lines[1:end])
        writes = self._writes(header)
        return PromptTemplate(
            name=self.path.stem,
            path=self.path,
            sha256=sha256,
            writes=writes,
            max_tokens=self._max_tokens(header),
            sections=self._sections(lines, end + 1, writes),
        )

    def _wrong(self, line: int, problem: str) -> ConfigurationError:
        return ConfigurationError(f"{self.path}:{line}: {problem}")

    def _header(self, lines: list[str]) -> dict[str, tuple[int, str]]:
        """Return the fields with their lines."""
        header: dict[str, tuple[int, str]] = {}
        for number, line in enumerate(lines, start=2):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            name, colon, value = (part.strip() for part in line.partition(":"))
            if not colon or name not in _HEADER:
                raise self._wrong(number, f"the header has no field {name!r:.80}. {_meant(name, _HEADER)}")
            if name in header:
                raise self._wrong(number, f"{name} stands in the header twice.")
            header[name] = (number, value)
        return header

    def _writes(self, header: dict[str, tuple[int, str]]) -> Writes:
        number, value = header.get("writes", (1, ""))
        if value not in get_args(Writes):
            known = ", ".join(get_args(Writes))
            raise self._wrong(number, f"the header must say what is written, writes: {known}; not {value!r:.80}.")
        return cast("Writes", value)

    def _max_tokens(self, header: dict[str, tuple[int, str]]) -> int:
        number, value = header.get("max_tokens", (0, "4000"))
        if not re.fullmatch(r"[0-9]{1,6}", value) or int(value) < 1:
            raise self._wrong(number, f"max_tokens must be a whole number from 1 to 999999, not {value!r:.80}.")
        return int(value)

    def _sections(self, lines: list[str], start: int, writes: Writes) -> tuple[tuple[str, str], ...]:
        sections: list[tuple[str, int, list[str]]] = []
        for number, line in enumerate(lines[start:], start=start + 1):
            heading = re.fullmatch(r"##\s*(\w+)\s*", line)
            if heading is not None and heading[1].lower() in _ROLES:
                sections.append((heading[1].lower(), number, []))
            elif sections:
                sections[-1][2].append(line)
            elif line.strip():
                raise self._wrong(number, 'after the header comes a heading "## system" or "## user".')
        self._check_order(sections, len(lines))
        used = {name for _, number, body in sections for name in self._placeholders(body, number + 1, writes)}
        for name in _NEEDED[writes]:
            if name not in used:
                raise self._wrong(len(lines), f"a template that writes: {writes} must show ${name}.")
        return tuple((role, "\n".join(body).strip("\n")) for role, _, body in sections)

    def _check_order(self, sections: list[tuple[str, int, list[str]]], last: int) -> None:
        if not sections or sections[-1][0] != "user":
            raise self._wrong(last, 'the last section must be "## user": it asks for the text.')
        for index, (role, number, body) in enumerate(sections):
            if role == "system" and index:
                raise self._wrong(number, "only the first section can be ## system.")
            if not any(line.strip() for line in body):
                raise self._wrong(number, f"the section ## {role} is empty.")

    def _placeholders(self, body: list[str], start: int, writes: Writes) -> Iterator[str]:
        known = _PLACEHOLDERS[writes]
        for number, line in enumerate(body, start=start):
            for match in Template.pattern.finditer(line):
                name = match["named"] or match["braced"]
                if match["escaped"] is None and name not in known:
                    written = f"${name}" if name else "a $ alone"
                    raise self._wrong(
                        number, f"{written} is no placeholder here. {_meant(name or '', known)} A dollar is $$."
                    )
                if name:
                    yield name


def _meant(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
