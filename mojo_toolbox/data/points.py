"""Measuring points: where in a conversation a router decides, and what kind of decision it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from mojo_toolbox.data.conversations import Conversation

Point = Literal["start", "continue", "switch", "end", "none"]
POINTS: tuple[Point, ...] = get_args(Point)


@dataclass(frozen=True)
class MeasuringPoint:
    """One labelled user turn: `turn` is its index in `messages`, `previous` the task in charge before it."""

    turn: int
    point: Point
    previous: str | None
    gold: str | None


def point_of(previous: str | None, task: str | None) -> Point:
    """Return the kind of decision that leads from `previous` to `task`."""
    if task is None:
        return "none" if previous is None else "end"
    if previous is None:
        return "start"
    return "continue" if task == previous else "switch"


def measuring_points(conversation: Conversation) -> Iterator[MeasuringPoint]:
    """Yield the labelled user turns in order; unlabelled ones are skipped and change nothing."""
    previous: str | None = None
    for turn, message in enumerate(conversation.messages):
        if message.role == "user" and message.labelled:
            yield MeasuringPoint(turn, point_of(previous, message.task), previous, message.task)
            previous = message.task
