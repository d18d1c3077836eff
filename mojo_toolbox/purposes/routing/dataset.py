"""An administrator's data -> the chat examples that a training job reads, as JSON Lines on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from mojo_toolbox.data import Conversation, keys, parse_conversation, read_records, write_records
from mojo_toolbox.data.augmentation import Augmentation
from mojo_toolbox.data.content_hash import ContentHash
from mojo_toolbox.data.conversations import Text, describe, without_loss
from mojo_toolbox.data.dataset_rows import without_filled_in
from mojo_toolbox.data.starter import starter_conversation, starter_pool
from mojo_toolbox.data.task_pool import TaskPool
from mojo_toolbox.errors import DataError
from mojo_toolbox.errors.sentences import sentence
from mojo_toolbox.purposes.purpose import DataSource, PreparedData
from mojo_toolbox.purposes.routing.training import training_example, training_examples, validation_example

_ROUTING, _CHAT = "routing conversations", "chat examples"
_NOTHING = "there is nothing to train on: no conversation with a labelled user turn."


class _ChatMessage(BaseModel):
    """A message to train on. OpenAI's `weight` of an assistant message, 0 or 1, is another word for `train`."""

    role: Literal["system", "user", "assistant"]
    content: Text
    train: bool | None = None
    weight: Any = Field(default=None, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _nothing_dropped(cls, given: Any) -> Any:
        return without_loss(given, keys.CHAT_MESSAGE)

    @model_validator(mode="after")
    def _with_weight(self) -> Self:
        if problem := keys.switch_problem(self.train, self.weight):
            raise ValueError(problem)
        if self.weight is not None:
            self.train = None if self.weight == 1 else False
        if self.role != "assistant" and (self.train or self.weight):
            raise ValueError(f"a {self.role} message bears no loss: leave out its train or weight")
        return self


class _ChatExample(BaseModel):
    """A chat to train on: loss is borne by assistant messages whose `train` is not false."""

    messages: list[_ChatMessage] = Field(min_length=2)
    choices: list[Text] | None = None

    @model_validator(mode="before")
    @classmethod
    def _nothing_dropped(cls, given: Any) -> Any:
        return without_loss(given, keys.CHAT_EXAMPLE)


def require_readable(source: DataSource) -> None:
    """Look at the first record of data that can be read again. A stream, which cannot, is left for later.

    Raises:
        DataError: no such file, nothing in it, or a first record that cannot be used.
    """
    if _is_stream(source):
        return
    found = False
    for path, line, record in islice(_records(source), 1):
        found = True
        if isinstance(record, Conversation) or "tasks" in record:
            parse_conversation(record, path=path, line=line)
        else:
            _chat_example(record, path=path, line=line)
    if not found:
        raise DataError(_NOTHING)


def _is_stream(source: object) -> bool:
    """Whether reading the first record would take it away from who reads next."""
    if isinstance(source, str | Path):
        path = Path(source)
        return path.exists() and not path.is_file() and not path.is_dir()
    return isinstance(source, Iterable) and not hasattr(source, "__len__")


def prepare_training_data(
    source: DataSource,
    target: Path,
    *,
    seed: int = 0,
    copies: int = 1,
    augmentation: Augmentation | None = None,
    pool: TaskPool | None = None,
    starter: int = 0,
) -> PreparedData:
    """Write the training examples of `source` to `target`: `copies` augmented ones of each routing conversation in turn.

    Chat examples (`{"messages": […]}` without `tasks`) pass as they are, once. Behind routing conversations come `starter`
    of those that ship with the library, each as `copies` different ones.

    Raises:
        DataError: a record that cannot be used (file and line are named), or nothing to learn from.
    """

    def render(conversation: Conversation) -> Iterator[dict[str, Any]]:
        return training_examples([conversation], seed=seed, copies=copies, augmentation=augmentation, pool=pool)

    def beside() -> Iterator[dict[str, Any]]:
        known = starter_pool()
        for number in range(starter):
            for copy in range(copies):
                conversation = starter_conversation(number, seed=copy)
                yield training_example(conversation, seed=seed, augmentation=augmentation, pool=known)

    return _Preparation(source, render, beside).write(target)


def prepare_validation_data(source: DataSource, target: Path) -> PreparedData:
    """Write the validation examples of `source` to `target`: each conversation once and unchanged.

    Raises:
        DataError: as in `prepare_training_data()`.
    """
    return _Preparation(source, lambda conversation: [validation_example(conversation)]).write(target)


class _Preparation:
    """One pass over the given data: rendered, written and hashed as it comes."""

    def __init__(
        self,
        source: DataSource,
        render: Callable[[Conversation], Iterable[dict[str, Any]]],
        beside: Callable[[], Iterable[dict[str, Any]]] = tuple,
    ) -> None:
        self._source = source
        self._render = render
        self._beside = beside
        self._kind: str | None = None
        self._hash = ContentHash()

    def write(self, target: Path) -> PreparedData:
        rows = write_records(target, self._examples())
        if rows == 0:
            target.unlink()
            where = f"{self._source}: " if isinstance(self._source, str | Path) else ""
            raise DataError(f"{where}{_NOTHING}")
        return PreparedData(path=target, rows=rows, sha256=self._hash.hexdigest(), augmented=self._kind == _ROUTING)

    def _examples(self) -> Iterator[dict[str, Any]]:
        """Yield examples. Every record is of the first one's kind."""
        for path, line, record in _records(self._source):
            kind = _ROUTING if isinstance(record, Conversation) or "tasks" in record else _CHAT
            self._kind = self._kind or kind
            if kind != self._kind:
                raise DataError(
                    f"{kind} among {self._kind}: a data set holds one kind of record.", path=path, line=line
                )
            if kind == _ROUTING:
                conversation = parse_conversation(record, path=path, line=line)
                self._hash.add(conversation)
                if any(message.labelled for message in conversation.messages):
                    yield from self._render(conversation)
            else:
                example = _chat_example(record, path=path, line=line)
                self._hash.add(record)
                yield example
        if self._kind == _ROUTING:
            yield from self._beside()


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
            yield "record", number, without_filled_in(record)
        else:
            raise DataError(f"a conversation was expected, not {type(record).__name__}.", path="record", line=number)


def _chat_example(record: Mapping[str, Any], *, path: str | None, line: int | None) -> dict[str, Any]:
    try:
        example = _ChatExample.model_validate(record)
    except ValidationError as error:
        hint = " A routing conversation has a list of tasks too." if "messages" in record else ""
        raise DataError(
            f"neither a routing conversation nor a chat example: {sentence(describe(error))}{hint}",
            path=path,
            line=line,
        ) from error
    if not any(m.role == "assistant" and m.train is not False for m in example.messages):
        raise DataError(
            "no assistant message to learn from (each has train = false, or there is none).", path=path, line=line
        )
    return example.model_dump(exclude_none=True)
