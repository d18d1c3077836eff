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
    """What a model wrote."""

    text: str
    usage: Usage | None = None
    """None where nobody counted tokens."""
    cut_off: bool = False
    """Whether `max_tokens` were used up before it came to an end."""


class Provider(Protocol):
    """What is asked for conversations. Threads share it."""

    @property
    def name(self) -> str:
        """The model, as the written conversations name it."""

    def complete(self, messages: Messages, *, max_tokens: int, temperature: float, seed: int) -> Reply:
        """Answer a chat.

        Raises:
            ProviderUnavailableError: not now; it is asked again.
            ModelError: not this chat, such as one beyond the context; others may be asked.
            MojoError: of any other kind: nothing can be asked, the run ends.
        """


def most_tokens(provider: Provider, max_tokens: int) -> int:
    """Return how many tokens an answer may cost: more than `max_tokens` of a model that thinks before it answers."""
    longest = getattr(provider, "most_tokens", None)
    return max_tokens if longest is None else int(longest(max_tokens))


def request_seed(*parts: object) -> int:
    """Return the seed of a request: another one for each run's seed, conversation, attempt and call."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8]) % _SEEDS


def fingerprint(document: Any) -> str:
    """Return the SHA-256 of something that can be written as JSON, whatever the order of its keys."""
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
