"""The tasks that conversations are written for, read from a file: names, descriptions, examples.

JSON Lines, one task a line:

    {"name": "meeting_recap", "description": "Sum up a meeting", "examples": ["need the notes of tuesday in order"]}

or one JSON document, a list of such tasks or an object:

    {"about": "An assistant for sales teams", "users": ["a sales representative"], "tasks": [...]}

An example is what a user says who wants the task; or a list of turns such as [{"user": "..."}, {"assistant": "..."}].
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mojo_toolbox.data import Message, Task
from mojo_toolbox.data.conversations import describe, parse_listed_task, whole_characters
from mojo_toolbox.data.foreign_files import HEAD, require_json
from mojo_toolbox.data.json_faults import why_not_json
from mojo_toolbox.data.jsonl import parse_line
from mojo_toolbox.data.packed_files import open_data
from mojo_toolbox.data.resemblance import Vocabulary
from mojo_toolbox.errors import DataError
from mojo_toolbox.errors.sentences import sentence

_LARGEST_FILE = 16 * 2**20  # bytes; 5,000 tasks with long descriptions and examples have some 10 MB
_MOST_ABOUT = 2_000  # characters; it stands in every prompt
_FIELDS = ("name", "description", "examples")
_DOCUMENT_FIELDS = ("about", "users", "tasks")


@dataclass(frozen=True)
class Example:
    """A short conversation in which a task is wanted, for few-shot prompts."""

    task: Task
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class TaskFile:
    """The tasks of a product, at least one, with different names, and the other contents of its file."""

    tasks: tuple[Task, ...]
    examples: tuple[Example, ...] = ()
    about: str = ""
    """The product, in a sentence."""
    users: tuple[str, ...] = ()
    """Users of the product, such as "a sales representative"."""
    path: Path | None = None

    @functools.cached_property
    def sha256(self) -> str:
        """The hash of all contents that plans use, whatever the place and the layout of the file."""
        examples = [[example.task.name, [[m.role, m.content] for m in example.messages]] for example in self.examples]
        tasks = [[task.name, task.description] for task in self.tasks]
        content = json.dumps([tasks, examples, self.about, self.users])
        return hashlib.sha256(content.encode()).hexdigest()

    @functools.cached_property
    def vocabulary(self) -> Vocabulary:
        """The weights of the words of the tasks."""
        return Vocabulary(self.tasks)


def read_task_file(path: Path | str) -> TaskFile:
    """Read the tasks of a product.

    Raises:
        DataError: there is no such file, or it cannot be used. The error names file, line (or task) and field.
    """
    path = Path(path)
    text = _text(path)
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise DataError("JSON nested too deeply.", path=path) from error
    except json.JSONDecodeError as error:
        if not _is_json(text.lstrip().split("\n", 1)[0]):
            raise DataError(f"not JSON: {why_not_json(error)}", path=path, line=error.lineno) from error
        return _task_file({}, _lines(path, text), path)
    except ValueError as error:  # a number of thousands of digits
        raise DataError(f"not JSON: {sentence(error)}", path=path) from error
    if isinstance(document, dict) and "tasks" not in document and "name" in document:
        return _of_document([document], path)
    return _of_document(document, path)


def _is_json(line: str) -> bool:
    """Whether a line is a JSON document by itself: then the file has one a line."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _of_document(document: object, path: Path) -> TaskFile:
    if isinstance(document, list):
        document = {"tasks": document}
    if not isinstance(document, dict) or not isinstance(document.get("tasks"), list) or "messages" in document:
        raise DataError('a list of tasks was expected, an object with "tasks", or one task a line.', path=path)
    if unknown := [name for name in document if name not in _DOCUMENT_FIELDS]:
        known = ", ".join(_DOCUMENT_FIELDS)
        raise DataError(f"{unknown[0]!r:.80} is no field beside the tasks. Known: {known}.", path=path)
    entries = [_TaskEntry(path, None, number, record) for number, record in enumerate(document["tasks"], start=1)]
    return _task_file(document, entries, path)


