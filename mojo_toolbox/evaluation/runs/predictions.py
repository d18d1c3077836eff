"""The rows of predictions.jsonl and shuffles.jsonl: what was asked, what came back."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from mojo_toolbox.data import NONE_ANSWER, MeasuringPoint, Point, point_of
from mojo_toolbox.evaluation.routers.question import Answer, Question

# Of a text that a model wrote. Of longer ones the middle is left out: thoughts begin it, the decision ends it.
_LONGEST_TEXT = 2000


class Prediction(TypedDict):
    """A decision: one labelled user turn, asked once."""

    conversation: int
    """Its number in the data, from 0."""
    id: str
    turn: int
    """The user message's index in `messages`, from 0."""
    point: Point
    """By the labels, whatever the router decided before."""
    previous: str | None
    """The decision before, as the router was told."""
    gold: str | None
    task: str | None
    """The answered task. None for no task, and for an invalid answer or an error."""
    valid: bool
    """Whether the answer was a listed task or none."""
    error: str | None
    answer: str | None
    """What the model wrote, where that is more than the name."""
    probability: float | None
    """Of what was answered."""
    probabilities: NotRequired[dict[str, float] | None]
    """Of each listed task and of "none", to six digits. Rows of earlier versions lack it."""
    latency_ms: float | None
    """Of an answer. None for an error."""
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None


class ShuffledPrediction(TypedDict):
    """The same decision with the list in another order. Positions count from 1."""

    conversation: int
    turn: int
    shuffle: int
    """Which order, from 1."""
    tasks: int
    """Length of the list."""
    right: int | None
    """Position of the right task, or None if none is right."""
    chosen: int | None
    """Position of the answered task. None for no task, an invalid answer or an error."""
    task: str | None
    valid: bool
    error: str | None


@dataclass(frozen=True)
class AskingOutcome:
    """What came of asking: an answer with its latency, or an error."""

    answer: Answer | None
    error: str | None
    latency_ms: float | None


def prediction(
    number: int, identity: str, point: MeasuringPoint, question: Question, outcome: AskingOutcome
) -> Prediction:
    """Return the row of a decision of conversation `number`."""
    answer = outcome.answer
    usage = answer.usage if answer else None
    return Prediction(
        conversation=number,
        id=identity,
        turn=point.turn,
        point=point.point,
        previous=question.previous,
        gold=point.gold,
        task=answer.task if answer else None,
        valid=answer.valid if answer else False,
        error=outcome.error,
        answer=_shortened(answer.text) if answer and answer.text is not None else None,
        probability=answer.probability if answer else None,
        probabilities=_named(answer.probabilities) if answer and answer.probabilities is not None else None,
        latency_ms=outcome.latency_ms,
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        cached_tokens=usage.cached_tokens if usage else None,
    )


def in_one_line(error: BaseException) -> str:
    """Return an exception's message in one line. One that cannot say it is called by its kind."""
    kind = type(error).__name__
    try:
        text = " ".join(writable(str(error)).split())[:500]
    except Exception:  # noqa: BLE001 - its __str__ is the router's code too
        return kind
    return f"{kind}: {text}" if text else kind


def writable(text: str) -> str:
    """Return the text with "?" for halves of surrogate pairs, which no file can hold."""
    return text.encode(errors="replace").decode()


def _named(probabilities: Mapping[str | None, float]) -> dict[str, float]:
    # A row for a thousand tasks should not be longer than it must.
    return {NONE_ANSWER if task is None else task: float(f"{p:.6g}") for task, p in probabilities.items()}


def _shortened(text: str) -> str:
    half = _LONGEST_TEXT // 2
    return writable(text if len(text) <= _LONGEST_TEXT else f"{text[:half]} [...] {text[-half:]}")


def shuffled_question(question: Question, *, seed: int, number: int, turn: int, shuffle: int) -> Question:
    """Return the question with its list in the order that follows from the four numbers."""
    tasks = list(question.tasks)
    random.Random(f"{seed}:{number}:{turn}:{shuffle}").shuffle(tasks)
    return Question(question.messages, tasks, question.previous)


def shuffled_prediction(
    number: int, point: MeasuringPoint, shuffle: int, question: Question, outcome: AskingOutcome
) -> ShuffledPrediction:
    """Return the row of a decision whose list was shuffled."""
    answer = outcome.answer
    task = answer.task if answer else None
    positions = {name: position for position, name in enumerate(question.names, start=1)}
    return ShuffledPrediction(
        conversation=number,
        turn=point.turn,
        shuffle=shuffle,
        tasks=len(positions),
        right=None if point.gold is None else positions[point.gold],
        chosen=None if task is None else positions[task],
        task=task,
        valid=answer.valid if answer else False,
        error=outcome.error,
    )


def is_right(row: Prediction) -> bool:
    """Whether the right task, or rightly none, was answered. An invalid answer and an error are wrong."""
    return row["valid"] and row["task"] == row["gold"]


def answered_point(row: Prediction) -> Point | None:
    """Return the kind of decision that was answered: from the decision before to the answer. None without an answer."""
    return point_of(row["previous"], row["task"]) if row["valid"] else None
