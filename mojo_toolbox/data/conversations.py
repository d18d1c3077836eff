"""The records: a routing conversation, its messages and its tasks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from mojo_toolbox.data import keys
from mojo_toolbox.data.decision_kinds import point_of
from mojo_toolbox.errors import DataError
from mojo_toolbox.errors.sentences import sentence
from mojo_toolbox.spelling import canonical, misspelling

# What a router answers when no listed task is wanted. A task cannot have this name, in whatever capitals: where one is
# expected it is read as None.
NONE_ANSWER = "none"


def whole_characters(text: str) -> str:
    """Refuse half of a surrogate pair, which JSON can spell and no encoding can write."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"half of a surrogate pair at character {error.start}: send whole characters") from error
    return text


def _writable(meta: dict[str, Any]) -> dict[str, Any]:
    """Refuse what a file of conversations could not hold."""
    try:
        whole_characters(json.dumps(meta, ensure_ascii=False))
    except (TypeError, RecursionError) as error:
        raise ValueError(f"meta cannot be written as JSON: {error}") from error
    return meta


def read_label(given: str | None) -> str | None:
    """Return the task that a label or a decision names, in its one spelling; None for "none" in whatever capitals."""
    if given is None or means_none(given):
        return None
    if not given.strip():
        raise ValueError("an empty text names no task: give the task's name, or null for no task")
    return canonical(given)


def means_none(given: str) -> bool:
    """Whether a text in a task's place says that there is no task."""
    return given.strip().casefold() == NONE_ANSWER


Text = Annotated[str, AfterValidator(whole_characters)]
Label = Annotated[Text | None, AfterValidator(read_label)]


class Task(BaseModel):
    """Something the assistant can do: a name, and a description in a sentence."""

    model_config = ConfigDict(frozen=True)

    name: Text
    description: Text = ""

    @model_validator(mode="before")
    @classmethod
    def _nothing_dropped(cls, given: Any) -> Any:
        return without_loss(given, keys.TASK)

    @field_validator("name")
    @classmethod
    def _usable_name(cls, name: str) -> str:
        if problem := misspelling(name):
            raise ValueError(f"task name {name[:40]!r} {problem}")
        if means_none(name):
            raise ValueError(f"a task cannot be named {name!r}: that is the router's answer for 'no task'")
        return canonical(name)

    @field_validator("description")
    @classmethod
    def _one_line(cls, description: str) -> str:
        # The prompt lists one task a line.
        return " ".join(description.split())


class Message(BaseModel):
    """One turn. On a user turn `task` is the task in charge after it, or None for no task. Leave it out if nobody knows."""

    model_config = ConfigDict(frozen=True)

    role: Literal["user", "assistant"]
    content: Text
    task: Label = None

    @model_validator(mode="before")
    @classmethod
    def _nothing_dropped(cls, given: Any) -> Any:
        return without_loss(given, keys.MESSAGE)

    @property
    def labelled(self) -> bool:
        """Whether the task in charge after this turn is known. A given None is known, a missing task is not."""
        return "task" in self.model_fields_set

    @model_validator(mode="after")
    def _label_on_user_turns_only(self) -> Self:
        if self.role == "assistant" and self.labelled:
            raise ValueError("an assistant message has a task label; labels belong to the user message before it")
        return self


