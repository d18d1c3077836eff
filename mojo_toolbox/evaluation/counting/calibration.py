"""Do probabilities mean what they say? Pure functions on a router's probabilities and on its right answers.

A router is calibrated when eight in ten of its answers with a probability of 0.8 are right (Guo et al. 2017, "On
Calibration of Modern Neural Networks", arXiv:1706.04599).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 15
# A router beyond these has no use for its probabilities. They also bound the search where all answers are right or wrong.
LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.05, 20.0
_HALVINGS = 24  # of a range of six e-folds: a temperature to one in a million
_LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True)
class Bins:
    """Decisions by their probability. The mean probability and the accuracy of an empty bin are NaN."""

    n: NDArray[Any]
    confidence: NDArray[Any]
    accuracy: NDArray[Any]

    @property
    def error(self) -> float:
        """The mean distance of accuracy and probability, each bin weighted by its decisions."""
        import numpy as np

        gaps = np.abs(np.nan_to_num(self.accuracy - self.confidence))
        return float((self.n * gaps).sum() / self.n.sum())


def equal_width(confidences: NDArray[Any], right: NDArray[Any], *, bins: int = BINS) -> Bins:
    """Return bins from 0 to 1 that are equally wide. A probability on an edge counts in the lower one.

    Their `error` is the expected calibration error of Guo et al. (equation 3), with 15 bins as there:
    ECE = Σ_b n_b / n · |accuracy(b) - mean probability(b)|, over the probability of the chosen answer.
    """
    import numpy as np

    places = np.clip(np.ceil(confidences * bins).astype(int) - 1, 0, bins - 1)
    return _binned(places, confidences, right, bins)


def equal_mass(confidences: NDArray[Any], right: NDArray[Any], *, bins: int = BINS) -> Bins:
    """Return bins that hold equally many decisions, as far as equal probabilities allow.

    Their `error` weighs no nearly empty bins (Nguyen & O'Connor 2015, "Posterior calibration and exploratory analysis for
    natural language processing models"): most routers give most answers a probability close to 1.
    """
    import numpy as np

    edges = np.unique(np.quantile(confidences, np.linspace(0, 1, bins + 1)[1:-1], method="lower"))
    return _binned(np.searchsorted(edges, confidences, side="right"), confidences, right, len(edges) + 1)


def error_by_chance(confidences: NDArray[Any], *, share: float = 0.95, draws: int = 400, seed: int = 0) -> float:
    """Return the bound that the error of a perfectly calibrated router stays below with probability `share`.

    The error is never negative, so with few decisions it is not small even for a router whose answers are right exactly
    as often as it says. Here they are drawn so (Bröcker & Smith 2007, "consistency resampling").
    """
    import numpy as np

    random = np.random.default_rng(seed)
    drawn = [equal_width(confidences, random.random(len(confidences)) < confidences).error for _ in range(draws)]
    return float(np.quantile(drawn, share))


class Distributions:
    """Probabilities over choices, a row a decision. Rows may differ in length, and none is empty."""

    def __init__(self, logs: NDArray[Any], lengths: NDArray[Any]) -> None:
        """Take all rows' logarithms in one array, and how long each row is."""
        import numpy as np

        self._logs = logs
        self._lengths = lengths
        self._starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(int)

    @classmethod
    def of(cls, rows: Sequence[Sequence[float]]) -> Distributions:
        """Take rows of probabilities. A 0 counts as one in a million millions."""
        import numpy as np

        flat = np.array([probability for row in rows for probability in row], dtype=float)
        lengths = np.array([len(row) for row in rows], dtype=int)
        return cls(np.log(np.maximum(flat, _LEAST_PROBABILITY)), lengths)

    def only(self, kept: NDArray[Any]) -> Distributions:
        """Return the rows where `kept` is true."""
        import numpy as np

        return Distributions(self._logs[np.repeat(kept, self._lengths)], self._lengths[kept])

    def probabilities_of(self, choices: NDArray[Any], *, temperature: float) -> NDArray[Any]:
        """Return the probability of one choice of each row: p^(1/T) / Σ p^(1/T)."""
        scaled: NDArray[Any] = self._scaled(temperature)[self._starts + choices]
        return scaled

    def slope(self, choices: NDArray[Any], *, temperature: float) -> float:
        """Return the derivative of the mean negative log likelihood of `choices` by the inverse of the temperature."""
        import numpy as np

        expected = np.add.reduceat(self._scaled(temperature) * self._logs, self._starts)
        return float((expected - self._logs[self._starts + choices]).mean())

    def _scaled(self, temperature: float) -> NDArray[Any]:
        import numpy as np

        powers = self._logs / temperature
        powers = np.exp(powers - np.repeat(np.maximum.reduceat(powers, self._starts), self._lengths))
        scaled: NDArray[Any] = powers / np.repeat(np.add.reduceat(powers, self._starts), self._lengths)
        return scaled


def fit_temperature(distributions: Distributions, right: NDArray[Any]) -> float:
    """Return the temperature under which the right choices are likeliest. Above 1 means that the router was too sure.

    Minimises the mean of -log p_T(right), where p_T is proportional to p^(1/T): Guo et al.'s temperature scaling, whose
    logits log p are up to a constant. The likelihood is convex in 1/T, so its slope is halved in on.

    Args:
        distributions: the router's probabilities.
        right: the index of the right choice in each row.
    """
    low, high = LEAST_TEMPERATURE, MOST_TEMPERATURE
    for _ in range(_HALVINGS):
        middle = (low * high) ** 0.5
        # The slope by 1/T is positive where 1/T is too large.
        if distributions.slope(right, temperature=middle) > 0:
            low = middle
        else:
            high = middle
    return float((low * high) ** 0.5)


def _binned(places: NDArray[Any], confidences: NDArray[Any], right: NDArray[Any], bins: int) -> Bins:
    import numpy as np

    n = np.bincount(places, minlength=bins)
    sums = (np.bincount(places, weights=values, minlength=bins) for values in (confidences, right))
    confidence, accuracy = (np.divide(total, n, out=np.full(bins, np.nan), where=n > 0) for total in sums)
    return Bins(n=n, confidence=confidence, accuracy=accuracy)
