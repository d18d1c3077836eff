"""The file that tells a judge what to do becomes the chat that asks about a conversation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mojo_toolbox.data import Conversation, measuring_points
from mojo_toolbox.evaluation.routers.prompt_format import Sections, filled, read_prompt_file

_SHIPPED = Path(__file__).parent / "templates" / "judge.md"
_PLACEHOLDERS = ("tasks", "conversation", "turns", "first")
_NEEDED = (("tasks",), ("conversation",))


@dataclass(frozen=True)
class JudgePrompt:
    """How a conversation is put to a judge."""

    path: Path
    sha256: str
    """The hash of the file. A changed prompt is another judge."""
    sections: Sections

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
        return filled(self.sections, values)


def load_judge_prompt(path: Path | str | None = None) -> JudgePrompt:
    """Return the judge's prompt of a file of one's own, or the one that comes along.

    Raises:
        ConfigurationError: there is no such file, or it cannot be used.
    """
    path = _SHIPPED if path is None else Path(path)
    file = read_prompt_file(path, kind="prompt of a judge", fields=(), otherwise="give the path of a file.")
    return JudgePrompt(path, file.sha256, file.sections(_PLACEHOLDERS, needed=_NEEDED))
