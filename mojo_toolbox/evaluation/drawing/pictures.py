"""Bars and marks of the page's pictures: positions in percent of the width, heights in pixels.

Positions in percent let a picture grow with the page while its text keeps its size.
"""

from __future__ import annotations

from dataclasses import dataclass

from mojo_toolbox.evaluation.drawing.readable import percent

# Room at the left for the numbers of an upright axis.
LEFT, RIGHT = 8.0, 100.0
FIFTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_SHADES = 8


@dataclass(frozen=True)
class Bar:
    """A bar that stands on the axis."""

    x: float
    width: float
    height: float
    emphasised: bool
    says: str


@dataclass(frozen=True)
class AxisMark:
    """A line across the picture with its meaning. `anchor` is the side of the line on which the text has room."""

    at: float
    text: str
    anchor: str


def shade(part: int, whole: int) -> int:
    """Return a shade from 0 to 8 for a share. Whatever is there at all has one."""
    return -int(-part / whole * _SHADES // 1) if whole else 0


def across(share: float) -> float:
    """Return where a share from 0 to 1 is on an axis that goes across the picture."""
    return LEFT + (RIGHT - LEFT) * share


def fifths() -> list[AxisMark]:
    """Return the labels of an axis of shares."""
    return [AxisMark(across(share), percent(share, digits=0), "end" if share == 1 else "middle") for share in FIFTHS]
