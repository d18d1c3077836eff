"""Asking a router at every measuring point of conversations, the earlier decisions being as labelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mojo_toolbox.data import Conversation, MeasuringPoint, Message, Task, measuring_points
from mojo_toolbox.evaluation.scores import Scores
from mojo_toolbox.progress import Progress, silent

# (messages up to the turn in question, tasks, the decision before) -> a task's name, or None for no task. The turn in
# question bears no label, and later turns are not there.
Router = Callable[[Sequence[Message], Sequence[Task], str | None], str | None]


def evaluate(router: Router, conversations: Sequence[Conversation], *, progress: Progress = silent) -> Scores:
    """Ask `router` one decision after the other and count what is right."""
    asked = [(conversation, point) for conversation in conversations for point in measuring_points(conversation)]
    answers: list[tuple[MeasuringPoint, str | None]] = []
    progress(done=0, total=len(asked))
    right = 0
    for done, (conversation, point) in enumerate(asked, start=1):
        answer = router(question(conversation, point), conversation.tasks, point.previous)
        answers.append((point, answer))
        right += answer == point.gold
        progress(done=done, text=f"{right / done:.0%} right")
    return Scores.count(answers)


def question(conversation: Conversation, point: MeasuringPoint) -> list[Message]:
    """Return the messages that a router sees at `point`: the last one has lost its label."""
    messages = list(conversation.messages[: point.turn + 1])
    messages[-1] = Message(role="user", content=messages[-1].content)
    return messages
