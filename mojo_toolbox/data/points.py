"""Measuring points: where in a conversation a router decides, and what kind of decision it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mojo_toolbox.data.conversations import Conversation
from mojo_toolbox.data.decision_kinds import Point, point_of


@dataclass(frozen=True)
class MeasuringPoint:
    """One labelled user turn: `turn` is its index in `messages`, `previous` the task in charge before it."""

    turn: int
    point: Point
    previous: str | None
    gold: str | None


def measuring_points(conversation: Conversation) -> Iterator[MeasuringPoint]:
    """Yield the labelled user turns in order. Unlabelled ones are skipped and change nothing."""
    previous: str | None = None
    for turn, message in enumerate(conversation.messages):
        if message.role == "user" and message.labelled:
            yield MeasuringPoint(turn, point_of(previous, message.task), previous, message.task)
            previous = message.task
