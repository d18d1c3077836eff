"""Bootstrap intervals over conversations, in one pass and in memory that does not grow with their number.

Decisions of one conversation depend on each other, so conversations are drawn, not decisions. In place of drawing n of n
with replacement, each conversation gets a weight from a Poisson distribution with mean 1 in each resample, which is the
same in the limit and needs no second pass (Hanley & MacGibbon 2006, and Chamandy et al. 2012, "Estimating uncertainty for
massive data streams"). Intervals are the percentiles of the resampled figures.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE = 0.95
# Weights are drawn for so many conversations at once: numpy is quicker in blocks.
_BLOCK = 64


class Interval(BaseModel):
    """A figure with its interval. `low` and `high` are None if too few resamples have the figure at all."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float | None
    high: float | None


class Weights:
    """How often each conversation occurs in each resample. The same seed gives the same weights, for any router."""

    def __init__(self, resamples: int, seed: int) -> None:
        self._resamples = resamples
        self._seed = seed
        self._block = -1
        self._drawn: Any = None

    def of(self, conversation: int) -> NDArray[Any]:
        """Return the weights of a conversation by its number: one for the data as it is, then `resamples` drawn ones."""
        import numpy as np

        block, place = divmod(conversation, _BLOCK)
        if block != self._block:
            drawn = np.random.default_rng((self._seed, block)).poisson(1.0, (_BLOCK, self._resamples))
            self._drawn = np.concatenate([np.ones((_BLOCK, 1)), drawn], axis=1)
            self._block = block
        row: NDArray[Any] = self._drawn[place]
        return row


def interval(figures: NDArray[Any], *, value: float | None = None) -> Interval | None:
    """Return the figure of the data (the first, or `value`) with the interval of the resampled ones. NaN counts as no figure."""
    import numpy as np

    shown = float(figures[0]) if value is None else value
    if np.isnan(shown):
        return None
    resampled = figures[1:][~np.isnan(figures[1:])]
    if not len(resampled):
        return Interval(value=shown, low=None, high=None)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Interval(value=shown, low=float(low), high=float(high))


def ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[Any]:
    """Return part / whole, NaN where there is nothing to divide by."""
    import numpy as np

    share: NDArray[Any] = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)
    return share


def mean_of_known(figures: NDArray[Any]) -> NDArray[Any]:
    """Return the mean of the numbers over the first axis, or NaN if there are none."""
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a mean of nothing is NaN, as it should be
        mean: NDArray[Any] = np.nanmean(figures, axis=0)
    return mean
