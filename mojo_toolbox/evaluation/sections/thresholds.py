"""Where the marks of the pictures of a router's probabilities stand: percent of the width, pixels from the top."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.evaluation.drawing.pictures import Bar, Mark
from mojo_toolbox.evaluation.drawing.readable import count, percent
from mojo_toolbox.evaluation.threshold import FEWEST

RELIABILITY_HEIGHT = 200
CROWD_HEIGHT = 40
COVERAGE_HEIGHT = 180
_LEFT, _RIGHT = 8.0, 100.0
_MOST_STEPS = 80
_FIFTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class ReliabilityPicture:
    """Accuracy over probability; below it, how many decisions have that probability."""

    bars: list[Bar]
    means: list[Bar]
    """A short line at each bin's mean probability: where its bar should end. `height` is counted from the axis."""
    crowd: list[Bar]
    lines: list[Mark]
    labels: list[Mark]


@dataclass(frozen=True)
class Step:
    """A piece of a curve, with its interval as a band."""

    x: float
    width: float
    y: float
    top: float
    height: float
    says: str


@dataclass(frozen=True)
class CoveragePicture:
    """Precision of what is accepted over the share that is accepted."""

    steps: list[Step]
    lines: list[Mark]
    labels: list[Mark]


def reliability_picture(confidence: Mapping[str, Any]) -> ReliabilityPicture:
    """Return the reliability diagram of a router."""
    found = confidence["reliability"]
    edges, most = found["edges"], max(found["n"])
    bars, means, crowd = [], [], []
    columns = zip(edges, edges[1:], found["n"], found["confidence"], found["accuracy"], strict=False)
    for low, high, n, mean, right in columns:
        if n:
            x, width = _across(low) + 0.3, _across(high) - _across(low) - 0.6
            says = f"mean probability {percent(mean)}: {percent(right)} of {count(n)} right"
            bars.append(Bar(x, width, RELIABILITY_HEIGHT * right, emphasised=False, says=says))
            means.append(Bar(x, width, RELIABILITY_HEIGHT * mean, emphasised=False, says=says))
            crowd.append(Bar(x, width, max(1.0, CROWD_HEIGHT * n / most), emphasised=False, says=says))
    return ReliabilityPicture(
        bars=bars,
        means=means,
        crowd=crowd,
        lines=[Mark(RELIABILITY_HEIGHT * (1 - share), percent(share, digits=0), "end") for share in _FIFTHS],
        labels=_labels(),
    )


def coverage_picture(confidence: Mapping[str, Any]) -> CoveragePicture | None:
    """Return precision over coverage; None where too few decisions have a probability."""
    curve, asked = confidence["curve"], confidence["asked"]
    columns = zip(curve["threshold"], curve["accepted"], curve["right"], curve["low"], curve["high"], strict=True)
    levels = [level for level in columns if level[1] >= FEWEST]
    if not levels:
        return None
    every = math.ceil(len(levels) / _MOST_STEPS)
    # From the loosest on, so that the end of the curve is always there.
    levels = levels[::-1][::every][::-1]
    bottom = min(0.9, math.floor(10 * min(right / accepted for _, accepted, right, _, _ in levels)) / 10)

    def down(share: float) -> float:
        return COVERAGE_HEIGHT * float(1 - (max(share, bottom) - bottom) / (1 - bottom))

    steps, before = [], 0.0
    for threshold, accepted, right, low, high in levels:
        coverage, precision = accepted / asked, right / accepted
        says = f"from {threshold:.4g} on: {percent(precision)} right, {percent(coverage)} accepted"
        x, width = _across(before), _across(coverage) - _across(before)
        steps.append(Step(x, width, down(precision), down(high), down(low) - down(high), says))
        before = coverage
    rise = 0.02 if bottom > 0.85 else 0.1 if bottom > 0.45 else 0.2  # noqa: PLR2004 - five lines or so
    shares = [1 - number * rise for number in range(round((1 - bottom) / rise + 1e-9) + 1)]
    return CoveragePicture(
        steps=steps,
        lines=[Mark(down(share), percent(share, digits=0), "end") for share in shares if share > bottom - 1e-9],
        labels=_labels(),
    )


def _across(share: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * share


def _labels() -> list[Mark]:
    return [Mark(_across(share), percent(share, digits=0), "end" if share == 1 else "middle") for share in _FIFTHS]
