"""A language model and an encoder that answer together: each counts for the part that it does better.

The language model knows when a task goes on, changes and ends. The encoder knows the meaning of the words. Their probabilities of
each choice are mixed geometrically, as those of two encoders are (encoders/mixture.py). Long lists are shortened by the
encoder first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from chat.reply import logprobs
from chat.request import ChatRequest
from encoders.decider import EncoderDecider, likeliest
from encoders.mixture import mixed_geometrically
from servers.server import Server
from servers.shortlist import Shortlist

# Below it a probability says no more than "never". Its logarithm must not outweigh all that the other model says.
_LEAST = 1e-9


class PairedServer:
    """Answers requests for a choice with both models, and all others with the language model alone."""

    def __init__(self, server: Server, decider: EncoderDecider, *, most: int, encoder_weight: float) -> None:
        """Pair a chat server with an encoder.

        Args:
            server: the language model's.
            decider: the encoder's.
            most: how many choices the language model reads at most. 0 means all.
            encoder_weight: the encoder's share in the mixture, from 0 (it only shortens lists) to 1.
        """
        self._server = server
        self._decider = decider
        self._shortlist = Shortlist(most, decider.fallback)
        self._weight = encoder_weight

    def answer(self, request: ChatRequest) -> dict[str, Any]:
        """Return the chat server's reply with both models' choice. `shortlist` says which choices were left in the list.

        Raises:
            InvalidRequestError, ModelFailureError: as both models do.
        """
        if request.choices is None or request.messages[-1]["role"] != "user":
            return self._server.answer(request)
        decision = self._decider.decide(request.messages, request.choices)
        kept = self._shortlist.kept(request, decision)
        reply = self._server.answer(request if kept is None else self._shortlist.shortened(request, kept))
        encoders = dict(zip(request.choices, map(math.exp, decision.log_probabilities), strict=True))
        choice = reply["choices"][0]
        mixed = self._mixed(choice["choice_probabilities"], encoders)
        choice["choice_probabilities"] = {
            name: math.exp(mixed[name]) if name in mixed else 0.0 for name in request.choices
        }
        if kept is not None:
            choice["shortlist"] = kept
        _answer_with(choice, list(mixed)[likeliest(list(mixed.values()))])
        return reply

    def _mixed(self, models: Mapping[str, float], encoders: Mapping[str, float]) -> dict[str, float]:
        """Return the log-probabilities of the choices that the language model weighed."""
        first = torch.tensor([_logarithm(p) for p in models.values()], dtype=torch.float64)
        second = torch.tensor([_logarithm(encoders[name]) for name in models], dtype=torch.float64)
        values = mixed_geometrically(first, second, weight=self._weight).tolist()
        return dict(zip(models, values, strict=True))


def _answer_with(choice: dict[str, Any], name: str) -> None:
    """Make `name` the reply's answer, with its probability as the one entry of the log-probabilities that were asked for."""
    choice["message"]["content"] = name
    if choice.get("logprobs"):
        value = _logarithm(choice["choice_probabilities"][name])
        choice["logprobs"] = logprobs([(name, value)])


def _logarithm(probability: float) -> float:
    return math.log(max(probability, _LEAST))
