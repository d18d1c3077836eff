"""Everything that can be measured: it answers a question with one of the listed tasks or none."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from mojo_toolbox.contract import Usage
from mojo_toolbox.data.conversations import means_none
from mojo_toolbox.errors import (
    EndpointNotReadyError,
    EvaluationError,
    InvalidAnswerError,
    ModelError,
    PredictionTimeoutError,
)
from mojo_toolbox.model import AWSModel, Model
from mojo_toolbox.spelling import canonical

# Of a distribution over a thousand tasks that was rounded on its way.
_SUM_TOLERANCE = 0.01


class Record(dict[str, Any]):
    """A message or a task, as in a file of conversations. Its keys are attributes too."""

    def __getattr__(self, key: str) -> Any:
        """Return the value of `key`."""
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"there is no {key!r} here, only {', '.join(self)}") from None


@dataclass(frozen=True)
class Question:
    """One decision to make: which task is in charge after the last message?

    `messages` are those up to the user turn in question, `{"role", "content"}`. Earlier user turns have the decision given
    then as `task`, if it is known. `tasks` are the listed ones, `{"name", "description"}`. `previous` is the decision
    before, None for no task.
    """

    messages: list[Record]
    tasks: list[Record]
    previous: str | None

    @property
    def names(self) -> list[str]:
        """The listed tasks' names, in the list's order."""
        return [task["name"] for task in self.tasks]


@dataclass(frozen=True)
class Answer:
    """A router's answer. If it is not a listed task, `valid` is False, `task` is None and `text` holds the words."""

    task: str | None
    valid: bool = True
    text: str | None = None
    """The written text, if it is more than the name."""
    probability: float | None = None
    """Of the answer, from 0 to 1, as the router itself gives it."""
    probabilities: Mapping[str | None, float] | None = None
    """Of each listed task and of None. They sum to 1, and you may leave out `probability`."""
    usage: Usage | None = None
    """Tokens read and written."""


# (messages, tasks, previous) -> a task's name, or None for no task. Question describes each.
RouterFunction = Callable[[list[Record], list[Record], str | None], str | None]


@runtime_checkable
class Router(Protocol):
    """A router for `evaluate()`, which may ask it from several threads at once."""

    @property
    def name(self) -> str:
        """The router's name in reports."""

    def ask(self, question: Question) -> Answer:
        """Answer the question. An exception becomes an error row."""


class FunctionRouter:
    """A Python function as a router."""

    def __init__(self, function: RouterFunction, *, name: str | None = None) -> None:
        self._function = function
        self.name = name if name is not None else str(getattr(function, "__name__", type(function).__name__))
        self.source = _source_hash(function)
        """Another one after a change of the function's own lines, or None if they cannot be read."""

    def ask(self, question: Question) -> Answer:
        """Call the function. Any result but a listed name or None is an invalid answer."""
        return checked_answer(self._function(question.messages, question.tasks, question.previous), question)


class EndpointRouter:
    """A deployed router, asked as programmers ask it."""

    def __init__(self, model: Model, *, name: str | None = None) -> None:
        self._model = model
        self.name = name or model.name

    def require_reachable(self) -> None:
        """Raise if there is no such endpoint, or the caller may not ask it. The model computes nothing."""
        require_endpoint(self._model)

    def ask(self, question: Question) -> Answer:
        """Ask once. The messages bear the earlier decisions."""
        try:
            decision = self._model.predict(question.messages, tasks=question.tasks)
        except InvalidAnswerError as error:
            return Answer(task=None, valid=False, text=error.answer)
        return Answer(
            task=decision.task,
            probability=decision.probability,
            probabilities=decision.probabilities,
            usage=decision.usage,
        )


def require_endpoint(model: Model) -> None:
    """Refuse an endpoint that is not there, by a request that its container refuses.

    Raises:
        PredictionError: or one of its kinds.
        AWSError: credentials, or the permission to ask.
    """
    if not isinstance(model, AWSModel):
        return  # other servers answer such a request in their own way
    try:
        model._ask(b"{}")  # noqa: SLF001 - the same door, without a question
    except EndpointNotReadyError as error:
        if error.is_out_of_service:
            raise
    except (ModelError, PredictionTimeoutError):
        return  # it is there


