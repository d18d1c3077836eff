"""What kind of decision leads from one task in charge to the next."""

from __future__ import annotations

from typing import Literal, get_args

Point = Literal["start", "continue", "switch", "end", "none"]
POINTS: tuple[Point, ...] = get_args(Point)


def point_of(previous: str | None, task: str | None) -> Point:
    """Return the kind of decision that leads from `previous` to `task`."""
    if task is None:
        return "none" if previous is None else "end"
    if previous is None:
        return "start"
    return "continue" if task == previous else "switch"
