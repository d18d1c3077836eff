"""The file that tells a judge what to do becomes the chat that asks about a conversation."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from string import Template

from mojo_toolbox.data import Conversation, measuring_points
from mojo_toolbox.errors import ConfigurationError

_SHIPPED = Path(__file__).parent / "templates" / "judge.md"
_PLACEHOLDERS = ("tasks", "conversation", "turns", "first")
_NEEDED = ("tasks", "conversation")
_LARGEST_FILE = 1_000_000  # bytes; no model reads a longer prompt
_HEADING = re.compile(r"^##\s*(system|user|assistant)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class JudgePrompt:
    """How a conversation is put to a judge."""

    path: Path
    sha256: str
    """Of the file: a changed prompt is another judge."""
    sections: tuple[tuple[str, str], ...]
    """Roles and texts with placeholders."""

    def messages(self, conversation: Conversation) -> list[dict[str, str]]:
        """Return the chat that asks about all labelled turns of a conversation; it does not tell their labels."""
        turns = [point.turn + 1 for point in measuring_points(conversation)]
        values = {
            "tasks": "\n".join(f"- {task.name}: {task.description}".removesuffix(": ") for task in conversation.tasks),
            # Further lines are indented: what somebody pastes cannot pass for another turn.
            "conversation": "\n".join(
                f"{number}. {message.role.capitalize()}: {message.content}".replace("\n", "\n   ")
                for number, message in enumerate(conversation.messages, start=1)
            ),
            "turns": ", ".join(map(str, turns)),
            "first": str(turns[0]) if turns else "1",
        }
        return [{"role": role, "content": Template(text).substitute(values)} for role, text in self.sections]


def load_judge_prompt(path: Path | str | None = None) -> JudgePrompt:
    """Return the judge's prompt of a file of one's own, or the one that comes along.

    Raises:
        ConfigurationError: there is no such file, or it cannot be used.
    """
    path = _SHIPPED if path is None else Path(path)
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}:{line}: this is no UTF-8. Save the file as UTF-8.") from error
    except OSError as error:
        raise ConfigurationError(f"The judge's prompt {path} cannot be read: {error.strerror}.") from error
    if len(content) > _LARGEST_FILE:
        raise ConfigurationError(f"{path} has more than {_LARGEST_FILE / 1e6:g} MB. It is no prompt.")
    return JudgePrompt(path, hashlib.sha256(content).hexdigest(), _sections(path, text))


def _sections(path: Path, text: str) -> tuple[tuple[str, str], ...]:
    parts = _HEADING.split(text.replace("\r\n", "\n"))[1:]
    sections = tuple((role, body.strip("\n")) for role, body in zip(parts[::2], parts[1::2], strict=True))
    if not sections or sections[-1][0] != "user" or not all(body.strip() for _, body in sections):
        raise ConfigurationError(f'{path}: a judge\'s prompt has sections "## system" and, as the last one, "## user".')
    used = set()
    for match in (match for _, body in sections for match in Template.pattern.finditer(body)):
        name = match["named"] or match["braced"]
        if match["escaped"] is None and name not in _PLACEHOLDERS:
            written = f"${name}" if name else "a $ alone"
            known = ", ".join(f"${known}" for known in _PLACEHOLDERS)
            raise ConfigurationError(f"{path}: {written} is no placeholder. Known: {known}. A dollar is $$.")
        used.add(name)
    if missing := [f"${name}" for name in _NEEDED if name not in used]:
        raise ConfigurationError(f"{path}: the judge's prompt must show {' and '.join(missing)}.")
    return sections
