"""Prompts of routers: files whose header says how the answer is read.

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

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mojo_toolbox.data import NONE_ANSWER
from mojo_toolbox.evaluation.routers.prompt_format import PromptFile, Sections, filled, read_prompt_file
from mojo_toolbox.evaluation.routers.question import Question

PROMPTS = ("zero-shot", "few-shot", "react")
"""The prompts that come along, by name."""

# whole: the reply is the name. line: the last line is, after a marker. actions: ReAct's steps, the last is finish[name].
Reading = Literal["whole", "line", "actions"]

_FOLDER = Path(__file__).parent / "prompts"
_HEADER = ("answer", "max_tokens", "stop", "steps")
_PLACEHOLDERS = ("tasks", "names", "conversation", "message", "previous")
# Only the last message, or only the names, will do.
_NEEDED = (("conversation", "message"), ("tasks", "names"))
_AFTER = re.compile(r'last line after "(?P<marker>[^"]+)"')


@dataclass(frozen=True)
class RouterPrompt:
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
    sections: Sections

    def messages(self, question: Question) -> list[dict[str, str]]:
        """Return the chat that asks `question`. What users wrote stands in it as they wrote it, dollars and braces too."""
        values = {
            "tasks": "\n".join(f"- {_task_line(task['name'], task['description'])}" for task in question.tasks),
            "names": "\n".join(f"- {name}" for name in question.names),
            "conversation": "\n".join(_turn(message["role"], message["content"]) for message in question.messages),
            "message": question.messages[-1]["content"],
            "previous": NONE_ANSWER if question.previous is None else question.previous,
        }
        return filled(self.sections, values)


def load_prompt(name_or_path: str | Path) -> RouterPrompt:
    """Return a prompt by its name in `PROMPTS`, or by the path of a file of your own.

    Raises:
        ConfigurationError: there is no such prompt, or its file cannot be used. The message names file and line.
    """
    path = _FOLDER / f"{name_or_path}.md" if name_or_path in PROMPTS else Path(name_or_path)
    otherwise = f"name one of {', '.join(PROMPTS)}, or the path of a prompt file."
    file = read_prompt_file(path, kind="prompt", fields=_HEADER, otherwise=otherwise)
    reading, marker = _reading(file)
    return RouterPrompt(
        name=path.stem,
        path=path,
        sha256=file.sha256,
        reading=reading,
        marker=marker,
        max_tokens=file.whole_number("max_tokens", default=256),
        stop=_stop(file),
        steps=_steps(file, reading),
        sections=file.sections(_PLACEHOLDERS, needed=_NEEDED),
    )


def _reading(file: PromptFile) -> tuple[Reading, str]:
    number, value = file.header.get("answer", (1, ""))
    if value == "whole":
        return "whole", ""
    if value == "actions":
        return "actions", ""
    if after := _AFTER.fullmatch(value):
        return "line", after["marker"]
    known = 'whole, last line after "Answer:", or actions'
    raise file.wrong(number, f"the header must say how the answer is read, answer: {known}; not {value!r:.80}.")


def _steps(file: PromptFile, reading: Reading) -> int:
    if reading == "actions":
        return file.whole_number("steps", default=6)
    if "steps" in file.header:
        raise file.wrong(file.header["steps"][0], "steps belong to answer: actions.")
    return 1


def _stop(file: PromptFile) -> tuple[str, ...]:
    number, value = file.header.get("stop", (0, ""))
    try:
        strings = json.loads(f"[{value}]")
    except ValueError:
        strings = None
    if strings is None or not all(isinstance(text, str) and text for text in strings):
        raise file.wrong(
            number, f'stop must be texts in quotation marks, such as "\\nUser:", "\\n\\n"; not {value!r:.80}.'
        )
    return tuple(strings)


def _task_line(name: str, description: str) -> str:
    return f"{name}: {description}" if description else name


def _turn(role: str, content: str) -> str:
    # Further lines are indented: what a user pastes cannot pass for another turn, or for the end of the conversation.
    return f"{role.capitalize()}: {content}".replace("\n", "\n  ")
