"""What an import read, wrote and left out, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from pydantic import ValidationError

from mojo_toolbox.data.conversations import Conversation, describe

# What can be left out: a whole conversation, a message of one, the label of a user turn, or a tool that a chat lists.
Kind = Literal["conversation", "message", "label", "tool"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# Some reasons name what a file has, such as an unknown role; a broken file may have any number of them.
_MOST_REASONS = 50
_OTHER_REASONS = "another reason: there are too many to name"


@dataclass(frozen=True)
class Note:
    """One message that is left out, or one label or tool: why, and where."""

    kind: Literal["message", "label", "tool"]
    reason: str
    place: str


@dataclass
class LeftOut:
    """How often something was left out for one reason, and the first place where."""

    count: int
    example: str


@dataclass
class ImportSummary:
    """The account of one import. It fills while you take the conversations.

    Each of the `read` conversations is `written` or left out. Each user turn is labelled, or its label is left out. Reasons are
    few, whatever the size of the source.
    """

    read: int = 0
    written: int = 0
    messages: int = 0
    user_turns: int = 0
    labelled: int = 0
    no_task: int = 0
    left_out: dict[Kind, dict[str, LeftOut]] = field(default_factory=lambda: {kind: {} for kind in KINDS})

    def accept(self, record: dict[str, Any], *, place: str, notes: Iterable[Note] = ()) -> Conversation | None:
        """Return the conversation of `record`, and count it as written with its `notes`. Return None if it is not a conversation."""
        try:
            conversation = Conversation.model_validate(record)
        except ValidationError as error:
            self.skip_conversation("cannot be written in the project's format", f"{place}: {describe(error)}")
            return None
        for note in notes:
            self._count(note.kind, note.reason, note.place)
        turns = [message for message in conversation.messages if message.role == "user"]
        labelled = [message for message in turns if message.labelled]
        self.read += 1
        self.written += 1
        self.messages += len(conversation.messages)
        self.user_turns += len(turns)
        self.labelled += len(labelled)
        self.no_task += sum(message.task is None for message in labelled)
        return conversation

    def skip_conversation(self, reason: str, place: str) -> None:
        """Count a conversation that was read and not written."""
        self.read += 1
        self._count("conversation", reason, place)

    def skip_row(self, reason: str, place: str) -> None:
        """Count a row that does not become a message."""
        self._count("message", reason, place)

    def as_record(self) -> dict[str, Any]:
        """Return the account as JSON can carry it."""
        figures = {name: value for name, value in vars(self).items() if name != "left_out"}
        reasons = {
            kind: {reason: {"count": found.count, "example": found.example} for reason, found in self.ranked(kind)}
            for kind in KINDS
        }
        return {**figures, "left_out": reasons}

    def ranked(self, kind: Kind) -> list[tuple[str, LeftOut]]:
        """Return the reasons of one kind, the most frequent first."""
        return sorted(self.left_out[kind].items(), key=lambda item: -item[1].count)

    def _count(self, kind: Kind, reason: str, place: str) -> None:
        reasons = self.left_out[kind]
        if reason not in reasons and len(reasons) >= _MOST_REASONS:
            reason = _OTHER_REASONS
        found = reasons.get(reason)
        if found is None:
            reasons[reason] = LeftOut(1, place)
        else:
            found.count += 1