def _source_hash(function: object) -> str | None:
    try:
        source = inspect.getsource(function)  # type: ignore[arg-type]  # what has none is a TypeError
    except (OSError, TypeError):
        return None
    return hashlib.sha256(source.encode(errors="replace")).hexdigest()


def checked_answer(said: object, question: Question, *, text: str | None = None, usage: Usage | None = None) -> Answer:
    """Return the answer that `said` is: a listed name, or None (or "none") for no task. All else is invalid."""
    if said is None or (isinstance(said, str) and means_none(said)):
        return Answer(task=None, text=text, usage=usage)
    if isinstance(said, str) and canonical(said) in question.names:
        return Answer(task=canonical(said), text=text, usage=usage)
    return Answer(task=None, valid=False, text=text if text is not None else f"{said!s:.2000}", usage=usage)


def usable(answer: object, question: Question) -> Answer:
    """Return an answer as rows take it. An answer that names no listed task is invalid, even if it says otherwise.

    Raises:
        TypeError, ValueError: it is not an Answer, or its probabilities, tokens or text are not of their kinds.
    """
    if not isinstance(answer, Answer):
        raise TypeError(f"ask() returned {type(answer).__name__}, not an Answer")
    if answer.usage is not None and not isinstance(answer.usage, Usage):
        raise TypeError(f"Answer.usage is {type(answer.usage).__name__}, not a Usage")
    if answer.text is not None and not isinstance(answer.text, str):
        raise TypeError(f"Answer.text is {type(answer.text).__name__}, not a text")
    probabilities = None if answer.probabilities is None else _distribution(answer.probabilities, question)
    given = answer.probability
    checked = checked_answer(answer.task, question, text=answer.text, usage=answer.usage)
    if given is None and probabilities is not None and answer.valid and checked.valid:
        given = probabilities.get(checked.task)
    probability = None if given is None else _probability(given, "Answer.probability")
    if not answer.valid:
        checked = replace(checked, task=None, valid=False)
    elif not checked.valid and checked.text is None:
        checked = replace(checked, text=str(answer.task))
    return replace(checked, probability=probability, probabilities=probabilities)


def _distribution(given: object, question: Question) -> dict[str | None, float]:
    if not isinstance(given, Mapping):
        raise TypeError(f"Answer.probabilities is {type(given).__name__}, not a dictionary of tasks and probabilities")
    found: dict[str | None, float] = {}
    for name, share in given.items():
        task = _named(name)
        if task is not None and task not in question.names:
            raise ValueError(f"Answer.probabilities has {name!r:.80}, which is no listed task")
        if task in found:
            raise ValueError(f"Answer.probabilities has two shares for {name!r:.80}")
        found[task] = _probability(share, f"Answer.probabilities[{name!r:.80}]")
    if abs(sum(found.values()) - 1) > _SUM_TOLERANCE:
        raise ValueError(f"Answer.probabilities sum to {sum(found.values()):g}, not to 1")
    return found


def _named(name: Any) -> Any:
    if not isinstance(name, str):
        return name
    return None if means_none(name) else canonical(name)


def _probability(given: Any, what: str) -> float:
    probability = float(given)
    if not 0 <= probability <= 1 + 1e-6:  # a sum in floating point may be a little more than 1
        raise ValueError(f"{what} is {probability}, not between 0 and 1")
    return min(probability, 1.0)


def as_router(router: object, *, name: str | None = None) -> Router:
    """Return a router for a deployed model or a function, and a router as it is.

    Raises:
        EvaluationError: it is not one of these.
    """
    if inspect.iscoroutinefunction(router) or inspect.isgeneratorfunction(router) or inspect.isasyncgenfunction(router):
        raise EvaluationError(
            "the router is an async function or a generator, and evaluate() asks from threads. Give one that returns its "
            "answer, such as lambda *question: asyncio.run(router(*question))."
        )
    if inspect.isclass(router):
        raise EvaluationError(f"the router is the class {router.__name__}: give an object of it.")
    if isinstance(router, Model):
        return EndpointRouter(router, name=name)
    if isinstance(router, Router):
        return router
    if callable(router):
        return FunctionRouter(router, name=name)
    raise EvaluationError(
        f"a router is a deployed model, a function of (messages, tasks, previous), or has name and ask(); "
        f"not {type(router).__name__}."
    )
