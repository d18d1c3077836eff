"""One pass over a file of conversations: counts, and compact notes by which samples of it can be read again."""

from __future__ import annotations

import unicodedata
from array import array
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mojo_toolbox.data import POINTS, Conversation, measuring_points, parse_conversation
from mojo_toolbox.data.jsonl import RandomLines, parse_line, read_lines, require_file_on_disk
from mojo_toolbox.data.likeness.conversation_index import ConversationIndex, digest
from mojo_toolbox.data.likeness.near_duplicates import SIMILAR, Groups
from mojo_toolbox.data.likeness.shingles import plain
from mojo_toolbox.generation.quality.meanings import Value
from mojo_toolbox.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Shorter turns ("yes please") are said again by everybody.
_LEAST_WORDS = 4
# Distinct names that are counted, some 100 bytes each.
_MOST_TASKS = 100_000
_MOST_KINDS = 50


class Profile:
    """What one pass found; some 200 bytes a conversation, 12 a turn, and the distinct tasks."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.index = ConversationIndex()
        self.tasks: Counter[str] = Counter()
        self.marks: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._offsets = array("Q")
        self._turns, self._listed = array("I"), array("I")
        self._user, self._assistant = array("I"), array("I")
        self._said = array("Q")
        self._groups: NDArray[Any] | None = None

    def read(self, report: Progress) -> None:
        """Read the file.

        Raises:
            DataError: the first line that is no conversation, with file and line.
        """
        require_file_on_disk(self.path)
        for line in read_lines(self.path, report=report):
            record = parse_line(line.content, path=self.path, line=line.number)
            self._add(parse_conversation(record, path=self.path, line=line.number), line.offset)

    def _add(self, conversation: Conversation, offset: int) -> None:
        self._offsets.append(offset)
        self.index.add(conversation)
        self._listed.append(len(conversation.tasks))
        self._turns.append(sum(message.role == "user" for message in conversation.messages))
        for message in conversation.messages:
            if message.role == "user":
                self._add_user_turn(message.content)
            else:
                self._assistant.append(len(message.content))
        self._add_labels(conversation)
        self._add_marks(conversation.meta.get("review"))

    def _add_user_turn(self, text: str) -> None:
        self._user.append(len(text))
        said = plain([text])
        if said.count(" ") > _LEAST_WORDS:
            self._said.append(digest(said))
        shown = text.strip()
        # Letters of most scripts are neither small nor capital.
        self._counts["with a letter"] += shown[:1].islower() or shown[:1].isupper()
        self._counts["small"] += shown[:1].islower()
        self._counts["no full stop"] += bool(shown) and unicodedata.category(shown[-1])[0] not in "PS"

    def _add_labels(self, conversation: Conversation) -> None:
        points = list(measuring_points(conversation))
        labels = [point.gold for point in points]
        self._counts.update(point.point for point in points)
        for label in labels:
            if label is not None and (label in self.tasks or len(self.tasks) < _MOST_TASKS):
                self.tasks[label] += 1
        if not labels:
            return
        changes = [point for point in points if point.point in {"start", "switch"}]
        began = [point.gold for point in changes]
        self._counts["conversations with labels"] += 1
        self._counts["one label"] += len(set(labels)) == 1
        self._counts["with a switch"] += any(point.point == "switch" for point in points)
        self._counts["with a return"] += len(set(began)) < len(began)
        self._counts["with an end"] += any(point.point == "end" for point in points)
        self._counts["never a task"] += not began

    def _add_marks(self, review: object) -> None:
        if not isinstance(review, list):
            return
        self._counts["reviewed"] += 1
        self._counts["marked"] += bool(review)
        for mark in review:
            kind = mark.get("kind") if isinstance(mark, dict) else None
            if isinstance(kind, str) and (kind in self.marks or len(self.marks) < _MOST_KINDS):
                self.marks[kind[:_MOST_KINDS]] += 1

    def __len__(self) -> int:
        return len(self._offsets)

    def lines(self) -> RandomLines:
        """Open the file to read conversations again, by their number from 0."""
        return RandomLines(self.path, self._offsets)

    def groups(self) -> NDArray[Any]:
        """Return for each conversation the first one that it repeats or resembles, directly or over others."""
        if self._groups is None:
            groups = Groups(self.index.same())
            with self.lines() as lines:
                for _ in self.index.join_similar(groups, _texts_of(lines), least=SIMILAR):
                    pass
            self._groups = groups.roots()
        return self._groups

    def near(self, other: Profile) -> float:
        """Return the share of conversations that resemble one of another file."""
        import numpy as np

        with self.lines() as lines, other.lines() as other_lines:
            found = self.index.nearest(
                np.arange(len(self)), other.index, _texts_of(lines), _texts_of(other_lines), least=SIMILAR
            )
        return float((found >= 0).mean())

    def sample(self, most: int, *, seed: int) -> list[Conversation]:
        """Return conversations drawn at random, in random order, one of each group of near-duplicates at the most."""
        import numpy as np

        first = np.unique(self.groups())
        chosen = np.random.default_rng(seed).permutation(first)[:most]
        with self.lines() as lines:
            return [parse_conversation(lines[int(number)], path=self.path) for number in chosen]

    def values(self) -> dict[str, Value]:
        """Return the figures that are counted in the pass over the file, by name."""
        import numpy as np

        counts, labelled = self._counts, sum(self._counts[point] for point in POINTS)
        with_labels, users = counts["conversations with labels"], len(self._user)
        said = np.array(self._said)
        return {
            "conversations": Value(len(self)),
            "user turns": Value(users),
            "labelled": _share(labelled, users),
            "tasks": Value(len(self.tasks)),
            "largest task": _share(max(self.tasks.values(), default=0), self.tasks.total()),
            "evenness": Value(_evenness(self.tasks)),
            **{point: _share(counts[point], labelled) for point in POINTS},
            **{
                name: _share(counts[name], with_labels)
                for name in ("one label", "with a switch", "with a return", "with an end", "never a task")
            },
            "turns": _spread(self._turns),
            "user's turn": _spread(self._user),
            "assistant's turn": _spread(self._assistant),
            "listed tasks": _spread(self._listed),
            "turns said again": _share(len(said) - len(np.unique(said)), len(said)),
            "small beginning": _share(counts["small"], counts["with a letter"]),
            "no full stop": _share(counts["no full stop"], users),
            "duplicates": _share(int((self.groups() != np.arange(len(self))).sum()), len(self)),
            "marked": _share(counts["marked"], counts["reviewed"]),
        }


def _texts_of(lines: RandomLines) -> Any:
    return lambda number: [message["content"] for message in lines[number]["messages"]]


def _share(part: int, whole: int) -> Value:
    return Value(part / whole if whole else None)


def _evenness(counts: Counter[str]) -> float | None:
    """Return the entropy of the counts, of the most that it could be."""
    import numpy as np

    if len(counts) < 2:  # noqa: PLR2004 - with one task there is nothing to be even
        return None
    shares = np.array(list(counts.values())) / counts.total()
    return float(-(shares * np.log(shares)).sum() / np.log(len(shares)))


def _spread(sizes: array[int]) -> Value:
    import numpy as np

    if not len(sizes):
        return Value(None)
    low, median, high = np.quantile(np.array(sizes), [0.05, 0.5, 0.95], method="inverted_cdf").tolist()
    return Value(median, low, high)
