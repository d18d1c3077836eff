"""A second pass over written conversations: turns whose text does not fit their label are marked for review.

A judge is not told the labels. One that is shown a label finds reasons for it; one that has to name the task itself agrees
only where the text says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from mojo_toolbox.data import NONE_ANSWER, Conversation, MeasuringPoint, measuring_points
from mojo_toolbox.evaluation.routers.question import Answer, Question, Record, as_router, usable
from mojo_toolbox.evaluation.runs.asking import ends_asking
from mojo_toolbox.generation.judge_prompt import load_judge_prompt
from mojo_toolbox.generation.judgements import Judgement, read_judgements
from mojo_toolbox.generation.plan import Plan
from mojo_toolbox.generation.providers import Provider, request_seed

MarkKind = Literal[
    "label", "unjudged", "language", "task name", "leak", "placeholder", "repeated", "empty", "long", "copied"
]
# An entry of the judge's answer: a name of many tokens, and ten words.
_TOKENS_A_TURN, _TOKENS_AROUND, _MOST_TOKENS = 80, 64, 8192
_LONGEST_SAID = 300


@dataclass(frozen=True)
class JudgeMark:
    """A turn that a person should look at."""

    turn: int
    """Its index in the conversation's messages, from 0."""
    reason: str
    """In a sentence, for the reviewer."""
    said: str | None = None
    """The task that the judge read in place of the label, or the words in question."""
    probability: float | None = None
    """The probability of the named task, if a router gives one."""
    kind: MarkKind = "label"
    by: str = ""
    """The name of the judge."""

    def as_dict(self) -> dict[str, Any]:
        """Return the mark as `meta["review"]` holds it."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class Judge(Protocol):
    """A judge that marks turns. Threads share it."""

    @property
    def name(self) -> str:
        """The name in marks."""

    @property
    def fingerprint(self) -> str:
        """Another one after any change that may change its marks."""

    def marks(self, conversation: Conversation, plan: Plan | None = None) -> tuple[JudgeMark, ...]:
        """Return what is to be looked at, in the order of the turns."""


class PromptJudge:
    """A chat model that names the task after each user turn itself, all turns of a conversation in one call."""

    def __init__(
        self, provider: Provider, *, prompt: Path | str | None = None, attempts: int = 2, name: str | None = None
    ) -> None:
        """Take what is asked; `prompt` is a file in place of the one that comes along.

        An answer that cannot be read is asked for again, `attempts` times in all; turns that nothing is said of in the
        end are marked as unjudged.

        Raises:
            ConfigurationError: the file cannot be used.
        """
        self._provider = provider
        self._prompt = load_judge_prompt(prompt)
        self._attempts = attempts
        self.name = f"judge {provider.name}" if name is None else name
        self.fingerprint = _hash(provider.name, self._prompt.sha256, attempts)

    def marks(self, conversation: Conversation, plan: Plan | None = None) -> tuple[JudgeMark, ...]:  # noqa: ARG002 - not told
        """Ask once, or again for what could not be read.

        Raises:
            MojoError: as the provider does.
        """
        points = list(measuring_points(conversation))
        if not points:
            return ()
        judged = self._judgements(conversation, points)
        found = (self._mark(point, judged.get(point.turn + 1)) for point in points)
        return tuple(mark for mark in found if mark is not None)

    def _judgements(self, conversation: Conversation, points: list[MeasuringPoint]) -> dict[int, Judgement]:
        messages = self._prompt.messages(conversation)
        names = [task.name for task in conversation.tasks]
        judged: dict[int, Judgement] = {}
        for attempt in range(self._attempts):
            reply = self._provider.complete(
                messages,
                max_tokens=min(_MOST_TOKENS, _TOKENS_AROUND + _TOKENS_A_TURN * len(points)),
                temperature=0,
                seed=request_seed(self.fingerprint, conversation.id, attempt),
            )
            judged = read_judgements(reply.text, turns=[point.turn + 1 for point in points], names=names) | judged
            if len(judged) == len(points):
                break
        return judged

    def _mark(self, point: MeasuringPoint, judged: Judgement | None) -> JudgeMark | None:
        if judged is None:
            return JudgeMark(
                point.turn,
                "The judge's answer says nothing of this turn that can be read.",
                kind="unjudged",
                by=self.name,
            )
        why = f": {_shortened(judged.why)}" if judged.why else ""
        if not judged.valid:
            reason = f"The judge reads {_shortened(judged.said)!r} here, which is not listed{why}"
        elif judged.task == point.gold:
            return None
        else:
            reason = f"The judge reads {_shown(judged.task)!r} here, the label is {_shown(point.gold)!r}{why}"
        said = _shown(judged.task) if judged.valid else _shortened(judged.said)
        return JudgeMark(point.turn, f"{reason.rstrip('.')}.", said, by=self.name)


class RouterJudge:
    """A router, asked turn by turn with the labels before it, that marks the turns where it decides otherwise."""

    def __init__(self, router: object, *, name: str | None = None) -> None:
        """Take what `evaluate()` takes: a deployed model, a function of (messages, tasks, previous), or a router.

        Raises:
            EvaluationError: it is none of these.
        """
        self._router = as_router(router)
        self.name = f"router {self._router.name}" if name is None else name
        known_by = getattr(router, "fingerprint", None) or getattr(self._router, "source", None)
        self.fingerprint = _hash(self._router.name, known_by)

    def marks(self, conversation: Conversation, plan: Plan | None = None) -> tuple[JudgeMark, ...]:  # noqa: ARG002 - not told
        """Ask once a labelled turn; one that the router fails at is marked as unjudged.

        Raises:
            EvaluationError, ConfigurationError, EndpointNotFoundError, EndpointNotReadyError: nothing can be asked at all.
        """
        tasks = [Record(task.model_dump()) for task in conversation.tasks]
        messages = [Record(role=message.role, content=message.content) for message in conversation.messages]
        found = []
        for point in measuring_points(conversation):
            # Copies: a router that changes its lists must not change the next question.
            told = [Record(message) for message in messages[: point.turn + 1]]
            question = Question(told, [Record(task) for task in tasks], point.previous)
            messages[point.turn]["task"] = point.gold
            found.append(self._mark(point, question))
        return tuple(mark for mark in found if mark is not None)

    def _mark(self, point: MeasuringPoint, question: Question) -> JudgeMark | None:
        try:
            answer = usable(self._router.ask(question), question)
        except Exception as error:
            if ends_asking(error):
                raise
            # Whatever a router fails with, the turn is a person's to judge.
            reason = _shortened(f"{type(error).__name__}: {error}")
            return JudgeMark(point.turn, f"The router gave no answer: {reason}", kind="unjudged", by=self.name)
        return self._disagreement(point, answer)

    def _disagreement(self, point: MeasuringPoint, answer: Answer) -> JudgeMark | None:
        if not answer.valid:
            said = _shortened(answer.text or "")
            return JudgeMark(point.turn, f"The router answers {said!r}, which is not listed.", said, by=self.name)
        if answer.task == point.gold:
            return None
        sure = "" if answer.probability is None else f" ({answer.probability:.0%})"
        reason = f"The router decides {_shown(answer.task)!r}{sure}, the label is {_shown(point.gold)!r}."
        return JudgeMark(point.turn, reason, _shown(answer.task), answer.probability, by=self.name)


def reviewed(conversation: Conversation, marks: tuple[JudgeMark, ...]) -> Conversation:
    """Return the conversation with the marks in `meta["review"]`, which is an empty list where there are none."""
    meta: Mapping[str, Any] = conversation.meta | {"review": [mark.as_dict() for mark in marks]}
    return conversation.model_copy(update={"meta": meta})


def _shown(task: str | None) -> str:
    return NONE_ANSWER if task is None else task


def _shortened(text: str) -> str:
    """Return a text on one line that any file and terminal can take."""
    line = " ".join(text.encode(errors="replace").decode().split())
    return line if len(line) <= _LONGEST_SAID else line[:_LONGEST_SAID] + "\N{HORIZONTAL ELLIPSIS}"


def _hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode(errors="replace")).hexdigest()
