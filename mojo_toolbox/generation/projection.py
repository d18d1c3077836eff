"""What a run will ask and cost, before anything is asked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from mojo_toolbox.generation.plan import Plan
from mojo_toolbox.generation.prices import TokenPrices, about_read, about_tokens
from mojo_toolbox.generation.providers import Messages
from mojo_toolbox.generation.reading import MalformedReply
from mojo_toolbox.generation.writers import Writer

# Of so many plans, evenly spread, the mean is taken.
_SAMPLE = 100
# A message of a user and one of an agent, with what JSON puts around them, by what large models write.
_TOKENS_A_TURN = 90
_MESSAGE = "Thank you, and how long would that take if we went for the second one? " * 2
# What a judge is told beside the conversation and the task list, and what it answers for a turn.
_JUDGES_PROMPT, _JUDGEMENT = 400, 40


@dataclass(frozen=True)
class Projection:
    """About what a run takes; replies that are malformed and asked for again not counted."""

    requests: int
    read: int
    """Tokens."""
    written: int
    cost: float
    """US dollars."""


def project(
    planned: Callable[[int], Plan], count: int, writer: Writer, prices: TokenPrices, *, judged: bool = False
) -> Projection:
    """Return what `count` conversations take."""
    numbers = range(0, count, max(1, count // _SAMPLE))
    requests = read = written = 0
    for number in numbers:
        plan = planned(number)
        asked = _questions(writer, plan)
        requests += len(asked) + judged
        turns = len(plan.turns)
        answers = _TOKENS_A_TURN * turns
        read += sum(map(about_read, asked))
        written += answers
        if judged:
            listed = sum(about_tokens(f"{task.name} {task.description}") for task in plan.tasks)
            read += _JUDGES_PROMPT + listed + answers
            written += _JUDGEMENT * turns
    scale = count / len(numbers)
    totals = round(read * scale), round(written * scale)
    return Projection(round(requests * scale), *totals, cost=prices.of_tokens(*totals))


def _questions(writer: Writer, plan: Plan) -> list[Messages]:
    """Return what is asked for a conversation; later questions with an ordinary message in each earlier one's place."""
    asked: list[Messages] = []

    def ask(messages: Messages, _: int) -> str:
        asked.append([dict(message) for message in messages])
        return _MESSAGE

    with suppress(MalformedReply):  # of a whole conversation: a message is none
        writer.write(plan, ask)
    return asked
