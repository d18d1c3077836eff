"""Predictions -> figures, one row after the other: memory grows with the tasks, not with the conversations.

The figures themselves are scikit-learn's, computed on counts of right tasks and answers. The intervals take
the same formulas over all resamples at once. A test holds the two against each other.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mojo_toolbox.data import NONE_ANSWER, POINTS, Point
from mojo_toolbox.evaluation.counting.bootstrap import Interval, Weights, interval, mean_of_known, ratio
from mojo_toolbox.evaluation.counting.figures import (
    Averages,
    Detection,
    Histogram,
    Latency,
    Overall,
    PointFigures,
    TaskFigures,
    TaskSelection,
    Tokens,
)
from mojo_toolbox.evaluation.runs.predictions import Prediction, answered_point, is_right

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Latency bins for the intervals: each a hundredth wider than the one before, from a microsecond on.
_LEAST_MS, _GROWTH = 0.001, 1.01
_PICTURE_BINS = 40
_NO_ANSWER = "\0"  # stands for an invalid answer: no task can be called so


class Tally:
    """Counts predictions. `resamples` is the number of bootstrap resamples behind each interval."""

    def __init__(self, *, resamples: int = 1000, seed: int = 0) -> None:
        import numpy as np

        self._weights = Weights(resamples, seed)
        size = resamples + 1
        zeros: Any = lambda: np.zeros(size)  # noqa: E731
        # Right tasks against answers, in whole numbers: for scikit-learn.
        self._answers: Counter[tuple[str, str]] = Counter()
        self._points: Counter[tuple[Point, Point | None]] = Counter()
        self._right: Counter[Point] = Counter()
        # The same as needed for intervals: one number for the data, then one for each resample.
        self._w_right: defaultdict[Point, Any] = defaultdict(zeros)
        self._w_points: defaultdict[tuple[Point, Point | None], Any] = defaultdict(zeros)
        self._w_gold: defaultdict[str, Any] = defaultdict(zeros)
        self._w_said: defaultdict[str, Any] = defaultdict(zeros)
        self._w_hit: defaultdict[str, Any] = defaultdict(zeros)
        self._w_latency: defaultdict[int, Any] = defaultdict(zeros)
        self._zeros = zeros
        self._latencies = array("d")  # 8 bytes a decision
        self._tokens = Counter[str]()
        self._invalid = 0
        self.error_kinds: Counter[str] = Counter()

    @classmethod
    def of(cls, rows: Iterable[Prediction], *, resamples: int = 1000, seed: int = 0) -> Tally:
        """Count all rows."""
        tally = cls(resamples=resamples, seed=seed)
        for row in rows:
            tally.add(row)
        return tally

    def add(self, row: Prediction) -> None:
        """Count a row. Those of one conversation come together."""
        weights = self._weights.of(row["conversation"])
        gold = NONE_ANSWER if row["gold"] is None else row["gold"]
        said = (NONE_ANSWER if row["task"] is None else row["task"]) if row["valid"] else _NO_ANSWER
        point, answered = row["point"], answered_point(row)
        self._answers[gold, said] += 1
        self._points[point, answered] += 1
        self._w_points[point, answered] += weights
        self._w_gold[gold] += weights
        self._w_said[said] += weights
        if is_right(row):
            self._right[point] += 1
            self._w_right[point] += weights
            self._w_hit[gold] += weights
        if row["error"] is not None:
            self.error_kinds[row["error"]] += 1
        elif not row["valid"]:
            self._invalid += 1
        if row["latency_ms"] is not None:
            self._latencies.append(row["latency_ms"])
            self._w_latency[_bin(row["latency_ms"])] += weights
        if row["prompt_tokens"] is not None:
            for kind in ("prompt", "completion", "cached"):
                self._tokens[kind] += row[f"{kind}_tokens"] or 0  # type: ignore[literal-required]

    # ------------------------------------------------------------------------------------------ right and wrong

    def overall(self) -> Overall:
        """Return the figures of all decisions together."""
        resampled = self.resampled()
        return Overall(
            n=self._answers.total(),
            right=self._right.total(),
            accuracy=interval(resampled["accuracy"]),
            balanced=interval(resampled["balanced"]),
            invalid=self._invalid,
            errors=self.error_kinds.total(),
        )

    def points(self) -> dict[Point, PointFigures]:
        """Return the figures of each measuring point."""
        resampled = self.resampled()
        return {
            point: PointFigures(
                n=sum(count for (gold, _), count in self._points.items() if gold == point),
                right=self._right[point],
                accuracy=interval(resampled[point]),
                detection=self._detection(
                    {gold: gold == point for gold, _ in self._points}, {said: said == point for _, said in self._points}
                ),
            )
            for point in POINTS
        }

    def none_detection(self) -> Detection:
        """Return how well it was seen that no listed task is wanted."""
        nothing = ("end", "none")
        return self._detection(
            {gold: gold in nothing for gold, _ in self._points}, {said: said in nothing for _, said in self._points}
        )

    def resampled(self) -> dict[str, NDArray[Any]]:
        """Return accuracy, balanced accuracy and that of each point: of the data, then of each resample."""
        import numpy as np

        n = {point: self._sum(v for (gold, _), v in self._w_points.items() if gold == point) for point in POINTS}
        right = {point: self._w_right.get(point, self._zeros()) for point in POINTS}
        points: dict[str, NDArray[Any]] = {point: ratio(right[point], n[point]) for point in POINTS}
        balanced = mean_of_known(np.stack(list(points.values())))
        return {"accuracy": ratio(self._sum(right.values()), self._sum(n.values())), "balanced": balanced, **points}

    def _detection(self, actual: dict[Point, bool], said: dict[Point | None, bool]) -> Detection:
        cells = Counter[tuple[bool, bool]]()
        weighted: defaultdict[tuple[bool, bool], Any] = defaultdict(self._zeros)
        for (gold, answered), count in self._points.items():
            cell = actual[gold], said[answered]
            cells[cell] += count
            weighted[cell] = weighted[cell] + self._w_points[gold, answered]
        precision, recall, f1 = _binary_scores(cells)
        hit, missed, wrong = weighted[True, True], weighted[True, False], weighted[False, True]
        everything = self._sum(weighted.values())
        return Detection(
            matrix=[[cells[a, b] for b in (False, True)] for a in (False, True)],
            accuracy=interval(ratio(hit + weighted[False, False], everything)),
            precision=interval(ratio(hit, hit + wrong), value=precision),
            recall=interval(ratio(hit, hit + missed), value=recall),
            f1=interval(ratio(2 * hit, 2 * hit + wrong + missed), value=f1),
        )

    def _sum(self, arrays: Iterable[Any]) -> NDArray[Any]:
        total: NDArray[Any] = self._zeros()
        for one in arrays:
            total = total + one
        return total

    # ---------------------------------------------------------------------------------------------- which task

    def tasks(self) -> TaskSelection:
        """Return the figures of choosing among many tasks."""
        found = {name for pair in self._answers for name in pair} - {_NO_ANSWER, NONE_ANSWER}
        labels = [*sorted(found), *([NONE_ANSWER] if any(NONE_ANSWER in pair for pair in self._answers) else [])]
        by_task, averages = _task_scores(self._answers, labels)
        resampled = self._task_averages(labels)
        return TaskSelection(
            labels=labels,
            matrix=[[self._answers[gold, said] for said in labels] for gold in labels],
            invalid=[self._answers[gold, _NO_ANSWER] for gold in labels],
            accuracy=interval(self.resampled()["accuracy"]),
            macro=_averages(averages["macro"], resampled["macro"]),
            weighted=_averages(averages["weighted"], resampled["weighted"]),
            by_task=by_task,
        )

    def _task_averages(self, labels: list[str]) -> dict[str, dict[str, NDArray[Any]]]:
        """Return macro and weighted averages of each resample. A label that is not in a resample does not count there."""
        import numpy as np

        names = ("precision", "recall", "f1")
        sums = {kind: {name: self._zeros() for name in names} for kind in ("macro", "weighted")}
        present, support = self._zeros(), self._zeros()
        for label in labels:
            gold, said, hit = (w.get(label, self._zeros()) for w in (self._w_gold, self._w_said, self._w_hit))
            scores = (ratio(hit, said), ratio(hit, gold), ratio(2 * hit, gold + said))
            present += gold + said > 0
            support += gold
            for name, score in zip(names, map(np.nan_to_num, scores), strict=True):
                sums["macro"][name] += score
                sums["weighted"][name] += score * gold
        whole = {"macro": present, "weighted": support}
        return {kind: {name: ratio(total, whole[kind]) for name, total in s.items()} for kind, s in sums.items()}

    # ------------------------------------------------------------------------------------------ time and tokens

    def latency(self, *, limit: float) -> Latency:
        """Return how long answers took, and the share that took more than `limit` milliseconds."""
        import numpy as np

        times = np.frombuffer(self._latencies) if self._latencies else np.empty(0)
        p50, p95, p99 = (self._percentile(times, share) for share in (0.5, 0.95, 0.99))
        over = self._sum(w for place, w in self._w_latency.items() if _edge(place) >= limit)
        counted = self._sum(self._w_latency.values())
        exact = float((times > limit).mean()) if len(times) else float("nan")
        return Latency(
            limit=limit,
            p50=p50,
            p95=p95,
            p99=p99,
            share_over_limit=_around(interval(ratio(over, counted), value=exact)),
            histogram=_histogram(times),
        )

    def _percentile(self, times: NDArray[Any], share: float) -> Interval | None:
        """Return a percentile, exact. Its interval is read from the bins, to one percent."""
        import numpy as np

        if not len(times):
            return None
        places = sorted(self._w_latency)
        stacked = np.cumsum(np.stack([self._w_latency[place] for place in places]), axis=0)
        reached = stacked >= share * stacked[-1]
        middles = np.array([_edge(place) * _GROWTH**0.5 for place in places])
        found = np.where(stacked[-1] > 0, middles[reached.argmax(axis=0)], np.nan)
        return _around(interval(found, value=float(np.quantile(times, share))))

    def tokens(self) -> Tokens | None:
        """Return the tokens of all answers, or None if no router counted them."""
        return Tokens(**self._tokens) if self._tokens else None


def _bin(milliseconds: float) -> int:
    import math

    return max(0, math.floor(math.log(max(milliseconds, _LEAST_MS) / _LEAST_MS) / math.log(_GROWTH)))


def _edge(place: int) -> float:
    return _LEAST_MS * _GROWTH**place


def _around(found: Interval | None) -> Interval | None:
    """Widen an interval that was read from bins so that it holds the exact value."""
    if found is None or found.low is None or found.high is None:
        return found
    return Interval(value=found.value, low=min(found.low, found.value), high=max(found.high, found.value))


def _histogram(times: NDArray[Any]) -> Histogram:
    import numpy as np

    if not len(times):
        return Histogram(edges=[], counts=[])
    low, high = max(times.min(), _LEAST_MS), max(times.max(), 2 * _LEAST_MS)
    edges = np.geomspace(low * 0.999, max(high, low * 1.1) * 1.001, _PICTURE_BINS + 1)
    counts, _ = np.histogram(np.maximum(times, _LEAST_MS), edges)
    return Histogram(edges=[float(f"{edge:.4g}") for edge in edges], counts=counts.tolist())


def _binary_scores(cells: Counter[tuple[bool, bool]]) -> tuple[float, float, float]:
    """Return precision, recall and F1, NaN where undefined."""
    from sklearn.metrics import precision_recall_fscore_support

    places = [(a, b) for a in (False, True) for b in (False, True)]
    if not cells.total():
        return (float("nan"),) * 3
    precision, recall, f1, _ = precision_recall_fscore_support(
        [a for a, _ in places],
        [b for _, b in places],
        sample_weight=[cells[place] for place in places],
        pos_label=True,
        average="binary",
        zero_division=float("nan"),
    )
    return float(precision), float(recall), float(f1)


def _task_scores(
    answers: Counter[tuple[str, str]], labels: list[str]
) -> tuple[dict[str, TaskFigures], dict[str, tuple[float, float, float]]]:
    from sklearn.metrics import precision_recall_fscore_support

    nothing = (float("nan"),) * 3
    if not labels:
        return {}, {"macro": nothing, "weighted": nothing}
    gold, said = [pair[0] for pair in answers], [pair[1] for pair in answers]
    options: dict[str, Any] = {"labels": labels, "sample_weight": list(answers.values())}
    each = precision_recall_fscore_support(gold, said, zero_division=float("nan"), **options)
    by_task = {
        label: TaskFigures(n=round(n), precision=_known(precision), recall=_known(recall), f1=_known(f1))
        for label, precision, recall, f1, n in zip(labels, *each, strict=True)
    }
    averages = {}
    for kind in ("macro", "weighted"):
        found = precision_recall_fscore_support(gold, said, average=kind, zero_division=0.0, **options)
        averages[kind] = (float(found[0]), float(found[1]), float(found[2]))
    return by_task, averages


def _averages(values: tuple[float, float, float], resampled: dict[str, NDArray[Any]]) -> Averages:
    precision, recall, f1 = (
        interval(resampled[name], value=value)
        for name, value in zip(("precision", "recall", "f1"), values, strict=True)
    )
    return Averages(precision=precision, recall=recall, f1=f1)


def _known(figure: float) -> float | None:
    return None if figure != figure else float(figure)  # noqa: PLR0124 - NaN is the one number unlike itself
