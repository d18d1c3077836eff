"""The records: a routing conversation, its messages and its tasks."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mojo_toolbox.errors import DataError

# What a router answers when no listed task is wanted. A task cannot have this name.
NONE_ANSWER = "none"


def whole_characters(text: str) -> str:
    """Refuse half of a surrogate pair, which JSON can spell and no encoding can write."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"half of a surrogate pair at character {error.start}: send whole characters") from error
    return text


Text = Annotated[str, AfterValidator(whole_characters)]


class Task(BaseModel):
    """Something the assistant can do: a name, and a description in a sentence."""

    model_config = ConfigDict(frozen=True)

    name: Text
    description: Text = ""

    @field_validator("name")
    @classmethod
    def _usable_name(cls, name: str) -> str:
        if not name or name != name.strip() or not name.isprintable():
            raise ValueError(
                f"task name {name[:40]!r} is empty, or has line breaks, invisible characters or blanks around it"
            )
        if name.casefold() == NONE_ANSWER:
            raise ValueError(f"a task cannot be named {name!r}: that is the router's answer for 'no task'")
        return name

    @field_validator("description")
    @classmethod
    def _one_line(cls, description: str) -> str:
        # The prompt lists one task a line.
        return " ".join(description.split())


class Message(BaseModel):
    """One turn. On a user turn `task` is the task in charge after it, None for no task; leave it out when nobody knows."""

    model_config = ConfigDict(frozen=True)

    role: Literal["user", "assistant"]
    content: Text
    task: Text | None = None

    @property
    def labelled(self) -> bool:
        """Whether the task in charge after this turn is known: None given is known, nothing given is not."""
        return "task" in self.model_fields_set

    @model_validator(mode="after")
    def _label_on_user_turns_only(self) -> Self:
        if self.role == "assistant" and self.labelled:
            raise ValueError("an assistant message has a task label; labels belong to the user message before it")
        return self


class Conversation(BaseModel):
    """A conversation with the list of tasks that the assistant could do in it."""

    model_config = ConfigDict(frozen=True)

    id: str = ""
    tasks: tuple[Task, ...] = Field(min_length=1)
    messages: tuple[Message, ...] = Field(min_length=1)
    meta: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _labels_are_listed(self) -> Self:
        names = require_distinct(self.tasks)
        for number, message in enumerate(self.messages, start=1):
            if message.task is not None and message.task not in names:
                raise ValueError(
                    f"message {number} is labelled {message.task!r}, which is not in the task list ({', '.join(sorted(names))})"
                )
        return self

    def as_record(self) -> dict[str, Any]:
        """Return the record of the project's format that reads as this conversation: a turn without a label has no key."""
        messages = [
            {"role": m.role, "content": m.content} | ({"task": m.task} if m.labelled else {}) for m in self.messages
        ]
        record: dict[str, Any] = {"id": self.id} if self.id else {}
        tasks = [{"name": task.name, "description": task.description} for task in self.tasks]
        record |= {"tasks": tasks, "messages": messages}
        return record | ({"meta": self.meta} if self.meta else {})


def require_distinct(tasks: tuple[Task, ...]) -> set[str]:
    """Return the names of `tasks`; a name that occurs twice is a ValueError."""
    names: set[str] = set()
    for task in tasks:
        if task.name in names:
            raise ValueError(f"the task name {task.name!r} occurs twice in the task list")
        names.add(task.name)
    return names


def parse_conversation(record: object, *, path: object = None, line: int | None = None) -> Conversation:
    """Read one record of the project's format.

    Raises:
        DataError: it is no conversation; `path` and `line` are named.
    """
    try:
        return record if isinstance(record, Conversation) else Conversation.model_validate(record)
    except ValidationError as error:
        raise DataError(f"not a routing conversation: {describe(error)}.", path=_text(path), line=line) from error


def describe(error: ValidationError) -> str:
    """Say in one line what pydantic refused, and where in the record."""
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(step) for step in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _text(path: object) -> str | None:
    return None if path is None else str(path)
