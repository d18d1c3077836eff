"""What an administrator gives as data -> the chat examples that a training job reads, as JSON Lines on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mojo_toolbox.data import Conversation, parse_conversation, read_records, write_records
from mojo_toolbox.data.conversations import Text, describe
from mojo_toolbox.errors import DataError
from mojo_toolbox.routing.training import training_examples, validation_example

# A path, or records: a list of conversations or of dictionaries, or a datasets.Dataset.
DataSource = str | Path | Iterable[Conversation | Mapping[str, Any]]


@dataclass(frozen=True)
class PreparedData:
    """Chat examples in a file; `sha256` (hexadecimal) is of the file's bytes."""

    path: Path
    rows: int
    sha256: str


class _ChatMessage(BaseModel):
    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "user", "assistant"]
    content: Text
    train: bool | None = None


class _ChatExample(BaseModel):
    """A chat to train on: loss is borne by assistant messages whose `train` is not false."""

    messages: list[_ChatMessage] = Field(min_length=2)


def prepare_training_data(source: DataSource, target: Path, *, seed: int = 0, copies: int = 1) -> PreparedData:
    """Write the training examples of `source` to `target`: `copies` varied ones of each routing conversation.

    Chat examples (`{"messages": […]}` without `tasks`) pass as they are.

    Raises:
        DataError: a record that cannot be used (file and line are named), or nothing to learn from.
    """
    return _write(_examples(source, lambda c: training_examples([c], seed=seed, copies=copies)), source, target)


def prepare_validation_data(source: DataSource, target: Path) -> PreparedData:
    """Write the validation examples of `source` to `target`: each conversation once, as it stands."""
    return _write(_examples(source, lambda c: [validation_example(c)]), source, target)


def _write(examples: Iterator[dict[str, Any]], source: DataSource, target: Path) -> PreparedData:
    rows = write_records(target, examples)
    if rows == 0:
        target.unlink()
        where = f"{source}: " if isinstance(source, str | Path) else ""
        raise DataError(f"{where}there is nothing to train on: no conversation with a labelled user turn.")
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return PreparedData(path=target, rows=rows, sha256=digest)


def _examples(source: DataSource, render: Any) -> Iterator[dict[str, Any]]:
    """Yield examples; every record is of the first one's kind."""
    kind: str | None = None
    for path, line, record in _records(source):
        this = "routing conversations" if isinstance(record, Conversation) or "tasks" in record else "chat examples"
        kind = kind or this
        if this != kind:
            raise DataError(f"{this} among {kind}: a data set holds one kind of record.", path=path, line=line)
        if this == "routing conversations":
            conversation = parse_conversation(record, path=path, line=line)
            if any(message.labelled for message in conversation.messages):
                yield from render(conversation)
        else:
            yield _chat_example(record, path=path, line=line)


def _records(source: DataSource) -> Iterator[tuple[str | None, int | None, Any]]:
    if isinstance(source, str | Path):
        for line, parsed in read_records(source):
            yield str(source), line, parsed
        return
    if isinstance(source, Mapping) or not isinstance(source, Iterable):
        raise DataError(
            f"data must be a path, an s3:// URI, a list or a datasets.Dataset, not {type(source).__name__}."
        )
    for number, record in enumerate(source, start=1):
        if isinstance(record, Conversation):
            yield None, None, record
        elif isinstance(record, Mapping):
            yield "record", number, _without_filled_in(record)
        else:
            raise DataError(f"a conversation was expected, not {type(record).__name__}.", path="record", line=number)


def _without_filled_in(record: Mapping[str, Any]) -> dict[str, Any]:
    """Undo what `datasets.Dataset` does to records: it gives every message every key, None where there was none.

    A user message's `task` of None therefore stays "no task": in a Dataset, unlabelled turns cannot be told from it.
    """
    cleaned = {name: value for name, value in record.items() if value is not None}
    tasks = cleaned.get("tasks")
    if isinstance(tasks, list):
        cleaned["tasks"] = [
            {k: v for k, v in task.items() if v is not None} if isinstance(task, Mapping) else task for task in tasks
        ]
    messages = cleaned.get("messages")
    if isinstance(messages, list):
        cleaned["messages"] = [
            {k: v for k, v in m.items() if not (v is None and (k != "task" or m.get("role") != "user"))}
            if isinstance(m, Mapping)
            else m
            for m in messages
        ]
    return cleaned


def _chat_example(record: Mapping[str, Any], *, path: str | None, line: int | None) -> dict[str, Any]:
    try:
        example = _ChatExample.model_validate(record)
    except ValidationError as error:
        hint = " A routing conversation has a list of tasks too." if "messages" in record else ""
        raise DataError(
            f"neither a routing conversation nor a chat example: {describe(error)}.{hint}", path=path, line=line
        ) from error
    if not any(m.role == "assistant" and m.train is not False for m in example.messages):
        raise DataError(
            "no assistant message to learn from (each has train = false, or there is none).", path=path, line=line
        )
    return example.model_dump(exclude_none=True)
