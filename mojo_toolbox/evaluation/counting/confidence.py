"""Predictions -> how far a router's probabilities can be trusted, and the decisions that a threshold on them would accept.

Memory grows by some bytes a decision, and by four for each choice where routers give a probability to every one.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mojo_toolbox.data import NONE_ANSWER
from mojo_toolbox.evaluation.counting.bootstrap import CONFIDENCE, Interval, Weights, interval, ratio
from mojo_toolbox.evaluation.counting.calibration import (
    BINS,
    Distributions,
    equal_mass,
    equal_width,
    error_by_chance,
    fit_temperature,
)
from mojo_toolbox.evaluation.counting.figures import AcceptanceCurve, Confidence, Reliability, Scaling
from mojo_toolbox.evaluation.runs.predictions import Prediction, is_right

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of thresholds in a report: each lets through half a percent more of the decisions than the one before, at most.
_MOST_LEVELS = 200
# A temperature is fitted on four fifths of the conversations and tried on the fifth.
_FOLDS = 5


def confidence(rows: Iterable[Prediction], *, resamples: int = 1000, seed: int = 0) -> Confidence | None:
    """Return the figures of a router's probabilities, or None if it gave none with any valid answer."""
    found = _Rows()
    for row in rows:
        found.add(row)
    return found.figures(resamples, seed) if found.confidences else None


class _Rows:
    """The needed facts of each decision, in arrays."""

    def __init__(self) -> None:
        self.asked = 0
        self.confidences, self.right, self.conversations = array("d"), array("b"), array("q")
        # Of the decisions whose every choice has a probability, the right one among them.
        self.choices = array("f")
        self.lengths, self.gold, self.chosen, self.places = array("q"), array("q"), array("q"), array("q")

    def add(self, row: Prediction) -> None:
        self.asked += 1
        if row["probability"] is None or not row["valid"]:
            return
        self.confidences.append(row["probability"])
        self.right.append(is_right(row))
        self.conversations.append(row["conversation"])
        given = row.get("probabilities") or {}
        gold, said = (NONE_ANSWER if task is None else task for task in (row["gold"], row["task"]))
        if gold in given and said in given:
            names = list(given)
            self.choices.extend(given.values())
            self.lengths.append(len(names))
            self.gold.append(names.index(gold))
            self.chosen.append(names.index(said))
            self.places.append(len(self.confidences) - 1)

    def figures(self, resamples: int, seed: int) -> Confidence:
        import numpy as np

        confidences, right = np.array(self.confidences), np.array(self.right, dtype=float)
        bins = equal_width(confidences, right)
        return Confidence(
            asked=self.asked,
            n=len(confidences),
            mean=float(confidences.mean()),
            accuracy=float(right.mean()),
            gap=self._gap(confidences, right, resamples, seed),
            ece=bins.error,
            ece_by_chance=error_by_chance(confidences, share=CONFIDENCE, seed=seed),
            ece_equal_mass=equal_mass(confidences, right).error,
            brier=float(((confidences - right) ** 2).mean()),
            reliability=Reliability(
                edges=[round(edge / BINS, 6) for edge in range(BINS + 1)],
                n=bins.n.tolist(),
                confidence=[_known(mean) for mean in bins.confidence],
                accuracy=[_known(share) for share in bins.accuracy],
            ),
            curve=self._curve(confidences, right, resamples, seed),
            scaling=self._scaling(right),
        )

    def _gap(self, confidences: NDArray[Any], right: NDArray[Any], resamples: int, seed: int) -> Interval:
        import numpy as np

        weights = Weights(resamples, seed)
        gaps, n = np.zeros(resamples + 1), np.zeros(resamples + 1)
        for conversation, gap in zip(self.conversations, confidences - right, strict=True):
            weight = weights.of(conversation)
            gaps += weight * gap
            n += weight
        found = interval(ratio(gaps, n))
        assert found is not None  # there is a decision
        return found

    def _curve(self, confidences: NDArray[Any], right: NDArray[Any], resamples: int, seed: int) -> AcceptanceCurve:
        import numpy as np

        thresholds = _thresholds(confidences)
        weights = Weights(resamples, seed)
        accepted, hits = (np.zeros((len(thresholds), resamples + 1)) for _ in range(2))
        # The strictest threshold that lets each decision through. The looser ones do too.
        levels = np.searchsorted(-thresholds, -confidences)
        for conversation, level, hit in zip(self.conversations, levels, right, strict=True):
            weight = weights.of(conversation)
            accepted[level] += weight
            if hit:
                hits[level] += weight
        accepted, hits = accepted.cumsum(axis=0), hits.cumsum(axis=0)
        reaches = [_reach(part, whole) for part, whole in zip(hits, accepted, strict=True)]
        return AcceptanceCurve(
            threshold=thresholds.tolist(),
            accepted=accepted[:, 0].astype(int).tolist(),
            right=hits[:, 0].astype(int).tolist(),
            low=[low for low, _ in reaches],
            high=[high for _, high in reaches],
        )

    def _scaling(self, right: NDArray[Any]) -> Scaling | None:
        """Return the effect of one temperature, each conversation scaled by one that was fitted on others."""
        import numpy as np

        places, gold, chosen = (np.array(values, dtype=int) for values in (self.places, self.gold, self.chosen))
        folds = np.array(self.conversations, dtype=int)[places] % _FOLDS
        right = right[places]
        # Where all answers are right (or wrong), no temperature is extreme enough.
        if len(np.unique(folds)) < _FOLDS or len(np.unique(right)) == 1:
            return None
        logs = np.log(np.maximum(np.array(self.choices), np.float32(1e-12)))
        given = Distributions(logs, np.array(self.lengths, dtype=int))
        scaled = np.empty(len(places))
        for fold in range(_FOLDS):
            there = folds == fold
            temperature = fit_temperature(given.only(~there), gold[~there])
            scaled[there] = given.only(there).probabilities_of(chosen[there], temperature=temperature)
        return Scaling(
            n=len(places),
            temperature=fit_temperature(given, gold),
            ece_before=equal_width(given.probabilities_of(chosen, temperature=1.0), right).error,
            ece_after=equal_width(scaled, right).error,
        )


