"""Chat: the request that a caller sends to a container, and the reply that comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

# How the serving code answers a request without choices where an encoder serves.
ENCODER_REFUSAL = "This endpoint holds an encoder, which only chooses"


class Usage(BaseModel):
    """Tokens of one answer. `cached_tokens` of the prompt were not computed again.

    `dropped_messages`, the oldest of a chat that is longer than the model's context, were not read.
    """

    model_config = ConfigDict(frozen=True)

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int = 0
    dropped_messages: int = 0


class ChatReply(BaseModel):
    """The part of a container's reply that callers use."""

    model_config = ConfigDict(frozen=True)

    content: str
    usage: Usage
    choice_probabilities: dict[str, float] | None = None


def chat_request(
    messages: Sequence[Mapping[str, Any]],
    *,
    choices: Sequence[str] | None = None,
    max_tokens: int = 128,
    temperature: float = 0.0,
    adapter: str | None = None,
) -> dict[str, Any]:
    """Build the body of an invocation. With `choices` the answer is exactly one of them."""
    body: dict[str, Any] = {"messages": list(messages), "max_tokens": max_tokens, "temperature": temperature}
    if choices is not None:
        body["structured_outputs"] = {"choice": list(choices)}
        body["logprobs"] = True
    if adapter is not None:
        body["model"] = adapter
    return body


def first_question() -> dict[str, Any]:
    """Build a request that every kind of model answers, as soon as it is loaded."""
    return chat_request([{"role": "user", "content": "Hello"}], choices=["hello", "none"])


def parse_chat_reply(body: bytes) -> ChatReply:
    """Read a container's reply.

    Raises:
        ValueError: it is not a chat completion.
    """
    document = json.loads(body)
    try:
        choice = document["choices"][0]
        usage = document.get("usage") or {}
        details = usage.get("prompt_tokens_details") or {}
        return ChatReply(
            content=choice["message"]["content"],
            usage=Usage(
                prompt_tokens=usage.get("prompt_tokens", 0),
                completion_tokens=usage.get("completion_tokens", 0),
                total_tokens=usage.get("total_tokens", 0),
                cached_tokens=details.get("cached_tokens") or 0,
                dropped_messages=details.get("dropped_messages") or 0,
            ),
            choice_probabilities=choice.get("choice_probabilities"),
        )
    except (KeyError, IndexError, TypeError, AttributeError, ValidationError) as error:
        raise ValueError(f"not a chat completion ({error!r})") from error
