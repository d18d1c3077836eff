"""What is wrong with the records of a file: all of it, each with its file and line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from mojo_toolbox.data.conversations import describe_all, point_contradictions, repeated_names, unlisted_labels
from mojo_toolbox.data.keys import CONVERSATION

# Of each kind so many are kept, some 500 bytes each; all are counted.
MOST_KEPT = 10_000
_LONGEST_MESSAGE = 500

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Problem:
    """An error (the line cannot be used) or a doubt (warning) in a file. `line` counts from 1 and is None for the whole file.

    Kinds of errors: "line" (not UTF-8, not a JSON object, too long), "tasks", "messages", "labels", "points" and "record"
    name the wrong part. Kinds of warnings are the keys of `mojo_toolbox.data.checking.doubts.DOUBTS`.
    """

    severity: Severity
    kind: str
    message: str
    path: str
    line: int | None = None

    def __str__(self) -> str:
        where = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{where}: {self.message}"


class ProblemLog:
    """The problems of one file: every one counted, the first of each kind kept."""

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        self.counts: dict[Severity, Counter[str]] = {"error": Counter(), "warning": Counter()}
        self.kept: list[Problem] = []

    def add_error(self, kind: str, message: str, line: int | None = None) -> None:
        """Note what makes a line useless."""
        self._add("error", kind, message, line)

    def add_warning(self, kind: str, message: str, line: int | None = None) -> None:
        """Note what may be used and is doubtful."""
        self._add("warning", kind, message, line)

    def _add(self, severity: Severity, kind: str, message: str, line: int | None) -> None:
        self.counts[severity][kind] += 1
        if self.counts[severity][kind] <= MOST_KEPT:
            shown = (
                message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}\N{HORIZONTAL ELLIPSIS}"
            )
            self.kept.append(Problem(severity, kind, shown, self.path, line))


def record_problems(record: dict[str, Any], refusal: ValidationError) -> Iterator[tuple[str, str]]:
    """Yield (kind, message) of everything that keeps a record from being a conversation; `refusal` is pydantic's."""
    for error, message in zip(refusal.errors(), describe_all(refusal), strict=True):
        part = str(error["loc"][0]) if error["loc"] else ""
        # What contradicts itself has no place. pydantic ends at the first of it; below follows all of it. And a list is not
        # empty because nothing on it can be used.
        if part and not (error["type"] == "too_short" and _items(record, part)):
            yield part if part in {"tasks", "messages"} else "record", message
    if dropped := CONVERSATION.dropped(record):
        yield "record", dropped
    tasks, messages = _items(record, "tasks"), _items(record, "messages")
    yield from (("tasks", message) for message in repeated_names(tasks))
    yield from (("labels", message) for message in unlisted_labels(tasks, messages))
    yield from (("points", message) for message in point_contradictions(record))


def _items(record: dict[str, Any], name: str) -> list[Any]:
    items = record.get(name)
    return items if isinstance(items, list) else []
