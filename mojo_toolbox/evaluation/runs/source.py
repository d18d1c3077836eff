"""The conversations that a router is asked about: read again as often as needed, never held where they come from a file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from mojo_toolbox.data import Conversation, measuring_points, parse_conversation, read_conversations
from mojo_toolbox.data.content_hash import ContentHash
from mojo_toolbox.data.dataset_rows import without_filled_in
from mojo_toolbox.errors import DataError

# A path, or conversations, or records of them, a datasets.Dataset among them.
Conversations = str | Path | Iterable[Conversation | Mapping[str, Any]]


@dataclass(frozen=True)
class SourceContents:
    """What the source holds, found in one pass before anything is asked."""

    conversations: int
    decisions: int
    sha256: str


class Source:
    """Conversations of a file, or those given."""

    def __init__(self, conversations: Conversations, *, limit: int | None = None) -> None:
        """Take a path or conversations, of which the first `limit` count. An iterator is read to its end.

        Raises:
            DataError: it is neither, or a record is no conversation.
        """
        self.path: Path | None = None
        self._limit = limit
        self._given: list[Conversation] = []
        if isinstance(conversations, str | Path):
            self.path = Path(conversations)
        elif isinstance(conversations, Mapping) or not isinstance(conversations, Iterable):
            raise DataError(f"conversations must be a path or a list of them, not {type(conversations).__name__}.")
        else:
            for number, given in enumerate(conversations, start=1):
                record = without_filled_in(given) if isinstance(given, Mapping) else given
                self._given.append(parse_conversation(record, path="record", line=number))

    def __iter__(self) -> Iterator[Conversation]:
        """Yield the conversations, from the first."""
        return islice(self._given if self.path is None else read_conversations(self.path), self._limit)

    def look_at_first(self) -> None:
        """Read the first conversation only: a file of another kind is said at once.

        Raises:
            DataError: there is no such file, or its first line is no conversation.
        """
        next(iter(self), None)

    def survey(self) -> SourceContents:
        """Read everything once: what cannot be read is said before a router is asked (and paid).

        Raises:
            DataError: a line that is no conversation. File and line are named.
        """
        digest = ContentHash()
        conversations = decisions = 0
        for conversation in self:
            digest.add(conversation)
            conversations += 1
            decisions += sum(1 for _ in measuring_points(conversation))
        return SourceContents(conversations, decisions, digest.hexdigest())

    def pick(self, numbers: Collection[int]) -> dict[int, Conversation]:
        """Return the conversations with these numbers, counted from 0."""
        found: dict[int, Conversation] = {}
        for number, conversation in enumerate(self):
            if len(found) == len(numbers):
                break
            if number in numbers:
                found[number] = conversation
        return found
