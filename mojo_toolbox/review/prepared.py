"""Conversations made ready for the database: checked, named by their content, their labels taken apart."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mojo_toolbox.data import Conversation, parse_conversation
from mojo_toolbox.data.conversations import means_none
from mojo_toolbox.data.jsonl import RawLine, parse_line, read_lines
from mojo_toolbox.errors import DataError
from mojo_toolbox.progress import Progress, silent
from mojo_toolbox.review.items import write_marks, write_router
from mojo_toolbox.review.plain_records import plain_record
from mojo_toolbox.review.priority import DOUBTED, Predictions, disagrees, priority
from mojo_toolbox.review.records import Labels, ReviewMark, RouterDecision
from mojo_toolbox.spelling import canonical

# How JSON spells a half of a surrogate pair: \ud800 to \udfff.
_SURROGATE = re.compile(rb"\\ud[89a-f]", re.IGNORECASE)


class Prepared(NamedTuple):
    """A row to be."""

    identity: str
    name: str
    body: str
    marks: str
    router: str
    priority: float
    unlisted: int
    disagreement: bool


def prepare_file(
    path: Path, predictions: Path | None, *, max_bytes: int | None = None, report: Progress = silent
) -> Iterator[Prepared]:
    """Yield what a file holds.

    Raises:
        DataError: a line that is no conversation, predictions of other data, or a file that has more than `max_bytes`.
    """
    predicted = Predictions(predictions)
    for number, line in enumerate(_lines_within(path, max_bytes, report=report)):
        given = parse_line(line.content, path=path, line=line.number)
        record, marks = _checked(
            given, escaped=_SURROGATE.search(line.content) is not None, path=path, line=line.number
        )
        labels = labels_of_record(record)
        name = record.get("id", "")
        router = predicted.of(number, name, labels)
        yield prepared(record, marks=[*marks, *_marks_of(record)], unlisted=len(marks), router=router)
    predicted.finish()


def _lines_within(path: Path, max_bytes: int | None, *, report: Progress = silent) -> Iterator[RawLine]:
    """Yield the lines of a file; a packed one may hold far more than its size on the disk says."""
    for line in read_lines(path, report=report):
        if max_bytes is not None and line.offset + len(line.content) > max_bytes:
            raise DataError(f"holds more than {max_bytes:,} bytes. Divide it.", path=path)
        yield line


class Refused(NamedTuple):
    """The lines of a file that are no conversations: the first of them with the reason, and how many there are."""

    first: list[tuple[int, str]]
    total: int


def refused_lines(path: Path, *, most: int, max_bytes: int | None = None) -> Refused:
    """Return which lines of a file an import refuses; the first `most` with the reason."""
    refused = Refused([], 0)
    try:
        for line in _lines_within(path, max_bytes):
            why = _why_refused(line)
            if why is not None:
                first = [*refused.first, (line.number, why)] if refused.total < most else refused.first
                refused = Refused(first, refused.total + 1)
    except DataError:
        pass  # such as an empty file: no line is to blame
    return refused


def _why_refused(line: RawLine) -> str | None:
    try:
        _checked(parse_line(line.content), escaped=_SURROGATE.search(line.content) is not None)
    except DataError as error:
        return str(error)
    return None


def prepared(
    record: dict[str, Any], *, marks: Sequence[ReviewMark], unlisted: int, router: Mapping[int, RouterDecision]
) -> Prepared:
    """Return the row of a record of the project's format, as `as_record()` gives it."""
    labels = labels_of_record(record)
    return Prepared(
        identity=identity_of(record),
        # PostgreSQL holds no NUL; the body has it spelt out.
        name=record.get("id", "").replace("\0", "\ufffd"),
        body=json.dumps(record, ensure_ascii=False),
        marks=write_marks(marks),
        router=write_router(router),
        priority=priority(labels, router, marked=bool(marks), unlisted=unlisted > 0),
        unlisted=unlisted,
        disagreement=any(disagrees(labels, turn, decision) for turn, decision in router.items()),
    )


def identity_of(record: dict[str, Any]) -> str:
    """Return the hash of what is judged: the texts, and the task list in any order. Id, labels and meta do not count."""
    tasks = sorted((task["name"], task["description"]) for task in record["tasks"])
    messages = [(message["role"], message["content"]) for message in record["messages"]]
    return hashlib.sha256(json.dumps([tasks, messages], ensure_ascii=False).encode()).hexdigest()


def labels_of_record(record: dict[str, Any]) -> Labels:
    """Return the labels of a record's user turns, without those that nobody knows."""
    return {index: m["task"] for index, m in enumerate(record["messages"]) if "task" in m}


def _checked(
    given: dict[str, Any], *, escaped: bool, path: Path | None = None, line: int | None = None
) -> tuple[dict[str, Any], list[ReviewMark]]:
    """Return the record, and what is wrong with labels that the task list lacks: they are there to be mended."""
    plain = plain_record(given)
    # Halves of surrogate pairs can only come in as \u escapes, and those are rare: they take the long way.
    if plain is not None and not escaped:
        return plain, []
    mended, marks = _without_unlisted(given)
    return parse_conversation(mended, path=path, line=line).as_record(), marks


def _without_unlisted(given: dict[str, Any]) -> tuple[dict[str, Any], list[ReviewMark]]:
    tasks, messages = given.get("tasks"), given.get("messages")
    if not isinstance(tasks, list) or not isinstance(messages, list):
        return given, []
    listed = {canonical(task["name"]) for task in tasks if isinstance(task, dict) and isinstance(task.get("name"), str)}
    mended, marks = [], []
    for index, message in enumerate(messages):
        label = message.get("task") if isinstance(message, dict) and message.get("role") == "user" else None
        if isinstance(label, str) and not means_none(label) and canonical(label) not in listed:
            marks.append(ReviewMark(index, f"labelled {_spelt(label)}, which is not on the task list"))
            message = {key: value for key, value in message.items() if key not in {"task", "point"}}  # noqa: PLW2901
        mended.append(message)
    return {**given, "messages": mended}, marks


def _spelt(label: str) -> str:
    return repr(label.encode(errors="replace").decode()[:200])


def _marks_of(record: dict[str, Any]) -> Iterator[ReviewMark]:
    """Yield the marks that the generator's second pass left in `meta["review"]`; what is none is passed over."""
    given = record.get("meta", {}).get("review")
    for mark in given if isinstance(given, list) else []:
        if isinstance(mark, str):
            yield ReviewMark(None, mark)
        elif isinstance(mark, dict) and isinstance(mark.get("reason"), str):
            message = mark.get("turn", mark.get("message"))
            within = type(message) is int and 0 <= message < len(record["messages"])
            yield ReviewMark(message if within else None, mark["reason"])


def prepare_one(
    conversation: Conversation, marks: Sequence[ReviewMark], router: Mapping[int, RouterDecision], *, first: bool
) -> Prepared:
    """Return the row of a single conversation; with `first` it comes as early as one that was marked."""
    record = conversation.as_record()
    row = prepared(record, marks=[*marks, *_marks_of(record)], unlisted=0, router=router)
    return row._replace(priority=max(row.priority, DOUBTED)) if first else row
