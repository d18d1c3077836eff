"""One number that makes probabilities honest: temperature scaling (Guo et al. 2017, arXiv:1706.04599).

Logits divided by a temperature choose as before and are more or less sure of it. `mojo_toolbox.evaluation` counts the same.
A test holds both against each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.05, 20.0
_HALVINGS = 24  # of a range of six e-folds: a temperature to one in a million
_BINS = 15
_NO_CHOICE = -1e9  # the logarithm where a row has no choice


@dataclass(frozen=True)
class Answers:
    """A model's view of N decisions: `logs` (N, K) of its probabilities, and the places that are `right` (N)."""

    logs: Tensor
    right: Tensor

    @classmethod
    def of(cls, rows: list[Tensor], right: Tensor) -> Answers:
        """Take rows of different lengths."""
        padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=_NO_CHOICE)
        return cls(padded.double(), right)

    def loss(self) -> float:
        """Return the mean negative log likelihood."""
        return float(torch.nn.functional.cross_entropy(self.logs, self.right))

    def accuracy(self) -> float:
        """Return the share of decisions right."""
        return float((self.logs.argmax(dim=1) == self.right).double().mean())

    def calibration_error(self, temperature: float) -> float:
        """Return the expected calibration error in 15 bins of equal width.

        The mean distance of accuracy and probability, each bin weighted by its decisions.
        """
        confidences, chosen = torch.softmax(self.logs / temperature, dim=1).max(dim=1)
        gaps = (chosen == self.right).double() - confidences
        bins = ((confidences * _BINS).ceil().long() - 1).clamp(0, _BINS - 1)
        return float(torch.zeros(_BINS, dtype=torch.float64).index_add(0, bins, gaps).abs().sum() / len(gaps))


def fit_temperature(answers: Answers) -> float:
    """Return the temperature under which the right choices are likeliest. Above 1 means that the model was too sure.

    The likelihood is convex in 1/T, so its slope is halved in on. Answers that are all right would make any model ever
    surer: they tell nothing, and leave 1.
    """
    if answers.accuracy() == 1:
        return 1.0
    low, high = LEAST_TEMPERATURE, MOST_TEMPERATURE
    of_right = answers.logs.gather(1, answers.right[:, None]).squeeze(1)
    for _ in range(_HALVINGS):
        middle = (low * high) ** 0.5
        expected = (torch.softmax(answers.logs / middle, dim=1) * answers.logs).sum(dim=1)
        # The slope by 1/T is positive where 1/T is too large.
        low, high = (middle, high) if (expected - of_right).mean() > 0 else (low, middle)
    return float((low * high) ** 0.5)


def calibration_metrics(answers: Answers, temperature: float) -> dict[str, Any]:
    """Return how far the probabilities are off before and after, on the data of the fit. The manifest keeps it."""
    return {
        "temperature": round(temperature, 4),
        "eval_ece_uncalibrated": round(answers.calibration_error(1.0), 6),
        "eval_ece": round(answers.calibration_error(temperature), 6),
    }
