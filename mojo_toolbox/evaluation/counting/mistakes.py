"""The worst mistakes: those that a person should read first."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from mojo_toolbox.data import POINTS, Point
from mojo_toolbox.evaluation.counting.figures import Mistake
from mojo_toolbox.evaluation.runs.predictions import Prediction, is_right
from mojo_toolbox.evaluation.runs.source import Source

# At each measuring point, so that the frequent ones do not hide the rare ones.
_SHOWN = 4


def worst(rows: Iterable[Prediction]) -> list[Prediction]:
    """Return the wrong decisions that the router was surest of, some at each measuring point; errors are no mistakes."""
    heaps: dict[Point, list[tuple[float, int, int, Prediction]]] = {point: [] for point in POINTS}
    for row in rows:
        if not is_right(row) and row["error"] is None:
            sureness = -1.0 if row["probability"] is None else row["probability"]
            # Of equally sure ones the first stay; the numbers also keep the heap from comparing rows.
            entry = (sureness, -row["conversation"], -row["turn"], row)
            heap = heaps[row["point"]]
            (heapq.heappush if len(heap) < _SHOWN else heapq.heappushpop)(heap, entry)
    entries = [entry for heap in heaps.values() for entry in heap]
    return [row for *_, row in sorted(entries, key=lambda entry: entry[:3], reverse=True)]


def with_conversations(rows: list[Prediction], source: Source) -> list[Mistake]:
    """Put each mistake beside its conversation."""
    conversations = source.pick({row["conversation"] for row in rows}) if rows else {}
    shown = []
    for row in rows:
        record = conversations[row["conversation"]].as_record()
        known = {name: row[name] for name in Mistake.model_fields if name in row}  # type: ignore[literal-required]
        shown.append(Mistake(**known, tasks=record["tasks"], messages=record["messages"]))
    return shown
