"""Which router comes first, and which is the runner-up."""

from __future__ import annotations

from collections.abc import Sequence


def best_first(figures: Sequence[tuple[int, float | None]]) -> list[int]:
    """Return the places of routers, the best first, by their right decisions and balanced accuracy.

    The balanced accuracy decides between routers that are right equally often, then the order in which they were given.
    """

    def key(place: int) -> tuple[int, float]:
        right, balanced = figures[place]
        return -right, -(balanced or 0.0)

    return sorted(range(len(figures)), key=key)
