"""The figures of a report, as they stand in report.json."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from mojo_toolbox.data import Point
from mojo_toolbox.evaluation.counting.bootstrap import Interval


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True)


class Overall(_Figures):
    """All decisions together. `invalid` and `errors` are counts, `invalid` without the errors; both count as wrong."""

    n: int
    right: int
    accuracy: Interval | None
    """right / n"""
    balanced: Interval | None
    """Mean over the measuring points that occur of the share answered rightly."""
    invalid: int
    errors: int


class Detection(_Figures):
    """A yes-or-no question about each decision. Precision is None where yes was never said, recall where it never was."""

    matrix: list[list[int]]
    """[[true negatives, false positives], [false negatives, true positives]], as scikit-learn has it."""
    accuracy: Interval | None
    precision: Interval | None
    recall: Interval | None
    f1: Interval | None


class PointFigures(_Figures):
    """The decisions at one measuring point."""

    n: int
    right: int
    accuracy: Interval | None
    """right / n; None where there was nothing to decide."""
    detection: Detection
    """Was it seen that this is such a point? The answered point follows from the decision before and the answer."""


class Averages(_Figures):
    """Of precision, recall and F1 over the tasks; one that is undefined for a task counts as 0, as scikit-learn has it."""

    precision: Interval | None
    recall: Interval | None
    f1: Interval | None


class TaskFigures(_Figures):
    """One task (or none) against all others."""

    n: int
    precision: float | None
    recall: float | None
    f1: float | None


class TaskSelection(_Figures):
    """Which task: one of many."""

    labels: list[str]
    """What was right or answered somewhere; "none" comes last."""
    matrix: list[list[int]]
    """A row for what was right, a column for what was answered, in the order of `labels`."""
    invalid: list[int]
    """For each row, the answers that were no task, errors among them."""
    accuracy: Interval | None
    macro: Averages
    weighted: Averages
    by_task: dict[str, TaskFigures]


class Histogram(_Figures):
    """`counts[i]` values lie from `edges[i]` to `edges[i + 1]`."""

    edges: list[float]
    counts: list[int]


class Latency(_Figures):
    """Milliseconds from asking to having the answer; errors have none."""

    limit: float
    p50: Interval | None
    p95: Interval | None
    p99: Interval | None
    share_over_limit: Interval | None
    histogram: Histogram


class Tokens(_Figures):
    """Tokens of all answers; `cached` ones of the prompts were not computed again."""

    prompt: int
    completion: int
    cached: int


class Cost(_Figures):
    """What the tokens cost, at the prices given."""

    currency: str
    total: float
    per_1000_decisions: float


class Position(_Figures):
    """Shares of the answers that are counted: how often this position was chosen, and how often it was right."""

    position: int
    chosen: float
    correct: float
    gap: float


class LargestGap(_Figures):
    """The position whose gap is largest; the interval allows for having looked at all of them."""

    position: int
    value: float
    low: float
    high: float


class PositionBias(_Figures):
    """What the order of the list does to the answers."""

    shuffles: int
    n: int
    """Answers to shuffled lists that name a task where a task is right: those that positions are counted on."""
    positions: list[Position]
    largest_gap: LargestGap | None
    changed_by_order: Interval | None
    """Share of decisions whose answer is not the same in every order."""
    flagged: bool
    """Whether the largest gap's interval lies beyond one percentage point."""


class Data(_Figures):
    """What was asked about."""

    source: str | None
    sha256: str
    conversations: int
    decisions: int


class Settings(_Figures):
    """How it was asked and counted."""

    concurrency: int
    timeout_s: float
    shuffles: int
    seed: int
    resamples: int
    confidence: float


class Mistake(_Figures):
    """A wrong decision, with the whole conversation; `messages[turn]` is the decisive one."""

    conversation: int
    id: str
    turn: int
    point: Point
    previous: str | None
    gold: str | None
    task: str | None
    valid: bool
    error: str | None
    answer: str | None
    probability: float | None
    tasks: list[dict[str, Any]]
    messages: list[dict[str, Any]]
