"""Prompts as files that users copy and change: a header that says how the answer is read, then the messages.

---
# A comment.
answer: last line after "Answer:"
max_tokens: 256
---

## system

You watch a conversation ...

## user

Tasks:
$tasks
...
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Literal

from mojo_toolbox.data import NONE_ANSWER
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.evaluation.routers.question import Question

PROMPTS = ("zero-shot", "few-shot", "react")
"""The prompts that come along, by name."""

# whole: the reply is the name. line: the last line is, after a marker. actions: ReAct's steps, the last is finish[name].
Reading = Literal["whole", "line", "actions"]

_FOLDER = Path(__file__).parent / "prompts"
_ROLES = ("system", "user", "assistant")
_HEADER = ("answer", "max_tokens", "stop", "steps")
_PLACEHOLDERS = ("tasks", "names", "conversation", "message", "previous")
_AFTER = re.compile(r'last line after "(?P<marker>[^"]+)"')
_LARGEST_FILE = 1_000_000  # bytes; no model reads a longer prompt


@dataclass(frozen=True)
class Prompt:
    """How a question is put to a chat model, and how its answer is read."""

    name: str
    """What reports call it: the file's name without its ending."""
    path: Path
    sha256: str
    """Of the file: a changed prompt is another one."""
    reading: Reading
    marker: str
    """What stands before the name on the last line; empty unless `reading` is "line"."""
    max_tokens: int
    """Of one reply."""
    stop: tuple[str, ...]
    """Where a reply ends at the latest."""
    steps: int
    """Replies until the answer must be there; 1 unless `reading` is "actions"."""
    sections: tuple[tuple[str, str], ...]
    """Roles and texts with placeholders."""

    def messages(self, question: Question) -> list[dict[str, str]]:
        """Return the chat that asks `question`. What users wrote stands in it as they wrote it, dollars and braces too."""
        values = {
            "tasks": "\n".join(f"- {_task_line(task['name'], task['description'])}" for task in question.tasks),
            "names": "\n".join(f"- {name}" for name in question.names),
            "conversation": "\n".join(_turn(message["role"], message["content"]) for message in question.messages),
            "message": question.messages[-1]["content"],
            "previous": NONE_ANSWER if question.previous is None else question.previous,
        }
        return [{"role": role, "content": Template(text).substitute(values)} for role, text in self.sections]


def load_prompt(name_or_path: str | Path) -> Prompt:
    """Return a prompt by its name in `PROMPTS`, or by the path of a file of your own.

    Raises:
        ConfigurationError: there is no such prompt, or its file cannot be used; file and line are named.
    """
    path = _FOLDER / f"{name_or_path}.md" if name_or_path in PROMPTS else Path(name_or_path)
    try:
        if not path.is_file():
            raise ConfigurationError(
                f"There is no prompt {str(name_or_path)!r:.200}: name one of {', '.join(PROMPTS)}, or the path of a prompt file."
            )
        if path.stat().st_size > _LARGEST_FILE:
            raise ConfigurationError(f"{path} has more than {_LARGEST_FILE / 1e6:g} MB. It is no prompt.")
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{path}:{line}: this is no UTF-8 ({error.reason}). Save the file as UTF-8."
        ) from error
    except OSError as error:
        raise ConfigurationError(f"The prompt {str(path)!r:.200} cannot be read: {error.strerror}.") from error
    return _PromptFile(path, text).prompt(hashlib.sha256(content).hexdigest())


