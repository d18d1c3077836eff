"""Shortens a long list of choices to those that an encoder finds likely, before a language model decides among them.

A language model reads every line of the list; an encoder reads none twice. What the encoder leaves out is answered never.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from chat_request import ChatRequest
from encoder_questions import choice_lines


class _Decision(Protocol):
    @property
    def log_probabilities(self) -> list[float]: ...
    @property
    def running(self) -> str | None: ...


class _Decider(Protocol):
    """What weighs choices quickly: an `EncoderDecider`."""

    @property
    def fallback(self) -> str: ...
    def decide(self, messages: Sequence[dict[str, str]], choices: Sequence[str]) -> _Decision: ...


class _Server(Protocol):
    def answer(self, request: ChatRequest) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Shortlist:
    """Keeps the `most` likeliest choices, the one that is running and the fallback, in the order of the list."""

    decider: _Decider
    most: int

    def kept(self, request: ChatRequest) -> list[str] | None:
        """Return which choices stay, None where all do: a short list, or a chat that asks for no decision after a turn.

        Raises:
            ModelFailureError: the encoder computes NaN.
        """
        choices, fallback = request.choices or [], self.decider.fallback
        if len(choices) - (fallback in choices) <= self.most or request.messages[-1]["role"] != "user":
            return None
        decision = self.decider.decide(request.messages, choices)
        likeliest = sorted(zip(decision.log_probabilities, choices, strict=True), key=lambda pair: -pair[0])
        found = {name for _, name in [pair for pair in likeliest if pair[1] != fallback][: self.most]}
        answered = (m["content"] for m in reversed(request.messages) if m["role"] == "assistant")
        found |= {fallback, next(answered, None) or decision.running or fallback}
        return [name for name in choices if name in found]

    def shortened(self, request: ChatRequest, kept: list[str]) -> ChatRequest:
        """Return the request with `kept` alone for choices, and without the lines of the others in its system messages.

        Earlier answers stay as they are, those that were left out too.
        """
        every, stay = request.choices or [], set(kept)
        systems = [m["content"] for m in request.messages if m["role"] == "system"]
        lines = iter(choice_lines("\n".join(systems), every))
        messages = []
        for message in request.messages:
            content = message["content"]
            if message["role"] == "system":
                own = [next(lines) for _ in range(len(choice_lines(content, [])))]
                content = "\n".join(line for line, name in own if name is None or name in stay)
            messages.append({**message, "content": content})
        return replace(request, messages=messages, choices=kept)


class ShortlistServer:
    """A chat server that is asked about shortlists; its replies are about the whole lists."""

    def __init__(self, server: _Server, shortlist: Shortlist) -> None:
        self._server = server
        self._shortlist = shortlist

    def answer(self, request: ChatRequest) -> dict[str, Any]:
        """Return the chat server's reply, with probabilities of 0 for what was left out, and what was kept as `shortlist`.

        Raises:
            InvalidRequestError, ModelFailureError: as the chat server does.
        """
        kept = self._shortlist.kept(request)
        if kept is None:
            return self._server.answer(request)
        reply = self._server.answer(self._shortlist.shortened(request, kept))
        choice = reply["choices"][0]
        weights = choice["choice_probabilities"]
        choice["choice_probabilities"] = {name: weights.get(name, 0.0) for name in request.choices or []}
        choice["shortlist"] = kept
        return reply