class Conversation(BaseModel):
    """A conversation with the list of tasks that the assistant could do in it."""

    model_config = ConfigDict(frozen=True)

    id: Text = ""
    tasks: tuple[Task, ...] = Field(min_length=1)
    messages: tuple[Message, ...] = Field(min_length=1)
    meta: Annotated[dict[str, Any], AfterValidator(_writable)] = Field(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _without_contradictions(cls, given: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        conversation = validate(without_loss(given, keys.CONVERSATION))
        tasks, messages = conversation.tasks, conversation.messages
        for problem in chain(repeated_names(tasks), unlisted_labels(tasks, messages), point_contradictions(given)):
            raise ValueError(problem)
        return conversation

    def as_record(self) -> dict[str, Any]:
        """Return the record of this conversation in the project's format. A turn without a label has no key `task`."""
        messages: list[dict[str, Any]] = [
            {"role": m.role, "content": m.content} | ({"task": m.task} if m.labelled else {}) for m in self.messages
        ]
        record: dict[str, Any] = {"id": self.id} if self.id else {}
        tasks = [{"name": task.name, "description": task.description} for task in self.tasks]
        record |= {"tasks": tasks, "messages": messages}
        return record | ({"meta": self.meta} if self.meta else {})


def without_loss(given: Any, known: keys.Keys) -> Any:
    """Return a record as it is; a key that would be dropped though it changes what the record means is a ValueError."""
    if isinstance(given, Mapping) and (problem := known.dropped(given)):
        raise ValueError(problem)
    return given


def parse_listed_task(record: object) -> Task:
    """Read a task of a task file. Its `examples` are for writing conversations, and do not go into task lists."""
    if isinstance(record, Mapping):
        record = {key: value for key, value in record.items() if key != "examples"}
    return Task.model_validate(record)


def require_distinct(tasks: tuple[Task, ...]) -> set[str]:
    """Return the names of `tasks`; a name that occurs twice is a ValueError."""
    for problem in repeated_names(tasks):
        raise ValueError(problem)
    return {task.name for task in tasks}


def repeated_names(tasks: Iterable[object]) -> Iterator[str]:
    """Yield which names occur twice in a task list, or in the record of one."""
    names: set[str] = set()
    for name in _names(tasks):
        if name in names:
            yield f"the task name {name!r} occurs twice in the task list"
        names.add(name)


def unlisted_labels(tasks: Iterable[object], messages: Iterable[object]) -> Iterator[str]:
    """Yield which labels of messages are not in the task list; records of both are taken too."""
    listed = set(_names(tasks))
    for number, message in enumerate(messages, start=1):
        label = _label(message)
        if isinstance(label, str) and label not in listed:
            yield f"message {number} is labelled {label!r}, which is not in the task list ({', '.join(sorted(listed))})"


def point_contradictions(record: object) -> Iterator[str]:
    """Yield stored measuring points (`point` of a message) that do not follow from the labels; most records have none."""
    messages = _field(record, "messages")
    if not isinstance(messages, list | tuple) or all(_stored_point(message) is None for message in messages):
        return
    previous: Any = None
    for number, message in enumerate(messages, start=1):
        labelled = message.labelled if isinstance(message, Message) else isinstance(message, dict) and "task" in message
        task, stored = _label(message), _stored_point(message)
        follows = point_of(previous, task) if labelled else None
        if stored is not None and stored != follows:
            truth = f"its labels make it {follows!r}" if labelled else "a message without a label has none"
            yield f"message {number} is stored as the measuring point {stored!r}, but {truth}"
        previous = task if labelled else previous


def _names(tasks: Iterable[object]) -> Iterator[str]:
    return (canonical(name) for task in tasks if isinstance(name := _field(task, "name"), str))


def _label(message: object) -> Any:
    given = _field(message, "task")
    try:
        return read_label(given) if isinstance(given, str) else given
    except ValueError:
        return given


def _stored_point(message: object) -> object:
    return message.get("point") if isinstance(message, dict) else None


def _field(thing: object, name: str) -> Any:
    return thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)


def parse_conversation(record: object, *, path: object = None, line: int | None = None) -> Conversation:
    """Read one record of the project's format.

    Raises:
        DataError: it is not a conversation. The error has `path` and `line`.
    """
    try:
        return record if isinstance(record, Conversation) else Conversation.model_validate(record)
    except ValidationError as error:
        why = f"not a routing conversation: {sentence(describe(error))}{_hint(record)}"
        raise DataError(why, path=_text(path), line=line) from error


def _hint(record: object) -> str:
    """Say what reads a chat of other services, with system prompts, results of tools or parts; empty for other records."""
    messages = _field(record, "messages")
    entries = [entry for entry in messages if isinstance(entry, dict)] if isinstance(messages, list) else []
    # A list: a role may be anything that JSON can say, also what no set takes.
    ours = all(m.get("role") in ["user", "assistant"] and isinstance(m.get("content"), str) for m in entries)
    return "" if ours else " Chats of other services are read by: mojo data import chat"


def describe(error: ValidationError) -> str:
    """Describe in one line the first thing that pydantic refused, and its place in the record."""
    return describe_all(error)[0]


def describe_all(error: ValidationError) -> list[str]:
    """Say what pydantic refused, a line each."""
    problems = error.errors(include_url=False)
    messages = (_plain(problem) for problem in problems)
    places = (_place(problem["loc"]) for problem in problems)
    return [f"{place}: {message}" if place else message for place, message in zip(places, messages, strict=True)]


# What pydantic says in Python's words, by the type of its error.
_PLAIN = {
    "missing": "is missing",
    "too_short": "is empty",
    "string_type": "text was expected",
    "tuple_type": "a list was expected",
    "dict_type": "a JSON object was expected",
    "model_type": "a JSON object was expected",
}


# The types of Python in JSON's words.
_KINDS = {
    type(None): "null",
    bool: "true or false",
    str: "a text",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def _plain(problem: ErrorDetails) -> str:
    kind, given = problem["type"], problem["input"]
    if kind == "literal_error":
        return f"{given!r:.40} was given where {problem.get('ctx', {}).get('expected')} was expected"
    plain = _PLAIN.get(kind, problem["msg"].removeprefix("Value error, "))
    wrong = kind in _PLAIN and kind.endswith("_type")
    return f"{plain}, not {_KINDS.get(type(given), type(given).__name__)}" if wrong else plain


def _place(steps: tuple[int | str, ...]) -> str:
    """Name a place in a record: messages and tasks by their number from 1, as people count."""
    match steps:
        case ("messages" | "tasks" as several, int(index), *rest):
            return " ".join([f"{several[:-1]} {index + 1}", *map(str, rest)])
        case _:
            return ".".join(map(str, steps))


def _text(path: object) -> str | None:
    return None if path is None else str(path)
