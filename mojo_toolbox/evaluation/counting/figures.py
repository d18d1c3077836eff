"""The figures of a report, as they stand in report.json."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from mojo_toolbox.evaluation.counting.bootstrap import Interval


class Figures(BaseModel):
    """Figures that a report holds. They do not change."""

    model_config = ConfigDict(frozen=True)


class Overall(Figures):
    """All decisions together. `invalid` and `errors` are counts, `invalid` without the errors. Both count as wrong."""

    n: int
    right: int
    accuracy: Interval | None
    """right / n"""
    balanced: Interval | None
    """Mean over the measuring points that occur of the share answered rightly."""
    invalid: int
    errors: int


class Detection(Figures):
    """A yes-or-no question about each decision. Precision is None where yes was never said, recall where it never was."""

    matrix: list[list[int]]
    """[[true negatives, false positives], [false negatives, true positives]], as scikit-learn has it."""
    accuracy: Interval | None
    precision: Interval | None
    recall: Interval | None
    f1: Interval | None


class PointFigures(Figures):
    """The decisions at one measuring point."""

    n: int
    right: int
    accuracy: Interval | None
    """right / n, or None if there was nothing to decide."""
    detection: Detection
    """Was it seen that this is such a point? The answered point follows from the decision before and the answer."""


class Averages(Figures):
    """Of precision, recall and F1 over the tasks. One that is undefined for a task counts as 0, as scikit-learn has it."""

    precision: Interval | None
    recall: Interval | None
    f1: Interval | None


class TaskFigures(Figures):
    """One task (or none) against all others."""

    n: int
    precision: float | None
    recall: float | None
    f1: float | None


class TaskSelection(Figures):
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


class Histogram(Figures):
    """`counts[i]` values lie from `edges[i]` to `edges[i + 1]`."""

    edges: list[float]
    counts: list[int]


class Latency(Figures):
    """Milliseconds from asking to having the answer. Errors have none."""

    limit: float
    p50: Interval | None
    p95: Interval | None
    p99: Interval | None
    share_over_limit: Interval | None
    histogram: Histogram


class Tokens(Figures):
    """Tokens of all answers. `cached` ones of the prompts were not computed again."""

    prompt: int
    completion: int
    cached: int


class Cost(Figures):
    """What the tokens cost, at the prices given."""

    currency: str
    total: float
    per_1000_decisions: float


class Reliability(Figures):
    """Decisions by the probability of their answer: bin i is from `edges[i]`, left out, to `edges[i + 1]`."""

    edges: list[float]
    n: list[int]
    confidence: list[float | None]
    """Mean probability of the bin's answers, or None if there are none."""
    accuracy: list[float | None]


class AcceptanceCurve(Figures):
    """What thresholds on the answer's probability let through, from the strictest to one that lets all through.

    There are 200 of them at most: all that differ where there are no more decisions, else each lets through half a percent
    more of the decisions than the one before.
    """

    threshold: list[float]
    accepted: list[int]
    """Decisions whose answer has at least that probability."""
    right: list[int]
    low: list[float]
    """Of the interval of right / accepted: the wider of the bootstrap over conversations and Wilson's."""
    high: list[float]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        lengths = {len(column) for column in (self.threshold, self.accepted, self.right, self.low, self.high)}
        if len(lengths) != 1 or lengths == {0} or min(self.accepted) < 1:
            raise ValueError("the columns of curve must be equally long, and something must be accepted in each row")
        return self


class Scaling(Figures):
    """What dividing all logits by one temperature would change."""

    n: int
    """Decisions with a probability for each choice, the right one among them."""
    temperature: float
    """The likeliest one for all of them. Above 1 the router is too sure, below 1 not sure enough."""
    ece_before: float
    ece_after: float
    """Each fifth of the conversations scaled by the temperature that was fitted on the other four."""


class Confidence(Figures):
    """The figures of a router's probabilities. Invalid answers and errors do not have a probability."""

    asked: int
    """All decisions, those without a probability too."""
    n: int
    """Decisions with a valid answer and its probability."""
    mean: float
    """Mean probability of the answers."""
    accuracy: float
    """right / n"""
    gap: Interval
    """mean - accuracy: above 0 the router is too sure."""
    ece: float
    """Expected calibration error: 15 equally wide bins over the answer's probability."""
    ece_by_chance: float
    """What a perfectly calibrated router's stays below in 95% of cases, with these probabilities."""
    ece_equal_mass: float
    """The same in 15 bins of equally many decisions."""
    brier: float
    """Mean of (probability - 1 if right else 0) squared."""
    reliability: Reliability
    curve: AcceptanceCurve
    scaling: Scaling | None
    """None where not every choice has a probability, or the conversations are too few."""


class Data(Figures):
    """What was asked about."""

    source: str | None
    sha256: str
    conversations: int
    decisions: int


class MeasurementSettings(Figures):
    """How it was asked and counted."""

    concurrency: int
    timeout_s: float
    shuffles: int
    seed: int
    resamples: int
    confidence: float
