"""Replies in the form of OpenAI's chat completions."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TokenCounts:
    """Tokens of a request and its answer. Of the prompt's, some were cached, and some messages were left out of it."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    dropped_messages: int = 0


def completion(choice: Mapping[str, Any], *, model: str, usage: TokenCounts) -> dict[str, Any]:
    """Put one choice into a chat completion. `model` is the name of the one that answered."""
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "dropped_messages": usage.dropped_messages},
        },
    }


def answered(
    content: str, *, finish_reason: str = "stop", probabilities: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Return a completion's choice. `probabilities` are those of all choices that the caller listed."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}
    return choice if probabilities is None else {**choice, "choice_probabilities": dict(probabilities)}


def logprobs(parts: Iterable[tuple[str, float]]) -> dict[str, Any]:
    """Return OpenAI's `logprobs` of an answer made of `parts`, each with its log-probability."""
    return {
        "content": [
            {"token": text, "logprob": value, "bytes": list(text.encode()), "top_logprobs": []} for text, value in parts
        ]
    }
