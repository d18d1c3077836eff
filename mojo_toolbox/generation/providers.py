"""What writes: the one thing that a language model must be able to do here, and what came back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mojo_toolbox.contract import Usage

Messages = Sequence[Mapping[str, str]]
# Servers take seeds of 32 bits with a sign, some of them.
_SEEDS = 2**31


@dataclass(frozen=True)
class Reply:
    """A model's answer."""

    text: str
    usage: Usage | None = None
    """None if the server did not count tokens."""
    cut_off: bool = False
    """Whether the answer used up `max_tokens` before its end."""


class Provider(Protocol):
    """A model that writes conversations. Threads share it."""

    @property
    def name(self) -> str:
        """The model's name in the written conversations."""

    def complete(self, messages: Messages, *, max_tokens: int, temperature: float, seed: int) -> Reply:
        """Answer a chat.

        Raises:
            ProviderUnavailableError: it cannot answer now. The run asks again.
            ModelError: it cannot answer this chat, such as one beyond the context. The run goes on with others.
            MojoError: of any other kind. It cannot answer at all, and the run ends.
        """


def most_tokens(provider: Provider, max_tokens: int) -> int:
    """Return the most tokens that an answer may cost. For a model that thinks before it answers, they are more than `max_tokens`."""
    longest = getattr(provider, "most_tokens", None)
    return max_tokens if longest is None else int(longest(max_tokens))


def request_seed(*parts: object) -> int:
    """Return the seed of a request: another one for each run's seed, conversation, attempt and call."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8]) % _SEEDS


def fingerprint(document: Any) -> str:
    """Return the SHA-256 of a JSON value, whatever the order of its keys."""
    # ASCII: half of a surrogate pair has no UTF-8.
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def together(one: Usage | None, other: Usage | None) -> Usage | None:
    """Return the tokens of two answers; None when neither was counted."""
    if one is None or other is None:
        return one or other
    return Usage(
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        completion_tokens=one.completion_tokens + other.completion_tokens,
        total_tokens=one.total_tokens + other.total_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        dropped_messages=one.dropped_messages + other.dropped_messages,
    )
