"""Which task was answered in place of which: the largest confusions, and the matrix as it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.evaluation.drawing.readable import share_of

# A matrix of up to so many labels is read at a glance; a larger one is folded away.
_GLANCE = 12
# A matrix of more labels than this is nothing that a person reads, and makes the page heavy.
_MOST_LABELS = 200
_SHADES = 8


@dataclass(frozen=True)
class Confusion:
    """So many decisions in which `said` was answered and `gold` was right; `said` is None for no listed task."""

    gold: str
    said: str | None
    count: int
    n: int
    """Decisions in which `gold` was right."""


@dataclass(frozen=True)
class Cell:
    """A number with its shade: 0 for nothing, to 8 for the whole row."""

    count: int
    shade: int
    right: bool


@dataclass(frozen=True)
class MatrixRow:
    """What was answered where `label` was right."""

    label: str
    n: int
    cells: list[Cell]
    invalid: Cell


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix to show; `left_out` counts the labels that it lacks, the least confused ones."""

    labels: list[str]
    rows: list[MatrixRow]
    left_out: int
    small: bool


@dataclass(frozen=True)
class TaskRow:
    """One task's figures, and what was most often answered in its place."""

    label: str
    n: int
    right: int
    precision: float | None
    recall: float | None
    f1: float | None
    mistaken_for: Confusion | None


def largest_confusions(tasks: Mapping[str, Any], most: int = 10) -> list[Confusion]:
    """Return what was confused most often, invalid answers and errors among it."""
    found = [confusion for place in range(len(tasks["labels"])) for confusion in _confused(tasks, place)]
    return sorted(found, key=lambda confusion: (-confusion.count, confusion.gold, confusion.said or ""))[:most]


def task_rows(tasks: Mapping[str, Any]) -> list[TaskRow]:
    """Return the tasks, those with the most wrong decisions first."""
    rows = []
    for place, label in enumerate(tasks["labels"]):
        figures = tasks["by_task"][label]
        confused = max(_confused(tasks, place), key=lambda confusion: confusion.count, default=None)
        right = tasks["matrix"][place][place]
        scores = (figures["precision"], figures["recall"], figures["f1"])
        rows.append(TaskRow(label, figures["n"], right, *scores, confused))
    return sorted(rows, key=lambda row: (row.right - row.n, row.label))


def matrix(tasks: Mapping[str, Any]) -> Matrix:
    """Return the matrix to show, shaded by the share of each row."""
    kept = _kept(tasks)
    rows = []
    for place in kept:
        counts, invalid = tasks["matrix"][place], tasks["invalid"][place]
        n = sum(counts) + invalid
        cells = [Cell(counts[column], shade(counts[column], n), column == place) for column in kept]
        rows.append(MatrixRow(tasks["labels"][place], n, cells, Cell(invalid, shade(invalid, n), right=False)))
    labels = [tasks["labels"][place] for place in kept]
    return Matrix(labels, rows, len(tasks["labels"]) - len(kept), len(labels) <= _GLANCE)


def shade(part: int, whole: int) -> int:
    """Return a shade from 0 to 8 for a share; whatever is there at all has one."""
    share = share_of(part, whole)
    return -int(-share * _SHADES // 1) if share else 0


def _confused(tasks: Mapping[str, Any], place: int) -> list[Confusion]:
    gold, counts, invalid = tasks["labels"][place], tasks["matrix"][place], tasks["invalid"][place]
    n = sum(counts) + invalid
    found = [
        Confusion(gold, said, times, n)
        for column, (said, times) in enumerate(zip(tasks["labels"], counts, strict=True))
        if times and column != place
    ]
    return found + ([Confusion(gold, None, invalid, n)] if invalid else [])


def _kept(tasks: Mapping[str, Any]) -> list[int]:
    """Return the places of the labels to show, in their order: all, or those with the most wrong decisions."""
    places = range(len(tasks["labels"]))
    if len(places) <= _MOST_LABELS:
        return list(places)
    counts = tasks["matrix"]
    said = [sum(column) for column in zip(*counts, strict=True)]
    wrong = [sum(counts[place]) + tasks["invalid"][place] + said[place] - 2 * counts[place][place] for place in places]
    return sorted(sorted(places, key=lambda place: -wrong[place])[:_MOST_LABELS])
