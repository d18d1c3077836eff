"""Right answers by measuring point."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mojo_toolbox.data import POINTS, MeasuringPoint, Point


@dataclass(frozen=True)
class PointScore:
    """`right` of `n` decisions."""

    n: int = 0
    right: int = 0

    @property
    def accuracy(self) -> float | None:
        """The share of 1 that is right; None where there was nothing to decide."""
        return self.right / self.n if self.n else None


@dataclass(frozen=True)
class Scores:
    """What a router got right, at each measuring point."""

    points: dict[Point, PointScore]

    @classmethod
    def count(cls, answers: Iterable[tuple[MeasuringPoint, str | None]]) -> Scores:
        """Count answers, each beside the point that it was given at."""
        n = dict.fromkeys(POINTS, 0)
        right = dict.fromkeys(POINTS, 0)
        for asked, answer in answers:
            n[asked.point] += 1
            right[asked.point] += answer == asked.gold
        return cls({point: PointScore(n[point], right[point]) for point in POINTS})

    @property
    def overall(self) -> PointScore:
        """All points together."""
        return PointScore(sum(s.n for s in self.points.values()), sum(s.right for s in self.points.values()))
