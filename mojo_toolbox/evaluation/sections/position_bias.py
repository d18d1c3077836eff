"""What the order of the list does to answers: each position's share of the choices against its share of the right ones.

Tool selection by language models prefers what stands first. A gap may be chance, and the largest of many gaps is large by
chance alone; so its interval is simultaneous: wide enough to hold all positions' gaps at once, by the bootstrap
distribution of the largest deviation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mojo_toolbox.evaluation.counting.bootstrap import CONFIDENCE, Weights, interval, ratio
from mojo_toolbox.evaluation.counting.figures import LargestGap, Position, PositionBias
from mojo_toolbox.evaluation.runs.predictions import Prediction, ShuffledPrediction

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A smaller gap changes no decision about a router, however certain it is.
_MATTERS = 0.01


def position_bias(
    rows: Iterable[Prediction],
    shuffled: Iterable[ShuffledPrediction],
    *,
    shuffles: int,
    resamples: int = 1000,
    seed: int = 0,
) -> PositionBias:
    """Return the bias over all answers to shuffled lists; both kinds of rows come in the data's order."""
    import numpy as np

    weights = Weights(resamples, seed)
    zeros: Any = lambda: np.zeros(resamples + 1)  # noqa: E731
    chosen: defaultdict[int, Any] = defaultdict(zeros)
    right: defaultdict[int, Any] = defaultdict(zeros)
    answers, decisions, changed = zeros(), zeros(), zeros()
    for row, orders in _by_decision(rows, shuffled):
        weight = weights.of(row["conversation"])
        given = [order for order in orders if order["error"] is None]
        for order in given:
            # Only where a task is right and a task was named: both then lie in the same lists, as often, and a router
            # that is blind to the order has no gap but by chance.
            if order["chosen"] is not None and order["right"] is not None:
                answers += weight
                chosen[order["chosen"]] += weight
                right[order["right"]] += weight
        said = {(order["task"], order["valid"]) for order in given}
        if row["error"] is None:
            said.add((row["task"], row["valid"]))
        if given:
            decisions += weight
            changed += weight * (len(said) > 1)
    places = list(range(1, max([0, *chosen, *right]) + 1))
    gaps = {place: ratio(chosen[place] - right[place], answers) for place in places}
    largest = _largest(gaps)
    return PositionBias(
        shuffles=shuffles,
        n=int(answers[0]),
        positions=[
            Position(
                position=place,
                chosen=float(chosen[place][0] / answers[0]),
                correct=float(right[place][0] / answers[0]),
                gap=float(gaps[place][0]),
            )
            for place in places
        ],
        largest_gap=largest,
        changed_by_order=interval(ratio(changed, decisions)),
        flagged=largest is not None and (largest.low > _MATTERS or largest.high < -_MATTERS),
    )


def _by_decision(
    rows: Iterable[Prediction], shuffled: Iterable[ShuffledPrediction]
) -> Iterable[tuple[Prediction, list[ShuffledPrediction]]]:
    """Pair each decision with its other orders; both come sorted."""

    def place(row: Any) -> tuple[int, int]:
        return row["conversation"], row["turn"]

    orders = groupby(shuffled, key=place)
    for row, (_, group) in zip(rows, orders, strict=False):
        yield row, list(group)


def _largest(gaps: dict[int, NDArray[Any]]) -> LargestGap | None:
    import numpy as np

    if not gaps:
        return None
    stacked = np.stack(list(gaps.values()))
    known = ~np.isnan(stacked[0])
    deviations = np.abs(stacked[:, 1:] - stacked[:, :1])[:, ~np.isnan(stacked[0, 1:])]
    if not known.any() or not deviations.size:
        return None
    reach = float(np.quantile(deviations.max(axis=0), CONFIDENCE))
    place = int(np.abs(stacked[:, 0]).argmax())
    value = float(stacked[place, 0])
    return LargestGap(position=place + 1, value=value, low=value - reach, high=value + reach)