def _thresholds(confidences: NDArray[Any]) -> NDArray[Any]:
    """Return thresholds that let different decisions through, from strict to loose, each as short a number as can be."""
    import numpy as np

    distinct, counts = np.unique(confidences, return_counts=True)
    distinct, through = distinct[::-1], np.cumsum(counts[::-1])
    shown = np.unique(np.searchsorted(through, np.linspace(1, through[-1], _MOST_LEVELS)))
    below = np.append(distinct[1:], -1.0)
    return np.array([_shortest(float(below[level]), float(distinct[level])) for level in shown])


def _shortest(below: float, most: float) -> float:
    """Return the number of the fewest decimal digits that is above `below` and not above `most`."""
    for digits in range(16):
        number = float(math.floor(most * 10**digits) / 10**digits)
        if below < number <= most:
            return number
    return most


def _reach(right: NDArray[Any], accepted: NDArray[Any]) -> tuple[float, float]:
    """Return the interval of a precision: the wider end of the bootstrap over conversations and of Wilson's.

    The bootstrap knows that decisions of one conversation depend on each other, but where all are right it is sure of it,
    be they two, but Wilson's interval (1927) knows how few they are.
    """
    found = interval(ratio(right, accepted))
    low, high = _wilson(right[0], accepted[0])
    if found is None or found.low is None or found.high is None:
        return low, high
    return min(low, found.low), max(high, found.high)


def _wilson(right: float, n: float) -> tuple[float, float]:
    z = 1.959964  # of 95%, as `CONFIDENCE` says
    share, widening = right / n, z * z / n
    middle = (share + widening / 2) / (1 + widening)
    reach = math.sqrt(share * (1 - share) * widening + widening * widening / 4) / (1 + widening)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _known(figure: float) -> float | None:
    return None if math.isnan(figure) else float(figure)