@dataclass(frozen=True)
class _PromptFile:
    path: Path
    text: str

    def prompt(self, sha256: str) -> Prompt:
        lines = [line.removesuffix("\r") for line in self.text.split("\n")]
        end = self._end_of_header(lines)
        header = self._header(lines[1:end])
        reading, marker = self._reading(header)
        sections = self._sections(lines, end + 1)
        return Prompt(
            name=self.path.stem,
            path=self.path,
            sha256=sha256,
            reading=reading,
            marker=marker,
            max_tokens=self._whole_number(header, "max_tokens", default=256),
            stop=self._stop(header),
            steps=self._steps(header, reading),
            sections=sections,
        )

    def _wrong(self, line: int, problem: str) -> ConfigurationError:
        return ConfigurationError(f"{self.path}:{line}: {problem}")

    def _end_of_header(self, lines: list[str]) -> int:
        if lines[0].strip() != "---":
            raise self._wrong(
                1, 'a prompt begins with a header between two lines "---", such as "answer: whole" in it.'
            )
        for index, line in enumerate(lines[1:], start=1):
            if line.strip() == "---":
                return index
        raise self._wrong(1, 'the header has no end: a second line "---".')

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

    def _reading(self, header: dict[str, tuple[int, str]]) -> tuple[Reading, str]:
        number, value = header.get("answer", (1, ""))
        if value == "whole":
            return "whole", ""
        if value == "actions":
            return "actions", ""
        if after := _AFTER.fullmatch(value):
            return "line", after["marker"]
        known = 'whole, last line after "Answer:", or actions'
        raise self._wrong(number, f"the header must say how the answer is read, answer: {known}; not {value!r:.80}.")

    def _whole_number(self, header: dict[str, tuple[int, str]], name: str, *, default: int) -> int:
        number, value = header.get(name, (0, str(default)))
        if not re.fullmatch(r"[0-9]{1,6}", value) or int(value) < 1:
            raise self._wrong(number, f"{name} must be a whole number from 1 to 999999, not {value!r:.80}.")
        return int(value)

    def _steps(self, header: dict[str, tuple[int, str]], reading: Reading) -> int:
        if reading == "actions":
            return self._whole_number(header, "steps", default=6)
        if "steps" in header:
            raise self._wrong(header["steps"][0], "steps belong to answer: actions.")
        return 1

    def _stop(self, header: dict[str, tuple[int, str]]) -> tuple[str, ...]:
        number, value = header.get("stop", (0, ""))
        try:
            strings = json.loads(f"[{value}]")
        except ValueError:
            strings = None
        if strings is None or not all(isinstance(text, str) and text for text in strings):
            raise self._wrong(
                number, f'stop must be texts in quotation marks, such as "\\nUser:", "\\n\\n"; not {value!r:.80}.'
            )
        return tuple(strings)

    def _sections(self, lines: list[str], start: int) -> tuple[tuple[str, str], ...]:
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
        used = {name for _, number, body in sections for name in self._placeholders(body, number + 1)}
        if not used & {"conversation", "message"} or not used & {"tasks", "names"}:
            raise self._wrong(
                len(lines),
                "the prompt must show $conversation (or the last $message), and $tasks (or only their $names).",
            )
        return tuple((role, "\n".join(body).strip("\n")) for role, _, body in sections)

    def _check_order(self, sections: list[tuple[str, int, list[str]]], last: int) -> None:
        if not sections or sections[-1][0] != "user":
            raise self._wrong(last, 'the last section must be "## user": it asks the question.')
        for index, (role, number, body) in enumerate(sections):
            if role == "system" and index:
                raise self._wrong(number, "only the first section can be ## system.")
            if not any(line.strip() for line in body):
                raise self._wrong(number, f"the section ## {role} is empty.")

    def _placeholders(self, body: list[str], start: int) -> Iterator[str]:
        for number, line in enumerate(body, start=start):
            for match in Template.pattern.finditer(line):
                name: Any = match["named"] or match["braced"]
                if match["escaped"] is None and name not in _PLACEHOLDERS:
                    written = f"${name}" if name else "a $ alone"
                    raise self._wrong(
                        number, f"{written} is no placeholder. {_meant(name or '', _PLACEHOLDERS)} A dollar is $$."
                    )
                if name:
                    yield name


def _task_line(name: str, description: str) -> str:
    return f"{name}: {description}" if description else name


def _turn(role: str, content: str) -> str:
    # Further lines are indented: what a user pastes cannot pass for another turn, or for the end of the conversation.
    return f"{role.capitalize()}: {content}".replace("\n", "\n  ")


def _meant(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
