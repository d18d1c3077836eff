"""Asking a router about conversations: each decision in its turn, several conversations at a time.

A lane takes a conversation and asks its decisions in order, since with `previous="own"` each depends on the one before.
An answered decision is not asked again. Each answer is kept at once.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from mojo_toolbox.data import Conversation, MeasuringPoint, measuring_points
from mojo_toolbox.errors import ConfigurationError, EndpointNotFoundError, EndpointNotReadyError, EvaluationError
from mojo_toolbox.evaluation.routers.question import Answer, Question, Record, Router, usable
from mojo_toolbox.evaluation.runs.answer_journal import AnswerJournal
from mojo_toolbox.evaluation.runs.patience import Patience
from mojo_toolbox.evaluation.runs.predictions import (
    AskingOutcome,
    Prediction,
    in_one_line,
    prediction,
    shuffled_prediction,
    shuffled_question,
)

Previous = Literal["labelled", "own"]


def ends_asking(error: Exception) -> bool:
    """Whether nothing else will be answered either: the run ends, and goes on when it is started again."""
    if isinstance(error, EndpointNotReadyError):
        return error.is_out_of_service
    return isinstance(error, ConfigurationError | EndpointNotFoundError | EvaluationError)


@dataclass(frozen=True)
class Asking:
    """How to ask."""

    previous: Previous = "labelled"
    concurrency: int = 1
    timeout: float = 60.0
    """Seconds to wait for a decision."""
    shuffles: int = 0
    seed: int = 0


def ask_all(
    router: Router,
    conversations: Iterable[Conversation],
    journal: AnswerJournal,
    asking: Asking,
    *,
    on_answer: Callable[[Prediction], None],
) -> None:
    """Ask every decision that the journal lacks. `on_answer` gets each row, the known ones too, from any thread.

    Raises:
        ConfigurationError, EndpointNotFoundError, EndpointNotReadyError, EvaluationError: it cannot be asked at all.
    """
    lanes = _Lanes(_Lane(router, journal, asking, on_answer), asking.concurrency)
    try:
        for number, conversation in enumerate(conversations):
            lanes.take(number, conversation)
        lanes.finish()
    finally:
        lanes.stop()


class _Lanes:
    """Threads that take conversations from a short queue: reading runs hardly ahead of asking."""

    def __init__(self, lane: _Lane, count: int) -> None:
        self._lane = lane
        self._waiting: queue.Queue[tuple[int, Conversation] | None] = queue.Queue(maxsize=count)
        self._stopped = threading.Event()
        self._failure: BaseException | None = None
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def take(self, number: int, conversation: Conversation) -> None:
        self._put((number, conversation))

    def finish(self) -> None:
        """Wait until everything taken is done."""
        for _ in self._threads:
            self._put(None)
        for thread in self._threads:
            while thread.is_alive():
                thread.join(timeout=0.2)  # in pieces, so that Ctrl-C arrives
        self._check()

    def stop(self) -> None:
        self._stopped.set()

    def _put(self, item: tuple[int, Conversation] | None) -> None:
        while True:
            self._check()
            try:
                return self._waiting.put(item, timeout=0.2)
            except queue.Full:
                continue

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        patience = Patience(self._lane.asking.timeout)
        try:
            while (item := self._next()) is not None:
                self._lane.go(*item, patience=patience, stopped=self._stopped)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._failure = error
            self._stopped.set()
        finally:
            patience.close()

    def _next(self) -> tuple[int, Conversation] | None:
        while not self._stopped.is_set():
            try:
                return self._waiting.get(timeout=0.2)
            except queue.Empty:
                continue
        return None


@dataclass(frozen=True)
class _Lane:
    router: Router
    journal: AnswerJournal
    asking: Asking
    on_answer: Callable[[Prediction], None]

    def go(self, number: int, conversation: Conversation, *, patience: Patience, stopped: threading.Event) -> None:
        """Ask the decisions of a conversation, in order."""
        history = _History(conversation, own=self.asking.previous == "own")
        for point in measuring_points(conversation):
            question = history.question(point)
            row = self.journal.get(number, point.turn)
            if row is None:
                if stopped.is_set():
                    return
                row = prediction(number, conversation.id, point, question, self._outcome(question, patience))
                self.journal.put(row)
            history.decided(row)
            self._shuffle(number, point, question, patience)
            self.on_answer(row)

    def _shuffle(self, number: int, point: MeasuringPoint, question: Question, patience: Patience) -> None:
        for shuffle in range(1, self.asking.shuffles + 1):
            if self.journal.get(number, point.turn, shuffle) is None:
                other = shuffled_question(
                    question, seed=self.asking.seed, number=number, turn=point.turn, shuffle=shuffle
                )
                outcome = self._outcome(other, patience)
                self.journal.put(shuffled_prediction(number, point, shuffle, other, outcome))

    def _outcome(self, question: Question, patience: Patience) -> AskingOutcome:
        # A copy: a router that changes its lists must not change what the next order is made of.
        given = Question([Record(m) for m in question.messages], [Record(t) for t in question.tasks], question.previous)
        try:
            answer, latency = patience.call(lambda: _timed(self.router, given))
        except Exception as error:
            if ends_asking(error):
                raise
            # A row of its own, counted and shown.
            return AskingOutcome(None, in_one_line(error), None)
        except BaseException as error:
            raise EvaluationError(f"the router ended with {in_one_line(error)}.") from error
        return AskingOutcome(answer, None, latency)


class _History:
    """The messages of a conversation as a router sees them, with the decisions so far."""

    def __init__(self, conversation: Conversation, *, own: bool) -> None:
        self._own = own
        self._tasks = [Record(task.model_dump()) for task in conversation.tasks]
        self._messages = [Record(role=m.role, content=m.content) for m in conversation.messages]
        self._previous: str | None = None

    def question(self, point: MeasuringPoint) -> Question:
        previous = self._previous if self._own else point.previous
        return Question(self._messages[: point.turn + 1], self._tasks, previous)

    def decided(self, row: Prediction) -> None:
        """Take the decision at a turn: what the router said, or what is right.

        Without a valid answer there is no decision: a program that asks goes on with the task it had.
        """
        if not self._own:
            self._messages[row["turn"]] = Record(self._messages[row["turn"]], task=row["gold"])
        elif row["valid"]:
            self._messages[row["turn"]] = Record(self._messages[row["turn"]], task=row["task"])
            self._previous = row["task"]


def _timed(router: Router, question: Question) -> tuple[Answer, float]:
    started = time.perf_counter()
    answer = router.ask(question)
    elapsed = (time.perf_counter() - started) * 1000
    return usable(answer, question), elapsed
