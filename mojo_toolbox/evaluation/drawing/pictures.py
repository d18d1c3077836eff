"""Where the marks of the page's pictures stand: positions in percent of the width, heights in pixels.

Positions in percent let a picture grow with the page while its text keeps its size; templates/pictures.html draws them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.evaluation.drawing.readable import milliseconds, percent

LATENCY_HEIGHT = 64
POSITION_HEIGHT = 140
# Room at the left for the numbers of the upright axis.
_LEFT, _RIGHT = 8.0, 100.0
_MOST_TICKS = 6
_MOST_POSITION_LABELS = 24
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)


@dataclass(frozen=True)
class Bar:
    """A bar that stands on the axis."""

    x: float
    width: float
    height: float
    emphasised: bool
    says: str


@dataclass(frozen=True)
class Mark:
    """A line across the picture with what it means; `anchor` is the side of the line on which the text has room."""

    at: float
    text: str
    anchor: str


@dataclass(frozen=True)
class LatencyPicture:
    """A distribution on an axis that all routers share."""

    n: int
    bars: list[Bar]
    limit: Mark
    percentiles: list[Mark]
    ticks: list[Mark]


@dataclass(frozen=True)
class PositionPicture:
    """At each position of the list, the share of choices beside the share of right ones."""

    chosen: list[Bar]
    correct: list[Bar]
    labels: list[Mark]
    lines: list[Mark]


def latency_pictures(reports: Sequence[Mapping[str, Any]]) -> list[LatencyPicture | None]:
    """Return a picture for each report, all on one logarithmic axis; None for one without answers."""
    found = [report["latency_ms"] for report in reports if report["latency_ms"]["histogram"]["counts"]]
    if not found:
        return [None for _ in reports]
    ends = [end for latency in found for end in (latency["limit"], *latency["histogram"]["edges"])]
    axis = _LogAxis(min(ends) / 1.25, max(ends) * 1.25)
    return [_latency_picture(report["latency_ms"], axis) for report in reports]


def position_picture(bias: Mapping[str, Any]) -> PositionPicture | None:
    """Return the picture of a router's position bias; None where no position was counted."""
    places = bias["positions"]
    if not places:
        return None
    highest = max(max(place["chosen"], place["correct"]) for place in places)
    step = next((step for step in _STEPS if highest <= 5 * step), 0.5)
    top = step * max(1, math.ceil(highest / step))
    width = (_RIGHT - _LEFT) / len(places)
    every = math.ceil(len(places) / _MOST_POSITION_LABELS)

    def bars(kind: str, begins: float) -> list[Bar]:
        says = {"chosen": "chosen", "correct": "right"}[kind]
        return [
            Bar(
                x=_LEFT + width * (number + begins),
                width=width * 0.36,
                height=POSITION_HEIGHT * place[kind] / top,
                emphasised=kind == "chosen",
                says=f"position {place['position']}: {says} {percent(place[kind])}",
            )
            for number, place in enumerate(places)
        ]

    return PositionPicture(
        chosen=bars("chosen", 0.12),
        correct=bars("correct", 0.52),
        labels=[
            Mark(_LEFT + width * (number + 0.5), str(place["position"]), "middle")
            for number, place in enumerate(places)
            if number % every == 0
        ],
        lines=[
            Mark(POSITION_HEIGHT * (1 - number * step / top), percent(number * step, digits=0), "end")
            for number in range(round(top / step) + 1)
        ],
    )


class _LogAxis:
    """Milliseconds to percent of the width."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = math.log10(max(low, 1e-6)), math.log10(max(high, 1e-5))

    def at(self, time: float) -> float:
        share = (math.log10(max(time, 1e-6)) - self._low) / (self._high - self._low)
        return round(100 * min(max(share, 0.0), 1.0), 3)

    def mark(self, time: float, text: str) -> Mark:
        at = self.at(time)
        return Mark(at, text, "start" if at < 75 else "end")  # noqa: PLR2004 - beyond, a narrow screen has no room at the right

    def ticks(self) -> list[Mark]:
        """Return round times: 1, 2 and 5 of each power of ten where there are few powers, else some of the powers."""
        powers = range(math.floor(self._low), math.ceil(self._high) + 1)
        inside = [10.0**power for power in powers if self._low <= power <= self._high]
        if len(inside) <= 2:  # noqa: PLR2004
            steps = [10.0**power * digit for power in powers for digit in (1, 2, 5)]
            inside = [time for time in steps if self._low <= math.log10(time) <= self._high]
        every = max(1, math.ceil(len(inside) / _MOST_TICKS))
        return [Mark(at, milliseconds(time), _anchor(at)) for time in inside[::every] for at in [self.at(time)]]


def _latency_picture(latency: Mapping[str, Any], axis: _LogAxis) -> LatencyPicture | None:
    histogram = latency["histogram"]
    if not histogram["counts"]:
        return None
    known = ((name, latency[name]) for name in ("p50", "p95", "p99"))
    return LatencyPicture(
        n=sum(histogram["counts"]),
        bars=list(_latency_bars(histogram, axis, latency["limit"])),
        limit=axis.mark(latency["limit"], f"limit {milliseconds(latency['limit'])}"),
        percentiles=[axis.mark(time["value"], f"{name} {milliseconds(time['value'])}") for name, time in known if time],
        ticks=axis.ticks(),
    )


def _latency_bars(histogram: Mapping[str, Any], axis: _LogAxis, limit: float) -> Iterator[Bar]:
    edges, counts = histogram["edges"], histogram["counts"]
    highest = max(counts)
    for low, high, times in zip(edges, edges[1:], counts, strict=False):
        if times:
            begin, end = axis.at(low), axis.at(high)
            # A bin with a single answer must not vanish beside one with thousands.
            height = max(2.0, LATENCY_HEIGHT * times / highest)
            says = f"{milliseconds(low)} to {milliseconds(high)}: {times:,}"
            yield Bar(begin, round(max(end - begin, 0.3), 3), round(height, 1), low >= limit, says)


def _anchor(at: float) -> str:
    """Return where a label stands so that it does not leave the picture."""
    return "start" if at < 6 else "end" if at > 94 else "middle"  # noqa: PLR2004
