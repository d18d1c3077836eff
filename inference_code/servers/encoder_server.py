"""Answers a checked chat request with an encoder, in the form in which the chat server answers it."""

from __future__ import annotations

import math
from typing import Any

from artifact.encoder import LoadedEncoder
from chat.reply import TokenCounts, answered, completion, logprobs
from chat.request import ChatRequest, InvalidRequestError
from encoders.decider import EncoderDecider


class EncoderServer:
    """Answers requests from any number of threads. An encoder chooses, and never writes."""

    def __init__(self, loaded: LoadedEncoder) -> None:
        self._loaded = loaded
        self._decider = EncoderDecider(loaded.encoder)

    def answer(self, request: ChatRequest) -> dict[str, Any]:
        """Return a chat completion whose content is one of the choices.

        The fallback, which the encoder was trained to answer where no other choice fits, is answered only where it is
        listed.

        Raises:
            InvalidRequestError: no choices, an unknown model, or a last message that is not the user's.
            ModelFailureError: the encoder computes NaN.
        """
        self._check_name(request.adapter)
        if request.choices is None:
            raise InvalidRequestError(
                'This endpoint holds an encoder, which only chooses: send structured_outputs: {"choice": [...]}.'
            )
        decision = self._decider.decide(request.messages, request.choices)
        content, value = request.choices[decision.best], decision.log_probabilities[decision.best]
        probabilities = dict(zip(request.choices, map(math.exp, decision.log_probabilities), strict=True))
        choice = answered(content, probabilities=probabilities)
        if request.logprobs:
            choice["logprobs"] = logprobs([(content, value)])
        return completion(
            choice,
            model=request.adapter or self._loaded.base_model,
            usage=TokenCounts(decision.tokens, completion_tokens=1),
        )

    def _check_name(self, name: str | None) -> None:
        if name is None or name in self._loaded.names:
            return
        known = ", ".join(map(repr, sorted(self._loaded.names)))
        raise InvalidRequestError(f"There is no adapter {name[:80]!r} on this endpoint. Known: {known}.")
