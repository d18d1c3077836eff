"""Answers a checked chat request with an encoder, in the form in which the chat server answers it."""

from __future__ import annotations

import math
import time
import uuid
from typing import Any

from artifact.language_model import LoadedEncoder
from chat.request import ChatRequest, InvalidRequestError
from encoders.decider import EncoderDecider


class EncoderServer:
    """Answers requests from any number of threads; an encoder chooses, and writes nothing."""

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
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": content},
            "finish_reason": "stop",
            "logprobs": None,
            "choice_probabilities": dict(zip(request.choices, map(math.exp, decision.log_probabilities), strict=True)),
        }
        if request.logprobs:
            choice["logprobs"] = whole_answer_logprobs(content, value)
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": request.adapter or self._loaded.base_model,
            "choices": [choice],
            "usage": {
                "prompt_tokens": decision.tokens,
                "completion_tokens": 1,
                "total_tokens": decision.tokens + 1,
                "prompt_tokens_details": {"cached_tokens": 0, "dropped_messages": 0},
            },
        }

    def _check_name(self, name: str | None) -> None:
        if name is None or name in self._loaded.names:
            return
        known = ", ".join(map(repr, sorted(self._loaded.names)))
        raise InvalidRequestError(f"There is no adapter {name[:80]!r} on this endpoint. Known: {known}.")


def whole_answer_logprobs(content: str, value: float) -> dict[str, Any]:
    """Return OpenAI's `logprobs` of an answer that is made in one step: one entry, with the answer's log-probability."""
    entry = {"token": content, "logprob": value, "bytes": list(content.encode()), "top_logprobs": []}
    return {"content": [entry]}
