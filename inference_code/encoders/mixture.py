"""Two encoders that choose together: trained apart, from different base models, they err at different places.

Their probabilities p and q of each choice are mixed geometrically, p^(1 - w) q^w, normalised over the choices (a logarithmic
opinion pool: Genest and Zidek 1986, "Combining Probability Distributions").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch

from model_code.choice_encoder import ChoiceEncoder, EncoderConfig
from model_code.encoder_questions import ChoiceQuestion


class EncoderMixture:
    """Answers questions as one `ChoiceEncoder` does, in the time of both."""

    def __init__(self, first: Chooser, second: Chooser, *, weight: float) -> None:
        """Pair two encoders of the same fallback. `weight` is w above, the second one's share."""
        self._first, self._second = first, second
        self._weight = weight

    @property
    def config(self) -> EncoderConfig:
        """The first one's. Both have the same fallback."""
        return self._first.config

    @property
    def encoder(self) -> Any:
        """The first one's trained tower, whose tokens are counted."""
        return self._first.encoder

    def log_probabilities(self, questions: Sequence[ChoiceQuestion]) -> list[torch.Tensor]:
        """Return for each question the logarithms of 1 + K probabilities: the fallback's first.

        However small, each counts: where the fallback is sure but cannot be answered, one of the smallest is the answer.
        """
        of_both = (self._first.log_probabilities(questions), self._second.log_probabilities(questions))
        return [mixed_geometrically(p, q, weight=self._weight) for p, q in zip(*of_both, strict=True)]


def mixed_geometrically(first: torch.Tensor, second: torch.Tensor, *, weight: float) -> torch.Tensor:
    """Return the logarithms of p^(1 - w) q^w, normalised. `first` and `second` are those of p and q, `weight` is w."""
    return torch.log_softmax(torch.lerp(first, second, weight), dim=0)


Chooser: TypeAlias = ChoiceEncoder | EncoderMixture
