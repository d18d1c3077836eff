"""A conversation that is routed turn by turn: it keeps the messages and the decisions, so that the caller need not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from mojo_toolbox.data import Task
from mojo_toolbox.data.conversations import whole_characters
from mojo_toolbox.errors import DataError
from mojo_toolbox.purposes.routing.prompt import read_tasks

_Decision = TypeVar("_Decision", bound="_HasTask", covariant=True)  # noqa: PLC0105 - the name errors and docs show


class _HasTask(Protocol):
    @property
    def task(self) -> str | None: ...
    @property
    def abstained(self) -> bool: ...


class _Predict(Protocol[_Decision]):
    def __call__(
        self, messages: Sequence[Mapping[str, Any]], *, tasks: Sequence[Task | Mapping[str, Any]]
    ) -> _Decision:
        """Ask which task is in charge after the last message."""


class RoutingSession(Generic[_Decision]):
    """One conversation with a router, for one thread at a time. `model.session(tasks=…)` makes it."""

    def __init__(self, predict: _Predict[_Decision], tasks: Sequence[Task | Mapping[str, Any]]) -> None:
        """Begin an empty conversation. Nothing is sent.

        Raises:
            DataError: tasks that cannot be listed.
        """
        self._predict = predict
        self._messages: list[dict[str, Any]] = []
        self.tasks = tasks

    @property
    def tasks(self) -> Sequence[Task | Mapping[str, Any]]:
        """The assistant's current tasks. You may replace the list at any time. A removed task then counts as unknown.

        While the list stays the same, a server that keeps prefixes reads only the new text of each turn. An unusable list is a
        DataError, and the list before stays.
        """
        return self._tasks

    @tasks.setter
    def tasks(self, tasks: Sequence[Task | Mapping[str, Any]]) -> None:
        # An iterator is read once, and every turn asks.
        tasks = list(tasks) if isinstance(tasks, Iterator) else tasks
        read_tasks(tasks)
        self._tasks = tasks

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation so far, as `predict()` takes it. User messages have their decision, if any, as `task`."""
        return [dict(message) for message in self._messages]

    def route(self, user_text: str) -> _Decision:
        """Take the user's text and return the decision about the task in charge. Waits for the answer, a minute at most.

        If asking fails, nothing is kept, so call again with the same text. If the router abstains, the text is kept without a
        decision.

        Raises:
            PredictionError, DataError: as `predict()` does.
        """
        asked = [*self._messages, {"role": "user", "content": user_text}]
        decision = self._predict(asked, tasks=self.tasks)
        # An abstained answer is kept as unknown. As a decision it would be shown to the router as a fact ever after, just
        # where it is most often wrong. The decision before would claim that the turn changed nothing. Unknown turns are
        # folded into the next message, as in training, and the decision before them is still in the prompt.
        if not decision.abstained:
            asked[-1]["task"] = decision.task
        self._messages = asked
        return decision

    def reply(self, agent_text: str) -> None:
        """Take the assistant's text. Nothing is sent before the next `route()`.

        Raises:
            DataError: it is not a text, or contains half a character.
        """
        if not isinstance(agent_text, str):
            raise DataError(f"the assistant's reply is a text, not {type(agent_text).__name__}.")
        try:
            # Once kept, it would make every later question one that cannot be sent.
            whole_characters(agent_text)
        except ValueError as error:
            raise DataError(f"the assistant's reply cannot be used: {error}.") from error
        self._messages.append({"role": "assistant", "content": agent_text})
