"""One pass over a file of conversations: every problem, the statistics, and compact notes to look things up again."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from mojo_toolbox.data.checking.doubts import FileDoubts, conversation_doubts
from mojo_toolbox.data.checking.problems import MOST_KEPT, ProblemLog, record_problems
from mojo_toolbox.data.checking.statistics import Statistics, StatisticsCollector
from mojo_toolbox.data.checking.task_inventory import TaskInventory
from mojo_toolbox.data.checking.tokens import estimated_tokens
from mojo_toolbox.data.content_hash import ContentHash
from mojo_toolbox.data.conversations import Conversation
from mojo_toolbox.data.jsonl import RandomLines, RawLine, parse_line, read_lines
from mojo_toolbox.data.likeness.conversation_index import ConversationIndex, TextsOf, digest
from mojo_toolbox.errors import DataError
from mojo_toolbox.progress import Progress
from mojo_toolbox.spelling import on_one_line

_LONGEST_TEXT = 200


@dataclass(frozen=True)
class Place:
    """A conversation in a file: its line from 1, its id, and the beginning of its messages."""

    path: str
    line: int
    id: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


class Survey:
    """The findings of one pass over a file. They take some 200 bytes a conversation, and memory for the distinct tasks."""

    def __init__(
        self,
        path: Path,
        *,
        count_tokens: Callable[[Sequence[str]], int] = estimated_tokens,
        tokenizer: str | None = None,
    ) -> None:
        self.path = path
        self.problems = ProblemLog(path)
        self.index = ConversationIndex()
        self.tasks = TaskInventory()
        self._statistics = StatisticsCollector(count_tokens, tokenizer)
        self._doubts = FileDoubts()
        self._hash = ContentHash()
        self._lines, self._offsets = array("Q"), array("Q")
        self._ids, self._labels = array("Q"), array("Q")

    def read(self, report: Progress) -> None:
        """Read the file, then look at it as a whole."""
        for line in read_lines(self.path, report=report):
            self._take(line)
        self._note_repetitions()
        for kind, message in self._doubts.doubts(dict(self._statistics.points)):
            self.problems.add_warning(kind, message)

    def _take(self, line: RawLine) -> None:
        try:
            record = parse_line(line.content)
        except DataError as error:
            self.problems.add_error("line", str(error), line.number)
            return
        try:
            conversation = Conversation.model_validate(record)
        except ValidationError as refusal:
            for kind, message in record_problems(record, refusal):
                self.problems.add_error(kind, message, line.number)
            return
        for kind, message in conversation_doubts(conversation):
            self.problems.add_warning(kind, message, line.number)
        self._add(conversation, line)

    def _add(self, conversation: Conversation, line: RawLine) -> None:
        self._hash.add(conversation)
        self.index.add(conversation)
        self.tasks.add(conversation)
        self._statistics.add(conversation)
        self._doubts.add(conversation)
        self._lines.append(line.number)
        self._offsets.append(line.offset)
        self._ids.append(digest(conversation.id) if conversation.id else 0)
        self._labels.append(digest(*(message.task if message.labelled else 0 for message in conversation.messages)))

    def _note_repetitions(self) -> None:
        """Warn of ids that occur again, and of messages that occur again under other labels."""
        import numpy as np

        ids, labels, same = np.array(self._ids), np.array(self._labels), self.index.same()
        _, firsts, inverse = np.unique(ids, return_index=True, return_inverse=True)
        again = np.flatnonzero((firsts[inverse] != np.arange(len(ids))) & (ids != 0))
        with self.lines() as lines:
            for kept, number in enumerate(again.tolist()):
                shown = f" {lines[number].get('id')!r}" if kept < MOST_KEPT else ""
                first = self._lines[int(firsts[inverse[number]])]
                self.problems.add_warning(
                    "same-id", f"the id{shown} occurred before, on line {first}", self._lines[number]
                )
        for number in np.flatnonzero(labels != labels[same]).tolist():
            first = self._lines[int(same[number])]
            message = f"the messages are those of line {first}, their labels are not"
            self.problems.add_warning("relabelled", message, self._lines[number])

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def sha256(self) -> str | None:
        """The content hash of the file's conversations, or None when some of them cannot be read."""
        return None if self.problems.counts["error"] else self._hash.hexdigest()

    def statistics(self) -> Statistics:
        """Return the counts."""
        return self._statistics.statistics()

    def lines(self) -> RandomLines:
        """Open the file to read conversations again, by their number from 0."""
        return RandomLines(self.path, self._offsets)

    def place(self, number: int, lines: RandomLines) -> Place:
        """Return the place and the beginning of conversation `number`."""
        record = lines[number]
        text = shortened(" / ".join(texts_of(lines)(number)))
        return Place(str(self.path), self._lines[number], str(record.get("id") or ""), text)


def texts_of(lines: RandomLines) -> TextsOf:
    """Return a function that reads the messages of a conversation again, by its number."""
    return lambda number: [message["content"] for message in lines[number]["messages"]]


def shortened(text: str) -> str:
    """Return the beginning of a text on one line, without what a terminal would take for a command."""
    line = on_one_line(text[: _LONGEST_TEXT + 1])
    return line if len(line) <= _LONGEST_TEXT else line[:_LONGEST_TEXT] + "\N{HORIZONTAL ELLIPSIS}"