def _text(path: Path) -> str:
    try:
        with open_data(path) as file:
            content = file.read(_LARGEST_FILE + 1)
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"cannot be read: {(error.strerror or str(error)).lower()}.", path=path) from error
    except ValueError as error:  # a NUL in the path
        raise DataError(f"cannot be read: {sentence(error)}", path=repr(str(path))) from error
    if len(content) > _LARGEST_FILE:
        raise DataError(f"has more than {_LARGEST_FILE / 2**20:.0f} MB. Is it a file of tasks?", path=path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError("not UTF-8. Save the file as UTF-8.", path=path, line=line) from error
    require_json(path, text[:HEAD], expected="one task a line")
    if not text.strip():
        raise DataError(
            'the file is empty: it needs one task a line, {"name": "...", "description": "..."}.', path=path
        )
    return text


@dataclass(frozen=True)
class _TaskEntry:
    """The record of a task, and where it stands."""

    path: Path
    line: int | None
    number: int
    record: object

    def wrong(self, problem: str) -> DataError:
        where = "" if self.line is not None else f"task {self.number}: "
        return DataError(f"{where}{sentence(problem)}", path=self.path, line=self.line)


def _lines(path: Path, text: str) -> Iterator[_TaskEntry]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _TaskEntry(path, number, number, parse_line(line.encode(), path=path, line=number))


def _task_file(document: Mapping[str, Any], entries: Iterable[_TaskEntry], path: Path) -> TaskFile:
    tasks: dict[str, Task] = {}
    examples: list[Example] = []
    for entry in entries:
        task = _task(entry)
        if task.name in tasks:
            raise entry.wrong(f"name: {task.name!r:.80} is the name of an earlier task too")
        tasks[task.name] = task
        examples += _examples(entry, task)
    if not tasks:
        raise DataError('"tasks" is empty: at least one task is needed.', path=path)
    return TaskFile(
        tasks=tuple(tasks.values()),
        examples=tuple(examples),
        about=_sentence(document.get("about", ""), "about", path),
        users=_users(document.get("users", []), path),
        path=path,
    )


def _task(entry: _TaskEntry) -> Task:
    if not isinstance(entry.record, dict):
        raise entry.wrong('a task was expected: {"name": "...", "description": "..."}')
    if "messages" in entry.record:
        raise entry.wrong('this is a conversation; a task was expected: {"name": "...", "description": "..."}')
    if unknown := [name for name in entry.record if name not in _FIELDS]:
        raise entry.wrong(f"{unknown[0]!r:.80} is no field of a task. Known: {', '.join(_FIELDS)}")
    try:
        return parse_listed_task(entry.record)
    except ValidationError as error:
        raise entry.wrong(describe(error)) from error


def _examples(entry: _TaskEntry, task: Task) -> Iterator[Example]:
    assert isinstance(entry.record, dict)
    given = entry.record.get("examples", [])
    if not isinstance(given, list):
        raise entry.wrong("examples: a list was expected")
    for number, example in enumerate(given, start=1):
        turns = [{"user": example}] if isinstance(example, str) else example
        try:
            yield Example(task, _messages(turns, task))
        except ValueError as error:
            raise entry.wrong(f"example {number}: {error}") from error


def _messages(turns: object, task: Task) -> tuple[Message, ...]:
    """Read [{"user": ...}, {"assistant": ...}]; raise ValueError for what is none."""
    if not isinstance(turns, list) or not turns:
        raise ValueError('a text was expected, or a list of turns such as [{"user": "..."}, {"assistant": "..."}]')
    return tuple(_message(number, turn, task) for number, turn in enumerate(turns, start=1))


def _message(number: int, turn: object, task: Task) -> Message:
    match turn:
        case {"user": str(content), **rest} if not rest and content.strip():
            return Message(role="user", content=whole_characters(content), task=task.name)
        case {"assistant": str(content), **rest} if not rest and content.strip():
            return Message(role="assistant", content=whole_characters(content))
        case _:
            raise ValueError(f'turn {number} is neither {{"user": "..."}} nor {{"assistant": "..."}}')


def _sentence(value: object, field: str, path: Path) -> str:
    if not isinstance(value, str) or len(value) > _MOST_ABOUT:
        raise DataError(f"{field}: a text of at most {_MOST_ABOUT} characters was expected.", path=path)
    try:
        return " ".join(whole_characters(value).split())
    except ValueError as error:
        raise DataError(f"{field}: {sentence(error)}", path=path) from error


def _users(value: object, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise DataError('users: a list of texts was expected, such as ["a sales representative"].', path=path)
    users = tuple(_sentence(user, f"users, number {number}", path) for number, user in enumerate(value, start=1))
    if not all(users):
        raise DataError("users: one of them is empty.", path=path)
    return users
